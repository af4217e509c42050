//! A callback as Twilio sends it: a form, signed with the account's auth token over the address and
//! the sorted parameters (<https://www.twilio.com/docs/usage/webhooks/webhooks-security>).

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::{HeaderMap, HeaderValue, Method, header};
use url::Url;

use super::twiml::Target;
use crate::{
    carrier::signature,
    ids::AccountId,
    relay::{Error, signed::AGENT},
    store::{Tx, accounts},
};

/// Parameters of a callback, in no order.
pub(super) type Parameters = Vec<(&'static str, String)>;

/// What is sent to an address.
#[derive(Clone)]
pub(in crate::relay) struct Letter {
    pub(in crate::relay) method: Method,
    pub(in crate::relay) url: String,
    pub(in crate::relay) headers: HeaderMap,
    pub(in crate::relay) body: String,
}

/// Signs with an account's auth token.
#[derive(Clone)]
pub(super) struct Signer(String);

impl Signer {
    pub(super) async fn of(tx: &mut Tx, account: &AccountId) -> Result<Self, Error> {
        let token = accounts::auth_token(tx, account).await?;
        Ok(Self(token.ok_or(Error::NotFound("account"))?))
    }

    /// A form for `address`.
    pub(super) fn post(&self, address: &str, parameters: &Parameters) -> Letter {
        let mut headers = headers(&self.signature(address, parameters));
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, kind);
        Letter {
            method: Method::POST,
            url: address.to_owned(),
            headers,
            body: form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish(),
        }
    }

    /// The same in the way that a document asks for it.
    pub(super) fn ask(&self, target: &Target, parameters: &Parameters) -> Letter {
        let url = Url::parse(&target.url).ok().filter(|_| target.get);
        let Some(mut url) = url else { return self.post(&target.url, parameters) };
        url.query_pairs_mut().extend_pairs(parameters);
        let url = String::from(url);
        let headers = headers(&self.signature(&url, &Parameters::new()));
        Letter { method: Method::GET, url, headers, body: String::new() }
    }

    fn signature(&self, address: &str, parameters: &Parameters) -> String {
        let mut sorted: Vec<_> = parameters.iter().collect();
        sorted.sort();
        let signed =
            sorted.into_iter().fold(address.to_owned(), |text, (name, value)| text + name + value);
        BASE64.encode(signature::sign_sha1(self.0.as_bytes(), signed.as_bytes()))
    }
}

fn headers(signature: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    // Base64 always fits in a header.
    if let Ok(value) = HeaderValue::from_str(signature) {
        headers.insert("x-twilio-signature", value);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of the tests of Twilio's own SDKs.
    #[test]
    fn the_vector_of_the_sdks() {
        let parameters = vec![
            ("CallSid", "CA1234567890ABCDE".to_owned()),
            ("Caller", "+14158675309".to_owned()),
            ("Digits", "1234".to_owned()),
            ("From", "+14158675309".to_owned()),
            ("To", "+18005551212".to_owned()),
        ];
        let address = "https://mycompany.com/myapp.php?foo=1&bar=2";
        let signer = Signer("12345".to_owned());
        assert_eq!(signer.signature(address, &parameters), "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
    }

    /// A form says what the parameters say, with every character escaped, and so does a query.
    #[test]
    fn letters_read_back() {
        let signer = Signer("12345".to_owned());
        let parameters = vec![("interactionData", r#"{"body":"a+b=c & é"}"#.to_owned())];
        let same = |query: &str| {
            let read: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            assert_eq!(read, [(parameters[0].0.to_owned(), parameters[0].1.clone())]);
        };
        same(&signer.post("https://m.example/", &parameters).body);
        let target = Target { url: "https://m.example/next".to_owned(), get: true };
        let asked = signer.ask(&target, &parameters);
        assert!(asked.method == Method::GET && asked.body.is_empty());
        same(asked.url.split_once('?').unwrap().1);
        let signature = signer.signature(&asked.url, &Parameters::new());
        assert_eq!(asked.headers["x-twilio-signature"], signature);
    }
}
