//! Plivo's numbers: on sale under `PhoneNumber`, the account's under `Number`. Their calls and texts go
//! where the application leads that a number is assigned to.

use form_urlencoded::Serializer;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Links, Plivo, Request, Response, SendError, bare, config::Config, number, send};
use crate::{
    carrier::{
        error::{Retry, SendErrorKind, unreadable},
        number::abilities,
        provisioning::{
            Bought, Held, HeldPage, NumberKind, Offer, Progress, Provisioning, Purchase, Search,
            Want, the_one,
        },
    },
    domain::{phone::ProxyNumber, pool::Capabilities, price::Price},
};

const JSON: &str = "application/json";
/// As many as a page has.
const PAGE: u64 = 20;

const fn word(kind: NumberKind) -> &'static str {
    match kind {
        NumberKind::Local => "local",
        NumberKind::Mobile => "mobile",
        NumberKind::TollFree => "tollfree",
        NumberKind::National => "national",
    }
}

fn get(config: &Config, path: &str) -> Request {
    send::authorized(config, Request::new(Method::GET, config.url(path)))
}

fn post(config: &Config, path: &str, body: &Value) -> Request {
    send::authorized(config, Request::post(config.url(path), JSON, body.to_string()))
}

fn answer(response: &Response) -> Result<Value, SendError> {
    if !response.status.is_success() {
        return Err(send::failure(response));
    }
    serde_json::from_slice(&response.body).map_err(|_| unreadable())
}

fn objects(response: &Response) -> Result<Vec<Value>, SendError> {
    match answer(response)?["objects"].take() {
        Value::Array(objects) => Ok(objects),
        _ => Err(unreadable()),
    }
}

fn number_of(one: &Value) -> Option<ProxyNumber> {
    ProxyNumber::parse(&format!("+{}", one["number"].as_str()?)).ok()
}

fn can(one: &Value) -> Capabilities {
    abilities(|name| one[format!("{name}_enabled")] == true)
}

fn held(one: &Value) -> Option<Held> {
    let number = number_of(one)?;
    let application = one["application"].as_str().unwrap_or_default().trim_end_matches('/');
    let application = application.rsplit('/').next().unwrap_or_default();
    let id = bare(number.as_str()).to_owned();
    let settings = json!({ "app_id": application }).to_string();
    Some(Held { id, can: Some(can(one)), settings, number })
}

fn offer(kind: NumberKind, one: &Value) -> Option<Offer> {
    // Plivo charges in dollars everywhere.
    let price = one["monthly_rental_rate"].as_str().and_then(|rate| Price::parse(rate, "USD"));
    let wants = if one["restriction"].is_null() { Vec::new() } else { vec![Want::Bundle] };
    Some(Offer { number: number_of(one)?, kind, can: can(one), price, wants })
}

fn assign(config: &Config, held: &Held, application: &str) -> Request {
    post(config, &format!("Number/{}/", held.id), &json!({ "app_id": application }))
}

impl Provisioning for Plivo {
    fn search(&self, search: &Search) -> Option<Request> {
        let needs = [("voice", search.can.voice), ("sms", search.can.sms), ("mms", search.can.mms)];
        let services: Vec<&str> =
            needs.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
        let mut query = Serializer::new(String::new());
        query.append_pair("country_iso", &search.country).append_pair("type", word(search.kind));
        // A pattern is what the national number begins with: other digits are looked for in the answer.
        if let Some(area) = &search.area {
            query.append_pair("pattern", area);
        }
        if !services.is_empty() {
            query.append_pair("services", &services.join(","));
        }
        query.append_pair("limit", &PAGE.to_string());
        Some(get(&self.config, &format!("PhoneNumber/?{}", query.finish())))
    }

    fn found(&self, search: &Search, response: &Response) -> Result<Vec<Offer>, SendError> {
        Ok(objects(response)?.iter().filter_map(|one| offer(search.kind, one)).collect())
    }

    fn buy(&self, purchase: &Purchase) -> Option<Request> {
        let application = self.config.application_id.as_deref()?;
        let mut body = json!({ "app_id": application });
        if let Some(papers) = &purchase.bundle {
            body["compliance_application_id"] = papers.as_str().into();
        }
        Some(post(&self.config, &format!("PhoneNumber/{}/", bare(purchase.number.as_str())), &body))
    }

    /// What is `pending` is an order, known by its digits: it becomes active once it is theirs.
    fn bought(&self, purchase: &Purchase, response: &Response) -> Result<Bought, SendError> {
        // Nobody sells it any more.
        if response.status == StatusCode::NOT_FOUND {
            return Err(SendError::new(SendErrorKind::Rejected, Retry::Never));
        }
        let answer = answer(response)?;
        let number = bare(purchase.number.as_str());
        let listed = answer["numbers"].as_array().ok_or_else(unreadable)?;
        let one = listed.iter().find(|one| one["number"] == number).ok_or_else(unreadable)?;
        match one["status"].as_str().map(str::to_ascii_lowercase).as_deref() {
            Some("success" | "fulfilled") => Ok(Bought::Now),
            Some("pending") => Ok(Bought::Ordered(number.to_owned())),
            Some("failed") => Err(SendError::new(SendErrorKind::Rejected, Retry::Never)),
            _ => Err(unreadable()),
        }
    }

    fn order(&self, id: &str) -> Option<Request> {
        let digits = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| get(&self.config, &format!("Number/{id}/")))
    }

    fn ordered(&self, response: &Response) -> Result<Progress, SendError> {
        // It may not be among the account's numbers yet.
        if response.status == StatusCode::NOT_FOUND {
            return Ok(Progress::Pending);
        }
        let one = answer(response)?;
        number_of(&one).ok_or_else(unreadable)?;
        Ok(if one["active"] == true { Progress::Done } else { Progress::Pending })
    }

    fn held(&self, number: &ProxyNumber) -> Request {
        number::request(&self.config, number)
    }

    fn held_one(
        &self,
        number: &ProxyNumber,
        response: &Response,
    ) -> Result<Option<Held>, SendError> {
        // Plivo lists all that begin with the digits.
        let wanted = bare(number.as_str());
        the_one(&objects(response)?, |one| one["number"] == wanted, held)
    }

    fn configure(&self, held: &Held, _: Capabilities, _: &Links) -> Vec<Request> {
        let application = self.config.application_id.iter();
        application.map(|id| assign(&self.config, held, id)).collect()
    }

    fn restore(&self, held: &Held, before: &str) -> Vec<Request> {
        let before: Value = serde_json::from_str(before).unwrap_or_default();
        let application = before["app_id"].as_str();
        application.map(|id| assign(&self.config, held, id)).into_iter().collect()
    }

    fn release(&self, held: &Held) -> Option<Request> {
        let url = self.config.url(&format!("Number/{}/", held.id));
        Some(send::authorized(&self.config, Request::new(Method::DELETE, url)))
    }

    fn changed(&self, response: &Response) -> Result<(), SendError> {
        if response.status.is_success() { Ok(()) } else { Err(send::failure(response)) }
    }

    fn page(&self, next: Option<&str>) -> Request {
        let skip = next.unwrap_or("0");
        get(&self.config, &format!("Number/?limit={PAGE}&offset={skip}"))
    }

    fn listed(&self, _: Option<&str>, response: &Response) -> Result<HeldPage, SendError> {
        let answer = answer(response)?;
        let listed = answer["objects"].as_array().ok_or_else(unreadable)?;
        let meta = &answer["meta"];
        let next = meta["offset"].as_u64().map(|offset| offset + PAGE);
        let next = next.filter(|next| meta["total_count"].as_u64().is_some_and(|all| all > *next));
        let held = listed.iter().filter_map(held).collect();
        Ok(HeldPage { held, next: next.map(|next| next.to_string()) })
    }
}
