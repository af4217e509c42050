//! `import twilio-proxy`: what an account has at Twilio goes on here, to the last id.

use std::collections::BTreeMap;

use entremise::{
    app::Opened,
    clock::Clock,
    config::Config,
    ids::{AccountId, Ids, NumberId, SessionId},
    relay,
    store::{holds, numbers, services},
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    command::{Done, KEY, Place},
    postgres::new_database,
    proxy_api::{ACCOUNT, Proxy, TOKEN, sid},
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
            "number_selection_behavior": "avoid-sticky", "callback_url": "https://a.example/" }),
    );
    proxy.service("KS00000000000000000000000000000002", json!({ "unique_name": "boats" }));
    for number in 0..8 {
        proxy.number(SERVICE, number, json!({ "is_reserved": number == 7 }));
    }
    let mut session = 0;
    for buyer in 0..PEOPLE / 2 {
        for seller in PEOPLE / 2..PEOPLE {
            session += 1;
            let state = if session % 2 == 0 { "in-progress" } else { "open" };
            proxy.session(SERVICE, session, json!({ "status": state, "ttl": 60 * session }));
            // Each buyer has another number for each seller, and the other way round.
            proxy.person(SERVICE, session, (1, buyer, seller), json!({}));
            proxy.person(SERVICE, session, (2, seller, buyer), json!({}));
        }
    }
    // Closed an hour ago: it still rests. Closed long ago: it does not.
    let lately = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1);
    for (session, ended) in [(20, lately.to_string()), (21, "2026-01-01T00:00:00Z".into())] {
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
}

impl Moving {
    fn new(served: Served, database: Option<&str>) -> Self {
        let place = Place::new("");
        let carrier = format!(
            "master_key = \"{KEY}\"\n[[carriers]]\nid = \"twilio\"\nkind = \"twilio\"\n\
             account_sid = \"{ACCOUNT}\"\nauth_token = \"{TOKEN}\"\n"
        );
        let database = database.map(|url| format!("database_url = \"{url}\"\n"));
        place.settings(&format!("{}{carrier}", database.unwrap_or_default()));
        place.run(&["account", "create", "--name", "Bikes", "--sid", ACCOUNT]).succeeded();
        let token = place.file("token", &format!("{TOKEN}\n"));
        Self { place, served, token }
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

    async fn open(&self) -> Opened {
        let config = Config::load(Some(&self.place.config()), []).unwrap();
        Opened::open(&config, &Clock::system(), &Ids::default()).await.unwrap()
    }
}

/// Every row that is at Twilio and concerns us, as it must be found here.
fn expected(proxy: &Proxy) -> BTreeMap<String, Value> {
    let mut rows = BTreeMap::new();
    let pick = |row: &Value, keys: &[&str]| -> Value {
        keys.iter().map(|key| ((*key).to_owned(), row[key].clone())).collect()
    };
    for (path, list) in &proxy.lists {
        for row in list {
            let id = row["sid"].as_str().unwrap();
            if path.contains(&sid("KC", 21)) || id == sid("KC", 21) {
                continue;
            }
            let keys: &[&str] = match &id[..2] {
                "KS" => &["unique_name"],
                "PN" => &["phone_number", "is_reserved"],
                "KC" => &["unique_name", "status", "mode", "ttl"],
                _ => &["identifier", "friendly_name", "proxy_identifier", "proxy_identifier_sid"],
            };
            rows.insert(id.to_owned(), pick(row, keys));
        }
    }
    rows
}

/// The same of what is here.
async fn found(opened: &Opened) -> BTreeMap<String, Value> {
    let account = AccountId::parse(ACCOUNT).unwrap();
    let mut tx = opened.db.read().await.unwrap();
    let mut rows = BTreeMap::new();
    for service in services::list(&mut tx, &account, "", 100).await.unwrap() {
        rows.insert(service.id.to_string(), json!({ "unique_name": service.unique_name }));
    }
    for number in (0..8).map(|number| NumberId::parse(&sid("PN", number)).unwrap()) {
        let Some(number) = numbers::get(&mut tx, &account, &number).await.unwrap() else {
            continue;
        };
        let row = json!({
            "phone_number": number.number.as_str(), "is_reserved": number.reserved,
        });
        rows.insert(number.id.to_string(), row);
    }
    for session in (0..30).map(|session| SessionId::parse(&sid("KC", session)).unwrap()) {
        let Ok(view) = relay::view(&mut tx, &account, &session).await else { continue };
        let key = view.session.data_key(&tx).unwrap();
        let row = json!({
            "unique_name": view.session.unique_name, "status": view.session.state.as_str(),
            "mode": view.session.mode.as_str(), "ttl": view.session.lifetime.ttl.as_secs(),
        });
        rows.insert(session.to_string(), row);
        for (one, name) in view.participants.iter().zip(view.names) {
            let row = json!({
                "identifier": one.identifier(&key).unwrap().expose(), "friendly_name": name,
                "proxy_identifier": one.number.as_str(), "proxy_identifier_sid": one.number_id,
            });
            rows.insert(one.id.to_string(), row);
        }
    }
    rows
}

/// All ids, names and pairs of person and number are here as they are there, whatever Twilio's API
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
        let mut proxy = market();
        let expected = expected(&proxy);
        proxy.troubles = vec![StatusCode::TOO_MANY_REQUESTS, StatusCode::BAD_GATEWAY];
        let (served, _shared) = proxy.start().await;
        let moving = Moving::new(served, database.as_deref());

        let dry = moving.import(&["--dry-run"]);
        dry.succeeded();
        assert_eq!((&dry.json()["sessions"], &dry.json()["dry_run"]), (&json!(11), &json!(true)));
        let opened = moving.open().await;
        assert!(found(&opened).await.is_empty(), "a dry run changed something");
        opened.close().await;

        let done = moving.import(&[]);
        done.succeeded();
        let told = json!({ "dry_run": false, "services": 2, "numbers": 8, "sessions": 11,
            "participants": 23, "there_already": 0, "warnings": 1 });
        assert_eq!(done.json(), told, "{}", done.err);
        let again = moving.import(&[]).json();
        assert_eq!((&again["sessions"], &again["there_already"]), (&json!(0), &json!(21)));

        let opened = moving.open().await;
        let found = found(&opened).await;
        assert_eq!(found, expected);
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
    let opened = moving.open().await;
    assert!(found(&opened).await.is_empty());
    opened.close().await;

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
