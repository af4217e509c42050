//! The settings: whatever the file and a variable say, what is taken holds every rule, and no fault
//! tells a secret.
//!
//! Input: a variable's name · its value · the file.

use std::{collections::BTreeSet, io::Write as _, time::Duration};

use entremise::{
    app,
    config::{Config, PREFIX},
};
use toml::Value;

use super::input::Input;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let (name, value) = (input.text(), input.text());
    let bytes = input.rest();
    let mut keys = Vec::new();
    let mut secrets = Vec::new();
    let table = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<toml::Table>().ok());
    if let Some(table) = table {
        walk(&Value::Table(table), "", &mut keys, &mut secrets);
    }
    // A setting that names a file has it read: not here.
    let names_file = |key: &String| key.to_ascii_lowercase().ends_with("_file");
    if keys.iter().chain([&name]).any(names_file) {
        return;
    }
    if secret_name(&name.to_ascii_lowercase()) {
        secrets.push(value.clone());
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let load = || Config::load(Some(file.path()), [(name.clone(), value.clone())]);
    let told = match load() {
        Ok(config) => {
            assert_eq!(load().ok().as_ref(), Some(&config), "settings change by themselves");
            if name == format!("{PREFIX}LISTEN") {
                assert_eq!(value.parse().ok(), Some(config.listen), "a variable does not win");
            }
            rules(&config);
            let mut told = format!("{config:?}");
            if let Err(faults) = app::carriers(&config, "https://relay.example", "http://127.0.0.1") {
                told.push_str(&faults.to_string());
            }
            told
        }
        Err(faults) => {
            let told = faults.to_string();
            assert!(!told.is_empty(), "refused without a word");
            told
        }
    };
    // Short ones and those that are also something else prove nothing.
    let path = file.path().display().to_string();
    let apart = |secret: &&String| {
        secret.len() >= 12
            && !path.contains(&**secret)
            && !name.contains(&**secret)
            // The example of our own words.
            && !"https://relay.example".contains(&**secret)
            && !keys.iter().any(|key| key.contains(&**secret))
            && String::from_utf8_lossy(bytes).matches(&**secret).count() <= 1
    };
    for secret in secrets.iter().filter(apart) {
        assert!(!told.contains(&**secret), "{told:?} tells {secret:?}");
    }
}

fn secret_name(key: &str) -> bool {
    ["token", "secret", "master_key", "database_url", "shared_keys"].iter().any(|one| key.contains(one))
}

/// Every key, and the texts under those whose name says that they are secret.
fn walk(value: &Value, key: &str, keys: &mut Vec<String>, secrets: &mut Vec<String>) {
    match value {
        Value::Table(table) => {
            for (name, value) in table {
                keys.push(name.clone());
                walk(value, &format!("{key}.{name}"), keys, secrets);
            }
        }
        Value::Array(values) => values.iter().for_each(|one| walk(one, key, keys, secrets)),
        Value::String(text) if secret_name(key) => secrets.push(text.clone()),
        _ => {}
    }
}

/// What entremise.example.toml promises of settings that were taken.
fn rules(config: &Config) {
    assert!(config.listen != config.ops_listen || config.listen.port() == 0);
    match &config.public_url {
        None => assert!(config.listen.ip().is_loopback()),
        Some(origin) => {
            let url = url::Url::parse(origin).expect("a URL");
            assert_eq!(url.origin().ascii_serialization(), *origin, "more than an origin");
            let host = url.host_str().unwrap().trim_matches(['[', ']']);
            let local = host.ends_with("localhost")
                || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
            assert!(url.scheme() == "https" || (url.scheme() == "http" && local), "{origin}");
        }
    }
    let database = config.database_url.expose();
    assert!(database.starts_with("sqlite:") || database.starts_with("postgres"));
    assert_ne!(config.master_key.expose(), &[0; 32]);
    assert_eq!(config.tls_cert.is_some(), config.tls_key.is_some());
    let ids: BTreeSet<&String> = config.carriers.iter().map(|one| &one.id).collect();
    assert_eq!(ids.len(), config.carriers.len(), "two carriers under one id");
    for id in ids {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!((1..=32).contains(&id.len()) && id.chars().all(plain) && !id.starts_with('-'));
    }
    for carrier in &config.carriers {
        assert!(carrier.api_base.as_ref().is_none_or(|base| base.starts_with("http")));
    }
    assert!(config.egress_allow.iter().all(|one| one.port() != 0 && !one.ip().is_unspecified()));
    for (ip, prefix) in &config.trusted_proxies {
        assert!(*prefix <= if ip.is_ipv4() { 32 } else { 128 });
    }
    let sandbox = |one: &entremise::config::CarrierConfig| one.kind == "sandbox";
    if config.carriers.iter().any(sandbox) && !config.allow_sandbox {
        assert!(config.listen.ip().is_loopback() && config.carriers.iter().all(sandbox));
    }
    let limits = &config.limits;
    for time in [limits.first_byte, limits.header, limits.body] {
        assert!((Duration::from_secs(1)..=Duration::from_mins(5)).contains(&time));
    }
    for count in [limits.connections, limits.connections_per_client, limits.in_flight] {
        assert!((1..=1_000_000).contains(&count));
    }
    for bytes in [limits.hook_body_bytes, limits.api_body_bytes] {
        assert!((1024..=16 << 20).contains(&bytes));
    }
    assert!(limits.drain <= Duration::from_hours(1));
    assert!((1..=1024).contains(&config.jobs.send_workers));
    assert!((10..=60_000).contains(&config.jobs.poll.as_millis()));
    assert!((1..=1_000_000).contains(&config.api.rate_per_minute));
}
