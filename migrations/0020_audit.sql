-- What was changed, by whom: one chain for each account, and one, without an account, for the installation.
-- Rows are only ever added. Each holds the hash of the one before it and its own, which is of all its other
-- columns; `form` says how they are made into bytes.
CREATE TABLE audit (
    account     TEXT   NOT NULL,
    seq         BIGINT NOT NULL,
    form        BIGINT NOT NULL,
    at          BIGINT NOT NULL,
    actor_kind  TEXT   NOT NULL,
    actor       TEXT   NOT NULL,
    action      TEXT   NOT NULL,
    target_kind TEXT   NOT NULL,
    target      TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    details     TEXT   NOT NULL,
    previous    TEXT   NOT NULL,
    hash        TEXT   NOT NULL,
    PRIMARY KEY (account, seq)
);

CREATE INDEX audit_of_target ON audit (account, target, seq);
CREATE INDEX audit_of_actor ON audit (account, actor, seq);

-- The last row of each chain. Whoever adds one locks this first.
CREATE TABLE audit_heads (
    account TEXT   NOT NULL PRIMARY KEY,
    seq     BIGINT NOT NULL,
    hash    TEXT   NOT NULL
);

-- A key that may do everything may read it.
UPDATE api_keys SET scopes = scopes || ' audit:read'
WHERE scopes = 'sessions:read sessions:write numbers:read numbers:write people:reveal webhooks:read webhooks:write keys:write';
