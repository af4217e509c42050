//! Says which addresses may be connected to; nothing else makes a [`Checked`] one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{address::Refused, public::is_public};

/// How far connections may lead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reach {
    /// To public addresses by https on 443, and to what is allowed beside: for what strangers named.
    #[default]
    Public,
    /// Anywhere by https, inner networks and other ports too: for what the operator named.
    Operators {
        /// Whether without TLS to this machine itself too: for development.
        plain: bool,
    },
}

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

/// The rule: public addresses by https on 443, and what the operator allows; or those of [`Reach::Operators`].
#[derive(Debug)]
pub(super) struct Guard {
    allow: Vec<SocketAddr>,
    reach: Reach,
}

impl Guard {
    pub(super) fn new(allow: &[SocketAddr], reach: Reach) -> Self {
        // Flow and scope are not part of what was allowed.
        let plain = |one: &SocketAddr| SocketAddr::new(one.ip(), one.port());
        Self { allow: allow.iter().map(plain).collect(), reach }
    }

    /// # Errors
    /// [`Refused::Inward`], [`Refused::Port`] and [`Refused::Scheme`].
    pub(super) fn check(&self, address: SocketAddr, secure: bool) -> Result<Checked, Refused> {
        if self.allow.contains(&address) {
            return Ok(Checked(address));
        }
        if let Reach::Operators { plain } = self.reach {
            return match (address.ip(), secure) {
                (ip, _) if is_nobodys(ip) => Err(Refused::Inward),
                (ip, false) if !(plain && ip.is_loopback()) => Err(Refused::Scheme),
                _ => Ok(Checked(address)),
            };
        }
        if !is_public(address.ip()) {
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
        port == HTTPS
            || self.is_operators()
            || self.allow.iter().any(|allowed| allowed.port() == port)
    }

    /// Whether names of inner networks are called too.
    pub(super) const fn is_operators(&self) -> bool {
        matches!(self.reach, Reach::Operators { .. })
    }

    /// Whether this machine is called by its name without TLS.
    pub(super) const fn is_plain(&self) -> bool {
        matches!(self.reach, Reach::Operators { plain: true })
    }
}

/// Addresses that no host of an operator has: of many, of none, or where clouds answer whoever asks from within.
fn is_nobodys(ip: IpAddr) -> bool {
    let of_v4 = |ip: Ipv4Addr| ip.is_unspecified() || ip.is_multicast() || ip.is_link_local();
    match ip.to_canonical() {
        IpAddr::V4(ip) => of_v4(ip) || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unspecified() || ip.is_multicast() || ip.is_unicast_link_local(),
    }
}
