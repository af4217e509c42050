//! From an address to a connection: the name is looked up once, and every answer is judged.

use std::{fmt, io, net::SocketAddr, sync::Arc};

use hyper_rustls::ConfigBuilderExt as _;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, timeout_at},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{self, ClientConfig, RootCertStore, client::Resumption, pki_types::ServerName},
};

use super::{
    Address, Failure, Refused,
    address::Host,
    guard::{Checked, Guard},
    resolve::Resolve,
};

/// How many of a name's addresses are tried.
const TRIES: usize = 4;

/// Whose certificates are believed.
#[derive(Debug, Clone, Default)]
pub enum Trust {
    /// The web's certificate authorities.
    #[default]
    Web,
    /// These alone: for tests.
    Only(Arc<RootCertStore>),
}

/// A connection, with or without TLS.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

pub(super) type Stream = Box<dyn Wire>;

/// Makes connections.
#[derive(Clone)]
pub(super) struct Connector {
    resolver: Arc<dyn Resolve>,
    tls: TlsConnector,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connector({:?})", self.resolver)
    }
}

impl Connector {
    pub(super) fn new(resolver: Arc<dyn Resolve>, trust: Trust) -> Self {
        let tls = ClientConfig::builder();
        let tls = match trust {
            Trust::Web => tls.with_webpki_roots(),
            Trust::Only(roots) => tls.with_root_certificates(roots),
        };
        let mut tls = tls.with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Two requests share nothing, not even for two accounts of one host.
        tls.resumption = Resumption::disabled();
        Self { resolver, tls: TlsConnector::from(Arc::new(tls)) }
    }

    /// Connects to a checked address of the host, until `end`.
    ///
    /// # Errors
    /// Those of [`Failure`] where nothing was sent.
    pub(super) async fn connect(
        &self,
        address: &Address,
        guard: &Guard,
        end: Instant,
    ) -> Result<Stream, Failure> {
        let checked = self.checked(address, guard).await?;
        let stream = dial(&checked, end).await?;
        if !address.secure {
            return Ok(Box::new(stream));
        }
        let name = match &address.host {
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| Refused::Name)?,
            Host::Ip(ip) => ServerName::from(*ip),
        };
        match self.tls.connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(handshake_failure(&error)),
        }
    }

    /// The host's addresses, all of them checked: one that may not be called refuses the name. A
    /// name with an inner address beside a public one is an attack or a mistake, and which of the
    /// two is connected to must not be a matter of order or of which is up.
    async fn checked(&self, address: &Address, guard: &Guard) -> Result<Vec<Checked>, Failure> {
        let found = match &address.host {
            Host::Ip(ip) => vec![*ip],
            Host::Name(name) => {
                self.resolver.resolve(name.clone()).await.map_err(|_| Failure::Unreachable)?
            }
        };
        let check = |ip| guard.check(SocketAddr::new(ip, address.port), address.secure);
        Ok(found.into_iter().map(check).collect::<Result<_, _>>()?)
    }
}

/// Tries the first few addresses in turn, each with its share of the time that is left.
async fn dial(addresses: &[Checked], end: Instant) -> Result<TcpStream, Failure> {
    let tries = addresses.len().min(TRIES);
    for (address, left) in addresses.iter().zip((1..=tries).rev()) {
        let now = Instant::now();
        let share = end.saturating_duration_since(now) / u32::try_from(left).unwrap_or(u32::MAX);
        let connecting = TcpStream::connect(address.address());
        if let Ok(Ok(stream)) = timeout_at(now + share, connecting).await {
            // A failure costs speed only.
            let _ = stream.set_nodelay(true);
            return Ok(stream);
        }
    }
    Err(Failure::Unreachable)
}

fn handshake_failure(error: &io::Error) -> Failure {
    match error.get_ref() {
        Some(inner) if inner.is::<rustls::Error>() => Failure::Untrusted,
        _ => Failure::Unreachable,
    }
}
