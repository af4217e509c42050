//! How many numbers a market needs, and how a pool of fewer does: counted from its sessions, and played with the
//! allocator that serves requests.

mod books;
mod held;
mod market;
mod play;
mod stored;
#[cfg(test)]
mod tests;
mod trace;

pub use self::{
    held::{Peaks, peaks},
    market::{Market, Side, by_chance},
    play::{Played, play},
    stored::of_service,
    trace::{Collector, Meeting, Place, Trace, TraceFault},
};

use std::time::Duration;

use crate::domain::closed_set;

/// What one number carries, and what is asked of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    /// The most people on one number at once: carriers throttle a number that has very many.
    pub people_on_number: f64,
    /// Texts in a session, both ways together.
    pub texts: f64,
    /// Texts that a number may send in a second.
    pub texts_per_second: f64,
    /// Calls in a session.
    pub calls: f64,
    /// How long a call takes.
    pub call: Duration,
    /// Calls that a number may have at once. One between two people is one on the number of each.
    pub channels: f64,
    /// The busiest hour's share of a day's texts and calls: 1/24 if all are alike.
    pub busy_hour: f64,
}

closed_set! {
    /// What decides how many numbers a class needs.
    Bound {
        /// The numbers that one person holds.
        Held = "held",
        /// People on one number.
        People = "people",
        /// Texts in a second.
        Texts = "texts",
        /// Calls at once.
        Calls = "calls",
    }
}

/// What a class of numbers needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Needed {
    /// Where its numbers are.
    pub place: Place,
    /// What it must carry.
    pub peaks: Peaks,
    /// How many numbers each bound asks for.
    pub bounds: [(Bound, u64); 4],
}

impl Needed {
    /// How many numbers it needs, and what binds: the first of the bounds that asks for the most.
    pub fn most(&self) -> (Bound, u64) {
        let mut most = self.bounds[0];
        for bound in self.bounds {
            if bound.1 > most.1 {
                most = bound;
            }
        }
        most
    }
}

/// What each class of the trace needs.
pub fn needed(trace: &Trace, quarantine: Duration, load: &Load) -> Vec<Needed> {
    let days = trace
        .span()
        .map_or(1.0, |(first, last)| (last.since(first).as_secs_f64() / 86_400.0).max(1.0));
    let all = peaks(trace, quarantine);
    trace
        .places()
        .iter()
        .zip(all)
        .map(|(place, peaks)| {
            let in_an_hour = play::ratio(peaks.sessions, 1) / days * load.busy_hour;
            // Of a session's texts each of its two people's numbers sends half; a call is on both numbers.
            let texts = in_an_hour * load.texts / 2.0 / 3600.0;
            let calls = in_an_hour * load.calls * load.call.as_secs_f64() / 3600.0;
            let bounds = [
                (Bound::Held, peaks.held),
                (Bound::People, up(play::ratio(peaks.open, 1) / load.people_on_number)),
                (Bound::Texts, up(texts / load.texts_per_second)),
                (Bound::Calls, up(calls / load.channels)),
            ];
            Needed { place: place.clone(), peaks, bounds }
        })
        .collect()
}

/// Rounded up; nothing for what is no number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "casts of floats saturate, and the least is nought"
)]
fn up(numbers: f64) -> u64 {
    numbers.max(0.0).ceil() as u64
}

/// So much of each class's numbers, rounded up.
pub fn part_of(sizes: &[u64], share: f64) -> Vec<u64> {
    sizes.iter().map(|size| up(play::ratio(*size, 1) * share)).collect()
}

/// So many numbers, divided among classes as `sizes` are. None is left over, unless all sizes are 0.
pub fn divide(numbers: u64, sizes: &[u64]) -> Vec<u64> {
    let (mut left, mut of) = (numbers, sizes.iter().sum::<u64>());
    let mut parts = Vec::with_capacity(sizes.len());
    for size in sizes {
        let part = u128::from(left) * u128::from(*size) / u128::from(of.max(1));
        // A part of `left` is not more than it.
        let part = u64::try_from(part).unwrap_or(left);
        parts.push(part);
        left -= part;
        of -= size;
    }
    parts
}
