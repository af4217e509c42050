//! `entremise retention` and `entremise legal-hold`: what is kept how long, and what longer.

use serde_json::{Value, json};

use crate::command::{Done, Place, sandbox};

fn lines(done: &Done) -> Vec<Value> {
    done.succeeded();
    done.out.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// Each class is printed with its term, as the settings have it, and how much is due; the law with its basis.
#[test]
fn terms_are_printed() {
    let law = "statutory_days = 400\nstatutory_basis = \"Art. 1 Test Act\"";
    let place =
        Place::new(&format!("{}\n[retention]\nlog_days = 90\n{law}", sandbox("127.0.0.1:0")));
    place.account();
    let rows = lines(&place.run(&["retention"]));
    let class = |name: &str| rows.iter().find(|row| row["class"] == name).unwrap();
    assert_eq!(class("log")["days"], 90);
    assert_eq!(class("log")["setting"], "retention.log_days");
    assert_eq!(class("log")["due"], 0);
    assert_eq!(class("sessions")["tables"][0], "sessions");
    assert!(class("audit")["kept"].as_str().unwrap().contains("for good"));
    assert_eq!(class("statutory")["basis"], "Art. 1 Test Act");
    assert!(lines(&place.run(&["retention", "--counts"])).is_empty());
    let folder = Place::new("[retention]\nstatutory_days = 400");
    let refused = folder.run(&["retention"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("statutory_basis"), "{}", refused.err);
}

/// A person's number is read from a file and printed nowhere; holds are listed, lifted, and in the audit log.
#[test]
fn holds_by_command() {
    let place = Place::with_sandbox();
    let account = place.account();
    let number = place.file("number", "+33639980001\n");
    let place_hold = |number: &str| {
        let case = ["--case", "C 12", "--reason", "asked by the court"];
        let args = ["legal-hold", "place", "--account", &account, "--number-file", number];
        place.run(&[&args[..], &case].concat())
    };
    let placed = place_hold(&number);
    let hold = placed.json();
    assert!(hold["person_masked"].as_str().unwrap().starts_with("+33••••"));
    assert!(!placed.out.contains("639980001"));
    let list = ["legal-hold", "list", "--account", &account];
    assert_eq!(lines(&place.run(&list)), std::slice::from_ref(&hold));
    let lift = ["legal-hold", "lift", "--account", &account, hold["id"].as_str().unwrap()];
    place.run(&lift).succeeded();
    assert!(lines(&place.run(&list))[0]["lifted_at"].is_string());
    let rows = lines(&place.run(&["audit", "list", "--account", &account]));
    let last: Vec<&Value> = rows.iter().rev().take(2).map(|row| &row["action"]).collect();
    assert_eq!(last, [&json!("legal_hold.lifted"), &json!("legal_hold.placed")]);
    let bad = place_hold(&place.file("bad", "0639980001"));
    assert_eq!(bad.code, Some(1));
    assert!(!bad.err.contains("639980001"), "{}", bad.err);
    assert_eq!(place.run(&["legal-hold", "place", "--account", &account]).code, Some(2));
}
