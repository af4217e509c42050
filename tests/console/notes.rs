//! Internal notes, the case and the order of a session, and why its people have their numbers.

use entremise::{
    domain::{
        policy::OrderUrl,
        staff::{Rights, Role},
    },
    ids::{SessionId, StaffId},
    relay::{self, Invite},
    store::{session_notes, sessions::Page},
};
use http::StatusCode;

use crate::world::{BUYER, Browser, SELLER, World, on_each};

async fn somebody(world: &World, name: &str, role: Role) -> Browser {
    let account = Some(world.account.clone());
    world.invited(Invite { name: name.to_owned(), account, rights: Some(Rights::of(role)) }).await
}

async fn count(world: &World, session: &SessionId) -> usize {
    let mut tx = world.read().await;
    let session = entremise::store::sessions::get_any(&mut tx, &world.account, session)
        .await
        .unwrap()
        .unwrap();
    let key = session.data_key(&tx).unwrap();
    let page = Page { before: None, after: None, limit: 100 };
    let found = session_notes::of_session(&mut tx, &world.account, &key, &session.id, &page).await;
    found.unwrap().len()
}

/// What the account's audit log says was done to a session.
async fn audited(world: &World) -> Vec<String> {
    let mut tx = world.read().await;
    let rows =
        entremise::store::audit::page(&mut tx, world.account.as_str(), 0, 100).await.unwrap();
    rows.into_iter().map(|row| format!("{} {row:?}", row.content.action)).collect()
}

/// An agent writes, others read; a note is shown as it was written, with its author, and is in no audit row.
#[tokio::test]
async fn notes_are_written_and_read() {
    on_each(|world| async move {
        let session = world.open(Some("order 7"), BUYER, SELLER).await;
        let path = format!("/console/sessions/{session}");
        let agent = somebody(&world, "Ines", Role::Agent).await;
        let viewer = somebody(&world, "Noor", Role::Viewer).await;
        agent.get(&path).await.has("No notes.").has("name=\"note\"");
        let answer = agent
            .post(
                &format!("{path}/notes"),
                "note=+Rang+%3Cb%3Ethe+buyer%3C%2Fb%3E%0D%0Asecond+line+",
            )
            .await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(answer.header("location"), format!("{path}#notes-h"));
        let page = viewer.get(&path).await;
        page.has("Ines").has("second line").has_not("<b>the buyer").has_not("name=\"note\"");
        page.has("the buyer");
        for (form, to) in [("note=x", "notes"), ("case=T-1", "case")] {
            let refused = viewer.post(&format!("{path}/{to}"), form).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN);
        }
        for words in ["", "+++", &"x".repeat(2001)] {
            let answer = agent.post(&format!("{path}/notes"), &format!("note={words}")).await;
            assert_eq!(answer.header("location"), format!("{path}?fault=note#notes-h"));
        }
        agent.get(&format!("{path}?fault=note")).await.has("The note was not kept");
        assert_eq!(count(&world, &session).await, 1);
        let log = audited(&world).await;
        assert_eq!(log.iter().filter(|row| row.contains("session.noted")).count(), 1);
        assert!(!log.iter().any(|row| row.contains("second line")), "{log:?}");
    })
    .await;
}

/// Long notes come in pages, newest first; deleting the session deletes them.
#[tokio::test]
async fn notes_come_in_pages_and_go_with_their_session() {
    on_each(|world| async move {
        let session = world.open(Some("order-7"), BUYER, SELLER).await;
        let (account, of) = (world.account.clone(), session.clone());
        for round in 0..23 {
            let (account, of) = (account.clone(), of.clone());
            world.wait(1);
            let written = world.relay.db().write(move |tx| {
                let (account, of) = (account.clone(), of.clone());
                Box::pin(async move {
                    let staff = StaffId::parse("ST0123456789abcdef0123456789abcdef").unwrap();
                    let body = entremise::domain::message::Body::new(format!("note {round}."));
                    relay::note_session(tx, &account, &of, &staff, &body).await
                })
            });
            written.await.unwrap();
        }
        let browser = somebody(&world, "Ines", Role::Agent).await;
        let path = format!("/console/sessions/{session}");
        let first = browser.get(&path).await;
        first.has("note 22.").has("note 3.").has_not("note 2.").has("Older notes");
        let older = first.text.split("?notes=").nth(1).unwrap().split('#').next().unwrap();
        let second = browser.get(&format!("{path}?notes={older}")).await;
        second.has("note 2.").has("note 0.").has_not("note 3.").has_not("Older notes");
        let done = world.relay.db().write(move |tx| {
            let (account, of) = (account.clone(), of.clone());
            Box::pin(async move { relay::delete_session(tx, &account, &of).await })
        });
        done.await.unwrap();
        assert_eq!(count(&world, &session).await, 0);
    })
    .await;
}

/// A case is a plain name and no number of anybody; the order's address is filled percent-encoded.
#[tokio::test]
async fn a_session_has_a_case_and_an_order() {
    on_each(|world| async move {
        let session = world.open(Some("order 7/é"), BUYER, SELLER).await;
        let nameless = world.open(None, BUYER, SELLER).await;
        let path = format!("/console/sessions/{session}");
        let browser = somebody(&world, "Ines", Role::Agent).await;
        browser.get(&path).await.has_not("The order at the marketplace");
        let answer = browser.post(&format!("{path}/case"), "case=T-1042").await;
        assert_eq!(answer.header("location"), format!("{path}#notes-h"));
        browser.get(&path).await.has(">T-1042<");
        for bad in ["a+b", "14155550100", "415-555-0100", "%3Cb%3E", &"x".repeat(65)] {
            let answer = browser.post(&format!("{path}/case"), &format!("case={bad}")).await;
            assert_eq!(answer.header("location"), format!("{path}?fault=case#notes-h"), "{bad}");
        }
        browser.get(&path).await.has(">T-1042<");
        // Setting what is set already is no change.
        browser.post(&format!("{path}/case"), "case=T-1042").await;
        browser.post(&format!("{path}/case"), "case=").await;
        browser.get(&path).await.has_not("T-1042");
        let log = audited(&world).await;
        assert_eq!(log.iter().filter(|row| row.contains("session.case_set")).count(), 2);
        assert!(!log.iter().any(|row| row.contains("T-1042")));
        let (account, service) = (world.account.clone(), world.service.clone());
        let changed = world.relay.db().write(move |tx| {
            let (account, service) = (account.clone(), service.clone());
            Box::pin(async move {
                let url = "https://market.example/o/{unique_name}?from={session}";
                relay::update_service(tx, &account, &service, None, &|_, rules| {
                    rules.order_url = OrderUrl::parse(url);
                })
                .await
                .map(drop)
            })
        });
        changed.await.unwrap();
        let page = browser.get(&path).await;
        page.has(&format!("https://market.example/o/order%207%2F%C3%A9?from={session}"));
        page.has("rel=\"noreferrer noopener\"");
        browser.get(&format!("/console/sessions/{nameless}")).await.has_not("market.example");
    })
    .await;
}

/// Each person's number is explained by what chose it and what each rule leaves now: the numbers that they hold in
/// open sessions and in quarantine are told apart, and nobody's own number is shown.
#[tokio::test]
async fn numbers_are_explained() {
    on_each(|world| async move {
        let session = world.open(Some("order-7"), BUYER, SELLER).await;
        let other = world.open(Some("order-8"), BUYER, SELLER).await;
        let browser = somebody(&world, "Noor", Role::Viewer).await;
        let path = format!("/console/sessions/{session}");
        browser.get(&path).await.has(&format!("href=\"{path}/numbers\""));
        let page = browser.get(&format!("{path}/numbers")).await;
        assert_eq!(page.status, StatusCode::OK);
        page.has("Of those that suit, it had rested longest for this person.");
        page.has(world.dials(&session, "buyer").await.as_str());
        page.has("At the carrier of the session’s other numbers");
        page.has("this session").has("Numbers that this person could be given now: 2");
        let open = "Not held by this person in an open session</th><td class=\"num\">2</td><td class=\"num\">2</td>";
        page.has(open);
        world.close(&other).await;
        let page = browser.get(&format!("{path}/numbers")).await;
        page.has("Not in quarantine for this person</th><td class=\"num\">1</td><td class=\"num\">2</td>");
        page.has("in quarantine until");
        for number in [BUYER, SELLER] {
            page.has_not(&number[number.len() - 7..]);
        }
        let french = browser.get_in(&format!("{path}/numbers"), "fr").await;
        french.has("Pourquoi ces numéros").has("en quarantaine jusqu’au");
        let gone = browser.get("/console/sessions/KC0123456789abcdef0123456789abcdef/numbers").await;
        assert_eq!(gone.status, StatusCode::NOT_FOUND);
    })
    .await;
}
