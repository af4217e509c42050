//! The HTTP client of an S3 store: the same TLS as everywhere, no redirects, bounded answers.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector as Tcp},
    rt::{TokioExecutor, TokioTimer},
};
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
        HttpResponse, HttpService,
    },
};
use std::time::Duration;

use crate::domain::media::FETCHED_MAX;

/// How long connecting may take.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// The longest answer, in bytes: the longest file that is kept, what its seal adds, and some more.
const ANSWER_MAX: usize = FETCHED_MAX + 64 * 1024;

/// Makes the client.
#[derive(Debug)]
pub(super) struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Web::new()))
    }
}

#[derive(Debug)]
struct Web {
    pool: Pool<HttpsConnector<Tcp>, HttpRequestBody>,
}

impl Web {
    fn new() -> Self {
        let mut tcp = Tcp::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_MAX));
        tcp.set_nodelay(true);
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(https);
        Self { pool }
    }

    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = self.pool.request(request).await.map_err(|error| {
            let kind = if error.is_connect() {
                HttpErrorKind::Connect
            } else {
                HttpErrorKind::Interrupted
            };
            HttpError::new(kind, error)
        })?;
        let (head, body) = answer.into_parts();
        let body: Bytes = Limited::new(body, ANSWER_MAX)
            .collect()
            .await
            .map_err(|error| HttpError::new_boxed(HttpErrorKind::Interrupted, error))?
            .to_bytes();
        Ok(HttpResponse::from_parts(head, body.into()))
    }
}

impl HttpService for Web {
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> BoxFuture<'b, Result<HttpResponse, HttpError>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(self.ask(request))
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;
    use crate::privacy::DataKey;

    /// The longest file that is kept comes back whole, sealed as it is; one that is longer does not.
    #[tokio::test]
    async fn the_longest_file_comes_back() {
        let sealed = DataKey::generate().seal_file(&vec![7; FETCHED_MAX], "of a test").len();
        for (length, whole) in [(sealed, true), (ANSWER_MAX + 1, false)] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = format!("http://{}/file", listener.local_addr().unwrap());
            let serve = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let read = stream.read(&mut [0; 1024]).await.unwrap();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                stream.write_all(head.as_bytes()).await.unwrap();
                // Whoever has had enough hangs up.
                let sent = stream.write_all(&vec![7; length]).await.is_ok();
                (read, sent)
            };
            let client = Connector.connect(&ClientOptions::default()).unwrap();
            let request = http::Request::get(&address).body(HttpRequestBody::empty()).unwrap();
            let ask = async {
                let answer = client.execute(request).await.ok()?;
                let body = answer.into_body().bytes().await.ok()?;
                Some(body.len())
            };
            let ((read, _), answer) = tokio::join!(serve, ask);
            assert!(read > 0);
            assert_eq!(answer, whole.then_some(length));
        }
    }
}
