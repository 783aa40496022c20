-- Accounts as those see them who manage users.

-- name: user_page
-- doc: Users by name. $1 search, $2 permission set, $3 enabled, $4 name and $5 id of the last row before, $6 only this one, $7 limit.
-- doc: Names of the sets that are rows follow in the order of their ids.
SELECT a.id, a.name, a.display_name, a.email, a.language, a.must_change, a.locked_until, a.disabled_at, a.two_factor_at, a.two_factor_required,
       a.last_sign_in_at, a.created_at, a.revision, a.home_group_id, g.name, g.built_in IS NOT NULL, a.set_ids::text[],
       ARRAY(SELECT s.id::text FROM {t}.permission_set s WHERE s.id = ANY (a.set_ids) ORDER BY s.id),
       ARRAY(SELECT s.name FROM {t}.permission_set s WHERE s.id = ANY (a.set_ids) ORDER BY s.id),
       lower(a.name)
FROM {t}.account a
LEFT JOIN {t}.device_group g ON g.id = a.home_group_id
WHERE ($1::text IS NULL OR position(lower($1) IN lower(a.name)) > 0 OR position(lower($1) IN lower(a.display_name)) > 0
       OR position(lower($1) IN lower(a.email)) > 0)
  AND ($2::uuid IS NULL OR $2 = ANY (a.set_ids))
  AND ($3::boolean IS NULL OR (a.disabled_at IS NULL) = $3)
  AND ($4::text IS NULL OR (lower(a.name), a.id) > ($4, $5::uuid))
  AND ($6::uuid IS NULL OR a.id = $6)
  AND {reach:a.home_group_id}
ORDER BY lower(a.name), a.id
LIMIT $7::integer;

-- name: user_count
-- doc: How many match $1 to $3 of user_page.
SELECT count(*)
FROM {t}.account a
WHERE ($1::text IS NULL OR position(lower($1) IN lower(a.name)) > 0 OR position(lower($1) IN lower(a.display_name)) > 0
       OR position(lower($1) IN lower(a.email)) > 0)
  AND ($2::uuid IS NULL OR $2 = ANY (a.set_ids))
  AND ($3::boolean IS NULL OR (a.disabled_at IS NULL) = $3)
  AND {reach:a.home_group_id};

-- name: user_lock
SELECT a.name, a.revision
FROM {t}.account a
WHERE a.id = $1::uuid AND {reach:a.home_group_id}
FOR UPDATE;

-- name: user_update
-- doc: $7 enabled, $9 now.
UPDATE {t}.account a
SET display_name = $2::text, email = $3::text, language = $4::text, home_group_id = $5::uuid, set_ids = $6::uuid[],
    disabled_at = CASE WHEN $7::boolean THEN NULL ELSE coalesce(a.disabled_at, $9::timestamptz) END,
    two_factor_required = $8::boolean, revision = a.revision + 1
WHERE a.id = $1::uuid;

-- name: user_remove
-- doc: Its sessions go with it.
DELETE FROM {t}.account a WHERE a.id = $1::uuid;

-- name: user_two_factor_clear
UPDATE {t}.account a
SET two_factor_sealed = NULL, two_factor_at = NULL, two_factor_step = NULL, recovery_hashes = '{}', revision = a.revision + 1
WHERE a.id = $1::uuid;
