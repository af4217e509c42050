//! Vonage's numbers: `/number/search`, `/buy`, `/update` and `/cancel`, and `/account/numbers`. Each answers
//! with a code of its own, also inside a 200.

use std::time::Duration;

use form_urlencoded::Serializer;
use http::{Method, StatusCode};
use serde_json::Value;

use super::{
    Links, Request, Response, SendError, Vonage, bare,
    config::{Config, Texts},
    number, send,
};
use crate::{
    carrier::{
        error::{Retry, SendErrorKind, unreadable},
        number::abilities,
        provisioning::{
            Bought, Held, HeldPage, NumberKind, Offer, Provisioning, Purchase, Search, the_one,
        },
    },
    domain::{
        phone::{Country, ProxyNumber},
        pool::Capabilities,
        price::Price,
    },
};

const FORM: &str = "application/x-www-form-urlencoded";
/// As many as a page has.
const PAGE: u64 = 100;
/// How long to wait after a 429.
const THROTTLED: Duration = Duration::from_secs(1);

/// A number's settings that lead its calls and texts somewhere. The published API lists no `app_id`: the
/// application stands in the values beside it.
const SETTINGS: &[&str] = &[
    "app_id",
    "moHttpUrl",
    "voiceCallbackType",
    "voiceCallbackValue",
    "messagesCallbackType",
    "messagesCallbackValue",
];

/// Vonage has no numbers of a country without a place.
const fn word(kind: NumberKind) -> Option<&'static str> {
    match kind {
        NumberKind::Local => Some("landline"),
        NumberKind::Mobile => Some("mobile-lvn"),
        NumberKind::TollFree => Some("landline-toll-free"),
        NumberKind::National => None,
    }
}

fn get(config: &Config, path: &str, pairs: &[(&str, &str)]) -> Request {
    let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
    let url = format!("{}?{query}", config.rest_url(path));
    send::with_secret(config, Request::new(Method::GET, url))
}

fn post(config: &Config, path: &str, pairs: &[(&str, &str)]) -> Request {
    let body = Serializer::new(String::new()).extend_pairs(pairs).finish();
    send::with_secret(config, Request::post(config.rest_url(path), FORM, body))
}

/// What an answer says, whose code may be another than its status.
fn answer(response: &Response) -> Result<Value, SendError> {
    let read: Option<Value> = serde_json::from_slice(&response.body).ok();
    let code = read.as_ref().and_then(|answer| answer["error-code"].as_str()).map(str::to_owned);
    let status = code.as_deref().and_then(|code| code.parse::<u16>().ok());
    let status = status.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(response.status);
    let worse = if response.status.is_success() { status } else { response.status };
    let error = match worse {
        ok if ok.is_success() => return read.ok_or_else(unreadable),
        StatusCode::TOO_MANY_REQUESTS => {
            SendError::new(SendErrorKind::Throttled, Retry::After(THROTTLED))
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            SendError::new(SendErrorKind::Config, Retry::Never)
        }
        other if other.is_server_error() || other == StatusCode::REQUEST_TIMEOUT => {
            SendError::new(SendErrorKind::Unreachable, Retry::Unknown)
        }
        _ => SendError::new(SendErrorKind::Rejected, Retry::Never),
    };
    Err(error.with_code(code.as_deref().unwrap_or_default()))
}

/// Where none fits, Vonage leaves the list out.
fn numbers(response: &Response) -> Result<Vec<Value>, SendError> {
    let mut answer = answer(response)?;
    match answer["numbers"].take() {
        Value::Array(numbers) => Ok(numbers),
        Value::Null if answer.is_object() => Ok(Vec::new()),
        _ => Err(unreadable()),
    }
}

fn number_of(one: &Value) -> Option<ProxyNumber> {
    ProxyNumber::parse(&format!("+{}", one["msisdn"].as_str()?)).ok()
}

fn can(one: &Value) -> Capabilities {
    let features = one["features"].as_array();
    abilities(|name| features.is_some_and(|features| features.iter().any(|one| one == name)))
}

/// Its id is its country and its digits: every change names both.
fn held(one: &Value) -> Option<Held> {
    let number = number_of(one)?;
    let country = one["country"].as_str()?;
    let plain = country.len() == 2 && country.bytes().all(|b| b.is_ascii_alphabetic());
    let settings: serde_json::Map<String, Value> = SETTINGS
        .iter()
        .map(|key| ((*key).to_owned(), one[*key].as_str().unwrap_or_default().into()))
        .collect();
    plain.then(|| Held {
        id: format!("{country}-{}", bare(number.as_str())),
        can: Some(can(one)),
        settings: Value::Object(settings).to_string(),
        number,
    })
}

fn offer(kind: NumberKind, one: &Value) -> Option<Offer> {
    // Vonage charges in euros everywhere.
    let price = one["cost"].as_str().and_then(|cost| Price::parse(cost, "EUR"));
    Some(Offer { number: number_of(one)?, kind, can: can(one), price, wants: Vec::new() })
}

fn change(config: &Config, path: &str, held: &Held, more: &[(&str, &str)]) -> Request {
    let (country, msisdn) = held.id.split_once('-').unwrap_or(("", &held.id));
    post(config, path, &[&[("country", country), ("msisdn", msisdn)], more].concat())
}

/// The digits that are looked for, with Vonage's word for where they are (0: where the number begins, 1:
/// anywhere), and how many numbers to list.
fn pattern(search: &Search) -> (Option<(String, &'static str)>, u64) {
    let code = Country::parse(&search.country).and_then(Country::calling_code);
    let Some((area, code)) = search.area.as_ref().zip(code) else {
        let anywhere = search.contains.as_ref().map(|digits| (digits.clone(), "1"));
        return (anywhere, u64::from(search.limit));
    };
    (Some((format!("{code}{area}"), "0")), PAGE)
}

/// What a number is to do, in the words and the order that the API lists; empty for anything.
const fn features(can: Capabilities) -> &'static str {
    match (can.sms, can.voice, can.mms) {
        (true, true, true) => "SMS,MMS,VOICE",
        (true, true, false) => "SMS,VOICE",
        (true, false, true) => "SMS,MMS",
        (false, true, true) => "VOICE,MMS",
        (true, false, false) => "SMS",
        (false, true, false) => "VOICE",
        (false, false, true) => "MMS",
        (false, false, false) => "",
    }
}

impl Provisioning for Vonage {
    fn search(&self, search: &Search) -> Option<Request> {
        let features = features(search.can);
        let mut pairs = vec![("country", search.country.as_str()), ("type", word(search.kind)?)];
        // One pattern at a time: what it leaves out is looked for in the answer, of which there must be
        // enough then.
        let (pattern, size) = pattern(search);
        if let Some((digits, place)) = &pattern {
            pairs.extend([("pattern", digits.as_str()), ("search_pattern", place)]);
        }
        if !features.is_empty() {
            pairs.push(("features", features));
        }
        let size = size.to_string();
        pairs.push(("size", &size));
        Some(get(&self.config, "/number/search", &pairs))
    }

    fn found(&self, search: &Search, response: &Response) -> Result<Vec<Offer>, SendError> {
        Ok(numbers(response)?.iter().filter_map(|one| offer(search.kind, one)).collect())
    }

    fn buy(&self, purchase: &Purchase) -> Option<Request> {
        let country = purchase.number.country()?;
        let msisdn = bare(purchase.number.as_str());
        let pairs = [("country", country.as_str()), ("msisdn", msisdn)];
        Some(post(&self.config, "/number/buy", &pairs))
    }

    fn bought(&self, _: &Purchase, response: &Response) -> Result<Bought, SendError> {
        let answer = answer(response)?;
        if answer["error-code"] == "200" { Ok(Bought::Now) } else { Err(unreadable()) }
    }

    fn held(&self, number: &ProxyNumber) -> Request {
        number::request(&self.config, number)
    }

    fn held_one(
        &self,
        number: &ProxyNumber,
        response: &Response,
    ) -> Result<Option<Held>, SendError> {
        let wanted = bare(number.as_str());
        the_one(&numbers(response)?, |one| one["msisdn"] == wanted, held)
    }

    fn configure(&self, held: &Held, can: Capabilities, links: &Links) -> Vec<Request> {
        let message = links.message();
        let mut pairs = vec![("app_id", self.config.application_id.as_str())];
        if matches!(self.config.texts, Texts::Sms(_)) && (can.sms || can.mms) {
            pairs.push(("moHttpUrl", &message));
        }
        vec![change(&self.config, "/number/update", held, &pairs)]
    }

    /// What an update does not name is emptied; the address of texts is emptied by its name too.
    fn restore(&self, held: &Held, before: &str) -> Vec<Request> {
        let before: Value = serde_json::from_str(before).unwrap_or_default();
        let was = |key: &str| before[key].as_str().unwrap_or_default();
        // An application as the place of calls is named by its id, and so is that of texts.
        let by_application = was("voiceCallbackType") == "app";
        let calls = if by_application { was("voiceCallbackValue") } else { "" };
        let application = [was("app_id"), calls, was("messagesCallbackValue")];
        let application = application.into_iter().find(|id| !id.is_empty());
        let mut pairs: Vec<(&str, &str)> =
            application.map(|id| ("app_id", id)).into_iter().collect();
        pairs.push(("moHttpUrl", was("moHttpUrl")));
        let voice = ["voiceCallbackType", "voiceCallbackValue"].map(|key| (key, was(key)));
        pairs.extend(voice.into_iter().filter(|(_, value)| !by_application && !value.is_empty()));
        vec![change(&self.config, "/number/update", held, &pairs)]
    }

    fn release(&self, held: &Held) -> Option<Request> {
        Some(change(&self.config, "/number/cancel", held, &[]))
    }

    fn changed(&self, response: &Response) -> Result<(), SendError> {
        answer(response).map(drop)
    }

    fn page(&self, next: Option<&str>) -> Request {
        let pairs = [("size", &*PAGE.to_string()), ("index", next.unwrap_or("1"))];
        get(&self.config, "/account/numbers", &pairs)
    }

    /// The answer does not say which page it is, but how many numbers there are.
    fn listed(&self, at: Option<&str>, response: &Response) -> Result<HeldPage, SendError> {
        let held = numbers(response)?.iter().filter_map(held).collect();
        let all = answer(response)?["count"].as_u64().unwrap_or(0);
        let page = at.and_then(|at| at.parse().ok()).unwrap_or(1_u64);
        let next = (page * PAGE < all).then(|| (page + 1).to_string());
        Ok(HeldPage { held, next })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::carrier::vonage::tests::carrier;

    /// A number that is given back to what led its calls and texts before is led there again, whether
    /// Vonage named the application or only where its calls and texts went.
    #[test]
    fn what_was_set_is_set_again() {
        let vonage = carrier(|_| {});
        let (one, other) =
            ("11111111-bbbb-cccc-dddd-0123456789ab", "22222222-bbbb-cccc-dddd-0123456789ab");
        let app = |id: &str| format!("app_id={id}&moHttpUrl=");
        for (settings, expected) in [
            (json!({ "app_id": one }), app(one)),
            (json!({ "voiceCallbackType": "app", "voiceCallbackValue": one }), app(one)),
            (json!({ "messagesCallbackType": "app", "messagesCallbackValue": other }), app(other)),
            (
                json!({
                    "voiceCallbackType": "app", "voiceCallbackValue": one,
                    "messagesCallbackType": "app", "messagesCallbackValue": other,
                }),
                app(one),
            ),
            (
                json!({
                    "moHttpUrl": "https://old.example/sms", "messagesCallbackValue": other,
                    "voiceCallbackType": "tel", "voiceCallbackValue": "14155550151",
                }),
                format!(
                    "app_id={other}&moHttpUrl=https%3A%2F%2Fold.example%2Fsms\
                     &voiceCallbackType=tel&voiceCallbackValue=14155550151"
                ),
            ),
            (json!({}), "moHttpUrl=".to_owned()),
        ] {
            let mut listed = settings.clone();
            listed["country"] = "US".into();
            listed["msisdn"] = "14155550150".into();
            let held = held(&listed).unwrap();
            let [request] = &vonage.restore(&held, &held.settings)[..] else {
                panic!("{settings}")
            };
            let body = String::from_utf8_lossy(&request.body).into_owned();
            assert_eq!(body, format!("country=US&msisdn=14155550150&{expected}"), "{settings}");
        }
    }
}
