//! What is else masked is opened: by whoever may, for a reason, after it is noted, so often a day.

use entremise::{
    domain::{
        policy::Rules,
        staff::{LoginRules, Role},
    },
    ids::SessionId,
    relay,
    store::audit::{self, Filter},
};
use http::{StatusCode, header};

use crate::{
    finding::{noted, party},
    logins::{encoded, invite, prove, with_app},
    pages::proper,
    world::{Answer, BUYER, Browser, PRIVATE, SELLER, World, on_each},
};

const GOOD: [(&str, &str); 2] = [("cause", "dispute"), ("reason", "ticket 4711, asked by Ada")];

/// Somebody who has just proved who they are.
async fn proved(world: &World, name: &str, role: Role, extra: &str) -> Browser {
    let (browser, key, _) = with_app(world, invite(name, Some(&world.account), role, extra)).await;
    prove(world, &browser, &key).await;
    browser
}

async fn reveal_path(world: &World, session: &SessionId, role: &str) -> String {
    format!("/console/people/{}/reveal", party(world, session, role).await.id)
}

fn leads_away(answer: &Answer, seconds: u64, session: &SessionId) {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
    let back = format!("/console/sessions/{session}?done=hidden");
    assert_eq!(answer.header("refresh"), format!("{seconds}; url={back}"));
    answer.has(&format!("href=\"{back}\"")).has(&format!("data-seconds=\"{seconds}\""));
}

/// A number is shown once its reader proved who they are and said why: in the answer to the form alone, for a
/// minute, and the audit log has it.
#[tokio::test]
async fn a_number_is_shown_for_a_minute() {
    on_each(|world| async move {
        let session = world.dispute().await;
        let path = reveal_path(&world, &session, "seller").await;
        let supervisor = invite("Grace", Some(&world.account), Role::Supervisor, "");
        let (browser, key, _) = with_app(&world, supervisor).await;
        world.wait(16 * 60);
        for stale in [browser.get(&path).await, browser.post(&path, &encoded(&GOOD)).await] {
            assert_eq!(stale.status, StatusCode::SEE_OTHER);
            assert!(stale.header(header::LOCATION).starts_with("/console/prove?next="));
        }
        prove(&world, &browser, &key).await;
        let asks = browser.get(&path).await;
        proper(&asks);
        asks.has("You may open 20 more numbers").has("for 60 seconds");
        for wrong in [
            &[("cause", "dispute")][..],
            &[("cause", "dispute"), ("reason", " ")],
            &[("cause", "dispute"), ("reason", "call +1 415 555 0100")],
            &[("cause", "curiosity"), ("reason", "ticket 4711")],
            &[],
        ] {
            let refused = browser.post(&path, &encoded(wrong)).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong:?}");
            proper(&refused);
        }
        assert_eq!(noted(&world, "session.number_revealed").await.len(), 0);

        let shown = browser.post(&path, &encoded(&GOOD)).await;
        leads_away(&shown, 60, &session);
        shown.has(SELLER).has_not(&BUYER[1..]);
        let rows = noted(&world, "session.number_revealed").await;
        let grace = world.relay.staff_named("Grace").await.unwrap().unwrap();
        assert_eq!(rows.len(), 1);
        let (row, seller) = (&rows[0].content, party(&world, &session, "seller").await);
        assert_eq!((&*row.actor, &*row.target), (grace.id.as_str(), session.as_str()));
        assert!(row.details.contains(seller.id.as_str()) && row.details.contains("dispute"));
        let mut tx = world.read().await;
        let filter = Filter { target: Some(session.to_string()), ..Filter::default() };
        let opened = audit::list(&mut tx, world.account.as_str(), &filter, None, 10).await.unwrap();
        drop(tx);
        assert_eq!(opened[0].reason.as_deref(), Some(GOOD[1].1));
        browser.get(&path).await.has("You may open 19 more numbers").has_not(&SELLER[1..]);
        let back = browser.get(&format!("/console/sessions/{session}?done=hidden")).await;
        proper(&back);
        back.has("hidden again");
    })
    .await;
}

/// To reveal and to read are rights of their own: neither a role without them nor one of them opens the other, and
/// the page of a session offers what its reader may.
#[tokio::test]
async fn revealing_and_reading_are_two_rights() {
    on_each(|world| async move {
        let session = world.dispute().await;
        let number = reveal_path(&world, &session, "buyer").await;
        let texts = format!("/console/sessions/{session}/texts");
        for (name, role, extra, may) in [
            ("Ann", Role::Agent, "", [false, false]),
            ("Bob", Role::Agent, "reveal", [true, false]),
            ("Cleo", Role::Viewer, "read_texts", [false, true]),
            ("Dan", Role::Supervisor, "", [true, true]),
        ] {
            let browser = proved(&world, name, role, extra).await;
            let page = browser.get(&format!("/console/sessions/{session}")).await;
            for (path, may) in [&number, &texts].into_iter().zip(may) {
                assert_eq!(page.text.contains(path.as_str()), may, "{name} {path}");
                let status = if may { StatusCode::OK } else { StatusCode::FORBIDDEN };
                assert_eq!(browser.get(path).await.status, status, "{name} {path}");
                let opened = browser.post(path, &encoded(&GOOD)).await;
                assert_eq!(opened.status, status, "{name} {path}");
                assert_eq!(opened.text.contains(BUYER), may && *path == number);
            }
        }
        let other = world.relay.create_account("Other market").await.unwrap().account;
        let (omar, key, _) =
            with_app(&world, invite("Omar", Some(&other), Role::Supervisor, "")).await;
        prove(&world, &omar, &key).await;
        for path in [&number, &texts] {
            assert_eq!(omar.post(path, &encoded(&GOOD)).await.status, StatusCode::NOT_FOUND);
        }
        let rows = noted(&world, "session.number_revealed").await;
        assert_eq!(rows.len(), 2);
    })
    .await;
}

/// So many in 24 hours and no more, by each person for themselves: what is refused is not noted as opened.
#[tokio::test]
async fn openings_are_bounded() {
    on_each(|mut world| async move {
        let rules = LoginRules { reveals_per_day: 2, ..LoginRules::default() };
        world.relay = world.relay.with_login_rules(rules);
        let session = world.dispute().await;
        let path = reveal_path(&world, &session, "buyer").await;
        let (grace, key, _) =
            with_app(&world, invite("Grace", Some(&world.account), Role::Supervisor, "")).await;
        prove(&world, &grace, &key).await;
        for _ in 0..2 {
            grace.post(&path, &encoded(&GOOD)).await.has(BUYER);
        }
        let refused = grace.post(&path, &encoded(&GOOD)).await;
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        proper(&refused);
        refused.has("as many as one person may within 24 hours").has_not("<select");
        assert_eq!(noted(&world, "session.number_revealed").await.len(), 2);
        let texts = format!("/console/sessions/{session}/texts");
        assert_eq!(grace.post(&texts, &encoded(&GOOD)).await.status, StatusCode::OK, "texts apart");
        let ada = proved(&world, "Ada", Role::Supervisor, "").await;
        ada.post(&path, &encoded(&GOOD)).await.has(BUYER);
        world.wait(24 * 3600);
        let (later, key, _) =
            with_app(&world, invite("Later", Some(&world.account), Role::Supervisor, "")).await;
        prove(&world, &later, &key).await;
        later.post(&path, &encoded(&GOOD)).await.has(BUYER);
        let id = world.relay.staff_named("Grace").await.unwrap().unwrap().id;
        let left = world.relay.openings_left(&id, entremise::domain::opening::Opened::Number);
        assert_eq!(left.await.unwrap(), 2, "a day later");
    })
    .await;
}

/// The second of two at once sees the first.
#[tokio::test]
async fn two_at_once_are_counted() {
    on_each(|mut world| async move {
        let rules = LoginRules { reveals_per_day: 1, ..LoginRules::default() };
        world.relay = world.relay.with_login_rules(rules);
        let session = world.dispute().await;
        let path = reveal_path(&world, &session, "buyer").await;
        let browser = proved(&world, "Grace", Role::Supervisor, "").await;
        let form = encoded(&GOOD);
        let all = [(); 4].map(|()| browser.post(&path, &form));
        let all = futures_util::future::join_all(all).await;
        let shown = all.iter().filter(|one| one.text.contains(BUYER)).count();
        assert_eq!(shown, 1);
        assert_eq!(noted(&world, "session.number_revealed").await.len(), 1);
    })
    .await;
}

/// What was written is shown where it was kept, oldest first and in pages, each noted; whom it does not concern is
/// not shown a number.
#[tokio::test]
async fn texts_are_read() {
    on_each(|world| async move {
        let input = (world.account.clone(), world.service.clone());
        let kept = world.relay.act(input, |tx, (account, service)| {
            Box::pin(async move {
                let change = |_: &mut String, rules: &mut Rules| rules.keep_texts = true;
                relay::update_service(tx, &account, &service, None, &change).await.map(drop)
            })
        });
        kept.await.unwrap();
        let session = world.dispute().await;
        let dials = world.dials(&session, "buyer").await;
        for place in 0..60 {
            world.wait(10);
            world.text(BUYER, &dials, &format!("message {place:02} <b>")).await;
        }
        let browser = proved(&world, "Grace", Role::Supervisor, "").await;
        let path = format!("/console/sessions/{session}/texts");
        browser.get(&path).await.has("for ten minutes").has_not("fountain");
        let shown = browser.post(&path, &encoded(&GOOD)).await;
        leads_away(&shown, 600, &session);
        shown.has("message 59 &#60;b&#62;").has_not("message 09").has_not(PRIVATE[0]);
        let order = |text: &str| shown.text.find(text).unwrap();
        assert!(order("message 10") < order("message 59"), "oldest first");
        for number in [BUYER, SELLER] {
            shown.has_not(&number[1..]);
        }
        let before = crate::logins::between(&shown.text, "name=\"before\" value=\"", "\"");
        let more = [GOOD[0], GOOD[1], ("before", before)];
        let earlier = browser.post(&path, &encoded(&more)).await;
        earlier.has("message 09").has(PRIVATE[0]).has_not("message 10");
        assert_eq!(noted(&world, "session.texts_read").await.len(), 2);
        let page = browser.get(&format!("/console/sessions/{session}")).await;
        page.has_not("message 59");
    })
    .await;
}
