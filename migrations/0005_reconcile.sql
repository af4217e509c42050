-- Texts whose fate is unknown are looked up at the carrier, and webhooks that never came are made up
-- for from the carrier's lists.

-- Whether a text was sent once more after a send whose fate nobody learnt: its recipient may have
-- two copies.
ALTER TABLE legs ADD COLUMN possible_duplicate BOOLEAN NOT NULL DEFAULT FALSE;

-- Texts of unknown fate that no record of a carrier was matched with.
CREATE INDEX legs_unmatched ON legs (account, number)
    WHERE state = 'unknown' AND kind = 'message' AND carrier_id IS NULL;

-- When an entry was first claimed: a head that is stuck keeps later texts back for a while only.
ALTER TABLE outbox ADD COLUMN tried_at BIGINT;
-- Looked up and not there: the next claim, and only that one, sends it once more.
ALTER TABLE outbox ADD COLUMN cleared BOOLEAN NOT NULL DEFAULT FALSE;

-- How far a carrier's lists were compared with the inbox, and which node does so.
CREATE TABLE reconciled (
    carrier     TEXT   NOT NULL,
    kind        TEXT   NOT NULL CHECK (kind IN ('message', 'call')),
    listed_to   BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    fence       BIGINT NOT NULL,
    PRIMARY KEY (carrier, kind)
);
