-- People who sign in.

-- name: account_by_name
SELECT a.id, a.name, a.display_name, a.password_hash, a.must_change, a.language, a.failures, a.locked_until, a.disabled_at,
       a.two_factor_required, a.two_factor_sealed, a.two_factor_at, a.two_factor_step
FROM {t}.account a
WHERE lower(a.name) = lower($1::text);

-- name: account_find
SELECT a.id, a.name, a.display_name, a.password_hash, a.must_change, a.language, a.failures, a.locked_until, a.disabled_at,
       a.two_factor_required, a.two_factor_sealed, a.two_factor_at, a.two_factor_step
FROM {t}.account a
WHERE a.id = $1::uuid;

-- name: account_insert
INSERT INTO {t}.account (id, name, display_name, password_hash, must_change, language, set_ids, home_group_id, email, two_factor_required, created_at)
VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::boolean, $6::text, $7::uuid[], $8::uuid, $9::text, $10::boolean, $11::timestamptz);

-- name: account_failed
-- doc: One more failed sign-in at $2. From failure $3 on the account is locked: $4 seconds, doubled with each, at most $5.
UPDATE {t}.account a
SET failures = a.failures + 1,
    locked_until = CASE WHEN a.failures + 1 >= $3::integer
                        THEN $2::timestamptz + make_interval(secs => least($4::double precision * 2 ^ least(a.failures + 1 - $3::integer, 20), $5::double precision))
                        ELSE a.locked_until END
WHERE a.id = $1::uuid
RETURNING a.failures, a.locked_until;

-- name: account_succeeded
-- doc: At $2.
UPDATE {t}.account a
SET failures = 0, locked_until = NULL, last_sign_in_at = $2::timestamptz
WHERE a.id = $1::uuid;

-- name: account_set_password
-- doc: $3: whether it must be changed at the next sign-in.
UPDATE {t}.account a
SET password_hash = $2::text, must_change = $3::boolean, failures = 0, locked_until = NULL
WHERE a.id = $1::uuid;

-- name: account_set_language
UPDATE {t}.account a SET language = $2::text WHERE a.id = $1::uuid;
