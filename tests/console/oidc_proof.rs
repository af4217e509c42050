//! Another login (`OpenID` Connect) as a proof that is asked for again, and with a second step of the console's own.

use entremise::domain::{
    oidc::{GroupRights, SecondFactor},
    staff::Role,
};
use http::{StatusCode, header};
use serde_json::{Value, json};

use crate::{
    authenticator::Authenticator,
    logins::{between, encoded, with_app},
    oidc::{THERE, back, go, ines, log_in, sent, with_elsewhere},
    provider::{Elsewhere, Key},
    world::{Browser, World, on_each},
};

const PROVE: &str = "/console/prove/oidc?next=/console/staff";

/// Somebody who runs the console, and proved at that time, if the login says so, who they are.
fn admin(proved_at: Option<i64>) -> Value {
    let mut claims = json!({"sub": "0007", "name": "Grace", "groups": ["admins"]});
    if let Some(at) = proved_at {
        claims["auth_time"] = json!(at);
    }
    claims
}

async fn seconds(world: &World) -> i64 {
    world.read().await.now().await.unwrap().millis() / 1000
}

async fn of_admins(world: &World, second: SecondFactor) -> (World, Elsewhere) {
    let elsewhere = Elsewhere::start(&world.relay, Key::ec()).await;
    let mut rules = elsewhere.rules(vec![
        GroupRights::new("admins", Role::Admin, None),
        GroupRights::new("support", Role::Agent, None),
    ]);
    rules.second_factor = second;
    (world.through(Elsewhere::at(&world.relay, rules)), elsewhere)
}

/// Whether they may do now what asks for a fresh proof.
async fn is_fresh(browser: &Browser, name: &str) -> bool {
    let form = encoded(&[("name", name), ("role", "viewer")]);
    let made = browser.post("/console/staff", &form).await;
    match made.status {
        StatusCode::OK => true,
        StatusCode::SEE_OTHER => {
            assert!(made.header(header::LOCATION).starts_with("/console/prove?next="));
            false
        }
        _ => panic!("{}", made.text),
    }
}

/// A login counts as fresh by when they proved there who they are, which may be long ago, and not at all where that
/// is not said. Who must prove it again does so there, now; not as somebody else, and not by what was before.
#[tokio::test]
async fn a_fresh_proof_comes_from_there() {
    on_each(|world| async move {
        let (world, elsewhere) = of_admins(&world, SecondFactor::Provider).await;
        let now = seconds(&world).await;
        elsewhere.somebody(admin(Some(now)));
        let (browser, _) = log_in(&world, &elsewhere).await;
        assert!(is_fresh(&browser, "A").await, "they logged in there just now");
        for at in [Some(now - 16 * 60), None] {
            elsewhere.somebody(admin(at));
            let (browser, _) = log_in(&world, &elsewhere).await;
            assert!(!is_fresh(&browser, "B").await, "{at:?}");
        }
        let (mut browser, _) = log_in(&world, &elsewhere).await;
        let page = browser.get("/console/prove?next=/console/staff").await;
        page.has("Log in again with Velo ID").has_not("Set a password first");
        let logged_in = browser.cookie.clone();

        let not_fresh = "does not say that you logged in there just now";
        for (claims, words) in [
            (admin(None), not_fresh),
            (admin(Some(now - 120)), not_fresh),
            (
                json!({"sub": "0008", "groups": ["admins"], "auth_time": now}),
                "Somebody else logged in there",
            ),
        ] {
            elsewhere.somebody(claims);
            let query = go(&mut browser, &elsewhere, PROVE).await;
            assert_eq!((&*query.asked["prompt"], &*query.asked["max_age"]), ("login", "0"));
            let answer = browser.get(&query.path()).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN);
            answer.has(words).has("That was not proved").has("/console/prove?next=");
            browser.cookie.clone_from(&logged_in);
            assert!(!is_fresh(&browser, "B").await, "{words}");
        }
        elsewhere.somebody(admin(Some(seconds(&world).await)));
        let query = go(&mut browser, &elsewhere, PROVE).await;
        // It is of the browser that was logged in when it was asked.
        let (mut other, _) = log_in(&world, &elsewhere).await;
        let asked = browser.cookie.clone().unwrap();
        let asked = asked.split("; ").nth(1).unwrap();
        other.cookie = Some(format!("{}; {asked}", other.cookie.unwrap()));
        other.get(&query.path()).await.has("begun in another browser");
        browser.cookie.clone_from(&logged_in);
        let query = go(&mut browser, &elsewhere, PROVE).await;
        let answer = browser.get(&query.path()).await;
        assert_eq!(answer.header(header::LOCATION), "/console/staff", "{}", answer.text);
        assert!(is_fresh(&browser, "B").await);
    })
    .await;
}

/// Whoever lost their groups meanwhile proves nothing, and is out.
#[tokio::test]
async fn a_proof_reads_the_groups_too() {
    on_each(|world| async move {
        let (world, elsewhere) = of_admins(&world, SecondFactor::Provider).await;
        elsewhere.somebody(admin(None));
        let (mut browser, _) = log_in(&world, &elsewhere).await;
        let mut claims = admin(Some(seconds(&world).await));
        claims["groups"] = json!([]);
        elsewhere.somebody(claims);
        let query = go(&mut browser, &elsewhere, PROVE).await;
        browser.get(&query.path()).await.has("none of your groups there opens");
        assert_eq!(browser.get("/console/me").await.status, StatusCode::SEE_OTHER);
    })
    .await;
}

/// Whoever has a login here proves themselves here: the way there is not for them.
#[tokio::test]
async fn local_staff_prove_themselves_here() {
    on_each(|world| async move {
        let (world, _elsewhere) = with_elsewhere(&world, Key::ec()).await;
        let (local, _, _) = with_app(&world, entremise::relay::Invite::admin("Grace")).await;
        local.get("/console/prove").await.has_not("Velo ID").has("Code of your app");
        let answer = local.get("/console/prove/oidc").await;
        assert!(answer.header(header::LOCATION).starts_with("/console/prove?"));
        let password = local.get("/console/me").await;
        password.has("/console/me/password").has_not("Velo ID");
    })
    .await;
}

/// Where the second step is the console's own, whoever needs one adds it, and is asked for it after the other login;
/// a passkey alone opens nothing to them.
#[tokio::test]
async fn the_second_step_may_be_our_own() {
    on_each(|world| async move {
        let (world, elsewhere) = of_admins(&world, SecondFactor::Own).await;
        let mut world = world;
        world.relay = world.relay.clone().with_console_at("http://127.0.0.1:8080");
        elsewhere.somebody(ines(&["support"]));
        let (agent, _) = log_in(&world, &elsewhere).await;
        assert_eq!(agent.get("/console/accounts").await.status, StatusCode::OK);

        let now = seconds(&world).await;
        elsewhere.somebody(admin(Some(now)));
        let (browser, _) = log_in(&world, &elsewhere).await;
        let must = browser.get("/console/staff").await;
        assert_eq!(must.header(header::LOCATION), "/console/me/app");
        let page = browser.get("/console/me/app").await;
        let key = between(&page.text, r#"id="secret">"#, "<").replace(' ', "");
        let code = crate::logins::app_code(&world, &key);
        let added = browser.post("/console/me/app", &encoded(&[("code", &code)])).await;
        assert_eq!(added.status, StatusCode::OK);
        assert_eq!(browser.get("/console/staff").await.status, StatusCode::OK);
        let mut phone = add_passkey(&browser).await;

        world.wait(30);
        let (half, answer) = log_in(&world, &elsewhere).await;
        assert!(answer.header(header::LOCATION).starts_with("/console/login/code"));
        assert_eq!(half.get("/console/staff").await.status, StatusCode::SEE_OTHER);
        let code = crate::logins::app_code(&world, &key);
        let mut whole = half;
        let answer = whole.post("/console/login/code", &encoded(&[("code", &code)])).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        whole.keep(&answer);
        assert_eq!(whole.get("/console/staff").await.status, StatusCode::OK);
        whole.get("/console/me").await.has("single sign-on");
        whole.get("/console/prove").await.has_not("Velo ID").has("Code of your app");

        // A passkey is a second step too, and no login by itself.
        let by_passkey = by_passkey(&mut phone, world.visitor(false)).await;
        assert_eq!(by_passkey, StatusCode::FORBIDDEN);
        let (browser, query) = sent(&world, &elsewhere, THERE).await;
        let (half, _) = back(browser, &query).await;
        assert_eq!(self::by_passkey(&mut phone, half).await, StatusCode::OK);
    })
    .await;
}

async fn json_post(browser: &Browser, path: &str, body: &Value) -> crate::world::Answer {
    let request = http::Request::post(path)
        .header("sec-fetch-site", "same-origin")
        .body(axum::body::Body::from(body.to_string()))
        .unwrap();
    browser.send(request).await
}

async fn add_passkey(browser: &Browser) -> Authenticator {
    let mut phone = Authenticator::new();
    let asked = json_post(browser, "/console/me/passkeys/ask", &json!({})).await;
    let asked: Value = serde_json::from_str(&asked.text).unwrap();
    let credential = phone.create(&asked["ask"]);
    let body = json!({"name": "Phone", "credential": credential});
    let added = json_post(browser, "/console/me/passkeys", &body).await;
    added.has("/console/me?done=passkey");
    phone
}

/// Answers the login page's question with a passkey, in a browser with its cookies.
async fn by_passkey(phone: &mut Authenticator, browser: Browser) -> StatusCode {
    let mut browser = browser;
    let asked = json_post(&browser, "/console/login/passkey/ask", &json!({})).await;
    let mut both: Vec<String> = browser.cookie.take().into_iter().collect();
    browser.keep(&asked);
    both.extend(browser.cookie.take());
    browser.cookie = Some(both.join("; "));
    let asked: Value = serde_json::from_str(&asked.text).unwrap();
    let credential = phone.get(&asked["ask"]);
    let body = json!({"credential": credential});
    json_post(&browser, "/console/login/passkey", &body).await.status
}
