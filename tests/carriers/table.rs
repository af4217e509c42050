//! `docs/carriers.md` and the table in the README, made of what the adapters say of themselves and of what their
//! fixtures show.

use std::{fmt::Write as _, fs, path::Path, time::Duration};

use entremise::{
    carrier::{
        Capabilities,
        capabilities::{Control, Dedupe, Numbers},
    },
    domain::sender::SenderId,
};

use crate::fixtures::{self, Fixtures};

const HEAD: &str = "\
# Carriers

Made of the adapters' own capabilities by `UPDATE_CARRIERS=1 cargo test --test carriers`; a test compares it.
Each name leads to the carrier's page: its settings, how to set its numbers, and its limits in words.

Several carriers may be configured at once, and each number belongs to one of them. Two people whose numbers
are at two carriers text each other as any two do. A session with calls has all its numbers at one carrier,
since none shows another's numbers as caller ID.
";

const CHECKED: &str = "\
Tests hold every request of ours, and the documents that answer webhooks, to the names, types, bounds and
choices of what the carrier publishes: one field that is unknown or missing fails them. Where there is no
OpenAPI document to be had, the carrier's official SDK stands for it.

";

const WORDS: &str = "\
What a carrier answers itself gets no answer of ours ([opting out](stopping.md)). On toll-free numbers under +1 the
network itself answers `STOP`, `START` and `UNSTOP`, whoever the carrier is.

";

/// The page is what the adapters say now.
#[test]
fn the_page_of_carriers_is_true() {
    compare("docs/carriers.md", |_| page(&fixtures::all()));
}

/// So is the short table that a newcomer sees first.
#[test]
fn the_readme_s_table_of_carriers_is_true() {
    const BEGIN: &str = "<!-- made by UPDATE_CARRIERS=1 cargo test --test carriers -->\n";
    const END: &str = "<!-- end -->\n";
    compare("README.md", |there| {
        let (before, rest) =
            there.split_once(BEGIN).expect("the README's table begins with a mark");
        let (_, after) = rest.split_once(END).expect("the README's table ends with a mark");
        let shown: &[Column] = &[CALLS, TEXTS, PICTURES, VOICEMAIL, RECORDING, NUMBERS];
        let table = table(&fixtures::all(), "docs/", shown);
        format!("{before}{BEGIN}{table}{END}{after}")
    });
}

/// A file against what `made` makes of it; written where that is asked for.
fn compare(file: &str, made: impl Fn(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let there = fs::read_to_string(&path).unwrap_or_default();
    let made = made(&there);
    if std::env::var_os("UPDATE_CARRIERS").is_some() {
        fs::write(&path, &made).unwrap();
        return;
    }
    assert!(there == made, "UPDATE_CARRIERS=1 cargo test --test carriers makes {file} anew");
}

type Column = (&'static str, fn(&Capabilities, &Fixtures) -> String);

const CALLS: Column = ("calls", |can, _| yes(can.voice));
const TEXTS: Column = ("texts", |can, _| yes(can.sms));
const PICTURES: Column = ("pictures in a text that is sent", |can, fixtures| {
    let most = fixtures.carrier().media_max();
    if can.mms { most.to_string() } else { "none".into() }
});
const ATTESTATION: Column =
    ("tells what the network says of callers (STIR/SHAKEN)", |can, _| yes(can.attestation));
const VOICEMAIL: Column = ("records messages (voicemail)", |can, _| yes(can.voicemail));
const DELETES: Column = ("deletes its records when it is asked", |can, _| {
    match (can.deletes.texts, can.deletes.calls) {
        (true, true) => "of texts and calls".into(),
        (true, false) => "of texts".into(),
        (false, true) => "of calls".into(),
        (false, false) => "no".into(),
    }
});
const RECORDING: Column = ("records calls with consent", |can, _| yes(can.recording));
const NUMBERS: Column = ("its numbers, by API", |can, _| numbers(can).into());

fn page(all: &[Fixtures]) -> String {
    let mut page = HEAD.to_owned();
    let tables: [(&str, &str, &[Column]); 5] = [
        (
            "What it can do",
            "",
            &[
                CALLS,
                TEXTS,
                PICTURES,
                ("calls are steered by", |can, _| control(can).into()),
                ("speaks to who answers (whisper, press 1)", |can, _| yes(can.whisper)),
                ("tells keys that callers press (PINs)", |can, _| yes(can.gather)),
                ATTESTATION,
                ("rings before it answers the caller", |can, _| yes(can.answer_on_bridge)),
                VOICEMAIL,
                DELETES,
                RECORDING,
                ("texts codes under a name of letters", |can, _| names(can)),
                ("people rung at once", |can, _| can.simultaneous.to_string()),
                NUMBERS,
            ],
        ),
        (
            "People who want no more texts",
            WORDS,
            &[
                ("words that it answers itself", |can, _| {
                    let words = can.answers.words.join(", ");
                    match (can.answers.words.is_empty(), can.answers.plus_one) {
                        (true, _) => "none that is documented".into(),
                        (false, true) => format!("under +1: {words}"),
                        (false, false) => words,
                    }
                }),
                ("its code for a recipient who has opted out", |can, _| {
                    let codes: Vec<String> =
                        can.opted_out.iter().map(|code| format!("`{code}`")).collect();
                    if codes.is_empty() {
                        "none that is documented".into()
                    } else {
                        codes.join(", ")
                    }
                }),
            ],
        ),
        (
            "Bounds",
            "What is asked for beyond a bound is cut to it.\n\n",
            &[
                ("ringing", |can, _| {
                    format!("{} to {}", length(can.ring_timeout.0), length(can.ring_timeout.1))
                }),
                ("longest call", |can, _| can.duration_max.map_or("ended by us".into(), length)),
                ("a text is held at most", |can, _| length(can.validity_max)),
                ("waits for the answer to a text", |can, _| length(can.patience)),
            ],
        ),
        (
            "When something is lost",
            "",
            &[
                ("tells that a text reached the phone", |can, _| yes(can.receipts)),
                ("a text whose answer was lost", |can, _| dedupe(can).into()),
                ("webhooks that never came are made up for", |can, _| yes(can.lists)),
                ("signs the body", |_, fixtures| yes(fixtures.facts.signs_body)),
                ("signs the address", |_, fixtures| yes(fixtures.facts.signs_url)),
                ("signs the time", |_, fixtures| yes(fixtures.facts.signs_time)),
            ],
        ),
        (
            "What requests are checked against",
            CHECKED,
            &[("source", |_, f| crate::api::sources(f))],
        ),
    ];
    for (title, words, columns) in tables {
        let table = table(all, "", columns);
        write!(page, "\n## {title}\n\n{words}{table}").unwrap();
    }
    page
}

/// A row for each carrier; `docs` is the folder `docs/` as seen from the file that shows it.
fn table(all: &[Fixtures], docs: &str, columns: &[Column]) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let (names, rule) = (names.join(" | "), " --- |".repeat(columns.len()));
    let mut table = format!("| carrier | {names} |\n| --- |{rule}\n");
    for fixtures in all {
        let carrier = fixtures.carrier();
        let cells: Vec<String> =
            columns.iter().map(|(_, cell)| cell(carrier.capabilities(), fixtures)).collect();
        let (name, cells) = (fixtures.name.replace('/', ", "), cells.join(" | "));
        writeln!(table, "| [`{name}`]({docs}{}) | {cells} |", fixtures.page()).unwrap();
    }
    table
}

fn yes(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}

fn names(can: &Capabilities) -> String {
    can.sender_ids.filter(|_| can.sms).map_or_else(
        || "no".into(),
        |ids| {
            let spaces = if ids.spaces { ", with spaces" } else { "" };
            format!("{} to {} characters{spaces}", ids.chars_min, SenderId::CHARS_MAX)
        },
    )
}

const fn control(can: &Capabilities) -> &'static str {
    match can.control {
        Control::Documents => "documents",
        Control::Commands { .. } => "requests of ours",
    }
}

const fn numbers(can: &Capabilities) -> &'static str {
    match can.numbers {
        Numbers::None => "none: imported",
        Numbers::Adopt => "adopted",
        Numbers::Buy => "bought, adopted, given back",
    }
}

fn dedupe(can: &Capabilities) -> &'static str {
    match can.dedupe {
        Dedupe::Key { .. } => "is sent again with its key, and kept once",
        Dedupe::Lookup => "is looked up, and sent again only if it is surely not there",
        Dedupe::None => "is not sent again: `unknown`",
    }
}

/// In the largest unit that divides it.
fn length(length: Duration) -> String {
    let seconds = length.as_secs();
    let units = [(2 * 86_400, 86_400, "days"), (3_600, 3_600, "h"), (60, 60, "min")];
    let fits = units
        .into_iter()
        .find(|(least, unit, _)| seconds >= *least && seconds.is_multiple_of(*unit));
    let (_, unit, name) = fits.unwrap_or((0, 1, "s"));
    format!("{} {name}", seconds / unit)
}
