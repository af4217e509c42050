//! The settings of one Plivo account, read all at once.

use std::fmt;

use super::{SettingFault, Settings};
use crate::carrier::settings::{Faults, api_base, basic};

/// Plivo's own API address.
const API_BASE: &str = "https://api.plivo.com";

/// The keys that this kind knows, for the message about any other.
const KEYS: &[&str] =
    &["auth_id", "auth_token", "auth_token_secondary", "main_auth_token", "application_id"];

/// One Plivo account, or one subaccount.
pub(super) struct Config {
    /// `MA` or `SA` and 18 letters and digits.
    auth_id: String,
    /// Opens every request, and signs webhooks.
    auth_token: String,
    /// Another token that may sign webhooks, while tokens are rotated.
    auth_token_secondary: Option<String>,
    /// The token of the main account, where `auth_id` is a subaccount.
    main_auth_token: Option<String>,
    /// The application that the numbers are assigned to.
    pub(super) application_id: Option<String>,
    /// Where the API is, without a slash at the end.
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
        let auth_id = faults.need(values, "auth_id");
        if auth_id.as_deref().is_some_and(|id| !is_auth_id(id)) {
            faults.add("auth_id", "must be MA or SA and 18 letters or digits");
        }
        let auth_token = faults.need(values, "auth_token");
        let auth_token_secondary = faults.text(values, "auth_token_secondary");
        let main_auth_token = faults.text(values, "main_auth_token");
        if main_auth_token.is_some() && auth_id.as_deref().is_some_and(|id| id.starts_with("MA")) {
            faults.add("main_auth_token", "is for a subaccount, whose auth_id begins with SA");
        }
        let application_id = faults.text(values, "application_id");
        if application_id.as_deref().is_some_and(|id| !id.bytes().all(|b| b.is_ascii_digit())) {
            faults.add("application_id", "must be the digits that the console shows");
        }
        let (Some(auth_id), Some(auth_token), true) = (auth_id, auth_token, faults.0.is_empty())
        else {
            return Err(faults.0);
        };
        Ok(Self {
            auth_id,
            auth_token,
            auth_token_secondary,
            main_auth_token,
            application_id,
            api_base: api_base(settings, API_BASE),
        })
    }

    /// The address of the account's resource `path`, such as `Message/`; empty for the account. Every
    /// one ends in a slash.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/v1/Account/{}/{path}", self.api_base, self.auth_id)
    }

    /// The tokens that may have made the signature of the account that has the number.
    pub(super) fn tokens(&self) -> Vec<&str> {
        std::iter::once(&*self.auth_token).chain(self.auth_token_secondary.as_deref()).collect()
    }

    /// The tokens that may have made the signature of the main account: none where that is another
    /// and its token is not known.
    pub(super) fn main_tokens(&self) -> Vec<&str> {
        match &self.main_auth_token {
            Some(token) => vec![token],
            None if self.auth_id.starts_with("MA") => self.tokens(),
            None => Vec::new(),
        }
    }

    /// The token that signs what we sign ourselves.
    pub(super) fn token(&self) -> &str {
        &self.auth_token
    }

    /// What the addresses of texts, and of files that came with them, begin with.
    pub(super) fn messages_base(&self) -> String {
        format!("{}/v1/Account/{}/Message", self.api_base, self.auth_id)
    }

    /// The value of the `Authorization` header.
    pub(super) fn authorization(&self) -> String {
        basic(&self.auth_id, &self.auth_token)
    }

    /// All that must never be logged, also as it stands in the `Authorization` header.
    pub(super) fn secrets(&self) -> Vec<String> {
        let mut secrets: Vec<String> = self.tokens().into_iter().map(str::to_owned).collect();
        secrets.extend(self.main_auth_token.clone());
        secrets.push(self.authorization().trim_start_matches("Basic ").to_owned());
        secrets
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("auth_id", &self.auth_id)
            .field("application_id", &self.application_id)
            .finish_non_exhaustive()
    }
}

fn is_auth_id(text: &str) -> bool {
    (text.starts_with("MA") || text.starts_with("SA"))
        && text.len() == 20
        && text.bytes().all(|b| b.is_ascii_alphanumeric())
}
