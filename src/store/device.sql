-- Devices as the console sees them. device.status: 0 ok, 1 attention, 2 problem.

-- name: device_page
-- doc: One page of devices. $1 group (it and all below), $2 status, $3 os family, $4 problems only, $5 isolated, $6 search text (a
-- doc: pattern of LIKE when it is long: three characters make a trigram), $7 sort key and $8 id of the last row of the page before,
-- doc: $9 limit. What is not asked for is not in the statement, so that the index of the order is used. Looked up row
-- doc: by row, not joined: of a limit that is a parameter the planner believes that it is a tenth of all rows.
-- variant sort: name = lower(d.name) : text, os_name = lower(d.os_name) : text, problems = d.problems : integer, unresolved = d.unresolved : integer, enrolled_at = d.enrolled_at : timestamptz
-- variant direction: asc, desc
-- variant page: first = true, next = ({sort}, d.id) {cmp} ($7::text::{sort_type}, $8::uuid)
-- variant filter: none = ($1::uuid IS NULL AND $2::smallint IS NULL AND $3::text IS NULL AND $4::boolean IS NOT TRUE AND $5::boolean IS NULL), some = ($1::uuid IS NULL OR d.group_id IN (WITH RECURSIVE below AS (SELECT x.id FROM {t}.device_group x WHERE x.id = $1::uuid UNION ALL SELECT y.id FROM {t}.device_group y JOIN below b ON y.parent_id = b.id) SELECT below.id FROM below)) AND ($2::smallint IS NULL OR d.status = $2) AND ($3::text IS NULL OR d.os_family = $3) AND ($4::boolean IS NOT TRUE OR d.problems > 0) AND ($5::boolean IS NULL OR d.isolated = $5)
-- variant search: none = $6::text IS NULL, short = position(lower($6::text) IN d.search) > 0, long = d.search LIKE lower($6::text)
SELECT x.id, x.name, x.description, x.group_id, g.name, x.status, x.os_family, x.os_name, x.os_version, x.ip,
       coalesce((SELECT s.at FROM {t}.seen s WHERE s.device_id = x.id), x.enrolled_at), x.check_interval, x.problems, x.unresolved, x.isolated, x.protection,
       x.agent_version, x.enrolled_at, x.sort_key::text
FROM (
    SELECT d.id, d.name, d.description, d.group_id, d.status, d.os_family, d.os_name, d.os_version, d.ip, d.check_interval, d.problems,
           d.unresolved, d.isolated, d.protection, d.agent_version, d.enrolled_at, {sort} AS sort_key
    FROM {t}.device d
    WHERE {filter}
      AND {search}
      AND {reach:d.group_id}
      AND ($7::text IS NULL OR $8::uuid IS NOT NULL)
      AND {page}
    ORDER BY {sort} {direction}, d.id {direction}
    LIMIT $9::integer) x
JOIN {t}.device_group g ON g.id = x.group_id
ORDER BY x.sort_key {direction}, x.id {direction};

-- name: device_page_seen
-- doc: The same in the order of the last contact, which each device has a row for.
-- variant sort: last_seen = z.at : timestamptz
-- variant direction: asc, desc
-- variant page: first = true, next = (z.at, z.device_id) {cmp} ($7::text::{sort_type}, $8::uuid)
-- variant filter: none = ($1::uuid IS NULL AND $2::smallint IS NULL AND $3::text IS NULL AND $4::boolean IS NOT TRUE AND $5::boolean IS NULL), some = ($1::uuid IS NULL OR d.group_id IN (WITH RECURSIVE below AS (SELECT x.id FROM {t}.device_group x WHERE x.id = $1::uuid UNION ALL SELECT y.id FROM {t}.device_group y JOIN below b ON y.parent_id = b.id) SELECT below.id FROM below)) AND ($2::smallint IS NULL OR d.status = $2) AND ($3::text IS NULL OR d.os_family = $3) AND ($4::boolean IS NOT TRUE OR d.problems > 0) AND ($5::boolean IS NULL OR d.isolated = $5)
-- variant search: none = $6::text IS NULL, short = position(lower($6::text) IN d.search) > 0, long = d.search LIKE lower($6::text)
SELECT x.id, x.name, x.description, x.group_id, g.name, x.status, x.os_family, x.os_name, x.os_version, x.ip,
       coalesce((SELECT s.at FROM {t}.seen s WHERE s.device_id = x.id), x.enrolled_at), x.check_interval, x.problems, x.unresolved, x.isolated, x.protection,
       x.agent_version, x.enrolled_at, x.sort_key::text
FROM (
    SELECT d.id, d.name, d.description, d.group_id, d.status, d.os_family, d.os_name, d.os_version, d.ip, d.check_interval, d.problems,
           d.unresolved, d.isolated, d.protection, d.agent_version, d.enrolled_at, {sort} AS sort_key
    FROM {t}.seen z JOIN {t}.device d ON d.id = z.device_id
    WHERE {filter}
      AND {search}
      AND {reach:d.group_id}
      AND ($7::text IS NULL OR $8::uuid IS NOT NULL)
      AND {page}
    ORDER BY z.at {direction}, z.device_id {direction}
    LIMIT $9::integer) x
JOIN {t}.device_group g ON g.id = x.group_id
ORDER BY x.sort_key {direction}, x.id {direction};

-- name: device_count
-- doc: How many devices match $1 to $6 of device_page.
-- variant filter: none = ($1::uuid IS NULL AND $2::smallint IS NULL AND $3::text IS NULL AND $4::boolean IS NOT TRUE AND $5::boolean IS NULL), some = ($1::uuid IS NULL OR d.group_id IN (WITH RECURSIVE below AS (SELECT x.id FROM {t}.device_group x WHERE x.id = $1::uuid UNION ALL SELECT y.id FROM {t}.device_group y JOIN below b ON y.parent_id = b.id) SELECT below.id FROM below)) AND ($2::smallint IS NULL OR d.status = $2) AND ($3::text IS NULL OR d.os_family = $3) AND ($4::boolean IS NOT TRUE OR d.problems > 0) AND ($5::boolean IS NULL OR d.isolated = $5)
-- variant search: none = $6::text IS NULL, short = position(lower($6::text) IN d.search) > 0, long = d.search LIKE lower($6::text)
SELECT count(*)
FROM {t}.device d
WHERE {filter}
  AND {search}
  AND {reach:d.group_id};

-- name: device_find
-- doc: One device with the list's columns, then fqdn, lost_records, identity_question, addresses, and its newest certificate.
SELECT d.id, d.name, d.description, d.group_id, g.name, d.status, d.os_family, d.os_name, d.os_version, d.ip,
       coalesce(s.at, d.enrolled_at), d.check_interval, d.problems, d.unresolved, d.isolated, d.protection,
       d.agent_version, d.enrolled_at, d.fqdn, d.lost_records, d.identity_question, d.addresses,
       c.expires_at, c.revoked_at
FROM {t}.device d
JOIN {t}.device_group g ON g.id = d.group_id
LEFT JOIN {t}.seen s ON s.device_id = d.id
LEFT JOIN LATERAL (
    SELECT x.expires_at, x.revoked_at FROM {t}.certificate x WHERE x.device_id = d.id ORDER BY x.issued_at DESC LIMIT 1) c ON true
WHERE d.id = $1::uuid AND {reach:d.group_id};

-- name: device_facts
-- doc: The facts of a device but its software, at most 300 of a kind, in order of kind and key.
SELECT r.kind, r.key, r.value
FROM (
    SELECT f.kind, f.key, f.value, row_number() OVER (PARTITION BY f.kind ORDER BY f.key) AS place
    FROM {t}.fact f
    WHERE f.device_id = $1::uuid AND f.kind <> 'software') r
WHERE r.place <= 300
ORDER BY r.kind, r.key;

-- name: device_software_page
-- doc: Installed software by key. $2 search, $3 key of the last row before, $4 limit.
SELECT f.key, f.value
FROM {t}.fact f
WHERE f.device_id = $1::uuid AND f.kind = 'software'
  AND ($2::text IS NULL OR position(lower($2) IN lower(f.key)) > 0)
  AND ($3::text IS NULL OR f.key > $3)
ORDER BY f.key
LIMIT $4::integer;

-- name: device_software_count
SELECT count(*)
FROM {t}.fact f
WHERE f.device_id = $1::uuid AND f.kind = 'software'
  AND ($2::text IS NULL OR position(lower($2) IN lower(f.key)) > 0);

-- name: device_update
-- doc: NULL leaves a value. Gives no row when the device does not exist.
UPDATE {t}.device d
SET name = coalesce($2::text, d.name),
    named_by_user = d.named_by_user OR $2::text IS NOT NULL,
    description = coalesce($3::text, d.description),
    group_id = coalesce($4::uuid, d.group_id)
WHERE d.id = $1::uuid AND {reach:d.group_id}
RETURNING d.name;

-- name: device_lock
-- doc: Waits for a check-in under way.
SELECT d.id FROM {t}.device d WHERE d.id = $1::uuid AND {reach:d.group_id} FOR UPDATE;

-- name: device_remove
-- doc: With what agents have reported, whose tables have no foreign keys. After device_lock, in a statement of its
-- doc: own, so that it sees what the last check-in wrote; a later check-in finds no device.
WITH gone AS (
    SELECT d.id FROM {t}.device d WHERE d.id = $1::uuid
), facts AS (
    DELETE FROM {t}.fact f USING gone g WHERE f.device_id = g.id RETURNING 1
), digests AS (
    DELETE FROM {t}.fact_digest f USING gone g WHERE f.device_id = g.id RETURNING 1
), events AS (
    DELETE FROM {t}.event e USING gone g WHERE e.device_id = g.id RETURNING 1
), marks AS (
    DELETE FROM {t}.event_mark m USING gone g WHERE m.device_id = g.id RETURNING 1
), detections AS (
    DELETE FROM {t}.detection x USING gone g WHERE x.device_id = g.id RETURNING 1
), held AS (
    DELETE FROM {t}.quarantine q USING gone g WHERE q.device_id = g.id RETURNING 1
)
DELETE FROM {t}.device d USING gone g WHERE d.id = g.id RETURNING d.name;

-- name: device_revisions
-- doc: Of many devices, for the wake-up sweep. $1 ids.
SELECT d.id, d.revision FROM {t}.device d WHERE d.id = ANY ($1::uuid[]);

-- name: device_counts
-- doc: Figures of the overview. $1 now.
SELECT count(*), count(*) FILTER (WHERE d.status = 0), count(*) FILTER (WHERE d.status = 1), count(*) FILTER (WHERE d.status = 2),
       count(*) FILTER (WHERE coalesce(s.at, d.enrolled_at) < $1::timestamptz - 2 * d.check_interval * interval '1 second' - interval '1 minute')
FROM {t}.device d
LEFT JOIN {t}.seen s ON s.device_id = d.id
WHERE {reach:d.group_id};

-- name: seen_flush
-- doc: Last contacts of many devices; rows of devices that are gone are skipped, time never goes back.
INSERT INTO {t}.seen (device_id, at, address)
SELECT r.device_id, r.at, r.address
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS r (device_id, at, address)
JOIN {t}.device d ON d.id = r.device_id
ORDER BY r.device_id
ON CONFLICT (device_id) DO UPDATE SET at = greatest(seen.at, excluded.at), address = excluded.address;
