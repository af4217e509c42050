//! A request's body with a deadline.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{BoxError, body::Body};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

/// The body was not complete in time. The source of the error that reading it gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body was not complete in time")]
pub struct BodyTooSlow;

/// `body`, failing with [`BodyTooSlow`] where it is waited for after `deadline`.
pub(super) fn timed(body: Incoming, deadline: Instant) -> Body {
    if body.is_end_stream() {
        return Body::empty();
    }
    Body::new(Timed { inner: body.map_err(BoxError::from), deadline, sleep: None })
}

struct Timed<B> {
    inner: B,
    deadline: Instant,
    /// Made only when there is something to wait for: most bodies come with their head.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl<B: HttpBody<Data = Bytes, Error = BoxError> + Unpin> HttpBody for Timed<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        let deadline = self.deadline;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(Some(Err(BodyTooSlow.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
