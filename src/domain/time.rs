//! Instants and lengths of time, in whole milliseconds.

use std::{
    fmt,
    ops::{Add, Sub},
    time::Duration,
};

use jiff::fmt::temporal::DateTimePrinter;

/// An instant, in milliseconds since 1970-01-01T00:00:00Z.
///
/// Never negative: arithmetic saturates at zero and at the year 292 million.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest instant.
    pub const EPOCH: Self = Self(0);
    /// The latest instant: "never".
    pub const MAX: Self = Self(i64::MAX);

    /// The instant `ms` milliseconds after the epoch; negative values become the epoch.
    pub const fn from_millis(ms: i64) -> Self {
        Self(if ms < 0 { 0 } else { ms })
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch.
    pub const fn seconds(self) -> i64 {
        self.0 / 1000
    }

    /// The instant as RFC 3339 has it, in UTC with milliseconds; beyond the year 9999 its end.
    pub fn rfc3339(self) -> String {
        const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
        let at = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MAX);
        PRINTER.timestamp_to_string(&at)
    }

    /// How long after `earlier` this instant is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// How long to wait after so many tries in vain: 1, 2, 4 … seconds after none, one, two …, `most` at most.
pub fn doubled(tries: i64, most: Duration) -> Duration {
    let doublings = u32::try_from(tries.clamp(0, 32)).unwrap_or(0);
    Duration::from_secs(1_u64 << doublings).min(most)
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, length: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(length.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, length: Duration) -> Self {
        Self::from_millis(
            self.0.saturating_sub(i64::try_from(length.as_millis()).unwrap_or(i64::MAX)),
        )
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first try in vain waits a second, each further one twice as long, and none beyond the most.
    #[test]
    fn waits_double() {
        let most = Duration::from_mins(1);
        let waits = [-1, 0, 1, 5, 6, 90, i64::MAX].map(|tries| doubled(tries, most).as_secs());
        assert_eq!(waits, [1, 1, 2, 32, 60, 60, 60]);
    }
}
