//! Which numbers the Twilio account has: looked up by SID or by digits.

use http::{Method, StatusCode};
use serde_json::Value;

use super::{Request, Response, SendError, config::Config, number, send};
use crate::{
    carrier::{
        error::{Retry, SendErrorKind},
        number::{Rented, Wanted, abilities},
        twiml,
    },
    domain::phone::ProxyNumber,
    ids::NumberId,
};

/// Asks for the number.
pub(super) fn request(config: &Config, wanted: &Wanted) -> Request {
    match wanted {
        Wanted::Digits(digits) => number::request(config, digits),
        Wanted::Id(id) => {
            let url = config.account_url(&format!("/IncomingPhoneNumbers/{id}"));
            twiml::authorized(config, Request::new(Method::GET, url))
        }
    }
}

/// The number, if the account has it.
///
/// # Errors
/// `Unsupported` for the answer of a stand-in that keeps no numbers: no such address, or no list.
pub(super) fn read(wanted: &Wanted, response: &Response) -> Result<Option<Rented>, SendError> {
    let none = SendError::new(SendErrorKind::Unsupported, Retry::Never);
    match (response.status, wanted) {
        (StatusCode::NOT_FOUND, Wanted::Id(_)) => return Ok(None),
        (
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED,
            _,
        ) => return Err(none),
        (status, _) if !status.is_success() => return Err(send::failure(response)),
        _ => {}
    }
    let answer: Value = serde_json::from_slice(&response.body).map_err(|_| none.clone())?;
    match wanted {
        Wanted::Id(id) => {
            let found = rented(&answer).filter(|found| found.id == *id);
            found.map(Some).ok_or(none)
        }
        Wanted::Digits(digits) => {
            let listed = answer["incoming_phone_numbers"].as_array().ok_or(none.clone())?;
            // Twilio takes the digits as a pattern, so others may be listed too.
            let Some(one) = listed.iter().find(|one| one["phone_number"] == digits.as_str()) else {
                return Ok(None);
            };
            rented(one).map(Some).ok_or(none)
        }
    }
}

fn rented(one: &Value) -> Option<Rented> {
    let number = ProxyNumber::parse(one["phone_number"].as_str()?).ok()?;
    let name = Rented::name(one["friendly_name"].as_str().unwrap_or_default(), &number);
    let can = abilities(|name| one["capabilities"][name].as_bool() == Some(true));
    Some(Rented { id: NumberId::parse(one["sid"].as_str()?).ok()?, number, name, can })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: &str = "PN0123456789abcdef0123456789abcdef";
    const ONE: &str = r#"{"sid": "PN0123456789abcdef0123456789abcdef",
        "phone_number": "+14155550100", "friendly_name": "Night\u0007 desk",
        "capabilities": {"voice": true, "SMS": true, "mms": false, "fax": true}}"#;

    fn id() -> Wanted {
        Wanted::Id(NumberId::parse(SID).unwrap())
    }

    fn digits() -> Wanted {
        Wanted::Digits(ProxyNumber::parse("+14155550100").unwrap())
    }

    fn answer(status: u16, body: &str) -> Response {
        let status = StatusCode::from_u16(status).unwrap();
        Response::new(status, "application/json", body.to_owned())
    }

    fn listed(entries: &str) -> String {
        format!(r#"{{"incoming_phone_numbers": [{entries}]}}"#)
    }

    /// By SID and by digits the same number is read, with its name and what it can do.
    #[test]
    fn a_number_is_read() {
        let by_id = read(&id(), &answer(200, ONE)).unwrap().unwrap();
        assert_eq!(by_id.id.as_str(), SID);
        assert_eq!(by_id.name.as_deref(), Some("Night desk"));
        assert_eq!((by_id.can.voice, by_id.can.sms, by_id.can.mms), (true, true, false));
        let other = ONE.replace("0100", "0199");
        let by_digits = read(&digits(), &answer(200, &listed(&format!("{other}, {ONE}"))));
        assert_eq!(by_digits, Ok(Some(by_id)));
        let plain = ONE.replace("Night\\u0007 desk", "+14155550100");
        assert_eq!(read(&id(), &answer(200, &plain)).unwrap().unwrap().name, None);
    }

    /// A number that is not there is told from a stand-in that keeps none, and from trouble.
    #[test]
    fn none_is_not_trouble() {
        assert_eq!(read(&id(), &answer(404, r#"{"code": 20404}"#)), Ok(None));
        assert_eq!(read(&digits(), &answer(200, &listed(""))), Ok(None));
        assert_eq!(read(&digits(), &answer(200, &listed(&ONE.replace("0100", "0199")))), Ok(None));
        for (wanted, status, body) in [
            (digits(), 404, "{}"),
            (digits(), 200, r#"{"messages": []}"#),
            (digits(), 201, "<html>"),
            (id(), 200, "{}"),
            (id(), 405, ""),
            (digits(), 501, ""),
        ] {
            let error = read(&wanted, &answer(status, body)).unwrap_err();
            assert_eq!(error.kind, SendErrorKind::Unsupported, "{status} {body}");
        }
        for (status, kind) in [
            (401, SendErrorKind::Config),
            (429, SendErrorKind::Throttled),
            (500, SendErrorKind::Unreachable),
            (503, SendErrorKind::Unreachable),
        ] {
            for wanted in [id(), digits()] {
                assert_eq!(read(&wanted, &answer(status, "{}")).unwrap_err().kind, kind);
            }
        }
        let other = ONE.replace("0123456789abcdef01", "ffffffffffffffffff");
        assert!(read(&id(), &answer(200, &other)).is_err(), "another number than was asked for");
    }
}
