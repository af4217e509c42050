//! Notes each request of an account to the APIs for its developers: by the router's pattern, and nothing that the
//! client wrote but a method and an id of known forms.

use axum::{
    extract::{MatchedPath, Request},
    response::Response,
};
use http::HeaderName;
use tokio::time::Instant;

use super::{problem::Problem, server::Arrival};
use crate::{
    domain::time::Timestamp,
    ids::RequestId,
    relay::{Caller, Relay},
    store::api_requests::{self, Logged},
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Which of Twilio's errors an answer is; an extension of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct TwilioCode(pub(super) u32);

/// A request that is not answered yet.
#[derive(Debug)]
pub(super) struct Noting {
    request: RequestId,
    method: &'static str,
    route: String,
    idempotent: bool,
    started: Instant,
    at: Timestamp,
}

impl Noting {
    /// Begins with a request that was routed; nothing where it did not come through the server.
    pub(super) fn begin(relay: &Relay, request: &Request) -> Option<Self> {
        let arrival = request.extensions().get::<Arrival>()?;
        let route = request.extensions().get::<MatchedPath>()?;
        Some(Self {
            request: arrival.request_id().clone(),
            method: api_requests::method(request.method().as_str()),
            route: route.as_str().to_owned(),
            idempotent: request.headers().contains_key(IDEMPOTENCY_KEY),
            started: Instant::now(),
            at: relay.db().clock(),
        })
    }

    /// Notes how it was answered.
    pub(super) fn end(self, relay: &Relay, caller: &Caller, response: &Response) {
        let extensions = response.extensions();
        let problem = extensions.get::<Problem>().map(|problem| problem.code().to_string());
        let twilio = || extensions.get::<TwilioCode>().map(|code| code.0.to_string());
        let one = Logged {
            id: relay.db().logged_id(self.at),
            request: self.request,
            method: self.method,
            route: self.route,
            status: response.status().as_u16(),
            code: problem.or_else(twilio),
            key: caller.key.clone(),
            took: self.started.elapsed(),
            idempotent: self.idempotent,
            at: self.at,
        };
        relay.note_request(caller.account.clone(), one);
    }
}
