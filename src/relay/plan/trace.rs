//! A market's sessions in the order in which they open: what a plan is made from.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
};

use crate::domain::time::Timestamp;

/// Two people in touch for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meeting {
    /// When their session opened.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// Who they are, as [`Trace`] counts people.
    pub people: [u32; 2],
}

/// Where the numbers of a class are: an ISO 3166 country code and an area code, each empty where it does not matter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Place {
    /// The country.
    pub country: String,
    /// The area.
    pub area: String,
}

/// Sessions of people, by the time at which they open. No person can be told from it: people are counted.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    meetings: Vec<Meeting>,
    /// The class of each person.
    classes: Vec<u16>,
    places: Vec<Place>,
}

impl Trace {
    /// The sessions, those that open first before the others.
    pub fn meetings(&self) -> &[Meeting] {
        &self.meetings
    }

    /// How many people there are.
    pub fn people(&self) -> usize {
        self.classes.len()
    }

    /// The classes of numbers that people need.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Which of [`Self::places`] a person needs numbers of.
    pub fn class_of(&self, person: u32) -> usize {
        self.classes.get(person as usize).copied().map_or(0, usize::from)
    }

    /// From the first opening to the last; `None` where there is no session.
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        Some((self.meetings.first()?.start, self.meetings.last()?.start))
    }

    /// The places in [`Self::meetings`] of those that end first before the others.
    pub(super) fn by_end(&self) -> Vec<u32> {
        let mut places: Vec<u32> = (0..).take(self.meetings.len()).collect();
        places.sort_unstable_by_key(|place| (self.meetings[*place as usize].end, *place));
        places
    }
}

/// Why a session cannot be part of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TraceFault {
    /// It ends before it starts.
    #[error("ends before it starts")]
    EndsFirst,
    /// Both of its people are the same.
    #[error("has one person on both sides")]
    Alone,
    /// There are more than 4,294,967,295 sessions or people, or more than 65,535 classes.
    #[error("is of more sessions, people or places than a plan can count")]
    TooMany,
}

/// Collects sessions in any order. People go by any text that names them; it is hashed at once and not kept.
#[derive(Debug, Default)]
pub struct Collector {
    hasher: RandomState,
    people: HashMap<(u64, u64), u32>,
    places: HashMap<Place, u16>,
    trace: Trace,
}

impl Collector {
    /// How many sessions were collected.
    pub fn len(&self) -> usize {
        self.trace.meetings.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.trace.meetings.is_empty()
    }

    /// Counts a person by what names them. The place is where their numbers must be: the first that is said holds.
    ///
    /// # Errors
    /// [`TraceFault::TooMany`].
    pub fn person(&mut self, name: &str, place: &Place) -> Result<u32, TraceFault> {
        // Two hashes of 64 bits: among a billion people no two are taken for one.
        let key = (self.hasher.hash_one((0_u8, name)), self.hasher.hash_one((1_u8, name)));
        if let Some(known) = self.people.get(&key) {
            return Ok(*known);
        }
        let next = u32::try_from(self.trace.classes.len()).map_err(|_| TraceFault::TooMany)?;
        let class = self.class(place)?;
        self.people.insert(key, next);
        self.trace.classes.push(class);
        Ok(next)
    }

    /// Counts somebody of whom nothing is known but where their numbers must be.
    ///
    /// # Errors
    /// [`TraceFault::TooMany`].
    pub fn somebody(&mut self, place: &Place) -> Result<u32, TraceFault> {
        let next = u32::try_from(self.trace.classes.len()).map_err(|_| TraceFault::TooMany)?;
        let class = self.class(place)?;
        self.trace.classes.push(class);
        Ok(next)
    }

    fn class(&mut self, place: &Place) -> Result<u16, TraceFault> {
        if let Some(known) = self.places.get(place) {
            return Ok(*known);
        }
        let next = u16::try_from(self.trace.places.len()).map_err(|_| TraceFault::TooMany)?;
        self.places.insert(place.clone(), next);
        self.trace.places.push(place.clone());
        Ok(next)
    }

    /// Adds a session.
    ///
    /// # Errors
    /// Any [`TraceFault`].
    pub fn meet(
        &mut self,
        start: Timestamp,
        end: Timestamp,
        people: [u32; 2],
    ) -> Result<(), TraceFault> {
        if end < start {
            return Err(TraceFault::EndsFirst);
        }
        if people[0] == people[1] {
            return Err(TraceFault::Alone);
        }
        u32::try_from(self.trace.meetings.len() + 1).map_err(|_| TraceFault::TooMany)?;
        self.trace.meetings.push(Meeting { start, end, people });
        Ok(())
    }

    /// The trace, in order.
    pub fn done(mut self) -> Trace {
        self.trace.meetings.sort_by_key(|one| (one.start, one.end, one.people));
        self.trace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    /// Sessions come out in the order in which they open; whoever is named twice is one person.
    #[test]
    fn in_order() {
        let here = Place { country: "US".into(), area: "415".into() };
        let mut all = Collector::default();
        let [ann, bob, eve] = ["ann", "bob", "eve"].map(|name| all.person(name, &here).unwrap());
        assert_eq!(all.person("ann", &Place::default()), Ok(ann));
        all.meet(at(5), at(9), [ann, bob]).unwrap();
        all.meet(at(2), at(20), [eve, ann]).unwrap();
        assert_eq!(all.meet(at(2), at(1), [eve, ann]), Err(TraceFault::EndsFirst));
        assert_eq!(all.meet(at(1), at(2), [eve, eve]), Err(TraceFault::Alone));
        let trace = all.done();
        assert_eq!(trace.people(), 3);
        assert_eq!(trace.places(), [here]);
        let starts: Vec<i64> = trace.meetings().iter().map(|one| one.start.millis()).collect();
        assert_eq!(starts, [2, 5]);
        assert_eq!(trace.span(), Some((at(2), at(5))));
        assert_eq!(trace.by_end(), [1, 0]);
    }
}
