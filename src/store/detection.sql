-- Detections. severity: 0 info, 1 warning, 2 critical.

-- name: detection_page
-- doc: One page. $1 device, $2 resolved, $3 severity, $4 type, $5 search, $6 from, $7 to, $8 sort key and $9 id of the last
-- doc: row of the page before, $10 limit. The device is looked up row by row, as in device_page.
-- variant sort: occurred_at = x.occurred_at : timestamptz, name = lower(x.name) : text, severity = x.severity : smallint
-- variant direction: asc, desc
-- variant page: first = true, next = ({sort}, x.id) {cmp} ($8::text::{sort_type}, $9::uuid)
-- variant search: none = $5::text IS NULL, some = (position(lower($5::text) IN lower(x.name)) > 0 OR position(lower($5) IN lower(x.object)) > 0 OR x.device_id IN (SELECT d.id FROM {t}.device d WHERE position(lower($5) IN lower(d.name)) > 0))
SELECT p.id, p.device_id, coalesce((SELECT d.name FROM {t}.device d WHERE d.id = p.device_id), ''), p.name, p.type, p.severity, p.scanner, p.action, p.action_error, p.object, p.sha256, p.size,
       p.process, p.account, p.engine, p.engine_version, p.signature_version, p.occurred_at, p.received_at, p.resolved_at,
       p.resolved_by, p.sort_key::text
FROM (
    SELECT x.id, x.device_id, x.name, x.type, x.severity, x.scanner, x.action, x.action_error, x.object, x.sha256, x.size, x.process, x.account,
           x.engine, x.engine_version, x.signature_version, x.occurred_at, x.received_at, x.resolved_at, x.resolved_by, {sort} AS sort_key
    FROM {t}.detection x
    WHERE ($1::uuid IS NULL OR x.device_id = $1)
      AND ($2::boolean IS NULL OR (x.resolved_at IS NOT NULL) = $2)
      AND ($3::smallint IS NULL OR x.severity = $3)
      AND ($4::text IS NULL OR x.type = $4)
      AND {search}
      AND ($6::timestamptz IS NULL OR x.occurred_at >= $6)
      AND ($7::timestamptz IS NULL OR x.occurred_at < $7)
      AND {reach:(SELECT d.group_id FROM {t}.device d WHERE d.id = x.device_id)}
      AND ($8::text IS NULL OR $9::uuid IS NOT NULL)
      AND {page}
    ORDER BY {sort} {direction}, x.id {direction}
    LIMIT $10::integer) p
ORDER BY p.sort_key {direction}, p.id {direction};

-- name: detection_count
-- doc: How many match the filters of detection_page ($1 to $7).
-- variant search: none = $5::text IS NULL, some = (position(lower($5::text) IN lower(x.name)) > 0 OR position(lower($5) IN lower(x.object)) > 0 OR x.device_id IN (SELECT d.id FROM {t}.device d WHERE position(lower($5) IN lower(d.name)) > 0))
SELECT count(*)
FROM {t}.detection x
WHERE ($1::uuid IS NULL OR x.device_id = $1)
  AND ($2::boolean IS NULL OR (x.resolved_at IS NOT NULL) = $2)
  AND ($3::smallint IS NULL OR x.severity = $3)
  AND ($4::text IS NULL OR x.type = $4)
  AND {search}
  AND ($6::timestamptz IS NULL OR x.occurred_at >= $6)
  AND ($7::timestamptz IS NULL OR x.occurred_at < $7)
  AND {reach:(SELECT d.group_id FROM {t}.device d WHERE d.id = x.device_id)};

-- name: detection_find
SELECT x.id, x.device_id, d.name, x.name, x.type, x.severity, x.scanner, x.action, x.action_error, x.object, x.sha256, x.size,
       x.process, x.account, x.engine, x.engine_version, x.signature_version, x.occurred_at, x.received_at, x.resolved_at,
       x.resolved_by
FROM {t}.detection x
JOIN {t}.device d ON d.id = x.device_id
WHERE x.id = $1::uuid AND {reach:d.group_id};

-- name: detection_lock_devices
-- doc: Locks the devices of some detections in the order that agents' writes use, so that the two cannot deadlock.
SELECT d.id
FROM {t}.device d
WHERE d.id IN (SELECT x.device_id FROM {t}.detection x WHERE x.id = ANY ($1::uuid[])) AND {reach:d.group_id}
ORDER BY d.id
FOR UPDATE;

-- name: detection_resolve
-- doc: $1 ids, $2 resolved, $3 now, $4 by whom. Keeps the devices' counts. Gives which ones changed.
WITH changed AS (
    UPDATE {t}.detection x
    SET resolved_at = CASE WHEN $2::boolean THEN $3::timestamptz END,
        resolved_by = CASE WHEN $2::boolean THEN $4::text ELSE '' END
    WHERE x.id = ANY ($1::uuid[]) AND (x.resolved_at IS NOT NULL) <> $2::boolean
      AND EXISTS (SELECT 1 FROM {t}.device d WHERE d.id = x.device_id AND {reach:d.group_id})
    RETURNING x.id, x.device_id
), per_device AS (
    SELECT c.device_id, count(*)::integer AS n FROM changed c GROUP BY c.device_id
), counted AS (
    UPDATE {t}.device d
    SET unresolved = greatest(0, d.unresolved + CASE WHEN $2::boolean THEN -p.n ELSE p.n END)
    FROM per_device p
    WHERE d.id = p.device_id
    RETURNING d.id
)
SELECT c.id FROM changed c ORDER BY c.id;

-- name: detection_unresolved
SELECT count(*)
FROM {t}.detection x
WHERE x.resolved_at IS NULL
  AND {reach:(SELECT d.group_id FROM {t}.device d WHERE d.id = x.device_id)};

-- name: detection_days
-- doc: Detections of the last 14 days by day of the tenant's time zone. $1 zone, $2 now.
SELECT to_char(s.day, 'YYYY-MM-DD'), count(x.id)
FROM generate_series(date_trunc('day', $2::timestamptz AT TIME ZONE $1::text) - interval '13 days',
                     date_trunc('day', $2::timestamptz AT TIME ZONE $1::text), interval '1 day') AS s (day)
LEFT JOIN {t}.detection x ON x.occurred_at >= (s.day AT TIME ZONE $1::text) AND x.occurred_at < ((s.day + interval '1 day') AT TIME ZONE $1::text)
     AND {reach:(SELECT d.group_id FROM {t}.device d WHERE d.id = x.device_id)}
GROUP BY s.day
ORDER BY s.day;

-- name: quarantine_page
-- doc: $1 device, $2 time and $3 id of the last row before, $4 limit; newest first.
SELECT q.id, q.device_id, d.name, q.name, q.object, q.sha256, q.size, q.quarantined_at
FROM {t}.quarantine q
JOIN {t}.device d ON d.id = q.device_id
WHERE q.removed_at IS NULL
  AND ($1::uuid IS NULL OR q.device_id = $1)
  AND {reach:d.group_id}
  AND ($2::timestamptz IS NULL OR (q.quarantined_at, q.id) < ($2, $3::uuid))
ORDER BY q.quarantined_at DESC, q.id DESC
LIMIT $4::integer;

-- name: quarantine_count
SELECT count(*)
FROM {t}.quarantine q
WHERE q.removed_at IS NULL AND ($1::uuid IS NULL OR q.device_id = $1)
  AND {reach:(SELECT d.group_id FROM {t}.device d WHERE d.id = q.device_id)};

-- name: event_expire
-- doc: Retention: deletes at most $2 records received before $1; marks stay.
DELETE FROM {t}.event e
WHERE (e.device_id, e.epoch, e.seq) IN (
    SELECT o.device_id, o.epoch, o.seq FROM {t}.event o WHERE o.received_at < $1::timestamptz ORDER BY o.received_at LIMIT $2::integer);

-- name: detection_expire
-- doc: Retention: deletes at most $2 resolved detections that occurred before $1.
DELETE FROM {t}.detection x
WHERE x.id IN (
    SELECT o.id FROM {t}.detection o WHERE o.occurred_at < $1::timestamptz AND o.resolved_at IS NOT NULL ORDER BY o.occurred_at LIMIT $2::integer);
