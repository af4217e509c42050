//! `entremise persons` and `entremise disclosure`: by an operator, beside a running server.

use serde_json::{Value, json};

use crate::command::{Done, KEY, Place, entremise, finish, http, sandbox};

const BUYER: &str = "+12125550101";
const SELLER: &str = "+12125550102";

/// A place with a server, an account, and a session of buyer and seller: the proxy number that the buyer dials.
fn story(more: &str) -> (Place, crate::command::Server, Value, String) {
    let place = Place::with_sandbox();
    place.settings(&format!("master_key = {KEY:?}\n{more}\n{}", sandbox("127.0.0.1:0")));
    let made = place.run(&["account", "create", "--name", "Bikes"]).json();
    place.import(
        made["account_sid"].as_str().unwrap(),
        "+14155550100,sandbox,voice|sms\n+14155550101,sandbox,voice|sms",
    );
    let server = place.serve();
    let new = json!({ "service_id": "default", "participants": [
        { "role": "buyer", "identifier": BUYER }, { "role": "seller", "identifier": SELLER },
    ] });
    let head = format!(
        "POST /api/v1/sessions HTTP/1.1\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n",
        made["api_key"].as_str().unwrap()
    );
    let (status, body) = http(server.address(), &head, &new.to_string());
    assert_eq!(status, 201, "{body}");
    let session: Value = serde_json::from_str(&body).unwrap();
    let dials = session["participants"][0]["proxy_number"].as_str().unwrap().to_owned();
    (place, server, made, dials)
}

fn nothing_told(done: &Done) {
    for number in [BUYER, SELLER] {
        assert!(!done.out.contains(&number[1..]) && !done.err.contains(&number[1..]), "{done:?}");
    }
}

/// Runs a command with a number on its standard input.
fn with_number(place: &Place, arguments: &[&str], number: &str) -> Done {
    let file = place.file("number", &format!("{number}\n"));
    let arguments = [arguments, &["--number-file", &file]].concat();
    finish(place.begin(&arguments))
}

/// An operator exports and erases a person beside a server; what is signed verifies until it is changed; odd
/// numbers are refused and not repeated.
#[test]
fn an_operator_erases_a_person() {
    let (place, server, made, _) = story("");
    let account = made["account_sid"].as_str().unwrap();
    let key = place.run(&["audit", "key"]).out.trim().to_owned();
    let exported = with_number(&place, &["persons", "export", "--account", account], BUYER);
    exported.succeeded();
    nothing_told(&exported);
    assert_eq!(exported.json()["document"]["sessions"].as_array().unwrap().len(), 1);
    let odd = with_number(&place, &["persons", "erase", "--account", account], "12125550101");
    assert_eq!(odd.code, Some(1));
    nothing_told(&odd);
    let erase = ["persons", "erase", "--account", account];
    let tried = with_number(&place, &[&erase[..], &["--dry-run"]].concat(), BUYER);
    assert_eq!(tried.json()["counts"]["sessions"], 1);
    let done = with_number(&place, &erase, BUYER);
    done.succeeded();
    nothing_told(&done);
    assert_eq!(done.json()["document"]["erased"]["sessions"], 1);
    let again = with_number(&place, &["persons", "export", "--account", account], BUYER);
    assert_eq!(again.json()["document"]["sessions"], json!([]));

    let receipt = place.file("receipt.json", &done.out);
    let verify = || entremise(&["persons", "verify", "--public-key", &key, &receipt]);
    verify().succeeded();
    place.file("receipt.json", &done.out.replacen("\"sessions\":1", "\"sessions\":2", 1));
    assert_eq!(verify().code, Some(1));
    place.file("receipt.json", "{}");
    assert!(verify().err.contains("no signed document"));
    server.terminate();
    assert_eq!(server.ended(), Some(0));
}

fn read(path: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Who had a number is told by two together: neither by one alone, nor under a key that is another's, nor twice;
/// the answer is signed and has the number; another instant has none.
#[test]
fn a_disclosure_takes_two() {
    let keys = tempfile::tempdir().unwrap();
    let file = |name: &str| keys.path().join(name).display().to_string();
    let made: Vec<String> = ["alice", "bob", "mallory"]
        .iter()
        .map(|name| {
            let done = entremise(&["disclosure", "key", "--out", &file(name)]);
            done.succeeded();
            done.out.trim().to_owned()
        })
        .collect();
    let settings = format!("disclosure_approvers = [\"alice:{}\", \"bob:{}\"]", made[0], made[1]);
    let (place, server, account, number) = story(&settings);
    let account = account["account_sid"].as_str().unwrap();
    let now = jiff::Timestamp::now().to_string();
    let ask = |who: &str, key: &str, at: &str| {
        place.run(&[
            "disclosure",
            "request",
            "--account",
            account,
            "--as",
            who,
            "--key",
            &file(key),
            "--number",
            &number,
            "--at",
            at,
            "--case",
            "26/01234",
            "--reason",
            "requisition",
        ])
    };
    let approve = |who: &str, key: &str, id: &str, out: &str| {
        place.run(&[
            "disclosure",
            "approve",
            "--account",
            account,
            "--as",
            who,
            "--key",
            &file(key),
            id,
            "--out",
            &file(out),
        ])
    };
    assert!(ask("mallory", "mallory", &now).err.contains("disclosure_approvers"));
    assert!(ask("alice", "mallory", &now).err.contains("disclosure_approvers"));
    let id = ask("alice", "alice", &now).json()["disclosure"].as_str().unwrap().to_owned();
    for (who, key) in [("alice", "alice"), ("bob", "alice"), ("mallory", "mallory")] {
        let refused = approve(who, key, &id, "answer");
        assert_eq!(refused.code, Some(1), "{who} with the key of {key}");
        assert!(!std::path::Path::new(&file("answer")).exists());
    }
    let audit = || place.run(&["audit", "list", "--account", account]).out;
    assert!(!audit().contains("disclosure.approved"));
    let done = approve("bob", "bob", &id, "answer");
    done.succeeded();
    nothing_told(&done);
    let answer = read(&file("answer"));
    let had = answer["document"]["had_the_number"].as_array().unwrap();
    assert!(had.iter().any(|one| one["number"] == BUYER), "{answer}");
    let key = place.run(&["audit", "key"]).out.trim().to_owned();
    entremise(&["persons", "verify", "--public-key", &key, &file("answer")]).succeeded();
    let rows = audit();
    assert!(rows.contains("disclosure.asked") && rows.contains("disclosure.approved"));
    assert!(!rows.contains(&BUYER[1..]));
    assert_eq!(approve("bob", "bob", &id, "twice").code, Some(1));

    // An answer that can't be written is not looked up; another instant has nobody.
    let id =
        ask("bob", "bob", "2100-01-01T00:00:00Z").json()["disclosure"].as_str().unwrap().to_owned();
    assert_eq!(approve("alice", "alice", &id, "answer").code, Some(1), "the file is there");
    approve("alice", "alice", &id, "none").succeeded();
    let answer = read(&file("none"));
    assert_eq!(answer["document"]["had_the_number"], json!([]));
    server.terminate();
    assert_eq!(server.ended(), Some(0));
}
