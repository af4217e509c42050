-- Calls of whose end no carrier has told: found without a look at those that ended.
CREATE INDEX interactions_unended_calls ON interactions (created_at, id)
    WHERE outcome IS NULL AND kind = 'call';
