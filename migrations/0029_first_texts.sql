-- Who was told by a text which number is theirs, in which service: by keyed hash, and no word of it. Forgotten
-- after a year.
CREATE TABLE first_texts (
    account   TEXT   NOT NULL,
    service   TEXT   NOT NULL,
    person    TEXT   NOT NULL,
    number_id TEXT   NOT NULL,
    told_at   BIGINT NOT NULL,
    PRIMARY KEY (account, service, person, number_id)
);

CREATE INDEX first_texts_by_age ON first_texts (told_at);
