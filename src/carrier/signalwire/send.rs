//! Requests to the Compatibility API: what is its own in them, and in what its answers mean.

use super::{CAPABILITIES, config::Config, list};
use crate::carrier::{
    error::SendErrorKind::{
        self, Config as Misconfigured, InvalidNumber, OptedOut, Throttled, Unreachable,
    },
    is_id,
    twiml::{self, Account, rest::Dialect},
};

pub(super) static DIALECT: Dialect = Dialect {
    can: &CAPABILITIES,
    media_max: 8,
    time_limit: false,
    is_call: is_id,
    // 10000 is also the code of an argument that is wrong: none of ours can be, in such a request.
    over: &[21220, 10000],
    // It documents that what is in progress can't be deleted, and no code for that.
    unfinished: &[],
    current_recording: None,
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
        &self.project_id
    }

    fn url(&self, path: &str) -> String {
        self.account_url(path)
    }

    fn credentials(&self) -> String {
        self.authorization()
    }
}

/// The codes that say more than their status. Some mean another thing than at Twilio.
fn kind_of(code: u64) -> Option<SendErrorKind> {
    Some(match code {
        // Not a number, not one that takes texts, a landline, or not reachable; 30003 to 30006 also as
        // the reason of a text that failed at once.
        21211 | 21217 | 21606 | 21614 | 30003 | 30005 | 30006 => InvalidNumber,
        21610 => OptedOut,
        20429 | 21611 => Throttled,
        // "An unknown error", "an internal error" and a connection that timed out.
        20001 | 20504 | 31003 => Unreachable,
        // Credentials and their rights, the account's balance and its trial, the From number and its
        // campaign, and our own callback addresses.
        4001 | 10001 | 10003 | 10004 | 20003 | 20010 | 21205 | 21210 | 21212 | 21213 | 21219
        | 21402 | 21408 | 21456 | 21601 | 21717 | 30002 => Misconfigured,
        _ => return None,
    })
}
