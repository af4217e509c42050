//! Infobip: webhooks with a password, calls steered by requests to its Calls API, texts over its SMS API.

mod act;
mod calls;
mod config;
mod list;
mod number;
mod send;
#[cfg(test)]
mod tests;
mod texts;
mod voice;
mod webhook;

use std::time::Duration;

use http::{Method, header::AUTHORIZATION};

use self::config::Config;
use super::{
    Answer, Capabilities, Carrier, Inbound, Kind, Links, NumberFault, Outbound, Reply, Request,
    Response, SendError, Sent, SettingFault, Settings, WebhookError,
    capabilities::{Answers, CallerIdRule, Control, Dedupe, Deletes, Numbers, SenderIds},
    fields, is_id,
    listing::{Page, Query},
    plan::seconds,
    settings::BASIC_CHALLENGE,
};
use crate::domain::{phone::ProxyNumber, pool, time::Timestamp};

pub(super) const KIND: Kind =
    Kind { name: "infobip", readme: include_str!("../../../docs/carriers/infobip.md"), build };

/// Limits of the Calls API and of `POST /sms/3/messages`.
static CAPABILITIES: Capabilities = Capabilities {
    voice: true,
    sms: true,
    // Pictures that come in are listed; none are sent.
    mms: false,
    // Nothing documented tells it that a request is one that it has had.
    control: Control::Commands { keyed: false },
    receipts: true,
    // Texts have ids of our own, and the logs of two days can be asked for.
    dedupe: Dedupe::Lookup,
    // Texts that came in are listed once, and then never again.
    lists: false,
    answer_on_bridge: true,
    whisper: true,
    gather: true,
    attestation: false,
    voicemail: false,
    deletes: Deletes::NONE,
    recording: false,
    simultaneous: 1,
    ring_timeout: (Duration::from_secs(1), Duration::from_mins(1)),
    duration_max: Some(Duration::from_hours(8)),
    validity_max: Duration::from_hours(48),
    // How long Infobip waits is not documented.
    patience: Duration::from_secs(5),
    caller_id: CallerIdRule::OwnNumbers,
    answers: Answers::NONE,
    opted_out: &["REJECTED_DND"],
    // Three to eleven characters; nothing is said of spaces.
    sender_ids: Some(SenderIds { chars_min: 3, spaces: false }),
    numbers: Numbers::None,
};

/// One configured Infobip account.
#[derive(Debug)]
struct Infobip {
    config: Config,
}

fn build(settings: &Settings) -> Result<Box<dyn Carrier>, Vec<SettingFault>> {
    Ok(Box::new(Infobip { config: Config::read(settings)? }))
}

impl Carrier for Infobip {
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    fn challenge(&self) -> Option<&'static str> {
        Some(BASIC_CHALLENGE)
    }

    fn verify(&self, request: &Request, _now: Timestamp) -> Result<(), WebhookError> {
        webhook::verify(&self.config, request)
    }

    /// Without what seals it, what a call keeps can't be read.
    fn parse(&self, request: &Request) -> Result<Vec<Inbound>, WebhookError> {
        self.parse_with(request, &Links::new("", ""))
    }

    fn parse_with(&self, request: &Request, links: &Links) -> Result<Vec<Inbound>, WebhookError> {
        webhook::parse(&self.config, request, links)
    }

    /// Without a webhook there is no call that a command could name.
    fn reply(&self, answer: &Answer, links: &Links) -> Reply {
        voice::reply(&self.config, answer, None, links)
    }

    fn reply_for(
        &self,
        answer: &Answer,
        webhook: &Request,
        _events: &[Inbound],
        links: &Links,
    ) -> Reply {
        let news = calls::news(&self.config, &webhook.body, links).ok().flatten();
        voice::reply(&self.config, answer, news.as_ref(), links)
    }

    fn request(&self, outbound: &Outbound, links: &Links) -> Result<Request, SendError> {
        send::request(&self.config, outbound, links)
    }

    fn response(&self, outbound: &Outbound, response: &Response) -> Result<Sent, SendError> {
        send::response(outbound, response)
    }

    fn probe(&self) -> Option<Request> {
        Some(get(&self.config, "/sms/3/logs?limit=1"))
    }

    /// The same key, which may have no right to place calls; and the configuration that they need.
    fn probe_calls(&self) -> Option<Request> {
        let path = format!("/calls/1/configurations/{}", self.config.calls_configuration);
        Some(get(&self.config, &path))
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
        _links: &Links,
        response: &Response,
    ) -> Option<Vec<NumberFault>> {
        number::faults(&self.config, number, can, response)
    }

    fn list(&self, query: &Query) -> Option<Request> {
        list::request(&self.config, query)
    }

    fn listed(&self, query: &Query, response: &Response) -> Result<Page, SendError> {
        list::page(&self.config, query, response)
    }

    fn secrets(&self) -> Vec<String> {
        self.config.secrets()
    }
}

/// A request of ours with the account's key.
fn authorized(config: &Config, request: Request) -> Request {
    request.with_header(AUTHORIZATION, &config.authorization())
}

fn get(config: &Config, path: &str) -> Request {
    authorized(config, Request::new(Method::GET, config.url(path)))
}

/// A number as Infobip writes it: without the plus.
fn bare(number: &str) -> &str {
    number.trim_start_matches('+')
}
