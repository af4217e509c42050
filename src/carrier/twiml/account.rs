//! An account at an API of Twilio's shape: what opens it, and where its resources are.

use http::{Method, header::AUTHORIZATION};

use super::{list, rest};
use crate::carrier::Request;

/// One account, and what is the carrier's own in its API.
pub(in crate::carrier) trait Account: Send + Sync {
    /// Requests, and what answers mean.
    fn rest(&self) -> &'static rest::Dialect;

    /// Lists.
    fn lists(&self) -> &'static list::Dialect;

    /// Its id: every webhook names it.
    fn id(&self) -> &str;

    /// The address of its resource `path`, such as `/Messages`.
    fn url(&self, path: &str) -> String;

    /// The value of the `Authorization` header.
    fn credentials(&self) -> String;
}

/// The same request with the account's credentials.
pub(in crate::carrier) fn authorized(account: &dyn Account, request: Request) -> Request {
    request.with_header(AUTHORIZATION, &account.credentials())
}

/// Asks for its resource `path`, with a query.
pub(in crate::carrier) fn get(account: &dyn Account, path: &str, query: &str) -> Request {
    let url = format!("{}?{query}", account.url(path));
    authorized(account, Request::new(Method::GET, url))
}
