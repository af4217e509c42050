//! Does what was ordered about numbers.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt as _;
use tokio::{sync::watch, time};
use tokio_util::sync::CancellationToken;

use super::REST;
use crate::relay::Relay;

/// Looks for what is due, at once after an order and every `poll`; `quiet` counts the times that nothing
/// was. After `stop` the steps that are under way are ended: a purchase must be noted.
pub(super) async fn work(
    relay: Relay,
    poll: Duration,
    quiet: watch::Sender<u64>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        // Whatever it comes upon, the job goes on (I32).
        let work = AssertUnwindSafe(async { relay.work_number_orders(&stop).await }).catch_unwind();
        let nap = match work.await {
            Ok(Ok(0)) => {
                quiet.send_modify(|passes| *passes += 1);
                poll
            }
            Ok(Ok(_)) => continue,
            Ok(Err(error)) => {
                tracing::warn!(%error, "what was ordered about numbers is left for later");
                REST
            }
            Err(_) => {
                tracing::error!("a panic over what was ordered about numbers: it is tried again");
                REST
            }
        };
        tokio::select! {
            () = relay.wake_orders().notified() => {}
            () = time::sleep(nap) => {}
            () = stop.cancelled() => {}
        }
    }
}
