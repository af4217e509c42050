//! jambonz: webhooks signed by the account, verbs as JSON in answer, REST requests out.

mod calls;
mod config;
mod number;
mod send;
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
    capabilities::{Answers, CallerIdRule, Control, Dedupe, Deletes, Numbers},
    fields, is_id,
    plan::seconds,
};
use crate::{
    domain::{phone::ProxyNumber, pool, time::Timestamp},
    ids::LegId,
};

pub(super) const KIND: Kind =
    Kind { name: "jambonz", readme: include_str!("../../../docs/carriers/jambonz.md"), build };

/// What the verbs and `POST /Calls` can do; jambonz itself sets no bounds to times.
static VOICE: Capabilities = Capabilities {
    voice: true,
    sms: false,
    mms: false,
    control: Control::Documents,
    // Nothing tells whether an SMS centre delivered a text.
    receipts: false,
    // Neither a key nor a list of texts.
    dedupe: Dedupe::None,
    lists: false,
    answer_on_bridge: true,
    whisper: true,
    gather: true,
    attestation: false,
    voicemail: false,
    deletes: Deletes::NONE,
    recording: false,
    // It rings ten, but tells of all of them at one address.
    simultaneous: 1,
    ring_timeout: (Duration::from_secs(1), Duration::from_mins(10)),
    duration_max: Some(Duration::from_hours(24)),
    // It can't be told: this is how long SMS centres are commonly set to try.
    validity_max: Duration::from_hours(3 * 24),
    patience: Duration::from_secs(10),
    caller_id: CallerIdRule::OwnNumbers,
    answers: Answers::NONE,
    opted_out: &[],
    sender_ids: None,
    numbers: Numbers::None,
};

/// The same where an SMPP gateway carries texts.
static TEXTS: Capabilities = Capabilities { sms: true, ..VOICE };

/// One configured jambonz account.
#[derive(Debug)]
struct Jambonz {
    config: Config,
}

fn build(settings: &Settings) -> Result<Box<dyn Carrier>, Vec<SettingFault>> {
    Ok(Box::new(Jambonz { config: Config::read(settings)? }))
}

impl Carrier for Jambonz {
    fn capabilities(&self) -> &Capabilities {
        if self.config.texts.is_some() { &TEXTS } else { &VOICE }
    }

    fn verify(&self, request: &Request, now: Timestamp) -> Result<(), WebhookError> {
        webhook::verify(&self.config, request, now)
    }

    fn parse(&self, request: &Request) -> Result<Vec<Inbound>, WebhookError> {
        Ok(vec![webhook::parse(&self.config, request)?])
    }

    fn reply(&self, answer: &Answer, links: &Links) -> Reply {
        voice::reply(&self.config, answer, None, links)
    }

    /// Somebody who answered our ringing is in no call yet: fewer verbs are heeded there.
    fn reply_to(&self, answer: &Answer, events: &[Inbound], links: &Links) -> Reply {
        voice::reply(&self.config, answer, rung(events), links)
    }

    fn request(&self, outbound: &Outbound, _links: &Links) -> Result<Request, SendError> {
        send::request(&self.config, outbound)
    }

    fn response(&self, outbound: &Outbound, response: &Response) -> Result<Sent, SendError> {
        send::response(outbound, response)
    }

    fn probe(&self) -> Option<Request> {
        let request = Request::new(Method::GET, self.config.account_url(""));
        Some(send::authorized(&self.config, request))
    }

    fn sample(&self, links: &Links, now: Timestamp) -> Option<Request> {
        webhook::sample(&self.config, links, now)
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
        match place {
            0 => number::application_faults(&self.config, links, response),
            _ => number::account_faults(&self.config, response),
        }
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

    fn secrets(&self) -> Vec<String> {
        self.config.secrets()
    }
}

/// Whoever answered our ringing, if these events ask about them.
fn rung(events: &[Inbound]) -> Option<&LegId> {
    events.iter().find_map(|event| match event {
        Inbound::CalleeAnswered(answered) => Some(&answered.leg),
        // Outside of a script keys are asked of somebody who answered our ringing.
        Inbound::Keys(keys) if keys.turn == 0 => Some(&keys.leg),
        _ => None,
    })
}

/// A number as jambonz keeps it: without the plus.
fn bare(number: &str) -> &str {
    number.trim_start_matches('+')
}
