//! Bandwidth: webhooks with a name and a password in, JSON for texts and calls; BXML and REST requests out.

mod calls;
mod config;
mod number;
mod send;
#[cfg(test)]
mod tests;
mod voice;
mod webhook;

use std::time::Duration;

use http::Method;

use self::config::Config;
use super::{
    Answer, Capabilities, Carrier, Inbound, Kind, Links, NumberFault, Outbound, Reply, Request,
    Response, SendError, Sent, SettingFault, Settings, WebhookError,
    capabilities::{Answers, CallerIdRule, Control, Dedupe, Deletes, Numbers},
    is_id, own,
    settings::BASIC_CHALLENGE,
};
use crate::domain::{phone::ProxyNumber, pool, time::Timestamp};

pub(super) const KIND: Kind =
    Kind { name: "bandwidth", readme: include_str!("../../../docs/carriers/bandwidth.md"), build };

/// Limits of the documented APIs: BXML's `<Transfer>`, `POST /calls` and `POST /messages`.
static LIMITS: Capabilities = Capabilities {
    voice: true,
    sms: true,
    mms: true,
    control: Control::Documents,
    receipts: true,
    // A tag goes with a text and drops no repeat. The list of texts has neither tags nor words, and
    // does not say how soon a text is on it.
    dedupe: Dedupe::None,
    lists: false,
    // It is not documented when the caller's leg is answered.
    answer_on_bridge: false,
    whisper: true,
    gather: true,
    attestation: true,
    voicemail: true,
    deletes: Deletes::NONE,
    recording: false,
    simultaneous: 8,
    ring_timeout: (Duration::from_secs(1), Duration::from_mins(5)),
    duration_max: None,
    // Bandwidth names none: a text is given a time at which it expires.
    validity_max: Duration::from_hours(24),
    patience: Duration::from_secs(10),
    caller_id: CallerIdRule::OwnNumbers,
    answers: Answers::NONE,
    opted_out: &[],
    sender_ids: None,
    numbers: Numbers::None,
};

/// One configured Bandwidth account.
#[derive(Debug)]
struct Bandwidth {
    config: Config,
    /// What its applications are for.
    can: Capabilities,
}

fn build(settings: &Settings) -> Result<Box<dyn Carrier>, Vec<SettingFault>> {
    let config = Config::read(settings)?;
    let texts = config.messaging_application.is_some();
    let voice = config.voice_application.is_some();
    let can = Capabilities { voice, sms: texts, mms: texts, ..LIMITS };
    Ok(Box::new(Bandwidth { config, can }))
}

impl Carrier for Bandwidth {
    fn capabilities(&self) -> &Capabilities {
        &self.can
    }

    fn challenge(&self) -> Option<&'static str> {
        Some(BASIC_CHALLENGE)
    }

    fn verify(&self, request: &Request, _now: Timestamp) -> Result<(), WebhookError> {
        webhook::verify(&self.config, request)
    }

    fn parse(&self, request: &Request) -> Result<Vec<Inbound>, WebhookError> {
        webhook::parse(request)
    }

    fn reply(&self, answer: &Answer, links: &Links) -> Reply {
        voice::reply(&self.config, answer, links)
    }

    fn request(&self, outbound: &Outbound, links: &Links) -> Result<Request, SendError> {
        send::request(&self.config, outbound, links)
    }

    /// A text is given the time at which it expires: how long it may be held is known before, and now
    /// is known here.
    fn authorize(&self, request: Request, now: Timestamp) -> Request {
        send::dated(request, now)
    }

    fn response(&self, outbound: &Outbound, response: &Response) -> Result<Sent, SendError> {
        send::response(outbound, response)
    }

    fn probe(&self) -> Option<Request> {
        let url = match self.config.messaging_application {
            Some(_) => self.config.messaging_url("/messages?limit=1"),
            None => self.config.voice_url(send::ONE_CALL),
        };
        Some(send::authorized(&self.config, Request::new(Method::GET, url)))
    }

    /// The roles of an API user may allow the one and not the other.
    fn probe_calls(&self) -> Option<Request> {
        let both = self.config.messaging_application.is_some() && self.can.voice;
        let request = Request::new(Method::GET, self.config.voice_url(send::ONE_CALL));
        both.then(|| send::authorized(&self.config, request))
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
        _can: pool::Capabilities,
        _links: &Links,
        response: &Response,
    ) -> Option<Vec<NumberFault>> {
        number::faults(&self.config, number, response)
    }

    fn account(&self) -> Vec<Request> {
        number::account(&self.config)
    }

    fn account_faults(
        &self,
        place: usize,
        links: &Links,
        response: &Response,
    ) -> Option<Vec<NumberFault>> {
        number::account_faults(&self.config, place, links, response)
    }

    fn media(&self, address: &str) -> Option<Request> {
        let bases = [self.config.media_base(), self.config.voice_url("/calls")];
        let request = bases.iter().find_map(|base| own::below(base, address))?;
        Some(send::authorized(&self.config, request))
    }

    fn secrets(&self) -> Vec<String> {
        self.config.secrets()
    }
}
