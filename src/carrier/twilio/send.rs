//! Requests to Twilio's REST API, and what its answers mean.

use http::header::AUTHORIZATION;

use super::{
    CAPABILITIES, Links, Outbound, Request, Response, SendError, Sent, config::Config, is_sid,
};
use crate::carrier::{
    error::SendErrorKind::{self, Config as Misconfigured, InvalidNumber, OptedOut, Throttled},
    twiml::{self, rest::Dialect},
};

pub(super) static DIALECT: Dialect = Dialect {
    can: &CAPABILITIES,
    media_max: 10,
    time_limit: true,
    is_call: |id| is_sid("CA", id),
    over: &[21220],
    kind_of,
};

/// The request that does `outbound`.
///
/// # Errors
/// [`SendError`] with `retry: Never` where Twilio can't do it.
pub(super) fn request(
    config: &Config,
    outbound: &Outbound,
    links: &Links,
) -> Result<Request, SendError> {
    let request = twiml::rest::request(&DIALECT, outbound, links, |path| config.account_url(path))?;
    Ok(authorized(config, request))
}

/// The same request with the account's credentials.
pub(super) fn authorized(config: &Config, request: Request) -> Request {
    request.with_header(AUTHORIZATION, &config.authorization())
}

/// What Twilio's answer means.
///
/// # Errors
/// [`SendError`]; `Unknown` where Twilio may have done it all the same.
pub(super) fn response(outbound: &Outbound, response: &Response) -> Result<Sent, SendError> {
    twiml::rest::response(&DIALECT, outbound, response)
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
        // number, and our own callback addresses.
        20003 | 20005 | 20006 | 20008 | 21205 | 21210 | 21212 | 21213 | 21215 | 21219 | 21408
        | 21603 | 21606 | 21608 | 21609 | 21659 | 21660 => Misconfigured,
        _ => return None,
    })
}
