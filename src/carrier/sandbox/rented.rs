//! Which numbers the sandbox's customer has: every one. Their SIDs are made of their digits.

use http::{Method, StatusCode, header::AUTHORIZATION};
use serde_json::Value;

use super::{Request, Response, SendError, config::Config};
use crate::{
    carrier::{
        error::{Retry, SendErrorKind},
        number::{Rented, Wanted, abilities},
    },
    domain::phone::ProxyNumber,
    ids::NumberId,
};

/// Asks for the number of that SID. By digits there is nothing to ask: it is the customer's.
pub(super) fn request(config: &Config, wanted: &Wanted) -> Option<Request> {
    let Wanted::Id(id) = wanted else { return None };
    let url = format!("{}/v1/numbers/{id}", config.api_base);
    Some(Request::new(Method::GET, url).with_header(AUTHORIZATION, &config.bearer()))
}

/// The number, if its SID is one.
pub(super) fn read(response: &Response) -> Result<Option<Rented>, SendError> {
    if response.status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let answer: Option<Value> = serde_json::from_slice(&response.body).ok();
    let read = answer.filter(|_| response.status.is_success()).and_then(|one| {
        let number = ProxyNumber::parse(one["number"].as_str()?).ok()?;
        let can = one["capabilities"].as_array()?;
        Some(Rented {
            id: NumberId::parse(one["id"].as_str()?).ok()?,
            number,
            name: None,
            can: abilities(|name| can.iter().any(|word| word == name)),
        })
    });
    read.map(Some).ok_or(SendError::new(SendErrorKind::Unreachable, Retry::Unknown))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is there is read, what is not is told apart from trouble.
    #[test]
    fn answers_are_read() {
        let answer = |status: u16, body: &'static str| {
            let status = StatusCode::from_u16(status).unwrap();
            read(&Response::new(status, "application/json", body))
        };
        let found = answer(
            200,
            r#"{"id": "PN00000000000000000000014155550100", "number": "+14155550100",
                "capabilities": ["voice", "sms", "mms"]}"#,
        );
        let found = found.unwrap().unwrap();
        assert_eq!(found.number.as_str(), "+14155550100");
        assert!(found.can.voice && found.can.sms && found.can.mms);
        assert_eq!(answer(404, "{}"), Ok(None));
        for (status, body) in [(200, "{}"), (200, ""), (401, "{}"), (503, "{}")] {
            assert!(answer(status, body).is_err(), "{status} {body}");
        }
    }
}
