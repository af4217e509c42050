//! What we know of a request before its handler: who asks, and the request's id.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::extract::FromRequestParts;
use http::{HeaderMap, StatusCode, request::Parts};

use super::{
    REQUEST_ID,
    measure::{Method, RouteMeters},
};
use crate::{
    clock::Clock,
    http::problem::Problem,
    ids::{Entropy, Ids, RequestId, SystemEntropy},
};

/// Who asks, and the request's id. An extractor. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Arrival(Arc<Known>);

#[derive(Debug)]
struct Known {
    client: IpAddr,
    id: RequestId,
    route: OnceLock<Arc<RouteMeters>>,
}

impl Arrival {
    /// A request of `client`, known as `id`. The server makes these; tests of handlers may too.
    pub fn new(client: IpAddr, id: RequestId) -> Self {
        Self(Arc::new(Known { client, id, route: OnceLock::new() }))
    }

    /// The client's address: the peer's, or what a trusted proxy says.
    pub fn client(&self) -> IpAddr {
        self.0.client
    }

    /// The request's id, as the answer's `Request-Id` has it.
    pub fn request_id(&self) -> &RequestId {
        &self.0.id
    }

    pub(super) fn routed(&self, route: Arc<RouteMeters>) {
        let _ = self.0.route.set(route);
    }

    pub(super) fn measured(&self, method: Method, status: StatusCode, took: Duration) {
        if let Some(route) = self.0.route.get() {
            route.record(method, status, took);
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Arrival {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let known = parts.extensions.get::<Self>().cloned();
        known.ok_or_else(|| Problem::internal("the request did not come through the server"))
    }
}

/// Makes a request's id, or takes the client's if it is one of ours.
#[derive(Debug)]
pub(super) struct RequestIds {
    ids: Ids,
    clock: Clock,
}

impl RequestIds {
    pub(super) fn new(clock: Clock) -> Self {
        Self { ids: Ids::new(Arc::new(Mixed::default())), clock }
    }

    /// Only our own form is taken: any other might be a number, and it is logged.
    pub(super) fn of(&self, headers: &HeaderMap) -> RequestId {
        headers
            .get(REQUEST_ID)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| RequestId::parse(text).ok())
            .unwrap_or_else(|| self.ids.make(self.clock.now()))
    }
}

/// Randomness without a system call for each id. Unique, and not a secret: request ids give
/// access to nothing.
#[derive(Debug)]
struct Mixed {
    seed: u64,
    count: AtomicU64,
}

impl Default for Mixed {
    fn default() -> Self {
        let mut seed = [0; 8];
        SystemEntropy.fill(&mut seed);
        Self { seed: u64::from_ne_bytes(seed), count: AtomicU64::new(0) }
    }
}

impl Entropy for Mixed {
    /// `SplitMix64` (Steele, Lea and Flood 2014).
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let count = self.count.fetch_add(1, Ordering::Relaxed);
            let mut z = self.seed.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_ne_bytes()[..chunk.len()]);
        }
    }
}

/// Address ranges whose `X-Forwarded-For` is believed. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Arc<[(IpAddr, u8)]>);

impl TrustedProxies {
    /// Ranges as (first address, prefix length in bits).
    pub fn new(ranges: impl IntoIterator<Item = (IpAddr, u8)>) -> Self {
        Self(ranges.into_iter().collect())
    }

    /// Whether `address` is in a range. An IPv4 address inside IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|(first, prefix)| match (address, first) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits() ^ b.to_bits(), *prefix, 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                let differ = a.to_bits() ^ b.to_bits();
                *prefix == 0 || differ.checked_shr(128 - u32::from(*prefix)).unwrap_or(0) == 0
            }
            _ => false,
        })
    }

    /// The client of a request from `peer`: walking back from the peer, the first address that is
    /// no trusted proxy. An entry that is no address ends the walk.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if self.0.is_empty() || !self.contains(client) {
            return client;
        }
        let lines: Vec<&str> = headers
            .get_all("x-forwarded-for")
            .iter()
            .map(|line| line.to_str().unwrap_or_default())
            .collect();
        for entry in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            let Some(address) = address(entry.trim()) else { break };
            client = address;
            if !self.contains(client) {
                break;
            }
        }
        client
    }
}

/// Whether the first `prefix` bits of `differ` are zero.
fn same(differ: u32, prefix: u8, bits: u32) -> bool {
    prefix == 0 || differ.checked_shr(bits - u32::from(prefix)).unwrap_or(0) == 0
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()))
        .ok()
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use http::HeaderValue;

    use super::*;
    use crate::domain::time::Timestamp;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn client(peer: &str, lines: &[&str]) -> String {
        let trusted = TrustedProxies::new([(ip("10.0.0.0"), 8), (ip("2001:db8::"), 32)]);
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_str(line).unwrap());
        }
        trusted.client(ip(peer), &headers).to_string()
    }

    /// Only what trusted proxies added is believed: a client cannot forge its address.
    #[test]
    fn forwarded_addresses() {
        assert_eq!(client("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("::ffff:10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["203.0.113.9, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["203.0.113.9, 198.51.100.7, 10.0.0.2"]), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["203.0.113.9", "198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["203.0.113.9, nonsense"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
        assert_eq!(client("2001:db8::1", &["[2001:dead::1]:443"]), "2001:dead::1");
        assert_eq!(client("10.0.0.1", &["198.51.100.7:51234"]), "198.51.100.7");
    }

    /// A prefix of zero is everything of its family; a full one is one address.
    #[test]
    fn prefixes() {
        let all = TrustedProxies::new([(ip("0.0.0.0"), 0)]);
        assert!(all.contains(ip("255.1.2.3")) && !all.contains(ip("::1")));
        let one = TrustedProxies::new([(ip("::1"), 128), (ip("192.0.2.1"), 32)]);
        assert!(one.contains(ip("::1")) && !one.contains(ip("::2")));
        assert!(one.contains(ip("192.0.2.1")) && !one.contains(ip("192.0.2.0")));
    }

    /// Ids differ although no system call is made for each.
    #[test]
    fn request_ids_differ() {
        let ids = RequestIds::new(Clock::manual(Timestamp::from_millis(1_700_000_000_000)));
        let made: BTreeSet<_> = (0..1000).map(|_| ids.of(&HeaderMap::new())).collect();
        assert_eq!(made.len(), 1000);
    }

    /// An id of our form is kept; anything else, such as a number, is replaced.
    #[test]
    fn only_our_ids_are_kept() {
        let ids = RequestIds::new(Clock::system());
        let mut headers = HeaderMap::new();
        let ours = "RQ0123456789abcdef0123456789abcdef";
        headers.insert(REQUEST_ID, HeaderValue::from_static(ours));
        assert_eq!(ids.of(&headers).as_str(), ours);
        headers.insert(REQUEST_ID, HeaderValue::from_static("+14155550100"));
        assert!(ids.of(&headers).as_str().starts_with("RQ"));
    }
}
