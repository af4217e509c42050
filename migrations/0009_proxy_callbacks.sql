-- The callback of a service of Twilio Proxy is an endpoint that the service owns.
ALTER TABLE endpoints ADD COLUMN kind TEXT NOT NULL DEFAULT 'webhook'
    CHECK (kind IN ('webhook', 'twilio_proxy'));

-- One for each service.
CREATE UNIQUE INDEX endpoints_of_callbacks ON endpoints (account, service)
    WHERE kind = 'twilio_proxy' AND state <> 'deleted';

-- Calls that a marketplace's own document steers: what is left of it, under which turn. Sealed under
-- the account's key: it holds the caller's number and the marketplace's addresses.
CREATE TABLE call_scripts (
    account    TEXT   NOT NULL,
    leg        TEXT   NOT NULL,
    turn       BIGINT NOT NULL,
    state      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, leg)
);

CREATE INDEX call_scripts_by_age ON call_scripts (created_at, account, leg);
