//! The loop that sends events to endpoints: many at once, and none of them in another's way.

use std::{collections::HashMap, time::Duration};

use tokio::{sync::watch, task::JoinSet, time};
use tokio_util::sync::CancellationToken;

use super::{Options, REST};
use crate::{domain::time::Timestamp, ids::EndpointId, relay::Relay, store::deliveries::Owing};

/// The most requests to one endpoint at once.
const EACH_MAX: usize = 8;
/// The most requests to all that work.
const WORKING_MAX: usize = 96;
/// The most requests to those whose last attempts failed: one to each, so that however many hang,
/// they take nothing from those that work.
const FAILING_MAX: usize = 32;
/// An endpoint gets no more than this part of what is free: many that begin to hang at once do not
/// take it all.
const SHARE: usize = 4;
/// How soon the next look is taken at most, whoever wakes us.
const PAUSE: Duration = Duration::from_millis(10);

/// Who is being called.
#[derive(Debug, Default)]
struct Slots {
    busy: HashMap<EndpointId, Busy>,
    working: usize,
    failing: usize,
}

#[derive(Debug, Default)]
struct Busy {
    requests: usize,
    /// The last claim found nothing: looked at again once anything has moved.
    waits: bool,
}

impl Slots {
    /// How many requests may be begun.
    fn room(&self, to: &Owing) -> usize {
        let busy = self.busy.get(&to.endpoint);
        let (requests, waits) = busy.map_or((0, false), |busy| (busy.requests, busy.waits));
        let due = usize::try_from(to.due).unwrap_or(0);
        if waits {
            return 0;
        }
        if !to.enabled {
            // To be withdrawn, at once and not at its time.
            return 1_usize.saturating_sub(requests);
        }
        if to.failing {
            let free = FAILING_MAX.saturating_sub(self.failing);
            return 1_usize.saturating_sub(requests).min(due).min(free);
        }
        let free = WORKING_MAX.saturating_sub(self.working);
        let most = EACH_MAX.min(free.div_ceil(SHARE));
        most.saturating_sub(requests).min(due).min(free)
    }

    fn begin(&mut self, to: &Owing) {
        self.busy.entry(to.endpoint.clone()).or_default().requests += 1;
        *self.count(to.failing) += 1;
    }

    fn end(&mut self, endpoint: &EndpointId, failing: bool, done: bool) {
        let count = self.count(failing);
        *count = count.saturating_sub(1);
        if done {
            self.moved();
        }
        if let Some(busy) = self.busy.get_mut(endpoint) {
            busy.requests = busy.requests.saturating_sub(1);
            busy.waits = !done;
        }
        self.busy.retain(|_, busy| busy.requests > 0 || busy.waits);
    }

    fn moved(&mut self) {
        self.busy.values_mut().for_each(|busy| busy.waits = false);
    }

    const fn count(&mut self, failing: bool) -> &mut usize {
        if failing { &mut self.failing } else { &mut self.working }
    }
}

/// Sends what is owed to endpoints until `stop`, and then ends what was begun. `quiet` counts the
/// times that nothing was due and nothing under way.
pub(super) async fn notify(
    relay: Relay,
    options: Options,
    quiet: watch::Sender<u64>,
    stop: CancellationToken,
) {
    let mut under_way = JoinSet::new();
    let mut slots = Slots::default();
    while !stop.is_cancelled() {
        let nap = match relay.owing(i64::try_from(EACH_MAX).unwrap_or(i64::MAX)).await {
            Ok((owing, now)) => {
                for to in &owing {
                    for _ in 0..slots.room(to) {
                        slots.begin(to);
                        let (relay, to) = (relay.clone(), to.clone());
                        under_way.spawn(async move {
                            let done = relay.notify(&to, options.event_deadline).await;
                            (to.endpoint, to.failing, done)
                        });
                    }
                }
                let due = owing.iter().any(|to| to.due > 0 || !to.enabled);
                if under_way.is_empty() && !due {
                    quiet.send_modify(|passes| *passes += 1);
                }
                next(&owing, now, options.poll)
            }
            Err(error) => {
                tracing::warn!(%error, "what is owed to endpoints can't be read");
                REST
            }
        };
        let pause = time::sleep(PAUSE);
        tokio::select! {
            Some(ended) = under_way.join_next() => over(ended, &mut slots),
            () = relay.wake_events().notified() => slots.moved(),
            () = time::sleep(nap) => slots.moved(),
            () = stop.cancelled() => {}
        }
        pause.await;
        while let Some(ended) = under_way.try_join_next() {
            over(ended, &mut slots);
        }
    }
    while let Some(ended) = under_way.join_next().await {
        over(ended, &mut slots);
    }
}

type Ended = (EndpointId, bool, Result<bool, crate::relay::Error>);

fn over(ended: Result<Ended, tokio::task::JoinError>, slots: &mut Slots) {
    match ended {
        Ok((endpoint, failing, result)) => {
            if let Err(error) = &result {
                tracing::warn!(%endpoint, %error, "a delivery is left for later");
            }
            slots.end(&endpoint, failing, result.unwrap_or(false));
        }
        // Its lease ends by itself. Whose slot it was is not told: all are looked at again.
        Err(_) => *slots = Slots::default(),
    }
}

/// How long to wait for the next that is due, at most `poll`.
fn next(owing: &[Owing], now: Timestamp, poll: Duration) -> Duration {
    let later = owing.iter().filter(|to| to.next_at > now).map(|to| to.next_at.since(now));
    later.min().unwrap_or(poll).min(poll)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AccountId, Ids};

    fn owing(failing: bool) -> Owing {
        let at = Timestamp::from_millis(1);
        let ids = Ids::default();
        let account: AccountId = ids.make(at);
        let endpoint = ids.make(at);
        Owing { account, endpoint, enabled: true, failing, next_at: at, due: 8 }
    }

    fn fill(slots: &mut Slots, to: &Owing) -> usize {
        let room = slots.room(to);
        (0..room).for_each(|_| slots.begin(to));
        room
    }

    /// However many endpoints fail, one that works has all its slots; and a dozen that begin to
    /// hang at once leave some for the next.
    #[test]
    fn nobody_takes_everything() {
        let mut slots = Slots::default();
        for _ in 0..1000 {
            assert!(fill(&mut slots, &owing(true)) <= 1);
        }
        assert_eq!(slots.failing, FAILING_MAX);
        let working = owing(false);
        assert_eq!(fill(&mut slots, &working), EACH_MAX);
        assert_eq!(slots.room(&working), 0);
        for _ in 0..12 {
            assert!(fill(&mut slots, &owing(false)) > 0);
        }
        assert!(slots.room(&owing(false)) > 0);
    }

    /// A slot that ends is free again, and an endpoint with nothing to claim waits until something
    /// moves.
    #[test]
    fn slots_are_given_back() {
        let mut slots = Slots::default();
        let (a, b) = (owing(false), owing(true));
        slots.begin(&a);
        slots.begin(&b);
        slots.end(&a.endpoint, a.failing, false);
        assert_eq!(slots.room(&a), 0);
        slots.end(&b.endpoint, b.failing, true);
        assert_eq!(slots.room(&a), EACH_MAX);
        assert_eq!((slots.working, slots.failing, slots.busy.len()), (0, 0, 0));
    }
}
