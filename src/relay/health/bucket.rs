//! So much a second: a bucket that fills by itself.

use std::{collections::HashMap, time::Duration};

/// How many buckets of single numbers are kept; full ones are forgotten.
const NUMBERS_MAX: usize = 10_000;

/// A bucket of one second's worth, and of one at least: the instant at which it will be full again
/// (GCRA, ITU-T I.371), in microseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bucket {
    full_at: i64,
}

fn micros(each: Duration) -> i64 {
    i64::try_from(each.as_micros()).unwrap_or(i64::MAX / 4).max(1)
}

/// How far ahead of `now` a bucket may be that still has one.
fn slack(each: i64) -> i64 {
    (1_000_000 - each).max(0)
}

impl Bucket {
    /// Takes one of those that there is one of each `each`.
    pub(super) fn take(&mut self, each: Duration, now: i64) {
        self.full_at = self.full_at.max(now).saturating_add(micros(each));
    }

    /// Puts one back.
    pub(super) fn put_back(&mut self, each: Duration) {
        self.full_at = self.full_at.saturating_sub(micros(each));
    }

    /// How long until there is one; zero if there is.
    pub(super) fn wait(self, each: Duration, now: i64) -> i64 {
        (self.full_at.max(now) - now - slack(micros(each))).max(0)
    }
}

/// A bucket for each number of a carrier.
#[derive(Debug, Default)]
pub(super) struct Numbers(HashMap<String, Bucket>);

impl Numbers {
    /// The bucket of one number.
    pub(super) fn of(&mut self, number: &str, now: i64) -> &mut Bucket {
        if self.0.len() >= NUMBERS_MAX {
            self.0.retain(|_, bucket| bucket.full_at > now);
        }
        self.0.entry(number.to_owned()).or_default()
    }

    /// The numbers that have none left, and how long the first of them has to wait.
    pub(super) fn empty(&self, each: Duration, now: i64) -> impl Iterator<Item = (&str, i64)> {
        self.0
            .iter()
            .map(move |(number, bucket)| (number.as_str(), bucket.wait(each, now)))
            .filter(|(_, wait)| *wait > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of ten a second ten may go at once, then one each tenth of a second; of one in four seconds one.
    #[test]
    fn so_much_a_second() {
        for (each_ms, burst) in [(100, 10), (1000, 1), (4000, 1), (300, 3)] {
            let (each, mut bucket) = (Duration::from_millis(each_ms), Bucket::default());
            let mut now = 5_000_000;
            for _ in 0..burst {
                assert_eq!(bucket.wait(each, now), 0);
                bucket.take(each, now);
            }
            for _ in 0..50 {
                let wait = bucket.wait(each, now);
                assert!(wait > 0 && wait <= i64::try_from(each_ms).unwrap() * 1000, "{wait}");
                now += wait;
                assert_eq!(bucket.wait(each, now), 0);
                bucket.take(each, now);
            }
            bucket.put_back(each);
            assert_eq!(bucket.wait(each, now), 0, "what was put back is there");
        }
    }
    /// Of very many numbers those are forgotten whose buckets are full, and no other.
    #[test]
    fn full_buckets_are_forgotten() {
        let (each, mut numbers) = (Duration::from_secs(10), Numbers::default());
        for n in 0..NUMBERS_MAX {
            let now = if n == 7 { 5_000_000 } else { 0 };
            numbers.of(&n.to_string(), now).take(each, now);
        }
        numbers.of("one more", 12_000_000);
        assert_eq!(numbers.0.len(), 2, "the one that is not full, and the new one");
        assert!(numbers.of("7", 12_000_000).wait(each, 12_000_000) > 0);
    }
}
