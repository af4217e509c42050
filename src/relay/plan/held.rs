//! What a market needs at least, counted without choosing any number.

use std::{collections::HashMap, time::Duration};

use super::trace::{Meeting, Trace};
use crate::domain::time::Timestamp;

/// What a class of numbers must carry at its busiest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Peaks {
    /// Δ: the most numbers that one person held at once, in open sessions or in quarantine. With fewer somebody is
    /// refused; with as many nobody is, unless the same two are in several sessions at once time and again: the
    /// allocator knows the last of their numbers, and not all that rest for them.
    pub held: u64,
    /// The most people of the class that were in open sessions at once, one for each session.
    pub open: u64,
    /// How often its people were in a session.
    pub sessions: u64,
}

/// The numbers that two people have for a session, one each: both are taken, rest and are free at the same time.
#[derive(Debug, Clone, Copy)]
struct Pair {
    people: [u32; 2],
    /// When their quarantine ends; `None` while the session is open, and once they are free.
    release: Option<Timestamp>,
}

impl Pair {
    /// The same for the two whoever of them is named first.
    fn key([one, other]: [u32; 2]) -> [u32; 2] {
        [one.min(other), one.max(other)]
    }
}

#[derive(Debug)]
struct Count<'a> {
    trace: &'a Trace,
    quarantine: Duration,
    /// The sessions in the order in which they end, which is also that of their quarantines.
    ends: Vec<u32>,
    /// How many of them have ended.
    ended: usize,
    /// How many of them have had their quarantine.
    released: usize,
    pairs: Vec<Pair>,
    /// Which pair of numbers each session has that was opened.
    given: Vec<usize>,
    /// Pairs in quarantine, which the same two may have again.
    resting: HashMap<[u32; 2], Vec<usize>>,
    /// How many numbers each person holds.
    held: Vec<u64>,
    /// How many people of each class are in open sessions.
    open: Vec<u64>,
    peaks: Vec<Peaks>,
}

/// The peaks of each class of the trace, in its order.
pub fn peaks(trace: &Trace, quarantine: Duration) -> Vec<Peaks> {
    let classes = trace.places().len();
    let mut count = Count {
        trace,
        quarantine,
        ends: trace.by_end(),
        ended: 0,
        released: 0,
        pairs: Vec::new(),
        given: Vec::with_capacity(trace.meetings().len()),
        resting: HashMap::new(),
        held: vec![0; trace.people()],
        open: vec![0; classes],
        peaks: vec![Peaks::default(); classes],
    };
    for meeting in trace.meetings() {
        count.until(meeting.start);
        count.open(meeting);
    }
    count.peaks
}

impl Count<'_> {
    /// Ends what has ended by `now`.
    fn until(&mut self, now: Timestamp) {
        while let Some(place) = self.ends.get(self.ended).map(|place| *place as usize) {
            let meeting = self.trace.meetings()[place];
            // One that lasts no time at all may end before it was opened here.
            if meeting.end > now || place >= self.given.len() {
                break;
            }
            self.end(place, &meeting);
            self.ended += 1;
        }
        while self.released < self.ended {
            let place = self.ends[self.released] as usize;
            let at = self.trace.meetings()[place].end + self.quarantine;
            if at > now {
                break;
            }
            self.release(place, at);
            self.released += 1;
        }
    }

    fn end(&mut self, place: usize, meeting: &Meeting) {
        for person in meeting.people {
            self.open[self.trace.class_of(person)] -= 1;
        }
        let pair = self.given[place];
        self.pairs[pair].release = Some(meeting.end + self.quarantine);
        if !self.quarantine.is_zero() {
            self.resting.entry(Pair::key(meeting.people)).or_default().push(pair);
        }
    }

    /// Frees what rested until `at`. Whoever took it again meanwhile has it still.
    fn release(&mut self, place: usize, at: Timestamp) {
        let pair = self.given[place];
        let Pair { people, release } = self.pairs[pair];
        if release != Some(at) {
            return;
        }
        self.pairs[pair].release = None;
        for person in people {
            self.held[person as usize] -= 1;
        }
        let key = Pair::key(people);
        if let Some(resting) = self.resting.get_mut(&key) {
            resting.retain(|other| *other != pair);
            if resting.is_empty() {
                self.resting.remove(&key);
            }
        }
    }

    fn open(&mut self, meeting: &Meeting) {
        let pair = self.pair(meeting.people);
        self.given.push(pair);
        for person in meeting.people {
            let class = self.trace.class_of(person);
            self.open[class] += 1;
            let peak = &mut self.peaks[class];
            peak.sessions += 1;
            peak.held = peak.held.max(self.held[person as usize]);
            peak.open = peak.open.max(self.open[class]);
        }
    }

    /// The same two have the numbers again that rest for them, those that would rest longest; else it is one more for
    /// each.
    fn pair(&mut self, people: [u32; 2]) -> usize {
        if let Some(pair) = self.resting.get_mut(&Pair::key(people)).and_then(Vec::pop) {
            self.pairs[pair].release = None;
            return pair;
        }
        for person in people {
            self.held[person as usize] += 1;
        }
        self.pairs.push(Pair { people, release: None });
        self.pairs.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::trace::{Collector, Place},
        *,
    };

    /// Sessions `(start, end, one, other)` in seconds, of people in one place.
    fn held(sessions: &[(i64, i64, &str, &str)], quarantine: u64) -> Peaks {
        let mut all = Collector::default();
        for (start, end, one, other) in sessions {
            let here = Place::default();
            let people = [all.person(one, &here).unwrap(), all.person(other, &here).unwrap()];
            let at = |seconds: &i64| Timestamp::from_millis(seconds * 1000);
            all.meet(at(start), at(end), people).unwrap();
        }
        peaks(&all.done(), Duration::from_secs(quarantine))[0]
    }

    /// A number counts until its quarantine is over, and not a moment longer.
    #[test]
    fn quarantine_counts() {
        let after = |start| [(0, 10, "a", "b"), (start, start + 5, "a", "c")];
        assert_eq!(held(&after(9), 0), Peaks { held: 2, open: 4, sessions: 4 });
        assert_eq!(held(&after(10), 0), Peaks { held: 1, open: 2, sessions: 4 });
        assert_eq!(held(&after(14), 5).held, 2);
        assert_eq!(held(&after(15), 5).held, 1);
    }

    /// The same two need no other number after a session; two sessions at once need two.
    #[test]
    fn the_same_two() {
        assert_eq!(held(&[(0, 10, "a", "b"), (12, 15, "b", "a")], 60).held, 1);
        assert_eq!(held(&[(0, 10, "a", "b"), (5, 15, "b", "a")], 60).held, 2);
        let three = [(0, 10, "a", "b"), (5, 15, "b", "a"), (20, 30, "a", "b"), (21, 22, "a", "b")];
        assert_eq!(held(&three, 60).held, 2);
        // Its quarantine begins anew with each end.
        let again = [(0, 10, "a", "b"), (12, 15, "a", "b"), (71, 72, "a", "c")];
        assert_eq!(held(&again, 60).held, 2);
        assert_eq!(held(&[(0, 10, "a", "b"), (71, 72, "a", "c")], 60).held, 1);
    }

    /// A session that lasts no time at all is one all the same, and frees its number once.
    #[test]
    fn no_time_at_all() {
        let at_once = [(5, 5, "a", "b"), (5, 5, "a", "c"), (5, 9, "a", "d"), (6, 7, "a", "b")];
        assert_eq!(held(&at_once, 0), Peaks { held: 2, open: 4, sessions: 8 });
        assert_eq!(held(&at_once, 60).held, 3);
        let twice = [(0, 5, "a", "b"), (5, 5, "a", "b"), (66, 67, "a", "c"), (66, 68, "a", "d")];
        assert_eq!(held(&twice, 60).held, 2);
    }
}
