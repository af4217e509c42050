//! `[console.oidc]`: another login for staff.

use toml::Value;
use url::{Host, Url};

use super::{
    Oidc, Secret,
    reader::Reader,
    rules::{list, secret, text},
};
use crate::{
    domain::{
        oidc::{GroupRights, OidcRules, SecondFactor},
        staff::{Extra, Permission, Rights, Role},
    },
    ids::AccountId,
};

const ISSUER: &str = "the login's address as it names itself, such as \"https://login.example/realms/staff\": https, \
                      but for loopback addresses; no query, no fragment, no password";
const LABEL: &str = "a name of 40 characters or fewer";
const LABEL_CHARS: usize = 40;
const SCOPES: &str = "a list of scopes, such as [\"profile\", \"groups\"]";
const NAME: &str = "a name of 200 characters or fewer";
const NAME_CHARS: usize = 200;
const ROLE: &str = "a role: viewer, agent, supervisor, admin or auditor";
const ALLOW: &str = "a list of reveal, read_texts and export";
const GROUPS: &str = "must be a list of tables: `[[console.oidc.groups]]`";

/// The table below `oidc`; `None` where there is nothing in it.
pub(super) fn oidc(section: &mut Reader<'_>) -> Option<Oidc> {
    let table = match section.take("oidc")? {
        Value::Table(table) if table.is_empty() => return None,
        Value::Table(table) => table,
        _ => {
            section.fault("oidc", "must be a table: `[console.oidc]`");
            return None;
        }
    };
    section.below("oidc", table, read)
}

fn read(section: &mut Reader<'_>) -> Option<Oidc> {
    let issuer = needed(section, "issuer", ISSUER, issuer);
    let client_id = needed(section, "client_id", NAME, name);
    let before = section.faults_so_far();
    let client_secret = secret(section, "client_secret", "client_secret_file");
    if client_secret.as_ref().is_none_or(String::is_empty) && section.faults_so_far() == before {
        section.fault("client_secret", "is missing (or `client_secret_file`), or empty");
    }
    let label = section.optional("label", LABEL, |value| {
        name(value).filter(|label| label.chars().count() <= LABEL_CHARS)
    });
    let scopes = OidcRules::SCOPES.map(str::to_owned).to_vec();
    let scopes = section.value("scopes", scopes, SCOPES, |value| list(value, scope));
    let claim = OidcRules::GROUPS_CLAIM.to_owned();
    let groups_claim = section.value("groups_claim", claim, NAME, name);
    let second_factor =
        section.value("second_factor", SecondFactor::Provider, "provider or own", |value| {
            SecondFactor::parse(value.as_str()?)
        });
    let groups = groups(section);
    let rules = OidcRules {
        issuer: issuer?,
        client_id: client_id?,
        label,
        scopes,
        groups_claim,
        second_factor,
        groups,
    };
    Some(Oidc { rules, client_secret: Secret::new(client_secret?) })
}

fn needed<T>(
    section: &mut Reader<'_>,
    key: &'static str,
    rule: &str,
    parse: impl Fn(&Value) -> Option<T>,
) -> Option<T> {
    let before = section.faults_so_far();
    let found = section.optional(key, rule, parse);
    if found.is_none() && section.faults_so_far() == before {
        section.fault(key, format!("is missing: {rule}"));
    }
    found
}

fn groups(section: &mut Reader<'_>) -> Vec<GroupRights> {
    let entries = match section.take("groups") {
        None => Vec::new(),
        Some(Value::Array(entries)) => entries,
        Some(_) => {
            section.fault("groups", GROUPS);
            return Vec::new();
        }
    };
    if entries.is_empty() {
        section.fault("groups", "is missing: without a group that may do something nobody gets in");
    }
    let mut all = Vec::new();
    for (at, entry) in entries.into_iter().enumerate() {
        let key = format!("groups.{at}");
        match entry {
            Value::Table(table) => all.extend(section.below(&key, table, group)),
            _ => section.fault(&key, GROUPS),
        }
    }
    all
}

fn group(entry: &mut Reader<'_>) -> Option<GroupRights> {
    let group = needed(entry, "group", NAME, name);
    let role = needed(entry, "role", ROLE, |value| Role::parse(value.as_str()?));
    let allow = entry.value("allow", Vec::new(), ALLOW, |value| {
        list(value, |one| Permission::parse(one).filter(|one| Permission::EXTRA.contains(one)))
    });
    let account = entry.optional("account", "an account's id", |value| {
        AccountId::parse(value.as_str()?).ok().map(|id| id.to_string())
    });
    let rights = Rights { role: role?, extra: allow.into_iter().collect::<Extra>() };
    Some(GroupRights { group: group?, account, rights })
}

fn name(value: &Value) -> Option<String> {
    let name = text(value)?.trim().to_owned();
    let good =
        (1..=NAME_CHARS).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    good.then_some(name)
}

/// RFC 6749 §3.3.
fn scope(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    let good = (1..=NAME_CHARS).contains(&text.len()) && text.bytes().all(plain);
    good.then(|| text.to_owned())
}

/// Kept letter by letter: it is compared with what the other login says of itself.
fn issuer(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let url = Url::parse(text).ok()?;
    let loopback = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let good = (url.scheme() == "https" || (url.scheme() == "http" && loopback))
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    good.then(|| text.to_owned())
}
