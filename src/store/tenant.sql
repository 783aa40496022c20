-- Tenants as the service sees them: the snapshot.

-- name: tenant_revision
-- scope: control
SELECT r.value FROM control.revision r;

-- name: tenant_snapshot
-- scope: control
-- doc: Every tenant that is served, with what its plan limits.
SELECT t.no, t.slice, t.id, t.name, t.plan, t.time_zone, t.status, t.suspended_reason, t.seats, t.over_seats_since, t.ca_pem,
       (p.body #>> '{limits,min_interval}')::integer, (p.body #>> '{limits,api_per_minute}')::integer,
       ARRAY(SELECT e.key FROM jsonb_each(p.body -> 'entitlements') e WHERE e.value = 'true')
FROM control.tenant t
LEFT JOIN control.plan p ON p.id = t.plan
WHERE t.status IN ('active', 'suspended')
ORDER BY t.no;

-- name: tenant_hosts
-- scope: control
SELECT h.host, h.tenant_no FROM control.tenant_host h;

-- name: revision_bump
-- scope: control
-- doc: Makes every server read tenants, plans and keys again.
UPDATE control.revision SET value = value + 1;

-- name: trace_read
-- scope: control
-- doc: Debug lines asked for until a time.
SELECT r.area, r.tenant, r.until FROM control.trace r WHERE r.until > $1::timestamptz ORDER BY r.area, r.tenant LIMIT 64;
