-- When a restore or a failover put the session on hold; null once somebody said that it holds still.
ALTER TABLE sessions ADD COLUMN suspended_at BIGINT;

CREATE INDEX sessions_suspended ON sessions (account, id) WHERE suspended_at IS NOT NULL;
