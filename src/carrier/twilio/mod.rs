//! Twilio: signed form webhooks in, TwiML and REST requests out. What other carriers have of it too is in
//! `carrier::twiml`.

mod config;
mod list;
mod number;
mod provision;
mod rented;
mod send;
#[cfg(test)]
mod tests;
mod voice;
mod webhook;

use std::time::Duration;

use http::{Method, header::AUTHORIZATION};

use self::config::Config;
use super::{
    Answer, Capabilities, Carrier, Inbound, Kind, Links, NumberFault, Outbound, Reply, Request,
    Response, SendError, Sent, SettingFault, Settings, WebhookError,
    capabilities::{Answers, CallerIdRule, Control, Dedupe, Deletes, Numbers, SenderIds},
    listing::{Page, Query},
    number::{Rented, Wanted},
    own,
    provisioning::Provisioning,
    twiml,
};
use crate::domain::{interaction, phone::ProxyNumber, pool, time::Timestamp};

pub(super) const KIND: Kind =
    Kind { name: "twilio", readme: include_str!("../../../docs/carriers/twilio.md"), build };

/// Limits of the documented API: `<Dial>` and `<Number>`, `Messages` and `Calls`.
static CAPABILITIES: Capabilities = Capabilities {
    voice: true,
    sms: true,
    mms: true,
    control: Control::Documents,
    receipts: true,
    // No key makes a send idempotent, but the list of sent messages can be searched.
    dedupe: Dedupe::Lookup,
    lists: true,
    answer_on_bridge: true,
    whisper: true,
    gather: true,
    attestation: true,
    voicemail: true,
    deletes: Deletes { texts: true, calls: true },
    recording: true,
    simultaneous: 10,
    ring_timeout: (Duration::from_secs(1), Duration::from_mins(10)),
    duration_max: Some(Duration::from_hours(4)),
    validity_max: Duration::from_hours(10),
    patience: Duration::from_secs(15),
    caller_id: CallerIdRule::OwnNumbers,
    // https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out
    answers: Answers {
        words: &[
            "STOP",
            "UNSUBSCRIBE",
            "END",
            "QUIT",
            "STOPALL",
            "REVOKE",
            "OPTOUT",
            "CANCEL",
            "START",
            "UNSTOP",
            "HELP",
            "INFO",
        ],
        plus_one: false,
    },
    opted_out: &["21610"],
    // https://www.twilio.com/docs/api/errors/21709
    sender_ids: Some(SenderIds { chars_min: 2, spaces: true }),
    numbers: Numbers::Buy,
};

/// One configured Twilio account.
#[derive(Debug)]
struct Twilio {
    config: Config,
}

fn build(settings: &Settings) -> Result<Box<dyn Carrier>, Vec<SettingFault>> {
    Ok(Box::new(Twilio { config: Config::read(settings)? }))
}

impl Carrier for Twilio {
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    /// Twilio signs no time: a replay is found by its id, never by its age.
    fn verify(&self, request: &Request, _now: Timestamp) -> Result<(), WebhookError> {
        webhook::verify(&self.config, request)
    }

    fn parse(&self, request: &Request) -> Result<Vec<Inbound>, WebhookError> {
        Ok(vec![webhook::parse(request)?])
    }

    fn reply(&self, answer: &Answer, links: &Links) -> Reply {
        voice::reply(answer, links)
    }

    fn request(&self, outbound: &Outbound, links: &Links) -> Result<Request, SendError> {
        twiml::rest::request(&self.config, outbound, links)
    }

    fn response(&self, outbound: &Outbound, response: &Response) -> Result<Sent, SendError> {
        twiml::rest::response(&self.config, outbound, response)
    }

    /// A standard API key opens everything but the account itself.
    fn probe(&self) -> Option<Request> {
        let path = if self.config.has_api_key() { "/IncomingPhoneNumbers" } else { "" };
        Some(twiml::authorized(
            &self.config,
            Request::new(Method::GET, self.config.account_url(path)),
        ))
    }

    fn probe_signing(&self) -> Option<Request> {
        self.config.has_api_key().then(|| {
            Request::new(Method::GET, self.config.account_url(""))
                .with_header(AUTHORIZATION, &self.config.token_authorization())
        })
    }

    fn sample(&self, links: &Links, _now: Timestamp) -> Option<Request> {
        webhook::sample(&self.config, links)
    }

    fn number(&self, number: &ProxyNumber) -> Option<Request> {
        Some(number::request(&self.config, number))
    }

    fn number_faults(
        &self,
        number: &ProxyNumber,
        can: pool::Capabilities,
        links: &Links,
        response: &Response,
    ) -> Option<Vec<NumberFault>> {
        number::faults(number, can, links, response)
    }

    fn rented(&self, wanted: &Wanted) -> Option<Request> {
        Some(rented::request(&self.config, wanted))
    }

    fn rented_one(
        &self,
        wanted: &Wanted,
        response: &Response,
    ) -> Result<Option<Rented>, SendError> {
        rented::read(wanted, response)
    }

    fn provisioning(&self) -> Option<&dyn Provisioning> {
        Some(self)
    }

    fn list(&self, query: &Query) -> Option<Request> {
        Some(twiml::list::request(&self.config, query))
    }

    fn listed(&self, query: &Query, response: &Response) -> Result<Page, SendError> {
        twiml::list::page(&self.config, query, response)
    }

    fn media(&self, address: &str) -> Option<Request> {
        let bases = [self.config.messages_base(), self.config.recordings_base()];
        let request = bases.iter().find_map(|base| own::below(base, address))?;
        Some(twiml::authorized(&self.config, request))
    }

    fn has_twilio_sids(&self) -> bool {
        true
    }

    fn resource_url(&self, kind: interaction::Kind, sid: &str) -> Option<String> {
        let (prefixes, path): (&[&str], _) = match kind {
            interaction::Kind::Call => (&["CA"], "Calls"),
            interaction::Kind::Message => (&["SM", "MM"], "Messages"),
        };
        let known = prefixes.iter().any(|prefix| is_sid(prefix, sid));
        known.then(|| self.config.account_url(&format!("/{path}/{sid}")))
    }

    fn secrets(&self) -> Vec<String> {
        self.config.secrets()
    }
}

/// Whether `text` is `prefix` and 32 hex digits: the form of Twilio's ids.
fn is_sid(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}
