//! Codes under a service's name of letters: where country and carrier take one, and nothing else ever.

use entremise::{
    domain::{
        phone::Identifier,
        policy::{GeoMatch, Rules},
        sender::SenderId,
        verification::Limits,
    },
    sandbox::{PhoneId, Shown},
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    across::DIALECTS,
    dialect::Scene,
    market::Market,
    over_twilio,
    receiver::done,
    support::{self, CARRIER, World},
    verification::Stage,
};

const NAME: &str = "Bikes 24";
/// Somebody in France, where names are taken.
const FRENCH: &str = "+33639980011";

fn rules(name: &str) -> Rules {
    let sender_id = Some(SenderId::parse(name).unwrap());
    Rules { sender_id, geo_match: GeoMatch::Any, ..Rules::new("Bikes".into()) }
}

async fn stage(database: &support::Database) -> (Stage, PhoneId) {
    let stage = Stage::with(database, rules(NAME), Limits::default()).await;
    let french = Identifier::parse(FRENCH).unwrap();
    let phone = stage.market.network.register("French", french).unwrap();
    (stage, phone)
}

/// Who each text on a phone is from, as it shows them, and what they say.
async fn shown(world: &World, market: &Market, phone: PhoneId) -> Vec<(Shown, String)> {
    world.running.idle().await;
    let view = market.network.seen(phone).unwrap();
    view.received().map(|text| (text.other.clone(), text.body.expose().to_owned())).collect()
}

/// The only leg of the newest text or call, as the API has it.
async fn leg(world: &World) -> Value {
    world.running.idle().await;
    let newest = support::interactions(world).await.remove(0);
    let one = done(world, "GET", &format!("/interactions/{}", newest.id), None).await;
    assert_eq!(one["legs"].as_array().unwrap().len(), 1, "{one}");
    one["legs"][0].clone()
}

/// A phone in a country that takes names shows the name, the log has it, and the code is good; a call shows a number, and
/// so does a text for which one is named.
#[tokio::test]
async fn a_phone_shows_the_name() {
    for database in support::databases().await {
        let (stage, phone) = stage(&database).await;
        let one = Stage::is(&stage.send(0, json!({ "to": FRENCH })).await, 201);
        let got = shown(&stage.world, &stage.market, phone).await;
        assert_eq!(got.len(), 1, "on {}", database.name);
        assert_eq!(got[0].0, Shown::Name(SenderId::parse(NAME).unwrap()));
        assert!(!got[0].1.contains("STOP"), "nobody can answer it: {}", got[0].1);
        let logged = leg(&stage.world).await;
        assert_eq!((&logged["sender_id"], &logged["outcome"]), (&json!(NAME), &json!("relayed")));
        assert_eq!(logged["state"], "delivered");
        let code: String = got[0].1.chars().take_while(char::is_ascii_digit).collect();
        let path = format!("/verifications/{}", one["id"].as_str().unwrap());
        assert_eq!(stage.checked(&path, &code).await, (true, "verified".into()));

        let call = json!({ "to": "+33639980012", "channel": "call" });
        Stage::is(&stage.send(0, call).await, 201);
        assert_eq!(leg(&stage.world).await.get("sender_id"), None, "on {}", database.name);
        let from = stage.market.numbers[1].as_str();
        Stage::is(&stage.send(0, json!({ "to": FRENCH, "from": from })).await, 201);
        let logged = leg(&stage.world).await;
        assert_eq!(logged.get("sender_id"), None, "on {}", database.name);
        let got = shown(&stage.world, &stage.market, phone).await;
        assert_eq!(got[1].0.expose(), logged["proxy_number"].as_str().unwrap());
        stage.end(database).await;
    }
}

/// Where the country takes no names the code comes from a number, and where none can send it nobody gets one.
#[tokio::test]
async fn a_country_without_names_gets_a_number() {
    for database in support::databases().await {
        let (stage, _) = stage(&database).await;
        stage.begin(0).await;
        assert_eq!(leg(&stage.world).await.get("sender_id"), None, "on {}", database.name);
        assert_eq!(stage.got(0).await.len(), 1);

        let service = json!({ "unique_name": "boats", "sender_id": "Boats" });
        done(&stage.world, "POST", "/services", Some(service)).await;
        let none = json!({ "service_id": "boats" });
        let refused = Stage::is(&stage.send(1, none.clone()).await, 409);
        assert_eq!(refused["code"], "no_sender", "on {}", database.name);
        // A name needs a carrier, and so a number there: one that nobody sees, that can't text.
        let number = json!({ "number": "+33937000007", "service_id": "boats", "carrier": CARRIER,
            "capabilities": ["voice"], "reserved": true });
        done(&stage.world, "POST", "/numbers", Some(number)).await;
        let refused = Stage::is(&stage.send(1, none).await, 409);
        assert_eq!(refused["code"], "no_sender", "on {}", database.name);
        let french = json!({ "service_id": "boats", "to": FRENCH });
        Stage::is(&stage.send(0, french).await, 201);
        let logged = leg(&stage.world).await;
        assert_eq!(logged["sender_id"], "Boats", "on {}", database.name);
        assert_eq!(logged["proxy_number"], "+33937000007");
        stage.end(database).await;
    }
}

/// What people say to each other, and what they are told, comes from their proxy numbers, whatever the service's name is.
#[tokio::test]
async fn what_is_relayed_has_a_number() {
    for database in support::databases().await {
        let (stage, phone) = stage(&database).await;
        let change = json!({ "first_text": true });
        let path = format!("/services/{}", stage.market.service);
        done(&stage.world, "PATCH", &path, Some(change)).await;
        let people = json!([
            { "role": "buyer", "identifier": stage.market.people[0].number.expose() },
            { "role": "seller", "identifier": FRENCH },
        ]);
        let new = json!({ "service_id": stage.market.service, "participants": people });
        let session = done(&stage.world, "POST", "/sessions", Some(new)).await;
        let dials = |place: usize| session["participants"][place]["proxy_number"].as_str().unwrap();
        let to = Identifier::parse(dials(0)).unwrap();
        let words = entremise::domain::message::Body::new("Hello".into());
        stage.market.network.text(stage.market.people[0].phone, &to, words).unwrap();
        let got = shown(&stage.world, &stage.market, phone).await;
        assert_eq!(got.len(), 2, "on {}: {got:?}", database.name);
        assert!(got.iter().all(|(from, _)| from.expose() == dials(1)), "{got:?}");
        stage.end(database).await;
    }
}

/// Whoever wants no texts from any of the numbers gets none under the name either, and whoever asks is told the same.
#[tokio::test]
async fn whoever_stopped_all_gets_none() {
    for database in support::databases().await {
        let (stage, phone) = stage(&database).await;
        let body = json!({ "identifier": FRENCH, "scope": "account" });
        done(&stage.world, "POST", "/opt-outs", Some(body)).await;
        let one = Stage::is(&stage.send(0, json!({ "to": FRENCH })).await, 201);
        assert_eq!(one["status"], "pending");
        assert!(shown(&stage.world, &stage.market, phone).await.is_empty(), "on {}", database.name);
        stage.end(database).await;
    }
}

/// Over each carrier's API: under the name where it documents names, else from a number.
#[tokio::test]
async fn every_carrier_does_as_it_says() {
    const NUMBERS_ALONE: [&str; 3] = ["bandwidth", "signalwire", "jambonz"];
    for dialect in DIALECTS {
        for database in support::databases().await {
            let scene = Scene::open(dialect, &database, rules("Bikes24")).await;
            let new = json!({ "to": FRENCH, "channel": "sms" });
            done(&scene.world, "POST", "/verifications", Some(new)).await;
            scene.world.running.jobs.idle().await;
            let asked = scene.asked();
            let [one] = &asked[..] else { panic!("{}: {asked:?}", dialect.kind) };
            let [from, to, words] = (dialect.sent)(one);
            assert!(
                FRENCH.ends_with(to.trim_start_matches('+')) && words.contains("code"),
                "{words}"
            );
            let named = !NUMBERS_ALONE.contains(&dialect.carrier());
            // Dialects that leave a number's plus out are given it here; what each sends exactly is in its fixtures.
            let sender = from.trim_start_matches('+');
            assert_eq!(sender == "Bikes24", named, "{} sends from {from}", dialect.kind);
            assert_eq!(
                leg(&scene.world).await.get("sender_id").is_some(),
                named,
                "{}",
                dialect.kind
            );
            scene.end(database).await;
        }
    }
}

/// A code whose answer was lost is looked for under the name, found, and not sent again.
#[tokio::test]
async fn a_lost_answer_is_looked_up_under_the_name() {
    for database in support::databases().await {
        let stage = over_twilio::Stage::open(&database).await;
        let path = format!("/services/{}", stage.market.service);
        done(&stage.world, "PATCH", &path, Some(json!({ "sender_id": NAME }))).await;
        stage.api.takes_but_answers(StatusCode::INTERNAL_SERVER_ERROR);
        let new = json!({ "to": FRENCH, "channel": "sms" });
        done(&stage.world, "POST", "/verifications", Some(new)).await;
        stage.world.running.jobs.idle().await;
        stage.world.clock.advance(11_000);
        stage.world.running.jobs.idle().await;
        let asked = stage.api.asked();
        assert_eq!(asked.len(), 1, "on {}", database.name);
        assert_eq!(asked[0].fields["From"], NAME);
        let lists = stage.api.lists();
        assert!(lists.iter().any(|url| url.contains("From=Bikes+24")), "{lists:?}");
        assert!(!lists.iter().any(|url| url.contains(FRENCH.trim_start_matches('+'))), "I16");
        let logged = leg(&stage.world).await;
        assert_eq!(logged["carrier_id"], format!("SM{:032x}", 1), "on {}", database.name);
        assert_eq!(logged["possible_duplicate"], false);
        stage.end(database).await;
    }
}
