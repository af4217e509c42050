//! Telnyx: webhooks signed with Ed25519 in, forms of `TeXML` or JSON for calls and JSON for texts; `TeXML`,
//! commands of Call Control and REST requests out.

mod command;
mod config;
mod control;
#[cfg(test)]
mod conversations;
mod number;
mod provision;
mod send;
#[cfg(test)]
mod tests;
mod voice;
mod webhook;

use std::time::Duration;

use http::Method;

use self::config::{Config, Voice};
use super::{
    Answer, Capabilities, Carrier, Inbound, Kind, Links, NumberFault, Outbound, Reply, Request,
    Response, SendError, Sent, SettingFault, Settings, WebhookError,
    capabilities::{Answers, CallerIdRule, Control, Dedupe, Deletes, Numbers, SenderIds},
    is_id,
    provisioning::Provisioning,
};
use crate::domain::{phone::ProxyNumber, pool, time::Timestamp};

pub(super) const KIND: Kind =
    Kind { name: "telnyx", readme: include_str!("../../../docs/carriers/telnyx.md"), build };

/// Limits of the documented API: `TeXML`'s `<Dial>` and `<Number>`, `/messages` and placed calls.
const CAPABILITIES: Capabilities = Capabilities {
    voice: true,
    sms: true,
    mms: true,
    control: Control::Documents,
    receipts: true,
    // No key makes a send idempotent. Detail records appear later than we could wait for them, so
    // that a text on its way would pass for one that was never taken.
    dedupe: Dedupe::None,
    // Detail records have no words.
    lists: false,
    answer_on_bridge: true,
    whisper: true,
    gather: true,
    attestation: true,
    voicemail: true,
    deletes: Deletes::NONE,
    recording: true,
    simultaneous: 10,
    ring_timeout: (Duration::from_secs(5), Duration::from_mins(2)),
    duration_max: Some(Duration::from_hours(4)),
    // Telnyx can't be told: it holds a text as long as its own queue lasts.
    validity_max: Duration::from_hours(4),
    patience: Duration::from_secs(2),
    caller_id: CallerIdRule::OwnNumbers,
    // https://developers.telnyx.com/docs/messaging/messages/advanced-opt-in-out: nothing of ours passes
    // after them.
    answers: Answers {
        words: &["STOP", "STOPALL", "STOP ALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"],
        plus_one: false,
    },
    opted_out: &["40300"],
    // Without a messaging profile: a text under a name must have one.
    sender_ids: None,
    numbers: Numbers::Buy,
};

static TEXML: Capabilities = CAPABILITIES;

/// <https://developers.telnyx.com/docs/messaging/messages/alphanumeric-sender-id>
const NAMES: Option<SenderIds> = Some(SenderIds { chars_min: 1, spaces: true });

/// The same with a messaging profile.
static TEXML_NAMED: Capabilities = Capabilities { sender_ids: NAMES, ..CAPABILITIES };

/// The same where calls are steered by Call Control: `/calls` and what is done with one.
const STEERED: Capabilities = Capabilities {
    control: Control::Commands { keyed: true },
    // Each is rung by a call of their own: whoever answers second would hear nobody.
    simultaneous: 1,
    ring_timeout: (Duration::from_secs(5), Duration::from_mins(10)),
    ..CAPABILITIES
};

static CALL_CONTROL: Capabilities = STEERED;

/// The same with a messaging profile.
static CALL_CONTROL_NAMED: Capabilities = Capabilities { sender_ids: NAMES, ..STEERED };

/// One configured Telnyx account.
#[derive(Debug)]
struct Telnyx {
    config: Config,
}

fn build(settings: &Settings) -> Result<Box<dyn Carrier>, Vec<SettingFault>> {
    Ok(Box::new(Telnyx { config: Config::read(settings)? }))
}

const fn capabilities(config: &Config) -> &'static Capabilities {
    match (config.voice, &config.messaging_profile_id) {
        (Voice::Texml, None) => &TEXML,
        (Voice::Texml, Some(_)) => &TEXML_NAMED,
        (Voice::CallControl, None) => &CALL_CONTROL,
        (Voice::CallControl, Some(_)) => &CALL_CONTROL_NAMED,
    }
}

impl Carrier for Telnyx {
    fn capabilities(&self) -> &Capabilities {
        capabilities(&self.config)
    }

    fn verify(&self, request: &Request, now: Timestamp) -> Result<(), WebhookError> {
        webhook::verify(&self.config, request, now)
    }

    /// Without what seals it, what a call keeps can't be read.
    fn parse(&self, request: &Request) -> Result<Vec<Inbound>, WebhookError> {
        self.parse_with(request, &Links::new("", ""))
    }

    fn parse_with(&self, request: &Request, links: &Links) -> Result<Vec<Inbound>, WebhookError> {
        webhook::parse(&self.config, request, links)
    }

    fn reply(&self, answer: &Answer, links: &Links) -> Reply {
        match self.config.voice {
            Voice::Texml => voice::reply(answer, links),
            // Without a webhook there is no call that a command could name.
            Voice::CallControl => command::reply(&self.config, answer, None, links),
        }
    }

    fn reply_for(
        &self,
        answer: &Answer,
        webhook: &Request,
        _events: &[Inbound],
        links: &Links,
    ) -> Reply {
        if self.config.voice == Voice::Texml {
            return voice::reply(answer, links);
        }
        let news = webhook::news(&self.config, webhook, links).ok().flatten();
        command::reply(&self.config, answer, news.as_ref(), links)
    }

    fn request(&self, outbound: &Outbound, links: &Links) -> Result<Request, SendError> {
        send::request(&self.config, outbound, links)
    }

    fn response(&self, outbound: &Outbound, response: &Response) -> Result<Sent, SendError> {
        send::response(outbound, response)
    }

    /// Below the account, so that a wrong `account_sid` is found too: calls could not be ended.
    fn probe(&self) -> Option<Request> {
        let path = match self.config.voice {
            Voice::Texml => {
                format!("/texml/Accounts/{}/Calls?PageSize=1", self.config.account_sid)
            }
            Voice::CallControl => "/call_control_applications?page[size]=1".to_owned(),
        };
        Some(send::authorized(&self.config, Request::new(Method::GET, self.config.url(&path))))
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

    fn provisioning(&self) -> Option<&dyn Provisioning> {
        Some(self)
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

    fn secrets(&self) -> Vec<String> {
        self.config.secrets()
    }
}

/// Whether `text` is an id of a call, such as `v3:MdI91X4lWFEs7IgbBEOT9M4AigoY08M0WWZFISt1Yw`: nothing
/// in it can end a segment of a path.
fn is_call_id(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b':' | b'-' | b'_' | b'=');
    (1..=128).contains(&text.len()) && text.bytes().all(fits)
}
