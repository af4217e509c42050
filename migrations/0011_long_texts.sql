-- Texts of which parts have come in, from carriers that do not put them together. `state` is sealed
-- under the account's key: both numbers, and the parts.
CREATE TABLE long_texts (
    account    TEXT   NOT NULL,
    carrier    TEXT   NOT NULL,
    number_id  TEXT   NOT NULL,
    person     TEXT   NOT NULL,
    reference  TEXT   NOT NULL,
    parts      BIGINT NOT NULL,
    state      TEXT   NOT NULL,
    due_at     BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, carrier, number_id, person, reference, parts)
);

CREATE INDEX long_texts_due ON long_texts (due_at);
CREATE INDEX long_texts_by_age ON long_texts (created_at);
