//! Vonage: webhooks signed by a token or by their own parameters, call control objects (NCCO) and
//! REST requests out.

mod config;
mod events;
mod number;
mod provision;
mod send;
mod sms;
#[cfg(test)]
mod tests;
mod token;
mod voice;
mod webhook;

use std::time::Duration;

use http::{Method, header::AUTHORIZATION};

use self::config::{Config, Texts};
use super::{
    Answer, Capabilities, Carrier, Inbound, Kind, Links, NumberFault, Outbound, Reply, Request,
    Response, SendError, Sent, SettingFault, Settings, WebhookError,
    capabilities::{Answers, CallerIdRule, Control, Dedupe, Deletes, Numbers, SenderIds},
    fields, is_id, own,
    plan::seconds,
    provisioning::Provisioning,
};
use crate::domain::{phone::ProxyNumber, pool, time::Timestamp};

pub(super) const KIND: Kind =
    Kind { name: "vonage", readme: include_str!("../../../docs/carriers/vonage.md"), build };

/// Limits of the documented APIs: the `connect` action, `POST /v1/calls` and `POST /v1/messages`.
static MESSAGES: Capabilities = Capabilities {
    voice: true,
    sms: true,
    mms: true,
    control: Control::Documents,
    receipts: true,
    // Neither API drops a repeat, and neither lists what it has sent.
    dedupe: Dedupe::None,
    lists: false,
    // It is not documented when the caller's leg is answered.
    answer_on_bridge: false,
    whisper: true,
    gather: true,
    attestation: false,
    voicemail: true,
    deletes: Deletes { texts: true, calls: true },
    recording: false,
    simultaneous: 1,
    ring_timeout: (Duration::from_secs(1), Duration::from_mins(2)),
    duration_max: Some(Duration::from_hours(2)),
    validity_max: Duration::from_hours(7 * 24),
    // Fifteen seconds for a text, five for a call.
    patience: Duration::from_secs(5),
    caller_id: CallerIdRule::OwnNumbers,
    answers: Answers::NONE,
    opted_out: &["1240"],
    // https://developer.vonage.com/messaging/sms/guides/custom-sender-id: no spaces.
    sender_ids: Some(SenderIds { chars_min: 1, spaces: false }),
    numbers: Numbers::Buy,
};

/// The same where texts go through the SMS API, which knows no pictures.
static SMS: Capabilities = Capabilities { mms: false, ..MESSAGES };

/// One configured Vonage application.
#[derive(Debug)]
struct Vonage {
    config: Config,
}

fn build(settings: &Settings) -> Result<Box<dyn Carrier>, Vec<SettingFault>> {
    Ok(Box::new(Vonage { config: Config::read(settings)? }))
}

impl Carrier for Vonage {
    fn capabilities(&self) -> &Capabilities {
        match self.config.texts {
            Texts::Messages => &MESSAGES,
            Texts::Sms(_) => &SMS,
        }
    }

    fn verify(&self, request: &Request, now: Timestamp) -> Result<(), WebhookError> {
        webhook::verify(&self.config, request, now)
    }

    fn parse(&self, request: &Request) -> Result<Vec<Inbound>, WebhookError> {
        webhook::parse(request)
    }

    fn reply(&self, answer: &Answer, links: &Links) -> Reply {
        voice::reply(answer, links)
    }

    /// Nothing in a document ends the leg of somebody who answered: its end means "connect".
    fn reply_to(&self, answer: &Answer, events: &[Inbound], links: &Links) -> Reply {
        match (answer, webhook::callee(events)) {
            (Answer::Plan(super::Plan::Hangup), Some(id)) => voice::turned_away(&self.config, id),
            _ => self.reply(answer, links),
        }
    }

    fn request(&self, outbound: &Outbound, links: &Links) -> Result<Request, SendError> {
        send::request(&self.config, outbound, links)
    }

    /// The Voice API takes nothing but a token that holds the time.
    fn authorize(&self, request: Request, now: Timestamp) -> Request {
        if request.headers.contains_key(AUTHORIZATION) {
            return request;
        }
        match token::of_application(&self.config, &request, now) {
            Some(token) => request.with_header(AUTHORIZATION, &format!("Bearer {token}")),
            None => request,
        }
    }

    fn response(&self, outbound: &Outbound, response: &Response) -> Result<Sent, SendError> {
        send::response(&self.config, outbound, response)
    }

    fn probe(&self) -> Option<Request> {
        Some(send::with_secret(
            &self.config,
            Request::new(Method::GET, self.config.application_url()),
        ))
    }

    fn probe_calls(&self) -> Option<Request> {
        Some(Request::new(Method::GET, format!("{}?page_size=1", self.config.calls_url())))
    }

    fn sample(&self, links: &Links, now: Timestamp) -> Option<Request> {
        webhook::sample(&self.config, links, now)
    }

    fn account(&self) -> Vec<Request> {
        self.probe().into_iter().collect()
    }

    fn account_faults(
        &self,
        _place: usize,
        links: &Links,
        response: &Response,
    ) -> Option<Vec<NumberFault>> {
        number::application_faults(&self.config, links, response)
    }

    fn provisioning(&self) -> Option<&dyn Provisioning> {
        Some(self)
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
        number::faults(&self.config, number, can, links, response)
    }

    /// With the application's token, which the request gets when it leaves.
    fn media(&self, address: &str) -> Option<Request> {
        self.config.recordings_bases().find_map(|base| own::below(&base, address))
    }

    fn secrets(&self) -> Vec<String> {
        self.config.secrets()
    }
}

/// A number as Vonage writes it: without the plus.
fn bare(number: &str) -> &str {
    number.trim_start_matches('+')
}
