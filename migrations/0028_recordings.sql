-- Recordings of calls whose people agreed: how far each has come, and who agreed or not.
CREATE TABLE recordings (
    account     TEXT   NOT NULL,
    interaction TEXT   NOT NULL,
    session     TEXT   NOT NULL,
    leg         TEXT   NOT NULL,
    carrier     TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    loss        TEXT,
    purpose     TEXT   NOT NULL,
    kept        BIGINT NOT NULL,
    carrier_id  TEXT,
    busy_until  BIGINT NOT NULL,
    started_at  BIGINT,
    ended_at    BIGINT,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (account, interaction)
);

CREATE TABLE recording_consents (
    account     TEXT    NOT NULL,
    leg         TEXT    NOT NULL,
    interaction TEXT    NOT NULL,
    role        TEXT,
    agreed      BOOLEAN NOT NULL,
    language    TEXT    NOT NULL,
    wording     TEXT    NOT NULL,
    created_at  BIGINT  NOT NULL,
    PRIMARY KEY (account, leg)
);

CREATE INDEX recording_consents_of_call ON recording_consents (account, interaction, leg);

-- What a session says of recording: nothing leaves it to its service.
ALTER TABLE sessions ADD COLUMN recording BOOLEAN;
