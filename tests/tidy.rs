//! The house rules that no compiler checks: who imports whom, what each file begins with, how long
//! it is, whose numbers stand in it, and that a migration never changes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/fiction.rs"]
mod fiction;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::fiction::{fictional, numbers};

/// Longest source file, in lines.
const LONGEST: usize = 600;

/// Who may import whom, besides itself. `clock`, `ids` and `telemetry` are open to all but
/// `domain`; `app` and `cli` may import anything.
const IMPORTS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("carrier", &["domain"]),
    ("privacy", &["domain"]),
    ("store", &["domain", "privacy"]),
    ("egress", &["domain"]),
    ("media", &["domain"]),
    ("relay", &["domain", "store", "privacy", "carrier", "egress", "media"]),
    ("jobs", &["domain", "store", "privacy", "carrier", "egress", "media", "relay"]),
    ("http", &["relay", "domain", "carrier", "store", "egress"]),
    ("http/api", &["relay", "domain", "carrier", "store", "egress", "privacy"]),
    ("http/twilio_proxy", &["relay", "domain", "carrier", "store", "egress", "privacy"]),
    ("http/sandbox", &["relay", "domain", "carrier", "store", "sandbox"]),
    ("clock", &["domain"]),
    ("ids", &["domain"]),
    ("telemetry", &["domain"]),
    ("config", &["domain"]),
    ("sandbox", &["domain", "clock"]),
];
const OPEN: &[&str] = &["clock", "ids", "telemetry"];
const FREE: &[&str] = &["app", "cli", "lib", "main"];

/// What pure rooms never touch.
const IMPURE: &[&str] =
    &["tokio::", "hyper::", "axum::", "sqlx::", "std::fs", "std::net::Tcp", "std::env"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `dir` with one of the `endings`, in order; nothing where there is no `dir`.
fn files(dir: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![root().join(dir)];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                let others = matches!(&*name, "target" | "node_modules" | ".git");
                if !others && !name.starts_with(".venv") {
                    dirs.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The path as the rules name it, such as `src/http/server.rs`.
fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/")
}

/// A source file without comments and without its tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The modules that `code` names below `crate::`, grouped or not, as full paths of two words where
/// they are known: `carrier::twilio`, `domain`.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut item = String::new();
            for c in group.chars() {
                match c {
                    '}' if depth == 0 => break,
                    ',' if depth == 0 => found.extend(module(&std::mem::take(&mut item))),
                    _ => {
                        depth += i32::from(c == '{') - i32::from(c == '}');
                        item.push(c);
                    }
                }
            }
            found.extend(module(&item));
        } else {
            found.extend(module(rest));
        }
    }
    found
}

fn module(path: &str) -> Option<String> {
    let word = |text: &str| {
        let text = text.trim_start();
        text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("").to_owned()
    };
    let first = word(path);
    let second = path.trim_start().strip_prefix(&*first)?.strip_prefix("::").map(word);
    let second = second.filter(|second| !second.is_empty());
    let whole = second.map_or_else(|| first.clone(), |second| format!("{first}::{second}"));
    (!first.is_empty()).then_some(whole)
}

/// The room that a file belongs to: `http`, or `http/sandbox` where the table knows that.
fn room(file: &str) -> String {
    let inside = file.strip_prefix("src/").unwrap().trim_end_matches(".rs");
    let mut words = inside.split('/');
    let first = words.next().unwrap().to_owned();
    let both = words.next().map(|second| format!("{first}/{second}"));
    both.filter(|both| IMPORTS.iter().any(|(room, _)| room == both)).unwrap_or(first)
}

fn check(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The reader of imports sees groups, paths in the middle of code, and nothing else.
#[test]
fn imports_are_seen() {
    let code = "use crate::{domain::{phone, route}, ids, store::Tx as T};\nlet x = \
                crate::relay::send();\nmy_crate::nothing(); pub(crate) fn x() {}";
    let expected = ["domain", "ids", "store::Tx", "relay::send"];
    assert_eq!(imports(code), expected.map(str::to_owned).into());
}

/// Knowledge flows one way: each room imports only what the table lets it.
#[test]
fn rooms_import_what_they_may() {
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for path in files("src", &[".rs"]) {
        let file = short(&path);
        let room = room(&file);
        let code = code(&path);
        let own = room.split('/').next().unwrap();
        seen.insert(own.to_owned());
        if FREE.contains(&&*room) {
            continue;
        }
        let Some((_, may)) = IMPORTS.iter().find(|(name, _)| *name == room) else {
            faults.push(format!("{file}: the room `{room}` is not in the table"));
            continue;
        };
        for import in imports(&code) {
            let target = import.split("::").next().unwrap();
            let open = room != "domain" && OPEN.contains(&target);
            if target != own && !open && !may.contains(&target) {
                faults.push(format!("{file}: `{room}` may not import `{import}`"));
            }
        }
        // `super` must not leave the room: the table could not see it.
        let levels = file.trim_end_matches("/mod.rs").matches('/').count();
        if code.contains(&"super::".repeat(levels)) {
            faults.push(format!("{file}: say `crate::` where the path leaves the room"));
        }
    }
    check(&faults);
    for (room, _) in IMPORTS.iter().filter(|(room, _)| !room.contains('/')) {
        assert!(seen.contains(*room), "the table names `{room}`, which is gone");
    }
}

/// Pure rooms do no I/O: they are values in and values out.
#[test]
fn pure_rooms_are_pure() {
    let mut faults = Vec::new();
    for room in ["src/domain", "src/carrier"] {
        for path in files(room, &[".rs"]) {
            let code = code(&path);
            for word in IMPURE.iter().chain(&[".await", "async "]) {
                if code.contains(word) {
                    faults.push(format!("{}: `{word}` is for others to do", short(&path)));
                }
            }
        }
    }
    for path in files("src/domain", &[".rs"]) {
        for word in ["Serialize", "Deserialize", "FromRow"] {
            if code(&path).contains(word) {
                faults.push(format!("{}: `{word}` is for the wire and the rows", short(&path)));
            }
        }
    }
    check(&faults);
}

/// No carrier knows another, and nobody but the list knows any.
#[test]
fn carriers_are_strangers() {
    let carriers: BTreeSet<String> = fs::read_dir(root().join("src/carrier"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        // What carriers share that speak as Twilio does.
        .filter(|name| name != "twiml")
        .collect();
    assert!(!carriers.is_empty());
    let mut faults = Vec::new();
    for path in files("src", &[".rs"]) {
        let file = short(&path);
        if file == "src/carrier/mod.rs" || FREE.contains(&&*room(&file)) {
            continue;
        }
        let code = code(&path);
        for carrier in &carriers {
            if file.starts_with(&format!("src/carrier/{carrier}/")) {
                continue;
            }
            let inside = file.starts_with("src/carrier/");
            if code.contains(&format!("carrier::{carrier}"))
                || (inside && code.contains(&format!("super::{carrier}")))
            {
                faults.push(format!("{file}: knows the carrier `{carrier}`"));
            }
        }
    }
    check(&faults);
}

/// Each file says its one job first, and is short enough to be read.
#[test]
fn files_are_readable() {
    let mut faults = Vec::new();
    for path in files("src", &[".rs"]).into_iter().chain(files("tests", &[".rs"])) {
        let file = short(&path);
        let text = fs::read_to_string(&path).unwrap();
        let first = text.lines().next().unwrap_or_default();
        if !first.starts_with("//! ") || first.len() < 12 {
            faults.push(format!("{file}: the first line must say its job: `//! …`"));
        }
        let lines = text.lines().count();
        let longest = if file == "src/main.rs" { 40 } else { LONGEST };
        if lines > longest {
            faults.push(format!("{file}: {lines} lines, of {longest} at most"));
        }
    }
    check(&faults);
}

/// No number in the repository can be anybody's, but for those that `tests/numbers.allowed` lists
/// with a reason, each by itself or by its file: published test vectors, and what a numbering
/// plan's oddity needs.
#[test]
fn numbers_are_fictional() {
    let allowed: BTreeMap<String, String> =
        fs::read_to_string(root().join("tests/numbers.allowed"))
            .unwrap()
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| {
                let (number, reason) = line.split_once(' ').expect(line);
                assert!(reason.len() > 10, "{line}: why?");
                (number.trim_start_matches('+').to_owned(), reason.to_owned())
            })
            .collect();
    let endings =
        [".rs", ".md", ".toml", ".json", ".http", ".html", ".sql", ".csv", ".snap", ".js", ".yaml"];
    let mut used = BTreeSet::new();
    let mut faults = BTreeSet::new();
    for path in files("", &endings) {
        let file = short(&path);
        let text = fs::read_to_string(&path).unwrap_or_default();
        for number in numbers(&text) {
            if allowed.contains_key(number) {
                used.insert(number.to_owned());
            } else if !fictional(number) && allowed.contains_key(&*file) {
                used.insert(file.clone());
            } else if !fictional(number) {
                faults.insert(format!("{file}: +{number} may be somebody's"));
            }
        }
    }
    check(&faults.into_iter().collect::<Vec<_>>());
    let unused: Vec<&String> = allowed.keys().filter(|number| !used.contains(*number)).collect();
    assert!(unused.is_empty(), "tests/numbers.allowed lists what is nowhere used: {unused:?}");
}

/// The ranges are the regulators', to the digit.
#[test]
fn fictional_ranges() {
    for number in ["14155550100", "12125550199", "447700900999", "33639980001", "33937123456"] {
        assert!(fictional(number), "{number}");
    }
    for number in ["14155550200", "14155551234", "447700901000", "33639970001", "33612345678"] {
        assert!(!fictional(number), "{number}");
    }
    assert_eq!(
        numbers("a +14155550100, b%2B447700900123 +123 1+2"),
        ["14155550100", "447700900123"]
    );
}

/// FNV-1a, 64 bits: enough to see that a file changed.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A migration that somebody ran must not change: `tests/migrations.lock` has each one's checksum.
#[test]
fn migrations_never_change() {
    let lines: String = files("migrations", &[".sql"])
        .iter()
        .map(|path| (short(path), checksum(&fs::read(path).unwrap())))
        .fold(String::new(), |lines, (file, sum)| lines + &format!("{sum:016x} {file}\n"));
    let locked = fs::read_to_string(root().join("tests/migrations.lock")).unwrap_or_default();
    assert!(
        lines == locked,
        "a migration changed, or is new. What was released never changes: add another one. If it \
         is new, tests/migrations.lock should be:\n{lines}"
    );
}

/// Relative links in the docs lead somewhere.
#[test]
fn links_lead_somewhere() {
    let mut faults = Vec::new();
    for path in files("", &[".md"]) {
        let text = fs::read_to_string(&path).unwrap();
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split([')', '#', ' ']).next().unwrap();
            let outside =
                target.is_empty() || target.contains("://") || target.starts_with("mailto");
            if !outside && !path.parent().unwrap().join(target).exists() {
                faults.push(format!("{}: {target} is not there", short(&path)));
            }
        }
    }
    check(&faults);
}

/// `docs/privacy.md` has each of the threats once, with what holds it, what does not, and tests that are there:
/// files that have a test of that name.
#[test]
fn threats_name_their_tests() {
    let docs = fs::read_to_string(root().join("docs/privacy.md")).unwrap();
    let rows: Vec<Vec<&str>> = docs
        .lines()
        .filter(|line| {
            let id = line.strip_prefix("| T").and_then(|rest| rest.split(' ').next());
            id.is_some_and(|id| id.parse::<u32>().is_ok())
        })
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let ids: Vec<String> = rows.iter().map(|row| row[0].to_owned()).collect();
    let all: Vec<String> = (1..=22).map(|id| format!("T{id}")).collect();
    assert_eq!(ids, all, "each threat once, in order");
    let mut faults = Vec::new();
    for row in &rows {
        let id = row[0];
        if row.len() != 5 || row.iter().any(|cell| cell.is_empty()) {
            faults.push(format!("{id} has not five cells with something in each"));
            continue;
        }
        let named: Vec<&str> = row[4].split('`').filter(|name| name.contains("::")).collect();
        if named.is_empty() {
            faults.push(format!("{id} names no test"));
        }
        faults.extend(
            named.into_iter().filter(|name| !is_test(name)).map(|name| format!("{id}: {name}")),
        );
    }
    check(&faults);
}

/// Whether `path::function` is a test: marked as one, or listed in a macro that makes tests of functions.
fn is_test(name: &str) -> bool {
    let (path, function) = name.split_once("::").unwrap();
    let Ok(text) = fs::read_to_string(root().join(path)) else { return false };
    let Some(at) = ["(", "<"].iter().find_map(|end| text.find(&format!("fn {function}{end}")))
    else {
        return false;
    };
    // Between the end of what stands before it and its name there are attributes, comments and `async`.
    let before = text[..at].rsplit(['}', ';']).next().unwrap();
    let listed = text.split("db_test!(").skip(1).any(|rest| {
        let list = rest.split(')').next().unwrap();
        list.split(',').any(|one| one.trim() == function)
    });
    before.contains("#[test]") || before.contains("#[tokio::test") || listed
}

/// What names tests sees those that are none.
#[test]
fn what_is_no_test_is_seen() {
    for (name, is) in [
        ("tests/tidy.rs::what_is_no_test_is_seen", true),
        ("tests/tidy.rs::is_test", false),
        ("tests/tidy.rs::nothing", false),
        ("tests/nothing.rs::is_test", false),
        ("src/store/tests/sealing.rs::nothing_is_in_clear", true),
    ] {
        assert_eq!(is_test(name), is, "{name}");
    }
}

/// Every crate comes from the one registry, with a checksum, and none is one that `deny.toml` refuses.
#[test]
fn t22_dependencies_come_from_one_registry() {
    let read = |path: &str| -> toml::Table {
        fs::read_to_string(root().join(path)).unwrap().parse().unwrap()
    };
    let (lock, deny) = (read("Cargo.lock"), read("deny.toml"));
    let text = |table: &toml::Value, key: &str| {
        table.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned()
    };
    let refused: Vec<String> = deny["bans"]["deny"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| text(one, "crate"))
        .filter(|one| !one.contains('@'))
        .collect();
    assert!(refused.len() >= 3, "{refused:?}");
    for key in ["unknown-registry", "unknown-git"] {
        assert_eq!(text(&deny["sources"], key), "deny", "{key}");
    }
    let mut faults = Vec::new();
    let packages = lock["package"].as_array().unwrap();
    assert!(packages.len() > 100);
    for package in packages {
        let name = text(package, "name");
        let registry =
            text(package, "source") == "registry+https://github.com/rust-lang/crates.io-index";
        if name != "entremise" && !(registry && text(package, "checksum").len() == 64) {
            faults.push(format!("{name} is not from the registry, or has no checksum"));
        }
        if refused.contains(&name) {
            faults.push(format!("{name} may not be here"));
        }
    }
    check(&faults);
}

/// Each test that `docs/reliability.md` names for a promise is there.
#[test]
fn promises_name_their_tests() {
    let docs = fs::read_to_string(root().join("docs/reliability.md")).unwrap();
    let numbered = |name: &str| {
        name.strip_prefix('i').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let named: BTreeSet<&str> = docs.split('`').filter(|name| numbered(name)).collect();
    let mut there = BTreeSet::new();
    for path in files("src", &[".rs"]).into_iter().chain(files("tests", &[".rs"])) {
        let text = fs::read_to_string(path).unwrap();
        let names = text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
        there.extend(names.filter(|name| numbered(name)).map(str::to_owned));
    }
    let missing: Vec<_> = named.iter().filter(|name| !there.contains(**name)).collect();
    assert!(missing.is_empty(), "docs/reliability.md names tests that are not there: {missing:?}");
}
