-- What accounts asked of the APIs, for their developers: for some days, and so many rows of an account at most. No
-- path, query, body or address: the route is the router's pattern.
CREATE TABLE api_requests (
    account    TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    -- As the answer's Request-Id has it. Whoever asks may choose it: several may have the same.
    request    TEXT    NOT NULL,
    method     TEXT    NOT NULL,
    route      TEXT    NOT NULL,
    status     BIGINT  NOT NULL,
    -- The status in hundreds.
    class      BIGINT  NOT NULL,
    code       TEXT,
    api_key    TEXT,
    took       BIGINT  NOT NULL,
    idempotent BOOLEAN NOT NULL,
    created_at BIGINT  NOT NULL,
    PRIMARY KEY (account, id)
);

CREATE INDEX api_requests_by_request ON api_requests (account, request, id);
CREATE INDEX api_requests_by_class ON api_requests (account, class, id);
CREATE INDEX api_requests_by_code ON api_requests (account, code, id) WHERE code IS NOT NULL;
