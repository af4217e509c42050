//! An address that others gave us, judged by its form.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use http::uri::PathAndQuery;
use url::{Host as UrlHost, Position, Url};

use super::guard::Guard;

/// The longest address, in bytes.
pub(super) const LENGTH_MAX: usize = 2048;
/// The longest name, in bytes, and the longest of its labels.
const NAME_MAX: usize = 253;
const LABEL_MAX: usize = 63;

/// Names that end so are not of the public name system, or mean different hosts to different
/// askers. What they lead to is checked all the same; this says so when they are registered.
const PRIVATE_ENDINGS: &[&str] = &[
    "alt",
    "arpa",
    "corp",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "onion",
    "private",
    "test",
];

/// Why an address may not be called. The words fit behind "the address".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// More than 2,048 bytes.
    #[error("must have at most 2048 bytes")]
    TooLong,
    /// Not an absolute URL, or one that is read as another host than a person would read.
    #[error(
        "must be an absolute URL in plain ASCII, its host written as it is read: no spaces, no \
         backslash, no escapes in the host, international names as xn--"
    )]
    Unreadable,
    /// Neither https nor, for an allowed address, http.
    #[error("must begin with https://")]
    Scheme,
    /// A user or a password.
    #[error("must hold no user and no password")]
    Credentials,
    /// A fragment.
    #[error("must have no fragment")]
    Fragment,
    /// A name that is not of the public name system.
    #[error("must name a host by its full public name, without a dot at its end")]
    Name,
    /// Not port 443, nor that of an allowed address.
    #[error("must use port 443")]
    Port,
    /// It is, or its name leads to, an address that is not public and not allowed.
    #[error("must lead to public addresses only")]
    Inward,
}

/// The host of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    /// A name, lower case.
    Name(String),
    /// An address by itself.
    Ip(IpAddr),
}

/// An address whose form was accepted. It may hold a secret in its path or query, so `Debug` and
/// `Display` show its origin only.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    text: String,
    pub(super) secure: bool,
    pub(super) host: Host,
    pub(super) port: u16,
    /// `Host` of a request: with the port where it is not the scheme's own.
    pub(super) authority: String,
    pub(super) target: PathAndQuery,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority)
    }
}

impl Address {
    /// The whole address, path and query included, as it is kept.
    pub fn expose(&self) -> &str {
        &self.text
    }

    pub(super) fn parse(text: &str, guard: &Guard) -> Result<Self, Refused> {
        if text.len() > LENGTH_MAX {
            return Err(Refused::TooLong);
        }
        // The parser drops tabs, reads `\` as `/` and folds look-alikes of dots and digits.
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return Err(Refused::Unreadable);
        }
        let url = Url::parse(text).map_err(|_| Refused::Unreadable)?;
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(Refused::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Credentials);
        }
        if url.fragment().is_some() {
            return Err(Refused::Fragment);
        }
        let port = url.port_or_known_default().ok_or(Refused::Port)?;
        let host = match url.host().ok_or(Refused::Unreadable)? {
            UrlHost::Domain(name) => Host::Name(name.to_owned()),
            UrlHost::Ipv4(ip) => Host::Ip(ip.into()),
            UrlHost::Ipv6(ip) => Host::Ip(ip.into()),
        };
        judge(&host, secure, port, guard)?;
        if !written_as_read(text, &url, port) {
            return Err(Refused::Unreadable);
        }
        // As it is kept: characters that must be escaped are longer then.
        if url.as_str().len() > LENGTH_MAX {
            return Err(Refused::TooLong);
        }
        let authority = url[Position::BeforeHost..Position::AfterPort].to_owned();
        let target = url[Position::BeforePath..Position::AfterQuery].parse();
        let target = target.map_err(|_| Refused::Unreadable)?;
        Ok(Self { text: url.into(), secure, host, port, authority, target })
    }
}

/// What the host alone tells.
fn judge(host: &Host, secure: bool, port: u16, guard: &Guard) -> Result<(), Refused> {
    match host {
        Host::Ip(ip) => guard.check(SocketAddr::new(*ip, port), secure).map(|_| ()),
        Host::Name(name) if !(secure || guard.is_plain() && name == "localhost") => {
            Err(Refused::Scheme)
        }
        Host::Name(name) if !guard.is_operators() && !public_name(name) => Err(Refused::Name),
        Host::Name(_) if !guard.knows_port(port) => Err(Refused::Port),
        Host::Name(_) => Ok(()),
    }
}

fn public_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=LABEL_MAX).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let Some((_, ending)) = name.rsplit_once('.') else { return false };
    name.len() <= NAME_MAX
        && name.split('.').all(label)
        && !ending.bytes().all(|byte| byte.is_ascii_digit())
        && !PRIVATE_ENDINGS.contains(&ending)
}

/// Whether the text has the host where a person looks for it, letter by letter: not escaped, not
/// in another notation of the same address, not behind more or fewer slashes.
fn written_as_read(text: &str, url: &Url, port: u16) -> bool {
    let host = url.host_str().unwrap_or_default();
    let written = text
        .split_once("://")
        .map(|(scheme, rest)| (scheme, rest.split(['/', '?']).next().unwrap_or_default()));
    written.is_some_and(|(scheme, authority)| {
        scheme.eq_ignore_ascii_case(url.scheme())
            && (authority.eq_ignore_ascii_case(host)
                || authority.eq_ignore_ascii_case(&format!("{host}:{port}")))
    })
}
