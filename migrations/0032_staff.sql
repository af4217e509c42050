-- The staff of the console: what each may do in which account, and how they prove who they are.
CREATE TABLE staff_grants (
    staff   TEXT NOT NULL REFERENCES staff (id),
    -- Empty for every account.
    account TEXT NOT NULL,
    role    TEXT NOT NULL,
    -- Permissions beside the role, separated by spaces.
    extra   TEXT NOT NULL,
    PRIMARY KEY (staff, account)
);
-- Until now the console only showed: nobody gains anything by an update.
INSERT INTO staff_grants (staff, account, role, extra) SELECT id, COALESCE(account, ''), 'viewer', '' FROM staff;
ALTER TABLE staff DROP COLUMN account;

-- The hash of a password (argon2id, PHC) under a key that the database does not hold.
ALTER TABLE staff ADD COLUMN password TEXT;
ALTER TABLE staff ADD COLUMN password_set_at BIGINT;
ALTER TABLE staff ADD COLUMN must_change BOOLEAN NOT NULL DEFAULT FALSE;
-- What the secret of the person's app comes from, together with a key that the database does not hold.
ALTER TABLE staff ADD COLUMN totp_salt TEXT;
ALTER TABLE staff ADD COLUMN totp_since BIGINT;
-- The last step whose code was taken: no code is taken twice.
ALTER TABLE staff ADD COLUMN totp_step BIGINT NOT NULL DEFAULT 0;
-- Wrong passwords and codes in a row, and until when no more are taken.
ALTER TABLE staff ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;
ALTER TABLE staff ADD COLUMN locked_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE staff ADD COLUMN disabled_at BIGINT;
-- Who they are at another login (OpenID Connect).
ALTER TABLE staff ADD COLUMN issuer TEXT;
ALTER TABLE staff ADD COLUMN subject TEXT;
CREATE UNIQUE INDEX staff_elsewhere ON staff (issuer, subject) WHERE issuer IS NOT NULL;

-- Browsers that are logged in: only a keyed hash of the cookie is kept.
CREATE TABLE staff_browsers (
    hash       TEXT    NOT NULL PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    staff      TEXT    NOT NULL REFERENCES staff (id),
    -- The password was right and the second factor is still to come.
    halfway    BOOLEAN NOT NULL,
    proof      TEXT    NOT NULL,
    -- What the browser calls itself, in few words.
    agent      TEXT    NOT NULL,
    created_at BIGINT  NOT NULL,
    seen_at    BIGINT  NOT NULL,
    -- When they last proved who they are.
    proved_at  BIGINT  NOT NULL,
    expires_at BIGINT  NOT NULL
);
CREATE INDEX staff_browsers_of_staff ON staff_browsers (staff, created_at);
CREATE INDEX staff_browsers_by_end ON staff_browsers (expires_at);
DELETE FROM staff_secrets WHERE kind = 'browser';

CREATE TABLE staff_recovery_codes (
    hash  TEXT NOT NULL PRIMARY KEY,
    staff TEXT NOT NULL REFERENCES staff (id)
);
CREATE INDEX staff_recovery_codes_of_staff ON staff_recovery_codes (staff);

CREATE TABLE staff_passkeys (
    id           TEXT   NOT NULL PRIMARY KEY,
    staff        TEXT   NOT NULL REFERENCES staff (id),
    name         TEXT   NOT NULL,
    -- The public key and its counter, as JSON.
    credential   TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT
);
CREATE INDEX staff_passkeys_of_staff ON staff_passkeys (staff, created_at);

-- What was asked of a browser or another login and is still to be answered, by a keyed hash of its cookie.
CREATE TABLE staff_ceremonies (
    hash       TEXT   NOT NULL PRIMARY KEY,
    kind       TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX staff_ceremonies_by_end ON staff_ceremonies (expires_at);
