-- What was relayed, hour by hour, for the console's charts: counts of nobody, made from the log. `hour` counts from
-- 1970. A text that its carrier took is counted by how long that took at most, in milliseconds, and by what was
-- reported of it since: `delivered`, `undelivered`, or nothing.
CREATE TABLE traffic_hours (
    account TEXT   NOT NULL,
    hour    BIGINT NOT NULL,
    kind    TEXT   NOT NULL,
    carrier TEXT   NOT NULL,
    outcome TEXT   NOT NULL,
    reason  TEXT   NOT NULL,
    receipt TEXT   NOT NULL,
    within  BIGINT NOT NULL,
    tally   BIGINT NOT NULL,
    talked  BIGINT NOT NULL,
    PRIMARY KEY (account, hour, kind, carrier, outcome, reason, receipt, within)
);

CREATE INDEX traffic_hours_by_age ON traffic_hours (hour);

-- How full each part of a pool was, looked at once an hour. `most` is the most numbers that one person held: the pool is
-- exhausted for whoever holds all of them.
CREATE TABLE pool_hours (
    account TEXT   NOT NULL,
    hour    BIGINT NOT NULL,
    service TEXT   NOT NULL,
    country TEXT   NOT NULL,
    carrier TEXT   NOT NULL,
    numbers BIGINT NOT NULL,
    most    BIGINT NOT NULL,
    held    BIGINT NOT NULL,
    resting BIGINT NOT NULL,
    PRIMARY KEY (account, hour, service, country, carrier)
);

CREATE INDEX pool_hours_by_age ON pool_hours (hour);

-- Up to where an account's hours are counted for good, and in which hour all others last were.
CREATE TABLE counted_hours (
    account TEXT   NOT NULL PRIMARY KEY,
    settled BIGINT NOT NULL,
    swept   BIGINT NOT NULL
);
