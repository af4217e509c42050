-- One file for both engines. Column types: TEXT, BIGINT, BOOLEAN. Instants and lengths are
-- milliseconds. Nothing here holds a person's number or words in clear: `person` is a keyed hash,
-- `identifier`, `name`, `payload`, `plan` and `answer` are sealed (docs/adr/0005-sealing.md).

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE accounts (
    id         TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    data_key   TEXT   NOT NULL,
    index_key  TEXT   NOT NULL,
    auth_token TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE api_keys (
    account      TEXT   NOT NULL REFERENCES accounts (id),
    id           TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    hash         TEXT   NOT NULL,
    hint         TEXT   NOT NULL,
    scopes       TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    revoked_at   BIGINT,
    last_used_at BIGINT,
    PRIMARY KEY (account, id),
    UNIQUE (account, hash)
);

CREATE TABLE services (
    account     TEXT   NOT NULL REFERENCES accounts (id),
    id          TEXT   NOT NULL,
    unique_name TEXT   NOT NULL,
    rules       TEXT   NOT NULL,
    next_place  BIGINT NOT NULL,
    version     BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (account, id),
    UNIQUE (account, unique_name)
);

-- `place` is the number's place in its service's rings.
CREATE TABLE numbers (
    account      TEXT    NOT NULL REFERENCES accounts (id),
    id           TEXT    NOT NULL,
    number       TEXT    NOT NULL,
    service      TEXT    NOT NULL,
    carrier      TEXT    NOT NULL,
    country      TEXT    NOT NULL,
    area         TEXT    NOT NULL,
    capabilities TEXT    NOT NULL,
    reserved     BOOLEAN NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('active', 'draining', 'retired')),
    place        BIGINT  NOT NULL,
    version      BIGINT  NOT NULL,
    created_at   BIGINT  NOT NULL,
    updated_at   BIGINT  NOT NULL,
    PRIMARY KEY (account, id)
);

CREATE INDEX numbers_of_service ON numbers (account, service, id);
CREATE INDEX numbers_ring ON numbers (account, service, country, carrier, capabilities, place)
    WHERE state = 'active' AND NOT reserved;
CREATE INDEX numbers_area_ring ON numbers (account, service, country, area, carrier, capabilities, place)
    WHERE state = 'active' AND NOT reserved;

-- A number is unique over all accounts: whoever dials it must reach one of them.
CREATE TABLE number_owners (
    number  TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    id      TEXT NOT NULL
);

-- How many numbers each class of a pool has: narrowing reads this and never scans a pool.
CREATE TABLE pool_classes (
    account      TEXT   NOT NULL,
    service      TEXT   NOT NULL,
    country      TEXT   NOT NULL,
    area         TEXT   NOT NULL,
    carrier      TEXT   NOT NULL,
    capabilities TEXT   NOT NULL,
    free         BIGINT NOT NULL,
    reserved     BIGINT NOT NULL,
    PRIMARY KEY (account, service, country, area, carrier, capabilities)
);

CREATE TABLE sessions (
    account             TEXT   NOT NULL,
    id                  TEXT   NOT NULL,
    service             TEXT   NOT NULL,
    unique_name         TEXT,
    state               TEXT   NOT NULL CHECK (state IN ('open', 'in-progress', 'closed')),
    mode                TEXT   NOT NULL CHECK (mode IN ('voice-and-message', 'voice-only', 'message-only')),
    ttl                 BIGINT NOT NULL,
    date_expiry         BIGINT,
    expires_at          BIGINT NOT NULL,
    started_at          BIGINT,
    ended_at            BIGINT,
    last_interaction_at BIGINT,
    closed_reason       TEXT,
    metadata            TEXT   NOT NULL,
    data_key            TEXT   NOT NULL,
    events              BIGINT NOT NULL,
    version             BIGINT NOT NULL,
    created_at          BIGINT NOT NULL,
    updated_at          BIGINT NOT NULL,
    PRIMARY KEY (account, id),
    FOREIGN KEY (account, service) REFERENCES services (account, id)
);

CREATE UNIQUE INDEX sessions_unique_name ON sessions (account, service, unique_name)
    WHERE unique_name IS NOT NULL;
CREATE INDEX sessions_of_service ON sessions (account, service, id);
CREATE INDEX sessions_by_state ON sessions (account, state, id);
CREATE INDEX sessions_due ON sessions (expires_at) WHERE state <> 'closed';

CREATE TABLE participants (
    account      TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    session      TEXT   NOT NULL,
    role         TEXT   NOT NULL,
    position     BIGINT NOT NULL,
    person       TEXT   NOT NULL,
    calling_code BIGINT,
    identifier   TEXT   NOT NULL,
    name         TEXT,
    number_id    TEXT   NOT NULL,
    number       TEXT   NOT NULL,
    removed_at   BIGINT,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (account, id),
    UNIQUE (account, session, person),
    FOREIGN KEY (account, session) REFERENCES sessions (account, id)
);

CREATE INDEX participants_by_person ON participants (account, person, session);
CREATE INDEX participants_by_number ON participants (account, number_id, session);

-- The routing key and the masking invariant in one: a person on a number means one session.
-- `release_at` is null while the hold is open; afterwards nobody else gets the pair before it.
CREATE TABLE holds (
    account     TEXT   NOT NULL,
    number_id   TEXT   NOT NULL,
    person      TEXT   NOT NULL,
    state       TEXT   NOT NULL CHECK (state IN ('open', 'quarantined')),
    release_at  BIGINT,
    session     TEXT   NOT NULL,
    participant TEXT   NOT NULL,
    counterpart TEXT   NOT NULL,
    taken_at    BIGINT NOT NULL,
    PRIMARY KEY (account, number_id, person),
    CHECK ((state = 'open') = (release_at IS NULL))
);

CREATE INDEX holds_by_person ON holds (account, person);
CREATE INDEX holds_by_session ON holds (account, session);

-- Where a person's next number is looked for: after the one that was taken last.
CREATE TABLE rings (
    account TEXT   NOT NULL,
    person  TEXT   NOT NULL,
    ring    TEXT   NOT NULL,
    place   BIGINT NOT NULL,
    PRIMARY KEY (account, person, ring)
);

-- The number that a person last had with the same counterparts, kept at close.
CREATE TABLE sticky_numbers (
    account     TEXT   NOT NULL,
    service     TEXT   NOT NULL,
    person      TEXT   NOT NULL,
    counterpart TEXT   NOT NULL,
    number_id   TEXT   NOT NULL,
    closed_at   BIGINT NOT NULL,
    PRIMARY KEY (account, service, person, counterpart)
);

-- `blocker` hears nothing from `blocked`, in no session of the account.
CREATE TABLE blocks (
    account    TEXT   NOT NULL,
    blocker    TEXT   NOT NULL,
    blocked    TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, blocker, blocked)
);

CREATE TABLE interactions (
    account          TEXT   NOT NULL,
    id               TEXT   NOT NULL,
    service          TEXT,
    session          TEXT,
    kind             TEXT   NOT NULL CHECK (kind IN ('message', 'call')),
    origin           TEXT   NOT NULL CHECK (origin IN ('person', 'api')),
    from_participant TEXT,
    from_role        TEXT,
    person           TEXT,
    number           TEXT   NOT NULL,
    carrier          TEXT   NOT NULL,
    outcome          TEXT,
    reason           TEXT,
    media            BIGINT NOT NULL,
    duration         BIGINT,
    version          BIGINT NOT NULL,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL,
    ended_at         BIGINT,
    PRIMARY KEY (account, id)
);

CREATE INDEX interactions_of_session ON interactions (account, session, id);
CREATE INDEX interactions_by_outcome ON interactions (account, outcome, id);

CREATE TABLE legs (
    account      TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    interaction  TEXT   NOT NULL,
    session      TEXT,
    position     BIGINT NOT NULL,
    kind         TEXT   NOT NULL CHECK (kind IN ('message', 'call')),
    direction    TEXT   NOT NULL CHECK (direction IN ('inbound', 'outbound')),
    participant  TEXT,
    role         TEXT,
    number       TEXT   NOT NULL,
    carrier      TEXT   NOT NULL,
    carrier_id   TEXT,
    state        TEXT   NOT NULL,
    outcome      TEXT,
    reason       TEXT,
    carrier_code TEXT,
    duration     BIGINT,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    answered_at  BIGINT,
    ended_at     BIGINT,
    PRIMARY KEY (account, id),
    UNIQUE (account, interaction, position)
);

-- Callbacks name the leg, or only the carrier's own id.
CREATE UNIQUE INDEX legs_by_id ON legs (id);
CREATE INDEX legs_by_carrier_id ON legs (carrier, carrier_id) WHERE carrier_id IS NOT NULL;

-- What carriers told us, once. `answer` is what we answered, so that a duplicate gets the same.
CREATE TABLE inbox (
    carrier     TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    event       TEXT   NOT NULL,
    account     TEXT,
    interaction TEXT,
    answer      TEXT   NOT NULL,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (carrier, kind, event)
);

CREATE INDEX inbox_by_age ON inbox (received_at);

-- What we owe carriers. `fence` grows with each claim: a late worker's result is dropped.
CREATE TABLE outbox (
    account     TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    kind        TEXT   NOT NULL CHECK (kind IN ('message', 'call', 'end_call')),
    state       TEXT   NOT NULL CHECK (state IN ('ready', 'sending', 'done', 'parked')),
    session     TEXT,
    interaction TEXT   NOT NULL,
    leg         TEXT   NOT NULL,
    carrier     TEXT   NOT NULL,
    payload     TEXT,
    attempts    BIGINT NOT NULL,
    fence       BIGINT NOT NULL,
    run_at      BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    valid_until BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (account, id)
);

CREATE INDEX outbox_due ON outbox (run_at, id) WHERE state IN ('ready', 'sending');
CREATE INDEX outbox_of_session ON outbox (account, session) WHERE state IN ('ready', 'sending');
CREATE INDEX outbox_of_leg ON outbox (account, leg);

CREATE TABLE events (
    account     TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    type        TEXT   NOT NULL,
    service     TEXT,
    session     TEXT,
    interaction TEXT,
    sequence    BIGINT NOT NULL,
    data        TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (account, id)
);

CREATE INDEX events_of_session ON events (account, session, id);

CREATE TABLE idempotency (
    account     TEXT   NOT NULL,
    key         TEXT   NOT NULL,
    fingerprint TEXT   NOT NULL,
    answer      TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (account, key)
);

CREATE INDEX idempotency_by_age ON idempotency (created_at);

CREATE TABLE staff (
    id         TEXT   NOT NULL PRIMARY KEY,
    account    TEXT,
    name       TEXT   NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

-- One-time links and browser sessions: only a keyed hash of the secret is kept.
CREATE TABLE staff_secrets (
    hash       TEXT   NOT NULL PRIMARY KEY,
    staff      TEXT   NOT NULL REFERENCES staff (id),
    kind       TEXT   NOT NULL CHECK (kind IN ('link', 'browser')),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
