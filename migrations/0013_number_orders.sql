-- What is to be done about numbers at a carrier: buy one, take one over that the account has there, or
-- give one back. `wanted` is what was asked for, as JSON; `previous`, sealed under the account's key,
-- where the number's calls and texts went before.
CREATE TABLE number_orders (
    account        TEXT   NOT NULL,
    id             TEXT   NOT NULL,
    kind           TEXT   NOT NULL,
    state          TEXT   NOT NULL,
    service        TEXT   NOT NULL,
    carrier        TEXT   NOT NULL,
    number         TEXT,
    number_id      TEXT,
    capabilities   TEXT   NOT NULL,
    wanted         TEXT   NOT NULL,
    carrier_order  TEXT,
    carrier_number TEXT,
    previous       TEXT,
    reason         TEXT,
    carrier_code   TEXT,
    choices        BIGINT NOT NULL,
    buys           BIGINT NOT NULL,
    attempts       BIGINT NOT NULL,
    fence          BIGINT NOT NULL,
    run_at         BIGINT NOT NULL,
    asked_at       BIGINT,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    ended_at       BIGINT,
    PRIMARY KEY (account, id)
);

-- One thing at a time is done about a number, whoever asked for it.
CREATE UNIQUE INDEX number_orders_under_way ON number_orders (number) WHERE ended_at IS NULL;
CREATE INDEX number_orders_due ON number_orders (run_at) WHERE ended_at IS NULL;
CREATE INDEX number_orders_of_number ON number_orders (account, number_id, id);
