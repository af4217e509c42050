//! What is known from outside: when each session was certainly open and certainly closed, who said
//! what to which number. The phones hold the truth; this judges it.

use std::collections::{BTreeMap, BTreeSet};

use entremise::{domain::phone::Identifier, ids::SessionId};

/// An instant of the test: a counter that every client shares.
pub(crate) type Tick = u64;

/// A session's life, as its clients saw it.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) id: SessionId,
    pub(crate) people: [usize; 2],
    pub(crate) dials: [Identifier; 2],
    /// Opened or reopened: (asked, answered).
    pub(crate) opened: Vec<(Tick, Tick)>,
    /// Closed: (asked, answered).
    pub(crate) closed: Vec<(Tick, Tick)>,
    /// When it may end by itself, in milliseconds of the test's clock.
    pub(crate) ttl_ms: i64,
}

impl Life {
    /// Whether nobody may be put through by something that began at `tick`: a close was
    /// acknowledged before it, and no reopening can have come after that close.
    fn certainly_closed_at(&self, tick: Tick) -> bool {
        self.closed.iter().any(|(asked, answered)| {
            *answered < tick && !self.opened.iter().any(|(_, reopened)| reopened > asked)
        })
    }

    /// The times during which it was certainly open: after an opening was answered, until a close
    /// that can have come after it was asked for.
    fn certainly_open(&self) -> Vec<(Tick, Tick)> {
        let close_after = |opened: Tick| {
            let after = self.closed.iter().filter(|(_, answered)| *answered > opened);
            after.map(|(asked, _)| *asked).min().unwrap_or(Tick::MAX)
        };
        let times = self.opened.iter().map(|(asked, answered)| (*answered, close_after(*asked)));
        times.filter(|(from, to)| from < to).collect()
    }
}

/// A text or a call's keys that somebody sent to a proxy number.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) from: usize,
    pub(crate) to: Identifier,
    pub(crate) tick: Tick,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) lives: BTreeMap<String, Life>,
    pub(crate) said: BTreeMap<String, Said>,
    pub(crate) calls: usize,
    /// Texts and calls that the network could hand to nobody.
    pub(crate) untaken: usize,
}

impl Model {
    /// I1: no two sessions were certainly open at once with the same person on the same number.
    /// I4: nobody got a number of theirs again for another counterpart. The test's clock moves by
    /// less than the quarantine, so that any such reuse is too early.
    pub(crate) fn judge_sessions(&self) {
        let mut claims: BTreeMap<(usize, &Identifier), Vec<(usize, &Life)>> = BTreeMap::new();
        for life in self.lives.values() {
            for side in 0..2 {
                let claim = (life.people[side], &life.dials[side]);
                claims.entry(claim).or_default().push((life.people[1 - side], life));
            }
        }
        for sharing in claims.values() {
            for (place, (with, one)) in sharing.iter().enumerate() {
                for (other_with, other) in &sharing[place + 1..] {
                    assert_eq!(with, other_with, "I4: early reuse in {} and {}", one.id, other.id);
                    for (from, to) in one.certainly_open() {
                        for (other_from, other_to) in other.certainly_open() {
                            // An end by itself is nobody's act: only sessions that do not end so.
                            let ends = one.ttl_ms > 0 || other.ttl_ms > 0;
                            let apart = to <= other_from || other_to <= from;
                            assert!(ends || apart, "I1: {} and {} at once", one.id, other.id);
                        }
                    }
                }
            }
        }
    }

    /// I2, I3: `receiver` got what somebody said, shown as coming from `shown`: they are the other
    /// side of a session in which the sender dials that number, they see their own proxy number,
    /// and the session was not certainly closed when it was said.
    pub(crate) fn judge_receipt(&self, token: &str, receiver: usize, shown: &Identifier) {
        let said = self.said.get(token).unwrap_or_else(|| panic!("nobody said {token}"));
        let fits: Vec<&Life> = self
            .lives
            .values()
            .filter(|life| {
                (0..2).any(|side| {
                    life.people[side] == said.from
                        && life.dials[side] == said.to
                        && life.people[1 - side] == receiver
                        && life.dials[1 - side] == *shown
                })
            })
            .collect();
        assert!(!fits.is_empty(), "I2: {token} reached the wrong person, or from a wrong number");
        let late = fits.iter().all(|life| life.certainly_closed_at(said.tick));
        assert!(!late, "I3: {token} was put through after a close was acknowledged");
    }

    /// Everything that was received, once each (I10).
    pub(crate) fn judge_once(received: &[(String, usize)]) {
        let distinct: BTreeSet<_> = received.iter().collect();
        assert_eq!(distinct.len(), received.len(), "I10: something was received twice");
    }
}
