//! The settings of one Bandwidth account, read all at once.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};

use super::{SettingFault, Settings, is_id};
use crate::{
    carrier::{
        settings::{Faults, api_base, basic},
        signature,
    },
    ids::LegId,
};

/// Bandwidth's own API addresses: texts, calls, and what numbers and applications are set to.
const MESSAGING: &str = "https://messaging.bandwidth.com";
const VOICE: &str = "https://voice.bandwidth.com";
const DASHBOARD: &str = "https://dashboard.bandwidth.com";

/// The keys that this kind knows, for the message about any other.
const KEYS: &[&str] = &[
    "account_id",
    "username",
    "password",
    "voice_application_id",
    "messaging_application_id",
    "webhook_username",
    "webhook_password",
    "webhook_password_secondary",
];

/// One Bandwidth account.
pub(super) struct Config {
    /// The account's number.
    pub(super) account_id: String,
    /// The application that calls come and go through, if any do.
    pub(super) voice_application: Option<String>,
    /// The application that texts come and go through, if any do.
    pub(super) messaging_application: Option<String>,
    /// The name in the credentials of webhooks.
    pub(super) webhook_username: String,
    /// Those of the API.
    username: String,
    password: String,
    /// The passwords that a webhook may have: the primary, then any secondary.
    webhook_passwords: Vec<String>,
    messaging: String,
    voice: String,
    dashboard: String,
}

impl Config {
    /// Reads the settings.
    ///
    /// # Errors
    /// Every fault, none with a value in it.
    pub(super) fn read(settings: &Settings) -> Result<Self, Vec<SettingFault>> {
        let values = &settings.values;
        let mut faults = Faults::of(values, KEYS);
        let account_id = faults.need(values, "account_id");
        let username = faults.need(values, "username");
        let password = faults.need(values, "password");
        let voice_application = faults.text(values, "voice_application_id");
        let messaging_application = faults.text(values, "messaging_application_id");
        let webhook_username = faults.need(values, "webhook_username");
        let webhook_password = faults.need(values, "webhook_password");
        let secondary = faults.text(values, "webhook_password_secondary");
        for (key, value) in [
            ("account_id", &account_id),
            ("voice_application_id", &voice_application),
            ("messaging_application_id", &messaging_application),
        ] {
            if value.as_deref().is_some_and(|value| !is_id(value)) {
                faults.add(key, "must be an id of Bandwidth's: letters, digits and dashes");
            }
        }
        for (key, value) in [("username", &username), ("webhook_username", &webhook_username)] {
            if value.as_deref().is_some_and(|value| value.contains(':')) {
                faults.add(key, "must have no colon: it ends the name in the credentials");
            }
        }
        let applications = ["voice_application_id", "messaging_application_id"];
        if !applications.iter().any(|key| values.contains_key(*key)) {
            faults.add(
                "voice_application_id",
                "is required, or messaging_application_id, or both: calls need the one, texts the other",
            );
        }
        let (
            Some(account_id),
            Some(username),
            Some(password),
            Some(webhook_username),
            Some(webhook_password),
            true,
        ) = (
            account_id,
            username,
            password,
            webhook_username,
            webhook_password,
            faults.0.is_empty(),
        )
        else {
            return Err(faults.0);
        };
        Ok(Self {
            account_id,
            voice_application,
            messaging_application,
            webhook_username,
            username,
            password,
            webhook_passwords: std::iter::once(webhook_password).chain(secondary).collect(),
            messaging: api_base(settings, MESSAGING),
            voice: api_base(settings, VOICE),
            dashboard: api_base(settings, DASHBOARD),
        })
    }

    /// The address of texts: `path` begins with a slash.
    pub(super) fn messaging_url(&self, path: &str) -> String {
        format!("{}/api/v2/users/{}{path}", self.messaging, self.account_id)
    }

    /// What the addresses of files that came with texts begin with.
    pub(super) fn media_base(&self) -> String {
        self.messaging_url("/media")
    }

    /// The address of calls: `path` begins with a slash.
    pub(super) fn voice_url(&self, path: &str) -> String {
        format!("{}/api/v2/accounts/{}{path}", self.voice, self.account_id)
    }

    /// The address of what is set: `path` begins with a slash.
    pub(super) fn dashboard_url(&self, path: &str) -> String {
        format!("{}/api{path}", self.dashboard)
    }

    /// The value of the `Authorization` header of our requests.
    pub(super) fn authorization(&self) -> String {
        basic(&self.username, &self.password)
    }

    /// The values that the `Authorization` header of a webhook may have: those of the applications, and
    /// for an address that names a leg what a document of ours gave for it.
    pub(super) fn webhook_authorizations(&self, leg: Option<&LegId>) -> Vec<String> {
        let name = &self.webhook_username;
        let mut allowed = Vec::new();
        for password in &self.webhook_passwords {
            allowed.push(basic(name, password));
            allowed.extend(leg.map(|leg| basic(name, &leg_password(password, leg))));
        }
        allowed
    }

    /// The password for the addresses of one leg. A document and a request name one in the clear: so
    /// it opens that leg's addresses and nothing else.
    pub(super) fn leg_password(&self, leg: &LegId) -> String {
        leg_password(self.webhook_passwords.first().map_or("", String::as_str), leg)
    }

    /// All that must never be logged, also as it stands in a header.
    pub(super) fn secrets(&self) -> Vec<String> {
        let mut secrets = self.webhook_passwords.clone();
        secrets.push(self.password.clone());
        secrets.extend(
            self.webhook_authorizations(None)
                .into_iter()
                .chain([self.authorization()])
                .filter_map(|header| header.strip_prefix("Basic ").map(str::to_owned)),
        );
        secrets
    }
}

fn leg_password(password: &str, leg: &LegId) -> String {
    let about = format!("entremise leg {leg}");
    BASE64.encode(signature::sign_sha256(password.as_bytes(), about.as_bytes()))
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("account_id", &self.account_id)
            .field("voice_application", &self.voice_application)
            .field("messaging_application", &self.messaging_application)
            .field("webhook_passwords", &self.webhook_passwords.len())
            .finish_non_exhaustive()
    }
}
