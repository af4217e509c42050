-- What a caller said whom nobody answered lies beside the pictures of texts. It belongs to the call.
ALTER TABLE media ADD COLUMN purpose TEXT NOT NULL DEFAULT 'file';
ALTER TABLE media ADD COLUMN seconds BIGINT;

-- The outbox owes more than it knew: recordings to fetch, and to delete at their carrier. Its list of kinds
-- can't be changed in a way that both engines know, so it is made anew, and leaves them to the program.
-- It is renamed first: from then on no other node writes to it, and what is copied is all that there is.
ALTER TABLE outbox RENAME TO outbox_before;

CREATE TABLE outbox (
    account     TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('ready', 'sending', 'done', 'parked')),
    session     TEXT,
    interaction TEXT    NOT NULL,
    leg         TEXT    NOT NULL,
    carrier     TEXT    NOT NULL,
    payload     TEXT,
    attempts    BIGINT  NOT NULL,
    fence       BIGINT  NOT NULL,
    run_at      BIGINT  NOT NULL,
    lease_until BIGINT  NOT NULL,
    valid_until BIGINT  NOT NULL,
    created_at  BIGINT  NOT NULL,
    tried_at    BIGINT,
    cleared     BOOLEAN NOT NULL DEFAULT FALSE,
    crashes     BIGINT  NOT NULL DEFAULT 0,
    PRIMARY KEY (account, id)
);

-- What has ended is read by nobody, and would be forgotten within a week.
INSERT INTO outbox
    (account, id, kind, state, session, interaction, leg, carrier, payload, attempts, fence, run_at,
    lease_until, valid_until, created_at, tried_at, cleared, crashes)
SELECT account, id, kind, state, session, interaction, leg, carrier, payload, attempts, fence, run_at,
    lease_until, valid_until, created_at, tried_at, cleared, crashes
FROM outbox_before WHERE state IN ('ready', 'sending');

DROP TABLE outbox_before;

CREATE INDEX outbox_due ON outbox (run_at, id) WHERE state IN ('ready', 'sending');
-- In the order in which a session's texts go out.
CREATE INDEX outbox_of_session ON outbox (account, session, id) WHERE state IN ('ready', 'sending');
CREATE INDEX outbox_of_leg ON outbox (account, leg);
CREATE INDEX outbox_due_of_account ON outbox (account, run_at, id) WHERE state IN ('ready', 'sending');

-- A build that does not know the new kinds sends nothing more once it comes upon one.
INSERT INTO meta (name, value) VALUES ('oldest_schema', '17')
ON CONFLICT (name) DO UPDATE SET value = excluded.value;
