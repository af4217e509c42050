//! Counts and times requests by their route's pattern.

use std::{
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use axum::extract::{MatchedPath, Request};
use http::StatusCode;
use tower::{Layer, Service};

use super::Arrival;
use crate::telemetry::metrics::HttpMeter;

const METHODS: [&str; 8] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "other"];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// A method as a label: a client may invent methods, but not labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Method(usize);

impl Method {
    pub(super) fn of(method: &http::Method) -> Self {
        let other = METHODS.len() - 1;
        Self(METHODS.iter().position(|name| *name == method.as_str()).unwrap_or(other))
    }
}

/// The metrics of one route, made when they are first needed.
#[derive(Debug)]
pub(super) struct RouteMeters {
    listener: &'static str,
    route: String,
    cells: [[OnceLock<Box<HttpMeter>>; CLASSES.len()]; METHODS.len()],
}

impl RouteMeters {
    pub(super) fn record(&self, method: Method, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        let meter = self.cells[method.0][class].get_or_init(|| {
            let method = METHODS[method.0];
            Box::new(HttpMeter::new(self.listener, &self.route, method, CLASSES[class]))
        });
        meter.record(took);
    }
}

/// Tells the request's [`Arrival`] which route it took. It does no more: a future around the
/// handler's would cost an allocation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measure {
    pub(super) listener: &'static str,
}

impl<S> Layer<S> for Measure {
    type Service = Measured<S>;

    fn layer(&self, inner: S) -> Measured<S> {
        Measured { inner, listener: self.listener, meters: Arc::default() }
    }
}

/// One route, measured.
#[derive(Debug, Clone)]
pub(super) struct Measured<S> {
    inner: S,
    listener: &'static str,
    meters: Arc<OnceLock<Arc<RouteMeters>>>,
}

impl<S: Service<Request>> Service<Request> for Measured<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> S::Future {
        if let Some(arrival) = request.extensions().get::<Arrival>() {
            let path = request.extensions().get::<MatchedPath>();
            let meters = self.meters.get_or_init(|| {
                Arc::new(RouteMeters {
                    listener: self.listener,
                    route: path.map_or("unmatched", MatchedPath::as_str).to_owned(),
                    cells: Default::default(),
                })
            });
            arrival.routed(Arc::clone(meters));
        }
        self.inner.call(request)
    }
}
