//! The overview beside a server that runs, with phones: what they did, how the carrier does, and that watching outlives
//! the server's deadlines and holds up no stop.

use std::time::{Duration, Instant};

use entremise::{domain::staff::Role, ids::AccountId};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    logins::invite,
    stop_stage::{BUYER, SELLER, Stage},
    support,
    world::Browser,
};

/// A viewer of an account.
async fn viewer(stage: &Stage, account: &AccountId) -> Browser {
    let relay = &stage.world.running.relay;
    Browser::at(relay, &stage.world.clock)
        .enter(relay, invite("Vic", Some(account), Role::Viewer, ""))
        .await
}

/// Reads until that stands there so often.
async fn read(stream: &mut TcpStream, text: &mut String, mark: &str, times: usize) {
    while text.matches(mark).count() < times {
        let mut piece = vec![0; 16 * 1024];
        let count = stream.read(&mut piece).await.unwrap();
        assert!(count > 0, "it ended:\n{text}");
        text.push_str(&String::from_utf8_lossy(&piece[..count]));
    }
}

/// Texts between two phones are counted as they are passed on, the carrier is told of, and whoever watches by HTTP gets
/// event after event, until the server stops; which does not wait.
#[tokio::test]
async fn a_server_is_watched_until_it_stops() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.service("rides", &["+14155550100", "+14155550101"], json!({})).await;
        let contact = stage.contact("rides").await;
        let viewer = viewer(&stage, &stage.world.account.account).await;
        stage.text(BUYER, &contact.dials[0], "by the fountain").await;
        stage.text(SELLER, &contact.dials[1], "fine by me").await;
        assert_eq!(stage.got(BUYER).await, ["fine by me"]);
        let page = viewer.get("/console/overview").await;
        page.has("<dt>Texts</dt><dd>2</dd>").has("<dt>Open sessions</dt><dd>1</dd>");
        page.has("<th scope=\"row\">sandbox</th><td><span class=\"chip good\">works</span></td>");
        page.has_not("by the fountain");

        let mut stream = TcpStream::connect(stage.world.running.address).await.unwrap();
        let head = format!(
            "GET /console/overview/live HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\n\r\n",
            stage.world.running.address,
            viewer.cookie.as_deref().unwrap(),
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut text = String::new();
        read(&mut stream, &mut text, "event: figures", 1).await;
        assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
        assert!(text.contains("<dt>Texts</dt><dd>2</dd>"), "{text}");
        stage.text(BUYER, &contact.dials[0], "ring twice").await;
        // Longer than a client may take for a head, a body, or to read.
        read(&mut stream, &mut text, "event: figures", 4).await;
        assert!(text.contains("<dt>Texts</dt><dd>3</dd>"), "{text}");
        let stops = Instant::now();
        stage.end(database).await;
        assert!(stops.elapsed() < Duration::from_secs(10), "{:?}", stops.elapsed());
    }
}
