//! Requests to Twilio's REST API: what is its own in them, and in what its answers mean.

use super::{CAPABILITIES, Response, SendError, config::Config, is_sid, list};
use crate::carrier::{
    error::SendErrorKind::{self, Config as Misconfigured, InvalidNumber, OptedOut, Throttled},
    twiml::{self, Account, rest::Dialect},
};

pub(super) static DIALECT: Dialect = Dialect {
    can: &CAPABILITIES,
    media_max: 10,
    time_limit: true,
    is_call: |id| is_sid("CA", id),
    over: &[21220],
    unfinished: &[20009],
    current_recording: Some("Twilio.CURRENT"),
    kind_of,
};

impl Account for Config {
    fn rest(&self) -> &'static Dialect {
        &DIALECT
    }

    fn lists(&self) -> &'static twiml::list::Dialect {
        &list::DIALECT
    }

    fn id(&self) -> &str {
        &self.account_sid
    }

    fn url(&self, path: &str) -> String {
        self.account_url(path)
    }

    fn credentials(&self) -> String {
        self.authorization()
    }
}

/// What an answer that is no success means.
pub(super) fn failure(response: &Response) -> SendError {
    twiml::rest::failure(&DIALECT, response)
}

/// The codes that say more than their status.
fn kind_of(code: u64) -> Option<SendErrorKind> {
    Some(match code {
        // Not a number, not one that takes texts, a landline, or not reachable from this number;
        // 30003 to 30006 also as the reason of a text that failed at once.
        13224 | 13225 | 21211 | 21214 | 21217 | 21401 | 21612 | 21614 | 21635 | 30003 | 30005
        | 30006 => InvalidNumber,
        21610 => OptedOut,
        20429 => Throttled,
        // Credentials, account state, a trial's limits, regions that are not enabled, the From
        // number or name, and our own callback addresses.
        20003 | 20005 | 20006 | 20008 | 21205 | 21210 | 21212 | 21213 | 21215 | 21219 | 21408
        | 21603 | 21606 | 21608 | 21609 | 21657 | 21659 | 21660 => Misconfigured,
        _ => return None,
    })
}
