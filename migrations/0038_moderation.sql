-- Reports and flagged texts wait in one queue: who took one, what was decided, and whether whoever reported was told so
-- (`notice`; empty where nobody wanted that). The staff's id, or empty for nobody. What was flagged before waits too.
ALTER TABLE reports ADD COLUMN assignee TEXT NOT NULL DEFAULT '';
ALTER TABLE reports ADD COLUMN notice TEXT NOT NULL DEFAULT '';

ALTER TABLE text_findings ADD COLUMN service TEXT NOT NULL DEFAULT '';
ALTER TABLE text_findings ADD COLUMN state TEXT NOT NULL DEFAULT 'open';
ALTER TABLE text_findings ADD COLUMN assignee TEXT NOT NULL DEFAULT '';
ALTER TABLE text_findings ADD COLUMN decision TEXT;
ALTER TABLE text_findings ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE text_findings ADD COLUMN resolved_at BIGINT;

UPDATE text_findings SET service = COALESCE(
    (SELECT s.service FROM sessions s WHERE s.account = text_findings.account AND s.id = text_findings.session), '');

CREATE INDEX reports_by_state ON reports (account, state, id);
CREATE INDEX reports_by_assignee ON reports (account, assignee, state, id);
CREATE INDEX reports_by_service ON reports (account, service, state, id);
CREATE INDEX text_findings_by_state ON text_findings (account, state, interaction);
CREATE INDEX text_findings_by_assignee ON text_findings (account, assignee, state, interaction);
CREATE INDEX text_findings_by_service ON text_findings (account, service, state, interaction);
