//! The settings of one Twilio account, read all at once.

use std::{collections::BTreeMap, fmt};

use super::{SettingFault, Settings, is_sid};
use crate::carrier::settings::{Faults, api_base, basic};

/// Twilio's own API address.
const API_BASE: &str = "https://api.twilio.com";

/// Where it tells its prices.
const PRICING_BASE: &str = "https://pricing.twilio.com";

/// The keys that this kind knows, for the message about any other.
const KEYS: &[&str] = &[
    "account_sid",
    "auth_token",
    "auth_token_secondary",
    "shared_keys",
    "api_key_sid",
    "api_key_secret",
];

/// One Twilio account.
pub(super) struct Config {
    /// `AC` and 32 hex digits.
    pub(super) account_sid: String,
    /// The auth tokens that may have signed a webhook: the primary, then any secondary.
    pub(super) auth_tokens: Vec<String>,
    /// Secrets of shared keys by key id, for webhooks that are signed with HMAC-SHA-256.
    pub(super) shared_keys: BTreeMap<String, String>,
    /// Name and password of REST requests.
    credentials: (String, String),
    /// Where the REST API is, without a slash at the end.
    api_base: String,
}

impl Config {
    /// Reads the settings.
    ///
    /// # Errors
    /// Every fault, none with a value in it.
    pub(super) fn read(settings: &Settings) -> Result<Self, Vec<SettingFault>> {
        let values = &settings.values;
        let mut faults = Faults::of(values, KEYS);
        let account_sid = faults.need(values, "account_sid");
        sid(&mut faults, account_sid.as_deref(), "account_sid", "AC");
        let auth_token = faults.need(values, "auth_token");
        let secondary = faults.text(values, "auth_token_secondary");
        let shared_keys = shared_keys(&mut faults, values.get("shared_keys"));
        let key_sid = faults.text(values, "api_key_sid");
        sid(&mut faults, key_sid.as_deref(), "api_key_sid", "SK");
        let key_secret = faults.text(values, "api_key_secret");
        match (values.contains_key("api_key_sid"), values.contains_key("api_key_secret")) {
            (true, false) => faults.add("api_key_secret", "is required beside api_key_sid"),
            (false, true) => faults.add("api_key_sid", "is required beside api_key_secret"),
            _ => {}
        }
        let (Some(account_sid), Some(auth_token), true) =
            (account_sid, auth_token, faults.0.is_empty())
        else {
            return Err(faults.0);
        };
        let credentials =
            key_sid.zip(key_secret).unwrap_or_else(|| (account_sid.clone(), auth_token.clone()));
        Ok(Self {
            account_sid,
            auth_tokens: std::iter::once(auth_token).chain(secondary).collect(),
            shared_keys,
            credentials,
            api_base: api_base(settings, API_BASE),
        })
    }

    /// The address of the account's resource `path`, such as `/Messages`; empty for the account.
    pub(super) fn account_url(&self, path: &str) -> String {
        format!("{}/2010-04-01/Accounts/{}{path}.json", self.api_base, self.account_sid)
    }

    /// The address of a resource of the price list: of the same stand-in where there is one.
    pub(super) fn pricing_url(&self, path: &str) -> String {
        let base = if self.api_base == API_BASE { PRICING_BASE } else { &self.api_base };
        format!("{base}/v1{path}")
    }

    /// What the addresses of texts, and of what came with them, begin with.
    pub(super) fn messages_base(&self) -> String {
        format!("{}/2010-04-01/Accounts/{}/Messages", self.api_base, self.account_sid)
    }

    /// What the addresses of recordings begin with.
    pub(super) fn recordings_base(&self) -> String {
        format!("{}/2010-04-01/Accounts/{}/Recordings", self.api_base, self.account_sid)
    }

    /// Whether REST requests use an API key, and the auth token only signs webhooks.
    pub(super) fn has_api_key(&self) -> bool {
        self.credentials.0 != self.account_sid
    }

    /// The value of the `Authorization` header.
    pub(super) fn authorization(&self) -> String {
        basic(&self.credentials.0, &self.credentials.1)
    }

    /// The same with the primary auth token.
    pub(super) fn token_authorization(&self) -> String {
        basic(&self.account_sid, self.auth_tokens.first().map_or("", String::as_str))
    }

    /// All that must never be logged, also as it stands in the `Authorization` header.
    pub(super) fn secrets(&self) -> Vec<String> {
        let mut secrets: Vec<String> = self.auth_tokens.clone();
        secrets.extend(self.shared_keys.values().cloned());
        secrets.push(self.credentials.1.clone());
        for header in [self.authorization(), self.token_authorization()] {
            secrets.push(header.trim_start_matches("Basic ").to_owned());
        }
        secrets.sort();
        secrets.dedup();
        secrets
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("account_sid", &self.account_sid)
            .field("auth_tokens", &self.auth_tokens.len())
            .field("shared_keys", &self.shared_keys.len())
            .finish_non_exhaustive()
    }
}

fn sid(faults: &mut Faults, value: Option<&str>, key: &str, prefix: &str) {
    if value.is_some_and(|value| !is_sid(prefix, value)) {
        faults.add(key, &format!("must be {prefix} and 32 hex digits"));
    }
}

fn shared_keys(faults: &mut Faults, value: Option<&toml::Value>) -> BTreeMap<String, String> {
    let Some(value) = value else { return BTreeMap::new() };
    let Some(table) = value.as_table() else {
        faults.add("shared_keys", "must be a table from key id to secret");
        return BTreeMap::new();
    };
    table
        .iter()
        .filter_map(|(id, secret)| {
            let secret = faults.checked(secret, &format!("shared_keys.{id}"))?;
            Some((id.clone(), secret))
        })
        .collect()
}
