-- How often a worker was lost over an entry, or could do nothing with it: after five times it is set
-- aside.
ALTER TABLE outbox ADD COLUMN crashes BIGINT NOT NULL DEFAULT 0;
