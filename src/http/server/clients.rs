//! Counts open connections, all of them and those of each client.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::Limits;
use crate::telemetry::metrics;

/// Which bound was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Of all connections.
    Total,
    /// Of one client's.
    Client,
}

impl Refusal {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Client => "client",
        }
    }
}

/// The open connections of one listener.
#[derive(Debug)]
pub(super) struct Clients {
    listener: &'static str,
    most: usize,
    most_each: usize,
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    each: HashMap<IpAddr, usize>,
}

impl Clients {
    pub(super) fn new(listener: &'static str, limits: &Limits) -> Self {
        Self {
            listener,
            most: limits.connections,
            most_each: limits.connections_per_client,
            open: Arc::default(),
        }
    }

    /// Counts a connection of `peer` until the place is dropped; `exempt` from the bound of one
    /// client, but not from that of all.
    pub(super) fn enter(&self, peer: IpAddr, exempt: bool) -> Result<Place, Refusal> {
        let client = client(peer);
        let mut open = lock(&self.open);
        if open.total >= self.most {
            return Err(Refusal::Total);
        }
        let own = open.each.entry(client).or_insert(0);
        if *own >= self.most_each && !exempt {
            return Err(Refusal::Client);
        }
        *own += 1;
        open.total += 1;
        drop(open);
        metrics::connections(self.listener, 1.0);
        Ok(Place { listener: self.listener, client, open: Arc::clone(&self.open) })
    }
}

/// One open connection.
#[derive(Debug)]
pub(super) struct Place {
    listener: &'static str,
    client: IpAddr,
    open: Arc<Mutex<Open>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        metrics::connections(self.listener, -1.0);
        let mut open = lock(&self.open);
        open.total -= 1;
        if let Some(own) = open.each.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                open.each.remove(&self.client);
            }
        }
    }
}

fn lock(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One customer of an IPv6 provider has a whole /64.
pub(super) fn client(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each bound holds, a closed connection frees its place, and nothing is kept of the gone.
    #[test]
    fn bounds_hold() {
        let limits = Limits { connections: 4, connections_per_client: 2, ..Limits::default() };
        let clients = Clients::new("test", &limits);
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = clients.enter(ip("2001:db8::1"), false).unwrap();
        let second = clients.enter(ip("2001:db8::2"), false).unwrap();
        assert_eq!(clients.enter(ip("2001:db8::3"), false).unwrap_err(), Refusal::Client);
        let exempt = clients.enter(ip("2001:db8::3"), true).unwrap();
        drop(exempt);
        drop(first);
        let third = clients.enter(ip("2001:db8::3"), false).unwrap();
        let others = [clients.enter(ip("192.0.2.1"), false), clients.enter(ip("192.0.2.2"), false)];
        assert_eq!(clients.enter(ip("192.0.2.3"), true).unwrap_err(), Refusal::Total);
        drop((second, third, others));
        let open = lock(&clients.open);
        assert_eq!((open.total, open.each.len()), (0, 0));
    }
}
