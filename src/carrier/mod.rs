//! The provider seam: what any carrier can tell us, what we can tell it, and nothing more.
//!
//! A carrier is a value that translates between its dialect and our words. It does no I/O: the
//! relay sends the bytes, so timeouts, retries, limits, metrics and redaction exist once.
//!
//! Adding one is a folder, a line in [`KINDS`] and fixtures: `docs/carriers/adding.md`.

pub mod capabilities;
pub mod document;
pub mod element;
pub mod error;
pub mod event;
pub mod links;
pub mod listing;
pub mod number;
pub mod outbound;
pub mod plan;
pub mod provisioning;
pub mod signature;
pub mod wire;

mod acts;
mod bandwidth;
mod commanded;
mod fields;
mod form;
mod infobip;
mod jambonz;
mod memory;
mod own;
mod plivo;
mod sandbox;
mod settings;
mod signalwire;
mod sinch;
mod telnyx;
mod twilio;
mod twiml;
mod vonage;

use std::fmt;

pub use self::{
    capabilities::Capabilities,
    error::{SendError, WebhookError},
    event::Inbound,
    links::Links,
    number::NumberFault,
    outbound::{Outbound, Sent},
    plan::{Answer, Plan, Reply},
    provisioning::Provisioning,
    wire::{Request, Response},
};
use crate::domain::{interaction, media, phone::ProxyNumber, pool, time::Timestamp};

/// A translator between one carrier's dialect and our words.
pub trait Carrier: Send + Sync + fmt::Debug {
    /// What this carrier can do, as data.
    fn capabilities(&self) -> &Capabilities;

    /// What a webhook without an `Authorization` is told (`WWW-Authenticate`), for a carrier that sends
    /// its credentials only once it was asked for them.
    fn challenge(&self) -> Option<&'static str> {
        None
    }

    /// Whether a webhook is authentic and fresh. `request.url` is the address that the carrier was
    /// given, never one made from a `Host` header. Compares in constant time.
    ///
    /// # Errors
    /// [`WebhookError::BadSignature`] or [`WebhookError::Stale`].
    fn verify(&self, request: &Request, now: Timestamp) -> Result<(), WebhookError>;

    /// What a verified webhook says. Any event may arrive at any of the hook paths. Unknown fields
    /// and unknown kinds are [`Inbound::Ignored`], never an error.
    ///
    /// # Errors
    /// [`WebhookError::Malformed`] where a field that we need is missing or wrong.
    fn parse(&self, request: &Request) -> Result<Vec<Inbound>, WebhookError>;

    /// The same for a carrier whose calls bring back what they keep for us, sealed under `links`.
    ///
    /// # Errors
    /// The same, and [`WebhookError::BadToken`].
    fn parse_with(&self, request: &Request, _links: &Links) -> Result<Vec<Inbound>, WebhookError> {
        self.parse(request)
    }

    /// Words an answer in the carrier's dialect.
    fn reply(&self, answer: &Answer, links: &Links) -> Reply;

    /// The same for the webhook that told of `events`, where the words depend on whom it is about.
    fn reply_to(&self, answer: &Answer, _events: &[Inbound], links: &Links) -> Reply {
        self.reply(answer, links)
    }

    /// The same for a carrier that is steered by commands: they name the call that `webhook` was about.
    fn reply_for(
        &self,
        answer: &Answer,
        _webhook: &Request,
        events: &[Inbound],
        links: &Links,
    ) -> Reply {
        self.reply_to(answer, events, links)
    }

    /// The request that does `outbound`. Built from an allow-list of fields.
    ///
    /// # Errors
    /// [`SendError`] with `retry: Never` where the carrier can't do it at all.
    fn request(&self, outbound: &Outbound, links: &Links) -> Result<Request, SendError>;

    /// A request of this adapter's as it leaves: with credentials that hold the time, where the
    /// carrier wants such.
    fn authorize(&self, request: Request, _now: Timestamp) -> Request {
        request
    }

    /// What the carrier's answer to [`Carrier::request`] means.
    ///
    /// # Errors
    /// [`SendError`], also for errors inside a 200.
    fn response(&self, outbound: &Outbound, response: &Response) -> Result<Sent, SendError>;

    /// A harmless request whose 2xx shows that the credentials work (`entremise check --live`).
    fn probe(&self) -> Option<Request>;

    /// The same for the credentials that sign webhooks, where those of [`Carrier::probe`] are
    /// others.
    fn probe_signing(&self) -> Option<Request> {
        None
    }

    /// The same for the credentials that place calls, where those are others. Passes through
    /// [`Carrier::authorize`].
    fn probe_calls(&self) -> Option<Request> {
        None
    }

    /// A webhook of our own, correctly signed, that [`Carrier::parse`] reads as one
    /// [`Inbound::Ignored`]: sent to the public address it shows that carriers reach us.
    fn sample(&self, _links: &Links, _now: Timestamp) -> Option<Request> {
        None
    }

    /// The request that asks how the carrier handles `number`; `None` where there is nothing to
    /// set.
    fn number(&self, _number: &ProxyNumber) -> Option<Request> {
        None
    }

    /// What its answer says is wrong, for a number that `can` do that much: nothing where all is
    /// well. `None` for an answer that can't be read. Only for a 2xx.
    fn number_faults(
        &self,
        _number: &ProxyNumber,
        _can: pool::Capabilities,
        _links: &Links,
        _response: &Response,
    ) -> Option<Vec<NumberFault>> {
        None
    }

    /// The request that asks whether the account has that number; `None` where the carrier keeps no
    /// numbers that can be looked up so.
    fn rented(&self, _wanted: &number::Wanted) -> Option<Request> {
        None
    }

    /// What its answer says: the number, or `None` for one that the account does not have.
    ///
    /// # Errors
    /// [`error::SendErrorKind::Unsupported`] where the answer is that of an API without numbers;
    /// another [`SendError`] where the carrier could not tell.
    fn rented_one(
        &self,
        _wanted: &number::Wanted,
        _response: &Response,
    ) -> Result<Option<number::Rented>, SendError> {
        Err(SendError::new(error::SendErrorKind::Unsupported, error::Retry::Never))
    }

    /// How its numbers are found, bought, set and given back; `None` where that is not done by API.
    fn provisioning(&self) -> Option<&dyn Provisioning> {
        None
    }

    /// Requests that ask how the carrier handles calls and texts of all numbers at once, where that is
    /// set for an application or a profile of the account.
    fn account(&self) -> Vec<Request> {
        Vec::new()
    }

    /// What the answer to the request at `place` of [`Carrier::account`] says is wrong: nothing where
    /// all is well. `None` for an answer that can't be read. Only for a 2xx.
    fn account_faults(
        &self,
        _place: usize,
        _links: &Links,
        _response: &Response,
    ) -> Option<Vec<NumberFault>> {
        None
    }

    /// The request for the first page of what the carrier has on record; `None` where it can't be
    /// asked for that. Every carrier with [`capabilities::Dedupe::Lookup`] answers
    /// [`listing::Query::Sent`], and every one whose capabilities say `lists` the others.
    fn list(&self, _query: &listing::Query) -> Option<Request> {
        None
    }

    /// What a page says, and the request for the next one: to the carrier's own address, whatever the
    /// page names.
    ///
    /// # Errors
    /// [`SendError`] for anything but a page that can be read whole.
    fn listed(
        &self,
        _query: &listing::Query,
        _response: &Response,
    ) -> Result<listing::Page, SendError> {
        Err(SendError::new(error::SendErrorKind::Unsupported, error::Retry::Never))
    }

    /// The request for a picture or file of a text that came in, with credentials: only if `address` is
    /// the carrier's own, where its account's files are; `None` for any other, which is called as a
    /// stranger's, without.
    fn media(&self, _address: &str) -> Option<Request> {
        None
    }

    /// How many pictures and files one text takes, where it takes some.
    fn media_max(&self) -> usize {
        media::MEDIA_MAX
    }

    /// Whether the ids of its calls and texts are Twilio's own SIDs, by which whoever has the
    /// account there looks them up.
    fn has_twilio_sids(&self) -> bool {
        false
    }

    /// Where its API has the call or text of that SID; `None` where those are not Twilio's.
    fn resource_url(&self, _kind: interaction::Kind, _sid: &str) -> Option<String> {
        None
    }

    /// Strings that must never be logged: tokens, secrets, passwords.
    fn secrets(&self) -> Vec<String>;
}

/// One entry of the configuration, as an adapter gets it.
#[derive(Clone)]
pub struct Settings {
    /// The entry's `id`, a part of the hook paths.
    pub id: String,
    /// Overrides the carrier's API address; trusted. No slash at the end.
    pub api_base: Option<String>,
    /// The kind's own keys, such as `account_sid`.
    pub values: toml::Table,
}

/// A fault in one configuration entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingFault {
    /// The key inside the entry.
    pub key: String,
    /// What is wrong and what is allowed. Never the value of a secret.
    pub message: String,
}

/// Builds an adapter, or says all that is wrong with its settings.
pub type Build = fn(&Settings) -> Result<Box<dyn Carrier>, Vec<SettingFault>>;

/// A kind of carrier that the configuration may name.
pub struct Kind {
    /// The value of `kind`, and the name of its folder and of its fixtures' folder.
    pub name: &'static str,
    /// The adapter's page for operators.
    pub readme: &'static str,
    /// Builds the adapter, or says all that is wrong with its settings at once.
    pub build: Build,
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Every carrier that works. One line each.
pub static KINDS: &[Kind] = &[
    sandbox::KIND,
    twilio::KIND,
    telnyx::KIND,
    vonage::KIND,
    plivo::KIND,
    bandwidth::KIND,
    infobip::KIND,
    sinch::KIND,
    signalwire::KIND,
    jambonz::KIND,
];

/// The kind of that name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// Whether `text` has the form of most carriers' ids, letters, digits and dashes: what is kept, logged and
/// a part of a path.
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}
