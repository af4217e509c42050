//! Says which addresses may be connected to; nothing else makes a [`Checked`] one.

use std::net::SocketAddr;

use super::{address::Refused, public::is_public};

/// The port of https: the only one at public addresses.
const HTTPS: u16 = 443;

/// An address that may be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Checked(SocketAddr);

impl Checked {
    pub(super) const fn address(self) -> SocketAddr {
        self.0
    }
}

/// The rule: public addresses by https on 443, and what the operator allows.
#[derive(Debug)]
pub(super) struct Guard {
    allow: Vec<SocketAddr>,
}

impl Guard {
    pub(super) fn new(allow: &[SocketAddr]) -> Self {
        // Flow and scope are not part of what was allowed.
        let plain = |one: &SocketAddr| SocketAddr::new(one.ip(), one.port());
        Self { allow: allow.iter().map(plain).collect() }
    }

    /// # Errors
    /// [`Refused::Inward`], [`Refused::Port`] and [`Refused::Scheme`].
    pub(super) fn check(&self, address: SocketAddr, secure: bool) -> Result<Checked, Refused> {
        if self.allow.contains(&address) {
            Ok(Checked(address))
        } else if !is_public(address.ip()) {
            Err(Refused::Inward)
        } else if !secure {
            Err(Refused::Scheme)
        } else if address.port() != HTTPS {
            Err(Refused::Port)
        } else {
            Ok(Checked(address))
        }
    }

    /// Whether any address may be called on `port`.
    pub(super) fn knows_port(&self, port: u16) -> bool {
        port == HTTPS || self.allow.iter().any(|allowed| allowed.port() == port)
    }
}
