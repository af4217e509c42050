//! Settings: what is read, what is refused, and that the example file tells the truth.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

use entremise::{
    config::{Config, Faults, LogFormat},
    domain::phone::Permits,
};

#[cfg(test)]
#[path = "config/oidc.rs"]
mod oidc;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// Another.
const OTHER: &str = "HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn key_bytes() -> [u8; 32] {
    std::array::from_fn(|at| u8::try_from(at).unwrap())
}

fn load(toml: &str, env: &[(&str, &str)]) -> Result<Config, Faults> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), toml).unwrap();
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(Some(file.path()), env)
}

fn faults(toml: &str, env: &[(&str, &str)]) -> Vec<(String, String)> {
    let faults = load(toml, env).unwrap_err();
    faults.0.into_iter().map(|fault| (fault.key, fault.message)).collect()
}

fn keys(toml: &str, env: &[(&str, &str)]) -> Vec<String> {
    faults(toml, env).into_iter().map(|(key, _)| key).collect()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// With a master key alone everything has its default.
#[test]
fn a_master_key_is_enough() {
    let env = [("ENTREMISE_MASTER_KEY".to_owned(), KEY.to_owned())];
    assert_eq!(Config::load(None, env).unwrap(), Config::minimal(key_bytes()));
}

/// Nothing faces the net before somebody says so, nobody's proxy is believed, no address of the inside is open,
/// and no setting holds a password that was there before: there is none for the console.
#[test]
fn t22_nothing_faces_the_net_by_default() {
    let config = load("", &[("ENTREMISE_MASTER_KEY", KEY)]).unwrap();
    assert!(config.listen.ip().is_loopback() && config.ops_listen.ip().is_loopback());
    assert!(config.egress_allow.is_empty() && config.trusted_proxies.is_empty());
    assert!(config.carriers.is_empty() && !config.allow_sandbox);
    // Beyond loopback it says who it is, or it does not start.
    let open = [("ENTREMISE_MASTER_KEY", KEY), ("ENTREMISE_LISTEN", "0.0.0.0:8080")];
    assert_eq!(keys("", &open), ["public_url"]);
    for key in known_keys() {
        // What is said of passwords is whether they are taken and how old they may become.
        let rule = key == "console.passwords" || key.starts_with("console.password_days_");
        assert!(!key.contains("password") || rule || key.starts_with("carriers"), "{key}");
    }
}

/// A missing master key is a fault that tells how to make one, and variables of others are not ours.
#[test]
fn the_missing_master_key_says_how_to_make_one() {
    let found = faults("", &[("PATH", "/bin"), ("ENTREMISED", "x")]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, "master_key");
    assert!(found[0].1.contains("head -c 32 /dev/urandom | base64"), "{}", found[0].1);
}

/// Every setting can be given in the file.
#[test]
fn the_file_sets_everything() {
    let config = load(
        r#"
        listen = "[::]:443"
        ops_listen = "127.0.0.1:9999"
        public_url = "https://relay.example/"
        database_url = "postgres://u:p@db.internal/entremise"
        master_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
        egress_allow = ["10.0.0.5:8443", "[::1]:80"]
        trusted_proxies = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]
        tls_cert = "cert.pem"
        tls_key = "key.pem"
        allow_sandbox = true
        audit_heads_file = "heads.jsonl"
        erasure_list = "erased"
        disclosure_approvers = ["alice:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="]
        [limits]
        connections = 10
        drain_s = 0
        [log]
        filter = "debug"
        format = "human"
        [jobs]
        poll_ms = 50
        [api]
        rate_per_minute = 5
        [twilio_proxy]
        pool_max = 2
        pool_reserved_max = 1
        [numbers]
        allow = ["+33612 permit 7 of Arcep"]
        [sqlite]
        ballast_mib = 3
        [[carriers]]
        id = "main"
        kind = "twilio"
        api_base = "http://127.0.0.1:4010/"
        account_sid = "AC0"
        [[carriers]]
        id = "play"
        kind = "sandbox"
        "#,
        &[],
    )
    .unwrap();
    assert_eq!(config.public_url.as_deref(), Some("https://relay.example"));
    assert_eq!(config.egress_allow, ["10.0.0.5:8443", "[::1]:80"].map(address));
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let ranges = [(ip("10.0.0.0"), 8), (ip("192.0.2.7"), 32), (ip("2001:db8::"), 32)];
    assert_eq!(config.trusted_proxies, ranges);
    assert_eq!(config.limits.connections, 10);
    assert_eq!(config.limits.drain, Duration::ZERO);
    assert_eq!(config.log.format, LogFormat::Human);
    assert_eq!(config.jobs.poll, Duration::from_millis(50));
    assert_eq!((config.twilio_proxy.pool_max, config.twilio_proxy.pool_reserved_max), (2, 1));
    let permits = Permits::parse(["+33612 permit 7 of Arcep"]).unwrap();
    assert_eq!(config.numbers.allow, permits);
    assert_eq!(config.sqlite.ballast, 3 * 1024 * 1024);
    assert_eq!(config.carriers[0].api_base.as_deref(), Some("http://127.0.0.1:4010"));
    assert_eq!(config.carriers[0].values["account_sid"].as_str(), Some("AC0"));
    assert_eq!(config.carriers[1].id, "play");
}

/// A variable wins over the file, at every level and in lists.
#[test]
fn variables_win() {
    let toml = r#"
        listen = "127.0.0.1:1"
        [limits]
        body_s = 3
        [[carriers]]
        id = "main"
        kind = "twilio"
        auth_token = "from the file"
    "#;
    let env = [
        ("ENTREMISE_MASTER_KEY", KEY),
        ("ENTREMISE_LISTEN", "127.0.0.1:2"),
        ("ENTREMISE_LIMITS__BODY_S", "7"),
        ("ENTREMISE_ALLOW_SANDBOX", "true"),
        ("ENTREMISE_TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
        ("ENTREMISE_EGRESS_ALLOW__0", "127.0.0.1:1"),
        ("ENTREMISE_EGRESS_ALLOW__1", "[::1]:2"),
        ("ENTREMISE_CARRIERS__0__AUTH_TOKEN", "12345"),
        ("ENTREMISE_CARRIERS__1__ID", "second"),
        ("ENTREMISE_CARRIERS__1__KIND", "sandbox"),
    ];
    let config = load(toml, &env).unwrap();
    assert_eq!(config.listen.port(), 2);
    assert_eq!(config.limits.body, Duration::from_secs(7));
    assert_eq!(config.trusted_proxies.len(), 2);
    assert_eq!(config.egress_allow, ["127.0.0.1:1", "[::1]:2"].map(address));
    assert_eq!(config.carriers[0].values["auth_token"].as_str(), Some("12345"));
    assert_eq!(config.carriers[1].id, "second");
}

/// A secret may come from a file; a variable wins over the twin; both in one place is a fault.
#[test]
fn secrets_have_file_twins() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let key = path("key", &format!("{KEY}\n"));
    let token = path("token", "a token\n");
    let toml = format!(
        "master_key_file = {key:?}\n[[carriers]]\nid = \"t\"\nkind = \"twilio\"\n\
         auth_token_file = {token:?}\n"
    );
    let config = load(&toml, &[]).unwrap();
    assert_eq!(config.master_key.expose(), &key_bytes());
    assert_eq!(config.carriers[0].values["auth_token"].as_str(), Some("a token"));
    assert!(!config.carriers[0].values.contains_key("auth_token_file"));

    let config = load(&toml, &[("ENTREMISE_CARRIERS__0__AUTH_TOKEN", "other")]).unwrap();
    assert_eq!(config.carriers[0].values["auth_token"].as_str(), Some("other"));

    let both = format!("master_key = \"{KEY}\"\nmaster_key_file = {key:?}");
    assert_eq!(keys(&both, &[]), ["master_key"]);
    assert_eq!(keys("master_key_file = \"/nonexistent\"", &[]), ["master_key_file"]);
}

/// The master key may come from a command, and only from one place; a variable wins over all of the
/// file's. The keys before it come from lists of texts and of files. No fault holds what was given.
#[test]
fn master_keys_come_from_one_place_each() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key").display().to_string();
    std::fs::write(&file, format!("{KEY}\n")).unwrap();
    let command = format!("master_key_command = [\"cat\", {file:?}]");
    assert_eq!(load(&command, &[]).unwrap().master_key.expose(), &key_bytes());
    let by_variable = format!("cat,{file}");
    let other = OTHER;
    let variable = [("ENTREMISE_MASTER_KEY_COMMAND", by_variable.as_str())];
    for text in [format!("master_key = {other:?}"), "master_key_file = \"/nonexistent\"".to_owned()]
    {
        assert_eq!(load(&text, &variable).unwrap().master_key.expose(), &key_bytes(), "{text}");
    }
    assert_eq!(
        load(&command, &[("ENTREMISE_MASTER_KEY", other)]).unwrap().previous_master_keys,
        []
    );
    for wrong in [
        format!("{command}\nmaster_key = {other:?}"),
        "master_key_command = []".to_owned(),
        "master_key_command = \"cat key\"".to_owned(),
        "master_key_command = [\"false\"]".to_owned(),
        "master_key_command = [\"echo\", \"canary\"]".to_owned(),
    ] {
        let found = faults(&wrong, &[]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, "master_key_command");
        assert!(!found[0].1.contains("canary") && !found[0].1.contains(other), "{found:?}");
    }

    let lists = format!(
        "master_key = {other:?}\nprevious_master_keys = [{other:?}]\n\
         previous_master_key_files = [{file:?}]"
    );
    let config = load(&lists, &[]).unwrap();
    let keys: Vec<_> = config.previous_master_keys.iter().map(|key| *key.expose()).collect();
    assert_eq!(keys, [*config.master_key.expose(), key_bytes()]);
    for (key, value) in [
        ("previous_master_keys", "[\"canary\"]"),
        ("previous_master_key_files", "[\"/nonexistent\"]"),
        ("previous_master_key_files", "[\"/dev/null\"]"),
        ("backup_horizon_days", "-1"),
    ] {
        let found = faults(&format!("master_key = {other:?}\n{key} = {value}"), &[]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, key);
        assert!(!found[0].1.contains("canary"), "{found:?}");
    }
}

/// All faults come at once, each under its key or its variable's name, and none holds a secret.
#[test]
fn all_faults_at_once() {
    let toml = r#"
        listen = "localhost"
        public_url = "http://relay.example"
        database_url = "mysql://root:hunter2@db/x"
        master_key = "aHVudGVyMg=="
        trusted_proxies = ["10.1.0.0/8"]
        tls_cert = "cert.pem"
        allow_sandbox = "true"
        nonsense = 1
        [limits]
        connections = 0
        body_s = "3"
        speed = 9
        [[carriers]]
        id = "Main"
        [[carriers]]
        id = "a"
        kind = "twilio"
        api_base = "ftp://x"
        [[carriers]]
        id = "a"
        kind = "twilio"
    "#;
    let env = [
        ("ENTREMISE_LOG__FORMAT", "xml"),
        ("ENTREMISE_JOBS__POLL", "1"),
        ("ENTREMISE_WHATEVER", "1"),
        ("ENTREMISE_OTHER__THING", "1"),
        ("ENTREMISE_listen", "1"),
        ("ENTREMISE_LIMITS__", "1"),
        ("ENTREMISE_CARRIERS__9__ID", "x"),
        ("ENTREMISE_LISTEN__PORT", "1"),
    ];
    let found = faults(toml, &env);
    let names: BTreeSet<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
    let expected = [
        "listen",
        "public_url",
        "database_url",
        "master_key",
        "trusted_proxies",
        "tls_key",
        "allow_sandbox",
        "nonsense",
        "limits.connections",
        "limits.body_s",
        "limits.speed",
        "carriers.0.id",
        "carriers.0.kind",
        "carriers.1.api_base",
        "carriers.2.id",
        "ENTREMISE_LOG__FORMAT",
        "ENTREMISE_JOBS__POLL",
        "ENTREMISE_WHATEVER",
        "ENTREMISE_OTHER__THING",
        "ENTREMISE_listen",
        "ENTREMISE_LIMITS__",
        "ENTREMISE_CARRIERS__9__ID",
        "ENTREMISE_LISTEN__PORT",
    ];
    assert_eq!(names, BTreeSet::from(expected), "{found:#?}");
    assert_eq!(found.len(), expected.len(), "one fault for each key: {found:#?}");
    let shown = load(toml, &env).unwrap_err().to_string();
    assert_eq!(shown.lines().count(), expected.len());
    for secret in ["hunter2", "aHVudGVyMg"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// A file that is not TOML is one fault with its line, without quoting what stands there.
#[test]
fn bad_toml_names_its_line() {
    let env = [("ENTREMISE_MASTER_KEY", KEY)];
    let found = faults("listen = \"127.0.0.1:1\"\nmaster_key = hunter2 hunter2\n", &env);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].0.ends_with(", line 2"), "{found:?}");
    assert!(!found[0].1.contains("hunter2"), "{found:?}");
    let missing = Config::load(Some(Path::new("/nonexistent.toml")), []).unwrap_err();
    assert_eq!(missing.0[0].key, "/nonexistent.toml");
}

/// What only makes sense together is checked together.
#[test]
fn settings_that_need_each_other() {
    let key = ("ENTREMISE_MASTER_KEY", KEY);
    assert_eq!(keys("listen = \"0.0.0.0:80\"", &[key]), ["public_url"]);
    assert_eq!(keys("ops_listen = \"127.0.0.1:8080\"", &[key]), ["ops_listen"]);
    let both =
        "[[carriers]]\nid = \"a\"\nkind = \"sandbox\"\n[[carriers]]\nid = \"b\"\nkind = \"x\"";
    assert_eq!(keys(both, &[key]), ["allow_sandbox"]);
    load(both, &[key, ("ENTREMISE_ALLOW_SANDBOX", "true")]).unwrap();
    for url in ["https://a/b", "https://a?b", "https://u@a", "ftp://a", "//a", "http://10.0.0.1"] {
        assert_eq!(keys("", &[key, ("ENTREMISE_PUBLIC_URL", url)]), ["ENTREMISE_PUBLIC_URL"]);
    }
    for url in ["http://localhost:8080", "http://127.0.0.1:1", "http://[::1]:1", "https://a:8443"] {
        let config = load("", &[key, ("ENTREMISE_PUBLIC_URL", url)]).unwrap();
        assert_eq!(config.public_url.as_deref(), Some(url));
    }
    for url in ["sqlite:", "sqlite::memory:", "sqlite://x?mode=memory", "postgres:x", "x"] {
        assert_eq!(keys("", &[key, ("ENTREMISE_DATABASE_URL", url)]), ["ENTREMISE_DATABASE_URL"]);
    }
}

/// `egress_allow` opens single addresses with a port: no name, no range, nothing that is no host.
#[test]
fn only_addresses_are_allowed_to_be_called() {
    let key = ("ENTREMISE_MASTER_KEY", KEY);
    for wrong in [
        "shop.internal:443",
        "10.0.0.5",
        "10.0.0.0/8:443",
        "10.0.0.5:0",
        "0.0.0.0:80",
        "224.0.0.1:80",
    ] {
        let found = faults(&format!("egress_allow = [{wrong:?}]"), &[key]);
        assert_eq!(found.len(), 1, "{wrong}: {found:?}");
        assert_eq!(found[0].0, "egress_allow");
        assert!(found[0].1.contains("10.0.0.5:8443"), "{found:?}");
    }
    let env = ("ENTREMISE_EGRESS_ALLOW", "127.0.0.1:1, [fd00::5]:443");
    let config = load("", &[key, env]).unwrap();
    assert_eq!(config.egress_allow, ["127.0.0.1:1", "[fd00::5]:443"].map(address));
}

/// `Debug` of the settings shows no secret, so that they may be logged.
#[test]
fn debug_masks() {
    let toml = "database_url = \"postgres://u:hunter2@db/x\"\n[[carriers]]\nid = \"t\"\nkind = \
                \"twilio\"\nauth_token = \"hunter3\"";
    let config = load(toml, &[("ENTREMISE_MASTER_KEY", KEY)]).unwrap();
    let shown = format!("{config:?}");
    for secret in ["hunter2", "hunter3", "AAECAw", "[0, 1, 2"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("auth_token"));
}

/// One setting of the example: its path and its line, and the comment above it.
struct Shown {
    path: String,
    line: String,
    comment: String,
}

fn example() -> Vec<Shown> {
    let mut table = String::new();
    let mut comment = String::new();
    let mut found = Vec::new();
    for line in include_str!("../entremise.example.toml").lines() {
        let setting = line.strip_prefix('#').filter(|rest| {
            rest.split_once(" = ").is_some_and(|(key, _)| {
                key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            })
        });
        if let Some(setting) = setting {
            let key = setting.split(" = ").next().unwrap();
            let comment = std::mem::take(&mut comment);
            found.push(Shown { path: format!("{table}{key}"), line: setting.to_owned(), comment });
        } else if let Some(name) = line.strip_prefix("[[").or(line.strip_prefix("#[[")) {
            table = format!("{}.", name.trim_end_matches(']'));
        } else if let Some(name) = line.strip_prefix('[').or(line.strip_prefix("#[")) {
            table = format!("{}.", name.trim_end_matches(']'));
        } else if let Some(text) = line.strip_prefix("# ") {
            comment.push_str(text);
            comment.push(' ');
        } else if line.is_empty() {
            comment.clear();
        }
    }
    found
}

/// The keys that the reader knows, from what it says of an unknown one.
fn known_keys() -> BTreeSet<String> {
    const TABLES: [&str; 13] = [
        "limits",
        "log",
        "jobs",
        "api",
        "twilio_proxy",
        "numbers",
        "verification",
        "sqlite",
        "media",
        "retention",
        "abuse",
        "console",
        "account_budget",
    ];
    let tables = TABLES.map(|table| format!("[{table}]\nx = 1\n")).concat();
    let toml = &format!("x = 1\n{tables}");
    let mut known = BTreeSet::new();
    for (key, message) in faults(toml, &[("ENTREMISE_MASTER_KEY", KEY)]) {
        let path = key.strip_suffix('x').unwrap();
        for name in message.strip_prefix("is unknown; known: ").unwrap().split(", ") {
            known.insert(format!("{path}{name}"));
        }
    }
    for table in TABLES.into_iter().chain(["carriers", "prices", "console.oidc"]) {
        assert!(known.remove(table), "{table}");
    }
    known.extend(
        [
            "id",
            "kind",
            "api_base",
            "texts_per_second",
            "texts_per_second_per_number",
            "calls_per_second",
            "budget_per_day",
            "budget_per_month",
            "texts_per_day",
            "minutes_per_day",
            "buying",
            "fallback_url",
        ]
        .map(|key| format!("carriers.{key}")),
    );
    known.extend(
        [
            "issuer",
            "client_id",
            "client_secret",
            "client_secret_file",
            "label",
            "scopes",
            "groups_claim",
            "second_factor",
            "groups.group",
            "groups.role",
            "groups.allow",
            "groups.account",
        ]
        .map(|key| format!("console.oidc.{key}")),
    );
    known.extend(["carrier", "code", "per", "price"].map(|key| format!("prices.{key}")));
    known
}

/// The example shows exactly the keys that are read, each with its meaning.
#[test]
fn the_example_shows_every_key() {
    let shown: BTreeSet<String> = example().iter().map(|shown| shown.path.clone()).collect();
    let own = ["carriers.account_sid", "carriers.auth_token_file"].map(str::to_owned);
    let known: BTreeSet<String> = known_keys().into_iter().chain(own.clone()).collect();
    assert_eq!(shown, known);
    for shown in example().iter().filter(|shown| !own.contains(&shown.path)) {
        assert!(shown.comment.len() > 15, "{} has no meaning", shown.path);
    }
}

/// The example's values are the defaults, except where it says that there is none; and every one
/// of them is valid.
#[test]
fn the_examples_values_are_the_defaults() {
    let env = [("ENTREMISE_MASTER_KEY", KEY)];
    let untouched = load(include_str!("../entremise.example.toml"), &env).unwrap();
    assert_eq!(untouched, Config::minimal(key_bytes()));

    let mut values = String::new();
    let mut section = String::new();
    let mut defaults = 0;
    for shown in example() {
        if shown.path.starts_with("carriers.")
            || shown.path.starts_with("console.oidc.")
            || shown.path.starts_with("prices.")
            || shown.comment.contains("No default")
        {
            continue;
        }
        let table = shown.path.rsplit_once('.').map_or("", |(table, _)| table);
        if table != section {
            writeln!(values, "[{table}]").unwrap();
            table.clone_into(&mut section);
        }
        writeln!(values, "{}", shown.line).unwrap();
        defaults += 1;
    }
    assert!(defaults > 15, "{values}");
    assert_eq!(load(&values, &env).unwrap(), Config::minimal(key_bytes()));

    let full = include_str!("../entremise.example.toml")
        .lines()
        .filter(|line| !line.contains("_file = ") && !line.contains("master_key_command"))
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') => rest,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n");
    let config = load(&full, &[]).unwrap();
    assert_eq!(config.oidc.unwrap().rules.groups[0].group, "support");
    assert_eq!(config.carriers[0].kind, "twilio");
    assert_eq!(config.master_key.expose(), &key_bytes());
}

/// `docs/config.md` has exactly the example's rows.
#[test]
fn the_docs_are_the_example() {
    let mut rows = String::new();
    for shown in example() {
        let own = ["carriers.account_sid", "carriers.auth_token_file"];
        if !own.contains(&&*shown.path) {
            let value = shown.line.split_once(" = ").unwrap().1;
            writeln!(rows, "| `{}` | `{value}` | {} |", shown.path, shown.comment.trim()).unwrap();
        }
    }
    let docs = include_str!("../docs/config.md").lines().filter(|line| line.starts_with("| `"));
    let docs = docs.fold(String::new(), |docs, line| docs + line + "\n");
    assert!(docs == rows, "docs/config.md should have these rows:\n{rows}");
}
