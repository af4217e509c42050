-- How much somebody did, or a session, in the 30 seconds, the hour and the day (UTC) that it was last done in:
-- one row each, counted in place. `subject` is a person's keyed hash or a session's id. `prefix` is the keyed hash
-- of a number without its last four digits, where people are reached. `seconds` is how long calls lasted on that day.
CREATE TABLE tallies (
    account   TEXT   NOT NULL,
    what      TEXT   NOT NULL,
    subject   TEXT   NOT NULL,
    prefix    TEXT   NOT NULL,
    half      BIGINT NOT NULL,
    half_used BIGINT NOT NULL,
    hour      BIGINT NOT NULL,
    hour_used BIGINT NOT NULL,
    day       BIGINT NOT NULL,
    day_used  BIGINT NOT NULL,
    seconds   BIGINT NOT NULL,
    PRIMARY KEY (account, what, subject)
);

CREATE INDEX tallies_of_hour ON tallies (hour, what);

-- What an account did in an hour: what its traffic is compared with. Derived from the above.
CREATE TABLE volumes (
    account TEXT   NOT NULL,
    what    TEXT   NOT NULL,
    hour    BIGINT NOT NULL,
    used    BIGINT NOT NULL,
    PRIMARY KEY (account, what, hour)
);

CREATE INDEX volumes_by_age ON volumes (hour);

-- The last two texts of a session, as keyed hashes of their letters, and how long each has been what its own side
-- wrote before: two machines that answer each other.
CREATE TABLE echoes (
    account      TEXT   NOT NULL,
    session      TEXT   NOT NULL,
    last_hash    TEXT   NOT NULL,
    last_role    TEXT   NOT NULL,
    before_hash  TEXT   NOT NULL,
    before_role  TEXT   NOT NULL,
    run          BIGINT NOT NULL,
    at           BIGINT NOT NULL,
    paused_until BIGINT NOT NULL,
    PRIMARY KEY (account, session)
);

CREATE INDEX echoes_by_age ON echoes (at);

-- What is held back for a while: all of an account's texts or calls, those to a prefix, or a session's texts.
-- `slot` is the hour in which it began, or of a session the instant: one of a kind in each.
CREATE TABLE pauses (
    account   TEXT   NOT NULL,
    id        TEXT   NOT NULL,
    scope     TEXT   NOT NULL,
    kind      TEXT   NOT NULL,
    subject   TEXT   NOT NULL,
    why       TEXT   NOT NULL,
    slot      BIGINT NOT NULL,
    since     BIGINT NOT NULL,
    until     BIGINT NOT NULL,
    lifted_at BIGINT,
    PRIMARY KEY (account, id),
    UNIQUE (account, scope, kind, subject, slot)
);

CREATE INDEX pauses_by_end ON pauses (until);

-- Which proxy numbers somebody without a session tried within an hour, and how often. `person` is empty for all
-- whose number is withheld.
CREATE TABLE probes (
    account   TEXT   NOT NULL,
    person    TEXT   NOT NULL,
    number_id TEXT   NOT NULL,
    hour      BIGINT NOT NULL,
    used      BIGINT NOT NULL,
    PRIMARY KEY (account, person, number_id)
);

CREATE INDEX probes_by_age ON probes (hour);

-- What was told once, and is not to be told again on that day.
CREATE TABLE alerts (
    account TEXT   NOT NULL,
    what    TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    day     BIGINT NOT NULL,
    PRIMARY KEY (account, what, subject, day)
);

CREATE INDEX alerts_by_age ON alerts (day);

-- Calls that go on: how many somebody, or a session, has at once. A row whose end never came counts no longer
-- than `until`; once it is answered, `longest` milliseconds more.
CREATE TABLE calls_open (
    account     TEXT   NOT NULL,
    interaction TEXT   NOT NULL,
    session     TEXT   NOT NULL,
    person      TEXT   NOT NULL,
    until       BIGINT NOT NULL,
    longest     BIGINT NOT NULL,
    PRIMARY KEY (account, interaction)
);

CREATE INDEX calls_open_of_session ON calls_open (account, session);
CREATE INDEX calls_open_of_person ON calls_open (account, person);
CREATE INDEX calls_open_by_age ON calls_open (until);
