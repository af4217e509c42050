//! A request's body with a deadline, which takes no place while it is waited for.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{BoxError, body::Body};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::intake::Place;

/// The body was not complete in time. The source of the error that reading it gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body was not complete in time")]
pub struct BodyTooSlow;

/// The client lets us wait for too many bodies at once: its request is refused as a whole.
#[derive(Debug, thiserror::Error)]
#[error("too many bodies are waited for")]
struct TooManyBodies;

/// `body`, failing with [`BodyTooSlow`] where it is waited for after `deadline`, and at once where
/// it must be waited for and `place` says no.
pub(super) fn timed(body: Incoming, deadline: Instant, place: &Arc<Place>) -> Body {
    if body.is_end_stream() {
        return Body::empty();
    }
    let place = Arc::clone(place);
    Body::new(Timed { inner: body.map_err(BoxError::from), deadline, sleep: None, place })
}

struct Timed<B> {
    inner: B,
    deadline: Instant,
    /// Made only when there is something to wait for: most bodies come with their head.
    sleep: Option<Pin<Box<Sleep>>>,
    place: Arc<Place>,
}

impl<B: HttpBody<Data = Bytes, Error = BoxError> + Unpin> HttpBody for Timed<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) {
            self.place.go_on();
            return Poll::Ready(frame);
        }
        if !self.place.wait() {
            return Poll::Ready(Some(Err(TooManyBodies.into())));
        }
        let deadline = self.deadline;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        ready!(sleep.as_mut().poll(cx));
        self.place.go_on();
        Poll::Ready(Some(Err(BodyTooSlow.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
