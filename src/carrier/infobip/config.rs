//! The settings of one Infobip account, read all at once.

use std::fmt;

use super::{SettingFault, Settings};
use crate::carrier::settings::{Faults, api_base, basic};

/// Infobip's general API address; each account has one of its own besides.
const API_BASE: &str = "https://api.infobip.com";

/// The keys that this kind knows, for the message about any other.
const KEYS: &[&str] = &[
    "api_key",
    "calls_configuration_id",
    "webhook_username",
    "webhook_password",
    "webhook_password_secondary",
];

/// One Infobip account.
pub(super) struct Config {
    /// The calls configuration that the numbers forward their calls to.
    pub(super) calls_configuration: String,
    api_key: String,
    webhook_username: String,
    /// The passwords that a webhook may have: the first, then any secondary.
    webhook_passwords: Vec<String>,
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
        let api_key = faults.need(values, "api_key");
        let configuration = faults.need(values, "calls_configuration_id");
        if configuration.as_deref().is_some_and(|id| !super::is_id(id)) {
            faults.add("calls_configuration_id", "must be letters, digits and dashes, at most 64");
        }
        let username = faults.need(values, "webhook_username");
        if username.as_deref().is_some_and(|name| name.contains(':')) {
            faults.add("webhook_username", "must have no colon: it ends there");
        }
        let password = faults.need(values, "webhook_password");
        let secondary = faults.text(values, "webhook_password_secondary");
        for (key, given) in
            [("webhook_password", &password), ("webhook_password_secondary", &secondary)]
        {
            if given.as_deref().is_some_and(|given| given.len() < PASSWORD_MIN) {
                faults.add(key, "must have 16 characters or more: nothing else shows who calls");
            }
        }
        let (Some(api_key), Some(calls_configuration), Some(webhook_username), Some(first), true) =
            (api_key, configuration, username, password, faults.0.is_empty())
        else {
            return Err(faults.0);
        };
        Ok(Self {
            calls_configuration,
            api_key,
            webhook_username,
            webhook_passwords: std::iter::once(first).chain(secondary).collect(),
            api_base: api_base(settings, API_BASE),
        })
    }

    /// An address of the API.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.api_base)
    }

    /// The value of the `Authorization` header of our requests.
    pub(super) fn authorization(&self) -> String {
        format!("App {}", self.api_key)
    }

    /// The values that the `Authorization` header of a webhook may have.
    pub(super) fn webhook_authorizations(&self) -> impl Iterator<Item = String> + use<'_> {
        self.webhook_passwords.iter().map(|password| basic(&self.webhook_username, password))
    }

    /// All that must never be logged, also as it stands in an `Authorization` header.
    pub(super) fn secrets(&self) -> Vec<String> {
        let mut secrets = self.webhook_passwords.clone();
        secrets.push(self.api_key.clone());
        let headers = self.webhook_authorizations();
        secrets.extend(headers.map(|header| header.trim_start_matches("Basic ").to_owned()));
        secrets
    }
}

/// The fewest characters of a password that is all the proof a webhook brings.
const PASSWORD_MIN: usize = 16;

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("calls_configuration", &self.calls_configuration)
            .field("webhook_passwords", &self.webhook_passwords.len())
            .finish_non_exhaustive()
    }
}
