//! `entremise numbers move`, beside a running server and without one.

use serde_json::{Value, json};

use crate::command::{Place, http};

/// What one person of a session dials.
fn dials(session: &Value, place: usize) -> String {
    session["participants"][place]["proxy_number"].as_str().unwrap().to_owned()
}

/// A dry run says what would move and changes nothing; the move is done by the command, beside a server, and
/// taken back by another; wrong arguments are refused.
#[test]
fn sessions_are_moved_and_moved_back() {
    let place = Place::with_sandbox();
    let made = place.run(&["account", "create", "--name", "Bikes"]).json();
    let account = made["account_sid"].as_str().unwrap();
    let pool = ["+14155550100", "+14155550101", "+14155550102"];
    let pool = pool.map(|number| format!("{number},sandbox,voice|sms"));
    place.import(account, &pool.join("\n"));
    let server = place.serve();
    let ask = |head: &str, body: &Value| {
        let key = made["api_key"].as_str().unwrap();
        let head = format!(
            "{head} HTTP/1.1\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n"
        );
        let (status, body) = http(server.address(), &head, &body.to_string());
        assert!(status < 300, "{body}");
        serde_json::from_str::<Value>(&body).unwrap()
    };
    let new = json!({ "service_id": "default", "participants": [
        { "role": "buyer", "identifier": "+12125550101" },
        { "role": "seller", "identifier": "+12125550102" },
    ] });
    let session = ask("POST /api/v1/sessions", &new);
    let path = format!("GET /api/v1/sessions/{}", session["id"].as_str().unwrap());
    let number = dials(&session, 0);

    let base = ["numbers", "move", "--number", &number, "--why", "dead"];
    let run = |more: &[&str]| place.run(&[&base, more].concat());
    let tried = run(&["--dry-run", "--json"]);
    tried.succeeded();
    assert_eq!(tried.json()["sessions"], 1);
    assert_eq!(tried.json()["kept"], json!({}));
    assert_eq!(dials(&ask(&path, &json!({})), 0), number);

    let done = run(&["--json"]);
    done.succeeded();
    let done = done.json();
    assert_eq!((&done["state"], &done["moved"]), (&json!("done"), &tried.json()["moved"]));
    assert_ne!(dials(&ask(&path, &json!({})), 0), number);
    let id = done["move"].as_str().unwrap();
    let seen = ask(&format!("GET /api/v1/number-moves/{id}"), &json!({}));
    assert_eq!((&seen["state"], &seen["moved"]), (&json!("done"), &done["moved"]));

    drop(server);
    let undone = place.run(&["numbers", "move", "--undo", id]);
    undone.succeeded();
    assert!(undone.out.contains("moved back, 0 not"), "{}", undone.out);
    let again = place.run(&["numbers", "move", "--undo", id, "--json"]);
    assert_eq!(again.json()["state"], "undone");

    for wrong in [
        &["numbers", "move"][..],
        &["numbers", "move", "--number", &number],
        &["numbers", "move", "--number", &number, "--carrier", "sandbox", "--why", "dead"],
        &["numbers", "move", "--number", &number, "--why", "bored"],
        &["numbers", "move", "--undo", id, "--dry-run"],
    ] {
        assert_eq!(place.run(wrong).code, Some(2), "{wrong:?}");
    }
    let unknown = ["numbers", "move", "--number", "+14155550199", "--why", "dead"];
    let refused = place.run(&unknown);
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("in no account's pool"), "{}", refused.err);
}
