//! Numbers at an API of Twilio's shape: `AvailablePhoneNumbers` to find them, `IncomingPhoneNumbers` to have
//! them.

use std::time::Duration;

use form_urlencoded::Serializer;
use http::{Method, StatusCode};
use serde_json::{Map, Value};

use super::{Account, authorized, get, next_page, number, rest};
use crate::{
    carrier::{
        Links, Request, Response, SendError,
        error::{Retry, SendErrorKind, unreadable},
        form::FORM,
        number::abilities,
        provisioning::{
            Bought, Held, HeldPage, NumberKind, Offer, Provisioning, Purchase, Search, Want,
            the_one,
        },
    },
    domain::{
        phone::{Country, ProxyNumber},
        pool::Capabilities,
        price::Price,
    },
};

/// How many numbers of the account a page has.
const PAGE_SIZE: &str = "100";
/// How long to wait before a number that was bought lately is given back once more.
const NEWNESS: Duration = Duration::from_hours(6);

/// A number's settings that lead its calls and texts somewhere: as they are shown, and as they are taken.
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

/// What is the carrier's own about buying numbers.
pub(in crate::carrier) struct Dialect {
    /// What is looked at in a number that was set.
    pub(in crate::carrier) number: &'static number::Dialect,
    /// Whether a text is an id of a number, which becomes a part of a path.
    pub(in crate::carrier) is_number: fn(&str) -> bool,
    /// The sorts that it sells, as the last part of the path.
    pub(in crate::carrier) sorts: &'static [(NumberKind, &'static str)],
    /// Whether a search takes abilities, a limit, and a pattern that begins with a calling code. Without
    /// them more is listed than was asked for.
    pub(in crate::carrier) narrows: bool,
    /// Whether it takes the ids of an address and of papers.
    pub(in crate::carrier) papers: bool,
    /// The code that refuses to take back a number that was bought lately.
    pub(in crate::carrier) too_new: Option<&'static str>,
}

/// An account whose carrier sells numbers.
pub(in crate::carrier) trait Buyer: Send + Sync {
    /// What is the carrier's own.
    fn dialect(&self) -> &'static Dialect;

    /// The account.
    fn account(&self) -> &dyn Account;

    /// As [`Provisioning::prices`].
    fn price_list(&self, _search: &Search) -> Option<Request> {
        None
    }

    /// As [`Provisioning::priced`].
    fn price(&self, _search: &Search, _answer: &Value) -> Option<Price> {
        None
    }
}

fn path(held: &Held) -> String {
    format!("/IncomingPhoneNumbers/{}", held.id)
}

/// Sets these; what is to be empty and is so already is left out, since not every carrier says that it
/// takes an empty value.
fn set(account: &dyn Account, held: &Held, fields: &[(&str, String)]) -> Vec<Request> {
    let now: Value = serde_json::from_str(&held.settings).unwrap_or_default();
    let shown =
        |field: &str| SETTINGS.iter().find(|(_, taken)| *taken == field).map(|(name, _)| name);
    let is_empty =
        |field| shown(field).is_some_and(|name| now[*name].as_str().unwrap_or_default().is_empty());
    let mut form = Serializer::new(String::new());
    for (field, value) in fields.iter().filter(|(field, to)| !to.is_empty() || !is_empty(field)) {
        form.append_pair(field, value);
    }
    let form = form.finish();
    if form.is_empty() {
        return Vec::new();
    }
    let url = account.url(&path(held));
    vec![authorized(account, Request::post(url, FORM, form))]
}

fn answer(account: &dyn Account, response: &Response) -> Result<Value, SendError> {
    if !response.status.is_success() {
        return Err(rest::failure(account.rest(), response));
    }
    serde_json::from_slice(&response.body).map_err(|_| unreadable())
}

fn flags(one: &Value) -> Capabilities {
    abilities(|name| one["capabilities"][name].as_bool() == Some(true))
}

fn held(dialect: &Dialect, one: &Value) -> Option<Held> {
    let id = one["sid"].as_str().filter(|sid| (dialect.is_number)(sid))?.to_owned();
    let number = ProxyNumber::parse(one["phone_number"].as_str()?).ok()?;
    let settings: Map<String, Value> = SETTINGS
        .iter()
        .map(|(name, _)| ((*name).to_owned(), one[*name].as_str().unwrap_or_default().into()))
        .collect();
    Some(Held { id, number, can: Some(flags(one)), settings: Value::Object(settings).to_string() })
}

fn offer(kind: NumberKind, one: &Value) -> Option<Offer> {
    let wants = match one["address_requirements"].as_str() {
        None | Some("none") => Vec::new(),
        Some(_) => vec![Want::Address],
    };
    let number = ProxyNumber::parse(one["phone_number"].as_str()?).ok()?;
    Some(Offer { number, kind, can: flags(one), price: None, wants })
}

/// Which digits are asked for. One pattern is taken: what it does not say is looked at in the answer.
fn pattern(dialect: &Dialect, search: &Search) -> Option<(&'static str, String)> {
    let contains = || search.contains.clone().map(|digits| ("Contains", digits));
    let Some(area) = &search.area else { return contains() };
    let code = Country::parse(&search.country).and_then(Country::calling_code);
    match code {
        // Elsewhere these APIs know no area codes.
        Some(code) if dialect.narrows => Some(("Contains", format!("+{code}{area}"))),
        _ => contains().or_else(|| Some(("Contains", area.clone()))),
    }
}

impl<T: Buyer> Provisioning for T {
    fn search(&self, search: &Search) -> Option<Request> {
        let dialect = self.dialect();
        let (_, sort) = dialect.sorts.iter().find(|(kind, _)| *kind == search.kind)?;
        let mut query = Serializer::new(String::new());
        if let Some(area) = search.area.as_ref().filter(|_| has_area_codes(search)) {
            query.append_pair("AreaCode", area);
            if let Some(contains) = &search.contains {
                query.append_pair("Contains", contains);
            }
        } else if let Some((name, value)) = pattern(dialect, search) {
            query.append_pair(name, &value);
        }
        if dialect.narrows {
            let Capabilities { voice, sms, mms } = search.can;
            for (name, _) in [("Voice", voice), ("Sms", sms), ("Mms", mms)].iter().filter(|n| n.1) {
                query.append_pair(&format!("{name}Enabled"), "true");
            }
            query.append_pair("PageSize", &search.limit.to_string());
        }
        let path = format!("/AvailablePhoneNumbers/{}/{sort}", search.country);
        Some(get(self.account(), &path, &query.finish()))
    }

    fn found(&self, search: &Search, response: &Response) -> Result<Vec<Offer>, SendError> {
        // The carrier has no numbers of that sort in that country.
        if response.status == StatusCode::NOT_FOUND {
            return Ok(Vec::new());
        }
        let answer = answer(self.account(), response)?;
        let listed = answer["available_phone_numbers"].as_array().ok_or_else(unreadable)?;
        Ok(listed.iter().filter_map(|one| offer(search.kind, one)).collect())
    }

    fn prices(&self, search: &Search) -> Option<Request> {
        self.price_list(search)
    }

    fn priced(&self, search: &Search, response: &Response) -> Option<Price> {
        self.price(search, &answer(self.account(), response).ok()?)
    }

    fn buy(&self, purchase: &Purchase) -> Option<Request> {
        let mut form = Serializer::new(String::new());
        form.append_pair("PhoneNumber", purchase.number.as_str());
        let papers = [("AddressSid", &purchase.address), ("BundleSid", &purchase.bundle)];
        for (name, value) in papers.iter().filter(|_| self.dialect().papers) {
            if let Some(value) = value {
                form.append_pair(name, value);
            }
        }
        let url = self.account().url("/IncomingPhoneNumbers");
        Some(authorized(self.account(), Request::post(url, FORM, form.finish())))
    }

    fn bought(&self, purchase: &Purchase, response: &Response) -> Result<Bought, SendError> {
        let answer = answer(self.account(), response)?;
        let bought = held(self.dialect(), &answer);
        let bought = bought.is_some_and(|held| held.number == purchase.number);
        if bought { Ok(Bought::Now) } else { Err(unreadable()) }
    }

    fn held(&self, number: &ProxyNumber) -> Request {
        let pairs = [("PhoneNumber", number.as_str())];
        let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
        get(self.account(), "/IncomingPhoneNumbers", &query)
    }

    fn held_one(
        &self,
        number: &ProxyNumber,
        response: &Response,
    ) -> Result<Option<Held>, SendError> {
        let answer = answer(self.account(), response)?;
        let listed = answer["incoming_phone_numbers"].as_array().ok_or_else(unreadable)?;
        // The digits are taken as a pattern, so others may be listed too.
        let wanted = |one: &Value| one["phone_number"] == number.as_str();
        the_one(listed, wanted, |one| held(self.dialect(), one))
    }

    fn configure(&self, held: &Held, can: Capabilities, links: &Links) -> Vec<Request> {
        let overrides = self.dialect().number.overrides.unwrap_or_default();
        let address = |url: String| format!("{url}{overrides}");
        let post = || "POST".to_owned();
        let mut fields = Vec::new();
        if can.voice {
            fields.extend([
                ("VoiceUrl", address(links.call())),
                ("VoiceMethod", post()),
                ("VoiceApplicationSid", String::new()),
                ("TrunkSid", String::new()),
                ("StatusCallback", address(links.status())),
                ("StatusCallbackMethod", post()),
            ]);
            if let Some(fallback) = links.fallback() {
                fields.push(("VoiceFallbackUrl", fallback.to_owned()));
                fields.push(("VoiceFallbackMethod", "GET".to_owned()));
            }
        }
        if can.sms || can.mms {
            // Another address would be asked once all tries have failed: this one, once more.
            fields.extend([
                ("SmsUrl", address(links.message())),
                ("SmsMethod", post()),
                ("SmsFallbackUrl", links.message()),
                ("SmsFallbackMethod", post()),
                ("SmsApplicationSid", String::new()),
            ]);
        }
        set(self.account(), held, &fields)
    }

    fn restore(&self, held: &Held, before: &str) -> Vec<Request> {
        let before: Value = serde_json::from_str(before).unwrap_or_default();
        let fields: Vec<(&str, String)> = SETTINGS
            .iter()
            .filter_map(|(name, field)| Some((*field, before[*name].as_str()?.to_owned())))
            .collect();
        set(self.account(), held, &fields)
    }

    fn release(&self, held: &Held) -> Option<Request> {
        let url = self.account().url(&path(held));
        Some(authorized(self.account(), Request::new(Method::DELETE, url)))
    }

    fn changed(&self, response: &Response) -> Result<(), SendError> {
        if response.status.is_success() {
            return Ok(());
        }
        let mut failed = rest::failure(self.account().rest(), response);
        if failed.carrier_code.is_some() && failed.carrier_code.as_deref() == self.dialect().too_new
        {
            (failed.kind, failed.retry) = (SendErrorKind::Throttled, Retry::After(NEWNESS));
        }
        Err(failed)
    }

    fn page(&self, next: Option<&str>) -> Request {
        let first = format!("PageSize={PAGE_SIZE}");
        get(self.account(), "/IncomingPhoneNumbers", next.unwrap_or(&first))
    }

    fn listed(&self, _: Option<&str>, response: &Response) -> Result<HeldPage, SendError> {
        let answer = answer(self.account(), response)?;
        let listed = answer["incoming_phone_numbers"].as_array().ok_or_else(unreadable)?;
        // Short codes and numbers that can only fax have no place here.
        let held = listed.iter().filter_map(|one| held(self.dialect(), one)).collect();
        let next = match answer["next_page_uri"].as_str() {
            Some(uri) => Some(next_page(uri).ok_or_else(unreadable)?.to_owned()),
            None => None,
        };
        Ok(HeldPage { held, next })
    }
}

fn has_area_codes(search: &Search) -> bool {
    matches!(search.country.as_str(), "US" | "CA")
}
