//! The settings by themselves: their faults, and what is allowed but unwise.

use std::{collections::BTreeSet, path::Path};

use super::report::Report;
use crate::{
    app,
    config::{Config, Fault, MediaStore, PREFIX},
};

/// The paths of the settings that are wrong, such as `carriers.0.auth_token`.
pub(super) struct Wrong(BTreeSet<String>);

impl Wrong {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this setting, or the file that it comes from, is.
    pub(super) fn has(&self, path: &str) -> bool {
        self.0.contains(path) || self.0.contains(&format!("{path}_file"))
    }
}

/// A fault's key as a path, where it came from a variable too.
fn path_of(key: &str) -> String {
    match key.strip_prefix(PREFIX) {
        Some(name) => name.to_ascii_lowercase().replace("__", "."),
        None => key.to_owned(),
    }
}

/// Tells the settings' faults and warnings; `faults` are those of reading them.
pub(super) fn check(
    report: &mut Report,
    config: &Config,
    file: Option<&Path>,
    faults: Vec<Fault>,
) -> Wrong {
    let mut wrong = Wrong(BTreeSet::new());
    let named = file.map(|file| file.display().to_string());
    for fault in faults {
        tell(report, &fault, named.as_deref());
        wrong.0.insert(path_of(&fault.key));
    }
    for fault in app::settings_faults(config) {
        // What could not be read looks missing from here.
        if !wrong.has(&fault.key) {
            tell(report, &fault, named.as_deref());
            wrong.0.insert(fault.key);
        }
    }
    if wrong.is_empty() {
        let carriers: Vec<&str> = config.carriers.iter().map(|one| one.id.as_str()).collect();
        let source = named.as_deref().unwrap_or("defaults and variables");
        let carriers =
            if carriers.is_empty() { "no carrier".to_owned() } else { carriers.join(", ") };
        report.ok("settings", format!("{source} ({carriers})"));
        if !config.egress_allow.is_empty() {
            let allowed: Vec<String> =
                config.egress_allow.iter().map(ToString::to_string).collect();
            let allowed = allowed.join(", ");
            report.ok("egress_allow", format!("marketplaces may have us call {allowed}"));
        }
    }
    unwise(report, config, &wrong);
    wrong
}

fn tell(report: &mut Report, fault: &Fault, file: Option<&str>) {
    let fix = if fault.key.starts_with(PREFIX) {
        format!("change the variable {}", fault.key)
    } else if file.is_some_and(|file| fault.key.starts_with(file)) {
        "mend the file, or give another with --config".to_owned()
    } else {
        let variable = fault.key.to_ascii_uppercase().replace('.', "__");
        let file = file.unwrap_or("a file for --config");
        format!("set it in {file}, or as {PREFIX}{variable}")
    };
    report.fail(&fault.key, &fault.message, fix);
}

fn unwise(report: &mut Report, config: &Config, wrong: &Wrong) {
    if config.carriers.is_empty() && !wrong.has("carriers") {
        report.warn(
            "carriers",
            "none is configured: nothing can be relayed",
            "add a [[carriers]] entry: docs/carriers/",
        );
    }
    if config.media.store == MediaStore::Beside
        && !config.database_url.expose().starts_with("sqlite:")
        && !wrong.has("database_url")
        && !wrong.has("media.store")
    {
        report.warn(
            "media.store",
            "is not set, and beside PostgreSQL nothing is kept: every picture is refused, and no \
             caller is offered voicemail",
            "set it to a bucket or a folder that all nodes see, or to off",
        );
    }
    let real = config.carriers.iter().find(|one| one.kind != "sandbox");
    let sandbox = config.carriers.iter().find(|one| one.kind == "sandbox");
    let reachable = config.public_url.as_deref().is_some_and(|url| !is_loopback(url));
    if let Some(real) = real
        && !reachable
        && !wrong.has("public_url")
    {
        report.warn(
            "public_url",
            format!("is not an address of the internet: `{}` can't reach this relay", real.id),
            "set it to the origin that carriers reach, such as https://relay.example",
        );
    }
    if let (Some(sandbox), Some(url)) = (sandbox, &config.public_url)
        && reachable
        && !config.allow_sandbox
    {
        report.warn(
            "allow_sandbox",
            format!(
                "`{}` is served behind {url}: whoever reaches it can drive its phones",
                sandbox.id
            ),
            "take the sandbox out, keep /sandbox from the internet, or set allow_sandbox = true",
        );
    }
}

/// Whether an origin is of this machine only.
fn is_loopback(origin: &str) -> bool {
    match url::Url::parse(origin).as_ref().map(url::Url::host) {
        Ok(Some(url::Host::Domain(name))) => name == "localhost" || name.ends_with(".localhost"),
        Ok(Some(url::Host::Ipv4(address))) => address.is_loopback(),
        Ok(Some(url::Host::Ipv6(address))) => address.is_loopback(),
        _ => false,
    }
}
