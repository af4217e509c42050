-- What staff opened in the last 24 hours, numbers and texts: how much one of them may open is bounded.
CREATE TABLE staff_openings (
    staff TEXT   NOT NULL REFERENCES staff (id),
    kind  TEXT   NOT NULL,
    at    BIGINT NOT NULL,
    -- Tells apart what was opened in one instant.
    nonce TEXT   NOT NULL,
    PRIMARY KEY (staff, kind, at, nonce)
);
CREATE INDEX staff_openings_by_age ON staff_openings (at);

-- Whom somebody is blocked by; whom they have blocked is found by the primary key.
CREATE INDEX blocks_of_blocked ON blocks (account, blocked, blocker);

-- The one person whom a move lets dial another number: the number stays in circulation.
ALTER TABLE number_moves ADD COLUMN participant TEXT;
