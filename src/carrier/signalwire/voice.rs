//! Answers as cXML, a dialect of `TwiML`.

use super::{Answer, CAPABILITIES, Links, Reply};
use crate::carrier::twiml::{self, Dialect};

static DIALECT: Dialect = Dialect {
    can: &CAPABILITIES,
    // The one voice that the documentation shows with `language`.
    voice: Some("alice"),
    caller_name: true,
    tells_no_key: true,
};

/// Words an answer.
pub(super) fn reply(answer: &Answer, links: &Links) -> Reply {
    twiml::reply(answer, links, &DIALECT)
}
