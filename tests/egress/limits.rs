//! Hosts that dawdle, flood, stop or talk nonsense are cut off, and the failure says which it was.

use std::time::Duration;

use entremise::egress::Failure;
use tokio::time::Instant;

use super::hosts::{Answers, Host, LONG, Script, egress, post};

const SHORT: Duration = Duration::from_millis(250);
const PACE: Option<Duration> = Some(Duration::from_millis(20));

fn holds(first: &str) -> Script {
    Script { close: false, ..Script::says(first) }
}

fn drips(first: &str, then: &str) -> Script {
    Script { then: then.into(), pace: PACE, ..Script::says(first) }
}

fn floods(first: &str, then: &str) -> Script {
    Script { then: then.repeat(4096 / then.len()).into(), ..Script::says(first) }
}

/// What came of it, and how long it took.
async fn failure(script: Script, deadline: Duration) -> (Failure, Duration) {
    let host = Host::plain(script).await;
    let egress = egress(&[host.address], Answers::new(&[&[]]));
    let mut request = post(egress.accept(&format!("http://{}/", host.address)).unwrap());
    request.deadline = deadline;
    let start = Instant::now();
    let failure = egress.send(request).await.expect_err("there is no whole answer");
    (failure, start.elapsed())
}

/// Whoever is slow, in whatever part, is cut off at the deadline of the whole; the request may
/// have arrived.
#[tokio::test]
async fn slow_hosts_are_cut_off() {
    let head = "HTTP/1.1 200 OK\r\n";
    let length = "HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n";
    for (name, script) in [
        ("says nothing", holds("")),
        ("half a head", holds("HTTP/1.1 200 OK\r\nx: ")),
        ("a head in drips", drips(head, "x: y\r\n")),
        ("interim answers for ever", drips("", "HTTP/1.1 100 Continue\r\n\r\n")),
        ("half a body", holds("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")),
        ("a body in drips", drips(length, "x")),
        (
            "chunks in drips",
            drips("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "1\r\nx\r\n"),
        ),
    ] {
        let (failure, took) = failure(script, SHORT).await;
        assert_eq!(failure, Failure::Timeout, "{name}");
        assert!(!failure.certainly_not_sent());
        assert!(took >= SHORT && took < SHORT * 8, "{name}: {took:?}");
    }
}

/// Whoever says too much is cut off at the bound, long before the deadline.
#[tokio::test]
async fn floods_are_cut_off() {
    let head = "HTTP/1.1 200 OK\r\n";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let length = "HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n";
    for (name, script, expected) in [
        ("a huge body", floods(length, "x"), Failure::TooLarge),
        ("endless chunks", floods(chunked, "4\r\nxxxx\r\n"), Failure::TooLarge),
        ("a body without end", floods("HTTP/1.1 200 OK\r\n\r\n", "x"), Failure::TooLarge),
        ("endless headers", floods(head, "x: y\r\n"), Failure::TooLarge),
        ("one endless header", floods("HTTP/1.1 200 OK\r\nx: ", "y"), Failure::TooLarge),
        ("an endless reason", floods("HTTP/1.1 200 ", "y"), Failure::TooLarge),
        ("an endless chunk extension", floods(&format!("{chunked}1;"), "y"), Failure::Broken),
        ("endless trailers", floods(&format!("{chunked}0\r\n"), "x: y\r\n"), Failure::Broken),
    ] {
        let (failure, took) = failure(script, LONG).await;
        assert_eq!(failure, expected, "{name}");
        assert!(!failure.certainly_not_sent());
        assert!(took < LONG / 2, "{name}: {took:?}");
    }
}

/// Whoever stops in the middle, or does not speak HTTP/1, gave no answer.
#[tokio::test]
async fn nonsense_is_no_answer() {
    for (name, answer) in [
        ("nothing", ""),
        ("half a head", "HTTP/1.1 200 OK\r\nx: "),
        ("half a body", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"),
        ("half a chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nhalf"),
        ("another protocol", "SSH-2.0-OpenSSH_9.6\r\n\r\n"),
        ("HTTP/0.9", "<html></html>"),
        ("two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc"),
    ] {
        let (failure, _) = failure(Script::says(answer), LONG).await;
        assert_eq!(failure, Failure::Broken, "{name}");
    }
}

/// A body of exactly the bound is taken; one byte more is not.
#[tokio::test]
async fn the_bound_is_exact() {
    let host = Host::plain(Script::good()).await;
    let egress = egress(&[host.address], Answers::new(&[&[]]));
    let address = egress.accept(&format!("http://{}/", host.address)).unwrap();
    for (answer_max, good) in [(2, true), (1, false)] {
        let mut request = post(address.clone());
        request.answer_max = answer_max;
        let answer = egress.send(request).await;
        assert_eq!(answer.is_ok(), good, "{answer:?}");
        assert!(good || answer.unwrap_err() == Failure::TooLarge);
    }
}

/// A host that accepts and never shakes hands is cut off, and got nothing.
#[tokio::test]
async fn a_silent_handshake_is_cut_off() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = silent.local_addr().unwrap();
    let egress = egress(&[at], Answers::new(&[&[]]));
    let mut request = post(egress.accept(&format!("https://{at}/")).unwrap());
    request.deadline = SHORT;
    let failure = egress.send(request).await.unwrap_err();
    assert_eq!(failure, Failure::Unreachable);
    assert!(failure.certainly_not_sent());
}
