//! The settings of one Sinch service plan and voice application, read all at once.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::{SettingFault, Settings};
use crate::carrier::settings::{Faults, api_base, basic};

/// Where calls are placed, and where numbers and applications are set.
const CALLS_BASE: &str = "https://calling.api.sinch.com";
const SETTINGS_BASE: &str = "https://callingapi.sinch.com";

/// The keys that this kind knows, for the message about any other.
const KEYS: &[&str] = &[
    "service_plan_id",
    "api_token",
    "region",
    "application_key",
    "application_secret",
    "sms_webhook_secret",
    "sms_webhook_secret_secondary",
    "sms_webhook_username",
    "sms_webhook_password",
    "sms_webhook_key",
];

/// Where a service plan may be kept.
const REGIONS: &[&str] = &["us", "eu", "au", "br", "ca"];

/// The fewest characters of a password or key that is all the proof a webhook brings.
const PASSWORD_MIN: usize = 16;

/// What shows that a webhook about texts is from Sinch: one of these, and no other is ever taken.
pub(super) enum Proof {
    /// A signature with one of these secrets.
    Signed(Vec<String>),
    /// This value of the `Authorization` header.
    Password { header: String, password: String },
    /// This key in the address.
    Key(String),
}

/// One Sinch account: a service plan for texts and an application for calls.
pub(super) struct Config {
    /// The voice application.
    pub(super) application_key: String,
    /// Its secret, decoded: it signs webhooks about calls.
    pub(super) application_secret: Vec<u8>,
    /// What shows that webhooks about texts are authentic.
    pub(super) proof: Proof,
    service_plan_id: String,
    api_token: String,
    secret_text: String,
    texts_base: String,
    calls_base: String,
    settings_base: String,
}

impl Config {
    /// Reads the settings.
    ///
    /// # Errors
    /// Every fault, none with a value in it.
    pub(super) fn read(settings: &Settings) -> Result<Self, Vec<SettingFault>> {
        let values = &settings.values;
        let mut faults = Faults::of(values, KEYS);
        let plan = id(&mut faults, values, "service_plan_id");
        let api_token = faults.need(values, "api_token");
        let region = faults.text(values, "region").unwrap_or_else(|| "us".to_owned());
        if !REGIONS.contains(&region.as_str()) {
            faults.add("region", &format!("must be one of {}", REGIONS.join(", ")));
        }
        let key = id(&mut faults, values, "application_key");
        let secret = faults.need(values, "application_secret");
        let decoded = secret.as_deref().and_then(|text| BASE64.decode(text).ok());
        if secret.is_some() && decoded.is_none() {
            faults.add("application_secret", "must be base64, as the dashboard shows it");
        }
        let proof = proof(&mut faults, values);
        let (Some(plan), Some(token), Some(key), Some(text), Some(secret), Some(proof), true) =
            (plan, api_token, key, secret, decoded, proof, faults.0.is_empty())
        else {
            return Err(faults.0);
        };
        Ok(Self {
            application_key: key,
            application_secret: secret,
            proof,
            service_plan_id: plan,
            api_token: token,
            secret_text: text,
            texts_base: api_base(settings, &format!("https://{region}.sms.api.sinch.com")),
            calls_base: api_base(settings, CALLS_BASE),
            settings_base: api_base(settings, SETTINGS_BASE),
        })
    }

    /// Where texts are sent and listed.
    pub(super) fn batches_url(&self) -> String {
        format!("{}/xms/v1/{}/batches", self.texts_base, self.service_plan_id)
    }

    /// Where calls are placed and steered.
    pub(super) fn calls_url(&self, path: &str) -> String {
        format!("{}/calling/v1/{path}", self.calls_base)
    }

    /// Where numbers and applications are set.
    pub(super) fn settings_url(&self, path: &str) -> String {
        format!("{}/v1/configuration/{path}", self.settings_base)
    }

    /// The value of the `Authorization` header for texts.
    pub(super) fn token(&self) -> String {
        format!("Bearer {}", self.api_token)
    }

    /// The value of the `Authorization` header for calls.
    pub(super) fn application(&self) -> String {
        basic(&self.application_key, &self.secret_text)
    }

    /// All that must never be logged, also as it stands in a header.
    pub(super) fn secrets(&self) -> Vec<String> {
        let bare = |header: &str| header.trim_start_matches("Basic ").to_owned();
        let mut secrets =
            vec![self.api_token.clone(), self.secret_text.clone(), bare(&self.application())];
        match &self.proof {
            Proof::Signed(keys) => secrets.extend(keys.iter().cloned()),
            Proof::Password { header, password } => {
                secrets.extend([bare(header), password.clone()]);
            }
            Proof::Key(key) => secrets.push(key.clone()),
        }
        secrets
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("application_key", &self.application_key)
            .field("service_plan_id", &self.service_plan_id)
            .finish_non_exhaustive()
    }
}

/// An id of Sinch's, which becomes a part of paths.
fn id(faults: &mut Faults, values: &toml::Table, key: &str) -> Option<String> {
    let id = faults.need(values, key)?;
    if !super::is_id(&id) {
        faults.add(key, "must be letters, digits, dashes and underscores, at most 64");
    }
    Some(id)
}

/// The one way in which texts' webhooks are known.
fn proof(faults: &mut Faults, values: &toml::Table) -> Option<Proof> {
    let secret = faults.text(values, "sms_webhook_secret");
    let secondary = faults.text(values, "sms_webhook_secret_secondary");
    let username = faults.text(values, "sms_webhook_username");
    let password = faults.text(values, "sms_webhook_password");
    let key = faults.text(values, "sms_webhook_key");
    if username.as_deref().is_some_and(|name| name.contains(':')) {
        faults.add("sms_webhook_username", "must have no colon: it ends there");
    }
    for (name, given) in [("sms_webhook_password", &password), ("sms_webhook_key", &key)] {
        if given.as_deref().is_some_and(|given| given.len() < PASSWORD_MIN) {
            faults.add(name, "must have 16 characters or more: nothing else shows who calls");
        }
    }
    // It stands in an address.
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if key.as_deref().is_some_and(|key| !key.bytes().all(plain)) {
        faults.add("sms_webhook_key", "must be letters, digits, dashes and underscores");
    }
    match (secret, secondary, username, password, key) {
        (Some(first), second, None, None, None) => {
            Some(Proof::Signed(std::iter::once(first).chain(second).collect()))
        }
        (None, None, Some(name), Some(password), None) => {
            Some(Proof::Password { header: basic(&name, &password), password })
        }
        (None, None, None, None, Some(key)) => Some(Proof::Key(key)),
        _ => {
            faults.add(
                "sms_webhook_secret",
                "is required; or sms_webhook_username and sms_webhook_password, or \
                 sms_webhook_key, and only one of the three",
            );
            None
        }
    }
}
