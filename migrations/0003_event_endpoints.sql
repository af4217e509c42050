-- Events to the marketplace: where they are sent, under which keys, and what came of it. `url` and
-- `keys` are sealed. `event_types` is words with a space before and after each; empty for all.

CREATE TABLE endpoints (
    account         TEXT   NOT NULL REFERENCES accounts (id),
    id              TEXT   NOT NULL,
    service         TEXT,
    url             TEXT   NOT NULL,
    description     TEXT   NOT NULL,
    event_types     TEXT   NOT NULL,
    state           TEXT   NOT NULL CHECK (state IN ('enabled', 'disabled', 'deleted')),
    disabled_reason TEXT,
    disabled_at     BIGINT,
    failing_since   BIGINT,
    version         BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    PRIMARY KEY (account, id)
);

CREATE UNIQUE INDEX endpoints_by_id ON endpoints (id);

-- Each signs until `ends_at`, which the newest does not have.
CREATE TABLE endpoint_secrets (
    account    TEXT   NOT NULL,
    endpoint   TEXT   NOT NULL,
    generation BIGINT NOT NULL,
    keys       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at    BIGINT,
    PRIMARY KEY (account, endpoint, generation)
);

-- What we owe endpoints. `attempts` grows with each claim: a late worker's result is dropped.
-- `step` is the place in the schedule. `run_at` is when the row may be claimed: the lease's end
-- while a worker is at it.
CREATE TABLE deliveries (
    account    TEXT   NOT NULL,
    endpoint   TEXT   NOT NULL,
    event      TEXT   NOT NULL,
    type       TEXT   NOT NULL,
    session    TEXT,
    sequence   BIGINT NOT NULL,
    state      TEXT   NOT NULL CHECK (state IN ('ready', 'sending', 'delivered', 'failed', 'cancelled')),
    step       BIGINT NOT NULL,
    attempts   BIGINT NOT NULL,
    run_at     BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at   BIGINT,
    PRIMARY KEY (account, endpoint, event)
);

CREATE INDEX deliveries_due ON deliveries (endpoint, run_at, event) WHERE state IN ('ready', 'sending');
CREATE INDEX deliveries_of_session ON deliveries (endpoint, session, sequence)
    WHERE state IN ('ready', 'sending');
CREATE INDEX deliveries_ended_badly ON deliveries (account, endpoint, state, event)
    WHERE state IN ('failed', 'cancelled');

-- `outcome` is null while an attempt is under way, and stays so if its worker was lost.
CREATE TABLE delivery_attempts (
    account    TEXT   NOT NULL,
    endpoint   TEXT   NOT NULL,
    event      TEXT   NOT NULL,
    number     BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    duration   BIGINT,
    status     BIGINT,
    outcome    TEXT,
    PRIMARY KEY (account, endpoint, event, number)
);
