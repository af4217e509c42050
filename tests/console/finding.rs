//! Somebody is looked for by their whole number: found as people write it, and nowhere repeated.

use entremise::{
    domain::{phone::Identifier, staff::Role},
    ids::ParticipantId,
    privacy::audit::Link,
    relay::{self, Reach, record_opt_out},
    store::{audit, participants::Participant},
};
use http::{StatusCode, header};

use crate::{
    logins::{encoded, invite},
    pages::proper,
    world::{Answer, BUYER, Browser, OTHER_BUYER, SELLER, STRANGER, World, on_each},
};

async fn search(browser: &Browser, typed: &str) -> Answer {
    let answer = browser.post("/console/search", &encoded(&[("q", typed)])).await;
    proper(&answer);
    let to = answer.header(header::LOCATION);
    assert!(!to.contains("550100") && !to.contains("900123"), "{to}");
    answer
}

/// The rows of the account's chain of that action.
pub(crate) async fn noted(world: &World, action: &str) -> Vec<Link> {
    let mut tx = world.read().await;
    let all = audit::page(&mut tx, world.account.as_str(), 0, 1000).await.unwrap();
    all.into_iter().filter(|one| one.content.action == action).collect()
}

/// Somebody in a session, by their role.
pub(crate) async fn party(
    world: &World,
    session: &entremise::ids::SessionId,
    role: &str,
) -> Participant {
    let mut tx = world.read().await;
    let view = relay::view(&mut tx, &world.account, session).await.unwrap();
    view.participants.into_iter().find(|one| one.role == role).unwrap()
}

/// However their number is written, a person is found, with their sessions; the search leads to an address that
/// holds neither number nor hash, and stands in the audit log by its masked form.
#[tokio::test]
async fn a_person_is_found_by_their_number() {
    on_each(|world| async move {
        let session = world.dispute().await;
        let other = world.open(Some("order-2000"), OTHER_BUYER, SELLER).await;
        let (buyer, seller) =
            (party(&world, &session, "buyer").await, party(&world, &other, "seller").await);
        let browser = world.invited(invite("Ines", Some(&world.account), Role::Viewer, "")).await;
        for typed in
            [BUYER, "14155550100", "0014155550100", "(415) 555-0100", " +1 415\u{a0}555 0100 "]
        {
            let found = search(&browser, typed).await;
            assert_eq!(found.status, StatusCode::SEE_OTHER, "{typed}");
            let to = found.header(header::LOCATION);
            assert_eq!(to, format!("/console/people/{}", buyer.id), "{typed}");
        }
        for typed in [SELLER, "07700 900123", "+44 (0)7700 900-123"] {
            let to = search(&browser, typed).await.header(header::LOCATION).to_owned();
            assert_eq!(to, format!("/console/people/{}", seller.id), "{typed}: the latest session");
            let page = browser.get(&to).await;
            proper(&page);
            page.has(&seller.masked()).has(&buyer.masked()).has("order-1042").has("order-2000");
            page.has("Not delivered").has_not(seller.person.as_str());
        }
        let rows = noted(&world, "person.searched").await;
        assert_eq!(rows.len(), 8, "one for each");
        let ines = world.relay.staff_named("Ines").await.unwrap().unwrap();
        for row in &rows {
            assert_eq!(row.content.actor, ines.id.as_str());
            assert_eq!(row.content.target, world.account.as_str());
        }
        assert_eq!(rows[0].content.details, format!("{{\"masked\":\"{}\"}}", buyer.masked()));
        // Nothing but the masked form.
        let whole = format!("{rows:?}");
        assert!(!whole.contains("5550100") && !whole.contains(buyer.person.as_str()));
    })
    .await;
}

/// A number of nobody is not found, and noted none the less; what can't be read as a number says how to type it.
#[tokio::test]
async fn what_is_not_found_says_why() {
    on_each(|world| async move {
        world.dispute().await;
        let browser = world.browser("Ines", Some(world.account.clone())).await;
        let nobody = search(&browser, STRANGER).await;
        assert_eq!(nobody.status, StatusCode::NOT_FOUND);
        nobody.has("Nobody in this account has that number");
        assert_eq!(noted(&world, "person.searched").await.len(), 1);
        for typed in ["0123 45", "0 000 000 0000 0000 0000"] {
            let unread = search(&browser, typed).await;
            assert_eq!(unread.status, StatusCode::NOT_FOUND, "{typed}");
            unread.has("be read as one").has("+44 7700 900000");
        }
        assert_eq!(noted(&world, "person.searched").await.len(), 1);
        search(&browser, "order-9").await.has("has that id or unique name");
        // A name of digits is still a name.
        let session = world.open(Some("104210"), OTHER_BUYER, STRANGER).await;
        let found = search(&browser, "104210").await;
        assert_eq!(found.header(header::LOCATION), format!("/console/sessions/{session}"));
    })
    .await;
}

/// All sessions of somebody are walked, newest first, without a gap; another account's staff sees none of it.
#[tokio::test]
async fn their_sessions_are_walked() {
    on_each(|world| async move {
        for place in 0..30 {
            world.wait(1);
            let session = world.open(Some(&format!("deal-{place}")), BUYER, STRANGER).await;
            world.close(&session).await;
        }
        world.wait(1);
        world.open(Some("of-others"), OTHER_BUYER, SELLER).await;
        let browser = world.browser("Ines", Some(world.account.clone())).await;
        let first = search(&browser, BUYER).await.header(header::LOCATION).to_owned();
        let mut path = first.clone();
        let mut names = Vec::new();
        for _ in 0..2 {
            let page = browser.get(&path).await;
            assert_eq!(page.status, StatusCode::OK, "{path}");
            page.has_not("of-others");
            names.extend(page.text.split("c-name\"><a").skip(1).map(|cell| {
                let text = cell.split_once('>').unwrap().1;
                text.split('<').next().unwrap().to_owned()
            }));
            let next = page.text.split("rel=\"next\" href=\"").nth(1);
            path = next.map_or(String::new(), |rest| rest.split('"').next().unwrap().to_owned());
        }
        assert_eq!(path, "");
        let expected: Vec<String> = (0..30).rev().map(|place| format!("deal-{place}")).collect();
        assert_eq!(names, expected);
        let other = world.relay.create_account("Other market").await.unwrap().account;
        let omar = world.browser("Omar", Some(other)).await;
        assert_eq!(omar.get(&first).await.status, StatusCode::NOT_FOUND);
        search(&omar, BUYER).await.has("Nobody in this account");
        let gone = ParticipantId::parse("KP00000000000000000000000000000000").unwrap();
        let none = browser.get(&format!("/console/people/{gone}")).await;
        assert_eq!(none.status, StatusCode::NOT_FOUND);
    })
    .await;
}

/// What keeps texts and calls from somebody is told with them, from either side of a block; also of somebody who is
/// in no session.
#[tokio::test]
async fn opt_outs_and_blocks_are_told() {
    on_each(|world| async move {
        let session = world.dispute().await;
        let buyer = party(&world, &session, "buyer").await;
        let seller = party(&world, &session, "seller").await;
        let input = (world.account.clone(), session.clone(), buyer.id.clone());
        let done = world.relay.act(input, |tx, (account, session, buyer)| {
            Box::pin(async move {
                relay::set_block(tx, &account, &session, &buyer, true).await?;
                for number in [SELLER, STRANGER] {
                    let number = Identifier::parse(number).unwrap();
                    record_opt_out(tx, &account, &number, &Reach::Account).await?;
                }
                Ok(())
            })
        });
        done.await.unwrap();
        let browser = world.browser("Ines", Some(world.account.clone())).await;
        let of_buyer = browser.get(&format!("/console/people/{}", buyer.id)).await;
        proper(&of_buyer);
        of_buyer.has("This person has blocked").has_not("What they want no texts from");
        of_buyer.has(seller.person.tag());
        let of_seller = browser.get(&format!("/console/people/{}", seller.id)).await;
        of_seller.has("This person is blocked by").has("No texts from this marketplace");
        of_seller.has("/clear?next=");
        let stranger = search(&browser, STRANGER).await;
        assert_eq!(stranger.status, StatusCode::OK);
        stranger.has("No texts from this marketplace").has("There are none.");
    })
    .await;
}
