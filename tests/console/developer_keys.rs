//! The developer page's keys and signing secrets.

use std::time::Duration;

use entremise::{
    domain::audit::Action,
    relay::Scope,
    store::{accounts, audit, endpoints},
};
use http::{StatusCode, header};

use crate::{
    developer::{admin, agent},
    logins::{between, encoded},
    world::{World, on_each},
};

const KEYS: &str = "/console/developer/keys";

/// The rows of the audit log that tell of one action: who did it.
async fn actors(world: &World, action: Action) -> Vec<String> {
    let mut tx = world.read().await;
    let filter = audit::Filter { action: Some(action), ..audit::Filter::default() };
    let rows = audit::list(&mut tx, world.account.as_str(), &filter, None, 9).await.unwrap();
    rows.into_iter().map(|row| row.link.content.actor).collect()
}

/// Who develops sees the keys; who runs the account's console makes one, which is shown once and opens what it says,
/// and withdraws it by its last four characters. The audit log names them.
#[tokio::test]
async fn keys_are_made_and_withdrawn() {
    on_each(|world| async move {
        let omar = agent(&world).await;
        let page = omar.get(KEYS).await;
        page.has("first").has("everything").has_not("/console/developer/keys/new").has_not("emk_");
        for path in ["new", "AK00000000000000000000000000000000/withdraw"] {
            let path = format!("{KEYS}/{path}");
            assert_eq!(omar.get(&path).await.status, StatusCode::FORBIDDEN);
            assert_eq!(omar.post(&path, "name=x").await.status, StatusCode::FORBIDDEN);
        }
        let ada = admin(&world).await;
        assert_eq!(ada.get(&format!("{KEYS}/new")).await.status, StatusCode::OK);
        for (name, scope, days) in [
            ("", "audit:read", "30"),
            ("call +1 (415) 555-0100", "audit:read", "30"),
            ("reports", "", "30"),
            ("reports", "mischief", "30"),
        ] {
            let form = encoded(&[("name", name), ("scope", scope), ("days", days)]);
            let answer = ada.post(&format!("{KEYS}/new"), &form).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{name} {scope}");
            answer.has_not("emk_");
        }
        let form = encoded(&[
            ("name", "reports"),
            ("scope", "sessions:read"),
            ("scope", "audit:read"),
            ("days", "30"),
        ]);
        let made = ada.post(&format!("{KEYS}/new"), &form).await;
        assert_eq!(made.status, StatusCode::OK);
        assert_eq!(made.header(header::CACHE_CONTROL), "no-store");
        let token = between(&made.text, r#"id="secret">"#, "<").to_owned();
        let caller = world.relay.authenticate(&token).await.unwrap().unwrap();
        assert_eq!(caller.account, world.account);
        assert!(caller.may(Scope::AuditRead) && caller.may(Scope::SessionsRead));
        assert!(!caller.may(Scope::SessionsWrite) && !caller.may(Scope::PeopleReveal));
        let hint = &token[token.len() - 4..];
        let adas = world.relay.staff_named("Ada").await.unwrap().unwrap().id;
        assert_eq!(actors(&world, Action::ApiKeyCreated).await[0], adas.as_str());
        let id = caller.key.unwrap();
        ada.get(KEYS).await.has_not(&token).has(hint).has("reports").has("sessions:read");
        let mut tx = world.read().await;
        let keys = accounts::api_keys(&mut tx, &world.account).await.unwrap();
        drop(tx);
        let key = keys.iter().find(|key| key.id == id).unwrap();
        let days = key.expires_at.unwrap().since(key.created_at).as_secs() / 86_400;
        assert_eq!(days, 30);

        let end = format!("{KEYS}/{id}/withdraw");
        ada.get(&end).await.has(hint).has("Withdraw for good");
        let wrong = ada.post(&end, "hint=zzzzz").await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(world.relay.authenticate(&token).await.unwrap().is_ok());
        let done = ada.post(&end, &encoded(&[("hint", hint)])).await;
        ada.get(done.header(header::LOCATION)).await.has("opens nothing any more").has("withdrawn");
        assert!(world.relay.authenticate(&token).await.unwrap().is_err());
        assert_eq!(actors(&world, Action::ApiKeyRevoked).await, [adas.to_string()]);
        assert_eq!(ada.get(&end).await.status, StatusCode::NOT_FOUND, "it is withdrawn already");
        ada.get_in(KEYS, "fr")
            .await
            .has("révoquée")
            .has("Le jeton du compte")
            .has_not("withdrawn ");
    })
    .await;
}

/// A signing secret is renewed with the old one beside it for a while, shown once, and once where the form is sent
/// twice; the audit log names who did it.
#[tokio::test]
async fn secrets_are_renewed() {
    on_each(|world| async move {
        let endpoint = crate::events::endpoint(&world).await;
        let path = format!("/console/developer/endpoints/{endpoint}/secret");
        let omar = agent(&world).await;
        omar.get(KEYS).await.has("hooks.example").has("whpk_").has_not(&path).has_not("hush");
        assert_eq!(omar.post(&path, "overlap=24&version=1").await.status, StatusCode::FORBIDDEN);
        let ada = admin(&world).await;
        ada.get(KEYS).await.has(&path);
        let page = ada.get(&path).await;
        page.has("hooks.example").has_not("whsec_").has_not("hush");
        let version = between(&page.text, r#"name="version" value=""#, "\"").to_owned();
        for wrong in ["overlap=9", "overlap=1", "overlap=1&version=x"] {
            assert_eq!(ada.post(&path, wrong).await.status, StatusCode::NOT_FOUND, "{wrong}");
        }
        let form = format!("overlap=1&version={version}");
        let made = ada.post(&path, &form).await;
        assert_eq!(made.status, StatusCode::OK);
        assert_eq!(made.header(header::CACHE_CONTROL), "no-store");
        let secret = between(&made.text, r#"id="secret">"#, "<").to_owned();
        let again = ada.post(&path, &form).await;
        assert_eq!(again.status, StatusCode::CONFLICT);
        again.has_not("whsec_").has("was changed meanwhile");
        let mut tx = world.read().await;
        let now = tx.now().await.unwrap();
        let keys = endpoints::live_keys(&mut tx, &world.account, &endpoint, now).await.unwrap();
        drop(tx);
        assert_eq!(keys.len(), 2);
        assert_eq!(keys[0].keys.secret().expose(), secret);
        assert!(
            keys[1].ends_at.unwrap().since(now) <= Duration::from_hours(1) + Duration::from_secs(1)
        );
        let adas = world.relay.staff_named("Ada").await.unwrap().unwrap().id;
        assert_eq!(actors(&world, Action::EndpointKeysRotated).await, [adas.to_string()]);
        ada.get(KEYS).await.has("signs until").has_not(&secret);
        omar.get("/console/developer").await.has("<dd>1</dd>");
    })
    .await;
}
