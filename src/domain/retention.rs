//! How long what is kept is kept: the classes of data, their terms, and what of the log may stay for good.

use std::{fmt, time::Duration};

use super::{interaction::Kind, time::Timestamp};

const DAY: Duration = Duration::from_hours(24);
/// The fewest that may stand in one cell of the counts.
pub const FEWEST: i64 = 5;
/// How long a hold that was lifted is known.
pub const LIFTED_DAYS: u32 = 365;

closed_set! {
    /// What is kept alike.
    DataClass {
        /// Words of texts that a service keeps.
        Texts = "texts",
        /// The log.
        Log = "log",
        /// Sessions and their people.
        Sessions = "sessions",
        /// What was used and what it cost.
        Charges = "charges",
        /// Events.
        Events = "events",
        /// Which number a pair had last.
        Sticky = "sticky",
        /// Events on their way to endpoints.
        Deliveries = "deliveries",
        /// Pictures, files, messages of callers and recordings.
        Media = "media",
        /// Who agreed to a recording, and what became of it.
        Recordings = "recordings",
        /// What carriers told.
        Inbox = "inbox",
        /// What is owed to carriers.
        Outbox = "outbox",
        /// What is needed for a day.
        Day = "day",
        /// What is counted so that limits hold.
        Limits = "limits",
        /// What was held back.
        Pauses = "pauses",
        /// Codes that were sent.
        Codes = "codes",
        /// Whose number it was shown to be.
        Verified = "verified",
        /// Who was told of which number.
        Told = "told",
        /// Parts of long texts.
        Parts = "parts",
        /// Logins of staff.
        Logins = "logins",
        /// Moves off numbers.
        Moves = "moves",
        /// What people asked for: to be left alone.
        Wishes = "wishes",
        /// What people report of each other.
        Reports = "reports",
        /// What showed that somebody wants texts again.
        Proofs = "proofs",
        /// Orders to keep what would go.
        Holds = "holds",
        /// Traffic data that the law wants kept.
        Statutory = "statutory",
        /// Counts of nobody.
        Anonymised = "anonymised",
        /// Counts of an account's hours.
        Figures = "figures",
        /// What was asked of the APIs.
        ApiRequests = "api_requests",
        /// That people were erased, and that somebody was told of by law.
        Requests = "requests",
        /// The log of changes.
        Audit = "audit",
        /// The account and what it set up.
        Account = "account",
        /// Facts about the installation.
        Installation = "installation",
    }
}

/// How long a class is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// So many days, as the operator says.
    Days {
        /// The setting, below `[retention]`.
        setting: &'static str,
        /// Without the setting.
        default: u32,
        /// The fewest.
        least: u32,
        /// The most.
        most: u32,
        /// Whether a service may have fewer.
        service: bool,
    },
    /// As the program has it.
    Fixed(&'static str),
}

/// The most days of any class.
pub const DAYS_MAX: u32 = 3650;

impl DataClass {
    /// Its tables. Words and originals are columns of the log's.
    pub const fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Texts => &[],
            Self::Log => &["interactions", "legs", "text_findings"],
            Self::Sessions => &[
                "sessions",
                "participants",
                "holds",
                "pins",
                "rings",
                "session_notes",
                "session_cases",
            ],
            Self::Charges => &["charges"],
            Self::Events => &["events"],
            Self::Sticky => &["sticky_numbers"],
            Self::Deliveries => &["deliveries", "delivery_attempts"],
            Self::Media => &["media"],
            Self::Recordings => &["recordings", "recording_consents"],
            Self::Inbox => &["inbox"],
            Self::Outbox => &["outbox"],
            Self::Day => &[
                "idempotency",
                "answer_budgets",
                "call_scripts",
                "verification_limits",
                "exports",
                "export_chunks",
                "staff_openings",
            ],
            Self::Limits => &["tallies", "volumes", "echoes", "probes", "alerts", "calls_open"],
            Self::Pauses => &["pauses"],
            Self::Codes => &["verifications", "verification_sends"],
            Self::Verified => &["verified_people"],
            Self::Told => &["first_texts"],
            Self::Parts => &["long_texts"],
            Self::Logins => &["staff_secrets", "staff_browsers", "staff_ceremonies"],
            Self::Moves => &["number_moves", "number_move_steps"],
            Self::Wishes => &["blocks", "opt_outs"],
            Self::Reports => &["reports"],
            Self::Proofs => &["cleared_opt_outs"],
            Self::Holds => &["legal_holds"],
            Self::Statutory => &["statutory_records", "statutory_keys"],
            Self::Anonymised => &["anonymised_interactions"],
            Self::Figures => &["traffic_hours", "pool_hours", "counted_hours"],
            Self::ApiRequests => &["api_requests"],
            Self::Requests => &["erasures", "erasure_entries", "disclosures"],
            Self::Audit => &["audit", "audit_heads"],
            Self::Account => &[
                "accounts",
                "api_keys",
                "services",
                "numbers",
                "number_owners",
                "pool_classes",
                "number_orders",
                "endpoints",
                "endpoint_secrets",
                "staff",
                "staff_grants",
                "staff_recovery_codes",
                "staff_passkeys",
            ],
            Self::Installation => &[
                "meta",
                "reconciled",
                "retention_runs",
                "master_keys",
                "lasting_secrets",
                "key_holders",
            ],
        }
    }

    /// How long it is kept.
    pub const fn term(self) -> Term {
        const fn days(setting: &'static str, default: u32, least: u32, service: bool) -> Term {
            Term::Days { setting, default, least, most: DAYS_MAX, service }
        }
        match self {
            Self::Texts => days("texts_days", 30, 1, true),
            Self::Log => days("log_days", 365, 31, true),
            Self::Sessions => days("sessions_days", 365, 31, true),
            Self::Charges => days("charges_days", 400, 62, false),
            Self::Events => days("events_days", 90, 31, false),
            Self::Sticky => days("sticky_days", 365, 1, false),
            Self::ApiRequests => days("api_requests_days", 7, 1, false),
            Self::Deliveries => Term::Fixed("30 days after the event"),
            Self::Media => Term::Fixed(
                "pictures and files 4 hours after their text came; messages of callers \
                 `voicemail_days` of the service (7), recordings `recording_days` (30), as it was \
                 when people were asked; at once when their session is deleted",
            ),
            Self::Recordings => Term::Fixed("as long as the call in the log, and as the sound"),
            Self::Inbox => Term::Fixed("30 days"),
            Self::Outbox => {
                Term::Fixed("7 days after it was done or given up; its words go at once")
            }
            Self::Day => Term::Fixed("24 hours"),
            Self::Limits => Term::Fixed("1 to 9 days after they were last counted"),
            Self::Pauses => Term::Fixed("30 days after their end"),
            Self::Codes => {
                Term::Fixed("30 days after their end; numbers and codes go at their end")
            }
            Self::Verified => Term::Fixed("two years after the last verification"),
            Self::Told => Term::Fixed("a year"),
            Self::Parts => {
                Term::Fixed("until the text is complete, a minute; what can't be read 7 days")
            }
            Self::Logins => Term::Fixed("until their end"),
            Self::Moves => {
                Term::Fixed("90 days after the move ended, and until nobody can be moved back")
            }
            Self::Wishes => Term::Fixed("until they are taken back, as keyed hashes"),
            Self::Reports => Term::Fixed("a year after they were decided"),
            Self::Proofs => Term::Fixed("five years after an opt-out was cleared"),
            Self::Holds => Term::Fixed("365 days after they were lifted"),
            Self::Statutory => {
                Term::Fixed("`statutory_days`, as they were when it was written; off by default")
            }
            Self::Anonymised => Term::Fixed("for good: they are of nobody"),
            Self::Figures => Term::Fixed("92 days"),
            Self::Requests => {
                Term::Fixed("for good: they name nobody, and a restored database is held to them")
            }
            Self::Audit => Term::Fixed("for good: a chain has no gaps"),
            Self::Account => Term::Fixed("as long as the account"),
            Self::Installation => Term::Fixed("as long as the database"),
        }
    }

    /// Its name, as operators read it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Texts => "words of texts that a service keeps, and texts as they were written",
            Self::Log => "calls and texts, who by role, when and how they ended",
            Self::Sessions => {
                "sessions, their people's sealed numbers and names, past holds, notes of staff"
            }
            Self::Charges => "what each leg used and cost",
            Self::Events => "what the marketplace was told",
            Self::Sticky => "which number a person had with whom",
            Self::Deliveries => "events on their way to endpoints",
            Self::Media => "pictures, files, messages of callers and recordings",
            Self::Recordings => "who agreed to a recording, and what became of it",
            Self::Inbox => "what carriers told, and what they were answered",
            Self::Outbox => "what is owed to carriers",
            Self::Day => {
                "answers to repeated requests, answers to strangers, scripts of calls, counts of codes, \
                 lists that staff exported, that staff opened something"
            }
            Self::Limits => "how much people, sessions and accounts do",
            Self::Pauses => "traffic that was held back",
            Self::Codes => "codes that were sent to people, and whether they were given back",
            Self::Verified => "whose number it was shown to be",
            Self::Told => "who was told of which number by a first text",
            Self::Parts => "parts of long texts",
            Self::Logins => "links and browsers of staff",
            Self::Moves => "moves off numbers",
            Self::Wishes => "blocks and opt-outs",
            Self::Reports => "what people report of each other",
            Self::Proofs => "what showed that somebody wants texts again who had opted out",
            Self::Holds => "legal holds",
            Self::Statutory => "traffic data that the law wants kept",
            Self::Anonymised => "counts of calls and texts",
            Self::Figures => "how much each hour of an account had, and how full its pools were",
            Self::ApiRequests => "requests to the APIs, 100,000 of an account at most",
            Self::Requests => "erasures that were asked for, and lawful disclosures",
            Self::Audit => "who changed what",
            Self::Account => "accounts, keys, services, numbers and their orders, endpoints, staff",
            Self::Installation => "facts about the database, and how far jobs have come",
        }
    }

    /// The class of a table.
    pub fn of_table(table: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|class| class.tables().contains(&table))
    }

    /// The row of `docs/retention.md` that tells of it.
    pub fn row(self) -> String {
        let tables: Vec<String> = self.tables().iter().map(|one| format!("`{one}`")).collect();
        let tables =
            if tables.is_empty() { "columns of the log".into() } else { tables.join(", ") };
        let term = match self.term() {
            Term::Fixed(words) => words.to_owned(),
            Term::Days { setting, default, least, most, service } => {
                let fewer = if service { "; a service may have fewer" } else { "" };
                format!("{default} days (`{setting}`, {least} to {most}){fewer}")
            }
        };
        format!("| `{self}` | {} | {tables} | {term} |", self.words())
    }
}

/// What a service has kept for a shorter time than the operator lets it; `None` for as long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RetentionRules {
    /// Days that words are kept.
    pub texts: Option<u32>,
    /// Days that the log is kept.
    pub log: Option<u32>,
    /// Days that sessions are kept after their end.
    pub sessions: Option<u32>,
}

impl RetentionRules {
    /// Every fault against the classes' bounds: the field and what is allowed.
    pub(super) fn faults(&self) -> Vec<(&'static str, &'static str)> {
        self.outside(&Retention::MOST)
            .into_iter()
            .map(|(field, _, least, _)| {
                (field, if least == 1 { "must be 1 to 3650" } else { "must be 31 to 3650" })
            })
            .collect()
    }

    /// What is longer than the operator keeps it: the field, and the most days.
    pub fn longer(&self, than: &Retention) -> Vec<(&'static str, u32)> {
        let outside = self.outside(than).into_iter();
        outside.filter(|one| one.3 > one.1).map(|(field, most, ..)| (field, most)).collect()
    }

    /// The field, the most and the fewest days, and how many are wanted.
    fn outside(&self, most: &Retention) -> Vec<(&'static str, u32, u32, u32)> {
        [
            ("retention/texts_days", self.texts, most.texts, 1),
            ("retention/log_days", self.log, most.log, 31),
            ("retention/sessions_days", self.sessions, most.sessions, 31),
        ]
        .into_iter()
        .filter_map(|(field, days, most, least)| {
            let days = days.filter(|days| *days < least || *days > most)?;
            Some((field, most, least, days))
        })
        .collect()
    }
}

/// Traffic data that a law wants kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statutory {
    /// For how many days.
    pub days: u32,
    /// Which law: in the operator's words.
    pub basis: String,
}

/// How long an installation keeps what, in days, and when the job may work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Words of texts.
    pub texts: u32,
    /// The log.
    pub log: u32,
    /// Sessions, after their end.
    pub sessions: u32,
    /// Charges.
    pub charges: u32,
    /// Events.
    pub events: u32,
    /// Which number a pair had last, since then.
    pub sticky: u32,
    /// What was asked of the APIs.
    pub api_requests: u32,
    /// The hour (UTC) from which the job works.
    pub from_hour: u32,
    /// For how many hours it may.
    pub hours: u32,
    /// What a law wants kept.
    pub statutory: Option<Statutory>,
}

impl Default for Retention {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Retention {
    /// Without any setting.
    pub const DEFAULT: Self = Self {
        texts: 30,
        log: 365,
        sessions: 365,
        charges: 400,
        events: 90,
        sticky: 365,
        api_requests: 7,
        from_hour: 2,
        hours: 4,
        statutory: None,
    };

    /// The longest.
    const MOST: Self = Self { texts: DAYS_MAX, log: DAYS_MAX, sessions: DAYS_MAX, ..Self::DEFAULT };

    /// For how many days a class is kept under a service's rules; `None` where no setting says.
    pub fn days(&self, class: DataClass, rules: &RetentionRules) -> Option<u32> {
        let fewer = |own: Option<u32>, most: u32| own.map_or(most, |days| days.min(most));
        Some(match class {
            DataClass::Texts => fewer(rules.texts, self.texts),
            DataClass::Log => fewer(rules.log, self.log),
            DataClass::Sessions => fewer(rules.sessions, self.sessions),
            DataClass::Charges => self.charges,
            DataClass::Events => self.events,
            DataClass::Sticky => self.sticky,
            DataClass::ApiRequests => self.api_requests,
            DataClass::Holds => LIFTED_DAYS,
            _ => return None,
        })
    }

    /// When the job's present night began, at `now`; `None` where it may not work.
    pub fn night(&self, now: Timestamp) -> Option<Timestamp> {
        let hour = Duration::from_hours(1);
        let today = midnight(now) + hour * self.from_hour;
        [today, today - DAY]
            .into_iter()
            .find(|from| *from <= now && now < *from + hour * self.hours)
    }
}

/// What is older than so many days at `now`: whole days (UTC), so that a day's counts go together.
pub fn before(now: Timestamp, days: u32) -> Timestamp {
    midnight(now) - DAY * days
}

/// The beginning of the day (UTC).
pub fn midnight(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(day(now) * 86_400_000)
}

/// The day, counted from 1970.
pub const fn day(at: Timestamp) -> i64 {
    at.millis() / 86_400_000
}

/// What stays of an interaction: of nobody, and of no account.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// The day, counted from 1970.
    pub day: i64,
    /// The role of whoever began it; `none` for who had none.
    pub role: String,
    /// `call` or `message`.
    pub kind: String,
    /// How long two people spoke, roughly.
    pub duration: String,
    /// How it ended.
    pub outcome: String,
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cell({} {} {})", self.day, self.kind, self.outcome)
    }
}

impl Cell {
    /// Where what is too seldom goes.
    pub const REST: &'static str = "other";

    /// The cell of an interaction.
    pub fn of(
        at: Timestamp,
        role: Option<&str>,
        kind: Kind,
        duration: Option<Duration>,
        outcome: Option<&str>,
    ) -> Self {
        Self {
            day: day(at),
            role: role.unwrap_or("none").to_owned(),
            kind: kind.as_str().to_owned(),
            duration: band(duration).to_owned(),
            outcome: outcome.unwrap_or("none").to_owned(),
        }
    }

    /// Where it goes if it is too seldom.
    #[must_use]
    pub fn rest(&self) -> Self {
        let rest = || Self::REST.to_owned();
        Self { role: rest(), duration: rest(), outcome: rest(), ..self.clone() }
    }
}

/// How long, roughly.
fn band(duration: Option<Duration>) -> &'static str {
    match duration.map(|length| length.as_secs()) {
        None => "none",
        Some(..60) => "under 1 min",
        Some(60..300) => "1 to 5 min",
        Some(300..900) => "5 to 15 min",
        Some(900..3600) => "15 to 60 min",
        Some(_) => "over 60 min",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    /// The job works in its hours, over midnight too, and knows when its night began.
    #[test]
    fn nights_have_hours() {
        let at = |hours: i64| Timestamp::from_millis(100 * 24 * HOUR + hours * HOUR);
        let two_to_six = Retention::default();
        assert_eq!(two_to_six.night(at(1)), None);
        assert_eq!(two_to_six.night(at(2)), Some(at(2)));
        assert_eq!(two_to_six.night(at(5)), Some(at(2)));
        assert_eq!(two_to_six.night(at(6)), None);
        let over_midnight = Retention { from_hour: 22, hours: 5, ..Retention::default() };
        assert_eq!(over_midnight.night(at(23)), Some(at(22)));
        assert_eq!(over_midnight.night(at(26)), Some(at(22)));
        assert_eq!(over_midnight.night(at(27)), None);
        let always = Retention { from_hour: 0, hours: 24, ..Retention::default() };
        assert_eq!(always.night(at(23)), Some(at(0)));
    }

    /// A service may have less than the operator, never more, also where the operator has become stricter.
    #[test]
    fn services_shorten_and_never_lengthen() {
        let operator = Retention { log: 100, ..Retention::default() };
        let rules = RetentionRules { log: Some(300), texts: Some(7), sessions: None };
        assert_eq!(operator.days(DataClass::Log, &rules), Some(100));
        assert_eq!(operator.days(DataClass::Texts, &rules), Some(7));
        assert_eq!(operator.days(DataClass::Sessions, &rules), Some(365));
        assert_eq!(operator.days(DataClass::Events, &rules), Some(90));
        assert_eq!(operator.days(DataClass::Audit, &rules), None);
        assert_eq!(rules.longer(&operator), [("retention/log_days", 100)]);
        assert!(rules.faults().is_empty());
        let odd = RetentionRules { texts: Some(0), log: Some(30), sessions: Some(3651) };
        assert_eq!(odd.faults().len(), 3);
    }

    /// The defaults of the classes are those of an installation without settings.
    #[test]
    fn defaults_are_the_classes() {
        let own = RetentionRules::default();
        for class in DataClass::ALL {
            if let Term::Days { default, least, most, .. } = class.term() {
                assert_eq!(Retention::DEFAULT.days(*class, &own), Some(default), "{class}");
                assert!((least..=most).contains(&default), "{class}");
            }
        }
    }

    /// `docs/retention.md` has exactly the classes' rows, and `docs/privacy.md` the same.
    #[test]
    fn the_docs_are_the_classes() {
        let rows: Vec<String> = DataClass::ALL.iter().map(|class| class.row()).collect();
        for (page, text) in [
            ("docs/retention.md", include_str!("../../docs/retention.md")),
            ("docs/privacy.md", include_str!("../../docs/privacy.md")),
        ] {
            let part = text.split("## How long").nth(1).unwrap_or_default();
            let part = part.split("\n## ").next().unwrap_or_default();
            let told: Vec<&str> = part.lines().filter(|line| line.starts_with("| `")).collect();
            assert_eq!(told, rows, "{page} should have:\n{}", rows.join("\n"));
        }
    }

    /// A cell tells a day, a role, a kind, a band and an outcome; what is too seldom only day and kind.
    #[test]
    fn cells_tell_little() {
        let at = Timestamp::from_millis(1_800_000_000_000);
        let spoke = Some(Duration::from_secs(61));
        let cell = Cell::of(at, Some("buyer"), Kind::Call, spoke, Some("connected"));
        assert_eq!(cell.day, 20_833);
        assert_eq!((&*cell.role, &*cell.duration), ("buyer", "1 to 5 min"));
        let rest = cell.rest();
        assert_eq!((rest.day, &*rest.kind), (20_833, "call"));
        assert_eq!([&*rest.role, &*rest.duration, &*rest.outcome], ["other"; 3]);
        let bands = [0, 59, 60, 299, 300, 899, 900, 3599, 3600];
        let bands = bands.map(|s| band(Some(Duration::from_secs(s))));
        assert_eq!(bands[..2], ["under 1 min"; 2]);
        assert_eq!(bands[2..4], ["1 to 5 min"; 2]);
        assert_eq!(bands[6..8], ["15 to 60 min"; 2]);
        assert_eq!(bands[8], "over 60 min");
    }
}
