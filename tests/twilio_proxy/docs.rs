//! The page for those who come from Twilio says what the code says.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

use entremise::http::twilio_proxy::errors;

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// The table of errors has every code that is answered, with its status and its reason, and no other.
#[test]
fn the_errors_are_the_codes() {
    let table = errors().fold(String::new(), |mut table, (code, status, message, when)| {
        writeln!(table, "| {code} | {status} | {message} | {when} |").unwrap();
        table
    });
    let docs = read("docs/twilio-proxy.md");
    assert!(docs.contains(&table), "docs/twilio-proxy.md should have:\n{table}");
    let rows = docs.lines().filter(|line| line.starts_with("| 2") || line.starts_with("| 8"));
    assert_eq!(rows.count(), errors().count());
}

/// Each operation names a test that runs it, in the SDKs' own words.
#[test]
fn operations_name_their_tests() {
    let docs = read("docs/twilio-proxy.md");
    let (python, node) = (read("tests/sdk/proxy_v1.py"), read("tests/sdk/proxy_v1.js"));
    let rows: Vec<&str> =
        docs.lines().filter(|line| line.starts_with("| `") && line.contains("test_")).collect();
    let named: BTreeSet<&str> = rows.iter().filter_map(|row| row.rsplit('`').nth(1)).collect();
    assert!(rows.len() >= 29, "every operation has a row: {}", rows.len());
    for name in named {
        assert!(python.contains(&format!("def {name}(")), "proxy_v1.py has no {name}");
        assert!(node.contains(&format!("async function {name}(")), "proxy_v1.js has no {name}");
    }
}
