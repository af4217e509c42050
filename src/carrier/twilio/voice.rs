//! Answers as TwiML.

use super::{Answer, CAPABILITIES, Links, Reply};
use crate::carrier::twiml::{self, Dialect};

static DIALECT: Dialect =
    Dialect { can: &CAPABILITIES, voice: None, caller_name: false, tells_no_key: false };

/// Words an answer.
pub(super) fn reply(answer: &Answer, links: &Links) -> Reply {
    twiml::reply(answer, links, &DIALECT)
}
