//! Drives one connection: handshake, requests, deadlines, stop.

use std::{
    future::poll_fn,
    net::IpAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until, timeout},
};

use super::{
    Limits, Shared, answer,
    progress::{Progress, Verdict, Watched},
};
use crate::telemetry::metrics;

pub(super) async fn run(shared: &Arc<Shared>, stream: TcpStream, peer: IpAddr) {
    // Answers are small and written at once: waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    let Some(tls) = &shared.tls else { return drive(shared, stream, peer).await };
    let handshake = timeout(shared.limits.first_byte, tls.acceptor().accept(stream));
    match shared.stop.run_until_cancelled(handshake).await {
        Some(Ok(Ok(stream))) => drive(shared, stream, peer).await,
        Some(Ok(Err(_)) | Err(_)) => metrics::refused_connection(shared.name, "handshake"),
        None => {}
    }
}

async fn drive<S>(shared: &Arc<Shared>, stream: S, peer: IpAddr)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let progress = Arc::new(Progress::new());
    let io = TokioIo::new(Watched::new(stream, Arc::clone(&progress)));
    let service = service_fn({
        let (shared, progress) = (Arc::clone(shared), Arc::clone(&progress));
        move |request| answer(Arc::clone(&shared), Arc::clone(&progress), peer, request)
    });
    let mut connection = pin!(shared.http.serve_connection(io, service));
    let mut stopped = pin!(shared.stop.cancelled());
    let mut guard = Guard::new(&progress, &shared.limits);
    let mut sleep = pin!(sleep_until(progress.first_deadline(&shared.limits)));
    let mut stopping = false;
    let cut = poll_fn(|cx| {
        loop {
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            match guard.poll(cx, sleep.as_mut()) {
                Poll::Ready(Some(reason)) => return Poll::Ready(Some(reason)),
                Poll::Ready(None) => {
                    connection.as_mut().graceful_shutdown();
                    continue;
                }
                Poll::Pending => {}
            }
            if stopping || stopped.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            stopping = true;
            connection.as_mut().graceful_shutdown();
        }
    });
    if let Some(reason) = cut.await {
        metrics::refused_connection(shared.name, reason);
    }
}

/// Looks at a connection's progress when something is due.
struct Guard<'a> {
    progress: &'a Progress,
    limits: &'a Limits,
    /// The head that `sleep` was last set for.
    head: u64,
    asked: bool,
}

impl<'a> Guard<'a> {
    fn new(progress: &'a Progress, limits: &'a Limits) -> Self {
        Self { progress, limits, head: 0, asked: false }
    }

    /// Ready with a reason to cut the connection off, or with nothing to ask its client to go.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        mut sleep: Pin<&mut Sleep>,
    ) -> Poll<Option<&'static str>> {
        // A head that came whole has been answered by now: only an incomplete one sets a timer.
        let head = self.progress.reading();
        if head != self.head {
            self.head = head;
            if head != 0 {
                sleep.as_mut().reset(self.progress.head_deadline(self.limits));
            }
        }
        while sleep.as_mut().poll(cx).is_ready() {
            match self.progress.verdict(self.limits) {
                Verdict::Until(then) => sleep.as_mut().reset(then),
                Verdict::Cut(reason) => return Poll::Ready(Some(reason)),
                Verdict::Idle if self.asked => return Poll::Ready(Some("idle")),
                Verdict::Idle => {
                    self.asked = true;
                    sleep.as_mut().reset(Instant::now() + self.limits.header);
                    return Poll::Ready(None);
                }
            }
        }
        Poll::Pending
    }
}
