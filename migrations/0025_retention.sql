-- How long what is kept is kept: what holds it, how far the nightly job has come, and what it leaves.

-- A session, or a person, of whom nothing is deleted until the hold is lifted. `case_id` and `reason` are
-- sealed under the account's key.
CREATE TABLE legal_holds (
    account      TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    session      TEXT,
    person       TEXT,
    calling_code BIGINT,
    case_id      TEXT   NOT NULL,
    reason       TEXT   NOT NULL,
    version      BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    lifted_at    BIGINT,
    PRIMARY KEY (account, id),
    CHECK ((session IS NULL) <> (person IS NULL))
);

CREATE INDEX legal_holds_in_force ON legal_holds (account, id) WHERE lifted_at IS NULL;

-- The nightly job: who is at it until when, and its last run.
CREATE TABLE retention_runs (
    name        TEXT   NOT NULL PRIMARY KEY,
    holder      TEXT   NOT NULL,
    lease_until BIGINT NOT NULL,
    begun_at    BIGINT NOT NULL,
    ended_at    BIGINT NOT NULL
);

-- What is left of the log once its rows are gone: counts, of nobody and of no account. `day` counts from 1970.
CREATE TABLE anonymised_interactions (
    day      BIGINT NOT NULL,
    role     TEXT   NOT NULL,
    kind     TEXT   NOT NULL,
    duration TEXT   NOT NULL,
    outcome  TEXT   NOT NULL,
    tally    BIGINT NOT NULL,
    PRIMARY KEY (day, role, kind, duration, outcome)
);

CREATE INDEX anonymised_interactions_few ON anonymised_interactions (day) WHERE tally < 5;

-- Where an operator must keep traffic data by law. The key is of these records alone, and they outlive their
-- session's.
CREATE TABLE statutory_keys (
    account    TEXT   NOT NULL PRIMARY KEY,
    data_key   TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE INDEX statutory_keys_by_master_key ON statutory_keys (substr(data_key, 4, 8), account);

CREATE TABLE statutory_records (
    account    TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    number     TEXT   NOT NULL,
    person     TEXT   NOT NULL,
    at         BIGINT NOT NULL,
    facts      TEXT   NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (account, id)
);

CREATE INDEX statutory_records_of_number ON statutory_records (account, number, at, id);
CREATE INDEX statutory_records_of_person ON statutory_records (account, person, at, id);
CREATE INDEX statutory_records_by_end ON statutory_records (account, expires_at, id);

-- What the job walks: each service's, the oldest first.
CREATE INDEX interactions_of_service ON interactions (account, service, id);
CREATE INDEX interactions_with_words ON interactions (account, service, id) WHERE words IS NOT NULL;
CREATE INDEX text_findings_originals ON text_findings (account, interaction) WHERE original IS NOT NULL;
CREATE INDEX sessions_ended ON sessions (account, service, ended_at, id) WHERE state = 'closed';
CREATE INDEX sticky_numbers_by_age ON sticky_numbers (account, closed_at, service, person, counterpart);

-- A key that may do everything may hold.
UPDATE api_keys SET scopes = scopes || ' legal_holds:write'
WHERE scopes LIKE 'sessions:read sessions:write numbers:read numbers:write people:reveal webhooks:read webhooks:write keys:write%audit:read%';
