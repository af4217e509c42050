//! `check` by itself: all faults at once, what the database tells, and that it changes nothing.

use std::sync::Arc;

use entremise::{
    app::Opened,
    clock::Clock,
    config::Config,
    domain::{policy::Rules, sender::SenderId},
    ids::{AccountId, Ids},
    relay::{self, NewService},
};
use serde_json::Value;

use crate::command::{Done, KEY, OTHER_KEY, Place, SECRET, sandbox};

/// The checks with that status, by name.
pub(crate) fn with_status<'a>(report: &'a Value, status: &str) -> Vec<&'a str> {
    let checks = report["checks"].as_array().unwrap().iter();
    checks
        .filter(|line| line["status"] == status)
        .map(|line| line["check"].as_str().unwrap())
        .collect()
}

/// Every fault and warning comes with a fix; the counts and the status say the same.
pub(crate) fn consistent(done: &Done) -> Value {
    let report = done.json();
    assert_eq!(done.out.lines().count(), 1, "more than one object: {}", done.out);
    for line in report["checks"].as_array().unwrap() {
        let fixed = line["fix"].as_str().is_some_and(|fix| !fix.is_empty());
        assert_eq!(fixed, line["status"] != "ok", "{line}");
    }
    let faults = with_status(&report, "fail").len();
    assert_eq!(report["faults"], faults);
    assert_eq!(report["warnings"], with_status(&report, "warn").len());
    assert_eq!(report["ok"], faults == 0);
    assert_eq!(done.code, Some(i32::from(faults > 0)), "{}", done.err);
    report
}

/// All faults come at once, of the file and of the carriers' own keys, each once, with its key and
/// its fix, and without a secret.
#[test]
fn all_faults_at_once() {
    let place = Place::with_sandbox();
    place.settings(&format!(
        "listen = \"nowhere\"\nunknown = 1\nmaster_key = \"{SECRET}\"\n[limits]\nbody_s = 0\n\
         [[carriers]]\nid = \"a\"\nkind = \"twilio\"\naccount_sid = \"{SECRET}\"\n\
         auth_token_file = \"{{folder}}/none\"\n[[carriers]]\nid = \"a\"\nkind = \"nobody\"\n"
    ));
    let done = place.run(&["check", "--live", "--json"]);
    let report = consistent(&done);
    let mut faults = with_status(&report, "fail");
    faults.sort_unstable();
    assert_eq!(
        faults,
        [
            "carriers.0.account_sid",
            "carriers.0.auth_token_file",
            "carriers.1.id",
            "carriers.1.kind",
            "limits.body_s",
            "listen",
            "master_key",
            "unknown",
        ]
    );
    assert!(with_status(&report, "warn").contains(&"live"), "{report}");
    assert!(!format!("{done:?}").contains(SECRET));

    let words = place.run(&["check"]);
    assert_eq!(words.code, Some(1));
    assert!(words.err.contains("8 checks failed"), "{}", words.err);
    let failed: Vec<&str> = words.out.lines().filter(|line| line.starts_with("fail  ")).collect();
    assert_eq!(failed.len(), 8, "{}", words.out);
    assert!(failed.iter().all(|line| line.contains("  Fix: ")), "{}", words.out);
    let listen = failed.iter().find(|line| line.starts_with("fail  listen: must be")).unwrap();
    assert!(listen.contains("entremise.toml, or as ENTREMISE_LISTEN"), "{listen}");
    assert!(!words.out.contains('\u{1b}'), "colours where no terminal is");
}

/// A file that is not there, or is not TOML, is a fault of its own.
#[test]
fn an_unreadable_file_is_told() {
    let place = Place::with_sandbox();
    place.file("entremise.toml", "listen = [");
    let report = consistent(&place.run(&["check", "--json"]));
    assert!(with_status(&report, "fail")[0].contains("entremise.toml, line"), "{report}");
    std::fs::remove_file(place.config()).unwrap();
    let report = consistent(&place.run(&["check", "--json"]));
    assert!(with_status(&report, "fail")[0].contains("entremise.toml"), "{report}");
}

/// A check makes no database, and a folder that is not there is a fault.
#[test]
fn a_check_leaves_no_trace() {
    let place = Place::with_sandbox();
    let done = place.run(&["check"]);
    done.succeeded();
    assert!(done.out.contains("is not there yet: `serve` makes it"), "{}", done.out);
    let left: Vec<_> = std::fs::read_dir(place.path()).unwrap().map(|e| e.unwrap()).collect();
    assert_eq!(left.len(), 1, "{left:?}");

    place.settings(&format!(
        "database_url = \"sqlite:{{folder}}/none/x.db\"\nmaster_key = \"{KEY}\"\n"
    ));
    let done = place.run(&["check", "--json"]);
    let report = consistent(&done);
    assert_eq!(with_status(&report, "fail"), ["database"]);
    assert!(done.out.contains("/none is not there"), "{}", done.out);

    place.file("noise.db", &"not a database\n".repeat(100));
    place.settings(&format!(
        "database_url = \"sqlite:{{folder}}/noise.db\"\nmaster_key = \"{KEY}\"\n"
    ));
    let done = place.run(&["check", "--json"]);
    assert_eq!(with_status(&consistent(&done), "fail"), ["database"]);
    assert!(done.out.contains("no SQLite database"), "{}", done.out);

    place.file("empty.db", "");
    place.settings(&format!(
        "database_url = \"sqlite:{{folder}}/empty.db\"\nmaster_key = \"{KEY}\"\n"
    ));
    let done = place.run(&["check", "--json"]);
    assert!(with_status(&consistent(&done), "warn").contains(&"database"), "{}", done.out);
    assert!(done.out.contains("migrations pending"), "{}", done.out);
    assert_eq!(std::fs::metadata(place.path().join("empty.db")).unwrap().len(), 0);
}

/// A database that another key sealed is told; the names of the keys tell nothing about them.
#[test]
fn another_master_key_is_told() {
    let place = Place::with_sandbox();
    place.account();
    let report = consistent(&place.run(&["check", "--json"]));
    assert!(with_status(&report, "ok").contains(&"master_key"), "{report}");
    place.settings(&format!("master_key = \"{OTHER_KEY}\"\n{}", sandbox("127.0.0.1:0")));
    let done = place.run(&["check", "--json"]);
    assert_eq!(with_status(&consistent(&done), "fail"), ["master_key"]);
    assert!(!done.out.contains(KEY) && !done.out.contains(OTHER_KEY));
    assert_eq!(place.run(&["serve"]).code, Some(1), "and `serve` starts on it");
}

/// Makes a service of that name with those rules.
async fn service(place: &Place, account: &str, name: &str, rules: Rules) {
    let config = Config::load(Some(&place.config()), []).unwrap();
    let opened = Opened::open(&config, &Clock::system(), &Ids::default()).await.unwrap();
    let account = AccountId::parse(account).unwrap();
    let new = Arc::new(NewService { unique_name: name.into(), rules });
    let made = opened.db.write(move |tx| {
        let (account, new) = (account.clone(), Arc::clone(&new));
        Box::pin(async move { relay::create_service(tx, &account, &new).await })
    });
    made.await.unwrap();
    opened.close().await;
}

/// A short quarantine is a warning, numbers without a carrier a fault, and so is a carrier that
/// nobody on the internet can reach a warning.
#[tokio::test]
async fn the_database_is_looked_at() {
    let place = Place::with_sandbox();
    let account = place.account();
    place.import(&account, "+14155550100,sandbox,voice|sms\n+14155550101,sandbox,sms");
    let before = consistent(&place.run(&["check", "--json"]));
    assert_eq!(with_status(&before, "warn"), Vec::<&str>::new(), "{before}");

    let quarantine = std::time::Duration::from_hours(71);
    let rules = Rules { quarantine, ..Rules::new("Bikes".into()) };
    service(&place, &account, "hasty", rules).await;
    let done = place.run(&["check", "--json"]);
    let report = consistent(&done);
    let warned = with_status(&report, "warn");
    assert!(warned.len() == 1 && warned[0].starts_with("service KS"), "{report}");
    assert!(done.out.contains("`hasty`") && done.out.contains("72 hours"), "{}", done.out);

    place.settings(&format!(
        "master_key = \"{KEY}\"\n[[carriers]]\nid = \"twilio\"\nkind = \"twilio\"\n\
         account_sid = \"AC00000000000000000000000000000000\"\nauth_token = \"a-token\"\n"
    ));
    let done = place.run(&["check", "--json"]);
    let report = consistent(&done);
    assert_eq!(with_status(&report, "fail"), ["numbers of sandbox"]);
    assert!(with_status(&report, "warn").contains(&"public_url"), "{report}");
    assert!(done.out.contains("2 numbers belong to a carrier that is not"), "{}", done.out);
}

/// A service that offers voicemail on numbers whose carrier records nothing is told of, each carrier by what
/// its entry says; numbers for texts alone, and carriers that record, are not.
#[tokio::test]
async fn voicemail_that_nobody_can_leave_is_told() {
    let place = Place::with_sandbox();
    let fixture = include_str!("../../fixtures/infobip/carrier.toml");
    let (_, infobip) = fixture.split_once("[settings]").unwrap();
    place.settings(&format!(
        "master_key = \"{KEY}\"\nallow_sandbox = true\npublic_url = \"https://relay.example\"\n\
         {}[[carriers]]\nid = \"other\"\nkind = \"infobip\"\n{infobip}",
        sandbox("127.0.0.1:0")
    ));
    let account = place.account();
    for (name, on) in [("loud", true), ("quiet", false), ("texts", true)] {
        let mut rules = Rules::new("Bikes".into());
        rules.voicemail.on = on;
        service(&place, &account, name, rules).await;
    }
    for (name, lines) in [
        ("loud", "+14155550100,sandbox,voice|sms\n+14155550101,other,voice|sms\n"),
        ("quiet", "+14155550102,other,voice|sms\n"),
        ("texts", "+14155550103,other,sms\n+14155550104,sandbox,voice\n"),
    ] {
        let file = place.file("numbers.csv", &format!("number,carrier,capabilities\n{lines}"));
        let import = ["numbers", "import", "--account", &account, "--service", name, &file];
        place.run(&import).succeeded();
    }
    let report = consistent(&place.run(&["check", "--json"]));
    let checks = report["checks"].as_array().unwrap();
    let told: Vec<&Value> = checks
        .iter()
        .filter(|line| line["check"].as_str().unwrap().starts_with("service "))
        .collect();
    assert_eq!(told.len(), 1, "{report}");
    let message = told[0]["message"].as_str().unwrap();
    assert!(message.starts_with("`loud`") && message.contains("at other can"), "{message}");
    assert!(told[0]["fix"].as_str().unwrap().contains("record"), "{report}");
}

/// A service with a name for codes under which no carrier of its numbers sends is told of; one that has such a carrier
/// is not.
#[tokio::test]
async fn a_name_that_nobody_sends_under_is_told() {
    let place = Place::with_sandbox();
    let fixture = include_str!("../../fixtures/infobip/carrier.toml");
    let (_, infobip) = fixture.split_once("[settings]").unwrap();
    place.settings(&format!(
        "master_key = \"{KEY}\"\nallow_sandbox = true\npublic_url = \"https://relay.example\"\n\
         {}[[carriers]]\nid = \"other\"\nkind = \"infobip\"\n{infobip}",
        sandbox("127.0.0.1:0")
    ));
    let account = place.account();
    for (name, id) in [("spaced", "Bikes 24"), ("plain", "Bikes24"), ("both", "Bikes 24")] {
        let mut rules = Rules::new("Bikes".into());
        rules.sender_id = SenderId::parse(id);
        service(&place, &account, name, rules).await;
    }
    for (name, lines) in [
        ("spaced", "+14155550100,other,voice|sms\n"),
        ("plain", "+14155550101,other,voice|sms\n"),
        ("both", "+14155550102,other,voice|sms\n+14155550103,sandbox,voice\n"),
    ] {
        let file = place.file("numbers.csv", &format!("number,carrier,capabilities\n{lines}"));
        let import = ["numbers", "import", "--account", &account, "--service", name, &file];
        place.run(&import).succeeded();
    }
    let report = consistent(&place.run(&["check", "--json"]));
    let checks = report["checks"].as_array().unwrap();
    let told: Vec<&Value> = checks
        .iter()
        .filter(|line| line["check"].as_str().unwrap().starts_with("service "))
        .collect();
    assert_eq!(told.len(), 1, "{report}");
    let message = told[0]["message"].as_str().unwrap();
    assert!(message.starts_with("`spaced`") && message.contains("sender_id"), "{message}");
    assert!(!message.contains("Bikes 24"), "{message}");
}

/// What the guarded client may call beside public addresses is shown, and only if there is any.
#[test]
fn what_may_be_called_is_shown() {
    let place = Place::with_sandbox();
    let out = place.run(&["check"]).out;
    assert!(!out.contains("egress_allow"), "{out}");
    let allowed = "egress_allow = [\"10.0.0.5:8443\"]";
    place.settings(&format!("master_key = \"{KEY}\"\n{allowed}\n{}", sandbox("127.0.0.1:0")));
    let report = consistent(&place.run(&["check", "--json"]));
    assert!(with_status(&report, "ok").contains(&"egress_allow"), "{report}");
    assert!(report.to_string().contains("10.0.0.5:8443"), "{report}");
}

/// A sandbox behind a public address deserves a warning, and so does a relay without carriers.
#[test]
fn unwise_settings_are_told() {
    let place =
        Place::new(&format!("public_url = \"https://relay.example\"\n{}", sandbox("127.0.0.1:0")));
    let report = consistent(&place.run(&["check", "--json"]));
    assert_eq!(with_status(&report, "warn"), ["allow_sandbox"]);
    place.settings(&format!("master_key = \"{KEY}\"\n"));
    let report = consistent(&place.run(&["check", "--json"]));
    assert_eq!(with_status(&report, "warn"), ["carriers"]);
}

/// `check` lists the numbers that a rule keeps from calls and those whose registration is missing or not
/// known, each with its fix; a simulated network asks for no registration.
#[test]
fn numbers_are_looked_at() {
    let place = Place::with_sandbox();
    let twilio = "[[carriers]]\nid = \"twilio\"\nkind = \"twilio\"\n\
                  account_sid = \"AC00000000000000000000000000000000\"\nauth_token = \"t\"\n";
    let key = format!("master_key = \"{KEY}\"\nallow_sandbox = true\n");
    let settings = format!("{key}{}{twilio}", sandbox("127.0.0.1:0"));
    let permit = "[numbers]\nallow = [\"+33639 permit 7 of Arcep\"]\n";
    place.settings(&format!("{settings}{permit}"));
    let account = place.account();
    let import = |lines: &str| {
        let head = "number,carrier,capabilities,registration\n";
        let file = place.file("numbers.csv", &format!("{head}{lines}"));
        place.run(&["numbers", "import", "--account", &account, &file])
    };
    import(
        "+14155550100,twilio,voice|sms,10dlc\n+14155550101,twilio,sms,none\n\
         +14155550102,twilio,sms,\n+14155550103,twilio,voice,none\n+14155550104,sandbox,sms,\n\
         +33639980001,twilio,voice|sms,\n",
    )
    .succeeded();
    let warnings = || {
        let report = consistent(&place.run(&["check", "--json"]));
        let checks = report["checks"].as_array().unwrap().clone();
        let warned = checks.into_iter().filter(|line| line["status"] == "warn");
        warned
            .map(|line| format!("{}: {}", line["check"], line["message"]))
            .filter(|line| line.contains("number"))
            .collect::<Vec<_>>()
    };
    let found = warnings();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("+14155550101 is registered for no texts"), "{found:?}");
    assert!(found[1].contains("+14155550102 is used for texts"), "{found:?}");

    // Without the permit it is refused, and what stands there is to be judged again.
    place.settings(&settings);
    let refused = import("+33639980002,twilio,voice,\n");
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("line 2: number is kept for one natural person"), "{refused:?}");
    let found = warnings();
    assert!(found[0].contains("1 stand otherwise"), "{found:?}");
    let server = place.serve();
    server.terminate();
    assert_eq!(server.ended(), Some(0));
    let found = warnings();
    assert!(found[0].starts_with("\"numbers of rule fr-mobile\": \"+33639980001 is"), "{found:?}");
    assert!(found[0].contains("https://arcep.fr/"), "{found:?}");
    assert_eq!(found.len(), 3, "{found:?}");
}
