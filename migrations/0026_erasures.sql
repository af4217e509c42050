-- People who asked to be erased: what is under way, what is done. `person` is the keyed hash, and is there
-- only until all that it finds is gone. `replayed` was taken over from the list outside, after a restore.
-- `carriers` counts, by carrier, the records there that are deleted and those that stay.
CREATE TABLE erasures (
    account         TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('listing', 'running', 'waiting', 'done')),
    person          TEXT,
    counts          TEXT    NOT NULL,
    carriers        TEXT    NOT NULL,
    at_key          TEXT    NOT NULL,
    replayed        BOOLEAN NOT NULL DEFAULT FALSE,
    wait_until      BIGINT,
    statutory_until BIGINT,
    version         BIGINT  NOT NULL,
    created_at      BIGINT  NOT NULL,
    updated_at      BIGINT  NOT NULL,
    ended_at        BIGINT,
    PRIMARY KEY (account, id)
);

CREATE INDEX erasures_open ON erasures (account, id) WHERE state <> 'done';

-- What of each is erased, by ids that tell nothing once it is: a participant, the first call or text of
-- somebody who was in no session, or the first verification of their number. It is in a file outside of the
-- database before it is done (`listed_at`).
CREATE TABLE erasure_entries (
    account    TEXT   NOT NULL,
    erasure    TEXT   NOT NULL,
    what       TEXT   NOT NULL,
    session    TEXT,
    listed_at  BIGINT,
    done_at    BIGINT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, erasure, what)
);

CREATE INDEX erasure_entries_unlisted ON erasure_entries (account, erasure, what) WHERE listed_at IS NULL;
CREATE INDEX erasure_entries_to_do ON erasure_entries (account, erasure, what) WHERE done_at IS NULL;

-- Whose number and hash are gone.
ALTER TABLE participants ADD COLUMN erased_at BIGINT;

CREATE INDEX interactions_by_person ON interactions (account, person, id) WHERE person IS NOT NULL;
CREATE INDEX inbox_of_interaction ON inbox (account, interaction) WHERE interaction IS NOT NULL;

-- Who had a proxy number at an instant: asked by one, approved by another. What identifies the case is sealed
-- under the account's key.
CREATE TABLE disclosures (
    account     TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    state       TEXT   NOT NULL CHECK (state IN ('asked', 'approved')),
    number      TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    case_id     TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    asked_by    TEXT   NOT NULL,
    signature   TEXT   NOT NULL,
    approved_by TEXT,
    created_at  BIGINT NOT NULL,
    approved_at BIGINT,
    PRIMARY KEY (account, id)
);

-- When whoever destroyed a master key said so.
ALTER TABLE master_keys ADD COLUMN destroyed_at BIGINT;

-- Keys that may do everything may do this as well.
UPDATE api_keys SET scopes = scopes || ' persons:erase persons:export'
WHERE scopes LIKE 'sessions:read sessions:write numbers:read numbers:write people:reveal webhooks:read webhooks:write keys:write%audit:read%';
