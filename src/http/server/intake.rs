//! Who is being answered: so many requests of each surface at once, and so many bodies that are
//! waited for.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed},
    },
};

use super::{Limits, clients};

/// What one surface may take of [`Limits::in_flight`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// What the surface's paths begin with.
    pub prefix: &'static str,
    /// Of a hundred requests. What is left over is everybody else's.
    pub percent: usize,
}

/// The running requests of one listener.
#[derive(Debug)]
pub(super) struct Intake {
    surfaces: Vec<Surface>,
    waits: Mutex<Waits>,
    waits_most: usize,
    waits_each: usize,
}

/// Bodies that are waited for: no handler runs meanwhile.
#[derive(Debug, Default)]
struct Waits {
    total: usize,
    each: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Surface {
    prefix: &'static str,
    most: usize,
    running: AtomicUsize,
}

impl Intake {
    pub(super) fn new(limits: &Limits) -> Self {
        let part = |percent: usize| (limits.in_flight * percent / 100).max(1);
        let surface =
            |prefix, percent| Surface { prefix, most: part(percent), running: AtomicUsize::new(0) };
        let left =
            limits.shares.iter().fold(100, |left: usize, one| left.saturating_sub(one.percent));
        let mut surfaces: Vec<_> =
            limits.shares.iter().map(|one| surface(one.prefix, one.percent)).collect();
        // Every path begins with nothing: the last one takes the rest.
        surfaces.push(surface("", left));
        Self {
            surfaces,
            waits: Mutex::default(),
            waits_most: limits.connections,
            waits_each: limits.connections_per_client,
        }
    }

    /// A place for a request of `client`; nothing where its surface has none.
    pub(super) fn enter(self: &Arc<Self>, path: &str, client: IpAddr) -> Option<Arc<Place>> {
        let surface = self.surfaces.iter().position(|one| path.starts_with(one.prefix))?;
        let client = clients::client(client);
        // Dropping a place gives it back: also one too many.
        let place = Arc::new(Place {
            intake: Arc::clone(self),
            surface,
            client,
            state: AtomicU8::new(RUNNING),
        });
        let own = &self.surfaces[surface];
        (own.running.fetch_add(1, Relaxed) < own.most).then_some(place)
    }

    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const RUNNING: u8 = 0;
const WAITING: u8 = 1;
const REFUSED: u8 = 2;

/// One request's place. While its body is waited for it is no running request: else as many slow
/// clients as requests may run would keep everybody out.
#[derive(Debug)]
pub(super) struct Place {
    intake: Arc<Intake>,
    surface: usize,
    client: IpAddr,
    /// Changed by the body's reader and its end only, one after the other.
    state: AtomicU8,
}

impl Place {
    /// The body is waited for. False where this client, or all of them, let us wait for too many.
    pub(super) fn wait(&self) -> bool {
        match self.state.load(Relaxed) {
            WAITING => return true,
            REFUSED => return false,
            _ => {}
        }
        let mut waits = self.intake.waits();
        let own = waits.each.get(&self.client).copied().unwrap_or_default();
        if own >= self.intake.waits_each || waits.total >= self.intake.waits_most {
            self.state.store(REFUSED, Relaxed);
            return false;
        }
        waits.total += 1;
        waits.each.insert(self.client, own + 1);
        drop(waits);
        self.state.store(WAITING, Relaxed);
        self.running().fetch_sub(1, Relaxed);
        true
    }

    /// Some of the body has come. It goes on even where others have taken all places meanwhile: what
    /// was begun is ended.
    pub(super) fn go_on(&self) {
        if self.state.load(Relaxed) == WAITING {
            self.leave();
            self.state.store(RUNNING, Relaxed);
            self.running().fetch_add(1, Relaxed);
        }
    }

    /// Whether the body was refused.
    pub(super) fn refused(&self) -> bool {
        self.state.load(Relaxed) == REFUSED
    }

    fn running(&self) -> &AtomicUsize {
        &self.intake.surfaces[self.surface].running
    }

    fn leave(&self) {
        let mut waits = self.intake.waits();
        waits.total -= 1;
        if let Some(own) = waits.each.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                waits.each.remove(&self.client);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.state.load(Relaxed) == WAITING {
            self.leave();
        } else {
            self.running().fetch_sub(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARES: &[Share] =
        &[Share { prefix: "/hooks/", percent: 50 }, Share { prefix: "/api/", percent: 25 }];

    fn intake(in_flight: usize, waits: usize) -> Arc<Intake> {
        Arc::new(Intake::new(&Limits {
            in_flight,
            connections_per_client: waits,
            shares: SHARES,
            ..Limits::default()
        }))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// I24: a surface that is full takes no place of another, and its places come back.
    #[test]
    fn i24_a_full_surface_takes_no_others_place() {
        let intake = intake(8, 8);
        let enter = |path| intake.enter(path, ip("192.0.2.1"));
        let api: Vec<_> = (0..2).map(|_| enter("/api/v1/sessions").unwrap()).collect();
        assert!(enter("/api/v1/sessions").is_none());
        let hooks: Vec<_> = (0..4).map(|_| enter("/hooks/a/call").unwrap()).collect();
        assert!(enter("/hooks/a/call").is_none());
        let rest: Vec<_> = (0..2).map(|_| enter("/console").unwrap()).collect();
        assert!(enter("/docs").is_none());
        drop((api, hooks, rest));
        assert!(enter("/api/v1/sessions").is_some());
        assert!(intake.surfaces.iter().all(|one| one.running.load(Relaxed) == 0));
    }

    /// I24: who waits for a body takes no place, one client has so many such bodies, and nothing is
    /// kept of the gone.
    #[test]
    fn i24_waiting_for_a_body_takes_no_place() {
        let intake = intake(2, 2);
        let enter = |client| intake.enter("/hooks/a/call", ip(client));
        let first = enter("2001:db8::1").unwrap();
        assert!(enter("2001:db8::2").is_none());
        assert!(first.wait() && first.wait());
        let second = enter("2001:db8::2").unwrap();
        assert!(second.wait());
        let third = enter("2001:db8::3").unwrap();
        assert!(!third.wait() && third.refused(), "a third body of one /64 is waited for");
        assert!(enter("192.0.2.1").is_none(), "who is refused runs until it is answered");
        drop(third);
        let other = enter("192.0.2.1").unwrap();
        assert!(other.wait());
        first.go_on();
        assert!(enter("192.0.2.2").is_none());
        drop((first, second, other));
        let waits = intake.waits();
        assert_eq!((waits.total, waits.each.len()), (0, 0));
        drop(waits);
        assert!(intake.surfaces.iter().all(|one| one.running.load(Relaxed) == 0));
    }
}
