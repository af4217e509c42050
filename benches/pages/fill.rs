//! Weeks of a busy marketplace in minutes: copies of the pattern's rows, spread over 25 days and many people.

use entremise::clock::Clock;

use crate::{
    Result, Size,
    bulk::{Copies, hex, id, run, texts},
    pattern::{Contact, Pattern},
    world::{Raw, World},
};

/// How far back it goes: what happened earlier is not kept by the defaults.
const SPAN_MS: i64 = 25 * 24 * 3_600_000;
const DAY_MS: i64 = 24 * 3_600_000;
/// One contact of so many is of the pattern's session.
const ONE_SESSION: i64 = 100;
/// One session of so many is of the pattern's buyer.
const ONE_PERSON: i64 = 20;
/// Among how many people the other sessions are.
const PEOPLE: i64 = 5_000;
/// Of every table of what is soon forgotten, one row of so many is still there.
const RECENT: i64 = 10;
/// How many members the staff has.
const STAFF: i64 = 300;

/// Writes rows of one world.
pub(crate) struct Filler<'a> {
    pub(crate) world: &'a World,
    pub(crate) pattern: &'a Pattern,
    pub(crate) size: Size,
    raw: Raw,
    now: i64,
    start: i64,
}

/// When something happened and which it is, as SQL over `n`.
struct Place {
    at: String,
    number: String,
}

impl<'a> Filler<'a> {
    pub(crate) async fn new(world: &'a World, pattern: &'a Pattern, size: Size) -> Result<Self> {
        let mut raw = world.raw().await?;
        let quick = match raw {
            Raw::Sqlite(_) => "PRAGMA synchronous = OFF; PRAGMA cache_size = -262144",
            Raw::Postgres(_) => "SET synchronous_commit = off",
        };
        raw.run(quick).await?;
        let now = Clock::system().now().millis();
        Ok(Self { world, pattern, size, raw, now, start: now - SPAN_MS })
    }

    /// Writes it all.
    pub(crate) async fn fill(mut self) -> Result<()> {
        self.settle().await?;
        self.numbers().await?;
        self.sessions().await?;
        self.people().await?;
        self.contacts().await?;
        self.told().await?;
        self.recent().await?;
        self.staff().await?;
        self.audit().await?;
        self.desks().await?;
        self.others().await?;
        let known = match self.raw {
            Raw::Sqlite(_) => "PRAGMA optimize = 0x10012; PRAGMA wal_checkpoint(TRUNCATE)",
            Raw::Postgres(_) => "VACUUM ANALYZE",
        };
        self.raw.run(known).await?;
        self.raw.close().await
    }

    /// When session `of` was made.
    fn session_at(&self, of: &str) -> Place {
        let step = SPAN_MS / self.size.sessions;
        Place { at: format!("({} + ({of}) * {step})", self.start), number: of.to_owned() }
    }

    /// When contact `n` came in.
    fn contact_at(&self) -> Place {
        let step = SPAN_MS / self.size.contacts;
        Place { at: format!("({} + n * {step})", self.start), number: "n".to_owned() }
    }

    fn id(&self, prefix: &str, place: &Place) -> String {
        id(&self.raw, prefix, &place.at, &place.number)
    }

    /// The id of row `row` of several that one thing has.
    fn id_of(&self, prefix: &str, place: &Place, row: &str) -> String {
        id(&self.raw, prefix, &place.at, &format!("({} * 8 + {row})", place.number))
    }

    /// Somebody, on one side of a session.
    fn person(&self, of: &str, side: &str) -> String {
        let number = format!("({of} % {PEOPLE} + {side} * 1000000)");
        let other = hex(&self.raw, &number, 32);
        format!(
            "CASE WHEN {side} = 1 AND {of} % {ONE_PERSON} = 0 THEN '{}' ELSE {other} END",
            self.pattern.buyer.person
        )
    }

    /// The number of the pool that somebody dials: half of the sessions share two.
    fn number_of(&self, of: &str) -> Place {
        Place { at: self.start.to_string(), number: format!("({of} % {})", self.size.numbers) }
    }

    /// The pattern's account, as a condition on `p`.
    fn own(&self, and: &str) -> String {
        format!("p.account = '{}' AND {and}", self.world.account)
    }

    /// Nothing of the pattern waits to be sent.
    async fn settle(&mut self) -> Result<()> {
        for sql in [
            "UPDATE outbox SET state = 'done', payload = NULL",
            "UPDATE deliveries SET state = 'delivered', attempts = 1, ended_at = created_at + 40",
        ] {
            self.raw.run(sql).await?;
        }
        Ok(())
    }

    async fn numbers(&mut self) -> Result<()> {
        let place = self.number_of("n");
        let digits = match self.raw {
            Raw::Sqlite(_) => "printf('%06d', 500000 + n)",
            Raw::Postgres(_) => "lpad(CAST(500000 + n AS TEXT), 6, '0')",
        };
        let number = format!("substr(p.number, 1, 6) || {digits}");
        let (copied, last) = (
            self.own(&format!("p.id = '{}'", self.pattern.buyer.number_id)),
            self.size.numbers - 1,
        );
        let copies = Copies {
            table: "numbers",
            of: copied.clone(),
            set: vec![
                ("id", self.id("PN", &place)),
                ("number", number.clone()),
                ("state", "CASE WHEN n % 50 = 0 THEN 'draining' ELSE 'active' END".to_owned()),
                ("place", "1000 + n".to_owned()),
            ],
        };
        copies.write(&mut self.raw, 0..=last).await?;
        let set = vec![("id", self.id("PN", &place)), ("number", number)];
        Copies { table: "number_owners", of: copied, set }.write(&mut self.raw, 0..=last).await
    }

    async fn sessions(&mut self) -> Result<()> {
        let place = self.session_at("n");
        let at = &place.at;
        let session = self.id("KC", &place);
        let of = self.own(&format!("p.id = '{}'", self.pattern.session));
        let ended = |then: &str| format!("CASE WHEN n % 3 = 2 THEN {then} ELSE NULL END");
        let rows = Copies {
            table: "sessions",
            of,
            set: vec![
                ("id", session),
                ("unique_name", "'trip-' || n".to_owned()),
                (
                    "state",
                    "CASE n % 3 WHEN 0 THEN 'open' WHEN 1 THEN 'in-progress' ELSE 'closed' END"
                        .to_owned(),
                ),
                ("closed_reason", ended("'api'")),
                ("ended_at", ended(&format!("{at} + 7200000"))),
                ("started_at", format!("{at} + 60000")),
                ("last_interaction_at", format!("{at} + 3600000")),
                ("expires_at", format!("{at} + {}", 3 * SPAN_MS)),
                ("created_at", at.clone()),
                ("updated_at", at.clone()),
            ],
        };
        rows.write(&mut self.raw, 1..=self.size.sessions).await
    }

    /// Who is in the sessions, and which numbers they hold.
    async fn people(&mut self) -> Result<()> {
        let place = self.session_at("n");
        let at = &place.at;
        let session = self.id("KC", &place);
        let all = 1..=self.size.sessions;
        let of = self.own(&format!("p.session = '{}'", self.pattern.session));
        let shared = |column: &str, other: &str| {
            format!("CASE WHEN n % 2 = 0 THEN p.{column} ELSE {other} END")
        };
        let digits = self.pool_number("n");
        let number = self.id("PN", &self.number_of("n"));
        let people = Copies {
            table: "participants",
            of: of.clone(),
            set: vec![
                ("id", self.id_of("KP", &place, "p.position")),
                ("session", session.clone()),
                ("person", self.person("n", "p.position")),
                ("number_id", shared("number_id", &number)),
                ("number", shared("number", &digits)),
                ("created_at", at.clone()),
            ],
        };
        people.write(&mut self.raw, all.clone()).await?;
        let side = "(SELECT q.position FROM participants q WHERE q.account = p.account \
                     AND q.id = p.participant)";
        let rests =
            |then: &str, other: &str| format!("CASE WHEN n % 3 = 2 THEN {then} ELSE {other} END");
        let holds = Copies {
            table: "holds",
            of,
            set: vec![
                ("number_id", shared("number_id", &number)),
                ("person", self.person("n", side)),
                ("state", rests("'quarantined'", "'open'")),
                ("release_at", rests(&(self.now + 7 * DAY_MS).to_string(), "NULL")),
                ("session", session),
                ("participant", self.id_of("KP", &place, side)),
                ("taken_at", at.clone()),
            ],
        };
        holds.write(&mut self.raw, all).await
    }

    /// The digits of the number that [`Self::number_of`] names.
    fn pool_number(&self, of: &str) -> String {
        let number = format!("500000 + {of} % {}", self.size.numbers);
        match self.raw {
            Raw::Sqlite(_) => format!("substr(p.number, 1, 6) || printf('%06d', {number})"),
            Raw::Postgres(_) => {
                format!("substr(p.number, 1, 6) || lpad(CAST({number} AS TEXT), 6, '0')")
            }
        }
    }

    /// What is of the one of the pattern's contacts that is copied, as SQL: six texts and four calls of ten, one of
    /// them missed.
    fn contact(&self, what: impl Fn(&Contact) -> String) -> String {
        let [text, call, missed] = self.pattern.contacts.each_ref().map(what);
        format!("CASE WHEN n % 10 < 6 THEN {text} WHEN n % 10 = 9 THEN {missed} ELSE {call} END")
    }

    /// The rows of a table that are of the contact that is copied.
    fn of_contact(&self) -> String {
        self.own(&format!("p.interaction = {}", self.contact(|one| format!("'{}'", one.id))))
    }

    /// The session that contact `n` is of.
    fn session_of(&self) -> (String, String) {
        let of = format!("(n % {} + 1)", self.size.sessions);
        let other = self.id("KC", &self.session_at(&of));
        let own = &self.pattern.session;
        (format!("CASE WHEN n % {ONE_SESSION} = 0 THEN '{own}' ELSE {other} END"), of)
    }

    /// The id of the participant with a role in it.
    fn participant_of(&self, column: &str, role: &str) -> String {
        let (_, of) = self.session_of();
        let side = format!("CASE WHEN p.{role} = 'buyer' THEN 1 ELSE 0 END");
        let other = self.id_of("KP", &self.session_at(&of), &side);
        format!(
            "CASE WHEN p.{column} IS NULL OR n % {ONE_SESSION} = 0 THEN p.{column} ELSE {other} END"
        )
    }

    /// A time of the pattern as far after contact `n` as it was after the pattern's.
    fn shifted(&self, column: &str) -> String {
        let Place { at, .. } = self.contact_at();
        format!("p.{column} - {} + {at}", self.contact(|one| one.at.to_string()))
    }

    async fn contacts(&mut self) -> Result<()> {
        let place = self.contact_at();
        let contact = self.id("KI", &place);
        let (session, of) = self.session_of();
        let all = 1..=self.size.contacts;
        let rows = Copies {
            table: "interactions",
            of: self.own(&format!("p.id = {}", self.contact(|one| format!("'{}'", one.id)))),
            set: vec![
                ("id", contact.clone()),
                ("session", session.clone()),
                ("from_participant", self.participant_of("from_participant", "from_role")),
                ("person", self.person(&of, "CASE WHEN p.from_role = 'buyer' THEN 1 ELSE 0 END")),
                ("created_at", self.shifted("created_at")),
                ("updated_at", self.shifted("updated_at")),
                ("ended_at", self.shifted("ended_at")),
            ],
        };
        rows.write(&mut self.raw, all.clone()).await?;
        let legs = Copies {
            table: "legs",
            of: self.of_contact(),
            set: vec![
                ("id", self.id_of("LG", &place, "p.position")),
                ("interaction", contact),
                ("session", session),
                ("participant", self.participant_of("participant", "role")),
                ("carrier_id", "p.carrier_id || '-' || n".to_owned()),
                ("created_at", self.shifted("created_at")),
                ("updated_at", self.shifted("updated_at")),
                ("answered_at", self.shifted("answered_at")),
                ("ended_at", self.shifted("ended_at")),
            ],
        };
        legs.write(&mut self.raw, all).await
    }

    /// What the marketplace was told.
    async fn told(&mut self) -> Result<()> {
        let place = self.contact_at();
        let Place { at, .. } = &place;
        let (session, _) = self.session_of();
        let (contact, event) = (self.id("KI", &place), self.id("EV", &place));
        let all = 1..=self.size.contacts;
        let last = self.contact(|one| format!("'{}'", one.event));
        let events = Copies {
            table: "events",
            of: self.own(&format!("p.id = {last}")),
            set: vec![
                ("id", event.clone()),
                ("session", session.clone()),
                ("interaction", contact.clone()),
                ("sequence", "n".to_owned()),
                ("created_at", at.clone()),
            ],
        };
        events.write(&mut self.raw, all.clone()).await?;
        let deliveries = Copies {
            table: "deliveries",
            of: self.own(&format!("p.endpoint = '{}' AND p.event = {last}", self.pattern.endpoint)),
            set: vec![
                ("event", event.clone()),
                ("session", session.clone()),
                ("sequence", "n".to_owned()),
                ("state", "CASE WHEN n % 200 = 0 THEN 'failed' ELSE 'delivered' END".to_owned()),
                ("run_at", at.clone()),
                ("created_at", at.clone()),
                ("ended_at", format!("{at} + 40")),
            ],
        };
        deliveries.write(&mut self.raw, all).await
    }

    /// What is forgotten after some days, of the newest: how the marketplace answered, what came in, what we asked.
    async fn recent(&mut self) -> Result<()> {
        let place = self.contact_at();
        let Place { at, .. } = &place;
        let (session, _) = self.session_of();
        let contact = self.id("KI", &place);
        let recent = self.size.contacts - self.size.contacts / RECENT..=self.size.contacts;
        let (account, endpoint) = (&self.world.account, &self.pattern.endpoint);
        let first = recent.start();
        let attempts = format!(
            "INSERT INTO delivery_attempts (account, endpoint, event, number, started_at, duration, status, outcome) \
             SELECT account, endpoint, event, 1, created_at, 40, CASE state WHEN 'failed' THEN 500 ELSE 204 END, \
             CASE state WHEN 'failed' THEN 'status' ELSE 'delivered' END FROM deliveries \
             WHERE account = '{account}' AND endpoint = '{endpoint}' AND sequence >= {first} \
             ON CONFLICT DO NOTHING"
        );
        run(&mut self.raw, attempts).await?;
        let inbox = Copies {
            table: "inbox",
            of: self.of_contact(),
            set: vec![
                ("event", "p.event || '-' || n".to_owned()),
                ("interaction", contact.clone()),
                ("received_at", self.shifted("received_at")),
            ],
        };
        inbox.write(&mut self.raw, recent.clone()).await?;
        let leg = "(SELECT q.position FROM legs q WHERE q.account = p.account AND q.id = p.leg)";
        let own = format!("'OB' || {} || {}", hex(&self.raw, at, 12), hex(&self.raw, "n", 12));
        for (turn, one) in self.pattern.contacts.iter().enumerate() {
            let which = ["n % 10 < 6", "n % 10 BETWEEN 6 AND 8", "n % 10 = 9"]
                .get(turn)
                .ok_or("three are known")?;
            let outbox = Copies {
                table: "outbox",
                of: self.own(&format!("p.id IN ({}) AND {which}", one.outbox)),
                set: vec![
                    ("id", format!("{own} || substr(p.id, 27, 8)")),
                    ("session", session.clone()),
                    ("interaction", contact.clone()),
                    ("leg", self.id_of("LG", &place, leg)),
                    ("run_at", at.clone()),
                    ("created_at", at.clone()),
                    ("tried_at", format!("{at} + 10")),
                ],
            };
            outbox.write(&mut self.raw, recent.clone()).await?;
        }
        Ok(())
    }

    /// A member of the staff, as SQL.
    fn member(&self, number: &str) -> String {
        id(&self.raw, "ST", "1", number)
    }

    async fn staff(&mut self) -> Result<()> {
        let set = vec![("id", self.member("n")), ("name", "'Member ' || n".to_owned())];
        let of = "p.name = 'Ines Duval'".to_owned();
        Copies { table: "staff", of, set }.write(&mut self.raw, 1..=STAFF).await?;
        let of = format!("p.account = '{}'", self.world.account);
        let set = vec![("staff", self.member("n")), ("role", "'agent'".to_owned())];
        Copies { table: "staff_grants", of, set }.write(&mut self.raw, 1..=STAFF).await
    }

    async fn audit(&mut self) -> Result<()> {
        let account = &self.world.account;
        let head = format!("SELECT CAST(seq AS TEXT) FROM audit_heads WHERE account = '{account}'");
        let head = texts(&mut self.raw, head).await?.concat();
        let of = self.own(&format!("p.seq = {head}"));
        let last = self.size.audited;
        let step = SPAN_MS / last;
        let session = self.id("KC", &self.session_at(&format!("(n % {} + 1)", self.size.sessions)));
        let action = "CASE n % 5 WHEN 0 THEN 'session.number_revealed' WHEN 1 THEN 'session.texts_read' \
            WHEN 2 THEN 'session.closed' ELSE 'session.noted' END";
        let rows = Copies {
            table: "audit",
            of,
            set: vec![
                ("seq", format!("{head} + n")),
                ("at", format!("{} + n * {step}", self.start)),
                ("actor_kind", "'staff'".to_owned()),
                ("actor", self.member(&format!("(n / 5 % {STAFF} + 1)"))),
                ("action", action.to_owned()),
                ("target_kind", "'session'".to_owned()),
                ("target", session),
                ("reason", "''".to_owned()),
                ("details", "'{}'".to_owned()),
            ],
        };
        rows.write(&mut self.raw, 1..=last).await?;
        let sql = format!("UPDATE audit_heads SET seq = seq + {last} WHERE account = '{account}'");
        run(&mut self.raw, sql).await
    }

    /// What moderators decide, and what programs asked for.
    async fn desks(&mut self) -> Result<()> {
        let account = &self.world.account;
        let contact = self.contact_at();
        let Contact { id: text, at, .. } = &self.pattern.contacts[0];
        let found = format!(
            "INSERT INTO text_findings (account, interaction, session, fate, kinds, original, created_at, service) \
             VALUES ('{account}', '{text}', '{}', 'flagged', 'phone', NULL, {at}, '{}')",
            self.pattern.session, self.world.service,
        );
        run(&mut self.raw, found).await?;
        let (session, _) = self.session_of();
        let findings = Copies {
            table: "text_findings",
            of: self.own(&format!("p.interaction = '{text}' AND n % 50 = 1")),
            set: vec![
                ("interaction", self.id("KI", &contact)),
                ("session", session),
                ("created_at", contact.at.clone()),
                ("state", "CASE WHEN n % 4 = 1 THEN 'open' ELSE 'resolved' END".to_owned()),
                ("decision", "CASE WHEN n % 4 = 1 THEN NULL ELSE 'dismissed' END".to_owned()),
                ("resolved_at", format!("CASE WHEN n % 4 = 1 THEN NULL ELSE {} END", contact.at)),
            ],
        };
        findings.write(&mut self.raw, 1..=self.size.contacts).await?;
        let place = self.session_at("n");
        let reports = Copies {
            table: "reports",
            of: self.own(&format!("p.id = '{}' AND n % 20 = 1", self.pattern.report)),
            set: vec![
                ("id", self.id("RP", &place)),
                ("session", self.id("KC", &place)),
                ("note", "NULL".to_owned()),
                ("state", "CASE WHEN n % 3 = 0 THEN 'open' ELSE 'resolved' END".to_owned()),
                ("decision", "CASE WHEN n % 3 = 0 THEN NULL ELSE 'dismissed' END".to_owned()),
                ("resolved_at", format!("CASE WHEN n % 3 = 0 THEN NULL ELSE {} END", place.at)),
                ("created_at", place.at.clone()),
            ],
        };
        reports.write(&mut self.raw, 1..=self.size.sessions).await?;
        // Requests are kept for some days, and so many of an account at most: of the newest contacts one each.
        let (last, key) = (self.size.contacts, &self.pattern.key);
        let asked = format!(
            "INSERT INTO api_requests (account, id, request, method, route, status, class, code, api_key, took, \
             idempotent, created_at) WITH RECURSIVE s (n) AS (SELECT CAST({} AS BIGINT) UNION ALL SELECT n + 1 \
             FROM s WHERE n < {last}) SELECT '{account}', {}, {}, CASE WHEN n % 5 = 0 THEN 'POST' ELSE 'GET' END, \
             '/api/v1/sessions/{{id}}', CASE WHEN n % 50 = 0 THEN 404 ELSE 200 END, \
             CASE WHEN n % 50 = 0 THEN 4 ELSE 2 END, CASE WHEN n % 50 = 0 THEN 'not_found' ELSE NULL END, \
             '{key}', 3, FALSE, {} FROM s",
            last - last / RECENT,
            self.id("LR", &contact),
            self.id("RQ", &contact),
            contact.at,
        );
        run(&mut self.raw, asked).await
    }

    /// Blocks, and hours that are counted.
    async fn others(&mut self) -> Result<()> {
        let account = &self.world.account;
        let somebody = hex(&self.raw, "(n % 5000 + 1000000)", 32);
        let buyer = &self.pattern.buyer.person;
        let s = |count: i64| {
            format!(
                "WITH RECURSIVE s (n) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM s WHERE n < {count})"
            )
        };
        let blocks = format!(
            "INSERT INTO blocks (account, blocker, blocked, created_at) {} \
             SELECT '{account}', '{buyer}', {somebody}, {} FROM s WHERE n > 0 ON CONFLICT DO NOTHING",
            s(self.size.sessions / 100),
            self.start
        );
        let hour = self.now / 3_600_000;
        let traffic = format!(
            "INSERT INTO traffic_hours (account, hour, kind, carrier, outcome, reason, receipt, within, tally, talked) \
             {} SELECT '{account}', {hour} - n / 12, CASE WHEN n % 12 < 8 THEN 'message' ELSE 'call' END, \
             'sandbox', CASE WHEN n % 12 < 8 THEN 'relayed' WHEN n % 12 < 11 THEN 'connected' ELSE 'missed' END, \
             '', '', CASE n % 12 WHEN 0 THEN 250 WHEN 1 THEN 500 WHEN 2 THEN 1000 ELSE 0 END, n % 100, \
             CASE WHEN n % 12 < 8 THEN 0 ELSE n % 100 * 60000 END FROM s WHERE n % 12 < 3 OR n % 12 > 7 \
             ON CONFLICT DO NOTHING",
            s(12 * 24 * 90)
        );
        let counted = format!(
            "INSERT INTO counted_hours (account, settled, swept) VALUES ('{account}', {hour}, {hour}) \
             ON CONFLICT (account) DO UPDATE SET settled = excluded.settled, swept = excluded.swept"
        );
        for sql in [blocks, traffic, counted] {
            run(&mut self.raw, sql).await?;
        }
        Ok(())
    }
}
