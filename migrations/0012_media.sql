-- Pictures and files of texts: where they lie at the carrier (sealed under the session's key), and under
-- which name they are kept, sealed under the same key, until carriers have fetched them.
CREATE TABLE media (
    account      TEXT   NOT NULL,
    id           TEXT   NOT NULL,
    interaction  TEXT   NOT NULL,
    session      TEXT   NOT NULL,
    position     BIGINT NOT NULL,
    carrier      TEXT,
    state        TEXT   NOT NULL,
    refusal      TEXT,
    address      TEXT,
    object       TEXT   NOT NULL,
    content_type TEXT,
    bytes        BIGINT,
    tries        BIGINT NOT NULL,
    lease_until  BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    PRIMARY KEY (account, id)
);

CREATE INDEX media_of_interaction ON media (account, interaction, position);
CREATE INDEX media_of_session ON media (account, session);
CREATE INDEX media_by_end ON media (expires_at);

-- How many pictures and files of a text were not passed on.
ALTER TABLE interactions ADD COLUMN media_refused BIGINT NOT NULL DEFAULT 0;
