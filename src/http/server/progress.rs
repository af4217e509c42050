//! How far a connection's clients have got, and when it is cut off for not getting further.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use axum::body::Body;
use bytes::Bytes;
use http::Version;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use super::Limits;

/// One connection's progress. Written by its reads, writes and requests, which are all polled by
/// one task (HTTP/1) or few (HTTP/2); read by its guard.
#[derive(Debug)]
pub(super) struct Progress {
    opened: Instant,
    /// Requests that are being answered, down to the last byte of the answer.
    active: AtomicUsize,
    served: AtomicBool,
    http2: AtomicBool,
    /// Instants, in milliseconds after `opened` plus one; zero is "not".
    reading_since: AtomicU64,
    idle_since: AtomicU64,
    stalled_since: AtomicU64,
}

/// What the guard does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Looks again then.
    Until(Instant),
    /// Asks the client to go.
    Idle,
    /// Cuts it off, for a reason of the metric `entremise_refused_connections_total`.
    Cut(&'static str),
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            opened: Instant::now(),
            active: AtomicUsize::new(0),
            served: AtomicBool::new(false),
            http2: AtomicBool::new(false),
            reading_since: AtomicU64::new(0),
            idle_since: AtomicU64::new(0),
            stalled_since: AtomicU64::new(0),
        }
    }

    fn stamp(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    fn at(&self, stamp: u64) -> Instant {
        self.opened + std::time::Duration::from_millis(stamp.saturating_sub(1))
    }

    /// When the head that is being read was begun, as a stamp; zero where none is.
    pub(super) fn reading(&self) -> u64 {
        self.reading_since.load(Relaxed)
    }

    /// A request's head is complete; until the guard is dropped it is being answered.
    pub(super) fn begin(self: &Arc<Self>, version: Version) -> Active {
        self.active.fetch_add(1, Relaxed);
        self.reading_since.store(0, Relaxed);
        if !self.served.load(Relaxed) {
            self.served.store(true, Relaxed);
            self.http2.store(version == Version::HTTP_2, Relaxed);
        }
        Active(Arc::clone(self))
    }

    fn read(&self) {
        // HTTP/2 has traffic of its own between requests.
        if self.reading() == 0 && self.active.load(Relaxed) == 0 && !self.http2.load(Relaxed) {
            self.reading_since.store(self.stamp(), Relaxed);
        }
    }

    fn wrote<T>(&self, poll: Poll<T>) -> Poll<T> {
        match (poll.is_pending(), self.stalled_since.load(Relaxed)) {
            (true, 0) => self.stalled_since.store(self.stamp(), Relaxed),
            (false, since) if since != 0 => self.stalled_since.store(0, Relaxed),
            _ => {}
        }
        poll
    }

    pub(super) fn verdict(&self, limits: &Limits) -> Verdict {
        let now = Instant::now();
        let due = |deadline: Instant, late: Verdict| {
            if deadline <= now { late } else { Verdict::Until(deadline) }
        };
        match self.stalled_since.load(Relaxed) {
            0 => {}
            since => return due(self.at(since) + limits.stall, Verdict::Cut("stalled")),
        }
        if self.active.load(Relaxed) > 0 {
            return Verdict::Until(now + limits.stall.min(limits.keep_alive));
        }
        match (self.reading(), self.served.load(Relaxed)) {
            (0, false) => due(self.opened + limits.first_byte, Verdict::Cut("first_byte")),
            (0, true) => {
                due(self.at(self.idle_since.load(Relaxed)) + limits.keep_alive, Verdict::Idle)
            }
            (since, _) => due(self.at(since) + limits.header, Verdict::Cut("header")),
        }
    }

    /// When the head that is being read must be complete.
    pub(super) fn head_deadline(&self, limits: &Limits) -> Instant {
        self.at(self.reading()) + limits.header
    }

    pub(super) fn first_deadline(&self, limits: &Limits) -> Instant {
        self.opened + limits.first_byte
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Active(Arc<Progress>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.idle_since.store(self.0.stamp(), Relaxed);
        self.0.active.fetch_sub(1, Relaxed);
    }
}

/// An answer's body that keeps its request active until the end.
pub(super) struct Tracked {
    body: Body,
    _active: Active,
}

impl Tracked {
    pub(super) fn new(body: Body, active: Active) -> Self {
        Self { body, _active: active }
    }
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that tells its connection's progress.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    progress: Arc<Progress>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, progress: Arc<Progress>) -> Self {
        Self { stream, progress }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.progress.read();
        }
        poll
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.progress.wrote(poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.progress.wrote(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(cx);
        if poll.is_pending() { self.progress.wrote(poll) } else { poll }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
