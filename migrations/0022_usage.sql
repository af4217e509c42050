-- What one session used and cost, without reading what the account's others did.
CREATE INDEX charges_of_session ON charges (account, session, at);
