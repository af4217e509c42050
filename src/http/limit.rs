//! Rate limits: a bucket for each API key, and one for each address that comes without a key.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::Mutex,
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::clock::Clock;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The window, in microseconds and in seconds.
const WINDOW_US: i64 = 60_000_000;
const WINDOW_S: i64 = 60;

/// How many buckets of each sort are kept. Beyond, full ones are forgotten first, then all.
const BUCKETS_MAX: usize = 10_000;

/// Buckets. Each is one instant, the one at which it will be full again (GCRA, ITU-T I.371).
#[derive(Debug)]
pub struct Limiter {
    quota: i64,
    clock: Clock,
    keys: Mutex<HashMap<String, i64>>,
    clients: Mutex<HashMap<IpAddr, i64>>,
}

/// What is left of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    name: &'static str,
    most: i64,
    left: i64,
    /// Until the bucket is full; if it is empty, until the next request is taken.
    reset: Duration,
    /// Whether this request is taken.
    pub taken: bool,
}

impl Limiter {
    /// Takes so many requests a minute of each.
    pub fn new(per_minute: u32, clock: Clock) -> Self {
        let quota = i64::from(per_minute.max(1));
        Self { quota, clock, keys: Mutex::default(), clients: Mutex::default() }
    }

    /// One request with the key of this id.
    pub fn key(&self, key: &str) -> Quota {
        self.take("key", &self.keys, key.to_owned())
    }

    /// One request without a valid key, from this address or its /64.
    pub fn client(&self, client: IpAddr) -> Quota {
        let network = match client {
            IpAddr::V4(_) => client,
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        };
        self.take("address", &self.clients, network)
    }

    fn take<K: Eq + Hash>(
        &self,
        name: &'static str,
        buckets: &Mutex<HashMap<K, i64>>,
        key: K,
    ) -> Quota {
        // Whoever sets the clock keeps nobody out.
        let now = self.clock.passed_ms().saturating_mul(1000);
        // A panic cannot leave a bucket half changed.
        let mut buckets = buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(&key) {
            buckets.retain(|_, full_at| *full_at > now);
            if buckets.len() >= BUCKETS_MAX {
                buckets.clear();
            }
        }
        let full_at = buckets.entry(key).or_insert(now);
        let (quota, next) = spend(name, self.quota, *full_at, now);
        *full_at = next;
        quota
    }
}

/// Takes one of `most` per minute from a bucket that is full at `full_at`.
fn spend(name: &'static str, most: i64, full_at: i64, now: i64) -> (Quota, i64) {
    let each = (WINDOW_US / most).max(1);
    let missing = (full_at - now).max(0);
    let taken = missing + each <= WINDOW_US;
    let after = if taken { missing + each } else { missing };
    let left = (WINDOW_US - after) / each;
    let reset = if left > 0 { after } else { after + each - WINDOW_US };
    let reset = Duration::from_micros(u64::try_from(reset).unwrap_or(0));
    (Quota { name, most, left, reset, taken }, now + after)
}

impl Quota {
    /// Whole seconds until there is more, at least one.
    pub fn wait(&self) -> Duration {
        let more = u64::from(self.reset.subsec_nanos() > 0);
        Duration::from_secs((self.reset.as_secs() + more).max(1))
    }

    /// Writes `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11).
    pub fn write(&self, headers: &mut HeaderMap) {
        let Self { name, most, left, .. } = self;
        let policy = format!("\"{name}\";q={most};w={WINDOW_S}");
        let limit = format!("\"{name}\";r={left};t={}", self.wait().as_secs());
        for (header, value) in [(POLICY, policy), (LIMIT, limit)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(header, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    fn limiter(per_minute: u32) -> (Limiter, Clock, String) {
        let clock = Clock::manual(Timestamp::from_millis(1_700_000_000_000));
        (Limiter::new(per_minute, clock.clone()), clock, "AK1".to_owned())
    }

    /// A full bucket gives its quota at once, then one for each part of the minute.
    #[test]
    fn a_bucket_empties_and_refills() {
        let (limiter, clock, key) = limiter(60);
        for left in (0..60).rev() {
            let quota = limiter.key(&key);
            assert!(quota.taken);
            assert_eq!(quota.left, left);
        }
        let quota = limiter.key(&key);
        assert!(!quota.taken);
        assert_eq!(quota.wait(), Duration::from_secs(1));
        clock.advance(1000);
        assert!(limiter.key(&key).taken);
        assert!(!limiter.key(&key).taken);
        clock.advance(600_000);
        assert_eq!(limiter.key(&key).left, 59);
    }

    /// Being refused costs nothing, and a clock that is set changes nothing.
    #[test]
    fn refusals_are_free_and_bounded() {
        let (limiter, clock, key) = limiter(1);
        assert!(limiter.key(&key).taken);
        for _ in 0..10 {
            assert_eq!(limiter.key(&key).wait(), Duration::from_mins(1));
        }
        for set in [86_400_000, -2 * 86_400_000] {
            clock.set(set);
            assert!(!limiter.key(&key).taken);
        }
        clock.advance(60_000);
        assert!(limiter.key(&key).taken);
    }

    /// Addresses of one IPv6 network share a bucket; memory is bounded however many there are.
    #[test]
    fn addresses_are_bounded() {
        let (limiter, _, _) = limiter(1);
        assert!(limiter.client("2001:db8::1".parse().unwrap()).taken);
        assert!(!limiter.client("2001:db8::2".parse().unwrap()).taken);
        for n in 0..20_000_u32 {
            limiter.client(IpAddr::V4(std::net::Ipv4Addr::from_bits(n)));
        }
        assert!(limiter.clients.lock().unwrap().len() <= BUCKETS_MAX);
    }

    /// The fields are the draft's: a string with `q` and `w`, and the same string with `r` and `t`.
    #[test]
    fn headers() {
        let (limiter, _, key) = limiter(600);
        let mut headers = HeaderMap::new();
        limiter.key(&key).write(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"key\";q=600;w=60");
        assert_eq!(headers["ratelimit"], "\"key\";r=599;t=1");
    }
}
