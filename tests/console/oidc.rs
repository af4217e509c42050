//! Another login (`OpenID` Connect): who gets in by it, as what, and what is not believed.

use entremise::{
    domain::{
        oidc::GroupRights,
        staff::{LoginRules, Role},
    },
    relay::{Error, Invite, Relay},
    store::staff::{self, Grant, Staff},
};
use http::{StatusCode, header};
use serde_json::{Value, json};

use crate::{
    logins::invite,
    provider::{Elsewhere, Key, Query, Signed},
    world::{Answer, Browser, World, on_each},
};

pub(crate) const THERE: &str = "/console/login/oidc";

/// The world with another login, and the login. `leads` supervise everywhere, `support` is of the account.
pub(crate) async fn with_elsewhere(world: &World, key: Key) -> (World, Elsewhere) {
    let elsewhere = Elsewhere::start(&world.relay, key).await;
    let groups = vec![
        GroupRights::new("leads", Role::Supervisor, None),
        GroupRights::new("support", Role::Agent, Some(world.account.as_str())),
        GroupRights::new("audit", Role::Auditor, Some(world.account.as_str())),
    ];
    let relay = Elsewhere::at(&world.relay, elsewhere.rules(groups));
    (world.through(relay), elsewhere)
}

pub(crate) fn ines(groups: &[&str]) -> Value {
    json!({"sub": "0001-ines", "name": "Ines Duval", "groups": groups})
}

/// Changes what a browser brings back.
type Wrong = fn(Query) -> Query;

/// Presses the button, and logs in there: the browser, and what it comes back with.
pub(crate) async fn sent(world: &World, elsewhere: &Elsewhere, path: &str) -> (Browser, Query) {
    let mut browser = world.visitor(false);
    let query = go(&mut browser, elsewhere, path).await;
    (browser, query)
}

/// The same with a browser that may be logged in: it keeps both cookies.
pub(crate) async fn go(browser: &mut Browser, elsewhere: &Elsewhere, path: &str) -> Query {
    let answer = browser.get(path).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    let mut both: Vec<String> = browser.cookie.take().into_iter().collect();
    browser.keep(&answer);
    both.extend(browser.cookie.take());
    browser.cookie = Some(both.join("; "));
    elsewhere.authorize(answer.header(header::LOCATION))
}

/// Comes back; whoever is let in is logged in then.
pub(crate) async fn back(mut browser: Browser, query: &Query) -> (Browser, Answer) {
    let answer = browser.get(&query.path()).await;
    if answer.status == StatusCode::SEE_OTHER {
        browser.keep(&answer);
    }
    (browser, answer)
}

pub(crate) async fn log_in(world: &World, elsewhere: &Elsewhere) -> (Browser, Answer) {
    let (browser, query) = sent(world, elsewhere, THERE).await;
    back(browser, &query).await
}

/// Nobody is in: no cookie of somebody, and words that say why.
fn out(answer: &Answer, status: StatusCode, words: &str, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.text);
    let cookies: Vec<_> = answer.headers.get_all(header::SET_COOKIE).iter().collect();
    assert!(cookies.iter().all(|one| one.to_str().unwrap().contains("Max-Age=0")), "{what}");
    assert!(answer.text.contains(words), "{what}: {}", answer.text);
}

async fn person(relay: &Relay, elsewhere: &Elsewhere) -> Option<Staff> {
    let mut tx = relay.db().read().await.unwrap();
    staff::by_subject(&mut tx, &elsewhere.issuer, "0001-ines").await.unwrap()
}

/// The actions and details of a chain.
async fn told(world: &World, chain: &str) -> Vec<(String, String, String)> {
    let mut tx = world.read().await;
    let rows = entremise::store::audit::page(&mut tx, chain, 0, 100).await.unwrap();
    rows.into_iter()
        .map(|one| (one.content.action, one.content.target, one.content.details))
        .filter(|(action, ..)| action.starts_with("staff."))
        .collect()
}

/// A button leads there and back, with what binds the answer to the question; whoever comes so is who it says, and
/// may do what their group may.
#[tokio::test]
async fn the_other_login_opens_the_console() {
    on_each(|world| async move {
        for key in [Key::rsa(), Key::ec()] {
            let (world, elsewhere) = with_elsewhere(&world, key).await;
            elsewhere.somebody(ines(&["staff", "support"]));
            world.visitor(false).get("/console/login?next=/console/numbers").await.has(
                r#"<a class="button main" href="/console/login/oidc?next=%2Fconsole%2Fnumbers">Log in with Velo ID</a>"#,
            );
            let path = format!("{THERE}?next=/console/numbers");
            let (browser, query) = sent(&world, &elsewhere, &path).await;
            assert_eq!(query.asked["scope"], "openid profile groups");
            assert_eq!((&*query.asked["max_age"], &*query.asked["ui_locales"]), ("43200", "en"));
            assert_eq!((query.asked["state"].len(), query.asked["nonce"].len()), (43, 43));
            assert!(!query.asked.contains_key("prompt"));
            let (browser, answer) = back(browser, &query).await;
            assert_eq!(answer.header(header::LOCATION), "/console/numbers");
            let cookies = answer.headers.get_all(header::SET_COOKIE).iter();
            let cookies: Vec<_> = cookies.map(|one| one.to_str().unwrap()).collect();
            assert!(cookies[0].contains("HttpOnly; SameSite=Lax; Max-Age=43200"), "{cookies:?}");
            assert!(cookies[1].starts_with("entremise-asked=;"), "{cookies:?}");
            assert_eq!(browser.get("/console/sessions").await.status, StatusCode::OK);
            assert_eq!(browser.get("/console/staff").await.status, StatusCode::FORBIDDEN);
            let me = browser.get("/console/me").await;
            me.has("Ines Duval").has("by Velo ID").has("single sign-on");
            me.has_not("/console/me/password");
            let id = person(&world.relay, &elsewhere).await.unwrap().id.to_string();
            let rows = told(&world, world.account.as_str()).await;
            let last: Vec<_> = rows.iter().rev().take(2).collect();
            let expected = |action: &str, details: Value| {
                (action.to_owned(), id.clone(), serde_json::to_string(&details).unwrap())
            };
            assert_eq!(*last[0], expected("staff.logged_in", json!({"proof": "oidc"})));
            assert_eq!(*last[1], expected("staff.granted", json!({"role": "agent"})));
        }
    })
    .await;
}

/// What was not asked for, is not by that login, not for us, not of now or comes twice opens nothing and leaves
/// nobody behind; the words say what it is about.
#[tokio::test]
async fn what_is_not_believed_opens_nothing() {
    on_each(|world| async move {
        let (world, elsewhere) = with_elsewhere(&world, Key::rsa()).await;
        elsewhere.somebody(ines(&["support"]));
        let not_asked = "was not what was asked for";
        let clocks = "another time than by this machine";
        let lies: [(&str, Signed, crate::provider::Bend, &str); 12] = [
            ("nonce", Signed::Well, |claims, _| claims["nonce"] = json!("x"), not_asked),
            ("no nonce", Signed::Well, |claims, _| claims["nonce"] = Value::Null, not_asked),
            ("audience", Signed::Well, |claims, _| claims["aud"] = json!("other"), not_asked),
            (
                "one audience more",
                Signed::Well,
                |claims, _| claims["aud"] = json!(["console", "other"]),
                not_asked,
            ),
            (
                "issuer",
                Signed::Well,
                |claims, _| claims["iss"] = json!("https://login.example"),
                not_asked,
            ),
            ("expired", Signed::Well, |claims, now| claims["exp"] = json!(now - 61), clocks),
            (
                "from the future",
                Signed::Well,
                |claims, now| {
                    claims["iat"] = json!(now + 90);
                    claims["exp"] = json!(now + 300);
                },
                clocks,
            ),
            ("no subject", Signed::Well, |claims, _| claims["sub"] = json!(""), not_asked),
            (
                "long subject",
                Signed::Well,
                |claims, _| claims["sub"] = json!("x".repeat(256)),
                not_asked,
            ),
            ("alg none", Signed::Not, |_, _| {}, not_asked),
            ("our secret as key", Signed::ByTheSecret, |_, _| {}, not_asked),
            ("another key", Signed::ByAnother, |_, _| {}, not_asked),
        ];
        for (what, signed, bend, words) in lies {
            elsewhere.lies(signed, bend);
            let (_, answer) = log_in(&world, &elsewhere).await;
            out(&answer, StatusCode::FORBIDDEN, words, what);
        }
        elsewhere.lies(Signed::Well, |_, _| {});
        let wrong: [(&str, Wrong, &str); 6] = [
            ("state", |query| query.with("state", Some("x")), not_asked),
            ("no state", |query| query.with("state", None), not_asked),
            (
                "issuer in the address",
                |query| query.with("iss", Some("https://x.example")),
                not_asked,
            ),
            ("code", |query| query.with("code", Some("code-of-another")), not_asked),
            ("no code", |query| query.with("code", None), not_asked),
            (
                "cancelled",
                |query| query.with("error", Some("access_denied")),
                "was cancelled there",
            ),
        ];
        for (what, bend, words) in wrong {
            let (browser, query) = sent(&world, &elsewhere, THERE).await;
            let query = bend(query);
            let (browser, answer) = back(browser, &query).await;
            out(&answer, StatusCode::FORBIDDEN, words, what);
            // It is used up.
            let (_, again) = back(browser, &query.with("error", None)).await;
            out(&again, StatusCode::FORBIDDEN, "used already", what);
        }
        assert!(person(&world.relay, &elsewhere).await.is_none());
    })
    .await;
}

/// An answer is taken once, within five minutes, from the browser that was sent away; a code of an earlier login
/// opens no later one. Another site starts none.
#[tokio::test]
async fn an_answer_is_of_one_browser_once() {
    on_each(|world| async move {
        let (world, elsewhere) = with_elsewhere(&world, Key::ec()).await;
        elsewhere.somebody(ines(&["support"]));
        let stale = "begun in another browser";
        let (browser, query) = sent(&world, &elsewhere, THERE).await;
        let (_, other) = back(world.visitor(false), &query).await;
        out(&other, StatusCode::FORBIDDEN, stale, "another browser");
        let asked = browser.clone();
        let (_, first) = back(browser, &query).await;
        assert_eq!(first.status, StatusCode::SEE_OTHER, "{}", first.text);
        let (_, again) = back(asked, &query).await;
        out(&again, StatusCode::FORBIDDEN, stale, "twice");
        let code =
            query.path().split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned();
        let (browser, later) = sent(&world, &elsewhere, THERE).await;
        let (_, replayed) = back(browser, &later.with("code", Some(&code))).await;
        out(&replayed, StatusCode::FORBIDDEN, "was not what was asked for", "an earlier code");
        let (browser, late) = sent(&world, &elsewhere, THERE).await;
        world.wait(301);
        let (_, late) = back(browser, &late).await;
        out(&late, StatusCode::FORBIDDEN, stale, "late");

        let foreign = http::Request::get(THERE).header("sec-fetch-site", "cross-site");
        let foreign = foreign.body(axum::body::Body::empty()).unwrap();
        let answer = world.visitor(false).send(foreign).await;
        assert_eq!(answer.header(header::LOCATION), "/console/login");
        assert_eq!(answer.header(header::SET_COOKIE), "");
    })
    .await;
}

/// Groups are read anew at each login: what they gave before goes, and with the last of them the browsers that were
/// logged in. Each change is in the audit log.
#[tokio::test]
async fn groups_decide_anew_each_time() {
    on_each(|world| async move {
        let (world, elsewhere) = with_elsewhere(&world, Key::ec()).await;
        let roles = async || {
            let known = person(&world.relay, &elsewhere).await.unwrap();
            let of = |one: &Grant| (one.account.is_some(), one.rights.role);
            known.grants.iter().map(of).collect::<Vec<_>>()
        };
        elsewhere.somebody(ines(&["support", "audit", "leads"]));
        let (first, _) = log_in(&world, &elsewhere).await;
        assert_eq!(roles().await, [(false, Role::Supervisor), (true, Role::Agent)]);
        elsewhere.somebody(ines(&["audit"]));
        let (second, _) = log_in(&world, &elsewhere).await;
        assert_eq!(roles().await, [(true, Role::Auditor)]);
        // The browser from before may do no more than that either.
        assert_eq!(first.get("/console/sessions").await.status, StatusCode::FORBIDDEN);
        assert_eq!(second.get("/console/audit").await.status, StatusCode::OK);
        elsewhere.somebody(ines(&["sales"]));
        let (_, none) = log_in(&world, &elsewhere).await;
        out(&none, StatusCode::FORBIDDEN, "none of your groups there opens", "no group");
        assert_eq!(roles().await, []);
        for browser in [first, second] {
            assert_eq!(browser.get("/console/me").await.status, StatusCode::SEE_OTHER);
        }
        let rows = told(&world, "").await;
        assert_eq!(rows.last().unwrap().0, "staff.refused");
        assert_eq!(rows.last().unwrap().2, r#"{"why":"no_group"}"#);
        let known = person(&world.relay, &elsewhere).await.unwrap();
        assert_eq!(rows.last().unwrap().1, known.id.as_str());
        elsewhere.somebody(ines(&["support"]));
        let (browser, _) = log_in(&world, &elsewhere).await;
        assert_eq!(browser.get("/console/sessions").await.status, StatusCode::OK);
        assert_eq!(person(&world.relay, &elsewhere).await.unwrap().id, known.id);
    })
    .await;
}

/// Whoever is in no group that opens anything, or in one of an account that is not there, leaves a row in the audit
/// log and nothing else; whoever is locked out stays out.
#[tokio::test]
async fn others_stay_out() {
    on_each(|world| async move {
        let (world, elsewhere) = with_elsewhere(&world, Key::ec()).await;
        elsewhere.somebody(ines(&["sales"]));
        let (_, none) = log_in(&world, &elsewhere).await;
        out(&none, StatusCode::FORBIDDEN, "none of your groups there opens", "no group");
        assert!(person(&world.relay, &elsewhere).await.is_none());
        let refused = |why: &str| ("staff.refused".to_owned(), String::new(), why.to_owned());
        assert_eq!(told(&world, "").await, [refused(r#"{"why":"no_group"}"#)]);

        let gone = "AC00000000000000000000000000000000";
        let rules = elsewhere.rules(vec![GroupRights::new("sales", Role::Agent, Some(gone))]);
        let nowhere = world.through(Elsewhere::at(&world.relay, rules));
        let (_, none) = log_in(&nowhere, &elsewhere).await;
        out(&none, StatusCode::FORBIDDEN, "none of your groups there opens", "no account");
        assert!(person(&world.relay, &elsewhere).await.is_none());

        elsewhere.somebody(ines(&["support"]));
        let (browser, _) = log_in(&world, &elsewhere).await;
        let known = person(&world.relay, &elsewhere).await.unwrap();
        world.relay.set_disabled(&known.id, true).await.unwrap();
        assert_eq!(browser.get("/console/sessions").await.status, StatusCode::SEE_OTHER);
        let (_, locked) = log_in(&world, &elsewhere).await;
        out(&locked, StatusCode::FORBIDDEN, "You are locked out", "locked out");
        let rows = told(&world, world.account.as_str()).await;
        assert_eq!(rows.last().unwrap().2, r#"{"why":"locked_out"}"#);
        world.relay.set_disabled(&known.id, false).await.unwrap();
        let (_, open) = log_in(&world, &elsewhere).await;
        assert_eq!(open.status, StatusCode::SEE_OTHER);
    })
    .await;
}

/// Somebody is their issuer and subject: never who has the same name here, nor who will. What another login lets in
/// has no login of this console, and nobody gives it rights here.
#[tokio::test]
async fn nobody_is_taken_for_somebody_else() {
    on_each(|world| async move {
        let (world, elsewhere) = with_elsewhere(&world, Key::ec()).await;
        let local = world.invited(Invite::admin("Ines Duval")).await;
        elsewhere.somebody(ines(&["support"]));
        let (browser, _) = log_in(&world, &elsewhere).await;
        browser.get("/console/me").await.has("Ines Duval (2)");
        let known = person(&world.relay, &elsewhere).await.unwrap();
        assert_eq!(known.name, "Ines Duval (2)");
        let admin = world.relay.staff_named("Ines Duval").await.unwrap().unwrap();
        assert_eq!((admin.issuer, admin.grants[0].rights.role), (None, Role::Admin));
        // Another subject of that name is a third one.
        elsewhere.somebody(json!({"sub": "0002", "name": "Ines Duval", "groups": ["audit"]}));
        let (third, _) = log_in(&world, &elsewhere).await;
        third.get("/console/me").await.has("Ines Duval (3)");
        // A telephone number is no name.
        elsewhere.somebody(json!({"sub": "3", "name": "+14155550100", "preferred_username": "omar", "groups": ["audit"]}));
        let (omar, _) = log_in(&world, &elsewhere).await;
        omar.get("/console/me").await.has("omar").has_not("4155550100");

        let rights = entremise::domain::staff::Rights::of(Role::Admin);
        let everywhere = Grant { account: None, rights };
        let invited = invite(&known.name, None, Role::Admin, "");
        for refused in [
            world.relay.create_staff(invited).await.map(drop),
            world.relay.set_grant(&known.id, everywhere).await,
            world.relay.revoke_grant(&known.id, Some(world.account.clone())).await,
            world.relay.expire_password(&known.id).await,
        ] {
            let Err(Error::Invalid(faults)) = refused else { panic!("{refused:?}") };
            assert_eq!(faults[0].code, "elsewhere");
        }
        let set = browser.post("/console/me/password", "password=seven+green+umbrellas").await;
        assert_eq!(set.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(browser.get("/console/me/password").await.status, StatusCode::SEE_OTHER);
        let page = local.get(&format!("/console/staff/{}", known.id)).await;
        page.has(&elsewhere.issuer).has("Their groups at the other login say so");
        page.has_not("Make a link").has_not("Take away").has_not("Force a new password");
    })
    .await;
}

/// The keys may change at any time: what is signed with a new one is believed once it is shown. In between nothing
/// is asked twice.
#[tokio::test]
async fn new_keys_are_fetched() {
    on_each(|world| async move {
        let (world, elsewhere) = with_elsewhere(&world, Key::rsa()).await;
        elsewhere.somebody(ines(&["support"]));
        log_in(&world, &elsewhere).await;
        let before = elsewhere.asked();
        let (_, same) = log_in(&world, &elsewhere).await;
        assert_eq!((same.status, elsewhere.asked() - before), (StatusCode::SEE_OTHER, 1));
        elsewhere.rotate(Key::ec());
        let (_, new) = log_in(&world, &elsewhere).await;
        assert_eq!(new.status, StatusCode::SEE_OTHER, "{}", new.text);
        assert_eq!(elsewhere.asked() - before, 4, "a token, then what it is and its keys");
    })
    .await;
}

/// A login that is away, or does not know us, is told so; passwords go on working, or are off where that is said.
#[tokio::test]
async fn the_other_login_may_be_away() {
    on_each(|world| async move {
        let (there, elsewhere) = with_elsewhere(&world, Key::ec()).await;
        elsewhere.somebody(ines(&["support"]));
        let rules = elsewhere.rules(vec![GroupRights::new("support", Role::Agent, None)]);
        let stranger = entremise::relay::Provider::new(rules, "wrong", "http://127.0.0.1:8080");
        let stranger = world.through(world.relay.clone().with_provider(stranger));
        let (_, unknown) = log_in(&stranger, &elsewhere).await;
        out(&unknown, StatusCode::FORBIDDEN, "does not know this console", "a wrong secret");

        let (browser, query) = sent(&there, &elsewhere, THERE).await;
        drop(elsewhere);
        let (_, away) = back(browser, &query).await;
        let words = "The other login does not answer";
        out(&away, StatusCode::SERVICE_UNAVAILABLE, words, "away");
        let (fresh, gone) = with_elsewhere(&world, Key::ec()).await;
        drop(gone);
        let french = fresh.visitor(false).get_in(THERE, "fr").await;
        out(&french, StatusCode::SERVICE_UNAVAILABLE, "L’autre connexion ne répond pas", "French");
        french.has(r#"<html lang="fr""#).has("Réessayer");

        let off = LoginRules { passwords: false, ..LoginRules::default() };
        let off = fresh.through(fresh.relay.clone().with_login_rules(off));
        let page = off.visitor(false).get_in("/console/login", "fr").await;
        page.has("Se connecter avec Velo ID").has_not("current-password");
        let none = world.visitor(false);
        none.get("/console/login").await.has_not(THERE);
        assert_eq!(none.get(THERE).await.status, StatusCode::NOT_FOUND);
        assert_eq!(none.get("/console/login/oidc/back").await.status, StatusCode::NOT_FOUND);
    })
    .await;
}

/// Where the token does not tell the groups, the user info does; by a way of names where they lie deeper.
#[tokio::test]
async fn groups_come_from_the_user_info_too() {
    on_each(|world| async move {
        let elsewhere = Elsewhere::start(&world.relay, Key::ec()).await;
        let mut rules = elsewhere.rules(vec![GroupRights::new("support", Role::Agent, None)]);
        rules.groups_claim = "realm_access.roles".to_owned();
        let world = world.through(Elsewhere::at(&world.relay, rules));
        elsewhere.somebody(json!({"sub": "0001-ines"}));
        let (_, none) = log_in(&world, &elsewhere).await;
        assert_eq!(none.status, StatusCode::FORBIDDEN);
        elsewhere.apart(json!({"name": "Ines", "realm_access": {"roles": ["support"]}}));
        let (browser, _) = log_in(&world, &elsewhere).await;
        browser.get("/console/me").await.has("Ines");
    })
    .await;
}
