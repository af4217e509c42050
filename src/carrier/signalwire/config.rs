//! The settings of one `SignalWire` project, read all at once.

use std::fmt;

use super::{SettingFault, Settings, is_id};
use crate::carrier::settings::{Faults, api_base, basic};

/// What follows a space's name in its host.
const DOMAIN: &str = ".signalwire.com";

/// The keys that this kind knows, for the message about any other.
const KEYS: &[&str] = &["space", "project_id", "api_token", "signing_key", "signing_key_secondary"];

/// One `SignalWire` project.
pub(super) struct Config {
    /// The project's id, which is the account of its calls and texts.
    pub(super) project_id: String,
    /// The keys that may have signed a webhook: the primary, then any secondary.
    pub(super) signing_keys: Vec<String>,
    /// Opens every request.
    api_token: String,
    /// Where the space's API is, without a slash at the end.
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
        let space = faults.need(values, "space");
        let space = space.as_deref().map(|space| space.strip_suffix(DOMAIN).unwrap_or(space));
        if space.is_some_and(|space| !is_label(space)) {
            faults.add("space", "must be what stands before .signalwire.com in the space's host");
        }
        let project_id = faults.need(values, "project_id");
        if project_id.as_deref().is_some_and(|id| !is_id(id)) {
            faults.add("project_id", "must be the project's id: letters, digits and dashes");
        }
        let api_token = faults.need(values, "api_token");
        let keys = [
            ("signing_key", faults.need(values, "signing_key")),
            ("signing_key_secondary", faults.text(values, "signing_key_secondary")),
        ];
        for (name, key) in &keys {
            if key.is_some() && *key == api_token {
                faults.add(name, "is the API token; webhooks are signed with the Signing Key");
            }
        }
        let (Some(space), Some(project_id), Some(api_token), true) =
            (space, project_id, api_token, faults.0.is_empty())
        else {
            return Err(faults.0);
        };
        Ok(Self {
            project_id,
            signing_keys: keys.into_iter().filter_map(|(_, key)| key).collect(),
            api_token,
            api_base: api_base(settings, &format!("https://{space}{DOMAIN}")),
        })
    }

    /// The address of the project's resource `path`, such as `/Messages`.
    pub(super) fn account_url(&self, path: &str) -> String {
        format!("{}/api/laml/2010-04-01/Accounts/{}{path}", self.api_base, self.project_id)
    }

    /// The value of the `Authorization` header.
    pub(super) fn authorization(&self) -> String {
        basic(&self.project_id, &self.api_token)
    }

    /// All that must never be logged, also as it stands in the `Authorization` header.
    pub(super) fn secrets(&self) -> Vec<String> {
        let mut secrets = self.signing_keys.clone();
        secrets.push(self.api_token.clone());
        secrets.push(self.authorization().trim_start_matches("Basic ").to_owned());
        secrets
    }
}

/// Whether `text` is one label of a host's name.
fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("project_id", &self.project_id)
            .field("signing_keys", &self.signing_keys.len())
            .finish_non_exhaustive()
    }
}
