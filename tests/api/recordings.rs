//! Rules of recording by API: what is refused, and that nothing is changed then.

use serde_json::json;

use super::world::{BUYER, SELLER, at, between, each};

/// What is out of its bounds, of another type or lacking is refused by its name, and no service is made or changed
/// by it.
#[tokio::test]
async fn bad_rules_change_nothing() {
    each(async |world| {
        world.pool("rides", 2).await;
        let before = world.get("/api/v1/services/rides").await.is(200);
        assert_eq!((&before["recording"], &before["recording_days"]), (&json!("off"), &json!(30)));
        for (change, field) in [
            (json!({ "recording": "always" }), "/recording"),
            (json!({ "recording": true }), "/recording"),
            (json!({ "recording_days": 0 }), "/recording_days"),
            (json!({ "recording_days": 366 }), "/recording_days"),
            (json!({ "recording_purpose": "x".repeat(201) }), "/recording_purpose"),
            (json!({ "recording_purpose": "a\nb" }), "/recording_purpose"),
            (json!({ "recording": "consent" }), "/recording_purpose"),
            (json!({ "recording": "consent", "recording_purpose": " " }), "/recording_purpose"),
            (
                json!({
                    "recording": "consent", "recording_purpose": "fares", "call_max_seconds": 3601,
                }),
                "/call_max_seconds",
            ),
        ] {
            let asked = world.ask("PATCH", "/api/v1/services/rides").a().json(&change);
            let problem = asked.send().await.problem(422, "validation_failed");
            assert_eq!(problem["errors"][0]["pointer"], field, "{change}: {problem}");
        }
        assert_eq!(world.get("/api/v1/services/rides").await.is(200), before);
    })
    .await;
}

/// Where nothing keeps files no service records, and no session asks for it where its service does not; what a session
/// says is shown.
#[tokio::test]
async fn nothing_is_recorded_that_nothing_keeps() {
    each(async |world| {
        world.pool("rides", 2).await;
        let consent = json!({ "recording": "consent", "recording_purpose": "fares" });
        let asked = world.ask("PATCH", "/api/v1/services/rides").a().json(&consent);
        let problem = asked.send().await.problem(409, "recording_not_supported");
        assert!(problem["detail"].as_str().unwrap().contains("no store"), "{problem}");
        assert_eq!(world.get("/api/v1/services/rides").await.is(200)["recording"], "off");
        let mut new = between("rides", BUYER, SELLER);
        new["recording"] = true.into();
        let problem = world.post("/api/v1/sessions", new.clone()).await;
        let problem = problem.problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["pointer"], "/recording", "{problem}");
        new["recording"] = "yes".into();
        world.post("/api/v1/sessions", new.clone()).await.problem(422, "validation_failed");
        let sessions = world.get("/api/v1/sessions").await.is(200);
        assert_eq!(sessions["data"], json!([]));
        new["recording"] = false.into();
        let session = world.post("/api/v1/sessions", new).await.is(201);
        assert_eq!(world.get(&at("sessions", &session)).await.is(200)["recording"], false);
    })
    .await;
}
