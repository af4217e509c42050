-- Whether a number under +1 is registered for texts, and in which campaign. What is there already may be:
-- nobody has said, so it goes on. Outside +1 nothing is registered.
ALTER TABLE numbers ADD COLUMN registration TEXT NOT NULL DEFAULT 'unknown'
    CHECK (registration IN ('unknown', 'none', '10dlc', 'toll_free'));
ALTER TABLE numbers ADD COLUMN campaign TEXT;
UPDATE numbers SET registration = 'none' WHERE number NOT LIKE '+1%';

-- Whether a country's rule keeps a number from calls, and why the operator lets it in all the same.
-- `entremise serve` judges every number when the rules have changed.
ALTER TABLE numbers ADD COLUMN barred BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE numbers ADD COLUMN permit TEXT;

DROP INDEX numbers_ring;
DROP INDEX numbers_area_ring;
CREATE INDEX numbers_ring ON numbers
    (account, service, country, carrier, capabilities, registration, barred, place)
    WHERE state = 'active' AND NOT reserved;
CREATE INDEX numbers_area_ring ON numbers
    (account, service, country, area, carrier, capabilities, registration, barred, place)
    WHERE state = 'active' AND NOT reserved;

-- The classes, counted anew: both are parts of what a number is.
DROP TABLE pool_classes;
CREATE TABLE pool_classes (
    account      TEXT    NOT NULL,
    service      TEXT    NOT NULL,
    country      TEXT    NOT NULL,
    area         TEXT    NOT NULL,
    carrier      TEXT    NOT NULL,
    capabilities TEXT    NOT NULL,
    registration TEXT    NOT NULL,
    barred       BOOLEAN NOT NULL,
    free         BIGINT  NOT NULL,
    reserved     BIGINT  NOT NULL,
    PRIMARY KEY (account, service, country, area, carrier, capabilities, registration, barred)
);
INSERT INTO pool_classes
    (account, service, country, area, carrier, capabilities, registration, barred, free, reserved)
SELECT account, service, country, area, carrier, capabilities, registration, barred,
    SUM(CASE WHEN reserved THEN 0 ELSE 1 END), SUM(CASE WHEN reserved THEN 1 ELSE 0 END)
FROM numbers WHERE state = 'active'
GROUP BY account, service, country, area, carrier, capabilities, registration, barred;

-- A build that counts the classes by the old key can't go on here.
INSERT INTO meta (name, value) VALUES ('oldest_schema', '14')
ON CONFLICT (name) DO UPDATE SET value = excluded.value;
