//! The HTTP surface: the page, the phones' API, the live stream, and what bad input meets.

use entremise::{
    carrier::{Answer, wire},
    sandbox::{CALLS_KEPT, CallStage, TEXTS_KEPT},
};
use http::{HeaderName, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::world::{BUYER, PROXY, World, connect, connects, number, words, world};

async fn send(world: &World, method: Method, path: &str, body: &str) -> wire::Response {
    let mut request = wire::Request::post(
        format!("{}/sandbox{path}", world.base),
        "application/json",
        body.to_owned(),
    );
    request.method = method;
    world.exchange(request).await.unwrap()
}

async fn post(world: &World, path: &str, body: Value) -> (StatusCode, Value) {
    let answer = send(world, Method::POST, path, &body.to_string()).await;
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

async fn get(world: &World, path: &str) -> Value {
    let answer = send(world, Method::GET, path, "").await;
    assert_eq!(answer.status, 200);
    serde_json::from_slice(&answer.body).unwrap()
}

/// A phone can be driven by HTTP alone: registered, told a contact, made to text, dial, answer,
/// press and hang up; and its view says what its owner sees.
#[tokio::test]
async fn phones_are_driven_by_http() {
    let world = world(connects(connect(&[BUYER]))).await;
    let new = json!({ "name": "Courier", "number": "+33639980101" });
    let (status, phone) = post(&world, "/api/phones", new).await;
    assert_eq!((status, &phone["id"]), (StatusCode::CREATED, &json!("p3")));
    let contact = json!({ "label": "Buyer", "number": PROXY });
    let (status, phone) = post(&world, "/api/phones/p3/contacts", contact).await;
    assert_eq!((status, &phone["contacts"][0]["number"]), (StatusCode::OK, &json!(PROXY)));
    let text = json!({ "to": PROXY, "text": "On my way" });
    assert_eq!(post(&world, "/api/phones/p3/text", text).await.0, 200);
    let (_, dialled) = post(&world, "/api/phones/p3/dial", json!({ "to": PROXY })).await;

    let ringing = world.until(world.buyer, |view| view.call().is_some()).await;
    let call = json!({ "call": ringing.calls[0].id.as_str() });
    assert_eq!(post(&world, "/api/phones/p1/answer", call.clone()).await.0, 200);
    world.until(world.buyer, |view| !view.calls[0].heard.is_empty()).await;
    let key = json!({ "call": dialled["id"], "key": "#" });
    assert_eq!(post(&world, "/api/phones/p3/press", key).await.0, 200);
    assert_eq!(post(&world, "/api/phones/p1/decline", call.clone()).await.0, 409);
    assert_eq!(post(&world, "/api/phones/p1/hang_up", call).await.0, 200);
    world.network.idle().await;

    let seen = get(&world, "/api/phones/p3").await;
    assert_eq!(seen["texts"][0]["state"], "sent");
    assert_eq!(seen["calls"][0]["stage"], "ended");
    assert_eq!(seen["calls"][0]["ended"], "finished");
    let buyer = get(&world, "/api/phones/p1").await;
    assert_eq!(buyer["calls"][0]["heard"][1], json!({ "sound": "key", "key": "#" }));
    assert_eq!(get(&world, "/api/phones").await["phones"].as_array().unwrap().len(), 3);
}

/// Faults are read and replaced as a whole; what is left out is off; what is out of range is told
/// by name and changes nothing.
#[tokio::test]
async fn faults_are_set_by_http() {
    let world = world(|_| Answer::Ack).await;
    let put = async |body: &str| send(&world, Method::PUT, "/api/faults", body).await;
    assert_eq!(put(r#"{"slow_ms":20,"fail_next":2}"#).await.status, 200);
    assert_eq!(world.network.faults().fail_next, 2);
    let wrong = put(r#"{"slow_ms":60001,"duplicate_percent":101}"#).await;
    assert_eq!(wrong.status, 422);
    let words = String::from_utf8(wrong.body.to_vec()).unwrap();
    assert!(words.contains("slow_ms") && words.contains("duplicate_percent"), "{words}");
    assert_eq!(world.network.faults().slow_ms, 20);
    assert_eq!(put("{}").await.status, 200);
    assert_eq!(get(&world, "/api/faults").await["fail_next"], 0);
}

/// Bad input of every kind gets 4xx with a JSON fault that repeats no number, and changes nothing.
#[tokio::test]
async fn bad_input_is_refused() {
    let world = world(|_| Answer::Ack).await;
    let long = format!(r#"{{"to":"{PROXY}","text":"{}"}}"#, "x".repeat(16_001));
    let huge = format!(r#"{{"to":"{PROXY}","text":"{}"}}"#, "x".repeat(70_000));
    let cases = [
        ("/api/phones/p1/text", "", 400),
        ("/api/phones/p1/text", "{", 400),
        ("/api/phones/p1/text", "[]", 422),
        ("/api/phones/p1/text", "{} {}", 422),
        ("/api/phones/p1/text", r#"{"to":"+14155550150","text":""}"#, 422),
        ("/api/phones/p1/text", r#"{"to":"+14155550150"}"#, 422),
        ("/api/phones/p1/text", r#"{"to":"14155550150","text":"x"}"#, 422),
        ("/api/phones/p1/text", r#"{"to":14155550150,"text":"x"}"#, 422),
        ("/api/phones/p1/text", r#"{"to":"+14155550150","text":"x","media":"y"}"#, 422),
        ("/api/phones/p1/text", &long, 422),
        ("/api/phones/p1/text", &huge, 413),
        ("/api/phones/p9/text", r#"{"to":"+14155550150","text":"x"}"#, 404),
        ("/api/phones/+14155550100/text", r#"{"to":"+14155550150","text":"x"}"#, 404),
        ("/api/phones/p01/text", r#"{"to":"+14155550150","text":"x"}"#, 404),
        ("/api/phones/p99999999999/text", r#"{"to":"+14155550150","text":"x"}"#, 404),
        ("/api/phones/%ff/text", r#"{"to":"+14155550150","text":"x"}"#, 404),
        ("/api/phones", r#"{"name":"","number":"+33639980101"}"#, 422),
        ("/api/phones", r#"{"name":"Twin","number":"+14155550100"}"#, 409),
        ("/api/phones/p1/answer", r#"{"call":"call-of-nobody"}"#, 404),
        ("/api/phones/p1/press", r#"{"call":"x","key":"12"}"#, 422),
        ("/api/phones/p1/press", r#"{"call":"x","key":"a"}"#, 422),
        ("/api/phones/p1/contacts", r#"{"label":"","number":"+14155550150"}"#, 422),
        ("/api/nothing", "{}", 404),
        ("/api/faults", "{}", 405),
        ("/carrier/v1/messages", "{}", 401),
        ("/carrier/v1/calls/%ff/end", "{}", 401),
    ];
    for (path, body, expected) in cases {
        let answer = send(&world, Method::POST, path, body).await;
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert_eq!(answer.status, expected, "{path} {text}");
        let fault: Value = serde_json::from_str(&text).expect(path);
        assert!(fault["error"].is_string(), "{path} {text}");
        assert!(!text.contains("4155550"), "{path} repeats a number");
    }
    let faults = send(&world, Method::PUT, "/api/faults", r#"{"+14155550100":1}"#).await;
    assert_eq!(faults.status, 422);
    assert!(!String::from_utf8(faults.body.to_vec()).unwrap().contains("4155550"));
    world.network.idle().await;
    assert_eq!(world.network.seen(world.buyer).unwrap().texts, []);
    assert_eq!(world.heard().await, []);
    assert_eq!(world.network.seen_since(0, 10).len(), 2);
}

/// A page of another site, which can send forms and plain text without asking, can't use a phone.
#[tokio::test]
async fn only_json_is_taken() {
    let world = world(|_| Answer::Ack).await;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "text/plain;application/json"] {
        let body = r#"{"to":"+14155550150","text":"x"}"#;
        let url = format!("{}/sandbox/api/phones/p1/text", world.base);
        let answer = world.exchange(wire::Request::post(url, kind, body)).await.unwrap();
        assert_eq!(answer.status, 415);
    }
}

/// The carrier's API opens for the secret alone.
#[tokio::test]
async fn the_carrier_api_needs_the_secret() {
    let world = world(|_| Answer::Ack).await;
    let probe = world.carrier.probe().unwrap();
    assert_eq!(world.exchange(probe.clone()).await.unwrap().status, 200);
    for value in ["", "Bearer", "Bearer ", "Bearer wrong", "Basic a-secret-of-the-tests"] {
        let mut request = probe.clone();
        request.headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        assert_eq!(world.exchange(request).await.unwrap().status, 401, "{value}");
    }
}

/// A picture that a phone is about to send is taken as an image only and up to 5 MiB, lies at the carrier's
/// API for the secret alone, is shown to its page, and the oldest goes.
#[tokio::test]
async fn pictures_lie_behind_the_secret() {
    let world = world(|_| Answer::Ack).await;
    let url = format!("{}/sandbox/api/pictures", world.base);
    let add = async |kind: &'static str, bytes: Vec<u8>| {
        world.exchange(wire::Request::post(url.clone(), kind, bytes)).await.unwrap()
    };
    let picture = b"GIF89a and more".to_vec();
    let answer = add("image/gif", picture.clone()).await;
    assert_eq!(answer.status, 201);
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    let address = answer["url"].as_str().unwrap().to_owned();
    assert_eq!(add("text/plain", picture.clone()).await.status, 415);
    assert_eq!(add("image/gif", Vec::new()).await.status, 422);
    assert_eq!(add("image/gif", vec![0; 5 * 1024 * 1024 + 1]).await.status, 413);

    let asked = world.carrier.media(&address).unwrap();
    let got = world.exchange(asked.clone()).await.unwrap();
    assert_eq!((got.status, &got.body[..]), (StatusCode::OK, &picture[..]));
    let mut bare = asked.clone();
    bare.headers.clear();
    assert_eq!(world.exchange(bare).await.unwrap().status, 401);
    let id = address.rsplit('/').next().unwrap();
    let shown = send(&world, Method::GET, &format!("/api/pictures/{id}"), "").await;
    assert_eq!(shown.headers[header::CONTENT_TYPE], "image/gif");

    for _ in 0..64 {
        add("image/gif", picture.clone()).await;
    }
    assert_eq!(world.exchange(asked).await.unwrap().status, 404);
}

/// The page and what it loads carry a policy under which nothing from elsewhere and nothing inline
/// runs, and a phone's name can't become markup.
#[tokio::test]
async fn the_page_is_guarded() {
    let world = world(|_| Answer::Ack).await;
    world.network.register("<b>\"&", number("+33639980101")).unwrap();
    for (path, kind) in [
        ("", "text/html; charset=utf-8"),
        ("/phones.js", "text/javascript; charset=utf-8"),
        ("/phones.css", "text/css; charset=utf-8"),
    ] {
        let answer = send(&world, Method::GET, path, "").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers[header::CONTENT_TYPE], kind);
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.headers[HeaderName::from_static("x-content-type-options")], "nosniff");
    }
    let page = send(&world, Method::GET, "", "").await.body;
    let page = String::from_utf8(page.to_vec()).unwrap();
    assert!(page.contains("Buyer") && page.contains(BUYER));
    assert!(!page.contains("<b>\""), "a name became markup");
    assert!(!page.contains(" style=") && !page.contains(" onclick="));
}

/// One event of the live stream: its id and its phones.
async fn event(body: &mut hyper::body::Incoming) -> (u64, Value) {
    let mut text = String::new();
    while !text.ends_with("\n\n") {
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        text.push_str(std::str::from_utf8(&frame).unwrap());
    }
    let field = |name: &str| {
        text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
    };
    (field("id:").parse().unwrap(), serde_json::from_str(&field("data:")).unwrap())
}

async fn live(world: &World, last: &str) -> hyper::body::Incoming {
    let request = http::Request::get(format!("{}/sandbox/api/live", world.base))
        .header("last-event-id", last)
        .body(http_body_util::Full::default())
        .unwrap();
    let answer = world.client.request(request).await.unwrap();
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
    answer.into_body()
}

fn ids(event: &Value) -> Vec<&str> {
    event["phones"].as_array().unwrap().iter().map(|p| p["id"].as_str().unwrap()).collect()
}

/// The stream sends all phones, then only those that change; one that comes back with the last id
/// that it saw gets what it missed, and one with an id from elsewhere gets all.
#[tokio::test]
async fn the_stream_sends_what_changed() {
    let world = world(|_| Answer::Ack).await;
    let mut stream = live(&world, "").await;
    let (first, phones) = event(&mut stream).await;
    assert_eq!(ids(&phones), ["p1", "p2"]);

    world.network.set_contact(world.seller, "Buyer", number(PROXY)).unwrap();
    let (second, phones) = event(&mut stream).await;
    assert!(second > first);
    assert_eq!(ids(&phones), ["p2"]);

    let (_, missed) = event(&mut live(&world, &first.to_string()).await).await;
    assert_eq!(ids(&missed), ["p2"]);
    let (_, nothing) = event(&mut live(&world, &second.to_string()).await).await;
    assert_eq!(ids(&nothing), Vec::<&str>::new());
    for elsewhere in [(second + 1).to_string(), String::from("nonsense")] {
        let (_, all) = event(&mut live(&world, &elsewhere).await).await;
        assert_eq!(ids(&all), ["p1", "p2"]);
    }
}

/// What nobody bounds would grow for ever: texts and calls on a phone, names, live streams.
#[tokio::test]
async fn everything_is_bounded() {
    let world = world(|_| Answer::Ack).await;
    for _ in 0..TEXTS_KEPT + 20 {
        world.network.text(world.buyer, &number(PROXY), words("x")).unwrap();
    }
    for _ in 0..CALLS_KEPT + 10 {
        world.network.dial(world.seller, &number(PROXY)).unwrap();
        world.until(world.seller, |view| view.call().is_none()).await;
    }
    world.network.idle().await;
    assert_eq!(world.network.seen(world.buyer).unwrap().texts.len(), TEXTS_KEPT);
    let calls = world.network.seen(world.seller).unwrap().calls;
    assert_eq!(calls.len(), CALLS_KEPT);
    assert!(calls.iter().all(|call| matches!(call.stage, CallStage::Ended(_))));
    let mut streams = Vec::new();
    for _ in 0..64 {
        streams.push(live(&world, "").await);
    }
    let refused = send(&world, Method::GET, "/api/live", "").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
}
