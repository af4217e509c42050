//! Reads the keys of one configuration entry, and gathers every fault, none with a value in it.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::{SettingFault, Settings};

/// The faults found so far.
pub(super) struct Faults(pub(super) Vec<SettingFault>);

impl Faults {
    /// None but the keys that are not among `known`.
    pub(super) fn of(values: &toml::Table, known: &[&str]) -> Self {
        let mut faults = Self(Vec::new());
        for key in values.keys().filter(|key| !known.contains(&key.as_str())) {
            faults.add(key, &format!("is not known; allowed are {}", known.join(", ")));
        }
        faults
    }

    pub(super) fn add(&mut self, key: &str, message: &str) {
        self.0.push(SettingFault { key: key.to_owned(), message: message.to_owned() });
    }

    /// A text that is not empty and has no white space; a secret pasted with its line's end would
    /// make every signature wrong.
    pub(super) fn text(&mut self, values: &toml::Table, key: &str) -> Option<String> {
        let value = values.get(key)?;
        self.checked(value, key)
    }

    /// The same, which must be there.
    pub(super) fn need(&mut self, values: &toml::Table, key: &str) -> Option<String> {
        if !values.contains_key(key) {
            self.add(key, "is required");
        }
        self.text(values, key)
    }

    pub(super) fn checked(&mut self, value: &toml::Value, key: &str) -> Option<String> {
        match value.as_str() {
            Some(text) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()) => {
                Some(text.to_owned())
            }
            _ => {
                self.add(key, "must be a text of ASCII characters without white space");
                None
            }
        }
    }
}

/// Where the API is, without a slash at the end: `own` unless the entry says otherwise.
pub(super) fn api_base(settings: &Settings, own: &str) -> String {
    settings.api_base.as_deref().unwrap_or(own).trim_end_matches('/').to_owned()
}

/// The value of an `Authorization` header with a name and a password (RFC 7617).
pub(super) fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{name}:{password}")))
}

/// What asks for them (RFC 7617).
pub(super) const BASIC_CHALLENGE: &str = "Basic realm=\"entremise\", charset=\"UTF-8\"";
