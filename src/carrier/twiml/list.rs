//! Lists of messages and calls at APIs of Twilio's shape.

use serde_json::Value;

use super::{
    Account, call_state,
    form::{MEDIA_MAX, message_state},
    get, next_page,
    rest::{self, number},
};
use crate::{
    carrier::{
        Inbound, Request, Response, SendError,
        error::{plain_code, unreadable},
        event::{InboundCall, InboundMessage},
        fields::decimal,
        listing::{Page, Query, Record, Recorded, SentText},
        number::heard,
    },
    domain::{
        assurance::Attestation,
        message::{Body, MessageState},
        phone::{Identifier, ProxyNumber},
        price::Price,
        time::Timestamp,
    },
};

/// How many things stand on a page: with long texts about half a megabyte.
const PAGE_SIZE: &str = "100";

/// What is the carrier's own in lists that are otherwise Twilio's.
pub(in crate::carrier) struct Dialect {
    /// Whether a text is an id of a text.
    pub(in crate::carrier) is_message: fn(&str) -> bool,
    /// A time as `DateSent>` takes it, and as `StartTime>` does: nothing of that time or later is left out.
    pub(in crate::carrier) texts_after: fn(Timestamp) -> String,
    pub(in crate::carrier) calls_after: fn(Timestamp) -> String,
    /// Whether the carrier says that the newest come first; else a page must show it.
    pub(in crate::carrier) newest_first: bool,
}

/// The request for the first page.
///
/// Texts that were sent are not narrowed by time: `DateSent` is empty as long as the carrier holds one in
/// its queue, and one that is missed would be sent twice.
pub(in crate::carrier) fn request(account: &dyn Account, query: &Query) -> Request {
    let dialect = account.lists();
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    match query {
        Query::Sent { from, .. } => {
            pairs.append_pair("From", from.as_str());
        }
        Query::Texts(since) => {
            pairs.append_pair("DateSent>", &(dialect.texts_after)(*since));
        }
        Query::Calls(since) => {
            pairs.append_pair("StartTime>", &(dialect.calls_after)(*since));
        }
    }
    pairs.append_pair("PageSize", PAGE_SIZE);
    get(account, path(query), &pairs.finish())
}

const fn path(query: &Query) -> &'static str {
    match query {
        Query::Sent { .. } | Query::Texts(_) => "/Messages",
        Query::Calls(_) => "/Calls",
    }
}

/// What a page says.
///
/// # Errors
/// For another status than 200, and for what is not a page. In a list of texts that we sent every
/// entry must be readable: the one that is not may be ours.
pub(in crate::carrier) fn page(
    account: &dyn Account,
    query: &Query,
    response: &Response,
) -> Result<Page, SendError> {
    if !response.status.is_success() {
        return Err(rest::failure(account.rest(), response));
    }
    let dialect = account.lists();
    let answer: Value = serde_json::from_slice(&response.body).map_err(|_| unreadable())?;
    let key = if matches!(query, Query::Calls(_)) { "calls" } else { "messages" };
    let listed = answer[key].as_array().ok_or_else(unreadable)?;
    let mut page = Page::default();
    let mut times = Vec::new();
    for one in listed {
        let at = time(&one["date_created"]);
        times.push(at);
        match (read(account, query, one), at) {
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
    if let (Some(next), false) = (answer["next_page_uri"].as_str(), last(dialect, query, &times)) {
        let pairs = next_page(next).ok_or_else(unreadable)?;
        page.next = Some(get(account, path(query), pairs));
    }
    Ok(page)
}

/// Whether no page after one with these times has anything young. Where the newest come first, one
/// without a young thing is the last that we ask for.
fn last(dialect: &Dialect, query: &Query, times: &[Option<Timestamp>]) -> bool {
    let old = times.iter().all(|at| at.is_some_and(|at| at < query.since()));
    let falls = times.is_sorted_by(|one, next| one >= next) && times.first() > times.last();
    old && (dialect.newest_first || falls)
}

enum Read {
    Record(Recorded),
    /// Another kind of thing than was asked for.
    Other,
    Unreadable,
}

fn read(account: &dyn Account, query: &Query, one: &Value) -> Read {
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
            _ => sent(account.lists(), one),
        },
        Query::Texts(_) | Query::Calls(_) if !inbound => return Read::Other,
        Query::Texts(_) => text(account.lists(), one),
        Query::Calls(_) => match one["status"].as_str().and_then(call_state) {
            // Its webhook may be on the way, or waits to be tried again.
            Some(state) if !state.is_final() => return Read::Other,
            Some(_) => call(account.rest(), one),
            None => None,
        },
    };
    record.map_or(Read::Unreadable, Read::Record)
}

fn sent(dialect: &Dialect, one: &Value) -> Option<Recorded> {
    let code = number(&one["error_code"]).filter(|code| *code > 0);
    Some(Recorded::Sent(SentText {
        price: price(one),
        id: message_id(dialect, one)?,
        to: Identifier::parse(one["to"].as_str()?).ok()?,
        // A carrier keeps no words where the account says so: then there are none to compare.
        body: one["body"].as_str().filter(|words| !words.is_empty()).map(body),
        // A word that we don't know still says that the carrier has it.
        state: message_state(one["status"].as_str()?).unwrap_or(MessageState::Sent),
        carrier_code: code.and_then(|code| plain_code(&code.to_string())),
    }))
}

/// What a text cost: below zero at Twilio, and not there until the carrier knows.
fn price(one: &Value) -> Option<Price> {
    let amount = decimal(&one["price"])?;
    Price::parse(amount.strip_prefix('-').unwrap_or(&amount), one["price_unit"].as_str()?)
}

fn text(dialect: &Dialect, one: &Value) -> Option<Recorded> {
    let count = match &one["num_media"] {
        Value::Null => 0,
        count => usize::try_from(number(count)?).ok()?,
    };
    // A list counts pictures and does not name them; the address of their own list stands for each.
    let list = one["subresource_uris"]["media"].as_str().unwrap_or("media").to_owned();
    Some(Recorded::CameIn(Inbound::Message(InboundMessage {
        id: message_id(dialect, one)?,
        from: heard(one["from"].as_str()?),
        to: ProxyNumber::parse(one["to"].as_str()?).ok()?,
        body: body(one["body"].as_str().unwrap_or_default()),
        media: vec![list; count.min(MEDIA_MAX)],
        part: None,
    })))
}

fn call(dialect: &rest::Dialect, one: &Value) -> Option<Recorded> {
    Some(Recorded::CameIn(Inbound::Call(InboundCall {
        id: one["sid"].as_str().filter(|id| (dialect.is_call)(id))?.to_owned(),
        from: heard(one["from"].as_str()?),
        to: ProxyNumber::parse(one["to"].as_str()?).ok()?,
        attestation: Attestation::None,
    })))
}

fn message_id(dialect: &Dialect, one: &Value) -> Option<String> {
    one["sid"].as_str().filter(|id| (dialect.is_message)(id)).map(str::to_owned)
}

fn body(words: &str) -> Body {
    Body::new(words.to_owned())
}

fn time(value: &Value) -> Option<Timestamp> {
    let at = jiff::fmt::rfc2822::parse(value.as_str()?).ok()?;
    Some(Timestamp::from_millis(at.timestamp().as_millisecond()))
}
