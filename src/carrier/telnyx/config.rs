//! The settings of one Telnyx account, read all at once.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD as BASE64};

use super::{SettingFault, Settings, is_id};
use crate::carrier::settings::{Faults, api_base};

/// Telnyx's own API address.
const API_BASE: &str = "https://api.telnyx.com";

/// The keys that this kind knows, for the message about any other.
const KEYS: &[&str] = &[
    "api_key",
    "voice",
    "public_key",
    "public_key_secondary",
    "account_sid",
    "application_id",
    "messaging_profile_id",
];

/// How many bytes an Ed25519 public key has (RFC 8032).
const PUBLIC_KEY_BYTES: usize = 32;

/// How calls are steered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Voice {
    /// By documents in answers.
    Texml,
    /// By commands of ours.
    CallControl,
}

/// One Telnyx account.
pub(super) struct Config {
    /// How its calls are steered.
    pub(super) voice: Voice,
    /// The account's organization; empty where no call is ended below it.
    pub(super) account_sid: String,
    /// The `TeXML` or Call Control application that places calls, and that its numbers are assigned to.
    pub(super) application_id: String,
    /// The messaging profile that its numbers are assigned to, where it is to be checked.
    pub(super) messaging_profile_id: Option<String>,
    /// The keys that may have signed a webhook: the primary, then any secondary.
    pub(super) public_keys: Vec<Vec<u8>>,
    /// The same as they stand in the settings.
    public_key_texts: Vec<String>,
    api_key: String,
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
        let api_key = faults.need(values, "api_key");
        let public_key_texts: Vec<String> =
            [faults.need(values, "public_key"), faults.text(values, "public_key_secondary")]
                .into_iter()
                .flatten()
                .collect();
        let voice = match faults.text(values, "voice").as_deref() {
            None | Some("texml") => Voice::Texml,
            Some("call_control") => Voice::CallControl,
            Some(_) => {
                faults.add("voice", "must be texml or call_control");
                Voice::Texml
            }
        };
        let account_sid = match voice {
            Voice::Texml => faults.need(values, "account_sid"),
            Voice::CallControl => Some(faults.text(values, "account_sid").unwrap_or_default()),
        };
        let application_id = faults.need(values, "application_id");
        let messaging_profile_id = faults.text(values, "messaging_profile_id");
        let ids = [
            ("account_sid", &account_sid, "the organization_id of `GET /v2/whoami`"),
            ("application_id", &application_id, "the id of a TeXML or Call Control application"),
            ("messaging_profile_id", &messaging_profile_id, "the id of a messaging profile"),
        ];
        for (key, value, meaning) in ids {
            // Empty is what was left out, or has its fault already.
            if value.as_deref().is_some_and(|value| !value.is_empty() && !is_id(value)) {
                faults.add(key, &format!("must be {meaning}: letters, digits and dashes"));
            }
        }
        let mut public_keys = Vec::new();
        for (text, key) in public_key_texts.iter().zip(["public_key", "public_key_secondary"]) {
            match public_key(text) {
                Some(bytes) => public_keys.push(bytes),
                None => faults.add(
                    key,
                    "must be a public key as the portal shows it: 32 bytes in base64, 44 characters",
                ),
            }
        }
        let (Some(api_key), Some(account_sid), Some(application_id), true) =
            (api_key, account_sid, application_id, faults.0.is_empty())
        else {
            return Err(faults.0);
        };
        Ok(Self {
            voice,
            account_sid,
            application_id,
            messaging_profile_id,
            public_keys,
            public_key_texts,
            api_key,
            api_base: api_base(settings, API_BASE),
        })
    }

    /// The address of a resource: `path` begins with a slash.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/v2{path}", self.api_base)
    }

    /// The value of the `Authorization` header.
    pub(super) fn authorization(&self) -> String {
        format!("Bearer {}", self.api_key)
    }

    /// All that must never be logged. The public keys are no secrets; whose account signs is nobody's
    /// business all the same.
    pub(super) fn secrets(&self) -> Vec<String> {
        let mut secrets = self.public_key_texts.clone();
        secrets.push(self.api_key.clone());
        secrets
    }
}

/// The bytes of a public key, with or without the padding at its end.
fn public_key(text: &str) -> Option<Vec<u8>> {
    let bytes = BASE64.decode(text.trim_end_matches('=')).ok()?;
    (bytes.len() == PUBLIC_KEY_BYTES).then_some(bytes)
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("voice", &self.voice)
            .field("account_sid", &self.account_sid)
            .field("application_id", &self.application_id)
            .field("public_keys", &self.public_keys.len())
            .finish_non_exhaustive()
    }
}
