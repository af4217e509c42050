//! Erasing a person: how far it has come, and what becomes of each column that knows of people.

closed_set! {
    /// How far an erasure has come.
    ErasureState {
        /// What is to go is being written down outside of the database.
        Listing = "listing",
        /// It is going.
        Running = "running",
        /// All is gone but what keeps a late call from reaching a stranger: pairs in quarantine.
        Waiting = "waiting",
        /// That is gone too.
        Done = "done",
    }
}

closed_set! {
    /// What is counted in a receipt.
    Erased {
        /// Sessions that they were in.
        Sessions = "sessions",
        /// Sessions that were open and were closed for it.
        SessionsClosed = "sessions_closed",
        /// Data keys that were deleted, each with what only it opened.
        DataKeys = "data_keys",
        /// Numbers, and names.
        Identifiers = "identifiers",
        /// Words of texts.
        Texts = "texts",
        /// Texts as they were written, before something was taken out.
        Originals = "originals",
        /// Pictures, files and messages of callers.
        Media = "media",
        /// Answers to carriers' webhooks.
        CarrierAnswers = "carrier_answers",
        /// Calls that a document steered.
        CallScripts = "call_scripts",
        /// Callers' keyed hashes in the log.
        LogHashes = "log_hashes",
        /// Carriers' ids of calls and texts, whose records they are asked to delete.
        CarrierIds = "carrier_ids",
        /// Which number they had with whom.
        StickyNumbers = "sticky_numbers",
        /// Where they are in the ring of numbers.
        Rings = "rings",
        /// What they were answered without a session.
        AnswerBudgets = "answer_budgets",
        /// Parts of long texts.
        LongTexts = "long_texts",
        /// Answers to API requests that told of their sessions.
        ApiAnswers = "api_answers",
        /// Pairs whose quarantine has ended.
        Holds = "holds",
        /// Notes of theirs in reports.
        ReportNotes = "report_notes",
        /// Verifications of their number.
        Verifications = "verifications",
        /// That their number was verified.
        Verified = "verified",
        /// That they were told which number is theirs.
        FirstTexts = "first_texts",
        /// What showed that they want texts again.
        OptOutProofs = "opt_out_proofs",
        /// What was counted of them, so that limits hold.
        Counters = "counters",
        /// Records that a law wants kept, which stay under a key of their own.
        StatutoryKept = "statutory_kept",
        /// Opt-outs, which stay as keyed hashes.
        OptOutsKept = "opt_outs_kept",
        /// Blocks, which stay as keyed hashes.
        BlocksKept = "blocks_kept",
    }
}

closed_set! {
    /// What becomes of a carrier's own record of a call or text.
    Became {
        /// It is to be deleted there.
        Asked = "asked",
        /// The carrier deleted it, or has none.
        Deleted = "deleted",
        /// The carrier would not, or could not be asked for two weeks.
        Refused = "refused",
        /// The carrier has no way to be asked.
        Unable = "unable",
    }
}

/// What becomes of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Its value goes, or its row.
    Gone,
    /// It stays until its quarantine has ended.
    AfterQuarantine,
    /// It is sealed again under a new key where it is another person's, and goes where it is theirs.
    Resealed,
    /// It stays: the reason is for the receipt and the docs.
    Stays(&'static str),
}

/// A table that knows of people.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// How many columns it has: who adds one says here what becomes of it.
    pub columns: usize,
    /// Its columns that are sealed, or hashes of people or of requests, or carriers' ids.
    pub rules: &'static [(&'static str, Rule)],
}

const fn table(
    name: &'static str,
    columns: usize,
    rules: &'static [(&'static str, Rule)],
) -> Table {
    Table { name, columns, rules }
}

const WISH: &str = "a wish to be left alone outlives the person's data, as a keyed hash";
const ACCOUNT: &str = "the account's own, of no participant";
const SOON: &str = "goes when the text was sent or given up, within minutes; the row after 7 days";
const CHAIN: &str = "a chain of hashes has no gaps; no number may stand there";
const PINS: &str = "until it has rested, so that a late one means nobody else; it is drawn by chance, or the marketplace's";
const ALIKE: &str = "30 days: of sessions, or of ten thousand numbers that begin alike";
const CASE: &str = "365 days after it was lifted: the record of a case, of nobody's number";
const LAW: &str =
    "until its term ends: the operator named a law that wants it, and nothing else opens it";
const DAY: &str = "goes a day after it was asked for; it tells people by their masked form alone";
const HOUSE: &str = "the installation's own";

/// Every table with sealed or hashed columns, and what erasing a person does to them. What lies in the store for
/// files goes with its row: a table of files is withdrawn as `media` is (`store/erasing.rs`).
pub const TABLES: &[Table] = &[
    table(
        "accounts",
        6,
        &[
            ("data_key", Rule::Stays(ACCOUNT)),
            ("index_key", Rule::Stays(ACCOUNT)),
            ("auth_token", Rule::Stays(ACCOUNT)),
        ],
    ),
    table("api_keys", 10, &[("hash", Rule::Stays(ACCOUNT))]),
    table(
        "services",
        12,
        &[
            ("fallback_number", Rule::Stays(ACCOUNT)),
            ("callback", Rule::Stays(ACCOUNT)),
            ("proxy", Rule::Stays(ACCOUNT)),
        ],
    ),
    table("sessions", 22, &[("data_key", Rule::Gone)]),
    table(
        "participants",
        16,
        &[("identifier", Rule::Resealed), ("name", Rule::Resealed), ("person", Rule::Gone)],
    ),
    table("holds", 9, &[("person", Rule::AfterQuarantine), ("counterpart", Rule::AfterQuarantine)]),
    table("rings", 4, &[("person", Rule::Gone)]),
    table("sticky_numbers", 6, &[("person", Rule::Gone), ("counterpart", Rule::Gone)]),
    table("pins", 10, &[("pin", Rule::Stays(PINS))]),
    table("blocks", 5, &[("blocker", Rule::Stays(WISH)), ("blocked", Rule::Stays(WISH))]),
    table("opt_outs", 7, &[("person", Rule::Stays(WISH)), ("id", Rule::Stays(WISH))]),
    table("cleared_opt_outs", 9, &[("person", Rule::Gone), ("proof", Rule::Gone)]),
    table("first_texts", 5, &[("person", Rule::Gone)]),
    table("session_notes", 6, &[("body", Rule::Gone)]),
    table("session_cases", 4, &[("case_id", Rule::Gone)]),
    table("reports", 18, &[("note", Rule::Resealed), ("decision_note", Rule::Resealed)]),
    table("verifications", 19, &[("person", Rule::Gone), ("number", Rule::Gone)]),
    table("verification_sends", 8, &[("code", Rule::Gone), ("spoken", Rule::Gone)]),
    table("verification_limits", 5, &[("subject", Rule::Gone)]),
    table("verified_people", 3, &[("person", Rule::Gone)]),
    table("tallies", 11, &[("subject", Rule::Gone), ("prefix", Rule::Gone)]),
    table("echoes", 9, &[("last_hash", Rule::Gone), ("before_hash", Rule::Gone)]),
    table("pauses", 10, &[("subject", Rule::Stays(ALIKE))]),
    table("probes", 5, &[("person", Rule::Gone)]),
    table("alerts", 4, &[("subject", Rule::Gone)]),
    table("calls_open", 6, &[("person", Rule::Gone)]),
    table(
        "legal_holds",
        10,
        &[
            // One that is in force keeps the person from being erased.
            ("person", Rule::Gone),
            ("case_id", Rule::Stays(CASE)),
            ("reason", Rule::Stays(CASE)),
        ],
    ),
    table("statutory_keys", 3, &[("data_key", Rule::Stays(LAW))]),
    table("statutory_records", 7, &[("person", Rule::Stays(LAW)), ("facts", Rule::Stays(LAW))]),
    table("interactions", 23, &[("person", Rule::Gone), ("words", Rule::Resealed)]),
    table("legs", 23, &[("carrier_id", Rule::Gone)]),
    table("text_findings", 13, &[("original", Rule::Resealed)]),
    table("media", 18, &[("address", Rule::Gone)]),
    table("recordings", 15, &[("carrier_id", Rule::Gone)]),
    table("exports", 17, &[("filters", Rule::Stays(DAY))]),
    table("export_chunks", 4, &[("body", Rule::Stays(DAY))]),
    table("endpoints", 14, &[("url", Rule::Stays(ACCOUNT))]),
    table("endpoint_secrets", 6, &[("keys", Rule::Stays(ACCOUNT))]),
    table(
        "inbox",
        7,
        &[
            ("answer", Rule::Gone),
            (
                "event",
                Rule::Stays("30 days, so that a repeated webhook is not taken for a new one"),
            ),
        ],
    ),
    table("outbox", 18, &[("payload", Rule::Stays(SOON))]),
    table("call_scripts", 5, &[("state", Rule::Gone)]),
    table("long_texts", 9, &[("state", Rule::Gone), ("person", Rule::Gone)]),
    table("number_orders", 24, &[("previous", Rule::Stays(ACCOUNT))]),
    table("answer_budgets", 6, &[("person", Rule::Gone)]),
    table(
        "idempotency",
        5,
        &[
            ("answer", Rule::Gone),
            ("fingerprint", Rule::Stays("24 hours: a keyed hash of a whole request")),
        ],
    ),
    table("staff_secrets", 5, &[("hash", Rule::Stays(HOUSE))]),
    table("staff_browsers", 10, &[("hash", Rule::Stays(HOUSE))]),
    table("staff_ceremonies", 4, &[("hash", Rule::Stays(HOUSE))]),
    table("staff_recovery_codes", 2, &[("hash", Rule::Stays(HOUSE))]),
    table("audit", 13, &[("reason", Rule::Stays(CHAIN))]),
    table("lasting_secrets", 2, &[("wrapped", Rule::Stays(HOUSE))]),
    table("erasures", 14, &[("person", Rule::Gone)]),
    table(
        "disclosures",
        12,
        &[
            ("case_id", Rule::Stays("the record of who was told what, and why")),
            ("reason", Rule::Stays("the record of who was told what, and why")),
        ],
    ),
];

/// Tables that know of nobody: ids, names of ours, times.
pub const NOBODY: &[&str] = &[
    "_sqlx_migrations",
    "anonymised_interactions",
    "api_requests",
    "audit_heads",
    "charges",
    "counted_hours",
    "deliveries",
    "delivery_attempts",
    "erasure_entries",
    "events",
    "key_holders",
    "master_keys",
    "meta",
    "number_move_steps",
    "number_moves",
    "number_owners",
    "numbers",
    "pool_classes",
    "pool_hours",
    "reconciled",
    "recording_consents",
    "retention_runs",
    "staff",
    "staff_grants",
    "staff_openings",
    "staff_passkeys",
    "traffic_hours",
    "volumes",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Each table of `docs/privacy.md` with something sealed or hashed has a rule, and none other is there;
    /// no table stands in both lists.
    #[test]
    fn every_sealed_table_has_a_rule() {
        let page = include_str!("../../docs/privacy.md");
        let part = page.split("## What is stored").nth(1).unwrap_or_default();
        let part = part.split("\n## ").next().unwrap_or_default();
        let mut told = Vec::new();
        for line in part.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            if cells[2].is_empty() && cells[3].is_empty() {
                continue;
            }
            told.extend(cells[1].split(',').map(|name| name.trim().trim_matches('`')));
        }
        for name in &told {
            let ruled = TABLES.iter().any(|table| table.name == *name);
            assert!(ruled || NOBODY.contains(name), "{name}: erasing has no rule for it");
        }
        for table in TABLES {
            assert!(!NOBODY.contains(&table.name), "{} is in both lists", table.name);
            assert!(page.contains(&format!("`{}`", table.name)), "{}: not told", table.name);
        }
    }
}
