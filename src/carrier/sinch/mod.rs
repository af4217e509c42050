//! Sinch: webhooks about calls signed by the application, SVAML in answer, texts over its SMS API.

mod config;
mod events;
mod list;
mod mark;
mod number;
mod send;
mod signed;
#[cfg(test)]
mod tests;
mod texts;
mod voice;
mod webhook;

use std::time::Duration;

use http::Method;

use self::config::Config;
use super::{
    Answer, Capabilities, Carrier, Inbound, Kind, Links, NumberFault, Outbound, Reply, Request,
    Response, SendError, Sent, SettingFault, Settings, WebhookError,
    capabilities::{Answers, CallerIdRule, Control, Dedupe, Deletes, Numbers, SenderIds},
    fields,
    listing::{Page, Query},
    plan::seconds,
};
use crate::domain::{phone::ProxyNumber, pool, time::Timestamp};

pub(super) const KIND: Kind =
    Kind { name: "sinch", readme: include_str!("../../../docs/carriers/sinch.md"), build };

/// Limits of SVAML and of `POST /batches`.
static CAPABILITIES: Capabilities = Capabilities {
    voice: true,
    sms: true,
    mms: true,
    control: Control::Documents,
    receipts: true,
    // Texts have a reference of ours, and those of a sender can be listed.
    dedupe: Dedupe::Lookup,
    // Texts that came in could be listed; calls can't.
    lists: false,
    answer_on_bridge: true,
    whisper: true,
    gather: true,
    attestation: false,
    voicemail: false,
    deletes: Deletes::NONE,
    recording: false,
    simultaneous: 1,
    // No bound is documented.
    ring_timeout: (Duration::from_secs(1), Duration::from_mins(2)),
    duration_max: Some(Duration::from_hours(4)),
    validity_max: Duration::from_hours(3 * 24),
    // How long Sinch waits is not documented.
    patience: Duration::from_secs(5),
    caller_id: CallerIdRule::OwnNumbers,
    answers: Answers::NONE,
    opted_out: &[],
    // https://developers.sinch.com/docs/sms/smpp/send-message/: eleven at most; nothing is said of spaces.
    sender_ids: Some(SenderIds { chars_min: 1, spaces: false }),
    numbers: Numbers::None,
};

/// One configured Sinch account.
#[derive(Debug)]
struct Sinch {
    config: Config,
}

fn build(settings: &Settings) -> Result<Box<dyn Carrier>, Vec<SettingFault>> {
    Ok(Box::new(Sinch { config: Config::read(settings)? }))
}

impl Carrier for Sinch {
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    fn verify(&self, request: &Request, now: Timestamp) -> Result<(), WebhookError> {
        signed::verify(&self.config, request, now)
    }

    fn parse(&self, request: &Request) -> Result<Vec<Inbound>, WebhookError> {
        webhook::parse(request)
    }

    fn reply(&self, answer: &Answer, _links: &Links) -> Reply {
        voice::reply(answer, None)
    }

    /// What a document may hold depends on what the webhook told, also where nothing is to be done.
    fn reply_for(
        &self,
        answer: &Answer,
        webhook: &Request,
        _events: &[Inbound],
        _links: &Links,
    ) -> Reply {
        let about = webhook::fields(webhook).unwrap_or(fields::Fields(serde_json::Value::Null));
        voice::reply(answer, Some(&about))
    }

    fn request(&self, outbound: &Outbound, _links: &Links) -> Result<Request, SendError> {
        send::request(&self.config, outbound)
    }

    fn authorize(&self, request: Request, now: Timestamp) -> Request {
        send::expiring(request, now)
    }

    fn response(&self, outbound: &Outbound, response: &Response) -> Result<Sent, SendError> {
        send::response(outbound, response)
    }

    fn probe(&self) -> Option<Request> {
        let url = format!("{}?page_size=1", self.config.batches_url());
        Some(send::with_token(&self.config, Request::new(Method::GET, url)))
    }

    /// The application's key and secret, which are others than the token for texts.
    fn probe_calls(&self) -> Option<Request> {
        Some(number::application(&self.config))
    }

    fn sample(&self, links: &Links, now: Timestamp) -> Option<Request> {
        Some(signed::sample(&self.config, links, now))
    }

    fn account(&self) -> Vec<Request> {
        vec![number::application(&self.config)]
    }

    fn account_faults(
        &self,
        _place: usize,
        links: &Links,
        response: &Response,
    ) -> Option<Vec<NumberFault>> {
        number::application_faults(links, response)
    }

    fn number(&self, _number: &ProxyNumber) -> Option<Request> {
        Some(number::request(&self.config))
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

    /// A batch names one address.
    fn media_max(&self) -> usize {
        1
    }

    fn secrets(&self) -> Vec<String> {
        self.config.secrets()
    }
}

/// Whether `text` has the form of Sinch's ids, which have underscores besides: what is kept, logged and a
/// part of a path.
fn is_id(text: &str) -> bool {
    super::is_id(&text.replace('_', "-"))
}

/// A number as Sinch's SMS API writes it: without the plus.
fn bare(number: &str) -> &str {
    number.trim_start_matches('+')
}
