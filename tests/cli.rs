//! The binary, black box: what each command prints, refuses and leaves behind.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests; clippy knows only their functions"
)]

#[path = "cli/audit.rs"]
mod audit;
#[path = "cli/backup.rs"]
mod backup;
#[path = "cli/check.rs"]
mod check;
#[path = "cli/command.rs"]
mod command;
#[cfg(target_os = "linux")]
#[path = "cli/core_dumps.rs"]
mod core_dumps;
#[path = "cli/durable.rs"]
mod durable;
#[path = "cli/fallback.rs"]
mod fallback;
#[path = "cli/full_disk.rs"]
mod full_disk;
#[path = "cli/import.rs"]
mod import;
#[path = "cli/keys.rs"]
mod keys;
#[path = "cli/live.rs"]
mod live;
#[path = "cli/migrate.rs"]
mod migrate;
#[path = "cli/moves.rs"]
mod moves;
#[path = "cli/numbers.rs"]
mod numbers;
#[path = "cli/persons.rs"]
mod persons;
#[path = "cli/plan.rs"]
mod plan;
#[path = "cli/postgres.rs"]
mod postgres;
#[path = "cli/proxy_api.rs"]
mod proxy_api;
#[path = "cli/retention.rs"]
mod retention;
#[path = "cli/serve.rs"]
mod serve;
#[path = "cli/twilio.rs"]
mod twilio;

use serde_json::Value;

use crate::command::{Done, Place, entremise};

/// The demo plays the whole conversation, tells each step, and ends with status 0.
#[test]
fn the_demo_plays() {
    let done = entremise(&["demo", "--once", "--listen", "127.0.0.1:0"]);
    done.succeeded();
    let mut rest = &done.out[..];
    for step in [
        "1. The marketplace opens a session",
        "2. The buyer texts",
        "Seller's phone shows   from +",
        "3. The seller calls back",
        "Buyer's phone shows    call from +",
        "Connected",
        "4. ",
        "closes the session",
        "5. The seller calls once more",
        "Seller hears only",
        "neither phone has ever shown the other's own number",
        "relayed",
        "connected",
        "session_closed",
    ] {
        let at = rest.find(step).unwrap_or_else(|| panic!("no {step:?} in order:\n{}", done.out));
        rest = &rest[at..];
    }
    assert_eq!(done.err, "", "the demo complains");
}

/// The demo has no secrets to guard it, so it listens on loopback only.
#[test]
fn the_demo_stays_at_home() {
    let done = entremise(&["demo", "--once", "--listen", "0.0.0.0:0"]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("--listen must be a loopback address"), "{}", done.err);
}

/// `account create` makes the database, and prints one JSON object with what the contract names.
#[test]
fn an_account_is_created() {
    let place = Place::with_sandbox();
    let done = place.run(&["account", "create", "--name", "Bikes & Co"]);
    done.succeeded();
    assert_eq!(done.out.lines().count(), 1, "{}", done.out);
    let made: Value = serde_json::from_str(&done.out).unwrap();
    let text = |key: &str| made[key].as_str().unwrap().to_owned();
    let account = text("account_sid");
    assert!(account.starts_with("AC") && account.len() == 34, "{account}");
    assert!(text("auth_token").len() >= 32 && text("api_key").len() >= 32);
    let listed = place.run(&["account", "list"]);
    let listed: Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!(listed["account_sid"], account);
    assert_eq!(listed["name"], "Bikes & Co");
}

/// An account keeps the id that it has at Twilio; no other gets it.
#[test]
fn an_account_keeps_its_sid() {
    let place = Place::new("");
    let sid = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let create = |sid| place.run(&["account", "create", "--name", "Bikes", "--sid", sid]);
    assert_eq!(create(sid).json()["account_sid"], sid);
    let again = create(sid);
    assert_eq!((again.code, again.err.contains("is an account's already")), (Some(1), true));
    for wrong in
        ["ACzz", "KSaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "ACAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]
    {
        assert_eq!(create(wrong).code, Some(2), "{wrong}");
    }
    assert_eq!(place.run(&["account", "list"]).out.lines().count(), 1);
}

/// An account without a name is refused, and so are arguments that nobody knows: with status 2.
#[test]
fn wrong_arguments_are_refused() {
    let place = Place::with_sandbox();
    assert_eq!(place.run(&["account", "create", "--name", " "]).code, Some(1));
    assert_eq!(place.run(&["account", "create"]).code, Some(2));
    assert_eq!(entremise(&["frobnicate"]).code, Some(2));
    assert_eq!(entremise(&["--help"]).code, Some(0));
}

/// Numbers are imported once; a file with a fault imports none, and says each fault with its line.
#[test]
fn numbers_are_imported() {
    let place = Place::with_sandbox();
    let account = place.account();
    let import = |csv: &str| -> Done {
        let file = place.file("numbers.csv", csv);
        place.run(&["numbers", "import", "--account", &account, &file])
    };
    let csv = "number,carrier,capabilities\n+14155550100,sandbox,voice|sms\n\
               +14155550101,sandbox,sms\n";
    let faulty = import(&format!("{csv}+14155550102,nobody,voice\n4155550103,sandbox,fax\n"));
    assert_eq!(faulty.code, Some(1));
    for line in ["line 4: carrier", "line 5: number", "line 5: capabilities"] {
        assert!(faulty.err.contains(line), "{}", faulty.err);
    }
    let first = import(csv);
    first.succeeded();
    assert!(first.out.starts_with("2 of 2 numbers added"), "{}", first.out);
    let second = import(csv);
    second.succeeded();
    assert!(second.out.starts_with("0 of 2 numbers added"), "{}", second.out);
    let nobody = place.run(&[
        "numbers",
        "import",
        "--account",
        "AC00000000000000000000000000000000",
        &place.file("numbers.csv", csv),
    ]);
    assert_eq!(nobody.code, Some(1));
    assert!(nobody.err.contains("no such account"), "{}", nobody.err);
}
