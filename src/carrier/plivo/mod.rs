//! Plivo: signed form webhooks in, Plivo XML and REST requests out.

mod config;
mod news;
mod number;
mod provision;
mod send;
mod signed;
#[cfg(test)]
mod tests;
mod voice;
mod webhook;

use std::time::Duration;

use http::Method;

use self::config::Config;
use super::{
    Answer, Capabilities, Carrier, Inbound, Kind, Links, NumberFault, Outbound, Plan, Reply,
    Request, Response, SendError, Sent, SettingFault, Settings, WebhookError,
    capabilities::{Answers, CallerIdRule, Control, Dedupe, Deletes, Numbers, SenderIds},
    is_id, own,
    provisioning::Provisioning,
};
use crate::domain::{phone::ProxyNumber, pool, time::Timestamp};

pub(super) const KIND: Kind =
    Kind { name: "plivo", readme: include_str!("../../../docs/carriers/plivo.md"), build };

/// Limits of the documented API: `<Dial>` and `<Number>`, `Message` and `Call`.
static CAPABILITIES: Capabilities = Capabilities {
    voice: true,
    sms: true,
    mms: true,
    control: Control::Documents,
    receipts: true,
    // No key makes a send idempotent. The list of texts can't be asked by sender, has twenty on a page,
    // and may be asked twenty times a minute.
    dedupe: Dedupe::None,
    // It has no words.
    lists: false,
    // The call is answered as soon as a document does anything but turn it away.
    answer_on_bridge: false,
    whisper: true,
    gather: true,
    attestation: true,
    voicemail: true,
    deletes: Deletes::NONE,
    recording: false,
    // Plivo rings twenty, and tells of all of them at one address.
    simultaneous: 1,
    ring_timeout: (Duration::from_secs(1), Duration::from_mins(10)),
    duration_max: Some(Duration::from_hours(4)),
    validity_max: Duration::from_hours(3),
    // Eight seconds for a text, fifteen for a call.
    patience: Duration::from_secs(8),
    caller_id: CallerIdRule::OwnNumbers,
    // https://docs.plivo.com/docs/messaging/concepts/dnd-service
    answers: Answers {
        words: &["STOP", "END", "QUIT", "CANCEL", "UNSUB", "STOP ALL", "HELP", "INFO"],
        plus_one: true,
    },
    opted_out: &["200"],
    // https://www.plivo.com/docs/messaging/concepts/sender-id-usage/: letters and digits.
    sender_ids: Some(SenderIds { chars_min: 1, spaces: false }),
    numbers: Numbers::Buy,
};

/// One configured Plivo account.
#[derive(Debug)]
struct Plivo {
    config: Config,
}

fn build(settings: &Settings) -> Result<Box<dyn Carrier>, Vec<SettingFault>> {
    Ok(Box::new(Plivo { config: Config::read(settings)? }))
}

impl Carrier for Plivo {
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    /// Plivo signs a nonce and no time: a replay is found by its id, never by its age.
    fn verify(&self, request: &Request, _now: Timestamp) -> Result<(), WebhookError> {
        signed::verify(&self.config, request)
    }

    fn parse(&self, request: &Request) -> Result<Vec<Inbound>, WebhookError> {
        webhook::parse(request)
    }

    fn reply(&self, answer: &Answer, links: &Links) -> Reply {
        voice::reply(answer, links)
    }

    /// Nothing in a document ends the leg of somebody who answered.
    fn reply_to(&self, answer: &Answer, events: &[Inbound], links: &Links) -> Reply {
        match (answer, events) {
            (Answer::Plan(Plan::Hangup), [Inbound::CalleeAnswered(callee)]) => {
                voice::turned_away(&self.config, &callee.id)
            }
            _ => self.reply(answer, links),
        }
    }

    fn request(&self, outbound: &Outbound, links: &Links) -> Result<Request, SendError> {
        send::request(&self.config, outbound, links)
    }

    fn response(&self, outbound: &Outbound, response: &Response) -> Result<Sent, SendError> {
        send::response(outbound, response)
    }

    fn probe(&self) -> Option<Request> {
        Some(send::authorized(&self.config, Request::new(Method::GET, self.config.url(""))))
    }

    fn sample(&self, links: &Links, now: Timestamp) -> Option<Request> {
        signed::sample(&self.config, links, now)
    }

    fn provisioning(&self) -> Option<&dyn Provisioning> {
        // Without the application there is nothing that a number could be assigned to.
        self.config.application_id.is_some().then_some(self as &dyn Provisioning)
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

    fn account(&self) -> Vec<Request> {
        number::account(&self.config)
    }

    fn account_faults(
        &self,
        _place: usize,
        links: &Links,
        response: &Response,
    ) -> Option<Vec<NumberFault>> {
        number::account_faults(links, response)
    }

    fn media(&self, address: &str) -> Option<Request> {
        let request = own::below(&self.config.messages_base(), address)?;
        Some(send::authorized(&self.config, request))
    }

    fn secrets(&self) -> Vec<String> {
        self.config.secrets()
    }
}

/// A number as Plivo writes it: without the plus.
fn bare(number: &str) -> &str {
    number.trim_start_matches('+')
}
