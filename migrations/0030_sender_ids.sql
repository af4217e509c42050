-- The name that the recipient of a text sees instead of a number. Nobody can answer it: only texts of no session have one.
ALTER TABLE legs ADD COLUMN sender_id TEXT
    CHECK (sender_id IS NULL OR (session IS NULL AND kind = 'message' AND direction = 'outbound'));
