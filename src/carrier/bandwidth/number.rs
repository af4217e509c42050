//! How Bandwidth handles our proxy numbers: whether the account has them, and whether its applications
//! send calls and texts to us. The API for that speaks XML.

use http::{Method, header::ACCEPT};

use super::{Links, NumberFault, Request, Response, config::Config, send};
use crate::{
    carrier::{
        element::Element,
        number::{same_address, shown},
    },
    domain::phone::ProxyNumber,
};

/// The most elements of an answer, and how deep they lie.
const ELEMENTS_MAX: usize = 500;
const DEPTH_MAX: usize = 16;

/// Asks for the number by its digits. Not secret: it is ours.
pub(super) fn request(config: &Config, number: &ProxyNumber) -> Request {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("accountId", &config.account_id)
        .append_pair("fullNumber", digits(number))
        .append_pair("page", "1")
        .append_pair("size", "2")
        .finish();
    get(config, &format!("/tns?{query}"))
}

/// Asks for the applications: that for texts, then that for calls.
pub(super) fn account(config: &Config) -> Vec<Request> {
    let account = &config.account_id;
    let path = |id: &str| format!("/accounts/{account}/applications/{id}");
    applications(config).map(|(id, _)| get(config, &path(id))).collect()
}

enum Of {
    Texts,
    Calls,
}

fn applications(config: &Config) -> impl Iterator<Item = (&str, Of)> {
    let texts = config.messaging_application.iter().map(|id| (id.as_str(), Of::Texts));
    texts.chain(config.voice_application.iter().map(|id| (id.as_str(), Of::Calls)))
}

fn get(config: &Config, path: &str) -> Request {
    let request = Request::new(Method::GET, config.dashboard_url(path));
    send::authorized(config, request.with_header(ACCEPT, "application/xml"))
}

/// A number as this API writes it: ten digits in North America, E.164 elsewhere.
fn digits(number: &ProxyNumber) -> &str {
    number.as_str().strip_prefix("+1").unwrap_or(number.as_str())
}

/// The root of an answer, if it has that name.
fn answer(response: &Response, name: &str) -> Option<Element> {
    let text = std::str::from_utf8(&response.body).ok()?;
    Element::read(text, ELEMENTS_MAX, DEPTH_MAX).filter(|root| root.name == name)
}

/// What is wrong with the number, by Bandwidth's answer.
pub(super) fn faults(
    config: &Config,
    number: &ProxyNumber,
    response: &Response,
) -> Option<Vec<NumberFault>> {
    let answer = answer(response, "TelephoneNumbersResponse")?;
    let mut listed = answer.all("TelephoneNumbers").flat_map(|list| list.all("TelephoneNumber"));
    let found = listed.find(|one| {
        one.at(&["FullNumber"]) == digits(number) && one.at(&["AccountId"]) == config.account_id
    });
    let Some(found) = found else {
        return Some(vec![NumberFault::grave(
            "is not a number of this Bandwidth account",
            "order it there, or retire it here",
        )]);
    };
    let mut faults = Vec::new();
    if !found.at(&["Status"]).eq_ignore_ascii_case("inservice") {
        faults.push(NumberFault::grave(
            "is not in service at Bandwidth",
            "finish its order or port there, or retire it here",
        ));
    }
    Some(faults)
}

/// What is wrong with the application at `place` of [`account`].
pub(super) fn account_faults(
    config: &Config,
    place: usize,
    links: &Links,
    response: &Response,
) -> Option<Vec<NumberFault>> {
    let answer = answer(response, "ApplicationProvisioningResponse")?;
    let found = answer.all("Application").next()?;
    let (id, of) = applications(config).nth(place)?;
    let mut faults = Faults { config, found, list: Vec::new() };
    match of {
        Of::Texts => faults.texts(id, links),
        Of::Calls => faults.calls(id, links),
    }
    Some(faults.list)
}

struct Faults<'a> {
    config: &'a Config,
    found: &'a Element,
    list: Vec<NumberFault>,
}

impl Faults<'_> {
    fn texts(&mut self, id: &str, links: &Links) {
        if !self.is_of("messaging_application_id", id, "Messaging-V2") {
            return;
        }
        self.webhook("InboundCallbackUrl", &links.message());
        self.credentials("InboundCallbackCreds");
        self.webhook("OutboundCallbackUrl", &links.status());
        self.credentials("OutboundCallbackCreds");
        let asked: Vec<&Element> = self.found.all("RequestedCallbackTypes").collect();
        for kind in ["message-delivered", "message-failed"] {
            let told = |list: &&Element| list.all("CallbackType").any(|one| one.text() == kind);
            if !asked.iter().any(told) {
                self.list.push(NumberFault::grave(
                    format!(
                        "RequestedCallbackTypes lacks {kind}, so no receipt of that kind comes"
                    ),
                    format!("add {kind} to RequestedCallbackTypes"),
                ));
            }
        }
    }

    fn calls(&mut self, id: &str, links: &Links) {
        if !self.is_of("voice_application_id", id, "Voice-V2") {
            return;
        }
        self.webhook("CallInitiatedCallbackUrl", &links.call());
        self.method("CallInitiatedMethod");
        // Nothing else tells that a caller hung up.
        self.webhook("CallStatusCallbackUrl", &links.status());
        self.method("CallStatusMethod");
        self.credentials("CallbackCreds");
        // A text that we miss is tried again; a caller whom nobody answers is not.
        if self.found.at(&["CallInitiatedFallbackUrl"]).is_empty() {
            self.list.push(NumberFault::minor(
                "CallInitiatedFallbackUrl is empty, so callers hear nothing while no node can be reached",
                "host a BXML document on static storage, and set CallInitiatedFallbackUrl to it with GET",
            ));
        }
    }

    fn is_of(&mut self, key: &str, id: &str, wanted: &str) -> bool {
        let (found, kind) = (self.found.at(&["ApplicationId"]), self.found.at(&["ServiceType"]));
        let right = found == id && kind == wanted;
        if !right {
            self.list.push(NumberFault::grave(
                format!("{key} is not an application of the type {wanted}"),
                format!("set {key} to the id of one that is"),
            ));
        }
        right
    }

    fn webhook(&mut self, key: &str, wanted: &str) {
        let address = self.found.at(&[key]);
        let set = format!("set {key} to {wanted}");
        if address.is_empty() {
            self.list.push(NumberFault::grave(format!("{key} is empty"), set));
        } else if !same_address(address, wanted) {
            self.list.push(NumberFault::grave(format!("{key} is {}", shown(address)), set));
        }
    }

    /// Where it does not say, it is POST.
    fn method(&mut self, key: &str) {
        let method = self.found.at(&[key]);
        if !method.is_empty() && !method.eq_ignore_ascii_case("post") {
            self.list.push(NumberFault::grave(
                format!("{key} is not POST"),
                format!("set {key} to POST"),
            ));
        }
    }

    /// The API shows the name and keeps the password back.
    fn credentials(&mut self, key: &str) {
        if self.found.at(&[key, "UserId"]) != self.config.webhook_username {
            self.list.push(NumberFault::grave(
                format!(
                    "the name of {key} is not webhook_username, so every such webhook is refused"
                ),
                format!("set {key} to webhook_username and webhook_password"),
            ));
        }
    }
}
