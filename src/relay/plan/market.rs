//! A market by chance: sessions that open at any time alike, between people of whom some are met more often.

use std::time::Duration;

use super::trace::{Collector, Place, Trace, TraceFault};
use crate::domain::time::Timestamp;

const DAY: Duration = Duration::from_hours(24);

/// What a market is like.
#[derive(Debug, Clone, PartialEq)]
pub struct Market {
    /// Sessions that open in a day.
    pub per_day: f64,
    /// How long it is looked at.
    pub days: u32,
    /// How long a session is meant to last: any length between the two alike.
    pub lifetime: [Duration; 2],
    /// The share of sessions that are closed before, at any moment alike: 0 to 1.
    pub closed_early: f64,
    /// People on the one side, and how much more often the first are met.
    pub sellers: Side,
    /// People on the other.
    pub buyers: Side,
    /// The places that people are of, with the share of people in each. The people of a session are of one place.
    pub places: Vec<(Place, f64)>,
    /// The same seed makes the same market.
    pub seed: u64,
}

/// People on one side of a market.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Side {
    /// How many.
    pub people: u32,
    /// How popularity falls: the one of rank k is met as often as 1 ÷ k to this power says (Zipf). 0: all alike.
    pub zipf: f64,
}

impl Side {
    /// The side whose most popular person is in `share` of the sessions, 0 to 1; the nearest that there is, since no
    /// less than all alike and no more than a power of 4 are looked for.
    pub fn with_most_popular(people: u32, share: f64) -> Self {
        let (mut low, mut high) = (0.0, 4.0);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            let top = 1.0 / ranks(people).map(|rank| rank.powf(-middle)).sum::<f64>();
            if top < share {
                low = middle;
            } else {
                high = middle;
            }
        }
        Self { people, zipf: f64::midpoint(low, high) }
    }

    /// The share of the sessions that the most popular one is in.
    pub fn most_popular(self) -> f64 {
        1.0 / ranks(self.people).map(|rank| rank.powf(-self.zipf)).sum::<f64>()
    }

    fn chances(self) -> Chances {
        Chances::new(ranks(self.people).map(|rank| rank.powf(-self.zipf)))
    }
}

fn ranks(people: u32) -> impl Iterator<Item = f64> {
    (1..=people.max(1)).map(f64::from)
}

/// Which of several, each with its weight.
#[derive(Debug)]
struct Chances(Vec<f64>);

impl Chances {
    fn new(weights: impl Iterator<Item = f64>) -> Self {
        let mut sum = 0.0;
        Self(
            weights
                .map(|weight| {
                    sum += weight;
                    sum
                })
                .collect(),
        )
    }

    fn pick(&self, random: &mut fastrand::Rng) -> usize {
        let sum = self.0.last().copied().unwrap_or(0.0);
        let point = random.f64() * sum;
        self.0.partition_point(|up_to| *up_to <= point).min(self.0.len().saturating_sub(1))
    }
}

/// One place's people: who of them was met before, and how likely each is.
#[derive(Debug)]
struct Town<'a> {
    place: &'a Place,
    chances: [Chances; 2],
    known: [Vec<Option<u32>>; 2],
}

impl<'a> Town<'a> {
    /// A place with its share of the people, one on each side at least.
    fn new(place: &'a Place, share: f64, sides: [Side; 2]) -> Self {
        let chances = sides.map(|side| {
            let people =
                ranks(side.people).take_while(|rank| *rank <= f64::from(side.people) * share);
            Side { people: u32::try_from(people.count().max(1)).unwrap_or(u32::MAX), ..side }
                .chances()
        });
        let known = [vec![None; chances[0].0.len()], vec![None; chances[1].0.len()]];
        Self { place, chances, known }
    }

    fn pick(
        &mut self,
        side: usize,
        random: &mut fastrand::Rng,
        all: &mut Collector,
    ) -> Result<u32, TraceFault> {
        let seat = &mut self.known[side][self.chances[side].pick(random)];
        Ok(match *seat {
            Some(person) => person,
            None => *seat.insert(all.somebody(self.place)?),
        })
    }
}

/// Plays the market's chances.
///
/// # Errors
/// [`TraceFault::TooMany`].
pub fn by_chance(market: &Market) -> Result<Trace, TraceFault> {
    let mut random = fastrand::Rng::with_seed(market.seed);
    let mut all = Collector::default();
    let total: f64 = market.places.iter().map(|(_, share)| *share).sum();
    let mut towns: Vec<Town<'_>> = market
        .places
        .iter()
        .map(|(place, share)| Town::new(place, share / total, [market.sellers, market.buyers]))
        .collect();
    let shares = Chances::new(market.places.iter().map(|(_, share)| *share));
    let end = f64::from(market.days);
    let mut day = 0.0;
    loop {
        // The time to the next is exponential: a Poisson process.
        day -= (1.0 - random.f64()).ln() / market.per_day;
        if day.is_nan() || day >= end {
            break;
        }
        let town = &mut towns[shares.pick(&mut random)];
        let people = [town.pick(0, &mut random, &mut all)?, town.pick(1, &mut random, &mut all)?];
        let [least, most] = market.lifetime;
        let mut lasts = least + most.saturating_sub(least).mul_f64(random.f64());
        if random.f64() < market.closed_early {
            lasts = lasts.mul_f64(random.f64());
        }
        let start = Timestamp::from_millis(0) + DAY.mul_f64(day);
        all.meet(start, start + lasts, people)?;
    }
    Ok(all.done())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn market(zipf: f64) -> Market {
        Market {
            per_day: 2_000.0,
            days: 30,
            lifetime: [DAY, 3 * DAY],
            closed_early: 0.5,
            sellers: Side { people: 100, zipf },
            buyers: Side { people: 5_000, zipf: 0.0 },
            places: vec![(Place::default(), 1.0)],
            seed: 7,
        }
    }

    /// As many sessions as were asked for, of the length and with the favourites that were asked for.
    #[test]
    fn is_as_asked() {
        let trace = by_chance(&market(0.8)).unwrap();
        let sessions = trace.meetings().len();
        assert!((59_000..61_000).contains(&sessions), "{sessions}");
        let mut met = vec![0_u32; trace.people()];
        for meeting in trace.meetings() {
            met[meeting.people[0] as usize] += 1;
        }
        let most = f64::from(*met.iter().max().unwrap()) / 60_000.0;
        let wanted = market(0.8).sellers.most_popular();
        assert!((most / wanted - 1.0).abs() < 0.05, "{most} of {wanted}");
        let lengths = trace.meetings().iter().map(|one| one.end.since(one.start).as_secs_f64());
        let mean = lengths.sum::<f64>() / 60_000.0 / DAY.as_secs_f64();
        assert!((1.45..1.55).contains(&mean), "half of two days, half of them to a half: {mean}");
        assert_eq!(by_chance(&market(0.8)).unwrap().meetings(), trace.meetings());
    }

    /// The power that gives the most popular their share.
    #[test]
    fn the_most_popular() {
        for share in [0.02, 0.1, 0.5] {
            let side = Side::with_most_popular(1_000, share);
            assert!((side.most_popular() - share).abs() < 1e-6, "{side:?}");
        }
        assert!(Side::with_most_popular(1_000, 0.0).zipf < 1e-6, "all alike");
    }

    /// People of several places: each place has its share, and nobody is of two.
    #[test]
    fn places_have_their_share() {
        let place = |area: &str| Place { country: "US".into(), area: area.into() };
        let places = vec![(place("415"), 3.0), (place("212"), 1.0)];
        let trace = by_chance(&Market { places, ..market(0.0) }).unwrap();
        let big = trace.places().iter().position(|one| one.area == "415").unwrap();
        let there = |person: u32| trace.class_of(person) == big;
        let meetings = trace.meetings();
        assert!(meetings.iter().all(|one| there(one.people[0]) == there(one.people[1])));
        let met = meetings.iter().filter(|one| there(one.people[0])).count();
        assert!((43_500..46_500).contains(&met), "{met}");
    }
}
