//! `import twilio-proxy`: what an account has at Twilio goes on here, to the last id.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use entremise::{
    app::{App, Environment, Listeners, Opened},
    carrier::Request,
    clock::Clock,
    config::Config,
    ids::{AccountId, Ids, NumberId},
    relay,
    store::holds,
};
use http::{Method, StatusCode, header::AUTHORIZATION};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    command::{Done, KEY, Place},
    postgres::new_database,
    proxy_api::{ACCOUNT, Proxy, TOKEN, digits, sid},
    twilio::Served,
};

const SERVICE: &str = "KS00000000000000000000000000000001";
const PEOPLE: usize = 6;

/// A service with a pool of eight, live sessions between everybody, some that were closed lately or
/// long ago, and somebody who left.
fn market() -> Proxy {
    let mut proxy = Proxy::default();
    proxy.service(
        SERVICE,
        json!({ "unique_name": "bikes", "default_ttl": 3600, "geo_match_level": "area-code",
            "number_selection_behavior": "avoid-sticky", "callback_url": "https://a.example/",
            "intercept_callback_url": "https://b.example/?key=b",
            "out_of_session_callback_url": "https://c.example/",
            "chat_instance_sid": "IS0123456789abcdef0123456789abcdef" }),
    );
    proxy.service("KS00000000000000000000000000000002", json!({ "unique_name": "boats" }));
    for number in 0..8 {
        let friendly_name = if number == 3 { "Night desk".into() } else { digits(number) };
        let more = json!({ "is_reserved": number == 7, "friendly_name": friendly_name });
        proxy.number(SERVICE, number, more);
    }
    let lately = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1);
    let lately = lately.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut session = 0;
    for buyer in 0..PEOPLE / 2 {
        for seller in PEOPLE / 2..PEOPLE {
            session += 1;
            let state = if session % 2 == 0 { "in-progress" } else { "open" };
            let more = json!({ "status": state, "ttl": 86_400 + session, "date_created": lately });
            proxy.session(SERVICE, session, more);
            // Each buyer has another number for each seller, and the other way round.
            proxy.person(SERVICE, session, (1, buyer, seller), json!({}));
            proxy.person(SERVICE, session, (2, seller, buyer), json!({}));
        }
    }
    // Closed an hour ago: it still rests. Closed long ago: it does not.
    for (session, ended) in [(20, lately), (21, "2026-01-01T00:00:00Z".into())] {
        proxy.session(SERVICE, session, json!({ "status": "closed", "date_ended": ended }));
        proxy.person(SERVICE, session, (1, 1, 6), json!({}));
        proxy.person(SERVICE, session, (2, 4, 6), json!({}));
    }
    // Somebody left, and another came.
    proxy.session(SERVICE, 22, json!({ "unique_name": null }));
    proxy.person(SERVICE, 22, (1, 0, 6), json!({}));
    let gone = json!({ "date_deleted": "2026-10-02T00:00:00Z" });
    proxy.person(SERVICE, 22, (2, 5, 6), gone);
    proxy.person(SERVICE, 22, (3, 3, 6), json!({}));
    proxy
}

struct Moving {
    place: Place,
    served: Served,
    token: String,
    /// The account's own token, here.
    own: String,
}

impl Moving {
    fn new(served: Served, database: Option<&str>) -> Self {
        Self::with(served, database, "")
    }

    /// The same with further settings.
    fn with(served: Served, database: Option<&str>, more: &str) -> Self {
        let place = Place::new("");
        let carrier = format!(
            "master_key = \"{KEY}\"\n[[carriers]]\nid = \"twilio\"\nkind = \"twilio\"\n\
             account_sid = \"{ACCOUNT}\"\nauth_token = \"{TOKEN}\"\n\
             [jobs]\nreconcile_s = 0\n{more}"
        );
        let database = database.map(|url| format!("database_url = \"{url}\"\n"));
        place.settings(&format!("{}{carrier}", database.unwrap_or_default()));
        let made = place.run(&["account", "create", "--name", "Bikes", "--sid", ACCOUNT]);
        made.succeeded();
        let own = made.json()["auth_token"].as_str().unwrap().to_owned();
        let token = place.file("token", &format!("{TOKEN}\n"));
        Self { place, served, token, own }
    }

    fn import(&self, more: &[&str]) -> Done {
        let base = format!("http://{}", self.served.address);
        let mut words = vec!["import", "twilio-proxy", "--account", ACCOUNT, "--base", &base];
        words.extend(["--token-file", &self.token]);
        words.extend(more);
        let done = self.place.run(&words);
        for shown in [&done.out, &done.err] {
            assert!(!shown.contains("3363998") && !shown.contains(TOKEN), "{shown}");
        }
        done
    }

    /// Everything that a server over the database tells under `/v1`.
    async fn here(&self) -> BTreeMap<String, Value> {
        let config = Config::load(Some(&self.place.config()), []).unwrap();
        let bind = || TcpListener::bind("127.0.0.1:0");
        let listeners = Listeners { public: bind().await.unwrap(), ops: bind().await.unwrap() };
        let origin = format!("http://{}", listeners.public.local_addr().unwrap());
        let running = App::start(config, listeners, Environment::default()).await.unwrap();
        let rows = everything(&origin, ACCOUNT, &self.own).await;
        running.shutdown().await;
        rows
    }

    async fn open(&self) -> Opened {
        let config = Config::load(Some(&self.place.config()), []).unwrap();
        Opened::open(&config, &Clock::system(), &Ids::default()).await.unwrap()
    }
}

/// Everything below `/v1` of an origin, page by page: each row by its SID. What follows a page is taken
/// from `next_page_url`, as the SDKs do, but at this origin.
async fn everything(origin: &str, user: &str, token: &str) -> BTreeMap<String, Value> {
    let client = relay::Client::new();
    let authorization = format!("Basic {}", STANDARD.encode(format!("{user}:{token}")));
    let mut lists = vec!["/v1/Services".to_owned()];
    let mut rows = BTreeMap::new();
    while let Some(list) = lists.pop() {
        let request = Request::new(Method::GET, format!("{origin}{list}"))
            .with_header(AUTHORIZATION, &authorization);
        let answer = client.send(request).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK, "{list}");
        let page: Value = serde_json::from_slice(&answer.body).unwrap();
        let key = page["meta"]["key"].as_str().unwrap();
        if let Some(next) = page["meta"]["next_page_url"].as_str() {
            lists.push(next[next.find("/v1").unwrap()..].to_owned());
        }
        let path = list.split('?').next().unwrap();
        for row in page[key].as_array().unwrap() {
            let id = row["sid"].as_str().unwrap().to_owned();
            for below in match key {
                "services" => &["PhoneNumbers", "Sessions"][..],
                "sessions" => &["Participants"],
                _ => &[],
            } {
                lists.push(format!("{path}/{id}/{below}"));
            }
            assert!(rows.insert(id.clone(), row.clone()).is_none(), "{id} stands there twice");
        }
    }
    rows
}

/// Holds what is here to what is there: the very same ids, and for each every field that Twilio tells.
#[track_caller]
fn assert_same(here: &BTreeMap<String, Value>, there: &BTreeMap<String, Value>) {
    let ids = |rows: &BTreeMap<String, Value>| rows.keys().cloned().collect::<Vec<_>>();
    assert_eq!(ids(here), ids(there));
    for (id, row) in there {
        for (field, value) in row.as_object().unwrap() {
            assert_eq!(here[id][field], *value, "{field} of {id}");
        }
    }
}

/// What our `/v1` tells is what Twilio's told, read by one client: every id, every name, every pair of person
/// and number, and every other field, whatever Twilio's API
/// stumbles over meanwhile; a dry run changes nothing; a second run finds all of it; live pairs are
/// held, and those that rest are kept from others.
#[tokio::test(flavor = "multi_thread")]
async fn everything_is_as_it_was() {
    for on_postgres in [false, true] {
        let database = if on_postgres {
            let Some(url) = new_database("cli_import").await else { continue };
            Some(url)
        } else {
            None
        };
        let (served, shared) = market().start().await;
        let moving = Moving::new(served, database.as_deref());
        let twilio = format!("http://{}", moving.served.address);
        let mut before = everything(&twilio, ACCOUNT, TOKEN).await;
        // Closed so long ago that not even its numbers rest: it stays there.
        let old = sid("KC", 21);
        before.retain(|id, row| *id != old && row["session_sid"] != *old);
        assert_eq!(before.len(), 2 + 8 + 11 + 23);
        shared.lock().unwrap().troubles =
            vec![StatusCode::TOO_MANY_REQUESTS, StatusCode::BAD_GATEWAY];

        let dry = moving.import(&["--dry-run"]);
        dry.succeeded();
        assert_eq!((&dry.json()["sessions"], &dry.json()["dry_run"]), (&json!(11), &json!(true)));
        assert!(moving.here().await.is_empty(), "a dry run changed something");

        let done = moving.import(&[]);
        done.succeeded();
        let told = json!({ "dry_run": false, "services": 2, "numbers": 8, "sessions": 11,
            "participants": 23, "there_already": 0, "warnings": 1 });
        assert_eq!(done.json(), told, "{}", done.err);
        let again = moving.import(&[]).json();
        assert_eq!((&again["sessions"], &again["there_already"]), (&json!(0), &json!(21)));

        assert_same(&moving.here().await, &before);
        let opened = moving.open().await;
        let account = AccountId::parse(ACCOUNT).unwrap();
        let mut tx = opened.db.read().await.unwrap();
        assert_eq!(holds::doubled(&mut tx).await.unwrap(), 0);
        let held = |number| NumberId::parse(&sid("PN", number)).unwrap();
        // Three buyers and three sellers on one number each; on the sixth those of the session that
        // somebody left, and those that rest.
        assert_eq!(holds::open_on(&mut tx, &account, &held(4)).await.unwrap(), 3);
        assert_eq!(holds::open_on(&mut tx, &account, &held(6)).await.unwrap(), 2);
        drop(tx);
        opened.close().await;
    }
}

/// Where a pair can't be kept all of it is told, by id and in a dry run too, and nothing is imported.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_way_stops_it() {
    let mut proxy = market();
    // One person on one number in two live sessions, as Twilio had them before 2020.
    proxy.session(SERVICE, 23, json!({}));
    proxy.person(SERVICE, 23, (1, 0, 6), json!({}));
    // No telephone number; a number of another pool; a pool number that is none.
    proxy.session(SERVICE, 24, json!({}));
    proxy.person(SERVICE, 24, (1, 1, 0), json!({ "identifier": "messenger:123" }));
    let elsewhere =
        json!({ "proxy_identifier_sid": sid("PN", 99), "proxy_identifier": "+14155550199" });
    proxy.person(SERVICE, 24, (2, 2, 0), elsewhere);
    proxy.number(SERVICE, 8, json!({ "phone_number": "4155550108" }));
    let (served, shared) = proxy.start().await;
    let moving = Moving::new(served, None);
    for more in [&["--dry-run"][..], &[]] {
        let done = moving.import(more);
        assert_eq!(done.code, Some(1), "{}", done.out);
        for told in [
            format!("{} of session {}", sid("KP", 221), sid("KC", 22)),
            format!("{} of session {}", sid("KP", 231), sid("KC", 23)),
            format!("participant {}: the identifier is no telephone number", sid("KP", 241)),
            format!(
                "participant {}: the proxy number is not of the service's pool",
                sid("KP", 242)
            ),
            format!("number {}: must be an E.164 number", sid("PN", 8)),
            "4 faults: nothing was imported".to_owned(),
        ] {
            assert!(done.err.contains(&told), "no {told:?} in {}", done.err);
        }
    }
    assert!(moving.here().await.is_empty());

    // Only the service that is in order.
    let boats = "KS00000000000000000000000000000002";
    moving.import(&["--service", boats]).succeeded();
    assert_eq!(moving.import(&["--service", &sid("KS", 9)]).code, Some(1));
    // Twilio does not take the token.
    moving.place.file("token", "another");
    let asked = shared.lock().unwrap().asked;
    let done = moving.import(&["--dry-run"]);
    assert!(done.err.contains("does not take these credentials"), "{}", done.err);
    assert_eq!(shared.lock().unwrap().asked, asked + 1, "it tried again what cannot be right");
}

/// Whoever is in an open session and could not join one here is told of, by id, and nothing is imported: somebody of
/// a country that the installation does not reach, of a kind of number that is never reached, or with a proxy number.
/// What the operator opens comes, and so does whoever has left, or is in a session that is closed.
#[tokio::test(flavor = "multi_thread")]
async fn whom_no_session_takes_stops_it() {
    let mut proxy = market();
    for (session, identifier) in
        [(30, "+447700900101"), (31, "+447700900102"), (32, "+881612345678"), (33, "+33820123456")]
    {
        proxy.session(SERVICE, session, json!({}));
        proxy.person(SERVICE, session, (1, 40 + session, 0), json!({ "identifier": identifier }));
    }
    // Of the same country, and nobody is called there any more.
    let gone = json!({ "identifier": "+447700900101", "date_deleted": "2026-10-02T00:00:00Z" });
    proxy.person(SERVICE, 1, (3, 50, 6), gone);
    let lately = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1);
    let lately = lately.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    proxy.session(SERVICE, 34, json!({ "status": "closed", "date_ended": lately }));
    proxy.person(SERVICE, 34, (1, 51, 5), json!({ "identifier": "+447700900101" }));
    let (served, shared) = proxy.start().await;
    let open = "[abuse]\ncountries = [\"FR\", \"US\"]\nreach = [\"+33820 our own hotline\"]\n";
    let moving = Moving::with(served, None, open);
    for more in [&["--dry-run"][..], &[]] {
        let done = moving.import(more);
        assert_eq!(done.code, Some(1), "{}", done.out);
        let country = "the number is of a country that may not be reached";
        for (session, why) in [(30, country), (31, country), (32, "the number")] {
            let (id, who) = (sid("KC", session), sid("KP", session * 10 + 1));
            let told = format!("session {id}: participant {who}: {why}");
            assert!(done.err.contains(&told), "no {told:?} in {}", done.err);
        }
        assert!(done.err.contains("3 faults: nothing was imported"), "{}", done.err);
        assert!(!done.err.contains("7700900"), "{}", done.err);
    }
    assert!(moving.here().await.is_empty());

    // They were closed at Twilio; the pool is here by then.
    {
        let mut there = shared.lock().unwrap();
        let sessions = there.lists.get_mut(&format!("/v1/Services/{SERVICE}/Sessions")).unwrap();
        sessions.retain(|one| ![30, 31, 32].map(|n| sid("KC", n)).contains(&text(one)));
    }
    moving.import(&[]).succeeded();
    {
        let mut there = shared.lock().unwrap();
        there.session(SERVICE, 35, json!({}));
        there.person(SERVICE, 35, (1, 52, 5), json!({ "identifier": digits(3) }));
    }
    let done = moving.import(&[]);
    assert_eq!(done.code, Some(1), "{}", done.out);
    assert!(done.err.contains("the number is a proxy number here"), "{}", done.err);
}

/// The id of a row.
fn text(row: &Value) -> String {
    row["sid"].as_str().unwrap().to_owned()
}
