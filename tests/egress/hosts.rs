//! The other end: canaries, hosts that say what a test wants, and name servers that lie.

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener as StdListener},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use entremise::egress::{Address, Egress, Options, Request, Resolve, Trust};
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
};

/// The name in the hosts' certificate.
pub(crate) const NAME: &str = "hooks.example";
/// Far more than any test needs, so that only a hang reaches it.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// Listens where nobody may connect, on the same port of both loopback addresses.
pub(crate) struct Canary {
    pub(crate) port: u16,
    listeners: Vec<StdListener>,
}

impl Canary {
    pub(crate) fn new() -> Self {
        let v4 = StdListener::bind("127.0.0.1:0").unwrap();
        let port = v4.local_addr().unwrap().port();
        let mut listeners = vec![v4];
        match StdListener::bind((Ipv6Addr::LOCALHOST, port)) {
            Ok(v6) => listeners.push(v6),
            Err(error) => println!("left out the canary on ::1: {error}"),
        }
        Self { port, listeners }
    }

    /// How many connections there were since the last look.
    pub(crate) fn connects(&self) -> usize {
        let mut seen = 0;
        for listener in &self.listeners {
            listener.set_nonblocking(true).unwrap();
            while listener.accept().is_ok() {
                seen += 1;
            }
        }
        seen
    }
}

/// A name server that gives its answers in turn, the last one for ever.
#[derive(Debug)]
pub(crate) struct Answers {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

impl Answers {
    pub(crate) fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |answer: &&[&str]| answer.iter().map(|ip| ip.parse().unwrap()).collect();
        Arc::new(Self { answers: answers.iter().map(parse).collect(), asked: AtomicUsize::new(0) })
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Resolve for Answers {
    fn resolve(&self, _: String) -> BoxFuture<'_, io::Result<Vec<IpAddr>>> {
        let turn = self.asked.fetch_add(1, Ordering::SeqCst).min(self.answers.len() - 1);
        Box::pin(std::future::ready(Ok(self.answers[turn].clone())))
    }
}

/// A name server that never answers.
#[derive(Debug)]
pub(crate) struct Silence;

impl Resolve for Silence {
    fn resolve(&self, _: String) -> BoxFuture<'_, io::Result<Vec<IpAddr>>> {
        Box::pin(std::future::pending())
    }
}

fn pem(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls").join(name)).unwrap()
}

/// A client that asks `resolver`, believes the tests' authority and may call `allow`.
pub(crate) fn egress(allow: &[SocketAddr], resolver: Arc<dyn Resolve>) -> Egress {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&pem("egress-ca.pem")).unwrap()).unwrap();
    let (allow, trust) = (allow.to_vec(), Trust::Only(Arc::new(roots)));
    Egress::new(Options { allow, resolver, trust, ..Options::default() })
}

/// A small POST.
pub(crate) fn post(address: Address) -> Request {
    Request {
        method: Method::POST,
        address,
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"{}"),
        deadline: LONG,
        answer_max: 64 * 1024,
    }
}

/// What a host says to whoever has sent a request's head.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) first: Vec<u8>,
    /// Said again and again after that, if anything: at this pace, or as fast as it goes.
    pub(crate) then: Vec<u8>,
    pub(crate) pace: Option<Duration>,
    /// Whether the connection is closed at the end, or held.
    pub(crate) close: bool,
}

impl Script {
    /// Says that and closes.
    pub(crate) fn says(answer: impl Into<Vec<u8>>) -> Self {
        Self { first: answer.into(), then: Vec::new(), pace: None, close: true }
    }

    /// A short 200.
    pub(crate) fn good() -> Self {
        Self::says("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    }
}

/// What a host was told on one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// The name in the TLS hello.
    pub(crate) sni: Option<String>,
    /// The request, as it stood on the wire.
    pub(crate) request: String,
}

/// A host; dropping it ends it.
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    told: Arc<Mutex<Vec<Told>>>,
    _tasks: JoinSet<()>,
}

impl Host {
    /// A plain host on 127.0.0.1.
    pub(crate) async fn plain(script: Script) -> Self {
        Self::start("127.0.0.1:0".parse().unwrap(), None, script).await
    }

    /// A host with the certificate `name`.pem.
    pub(crate) async fn tls(address: SocketAddr, name: &str, script: Script) -> Self {
        let certificate = CertificateDer::from_pem_slice(&pem(&format!("{name}.pem"))).unwrap();
        let key = PrivateKeyDer::from_pem_slice(&pem(&format!("{name}.key"))).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        Self::start(address, Some(TlsAcceptor::from(Arc::new(config))), script).await
    }

    async fn start(address: SocketAddr, tls: Option<TlsAcceptor>, script: Script) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        let heard = Arc::clone(&told);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, script, heard) = (tls.clone(), script.clone(), Arc::clone(&heard));
                connections.spawn(async move {
                    let Some(tls) = tls else {
                        return play(stream, None, &script, &heard).await;
                    };
                    if let Ok(stream) = tls.accept(stream).await {
                        let sni = stream.get_ref().1.server_name().map(str::to_owned);
                        play(stream, sni, &script, &heard).await;
                    }
                });
            }
        });
        Self { address, told, _tasks: tasks }
    }

    /// The requests so far.
    pub(crate) fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }
}

/// Reads one request whole, notes it and plays the script.
async fn play<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    sni: Option<String>,
    script: &Script,
    heard: &Mutex<Vec<Told>>,
) {
    let mut request = Vec::new();
    while !whole(&request) {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let request = String::from_utf8(request).unwrap();
    heard.lock().unwrap().push(Told { sni, request });
    // Whoever listens may leave at any time.
    let _ = speak(&mut stream, script).await;
    if script.close {
        let _ = stream.shutdown().await;
    } else {
        std::future::pending::<()>().await;
    }
}

async fn speak<S: AsyncWrite + Unpin>(stream: &mut S, script: &Script) -> io::Result<()> {
    stream.write_all(&script.first).await?;
    stream.flush().await?;
    let mut pace = script.pace.map(interval);
    if let Some(pace) = &mut pace {
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    while !script.then.is_empty() {
        if let Some(pace) = &mut pace {
            pace.tick().await;
        }
        stream.write_all(&script.then).await?;
        stream.flush().await?;
    }
    Ok(())
}

/// Whether a request has its head, and the body that the head announces.
fn whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}
