-- Static groups.

-- name: group_page
-- doc: A group whose parent is out of reach stands at the top.
SELECT g.id, CASE WHEN {reach:g.parent_id} THEN g.parent_id END, g.name, g.built_in IS NOT NULL, (SELECT count(*) FROM {t}.device d WHERE d.group_id = g.id)
FROM {t}.device_group g
WHERE {reach:g.id}
ORDER BY g.built_in NULLS LAST, lower(g.name), g.id
LIMIT 1000;

-- name: group_find
SELECT g.id, g.parent_id, g.name, g.built_in IS NOT NULL, (SELECT count(*) FROM {t}.device d WHERE d.group_id = g.id)
FROM {t}.device_group g
WHERE g.id = $1::uuid AND {reach:g.id};

-- name: group_built_in
-- doc: $1 all or lost_and_found.
SELECT g.id FROM {t}.device_group g WHERE g.built_in = $1::text AND {reach:g.id};

-- name: group_sibling
-- doc: A group of that name below the same parent.
SELECT g.id FROM {t}.device_group g WHERE g.parent_id = $1::uuid AND lower(g.name) = lower($2::text) LIMIT 1;

-- name: group_insert
INSERT INTO {t}.device_group (id, parent_id, name, built_in, created_at)
VALUES ($1::uuid, $2::uuid, $3::text, $4::text, $5::timestamptz);
