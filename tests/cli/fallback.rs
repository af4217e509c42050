//! What an operator hosts for callers while every node is down.

use crate::command::Place;

const TWILIO: &str = "[[carriers]]\nid = \"main\"\nkind = \"twilio\"\n\
    account_sid = \"AC00000000000000000000000000000000\"\nauth_token = \"a-token-of-the-tests\"\n";

/// The document for calls says one thing and hangs up, in the language that was asked for; the one for
/// texts says nothing. Neither needs a database, names an address, or holds a secret.
#[test]
fn a_document_stands_alone() {
    let place = Place::new(TWILIO);
    let run = |more: &[&str]| {
        let done = place.run(&[&["fallback", "--carrier", "main"], more].concat());
        done.succeeded();
        done.out
    };
    let calls = run(&["--language", "fr-FR"]);
    assert_eq!(
        calls.trim_end(),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say language=\"fr-FR\">Votre appel ne \
         peut pas être transmis en ce moment. Veuillez réessayer plus tard.</Say><Hangup/></Response>"
    );
    assert!(run(&[]).contains("language=\"en-US\">Your call can't be put through"));
    let texts = run(&["--for", "texts"]);
    assert_eq!(texts.trim_end(), "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>");
    assert!(!place.path().join("entremise.db").exists(), "no database was made");
    let file = place.path().join("calls.xml");
    assert_eq!(run(&["--out", file.to_str().unwrap(), "--language", "fr-FR"]), "");
    assert_eq!(std::fs::read_to_string(file).unwrap(), calls.trim_end());
}

/// With a service its brand is named; a service, a carrier or a language that does not exist is told.
#[test]
fn a_service_gives_its_brand() {
    let place = Place::new(TWILIO);
    let account = place.account();
    place.import(&account, "+14155550100,main,voice");
    let run = |more: &[&str]| place.run(&[&["fallback"], more].concat());
    let done = run(&["--carrier", "main", "--account", &account, "--service", "default"]);
    done.succeeded();
    assert!(done.out.contains(">Bikes can't put calls through"), "{}", done.out);
    for (more, told) in [
        (&["--carrier", "main", "--account", &account, "--service", "no"][..], "no such service"),
        (&["--carrier", "main", "--language", "English please"][..], "--language must be"),
        (&["--carrier", "nobody"][..], "must be a configured carrier: main"),
    ] {
        let done = run(more);
        assert_eq!(done.code, Some(1));
        assert!(done.err.contains(told), "{}", done.err);
    }
}
