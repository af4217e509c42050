//! The certificate, read again when its files change.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use ring::digest;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::ring::default_provider,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
};
use tokio_util::sync::CancellationToken;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Why a certificate cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{0} cannot be read: {1}")]
    Read(PathBuf, #[source] std::io::Error),
    /// A file is not PEM, or lacks what it should hold.
    #[error("{0} is no PEM file with a {1}")]
    Pem(PathBuf, &'static str),
    /// The key is not the certificate's, or a kind that is not supported.
    #[error("the certificate and the key do not fit: {0}")]
    Pair(#[from] rustls::Error),
}

/// A certificate and its key, from two PEM files. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Tls(Arc<Files>);

struct Files {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<ServerConfig>>,
    /// Of the files when they were last looked at, good or bad.
    seen: Mutex<Option<Digest>>,
}

type Digest = Vec<u8>;

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tls({})", self.0.certificate.display())
    }
}

impl Tls {
    /// Reads a certificate chain and its private key.
    ///
    /// # Errors
    /// [`TlsError`] where either cannot be used.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let (config, digest) = read(certificate, key)?;
        let config = config?;
        Ok(Self(Arc::new(Files {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            current: RwLock::new(Arc::new(config)),
            seen: Mutex::new(Some(digest)),
        })))
    }

    /// Reads the files again; true if there is a new certificate.
    ///
    /// # Errors
    /// [`TlsError`] where the files cannot be used: then the old certificate stays. The same bad
    /// files are an error only once.
    pub fn refresh(&self) -> Result<bool, TlsError> {
        let files = &*self.0;
        let mut seen = files.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (config, digest) = match read(&files.certificate, &files.key) {
            Ok(read) => read,
            Err(error) => return if seen.take().is_some() { Err(error) } else { Ok(false) },
        };
        if seen.as_ref() == Some(&digest) {
            return Ok(false);
        }
        *seen = Some(digest);
        let config = Arc::new(config?);
        *files.current.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(true)
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let current = self.0.current.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&current))
    }

    /// Refreshes every five seconds, until `stop`.
    pub(super) async fn watch(&self, stop: &CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            let tls = self.clone();
            match tokio::task::spawn_blocking(move || tls.refresh()).await {
                Ok(Ok(true)) => tracing::info!("a new certificate is served"),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the new certificate cannot be used; the old one stays");
                }
                Ok(Ok(false)) | Err(_) => {}
            }
        }
    }
}

type Read = (Result<ServerConfig, TlsError>, Digest);

fn read(certificate: &Path, key: &Path) -> Result<Read, TlsError> {
    let file =
        |path: &Path| std::fs::read(path).map_err(|error| TlsError::Read(path.to_owned(), error));
    let chain = file(certificate)?;
    let secret = file(key)?;
    let mut digest = digest::Context::new(&digest::SHA256);
    for part in [&chain, &secret] {
        digest.update(&part.len().to_be_bytes());
        digest.update(part);
    }
    let digest = digest.finish().as_ref().to_vec();
    Ok((config((certificate, &chain), (key, &secret)), digest))
}

fn config(
    (chain_path, chain): (&Path, &[u8]),
    (key_path, key): (&Path, &[u8]),
) -> Result<ServerConfig, TlsError> {
    let chain = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<Vec<_>, _>>()
        .ok()
        .filter(|chain| !chain.is_empty())
        .ok_or_else(|| TlsError::Pem(chain_path.to_owned(), "certificate"))?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| TlsError::Pem(key_path.to_owned(), "private key"))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
