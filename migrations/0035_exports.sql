-- Lists that staff take away as files and that are too long to be answered at once: made by a job, kept for a
-- day. The filters may hold a name, and the file is about people, masked: both are sealed.
CREATE TABLE exports (
    account     TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    staff       TEXT   NOT NULL,
    list        TEXT   NOT NULL,
    format      TEXT   NOT NULL,
    filters     TEXT   NOT NULL,
    state       TEXT   NOT NULL CHECK (state IN ('running', 'ready', 'failed', 'cancelled')),
    -- The last row that is in the file; null for none.
    last_row    TEXT,
    done        BIGINT NOT NULL,
    -- How many rows there were when it was begun; null until they are counted.
    total       BIGINT,
    chunks      BIGINT NOT NULL,
    -- Turns that somebody took since the file last grew.
    tries       BIGINT NOT NULL,
    -- Grows with each turn: a late worker's rows are dropped.
    fence       BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    ended_at    BIGINT,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (account, id)
);
CREATE INDEX exports_due ON exports (lease_until) WHERE state = 'running';
CREATE INDEX exports_of_staff ON exports (account, staff, id);
CREATE INDEX exports_by_end ON exports (expires_at);

CREATE TABLE export_chunks (
    account TEXT   NOT NULL,
    export  TEXT   NOT NULL,
    seq     BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    PRIMARY KEY (account, export, seq)
);

-- The lists of the console, by what they can be narrowed to.
CREATE INDEX audit_of_action ON audit (account, action, seq);
CREATE INDEX audit_of_kind ON audit (account, actor_kind, seq);
CREATE INDEX audit_by_time ON audit (account, at, seq);
CREATE INDEX events_by_type ON events (account, type, id);
