-- Who did what. Rows are only added.

-- name: audit_insert
-- doc: $3 account or NULL; $4 the name as typed, where there is no account.
INSERT INTO {t}.audit (id, at, account_id, account, session_id, address, action, object_type, object_id, object_name, result, detail)
VALUES ($1::uuid, $2::timestamptz, $3::uuid, coalesce((SELECT a.name FROM {t}.account a WHERE a.id = $3::uuid), $4::text), $5::uuid, $6::text,
        $7::text, $8::text, $9::uuid, $10::text, $11::text, coalesce($12::jsonb, '{}'));
