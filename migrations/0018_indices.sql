-- Texts that wait for a carrier, in order: those of one that is down are looked through again and again.
CREATE INDEX outbox_waiting ON outbox (carrier, id) WHERE state = 'ready' AND kind = 'message';

-- What is forgotten of moves: the oldest first.
CREATE INDEX number_moves_ended ON number_moves (ended_at) WHERE ended_at IS NOT NULL;
-- What one session used and cost, without reading what the account's others did.
CREATE INDEX charges_of_session ON charges (account, session, at);

-- A person's holds with their numbers, so that one row is found by the whole key whatever is known of the
-- tables: a planner without statistics took the index of the person, and read all that they hold.
DROP INDEX holds_by_person;
CREATE INDEX holds_by_person ON holds (account, person, number_id);
