-- Moving live sessions off a number that is dead, blocked or ported, or off all numbers of a carrier.
-- `at_number` and `at_session` say how far the work has come: what is before them was looked at.
CREATE TABLE number_moves (
    account      TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    number_id    TEXT,
    carrier      TEXT,
    to_number_id TEXT,
    to_carrier   TEXT,
    was_carrier  TEXT,
    why          TEXT   NOT NULL CHECK (why IN ('dead', 'blocked', 'ported', 'other')),
    tell         BOOLEAN,
    state        TEXT   NOT NULL CHECK (state IN ('running', 'done', 'undoing', 'undone')),
    at_number    TEXT   NOT NULL,
    at_session   TEXT   NOT NULL,
    moved        BIGINT NOT NULL,
    kept         BIGINT NOT NULL,
    undone       BIGINT NOT NULL,
    not_undone   BIGINT NOT NULL,
    version      BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    ended_at     BIGINT,
    PRIMARY KEY (account, id),
    CHECK ((number_id IS NULL) <> (carrier IS NULL))
);

CREATE INDEX number_moves_open ON number_moves (account, id) WHERE state IN ('running', 'undoing');

-- What became of each person that a move had to do with. Ids and proxy numbers only.
CREATE TABLE number_move_steps (
    account       TEXT   NOT NULL,
    move_id       TEXT   NOT NULL,
    session       TEXT   NOT NULL,
    participant   TEXT   NOT NULL,
    old_number_id TEXT   NOT NULL,
    new_number_id TEXT,
    state         TEXT   NOT NULL CHECK (state IN ('moved', 'kept', 'undone', 'not_undone')),
    reason        TEXT,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    PRIMARY KEY (account, move_id, participant)
);

CREATE INDEX number_move_steps_of_session ON number_move_steps (account, move_id, session);
-- The sessions in which somebody had a number before they were moved off it, or on to it.
CREATE INDEX number_move_steps_of_old ON number_move_steps (account, old_number_id, session);
CREATE INDEX number_move_steps_of_new ON number_move_steps (account, new_number_id, session);

-- The move that took a number out of circulation: undone, it is given out again.
ALTER TABLE numbers ADD COLUMN drained_by TEXT;
CREATE INDEX numbers_drained ON numbers (account, drained_by) WHERE drained_by IS NOT NULL;

-- A build that takes each hold of a session for one of a number that its people dial can't go on here: it
-- could not close a session of which somebody was moved.
INSERT INTO meta (name, value) VALUES ('oldest_schema', '16')
ON CONFLICT (name) DO UPDATE SET value = excluded.value;
