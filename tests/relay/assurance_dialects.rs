//! PINs as carriers ask for them: by a document, and by commands. What carriers say of callers' numbers.

use entremise::domain::{
    assurance::AssuranceRules,
    interaction::{Outcome, Reason},
    policy::Rules,
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    dialect::{Came, Scene},
    fake,
    over_call_control::{self, on},
    over_twilio,
    receiver::done,
    support,
};

/// Callers who hide their number are asked for a PIN.
fn rules() -> Rules {
    let assurance = AssuranceRules { pin_for_withheld: true, ..AssuranceRules::default() };
    Rules { assurance, ..Rules::new("Bikes".into()) }
}

/// A PIN of ours for the buyer.
async fn pin(scene: &Scene) -> String {
    let path = format!("/sessions/{}", scene.session.id);
    let session = done(&scene.world, "GET", &path, None).await;
    let buyer = session["participants"][0]["id"].as_str().unwrap();
    let path = format!("{path}/participants/{buyer}/pin");
    let made = done(&scene.world, "PUT", &path, Some(json!({ "pin": "auto" }))).await;
    made["participants"][0]["pin"].as_str().unwrap().to_owned()
}

fn withheld(scene: &Scene) -> Came<'_> {
    Came { from: "anonymous", to: scene.session.dials[0].expose(), words: "", id: 1 }
}

/// Over Twilio: the document gathers keys, a wrong PIN is asked for again, and the right one dials. I17: no number
/// of a person is in it before.
#[tokio::test]
async fn a_pin_over_twilio() {
    const CALL: &str = "CA00000000000000000000000000000001";
    for database in support::databases().await {
        let scene = Scene::open(&over_twilio::DIALECT, &database, rules()).await;
        let pin = pin(&scene).await;
        let press = async |twiml: &str, digits: &str| {
            let path = fake::action(&scene.world, twiml);
            let fields = [("CallSid", CALL), ("CallStatus", "in-progress"), ("Digits", digits)];
            let answer = fake::webhook(&scene.world, &path, &fields).await;
            assert_eq!(answer.status, StatusCode::OK);
            String::from_utf8(answer.body).unwrap()
        };
        let answer = (over_twilio::DIALECT.call)(&scene.world, withheld(&scene)).await;
        let asked = String::from_utf8(answer.body).unwrap();
        assert!(asked.contains("<Gather") && asked.contains("finishOnKey=\"#\""), "{asked}");
        assert!(!asked.contains(&scene.bare(1).0), "I17: {asked}");
        let again = press(&asked, "0000").await;
        assert!(again.contains("not valid") && again.contains("<Gather"), "{again}");
        let dialled = press(&again, &pin).await;
        let seen = (over_twilio::DIALECT.rings)(&dialled, &[]);
        assert_eq!(seen, [scene.session.dials[1].expose(), scene.person(1)].map(str::to_owned));
        assert_eq!(press(&again, &pin).await, dialled, "the same question has the same answer");

        let path = fake::action(&scene.world, &dialled);
        let ended =
            [("CallSid", CALL), ("CallStatus", "completed"), ("DialCallStatus", "completed")];
        fake::webhook(&scene.world, &path, &ended).await;
        let log = scene.only().await;
        assert_eq!(
            (log.outcome, log.from_role.as_deref()),
            (Some(Outcome::Connected), Some("buyer"))
        );
        scene.end(database).await;
    }
}

/// What Twilio says of a caller's number is in the log, and is acted on.
#[tokio::test]
async fn an_attestation_over_twilio() {
    for (verstat, shown, refused) in [
        ("TN-Validation-Passed-A", "a", false),
        ("TN-Validation-Failed", "failed", true),
        ("No-TN-Validation", "none", false),
    ] {
        for database in support::databases().await {
            let mut rules = Rules::new("Bikes".into());
            rules.assurance.failed = entremise::domain::assurance::Treatment::Refuse;
            let scene = Scene::open(&over_twilio::DIALECT, &database, rules).await;
            let fields = [
                ("CallSid", "CA00000000000000000000000000000001"),
                ("CallStatus", "ringing"),
                ("Direction", "inbound"),
                ("StirVerstat", verstat),
                ("From", scene.person(0)),
                ("To", scene.session.dials[0].expose()),
            ];
            fake::webhook(&scene.world, "/hooks/twilio/call", &fields).await;
            let log = done(&scene.world, "GET", "/interactions?limit=1", None).await;
            let log = &log["data"][0];
            assert_eq!(log["caller_attestation"], shown);
            let reason = refused.then_some("caller_unverified");
            assert_eq!(log["reason"].as_str(), reason);
            scene.end(database).await;
        }
    }
}

/// Over Call Control: the caller is answered, keys are waited for, and the right PIN transfers them; a second
/// caller gives wrong ones, hears the neutral words, and is hung up.
#[tokio::test]
async fn a_pin_over_call_control() {
    const CALL: &str = "v3:cc-0000000000000000001";
    for right in [true, false] {
        for database in support::databases().await {
            let stage = over_call_control::Stage::open(&database, rules()).await;
            let pin = pin(&stage).await;
            (over_call_control::DIALECT.call)(&stage.world, withheld(&stage)).await;
            let answer = stage.only_asked(&on(CALL, "answer"));
            assert!(!answer.to_string().contains(&stage.bare(1).0), "sealed: {answer}");
            let up = &answer["client_state"];
            stage.news("call.answered", CALL, up, &json!({})).await;
            let mut gather = stage.only_asked(&on(CALL, "gather_using_speak"));
            assert!(gather["payload"].as_str().unwrap().contains("code"), "{gather}");
            assert_eq!(gather["terminating_digit"], "#");
            let pressed = async |gather: &Value, digits: &str| {
                let more = json!({ "digits": digits, "status": "valid" });
                stage.news("call.gather.ended", CALL, &gather["client_state"], &more).await;
            };
            if right {
                pressed(&gather, &pin).await;
                let transfer = stage.only_asked(&on(CALL, "transfer"));
                assert_eq!(transfer["to"], stage.person(1));
                assert_eq!(transfer["from"], stage.session.dials[1].expose());
            } else {
                for _ in 0..2 {
                    pressed(&gather, "0000").await;
                    gather = stage.only_asked(&on(CALL, "gather_using_speak"));
                }
                pressed(&gather, "0000").await;
                let words = stage.only_asked(&on(CALL, "speak"));
                assert!(words["payload"].as_str().unwrap().contains("members of Bikes"), "{words}");
                let log = stage.only().await;
                assert_eq!(
                    (log.outcome, log.reason),
                    (Some(Outcome::Refused), Some(Reason::PinWrong))
                );
            }
            stage.0.end(database).await;
        }
    }
}
