//! How `SignalWire` handles a proxy number: whether its calls and texts come to us.

use super::{Links, NumberFault, Request, Response, config::Config};
use crate::{
    carrier::twiml::{self, number::Dialect},
    domain::{phone::ProxyNumber, pool::Capabilities},
};

/// It takes time-outs behind an address, but no number of tries.
pub(super) static DIALECT: Dialect = Dialect { carrier: "SignalWire", overrides: None };

/// Asks for the number by its digits. Not secret: it is ours.
pub(super) fn request(config: &Config, number: &ProxyNumber) -> Request {
    let pairs = form_urlencoded::Serializer::new(String::new())
        .append_pair("PhoneNumber", number.as_str())
        .finish();
    twiml::get(config, "/IncomingPhoneNumbers", &pairs)
}

/// What is wrong with the number, by `SignalWire`'s answer.
pub(super) fn faults(
    number: &ProxyNumber,
    can: Capabilities,
    links: &Links,
    response: &Response,
) -> Option<Vec<NumberFault>> {
    twiml::number::faults(&DIALECT, number, can, links, response)
}
