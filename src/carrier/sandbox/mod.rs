//! The sandbox carrier: a small JSON dialect of our own, spoken by the simulated phone network.
//!
//! `docs/carriers/sandbox.md` describes the dialect.

mod config;
mod list;
mod provision;
mod rented;
mod send;
mod voice;
mod webhook;

#[cfg(test)]
mod tests;

use std::{fmt, time::Duration};

use http::{Method, header::AUTHORIZATION};

use self::config::Config;
use super::{
    Answer, Capabilities, Carrier, Inbound, Kind, Links, Outbound, Reply, Request, Response,
    SendError, Sent, SettingFault, Settings, WebhookError,
    capabilities::{Answers, CallerIdRule, Control, Dedupe, Deletes, Numbers, SenderIds},
    listing::{Page, Query},
    number::{Rented, Wanted},
    own,
    provisioning::Provisioning,
};
use crate::domain::time::Timestamp;

/// The sandbox, as the configuration names it.
pub(super) const KIND: Kind =
    Kind { name: "sandbox", readme: include_str!("../../../docs/carriers/sandbox.md"), build };

static CAPABILITIES: Capabilities = Capabilities {
    voice: true,
    sms: true,
    mms: true,
    control: Control::Documents,
    receipts: true,
    dedupe: Dedupe::Key { ttl: Duration::from_hours(24) },
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
    validity_max: Duration::from_hours(24),
    patience: Duration::from_secs(15),
    caller_id: CallerIdRule::OwnNumbers,
    answers: Answers::NONE,
    opted_out: &["opted-out"],
    sender_ids: Some(SenderIds { chars_min: 1, spaces: true }),
    numbers: Numbers::Buy,
};

struct Sandbox {
    config: Config,
}

fn build(settings: &Settings) -> Result<Box<dyn Carrier>, Vec<SettingFault>> {
    Ok(Box::new(Sandbox { config: config::read(settings)? }))
}

impl Carrier for Sandbox {
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    fn verify(&self, request: &Request, now: Timestamp) -> Result<(), WebhookError> {
        webhook::verify(self.config.secret.as_bytes(), request, now)
    }

    fn parse(&self, request: &Request) -> Result<Vec<Inbound>, WebhookError> {
        webhook::parse(request).map(|event| vec![event])
    }

    fn reply(&self, answer: &Answer, links: &Links) -> Reply {
        voice::reply(answer, links).into()
    }

    fn request(&self, outbound: &Outbound, links: &Links) -> Result<Request, SendError> {
        send::request(&self.config, outbound, links)
    }

    fn response(&self, outbound: &Outbound, response: &Response) -> Result<Sent, SendError> {
        send::response(outbound, response)
    }

    fn probe(&self) -> Option<Request> {
        Some(
            Request::new(Method::GET, format!("{}/v1/account", self.config.api_base))
                .with_header(AUTHORIZATION, &self.config.bearer()),
        )
    }

    fn sample(&self, links: &Links, now: Timestamp) -> Option<Request> {
        Some(webhook::sample(self.config.secret.as_bytes(), links, now))
    }

    fn rented(&self, wanted: &Wanted) -> Option<Request> {
        rented::request(&self.config, wanted)
    }

    fn rented_one(&self, _: &Wanted, response: &Response) -> Result<Option<Rented>, SendError> {
        rented::read(response)
    }

    fn provisioning(&self) -> Option<&dyn Provisioning> {
        Some(self)
    }

    fn list(&self, query: &Query) -> Option<Request> {
        list::request(&self.config, query)
    }

    fn listed(&self, query: &Query, response: &Response) -> Result<Page, SendError> {
        list::page(&self.config, query, response)
    }

    fn media(&self, address: &str) -> Option<Request> {
        let request = own::below(&format!("{}/v1/media", self.config.api_base), address)?;
        Some(request.with_header(AUTHORIZATION, &self.config.bearer()))
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.config.secret.clone()]
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sandbox")
    }
}
