-- The control schema: what exists once per cell. Owned by the owner role; the service (group role sekisho_service) gets
-- explicit rights. Tenants' roles get nothing here. One statement at a time; `;` at the end of a line ends a statement.
CREATE SCHEMA IF NOT EXISTS control; -- the runner has made it for its own tables control.migration and control.tenant_migration

CREATE TABLE control.tenant (
    no               integer     PRIMARY KEY,               -- also in the names of schema and role: t_<no>
    id               text        UNIQUE CHECK (id ~ '^[a-z][a-z0-9-]{1,38}[a-z0-9]$'), -- NULL while pooled
    name             text        NOT NULL DEFAULT '',
    status           text        NOT NULL CHECK (status IN ('preparing', 'pooled', 'active', 'suspended', 'erasing', 'erased')),
    plan             text,
    seats            integer     NOT NULL DEFAULT 0 CHECK (seats >= 0),
    time_zone        text        NOT NULL DEFAULT 'Asia/Tokyo',
    language         text        NOT NULL DEFAULT 'ja' CHECK (language IN ('ja', 'en')),
    slice            integer     NOT NULL DEFAULT 0,
    suspended_reason text        NOT NULL DEFAULT '',
    over_seats_since timestamptz,                           -- enrolment went over the seats at this time
    ca_pem           text,                                  -- the tenant's intermediate
    ca_key_sealed    bytea,                                 -- sealed with context 'tenant-ca:<no>'
    schema_version   integer     NOT NULL DEFAULT 0,        -- last tenant migration, set in its transaction
    created_at       timestamptz NOT NULL,
    changed_at       timestamptz NOT NULL
);

CREATE TABLE control.plan (
    id         text        PRIMARY KEY,
    body       jsonb       NOT NULL,                        -- tenants/plans/<id>.json
    changed_at timestamptz NOT NULL
);

CREATE TABLE control.tenant_host (                          -- host names that stand for a tenant at sign-in
    host      text    PRIMARY KEY,
    tenant_no integer NOT NULL REFERENCES control.tenant (no)
);

CREATE TABLE control.signing_key (                          -- HS256 keys of our own tokens
    kid           text        PRIMARY KEY,
    audience      text        NOT NULL CHECK (audience IN ('console')),
    secret_sealed bytea       NOT NULL,                     -- context 'signing-key:<kid>'
    created_at    timestamptz NOT NULL,
    retires_at    timestamptz NOT NULL                      -- verifies until then
);

CREATE TABLE control.platform (                             -- root CA, time key, module key
    name   text  PRIMARY KEY,
    public text  NOT NULL,                                  -- PEM or hex
    sealed bytea NOT NULL                                   -- context 'platform:<name>'
);

CREATE TABLE control.enrolment_index (                      -- which tenant an enrolment token's public half belongs to
    token_id  uuid    PRIMARY KEY,
    tenant_no integer NOT NULL REFERENCES control.tenant (no)
);

CREATE TABLE control.usage (                                -- totals that billing reads, idempotent by (tenant, sequence)
    tenant_no integer     NOT NULL REFERENCES control.tenant (no),
    sequence  bigint      NOT NULL,
    at        timestamptz NOT NULL,
    seats     integer     NOT NULL,
    devices   integer     NOT NULL,
    PRIMARY KEY (tenant_no, sequence)
);

CREATE TABLE control.revision (                             -- counts changes of tenants, plans and keys; the snapshot's version
    id    boolean PRIMARY KEY DEFAULT true CHECK (id),
    value bigint  NOT NULL
);

INSERT INTO control.revision (value) VALUES (1);

CREATE TABLE control.operator_audit (
    id      uuid        PRIMARY KEY,
    at      timestamptz NOT NULL,
    actor   text        NOT NULL,
    action  text        NOT NULL,
    tenant  text,
    detail  jsonb       NOT NULL
);

GRANT USAGE ON SCHEMA control TO sekisho_service;
GRANT SELECT ON control.tenant, control.plan, control.tenant_host, control.signing_key, control.platform, control.revision, control.migration, control.tenant_migration TO sekisho_service;
GRANT UPDATE (over_seats_since, changed_at) ON control.tenant TO sekisho_service;
GRANT SELECT, INSERT, DELETE ON control.enrolment_index TO sekisho_service;
GRANT SELECT, INSERT ON control.usage TO sekisho_service;
GRANT INSERT, DELETE ON control.signing_key TO sekisho_service;
GRANT UPDATE ON control.revision TO sekisho_service;
