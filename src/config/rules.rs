//! What each setting may be, in words for the operator and in code.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use toml::{Table, Value};

use super::{
    CarrierConfig, Config, Media, MediaStore, Rates, Secret, prices::carrier_budget, reader::Reader,
};
use crate::domain::{phone::Permits, verification::Limits};

pub(super) const ADDRESS: &str = "an address with a port, such as \"127.0.0.1:8080\"";
pub(super) const PUBLIC_URL: &str = "an origin such as \"https://relay.example\": https (http only \
                                     for a loopback host), no user, path or query";
pub(super) const DATABASE_URL: &str =
    "\"sqlite:PATH\" (a file, not :memory:) or \"postgres://USER:PASSWORD@HOST/NAME\"";
pub(super) const CALLABLE: &str = "a list of addresses with ports, such as [\"10.0.0.5:8443\", \
                                   \"[fd00::5]:443\"]; no names, no ranges";
pub(super) const RANGES: &str =
    "a list of addresses or ranges, such as [\"10.0.0.0/8\", \"::1\"]; no host bits";
pub(super) const PERMITS: &str = "a list of prefixes, each with a space and the reason of 3 to 200 \
                                 characters, such as [\"+33612 Permit 17 of Arcep\"]";
pub(super) const FILE: &str = "the path of a PEM file";
pub(super) const HEADS_FILE: &str = "the path of a file that is written";
pub(super) const APPROVERS: &str = "a list of \"name:public key\", names of 1 to 32 of a-z, 0-9 and -, keys as `entremise disclosure key` prints";
pub(super) const BOOLEAN: &str = "true or false";
pub(super) const FILTER: &str = "a filter, such as \"info,entremise::relay=debug\"";
pub(super) const FORMAT: &str = "\"auto\", \"json\" or \"human\"";
const CARRIER_ID: &str = "1 to 32 of a-z, 0-9 and -, not beginning with -, and unique";
const FALLBACK_URL: &str = "an address such as \"https://static.example/fallback.xml\"";
const MEDIA_STORE: &str = "\"off\", \"file:///FOLDER\" or \"s3://BUCKET/PREFIX\", the last two of a-z, A-Z, 0-9, -, . and _";
const API_BASE: &str = "an http or https address without a query, such as \"https://api.example\"";

const RATE: &str = "a number from 0.01 to 10000, such as 0.5 or 20";

/// The form of a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Human,
}

pub(super) fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned)
}

pub(super) fn path(value: &Value) -> Option<PathBuf> {
    text(value).map(PathBuf::from)
}

pub(super) fn format(value: &Value) -> Option<LogFormat> {
    match value.as_str()? {
        "auto" => Some(LogFormat::Auto),
        "json" => Some(LogFormat::Json),
        "human" => Some(LogFormat::Human),
        _ => None,
    }
}

pub(super) fn address(value: &Value) -> Option<SocketAddr> {
    value.as_str()?.parse().ok()
}

pub(super) fn public_url(value: &Value) -> Option<String> {
    let url = url::Url::parse(value.as_str()?).ok()?;
    let loopback = match url.host()? {
        url::Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => address.is_loopback(),
    };
    let plain = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let secure = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    (plain && secure).then(|| url.origin().ascii_serialization())
}

pub(super) fn database_url(value: &Value) -> Option<Secret> {
    let text = value.as_str()?;
    let good = match text.split_once(':')? {
        ("sqlite", path) => {
            let path = path.strip_prefix("//").unwrap_or(path);
            !path.is_empty() && !path.contains(":memory:") && !path.contains("mode=memory")
        }
        ("postgres" | "postgresql", rest) => {
            rest.starts_with("//") && url::Url::parse(text).is_ok()
        }
        _ => false,
    };
    good.then(|| Secret::new(text))
}

pub(super) fn list<T>(value: &Value, item: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    value.as_array()?.iter().map(|value| item(value.as_str()?)).collect()
}

/// Names are left out on purpose: what a name leads to is for its owner to say.
pub(super) fn callable(value: &Value) -> Option<Vec<SocketAddr>> {
    list(value, |text| {
        let address: SocketAddr = text.parse().ok()?;
        let ip = address.ip();
        (address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast()).then_some(address)
    })
}

pub(super) fn ranges(value: &Value) -> Option<Vec<(IpAddr, u8)>> {
    list(value, range)
}

/// Names and keys, each once: the same key under two names would be one person twice.
pub(super) fn approvers(value: &Value) -> Option<Vec<(String, String)>> {
    let found = list(value, |text| {
        let (name, key) = text.split_once(':')?;
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let named = (1..=32).contains(&name.len()) && name.bytes().all(plain);
        let is_key = key.len() == 44 && key.ends_with('=');
        (named && is_key).then(|| (name.to_owned(), key.to_owned()))
    })?;
    let once = |at: usize| {
        let (name, key) = &found[at];
        found[..at].iter().all(|(other, its)| other != name && its != key)
    };
    (0..found.len()).all(once).then_some(found)
}

pub(super) fn permits(value: &Value) -> Option<Permits> {
    let entries: Vec<&str> = value.as_array()?.iter().map(Value::as_str).collect::<Option<_>>()?;
    Permits::parse(entries)
}

/// An address is a range of one. Bits after the prefix must be zero: `10.1.0.0/8` is a mistake.
fn range(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
    let address: IpAddr = address.parse().ok()?;
    let (bits, most) = match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    };
    let prefix: u8 = prefix.map_or(Some(most), |prefix| prefix.parse().ok())?;
    let host_bits = bits.checked_shl(u32::from(prefix)).unwrap_or(0);
    (prefix <= most && host_bits == 0).then_some((address, prefix))
}

/// The text of `key`, or of the file that its `…_file` twin names.
pub(super) fn secret(
    reader: &mut Reader<'_>,
    key: &'static str,
    twin: &'static str,
) -> Option<String> {
    let file = reader.optional(twin, "the path of a file", path);
    let value = reader.optional(key, "text", text);
    match (value, file) {
        (Some(_), Some(_)) => {
            reader.fault(key, format!("and `{twin}` exclude each other"));
            None
        }
        (None, Some(file)) => match std::fs::read_to_string(&file) {
            Ok(text) => Some(text.trim().to_owned()),
            Err(error) => {
                reader.fault(twin, format!("cannot be read: {}: {error}", file.display()));
                None
            }
        },
        (value, None) => value,
    }
}

pub(super) fn carriers(reader: &mut Reader<'_>) -> Vec<CarrierConfig> {
    let entries = match reader.take("carriers") {
        None => Vec::new(),
        Some(Value::Array(entries)) => entries,
        Some(_) => {
            reader.fault("carriers", "must be a list of tables: `[[carriers]]`");
            Vec::new()
        }
    };
    let mut ids = BTreeSet::new();
    let mut carriers = Vec::new();
    for (at, entry) in entries.into_iter().enumerate() {
        let key = format!("carriers.{at}");
        match entry {
            Value::Table(table) => {
                carriers.push(reader.below(&key, table, |entry| carrier(entry, &mut ids)));
            }
            _ => reader.fault(&key, "must be a table: `[[carriers]]`"),
        }
    }
    carriers
}

fn carrier(entry: &mut Reader<'_>, ids: &mut BTreeSet<String>) -> CarrierConfig {
    let id = required(entry, "id", CARRIER_ID, |value| {
        let id = value.as_str()?;
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let good = (1..=32).contains(&id.len()) && id.bytes().all(plain) && !id.starts_with('-');
        (good && !ids.contains(id)).then(|| id.to_owned())
    });
    ids.insert(id.clone());
    let kind = required(entry, "kind", "the name of a kind of carrier", text);
    let api_base = entry.optional("api_base", API_BASE, base_address);
    let rates = Rates {
        texts: entry.optional("texts_per_second", RATE, rate),
        texts_of_number: entry.optional("texts_per_second_per_number", RATE, rate),
        calls: entry.optional("calls_per_second", RATE, rate),
    };
    let budget = carrier_budget(entry);
    let buying = entry.value("buying", false, BOOLEAN, Value::as_bool);
    let fallback_url = entry.optional("fallback_url", FALLBACK_URL, |value| {
        let url = url::Url::parse(value.as_str()?).ok()?;
        let good = matches!(url.scheme(), "http" | "https") && url.has_host();
        good.then(|| url.as_str().to_owned())
    });
    let table = entry.rest();
    CarrierConfig {
        id,
        kind,
        api_base,
        rates,
        budget,
        buying,
        fallback_url,
        values: with_files_read(&table, entry),
    }
}

/// The time between two of so many in a second.
fn rate(value: &Value) -> Option<Duration> {
    let per_second = match value {
        Value::Integer(whole) => f64::from(i32::try_from(*whole).ok()?),
        Value::Float(number) => *number,
        // From a variable.
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    (0.01..=10_000.0).contains(&per_second).then(|| Duration::from_secs_f64(per_second.recip()))
}

/// An address that others are made from: no slash at its end.
fn base_address(value: &Value) -> Option<String> {
    let url = url::Url::parse(value.as_str()?).ok()?;
    let good = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.query().is_none()
        && url.fragment().is_none();
    good.then(|| url.as_str().trim_end_matches('/').to_owned())
}

fn required(
    entry: &mut Reader<'_>,
    key: &'static str,
    rule: &str,
    parse: impl Fn(&Value) -> Option<String>,
) -> String {
    let before = entry.faults_so_far();
    entry.optional(key, rule, parse).unwrap_or_else(|| {
        if entry.faults_so_far() == before {
            entry.fault(key, format!("is missing: {rule}"));
        }
        String::new()
    })
}

fn with_files_read(table: &Table, entry: &mut Reader<'_>) -> Table {
    let mut values = Table::new();
    for (key, value) in table.clone() {
        let Some(name) = key.strip_suffix("_file") else {
            values.insert(key, value);
            continue;
        };
        if table.contains_key(name) {
            entry.fault(name, format!("and `{key}` exclude each other"));
            continue;
        }
        match value.as_str().map(std::fs::read_to_string) {
            Some(Ok(text)) => {
                values.insert(name.to_owned(), Value::String(text.trim().to_owned()));
            }
            Some(Err(error)) => entry.fault(&key, format!("cannot be read: {error}")),
            None => entry.fault(&key, "must be the path of a file"),
        }
    }
    values
}

pub(super) fn verification(limits: &mut Reader<'_>) -> Limits {
    let defaults = Limits::default();
    let most = 0..=1_000_000;
    let mut number = |key, default| limits.number(key, default, most.clone());
    Limits {
        person_hour: number("per_person_hour", defaults.person_hour),
        person_day: number("per_person_day", defaults.person_day),
        prefix_hour: number("per_prefix_hour", defaults.prefix_hour),
        client_hour: number("per_client_hour", defaults.client_hour),
        account_hour: number("per_account_hour", defaults.account_hour),
    }
}

pub(super) fn media(media: &mut Reader<'_>) -> Media {
    let store = media.value("store", MediaStore::Beside, MEDIA_STORE, media_store);
    let endpoint = media.optional("endpoint", API_BASE, base_address);
    let region = media.optional("region", "a name such as \"eu-west-3\"", text);
    let id = secret(media, "access_key_id", "access_key_id_file");
    let key = secret(media, "secret_access_key", "secret_access_key_file");
    if id.is_some() != key.is_some() {
        media.fault("secret_access_key", "and `access_key_id` go together");
    }
    let credentials = id.zip(key).map(|(id, key)| (Secret::new(id), Secret::new(key)));
    Media { store, endpoint, region, credentials }
}

fn media_store(value: &Value) -> Option<MediaStore> {
    let text = value.as_str()?;
    if text == "off" {
        return Some(MediaStore::Off);
    }
    if let Some(path) = text.strip_prefix("file://") {
        return (path.len() > 1 && path.starts_with('/')).then(|| MediaStore::Folder(path.into()));
    }
    let (bucket, prefix) = text
        .strip_prefix("s3://")?
        .split_once('/')
        .unwrap_or_else(|| (text.trim_start_matches("s3://"), ""));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte);
    let prefix = prefix.trim_end_matches('/');
    let good = (3..=63).contains(&bucket.len())
        && bucket.bytes().chain(prefix.bytes()).all(plain)
        && !prefix.split('/').any(|part| matches!(part, "." | ".."))
        && !prefix.contains("//");
    good.then(|| MediaStore::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

/// What holds between settings.
pub(super) fn together(config: &Config, top: &mut Reader<'_>) {
    let loopback = config.listen.ip().is_loopback();
    if config.public_url.is_none() && !loopback && !top.has_fault("public_url") {
        top.fault("public_url", format!("is missing, and `listen` is not loopback: {PUBLIC_URL}"));
    }
    match (&config.tls_cert, &config.tls_key) {
        (Some(_), None) => top.fault("tls_key", "is missing: `tls_cert` needs it"),
        (None, Some(_)) => top.fault("tls_cert", "is missing: `tls_key` needs it"),
        _ => {}
    }
    if config.listen == config.ops_listen && config.listen.port() != 0 {
        top.fault("ops_listen", "must differ from `listen`: it is not for the internet");
    }
    if let Some(message) = sandbox_misused(config) {
        top.fault("allow_sandbox", message);
    }
}

/// What is wrong with where a sandbox stands, if anything.
pub(super) fn sandbox_misused(config: &Config) -> Option<&'static str> {
    let sandbox = config.carriers.iter().any(|carrier| carrier.kind == "sandbox");
    let real = config.carriers.iter().any(|carrier| carrier.kind != "sandbox");
    let loopback = config.listen.ip().is_loopback();
    (sandbox && (real || !loopback) && !config.allow_sandbox).then_some(
        "must be true for a `sandbox` carrier beside a real one or with a `listen` that is not \
         loopback: whoever reaches it can drive its phones",
    )
}
