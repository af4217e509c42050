//! Twilio's numbers: `AvailablePhoneNumbers` to find them, `IncomingPhoneNumbers` to have them.

use form_urlencoded::Serializer;
use http::{Method, StatusCode, header::AUTHORIZATION};
use serde_json::{Map, Value};

use super::{Links, Request, Response, SendError, Twilio, config::Config, is_sid, number, send};
use crate::{
    carrier::{
        number::abilities,
        provisioning::{
            Bought, Held, HeldPage, NumberKind, Offer, Price, Provisioning, Purchase, Search, Want,
            unreadable,
        },
    },
    domain::{phone::ProxyNumber, pool::Capabilities},
};

const FORM: &str = "application/x-www-form-urlencoded";
/// How many numbers of the account a page has.
const PAGE_SIZE: &str = "100";
/// The longest query of a next page that is believed.
const QUERY_MAX: usize = 512;

/// A number's settings that lead its calls and texts somewhere: as Twilio shows them, and as it takes them.
const SETTINGS: &[(&str, &str)] = &[
    ("voice_url", "VoiceUrl"),
    ("voice_method", "VoiceMethod"),
    ("voice_fallback_url", "VoiceFallbackUrl"),
    ("voice_fallback_method", "VoiceFallbackMethod"),
    ("voice_application_sid", "VoiceApplicationSid"),
    ("trunk_sid", "TrunkSid"),
    ("status_callback", "StatusCallback"),
    ("status_callback_method", "StatusCallbackMethod"),
    ("sms_url", "SmsUrl"),
    ("sms_method", "SmsMethod"),
    ("sms_fallback_url", "SmsFallbackUrl"),
    ("sms_fallback_method", "SmsFallbackMethod"),
    ("sms_application_sid", "SmsApplicationSid"),
];

/// The last part of the path, and the name in the price list.
const fn words(kind: NumberKind) -> (&'static str, &'static str) {
    match kind {
        NumberKind::Local => ("Local", "local"),
        NumberKind::Mobile => ("Mobile", "mobile"),
        NumberKind::TollFree => ("TollFree", "toll free"),
        NumberKind::National => ("National", "national"),
    }
}

fn get(config: &Config, path: &str, query: &str) -> Request {
    let url = format!("{}?{query}", config.account_url(path));
    send::authorized(config, Request::new(Method::GET, url))
}

/// A change of one number.
fn post(config: &Config, held: &Held, fields: Serializer<'_, String>) -> Request {
    let mut fields = fields;
    let url = config.account_url(&format!("/IncomingPhoneNumbers/{}", held.id));
    send::authorized(config, Request::post(url, FORM, fields.finish()))
}

fn answer(response: &Response) -> Result<Value, SendError> {
    if !response.status.is_success() {
        return Err(send::failure(response));
    }
    serde_json::from_slice(&response.body).map_err(|_| unreadable())
}

fn held(one: &Value) -> Option<Held> {
    let id = one["sid"].as_str().filter(|sid| is_sid("PN", sid))?.to_owned();
    let number = ProxyNumber::parse(one["phone_number"].as_str()?).ok()?;
    let can = abilities(|name| one["capabilities"][name].as_bool() == Some(true));
    let settings: Map<String, Value> = SETTINGS
        .iter()
        .map(|(name, _)| ((*name).to_owned(), one[*name].as_str().unwrap_or_default().into()))
        .collect();
    Some(Held { id, number, can: Some(can), settings: Value::Object(settings).to_string() })
}

fn offer(kind: NumberKind, one: &Value) -> Option<Offer> {
    let wants = match one["address_requirements"].as_str() {
        None | Some("none") => Vec::new(),
        Some(_) => vec![Want::Address],
    };
    Some(Offer {
        number: ProxyNumber::parse(one["phone_number"].as_str()?).ok()?,
        kind,
        can: abilities(|name| one["capabilities"][name].as_bool() == Some(true)),
        price: None,
        wants,
    })
}

impl Provisioning for Twilio {
    fn search(&self, search: &Search) -> Option<Request> {
        let mut query = Serializer::new(String::new());
        if let Some(area) = &search.area {
            // Elsewhere Twilio knows no area codes, but patterns from the calling code on.
            if matches!(search.country.as_str(), "US" | "CA") {
                query.append_pair("AreaCode", area);
            } else {
                query.append_pair("Contains", &format!("{area}*"));
            }
        }
        if let Some(contains) = &search.contains {
            query.append_pair("Contains", contains);
        }
        let needs = [("Voice", search.can.voice), ("Sms", search.can.sms), ("Mms", search.can.mms)];
        for (name, _) in needs.into_iter().filter(|(_, needed)| *needed) {
            query.append_pair(&format!("{name}Enabled"), "true");
        }
        query.append_pair("PageSize", &search.limit.to_string());
        let path = format!("/AvailablePhoneNumbers/{}/{}", search.country, words(search.kind).0);
        Some(get(&self.config, &path, &query.finish()))
    }

    fn found(&self, search: &Search, response: &Response) -> Result<Vec<Offer>, SendError> {
        // Twilio has no numbers of that sort in that country.
        if response.status == StatusCode::NOT_FOUND {
            return Ok(Vec::new());
        }
        let answer = answer(response)?;
        let listed = answer["available_phone_numbers"].as_array().ok_or_else(unreadable)?;
        let most = usize::from(search.limit);
        Ok(listed.iter().filter_map(|one| offer(search.kind, one)).take(most).collect())
    }

    fn prices(&self, search: &Search) -> Option<Request> {
        let url = self.config.pricing_url(&format!("/PhoneNumbers/Countries/{}", search.country));
        Some(send::authorized(&self.config, Request::new(Method::GET, url)))
    }

    fn priced(&self, search: &Search, response: &Response) -> Option<Price> {
        let answer = answer(response).ok()?;
        let sorts = answer["phone_number_prices"].as_array()?;
        let one = sorts.iter().find(|one| one["number_type"] == words(search.kind).1)?;
        Price::parse(one["current_price"].as_str()?, answer["price_unit"].as_str()?)
    }

    fn buy(&self, purchase: &Purchase) -> Option<Request> {
        let mut form = Serializer::new(String::new());
        form.append_pair("PhoneNumber", purchase.number.as_str());
        for (name, value) in [("AddressSid", &purchase.address), ("BundleSid", &purchase.bundle)] {
            if let Some(value) = value {
                form.append_pair(name, value);
            }
        }
        let url = self.config.account_url("/IncomingPhoneNumbers");
        Some(send::authorized(&self.config, Request::post(url, FORM, form.finish())))
    }

    fn bought(&self, purchase: &Purchase, response: &Response) -> Result<Bought, SendError> {
        let answer = answer(response)?;
        let bought = held(&answer).is_some_and(|held| held.number == purchase.number);
        if bought { Ok(Bought::Now) } else { Err(unreadable()) }
    }

    fn held(&self, number: &ProxyNumber) -> Request {
        number::request(&self.config, number)
    }

    fn held_one(
        &self,
        number: &ProxyNumber,
        response: &Response,
    ) -> Result<Option<Held>, SendError> {
        let answer = answer(response)?;
        let listed = answer["incoming_phone_numbers"].as_array().ok_or_else(unreadable)?;
        // Twilio takes the digits as a pattern, so others may be listed too.
        match listed.iter().find(|one| one["phone_number"] == number.as_str()) {
            Some(one) => held(one).map(Some).ok_or_else(unreadable),
            None => Ok(None),
        }
    }

    fn configure(&self, held: &Held, can: Capabilities, links: &Links) -> Vec<Request> {
        let mut form = Serializer::new(String::new());
        let address = |url: String| format!("{url}{}", number::OVERRIDES);
        if can.voice {
            form.append_pair("VoiceUrl", &address(links.call()))
                .append_pair("VoiceMethod", "POST")
                .append_pair("VoiceApplicationSid", "")
                .append_pair("TrunkSid", "")
                .append_pair("StatusCallback", &address(links.status()))
                .append_pair("StatusCallbackMethod", "POST");
            if let Some(fallback) = links.fallback() {
                form.append_pair("VoiceFallbackUrl", fallback)
                    .append_pair("VoiceFallbackMethod", "GET");
            }
        }
        if can.sms || can.mms {
            // Another address would be asked once all tries have failed: this one, once more.
            form.append_pair("SmsUrl", &address(links.message()))
                .append_pair("SmsMethod", "POST")
                .append_pair("SmsFallbackUrl", &links.message())
                .append_pair("SmsFallbackMethod", "POST")
                .append_pair("SmsApplicationSid", "");
        }
        vec![post(&self.config, held, form)]
    }

    fn restore(&self, held: &Held, before: &str) -> Vec<Request> {
        let before: Value = serde_json::from_str(before).unwrap_or_default();
        let mut form = Serializer::new(String::new());
        for (name, field) in SETTINGS {
            if let Some(value) = before[*name].as_str() {
                form.append_pair(field, value);
            }
        }
        vec![post(&self.config, held, form)]
    }

    fn release(&self, held: &Held) -> Option<Request> {
        let url = self.config.account_url(&format!("/IncomingPhoneNumbers/{}", held.id));
        Some(
            Request::new(Method::DELETE, url)
                .with_header(AUTHORIZATION, &self.config.authorization()),
        )
    }

    fn changed(&self, response: &Response) -> Result<(), SendError> {
        if response.status.is_success() { Ok(()) } else { Err(send::failure(response)) }
    }

    fn page(&self, next: Option<&str>) -> Request {
        let first = format!("PageSize={PAGE_SIZE}");
        get(&self.config, "/IncomingPhoneNumbers", next.unwrap_or(&first))
    }

    fn listed(&self, _: Option<&str>, response: &Response) -> Result<HeldPage, SendError> {
        let answer = answer(response)?;
        let listed = answer["incoming_phone_numbers"].as_array().ok_or_else(unreadable)?;
        // Short codes and numbers that can only fax have no place here.
        let held = listed.iter().filter_map(held).collect();
        let next = match answer["next_page_uri"].as_str() {
            Some(uri) => Some(next_query(uri).ok_or_else(unreadable)?),
            None => None,
        };
        Ok(HeldPage { held, next })
    }
}

/// Only the query is taken: whatever host or path a page names, the request goes to ours.
fn next_query(uri: &str) -> Option<String> {
    let (_, pairs) = uri.split_once('?')?;
    let fits = pairs.len() <= QUERY_MAX && pairs.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    fits.then(|| pairs.to_owned())
}
