//! Services: a named set of rules and a pool of proxy numbers.

use std::time::Duration;

use axum::{extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Api,
    assurance::{AttestationRules, AttestationSettings},
    auth::{Granted, NumbersRead, NumbersWrite},
    content::{Content, ContentSettings},
    input::{Faults, Object, Patch},
    keys::NoFilter,
    limits::{LimitSettings, ServiceLimits},
    paging::{Listing, Page, Paging},
    retention::{self, Retention, RetentionSettings},
    twilio_proxy::{ProxySettings, TwilioProxy},
    wire::{
        Count, GeoMatch, IdentifierCheck, MediaRule, OutOfSession, Seconds, Selection, StopWords,
        TeamRing, Time,
    },
    write::{self, Write, answer},
};
use crate::{
    domain::{
        abuse::Countries,
        assurance::AssuranceRules,
        phone::Identifier,
        policy::{Rules, VerifiedRules, VoicemailRules},
    },
    http::problem::{Path, Problem},
    ids::{AccountId, ServiceId},
    privacy::webhook::WebhookSecret,
    relay::{self, NewService, Relay},
    store::{self, Tx, services},
};

/// What a list of countries may hold.
const COUNTRIES: &str = "must be countries by their two capital letters, such as FR";
/// The seconds of a day.
const DAY_S: u64 = 86_400;

/// A service: rules and a pool.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Service {
    id: ServiceId,
    /// Unique in the account; usable in paths.
    unique_name: String,
    /// The marketplace's name, as callers hear it.
    brand: String,
    /// BCP 47 language of what is said; empty for that of the dialled number's country.
    language: String,
    /// How long a session lives after its last interaction; 0 for ever.
    default_ttl_seconds: u64,
    /// How long nobody else gets a person's number after a session.
    quarantine_seconds: u64,
    geo_match: GeoMatch,
    /// Whether a pool that has nothing near gives a number of the same country instead.
    geo_fallback: bool,
    selection: Selection,
    /// How many people a session may have.
    participants_max: u32,
    /// How long a phone rings.
    ring_timeout_seconds: u64,
    /// The longest call.
    call_max_seconds: u64,
    /// Said to the caller before the other phone rings; empty for nothing.
    caller_announcement: String,
    /// Said to whoever answers, before the two are connected; empty for nothing.
    callee_whisper: String,
    /// Whether whoever answers must press 1.
    press_one: bool,
    team_ring: TeamRing,
    out_of_session: OutOfSession,
    /// Said instead of the neutral words; empty for those.
    out_of_session_announcement: String,
    /// Your own line, masked: calling code, dots, and four characters that are the same for the
    /// same number in your account.
    #[schema(example = "+33••••a1f0")]
    out_of_session_number_masked: Option<String>,
    /// Sent back to whoever texts where no session is, once a day; empty for nothing.
    out_of_session_text: String,
    /// Where `callback` asks; empty for nowhere.
    out_of_session_url: String,
    /// What signs the questions, `whsec_…`: only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    out_of_session_secret: Option<String>,
    /// Sent to the callee of a missed call, through the mask; empty for none.
    missed_call_text: String,
    /// Whether a caller whom nobody answered may leave a message, which is recorded. Take counsel: laws on
    /// recording differ.
    voicemail: bool,
    /// Said to the caller first; empty for words of ours. It must say that they are recorded.
    voicemail_greeting: String,
    /// The longest message.
    voicemail_seconds: u64,
    /// Whether whoever missed the call gets a text with an address where the message can be heard.
    voicemail_text: bool,
    /// How long a message is kept.
    voicemail_days: u64,
    /// Whether people's numbers must be possible ones, or ones that a numbering plan has.
    identifier_check: IdentifierCheck,
    /// Whether what people write is kept, sealed, with the interaction: the Twilio Proxy API shows
    /// it. This API never does.
    keep_texts: bool,
    /// Whether words that stop texts (`STOP`, `END`, `CANCEL` …) are relayed like others (`relay`), bind the
    /// proxy number that they were sent to and their sender (`number`), or go by the country of that number
    /// (`country`).
    stop_words: StopWords,
    /// Sent to whoever writes `HELP` or `INFO` to a number under +1, with `stop_words` `country`; empty for
    /// words of ours.
    help_text: String,
    /// Whether people may block and report the other side by a text (`BLOCK`, `UNBLOCK`, `REPORT`).
    block_words: bool,
    /// Which pictures and files of texts are passed on: `none`, `images` (made anew, without anything
    /// but their pixels) or `files` (also sound, film and PDF, whose metadata is not removed).
    media: MediaRule,
    /// Whether contact cards are passed on: they hold numbers.
    vcards: bool,
    /// Whether people are told by a text that a move gave them another number to dial.
    tell_of_moves: bool,
    /// Whether whoever gets a number is told of it by a text: who writes, why, which number, that it is
    /// masked, and how to get no more of them. Once for a number and a service.
    first_text: bool,
    /// Said instead of our words, with `{brand}`, `{number}` and `{stop}`; empty for ours, in the language
    /// of the service or of the person's country.
    first_text_words: String,
    content: Content,
    /// Whether only people join a session whose number was verified in this account.
    verified_participants: bool,
    /// How long a verification is good for that.
    verified_for_days: u64,
    retention: Retention,
    /// Which countries' numbers may join its sessions and be called and texted; empty for any that the operator
    /// allows. A list that is narrowed holds at once, also in sessions that are open.
    countries: Vec<String>,
    limits: ServiceLimits,
    /// Whether whoever wrote more than a limit allows is told so by a text, once an hour.
    tell_limits: bool,
    attestation: AttestationRules,
    /// Whether callers who withhold their number are asked for a PIN.
    pin_for_withheld: bool,
    /// Whether a PIN opens its session from any telephone.
    pin_from_any_phone: bool,
    /// Whether sessions share a number, by PIN, once the pool has none left for somebody.
    pin_fallback: bool,
    /// What the Twilio Proxy API sets.
    twilio_proxy: TwilioProxy,
    /// What is allowed but deserves a second look.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Option<Vec<String>>)]
    warnings: Vec<&'static str>,
    version: i64,
    created_at: Time,
    updated_at: Time,
}

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
    unique_name: Patch<String>,
    /// The marketplace's name, as callers hear it; the account's name by default.
    #[schema(value_type = Option<String>, max_length = 60)]
    #[serde(default)]
    brand: Patch<String>,
    /// BCP 47; empty for the language of the dialled number's country.
    #[schema(value_type = Option<String>)]
    #[serde(default)]
    language: Patch<String>,
    /// How long a session lives after its last interaction; 0 for ever.
    #[schema(value_type = Option<Seconds>)]
    #[serde(default)]
    default_ttl_seconds: Patch<Seconds>,
    /// How long nobody else gets a person's number after a session. Under 72 hours the answer warns.
    #[schema(value_type = Option<Seconds>)]
    #[serde(default)]
    quarantine_seconds: Patch<Seconds>,
    #[schema(value_type = Option<GeoMatch>)]
    #[serde(default)]
    geo_match: Patch<GeoMatch>,
    /// Whether a pool that has nothing near gives a number of the same country instead.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    geo_fallback: Patch<bool>,
    #[schema(value_type = Option<Selection>)]
    #[serde(default)]
    selection: Patch<Selection>,
    /// 2 to 20.
    #[schema(value_type = Option<u32>, minimum = 2, maximum = 20)]
    #[serde(default)]
    participants_max: Patch<Count>,
    /// 5 to 600.
    #[schema(value_type = Option<Seconds>)]
    #[serde(default)]
    ring_timeout_seconds: Patch<Seconds>,
    /// 60 to 14400.
    #[schema(value_type = Option<Seconds>)]
    #[serde(default)]
    call_max_seconds: Patch<Seconds>,
    #[schema(value_type = Option<String>, max_length = 300)]
    #[serde(default)]
    caller_announcement: Patch<String>,
    #[schema(value_type = Option<String>, max_length = 300)]
    #[serde(default)]
    callee_whisper: Patch<String>,
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    press_one: Patch<bool>,
    #[schema(value_type = Option<TeamRing>)]
    #[serde(default)]
    team_ring: Patch<TeamRing>,
    #[schema(value_type = Option<OutOfSession>)]
    #[serde(default)]
    out_of_session: Patch<OutOfSession>,
    #[schema(value_type = Option<String>, max_length = 300)]
    #[serde(default)]
    out_of_session_announcement: Patch<String>,
    /// Your own line, such as your support, in E.164: whom `forward` rings. It is sealed and never
    /// given out.
    #[schema(value_type = Option<String>, pattern = r"^\+[1-9][0-9]{6,14}$")]
    #[serde(default)]
    out_of_session_number: Patch<String>,
    /// Sent back to whoever texts where no session is, once a day; empty for nothing.
    #[schema(value_type = Option<String>, max_length = 300)]
    #[serde(default)]
    out_of_session_text: Patch<String>,
    /// Where `callback` asks: https, at a public address. Its first value makes a secret that the
    /// answer shows once; an empty one forgets it.
    #[schema(value_type = Option<String>, max_length = 2048)]
    #[serde(default)]
    out_of_session_url: Patch<String>,
    #[schema(value_type = Option<String>, max_length = 300)]
    #[serde(default)]
    missed_call_text: Patch<String>,
    /// Whether a caller whom nobody answered may leave a message, which is recorded. Take counsel: laws on
    /// recording differ.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    voicemail: Patch<bool>,
    /// Said to the caller first; empty for words of ours. It must say that they are recorded.
    #[schema(value_type = Option<String>, max_length = 300)]
    #[serde(default)]
    voicemail_greeting: Patch<String>,
    /// The longest message, 10 to 300.
    #[schema(value_type = Option<Seconds>)]
    #[serde(default)]
    voicemail_seconds: Patch<Seconds>,
    /// Whether whoever missed the call gets a text with an address where the message can be heard.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    voicemail_text: Patch<bool>,
    /// How long a message is kept, 1 to 30.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 30)]
    #[serde(default)]
    voicemail_days: Patch<Count>,
    #[schema(value_type = Option<IdentifierCheck>)]
    #[serde(default)]
    identifier_check: Patch<IdentifierCheck>,
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    keep_texts: Patch<bool>,
    #[schema(value_type = Option<StopWords>)]
    #[serde(default)]
    stop_words: Patch<StopWords>,
    #[schema(value_type = Option<String>, max_length = 300)]
    #[serde(default)]
    help_text: Patch<String>,
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    block_words: Patch<bool>,
    #[schema(value_type = Option<MediaRule>)]
    #[serde(default)]
    media: Patch<MediaRule>,
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    vcards: Patch<bool>,
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    tell_of_moves: Patch<bool>,
    /// Whether whoever gets a number is told of it by a text, once for a number and a service.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    first_text: Patch<bool>,
    /// Said instead of our words. Of braces it may have `{brand}`, `{number}` (the one that they dial) and
    /// `{stop}` (the word that ends texts). Empty for ours.
    #[schema(value_type = Option<String>, max_length = 300)]
    #[serde(default)]
    first_text_words: Patch<String>,
    /// What becomes of telephone numbers, addresses, links and payment handles in texts.
    #[schema(value_type = Option<ContentSettings>)]
    #[serde(default)]
    content: Patch<Object<ContentSettings>>,
    /// Whether only people join a session whose number was verified in this account.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    verified_participants: Patch<bool>,
    /// How long a verification is good for that, 1 to 730: numbers change hands.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 730)]
    #[serde(default)]
    verified_for_days: Patch<Count>,
    /// What is kept for a shorter time than the operator keeps it.
    #[schema(value_type = Option<RetentionSettings>)]
    #[serde(default)]
    retention: Patch<Object<RetentionSettings>>,
    /// ISO 3166-1 alpha-2, such as `FR`; empty for any that the operator allows.
    #[schema(value_type = Option<Vec<String>>, max_items = 250)]
    #[serde(default)]
    countries: Patch<Vec<String>>,
    /// Limits that are lower than the operator's.
    #[schema(value_type = Option<ServiceLimits>)]
    #[serde(default)]
    limits: Patch<Object<LimitSettings>>,
    /// Whether whoever writes too much is told so.
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    tell_limits: Patch<bool>,
    /// What becomes of a call by what the network says of its caller.
    #[schema(value_type = Option<AttestationSettings>)]
    #[serde(default)]
    attestation: Patch<Object<AttestationSettings>>,
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    pin_for_withheld: Patch<bool>,
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    pin_from_any_phone: Patch<bool>,
    #[schema(value_type = Option<bool>)]
    #[serde(default)]
    pin_fallback: Patch<bool>,
    #[schema(value_type = Option<ProxySettings>)]
    #[serde(default)]
    twilio_proxy: Patch<Object<ProxySettings>>,
}

impl Service {
    /// What an account sees of its service.
    async fn shown(
        tx: &mut Tx,
        account: &AccountId,
        service: services::Service,
    ) -> Result<Self, store::Error> {
        let masked = services::masked_line(tx, account, &service).await?;
        let rules = service.rules;
        Ok(Self {
            id: service.id,
            unique_name: service.unique_name,
            warnings: rules.warnings().into_iter().map(|one| one.words).collect(),
            brand: rules.brand,
            language: rules.language,
            default_ttl_seconds: rules.default_ttl.as_secs(),
            quarantine_seconds: rules.quarantine.as_secs(),
            geo_match: GeoMatch(rules.geo_match),
            geo_fallback: rules.geo_fallback,
            selection: Selection(rules.selection),
            participants_max: rules.participants_max,
            ring_timeout_seconds: rules.ring_timeout.as_secs(),
            call_max_seconds: rules.call_max.as_secs(),
            caller_announcement: rules.caller_announcement,
            callee_whisper: rules.callee_whisper,
            press_one: rules.press_one,
            team_ring: TeamRing(rules.team_ring),
            out_of_session: OutOfSession(rules.out_of_session),
            out_of_session_announcement: rules.out_of_session_announcement,
            out_of_session_number_masked: masked,
            out_of_session_text: rules.out_of_session_text,
            out_of_session_url: rules.out_of_session_url,
            out_of_session_secret: None,
            missed_call_text: rules.missed_call_text,
            voicemail: rules.voicemail.on,
            voicemail_greeting: rules.voicemail.greeting,
            voicemail_seconds: rules.voicemail.longest.as_secs(),
            voicemail_text: rules.voicemail.text,
            voicemail_days: rules.voicemail.kept.as_secs() / DAY_S,
            identifier_check: IdentifierCheck(rules.identifier_check),
            keep_texts: rules.keep_texts,
            stop_words: StopWords(rules.stop_words),
            help_text: rules.help_text,
            block_words: rules.block_words,
            media: MediaRule(rules.media),
            vcards: rules.vcards,
            tell_of_moves: rules.tell_of_moves,
            first_text: rules.first_text.on,
            first_text_words: rules.first_text.words,
            content: rules.content.into(),
            verified_participants: rules.verified.required,
            verified_for_days: rules.verified.within.as_secs() / DAY_S,
            retention: rules.retention.into(),
            countries: rules.countries.iter().map(str::to_owned).collect(),
            limits: (&rules.limits).into(),
            tell_limits: rules.tell_limits,
            attestation: rules.assurance.into(),
            pin_for_withheld: rules.assurance.pin_for_withheld,
            pin_from_any_phone: rules.assurance.pin_from_any_phone,
            pin_fallback: rules.assurance.pin_fallback,
            twilio_proxy: rules.proxy.into(),
            version: service.version,
            created_at: Time(service.created_at),
            updated_at: Time(service.updated_at),
        })
    }
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
    fn apply(&self, rules: &mut Rules, brand: &str) {
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
        self.apply_verified(&mut rules.verified);
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

    fn apply_verified(&self, rules: &mut VerifiedRules) {
        let default = VerifiedRules::default();
        let days = |days: &Count| Duration::from_secs(days.0.saturating_mul(DAY_S));
        set(&self.verified_participants, &default.required, &mut rules.required, bool::clone);
        set(&self.verified_for_days, &default.within, &mut rules.within, days);
    }

    /// What the rules alone refuse, found beside faults of form; `whole` if nothing was set before.
    fn check(&self, faults: &mut Faults, whole: bool, relay: &Relay) {
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

/// All services, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/services",
    tag = "Services",
    operation_id = "listServices",
    params(Paging),
    security(("bearer" = ["numbers:read"])),
    responses((status = 200, description = "A page of services", body = Page<Service>)),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersRead>,
    listing: Listing<NoFilter>,
) -> Result<Response, Problem> {
    let mut tx = api.0.relay.db().read().await?;
    let found = services::list(&mut tx, &caller.account, listing.after(), listing.limit()).await?;
    let mut shown = Vec::with_capacity(found.len());
    for service in found {
        shown.push(Service::shown(&mut tx, &caller.account, service).await?);
    }
    listing.answer(&api, shown, |service| service.id.as_str(), Ok)
}

/// Make a service.
#[utoipa::path(
    post,
    path = "/api/v1/services",
    tag = "Services",
    operation_id = "createService",
    request_body = ServiceSettings,
    security(("bearer" = ["numbers:write"])),
    responses((status = 201, description = "The service", body = Service)),
)]
pub(super) async fn create(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersWrite>,
    request: Write<ServiceSettings>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    body.check(&mut faults, true, &api.0.relay);
    let unique_name = match &body.unique_name {
        Patch::Value(name) => Some(name.clone()),
        Patch::Absent | Patch::Null => None,
    };
    let unique_name = faults.required(unique_name, "/unique_name");
    let unique_name = faults.done(unique_name)?;
    api.write(&caller, terms.key, (unique_name, body), |tx, account, (unique_name, body)| {
        Box::pin(async move {
            let brand = relay::default_brand(tx, account).await?;
            let mut rules = Rules::new(brand.clone());
            body.apply(&mut rules, &brand);
            let new = NewService { unique_name: unique_name.clone(), rules };
            let service = relay::create_service(tx, account, &new).await?;
            let secret = service.callback_secret.as_ref().map(WebhookSecret::expose);
            let mut service = Service::shown(tx, account, service).await?;
            service.out_of_session_secret = secret;
            let location = format!("/api/v1/services/{}", service.id);
            Ok(answer(StatusCode::CREATED, &service, Some(service.version), Some(location)))
        })
    })
    .await
}

/// One service, by its id or its unique name.
#[utoipa::path(
    get,
    path = "/api/v1/services/{service}",
    tag = "Services",
    operation_id = "getService",
    security(("bearer" = ["numbers:read"])),
    responses((status = 200, description = "The service", body = Service)),
)]
pub(super) async fn read(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersRead>,
    Path(service): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = api.0.relay.db().read().await?;
    let service = relay::find_service(&mut tx, &caller.account, &service).await?;
    let service = Service::shown(&mut tx, &caller.account, service).await?;
    Ok(write::read(&headers, &service, &service.version.to_string()))
}

/// Change a service's settings (JSON merge patch).
#[utoipa::path(
    patch,
    path = "/api/v1/services/{service}",
    tag = "Services",
    operation_id = "updateService",
    request_body = ServiceSettings,
    security(("bearer" = ["numbers:write"])),
    responses((status = 200, description = "The service as it is now", body = Service)),
)]
pub(super) async fn update(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersWrite>,
    Path(service): Path<String>,
    request: Write<ServiceSettings>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    body.check(&mut faults, false, &api.0.relay);
    let body = faults.done(Some(body))?;
    let input = (service, terms.version, body);
    api.write(&caller, terms.key, input, |tx, account, (service, version, body)| {
        Box::pin(async move {
            let before = relay::find_service(tx, account, service).await?;
            let brand = relay::default_brand(tx, account).await?;
            let change = |name: &mut String, rules: &mut Rules| {
                if let Patch::Value(new) = &body.unique_name {
                    name.clone_from(new);
                }
                body.apply(rules, &brand);
            };
            let changed = relay::update_service(tx, account, &before.id, *version, &change).await?;
            let new = before.callback_secret.is_none();
            let secret = changed.callback_secret.as_ref().filter(|_| new);
            let secret = secret.map(WebhookSecret::expose);
            let mut service = Service::shown(tx, account, changed).await?;
            service.out_of_session_secret = secret;
            Ok(answer(StatusCode::OK, &service, Some(service.version), None))
        })
    })
    .await
}
