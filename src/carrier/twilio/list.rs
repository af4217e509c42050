//! Twilio's lists of messages and calls.

use http::Method;
use serde_json::Value;

use super::{
    Inbound, Request, Response, SendError,
    config::Config,
    is_sid, send,
    webhook::{MEDIA_MAX, heard, message_state},
};
use crate::{
    carrier::{
        error::{Retry, SendErrorKind, plain_code},
        event::{InboundCall, InboundMessage},
        listing::{Page, Query, Record, Recorded, SentText},
        twiml::call_state,
    },
    domain::{
        message::{Body, MessageState},
        phone::{Identifier, ProxyNumber},
        price::Price,
        time::Timestamp,
    },
};

/// How many things stand on a page: with long texts about half a megabyte.
const PAGE_SIZE: &str = "100";

/// The longest query of a next page that is believed.
const QUERY_MAX: usize = 2048;

/// The request for the first page.
///
/// Texts that were sent are not narrowed by time: `DateSent` is empty as long as Twilio holds one in
/// its queue, and one that is missed would be sent twice.
pub(super) fn request(config: &Config, query: &Query) -> Request {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    match query {
        Query::Sent { from, .. } => {
            pairs.append_pair("From", from.as_str());
        }
        Query::Texts(since) => {
            pairs.append_pair("DateSent>", &rfc3339(*since));
        }
        Query::Calls(since) => {
            pairs.append_pair("StartTime>", &rfc3339(*since));
        }
    }
    pairs.append_pair("PageSize", PAGE_SIZE);
    get(config, query, &pairs.finish())
}

fn get(config: &Config, query: &Query, pairs: &str) -> Request {
    let path = match query {
        Query::Sent { .. } | Query::Texts(_) => "/Messages",
        Query::Calls(_) => "/Calls",
    };
    let url = format!("{}?{pairs}", config.account_url(path));
    send::authorized(config, Request::new(Method::GET, url))
}

/// What a page says.
///
/// # Errors
/// For another status than 200, and for what is not a page. In a list of texts that we sent every
/// entry must be readable: the one that is not may be ours.
pub(super) fn page(config: &Config, query: &Query, response: &Response) -> Result<Page, SendError> {
    if !response.status.is_success() {
        return Err(send::failure(response));
    }
    let answer: Value = serde_json::from_slice(&response.body).map_err(|_| unreadable())?;
    let key = if matches!(query, Query::Calls(_)) { "calls" } else { "messages" };
    let listed = answer[key].as_array().ok_or_else(unreadable)?;
    let mut page = Page::default();
    let mut young = false;
    for one in listed {
        let at = time(&one["date_created"]);
        young |= at.is_none_or(|at| at >= query.since());
        match (read(query, one), at) {
            (Read::Record(what), Some(at)) => {
                if at >= query.since() {
                    page.records.push(Record { at, what });
                }
            }
            (Read::Other, _) => {}
            (Read::Record(_), None) | (Read::Unreadable, _) => {
                if matches!(query, Query::Sent { .. }) {
                    return Err(unreadable());
                }
            }
        }
    }
    // The newest come first, as far as Twilio says: a page without a young one is the last that we
    // ask for.
    if let (Some(next), true) = (answer["next_page_uri"].as_str(), young) {
        page.next = Some(next_page(config, query, next).ok_or_else(unreadable)?);
    }
    Ok(page)
}

/// Only the query is taken: whatever host or path a page names, the request goes to ours.
fn next_page(config: &Config, query: &Query, uri: &str) -> Option<Request> {
    let (_, pairs) = uri.split_once('?')?;
    let fits = pairs.len() <= QUERY_MAX && pairs.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    fits.then(|| get(config, query, pairs))
}

enum Read {
    Record(Recorded),
    /// Another kind of thing than was asked for.
    Other,
    Unreadable,
}

fn read(query: &Query, one: &Value) -> Read {
    let inbound = match one["direction"].as_str() {
        Some("inbound") => true,
        Some(direction) if direction.starts_with("outbound") => false,
        _ => return Read::Unreadable,
    };
    let record = match query {
        Query::Sent { .. } if inbound => return Read::Other,
        Query::Sent { from, .. } => match one["from"].as_str() {
            Some(other) if other != from.as_str() => return Read::Other,
            // To a short code or another channel: none of ours, whatever else it says.
            _ if one["to"].as_str().is_some_and(|to| Identifier::parse(to).is_err()) => {
                return Read::Other;
            }
            _ => sent(one),
        },
        Query::Texts(_) | Query::Calls(_) if !inbound => return Read::Other,
        Query::Texts(_) => text(one),
        Query::Calls(_) => match one["status"].as_str().and_then(call_state) {
            // Its webhook may be on the way, or waits to be tried again.
            Some(state) if !state.is_final() => return Read::Other,
            Some(_) => call(one),
            None => None,
        },
    };
    record.map_or(Read::Unreadable, Read::Record)
}

fn sent(one: &Value) -> Option<Recorded> {
    let code = &one["error_code"];
    let code = code.as_u64().or_else(|| code.as_str()?.parse().ok()).filter(|code| *code > 0);
    Some(Recorded::Sent(SentText {
        price: price(one),
        id: message_id(one)?,
        to: Identifier::parse(one["to"].as_str()?).ok()?,
        // Twilio keeps no words where the account says so: then there are none to compare.
        body: one["body"].as_str().filter(|words| !words.is_empty()).map(body),
        // A word that we don't know still says that Twilio has it.
        state: message_state(one["status"].as_str()?).unwrap_or(MessageState::Sent),
        carrier_code: code.and_then(|code| plain_code(&code.to_string())),
    }))
}

/// What a text cost: written below zero, and not there until Twilio knows.
fn price(one: &Value) -> Option<Price> {
    let amount = one["price"].as_str()?;
    Price::parse(amount.strip_prefix('-').unwrap_or(amount), one["price_unit"].as_str()?)
}

fn text(one: &Value) -> Option<Recorded> {
    let count = match &one["num_media"] {
        Value::Null => 0,
        count => count.as_str()?.parse::<usize>().ok()?,
    };
    // A list counts pictures and does not name them; the address of their own list stands for each.
    let list = one["subresource_uris"]["media"].as_str().unwrap_or("media").to_owned();
    Some(Recorded::CameIn(Inbound::Message(InboundMessage {
        id: message_id(one)?,
        from: heard(one["from"].as_str()?),
        to: ProxyNumber::parse(one["to"].as_str()?).ok()?,
        body: body(one["body"].as_str().unwrap_or_default()),
        media: vec![list; count.min(MEDIA_MAX)],
        part: None,
    })))
}

fn call(one: &Value) -> Option<Recorded> {
    Some(Recorded::CameIn(Inbound::Call(InboundCall {
        id: one["sid"].as_str().filter(|id| is_sid("CA", id))?.to_owned(),
        from: heard(one["from"].as_str()?),
        to: ProxyNumber::parse(one["to"].as_str()?).ok()?,
    })))
}

fn message_id(one: &Value) -> Option<String> {
    one["sid"].as_str().filter(|id| is_sid("SM", id) || is_sid("MM", id)).map(str::to_owned)
}

fn body(words: &str) -> Body {
    Body::new(words.to_owned())
}

fn time(value: &Value) -> Option<Timestamp> {
    let at = jiff::fmt::rfc2822::parse(value.as_str()?).ok()?;
    Some(Timestamp::from_millis(at.timestamp().as_millisecond()))
}

/// In UTC, to the second.
fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.seconds()).unwrap_or(jiff::Timestamp::MAX).to_string()
}

fn unreadable() -> SendError {
    SendError::new(SendErrorKind::Unreachable, Retry::Unknown)
}
