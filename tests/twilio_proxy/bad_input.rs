//! Whatever comes in is answered flat, changes nothing when refused, and is told back to nobody.

use serde_json::Value;

use crate::world::{ALICE, Client, each};

/// Everything that the account has, as far as these requests could change it.
async fn state(a: &Client<'_>, service: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for path in ["/v1/Services", service, &format!("{service}/PhoneNumbers")] {
        all.push(a.get(path).await.is(200));
    }
    all.push(a.get(&format!("{service}/Sessions")).await.is(200));
    all
}

/// Each field with what it can't be.
#[tokio::test]
async fn every_field() {
    each(async |_, a| {
        let service = a.service("rides", 1).await;
        let session = a.session(&service, &[ALICE]).await;
        let (sessions, numbers) =
            (format!("{service}/Sessions"), format!("{service}/PhoneNumbers"));
        let people = format!("{session}/Participants");
        let before = state(a, &service).await;
        let long = "x".repeat(5000);
        let secret = "https://10.0.0.1/secret";
        for (path, fields) in [
            (
                "/v1/Services",
                vec![
                    (
                        "UniqueName",
                        vec![
                            "",
                            "+12125550109",
                            &long,
                            "a\0b",
                            "KS0123456789abcdef0123456789abcdef",
                        ],
                    ),
                    ("DefaultTtl", vec!["-1", "x", "1.5", "2147483647", ""]),
                    (
                        "CallbackUrl",
                        vec!["x", "ftp://m.example", secret, &long, "http://m.example/"],
                    ),
                    ("InterceptCallbackUrl", vec!["x", secret]),
                    ("OutOfSessionCallbackUrl", vec!["x", secret]),
                    ("GeoMatchLevel", vec!["", "any", "near"]),
                    ("NumberSelectionBehavior", vec!["", "sticky"]),
                    ("ChatInstanceSid", vec!["IS12", &long]),
                ],
            ),
            (
                &sessions,
                vec![
                    ("UniqueName", vec!["+12125550109", &long, "a\0b"]),
                    ("Ttl", vec!["-1", "x", "2147483647", ""]),
                    (
                        "DateExpiry",
                        vec!["", "tomorrow", "2020-01-01T00:00:00Z", "99999-01-01T00:00:00Z"],
                    ),
                    ("Mode", vec!["", "telepathy"]),
                    ("Status", vec!["", "closed", "in-progress", "gone"]),
                    (
                        "Participants",
                        vec![
                            "",
                            "x",
                            "[]",
                            "{}",
                            "null",
                            r#"{"Identifier": 1}"#,
                            r#"{"Identifier": "x"}"#,
                            r#"{"Identifier": "+12125550101", "FriendlyName": {}}"#,
                            r#"{"Identifier": "+12125550101", "ProxyIdentifier": "x"}"#,
                        ],
                    ),
                ],
            ),
            (
                &numbers,
                vec![
                    ("Sid", vec!["", "x", "PN0123456789abcdef0123456789abcdef"]),
                    ("PhoneNumber", vec!["", "x", &long, "+1", "14155550150"]),
                ],
            ),
            (&people, vec![("Identifier", vec!["", "x", "+", "+12125550101\0", &long])]),
        ] {
            for (field, values) in fields {
                for value in values {
                    let mut form = vec![(field, value)];
                    if path == "/v1/Services" && field != "UniqueName" {
                        form.push(("UniqueName", "new"));
                    }
                    let answer = a.post(path, &form).await;
                    let what = format!("{path} {field}={value:.40}: {answer:?}");
                    assert_eq!(answer.status, 400, "{what}");
                    let body = answer.is(400).to_string();
                    assert!(value.len() < 12 || !body.contains(value), "told back: {what}");
                }
            }
        }
        for (field, values) in
            [("FriendlyName", [&*long, "a\0b"]), ("ProxyIdentifierSid", ["x", "PN"])]
        {
            for value in values {
                let form = [("Identifier", "+12125550103"), (field, value)];
                assert_eq!(a.post(&people, &form).await.status, 400, "{field}");
            }
        }
        let form = [("PhoneNumber", "+14155550150"), ("IsReserved", "perhaps")];
        a.post(&numbers, &form).await.refused(400, 80701);
        a.post(&session, &[("Status", "gone")]).await.refused(400, 80701);
        a.get(&format!("{sessions}?PageSize=x")).await.refused(400, 80701);
        assert_eq!(state(a, &service).await, before, "a refusal changes nothing");
    })
    .await;
}

/// Odd encodings, huge bodies, wrong methods and wrong addresses.
#[tokio::test]
async fn every_shape() {
    each(async |_, a| {
        let service = a.service("rides", 1).await;
        let sessions = format!("{service}/Sessions");
        let before = state(a, &service).await;
        for body in [
            &b"UniqueName=%ff%fe%00"[..],
            b"%",
            b"&&&&====",
            b"\xff\xfe\x00",
            b"{\"UniqueName\": \"json\"}",
            b"Participants=%7B%22Identifier%22%3A%22%5Cud800%22%7D",
        ] {
            let answer = a.ask("POST", "/v1/Services", body).await;
            assert_eq!(answer.status, 400, "{body:?} {answer:?}");
        }
        let many =
            vec![b'&'; 1000].into_iter().flat_map(|and| [b'a', b'=', and]).collect::<Vec<_>>();
        a.ask("POST", &sessions, &many).await.refused(400, 80701);
        let huge = vec![b'x'; 2_000_000];
        a.ask("POST", &sessions, &huge).await.refused(413, 20413);
        let deep = format!("Participants={}", "[".repeat(10_000));
        a.ask("POST", &sessions, deep.as_bytes()).await.refused(400, 80701);
        for (method, path) in [
            ("PUT", "/v1/Services"),
            ("PATCH", &*service),
            ("DELETE", "/v1/Services"),
            ("POST", &format!("{sessions}/x/Interactions")),
        ] {
            a.ask(method, path, b"").await.refused(405, 20004);
        }
        for path in [
            "/v1",
            "/v1/",
            "/v1/Nothing",
            "/v1/Services/",
            "/v1/Services/%00",
            "/v1/Services/%ff",
            "/v1/Services/%2B12125550101",
            "/v1/Services/KS12/Sessions",
            "/v1/services",
            &format!("{service}/Sessions/%F0%9F%9A%B2"),
            &format!("{service}/PhoneNumbers/x"),
        ] {
            a.get(path).await.refused(404, 20404);
        }
        assert_eq!(state(a, &service).await, before, "a refusal changes nothing");
    })
    .await;
}
