//! Whether a carrier is asked at all: closed, open or half-open, by what came of real requests.

use std::{collections::VecDeque, time::Duration};

use crate::domain::{closed_set, time::Timestamp};

closed_set! {
    /// What speaks against a carrier, whatever was asked of it.
    Trouble {
        /// No connection: name, address, TLS.
        Connect = "connect",
        /// A connection and no answer: too late, or broken off.
        Silent = "no_answer",
        /// An answer that says that it is the carrier's own fault, or can't be read.
        Server = "server_error",
        /// Our credentials are refused.
        Credentials = "credentials",
        /// Too much at once: it is well, and takes nothing for a while.
        Throttled = "throttled",
    }
}

closed_set! {
    /// Whether it is asked.
    State {
        /// It is.
        Closed = "closed",
        /// It is not: what is owed waits.
        Open = "open",
        /// One text or call at a time, to see.
        HalfOpen = "half_open",
    }
}

/// How long what happened counts, in milliseconds, and in how many parts that is kept.
const WINDOW: i64 = 60_000;
const PART: i64 = 5_000;
/// So many failures open it, if they are at least half of all that was asked.
const FAILURES: u32 = 5;
/// So many refusals of our credentials in a row do.
const REFUSALS: u32 = 3;
/// How long it stays open before something is tried: doubled each time that fails.
const OPEN_FIRST: i64 = 2_000;
const OPEN_MAX: i64 = 60_000;
/// How many pauses are kept, and how short one is forgotten at once.
const PAUSES_MAX: usize = 32;
const PAUSE_MIN: i64 = 5_000;

/// An instant: by the clock that nobody sets, in milliseconds, and as people read it.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    pub(super) passed: i64,
    pub(super) wall: Timestamp,
}

#[derive(Debug, Default)]
struct Part {
    begun: i64,
    fine: u32,
    failed: [u32; Trouble::ALL.len()],
}

/// One carrier's.
#[derive(Debug)]
pub(super) struct Breaker {
    state: State,
    since: Timestamp,
    /// When it opened first, while it is not closed.
    opened: i64,
    /// Until when nothing is tried, while it is open.
    until: i64,
    openings: u32,
    refusals: u32,
    parts: VecDeque<Part>,
    /// When it took nothing, so long that texts may wait for one another because of it; the latest last.
    pauses: VecDeque<(i64, i64)>,
}

impl Breaker {
    pub(super) const fn new(now: At) -> Self {
        Self {
            state: State::Closed,
            since: now.wall,
            opened: 0,
            until: 0,
            openings: 0,
            refusals: 0,
            parts: VecDeque::new(),
            pauses: VecDeque::new(),
        }
    }

    /// Its state now, and since when.
    pub(super) const fn state(&self) -> (State, Timestamp) {
        (self.state, self.since)
    }

    /// Lets time pass; the new state if it changed.
    pub(super) fn look(&mut self, now: At) -> Option<State> {
        let over = self.state == State::Open && now.passed >= self.until;
        over.then(|| self.turn(State::HalfOpen, now))
    }

    /// Takes in what came of a request; the new state if it changed.
    pub(super) fn told(&mut self, result: Result<(), Trouble>, now: At) -> Option<State> {
        self.count(result, now.passed);
        self.refusals = match result {
            Err(Trouble::Credentials) => self.refusals.saturating_add(1),
            Ok(()) => 0,
            Err(_) => self.refusals,
        };
        match (self.state, result) {
            // What was asked before it opened says nothing new.
            (State::Open, _) => None,
            // Whoever says that it is too much is there.
            (State::HalfOpen, Ok(()) | Err(Trouble::Throttled)) => {
                self.parts.clear();
                (self.openings, self.refusals) = (0, 0);
                self.pause(self.opened, now.passed);
                Some(self.turn(State::Closed, now))
            }
            (State::HalfOpen, Err(_)) => Some(self.open(now)),
            (State::Closed, _) => self.broken().then(|| {
                self.opened = now.passed;
                self.open(now)
            }),
        }
    }

    /// It takes nothing for a while, without being broken.
    pub(super) fn pause(&mut self, from: i64, to: i64) {
        if to - from < PAUSE_MIN {
            return;
        }
        if self.pauses.len() == PAUSES_MAX {
            self.pauses.pop_front();
        }
        let from = self.pauses.back().map_or(from, |(_, end)| from.max(*end));
        self.pauses.push_back((from, to));
    }

    /// How long ago it was that it had worked for `worked` by now.
    pub(super) fn back(&self, worked: Duration, now: i64) -> Duration {
        let millis = |length: Duration| i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        let (mut left, mut at) = (millis(worked), now);
        if self.state != State::Closed {
            at = self.opened.min(at);
        }
        for (from, to) in self.pauses.iter().rev() {
            let since = at - (*to).min(at);
            if since >= left {
                break;
            }
            left -= since;
            at = (*from).min(at);
        }
        Duration::from_millis(u64::try_from(now - (at - left)).unwrap_or(0))
    }

    /// For how long it has been broken, with tries in between; `None` while it is closed.
    pub(super) fn down(&self, now: i64) -> Option<i64> {
        (self.state != State::Closed).then(|| now.saturating_sub(self.opened))
    }

    /// Until something may be tried, while it is open.
    pub(super) fn opens_in(&self, now: i64) -> Option<i64> {
        (self.state == State::Open).then(|| (self.until - now).max(0))
    }

    /// What failed within the last minute.
    pub(super) fn failures(&self, now: i64) -> impl Iterator<Item = (Trouble, u32)> {
        Trouble::ALL.iter().enumerate().map(move |(place, trouble)| {
            let parts = self.parts.iter().filter(|part| part.begun > now - WINDOW);
            (*trouble, parts.map(|part| part.failed[place]).sum())
        })
    }

    fn count(&mut self, result: Result<(), Trouble>, now: i64) {
        let begun = now - now.rem_euclid(PART);
        while self.parts.front().is_some_and(|part| part.begun <= now - WINDOW) {
            self.parts.pop_front();
        }
        if self.parts.back().is_none_or(|part| part.begun != begun) {
            self.parts.push_back(Part { begun, ..Part::default() });
        }
        let Some(part) = self.parts.back_mut() else { return };
        match result {
            Ok(()) => part.fine = part.fine.saturating_add(1),
            Err(trouble) => {
                let count = &mut part.failed[trouble as usize];
                *count = count.saturating_add(1);
            }
        }
    }

    fn broken(&self) -> bool {
        const COUNT: [Trouble; 3] = [Trouble::Connect, Trouble::Silent, Trouble::Server];
        let failed: u32 = self
            .parts
            .iter()
            .flat_map(|part| COUNT.map(|trouble| part.failed[trouble as usize]))
            .sum();
        let fine: u32 = self.parts.iter().map(|part| part.fine).sum();
        (failed >= FAILURES && failed >= fine) || self.refusals >= REFUSALS
    }

    fn open(&mut self, now: At) -> State {
        let doublings = self.openings.min(5);
        self.openings += 1;
        self.until = now.passed + (OPEN_FIRST << doublings).min(OPEN_MAX);
        self.turn(State::Open, now)
    }

    const fn turn(&mut self, state: State, now: At) -> State {
        self.state = state;
        self.since = now.wall;
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(passed: i64) -> At {
        At { passed, wall: Timestamp::from_millis(1_800_000_000_000 + passed) }
    }

    fn broken_by(trouble: Trouble, times: i64) -> (Breaker, Option<State>) {
        let mut breaker = Breaker::new(at(0));
        let last = (0..times).map(|n| breaker.told(Err(trouble), at(n))).last().flatten();
        (breaker, last)
    }

    /// Five failures of any sort that is the carrier's own open it, four don't, and too much at once
    /// never does; three refusals of our credentials in a row do, and a success in between begins anew.
    #[test]
    fn what_opens_it() {
        for trouble in [Trouble::Connect, Trouble::Silent, Trouble::Server] {
            assert_eq!(broken_by(trouble, 4).1, None);
            assert_eq!(broken_by(trouble, 5).1, Some(State::Open));
        }
        assert_eq!(broken_by(Trouble::Throttled, 500).1, None);
        assert_eq!(broken_by(Trouble::Credentials, 3).1, Some(State::Open));
        let (mut breaker, _) = broken_by(Trouble::Credentials, 2);
        assert_eq!(breaker.told(Ok(()), at(3)), None);
        assert_eq!(breaker.told(Err(Trouble::Credentials), at(4)), None);
        assert_eq!(breaker.told(Err(Trouble::Credentials), at(5)), None);
    }

    /// Failures that are fewer than successes, or a minute old, do not open it.
    #[test]
    fn what_leaves_it_closed() {
        let mut breaker = Breaker::new(at(0));
        for n in 0..100 {
            assert_eq!(breaker.told(Ok(()), at(n)), None);
        }
        for n in 0..99 {
            assert_eq!(breaker.told(Err(Trouble::Server), at(100 + n)), None, "{n}");
        }
        assert_eq!(breaker.told(Err(Trouble::Server), at(300)), Some(State::Open));
        let (mut breaker, _) = broken_by(Trouble::Server, 4);
        assert_eq!(breaker.told(Err(Trouble::Server), at(66_000)), None, "the others are old");
        assert_eq!(breaker.failures(66_000).find(|one| one.0 == Trouble::Server).unwrap().1, 1);
    }

    /// It is tried after 2, 4, 8 … 60 s; the first success closes it, and the next outage begins at 2 s.
    #[test]
    fn it_is_tried_again() {
        let (mut breaker, _) = broken_by(Trouble::Connect, 5);
        let mut now = 4;
        for wait in [2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(breaker.look(at(now + wait * 1000 - 1)), None, "{wait}");
            assert_eq!(breaker.told(Ok(()), at(now + 1)), None, "that was asked before");
            now += wait * 1000;
            assert_eq!(breaker.opens_in(now), Some(0));
            assert_eq!(breaker.look(at(now)), Some(State::HalfOpen));
            assert_eq!(breaker.opens_in(now), None);
            assert_eq!(breaker.told(Err(Trouble::Connect), at(now)), Some(State::Open));
        }
        now += 60_000;
        breaker.look(at(now));
        assert_eq!(breaker.told(Ok(()), at(now)), Some(State::Closed));
        for _ in 0..4 {
            assert_eq!(breaker.told(Err(Trouble::Connect), at(now)), None, "it is forgotten");
        }
        assert_eq!(breaker.told(Err(Trouble::Connect), at(now)), Some(State::Open));
        assert_eq!(breaker.opens_in(now), Some(2000));
    }

    /// Time in which it took nothing does not count as time that it worked.
    #[test]
    fn pauses_are_left_out() {
        let (mut breaker, _) = broken_by(Trouble::Connect, 5);
        let ago = |breaker: &Breaker, now| breaker.back(Duration::from_secs(30), now).as_millis();
        assert_eq!(ago(&breaker, 4), 30_000);
        assert_eq!(ago(&breaker, 100_004), 130_000, "still open");
        breaker.look(at(100_004));
        breaker.told(Ok(()), at(100_004));
        assert_eq!(ago(&breaker, 110_004), 130_000);
        assert_eq!(ago(&breaker, 130_003), 130_000);
        assert_eq!(ago(&breaker, 130_004), 30_000);
        breaker.pause(140_000, 141_000);
        assert_eq!(ago(&breaker, 150_000), 30_000, "too short to matter");
        breaker.pause(150_000, 160_000);
        assert_eq!(ago(&breaker, 170_000), 40_000);
    }
}
