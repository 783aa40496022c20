-- What the owner does: tenants, plans, keys, migrations. The service has no right to any of it.

-- name: provision_lock
-- scope: control
SELECT pg_catalog.pg_try_advisory_lock($1::integer, $2::integer);

-- name: provision_unlock
-- scope: control
SELECT pg_catalog.pg_advisory_unlock($1::integer, $2::integer);

-- name: provision_audit
-- scope: control
INSERT INTO control.operator_audit (id, at, actor, action, tenant, detail)
VALUES ($1::uuid, $2::timestamptz, $3::text, $4::text, $5::text, $6::jsonb);

-- name: provision_audit_ready
-- scope: control
-- doc: Does the schema of tenant $1 have the audit's chain?
SELECT t.schema_version >= 2 FROM control.tenant t WHERE t.no = $1::integer;

-- name: migration_applied
-- scope: control
SELECT m.version, m.name, m.hash FROM control.migration m ORDER BY m.version;

-- name: migration_note
-- scope: control
INSERT INTO control.migration (version, name, hash, previous_hash, applied_at)
VALUES ($1::integer, $2::text, $3::text, $4::text, $5::timestamptz);

-- name: tenant_migration_hashes
-- scope: control
-- doc: Every (version, hash) under which a tenant of today was migrated, with one tenant as an example.
SELECT m.version, m.hash, min(m.tenant_no)
FROM control.tenant_migration m
GROUP BY m.version, m.hash
ORDER BY m.version, m.hash;

-- name: tenant_migration_note
-- scope: control
INSERT INTO control.tenant_migration (tenant_no, version, hash, applied_at)
VALUES ($1::integer, $2::integer, $3::text, $4::timestamptz);

-- name: tenant_migration_version
-- scope: control
UPDATE control.tenant SET schema_version = $2::integer, changed_at = $3::timestamptz WHERE no = $1::integer;

-- name: tenant_migration_behind
-- scope: control
-- doc: Tenants with a schema older than $1.
SELECT t.no, t.schema_version
FROM control.tenant t
WHERE t.status IN ('pooled', 'active', 'suspended') AND t.schema_version < $1::integer
ORDER BY t.no;

-- name: tenant_migration_figures
-- scope: control
-- doc: How many tenants there are, how many of them are older than $1, and the oldest version.
SELECT count(*), count(*) FILTER (WHERE t.schema_version < $1::integer), coalesce(min(t.schema_version), $1)
FROM control.tenant t
WHERE t.status IN ('pooled', 'active', 'suspended');

-- name: pool_count
-- scope: control
SELECT count(*) FROM control.tenant t WHERE t.status = 'pooled' AND t.schema_version = $1::integer;

-- name: pool_preparing
-- scope: control
-- doc: A number whose preparation was cut off; nothing of it exists, since all is made in one transaction.
SELECT t.no, t.slice FROM control.tenant t WHERE t.status = 'preparing' ORDER BY t.no LIMIT 1;

-- name: pool_next
-- scope: control
SELECT coalesce(max(t.no), 0) + 1 FROM control.tenant t;

-- name: pool_members
-- scope: control
-- doc: Tenants' roles that the login role $1 is a member of.
SELECT count(*)
FROM pg_catalog.pg_auth_members m
JOIN pg_catalog.pg_roles r ON r.oid = m.roleid
JOIN pg_catalog.pg_roles l ON l.oid = m.member
WHERE l.rolname = $1::text AND r.rolname ~ '^t_[0-9]+$';

-- name: pool_insert
-- scope: control
INSERT INTO control.tenant (no, status, slice, created_at, changed_at)
VALUES ($1::integer, 'preparing', $2::integer, $3::timestamptz, $3);

-- name: pool_ready
-- scope: control
UPDATE control.tenant SET status = 'pooled', changed_at = $2::timestamptz WHERE no = $1::integer AND status = 'preparing';

-- name: pool_pick
-- scope: control
SELECT t.no, t.slice
FROM control.tenant t
WHERE t.status = 'pooled' AND t.schema_version = $1::integer
ORDER BY t.no
LIMIT 1
FOR UPDATE SKIP LOCKED;

-- name: pool_take
-- scope: control
-- doc: Makes prepared schema $1 the tenant.
UPDATE control.tenant
SET id = $2::text, name = $3::text, status = 'active', plan = $4::text, seats = $5::integer, time_zone = $6::text,
    language = $7::text, ca_pem = $8::text, ca_key_sealed = $9::bytea, created_at = $10::timestamptz, changed_at = $10
WHERE no = $1::integer AND status = 'pooled';

-- name: provision_tenant_find
-- scope: control
SELECT t.no, t.id, t.name, t.status, t.plan, t.seats, t.time_zone, t.language, t.slice, t.suspended_reason, t.schema_version,
       t.created_at, t.changed_at, t.over_seats_since, ARRAY(SELECT h.host FROM control.tenant_host h WHERE h.tenant_no = t.no ORDER BY h.host)
FROM control.tenant t
WHERE t.id = $1::text AND t.status IN ('active', 'suspended', 'erasing');

-- name: provision_tenant_lock
-- scope: control
SELECT t.no FROM control.tenant t WHERE t.no = $1::integer FOR UPDATE;

-- name: provision_tenant_page
-- scope: control
SELECT t.no, t.id, t.name, t.status, t.plan, t.seats, t.slice, t.schema_version, t.created_at
FROM control.tenant t
WHERE t.status IN ('active', 'suspended', 'erasing')
ORDER BY t.id;

-- name: provision_tenant_update
-- scope: control
UPDATE control.tenant
SET name = $2::text, plan = $3::text, seats = $4::integer, time_zone = $5::text, language = $6::text, changed_at = $7::timestamptz
WHERE no = $1::integer;

-- name: provision_tenant_status
-- scope: control
UPDATE control.tenant SET status = $2::text, suspended_reason = $3::text, changed_at = $4::timestamptz WHERE no = $1::integer;

-- name: provision_tenant_erased
-- scope: control
-- doc: What is left of a tenant: its number, which is never given out again, and its usage for billing.
UPDATE control.tenant
SET id = NULL, name = '', status = 'erased', plan = NULL, seats = 0, suspended_reason = '', ca_pem = NULL, ca_key_sealed = NULL,
    over_seats_since = NULL, changed_at = $2::timestamptz
WHERE no = $1::integer;

-- name: provision_tenant_erase_index
-- scope: control
DELETE FROM control.enrolment_index WHERE tenant_no = $1::integer;

-- name: provision_tenant_erase_versions
-- scope: control
DELETE FROM control.tenant_migration WHERE tenant_no = $1::integer;

-- name: provision_host_clear
-- scope: control
DELETE FROM control.tenant_host WHERE tenant_no = $1::integer;

-- name: provision_host_insert
-- scope: control
INSERT INTO control.tenant_host (host, tenant_no) VALUES ($1::text, $2::integer);

-- name: provision_host_owner
-- scope: control
-- doc: The tenant that holds host $1.
SELECT coalesce(t.id, ''), t.no FROM control.tenant_host h JOIN control.tenant t ON t.no = h.tenant_no WHERE h.host = $1::text;

-- name: provision_time_zone
-- scope: control
-- doc: Fails with 22023 for a time zone that does not exist; the view of all zones takes a hundred times as long.
SELECT pg_catalog.timezone($1::text, $2::timestamptz);

-- name: plan_find
-- scope: control
SELECT p.body FROM control.plan p WHERE p.id = $1::text;

-- name: plan_page
-- scope: control
SELECT p.id, p.body, p.changed_at, (SELECT count(*) FROM control.tenant t WHERE t.plan = p.id) FROM control.plan p ORDER BY p.id;

-- name: plan_upsert
-- scope: control
INSERT INTO control.plan (id, body, changed_at) VALUES ($1::text, $2::jsonb, $3::timestamptz)
ON CONFLICT (id) DO UPDATE SET body = EXCLUDED.body, changed_at = EXCLUDED.changed_at;

-- name: plan_misfits
-- scope: control
-- doc: Tenants of plan $1 whose seats are outside $2 to $3.
SELECT t.id, t.seats FROM control.tenant t
WHERE t.plan = $1::text AND t.status IN ('active', 'suspended') AND (t.seats < $2::integer OR ($3::integer IS NOT NULL AND t.seats > $3))
ORDER BY t.id LIMIT 1;

-- name: provision_platform_insert
-- scope: control
INSERT INTO control.platform (name, public, sealed) VALUES ($1::text, $2::text, $3::bytea);

-- name: provision_sealed_control
-- scope: control
-- doc: Every sealed value of control with its context and where it lies.
SELECT 'platform', p.name, p.sealed, 'platform:' || p.name FROM control.platform p
UNION ALL
SELECT 'signing_key', k.kid, k.secret_sealed, 'signing-key:' || k.kid FROM control.signing_key k
UNION ALL
SELECT 'tenant', t.no::text, t.ca_key_sealed, 'tenant-ca:' || t.no FROM control.tenant t WHERE t.ca_key_sealed IS NOT NULL;

-- name: provision_reseal_platform
-- scope: control
UPDATE control.platform SET sealed = $3::bytea WHERE name = $1::text AND sealed = $2::bytea;

-- name: provision_reseal_signing_key
-- scope: control
UPDATE control.signing_key SET secret_sealed = $3::bytea WHERE kid = $1::text AND secret_sealed = $2::bytea;

-- name: provision_reseal_tenant
-- scope: control
UPDATE control.tenant SET ca_key_sealed = $3::bytea WHERE no = $1::integer AND ca_key_sealed = $2::bytea;

-- name: provision_sessions_sealed
-- doc: Open sessions' sealed families.
SELECT s.id, s.family_sealed FROM {t}.session s WHERE s.ended_at IS NULL;

-- name: provision_reseal_session
UPDATE {t}.session SET family_sealed = $3::bytea WHERE id = $1::uuid AND family_sealed = $2::bytea;

-- name: provision_factors_sealed
-- doc: Accounts' second factors.
SELECT a.id, a.two_factor_sealed FROM {t}.account a WHERE a.two_factor_sealed IS NOT NULL;

-- name: provision_reseal_factor
UPDATE {t}.account SET two_factor_sealed = $3::bytea WHERE id = $1::uuid AND two_factor_sealed = $2::bytea;

-- name: provision_groups
SELECT g.id, g.name, g.built_in, g.parent_id FROM {t}.device_group g ORDER BY g.created_at, g.id;

-- name: provision_accounts
SELECT a.id, a.name, a.display_name, a.language, a.must_change, a.disabled_at IS NOT NULL FROM {t}.account a ORDER BY a.created_at, a.id;

-- name: provision_account_update
UPDATE {t}.account SET display_name = $2::text WHERE id = $1::uuid;

-- name: provision_account_password
-- doc: A new first password; the account is unlocked.
UPDATE {t}.account SET password_hash = $2::text, must_change = true, failures = 0, locked_until = NULL WHERE lower(name) = lower($1::text);

-- name: provision_account_sessions_end
UPDATE {t}.session SET ended_at = $2::timestamptz
WHERE ended_at IS NULL AND account_id IN (SELECT a.id FROM {t}.account a WHERE lower(a.name) = lower($1::text));

-- name: provision_tokens
SELECT k.id, k.name, k.revoked_at IS NOT NULL FROM {t}.enrolment_token k ORDER BY k.created_at, k.id;

-- name: doctor_settings
-- scope: control
SELECT pg_catalog.current_setting('server_version'), pg_catalog.current_setting('max_connections')::integer,
       pg_catalog.current_setting('superuser_reserved_connections')::integer,
       pg_catalog.current_setting('max_locks_per_transaction')::integer,
       (SELECT count(*) FROM pg_catalog.pg_stat_activity s WHERE s.backend_type = 'client backend');

-- name: doctor_role
-- scope: control
-- doc: Role $1: may it log in, does it inherit, is it a superuser, may it create roles, is it a member of sekisho_service.
SELECT r.rolcanlogin, r.rolinherit, r.rolsuper, r.rolcreaterole,
       EXISTS (SELECT 1 FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
               WHERE m.member = r.oid AND g.rolname = 'sekisho_service')
FROM pg_catalog.pg_roles r WHERE r.rolname = $1::text;

-- name: doctor_tenants
-- scope: control
SELECT count(*) FILTER (WHERE t.status IN ('active', 'suspended')), count(*) FILTER (WHERE t.status = 'pooled'),
       count(*) FILTER (WHERE t.status = 'erasing'),
       count(*) FILTER (WHERE t.status IN ('active', 'suspended', 'pooled') AND t.slice >= $1::integer)
FROM control.tenant t;

-- name: trace_set
-- scope: control
INSERT INTO control.trace (area, tenant, until) VALUES ($1::text, $2::text, $3::timestamptz)
ON CONFLICT (area, tenant) DO UPDATE SET until = excluded.until;

-- name: trace_clear
-- scope: control
-- doc: Ends debug lines: of area $1 ('': of all) and tenant $2 ('': whatever the tenant), and those whose time is over.
DELETE FROM control.trace r
WHERE r.until <= $3::timestamptz OR (($1::text = '' OR r.area = $1) AND ($2::text = '' OR r.tenant = $2));

-- name: trace_expire
-- scope: control
DELETE FROM control.trace r WHERE r.until <= $1::timestamptz;
