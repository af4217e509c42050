-- Who wants no more texts, and from what: a kind of scope and which of that kind. They outlive
-- sessions, and are lifted by whoever opted out.
CREATE TABLE opt_outs (
    account    TEXT   NOT NULL,
    person     TEXT   NOT NULL,
    scope      TEXT   NOT NULL,
    value      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, person, scope, value)
);

-- What a number is called at its carrier; null for its digits.
ALTER TABLE numbers ADD COLUMN friendly_name TEXT;
