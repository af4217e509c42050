//! Faults that a test or a curious person turns on.

/// What goes wrong on purpose. All off by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    /// How long the carrier API waits before it answers, in milliseconds; at most 60,000.
    pub slow_ms: u64,
    /// How many of the next API requests are refused with `fail_status` before anything is taken.
    pub fail_next: u32,
    /// 500 to 599.
    pub fail_status: u16,
    /// How many of the next API requests are taken and then answered with 500.
    pub accept_then_fail: u32,
    /// Whether the connection is cut instead of answered with 500.
    pub accept_then_reset: bool,
    /// How many more copies of a webhook are sent at the same time; at most 10.
    pub duplicate_copies: u8,
    /// How many of 100 webhooks are copied.
    pub duplicate_percent: u8,
    /// How many of 100 webhooks are overtaken by the next of the same sender.
    pub reorder_percent: u8,
    /// How many of 100 receipts are never sent.
    pub lost_receipt_percent: u8,
    /// How many of 100 webhooks of new texts and calls never reach the relay.
    pub lost_webhook_percent: u8,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            slow_ms: 0,
            fail_next: 0,
            fail_status: 503,
            accept_then_fail: 0,
            accept_then_reset: false,
            duplicate_copies: 1,
            duplicate_percent: 0,
            reorder_percent: 0,
            lost_receipt_percent: 0,
            lost_webhook_percent: 0,
        }
    }
}

impl Faults {
    /// The names of the fields that are out of range, with what is allowed.
    pub fn out_of_range(&self) -> Vec<(&'static str, &'static str)> {
        let percent = "must be 0 to 100";
        [
            (self.slow_ms > 60_000, "slow_ms", "must be at most 60000"),
            (!(500..600).contains(&self.fail_status), "fail_status", "must be 500 to 599"),
            (self.duplicate_copies > 10, "duplicate_copies", "must be at most 10"),
            (self.duplicate_percent > 100, "duplicate_percent", percent),
            (self.reorder_percent > 100, "reorder_percent", percent),
            (self.lost_receipt_percent > 100, "lost_receipt_percent", percent),
            (self.lost_webhook_percent > 100, "lost_webhook_percent", percent),
        ]
        .into_iter()
        .filter_map(|(wrong, field, allowed)| wrong.then_some((field, allowed)))
        .collect()
    }
}

/// What an API request meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// Nothing: it is taken and answered.
    Fine,
    /// Refused with this status before it was taken.
    Refused(u16),
    /// Taken, and the answer is lost.
    Lost,
}

impl Faults {
    /// Counts one API request.
    pub(super) fn admit(&mut self) -> Admission {
        if self.fail_next > 0 {
            self.fail_next -= 1;
            Admission::Refused(self.fail_status)
        } else if self.accept_then_fail > 0 {
            self.accept_then_fail -= 1;
            Admission::Lost
        } else {
            Admission::Fine
        }
    }
}

/// Seeded randomness (SplitMix64): the same seed gives the same faults.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// True `percent` times out of a hundred.
    pub(super) fn hits(&mut self, percent: u8) -> bool {
        percent > 0 && self.next() % 100 < u64::from(percent)
    }
}
