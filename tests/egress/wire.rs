//! What goes over the wire: exactly one request, as it was worded, and no redirect after it.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::hosts::{Answers, Canary, Host, Script, egress, post};

/// I22: no redirect is followed, not even to an address that may be called: a 3xx is an answer.
#[tokio::test]
async fn i22_no_redirect_is_followed() {
    let canary = Canary::new();
    let inside = format!("http://127.0.0.1:{}/", canary.port);
    for status in [301, 302, 303, 307, 308] {
        let answer =
            format!("HTTP/1.1 {status} Moved\r\nlocation: {inside}\r\ncontent-length: 0\r\n\r\n");
        let host = Host::plain(Script::says(answer)).await;
        let allow = [host.address, ([127, 0, 0, 1], canary.port).into()];
        let egress = egress(&allow, Answers::new(&[&[]]));
        let address = egress.accept(&format!("http://{}/", host.address)).unwrap();
        let answer = egress.send(post(address)).await.unwrap();
        assert_eq!(answer.status, status);
        assert_eq!(answer.headers["location"], inside);
        assert_eq!(canary.connects(), 0, "{status}");
        assert_eq!(host.told().len(), 1);
    }
}

/// The request is worded by us where it says who is asked and how long it is; the rest is the
/// caller's, to the byte.
#[tokio::test]
async fn the_request_is_worded_by_us() {
    let host = Host::plain(Script::good()).await;
    let egress = egress(&[host.address], Answers::new(&[&[]]));
    let address = egress.accept(&format!("http://{}/a%20b/c?d=e&f=%2F", host.address)).unwrap();
    let mut request = post(address);
    request.body = Bytes::from_static(b"{\"a\":1}");
    let headers = [
        ("host", "inside.example"),
        ("content-length", "3"),
        ("transfer-encoding", "chunked"),
        ("connection", "keep-alive, webhook-id"),
        ("upgrade", "h2c"),
        ("expect", "100-continue"),
        ("webhook-id", "msg_1"),
        ("content-type", "application/json"),
    ];
    request.headers = headers
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .into_iter()
        .collect::<HeaderMap>();
    let answer = egress.send(request).await.unwrap();
    assert_eq!((answer.status.as_u16(), &*answer.body), (200, &b"ok"[..]));

    let told = host.told().remove(0).request;
    let (head, body) = told.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("POST /a%20b/c?d=e&f=%2F HTTP/1.1"));
    let mut lines: Vec<&str> = lines.collect();
    lines.sort_unstable();
    let authority = format!("host: {}", host.address);
    let expected = [
        "connection: close",
        "content-length: 7",
        "content-type: application/json",
        &authority,
        "webhook-id: msg_1",
    ];
    assert_eq!(lines, expected);
    assert_eq!(body, "{\"a\":1}");
}

/// Each request has a connection of its own: nothing is left over for the next.
#[tokio::test]
async fn no_connection_is_used_twice() {
    // The host would keep its connections open.
    let host = Host::plain(Script { close: false, ..Script::good() }).await;
    let egress = egress(&[host.address], Answers::new(&[&[]]));
    let address = egress.accept(&format!("http://{}/", host.address)).unwrap();
    for _ in 0..3 {
        egress.send(post(address.clone())).await.unwrap();
    }
    assert_eq!(host.told().len(), 3);
}
