-- Sessions of people; a session's refresh tokens are a family (identity/token.h).

-- name: session_insert
INSERT INTO {t}.session (id, account_id, family_sealed, counter, rotated_at, created_at, last_used_at, address, user_agent, expires_at)
VALUES ($1::uuid, $2::uuid, $3::bytea, 0, $4::timestamptz, $4::timestamptz, $4::timestamptz, $5::text, $6::text, $7::timestamptz);

-- name: session_check
-- doc: What an access token stands on, if session $1 of account $2 is open at $3.
SELECT a.set_ids::text[], a.must_change, s.expires_at, a.name, a.home_group_id IS NULL, a.two_factor_required AND a.two_factor_at IS NULL
FROM {t}.session s
JOIN {t}.account a ON a.id = s.account_id
WHERE s.id = $1::uuid AND s.account_id = $2::uuid AND s.ended_at IS NULL AND s.expires_at > $3::timestamptz AND a.disabled_at IS NULL;

-- name: session_lock
-- doc: Locks the session for a rotation.
SELECT s.account_id, s.family_sealed, s.counter, s.rotated_at, s.expires_at, s.ended_at, a.must_change, a.disabled_at, a.name
FROM {t}.session s
JOIN {t}.account a ON a.id = s.account_id
WHERE s.id = $1::uuid
FOR UPDATE OF s;

-- name: session_rotate
-- doc: $2 new counter, $3 now, $4 end of the session if it is not used again.
UPDATE {t}.session s
SET counter = $2::bigint, rotated_at = $3::timestamptz, last_used_at = $3::timestamptz, expires_at = $4::timestamptz, address = $5::text, user_agent = $6::text
WHERE s.id = $1::uuid;

-- name: session_end
-- doc: $2: only of this account, if given.
UPDATE {t}.session s
SET ended_at = $3::timestamptz
WHERE s.id = $1::uuid AND s.ended_at IS NULL AND ($2::uuid IS NULL OR s.account_id = $2)
RETURNING s.account_id;

-- name: session_end_others
-- doc: All sessions of account $1 but $2 (NULL: all).
UPDATE {t}.session s
SET ended_at = $3::timestamptz
WHERE s.account_id = $1::uuid AND s.id IS DISTINCT FROM $2::uuid AND s.ended_at IS NULL
RETURNING s.id;

-- name: session_page
SELECT s.id, s.created_at, s.last_used_at, s.address, s.user_agent
FROM {t}.session s
WHERE s.account_id = $1::uuid AND s.ended_at IS NULL AND s.expires_at > $2::timestamptz
ORDER BY s.last_used_at DESC, s.id
LIMIT 200;

-- name: session_forget
-- doc: Deletes sessions that ended or expired before $1.
DELETE FROM {t}.session s
WHERE s.expires_at < $1::timestamptz OR s.ended_at < $1::timestamptz;
