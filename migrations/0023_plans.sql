-- A person's holds with their numbers, so that one row is found by the whole key whatever is known of the
-- tables: a planner without statistics took the index of the person, and read all that they hold.
DROP INDEX holds_by_person;
CREATE INDEX holds_by_person ON holds (account, person, number_id);
