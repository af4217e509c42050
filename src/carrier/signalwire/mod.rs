//! `SignalWire`, by its Compatibility API: signed forms in, cXML and REST requests out.

mod config;
mod list;
mod number;
mod provision;
mod send;
#[cfg(test)]
mod tests;
mod voice;
mod webhook;

use std::time::Duration;

use self::config::Config;
use super::{
    Answer, Capabilities, Carrier, Inbound, Kind, Links, NumberFault, Outbound, Reply, Request,
    Response, SendError, Sent, SettingFault, Settings, WebhookError,
    capabilities::{Answers, CallerIdRule, Control, Dedupe, Deletes, Numbers},
    is_id,
    listing::{Page, Query},
    own,
    provisioning::Provisioning,
    twiml,
};
use crate::domain::{phone::ProxyNumber, pool, time::Timestamp};

pub(super) const KIND: Kind = Kind {
    name: "signalwire",
    readme: include_str!("../../../docs/carriers/signalwire.md"),
    build,
};

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
    attestation: false,
    voicemail: true,
    deletes: Deletes { texts: true, calls: false },
    recording: true,
    simultaneous: 10,
    ring_timeout: (Duration::from_secs(5), Duration::from_mins(10)),
    duration_max: Some(Duration::from_hours(4)),
    validity_max: Duration::from_hours(48),
    patience: Duration::from_secs(5),
    caller_id: CallerIdRule::OwnNumbers,
    answers: Answers::NONE,
    opted_out: &["21610"],
    sender_ids: None,
    numbers: Numbers::Buy,
};

/// One configured `SignalWire` project.
#[derive(Debug)]
struct SignalWire {
    config: Config,
}

fn build(settings: &Settings) -> Result<Box<dyn Carrier>, Vec<SettingFault>> {
    Ok(Box::new(SignalWire { config: Config::read(settings)? }))
}

impl Carrier for SignalWire {
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }

    /// `SignalWire` signs no time: a replay is found by its id, never by its age.
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

    fn probe(&self) -> Option<Request> {
        Some(twiml::get(&self.config, "/Messages", "PageSize=1"))
    }

    /// A token's rights to texts and to calls are apart.
    fn probe_calls(&self) -> Option<Request> {
        Some(twiml::get(&self.config, "/Calls", "PageSize=1"))
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
        let bases = ["/Messages", "/Recordings"].map(|path| self.config.account_url(path));
        let request = bases.iter().find_map(|base| own::below(base, address))?;
        Some(twiml::authorized(&self.config, request))
    }

    fn media_max(&self) -> usize {
        send::DIALECT.media_max
    }

    fn secrets(&self) -> Vec<String> {
        self.config.secrets()
    }
}
