//! A conversation with canaries in it, and a look at everything that it left behind and shows.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use entremise::{
    domain::{
        message::Body,
        phone::Identifier,
        policy::{OutOfSession, Rules},
    },
    ids::hex,
    sandbox::{CallStage, Faults, Sound},
    telemetry::{logs, metrics, redact::Redactor},
};
use http_body_util::Full;
use serde_json::Value;
use sqlx::{ConnectOptions as _, Row as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::{
    market::Market,
    moving_stage::place_of,
    receiver::{self, Receiver},
    support::{self, Database, World},
};

const WORDS: &str = "canary: meet me at the fountain";
/// Where a carrier has a picture: such an address names its account.
const PICTURE: &str = "files.example/canary-account-of-the-carrier/picture";

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The forms in which a number or words could leak.
fn canaries(market: &Market) -> Vec<(String, Vec<u8>)> {
    use base64::Engine as _;

    let mut all = Vec::new();
    let mut add = |what: &str, text: &str| {
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let hex = hex(text.as_bytes());
        let base64 = base64::engine::general_purpose::STANDARD_NO_PAD.encode(text);
        // The last base64 digits depend on what follows.
        let base64 = base64[..base64.len() - 2].to_owned();
        for (form, bytes) in [
            ("plain", text.as_bytes().to_vec()),
            ("UTF-16", utf16),
            ("hex", hex.into_bytes()),
            ("base64", base64.into_bytes()),
        ] {
            all.push((format!("{what}, {form}"), bytes));
        }
    };
    for person in market.people.iter() {
        let digits = person.number.expose().trim_start_matches('+').to_owned();
        add("a number", &digits);
        add("a number without its calling code", &digits[1..]);
    }
    add("the words of a text", WORDS);
    add("the address of a picture", PICTURE);
    all
}

fn look(sink: &str, bytes: &[u8], canaries: &[(String, Vec<u8>)]) {
    assert!(!bytes.is_empty(), "{sink} is empty: nothing was looked at");
    for (what, canary) in canaries {
        let found = bytes.windows(canary.len()).any(|window| window == canary.as_slice());
        assert!(!found, "I16: {what} in {sink}");
    }
}

/// Texts, calls, refusals, failures and a close: whatever a relay may come to log.
async fn converse(world: &World, market: &Market) {
    let session = market.session([0, 1], 0, Some("a key")).await.unwrap();
    let network = &market.network;
    let [buyer, seller] = [market.people[0].phone, market.people[1].phone];
    network.text(buyer, &session.dials[0], Body::new(WORDS.into())).unwrap();
    network.until(seller, |view| view.received().count() == 1).await;
    // One that can't be had, and one that may not be called.
    let pictures = [format!("https://{PICTURE}"), format!("http://10.0.0.1/{PICTURE}")];
    network.text_with(buyer, &session.dials[0], Body::new(WORDS.into()), pictures.into()).unwrap();
    world.running.idle().await;
    // A carrier in trouble makes us log errors and try again.
    network.set_faults(Faults { fail_next: 1, accept_then_fail: 1, ..Faults::default() });
    network.text(seller, &session.dials[1], Body::new(WORDS.into())).unwrap();
    world.running.idle().await;
    network.set_faults(Faults::default());
    let call = network.dial(seller, &session.dials[1]).unwrap();
    let view = network
        .until(buyer, |view| view.call().is_some_and(|c| c.stage == CallStage::Ringing))
        .await;
    network.answer(buyer, &view.call().unwrap().id).unwrap();
    network
        .until(seller, |view| view.call().is_some_and(|c| c.heard.last() == Some(&Sound::Person)))
        .await;
    network.hang_up(seller, &call).unwrap();
    world.running.idle().await;
    // Words and numbers in places where they do not belong.
    for (hook, event) in [
        (
            "message",
            serde_json::json!({ "event": "message", "id": WORDS, "from": 7, "text": WORDS }),
        ),
        ("call", serde_json::json!({ "event": "call", "to": market.people[0].number.expose() })),
        ("status", serde_json::json!({ "event": market.people[1].number.expose() })),
    ] {
        let answer = support::webhook(world, hook, &event).await;
        look("an answer's head", format!("{:?}", answer.headers).as_bytes(), &canaries(market));
        if !answer.body.is_empty() {
            look("an answer's body", &answer.body, &canaries(market));
        }
    }
    // A part of a long text waits for the others.
    let part = serde_json::json!({
        "event": "message", "id": "part", "from": market.people[0].number.expose(), "text": WORDS,
        "to": session.dials[0].expose(), "part": { "reference": "7", "number": 1, "of": 2 },
    });
    assert!(support::webhook(world, "message", &part).await.status.is_success());
    let search = serde_json::json!({ "country": "US", "capabilities": ["voice", "sms"] });
    let order =
        serde_json::json!({ "kind": "buy", "service_id": market.service, "search": search });
    receiver::done(world, "POST", "/number-orders", Some(order)).await;
    let dialled = &market.numbers[place_of(&session, market, 0)];
    let off = serde_json::json!({ "number_id": dialled, "why": "dead", "tell": true });
    let row = receiver::done(world, "POST", "/number-moves", Some(off)).await;
    support::until(async || !world.running.relay.work_moves().await.unwrap()).await;
    world.running.idle().await;
    let path = format!("/number-moves/{}", row["id"].as_str().unwrap());
    let row = receiver::done(world, "GET", &path, None).await;
    assert!(row["moved"].as_u64() >= Some(1), "people are told of it: {row}");
    market.close(&session.id).await.unwrap();
    network.text(buyer, &session.dials[0], Body::new(WORDS.into())).unwrap();
    network.dial(buyer, &session.dials[0]).unwrap();
    world.running.idle().await;
}

/// What the API answers to every reading, and the console's pages.
async fn pages(world: &World) -> Vec<(String, Vec<u8>)> {
    let document: Value = serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let readable = |path: &str| paths.get(path).is_some_and(|it| it.get("get").is_some());
    let key = format!("Bearer {}", world.account.api_key);
    let mut pages: Vec<(String, Vec<u8>)> = Vec::new();
    // Nobody left a message: `voicemail.rs` looks at those who did.
    let empty = |path: &str| path.ends_with("/voicemail");
    for template in paths.keys().filter(|path| readable(path) && !empty(path)) {
        let (mut urls, mut done) = (vec![String::new()], String::new());
        for part in template.split_inclusive('/') {
            let mut next = Vec::new();
            for url in &urls {
                if part.starts_with('{') {
                    let end = if part.ends_with('/') { "/" } else { "" };
                    // Where the place itself has no list, all of that kind are tried.
                    let place = url.trim_end_matches('/');
                    let of = place.rsplit('/').next().unwrap();
                    let listed = readable(done.trim_end_matches('/'));
                    let list = if listed { place.to_owned() } else { format!("/api/v1/{of}") };
                    let list = get(world, &list, ("authorization", &key)).await;
                    let list: Value = serde_json::from_slice(&list).unwrap();
                    let members = list["data"].as_array().into_iter().flatten();
                    let ids = members.map(|one| one["id"].as_str().or(one["event_id"].as_str()));
                    next.extend(ids.map(|id| format!("{url}{}{end}", id.unwrap())));
                } else {
                    next.push(format!("{url}{part}"));
                }
            }
            urls = next;
            done.push_str(part);
        }
        assert!(!urls.is_empty(), "nothing to read at {template}");
        let members = paths[template]["get"]["parameters"].as_array().into_iter().flatten();
        let asked: Vec<String> = members
            .filter(|one| one["in"] == "query" && one["required"] == true)
            .map(|one| {
                let (name, example) = (one["name"].as_str(), one["example"].as_str());
                format!("{}={}", name.unwrap(), example.expect("an example"))
            })
            .collect();
        if !asked.is_empty() {
            for url in &mut urls {
                *url = format!("{url}?{}", asked.join("&"));
            }
        }
        for url in urls {
            let page = get(world, &url, ("authorization", &key)).await;
            pages.push((url, page));
        }
    }
    let link = world.running.relay.create_staff("Ada", None).await.unwrap();
    let login = http::Request::post("/console/login")
        .header("host", world.running.address.to_string())
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
        .body(Full::new(Bytes::from(format!("code={link}"))))
        .unwrap();
    let answer = support::request(world.running.address, login).await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap();
    let account = &world.account.account;
    let mut urls: Vec<String> = ["/console/accounts", "/console/sessions", "/console/interactions"]
        .map(|page| format!("{page}?account={account}"))
        .to_vec();
    let sessions = pages.iter().filter(|(url, _)| url.starts_with("/api/v1/sessions/KC"));
    urls.extend(sessions.filter_map(|(url, _)| {
        let id = url.trim_start_matches("/api/v1/sessions/");
        (!id.contains('/')).then(|| format!("/console/sessions/{id}?account={account}"))
    }));
    for url in urls {
        let page = get(world, &url, ("cookie", cookie)).await;
        pages.push((url, page));
    }
    pages
}

async fn get(world: &World, url: &str, header: (&str, &str)) -> Vec<u8> {
    let request = http::Request::get(url)
        .header("host", world.running.address.to_string())
        .header(header.0, header.1)
        .body(Full::default())
        .unwrap();
    let answer = support::request(world.running.address, request).await;
    assert_eq!(answer.status, http::StatusCode::OK, "{url}");
    answer.body
}

/// Every row of every table, as text.
async fn rows(database: &Database) -> Vec<u8> {
    let mut all = Vec::new();
    if database.name == "SQLite" {
        let options: sqlx::sqlite::SqliteConnectOptions = database.url.parse().unwrap();
        let mut conn = options.connect().await.unwrap();
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table'";
        for table in sqlx::query(tables).fetch_all(&mut conn).await.unwrap() {
            let table: String = table.get(0);
            let sql = sqlx::AssertSqlSafe(format!("SELECT * FROM \"{table}\""));
            for row in sqlx::query(sql).fetch_all(&mut conn).await.unwrap() {
                for column in 0..row.len() {
                    let value: Option<String> = row.try_get_unchecked(column).unwrap_or_default();
                    all.extend(value.unwrap_or_default().into_bytes());
                    all.push(b'|');
                }
            }
        }
    } else {
        let options: sqlx::postgres::PgConnectOptions = database.url.parse().unwrap();
        let mut conn = options.connect().await.unwrap();
        let tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'";
        for table in sqlx::query(tables).fetch_all(&mut conn).await.unwrap() {
            let table: String = table.get(0);
            let sql = sqlx::AssertSqlSafe(format!("SELECT CAST(t AS TEXT) FROM \"{table}\" t"));
            for row in sqlx::query(sql).fetch_all(&mut conn).await.unwrap() {
                all.extend(row.get::<String, _>(0).into_bytes());
            }
        }
    }
    all
}

/// I16: after texts, calls, refusals, retries and malformed webhooks no sink holds a person's
/// number or a word of theirs, in any of the usual encodings.
#[tokio::test]
async fn i16_no_sink_holds_a_number_or_a_word() {
    let log = Log::default();
    let writer = log.clone();
    // No redaction: what it would hide must not be there to begin with. Hyper's and sqlx's own
    // traces are theirs; ours are all on.
    logs::subscriber("entremise=trace,warn", false, false, Redactor::new([]), move || {
        writer.clone()
    })
    .unwrap()
    .init();
    for database in support::databases().await {
        let receiver = Receiver::start().await;
        let world = World::with(receiver::settings(&database, &[&receiver], 5_000)).await;
        // Strangers get the marketplace's own line and a text: a number more, and an entry that
        // holds one.
        let mut rules = Rules::new("Bikes".into());
        rules.out_of_session = OutOfSession::Forward;
        rules.out_of_session_number = Some(Identifier::parse("+12125550103").unwrap());
        rules.out_of_session_text = "Open Bikes.".into();
        // What is written is kept, sealed.
        rules.keep_texts = true;
        let market = Market::open(&world, 4, 4, rules).await;
        assert_eq!(market.people[3].number.expose(), "+12125550103", "the line is a canary");
        let canaries = canaries(&market);
        let endpoint = serde_json::json!({ "url": receiver.url() });
        receiver::done(&world, "POST", "/endpoints", Some(endpoint)).await;
        converse(&world, &market).await;
        assert!(support::interactions(&world).await.len() >= 5, "the conversation took place");
        for got in receiver.until(10).await {
            look("what an endpoint got", &got.raw, &canaries);
        }
        for (url, page) in pages(&world).await {
            look(&url, &page, &canaries);
        }
        look("the metrics", metrics::handle().render().as_bytes(), &canaries);
        look("the rows", &rows(&database).await, &canaries);
        world.running.shutdown().await;
        if let Some(path) = database.url.strip_prefix("sqlite:") {
            let folder = std::path::Path::new(path).parent().unwrap();
            for path in crate::media::files(folder) {
                let bytes = std::fs::read(&path).unwrap();
                if !bytes.is_empty() {
                    look(&path.display().to_string(), &bytes, &canaries);
                }
            }
        }
        look("the log", &log.0.lock().unwrap(), &canaries);
        database.drop().await;
    }
}
