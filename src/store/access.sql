-- Which groups a right reaches. Rights add up over permission sets; a denial wins, with all groups below it.

-- name: access_sets
-- doc: The permission sets of account $1 that are rows, a row per group: whether it is All, and what is allowed and denied there.
SELECT g.id, g.parent_id IS NULL, s.allow, s.deny
FROM {t}.account a
JOIN {t}.permission_set s ON s.id = ANY (a.set_ids)
JOIN {t}.device_group g ON g.id = ANY (s.group_ids)
WHERE a.id = $1::uuid;

-- name: access_reach
-- doc: Groups on which account $1 has right $2 (one bit). $3, $4: a built-in set allows it on All, on the home group.
WITH RECURSIVE mine AS (
    SELECT s.group_ids, s.allow, s.deny
    FROM {t}.account a
    JOIN {t}.permission_set s ON s.id = ANY (a.set_ids)
    WHERE a.id = $1::uuid
), allowed AS (
    SELECT g.id
    FROM {t}.device_group g
    JOIN {t}.account a ON a.id = $1::uuid
    WHERE (g.parent_id IS NULL AND ($3::boolean OR ($4::boolean AND a.home_group_id IS NULL)))
       OR ($4::boolean AND g.id = a.home_group_id)
       OR EXISTS (SELECT 1 FROM mine m WHERE m.allow & $2::bigint <> 0 AND g.id = ANY (m.group_ids))
    UNION
    SELECT c.id FROM {t}.device_group c JOIN allowed p ON c.parent_id = p.id
), denied AS (
    SELECT g.id
    FROM {t}.device_group g
    WHERE EXISTS (SELECT 1 FROM mine m WHERE m.deny & $2::bigint <> 0 AND g.id = ANY (m.group_ids))
    UNION
    SELECT c.id FROM {t}.device_group c JOIN denied p ON c.parent_id = p.id
)
SELECT x.id FROM allowed x WHERE NOT EXISTS (SELECT 1 FROM denied y WHERE y.id = x.id);

-- name: access_groups
-- doc: The tree.
SELECT g.id, g.parent_id FROM {t}.device_group g;

-- name: access_accounts
-- doc: Accounts that have permission set $1, or account $2, with all that decides what they may do: a row per account and
-- doc: group of a set that is a row; group NULL when there is none.
SELECT a.id, a.set_ids::text[], a.home_group_id, s.id, g.id, s.allow, s.deny
FROM {t}.account a
LEFT JOIN {t}.permission_set s ON s.id = ANY (a.set_ids)
LEFT JOIN {t}.device_group g ON g.id = ANY (s.group_ids)
WHERE ($1::uuid IS NULL OR $1 = ANY (a.set_ids)) AND ($2::uuid IS NULL OR a.id = $2)
ORDER BY a.id;

-- name: permission_set_page
-- doc: $1: only this one. group ids and names in the same order; those of groups that are gone are left out.
SELECT s.id, s.name, s.description, s.allow, s.deny, s.revision, s.changed_at,
       (SELECT count(*) FROM {t}.account a WHERE s.id = ANY (a.set_ids)),
       ARRAY(SELECT g.id::text FROM {t}.device_group g WHERE g.id = ANY (s.group_ids) ORDER BY g.id),
       ARRAY(SELECT g.name FROM {t}.device_group g WHERE g.id = ANY (s.group_ids) ORDER BY g.id)
FROM {t}.permission_set s
WHERE ($1::uuid IS NULL OR s.id = $1) AND {reach-all:s.group_ids}
ORDER BY lower(s.name), s.id
LIMIT 500;

-- name: permission_set_users
-- doc: How many have set $1 (also built-in ones, which have no row).
SELECT count(*) FROM {t}.account a WHERE $1::uuid = ANY (a.set_ids);

-- name: permission_set_count
SELECT count(*) FROM {t}.permission_set s;

-- name: permission_set_insert
INSERT INTO {t}.permission_set (id, name, description, group_ids, allow, deny, created_at, changed_at)
VALUES ($1::uuid, $2::text, $3::text, $4::uuid[], $5::bigint, $6::bigint, $7::timestamptz, $7);

-- name: permission_set_lock
-- doc: What is there before a change.
SELECT s.name, s.description, s.group_ids::text[], s.allow, s.deny, s.revision
FROM {t}.permission_set s
WHERE s.id = $1::uuid AND {reach-all:s.group_ids}
FOR UPDATE;

-- name: permission_set_update
UPDATE {t}.permission_set s
SET name = $2::text, description = $3::text, group_ids = $4::uuid[], allow = $5::bigint, deny = $6::bigint,
    revision = s.revision + 1, changed_at = $7::timestamptz
WHERE s.id = $1::uuid;

-- name: permission_set_remove
DELETE FROM {t}.permission_set s WHERE s.id = $1::uuid;

-- name: permission_set_names
-- doc: Which of these sets there are. $1 ids.
SELECT s.id, s.name FROM {t}.permission_set s WHERE s.id = ANY ($1::uuid[]);

-- name: access_lock
-- doc: One change of rights at a time, so that each is checked against what the one before has left.
SELECT g.id FROM {t}.device_group g WHERE g.parent_id IS NULL FOR NO KEY UPDATE;
