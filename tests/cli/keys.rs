//! `entremise keys`: from one master key to the next, beside a running server.

use serde_json::{Value, json};

use crate::{
    check::{consistent, with_status},
    command::{Done, KEY, OTHER_KEY, Place, Server, http, sandbox},
};

/// Settings with these master keys, the current one first; the horizon in days.
fn keys(place: &Place, keys: &[&str], horizon: u32) {
    let previous: Vec<String> = keys[1..].iter().map(|key| format!("{key:?}")).collect();
    place.settings(&format!(
        "master_key = {:?}\nprevious_master_keys = [{}]\nbackup_horizon_days = {horizon}\n{}",
        keys[0],
        previous.join(", "),
        sandbox("127.0.0.1:0")
    ));
}

/// What `keys list` says, by id.
fn listed(place: &Place) -> Vec<Value> {
    let done = place.run(&["keys", "list", "--json"]);
    done.succeeded();
    done.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn no_key_is_shown(done: &Done) {
    for key in [KEY, OTHER_KEY] {
        assert!(!done.out.contains(key) && !done.err.contains(key), "{done:?}");
    }
}

/// The account's sessions, by its API key: only who has the same secrets knows it.
fn sessions(server: &Server, made: &Value) -> usize {
    let key = made["api_key"].as_str().unwrap();
    let head = format!("GET /api/v1/sessions HTTP/1.1\r\nauthorization: Bearer {key}\r\n");
    let (status, body) = http(server.address(), &head, "");
    assert_eq!(status, 200, "{body}");
    serde_json::from_str::<Value>(&body).unwrap()["data"].as_array().unwrap().len()
}

/// The steps of docs/keys.md: refused out of order; a dry run counts and changes nothing; rotated beside the
/// server; told by `keys list` and `check` when the old key may be destroyed; and then all goes on without it.
#[test]
fn a_master_key_is_rotated_beside_a_server() {
    let place = Place::with_sandbox();
    let made = place.run(&["account", "create", "--name", "Bikes"]).json();
    place.import(
        made["account_sid"].as_str().unwrap(),
        "+14155550100,sandbox,voice|sms\n+14155550101,sandbox,voice|sms",
    );
    let server = place.serve();
    let new = json!({ "service_id": "default", "participants": [
        { "role": "buyer", "identifier": "+12125550101" },
        { "role": "seller", "identifier": "+12125550102" },
    ] });
    let key = made["api_key"].as_str().unwrap();
    let head = format!(
        "POST /api/v1/sessions HTTP/1.1\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n"
    );
    assert_eq!(http(server.address(), &head, &new.to_string()).0, 201);

    // The server does not know the new key.
    keys(&place, &[OTHER_KEY, KEY], 35);
    let early = place.run(&["keys", "rotate"]);
    assert_eq!(early.code, Some(1));
    assert!(early.err.contains("previous_master_key"), "{}", early.err);
    server.terminate();
    assert_eq!(server.ended(), Some(0));

    let server = place.serve();
    let report = consistent(&place.run(&["check", "--json"]));
    assert!(with_status(&report, "warn").contains(&"master_key"), "{report}");
    let tried = place.run(&["keys", "rotate", "--dry-run", "--json"]);
    // Three lasting secrets, an account, a session.
    assert_eq!(tried.json()["would_rewrap"], 5);
    let before = listed(&place);
    assert_eq!(before.len(), 2);
    let [current, old] = [0, 1].map(|at| before[at]["id"].as_str().unwrap().to_owned());
    assert_eq!(before[0]["current"], true);
    assert_eq!((&before[1]["in_use"], &before[1]["rows"]["sessions"]), (&json!(true), &json!(1)));
    assert_eq!(tried.json()["from"][&old], 5);

    let done = place.run(&["keys", "rotate"]);
    done.succeeded();
    no_key_is_shown(&done);
    assert!(done.out.contains("5 rows wrapped again") && done.out.contains(&current), "{done:?}");
    assert_eq!(place.run(&["keys", "rotate", "--json"]).json()["rewrapped"], 0);
    assert_eq!(sessions(&server, &made), 1);
    let after = listed(&place);
    assert_eq!(after[1]["id"], old.as_str());
    assert_eq!(after[1]["in_use"], false);
    assert!(after[1]["destroy_after"].as_str() > after[1]["unused_at"].as_str(), "{after:?}");
    let words = place.run(&["keys", "list"]);
    assert!(words.out.contains("it may be destroyed after"), "{}", words.out);
    no_key_is_shown(&words);
    let told = place.run(&["check"]);
    assert!(told.out.contains(&format!("{old} may be destroyed after")), "{}", told.out);
    // Once, though it was run twice.
    let audit = place.run(&["audit", "list", "--installation"]);
    let rows: Vec<Value> =
        audit.out.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    let told: Vec<[&str; 3]> = rows
        .iter()
        .map(|row| ["action", "target", "actor_kind"].map(|name| row[name].as_str().unwrap()))
        .collect();
    let rotated = ["master_key.rotated", &current, "operator"];
    assert_eq!(told, [rotated, ["master_key.unused", &old, "operator"]]);
    server.terminate();
    assert_eq!(server.ended(), Some(0));

    destroyed_once_no_backup_needs_it(&place, &current, &old);

    // Without the old one all goes on; with it alone, or as the current one, nothing does.
    keys(&place, &[OTHER_KEY], 0);
    let server = place.serve();
    assert_eq!(sessions(&server, &made), 1);
    let told = place.run(&["check"]);
    assert!(told.out.contains(&format!("{old} may be destroyed\n")), "{}", told.out);
    server.terminate();
    assert_eq!(server.ended(), Some(0));
    for (wrong, expected) in [(vec![KEY], current), (vec![KEY, OTHER_KEY], old)] {
        keys(&place, &wrong, 35);
        let refused = place.run(&["serve"]);
        assert_eq!(refused.code, Some(1));
        assert!(refused.err.contains(&expected), "{}", refused.err);
        let report = consistent(&place.run(&["check", "--json"]));
        assert_eq!(with_status(&report, "fail"), ["master_key"], "{report}");
    }
}

/// It is said to be destroyed once no backup needs it, and not before.
fn destroyed_once_no_backup_needs_it(place: &Place, current: &str, old: &str) {
    let early = place.run(&["keys", "destroy", current, "--force"]);
    assert!(early.code == Some(1) && early.err.contains("is in use"), "{early:?}");
    let early = place.run(&["keys", "destroy", old]);
    assert!(early.code == Some(1) && early.err.contains("is in the settings"), "{early:?}");
    keys(place, &[OTHER_KEY], 35);
    let early = place.run(&["keys", "destroy", old]);
    assert!(early.code == Some(1) && early.err.contains("backups may need"), "{early:?}");
    keys(place, &[OTHER_KEY], 0);
    let file = place.file("old.key", OTHER_KEY);
    let wrong = place.run(&["keys", "destroy", old, "--key-file", &file]);
    assert!(wrong.code == Some(1) && wrong.err.contains("does not hold"), "{wrong:?}");
    let file = place.file("old.key", KEY);
    place.run(&["keys", "destroy", old, "--key-file", &file]).succeeded();
    assert!(!std::path::Path::new(&file).exists());
    assert!(listed(place)[1]["destroyed_at"].is_string());
    let audit = place.run(&["audit", "list", "--installation"]);
    assert!(audit.out.contains("master_key.destroyed"), "{}", audit.out);
}
