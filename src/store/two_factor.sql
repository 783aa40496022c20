-- The second factor of an account: begun, confirmed, used, ended.

-- name: two_factor_begin
-- doc: Replaces a secret that was not confirmed; no row is changed when one counts already.
UPDATE {t}.account a
SET two_factor_sealed = $2::bytea, two_factor_step = NULL, recovery_hashes = '{}'
WHERE a.id = $1::uuid AND a.two_factor_at IS NULL;

-- name: two_factor_confirm
-- doc: $2 the secret that the code was checked against, $3 now, $4 step of the code, $5 hashes of recovery codes.
UPDATE {t}.account a
SET two_factor_at = $3::timestamptz, two_factor_step = $4::bigint, recovery_hashes = $5::bytea[], revision = a.revision + 1
WHERE a.id = $1::uuid AND a.two_factor_at IS NULL AND a.two_factor_sealed = $2::bytea;

-- name: two_factor_use
-- doc: Step $2 is used up, with all before it; no row is changed when that was so already.
UPDATE {t}.account a
SET two_factor_step = $2::bigint
WHERE a.id = $1::uuid AND a.two_factor_at IS NOT NULL AND coalesce(a.two_factor_step, 0) < $2;

-- name: two_factor_recover
-- doc: The recovery code with hash $2 is used up. Gives how many are left.
UPDATE {t}.account a
SET recovery_hashes = array_remove(a.recovery_hashes, $2::bytea)
WHERE a.id = $1::uuid AND a.two_factor_at IS NOT NULL AND $2 = ANY (a.recovery_hashes)
RETURNING cardinality(a.recovery_hashes);

-- name: two_factor_end
-- doc: Also of one that was only begun. No row is changed when there is none, or one is required.
UPDATE {t}.account a
SET two_factor_sealed = NULL, two_factor_at = NULL, two_factor_step = NULL, recovery_hashes = '{}', revision = a.revision + 1
WHERE a.id = $1::uuid AND a.two_factor_sealed IS NOT NULL AND NOT a.two_factor_required;
