-- What is owed, account by account: whoever owes much keeps nobody else waiting.
CREATE INDEX outbox_due_of_account ON outbox (account, run_at, id) WHERE state IN ('ready', 'sending');

-- What each leg used and cost: a text's parts (0 of one with pictures), a call's seconds, and a price in
-- millionths, as its carrier tells ('carrier') or by our own table ('table'); 'none' where the table has no
-- price. `session` and `service` are empty where there is none, and `code` is the calling code of whoever was
-- reached.
CREATE TABLE charges (
    account     TEXT   NOT NULL,
    leg         TEXT   NOT NULL,
    interaction TEXT   NOT NULL,
    session     TEXT   NOT NULL,
    service     TEXT   NOT NULL,
    carrier     TEXT   NOT NULL,
    kind        TEXT   NOT NULL CHECK (kind IN ('message', 'call')),
    direction   TEXT   NOT NULL CHECK (direction IN ('inbound', 'outbound')),
    code        TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    segments    BIGINT,
    seconds     BIGINT,
    micros      BIGINT,
    currency    TEXT,
    source      TEXT   CHECK (source IN ('carrier', 'table', 'none')),
    PRIMARY KEY (account, leg)
);

CREATE INDEX charges_by_time ON charges (account, at);
CREATE INDEX charges_of_interaction ON charges (account, interaction);
CREATE INDEX charges_of_carrier ON charges (carrier, at);
-- To be priced by the table.
CREATE INDEX charges_without_price ON charges (account, leg) WHERE source IS NULL;
