//! Names: looked up once, every answer judged, and the connection goes to a judged one.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use entremise::egress::{Failure, Refused, Resolve, System};
use futures_util::future::BoxFuture;

use super::{
    hosts::{Answers, Canary, Host, NAME, Script, Silence, egress, post},
    support,
};

/// A host on 127.0.0.2, which stands for "outside", and a canary on 127.0.0.1 on the same port,
/// which stands for "inside". Nothing where there is no such address.
async fn outside_and_canary() -> Option<(Host, std::net::TcpListener)> {
    let outside = SocketAddr::from(([127, 0, 0, 2], 0));
    if let Err(error) = std::net::TcpListener::bind(outside) {
        println!("left out: 127.0.0.2 is no address here: {error}");
        return None;
    }
    for _ in 0..20 {
        let host = Host::tls(outside, "egress", Script::good()).await;
        let inside = SocketAddr::from(([127, 0, 0, 1], host.address.port()));
        if let Ok(canary) = std::net::TcpListener::bind(inside) {
            canary.set_nonblocking(true).unwrap();
            return Some((host, canary));
        }
    }
    panic!("no port was free on both addresses");
}

/// I22: a name server that says a good address first and loopback ever after reaches nobody
/// inside: one look-up a request, and the connection goes to what was judged.
#[tokio::test]
async fn i22_a_name_that_changes_its_mind() {
    let Some((host, canary)) = outside_and_canary().await else { return };
    let answers = Answers::new(&[&["127.0.0.2"], &["127.0.0.1"]]);
    let egress = egress(&[host.address], answers.clone());
    let url = format!("https://{NAME}:{}/hook?a=b", host.address.port());
    let address = egress.accept(&url).unwrap();

    let answer = egress.send(post(address.clone())).await.unwrap();
    assert_eq!((answer.status.as_u16(), &*answer.body), (200, &b"ok"[..]));
    assert_eq!(answers.asked(), 1, "a second look-up may have another answer");
    for _ in 0..3 {
        let refused = egress.send(post(address.clone())).await.unwrap_err();
        assert_eq!(refused, Failure::Refused(Refused::Inward));
    }
    assert_eq!(answers.asked(), 4);
    assert!(canary.accept().is_err(), "somebody came inside");
    let told = host.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].sni.as_deref(), Some(NAME), "the name is asked for, not the address");
    assert!(told[0].request.contains(&format!("\r\nhost: {NAME}:{}\r\n", host.address.port())));
}

/// I22: a name with one inner address among good ones is refused whole, wherever it stands: which
/// address is connected to must not depend on order, or on which of them answers.
#[tokio::test]
async fn i22_one_inner_address_refuses_the_name() {
    let Some((host, canary)) = outside_and_canary().await else { return };
    let url = format!("https://{NAME}:{}/", host.address.port());
    for answer in [
        &["127.0.0.2", "127.0.0.1"][..],
        &["127.0.0.1", "127.0.0.2"],
        &["127.0.0.2", "127.0.0.2", "127.0.0.2", "127.0.0.2", "127.0.0.2", "::1"],
        &["127.0.0.2", "::ffff:127.0.0.2"],
        // Public, but not on this port.
        &["127.0.0.2", "1.1.1.1"],
    ] {
        let egress = egress(&[host.address], Answers::new(&[answer]));
        let refused = egress.send(post(egress.accept(&url).unwrap())).await.unwrap_err();
        assert!(matches!(refused, Failure::Refused(_)), "{answer:?}: {refused}");
        assert!(refused.certainly_not_sent());
    }
    assert!(canary.accept().is_err(), "somebody came inside");
    assert_eq!(host.told(), []);
}

/// A host that is down is passed over for the next address of its name.
#[tokio::test]
async fn the_next_address_is_tried() {
    let Some((host, canary)) = outside_and_canary().await else { return };
    drop(canary);
    let closed = SocketAddr::from(([127, 0, 0, 1], host.address.port()));
    let answers = Answers::new(&[&["127.0.0.1", "127.0.0.2"]]);
    let egress = egress(&[closed, host.address], answers);
    let url = format!("https://{NAME}:{}/", host.address.port());
    assert!(egress.send(post(egress.accept(&url).unwrap())).await.is_ok());
}

/// Nothing is sent to a host whose certificate is another's or nobody's, to a name without
/// addresses, or to a closed port; and the failure says so.
#[tokio::test]
async fn nothing_is_sent_to_the_wrong_host() {
    let loopback = "127.0.0.1:0".parse().unwrap();
    let ours = Host::tls(loopback, "egress", Script::good()).await;
    let foreign = Host::tls(loopback, "a", Script::good()).await;
    let plain = Host::plain(Script::good()).await;
    let closed = std::net::TcpListener::bind(loopback).unwrap().local_addr().unwrap();
    let url = |name: &str, at: SocketAddr| format!("https://{name}:{}/", at.port());
    for (url, at, answer, expected) in [
        (url("other.example", ours.address), ours.address, "127.0.0.1", Failure::Untrusted),
        (url(NAME, foreign.address), foreign.address, "127.0.0.1", Failure::Untrusted),
        (format!("https://{}/", ours.address), ours.address, "", Failure::Untrusted),
        (url(NAME, closed), closed, "127.0.0.1", Failure::Unreachable),
        (url(NAME, ours.address), ours.address, "", Failure::Unreachable),
    ] {
        let answer: Vec<&str> = answer.split_whitespace().collect();
        let egress = egress(&[at], Answers::new(&[&answer]));
        let failure = egress.send(post(egress.accept(&url).unwrap())).await.unwrap_err();
        assert_eq!(failure, expected, "{url}");
        assert!(failure.certainly_not_sent());
    }
    assert_eq!((ours.told(), foreign.told(), plain.told()), (vec![], vec![], vec![]));
}

/// A name server that never answers costs no more than the deadline, and nothing was sent.
#[tokio::test]
async fn a_silent_name_server_is_cut_off() {
    let egress = egress(&[], Arc::new(Silence));
    let mut request = post(egress.accept("https://hooks.example/").unwrap());
    request.deadline = std::time::Duration::from_millis(100);
    assert_eq!(egress.send(request).await.unwrap_err(), Failure::Unreachable);
}

/// The system's own look-up, where every name is this machine's.
#[derive(Debug)]
struct Here(System);

impl Resolve for Here {
    fn resolve(&self, _: String) -> BoxFuture<'_, io::Result<Vec<IpAddr>>> {
        self.0.resolve("localhost".into())
    }
}

/// I22: what the system's own look-up says is judged like any other answer.
#[tokio::test]
async fn i22_the_systems_answers_are_judged() {
    let canary = Canary::new();
    let elsewhere = SocketAddr::from(([192, 0, 2, 77], canary.port));
    let egress = egress(&[elsewhere], Arc::new(Here(System::default())));
    let address = egress.accept(&format!("https://{NAME}:{}/", canary.port)).unwrap();
    let refused = egress.send(post(address)).await.unwrap_err();
    assert_eq!(refused, Failure::Refused(Refused::Inward));
    assert_eq!(canary.connects(), 0);
}

/// What the settings allow is what the running relay's client may call.
#[tokio::test]
async fn the_settings_reach_the_client() {
    let database = support::databases().await.remove(0);
    let host = Host::plain(Script::good()).await;
    let mut config = support::settings(&database);
    config.egress_allow = vec![host.address];
    let world = support::World::with(config).await;
    let egress = world.running.relay.egress();
    let address = egress.accept(&format!("http://{}/", host.address)).unwrap();
    assert_eq!(egress.send(post(address)).await.unwrap().status, 200);
    assert_eq!(egress.accept("http://127.0.0.1:1/").unwrap_err(), Refused::Inward);
    let rendered = entremise::telemetry::metrics::handle().render();
    let counted = "entremise_egress_requests_total{outcome=\"answered\"}";
    assert!(rendered.contains(counted), "{rendered}");
    world.running.shutdown().await;
    database.drop().await;
}
