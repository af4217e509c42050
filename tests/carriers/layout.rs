//! A carrier is a folder, a line, fixtures and a page: none of them without the others.

use std::{collections::BTreeSet, fs, path::Path};

use entremise::carrier;

/// The files that every adapter has.
const FILES: &[&str] = &["mod.rs", "config.rs", "webhook.rs", "voice.rs", "send.rs"];

/// The sections that every adapter's page has.
const SECTIONS: &[&str] = &["## Settings", "## Numbers", "## Limits"];

fn folders(path: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_dir(path)
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

/// What carriers share that speak as Twilio does: a folder, and no carrier.
const SHARED: &str = "twiml";

/// Every folder of a carrier under `src/carrier` is in the list, once, and has the files that all have.
#[test]
fn every_folder_is_listed() {
    let listed: BTreeSet<String> = carrier::KINDS.iter().map(|k| k.name.to_owned()).collect();
    assert_eq!(listed.len(), carrier::KINDS.len(), "a name is listed twice");
    let mut found = folders("src/carrier");
    assert!(found.remove(SHARED), "src/carrier/{SHARED} is gone");
    assert_eq!(found, listed);
    for name in &listed {
        for file in FILES {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/carrier").join(name);
            assert!(path.join(file).is_file(), "src/carrier/{name}/{file} is missing");
        }
    }
}

/// Every carrier has fixtures, and no fixtures are left without a carrier.
#[test]
fn every_carrier_has_fixtures() {
    let expected: BTreeSet<String> =
        carrier::KINDS.iter().map(|kind| kind.name.to_owned()).collect();
    let mut found = folders("fixtures");
    // The guarded client's corpus of addresses.
    found.remove("egress");
    assert_eq!(found, expected);
}

/// Every carrier's page is `docs/carriers/<name>.md` and has the sections that operators look for.
#[test]
fn every_carrier_has_a_page() {
    for kind in carrier::KINDS {
        let path = format!("{}/docs/carriers/{}.md", env!("CARGO_MANIFEST_DIR"), kind.name);
        assert_eq!(kind.readme, fs::read_to_string(path).unwrap(), "{}", kind.name);
        assert!(kind.readme.starts_with("# "), "{}: no title", kind.name);
        for section in SECTIONS {
            let found = kind.readme.lines().any(|line| line == *section);
            assert!(found, "docs/carriers/{}.md has no section {section}", kind.name);
        }
    }
}

/// A newcomer finds every carrier: the README's table has a row for each, and the settings name each.
#[test]
fn every_carrier_is_found() {
    let read =
        |name: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let (readme, settings) = (read("README.md"), read("entremise.example.toml"));
    let line = settings.lines().find(|line| line.contains("Which adapter:")).unwrap();
    for kind in carrier::KINDS {
        let row = format!("| [`{0}`](docs/carriers/{0}.md) |", kind.name);
        assert!(readme.contains(&row), "README.md has no row for {}", kind.name);
        assert!(line.contains(kind.name), "entremise.example.toml does not name {}", kind.name);
    }
}
