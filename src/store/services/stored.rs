//! The stored form of a service's rules.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::assurance::StoredAssurance;
use crate::{
    domain::{
        abuse::{Countries, Limit, Limits},
        assurance::AssuranceRules,
        content::{Actions, ContentAction},
        opt_out::StopWords,
        phone::Strictness,
        policy::{
            ContentRules, FirstTextRules, GeoMatch, MediaRule, OnInterceptFailure, OrderUrl,
            OutOfSession, ProxyRules, RecordingRule, RecordingRules, Rules, Selection, TeamRing,
            VerifiedRules, VoicemailRules,
        },
        retention::RetentionRules,
        sender::SenderId,
    },
    store::Error,
};

/// The stored form of the rules. A field that an older row lacks gets its default.
#[derive(Serialize, Deserialize)]
struct StoredRules {
    brand: String,
    #[serde(default)]
    language: String,
    default_ttl_ms: u64,
    quarantine_ms: u64,
    geo_match: String,
    geo_fallback: bool,
    selection: String,
    participants_max: u32,
    ring_timeout_ms: u64,
    call_max_ms: u64,
    caller_announcement: String,
    callee_whisper: String,
    press_one: bool,
    team_ring: String,
    out_of_session: String,
    out_of_session_announcement: String,
    #[serde(default)]
    out_of_session_text: String,
    missed_call_text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identifier_check: Option<String>,
    #[serde(default)]
    keep_texts: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stop_words: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    help_text: String,
    #[serde(default)]
    block_words: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media: Option<String>,
    #[serde(default)]
    vcards: bool,
    #[serde(default)]
    tell_of_moves: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_text: Option<StoredFirstText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    voicemail: Option<StoredVoicemail>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recording: Option<StoredRecording>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<StoredContent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verified: Option<StoredVerified>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sender_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    order_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retention: Option<StoredRetention>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    countries: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    limits: BTreeMap<String, u32>,
    #[serde(default)]
    tell_limits: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    assurance: Option<StoredAssurance>,
}

#[derive(Serialize, Deserialize)]
struct StoredVerified {
    required: bool,
    within_ms: u64,
}

/// In days.
#[derive(Serialize, Deserialize)]
struct StoredRetention {
    texts: Option<u32>,
    log: Option<u32>,
    sessions: Option<u32>,
}

#[derive(Serialize, Deserialize)]
struct StoredContent {
    phone: String,
    email: String,
    link: String,
    payment: String,
    legal_basis: String,
    notice: String,
    keep_originals: bool,
}

impl StoredContent {
    fn new(rules: &ContentRules) -> Self {
        let Actions { phone, email, link, payment } = rules.actions;
        Self {
            phone: phone.as_str().into(),
            email: email.as_str().into(),
            link: link.as_str().into(),
            payment: payment.as_str().into(),
            legal_basis: rules.legal_basis.clone(),
            notice: rules.notice.clone(),
            keep_originals: rules.keep_originals,
        }
    }

    fn read(self) -> Option<ContentRules> {
        let actions = Actions {
            phone: ContentAction::parse(&self.phone)?,
            email: ContentAction::parse(&self.email)?,
            link: ContentAction::parse(&self.link)?,
            payment: ContentAction::parse(&self.payment)?,
        };
        let Self { legal_basis, notice, keep_originals, .. } = self;
        Some(ContentRules { actions, legal_basis, notice, keep_originals })
    }
}

#[derive(Serialize, Deserialize)]
struct StoredVoicemail {
    on: bool,
    greeting: String,
    longest_ms: u64,
    text: bool,
    kept_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct StoredRecording {
    rule: String,
    purpose: String,
    kept_ms: u64,
}

impl StoredRecording {
    fn read(self) -> Option<RecordingRules> {
        let rule = RecordingRule::parse(&self.rule)?;
        let kept = Duration::from_millis(self.kept_ms);
        Some(RecordingRules { rule, purpose: self.purpose, kept })
    }
}

#[derive(Serialize, Deserialize)]
struct StoredFirstText {
    on: bool,
    words: String,
}

/// The stored form of what a service of Twilio Proxy has, before it is sealed.
#[derive(Serialize, Deserialize)]
struct StoredProxy {
    callback_url: String,
    intercept_callback_url: String,
    out_of_session_callback_url: String,
    chat_instance_sid: String,
    on_intercept_failure: String,
}

pub(super) fn proxy_text(rules: &ProxyRules) -> Result<String, Error> {
    serde_json::to_string(&StoredProxy {
        callback_url: rules.callback_url.clone(),
        intercept_callback_url: rules.intercept_callback_url.clone(),
        out_of_session_callback_url: rules.out_of_session_callback_url.clone(),
        chat_instance_sid: rules.chat_instance_sid.clone(),
        on_intercept_failure: rules.on_intercept_failure.as_str().into(),
    })
    .map_err(|_| Error::Inconsistent { table: "services", column: "proxy" })
}

pub(super) fn proxy_rules(text: &str) -> Option<ProxyRules> {
    let stored: StoredProxy = serde_json::from_str(text).ok()?;
    Some(ProxyRules {
        callback_url: stored.callback_url,
        intercept_callback_url: stored.intercept_callback_url,
        out_of_session_callback_url: stored.out_of_session_callback_url,
        chat_instance_sid: stored.chat_instance_sid,
        on_intercept_failure: OnInterceptFailure::parse(&stored.on_intercept_failure)?,
    })
}

fn ms(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn to_text(rules: &Rules) -> Result<String, Error> {
    serde_json::to_string(&StoredRules {
        brand: rules.brand.clone(),
        language: rules.language.clone(),
        default_ttl_ms: ms(rules.default_ttl),
        quarantine_ms: ms(rules.quarantine),
        geo_match: rules.geo_match.as_str().into(),
        geo_fallback: rules.geo_fallback,
        selection: rules.selection.as_str().into(),
        participants_max: rules.participants_max,
        ring_timeout_ms: ms(rules.ring_timeout),
        call_max_ms: ms(rules.call_max),
        caller_announcement: rules.caller_announcement.clone(),
        callee_whisper: rules.callee_whisper.clone(),
        press_one: rules.press_one,
        team_ring: rules.team_ring.as_str().into(),
        out_of_session: rules.out_of_session.as_str().into(),
        out_of_session_announcement: rules.out_of_session_announcement.clone(),
        out_of_session_text: rules.out_of_session_text.clone(),
        missed_call_text: rules.missed_call_text.clone(),
        identifier_check: Some(rules.identifier_check.as_str().into()),
        keep_texts: rules.keep_texts,
        stop_words: Some(rules.stop_words.as_str().into()),
        help_text: rules.help_text.clone(),
        block_words: rules.block_words,
        media: Some(rules.media.as_str().into()),
        vcards: rules.vcards,
        tell_of_moves: rules.tell_of_moves,
        first_text: (rules.first_text != FirstTextRules::default()).then(|| StoredFirstText {
            on: rules.first_text.on,
            words: rules.first_text.words.clone(),
        }),
        voicemail: (rules.voicemail != VoicemailRules::default()).then(|| StoredVoicemail {
            on: rules.voicemail.on,
            greeting: rules.voicemail.greeting.clone(),
            longest_ms: ms(rules.voicemail.longest),
            text: rules.voicemail.text,
            kept_ms: ms(rules.voicemail.kept),
        }),
        recording: (rules.recording != RecordingRules::default()).then(|| StoredRecording {
            rule: rules.recording.rule.as_str().into(),
            purpose: rules.recording.purpose.clone(),
            kept_ms: ms(rules.recording.kept),
        }),
        content: (rules.content != ContentRules::default())
            .then(|| StoredContent::new(&rules.content)),
        verified: (rules.verified != VerifiedRules::default()).then(|| StoredVerified {
            required: rules.verified.required,
            within_ms: ms(rules.verified.within),
        }),
        sender_id: rules.sender_id.as_ref().map(|id| id.as_str().to_owned()),
        order_url: rules.order_url.as_ref().map(|url| url.as_str().to_owned()),
        retention: (rules.retention != RetentionRules::default()).then(|| {
            let RetentionRules { texts, log, sessions } = rules.retention;
            StoredRetention { texts, log, sessions }
        }),
        countries: rules.countries.iter().map(str::to_owned).collect(),
        limits: rules.limits.iter().map(|(one, most)| (one.as_str().to_owned(), most)).collect(),
        tell_limits: rules.tell_limits,
        assurance: (rules.assurance != AssuranceRules::default())
            .then(|| StoredAssurance::new(rules.assurance)),
    })
    .map_err(|_| Error::Inconsistent { table: "services", column: "rules" })
}

pub(super) fn from_text(text: &str) -> Option<Rules> {
    let stored: StoredRules = serde_json::from_str(text).ok()?;
    Some(Rules {
        brand: stored.brand,
        language: stored.language,
        default_ttl: Duration::from_millis(stored.default_ttl_ms),
        quarantine: Duration::from_millis(stored.quarantine_ms),
        geo_match: GeoMatch::parse(&stored.geo_match)?,
        geo_fallback: stored.geo_fallback,
        selection: Selection::parse(&stored.selection)?,
        participants_max: stored.participants_max,
        ring_timeout: Duration::from_millis(stored.ring_timeout_ms),
        call_max: Duration::from_millis(stored.call_max_ms),
        caller_announcement: stored.caller_announcement,
        callee_whisper: stored.callee_whisper,
        press_one: stored.press_one,
        team_ring: TeamRing::parse(&stored.team_ring)?,
        out_of_session: OutOfSession::parse(&stored.out_of_session)?,
        out_of_session_announcement: stored.out_of_session_announcement,
        out_of_session_number: None,
        out_of_session_text: stored.out_of_session_text,
        out_of_session_url: String::new(),
        missed_call_text: stored.missed_call_text,
        identifier_check: match stored.identifier_check {
            Some(word) => Strictness::parse(&word)?,
            None => Strictness::Possible,
        },
        keep_texts: stored.keep_texts,
        stop_words: match stored.stop_words {
            Some(word) => StopWords::parse(&word)?,
            None => StopWords::Relay,
        },
        help_text: stored.help_text,
        block_words: stored.block_words,
        media: match stored.media {
            Some(word) => MediaRule::parse(&word)?,
            None => MediaRule::Images,
        },
        vcards: stored.vcards,
        tell_of_moves: stored.tell_of_moves,
        first_text: stored.first_text.map_or_else(FirstTextRules::default, |stored| {
            FirstTextRules { on: stored.on, words: stored.words }
        }),
        voicemail: stored.voicemail.map_or_else(VoicemailRules::default, |stored| VoicemailRules {
            on: stored.on,
            greeting: stored.greeting,
            longest: Duration::from_millis(stored.longest_ms),
            text: stored.text,
            kept: Duration::from_millis(stored.kept_ms),
        }),
        recording: match stored.recording {
            Some(stored) => stored.read()?,
            None => RecordingRules::default(),
        },
        content: match stored.content {
            Some(stored) => stored.read()?,
            None => ContentRules::default(),
        },
        verified: stored.verified.map_or_else(VerifiedRules::default, |stored| VerifiedRules {
            required: stored.required,
            within: Duration::from_millis(stored.within_ms),
        }),
        sender_id: read_or_none(stored.sender_id, SenderId::parse)?,
        order_url: read_or_none(stored.order_url, OrderUrl::parse)?,
        retention: stored.retention.map_or_else(RetentionRules::default, |stored| {
            let StoredRetention { texts, log, sessions } = stored;
            RetentionRules { texts, log, sessions }
        }),
        countries: Countries::parse(stored.countries.iter().map(String::as_str))?,
        limits: limits(&stored.limits),
        tell_limits: stored.tell_limits,
        assurance: match stored.assurance {
            Some(stored) => stored.read()?,
            None => AssuranceRules::default(),
        },
        proxy: ProxyRules::default(),
    })
}

/// `None` for what is there and cannot be read.
#[expect(clippy::option_option, reason = "what is not there is read too")]
fn read_or_none<T>(text: Option<String>, parse: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    match text {
        Some(text) => parse(&text).map(Some),
        None => Some(None),
    }
}

/// A limit that a newer version knows is none here.
fn limits(stored: &BTreeMap<String, u32>) -> Limits {
    let mut limits = Limits::default();
    for (name, most) in stored {
        if let Some(limit) = Limit::parse(name) {
            limits.set(limit, *most);
        }
    }
    limits
}
