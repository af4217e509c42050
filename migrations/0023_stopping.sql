-- Opt-outs have an id, by which the API names them, and say where they come from. That of an older one is made
-- of what it binds: the random ends of its number's id and of its person's keyed hash.
ALTER TABLE opt_outs ADD COLUMN id TEXT;
ALTER TABLE opt_outs ADD COLUMN source TEXT NOT NULL DEFAULT 'person';
UPDATE opt_outs SET id = 'OO' || substr(value, 19, 16) || substr(person, 1, 16);
CREATE UNIQUE INDEX opt_outs_by_id ON opt_outs (account, id);

-- Opt-outs that the marketplace cleared, and what it says shows that the person wants texts again, sealed.
CREATE TABLE cleared_opt_outs (
    account    TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    person     TEXT   NOT NULL,
    scope      TEXT   NOT NULL,
    value      TEXT   NOT NULL,
    source     TEXT   NOT NULL,
    proof      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    cleared_at BIGINT NOT NULL,
    PRIMARY KEY (account, id)
);

CREATE INDEX cleared_opt_outs_by_age ON cleared_opt_outs (cleared_at);

-- Who set a block: whoever did so by a text lifts it by a text, and no other.
ALTER TABLE blocks ADD COLUMN source TEXT NOT NULL DEFAULT 'api';

-- What somebody of a session reported of the other side. The notes are sealed under the session's key.
CREATE TABLE reports (
    account       TEXT   NOT NULL,
    id            TEXT   NOT NULL,
    service       TEXT   NOT NULL,
    session       TEXT   NOT NULL,
    reporter      TEXT   NOT NULL,
    reporter_role TEXT   NOT NULL,
    source        TEXT   NOT NULL,
    category      TEXT   NOT NULL,
    note          TEXT,
    interactions  TEXT   NOT NULL,
    state         TEXT   NOT NULL,
    decision      TEXT,
    decision_note TEXT,
    version       BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    resolved_at   BIGINT,
    PRIMARY KEY (account, id)
);

CREATE INDEX reports_of_session ON reports (account, session, id);
CREATE INDEX reports_resolved ON reports (resolved_at) WHERE resolved_at IS NOT NULL;

-- A key that may do everything may do this too.
UPDATE api_keys SET scopes = scopes || ' opt_outs:read opt_outs:write reports:read reports:write'
WHERE scopes LIKE 'sessions:read sessions:write numbers:read numbers:write people:reveal webhooks:read webhooks:write keys:write audit:read%';
