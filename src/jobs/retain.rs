//! The loop that looks whether it is night, and whose turn it is to delete what was kept for its time.

use std::time::Duration;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::every;
use crate::relay::Relay;

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// Starts it.
pub(super) fn start(relay: &Relay, tracker: &TaskTracker, stop: &CancellationToken) {
    let relay = relay.clone();
    tracker.spawn(every(LOOK_EVERY, stop.clone(), "retain", move || {
        let relay = relay.clone();
        async move {
            if let Some(done) = relay.retain().await? {
                let rows: u64 = done.values().map(|class| class.gone).sum();
                tracing::info!(rows, "what was kept for its time was deleted");
            }
            Ok::<_, crate::relay::Error>(())
        }
    }));
}
