//! That the console speaks each of its languages whole: no page, and no template, mixes them.

use std::{collections::BTreeSet, fs, path::Path};

use http::StatusCode;

use crate::world::{BUYER, OTHER_BUYER, SELLER, STRANGER, on_each};

/// What is no word of a language: names, commands and beginnings of ids.
const NAMES: [&str; 12] = [
    "Entremise",
    "console",
    "entremise account create",
    "entremise staff create",
    "KC",
    "KI",
    "PN",
    "English",
    "Français",
    "CSV",
    "JSON Lines",
    "UTC",
];

/// Attributes that people read or hear.
const READ: [&str; 14] = [
    "alt",
    "aria-label",
    "data-cancelled",
    "data-copied",
    "data-elsewhere",
    "data-failed",
    "data-known",
    "data-label",
    "data-lost",
    "data-over",
    "data-resume",
    "data-unfolded",
    "placeholder",
    "title",
];

fn templates() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/console");
    let mut found: Vec<(String, String)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "html"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    found.sort();
    assert!(found.len() > 20);
    found
}

/// A text without what stands between two marks.
fn without(text: &str, open: &str, close: &str) -> String {
    let mut rest = text;
    let mut kept = String::new();
    while let Some((before, after)) = rest.split_once(open) {
        kept.push_str(before);
        kept.push(' ');
        rest = after.split_once(close).map_or("", |(_, rest)| rest);
    }
    kept + rest
}

/// The tags of a page and the texts between them, in order.
fn parts(page: &str) -> (Vec<&str>, Vec<&str>) {
    let mut pieces = page.split('<');
    let mut texts = vec![pieces.next().unwrap_or_default()];
    let mut tags = Vec::new();
    for piece in pieces {
        let (tag, text) = piece.split_once('>').unwrap_or((piece, ""));
        tags.push(tag);
        texts.push(text);
    }
    (tags, texts)
}

/// What people read or hear of a tag.
fn read(tag: &str) -> impl Iterator<Item = &str> {
    READ.iter().filter_map(move |name| {
        let (_, value) = tag.split_once(&format!(" {name}=\""))?;
        Some(value.split('"').next().unwrap_or_default())
    })
}

/// What of a template is said in one language only, whichever the reader's is.
fn bare(template: &str) -> Vec<String> {
    let told = without(&without(template, "{%", "%}"), "{{", "}}");
    let (tags, texts) = parts(&told);
    let all = texts.into_iter().chain(tags.into_iter().flat_map(read));
    let words = all.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let words = words.filter(|text| text.chars().any(char::is_alphabetic));
    let words = words.map(|text| text.trim_matches(['·', ' ']).to_owned());
    words.filter(|text| !NAMES.contains(&text.as_str())).collect()
}

/// A text or a label outside the words of both languages is seen.
#[test]
fn a_bare_word_is_seen() {
    let template = r#"{% if a < b %}<p title="Why" class="x">{{ shell.say("No", "Non") }} Because</p>
        <b aria-label="{{ shell.say("No", "Non") }}">· Entremise</b>{% endif %}"#;
    assert_eq!(bare(template), ["Because", "Why"]);
}

/// No template says anything itself: all words come in the reader's language.
#[test]
fn templates_say_nothing_themselves() {
    for (name, template) in templates() {
        assert_eq!(bare(&template), Vec::<String>::new(), "{name}");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/console/console.js");
    let script = fs::read_to_string(script).unwrap();
    for line in script.lines().filter(|line| line.contains("textContent = ")) {
        assert!(!line.contains(['"', '`']), "{line}");
    }
}

/// What a template says in two languages differs, but for words that both have, and its French is
/// set as it is printed.
#[test]
fn templates_say_it_in_french() {
    const SAME: [&str; 12] = [
        "Pages",
        "Session",
        "Sessions",
        "Interactions",
        "Service",
        "code",
        "Page",
        "Code",
        "Audit",
        "Export",
        "Type",
        "sessions",
    ];
    let mut said = 0;
    for (name, template) in templates() {
        for call in template.split("shell.say(\"").skip(1) {
            let call = call.split_once("\")").unwrap().0;
            let (english, french) = call.split_once("\", \"").unwrap();
            assert!(english != french || SAME.contains(&english), "{name}: {english}");
            assert!(!call.contains('\''), "{name}: {call}");
            for mark in [':', ';', '?', '!', '»'] {
                for (at, _) in french.match_indices(mark) {
                    assert!(french[..at].ends_with('\u{a0}'), "{name}: {french}");
                }
            }
            said += 1;
        }
    }
    assert!(said > 100);
}

/// Whether a text is an id of ours or of a carrier: letters and 32 hexadecimal digits.
fn is_id(text: &str) -> bool {
    let digits = text.bytes().rev().take_while(u8::is_ascii_hexdigit).count();
    digits >= 32 && !text.contains(' ')
}

/// What a page says, piece by piece; without numbers and ids.
fn said(page: &str) -> BTreeSet<String> {
    let (tags, texts) = parts(page);
    let all = texts.into_iter().chain(tags.into_iter().flat_map(read));
    let pieces = all.map(|text| text.trim().trim_matches(['·', ',', '(', ')', ' ', '\n']));
    let words = pieces.filter(|text| text.chars().filter(|c| c.is_alphabetic()).count() > 1);
    let words = words.filter(|text| !text.contains(['•', '…']) && !is_id(text));
    // How long after something else: units are written alike.
    let words = words.filter(|text| !text.starts_with('+'));
    words.map(str::to_owned).collect()
}

/// What pages say alike in both languages.
const BOTH: [&str; 27] = [
    "first",
    "Audit",
    "CSV",
    "FR",
    "GB",
    "JSON Lines",
    "US",
    "sessions",
    "English",
    "Français",
    "Entremise",
    "Session",
    "Sessions",
    "Interactions",
    "Service",
    "Pages",
    "Ines",
    "order-1042",
    "bikes",
    "buyer",
    "seller",
    "code 30003",
    "US 415",
    "Velo Market",
    "3 min 20 s",
    "here",
    "elsewhere",
];

/// A dispute, the lists and the search say in French what they say in English: nothing that a
/// reader of one language sees is left in the other but names, and words that both have.
#[tokio::test]
async fn pages_are_in_one_language() {
    on_each(|world| async move {
        let session = world.dispute().await;
        let dials = world.dials(&session, "buyer").await;
        let busy = world.open(None, OTHER_BUYER, SELLER).await;
        world.text(OTHER_BUYER, &world.dials(&busy, "buyer").await, "fine by me").await;
        world.close(&session).await;
        world.wait(30);
        world.text(BUYER, &dials, "fine by me").await;
        world.call(Some(STRANGER), &dials).await;
        world.call(None, &dials).await;
        let browser = world.browser("Ines", Some(world.account.clone())).await;
        for path in [
            format!("/console/sessions/{session}"),
            format!("/console/sessions/{busy}"),
            format!("/console/sessions/{session}/numbers"),
            "/console/overview".to_owned(),
            "/console/overview?span=30d".to_owned(),
            "/console/pools".to_owned(),
            "/console/sessions".to_owned(),
            "/console/sessions?state=x&role=%00&from=x&service=x&number=x&name=%0A&before=x".to_owned(),
            "/console/sessions?role=driver".to_owned(),
            "/console/sessions?name=order-1042".to_owned(),
            "/console/interactions".to_owned(),
            "/console/interactions?kind=x&outcome=x&role=%00&to=x&before=x".to_owned(),
            "/console/interactions?role=driver".to_owned(),
            "/console/numbers".to_owned(),
            "/console/deliveries".to_owned(),
            "/console/developer".to_owned(),
            "/console/developer/webhooks".to_owned(),
            "/console/developer/keys".to_owned(),
            "/console/exports".to_owned(),
            "/console/me".to_owned(),
        ] {
            let english = browser.get_in(&path, "en").await;
            let french = browser.get_in(&path, "fr").await;
            assert_eq!((english.status, french.status), (StatusCode::OK, StatusCode::OK));
            english.has("<html lang=\"en\">");
            french.has("<html lang=\"fr\">");
            let (english, french) = (said(&english.text), said(&french.text));
            assert!(english.len() > 15, "{path}: {english:?}");
            let mixed: Vec<&String> = english
                .intersection(&french)
                .filter(|text| !BOTH.contains(&text.as_str()))
                .collect();
            assert!(mixed.is_empty(), "{path}: {mixed:?}");
        }
        let answer = browser.get_in(&format!("/console/sessions/{session}"), "fr").await;
        for words in [
            "Mise en relation\u{a0}: buyer et seller, par appels et SMS, dans le service «\u{a0}bikes\u{a0}».",
            "fermée par la place de marché",
            "Distribué",
            "conversation de 3 min 20 s",
            "décroché au bout de ",
            "Personne n’a répondu.",
            "Les images et les fichiers ne sont pas transmis.",
            "L’opérateur n’a pas pu le distribuer.",
            "La session était fermée.",
            "Premier contact\u{a0}: la session est en cours",
            "Le dernier problème",
        ] {
            answer.has(words);
        }
        let list = browser.get_in("/console/sessions", "fr").await;
        list.has("1 envoyé").has("1 non distribué").has("1 abouti").has("1 manqué").has("2 refusés");
        let log = browser.get_in("/console/interactions", "fr").await;
        log.has("personne inconnue").has("numéro masqué");
    })
    .await;
}
