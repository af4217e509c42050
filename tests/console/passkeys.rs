//! Passkeys: made, used to log in and to prove again who somebody is; and everything that opens nothing.

use axum::body::Body;
use entremise::{
    domain::staff::{Extra, Rights, Role},
    relay::Invite,
};
use http::{Request, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    authenticator::{Authenticator, ORIGIN},
    world::{Answer, Browser, World, on_each},
};

const PASSWORD: &str = "seven green umbrellas";
const LOGIN: &str = "/console/login/passkey";
const PROVE: &str = "/console/prove/passkey";
const NEW: &str = "/console/me/passkeys";

/// Makes an authenticator answer wrongly in one way.
type Spoil = fn(&mut Authenticator);

/// A world whose console has a name.
fn named(mut world: World) -> World {
    world.relay = world.relay.clone().with_console_at("http://127.0.0.1:8080");
    world
}

fn agent(world: &World, name: &str) -> Invite {
    let rights = Rights { role: Role::Agent, extra: Extra::default() };
    Invite { name: name.to_owned(), account: Some(world.account.clone()), rights: Some(rights) }
}

async fn send(browser: &Browser, path: &str, body: &Value) -> Answer {
    let request = Request::post(path)
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    browser.send(request).await
}

fn read(answer: &Answer) -> Value {
    serde_json::from_str(&answer.text).unwrap()
}

/// What a page asks the browser; who is logged in nowhere keeps a cookie with it.
async fn ask(browser: &mut Browser, path: &str) -> Value {
    let answer = send(browser, &format!("{path}/ask"), &json!({})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    if path == LOGIN {
        browser.keep(&answer);
    }
    read(&answer)["ask"].clone()
}

/// Adds a passkey to whoever is logged in.
async fn add(browser: &mut Browser, name: &str) -> Authenticator {
    let mut authenticator = Authenticator::new();
    let asked = ask(browser, NEW).await;
    let credential = authenticator.create(&asked);
    let added = send(browser, NEW, &json!({"name": name, "credential": credential})).await;
    assert_eq!(read(&added), json!({"next": "/console/me?done=passkey"}));
    authenticator
}

async fn with_passkey(world: &World, invite: Invite) -> (Browser, Authenticator) {
    let mut browser = world.invited(invite).await;
    let authenticator = add(&mut browser, "Phone").await;
    (browser, authenticator)
}

async fn log_in(world: &World, authenticator: &mut Authenticator) -> (Browser, Answer) {
    let mut browser = world.visitor(false);
    let asked = ask(&mut browser, LOGIN).await;
    let credential = authenticator.get(&asked);
    let answer = send(&browser, LOGIN, &json!({"credential": credential})).await;
    if answer.status == StatusCode::OK {
        browser.keep(&answer);
    }
    (browser, answer)
}

async fn with_password(world: &World, name: &str) -> Browser {
    let browser = world.invited(agent(world, name)).await;
    let form = format!("password={}", PASSWORD.replace(' ', "+"));
    let set = browser.post("/console/me/password", &form).await;
    assert_eq!(set.status, StatusCode::SEE_OTHER, "{}", set.text);
    browser
}

/// Nothing was opened: no cookie of somebody, and words that say so.
fn refused(answer: &Answer, what: &str) {
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{what}: {}", answer.text);
    assert_eq!(answer.header(header::SET_COOKIE), "", "{what}");
    assert!(read(answer)["fault"].as_str().unwrap().contains("was not taken"), "{what}");
}

/// Whoever came by a link adds a passkey, which opens the console by itself and stands for both steps: somebody
/// whose role needs a second one is asked for nothing more.
#[tokio::test]
async fn a_passkey_opens_the_console() {
    on_each(|world| async move {
        let world = named(world);
        let mut first = world.invited(Invite::admin("Grace")).await;
        let second = world.invited(Invite::admin("Grace")).await;
        first.get("/console/me").await.has(r#"data-passkey="/console/me/passkeys""#);
        let asked = ask(&mut first, NEW).await;
        let options = &asked["publicKey"];
        assert_eq!(options["rp"]["id"], "localhost");
        assert_eq!(options["user"]["name"], "Grace");
        assert_eq!(options["authenticatorSelection"]["residentKey"], "required");
        assert_eq!(options["authenticatorSelection"]["userVerification"], "required");
        let mut phone = add(&mut first, "Grace’s <phone>").await;
        first.get("/console/me?done=passkey").await.has("Your passkey is added").has("never");
        first.get("/console/me").await.has("Grace’s &#60;phone&#62;");
        assert_eq!(second.get("/console/me").await.status, StatusCode::SEE_OTHER, "logged out");

        world.visitor(false).get("/console/login").await.has(r#"data-passkey="/console/login/"#);
        world.wait(60);
        let (browser, answer) = log_in(&world, &mut phone).await;
        assert_eq!(read(&answer), json!({"next": "/console"}));
        let cookie = answer.header(header::SET_COOKIE);
        assert!(cookie.contains("HttpOnly; SameSite=Lax; Max-Age=43200"), "{cookie}");
        assert_eq!(browser.get("/console/staff").await.status, StatusCode::OK);
        // It counts as a fresh proof at once.
        let made = browser.post("/console/staff", "name=Omar&role=agent").await;
        assert_eq!(made.status, StatusCode::OK);
        browser.get("/console/me").await.has("passkey</td>").has_not("never");
        let asked = ask(&mut browser.clone(), NEW).await;
        assert_eq!(asked["publicKey"]["excludeCredentials"][0]["id"], phone.id());
    })
    .await;
}

/// What is not an answer to the question, for this site, by the person, with the passkey's own key opens nothing,
/// and uses the question up; the passkey itself goes on working.
#[tokio::test]
async fn a_wrong_answer_opens_nothing() {
    on_each(|world| async move {
        let world = named(world);
        let (_, mut phone) = with_passkey(&world, agent(&world, "Ines")).await;
        let (_, other) = with_passkey(&world, agent(&world, "Omar")).await;
        let right = phone.user.clone();
        let spoil: [(&str, Spoil); 5] = [
            ("another site", |phone| phone.origin = "http://localhost:8081".to_owned()),
            ("another question", |phone| phone.challenge = Some("AAAAAAAAAAAAAAAAAAAAAA".into())),
            ("nobody asked for", |phone| phone.verifies = false),
            ("another kind", |phone| phone.kind = Some("webauthn.create")),
            ("nobody's", |phone| phone.user = None),
        ];
        for (what, spoil) in spoil {
            spoil(&mut phone);
            let mut browser = world.visitor(false);
            let asked = ask(&mut browser, LOGIN).await;
            let wrong = phone.get(&asked);
            refused(&send(&browser, LOGIN, &json!({"credential": wrong})).await, what);
            phone.origin = ORIGIN.to_owned();
            (phone.challenge, phone.kind, phone.verifies) = (None, None, true);
            phone.user.clone_from(&right);
            let late = phone.get(&asked);
            refused(&send(&browser, LOGIN, &json!({"credential": late})).await, "used up");
            let (_, good) = log_in(&world, &mut phone).await;
            assert_eq!(good.status, StatusCode::OK, "after {what}");
        }
        phone.user.clone_from(&other.user);
        refused(&log_in(&world, &mut phone).await.1, "said to be somebody else's");
        phone.user.clone_from(&right);
        refused(&log_in(&world, &mut Authenticator::new()).await.1, "not ours");

        let mut browser = world.visitor(false);
        let asked = ask(&mut browser, LOGIN).await;
        let mut forged = phone.get(&asked);
        let theirs = other_signature(&asked, right);
        forged["response"]["signature"] = theirs;
        refused(&send(&browser, LOGIN, &json!({"credential": forged})).await, "another key");
        for nonsense in [json!({}), json!({"credential": 1}), json!([])] {
            let answer = send(&browser, LOGIN, &nonsense).await;
            refused(&answer, "nonsense");
        }
    })
    .await;
}

/// A signature by a key that was never seen.
fn other_signature(asked: &Value, user: Option<String>) -> Value {
    let mut stranger = Authenticator::new();
    stranger.user = user;
    stranger.get(asked)["response"]["signature"].clone()
}

/// An answer is taken once, within five minutes, from the browser that was asked, and where it was asked for.
#[tokio::test]
async fn a_question_is_answered_once() {
    on_each(|world| async move {
        let world = named(world);
        let (ines, mut phone) = with_passkey(&world, agent(&world, "Ines")).await;
        let mut browser = world.visitor(false);
        let asked = ask(&mut browser, LOGIN).await;
        let body = json!({"credential": phone.get(&asked)});
        assert_eq!(send(&browser, LOGIN, &body).await.status, StatusCode::OK);
        refused(&send(&browser, LOGIN, &body).await, "again");

        let asked = ask(&mut browser, LOGIN).await;
        world.wait(301);
        let late = json!({"credential": phone.get(&asked)});
        refused(&send(&browser, LOGIN, &late).await, "late");

        let asked = ask(&mut browser, LOGIN).await;
        let mut elsewhere = world.visitor(false);
        ask(&mut elsewhere, LOGIN).await;
        let body = json!({"credential": phone.get(&asked)});
        refused(&send(&elsewhere, LOGIN, &body).await, "another browser");
        elsewhere.cookie = None;
        refused(&send(&elsewhere, LOGIN, &body).await, "a browser that was not asked");

        // What was asked of somebody who is logged in is no login.
        let asked = ask(&mut ines.clone(), PROVE).await;
        let body = json!({"credential": phone.get(&asked)});
        let cookie = ines.cookie.clone().unwrap();
        elsewhere.cookie = Some(cookie.replace("entremise=", "entremise-asked="));
        refused(&send(&elsewhere, LOGIN, &body).await, "asked for something else");
    })
    .await;
}

/// A counter that does not go on is a copy of the passkey somewhere; those that do not count are taken.
#[tokio::test]
async fn a_counter_that_goes_back_opens_nothing() {
    on_each(|world| async move {
        let world = named(world);
        let (_, mut phone) = with_passkey(&world, agent(&world, "Ines")).await;
        phone.counter = 40;
        assert_eq!(log_in(&world, &mut phone).await.1.status, StatusCode::OK);
        for counter in [40, 20, 0] {
            // It counts on before it answers, unless it does not count.
            phone.counter = counter;
            refused(&log_in(&world, &mut phone).await.1, &counter.to_string());
        }
        phone.counter = 41;
        assert_eq!(log_in(&world, &mut phone).await.1.status, StatusCode::OK);

        let mut browser = world.invited(agent(&world, "Omar")).await;
        let mut synced = Authenticator::new();
        synced.counter = 0;
        let asked = ask(&mut browser, NEW).await;
        let body = json!({"name": "Synced", "credential": synced.create(&asked)});
        assert_eq!(send(&browser, NEW, &body).await.status, StatusCode::OK);
        for _ in 0..2 {
            assert_eq!(log_in(&world, &mut synced).await.1.status, StatusCode::OK);
        }
    })
    .await;
}

/// A new passkey takes a fresh proof of whoever has something to prove themselves with, a name, and an answer to
/// what was asked; none is of two people.
#[tokio::test]
async fn a_new_passkey_is_asked_for_in_person() {
    on_each(|world| async move {
        let world = named(world);
        let mut browser = with_password(&world, "Ines").await;
        let stale = send(&browser, &format!("{NEW}/ask"), &json!({})).await;
        assert_eq!(read(&stale), json!({"next": "/console/prove?next=%2Fconsole%2Fme"}));
        let form = format!("password={}", PASSWORD.replace(' ', "+"));
        let proved = browser.post("/console/prove", &form).await;
        assert_eq!(proved.status, StatusCode::SEE_OTHER);

        let spoil: [(&str, Spoil); 4] = [
            ("another site", |new| new.origin = "https://evil.example".to_owned()),
            ("another question", |new| new.challenge = Some("AAAAAAAAAAAAAAAAAAAAAA".into())),
            ("nobody asked for", |new| new.verifies = false),
            ("another kind", |new| new.kind = Some("webauthn.get")),
        ];
        for (what, spoil) in spoil {
            let mut new = Authenticator::new();
            spoil(&mut new);
            let asked = ask(&mut browser, NEW).await;
            let body = json!({"name": "Phone", "credential": new.create(&asked)});
            let answer = send(&browser, NEW, &body).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{what}");
        }
        let mut phone = Authenticator::new();
        let asked = ask(&mut browser, NEW).await;
        let credential = phone.create(&asked);
        let long = "x".repeat(61);
        for name in ["", "  ", "a\nb", long.as_str()] {
            let answer =
                send(&browser, NEW, &json!({"name": name, "credential": credential})).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
            answer.has("Give it a name");
        }
        let body = json!({"name": "Phone", "credential": credential});
        assert_eq!(send(&browser, NEW, &body).await.status, StatusCode::OK);
        let again = send(&browser, NEW, &body).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "answered once");
        let asked = ask(&mut browser, NEW).await;
        world.wait(301);
        let late = Authenticator::new().create(&asked);
        let late = send(&browser, NEW, &json!({"name": "Late", "credential": late})).await;
        assert_eq!(late.status, StatusCode::UNPROCESSABLE_ENTITY);

        let mut omar = world.invited(agent(&world, "Omar")).await;
        let asked = ask(&mut omar, NEW).await;
        let taken = json!({"name": "Mine", "credential": phone.create(&asked)});
        let taken = send(&omar, NEW, &taken).await;
        assert_eq!(taken.status, StatusCode::UNPROCESSABLE_ENTITY, "it is somebody else's");
    })
    .await;
}

/// Where somebody has a passkey, it is what proves again who they are, and not the password, nor another's passkey.
#[tokio::test]
async fn a_passkey_proves_again_who_somebody_is() {
    on_each(|world| async move {
        let world = named(world);
        let (_, mut phone) = with_passkey(&world, Invite::admin("Grace")).await;
        let (_, mut other) = with_passkey(&world, Invite::admin("Ada")).await;
        let (mut browser, _) = log_in(&world, &mut phone).await;
        world.relay.create_staff(Invite::admin("Omar")).await.unwrap();
        let omar = world.relay.staff_named("Omar").await.unwrap().unwrap().id;
        let act = format!("/console/staff/{omar}/expire");
        world.wait(16 * 60);
        let stale = browser.post(&act, "").await;
        assert!(stale.header(header::LOCATION).starts_with("/console/prove?"));
        let page = browser.get("/console/prove?next=/console/staff").await;
        page.has(r#"data-passkey="/console/prove/passkey""#).has_not(r#"type="password""#);

        let asked = ask(&mut browser, PROVE).await;
        assert_eq!(asked["publicKey"]["allowCredentials"][0]["id"], phone.id());
        assert_eq!(asked["publicKey"]["allowCredentials"].as_array().unwrap().len(), 1);
        let body = json!({"credential": other.get(&asked)});
        refused(&send(&browser, PROVE, &body).await, "somebody else's");
        let still = browser.post(&act, "").await;
        assert!(still.header(header::LOCATION).starts_with("/console/prove?"));

        let asked = ask(&mut browser, PROVE).await;
        // With the passkeys named, an authenticator need not say whose it is.
        let user = phone.user.take();
        let body = json!({"credential": phone.get(&asked), "next": "/console/staff"});
        phone.user = user;
        let proved = send(&browser, PROVE, &body).await;
        assert_eq!(read(&proved), json!({"next": "/console/staff"}));
        refused(&send(&browser, PROVE, &body).await, "again");
        let done = browser.post(&act, "").await;
        assert_eq!(done.header(header::LOCATION), format!("/console/staff/{omar}"));
        world.wait(16 * 60);
        let asked = ask(&mut browser, PROVE).await;
        let body = json!({"credential": phone.get(&asked), "next": "https://evil.example"});
        assert_eq!(read(&send(&browser, PROVE, &body).await), json!({"next": "/console"}));
    })
    .await;
}

/// A password is half of a login for whoever has a passkey, which is the other half.
#[tokio::test]
async fn a_passkey_is_a_second_step() {
    on_each(|world| async move {
        let world = named(world);
        let mut browser = with_password(&world, "Ines").await;
        let form = format!("password={}", PASSWORD.replace(' ', "+"));
        browser.post("/console/prove", &form).await;
        let mut phone = add(&mut browser, "Phone").await;
        let mut half = world.visitor(false);
        let login = format!("name=Ines&{form}");
        let answer = half.post("/console/login", &login).await;
        assert!(answer.header(header::LOCATION).starts_with("/console/login/code"));
        half.keep(&answer);
        assert_eq!(half.get("/console/sessions").await.status, StatusCode::SEE_OTHER);
        let page = half.get("/console/login/code?next=/console/sessions").await;
        page.has("data-passkey").has_not("Recovery code");
        let asked = ask(&mut half, LOGIN).await;
        let body = json!({"credential": phone.get(&asked), "next": "/console/sessions"});
        let answer = send(&half, LOGIN, &body).await;
        assert_eq!(read(&answer), json!({"next": "/console/sessions"}));
        half.keep(&answer);
        assert_eq!(half.get("/console/sessions").await.status, StatusCode::OK);

        world.wait(16 * 60);
        let by_password = half.post("/console/prove", &form).await;
        assert_eq!(by_password.status, StatusCode::FORBIDDEN, "a password alone is no proof");

        // Recovery codes for the day that the phone is lost.
        let asked = ask(&mut half, PROVE).await;
        let proof = json!({"credential": phone.get(&asked)});
        assert_eq!(send(&half, PROVE, &proof).await.status, StatusCode::OK);
        let codes = half.post("/console/me/codes", "").await;
        let code = codes.text.split_once("<li><code>").unwrap().1[..11].to_owned();
        let mut lost = world.visitor(false);
        let answer = lost.post("/console/login", &login).await;
        lost.keep(&answer);
        lost.get("/console/login/code").await.has("Recovery code");
        let answer = lost.post("/console/login/code", &format!("code={code}")).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
    })
    .await;
}

/// Removing a passkey takes a fresh proof, logs other browsers out, touches nobody else's, and leaves somebody
/// without a password a way in.
#[tokio::test]
async fn passkeys_are_removed() {
    on_each(|world| async move {
        let world = named(world);
        let (by_link, mut phone) = with_passkey(&world, agent(&world, "Ines")).await;
        let (_, theirs) = with_passkey(&world, agent(&world, "Omar")).await;
        let remove = |id: &str| format!("id={id}");
        let path = "/console/me/passkeys/remove";
        let stale = by_link.post(path, &remove(&phone.id())).await;
        assert!(stale.header(header::LOCATION).starts_with("/console/prove?"));
        let (mut browser, _) = log_in(&world, &mut phone).await;
        let only = browser.post(path, &remove(&phone.id())).await;
        assert_eq!(only.header(header::LOCATION), "/console/me?done=only_passkey");
        browser.get("/console/me?done=only_passkey").await.has("your only way in");

        let mut spare = add(&mut browser, "Spare key").await;
        let other = browser.post(path, &remove(&theirs.id())).await;
        assert_eq!(other.header(header::LOCATION), "/console/me");
        let (elsewhere, _) = log_in(&world, &mut phone).await;
        let done = browser.post(path, &remove(&phone.id())).await;
        assert_eq!(done.header(header::LOCATION), "/console/me?done=passkey_removed");
        browser.get("/console/me").await.has("Spare key").has_not("Phone</th>");
        assert_eq!(elsewhere.get("/console/sessions").await.status, StatusCode::SEE_OTHER);
        refused(&log_in(&world, &mut phone).await.1, "removed");
        assert_eq!(log_in(&world, &mut spare).await.1.status, StatusCode::OK);
    })
    .await;
}

/// Whoever is locked out is not let in by a passkey; whoever lost theirs gets a link and starts anew after an admin
/// took the lost ones away.
#[tokio::test]
async fn admins_lock_out_and_help() {
    on_each(|world| async move {
        let world = named(world);
        let (_, mut admins) = with_passkey(&world, Invite::admin("Grace")).await;
        let (grace, _) = log_in(&world, &mut admins).await;
        let (browser, mut phone) = with_passkey(&world, agent(&world, "Ines")).await;
        let id = world.relay.staff_named("Ines").await.unwrap().unwrap().id;
        grace.post(&format!("/console/staff/{id}/disable"), "").await;
        refused(&log_in(&world, &mut phone).await.1, "locked out");
        assert_eq!(browser.get("/console/sessions").await.status, StatusCode::SEE_OTHER);
        grace.post(&format!("/console/staff/{id}/enable"), "").await;
        assert_eq!(log_in(&world, &mut phone).await.1.status, StatusCode::OK);

        let page = grace.get(&format!("/console/staff/{id}")).await;
        page.has("Remove app and passkeys");
        let done = grace.post(&format!("/console/staff/{id}/second"), "").await;
        assert_eq!(done.header(header::LOCATION), format!("/console/staff/{id}"));
        refused(&log_in(&world, &mut phone).await.1, "taken away");
        let page = grace.get(&format!("/console/staff/{id}")).await;
        page.has_not("Remove app and passkeys");
        let invite = Invite { rights: None, ..agent(&world, "Ines") };
        let mut again = world.invited(invite).await;
        let mut new = add(&mut again, "New phone").await;
        assert_eq!(log_in(&world, &mut new).await.1.status, StatusCode::OK);
    })
    .await;
}

/// At a bare address there are no passkeys, and nothing offers any; and nobody fills the database with questions.
#[tokio::test]
async fn questions_are_bounded() {
    on_each(|world| async move {
        let mut bare = world.clone();
        bare.relay = world.relay.clone().with_console_at("https://192.0.2.7");
        let browser = bare.visitor(false);
        browser.get("/console/login").await.has_not("data-passkey");
        let answer = send(&browser, &format!("{LOGIN}/ask"), &json!({})).await;
        assert_eq!(answer.status, StatusCode::CONFLICT);
        let member = bare.invited(agent(&world, "Ines")).await;
        member.get("/console/me").await.has_not("data-passkey").has("none can be added");

        let world = named(world);
        let browser = world.visitor(false);
        for _ in 0..100 {
            let answer = send(&browser, &format!("{LOGIN}/ask"), &json!({})).await;
            assert_eq!(answer.status, StatusCode::OK);
        }
        let answer = send(&browser, &format!("{LOGIN}/ask"), &json!({})).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_ne!(answer.header(header::RETRY_AFTER), "");
        // Another site's page gets none at all.
        let foreign = Request::post(format!("{LOGIN}/ask"))
            .header("sec-fetch-site", "cross-site")
            .body(Body::from("{}"))
            .unwrap();
        assert_eq!(world.visitor(false).send(foreign).await.status, StatusCode::FORBIDDEN);
    })
    .await;
}
