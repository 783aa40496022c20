-- A tenant's schema. {t} is the schema, {r} the tenant's role. No triggers, no functions, no sequences; ids are made by the
-- service; foreign keys stay inside. Each statement is sent alone (Citus refuses several in one message).
CREATE TABLE {t}.device_group (
    id         uuid        PRIMARY KEY,
    parent_id  uuid        REFERENCES {t}.device_group (id),
    name       text        NOT NULL,                        -- built-in groups: a message code
    built_in   text        UNIQUE CHECK (built_in IN ('all', 'lost_and_found')),
    created_at timestamptz NOT NULL
);

CREATE TABLE {t}.device (
    id                uuid        PRIMARY KEY,
    name              text        NOT NULL,
    named_by_user     boolean     NOT NULL DEFAULT false,   -- the reported host name does not overwrite it
    description       text        NOT NULL DEFAULT '',
    group_id          uuid        NOT NULL REFERENCES {t}.device_group (id),
    os_family         text        NOT NULL,
    os_name           text        NOT NULL DEFAULT '',
    os_version        text        NOT NULL DEFAULT '',
    fqdn              text        NOT NULL DEFAULT '',
    ip                text        NOT NULL DEFAULT '',      -- first address reported, for the list
    addresses         text        NOT NULL DEFAULT '',      -- all addresses, blank-separated, for the search
    status            smallint    NOT NULL DEFAULT 0 CHECK (status BETWEEN 0 AND 2), -- ok, attention, problem
    problems          integer     NOT NULL DEFAULT 0,
    unresolved        integer     NOT NULL DEFAULT 0,       -- detections
    isolated          boolean     NOT NULL DEFAULT false,
    protection        text        NOT NULL DEFAULT 'unknown',
    agent_version     text        NOT NULL DEFAULT '',
    machine_id        text        NOT NULL DEFAULT '',
    check_interval    integer     NOT NULL,                 -- seconds
    revision          bigint      NOT NULL DEFAULT 1,       -- grows when the agent must learn something
    facts_digest      text        NOT NULL DEFAULT '',      -- over the kinds' digests
    lost_records      bigint      NOT NULL DEFAULT 0,
    identity_question boolean     NOT NULL DEFAULT false,
    enrolled_at       timestamptz NOT NULL,
    token_id          uuid
) WITH (fillfactor = 80);

CREATE INDEX device_name ON {t}.device (lower(name), id);
CREATE INDEX device_group_id ON {t}.device (group_id);

CREATE TABLE {t}.seen (                                     -- narrow and often written: flushed once a minute
    device_id uuid        PRIMARY KEY REFERENCES {t}.device (id) ON DELETE CASCADE,
    at        timestamptz NOT NULL,
    address   text        NOT NULL DEFAULT ''
) WITH (fillfactor = 70);

CREATE INDEX seen_at ON {t}.seen (at, device_id);

-- What agents report, by the hundred rows: fact to quarantine have no foreign keys, each of which would run a query per row. A
-- check-in writes while it holds the device's lock, and device_remove deletes them. Room in the pages keeps updates off the indexes.
CREATE TABLE {t}.fact (
    device_id uuid  NOT NULL,
    kind      text  NOT NULL,
    key       text  NOT NULL,
    value     jsonb NOT NULL,
    PRIMARY KEY (device_id, kind, key)
) WITH (fillfactor = 90);

CREATE TABLE {t}.fact_digest (
    device_id uuid        NOT NULL,
    kind      text        NOT NULL,
    digest    text        NOT NULL,
    at        timestamptz NOT NULL,
    PRIMARY KEY (device_id, kind)
) WITH (fillfactor = 80);

CREATE TABLE {t}.event_mark (                               -- outlives retention
    device_id uuid   NOT NULL,
    epoch     uuid   NOT NULL,
    mark      bigint NOT NULL,                              -- all up to here are committed
    PRIMARY KEY (device_id, epoch)
) WITH (fillfactor = 70);

CREATE TABLE {t}.event (
    device_id   uuid        NOT NULL,
    epoch       uuid        NOT NULL,
    seq         bigint      NOT NULL,
    id          uuid        NOT NULL,                       -- of the happening; the same in every epoch
    kind        text        NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    hash        text        NOT NULL,
    body        jsonb       NOT NULL,
    PRIMARY KEY (device_id, epoch, seq)
);

CREATE UNIQUE INDEX event_id ON {t}.event (device_id, id);
CREATE INDEX event_received_at ON {t}.event (received_at);

CREATE TABLE {t}.detection (
    id                uuid        PRIMARY KEY,              -- the event's id
    device_id         uuid        NOT NULL,
    name              text        NOT NULL,
    type              text        NOT NULL,
    severity          smallint    NOT NULL,                 -- 0 info, 1 warning, 2 critical
    scanner           text        NOT NULL,
    action            text        NOT NULL,
    action_error      text        NOT NULL DEFAULT '',
    object            text        NOT NULL,
    sha256            text        NOT NULL DEFAULT '',
    size              bigint,
    process           text        NOT NULL DEFAULT '',
    account           text        NOT NULL DEFAULT '',      -- user at that time
    engine            text        NOT NULL DEFAULT '',
    engine_version    text        NOT NULL DEFAULT '',
    signature_version text        NOT NULL DEFAULT '',
    execution_id      uuid,
    occurred_at       timestamptz NOT NULL,
    received_at       timestamptz NOT NULL,
    resolved_at       timestamptz,
    resolved_by       text        NOT NULL DEFAULT ''
);

CREATE INDEX detection_occurred_at ON {t}.detection (occurred_at, id);
CREATE INDEX detection_device_id ON {t}.detection (device_id, occurred_at);
CREATE INDEX detection_unresolved ON {t}.detection (occurred_at, id) WHERE resolved_at IS NULL;

CREATE TABLE {t}.quarantine (
    id             uuid        PRIMARY KEY,
    device_id      uuid        NOT NULL,
    name           text        NOT NULL,
    object         text        NOT NULL,
    sha256         text        NOT NULL,
    size           bigint      NOT NULL,
    quarantined_at timestamptz NOT NULL,
    removed_at     timestamptz
);

CREATE INDEX quarantine_at ON {t}.quarantine (quarantined_at, id);

CREATE TABLE {t}.task (
    id           uuid        PRIMARY KEY,
    type         text        NOT NULL,
    name         text        NOT NULL DEFAULT '',
    settings     jsonb       NOT NULL,
    detection_id uuid,
    created_at   timestamptz NOT NULL,
    created_by   text        NOT NULL,
    expires_at   timestamptz NOT NULL
);

CREATE INDEX task_created_at ON {t}.task (created_at, id);

CREATE TABLE {t}.execution (
    id            uuid        PRIMARY KEY,
    task_id       uuid        NOT NULL REFERENCES {t}.task (id) ON DELETE CASCADE,
    device_id     uuid        NOT NULL REFERENCES {t}.device (id) ON DELETE CASCADE,
    state         text        NOT NULL,                     -- pending running cancelling done failed cancelled refused
    progress      smallint    NOT NULL DEFAULT 0,
    files_scanned bigint,
    files_total   bigint,
    found         bigint,
    result_code   text        NOT NULL DEFAULT '',
    result_args   text[]      NOT NULL DEFAULT '{}',
    created_at    timestamptz NOT NULL,
    started_at    timestamptz,
    ended_at      timestamptz
);

CREATE INDEX execution_task ON {t}.execution (task_id, id);
CREATE INDEX execution_device ON {t}.execution (device_id, created_at, id);
CREATE INDEX execution_open ON {t}.execution (device_id) WHERE ended_at IS NULL;

CREATE TABLE {t}.enrolment_token (
    id          uuid        PRIMARY KEY,
    name        text        NOT NULL,
    secret_hash bytea       NOT NULL,                       -- SHA-256 of the secret (128 random bits: no slow hash needed)
    group_id    uuid        NOT NULL REFERENCES {t}.device_group (id),
    created_at  timestamptz NOT NULL,
    created_by  text        NOT NULL,
    expires_at  timestamptz,
    max_uses    integer,
    uses        integer     NOT NULL DEFAULT 0,
    revoked_at  timestamptz
);

CREATE TABLE {t}.certificate (
    leaf_hash  bytea       PRIMARY KEY,                     -- SHA-256 of the DER
    device_id  uuid        NOT NULL REFERENCES {t}.device (id) ON DELETE CASCADE,
    serial     text        NOT NULL,
    key_hash   bytea       NOT NULL,                        -- SHA-256 of the public key: finds a repeated enrolment
    issued_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);

CREATE INDEX certificate_device ON {t}.certificate (device_id, issued_at);
CREATE INDEX certificate_key ON {t}.certificate (key_hash);

CREATE TABLE {t}.account (
    id            uuid        PRIMARY KEY,
    name          text        NOT NULL,
    display_name  text        NOT NULL,
    password_hash text        NOT NULL,                     -- Argon2id, encoded form
    must_change   boolean     NOT NULL DEFAULT true,
    language      text        NOT NULL DEFAULT 'ja',
    permissions   bigint      NOT NULL,                     -- call/permission.h bits
    failures      integer     NOT NULL DEFAULT 0,
    locked_until  timestamptz,
    created_at    timestamptz NOT NULL,
    disabled_at   timestamptz
);

CREATE UNIQUE INDEX account_name ON {t}.account (lower(name));

CREATE TABLE {t}.session (
    id            uuid        PRIMARY KEY,
    account_id    uuid        NOT NULL REFERENCES {t}.account (id) ON DELETE CASCADE,
    family_sealed bytea       NOT NULL,                     -- secret from which refresh tokens are derived; context 'session:<id>'
    counter       bigint      NOT NULL DEFAULT 0,           -- of the newest refresh token
    rotated_at    timestamptz NOT NULL,
    created_at    timestamptz NOT NULL,
    last_used_at  timestamptz NOT NULL,
    address       text        NOT NULL,
    user_agent    text        NOT NULL,
    expires_at    timestamptz NOT NULL,
    ended_at      timestamptz
);

CREATE INDEX session_account ON {t}.session (account_id, created_at);

CREATE TABLE {t}.audit (
    id          uuid        PRIMARY KEY,
    at          timestamptz NOT NULL,
    account_id  uuid,
    account     text        NOT NULL,
    session_id  uuid,
    address     text        NOT NULL,
    action      text        NOT NULL,
    object_type text        NOT NULL DEFAULT '',
    object_id   uuid,
    object_name text        NOT NULL DEFAULT '',
    result      text        NOT NULL,
    detail      jsonb       NOT NULL DEFAULT '{}'
);

CREATE INDEX audit_at ON {t}.audit (at, id);

GRANT USAGE ON SCHEMA {t} TO {r};
GRANT SELECT, INSERT, UPDATE, DELETE ON {t}.device_group, {t}.device, {t}.seen, {t}.fact, {t}.fact_digest, {t}.event_mark, {t}.event, {t}.detection, {t}.quarantine, {t}.task, {t}.execution, {t}.enrolment_token, {t}.certificate, {t}.account, {t}.session TO {r};
GRANT SELECT, INSERT ON {t}.audit TO {r};
