//! Who gets in, to what, and for how long.

use axum::body::Body;
use entremise::{
    domain::staff::{Rights, Role},
    ids::AccountId,
    relay::{Error, Invite},
};
use http::{Request, StatusCode, header};

use crate::world::on_each;

/// A link opens the console once: the second time it is a wrong code, as is any other.
#[tokio::test]
async fn a_link_works_once() {
    on_each(|world| async move {
        let link = world.relay.create_staff(Invite::admin("Ines")).await.unwrap();
        let mut browser = world.visitor(false);
        let answer = browser.post("/console/login/link", &format!("code={link}")).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(answer.header(header::LOCATION), "/console");
        let cookie = answer.header(header::SET_COOKIE).to_owned();
        assert!(cookie.starts_with("entremise="), "{cookie}");
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=43200"), "{cookie}");
        assert!(!cookie.contains(&link));
        for code in [&link, "", "x", &"A".repeat(43), &"%00".repeat(43)] {
            let answer = browser.post("/console/login/link", &format!("code={code}")).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN);
            answer.has("does not open the console").has_not(&link);
            assert_eq!(answer.header(header::SET_COOKIE), "");
        }
        browser.keep(&answer);
        assert_eq!(browser.get("/console/accounts").await.status, StatusCode::OK);
    })
    .await;
}

/// Of two browsers that use one link at the same time, one gets in.
#[tokio::test]
async fn a_link_works_once_for_two_at_a_time() {
    on_each(|world| async move {
        let link = world.relay.create_staff(Invite::admin("Ines")).await.unwrap();
        let (one, two) =
            tokio::join!(world.relay.redeem_link(&link, ""), world.relay.redeem_link(&link, ""));
        let (one, two) = (one.unwrap(), two.unwrap());
        assert!(one.is_some() != two.is_some());
    })
    .await;
}

/// A link ends after a day, a browser after half a day; a whole link may be pasted.
#[tokio::test]
async fn links_and_browsers_end() {
    on_each(|world| async move {
        let late = world.relay.create_staff(Invite::admin("Ines")).await.unwrap();
        world.wait(24 * 3600 + 60);
        assert_eq!(world.relay.redeem_link(&late, "").await.unwrap(), None);
        let link = world.relay.create_staff(Invite::admin("Ines")).await.unwrap();
        world.wait(24 * 3600 - 60);
        let mut browser = world.visitor(false);
        let whole = format!("code=https%3A%2F%2Fr.example%2Fconsole%2Flogin%23{link}");
        browser.keep(&browser.post("/console/login/link", &whole).await);
        let idle = browser.clone();
        for _ in 0..25 {
            world.wait(28 * 60);
            assert_eq!(browser.get("/console/accounts").await.status, StatusCode::OK);
        }
        world.wait(20 * 60 + 1);
        let answer = browser.get("/console/accounts").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(answer.header(header::LOCATION), "/console/login?next=%2Fconsole%2Faccounts");
        let link = world.relay.create_staff(Invite::admin("Ines")).await.unwrap();
        let mut idle = idle;
        idle.keep(&idle.post("/console/login/link", &format!("code={link}")).await);
        world.wait(29 * 60);
        assert_eq!(idle.get("/console/accounts").await.status, StatusCode::OK);
        world.wait(30 * 60 + 1);
        assert_eq!(idle.get("/console/accounts").await.status, StatusCode::SEE_OTHER);
    })
    .await;
}

/// A new link for a name that is there is for the same person, who sees no more than before but where a role is
/// said.
#[tokio::test]
async fn a_name_is_one_person() {
    on_each(|world| async move {
        let invite = |name: &str, account: Option<&AccountId>, role: Option<Role>| Invite {
            name: name.to_owned(),
            account: account.cloned(),
            rights: role.map(Rights::of),
        };
        let own = &world.account;
        world.relay.create_staff(invite("Ines", Some(own), Some(Role::Agent))).await.unwrap();
        let link = world.relay.create_staff(invite(" Ines", None, None)).await.unwrap();
        let browser = world.relay.redeem_link(&link, "").await.unwrap().unwrap();
        let ines = world.relay.visitor(&browser).await.unwrap().unwrap().staff;
        assert_eq!(ines.only_account(), Some(own));
        let other = world.relay.create_account("Other").await.unwrap().account;
        let wider = world.relay.create_staff(invite("Ines", Some(&other), None)).await;
        assert!(matches!(wider, Err(Error::Invalid(_))));
        let wider = invite("Ines", Some(&other), Some(Role::Viewer));
        world.relay.create_staff(wider).await.unwrap();
        let ines = world.relay.visitor(&browser).await.unwrap().unwrap().staff;
        assert_eq!(ines.rights(own), Some(Rights::of(Role::Agent)));
        assert_eq!(ines.rights(&other), Some(Rights::of(Role::Viewer)));
        assert_eq!(ines.rights_everywhere(), None);
        let gone = AccountId::parse("AC00000000000000000000000000000000").unwrap();
        let nowhere = world.relay.create_staff(invite("Omar", Some(&gone), None)).await;
        assert!(matches!(nowhere, Err(Error::NotFound("account"))));
        for name in ["", " ", "a\nb", &"x".repeat(101)] {
            assert!(world.relay.create_staff(Invite::admin(name)).await.is_err());
        }
    })
    .await;
}

/// Behind HTTPS the cookie is bound to this host and to HTTPS, and the other one opens nothing.
#[tokio::test]
async fn the_cookie_is_bound_to_https() {
    on_each(|world| async move {
        let link = world.relay.create_staff(Invite::admin("Ines")).await.unwrap();
        let mut browser = world.visitor(true);
        let answer = browser.post("/console/login/link", &format!("code={link}")).await;
        let cookie = answer.header(header::SET_COOKIE);
        assert!(cookie.starts_with("__Host-entremise=") && cookie.ends_with("; Secure"));
        browser.keep(&answer);
        assert_eq!(browser.get("/console/accounts").await.status, StatusCode::OK);
        browser.cookie = browser.cookie.map(|cookie| cookie.replace("__Host-", ""));
        assert_eq!(browser.get("/console/accounts").await.status, StatusCode::SEE_OTHER);
    })
    .await;
}

/// Whoever is not logged in, or no more, is led to the login from every page and sees none.
#[tokio::test]
async fn logged_out_sees_nothing() {
    on_each(|world| async move {
        let session = world.dispute().await;
        let browser = world.browser("Ines", Some(world.account.clone())).await;
        let session = format!("/console/sessions/{session}");
        let out = browser.post("/console/logout", "").await;
        assert_eq!(out.status, StatusCode::SEE_OTHER);
        assert!(out.header(header::SET_COOKIE).contains("Max-Age=0"));
        browser.get(out.header(header::LOCATION)).await.has("You are logged out.");
        for browser in [browser, world.visitor(false)] {
            for path in [
                "/console",
                "/console/",
                "/console/accounts",
                "/console/sessions",
                "/console/interactions",
                &session,
            ] {
                let answer = browser.get(path).await;
                assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
                assert!(answer.header(header::LOCATION).starts_with("/console/login"));
                assert_eq!(answer.text, "");
            }
            let answer = browser.post("/console/search", "q=order-1042").await;
            assert_eq!(answer.header(header::LOCATION), "/console/login");
        }
    })
    .await;
}

/// No other site can send a form: not to log in, not to log out, not to search.
#[tokio::test]
async fn other_sites_send_nothing() {
    on_each(|world| async move {
        let browser = world.browser("Ines", None).await;
        let cases: [(&[(&str, &str)], bool); 7] = [
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "same-site"), ("origin", "https://r.example")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "https://r.example"), ("host", "r.example")], true),
            (&[("origin", "https://evil.example"), ("host", "r.example")], false),
            (&[], false),
        ];
        for path in [
            "/console/login",
            "/console/login/link",
            "/console/search",
            "/console/logout",
            "/console/staff",
        ] {
            for (headers, own) in cases {
                let mut request = Request::post(path).body(Body::from("code=x&q=x")).unwrap();
                for (name, value) in headers {
                    let name = http::HeaderName::try_from(*name).unwrap();
                    request.headers_mut().insert(name, value.parse().unwrap());
                }
                let answer = browser.send(request).await;
                let refused = answer.text.contains("That came from another site");
                assert_eq!(refused, !own, "{path} {headers:?}");
                assert!(!refused || answer.status == StatusCode::FORBIDDEN);
            }
        }
    })
    .await;
}

/// After ten wrong codes a client must wait, even with a right one, and is told how long.
#[tokio::test]
async fn wrong_codes_are_bounded() {
    on_each(|world| async move {
        let browser = world.visitor(false);
        for _ in 0..10 {
            let answer = browser.post("/console/login/link", "code=wrong").await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN);
        }
        let link = world.relay.create_staff(Invite::admin("Ines")).await.unwrap();
        let code = format!("code={link}");
        let answer = browser.post("/console/login/link", &code).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.header(header::RETRY_AFTER), "600");
        world.wait(600);
        let answer = browser.post("/console/login/link", &code).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
    })
    .await;
}

/// Staff of one account can't see that another's things exist; staff of all choose an account, and
/// are led back to where they were going.
#[tokio::test]
async fn accounts_are_apart() {
    on_each(|world| async move {
        let session = world.dispute().await;
        let other = world.relay.create_account("Other market").await.unwrap().account;
        let path = format!("/console/sessions/{session}");
        let stranger = world.browser("Omar", Some(other.clone())).await;
        let answer = stranger.get(&path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        answer.has_not("order-1042");
        let own = &world.account;
        for path in ["sessions", "interactions", &format!("sessions/{session}")] {
            let answer = stranger.get(&format!("/console/{path}?account={own}")).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND);
        }
        stranger.get("/console/sessions").await.has("There are no sessions yet");
        assert_eq!(stranger.get("/console/accounts").await.status, StatusCode::SEE_OTHER);
        let dials = world.dials(&session, "buyer").await;
        for wanted in [session.as_str(), "order-1042", &dials.as_str()[1..]] {
            let answer = stranger.post("/console/search", &format!("q={wanted}")).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND);
        }

        let all = world.browser("Ines", None).await;
        let answer = all.get(&path).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        let choose = answer.header(header::LOCATION).to_owned();
        let chosen = format!("{path}?account={own}");
        let answer = all.get(&choose).await;
        answer.has("Velo Market").has("Other market").has(&chosen);
        let answer = all.get(&chosen).await;
        assert_eq!(answer.status, StatusCode::OK);
        answer.has("order-1042").has(&format!("/console/sessions?account={own}"));
        let answer = all.get(&format!("{path}?account={other}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        let answer = all.get("/console/accounts?next=//evil.example").await;
        answer.has_not("evil");
    })
    .await;
}

/// A link, whoever uses it and whoever logs out leave a row each: of staff for one account in that account's
/// chain, of others in the installation's. A wrong code and a second log-out leave none.
#[tokio::test]
async fn i19_whoever_comes_in_is_in_the_audit_log() {
    on_each(|world| async move {
        for account in [Some(world.account.clone()), None] {
            let chain = account.as_ref().map_or("", AccountId::as_str).to_owned();
            let before = rows(&world, &chain).await.len();
            let name = if account.is_some() { "Ines" } else { "Grace" };
            let rights = Some(Rights::of(Role::Agent));
            let invite = Invite { name: name.to_owned(), account, rights };
            let link = world.relay.create_staff(invite).await.unwrap();
            assert!(world.relay.redeem_link(&"A".repeat(43), "").await.unwrap().is_none());
            let browser = world.relay.redeem_link(&link, "").await.unwrap().unwrap();
            assert!(world.relay.redeem_link(&link, "").await.unwrap().is_none());
            let person = world.relay.visitor(&browser).await.unwrap().unwrap().staff;
            for _ in 0..2 {
                world.relay.log_out(&browser).await.unwrap();
            }
            let all = rows(&world, &chain).await;
            let told: Vec<_> = all[before..]
                .iter()
                .map(|one| (&*one.content.action, &*one.content.actor_kind, &*one.content.actor))
                .collect();
            let (id, staff) = (person.id.as_str(), "staff");
            let expected = [
                ("staff.granted", "relay", ""),
                ("staff.invited", "relay", ""),
                ("staff.logged_in", staff, id),
                ("staff.logged_out", staff, id),
            ];
            assert_eq!(told, expected);
            assert!(all[before..].iter().all(|one| one.content.target == id));
            let stored = format!("{all:?}");
            assert!(
                !stored.contains(&link) && !stored.contains(&browser) && !stored.contains(name)
            );
        }
    })
    .await;
}

async fn rows(world: &crate::world::World, chain: &str) -> Vec<entremise::privacy::audit::Link> {
    let mut tx = world.relay.db().read().await.unwrap();
    entremise::store::audit::page(&mut tx, chain, 0, 100).await.unwrap()
}
