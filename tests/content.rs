//! The detectors for texts, measured: labelled texts of our own in four languages, some tuned on and some
//! held out, each with a floor; and what holds for any text.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, fs, path::Path};

use entremise::domain::{
    content::{Actions, ContentAction, ContentKind, Outcome, find, judge},
    message::Body,
};
use proptest::prelude::*;

const LANGUAGES: [&str; 4] = ["en", "fr", "es", "de"];

/// The least precision and recall over all languages of one set, by kind.
const FLOORS: [(ContentKind, f64, f64); 4] = [
    (ContentKind::Phone, 0.95, 0.90),
    (ContentKind::Email, 0.90, 0.90),
    (ContentKind::Link, 0.90, 0.90),
    (ContentKind::Payment, 0.90, 0.90),
];
/// The least of each language by itself: fewer texts, so one more or less weighs more.
const FLOOR_OF_ONE: (f64, f64) = (0.80, 0.80);

struct Labelled {
    kinds: Vec<ContentKind>,
    text: String,
}

fn labelled(language: &str, set: &str) -> Vec<Labelled> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/content");
    let file = fs::read(folder.join(format!("{language}.{set}.csv"))).unwrap();
    let mut rows = csv::Reader::from_reader(&file[..]);
    rows.records()
        .map(|row| {
            let row = row.unwrap();
            let kinds = row[0].split_whitespace().map(|kind| ContentKind::parse(kind).unwrap());
            Labelled { kinds: kinds.collect(), text: row[1].to_owned() }
        })
        .collect()
}

/// How often something was found rightly and wrongly, and not found.
#[derive(Debug, Default, Clone, Copy)]
struct Score {
    right: u32,
    wrong: u32,
    missed: u32,
}

impl Score {
    fn add(&mut self, other: Self) {
        self.right += other.right;
        self.wrong += other.wrong;
        self.missed += other.missed;
    }

    fn precision(self) -> f64 {
        f64::from(self.right) / f64::from((self.right + self.wrong).max(1))
    }

    fn recall(self) -> f64 {
        f64::from(self.right) / f64::from((self.right + self.missed).max(1))
    }
}

fn score(texts: &[Labelled], kind: ContentKind) -> Score {
    let mut score = Score::default();
    for one in texts {
        let found = find(&one.text, &[]).iter().any(|found| found.kind == kind);
        match (one.kinds.contains(&kind), found) {
            (true, true) => score.right += 1,
            (false, true) => score.wrong += 1,
            (true, false) => score.missed += 1,
            (false, false) => {}
        }
    }
    score
}

/// Precision and recall of each kind stay above their floors, on the texts that the detectors were tuned on
/// and on those that were held out; the figures are printed, as docs/content.md has them.
#[test]
fn t7_figures_stay_above_their_floors() {
    let mut table =
        String::from("| set | kind | language | texts with it | precision | recall |\n");
    let mut faults = Vec::new();
    let mut texts = 0;
    for set in ["tuned", "held"] {
        let sets: BTreeMap<&str, Vec<Labelled>> =
            LANGUAGES.iter().map(|language| (*language, labelled(language, set))).collect();
        texts += sets.values().map(Vec::len).sum::<usize>();
        for (kind, precision, recall) in FLOORS {
            let mut all = Score::default();
            let scores = LANGUAGES.iter().map(|language| (*language, score(&sets[language], kind)));
            let mut rows: Vec<(&str, Score, (f64, f64))> = scores
                .map(|(language, score)| {
                    all.add(score);
                    (language, score, FLOOR_OF_ONE)
                })
                .collect();
            rows.push(("all", all, (precision, recall)));
            for (language, score, floor) in rows {
                let (precision, recall) = (score.precision(), score.recall());
                let row = format!(
                    "| {set} | {kind} | {language} | {} | {precision:.2} | {recall:.2} |\n",
                    score.right + score.missed
                );
                if precision < floor.0 || recall < floor.1 {
                    faults.push(row.clone());
                }
                table.push_str(&row);
            }
        }
    }
    println!("{table}");
    assert!(faults.is_empty(), "under the floor:\n{}", faults.concat());
    assert!(texts >= 400, "{texts} texts");
    let docs = include_str!("../docs/content.md");
    let overall = table.lines().filter(|row| row.contains("| all |"));
    let missing: Vec<&str> = overall.filter(|row| !docs.contains(row)).collect();
    assert!(missing.is_empty(), "docs/content.md lacks:\n{}", missing.join("\n"));
}

/// Each text of the sets that has something to be taken out leaves nothing behind that is found again.
#[test]
fn t7_what_is_taken_out_is_gone() {
    let mut again = 0;
    let mut all = 0;
    for language in LANGUAGES {
        for set in ["tuned", "held"] {
            for one in labelled(language, set) {
                let body = Body::new(one.text.clone());
                let actions = Actions::all(ContentAction::Redact);
                let Outcome::Redacted(rest, _) = judge(actions, &body, &[], language) else {
                    continue;
                };
                all += 1;
                assert!(rest.expose().contains('['), "{}", one.text);
                again += u32::from(judge(actions, &rest, &[], language) != Outcome::Unchanged);
            }
        }
    }
    assert!(all > 300, "{all}");
    assert_eq!(again, 0, "of {all}");
}

fn numbers() -> impl Strategy<Value = (String, &'static str)> {
    let digits = proptest::sample::select(vec!["14155550123", "447700900123", "33639981234"]);
    let joint =
        proptest::sample::select(vec!["", " ", "-", ".", " . ", "_", " 🙂 ", "\u{200b}", "\n"]);
    let script = proptest::sample::select(vec!['0', '０', '٠', '०', '𝟬', '𝟘']);
    (digits, joint, script).prop_map(|(digits, joint, zero)| {
        let written: Vec<String> = digits
            .chars()
            .map(|c| {
                let code = u32::from(zero) + c.to_digit(10).unwrap();
                char::from_u32(code).unwrap().to_string()
            })
            .collect();
        (format!("+{}", written.join(joint)), digits)
    })
}

proptest! {
    /// T7: whatever separates its digits, and whatever script they are in, a whole number is found, and
    /// none of it is left.
    #[test]
    fn t7_whole_numbers_are_found((number, _) in numbers(), before in "[a-z]{0,12}", after in "[a-z]{0,12}") {
        let text = format!("{before}, {number}, {after}");
        let actions = Actions { phone: ContentAction::Redact, ..Actions::ALLOW };
        let found = find(&text, &[]);
        prop_assert!(found.iter().any(|one| one.kind == ContentKind::Phone), "{}", text);
        let Outcome::Redacted(rest, kinds) = judge(actions, &Body::new(text), &[], "en") else {
            return Err(TestCaseError::fail("not redacted"));
        };
        prop_assert_eq!(kinds, vec![ContentKind::Phone]);
        prop_assert!(!rest.expose().chars().any(char::is_numeric), "{}", rest.expose());
    }

    /// Any text is read without a fault; what is found lies at borders of characters, and what is passed on
    /// is at most twice as long.
    #[test]
    fn any_text_is_read(text in "\\PC{0,200}") {
        for found in find(&text, &["+14155550100"]) {
            prop_assert!(text.get(found.at.clone()).is_some_and(|part| !part.is_empty()));
        }
        let actions = Actions::all(ContentAction::Redact);
        if let Outcome::Redacted(rest, _) = judge(actions, &Body::new(text.clone()), &[], "de") {
            prop_assert!(rest.expose().len() <= 2 * text.len());
        }
        prop_assert_eq!(judge(Actions::ALLOW, &Body::new(text), &[], "de"), Outcome::Unchanged);
    }
}
