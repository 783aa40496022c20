-- Enrolment tokens, and devices that join with them.

-- name: enrolment_token_page
SELECT e.id, e.name, e.group_id, g.name, e.created_at, e.expires_at, e.uses, e.max_uses, e.revoked_at
FROM {t}.enrolment_token e
JOIN {t}.device_group g ON g.id = e.group_id
WHERE {reach:e.group_id}
ORDER BY e.revoked_at IS NOT NULL, e.created_at DESC, e.id
LIMIT 200;

-- name: enrolment_token_insert
INSERT INTO {t}.enrolment_token (id, name, secret_hash, group_id, created_at, created_by, expires_at, max_uses)
VALUES ($1::uuid, $2::text, $3::bytea, $4::uuid, $5::timestamptz,
        coalesce((SELECT a.name FROM {t}.account a WHERE a.id = $6::uuid), $7::text), $8::timestamptz, $9::integer);

-- name: enrolment_token_revoke
UPDATE {t}.enrolment_token e
SET revoked_at = coalesce(e.revoked_at, $2::timestamptz)
WHERE e.id = $1::uuid AND {reach:e.group_id}
RETURNING e.name;

-- name: enrolment_token_lock
SELECT e.secret_hash, e.group_id, e.expires_at, e.max_uses, e.uses, e.revoked_at
FROM {t}.enrolment_token e
WHERE e.id = $1::uuid
FOR UPDATE;

-- name: enrolment_token_use
UPDATE {t}.enrolment_token e SET uses = e.uses + 1 WHERE e.id = $1::uuid;

-- name: enrolment_gate
-- doc: One enrolment of a tenant at a time, so that seats are counted exactly. Foreign keys to the group do not wait for it.
SELECT g.id FROM {t}.device_group g WHERE g.built_in = 'all' FOR NO KEY UPDATE;

-- name: enrolment_seats
SELECT count(*) FROM {t}.device d;

-- name: enrolment_repeated
-- doc: The device that joined with token $1, key $2 and machine $3 since $4: the answer was lost and the agent asks again.
SELECT d.id
FROM {t}.certificate c
JOIN {t}.device d ON d.id = c.device_id
WHERE c.key_hash = $2::bytea AND c.revoked_at IS NULL AND d.token_id = $1::uuid AND d.machine_id = $3::text AND d.enrolled_at > $4::timestamptz
ORDER BY d.enrolled_at DESC
LIMIT 1;

-- name: enrolment_device_insert
-- doc: With the row of its last contact, which it never is without.
WITH made AS (
    INSERT INTO {t}.device (id, name, group_id, os_family, agent_version, machine_id, check_interval, enrolled_at, token_id)
    VALUES ($1::uuid, $2::text, $3::uuid, $4::text, $5::text, $6::text, $7::integer, $8::timestamptz, $9::uuid)
    RETURNING id, enrolled_at
)
INSERT INTO {t}.seen (device_id, at)
SELECT m.id, m.enrolled_at FROM made m;

-- name: enrolment_index_find
-- scope: control
SELECT i.tenant_no FROM control.enrolment_index i WHERE i.token_id = $1::uuid;

-- name: enrolment_index_insert
-- scope: control
INSERT INTO control.enrolment_index (token_id, tenant_no) VALUES ($1::uuid, $2::integer) ON CONFLICT (token_id) DO NOTHING;

-- name: enrolment_grace_find
-- scope: control
SELECT t.seats, t.over_seats_since FROM control.tenant t WHERE t.no = $1::integer;

-- name: enrolment_grace_set
-- scope: control
-- doc: $2: since when the tenant is over its seats, NULL: it is within again.
WITH changed AS (
    UPDATE control.tenant t
    SET over_seats_since = $2::timestamptz, changed_at = $3::timestamptz
    WHERE t.no = $1::integer AND (t.over_seats_since IS NULL) <> ($2::timestamptz IS NULL)
    RETURNING t.no
)
UPDATE control.revision r SET value = r.value + 1 WHERE EXISTS (SELECT 1 FROM changed);
