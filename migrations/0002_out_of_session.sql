-- What somebody gets who is in no session: the marketplace's own line, and where it is asked (address
-- and signing secret). Both are sealed under the account's key.
ALTER TABLE services ADD COLUMN fallback_number TEXT;
ALTER TABLE services ADD COLUMN callback TEXT;

-- How often somebody without a session was answered at the marketplace's cost, since `since`.
-- `person` is a keyed hash, or empty for all whose number was withheld.
CREATE TABLE answer_budgets (
    account   TEXT   NOT NULL,
    number_id TEXT   NOT NULL,
    person    TEXT   NOT NULL,
    answer    TEXT   NOT NULL CHECK (answer IN ('forward', 'text')),
    since     BIGINT NOT NULL,
    used      BIGINT NOT NULL,
    PRIMARY KEY (account, number_id, person, answer)
);

CREATE INDEX answer_budgets_by_age ON answer_budgets (since);
