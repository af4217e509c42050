//! `entremise plan`: a market by chance, real sessions from a file and from a database, and what is wrong with them.

use std::{
    io::Write as _,
    net::SocketAddr,
    process::{Command, Stdio},
};

use quick_xml::{Reader, events::Event};
use serde_json::{Value, json};

use crate::command::{Done, Place, entremise, finish, http};

/// A market that is planned in a moment.
const SMALL: [&str; 9] =
    ["plan", "--per-day", "20", "--days", "20", "--sellers", "20", "--buyers", "500"];

/// Anna has three sessions at once, and another one five days after they have ended.
const TRACE: &str = "start,end,one,other\n\
    2026-03-02T00:00:00Z,2026-03-05T00:00:00Z,anna@shop.example,Bob Buyer\n\
    2026-03-01T00:00:00Z,2026-03-05T00:00:00Z,anna@shop.example,Carl Buyer\n\
    2026-03-03T00:00:00Z,2026-03-05T00:00:00Z,Dora Buyer,anna@shop.example\n\
    2026-03-10T00:00:00+01:00,2026-03-11T00:00:00Z,anna@shop.example,Emma Buyer\n";

fn plan(more: &[&str]) -> Done {
    entremise(&[&SMALL[..], more].concat())
}

/// Nothing that names somebody in [`TRACE`] is printed.
fn nobody_told(done: &Done) {
    for name in ["anna", "shop.example", "Buyer", "Bob", "Emma"] {
        assert!(!done.out.contains(name) && !done.err.contains(name), "{name}: {done:?}");
    }
}

/// The table says what each place needs and why, what becomes of fewer numbers, and of those that somebody has.
#[test]
fn a_market_by_chance() {
    let plain = plan(&[]);
    plain.succeeded();
    assert_eq!(plain.err, "");
    let shares = ["50 %", "60 %", "70 %", "80 %", "90 %", "100 %"];
    let words = ["what binds", "all ", "numbers that one person holds", "together"];
    for word in words.iter().chain(&shares) {
        assert!(plain.out.contains(word), "no {word:?} in\n{}", plain.out);
    }
    let whole = plain.out.lines().find(|line| line.contains("100 %")).unwrap();
    assert!(whole.contains("0.00 %") && whole.contains("never exhausted"), "{whole}");
    assert!(!plain.out.contains("yours") && !plain.out.contains("cost"), "{}", plain.out);
    assert_eq!(plan(&[]).out, plain.out, "the same seed makes the same market");
    assert_ne!(plan(&["--seed", "2"]).out, plain.out);

    let more = ["--place", "US/415:3", "--place", "FR", "--have", "4", "--price", "1.15"];
    let told = plan(&more);
    told.succeeded();
    for word in ["US 415", "FR", "yours", "exhausted on day", "a month, at 1.15 a number"] {
        assert!(told.out.contains(word), "no {word:?} in\n{}", told.out);
    }
}

/// The same as one JSON object: a longer quarantine needs more numbers, and each bound is there with what binds.
#[test]
fn a_market_as_json() {
    let told = |more: &[&str]| {
        let done = plan(&[more, &["--json"]].concat());
        done.succeeded();
        assert_eq!(done.out.lines().count(), 1, "{}", done.out);
        done.json()
    };
    let short = told(&["--quarantine", "0d"]);
    let long = told(&["--quarantine", "7d", "--price", "2", "--have", "3"]);
    let numbers = |plan: &Value| plan["numbers"].as_u64().unwrap();
    assert!(numbers(&long) > numbers(&short), "{short} {long}");
    assert_eq!((&short["monthly_cost"], &short["yours"]), (&Value::Null, &Value::Null));
    let cost = f64::from(u32::try_from(numbers(&long)).unwrap()) * 2.0;
    assert_eq!(long["monthly_cost"], json!(cost));
    assert_eq!((&long["yours"]["numbers"], &long["quarantine_days"]), (&json!(3), &json!(7.0)));
    assert!(long["yours"]["refused"].as_u64().unwrap() > 0);
    let class = &long["classes"][0];
    assert_eq!(
        (&class["country"], &class["area"], &class["binds"]),
        (&json!(""), &json!(""), &json!("held"))
    );
    assert_eq!(class["bounds"]["held"], long["numbers"]);
    for bound in ["people", "texts", "calls"] {
        assert!(class["bounds"][bound].is_u64(), "{class}");
    }
    let pools = long["pools"].as_array().unwrap();
    assert_eq!(pools.len(), 6);
    for pool in pools {
        let all = pool["opened"].as_u64().unwrap() + pool["refused"].as_u64().unwrap();
        assert_eq!(all, long["sessions"].as_u64().unwrap());
    }
    assert_eq!((&pools[5]["share"], &pools[5]["refusal_rate"]), (&json!(1.0), &json!(0.0)));
    assert_eq!(pools[5]["days_to_exhaustion"], Value::Null);
    assert!(pools[0]["days_to_exhaustion"].as_f64().unwrap() < 20.0);

    let crowded = told(&["--people-on-number", "1"]);
    assert_eq!(crowded["classes"][0]["binds"], "people");
    let famous = told(&["--most-popular", "50%"]);
    assert!(numbers(&famous) > numbers(&told(&["--zipf", "0"])));
}

/// The chart is a well-formed picture, with a dot for each pool.
#[test]
fn a_chart_is_drawn() {
    let place = Place::new("");
    let file = place.path().join("plan.svg").display().to_string();
    plan(&["--chart", &file]).succeeded();
    let svg = std::fs::read_to_string(&file).unwrap();
    // The reader itself refuses an end that has no beginning.
    let (mut reader, mut depth) = (Reader::from_str(&svg), 0);
    loop {
        match reader.read_event().unwrap() {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!(depth, 0, "an element is not closed: {svg}");
    assert_eq!(svg.matches("<circle").count(), 6, "{svg}");
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""), "{svg}");
    let nowhere = plan(&["--chart", "/nowhere/plan.svg"]);
    assert_eq!(nowhere.code, Some(1));
    assert!(nowhere.err.contains("/nowhere/plan.svg cannot be written"), "{}", nowhere.err);
}

/// What [`TRACE`] needs, however it was read.
#[track_caller]
fn of_the_trace(done: &Done) {
    done.succeeded();
    nobody_told(done);
    let told = done.json();
    let counts = ["sessions", "people", "numbers"].map(|key| told[key].as_u64().unwrap());
    assert_eq!(counts, [4, 5, 3], "{told}");
    assert_eq!(told["classes"][0]["bounds"]["held"], 3);
    let half = &told["pools"][0];
    assert_eq!((&half["numbers"], &half["refused"]), (&json!(2), &json!(1)), "{told}");
    assert_eq!(half["days_to_exhaustion"], json!(2.0), "with the third session");
    assert_eq!(told["pools"][5]["refused"], 0);
    assert_eq!((&told["yours"]["numbers"], &told["yours"]["refused"]), (&json!(1), &json!(2)));
}

/// Real sessions are read from a file or standard input, in any order; no name of anybody comes out again.
#[test]
fn real_sessions_are_read() {
    let place = Place::new("");
    let file = place.file("trace.csv", TRACE);
    let words = ["plan", "--json", "--have", "1", "--trace"];
    of_the_trace(&entremise(&[&words[..], &[file.as_str()]].concat()));
    let mut child = Command::new(env!("CARGO_BIN_EXE_entremise"))
        .args(words)
        .arg("-")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(TRACE.as_bytes()).unwrap();
    of_the_trace(&finish(child));

    let table = entremise(&["plan", "--trace", &file]);
    table.succeeded();
    nobody_told(&table);
    assert!(table.out.contains("exhausted on day 3"), "{}", table.out);
    // A week after the three sessions their numbers still rest.
    let longer = entremise(&["plan", "--json", "--quarantine", "7d", "--trace", &file]);
    assert_eq!(longer.json()["numbers"], 4);
    // Each place has its own numbers.
    let places = "start,end,one,other,country,area\n\
        2026-03-01T00:00:00Z,2026-03-02T00:00:00Z,a,b,US,415\n\
        2026-03-01T00:00:00Z,2026-03-02T00:00:00Z,c,d,US,212\n\
        2026-03-01T12:00:00Z,2026-03-02T00:00:00Z,c,e,US,212\n";
    let places = place.file("places.csv", places);
    let places = entremise(&["plan", "--json", "--trace", &places]).json();
    let mut classes: Vec<(&str, u64)> = places["classes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|class| (class["area"].as_str().unwrap(), class["numbers"].as_u64().unwrap()))
        .collect();
    classes.sort_unstable();
    assert_eq!(classes, [("212", 2), ("415", 1)]);
}

/// A file with a fault is refused with its line, and without what stands there.
#[test]
fn faulty_files_are_refused() {
    let place = Place::new("");
    let (march, april) = ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z");
    let head = "start,end,one,other\n";
    for (csv, why) in [
        (String::new(), "line 1 must name the columns start,end,one,other; start is missing"),
        ("start,end,one\n".to_owned(), "other is missing"),
        (head.to_owned(), "there is no session to plan for"),
        (
            format!("{head}{march},soon,anna,Bob\n"),
            "line 2: end must be a time as 2026-03-01T12:00:00Z",
        ),
        (
            format!("{head}{march},{april},anna,Bob\n{april},{march},anna,Bob\n"),
            "line 3: ends before it starts",
        ),
        (format!("{head}{march},{april},anna,anna\n"), "line 2: has one person on both sides"),
        (format!("{head}{march},{april},anna,\n"), "line 2: one and other must both name somebody"),
    ] {
        let file = place.file("trace.csv", &csv);
        let done = entremise(&["plan", "--trace", &file]);
        assert_eq!((done.code, &*done.out), (Some(1), ""), "{csv}");
        assert!(done.err.starts_with("error: ") && done.err.contains(why), "{}", done.err);
        nobody_told(&done);
    }
    let none = entremise(&["plan", "--trace", "/nowhere/trace.csv"]);
    assert_eq!(none.code, Some(1));
    assert!(none.err.contains("/nowhere/trace.csv cannot be read"), "{}", none.err);
}

/// Wrong arguments are told with what is allowed, and status 2; what is too large to play, with 1.
#[test]
fn wrong_arguments_of_a_plan() {
    let a = "AC00000000000000000000000000000000";
    let cases: [(&[&str], &str); 14] = [
        (&[], "--per-day"),
        (&["--per-day", "5", "--trace", "x.csv"], "cannot be used with"),
        (&["--per-day", "0"], "must be more than 0"),
        (&["--per-day", "many"], "must be a number"),
        (&["--per-day", "5", "--days", "0"], "0 is not in 1..=3650"),
        (&["--per-day", "5", "--lifetime", "5d..1d"], "must have the shorter first"),
        (&["--per-day", "5", "--quarantine", "3"], "must be a length as 90s, 3m, 12h or 3d"),
        (&["--per-day", "5", "--most-popular", "120%"], "must be 0 to 1, or 0% to 100%"),
        (&["--per-day", "5", "--most-popular", "1%", "--zipf", "1"], "cannot be used with"),
        (&["--per-day", "5", "--zipf", "5"], "must be 0 to 4"),
        (&["--per-day", "5", "--place", "usa"], "must be as US, US/415 or US/415:3"),
        (&["--per-day", "5", "--have", "0"], "0 is not in 1..=10000000"),
        (&["--account", a], "--service"),
        (&["--per-day", "5", "--service", "default"], "cannot be used with"),
    ];
    for (words, why) in cases {
        let done = entremise(&[&["plan"], words].concat());
        assert_eq!((done.code, &*done.out), (Some(2), ""), "{words:?}");
        assert!(done.err.contains(why), "{words:?}: {}", done.err);
    }
    let large = entremise(&["plan", "--per-day", "1000000"]);
    assert_eq!(large.code, Some(1));
    assert!(large.err.contains("must be at most 20,000,000 sessions"), "{}", large.err);
}

/// Opens a session of the account's default service by the API.
fn open(address: SocketAddr, key: &str, people: [&str; 2]) {
    let head = format!(
        "POST /api/v1/sessions HTTP/1.1\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\n"
    );
    let [buyer, seller] = people;
    let body = json!({ "service_id": "default", "participants": [
        { "role": "buyer", "identifier": buyer }, { "role": "seller", "identifier": seller },
    ] });
    let (status, answer) = http(address, &head, &body.to_string());
    assert_eq!(status, 201, "{answer}");
}

/// What a service really had is planned for beside its server: by country, as its rules choose numbers, and without a
/// person's number.
#[test]
fn a_live_service_is_planned_for() {
    let place = Place::with_sandbox();
    let made = place.run(&["account", "create", "--name", "Bikes"]).json();
    let account = made["account_sid"].as_str().unwrap();
    place.import(
        account,
        "+14155550100,sandbox,voice|sms\n+12125550100,sandbox,voice|sms\n\
         +14155550101,sandbox,voice|sms",
    );
    let words = ["plan", "--json", "--have", "1", "--account", account, "--service"];
    let ask = |service: &str| place.run(&[&words[..], &[service]].concat());
    let none = ask("default");
    assert_eq!(none.code, Some(1));
    assert!(none.err.contains("there is no session to plan for"), "{}", none.err);
    let nobody = ask("boats");
    assert_eq!(nobody.code, Some(1));
    assert!(nobody.err.contains("there is no such service"), "{}", nobody.err);

    let server = place.serve();
    let key = made["api_key"].as_str().unwrap();
    let (seller, buyers) = ("+12125550101", ["+12125550102", "+12125550103"]);
    for buyer in buyers {
        open(server.address(), key, [buyer, seller]);
    }
    let done = ask("default");
    done.succeeded();
    let told = done.json();
    let counts = ["sessions", "people", "numbers"].map(|key| told[key].as_u64().unwrap());
    assert_eq!(counts, [2, 3, 2], "{told}");
    let class = &told["classes"][0];
    assert_eq!((&class["country"], &class["area"]), (&json!("US"), &json!("")), "{told}");
    assert_eq!(told["yours"]["refused"], 1, "the seller's second session: {told}");
    for number in buyers.iter().chain([&seller]) {
        let digits = &number[1..];
        assert!(!done.out.contains(digits) && !done.err.contains(digits), "{done:?}");
    }
    server.terminate();
    assert_eq!(server.ended(), Some(0));
}
