//! Passwords, apps, recovery codes, browsers and roles.

use entremise::{
    domain::staff::{Extra, LoginRules, Rights, Role},
    ids::AccountId,
    relay::{Invite, NotIn},
};
use http::{StatusCode, header};

use crate::world::{Answer, Browser, World, on_each};

const PASSWORD: &str = "seven green umbrellas";

pub(crate) fn invite(name: &str, account: Option<&AccountId>, role: Role, extra: &str) -> Invite {
    let rights = Rights { role, extra: Extra::parse(extra).unwrap() };
    Invite { name: name.to_owned(), account: account.cloned(), rights: Some(rights) }
}

pub(crate) fn encoded(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// Somebody who came by a link and set a password.
async fn with_password(world: &World, invite: Invite) -> Browser {
    let browser = world.invited(invite).await;
    let set = browser.post("/console/me/password", &encoded(&[("password", PASSWORD)])).await;
    assert_eq!(set.status, StatusCode::SEE_OTHER, "{}", set.text);
    browser
}

async fn log_in(world: &World, name: &str, password: &str) -> (Browser, Answer) {
    let mut browser = world.visitor(false);
    let form = encoded(&[("name", name), ("password", password)]);
    let answer = browser.post("/console/login", &form).await;
    if !answer.header(header::SET_COOKIE).is_empty() {
        browser.keep(&answer);
    }
    (browser, answer)
}

/// The code that somebody's app shows: the page gives the key once.
pub(crate) fn app_code(world: &World, key: &str) -> String {
    let secret = totp_rs::Secret::try_from_base32(key).unwrap();
    let app = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    let seconds = u64::try_from(world.clock.now().millis() / 1000).unwrap();
    app.generate(seconds).to_string()
}

pub(crate) fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    text.split_once(from).unwrap().1.split_once(to).unwrap().0
}

/// Somebody with a password and an app; its key and their recovery codes.
pub(crate) async fn with_app(world: &World, invite: Invite) -> (Browser, String, Vec<String>) {
    let browser = with_password(world, invite).await;
    let page = browser.get("/console/me/app").await;
    assert!(page.text.contains("<svg"), "the picture for the app");
    let key: String = between(&page.text, r#"id="secret">"#, "<").replace(' ', "");
    let code = app_code(world, &key);
    let page = browser.post("/console/me/app", &encoded(&[("code", &code)])).await;
    assert_eq!(page.status, StatusCode::OK);
    let codes: Vec<String> =
        page.text.split("<li><code>").skip(1).map(|rest| rest[..11].to_owned()).collect();
    assert_eq!(codes.len(), 10);
    // No code is taken twice: the next is of the next step.
    world.wait(30);
    (browser, key, codes)
}

/// A password opens the console for whoever set one; a wrong one, an unknown name and somebody who is locked out
/// get the same answer, word for word.
#[tokio::test]
async fn passwords_open_and_tell_nothing() {
    on_each(|world| async move {
        let account = world.account.clone();
        with_password(&world, invite("Ines", Some(&account), Role::Agent, "")).await;
        let (browser, answer) = log_in(&world, "Ines", PASSWORD).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(browser.get("/console/sessions").await.status, StatusCode::OK);
        let (_, wrong) = log_in(&world, "Ines", "seven green umbrella").await;
        let (_, unknown) = log_in(&world, "Nobody", PASSWORD).await;
        let (admin, key, _) = with_app(&world, Invite::admin("Grace")).await;
        let id = world.relay.staff_named("Ines").await.unwrap().unwrap().id;
        prove(&world, &admin, &key).await;
        let out = admin.post(&format!("/console/staff/{id}/disable"), "").await;
        assert_eq!(out.status, StatusCode::SEE_OTHER, "{}", out.text);
        let (_, disabled) = log_in(&world, "Ines", PASSWORD).await;
        for answer in [&wrong, &unknown, &disabled] {
            assert_eq!(answer.status, StatusCode::FORBIDDEN);
            assert_eq!(answer.text, wrong.text);
            answer.has("Name or password is wrong").has_not(PASSWORD);
        }
        assert_eq!(browser.get("/console/sessions").await.status, StatusCode::SEE_OTHER);
    })
    .await;
}

/// Says again who they are, by a code of the app.
pub(crate) async fn prove(world: &World, browser: &Browser, key: &str) {
    world.wait(30);
    let code = app_code(world, key);
    let proved = browser.post("/console/prove", &encoded(&[("code", &code)])).await;
    assert_eq!(proved.status, StatusCode::SEE_OTHER, "{}", proved.text);
}

/// Wrong passwords in a row shut a name for a while, which grows, even for the right one; other names are not
/// concerned, and it ends by itself.
#[tokio::test]
async fn wrong_passwords_in_a_row_cost_time() {
    on_each(|world| async move {
        let account = world.account.clone();
        with_password(&world, invite("Ines", Some(&account), Role::Agent, "")).await;
        with_password(&world, invite("Omar", Some(&account), Role::Agent, "")).await;
        for _ in 0..6 {
            log_in(&world, "Ines", "wrong").await;
            world.wait(1);
        }
        log_in(&world, "Ines", "wrong").await;
        let (_, shut) = log_in(&world, "Ines", PASSWORD).await;
        assert_eq!(shut.status, StatusCode::FORBIDDEN);
        let (_, other) = log_in(&world, "Omar", PASSWORD).await;
        assert_eq!(other.status, StatusCode::SEE_OTHER);
        world.wait(60);
        let (_, open) = log_in(&world, "Ines", PASSWORD).await;
        assert_eq!(open.status, StatusCode::SEE_OTHER);
    })
    .await;
}

/// With an app a password opens nothing by itself; a code is taken once, and a recovery code once.
#[tokio::test]
async fn an_app_is_asked_for_and_each_code_taken_once() {
    on_each(|world| async move {
        let account = world.account.clone();
        let ines = invite("Ines", Some(&account), Role::Agent, "");
        let (_, key, codes) = with_app(&world, ines).await;
        let (mut half, answer) = log_in(&world, "Ines", PASSWORD).await;
        assert!(answer.header(header::LOCATION).starts_with("/console/login/code"));
        assert_eq!(half.get("/console/sessions").await.status, StatusCode::SEE_OTHER);
        half.get("/console/login/code").await.has("Code of your app");
        let code = app_code(&world, &key);
        let wrong = half.post("/console/login/code", "code=000000").await;
        assert_eq!(wrong.status, StatusCode::FORBIDDEN);
        let form = encoded(&[("code", &code)]);
        let right = half.post("/console/login/code", &form).await;
        assert_eq!(right.status, StatusCode::SEE_OTHER);
        let old = half.clone();
        half.keep(&right);
        assert_eq!(half.get("/console/sessions").await.status, StatusCode::OK);
        assert_eq!(old.get("/console/sessions").await.status, StatusCode::SEE_OTHER);

        let (again, _) = log_in(&world, "Ines", PASSWORD).await;
        let twice = again.post("/console/login/code", &form).await;
        assert_eq!(twice.status, StatusCode::FORBIDDEN, "a code is taken once");
        let spare = codes[0].to_uppercase().replace('-', " ");
        let form = encoded(&[("code", &spare)]);
        assert_eq!(again.post("/console/login/code", &form).await.status, StatusCode::SEE_OTHER);
        let (again, _) = log_in(&world, "Ines", PASSWORD).await;
        let twice = again.post("/console/login/code", &form).await;
        assert_eq!(twice.status, StatusCode::FORBIDDEN, "a recovery code is taken once");
        // Halfway ends by itself.
        world.wait(601);
        let late = again.post("/console/login/code", &encoded(&[("code", &codes[1])])).await;
        assert_eq!(late.header(header::LOCATION), "/console/login");
    })
    .await;
}

/// Whoever's role needs a second factor does nothing before they have one; and whoever must change their
/// password does that first.
#[tokio::test]
async fn what_must_be_done_comes_first() {
    on_each(|world| async move {
        with_password(&world, Invite::admin("Grace")).await;
        let (browser, _) = log_in(&world, "Grace", PASSWORD).await;
        for path in ["/console/accounts", "/console/staff", "/console"] {
            let answer = browser.get(path).await;
            assert_eq!(answer.header(header::LOCATION), "/console/me/app", "{path}");
        }
        browser.get("/console/me/app").await.has("Your role needs a second step");

        let account = world.account.clone();
        with_password(&world, invite("Ines", Some(&account), Role::Agent, "")).await;
        let (browser, _) = log_in(&world, "Ines", PASSWORD).await;
        assert_eq!(browser.get("/console/sessions").await.status, StatusCode::OK);
        let ines = world.relay.staff_named("Ines").await.unwrap().unwrap();
        world.relay.expire_password(&ines.id).await.unwrap();
        assert_eq!(browser.get("/console/sessions").await.status, StatusCode::SEE_OTHER);
        let (browser, _) = log_in(&world, "Ines", PASSWORD).await;
        let answer = browser.get("/console/sessions").await;
        assert_eq!(answer.header(header::LOCATION), "/console/me/password");
        for (present, new, words) in [
            ("wrong", "eight blue umbrellas", "not your present password"),
            (PASSWORD, "short", "15 characters or more"),
            (PASSWORD, "qwertyuiopasdfghjkl", "others would try"),
            (PASSWORD, PASSWORD, "another than the present one"),
        ] {
            let form = encoded(&[("present", present), ("password", new)]);
            let answer = browser.post("/console/me/password", &form).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
            answer.has(words).has_not(new);
        }
        let form = encoded(&[("present", PASSWORD), ("password", "eight blue umbrellas")]);
        let answer = browser.post("/console/me/password", &form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(browser.get("/console/sessions").await.status, StatusCode::OK);
        let (_, old) = log_in(&world, "Ines", PASSWORD).await;
        assert_eq!(old.status, StatusCode::FORBIDDEN);
    })
    .await;
}

/// A password may not grow older than the role allows.
#[tokio::test]
async fn passwords_of_admins_grow_old() {
    on_each(|world| async move {
        let rules = LoginRules { second_factor: Vec::new(), ..LoginRules::default() };
        let mut world = world;
        world.relay = world.relay.clone().with_login_rules(rules);
        let account = world.account.clone();
        with_password(&world, Invite::admin("Grace")).await;
        with_password(&world, invite("Ines", Some(&account), Role::Agent, "")).await;
        world.wait(364 * 24 * 3600);
        let (grace, _) = log_in(&world, "Grace", PASSWORD).await;
        assert_eq!(grace.get("/console/staff").await.status, StatusCode::OK);
        world.wait(2 * 24 * 3600);
        let (grace, _) = log_in(&world, "Grace", PASSWORD).await;
        let answer = grace.get("/console/staff").await;
        assert_eq!(answer.header(header::LOCATION), "/console/me/password");
        let (ines, _) = log_in(&world, "Ines", PASSWORD).await;
        assert_eq!(ines.get("/console/sessions").await.status, StatusCode::OK);
    })
    .await;
}

/// Each role opens its own pages and no other; rights in one account are none in another.
#[tokio::test]
async fn roles_open_their_own_pages() {
    on_each(|world| async move {
        let account = world.account.clone();
        let other = world.relay.create_account("Other market").await.unwrap().account;
        for (role, sessions, staff) in [
            (Role::Viewer, StatusCode::OK, StatusCode::FORBIDDEN),
            (Role::Agent, StatusCode::OK, StatusCode::FORBIDDEN),
            (Role::Supervisor, StatusCode::OK, StatusCode::FORBIDDEN),
            (Role::Admin, StatusCode::OK, StatusCode::FORBIDDEN),
            (Role::Auditor, StatusCode::FORBIDDEN, StatusCode::FORBIDDEN),
        ] {
            let name = format!("Ines {role}");
            let browser = world.invited(invite(&name, Some(&account), role, "")).await;
            assert_eq!(browser.get("/console/sessions").await.status, sessions, "{role}");
            // The staff is of the installation: an admin of one account does not run it.
            assert_eq!(browser.get("/console/staff").await.status, staff, "{role}");
            assert_eq!(browser.post("/console/staff", "name=x").await.status, staff, "{role}");
            let elsewhere = browser.get(&format!("/console/sessions?account={other}")).await;
            assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
        }
        let admin = world.browser("Grace", None).await;
        assert_eq!(admin.get("/console/staff").await.status, StatusCode::OK);
    })
    .await;
}

/// Changing staff asks for a fresh proof; the last who runs the console can't be shut out; a link is shown once.
#[tokio::test]
async fn staff_is_run_with_a_fresh_proof() {
    on_each(|world| async move {
        let (grace, key, _) = with_app(&world, Invite::admin("Grace")).await;
        let by_link = grace.post("/console/staff", "name=Omar&role=agent").await;
        assert!(by_link.header(header::LOCATION).starts_with("/console/prove?"));
        let code = app_code(&world, &key);
        let wrong = grace.post("/console/prove", "code=123456&next=/console/staff").await;
        assert_eq!(wrong.status, StatusCode::FORBIDDEN);
        let form = encoded(&[("code", &code), ("next", "/console/staff")]);
        let proved = grace.post("/console/prove", &form).await;
        assert_eq!(proved.header(header::LOCATION), "/console/staff");

        let form = encoded(&[("name", "Omar"), ("role", "agent"), ("extra", "read_texts")]);
        let made = grace.post("/console/staff", &form).await;
        assert_eq!(made.status, StatusCode::OK);
        let link = between(&made.text, "/console/login#", "\"").to_owned();
        assert!(world.relay.redeem_link(&link, "").await.unwrap().is_some());
        grace.get("/console/staff").await.has("read texts").has_not(&link);
        let twice = grace.post("/console/staff", &form).await;
        assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);

        let me = world.relay.staff_named("Grace").await.unwrap().unwrap().id;
        for (what, form) in [("disable", ""), ("revoke", "account="), ("grant", "role=viewer")] {
            let answer = grace.post(&format!("/console/staff/{me}/{what}"), form).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{what}");
            answer.has("last who runs the whole console");
        }
        let omar = world.relay.staff_named("Omar").await.unwrap().unwrap().id;
        let form = "role=supervisor&account=";
        let answer = grace.post(&format!("/console/staff/{omar}/grant"), form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        grace.get(&format!("/console/staff/{omar}")).await.has("supervisor");
        world.wait(16 * 60);
        let stale = grace.post(&format!("/console/staff/{omar}/disable"), "").await;
        assert!(stale.header(header::LOCATION).starts_with("/console/prove?"));
    })
    .await;
}

/// Somebody sees where they are logged in, and logs others out; not those of somebody else.
#[tokio::test]
async fn browsers_are_listed_and_ended() {
    on_each(|world| async move {
        let account = world.account.clone();
        let first = with_password(&world, invite("Ines", Some(&account), Role::Agent, "")).await;
        world.wait(1);
        let (second, _) = log_in(&world, "Ines", PASSWORD).await;
        let page = first.get("/console/me").await;
        page.has("one-time link").has("(this one)");
        let ends: Vec<&str> = page.text.split("/console/me/browsers/").skip(1).collect();
        assert_eq!(ends.len(), 2);
        // The latest comes first.
        let id = &ends[0][..34];
        let omar = world.invited(invite("Omar", Some(&account), Role::Agent, "")).await;
        omar.post(&format!("/console/me/browsers/{id}/end"), "").await;
        assert_eq!(second.get("/console/sessions").await.status, StatusCode::OK);
        first.post(&format!("/console/me/browsers/{id}/end"), "").await;
        assert_eq!(second.get("/console/sessions").await.status, StatusCode::SEE_OTHER);
        assert_eq!(first.get("/console/sessions").await.status, StatusCode::OK);
    })
    .await;
}

/// Pages are in the language that was chosen, or else in the browser's, refusals too.
#[tokio::test]
async fn pages_are_in_two_languages() {
    on_each(|world| async move {
        let account = world.account.clone();
        let browser = world.invited(invite("Ines", Some(&account), Role::Agent, "")).await;
        browser.get("/console/me").await.has(r#"<html lang="en">"#).has("Your login");
        let french = browser.get_in("/console/me", "fr-CH, fr;q=0.9, en;q=0.8").await;
        french.has(r#"<html lang="fr">"#).has("Votre connexion");
        browser.get_in("/console/nowhere", "fr").await.has("Il n’y a rien ici");
        let chosen = browser.post("/console/language", "language=fr&next=/console/me").await;
        assert_eq!(chosen.header(header::LOCATION), "/console/me");
        assert!(chosen.header(header::SET_COOKIE).starts_with("entremise-language=fr; "));
        let mut both = browser.clone();
        both.cookie = both.cookie.map(|cookie| format!("{cookie}; entremise-language=fr"));
        both.get_in("/console/me", "en").await.has("Votre connexion");
    })
    .await;
}

/// Who tries many passwords at once gets no more tries than who tries one after the other.
#[tokio::test]
async fn tries_at_once_are_counted_one_by_one() {
    on_each(|world| async move {
        let account = world.account.clone();
        with_password(&world, invite("Ines", Some(&account), Role::Agent, "")).await;
        let tries = (0..12).map(|_| world.relay.log_in("Ines", "wrong", ""));
        let outcomes = futures_util::future::join_all(tries).await;
        let looked_at =
            outcomes.into_iter().filter(|one| *one.as_ref().unwrap() == Err(NotIn::Wrong)).count();
        assert_eq!(looked_at, 5);
    })
    .await;
}
