-- What staff note of a session, under its data key, and under which case it is known elsewhere.
CREATE TABLE session_notes (
    account    TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    session    TEXT   NOT NULL,
    -- Who wrote it: a member of the staff.
    staff      TEXT   NOT NULL,
    body       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, id)
);

CREATE INDEX session_notes_of_session ON session_notes (account, session, id);

CREATE TABLE session_cases (
    account TEXT   NOT NULL,
    session TEXT   NOT NULL,
    case_id TEXT   NOT NULL,
    set_at  BIGINT NOT NULL,
    PRIMARY KEY (account, session)
);

-- What chose somebody's proxy number; null where it is not known, or was another one before.
ALTER TABLE participants ADD COLUMN chosen_by TEXT;
