//! The database goes away and comes back: nothing is acknowledged meanwhile, nothing needs a
//! restart afterwards.

use std::{net::SocketAddr, sync::Arc};

use entremise::{config::Secret, domain::policy::Rules};
use http::StatusCode;
use sqlx::postgres::PgConnectOptions;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::{
    market::Market,
    support::{self, World},
};

/// Forwards to a database as long as it is open; cuts every connection when it is shut.
struct Gate {
    address: SocketAddr,
    open: Arc<watch::Sender<bool>>,
    _task: AbortOnDropHandle<()>,
}

impl Gate {
    async fn before(host: String, port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let open = Arc::new(watch::Sender::new(true));
        let state = open.subscribe();
        let task = async move {
            let connections = TaskTracker::new();
            loop {
                let Ok((client, _)) = listener.accept().await else { return };
                let (host, state) = (host.clone(), state.clone());
                connections.spawn(forward(client, host, port, state));
            }
        };
        let task = AbortOnDropHandle::new(TaskTracker::new().spawn(task));
        Self { address, open, _task: task }
    }

    fn set(&self, open: bool) {
        self.open.send_replace(open);
    }
}

async fn forward(mut client: TcpStream, host: String, port: u16, mut open: watch::Receiver<bool>) {
    if !*open.borrow() {
        return;
    }
    let Ok(mut server) = TcpStream::connect((host, port)).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = open.wait_for(|open| !open) => {}
    }
}

/// Without its database the relay answers carriers and the API with 503 and takes in nothing; with
/// it again it goes on by itself.
#[tokio::test]
async fn i25_an_outage_acknowledges_nothing() {
    let Some(server) = support::postgres() else { return };
    let database = support::Database::postgres(&server).await;
    let options: PgConnectOptions = database.url.parse().unwrap();
    let gate = Gate::before(options.get_host().to_owned(), options.get_port()).await;
    let through = options.clone().host("127.0.0.1").port(gate.address.port());
    let mut config = support::settings(&database);
    config.database_url = Secret::new(sqlx::ConnectOptions::to_url_lossy(&through).to_string());
    let world = World::with(config).await;
    let market = Market::open(&world, 2, 2, Rules::new("Bikes".into())).await;
    let session = market.session([0, 1], 0, None).await.unwrap();
    let text = |id: &str| {
        serde_json::json!({
            "event": "message", "id": id, "from": market.people[0].number.expose(),
            "to": session.dials[0].expose(), "text": "Hello", "media": [],
        })
    };
    let first = support::webhook(&world, "message", &text("first")).await;
    assert!(first.status.is_success(), "{:?}", first.status);
    world.running.idle().await;

    gate.set(false);
    let refused = support::webhook(&world, "message", &text("second")).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    let asked = http::Request::get("/api/v1/account")
        .header("host", "relay")
        .header("authorization", format!("Bearer {}", world.account.api_key))
        .body(http_body_util::Full::default())
        .unwrap();
    let answer = support::request(world.running.address, asked).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers.contains_key("retry-after"));

    gate.set(true);
    // As a carrier does: again, until it is taken.
    let mut tries = 0;
    while !support::webhook(&world, "message", &text("second")).await.status.is_success() {
        tries += 1;
        assert!(tries < 50, "the relay does not come back");
    }
    world.running.idle().await;
    let phone = market.people[1].phone;
    let got = world.network.seen(phone).unwrap();
    assert_eq!(got.received().count(), 2, "each text once");
    assert_eq!(support::interactions(&world).await.len(), 2);
    world.running.shutdown().await;
    database.drop().await;
}
