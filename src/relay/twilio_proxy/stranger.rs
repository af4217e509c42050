//! The out-of-session callback: what becomes of a call or text that no open session is for.
//!
//! The marketplace answers with TwiML, or with a session to make at once
//! (<https://www.twilio.com/docs/proxy/api/webhooks>). Anything else leaves what the service has
//! without being asked.

use std::time::Duration;

use http::{StatusCode, header};
use serde_json::{Map, Value};
use tokio::time::Instant;
use url::Url;

use super::{
    form::{Letter, Parameters, Signer},
    told::sid_of,
    twiml::{self, Target, Verb},
    words::{date, parse_date},
};
use crate::relay::pins::PinWanted;
use crate::{
    domain::{
        interaction::{Kind, Reason},
        message::Body,
        phone::{Caller, Identifier, ProxyNumber},
        session::{ClosedReason, Mode},
        time::Timestamp,
    },
    ids::{AccountId, ParticipantId, ServiceId},
    relay::{
        Error, Relay,
        consult::{Advice, Asks, Question},
        inbound::{self, Event, Refused, Route},
        sessions::{self as use_cases, AddParticipant, OpenSession},
    },
    store::{
        Tx, numbers,
        participants::{self, Participant},
        sessions::{self, Session},
    },
};

/// The longest answer, in bytes.
const ANSWER_MAX: usize = 64 * 1024;
/// How many documents are asked for one after the other, each naming the next.
const REDIRECTS_MAX: usize = 5;
/// What Twilio puts in the place of a number that it was not given.
const WITHHELD: &str = "+266696687";

/// A question with a document, or a session, for its answer.
#[derive(Clone)]
pub(in crate::relay) struct Ask {
    account: AccountId,
    service: ServiceId,
    signer: Signer,
    to: Target,
    parameters: Parameters,
}

/// A document that a marketplace answered with.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::relay) struct Document {
    verbs: Vec<Verb>,
}

impl std::fmt::Debug for Document {
    // Its words and addresses are the marketplace's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document").field("verbs", &self.verbs.len()).finish_non_exhaustive()
    }
}

impl Document {
    /// What it says, in order.
    pub(in crate::relay) fn verbs(&self) -> &[Verb] {
        &self.verbs
    }

    /// What is to be written back, in order.
    pub(in crate::relay) fn texts(&self) -> impl Iterator<Item = &str> {
        self.verbs.iter().filter_map(|verb| match verb {
            Verb::Message(words) => Some(words.as_str()),
            _ => None,
        })
    }
}

/// A session that a marketplace wants made for somebody who has none.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::relay) struct Wanted {
    unique_name: Option<String>,
    mode: Mode,
    ttl: Option<Duration>,
    date_expiry: Option<Timestamp>,
    participant: Identifier,
    proxy: Option<ProxyNumber>,
}

impl std::fmt::Debug for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wanted(••••)")
    }
}

/// Whether the service's marketplace is asked about strangers in Twilio's way. What comes from one of
/// our own numbers is not asked about: it is never relayed (I6); nor is what stops texts.
pub(in crate::relay) fn is_asked(refused: &Refused) -> bool {
    !refused.service.rules.proxy.out_of_session_callback_url.is_empty()
        && !matches!(refused.reason, Reason::Loop | Reason::StopWord | Reason::Keyword)
}

/// The question about somebody who is in no session. `said` is what they wrote.
pub(in crate::relay) async fn question(
    tx: &mut Tx,
    event: Event<'_>,
    refused: &Refused,
    said: Option<&Body>,
) -> Result<Question, Error> {
    let account = &refused.account;
    let mut parameters = of_event(tx, account, event, said);
    if let (Some(session), _) = refused.last_session()
        && let Some(session) = sessions::get(tx, account, session).await?
    {
        of_session(tx, account, &session, refused.last_participant(), &mut parameters).await?;
    }
    let url = refused.service.rules.proxy.out_of_session_callback_url.clone();
    let to = Target { url, get: false };
    ask(tx, account, &refused.service.id, to, parameters).await
}

async fn ask(
    tx: &mut Tx,
    account: &AccountId,
    service: &ServiceId,
    to: Target,
    parameters: Parameters,
) -> Result<Question, Error> {
    let signer = Signer::of(tx, account).await?;
    let (owner, service) = (account.clone(), service.clone());
    let ask = Ask { account: owner.clone(), service, signer, to, parameters };
    Ok(Question::new(owner, Asks::Document(Box::new(ask))))
}

/// What Twilio's own webhook about the call or text would say.
fn of_event(tx: &Tx, account: &AccountId, event: Event<'_>, said: Option<&Body>) -> Parameters {
    let from = match event.from {
        Caller::Number(number) => number.expose(),
        Caller::Withheld => WITHHELD,
    };
    let from_country = match event.from {
        Caller::Number(number) => number.country().map(|country| country.as_str().to_owned()),
        Caller::Withheld => None,
    };
    let to_country = event.to.country().map(|country| country.as_str().to_owned());
    let sid = sid_of(tx, event);
    let mut parameters = vec![
        ("AccountSid", account.to_string()),
        ("ApiVersion", "2010-04-01".to_owned()),
        ("From", from.to_owned()),
        ("To", event.to.as_str().to_owned()),
        ("FromCountry", from_country.clone().unwrap_or_default()),
        ("ToCountry", to_country.clone().unwrap_or_default()),
    ];
    match event.kind {
        Kind::Call => parameters.extend([
            ("CallSid", sid),
            ("CallStatus", "ringing".to_owned()),
            ("Direction", "inbound".to_owned()),
            ("Caller", from.to_owned()),
            ("Called", event.to.as_str().to_owned()),
            ("CallerCountry", from_country.unwrap_or_default()),
            ("CalledCountry", to_country.unwrap_or_default()),
        ]),
        Kind::Message => parameters.extend([
            ("MessageSid", sid.clone()),
            ("SmsSid", sid.clone()),
            ("SmsMessageSid", sid),
            ("SmsStatus", "received".to_owned()),
            ("Body", said.map(Body::expose).unwrap_or_default().to_owned()),
            ("NumMedia", event.media.to_string()),
            ("NumSegments", "1".to_owned()),
        ]),
    }
    parameters
}

/// The last session that this person had on this number, and who was in it.
async fn of_session(
    tx: &mut Tx,
    account: &AccountId,
    session: &Session,
    caller: Option<&ParticipantId>,
    parameters: &mut Parameters,
) -> Result<(), Error> {
    let maybe = |at: Option<Timestamp>| at.map(date).unwrap_or_default();
    parameters.extend([
        ("sessionSid", session.id.to_string()),
        ("sessionAccountSid", account.to_string()),
        ("sessionServiceSid", session.service.to_string()),
        ("sessionUniqueName", session.unique_name.clone().unwrap_or_default()),
        ("sessionStatus", session.state.as_str().to_owned()),
        ("sessionMode", session.mode.as_str().to_owned()),
        (
            "sessionClosedReason",
            session.closed_reason.map(ClosedReason::as_str).unwrap_or_default().to_owned(),
        ),
        ("sessionDateCreated", date(session.created_at)),
        ("sessionDateStarted", maybe(session.started_at)),
        ("sessionDateUpdated", date(session.updated_at)),
        ("sessionDateEnded", maybe(session.ended_at)),
        ("sessionDateLastInteraction", maybe(session.last_interaction_at)),
        ("ttl", session.lifetime.ttl.as_secs().to_string()),
    ]);
    let people = participants::of_session(tx, account, &session.id).await?;
    let inbound = people.iter().find(|one| Some(&one.id) == caller);
    let outbound = people.iter().find(|one| Some(&one.id) != caller);
    let key = session.data_key(tx)?;
    for (names, person) in [(&INBOUND, inbound), (&OUTBOUND, outbound)] {
        let Some(person) = person else { continue };
        let name = person.name(&key)?.unwrap_or_default();
        let values = of_participant(account, session, person, name, &person.identifier(&key)?);
        parameters.extend(names.iter().copied().zip(values));
    }
    Ok(())
}

const INBOUND: [&str; 10] = [
    "inboundParticipantSid",
    "inboundParticipantAccountSid",
    "inboundParticipantServiceSid",
    "inboundParticipantSessionSid",
    "inboundParticipantFriendlyName",
    "inboundParticipantIdentifier",
    "inboundParticipantProxyIdentifier",
    "inboundParticipantProxyIdentifierSid",
    "inboundParticipantDateCreated",
    "inboundParticipantDateUpdated",
];

const OUTBOUND: [&str; 10] = [
    "outboundParticipantSid",
    "outboundParticipantAccountSid",
    "outboundParticipantServiceSid",
    "outboundParticipantSessionSid",
    "outboundParticipantFriendlyName",
    "outboundParticipantIdentifier",
    "outboundParticipantProxyIdentifier",
    "outboundParticipantProxyIdentifierSid",
    "outboundParticipantDateCreated",
    "outboundParticipantDateUpdated",
];

fn of_participant(
    account: &AccountId,
    session: &Session,
    person: &Participant,
    name: String,
    identifier: &Identifier,
) -> [String; 10] {
    [
        person.id.to_string(),
        account.to_string(),
        session.service.to_string(),
        session.id.to_string(),
        name,
        identifier.expose().to_owned(),
        person.number.as_str().to_owned(),
        person.number_id.to_string(),
        date(person.created_at),
        date(person.removed_at.unwrap_or(person.created_at)),
    ]
}

impl Relay {
    /// Asks for a document, and for the next as long as one only names another.
    ///
    /// # Errors
    /// A word for the metric.
    pub(in crate::relay) async fn document(
        &self,
        ask: &Ask,
        deadline: Duration,
    ) -> Result<Advice, &'static str> {
        let end = Instant::now() + deadline;
        let mut to = ask.to.clone();
        for _ in 0..REDIRECTS_MAX {
            let letter: Letter = ask.signer.ask(&to, &ask.parameters);
            let left = end.saturating_duration_since(Instant::now());
            let answer = self.write_to(&letter, left, ANSWER_MAX).await;
            let answer = answer.map_err(crate::egress::Failure::word)?;
            if !answer.status.is_success() {
                return Err("status");
            }
            let kind = answer.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
            let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
            let kind = kind.to_ascii_lowercase();
            if answer.status == StatusCode::NO_CONTENT || answer.body.is_empty() {
                // Nothing to do: Twilio hangs up, or sends nothing back.
                return Ok(Advice::Document(Document { verbs: Vec::new() }));
            }
            if kind == "application/json" {
                let wanted = wanted(&answer.body).ok_or("unreadable")?;
                return Ok(Advice::Create(Box::new(wanted)));
            }
            if !matches!(kind.as_str(), "application/xml" | "text/xml" | "text/html" | "") {
                return Err("unreadable");
            }
            let verbs = twiml::read(&to.url, &answer.body).ok_or("unreadable")?;
            match verbs.first() {
                Some(Verb::Redirect(next)) if ask.is_back(&next.url) => return Ok(Advice::Route),
                Some(Verb::Redirect(next)) => to = next.clone(),
                _ => return Ok(Advice::Document(Document { verbs })),
            }
        }
        Err("unreadable")
    }
}

impl Ask {
    /// Whether an address means this service's own routing: Twilio's, or the same path with us.
    fn is_back(&self, url: &str) -> bool {
        is_back(&self.account, &self.service, url)
    }
}

/// The next question about a call that a document steers, with `more` parameters.
pub(in crate::relay) async fn ask_again(
    tx: &mut Tx,
    account: &AccountId,
    service: &ServiceId,
    event: Event<'_>,
    to: Target,
    more: Vec<(&'static str, String)>,
) -> Result<Question, Error> {
    let parameters = of_call(tx, account, event, more);
    ask(tx, account, service, to, parameters).await
}

/// Whether an address means this service's own routing.
pub(in crate::relay) fn leads_back(
    account: &AccountId,
    service: &ServiceId,
    address: &Target,
) -> bool {
    is_back(account, service, &address.url)
}

/// `…/v1/Accounts/{AC}/Proxy/{KS}/Webhooks/{Call|Message}` on any host.
fn is_back(account: &AccountId, service: &ServiceId, url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let base = format!("/v1/Accounts/{account}/Proxy/{service}/Webhooks/");
    url.path().strip_prefix(&base).is_some_and(|kind| matches!(kind, "Call" | "Message"))
}

/// Reads a session to make: Twilio's names, in any case.
fn wanted(body: &[u8]) -> Option<Wanted> {
    let object: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let field = |name: &str| {
        object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    };
    let text = |name: &str| match field(name) {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(text)) => Some(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(_) => None,
    };
    let ttl = match field("ttl") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.parse().ok()?),
        Some(value) => Some(value.as_u64()?),
    };
    let mode = text("mode")?;
    let expiry = text("dateExpiry")?;
    let proxy = text("participantProxyIdentifier")?;
    Some(Wanted {
        unique_name: text("uniqueName")?,
        mode: mode.map_or(Some(Mode::VoiceAndMessage), |mode| Mode::parse(&mode))?,
        ttl: ttl.map(Duration::from_secs),
        date_expiry: match expiry {
            None => None,
            Some(text) => Some(parse_date(&text)?),
        },
        participant: Identifier::parse(&text("participantIdentifier")??).ok()?,
        proxy: match proxy {
            None => None,
            Some(number) => Some(ProxyNumber::parse(&number).ok()?),
        },
    })
}

/// Makes the session that the marketplace wants for a caller, who keeps the number that they dialled,
/// and finds the way again.
///
/// # Errors
/// [`Error::Unadvised`] where it can't be made: the caller undoes all.
pub(in crate::relay) async fn create(
    tx: &mut Tx,
    event: Event<'_>,
    refused: &Refused,
    wanted: &Wanted,
) -> Result<Route, Error> {
    let made = open(tx, event, refused, wanted).await;
    made.map_err(|error| match error {
        error if !error.lasts() => error,
        error => {
            tracing::warn!(account = %refused.account, %error, "a stranger's session was not made");
            Error::Unadvised
        }
    })?;
    inbound::route(tx, event).await
}

async fn open(
    tx: &mut Tx,
    event: Event<'_>,
    refused: &Refused,
    wanted: &Wanted,
) -> Result<(), Error> {
    let Caller::Number(caller) = event.from else { return Err(Error::NoPartner) };
    let account = &refused.account;
    let pinned = match &wanted.proxy {
        None => None,
        Some(number) => {
            let found = numbers::owner(tx, number).await?;
            let found = found.filter(|(owner, _)| owner == account);
            Some(found.ok_or(Error::NotFound("number"))?.1.id)
        }
    };
    let person = |identifier: &Identifier, number| AddParticipant {
        identifier: identifier.clone(),
        role: None,
        name: None,
        number,
        pin: PinWanted::Never,
    };
    let open = OpenSession {
        service: refused.service.id.clone(),
        unique_name: wanted.unique_name.clone(),
        mode: wanted.mode,
        ttl: wanted.ttl,
        date_expiry: wanted.date_expiry,
        recording: None,
        metadata: "{}".to_owned(),
        participants: vec![
            person(caller, Some(refused.number.id.clone())),
            person(&wanted.participant, pinned),
        ],
    };
    use_cases::open(tx, account, &open).await?;
    Ok(())
}

/// What a call's question says of itself while a document steers it.
fn of_call(
    tx: &Tx,
    account: &AccountId,
    event: Event<'_>,
    more: Vec<(&'static str, String)>,
) -> Parameters {
    let mut parameters = of_event(tx, account, event, None);
    for (name, value) in &mut parameters {
        if *name == "CallStatus" {
            "in-progress".clone_into(value);
        }
    }
    parameters.extend(more);
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A session to make is read in any case of its names; what is wrong is none.
    #[test]
    fn sessions_to_make() {
        let read = |text: &str| wanted(text.as_bytes());
        let full = read(
            r#"{"UniqueName":"a","mode":"voice-only","TTL":"60","dateExpiry":"2026-12-01T00:00:00Z",
                "participantIdentifier":"+14155550101","participantProxyIdentifier":"+14155550150","x":1}"#,
        );
        let full = full.unwrap();
        assert_eq!(full.unique_name.as_deref(), Some("a"));
        assert_eq!((full.mode, full.ttl), (Mode::VoiceOnly, Some(Duration::from_mins(1))));
        assert_eq!(full.participant.expose(), "+14155550101");
        assert!(full.proxy.is_some() && full.date_expiry.is_some());
        let least = read(r#"{"participantIdentifier":"+14155550101","ttl":60}"#).unwrap();
        assert_eq!((least.mode, least.ttl), (Mode::VoiceAndMessage, Some(Duration::from_mins(1))));
        for wrong in [
            "",
            "[]",
            "{}",
            r#"{"participantIdentifier":"someone"}"#,
            r#"{"participantIdentifier":"+14155550101","mode":"both"}"#,
            r#"{"participantIdentifier":"+14155550101","ttl":-1}"#,
            r#"{"participantIdentifier":"+14155550101","dateExpiry":"tomorrow"}"#,
            r#"{"participantIdentifier":"+14155550101","participantProxyIdentifier":"x"}"#,
            r#"{"participantIdentifier":1}"#,
        ] {
            assert!(read(wrong).is_none(), "{wrong}");
        }
    }

    /// The way back into a session is this service's alone.
    #[test]
    fn ways_back() {
        let account = AccountId::parse(&format!("AC{:032x}", 1)).unwrap();
        let service = ServiceId::parse(&format!("KS{:032x}", 2)).unwrap();
        let path = format!("/v1/Accounts/{account}/Proxy/{service}/Webhooks/Call");
        assert!(is_back(&account, &service, &format!("https://webhooks.twilio.com{path}")));
        assert!(is_back(&account, &service, &format!("https://relay.example{path}?a=b")));
        let other = path.replace("KS", "KT");
        for url in [other.as_str(), "https://m.example/next", &format!("https://m.example{path}s")]
        {
            assert!(!is_back(&account, &service, url), "{url}");
        }
    }
}
