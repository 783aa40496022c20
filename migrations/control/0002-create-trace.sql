-- Debug lines that an operator has asked for (sekishoctl trace): servers read them with the snapshot and end them at the
-- time given. Rows whose time is over are deleted by the next change.
CREATE TABLE control.trace (
    area   text        NOT NULL CHECK (area <> ''),
    tenant text        NOT NULL DEFAULT '',                 -- its id; '': of all
    until  timestamptz NOT NULL,
    PRIMARY KEY (area, tenant)
);

GRANT SELECT ON control.trace TO sekisho_service;
