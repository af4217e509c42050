//! Why an address can't be reached: the name, the connection, the certificate or the answer.

use std::{io, sync::Arc, time::Duration};

use hyper_rustls::ConfigBuilderExt as _;
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        CertificateError, ClientConfig, Error as TlsError, crypto::ring::default_provider,
        pki_types::ServerName,
    },
};

/// How long each step may take.
const STEP_MAX: Duration = Duration::from_secs(5);

/// What kept an answer away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It is no address.
    Address,
    /// Its name does not resolve.
    Name,
    /// Nothing takes the connection.
    Connection,
    /// Its certificate is not trusted.
    Certificate,
    /// It does not speak TLS.
    Tls,
    /// All of that works, and no answer came.
    Answer,
}

/// Goes the way of a request step by step; which step fails and how, without path or query.
pub(super) async fn why(address: &str) -> (Step, String) {
    let Ok(url) = url::Url::parse(address) else {
        return (Step::Address, "the address can't be read".into());
    };
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return (Step::Address, "the address names no host".into());
    };
    let bare = host.trim_matches(['[', ']']);
    let found = tokio::time::timeout(STEP_MAX, lookup_host((bare, port))).await;
    let Ok(Ok(addresses)) = found else {
        return (Step::Name, format!("the name {host} does not resolve"));
    };
    let addresses: Vec<_> = addresses.collect();
    let stream = match tokio::time::timeout(STEP_MAX, TcpStream::connect(&addresses[..])).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            return (Step::Connection, format!("no connection to {host}:{port}: {error}"));
        }
        Err(_) => {
            let text = format!("no connection to {host}:{port} within {} s", STEP_MAX.as_secs());
            return (Step::Connection, text);
        }
    };
    if url.scheme() == "https"
        && let Err((step, text)) = shake_hands(bare, stream).await
    {
        return (step, format!("{host}:{port}: {text}"));
    }
    (Step::Answer, format!("{host}:{port} takes connections and did not answer in time"))
}

async fn shake_hands(host: &str, stream: TcpStream) -> Result<(), (Step, String)> {
    let broken = |text: &str| (Step::Tls, text.to_owned());
    let name = ServerName::try_from(host.to_owned()).map_err(|_| broken("no name for TLS"))?;
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| broken("no version of TLS"))?
        .with_webpki_roots()
        .with_no_client_auth();
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
    match tokio::time::timeout(STEP_MAX, handshake).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(read(&error)),
        Err(_) => Err(broken("the TLS handshake did not end in time")),
    }
}

fn read(error: &io::Error) -> (Step, String) {
    let certificate = |text: &str| (Step::Certificate, format!("the TLS certificate {text}"));
    match error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
        Some(TlsError::InvalidCertificate(fault)) => match fault {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                certificate("has expired")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                certificate("is not valid yet")
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                certificate("is for other names")
            }
            CertificateError::UnknownIssuer => certificate(
                "is signed by nobody that the web trusts, or an intermediate one is missing",
            ),
            other => certificate(&format!("is not trusted: {other}")),
        },
        _ => (Step::Tls, format!("no TLS: {error}")),
    }
}
