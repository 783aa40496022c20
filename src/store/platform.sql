-- Keys of the platform and of tenants, in the control schema.

-- name: platform_find
-- scope: control
SELECT p.public, p.sealed FROM control.platform p WHERE p.name = $1::text;

-- name: platform_tenant_ca
-- scope: control
SELECT t.ca_pem, t.ca_key_sealed FROM control.tenant t WHERE t.no = $1::integer;

-- name: platform_signing_keys
-- scope: control
-- doc: Newest first; those that still verify at $1.
SELECT k.kid, k.secret_sealed, k.created_at, k.retires_at
FROM control.signing_key k
WHERE k.audience = 'console' AND k.retires_at > $1::timestamptz
ORDER BY k.created_at DESC
LIMIT 8;

-- name: platform_signing_key_insert
-- scope: control
-- doc: Unless another replica has made one since $5.
INSERT INTO control.signing_key (kid, audience, secret_sealed, created_at, retires_at)
SELECT $1::text, 'console', $2::bytea, $3::timestamptz, $4::timestamptz
WHERE NOT EXISTS (SELECT 1 FROM control.signing_key k WHERE k.audience = 'console' AND k.created_at > $5::timestamptz);

-- name: platform_signing_keys_forget
-- scope: control
DELETE FROM control.signing_key k WHERE k.retires_at < $1::timestamptz;
