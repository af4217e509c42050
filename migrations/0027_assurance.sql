-- How sure the caller's carrier is of their number; null for what is no call that came in.
ALTER TABLE interactions ADD COLUMN attestation TEXT;

-- A number that sessions share whose people prove themselves by a PIN. It is in no ring.
ALTER TABLE numbers ADD COLUMN shared BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX numbers_shared ON numbers (account, service, place) WHERE shared;

-- What the PIN of somebody opens: `alone`, or `beside` their own number; null for whoever has none.
ALTER TABLE participants ADD COLUMN pin TEXT;

-- PINs, as keyed hashes. Like a hold, a PIN on a number means one person in one session, and rests for a while
-- after that before it may mean another.
CREATE TABLE pins (
    account     TEXT    NOT NULL,
    number_id   TEXT    NOT NULL,
    pin         TEXT    NOT NULL,
    session     TEXT    NOT NULL,
    participant TEXT    NOT NULL,
    alone       BOOLEAN NOT NULL,
    digits      BIGINT  NOT NULL,
    replaced    BOOLEAN NOT NULL DEFAULT FALSE,
    release_at  BIGINT,
    created_at  BIGINT  NOT NULL,
    PRIMARY KEY (account, number_id, pin)
);

CREATE INDEX pins_of_session ON pins (account, session, participant);
CREATE INDEX pins_released ON pins (release_at) WHERE release_at IS NOT NULL;
-- How many of one length a number has.
CREATE INDEX pins_of_number ON pins (account, number_id, digits) WHERE release_at IS NULL AND alone;
