//! What a service is set to: read from a body, judged, and applied to its rules.

use std::time::Duration;

use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    assurance::AttestationSettings,
    content::ContentSettings,
    input::{Faults, Object, Patch},
    limits::{LimitSettings, ServiceLimits},
    retention::{self, RetentionSettings},
    twilio_proxy::ProxySettings,
    wire::{
        Count, GeoMatch, IdentifierCheck, MediaRule, OutOfSession, RecordingRule, Seconds,
        Selection, StopWords, TeamRing,
    },
};
use crate::{
    domain::{
        abuse::Countries,
        assurance::AssuranceRules,
        phone::Identifier,
        policy::{OrderUrl, RecordingRules, Rules, VerifiedRules, VoicemailRules},
        sender::SenderId,
    },
    relay::{self, Relay},
};

/// What a list of countries may hold.
const COUNTRIES: &str = "must be countries by their two capital letters, such as FR";
/// The seconds of a day.
const DAY_S: u64 = 86_400;

/// A service's settings. What is absent keeps its value, or its default in a new service; `null`
/// goes back to the default.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "unique_name": "rides", "brand": "Rides of Lyon", "quarantine_seconds": 604_800,
    "geo_match": "country",
}))]
pub(super) struct ServiceSettings {
    /// Letters, digits and `._~-:@`.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 191)]
    #[serde(default)]
    pub(super) unique_name: Patch<String>,
    /// The marketplace's name, as callers hear it; the account's name by default.
    #[schema(value_type = Option<String>, max_length = 60)]
    #[serde(default)]
    pub(super) brand: Patch<String>,
    /// BCP 47; empty for the language of the dialled number's country.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    pub(super) language: Patch<String>,
    /// How long a session lives after its last interaction; 0 for ever.
    #[schema(value_type = Option<Seconds>)]
    #[serde(default)]
    pub(super) default_ttl_seconds: Patch<Seconds>,
    /// How long nobody else gets a person's number after a session. Under 72 hours the answer warns.
    #[schema(value_type = Option<Seconds>)]
    #[serde(default)]
    pub(super) quarantine_seconds: Patch<Seconds>,
    #[schema(value_type = Option<GeoMatch>)]
    #[serde(default)]
    pub(super) geo_match: Patch<GeoMatch>,
    /// Whether a pool that has nothing near gives a number of the same country instead.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    pub(super) geo_fallback: Patch<bool>,
    #[schema(value_type = Option<Selection>)]
    #[serde(default)]
    pub(super) selection: Patch<Selection>,
    /// 2 to 20.
    #[schema(value_type = Option<u32>, minimum = 2, maximum = 20)]
    #[serde(default)]
    pub(super) participants_max: Patch<Count>,
    /// 5 to 600.
    #[schema(value_type = Option<Seconds>)]
    #[serde(default)]
    pub(super) ring_timeout_seconds: Patch<Seconds>,
    /// 60 to 14400.
    #[schema(value_type = Option<Seconds>)]
    #[serde(default)]
    pub(super) call_max_seconds: Patch<Seconds>,
    #[schema(value_type = Option<String>, max_length = 300)]
    #[serde(default)]
    pub(super) caller_announcement: Patch<String>,
    #[schema(value_type = Option<String>, max_length = 300)]
    #[serde(default)]
    pub(super) callee_whisper: Patch<String>,
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    pub(super) press_one: Patch<bool>,
    #[schema(value_type = Option<TeamRing>)]
    #[serde(default)]
    pub(super) team_ring: Patch<TeamRing>,
    #[schema(value_type = Option<OutOfSession>)]
    #[serde(default)]
    pub(super) out_of_session: Patch<OutOfSession>,
    #[schema(value_type = Option<String>, max_length = 300)]
    #[serde(default)]
    pub(super) out_of_session_announcement: Patch<String>,
    /// Your own line, such as your support, in E.164: whom `forward` rings. It is sealed and never
    /// given out.
    #[schema(value_type = Option<String>, pattern = r"^\+[1-9][0-9]{6,14}$")]
    #[serde(default)]
    pub(super) out_of_session_number: Patch<String>,
    /// Sent back to whoever texts where no session is, once a day; empty for nothing.
    #[schema(value_type = Option<String>, max_length = 300)]
    #[serde(default)]
    pub(super) out_of_session_text: Patch<String>,
    /// Where `callback` asks: https, at a public address. Its first value makes a secret that the
    /// answer shows once; an empty one forgets it.
    #[schema(value_type = Option<String>, max_length = 2048)]
    #[serde(default)]
    pub(super) out_of_session_url: Patch<String>,
    #[schema(value_type = Option<String>, max_length = 300)]
    #[serde(default)]
    pub(super) missed_call_text: Patch<String>,
    /// Whether a caller whom nobody answered may leave a message, which is recorded. Take counsel: laws on
    /// recording differ.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    pub(super) voicemail: Patch<bool>,
    /// Said to the caller first; empty for words of ours. It must say that they are recorded.
    #[schema(value_type = Option<String>, max_length = 300)]
    #[serde(default)]
    pub(super) voicemail_greeting: Patch<String>,
    /// The longest message, 10 to 300.
    #[schema(value_type = Option<Seconds>)]
    #[serde(default)]
    pub(super) voicemail_seconds: Patch<Seconds>,
    /// Whether whoever missed the call gets a text with an address where the message can be heard.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    pub(super) voicemail_text: Patch<bool>,
    /// How long a message is kept, 1 to 30.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 30)]
    #[serde(default)]
    pub(super) voicemail_days: Patch<Count>,
    /// Whether calls are recorded: `off`, or `consent` where both sides agreed by a key. Take counsel.
    #[schema(value_type = Option<RecordingRule>)]
    #[serde(default)]
    pub(super) recording: Patch<RecordingRule>,
    /// What for, as people are told; needed with `consent`.
    #[schema(value_type = Option<String>, max_length = 200)]
    #[serde(default)]
    pub(super) recording_purpose: Patch<String>,
    /// How long a recording is kept, 1 to 365.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 365)]
    #[serde(default)]
    pub(super) recording_days: Patch<Count>,
    #[schema(value_type = Option<IdentifierCheck>)]
    #[serde(default)]
    pub(super) identifier_check: Patch<IdentifierCheck>,
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    pub(super) keep_texts: Patch<bool>,
    #[schema(value_type = Option<StopWords>)]
    #[serde(default)]
    pub(super) stop_words: Patch<StopWords>,
    #[schema(value_type = Option<String>, max_length = 300)]
    #[serde(default)]
    pub(super) help_text: Patch<String>,
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    pub(super) block_words: Patch<bool>,
    #[schema(value_type = Option<MediaRule>)]
    #[serde(default)]
    pub(super) media: Patch<MediaRule>,
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    pub(super) vcards: Patch<bool>,
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    pub(super) tell_of_moves: Patch<bool>,
    /// Whether whoever gets a number is told of it by a text, once for a number and a service.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    pub(super) first_text: Patch<bool>,
    /// Said instead of our words. Of braces it may have `{brand}`, `{number}` (the one that they dial) and
    /// `{stop}` (the word that ends texts). Empty for ours.
    #[schema(value_type = Option<String>, max_length = 300)]
    #[serde(default)]
    pub(super) first_text_words: Patch<String>,
    /// What becomes of telephone numbers, addresses, links and payment handles in texts.
    #[schema(value_type = Option<ContentSettings>)]
    #[serde(default)]
    pub(super) content: Patch<Object<ContentSettings>>,
    /// Whether only people join a session whose number was verified in this account.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    pub(super) verified_participants: Patch<bool>,
    /// How long a verification is good for that, 1 to 730: numbers change hands.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 730)]
    #[serde(default)]
    pub(super) verified_for_days: Patch<Count>,
    /// The name under which codes are texted instead of from a proxy number, where country and carrier take one: 1 to
    /// 11 letters, digits and inner spaces, at least one of them a letter. Nobody can answer it. Empty for none.
    #[schema(value_type = Option<String>, max_length = 11, example = "Rides")]
    #[serde(default)]
    pub(super) sender_id: Patch<String>,
    /// Where support finds the order behind a session, as the console links to it: an `https` address with
    /// `{unique_name}` or `{session}` behind its host, which are filled percent-encoded. Empty for none.
    #[schema(value_type = Option<String>, max_length = 500, example = "https://market.example/orders/{unique_name}")]
    #[serde(default)]
    pub(super) order_url: Patch<String>,
    /// What is kept for a shorter time than the operator keeps it.
    #[schema(value_type = Option<RetentionSettings>)]
    #[serde(default)]
    pub(super) retention: Patch<Object<RetentionSettings>>,
    /// ISO 3166-1 alpha-2, such as `FR`; empty for any that the operator allows.
    #[schema(value_type = Option<Vec<String>>, max_items = 250)]
    #[serde(default)]
    pub(super) countries: Patch<Vec<String>>,
    /// Limits that are lower than the operator's.
    #[schema(value_type = Option<ServiceLimits>)]
    #[serde(default)]
    pub(super) limits: Patch<Object<LimitSettings>>,
    /// Whether whoever writes too much is told so.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    pub(super) tell_limits: Patch<bool>,
    /// What becomes of a call by what the network says of its caller.
    #[schema(value_type = Option<AttestationSettings>)]
    #[serde(default)]
    pub(super) attestation: Patch<Object<AttestationSettings>>,
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    pub(super) pin_for_withheld: Patch<bool>,
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    pub(super) pin_from_any_phone: Patch<bool>,
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    pub(super) pin_fallback: Patch<bool>,
    #[schema(value_type = Option<ProxySettings>)]
    #[serde(default)]
    pub(super) twilio_proxy: Patch<Object<ProxySettings>>,
}

/// Writes a patch into a rule; `null` is the default.
pub(super) fn set<T, U: Clone>(patch: &Patch<T>, default: &U, to: &mut U, read: impl Fn(&T) -> U) {
    match patch {
        Patch::Absent => {}
        Patch::Null => to.clone_from(default),
        Patch::Value(value) => *to = read(value),
    }
}

impl ServiceSettings {
    /// Writes what was named into `rules`; `brand` is the default for that.
    pub(super) fn apply(&self, rules: &mut Rules, brand: &str) {
        let default = Rules::new(brand.to_owned());
        let length = |seconds: &Seconds| Duration::from_secs(seconds.0);
        set(&self.brand, &default.brand, &mut rules.brand, String::clone);
        set(&self.language, &default.language, &mut rules.language, String::clone);
        set(&self.default_ttl_seconds, &default.default_ttl, &mut rules.default_ttl, length);
        set(&self.quarantine_seconds, &default.quarantine, &mut rules.quarantine, length);
        set(&self.geo_match, &default.geo_match, &mut rules.geo_match, |one| one.0);
        set(&self.geo_fallback, &default.geo_fallback, &mut rules.geo_fallback, bool::clone);
        set(&self.selection, &default.selection, &mut rules.selection, |one| one.0);
        let count = |number: &Count| u32::try_from(number.0).unwrap_or(u32::MAX);
        let most = &default.participants_max;
        set(&self.participants_max, most, &mut rules.participants_max, count);
        set(&self.ring_timeout_seconds, &default.ring_timeout, &mut rules.ring_timeout, length);
        set(&self.call_max_seconds, &default.call_max, &mut rules.call_max, length);
        set(&self.press_one, &default.press_one, &mut rules.press_one, bool::clone);
        set(&self.team_ring, &default.team_ring, &mut rules.team_ring, |one| one.0);
        set(&self.out_of_session, &default.out_of_session, &mut rules.out_of_session, |one| one.0);
        let line = |number: &String| Identifier::parse(number).ok();
        set(&self.out_of_session_number, &None, &mut rules.out_of_session_number, line);
        for (patch, to) in [
            (&self.caller_announcement, &mut rules.caller_announcement),
            (&self.callee_whisper, &mut rules.callee_whisper),
            (&self.out_of_session_announcement, &mut rules.out_of_session_announcement),
            (&self.out_of_session_text, &mut rules.out_of_session_text),
            (&self.out_of_session_url, &mut rules.out_of_session_url),
            (&self.missed_call_text, &mut rules.missed_call_text),
            (&self.voicemail_greeting, &mut rules.voicemail.greeting),
            (&self.recording_purpose, &mut rules.recording.purpose),
            (&self.first_text_words, &mut rules.first_text.words),
            (&self.help_text, &mut rules.help_text),
        ] {
            set(patch, &String::new(), to, String::clone);
        }
        let check = &mut rules.identifier_check;
        set(&self.identifier_check, &default.identifier_check, check, |one| one.0);
        set(&self.keep_texts, &default.keep_texts, &mut rules.keep_texts, bool::clone);
        set(&self.stop_words, &default.stop_words, &mut rules.stop_words, |one| one.0);
        set(&self.block_words, &default.block_words, &mut rules.block_words, bool::clone);
        set(&self.media, &default.media, &mut rules.media, |one| one.0);
        set(&self.vcards, &default.vcards, &mut rules.vcards, bool::clone);
        set(&self.tell_of_moves, &default.tell_of_moves, &mut rules.tell_of_moves, bool::clone);
        let first = &mut rules.first_text.on;
        set(&self.first_text, &default.first_text.on, first, bool::clone);
        self.apply_voicemail(&mut rules.voicemail);
        self.apply_recording(&mut rules.recording);
        self.apply_verified(&mut rules.verified);
        set(&self.sender_id, &None, &mut rules.sender_id, |name| SenderId::parse(name));
        set(&self.order_url, &None, &mut rules.order_url, |url| OrderUrl::parse(url));
        self.apply_assurance(&mut rules.assurance);
        match &self.content {
            Patch::Absent => {}
            Patch::Null => rules.content = default.content,
            Patch::Value(content) => content.0.apply(&mut rules.content),
        }
        match &self.retention {
            Patch::Absent => {}
            Patch::Null => rules.retention = default.retention,
            Patch::Value(kept) => kept.0.apply(&mut rules.retention),
        }
        let read = |all: &Vec<String>| {
            Countries::parse(all.iter().map(String::as_str)).unwrap_or_default()
        };
        set(&self.countries, &default.countries, &mut rules.countries, read);
        match &self.limits {
            Patch::Absent => {}
            Patch::Null => rules.limits = default.limits,
            Patch::Value(limits) => limits.0.apply(&mut rules.limits),
        }
        set(&self.tell_limits, &default.tell_limits, &mut rules.tell_limits, bool::clone);
        match &self.twilio_proxy {
            Patch::Absent => {}
            Patch::Null => rules.proxy = default.proxy,
            Patch::Value(proxy) => proxy.0.apply(&mut rules.proxy),
        }
    }

    fn apply_assurance(&self, rules: &mut AssuranceRules) {
        let default = AssuranceRules::default();
        match &self.attestation {
            Patch::Absent => {}
            Patch::Null => AttestationSettings::reset(rules),
            Patch::Value(attestation) => attestation.0.apply(rules),
        }
        for (patch, to, usual) in [
            (&self.pin_for_withheld, &mut rules.pin_for_withheld, default.pin_for_withheld),
            (&self.pin_from_any_phone, &mut rules.pin_from_any_phone, default.pin_from_any_phone),
            (&self.pin_fallback, &mut rules.pin_fallback, default.pin_fallback),
        ] {
            set(patch, &usual, to, bool::clone);
        }
    }

    fn apply_voicemail(&self, rules: &mut VoicemailRules) {
        let default = VoicemailRules::default();
        let length = |seconds: &Seconds| Duration::from_secs(seconds.0);
        let days = |days: &Count| Duration::from_secs(days.0.saturating_mul(DAY_S));
        set(&self.voicemail, &default.on, &mut rules.on, bool::clone);
        set(&self.voicemail_seconds, &default.longest, &mut rules.longest, length);
        set(&self.voicemail_text, &default.text, &mut rules.text, bool::clone);
        set(&self.voicemail_days, &default.kept, &mut rules.kept, days);
    }

    fn apply_recording(&self, rules: &mut RecordingRules) {
        let default = RecordingRules::default();
        let days = |days: &Count| Duration::from_secs(days.0.saturating_mul(DAY_S));
        set(&self.recording, &default.rule, &mut rules.rule, |one| one.0);
        set(&self.recording_days, &default.kept, &mut rules.kept, days);
    }

    fn apply_verified(&self, rules: &mut VerifiedRules) {
        let default = VerifiedRules::default();
        let days = |days: &Count| Duration::from_secs(days.0.saturating_mul(DAY_S));
        set(&self.verified_participants, &default.required, &mut rules.required, bool::clone);
        set(&self.verified_for_days, &default.within, &mut rules.within, days);
    }

    fn sender_id_fault(&self) -> Option<&'static str> {
        let Patch::Value(name) = &self.sender_id else { return None };
        (!name.is_empty() && SenderId::parse(name).is_none()).then_some(SenderId::ALLOWED)
    }

    fn order_url_fault(&self) -> Option<&'static str> {
        let Patch::Value(url) = &self.order_url else { return None };
        (!url.is_empty() && OrderUrl::parse(url).is_none()).then_some(OrderUrl::ALLOWED)
    }

    /// What the rules alone refuse, found beside faults of form; `whole` if nothing was set before.
    pub(super) fn check(&self, faults: &mut Faults, whole: bool, relay: &Relay) {
        let egress = relay.egress();
        if let Patch::Value(url) = &self.out_of_session_url
            && !url.is_empty()
            && let Err(refused) = egress.accept(url)
        {
            faults.add("/out_of_session_url", "not_allowed", refused.to_string());
        }
        if let Patch::Value(proxy) = &self.twilio_proxy {
            proxy.0.check(faults, egress);
        }
        if let Patch::Value(number) = &self.out_of_session_number
            && let Err(error) = Identifier::parse(number)
        {
            faults.add("/out_of_session_number", "e164", error.to_string());
        }
        let mut rules = Rules::new("x".to_owned());
        self.apply(&mut rules, "x");
        let lacking = if whole { rules.lacking() } else { Vec::new() };
        if let Some(fault) = rules.line_fault(relay.db().bounds()) {
            faults.add("/out_of_session_number", fault.as_str(), fault.words());
        }
        if let Patch::Value(countries) = &self.countries
            && Countries::parse(countries.iter().map(String::as_str)).is_none()
        {
            faults.add("/countries", "not_allowed", COUNTRIES);
        }
        if let Some(allowed) = self.sender_id_fault() {
            faults.add("/sender_id", "not_allowed", allowed);
        }
        if let Some(allowed) = self.order_url_fault() {
            faults.add("/order_url", "not_allowed", allowed);
        }
        for (field, allowed) in rules.faults().into_iter().chain(lacking) {
            faults.add(format!("/{field}"), "not_allowed", allowed);
        }
        retention::check(&rules.retention, faults, relay.db());
        if let Patch::Value(name) = &self.unique_name
            && let Some(fault) = relay::name_fault(name)
        {
            faults.add(fault.pointer, fault.code, fault.message);
        }
        if matches!(self.unique_name, Patch::Null) {
            faults.add("/unique_name", "required", "must not be null");
        }
    }
}
