-- Certificates of devices: registered when issued, so that checking one is a look-up (identity/pins.h).

-- name: certificate_find
SELECT c.device_id, c.expires_at, c.revoked_at
FROM {t}.certificate c
WHERE c.leaf_hash = $1::bytea;

-- name: certificate_insert
INSERT INTO {t}.certificate (leaf_hash, device_id, serial, key_hash, issued_at, expires_at)
VALUES ($1::bytea, $2::uuid, $3::text, $4::bytea, $5::timestamptz, $6::timestamptz);

-- name: certificate_revoke
-- doc: All certificates of device $1 that are not revoked yet.
UPDATE {t}.certificate c
SET revoked_at = $2::timestamptz
WHERE c.device_id = $1::uuid AND c.revoked_at IS NULL
RETURNING encode(c.leaf_hash, 'hex');

-- name: certificate_live
-- doc: Which of these (hex) exist and are not revoked.
SELECT encode(c.leaf_hash, 'hex')
FROM {t}.certificate c
WHERE c.leaf_hash IN (SELECT decode(x.hash, 'hex') FROM unnest($1::text[]) AS x (hash)) AND c.revoked_at IS NULL;

-- name: certificate_device
-- doc: Locks the device against a concurrent removal while a certificate is renewed; gives its name.
SELECT d.name FROM {t}.device d WHERE d.id = $1::uuid AND {reach:d.group_id} FOR KEY SHARE;
