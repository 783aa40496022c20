-- Who may do what, and who did what. Built-in permission sets have no rows: they are code (domain/access.c), known by their ids.
CREATE TABLE {t}.permission_set (
    id          uuid        PRIMARY KEY,
    name        text        NOT NULL,
    description text        NOT NULL DEFAULT '',
    group_ids   uuid[]      NOT NULL,                       -- the rights hold there and below; ids of groups that are gone grant nothing
    allow       bigint      NOT NULL,                       -- call/permission.h bits
    deny        bigint      NOT NULL DEFAULT 0,             -- wins over every allow
    revision    bigint      NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL,
    changed_at  timestamptz NOT NULL
);

CREATE UNIQUE INDEX permission_set_name ON {t}.permission_set (lower(name));

-- account.permissions stays for servers of the version before; a later migration drops it.
ALTER TABLE {t}.account ALTER COLUMN permissions SET DEFAULT 0;
ALTER TABLE {t}.account ADD COLUMN set_ids uuid[];
ALTER TABLE {t}.account ADD COLUMN home_group_id uuid REFERENCES {t}.device_group (id);
ALTER TABLE {t}.account ADD COLUMN email text;
ALTER TABLE {t}.account ADD COLUMN revision bigint;
ALTER TABLE {t}.account ADD COLUMN last_sign_in_at timestamptz;
ALTER TABLE {t}.account ADD COLUMN two_factor_required boolean;
ALTER TABLE {t}.account ADD COLUMN two_factor_sealed bytea;
ALTER TABLE {t}.account ADD COLUMN two_factor_at timestamptz;
ALTER TABLE {t}.account ADD COLUMN two_factor_step bigint;
ALTER TABLE {t}.account ADD COLUMN recovery_hashes bytea[];
-- set_ids: ids of permission sets; those that are gone grant nothing. home_group_id NULL: All. two_factor_sealed: the TOTP
-- secret, context 'two-factor:<id>'; it counts from two_factor_at on; two_factor_step: of the last code used, so that none
-- is used twice. recovery_hashes: SHA-256 of those not used yet.
UPDATE {t}.account SET set_ids = ARRAY['5e000000-0000-4000-8000-000000000001'::uuid] WHERE permissions <> 0;
UPDATE {t}.account SET set_ids = coalesce(set_ids, '{}'), email = '', revision = 1, two_factor_required = false, recovery_hashes = '{}';
ALTER TABLE {t}.account ALTER COLUMN set_ids SET DEFAULT '{}';
ALTER TABLE {t}.account ALTER COLUMN set_ids SET NOT NULL;
ALTER TABLE {t}.account ALTER COLUMN email SET DEFAULT '';
ALTER TABLE {t}.account ALTER COLUMN email SET NOT NULL;
ALTER TABLE {t}.account ALTER COLUMN revision SET DEFAULT 1;
ALTER TABLE {t}.account ALTER COLUMN revision SET NOT NULL;
ALTER TABLE {t}.account ALTER COLUMN two_factor_required SET DEFAULT false;
ALTER TABLE {t}.account ALTER COLUMN two_factor_required SET NOT NULL;
ALTER TABLE {t}.account ALTER COLUMN recovery_hashes SET DEFAULT '{}';
ALTER TABLE {t}.account ALTER COLUMN recovery_hashes SET NOT NULL;

-- The chain: each record's hash covers its fields and the hash before it (store/audit.h says how). Records of before this
-- migration have no place in it.
ALTER TABLE {t}.audit ADD COLUMN seq bigint;
ALTER TABLE {t}.audit ADD COLUMN hash bytea;
ALTER TABLE {t}.audit ALTER COLUMN detail TYPE text;        -- the text that is hashed: jsonb would give back another one
ALTER TABLE {t}.audit ADD COLUMN group_id uuid;             -- where the object belongs; NULL: only those who see everything see it
CREATE UNIQUE INDEX audit_seq ON {t}.audit (seq);
CREATE INDEX audit_seal ON {t}.audit (seq) WHERE action = 'audit.seal';
CREATE INDEX audit_object ON {t}.audit (object_id, at) WHERE object_id IS NOT NULL;
CREATE INDEX audit_account ON {t}.audit (account_id, at) WHERE account_id IS NOT NULL;

CREATE TABLE {t}.audit_head (                               -- one row: the newest record; locked by whoever adds the next
    id   boolean PRIMARY KEY DEFAULT true CHECK (id),
    seq  bigint  NOT NULL,
    hash bytea   NOT NULL
);

INSERT INTO {t}.audit_head (seq, hash) VALUES (0, sha256(convert_to('{t}', 'UTF8')));

GRANT SELECT, INSERT, UPDATE, DELETE ON {t}.permission_set TO {r};
GRANT SELECT, UPDATE ON {t}.audit_head TO {r};
