//! HTTP both ways: a client with a deadline, and a small server.

use std::{net::SocketAddr, time::Duration};

use axum::Router;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// Talks to nodes.
#[derive(Debug, Clone)]
pub(crate) struct Client(Pool<HttpConnector, Full<Bytes>>);

impl Client {
    pub(crate) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(Duration::from_secs(2)));
        connector.set_nodelay(true);
        Self(Pool::builder(TokioExecutor::new()).build(connector))
    }

    /// The answer; `None` where there was none in time.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
        within: Duration,
    ) -> Option<(StatusCode, Bytes)> {
        let exchange = async {
            let (head, body) = self.0.request(request).await.ok()?.into_parts();
            let body = body.collect().await.ok()?.to_bytes();
            Some((head.status, body))
        };
        tokio::time::timeout(within, exchange).await.ok().flatten()
    }
}

/// Serves until the handle is dropped.
pub(crate) async fn serve(router: Router) -> (SocketAddr, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = async move {
        let connections = TaskTracker::new();
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let service = TowerToHyperService::new(router.clone());
            connections.spawn(async move {
                // A node that is killed takes its connections along.
                let _ = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    };
    (address, AbortOnDropHandle::new(TaskTracker::new().spawn(serving)))
}
