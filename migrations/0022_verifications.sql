-- Somebody proves that a number is theirs. `number` is sealed, and gone once it has ended.
CREATE TABLE verifications (
    account      TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    service      TEXT   NOT NULL,
    person       TEXT   NOT NULL,
    number       TEXT,
    calling_code BIGINT,
    channel      TEXT   NOT NULL,
    language     TEXT   NOT NULL,
    domain       TEXT   NOT NULL,
    code_length  BIGINT NOT NULL,
    status       TEXT   NOT NULL,
    checks       BIGINT NOT NULL,
    sends        BIGINT NOT NULL,
    next_send_at BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    version      BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    ended_at     BIGINT,
    PRIMARY KEY (account, id)
);

-- One at a time for a person and a service: two requests at once send one code.
CREATE UNIQUE INDEX verifications_pending ON verifications (account, service, person) WHERE status = 'pending';
CREATE INDEX verifications_of_person ON verifications (account, person);
CREATE INDEX verifications_due ON verifications (expires_at) WHERE status = 'pending';
CREATE INDEX verifications_by_end ON verifications (ended_at) WHERE ended_at IS NOT NULL;

-- What was sent. `code` is a keyed hash; `spoken` the same in clear, sealed, for a call that is still to say it.
-- Both are gone once the verification has ended.
CREATE TABLE verification_sends (
    account      TEXT   NOT NULL,
    verification TEXT   NOT NULL,
    number       BIGINT NOT NULL,
    channel      TEXT   NOT NULL,
    leg          TEXT   NOT NULL,
    code         TEXT,
    spoken       TEXT,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (account, verification, number)
);

CREATE INDEX verification_sends_of_leg ON verification_sends (account, leg);

-- How often something was sent within a length of time: to a person, to numbers that begin alike, for one
-- address, for the account. `subject` is a keyed hash, or empty.
CREATE TABLE verification_limits (
    account TEXT   NOT NULL,
    counted TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    since   BIGINT NOT NULL,
    used    BIGINT NOT NULL,
    PRIMARY KEY (account, counted, subject)
);

CREATE INDEX verification_limits_by_age ON verification_limits (since);

-- Whose number it was shown to be, and when last.
CREATE TABLE verified_people (
    account     TEXT   NOT NULL,
    person      TEXT   NOT NULL,
    verified_at BIGINT NOT NULL,
    PRIMARY KEY (account, person)
);

CREATE INDEX verified_people_by_age ON verified_people (verified_at);

-- A key that may do everything may send codes and check them.
UPDATE api_keys SET scopes = scopes || ' verifications:read verifications:write'
WHERE scopes = 'sessions:read sessions:write numbers:read numbers:write people:reveal webhooks:read webhooks:write keys:write audit:read';
