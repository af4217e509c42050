//! The sandbox's settings.

use crate::carrier::{SettingFault, Settings};

/// The fewest characters of a secret.
const SECRET_MIN: usize = 16;

/// What the adapter needs to know.
pub(super) struct Config {
    /// The address of the network's API, without a slash at the end.
    pub(super) api_base: String,
    /// Signs webhooks and opens the API.
    pub(super) secret: String,
}

impl Config {
    /// The value of `Authorization`.
    pub(super) fn bearer(&self) -> String {
        format!("Bearer {}", self.secret)
    }
}

/// Reads the settings.
///
/// # Errors
/// Every fault at once.
pub(super) fn read(settings: &Settings) -> Result<Config, Vec<SettingFault>> {
    let mut faults = Vec::new();
    let mut fault = |key: &str, message: &str| {
        faults.push(SettingFault { key: key.to_owned(), message: message.to_owned() });
    };
    let secret = settings.values.get("secret").and_then(toml::Value::as_str).unwrap_or_default();
    if secret.len() < SECRET_MIN || !secret.bytes().all(|b| b.is_ascii_graphic()) {
        fault("secret", "must be at least 16 visible ASCII characters without spaces");
    }
    for key in settings.values.keys().filter(|key| *key != "secret") {
        fault(key, "is not a setting of the sandbox, which knows only `secret`");
    }
    let api_base = settings.api_base.as_deref().unwrap_or_default().trim_end_matches('/');
    let web = url::Url::parse(api_base)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.query().is_none());
    if !web {
        fault("api_base", "must be the http address of the sandbox's API");
    }
    if faults.is_empty() {
        Ok(Config { api_base: api_base.to_owned(), secret: secret.to_owned() })
    } else {
        Err(faults)
    }
}
