//! What staff do to a session and its people: each in their name, after a page that asks, and with what it means to the
//! next call.

use entremise::{
    domain::{interaction::Reason, staff::Role},
    ids::{MoveId, ParticipantId, SessionId},
    privacy::audit::Link,
    relay::{self, Erasing, Reach, record_opt_out},
    store::{ErasureList, audit, number_moves, participants::Participant, sessions},
};
use http::{StatusCode, header};
use serde_json::json;

use crate::{
    finding::{noted, party},
    logins::{encoded, invite, prove, with_app},
    pages::proper,
    stop_stage::{BUYER, Contact, SELLER, Stage},
    support,
    world::{Browser, OTHER_BUYER, World, on_each},
};

const US: [&str; 4] = ["+14155550100", "+14155550101", "+14155550102", "+14155550103"];

/// An agent at the console of a relay with phones, and a session of two of them.
struct Desk {
    stage: Stage,
    contact: Contact,
    agent: Browser,
}

impl Desk {
    async fn open(database: &support::Database) -> Self {
        let stage = Stage::open(database).await;
        stage.service("rides", &US, json!({})).await;
        let contact = stage.contact("rides").await;
        let relay = &stage.world.running.relay;
        let agent = invite("Ines", Some(&stage.world.account.account), Role::Agent, "");
        let agent = Browser::at(relay, &stage.world.clock).enter(relay, agent).await;
        Self { stage, contact, agent }
    }

    fn path(&self) -> String {
        format!("/console/sessions/{}", self.contact.id)
    }

    /// Sends a form, and comes back to the page with its notice.
    async fn does(&self, path: &str, form: &[(&str, &str)], notice: &str) {
        let asks = self.agent.get(path).await;
        assert_eq!(asks.status, StatusCode::OK, "{path}: {}", asks.text);
        asks.has("<form method=\"post\" action=\"/console/");
        let done = self.agent.post(path, &encoded(form)).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{path}: {}", done.text);
        self.agent.get(done.header(header::LOCATION)).await.has(notice);
    }

    /// The rows of that action, which are the agent's.
    async fn noted(&self, action: &str) -> Vec<Link> {
        let relay = &self.stage.world.running.relay;
        let mut tx = relay.db().read().await.unwrap();
        let account = self.stage.world.account.account.as_str();
        let mut all = audit::page(&mut tx, account, 0, 1000).await.unwrap();
        drop(tx);
        all.retain(|one| one.content.action == action);
        let ines = relay.staff_named("Ines").await.unwrap().unwrap();
        assert!(all.iter().all(|one| one.content.actor == ines.id.as_str()), "{all:?}");
        all
    }

    async fn people(&self) -> Vec<Participant> {
        let relay = &self.stage.world.running.relay;
        let mut tx = relay.db().read().await.unwrap();
        let id = SessionId::parse(&self.contact.id).unwrap();
        relay::view(&mut tx, &self.stage.world.account.account, &id).await.unwrap().participants
    }

    /// Neither a call nor a text of either is passed on, for that reason.
    async fn nothing_passes(&self, why: Reason) {
        let before = (self.stage.got(BUYER).await, self.stage.got(SELLER).await);
        for (from, dials) in [(BUYER, &self.contact.dials[0]), (SELLER, &self.contact.dials[1])] {
            self.stage.call(from, dials).await;
            assert_eq!(self.stage.last().await.reason, Some(why), "{from} calls");
            self.stage.text(from, dials, "hello?").await;
            assert_eq!(self.stage.last().await.reason, Some(why), "{from} writes");
        }
        assert_eq!((self.stage.got(BUYER).await, self.stage.got(SELLER).await), before);
    }
}

/// A session that staff closed puts nobody through: the next call and text are refused, and its story and the audit
/// log say who closed it.
#[tokio::test]
async fn closing_refuses_the_next_call() {
    for database in support::databases().await {
        let desk = Desk::open(&database).await;
        desk.stage.text(BUYER, &desk.contact.dials[0], "before").await;
        assert_eq!(desk.stage.got(SELLER).await, ["before"]);
        let close = format!("{}/close", desk.path());
        desk.does(&close, &[("reason", "ticket 4711")], "The session is closed.").await;
        desk.nothing_passes(Reason::SessionClosed).await;
        assert_eq!(desk.noted("session.closed").await.len(), 1);
        desk.agent.get(&desk.path()).await.has("staff closed it").has_not(&close);
        let again = desk.agent.post(&close, "").await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
        again.has("over already");
        assert_eq!(desk.noted("session.closed").await.len(), 1);
        desk.stage.end(database).await;
    }
}

/// A pair that staff blocked is kept apart, on whosever behalf; the block is seen, and lifted again.
#[tokio::test]
async fn a_blocked_pair_is_kept_apart() {
    for database in support::databases().await {
        let desk = Desk::open(&database).await;
        let (block, unblock) =
            (format!("{}/block", desk.path()), format!("{}/unblock", desk.path()));
        desk.agent.get(&desk.path()).await.has(&block).has_not(&unblock);
        let none = desk.agent.post(&unblock, "").await;
        desk.agent.get(none.header(header::LOCATION)).await.has("There was no block.");
        for who in &desk.contact.people {
            desk.does(&block, &[("participant", who)], "Nothing passes between the two").await;
            desk.nothing_passes(Reason::Blocked).await;
            desk.agent.get(&desk.path()).await.has(&unblock).has_not(&block);
            desk.does(&unblock, &[], "can reach each other again").await;
        }
        desk.stage.text(SELLER, &desk.contact.dials[1], "again").await;
        assert_eq!(desk.stage.got(BUYER).await, ["again"]);
        assert_eq!(desk.noted("session.pair_blocked").await.len(), 2);
        assert_eq!(desk.noted("session.pair_unblocked").await.len(), 2);
        let gone = ParticipantId::parse("KP00000000000000000000000000000000").unwrap();
        let nobody = desk.agent.post(&block, &format!("participant={gone}")).await;
        assert_eq!(nobody.status, StatusCode::NOT_FOUND);
        desk.stage.end(database).await;
    }
}

/// Somebody whose number was swapped is reached by the new one and by the old one, and calls from either.
#[tokio::test]
async fn a_number_is_swapped() {
    for database in support::databases().await {
        let desk = Desk::open(&database).await;
        let buyer = desk.contact.people[0].clone();
        let swap = format!("/console/people/{buyer}/swap");
        let form = [("why", "blocked"), ("tell", "no"), ("reason", "ticket 4711")];
        desk.does(&swap, &form, "They dial another number now").await;
        let people = desk.people().await;
        let now = people.iter().find(|one| one.id.as_str() == buyer).unwrap();
        assert_ne!(now.number.as_str(), desk.contact.dials[0]);
        let other = people.iter().find(|one| one.id.as_str() != buyer).unwrap();
        assert_eq!(other.number.as_str(), desk.contact.dials[1], "the other side stays");
        for dials in [now.number.as_str(), &desk.contact.dials[0]] {
            desk.stage.text(BUYER, dials, "to you").await;
        }
        assert_eq!(desk.stage.got(SELLER).await, ["to you", "to you"]);
        desk.stage.text(SELLER, &desk.contact.dials[1], "and back").await;
        assert_eq!(desk.stage.got(BUYER).await, ["and back"]);
        let rows = desk.noted("number_move.begun").await;
        assert_eq!(rows.len(), 1);
        assert!(rows[0].content.details.contains(&buyer));
        // The number that was left is still given to others: three swaps more use up the pool.
        for place in 0.. {
            let again = desk.agent.post(&swap, &encoded(&form)).await;
            if again.status == StatusCode::SEE_OTHER {
                assert!(place < 2, "there are four numbers");
                continue;
            }
            assert_eq!((place, again.status), (2, StatusCode::UNPROCESSABLE_ENTITY));
            again.has("no other number for them");
            break;
        }
        let moved = rows[0].content.target.clone();
        let list = desk.agent.get(&format!("/console/sessions?number={}", now.number_id)).await;
        list.has(&desk.contact.id);
        let relay = &desk.stage.world.running.relay;
        let mut tx = relay.db().read().await.unwrap();
        let account = &desk.stage.world.account.account;
        let moved = MoveId::parse(&moved).unwrap();
        let row = number_moves::get(&mut tx, account, &moved);
        let row = row.await.unwrap().unwrap();
        assert_eq!((row.tally.moved, row.participant.map(|one| one.to_string())), (1, Some(buyer)));
        drop(tx);
        desk.stage.end(database).await;
    }
}

/// A session is lengthened by whole hours, within bounds; what is not allowed changes nothing.
#[tokio::test]
async fn a_session_is_lengthened() {
    on_each(|world| async move {
        let session = world.open(Some("order-1"), BUYER, SELLER).await;
        let ends = async || {
            let mut tx = world.read().await;
            sessions::get(&mut tx, &world.account, &session).await.unwrap().unwrap().expires_at
        };
        let agent = world.invited(invite("Ines", Some(&world.account), Role::Agent, "")).await;
        let path = format!("/console/sessions/{session}/extend");
        let before = ends().await;
        for wrong in ["", "0", "-1", "8761", "1.5", "x"] {
            let refused = agent.post(&path, &encoded(&[("hours", wrong)])).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
            refused.has("from 1 to 8760");
        }
        let long = [("hours", "2"), ("reason", "call +1 415 555 0100")];
        let refused = agent.post(&path, &encoded(&long)).await;
        refused.has("nothing that may be a telephone number");
        assert_eq!(ends().await, before);
        agent.get(&path).await.has("As it is, it ends on");
        let done = agent.post(&path, &encoded(&[("hours", "48")])).await;
        assert_eq!(
            done.header(header::LOCATION),
            format!("/console/sessions/{session}?done=extended")
        );
        assert_eq!(ends().await.since(before).as_secs(), 48 * 3600);
        assert_eq!(noted(&world, "session.extended").await.len(), 1);
        world.close(&session).await;
        agent.get(&path).await.has("nothing to lengthen").has_not("<select");
    })
    .await;
}

/// An opt-out is cleared where somebody says what shows it; the page that it is done from is come back to.
#[tokio::test]
async fn an_opt_out_is_cleared_with_a_proof() {
    on_each(|world| async move {
        let session = world.open(Some("order-1"), BUYER, SELLER).await;
        let number = entremise::domain::phone::Identifier::parse(BUYER).unwrap();
        let input = (world.account.clone(), number);
        let id = world.relay.act(input, |tx, (account, number)| {
            Box::pin(async move {
                Ok(record_opt_out(tx, &account, &number, &Reach::Account).await?.0.id)
            })
        });
        let id = id.await.unwrap();
        let agent = world.invited(invite("Ines", Some(&world.account), Role::Agent, "")).await;
        let page = agent.get(&format!("/console/sessions/{session}")).await;
        let path = format!("/console/opt-outs/{id}/clear");
        page.has("No texts from this marketplace").has(&path);
        let next = format!("/console/sessions/{session}");
        agent.get(&format!("{path}?next={next}")).await.has(&next).has("Only where they said so");
        let form = |proof: &str| encoded(&[("proof", proof), ("next", &next)]);
        for wrong in ["", " ", &"x".repeat(2001)] {
            let refused = agent.post(&path, &form(wrong)).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        }
        let done = agent.post(&path, &form("She said so by mail on Monday.")).await;
        assert_eq!(done.header(header::LOCATION), format!("{next}?done=cleared"));
        let page = agent.get(done.header(header::LOCATION)).await;
        page.has("they get texts again").has_not("No texts from this marketplace");
        assert_eq!(noted(&world, "opt_out.cleared").await.len(), 1);
        assert_eq!(agent.post(&path, &form("again")).await.status, StatusCode::NOT_FOUND);
        let evil = agent.get("/console/opt-outs/OO00000000000000000000000000000000/clear").await;
        assert_eq!(evil.status, StatusCode::NOT_FOUND);
    })
    .await;
}

async fn eraser(world: &World) -> Browser {
    let (browser, key, _) =
        with_app(world, invite("Grace", Some(&world.account), Role::Supervisor, "")).await;
    prove(world, &browser, &key).await;
    browser
}

/// A person is erased by whoever may, has just proved who they are and typed whom; what would go is told before, and
/// what went after, with the signed receipt.
#[tokio::test]
async fn a_person_is_erased() {
    on_each(|mut world| async move {
        let folder = tempfile::tempdir().unwrap();
        let list = Some(ErasureList::at(folder.path().join("erased")));
        world.relay = world.relay.with_erasing(Erasing { list, horizon_days: 35 });
        let session = world.dispute().await;
        let other = world.open(Some("order-2"), OTHER_BUYER, SELLER).await;
        let buyer = party(&world, &session, "buyer").await;
        let path = format!("/console/people/{}/erase", buyer.id);
        let browser = eraser(&world).await;
        let asks = browser.get(&path).await;
        proper(&asks);
        asks.has("sessions that they were in")
            .has("This is what would go now")
            .has(buyer.person.tag());
        for wrong in ["", "zzzz", "erase"] {
            let refused = browser.post(&path, &encoded(&[("word", wrong)])).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        }
        assert!(!party(&world, &session, "buyer").await.erased);
        assert_eq!(noted(&world, "person.erased").await.len(), 0);
        let word = [("word", buyer.person.tag()), ("reason", "ticket 4711")];
        let done = browser.post(&path, &encoded(&word)).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
        let receipt = browser.get(done.header(header::LOCATION)).await;
        proper(&receipt);
        receipt.has("erasure_receipt").has("signature").has("sessions closed for it");
        assert!(party(&world, &session, "buyer").await.erased);
        assert!(!party(&world, &other, "buyer").await.erased);
        let rows = noted(&world, "person.erased").await;
        let grace = world.relay.staff_named("Grace").await.unwrap().unwrap();
        assert_eq!((rows.len(), &*rows[0].content.actor), (1, grace.id.as_str()));
        assert_eq!(browser.get(&path).await.status, StatusCode::NOT_FOUND);
        let page = browser.get(&format!("/console/sessions/{session}")).await;
        proper(&page);
        world.wait(16 * 60);
        let stale = format!("/console/people/{}/erase", party(&world, &other, "buyer").await.id);
        for answer in [browser.get(&stale).await, browser.post(&stale, &encoded(&word)).await] {
            assert!(answer.header(header::LOCATION).starts_with("/console/prove?"));
        }
    })
    .await;
}

/// Without the list that outlives a restore nobody is erased, and the page says so.
#[tokio::test]
async fn without_a_list_nobody_is_erased() {
    on_each(|world| async move {
        let session = world.dispute().await;
        let buyer = party(&world, &session, "buyer").await;
        let path = format!("/console/people/{}/erase", buyer.id);
        let browser = eraser(&world).await;
        browser
            .get(&path)
            .await
            .has("No erasure list is set")
            .has_not("<form method=\"post\" action=\"/console/people");
        let word = encoded(&[("word", buyer.person.tag())]);
        let refused = browser.post(&path, &word).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(!party(&world, &session, "buyer").await.erased);
    })
    .await;
}

/// Whoever may only look is offered nothing and can do nothing; an agent can't erase; another account's staff finds
/// nothing.
#[tokio::test]
async fn rights_are_asked_for() {
    on_each(|world| async move {
        let session = world.dispute().await;
        let buyer = party(&world, &session, "buyer").await;
        let (of, who) =
            (format!("/console/sessions/{session}"), format!("/console/people/{}", buyer.id));
        let acts = [
            format!("{of}/close"),
            format!("{of}/extend"),
            format!("{of}/block"),
            format!("{of}/unblock"),
            format!("{who}/swap"),
        ];
        let viewer = world.invited(invite("Vera", Some(&world.account), Role::Viewer, "")).await;
        let agent = world.invited(invite("Ines", Some(&world.account), Role::Agent, "")).await;
        let other = world.relay.create_account("Other market").await.unwrap().account;
        let stranger = world.invited(invite("Omar", Some(&other), Role::Agent, "")).await;
        let page = viewer.get(&of).await;
        page.has(&who);
        for path in &acts {
            page.has_not(path);
            let form = format!("participant={}&why=other&hours=1", buyer.id);
            for answer in [viewer.get(path).await, viewer.post(path, &form).await] {
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
            }
            for answer in [stranger.get(path).await, stranger.post(path, &form).await] {
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
            }
            let asks = agent.get(path).await;
            assert_eq!(asks.status, StatusCode::OK, "{path}");
            proper(&asks);
        }
        let erase = format!("{who}/erase");
        agent.get(&of).await.has(&acts[0]).has_not(&erase);
        assert_eq!(agent.post(&erase, "word=x").await.status, StatusCode::FORBIDDEN);
        assert_eq!(agent.get(&acts[0].replace("KC", "KX")).await.status, StatusCode::NOT_FOUND);
    })
    .await;
}
