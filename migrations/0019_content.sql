-- What was found in texts whose service looks for it: kinds, never words. `original` is the text as it was
-- written, sealed under its session's key, where the service keeps it; it goes after a while.
CREATE TABLE text_findings (
    account     TEXT   NOT NULL,
    interaction TEXT   NOT NULL,
    session     TEXT   NOT NULL,
    fate        TEXT   NOT NULL,
    kinds       TEXT   NOT NULL,
    original    TEXT,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (account, interaction)
);

CREATE INDEX text_findings_of_session ON text_findings (account, session) WHERE original IS NOT NULL;
CREATE INDEX text_findings_kept ON text_findings (created_at) WHERE original IS NOT NULL;

-- Who wrote such a text is told so, so often. The list of answers can't be changed in a way that both
-- engines know, so the table is made anew, and leaves it to the program. It is renamed first, as in 17.
ALTER TABLE answer_budgets RENAME TO answer_budgets_before;

CREATE TABLE answer_budgets (
    account   TEXT   NOT NULL,
    number_id TEXT   NOT NULL,
    person    TEXT   NOT NULL,
    answer    TEXT   NOT NULL,
    since     BIGINT NOT NULL,
    used      BIGINT NOT NULL,
    PRIMARY KEY (account, number_id, person, answer)
);

INSERT INTO answer_budgets (account, number_id, person, answer, since, used)
    SELECT account, number_id, person, answer, since, used FROM answer_budgets_before;

DROP TABLE answer_budgets_before;

CREATE INDEX answer_budgets_by_age ON answer_budgets (since);
