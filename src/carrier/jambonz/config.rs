//! The settings of one jambonz account and application, read all at once.

use std::{collections::BTreeMap, fmt};

use super::{SettingFault, Settings, is_id};
use crate::carrier::settings::{Faults, api_base};

/// The keys that this kind knows, for the message about any other.
const KEYS: &[&str] = &[
    "account_sid",
    "application_sid",
    "api_key",
    "webhook_secret",
    "webhook_secret_secondary",
    "trunk",
    "texts",
    "texts_carrier",
    "ringback",
    "voices",
];

/// What a caller hears while somebody is rung, unless the settings say otherwise: a ringing tone, without
/// end.
const TONE: &str = "tone_stream://%(2000,4000,440,480);loops=-1";

/// The value of `ringback` for what the called network plays.
const NETWORK: &str = "network";

/// The most characters that a carrier of jambonz's is called.
const NAME_MAX: usize = 64;

/// How texts are carried.
pub(super) struct Texts {
    /// The name of the jambonz carrier whose SMPP gateway sends; any without one.
    pub(super) carrier: Option<String>,
}

/// Who speaks one language.
pub(super) struct Voice {
    /// Whose text-to-speech it is, as jambonz names it.
    pub(super) vendor: String,
    /// The vendor's name of the voice.
    pub(super) name: String,
}

/// One account and one application of a jambonz system.
pub(super) struct Config {
    /// The application that the numbers are assigned to.
    pub(super) application_sid: String,
    /// The secrets that may have signed a webhook: the account's, then any secondary.
    pub(super) webhook_secrets: Vec<String>,
    /// The name of the jambonz carrier that calls go out through; as jambonz chooses without one.
    pub(super) trunk: Option<String>,
    /// Whether and how texts are carried.
    pub(super) texts: Option<Texts>,
    ringback: Option<String>,
    voices: BTreeMap<String, Voice>,
    account_sid: String,
    api_key: String,
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
        if settings.api_base.is_none() {
            faults.add("api_base", "is required: where your jambonz has its API, up to /v1");
        }
        let account_sid = id(&mut faults, values, "account_sid");
        let application_sid = id(&mut faults, values, "application_sid");
        let api_key = faults.need(values, "api_key");
        let secret = faults.need(values, "webhook_secret");
        let secondary = faults.text(values, "webhook_secret_secondary");
        let trunk = name(&mut faults, values, "trunk");
        let texts = texts(&mut faults, values);
        let ringback = faults.text(values, "ringback").unwrap_or_else(|| TONE.to_owned());
        let voices = voices(&mut faults, values);
        let (Some(account_sid), Some(application_sid), Some(api_key), Some(secret), true) =
            (account_sid, application_sid, api_key, secret, faults.0.is_empty())
        else {
            return Err(faults.0);
        };
        let base = api_base(settings, "");
        Ok(Self {
            application_sid,
            webhook_secrets: std::iter::once(secret).chain(secondary).collect(),
            trunk,
            texts,
            ringback: (ringback != NETWORK).then_some(ringback),
            voices,
            account_sid,
            api_key,
            api_base: base.strip_suffix("/v1").unwrap_or(&base).to_owned(),
        })
    }

    /// The address of something in the API.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/v1/{path}", self.api_base)
    }

    /// The address of something of the account's.
    pub(super) fn account_url(&self, path: &str) -> String {
        self.url(&format!("Accounts/{}{path}", self.account_sid))
    }

    /// The value of the `Authorization` header.
    pub(super) fn authorization(&self) -> String {
        format!("Bearer {}", self.api_key)
    }

    /// What a caller hears while somebody is rung who is asked first, if `screen`; `None` for what the
    /// called network plays. jambonz would connect the two for that before whoever answers is asked.
    pub(super) fn ringback(&self, screen: bool) -> Option<&str> {
        self.ringback.as_deref().or_else(|| screen.then_some(TONE))
    }

    /// Who speaks that language (BCP 47): the voice for exactly it, or for it in any region.
    pub(super) fn voice(&self, language: &str) -> Option<&Voice> {
        let language = language.to_ascii_lowercase();
        let primary = language.split('-').next().unwrap_or_default();
        self.voices.get(&language).or_else(|| self.voices.get(primary))
    }

    /// All that must never be logged.
    pub(super) fn secrets(&self) -> Vec<String> {
        self.webhook_secrets.iter().chain([&self.api_key]).cloned().collect()
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("account_sid", &self.account_sid)
            .field("application_sid", &self.application_sid)
            .field("texts", &self.texts.is_some())
            .finish_non_exhaustive()
    }
}

/// An id of jambonz's, which becomes a part of paths.
fn id(faults: &mut Faults, values: &toml::Table, key: &str) -> Option<String> {
    let id = faults.need(values, key)?;
    if !is_id(&id) {
        faults.add(key, "must be letters, digits and dashes, at most 64, as the portal shows it");
    }
    Some(id)
}

/// What a carrier of jambonz's is called, which may hold spaces.
fn name(faults: &mut Faults, values: &toml::Table, key: &str) -> Option<String> {
    let value = values.get(key)?;
    let fits = |name: &&str| {
        (1..=NAME_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control)
    };
    let name = value.as_str().filter(fits);
    if name.is_none() {
        faults.add(key, "must be the name of a carrier in jambonz, 1 to 64 characters");
    }
    name.map(str::to_owned)
}

fn texts(faults: &mut Faults, values: &toml::Table) -> Option<Texts> {
    let carrier = name(faults, values, "texts_carrier");
    let on = match values.get("texts").map(toml::Value::as_bool) {
        None => false,
        Some(Some(on)) => on,
        Some(None) => {
            faults.add("texts", "must be true or false");
            return None;
        }
    };
    if !on && values.contains_key("texts_carrier") {
        faults.add("texts_carrier", "counts only beside texts = true");
    }
    on.then_some(Texts { carrier })
}

fn voices(faults: &mut Faults, values: &toml::Table) -> BTreeMap<String, Voice> {
    let mut voices = BTreeMap::new();
    let Some(value) = values.get("voices") else { return voices };
    let Some(table) = value.as_table() else {
        faults.add(
            "voices",
            "must be a table of languages, such as { en = \"google/en-GB-Neural2-A\" }",
        );
        return voices;
    };
    for (language, value) in table {
        let key = format!("voices.{language}");
        let tag = !language.is_empty()
            && language.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let voice = value.as_str().and_then(|text| text.split_once('/'));
        match voice.filter(|(vendor, name)| tag && !vendor.is_empty() && !name.is_empty()) {
            Some((vendor, name)) => {
                let voice = Voice { vendor: vendor.to_owned(), name: name.to_owned() };
                voices.insert(language.to_ascii_lowercase(), voice);
            }
            None => faults.add(&key, "must be a language, and its voice as \"vendor/voice\""),
        }
    }
    voices
}
