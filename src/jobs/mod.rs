//! The leased loops: what was promised is done, whoever promised it.

mod audit;
mod notify;
mod orders;
mod reconcile;
mod retain;

use std::{
    collections::HashMap,
    future::Future,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use tokio::{sync::watch, task::JoinSet, time};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::audit::export_heads;
use crate::{
    ids::{AccountId, OutboxId},
    relay::{self, Relay},
    store::Lane,
};

/// How often what is old is forgotten.
const PURGE_EVERY: Duration = Duration::from_mins(10);
/// How often it is said which master keys this server holds: four times before it counts as gone.
const KEYS_EVERY: Duration = Duration::from_secs(15);
/// How often what other nodes erased is written into this node's list.
const LIST_EVERY: Duration = Duration::from_mins(1);
/// How often the hour that goes on is counted for charts.
const COUNT_EVERY: Duration = Duration::from_mins(1);
/// How often what was asked of the APIs is written down.
const LOG_EVERY: Duration = Duration::from_secs(1);
/// How often the gauges are set.
const MEASURE_EVERY: Duration = Duration::from_secs(5);
/// How long a loop rests after the store failed.
const REST: Duration = Duration::from_secs(1);
/// How short a pause may be.
const SHORT: Duration = Duration::from_millis(5);

/// How the loops run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How many requests to each carrier may be under way at once.
    pub workers: usize,
    /// How long another node's work may stay unnoticed.
    pub poll: Duration,
    /// How often carriers' lists are compared with the inbox; zero for never.
    pub reconcile: Duration,
    /// How long an endpoint may take to answer.
    pub event_deadline: Duration,
}

/// The running loops.
#[derive(Debug, Clone)]
pub struct Jobs {
    relay: Relay,
    /// Counts the times that nothing was due and nothing under way.
    quiet: watch::Receiver<u64>,
    /// The same of what endpoints are owed.
    quiet_events: watch::Receiver<u64>,
    /// The same of numbers that were ordered.
    quiet_orders: watch::Receiver<u64>,
}

impl Jobs {
    /// Starts the loops; they end after `stop`, once what is under way is done.
    pub fn start(
        relay: &Relay,
        options: Options,
        tracker: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let (told, quiet) = watch::channel(0);
        tracker.spawn(send(relay.clone(), options, told, stop.clone()));
        let (told, quiet_events) = watch::channel(0);
        let events = relay.lane(Lane::Events);
        tracker.spawn(notify::notify(events, options, told, stop.clone()));
        let (told, quiet_orders) = watch::channel(0);
        tracker.spawn(orders::work(relay.clone(), options.poll, told, stop.clone()));
        let each = relay.clone();
        tracker.spawn(every(options.poll, stop.clone(), "expire", move || {
            let relay = each.clone();
            async move {
                relay.expire_due().await?;
                relay.expire_verifications().await?;
                relay.end_long_texts().await?;
                relay.end_deleted().await.map(drop)
            }
        }));
        let each = relay.clone();
        tracker.spawn(every(options.poll, stop.clone(), "move", move || {
            let relay = each.clone();
            async move {
                while relay.work_moves().await? {}
                Ok::<_, relay::Error>(())
            }
        }));
        let each = relay.clone();
        tracker.spawn(every(options.poll, stop.clone(), "export", move || {
            let relay = each.clone();
            async move { relay.work_exports().await.map(drop) }
        }));
        erase(relay, options, tracker, stop);
        let each = relay.clone();
        tracker.spawn(every(PURGE_EVERY, stop.clone(), "purge", move || {
            let relay = each.clone();
            async move {
                relay.end_lost_calls().await?;
                relay.purge().await?;
                relay.forget_files().await.map(drop)
            }
        }));
        let each = relay.clone();
        tracker.spawn(every(MEASURE_EVERY, stop.clone(), "measure", move || {
            let relay = each.clone();
            async move { relay.measure().await.map(drop) }
        }));
        let each = relay.clone();
        tracker.spawn(every(MEASURE_EVERY, stop.clone(), "detour", move || {
            let relay = each.clone();
            async move { relay.go_round().await.map(drop) }
        }));
        let each = relay.clone();
        tracker.spawn(every(MEASURE_EVERY, stop.clone(), "price", move || {
            let relay = each.clone();
            async move { relay.price_charges().await.map(drop) }
        }));
        let each = relay.clone();
        tracker.spawn(every(MEASURE_EVERY, stop.clone(), "budgets", move || {
            let relay = each.clone();
            async move {
                let started = Instant::now();
                let done = relay.measure_budgets().await;
                // A sum of very many takes a twentieth of the time, and no more.
                time::sleep(started.elapsed() * 20).await;
                done
            }
        }));
        retain::start(relay, tracker, stop);
        count(relay, tracker, stop);
        let each = relay.clone();
        tracker.spawn(every(LOG_EVERY, stop.clone(), "api_log", move || {
            let relay = each.clone();
            async move { relay.write_api_log().await.map(drop) }
        }));
        let each = relay.clone();
        tracker.spawn(every(KEYS_EVERY, stop.clone(), "keys", move || {
            let relay = each.clone();
            async move { relay.db().hold_keys().await }
        }));
        reconcile::start(relay, options.reconcile, tracker, stop);
        Self { relay: relay.clone(), quiet, quiet_events, quiet_orders }
    }

    /// Waits until nothing is due and nothing is under way. What is to be tried again later does
    /// not count.
    pub async fn idle(&self) {
        // What is sent makes events: these last.
        let loops = [
            (&self.quiet_orders, self.relay.wake_orders()),
            (&self.quiet, self.relay.wake()),
            (&self.quiet_events, self.relay.wake_events()),
        ];
        for (quiet, wake) in loops {
            let mut quiet = quiet.clone();
            quiet.mark_unchanged();
            // One pass may have begun before; the one after it saw everything.
            for _ in 0..2 {
                wake.notify_one();
                let _ = quiet.changed().await;
            }
        }
    }
}

/// Starts what counts the traffic of now, and of each hour.
fn count(relay: &Relay, tracker: &TaskTracker, stop: &CancellationToken) {
    let each = relay.clone();
    tracker.spawn(every(MEASURE_EVERY, stop.clone(), "traffic", move || {
        let relay = each.clone();
        async move { relay.watch_traffic().await }
    }));
    let each = relay.clone();
    tracker.spawn(every(COUNT_EVERY, stop.clone(), "hours", move || {
        let relay = each.clone();
        async move { relay.count_hours().await }
    }));
}

/// Starts what erases people, and what keeps this node's list of them whole.
fn erase(relay: &Relay, options: Options, tracker: &TaskTracker, stop: &CancellationToken) {
    let each = relay.clone();
    tracker.spawn(every(options.poll, stop.clone(), "erase", move || {
        let relay = each.clone();
        async move { relay.work_erasures().await.map(drop) }
    }));
    let each = relay.clone();
    tracker.spawn(every(LIST_EVERY, stop.clone(), "erasure_list", move || {
        let relay = each.clone();
        async move {
            match relay.complete_list().await {
                // Whoever has none erases nobody.
                Ok(_) | Err(relay::Error::ErasingOff) => Ok(()),
                Err(error) => Err(error),
            }
        }
    }));
}

/// What is being sent.
#[derive(Debug, Default)]
struct Sending {
    /// The entries that somebody is at, with their accounts and carriers.
    taken: HashMap<OutboxId, (AccountId, String)>,
    /// Entries that must wait for another one, with their accounts; looked at again once anything has
    /// moved.
    waiting: HashMap<OutboxId, AccountId>,
}

impl Sending {
    fn to(&self, carrier: &str) -> usize {
        self.taken.values().filter(|(_, one)| one == carrier).count()
    }

    /// The entries that are not to be taken, with their accounts: they take the turn of no other.
    fn known(&self) -> HashMap<OutboxId, AccountId> {
        let taken = self.taken.iter().map(|(id, (account, _))| (id.clone(), account.clone()));
        let mut known = self.waiting.clone();
        known.extend(taken);
        known
    }

    /// The carriers to which as much is under way as may be: one that hangs keeps no other waiting.
    fn full(&self, room: impl Fn(&str) -> usize) -> Vec<String> {
        let mut carriers: Vec<String> =
            self.taken.values().map(|(_, carrier)| carrier.clone()).collect();
        carriers.sort();
        carriers.dedup();
        carriers.retain(|carrier| self.to(carrier) >= room(carrier));
        carriers
    }

    /// Whether somebody is to be put at this entry, who now is: if there is room, and leave to go.
    fn take<L>(
        &mut self,
        (id, account, carrier): (&OutboxId, &AccountId, &str),
        room: usize,
        leave: impl FnOnce() -> Option<L>,
    ) -> Option<L> {
        let free = self.to(carrier) < room
            && !self.waiting.contains_key(id)
            && !self.taken.contains_key(id);
        let leave = free.then(leave).flatten()?;
        self.taken.insert(id.clone(), (account.clone(), carrier.to_owned()));
        Some(leave)
    }
}

/// Sends what is owed, `workers` at once to each carrier. Each has a task of its own: one that waits
/// for a lock must not keep another from giving it back.
async fn send(relay: Relay, options: Options, quiet: watch::Sender<u64>, stop: CancellationToken) {
    let mut under_way = JoinSet::new();
    let mut sending = Sending::default();
    while !stop.is_cancelled() {
        let limit = i64::try_from(options.workers).unwrap_or(i64::MAX);
        let room = |carrier: &str| relay.health().room(carrier, options.workers);
        let full = sending.full(room);
        let due = if full.len() < relay.carriers().iter().count().max(1) {
            relay.due(&full, &sending.known(), limit).await
        } else {
            Ok(Vec::new())
        };
        let failed = due.is_err();
        if let Err(error) = &due {
            tracing::warn!(%error, "what is owed can't be read");
        }
        for entry in due.unwrap_or_default() {
            let leave = || relay.health().leave(&entry, relay.db().clock());
            let room = room(&entry.carrier);
            let one = (&entry.id, &entry.account, &*entry.carrier);
            if let Some(leave) = sending.take(one, room, leave) {
                let relay = relay.clone();
                under_way.spawn(async move {
                    let id = entry.id.clone();
                    let done = relay.deliver(entry).await;
                    if matches!(done, Ok(false)) {
                        relay.health().unused(&leave);
                    }
                    (id, done)
                });
            }
        }
        if under_way.is_empty() && !failed {
            quiet.send_modify(|passes| *passes += 1);
        }
        let nap = nap(&relay, options, failed, !under_way.is_empty()).await;
        tokio::select! {
            Some(ended) = under_way.join_next() => match ended {
                Ok((id, result)) => {
                    let account = sending.taken.remove(&id).map(|(account, _)| account);
                    match result {
                        Ok(true) => {
                            sending.waiting.clear();
                            relay.committed();
                        }
                        Ok(false) => sending.waiting.extend(account.map(|account| (id, account))),
                        Err(error) => {
                            tracing::warn!(%error, "an entry of the outbox is left for later");
                            sending.waiting.extend(account.map(|account| (id, account)));
                        }
                    }
                }
                // Its lease ends by itself. Which one it was is not told: all are looked at again.
                Err(_) => sending.taken.clear(),
            },
            () = relay.wake().notified() => sending.waiting.clear(),
            () = time::sleep(nap) => sending.waiting.clear(),
            () = stop.cancelled() => {}
        }
    }
    // What was begun is ended: its answer decides whether it is sent again.
    while let Some(ended) = under_way.join_next().await {
        if let Ok((_, Err(error))) = ended {
            tracing::warn!(%error, "an entry of the outbox is left for the next start");
        }
    }
}

/// How long to wait if nothing happens.
async fn nap(relay: &Relay, options: Options, failed: bool, busy: bool) -> Duration {
    if failed {
        return REST;
    }
    if busy {
        return relay
            .health()
            .free_in()
            .map_or(options.poll, |free| free.min(options.poll))
            .max(SHORT);
    }
    let next = relay.until_due(options.poll).await.unwrap_or(REST);
    // What is due and waits for another entry must not spin.
    next.max(SHORT)
}

/// Does something at once and then again and again. A stop does not wait for it: what was being written is
/// ended (`Db::write`), and all else is done again by whoever comes next.
async fn every<F, W, E>(pause: Duration, stop: CancellationToken, name: &'static str, work: F)
where
    F: Fn() -> W,
    W: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    let mut ticks = time::interval(pause);
    ticks.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        // Whatever it comes upon, the job goes on (I32).
        let round = AssertUnwindSafe(async { work().await }).catch_unwind();
        match stop.run_until_cancelled(round).await {
            None => return,
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(error))) => {
                tracing::warn!(job = name, %error, "a job failed and will be tried again");
            }
            Some(Err(_)) => tracing::error!(job = name, "a job panicked and will be tried again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> OutboxId {
        OutboxId::parse(&format!("OB{n:032x}")).unwrap()
    }

    fn account(n: u8) -> AccountId {
        AccountId::parse(&format!("AC{n:032x}")).unwrap()
    }

    /// A carrier that takes nothing gets as many workers as it may have, and no other waits for
    /// them; whoever waits for another entry is not put at it twice, and nobody goes without leave.
    #[test]
    fn a_carrier_that_hangs_keeps_no_other_waiting() {
        let mut sending = Sending::default();
        let (leave, one) = (|| Some(()), account(1));
        for n in 0..4 {
            assert_eq!(sending.take((&id(n), &one, "hung"), 2, leave).is_some(), n < 2);
        }
        assert_eq!(sending.full(|_| 2), ["hung"]);
        assert_eq!(sending.take((&id(9), &one, "other"), 2, || None::<()>), None);
        assert!(sending.take((&id(9), &one, "other"), 2, leave).is_some());
        let none = || -> Option<()> { panic!("leave is asked for in vain") };
        assert_eq!(sending.take((&id(9), &one, "other"), 2, none), None, "somebody is at it");
        sending.taken.remove(&id(0));
        assert!(sending.full(|_| 2).is_empty());
        sending.waiting.insert(id(0), account(2));
        let known = [(id(0), account(2)), (id(1), account(1)), (id(9), account(1))];
        assert_eq!(sending.known(), HashMap::from(known));
        assert_eq!(sending.take((&id(0), &one, "hung"), 2, none), None);
        assert!(sending.take((&id(3), &one, "hung"), 2, leave).is_some());
        assert_eq!(sending.full(|carrier| if carrier == "hung" { 3 } else { 1 }), ["other"]);
    }

    /// A stop does not wait for a round that takes long.
    #[tokio::test]
    async fn a_stop_waits_for_no_round() {
        let (stop, begun) =
            (CancellationToken::new(), std::sync::Arc::new(tokio::sync::Notify::new()));
        let told = std::sync::Arc::clone(&begun);
        let job = every(REST, stop.clone(), "test", move || {
            let told = std::sync::Arc::clone(&told);
            async move {
                told.notify_one();
                std::future::pending::<Result<(), String>>().await
            }
        });
        let stopping = async {
            begun.notified().await;
            stop.cancel();
        };
        let both = async { tokio::join!(job, stopping) };
        assert!(time::timeout(Duration::from_secs(5), both).await.is_ok());
    }
}
