-- The master keys that were ever current here. `retired_at`: since when nothing may be wrapped by it any more;
-- `unused_at`: since when nothing is, so that it can be told when no backup needs it.
CREATE TABLE master_keys (
    id         TEXT   NOT NULL PRIMARY KEY,
    known_at   BIGINT NOT NULL,
    retired_at BIGINT,
    unused_at  BIGINT
);

INSERT INTO master_keys (id, known_at)
    SELECT value, COALESCE((SELECT MIN(created_at) FROM accounts), 0)
    FROM meta WHERE name = 'master_key_id';

-- What hashes tokens and what signs, wrapped as data keys are: they outlive the master key.
CREATE TABLE lasting_secrets (
    name    TEXT NOT NULL PRIMARY KEY,
    wrapped TEXT NOT NULL
);

-- The servers that run, and the ids of the master keys that each holds: nobody wraps by a key that another
-- of them could not open.
CREATE TABLE key_holders (
    id          TEXT   NOT NULL PRIMARY KEY,
    current_key TEXT   NOT NULL,
    held        TEXT   NOT NULL,
    seen_at     BIGINT NOT NULL
);

-- What is wrapped by which master key: v1.<id>.… On a large database the first was made before.
CREATE INDEX IF NOT EXISTS sessions_by_master_key ON sessions (substr(data_key, 4, 8), id);
CREATE INDEX accounts_by_data_key ON accounts (substr(data_key, 4, 8), id);
CREATE INDEX accounts_by_index_key ON accounts (substr(index_key, 4, 8), id);
