//! Counts by client what may be had so many times in a while, such as wrong codes, for a bounded number of clients.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::domain::time::Timestamp;

/// How many wrong codes a client may send,
pub(super) const WRONG_MAX: u32 = 10;
/// and how often it may be asked for a passkey before it is logged in: each is kept for a while,
pub(super) const ASKED_MAX: u32 = 100;
/// in so long, from the first.
const WHILE: Duration = Duration::from_mins(10);
/// How many clients are remembered; the one that came first is forgotten for a new one.
const CLIENTS_MAX: usize = 4096;

/// Those of late.
#[derive(Debug)]
pub(super) struct Attempts {
    most: u32,
    all: Mutex<HashMap<IpAddr, Wrong>>,
}

#[derive(Debug, Clone, Copy)]
struct Wrong {
    count: u32,
    since: Timestamp,
}

/// One client: an address, or a /64 of IPv6, which is what one customer has.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

impl Attempts {
    /// So many in a while.
    pub(super) fn up_to(most: u32) -> Self {
        Self { most, all: Mutex::default() }
    }

    /// How long the client must wait before it may try again; zero for not at all.
    pub(super) fn wait(&self, address: IpAddr, now: Timestamp) -> Duration {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&client(address))
            .filter(|wrong| wrong.count >= self.most)
            .map_or(Duration::ZERO, |wrong| (wrong.since + WHILE).since(now))
    }

    /// Notes one more.
    pub(super) fn wrong(&self, address: IpAddr, now: Timestamp) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let client = client(address);
        if all.len() >= CLIENTS_MAX && !all.contains_key(&client) {
            all.retain(|_, wrong| now < wrong.since + WHILE);
            if all.len() >= CLIENTS_MAX {
                let first = all.iter().min_by_key(|(_, wrong)| wrong.since).map(|(key, _)| *key);
                first.map(|key| all.remove(&key));
            }
        }
        let wrong = all.entry(client).or_insert(Wrong { count: 0, since: now });
        if now >= wrong.since + WHILE {
            *wrong = Wrong { count: 0, since: now };
        }
        wrong.count = wrong.count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bound is reached by one client's wrong codes, whichever address of its /64 it uses, and
    /// ends by itself; others are not concerned.
    #[test]
    fn a_client_must_wait_and_others_not() {
        let attempts = Attempts::up_to(WRONG_MAX);
        let now = Timestamp::from_millis(1_000_000);
        let [one, same, other]: [IpAddr; 3] =
            ["2001:db8::1", "2001:db8::2", "2001:db8:1::1"].map(|text| text.parse().unwrap());
        for _ in 0..WRONG_MAX {
            assert_eq!(attempts.wait(one, now), Duration::ZERO);
            attempts.wrong(one, now);
        }
        assert_eq!(attempts.wait(same, now), WHILE);
        assert_eq!(attempts.wait(other, now), Duration::ZERO);
        assert_eq!(attempts.wait(one, now + WHILE), Duration::ZERO);
        attempts.wrong(one, now + WHILE);
        assert_eq!(attempts.wait(one, now + WHILE), Duration::ZERO);
    }

    /// However many clients try, no more than the bound are remembered.
    #[test]
    fn memory_is_bounded() {
        let attempts = Attempts::up_to(WRONG_MAX);
        for client in 0..5000_u32 {
            let address = std::net::Ipv4Addr::from(client).into();
            attempts.wrong(address, Timestamp::from_millis(i64::from(client)));
        }
        assert_eq!(attempts.all.lock().unwrap().len(), CLIENTS_MAX);
    }
}
