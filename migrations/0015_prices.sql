-- What is owed, account by account: whoever owes much keeps nobody else waiting.
CREATE INDEX outbox_due_of_account ON outbox (account, run_at, id) WHERE state IN ('ready', 'sending');
