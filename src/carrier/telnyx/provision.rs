//! Telnyx's numbers: found on `/available_phone_numbers`, ordered with `/number_orders`, which takes its
//! time, and kept under `/phone_numbers`.

use form_urlencoded::Serializer;
use http::{Method, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

use super::{Links, Request, Response, SendError, Telnyx, config::Config, is_id, number, send};
use crate::{
    carrier::{
        error::unreadable,
        provisioning::{
            Bought, Held, HeldPage, NumberKind, Offer, Progress, Provisioning, Purchase, Search,
            the_one,
        },
    },
    domain::{phone::ProxyNumber, pool::Capabilities, price::Price},
};

const JSON: &str = "application/json";
/// How many numbers of the account a page has.
const PAGE_SIZE: &str = "100";
/// How many pages are asked for at most.
const PAGES_MAX: u64 = 1000;

const fn word(kind: NumberKind) -> &'static str {
    match kind {
        NumberKind::Local => "local",
        NumberKind::Mobile => "mobile",
        NumberKind::TollFree => "toll_free",
        NumberKind::National => "national",
    }
}

fn get(config: &Config, path: &str, pairs: &[(&str, &str)]) -> Request {
    let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
    send::authorized(config, Request::new(Method::GET, config.url(&format!("{path}?{query}"))))
}

fn patch(config: &Config, path: &str, body: &Value) -> Request {
    let mut request = Request::new(Method::PATCH, config.url(path));
    request.body = body.to_string().into();
    send::authorized(config, request.with_header(CONTENT_TYPE, JSON))
}

fn data(response: &Response) -> Result<Value, SendError> {
    if !response.status.is_success() {
        return Err(send::failure(response));
    }
    let mut answer: Value = serde_json::from_slice(&response.body).map_err(|_| unreadable())?;
    Ok(answer["data"].take())
}

fn list(response: &Response) -> Result<Vec<Value>, SendError> {
    match data(response)? {
        Value::Array(list) => Ok(list),
        _ => Err(unreadable()),
    }
}

/// Where its calls and texts go is what it is assigned to. What it can do is told elsewhere.
fn held(one: &Value) -> Option<Held> {
    let assigned = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
    let settings = json!({
        "connection_id": assigned("connection_id"),
        "messaging_profile_id": assigned("messaging_profile_id"),
    });
    Some(Held {
        id: one["id"].as_str().filter(|id| is_id(id))?.to_owned(),
        number: ProxyNumber::parse(one["phone_number"].as_str()?).ok()?,
        can: None,
        settings: settings.to_string(),
    })
}

fn offer(kind: NumberKind, one: &Value) -> Option<Offer> {
    let features = one["features"].as_array()?;
    let has = |name: &str| features.iter().any(|one| one["name"] == name);
    let cost = &one["cost_information"];
    let price = cost["monthly_cost"].as_str().zip(cost["currency"].as_str());
    Some(Offer {
        number: ProxyNumber::parse(one["phone_number"].as_str()?).ok()?,
        kind,
        can: Capabilities { voice: has("voice"), sms: has("sms"), mms: has("mms") },
        price: price.and_then(|(amount, currency)| Price::parse(amount, currency)),
        wants: Vec::new(),
    })
}

/// How far an order has come; what it waits for may be the customer's papers.
fn progress(order: &Value) -> Result<Progress, SendError> {
    match order["status"].as_str() {
        Some("pending") => Ok(Progress::Pending),
        Some("success") => Ok(Progress::Done),
        Some("failure") => {
            let reason = order["phone_numbers"][0]["requirements_status"].as_str();
            Ok(Progress::Failed(reason.map(str::to_owned)))
        }
        _ => Err(unreadable()),
    }
}

impl Telnyx {
    /// Moves a number to an application and a profile; empty for none. Texts and calls are told apart,
    /// so that what is none of ours stays.
    fn assign(&self, held: &Held, connection: Option<&str>, profile: Option<&str>) -> Vec<Request> {
        let path = format!("/phone_numbers/{}", held.id);
        let calls =
            connection.map(|id| patch(&self.config, &path, &json!({ "connection_id": id })));
        let texts = profile.map(|id| {
            let body = json!({ "messaging_profile_id": id });
            patch(&self.config, &format!("{path}/messaging"), &body)
        });
        calls.into_iter().chain(texts).collect()
    }
}

impl Provisioning for Telnyx {
    fn search(&self, search: &Search) -> Option<Request> {
        let limit = search.limit.to_string();
        let mut pairs = vec![
            ("filter[country_code]", search.country.as_str()),
            ("filter[phone_number_type]", word(search.kind)),
        ];
        if let Some(area) = &search.area {
            pairs.push(("filter[national_destination_code]", area));
        }
        if let Some(contains) = &search.contains {
            pairs.push(("filter[phone_number][contains]", contains));
        }
        let needs = [("voice", search.can.voice), ("sms", search.can.sms), ("mms", search.can.mms)];
        pairs.extend(
            needs.iter().filter(|(_, on)| *on).map(|(name, _)| ("filter[features][]", *name)),
        );
        // Numbers that only look like what was asked for would be bought by mistake.
        pairs.extend([("filter[best_effort]", "false"), ("filter[limit]", &limit)]);
        Some(get(&self.config, "/available_phone_numbers", &pairs))
    }

    fn found(&self, search: &Search, response: &Response) -> Result<Vec<Offer>, SendError> {
        // 10031: there are none of that sort.
        if response.status == StatusCode::BAD_REQUEST
            && send::failure(response).carrier_code.as_deref() == Some("10031")
        {
            return Ok(Vec::new());
        }
        let most = usize::from(search.limit);
        let listed = list(response)?;
        Ok(listed.iter().filter_map(|one| offer(search.kind, one)).take(most).collect())
    }

    fn buy(&self, purchase: &Purchase) -> Option<Request> {
        let mut number = json!({ "phone_number": purchase.number.as_str() });
        if let Some(group) = &purchase.bundle {
            number["requirement_group_id"] = group.as_str().into();
        }
        let mut order = json!({
            "phone_numbers": [number],
            "customer_reference": purchase.reference,
        });
        if purchase.can.voice {
            order["connection_id"] = self.config.application_id.as_str().into();
        }
        if let Some(profile) = &self.config.messaging_profile_id {
            order["messaging_profile_id"] = profile.as_str().into();
        }
        let request = Request::post(self.config.url("/number_orders"), JSON, order.to_string());
        Some(send::authorized(&self.config, request))
    }

    fn bought(&self, _: &Purchase, response: &Response) -> Result<Bought, SendError> {
        let order = data(response)?;
        match order["id"].as_str().filter(|id| is_id(id)) {
            Some(id) => Ok(Bought::Ordered(id.to_owned())),
            None => Err(unreadable()),
        }
    }

    fn trace(&self, purchase: &Purchase) -> Option<Request> {
        let pairs = [("filter[customer_reference]", purchase.reference.as_str())];
        Some(get(&self.config, "/number_orders", &pairs))
    }

    fn traced(&self, response: &Response) -> Result<Option<String>, SendError> {
        let orders = list(response)?;
        // One that failed is no obstacle to the next.
        let order = orders.iter().find(|one| one["status"] != "failure");
        let Some(order) = order else { return Ok(None) };
        let id = order["id"].as_str().filter(|id| is_id(id));
        id.map(|id| Some(id.to_owned())).ok_or_else(unreadable)
    }

    fn order(&self, id: &str) -> Option<Request> {
        let url = self.config.url(&format!("/number_orders/{id}"));
        is_id(id).then(|| send::authorized(&self.config, Request::new(Method::GET, url)))
    }

    fn ordered(&self, response: &Response) -> Result<Progress, SendError> {
        progress(&data(response)?)
    }

    fn held(&self, number: &ProxyNumber) -> Request {
        number::request(&self.config, number)
    }

    fn held_one(
        &self,
        number: &ProxyNumber,
        response: &Response,
    ) -> Result<Option<Held>, SendError> {
        // Telnyx takes the digits as a pattern, so others may be listed too; and a number that is still being
        // bought is listed already.
        let wanted = |one: &Value| {
            one["phone_number"] == number.as_str() && one["status"] != "purchase-pending"
        };
        the_one(&list(response)?, wanted, held)
    }

    fn configure(&self, held: &Held, can: Capabilities, _: &Links) -> Vec<Request> {
        let profile = self.config.messaging_profile_id.as_deref();
        self.assign(
            held,
            can.voice.then_some(&self.config.application_id),
            profile.filter(|_| can.sms || can.mms),
        )
    }

    fn restore(&self, held: &Held, before: &str) -> Vec<Request> {
        let before: Value = serde_json::from_str(before).unwrap_or_default();
        let texts = self.config.messaging_profile_id.as_ref();
        self.assign(
            held,
            before["connection_id"].as_str(),
            before["messaging_profile_id"].as_str().filter(|_| texts.is_some()),
        )
    }

    fn release(&self, held: &Held) -> Option<Request> {
        let url = self.config.url(&format!("/phone_numbers/{}", held.id));
        Some(send::authorized(&self.config, Request::new(Method::DELETE, url)))
    }

    fn changed(&self, response: &Response) -> Result<(), SendError> {
        if response.status.is_success() { Ok(()) } else { Err(send::failure(response)) }
    }

    fn page(&self, next: Option<&str>) -> Request {
        let pairs = [("page[size]", PAGE_SIZE), ("page[number]", next.unwrap_or("1"))];
        get(&self.config, "/phone_numbers", &pairs)
    }

    fn listed(&self, _: Option<&str>, response: &Response) -> Result<HeldPage, SendError> {
        let held = list(response)?.iter().filter_map(held).collect();
        let answer: Value = serde_json::from_slice(&response.body).map_err(|_| unreadable())?;
        let meta = &answer["meta"];
        let number = |key: &str| meta[key].as_u64().unwrap_or(0);
        let (at, pages) = (number("page_number"), number("total_pages").min(PAGES_MAX));
        Ok(HeldPage { held, next: (at < pages).then(|| (at + 1).to_string()) })
    }
}
