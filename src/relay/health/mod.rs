//! How each carrier does as this process sees it, and what may be sent to it now.
//!
//! Each node judges for itself, by its own requests, and begins anew when it starts: nothing of this is
//! in the database, and a node that can't reach a carrier says nothing of another that can. Rates are
//! each node's too.

mod breaker;
mod bucket;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::StatusCode;

pub use self::breaker::{State, Trouble};
use self::{
    breaker::{At, Breaker},
    bucket::{Bucket, Numbers},
};
use super::Carriers;
use crate::{
    carrier::{
        SendError,
        error::{Retry, SendErrorKind},
    },
    clock::Clock,
    domain::{rate::Rates, time::Timestamp},
    store::outbox::{Entry, Held, OutboxKind},
    telemetry::metrics,
};

/// How long texts wait whose carrier refuses our credentials: they are certainly not sent, and whoever
/// runs the server may put that right.
const CREDENTIALS_AGAIN: Duration = Duration::from_secs(5);

/// How one carrier does.
#[derive(Debug, Clone)]
pub struct Report {
    /// Whether it is asked.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// What failed within the last minute, by kind; every kind is there.
    pub failures: Vec<(Trouble, u32)>,
    /// Until when it takes nothing because it said so.
    pub throttled_until: Option<Timestamp>,
}

#[derive(Debug)]
struct One {
    rates: Rates,
    breaker: Breaker,
    /// Until when it takes nothing, in milliseconds of the clock that nobody sets.
    throttled: i64,
    texts: Bucket,
    calls: Bucket,
    numbers: Numbers,
}

/// How all of them do.
#[derive(Debug)]
pub struct Health {
    clock: Clock,
    carriers: BTreeMap<String, Mutex<One>>,
}

/// What was let go to a carrier.
#[derive(Debug)]
pub struct Leave {
    carrier: String,
    kind: OutboxKind,
    number: Option<String>,
    counted: bool,
}

/// What a request says of the carrier itself; `None` where it says nothing.
fn told<T>(
    status: Option<StatusCode>,
    result: &Result<T, SendError>,
) -> Option<Result<(), Trouble>> {
    let Err(error) = result else { return Some(Ok(())) };
    Some(match (error.kind, error.retry, status) {
        (SendErrorKind::Throttled, ..) => Err(Trouble::Throttled),
        (SendErrorKind::Config, _, Some(StatusCode::UNAUTHORIZED)) => Err(Trouble::Credentials),
        // What never left, for a fault of what was asked.
        (_, Retry::Never, None) => return None,
        (_, Retry::After(_), None) => Err(Trouble::Connect),
        (_, Retry::Unknown, None) => Err(Trouble::Silent),
        // Whoever refuses one thing for good takes others.
        (_, Retry::Never, Some(_)) => Ok(()),
        (_, Retry::After(_) | Retry::Unknown, Some(_)) => Err(Trouble::Server),
    })
}

impl Health {
    /// Of these carriers.
    pub(super) fn new(carriers: &Carriers, clock: Clock) -> Self {
        let now = at(&clock);
        let one = |id: &str| One {
            rates: carriers.rates(id),
            breaker: Breaker::new(now),
            throttled: i64::MIN,
            texts: Bucket::default(),
            calls: Bucket::default(),
            numbers: Numbers::default(),
        };
        let carriers: BTreeMap<_, _> =
            carriers.iter().map(|each| (each.id.clone(), Mutex::new(one(&each.id)))).collect();
        Self { clock, carriers }
    }

    /// A panic can't leave one half changed.
    fn one(&self, carrier: &str) -> Option<MutexGuard<'_, One>> {
        let one = self.carriers.get(carrier)?;
        Some(one.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes in what came of a text, a call or its end: `status` is the answer's, if there was one. A
    /// text that our credentials were refused for is owed on.
    pub(super) fn learn<T>(
        &self,
        carrier: &str,
        status: Option<StatusCode>,
        result: Result<T, SendError>,
    ) -> Result<T, SendError> {
        let (Some(news), Some(mut one)) = (told(status, &result), self.one(carrier)) else {
            return result;
        };
        let now = at(&self.clock);
        one.look(carrier, now);
        let turned = one.breaker.told(news, now);
        turn(carrier, turned, news.err());
        match (news, result) {
            (Err(Trouble::Throttled), Err(error)) => {
                if let Retry::After(wait) = error.retry {
                    // Said of the account; what is said of one text among others holds it for a moment.
                    let all = status == Some(StatusCode::TOO_MANY_REQUESTS);
                    let wait = if all { wait } else { wait.min(Duration::from_secs(1)) };
                    let until = now.passed.saturating_add(millis(wait));
                    if until > one.throttled {
                        let from = now.passed.max(one.throttled);
                        one.breaker.pause(from, until);
                        one.throttled = until;
                        tracing::warn!(carrier, seconds = wait.as_secs(), "a carrier wants a rest");
                    }
                }
                Err(error)
            }
            (Err(Trouble::Credentials), Err(error)) => {
                Err(SendError { retry: Retry::After(CREDENTIALS_AGAIN), ..error })
            }
            (_, result) => result,
        }
    }

    /// How much may be under way to a carrier at once, of `most`: one while it is being tried.
    pub fn room(&self, carrier: &str, most: usize) -> usize {
        let Some(mut one) = self.one(carrier) else { return most };
        one.look(carrier, at(&self.clock));
        if one.breaker.state().0 == State::HalfOpen { most.min(1) } else { most }
    }

    /// What waits now, and how long until the first of it does not have to; `None` where nothing waits.
    pub(super) fn held(&self) -> (Held, Option<Duration>) {
        let (now, mut held, mut soonest) = (at(&self.clock), Held::default(), None::<i64>);
        for carrier in self.carriers.keys() {
            let Some(mut one) = self.one(carrier) else { continue };
            one.look(carrier, now);
            let waiting = OutboxKind::ALL.iter().filter(|kind| kind.waits_for_its_carrier());
            for &kind in waiting {
                let wait = one.wait(kind, now.passed);
                if wait > 0 {
                    held.kind(carrier, kind);
                    soonest = Some(soonest.map_or(wait, |least| least.min(wait)));
                }
            }
            let each = one.rates.texts_of_number;
            for (number, wait) in
                each.into_iter().flat_map(|each| one.numbers.empty(each, now.passed * 1000))
            {
                held.number(number);
                soonest = Some(soonest.map_or(wait, |least| least.min(wait)));
            }
        }
        (held, soonest.map(|micros| Duration::from_micros(u64::try_from(micros).unwrap_or(0))))
    }

    /// How long until something may go that waits now; `None` where nothing waits.
    pub fn free_in(&self) -> Option<Duration> {
        self.held().1
    }

    /// Lets an entry go that was found at `now`, unless its carrier or its number has to wait. What is
    /// too late is only ended, and some kinds never wait.
    pub fn leave(&self, entry: &Entry, now: Timestamp) -> Option<Leave> {
        let mut leave = Leave {
            carrier: entry.carrier.clone(),
            kind: entry.kind,
            number: entry.number.clone(),
            counted: false,
        };
        let free = !entry.kind.waits_for_its_carrier() || entry.valid_until <= now;
        let Some(mut one) = self.one(&entry.carrier).filter(|_| !free) else { return Some(leave) };
        let (at, number) = (at(&self.clock), leave.number.as_deref());
        one.look(&entry.carrier, at);
        if one.wait(entry.kind, at.passed) > 0 || one.number_wait(entry.kind, number, at.passed) > 0
        {
            return None;
        }
        one.each(entry.kind, number, at.passed * 1000, |bucket, each| {
            bucket.take(each, at.passed * 1000);
        });
        leave.counted = true;
        Some(leave)
    }

    /// Nothing was asked with this leave: somebody else may go.
    pub fn unused(&self, leave: &Leave) {
        let Some(mut one) = self.one(&leave.carrier).filter(|_| leave.counted) else { return };
        let now = at(&self.clock).passed * 1000;
        one.each(leave.kind, leave.number.as_deref(), now, Bucket::put_back);
    }

    /// The carriers that have been down for so long.
    pub(super) fn down_for(&self, length: Duration) -> Vec<String> {
        let now = self.clock.passed_ms();
        let down = |id: &&String| {
            let down = self.one(id).and_then(|one| one.breaker.down(now));
            down.is_some_and(|down| down >= millis(length))
        };
        self.carriers.keys().filter(down).cloned().collect()
    }

    /// How long ago a carrier had worked for `worked` by now.
    pub(super) fn back(&self, carrier: &str, worked: Duration) -> Duration {
        let now = self.clock.passed_ms();
        self.one(carrier).map_or(worked, |one| one.breaker.back(worked, now))
    }

    /// Sets the gauges of how they do.
    pub(super) fn measure(&self) {
        for id in self.carriers.keys() {
            if let Some(report) = self.report(id) {
                metrics::carrier_state(id, level(report.state));
            }
        }
    }

    /// How one of them does; `None` for a carrier that is not configured.
    pub fn report(&self, carrier: &str) -> Option<Report> {
        let now = at(&self.clock);
        let mut one = self.one(carrier)?;
        one.look(carrier, now);
        let (state, since) = one.breaker.state();
        let left = one.throttled.saturating_sub(now.passed);
        let throttled_until =
            (left > 0).then(|| now.wall + Duration::from_millis(u64::try_from(left).unwrap_or(0)));
        let failures = one.breaker.failures(now.passed).collect();
        Some(Report { state, since, failures, throttled_until })
    }
}

impl One {
    fn look(&mut self, carrier: &str, now: At) {
        let turned = self.breaker.look(now);
        turn(carrier, turned, None);
    }

    /// How long until something of that kind may go, in microseconds.
    fn wait(&self, kind: OutboxKind, passed: i64) -> i64 {
        let closed = self.breaker.opens_in(passed).unwrap_or(0);
        let throttled = self.throttled.saturating_sub(passed).max(0);
        let now = passed * 1000;
        let rate = match kind {
            OutboxKind::Message => self.rates.texts.map(|each| self.texts.wait(each, now)),
            OutboxKind::Call => self.rates.calls.map(|each| self.calls.wait(each, now)),
            OutboxKind::EndCall
            | OutboxKind::FetchRecording
            | OutboxKind::DropRecording
            | OutboxKind::DropRecord
            | OutboxKind::Record => None,
        };
        closed.max(throttled).saturating_mul(1000).max(rate.unwrap_or(0))
    }

    fn number_wait(&mut self, kind: OutboxKind, number: Option<&str>, passed: i64) -> i64 {
        let now = passed * 1000;
        match (self.rates.texts_of_number, number) {
            (Some(each), Some(number)) if kind == OutboxKind::Message => {
                self.numbers.of(number, now).wait(each, now)
            }
            _ => 0,
        }
    }

    fn each(
        &mut self,
        kind: OutboxKind,
        number: Option<&str>,
        now: i64,
        work: impl Fn(&mut Bucket, Duration),
    ) {
        let Rates { texts, texts_of_number, calls } = self.rates;
        match kind {
            OutboxKind::Message => {
                if let Some(each) = texts {
                    work(&mut self.texts, each);
                }
                if let (Some(each), Some(number)) = (texts_of_number, number) {
                    work(self.numbers.of(number, now), each);
                }
            }
            OutboxKind::Call => {
                if let Some(each) = calls {
                    work(&mut self.calls, each);
                }
            }
            OutboxKind::EndCall
            | OutboxKind::FetchRecording
            | OutboxKind::DropRecording
            | OutboxKind::DropRecord
            | OutboxKind::Record => {}
        }
    }
}

fn at(clock: &Clock) -> At {
    At { passed: clock.passed_ms(), wall: clock.now() }
}

fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

/// A state as the metric has it.
const fn level(state: State) -> u32 {
    match state {
        State::Closed => 0,
        State::HalfOpen => 1,
        State::Open => 2,
    }
}

/// Tells that a carrier's state changed.
fn turn(carrier: &str, turned: Option<State>, why: Option<Trouble>) {
    let Some(state) = turned else { return };
    metrics::carrier_state(carrier, level(state));
    metrics::carrier_turned(carrier, state.as_str());
    match state {
        State::Closed => tracing::warn!(carrier, "a carrier takes again what it is asked"),
        State::HalfOpen => tracing::info!(carrier, "a carrier is tried again"),
        State::Open => {
            let why = why.map_or("", Trouble::as_str);
            tracing::error!(carrier, why, "a carrier is down: what is owed to it waits");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: SendErrorKind, retry: Retry) -> Result<(), SendError> {
        Err(SendError::new(kind, retry))
    }

    /// What is certain, and one text's own fault, speaks for the carrier and not against it.
    #[test]
    fn a_texts_own_fault_is_not_its_carriers() {
        let soon = Retry::After(Duration::from_secs(1));
        let never = Retry::Never;
        let (bad, gone) = (Some(StatusCode::BAD_REQUEST), Some(StatusCode::BAD_GATEWAY));
        let refused = Some(StatusCode::UNAUTHORIZED);
        for kind in [SendErrorKind::Rejected, SendErrorKind::InvalidNumber, SendErrorKind::Config] {
            assert_eq!(told(bad, &error(kind, never)), Some(Ok(())));
            assert_eq!(told(None, &error(kind, never)), None);
        }
        let told = |kind, retry, status| told(status, &error(kind, retry));
        let (down, config) = (SendErrorKind::Unreachable, SendErrorKind::Config);
        assert_eq!(told(down, soon, None), Some(Err(Trouble::Connect)));
        assert_eq!(told(down, Retry::Unknown, None), Some(Err(Trouble::Silent)));
        assert_eq!(told(down, Retry::Unknown, gone), Some(Err(Trouble::Server)));
        assert_eq!(told(config, never, refused), Some(Err(Trouble::Credentials)));
        assert_eq!(told(SendErrorKind::Throttled, soon, bad), Some(Err(Trouble::Throttled)));
    }
}
