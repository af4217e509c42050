//! `serve`: what it refuses to start with, how it ends, and commands beside it.

use std::{
    fmt::Write as _,
    io::{Read as _, Write as _},
    net::SocketAddr,
};

use crate::command::{KEY, Place, SECRET, answer, connect, http, sandbox};

/// A server starts with a master key only, and says how to make one.
#[test]
fn serve_needs_a_master_key() {
    let place = Place::with_sandbox();
    place.settings(&sandbox("127.0.0.1:0"));
    let done = place.run(&["serve"]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("master_key"), "{}", done.err);
    assert!(done.err.contains("head -c 32 /dev/urandom | base64"), "{}", done.err);
    assert!(!place.path().join("entremise.db").exists(), "it made a database all the same");
}

/// A sandbox beside a real carrier, or within others' reach, is refused by `serve` and told by
/// `check`, unless the settings allow it.
#[test]
fn a_misused_sandbox_is_refused() {
    let real = "[[carriers]]\nid = \"twilio\"\nkind = \"twilio\"\naccount_sid = \
                \"AC00000000000000000000000000000000\"\nauth_token = \"a-token\"\n";
    let beside = format!("master_key = \"{KEY}\"\n{}{real}", sandbox("127.0.0.1:0"));
    let reach = format!(
        "master_key = \"{KEY}\"\npublic_url = \"https://relay.example\"\n{}",
        sandbox("0.0.0.0:0")
    );
    let place = Place::with_sandbox();
    for settings in [&beside, &reach] {
        place.settings(settings);
        let served = place.run(&["serve"]);
        assert_eq!(served.code, Some(1));
        assert!(served.err.contains("allow_sandbox: must be true"), "{}", served.err);
        let checked = place.run(&["check"]);
        assert_eq!(checked.code, Some(1));
        assert_eq!(checked.out.matches("fail  allow_sandbox: ").count(), 1, "{}", checked.out);
    }
    place.settings(&format!("allow_sandbox = true\n{beside}"));
    place.run(&["check"]).succeeded();
}

/// Faults of the settings that only starting finds come all at once too.
#[test]
fn serve_tells_all_faults_at_once() {
    let place = Place::new(
        "tls_cert = \"{folder}/none.pem\"\ntls_key = \"{folder}/none.key\"\n[[carriers]]\n\
         id = \"a\"\nkind = \"nobody\"\n[[carriers]]\nid = \"b\"\nkind = \"twilio\"\n",
    );
    let done = place.run(&["serve"]);
    assert_eq!(done.code, Some(1));
    for key in ["tls_cert", "carriers.0.kind", "carriers.1.account_sid", "carriers.1.auth_token"] {
        assert!(done.err.contains(&format!("{key}: ")), "{key}: {}", done.err);
    }
}

/// On SIGTERM a server answers what it has begun to take in, and ends with status 0.
#[test]
fn serve_drains() {
    let place = Place::with_sandbox();
    let server = place.serve();
    let mut stream = connect(server.address());
    let head = "POST /hooks/sandbox/message HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\
                expect: 100-continue\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    // The server waits for the body: the request is under way.
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    server.terminate();
    server.logged("draining");
    stream.write_all(b"{}").unwrap();
    assert_eq!(answer(&mut stream).0, 403);
    server.logged("stopped");
    assert_eq!(server.ended(), Some(0));
}

/// A text to `to` through the sandbox's webhook: the status and the head of the answer.
pub(crate) fn webhook(address: SocketAddr, id: &str, to: &str) -> (u16, String) {
    let body = format!(
        "{{\"event\":\"message\",\"id\":\"{id}\",\"from\":\"+447700900123\",\"to\":\"{to}\",\
         \"text\":\"x\"}}"
    );
    let url = format!("http://{address}/hooks/sandbox/message");
    let at = entremise::clock::Clock::system().now().millis();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = ring::hmac::sign(&key, format!("{at}.{url}.{body}").as_bytes());
    let hex = tag.as_ref().iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    });
    let mut stream = connect(address);
    let length = body.len();
    write!(
        stream,
        "POST /hooks/sandbox/message HTTP/1.1\r\ncontent-type: application/json\r\n\
         sandbox-signature: t={at},v1={hex}\r\nhost: x\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let head = text.split("\r\n\r\n").next().unwrap().to_owned();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head)
}

/// The same as a carrier does it: again, until it is taken in. A slow disk costs a 503 now and then.
pub(crate) fn taken_in(address: SocketAddr, id: &str, to: &str) {
    let tries = (0..50).find(|_| webhook(address, id, to).0 == 204);
    assert!(tries.is_some(), "the text {id} is not taken in");
}

/// The same; how many texts were taken for a number of ours.
pub(crate) fn text((address, ops): (SocketAddr, SocketAddr), id: &str, to: &str) -> u64 {
    taken_in(address, id, to);
    let metrics = http(ops, "GET /metrics HTTP/1.1\r\n", "").1;
    let accepted = metrics.lines().find(|line| {
        line.starts_with("entremise_carrier_webhooks_total{")
            && line.contains("kind=\"message\"")
            && line.contains("outcome=\"accepted\"")
    });
    accepted.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

/// Beside a running server a second one on the same SQLite file is refused, every other command
/// works, and the server sees at once what it changed.
#[test]
fn commands_work_beside_a_server() {
    let place = Place::with_sandbox();
    let server = place.serve();
    let second = place.run(&["serve"]);
    assert_eq!(second.code, Some(1));
    assert!(second.err.contains("another server runs on this SQLite file"), "{}", second.err);

    let at = (server.address(), server.ops());
    assert_eq!(text(at, "one", "+14155550100"), 0, "nobody has the number yet");
    let account = place.account();
    place.import(&account, "+14155550100,sandbox,voice|sms");
    assert_eq!(text(at, "two", "+14155550100"), 1, "the server does not see the number");
    let checked = place.run(&["check"]);
    checked.succeeded();
    assert!(checked.out.contains("1 accounts, 1 services, 1 numbers"), "{}", checked.out);
    let ops = server.ops().to_string();
    place.run(&["healthcheck", "--address", &ops]).succeeded();

    server.terminate();
    assert_eq!(server.ended(), Some(0));
    assert_eq!(place.run(&["healthcheck", "--address", &ops]).code, Some(1));
    drop(place.serve());
}
