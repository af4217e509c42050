//! Every resource has the keys, types and addresses of Twilio's.

use serde_json::{Value, json};

use crate::world::{ALICE, BOB, each, proxy, text};

/// Holds a value to its keys, and each to a pattern: `KS` for a SID, `date`, or a JSON value.
#[track_caller]
fn shape(body: &Value, expected: &Value) {
    let (body, expected) = (body.as_object().unwrap(), expected.as_object().unwrap());
    let keys: Vec<&String> = body.keys().collect();
    let mut wanted: Vec<&String> = expected.keys().collect();
    wanted.sort();
    let mut sorted = keys;
    sorted.sort();
    assert_eq!(sorted, wanted);
    for (key, value) in expected {
        let found = &body[key];
        match value.as_str() {
            Some(prefix @ ("KS" | "KC" | "KP" | "PN")) => {
                let sid = found.as_str().unwrap_or_default();
                assert!(sid.len() == 34 && sid.starts_with(prefix), "{key}: {found}");
            }
            Some("date") => {
                let date = found.as_str().unwrap_or_default();
                assert!(date.len() == 20 && date.ends_with('Z'), "{key}: {found}");
            }
            Some("any") => {}
            _ => assert_eq!(found, value, "{key}"),
        }
    }
}

/// A service, with all that may be set and with nothing but its name.
#[tokio::test]
async fn services() {
    each(async |world, a| {
        let form = [
            ("UniqueName", "rides"),
            ("DefaultTtl", "3600"),
            ("CallbackUrl", "https://m.example/cb"),
            ("InterceptCallbackUrl", "https://m.example/ask"),
            ("OutOfSessionCallbackUrl", "https://m.example/else"),
            ("GeoMatchLevel", "extended-area-code"),
            ("NumberSelectionBehavior", "avoid-sticky"),
            ("ChatInstanceSid", "IS0123456789abcdef0123456789abcdef"),
            ("Unknown", "ignored"),
        ];
        let service = a.post("/v1/Services", &form).await.is(201);
        let sid = text(&service, "sid");
        let url = format!("{}/v1/Services/{sid}", world.running.origin);
        let expected = json!({
            "sid": "KS", "account_sid": a.user, "unique_name": "rides", "default_ttl": 3600,
            "callback_url": "https://m.example/cb",
            "intercept_callback_url": "https://m.example/ask",
            "out_of_session_callback_url": "https://m.example/else",
            "geo_match_level": "extended-area-code", "number_selection_behavior": "avoid-sticky",
            "chat_instance_sid": "IS0123456789abcdef0123456789abcdef",
            "date_created": "date", "date_updated": "date", "url": url,
            "links": {
                "sessions": format!("{url}/Sessions"),
                "phone_numbers": format!("{url}/PhoneNumbers"),
            },
        });
        shape(&service, &expected);
        for named in [&url, "/v1/Services/rides"] {
            assert_eq!(a.get(named).await.is(200), service);
        }
        // What one API creates, the other shows, with the rules that a service of Twilio's has.
        let (status, native) = a.native(&format!("/services/{sid}")).await;
        assert_eq!(status, 200);
        assert_eq!(native["default_ttl_seconds"], 3600);
        assert_eq!(native["identifier_check"], "valid");
        assert_eq!(native["keep_texts"], true);
        assert_eq!(native["participants_max"], 2);
        assert_eq!(native["quarantine_seconds"], 604_800);
        assert_eq!(native["twilio_proxy"]["callback_url"], "https://m.example/cb");
        assert_eq!(native["twilio_proxy"]["on_intercept_failure"], "continue");

        let change = [("CallbackUrl", ""), ("DefaultTtl", "0"), ("UniqueName", "Rides 2 #1")];
        let changed = a.post(&url, &change).await.is(200);
        assert_eq!(changed["callback_url"], Value::Null);
        assert_eq!(changed["default_ttl"], 0);
        assert_eq!(changed["geo_match_level"], "extended-area-code");
        assert_eq!(a.get("/v1/Services/Rides%202%20%231").await.is(200), changed);

        let plain = a.post("/v1/Services", &[("UniqueName", "plain")]).await.is(201);
        for key in ["callback_url", "chat_instance_sid", "intercept_callback_url"] {
            assert_eq!(plain[key], Value::Null);
        }
        assert_eq!(plain["default_ttl"], 0);
        assert_eq!(plain["geo_match_level"], "country");
        assert_eq!(plain["number_selection_behavior"], "prefer-sticky");
    })
    .await;
}

/// A number, a session, its participants, and what each links to.
#[tokio::test]
async fn numbers_sessions_and_participants() {
    each(async |world, a| {
        let service = a.service("rides", 0).await;
        let form = [("PhoneNumber", &*proxy(0)), ("IsReserved", "False")];
        let number = a.post(&format!("{service}/PhoneNumbers"), &form).await.is(201);
        let service_sid = service.rsplit('/').next().unwrap();
        let base = format!("{}{service}", world.running.origin);
        shape(
            &number,
            &json!({
                "sid": "PN", "account_sid": a.user, "service_sid": service_sid,
                "phone_number": proxy(0), "friendly_name": proxy(0), "iso_country": "US",
                "capabilities": { "sms": true, "mms": true, "voice": true, "fax": false },
                "is_reserved": false, "in_use": 0, "date_created": "date", "date_updated": "date",
                "url": format!("{base}/PhoneNumbers/{}", text(&number, "sid")),
            }),
        );
        let form = [
            ("UniqueName", "Order #1"),
            ("Ttl", "60"),
            ("Mode", "voice-only"),
            ("FailOnParticipantConflict", "True"),
            ("Participants", r#"{"Identifier": "+12125550101", "FriendlyName": "Alice"}"#),
            ("Participants", r#"{"identifier": "+12125550102"}"#),
        ];
        let session = a.post(&format!("{service}/Sessions"), &form).await.is(201);
        let url = format!("{base}/Sessions/{}", text(&session, "sid"));
        shape(
            &session,
            &json!({
                "sid": "KC", "service_sid": service_sid, "account_sid": a.user,
                "unique_name": "Order #1", "status": "open", "closed_reason": null, "ttl": 60,
                "mode": "voice-only", "date_started": null, "date_ended": null,
                "date_last_interaction": null, "date_expiry": null, "date_created": "date",
                "date_updated": "date", "url": url,
                "links": {
                    "interactions": format!("{url}/Interactions"),
                    "participants": format!("{url}/Participants"),
                },
            }),
        );
        let named = format!("{service}/Sessions/Order%20%231");
        assert_eq!(a.get(&named).await.is(200), session);
        let list = a.get(&format!("{url}/Participants")).await.is(200);
        let (bob, alice) = (&list["participants"][0], &list["participants"][1]);
        assert_eq!((&alice["identifier"], &bob["identifier"]), (&json!(ALICE), &json!(BOB)));
        let own = format!("{url}/Participants/{}", text(alice, "sid"));
        shape(
            alice,
            &json!({
                "sid": "KP", "session_sid": session["sid"], "service_sid": service_sid,
                "account_sid": a.user, "friendly_name": "Alice", "identifier": ALICE,
                "proxy_identifier": proxy(0), "proxy_identifier_sid": number["sid"],
                "date_deleted": null, "date_created": "date", "date_updated": "date", "url": own,
                "links": { "message_interactions": format!("{own}/MessageInteractions") },
            }),
        );
        assert_eq!(a.get(&own).await.is(200), *alice);
        let number = a.get(&text(&number, "url")).await.is(200);
        assert_eq!(number["in_use"], 1, "one session, two people");
        let (_, native) = a.native(&format!("/sessions/{}", text(&session, "sid"))).await;
        let roles: Vec<_> = (0..2).map(|n| native["participants"][n]["role"].clone()).collect();
        assert_eq!(roles, ["party-1", "party-2"]);
        assert!(!native.to_string().contains(&ALICE[2..]), "no number leaves by the native API");
    })
    .await;
}

/// Pages are walked by absolute addresses, forwards and back, each thing once.
#[tokio::test]
async fn pages() {
    each(async |world, a| {
        let service = a.service("rides", 5).await;
        for _ in 0..5 {
            a.session(&service, &[]).await;
        }
        for (path, key, count) in [
            ("/v1/Services".to_owned(), "services", 1),
            (format!("{service}/PhoneNumbers"), "phone_numbers", 5),
            (format!("{service}/Sessions"), "sessions", 5),
            (format!("{service}/ShortCodes"), "short_codes", 0),
        ] {
            let whole = a.get(&path).await.is(200);
            let url = format!("{}{path}?PageSize=50&Page=0", world.running.origin);
            assert_eq!(
                whole["meta"],
                json!({
                    "page": 0, "page_size": 50, "key": key, "first_page_url": url,
                    "previous_page_url": null, "next_page_url": null, "url": url,
                })
            );
            assert_eq!(whole[key].as_array().unwrap().len(), count);
            let mut walked = Vec::new();
            let mut pages = Vec::new();
            let mut next = Some(format!("{path}?PageSize=2"));
            while let Some(url) = next {
                let page = a.get(&url).await.is(200);
                walked.extend(page[key].as_array().unwrap().clone());
                next = page["meta"]["next_page_url"].as_str().map(str::to_owned);
                pages.push(page);
            }
            assert_eq!(json!(walked), whole[key], "{key}");
            assert_eq!(pages.len(), count.div_ceil(2).max(1));
            for pair in pages.windows(2) {
                let back = text(&pair[1]["meta"], "previous_page_url");
                assert_eq!(a.get(&back).await.is(200)[key], pair[0][key], "{key}");
            }
        }
        let most = a.get(&format!("{service}/Sessions?PageSize=1000")).await.is(200);
        assert_eq!(most["meta"]["page_size"], 100);
    })
    .await;
}
