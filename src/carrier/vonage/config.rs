//! The settings of one Vonage application, read all at once.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use ring::signature::RsaKeyPair;

use super::{SettingFault, Settings};
use crate::carrier::settings::{Faults, api_base, basic};

/// Vonage's own API addresses: the younger APIs, and SMS and numbers.
const API_BASE: &str = "https://api.nexmo.com";
const REST_BASE: &str = "https://rest.nexmo.com";

/// Where Vonage says that recordings lie: its API, and the API's regions.
const RECORDING_HOSTS: &[&str] = &[
    "api.nexmo.com",
    "api-us.nexmo.com",
    "api-us-3.vonage.com",
    "api-us-4.vonage.com",
    "api-eu-3.vonage.com",
    "api-eu-4.vonage.com",
    "api-ap-3.vonage.com",
    "api-ap-4.vonage.com",
];

/// The keys that this kind knows, for the message about any other.
const KEYS: &[&str] = &[
    "api_key",
    "api_secret",
    "application_id",
    "private_key",
    "signature_secret",
    "signature_secret_secondary",
    "texts",
    "sms_signature",
];

/// Which API carries texts: an account sends its inbound texts to one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Texts {
    /// The Messages API.
    Messages,
    /// The SMS API, and how its webhooks are signed.
    Sms(SmsSignature),
}

/// How the SMS API signs webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SmsSignature {
    /// SHA-256 HMAC.
    Sha256,
    /// SHA-512 HMAC.
    Sha512,
}

/// One Vonage application.
pub(super) struct Config {
    /// The account.
    pub(super) api_key: String,
    /// The application that the numbers are linked to.
    pub(super) application_id: String,
    /// Signs our tokens for the Voice API.
    pub(super) key_pair: RsaKeyPair,
    /// The secrets that may have signed a webhook: the account's, then any secondary.
    pub(super) signature_secrets: Vec<String>,
    /// Which API carries texts.
    pub(super) texts: Texts,
    api_secret: String,
    private_key: String,
    api_base: String,
    rest_base: String,
}

impl Config {
    /// Reads the settings.
    ///
    /// # Errors
    /// Every fault, none with a value in it.
    pub(super) fn read(settings: &Settings) -> Result<Self, Vec<SettingFault>> {
        let values = &settings.values;
        let mut faults = Faults::of(values, KEYS);
        let api_key = faults.need(values, "api_key");
        let api_secret = faults.need(values, "api_secret");
        let application_id = faults.need(values, "application_id");
        if application_id.as_deref().is_some_and(|id| !is_uuid(id)) {
            faults.add("application_id", "must be a UUID, as the dashboard shows it");
        }
        let signature_secret = faults.need(values, "signature_secret");
        let secondary = faults.text(values, "signature_secret_secondary");
        let key = private_key(&mut faults, values);
        let texts = texts(&mut faults, values);
        let (Some(api_key), Some(api_secret), Some(application_id), Some(first), Some(key), true) =
            (api_key, api_secret, application_id, signature_secret, key, faults.0.is_empty())
        else {
            return Err(faults.0);
        };
        let (private_key, key_pair) = key;
        Ok(Self {
            api_key,
            application_id,
            key_pair,
            signature_secrets: std::iter::once(first).chain(secondary).collect(),
            texts,
            api_secret,
            private_key,
            api_base: api_base(settings, API_BASE),
            rest_base: api_base(settings, REST_BASE),
        })
    }

    /// Where calls are placed.
    pub(super) fn calls_url(&self) -> String {
        format!("{}/v1/calls", self.api_base)
    }

    /// What the addresses of recordings begin with: our own API's, and those of all of Vonage's regions,
    /// since each call is recorded where it is handled.
    pub(super) fn recordings_bases(&self) -> impl Iterator<Item = String> {
        let hosts = RECORDING_HOSTS.iter().map(|host| format!("https://{host}"));
        std::iter::once(self.api_base.clone()).chain(hosts).map(|base| format!("{base}/v1/files"))
    }

    /// Where records of texts and calls are redacted.
    pub(super) fn redact_url(&self) -> String {
        format!("{}/v1/redact/transaction", self.api_base)
    }

    /// Where texts are sent.
    pub(super) fn texts_url(&self) -> String {
        match self.texts {
            Texts::Messages => format!("{}/v1/messages", self.api_base),
            Texts::Sms(_) => format!("{}/sms/json", self.rest_base),
        }
    }

    /// Where the application's settings are.
    pub(super) fn application_url(&self) -> String {
        format!("{}/v2/applications/{}", self.api_base, self.application_id)
    }

    /// Where the account's numbers are listed.
    pub(super) fn numbers_url(&self) -> String {
        self.rest_url("/account/numbers")
    }

    /// The address of a resource of the older APIs.
    pub(super) fn rest_url(&self, path: &str) -> String {
        format!("{}{path}", self.rest_base)
    }

    /// The value of the `Authorization` header (RFC 7617), for every API but Voice.
    pub(super) fn authorization(&self) -> String {
        basic(&self.api_key, &self.api_secret)
    }

    /// All that must never be logged, also as it stands in the `Authorization` header.
    pub(super) fn secrets(&self) -> Vec<String> {
        let mut secrets = self.signature_secrets.clone();
        // No secret at Vonage, but a half of one.
        secrets.push(self.api_key.clone());
        secrets.push(self.api_secret.clone());
        secrets.push(self.private_key.clone());
        secrets.push(self.authorization().trim_start_matches("Basic ").to_owned());
        secrets
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("application_id", &self.application_id)
            .field("signature_secrets", &self.signature_secrets.len())
            .field("texts", &self.texts)
            .finish_non_exhaustive()
    }
}

/// One of the words in `allowed`; none is the first.
fn word(faults: &mut Faults, values: &toml::Table, key: &str, allowed: [&str; 2]) -> usize {
    let Some(value) = values.get(key) else { return 0 };
    let place = allowed.iter().position(|word| value.as_str() == Some(word));
    if place.is_none() {
        faults.add(key, &format!("must be \"{}\" or \"{}\"", allowed[0], allowed[1]));
    }
    place.unwrap_or(0)
}

fn texts(faults: &mut Faults, values: &toml::Table) -> Texts {
    let signature = match word(faults, values, "sms_signature", ["sha256", "sha512"]) {
        0 => SmsSignature::Sha256,
        _ => SmsSignature::Sha512,
    };
    match word(faults, values, "texts", ["messages", "sms"]) {
        0 => {
            if values.contains_key("sms_signature") {
                faults.add("sms_signature", "counts only beside texts = \"sms\"");
            }
            Texts::Messages
        }
        _ => Texts::Sms(signature),
    }
}

fn private_key(faults: &mut Faults, values: &toml::Table) -> Option<(String, RsaKeyPair)> {
    let Some(value) = values.get("private_key") else {
        faults.add("private_key", "is required (or private_key_file)");
        return None;
    };
    let text = value.as_str().unwrap_or_default();
    let pair = key_pair(text);
    if pair.is_none() {
        faults.add(
            "private_key",
            "must be the application's RSA private key in PEM, as the dashboard gives it",
        );
    }
    Some((text.to_owned(), pair?))
}

/// Reads PEM (RFC 7468): `PRIVATE KEY` (PKCS #8) or `RSA PRIVATE KEY` (PKCS #1).
fn key_pair(pem: &str) -> Option<RsaKeyPair> {
    let inside = |label: &str| {
        let (_, rest) = pem.split_once(&format!("-----BEGIN {label}-----"))?;
        let (text, _) = rest.split_once(&format!("-----END {label}-----"))?;
        BASE64.decode(text.split_ascii_whitespace().collect::<String>()).ok()
    };
    match inside("PRIVATE KEY") {
        Some(der) => RsaKeyPair::from_pkcs8(&der).ok(),
        None => RsaKeyPair::from_der(&inside("RSA PRIVATE KEY")?).ok(),
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}
