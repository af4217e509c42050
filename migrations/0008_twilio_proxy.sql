-- What services of Twilio Proxy have and ours had not: their callbacks' addresses and chat instance.
-- Sealed under the account's key.
ALTER TABLE services ADD COLUMN proxy TEXT;

-- What was deleted is shown to nobody any more. Its rows stay until they are erased.
ALTER TABLE services ADD COLUMN deleted_at BIGINT;
ALTER TABLE sessions ADD COLUMN deleted_at BIGINT;
ALTER TABLE interactions ADD COLUMN deleted_at BIGINT;

-- What a text says, where the service keeps it. Sealed under its session's key.
ALTER TABLE interactions ADD COLUMN words TEXT;

CREATE INDEX services_deleted ON services (account, id) WHERE deleted_at IS NOT NULL;
CREATE INDEX sessions_not_deleted ON sessions (account, service, id) WHERE deleted_at IS NULL;

-- A number that comes back keeps its id, and so its quarantines.
CREATE INDEX numbers_retired ON numbers (account, number) WHERE state = 'retired';
