//! The loop that compares carriers' lists with what their webhooks told us.

use std::time::Duration;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::every;
use crate::relay::Relay;

/// Starts it; with a `pause` of zero it is off.
pub(super) fn start(
    relay: &Relay,
    pause: Duration,
    tracker: &TaskTracker,
    stop: &CancellationToken,
) {
    if pause.is_zero() {
        return;
    }
    let relay = relay.clone();
    tracker.spawn(every(pause, stop.clone(), "reconcile", move || {
        let relay = relay.clone();
        async move { relay.reconcile(pause).await }
    }));
}
