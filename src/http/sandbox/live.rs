//! The live stream: every change of the phones as a server-sent event.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream, stream};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_util::sync::CancellationToken;

use super::{App, PHONES_SHOWN, body::Fault, views};
use crate::sandbox::Network;

struct Live {
    network: Arc<Network>,
    changes: watch::Receiver<u64>,
    stop: CancellationToken,
    /// The change counter up to which the client knows everything.
    known: u64,
    /// Whether the client has been sent anything yet.
    greeted: bool,
    _permit: OwnedSemaphorePermit,
}

/// Sends the phones that changed since `Last-Event-ID`, or all, and then each change.
pub(super) async fn live(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Fault> {
    let permit = Arc::clone(&app.streams).try_acquire_owned().map_err(|_| {
        Fault::new(StatusCode::TOO_MANY_REQUESTS, "too many pages watch the phones")
    })?;
    let changes = app.network.changes();
    let last: u64 = headers
        .get("last-event-id")
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .unwrap_or(0);
    // A count from a later network than this one means nothing here.
    let known = if last > *changes.borrow() { 0 } else { last };
    let live = Live {
        stop: app.network.stopping(),
        network: app.network,
        changes,
        known,
        greeted: false,
        _permit: permit,
    };
    let events = stream::unfold(live, |mut live| async move {
        let event = live.next().await?;
        Some((Ok(event), live))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))))
}

impl Live {
    async fn next(&mut self) -> Option<Event> {
        loop {
            let version = *self.changes.borrow_and_update();
            let phones = self.network.seen_since(self.known, PHONES_SHOWN);
            self.known = version;
            if !phones.is_empty() || !self.greeted {
                self.greeted = true;
                let views: Vec<_> = phones.iter().map(views::phone).collect();
                let data = json!({ "now_ms": self.network.now().millis(), "phones": views });
                return Some(
                    Event::default().event("phones").id(version.to_string()).data(data.to_string()),
                );
            }
            tokio::select! {
                () = self.stop.cancelled() => return None,
                changed = self.changes.changed() => changed.ok()?,
            }
        }
    }
}
