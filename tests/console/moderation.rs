//! Reports and flagged texts: one queue, who has an item, what is decided, who reads the words and who is told.

use entremise::{
    domain::{
        content::{Actions, ContentAction},
        interaction::Reason,
        message::Body,
        policy::{ContentRules, Rules},
        report::Category,
        staff::{LoginRules, Role},
    },
    ids::{InteractionId, SessionId},
    relay::{self, NewReport},
};
use http::{StatusCode, header};
use serde_json::{Value, json};

use crate::{
    finding::{noted, party},
    logins::{between, encoded, invite, prove, with_app},
    pages::proper,
    stop_stage::{self, Contact, Stage},
    support,
    world::{Answer, BUYER, Browser, OTHER_BUYER, SELLER, World, on_each},
};

const QUEUE: &str = "/console/moderation";
const NOTE: &str = "He shouted at me, says Ada";
const EVASION: &str = "call me by the fountain on 06 39 98 12 34";
const READING: [(&str, &str); 2] = [("cause", "abuse"), ("reason", "ticket 4711")];

/// What the service looks for in texts, and that it keeps them as they were written.
async fn looks_for_numbers(world: &World) {
    let input = (world.account.clone(), world.service.clone());
    let set = world.relay.act(input, |tx, (account, service)| {
        Box::pin(async move {
            let change = |_: &mut String, rules: &mut Rules| {
                rules.content = ContentRules {
                    actions: Actions { phone: ContentAction::Redact, ..Actions::ALLOW },
                    keep_originals: true,
                    legal_basis: "a balancing test".into(),
                    notice: "Numbers are taken out of texts".into(),
                };
            };
            relay::update_service(tx, &account, &service, None, &change).await.map(drop)
        })
    });
    set.await.unwrap();
}

async fn report(
    world: &World,
    session: &SessionId,
    category: Category,
    interactions: &[InteractionId],
) -> String {
    let reporter = party(world, session, "seller").await.id;
    let note = Some(Body::new(NOTE.to_owned()));
    let new = NewReport { category, note, interactions: interactions.to_vec(), block: false };
    let input = (world.account.clone(), session.clone(), reporter, new);
    let made = world.relay.act(input, |tx, (account, session, reporter, new)| {
        Box::pin(async move { relay::report(tx, &account, &session, &reporter, &new).await })
    });
    made.await.unwrap().id.to_string()
}

/// A session with a text in which a number was found, and a report that names it: their ids.
async fn trouble(world: &World) -> (SessionId, String, String) {
    looks_for_numbers(world).await;
    let session = world.open(Some("order-1042"), BUYER, SELLER).await;
    let dials = world.dials(&session, "buyer").await;
    let text = flagged(world, &dials).await;
    world.wait(60);
    let report = report(world, &session, Category::Harassment, std::slice::from_ref(&text)).await;
    (session, text.to_string(), report)
}

/// The last text that somebody wrote.
async fn flagged(world: &World, dials: &entremise::domain::phone::ProxyNumber) -> InteractionId {
    world.text(BUYER, dials, EVASION).await;
    let mut tx = world.read().await;
    let filter = entremise::store::interactions::Filter::default();
    let page = entremise::store::sessions::Page { before: None, after: None, limit: 10 };
    let all = entremise::store::interactions::list(&mut tx, &world.account, &filter, &page).await;
    let mut all = all.unwrap().into_iter();
    all.find(|one| one.from_role.as_deref() == Some("buyer")).unwrap().id
}

async fn agent(world: &World, name: &str) -> Browser {
    world.invited(invite(name, Some(&world.account), Role::Agent, "")).await
}

fn version(page: &Answer) -> &str {
    between(&page.text, "name=\"version\" value=\"", "\"")
}

/// Sends a form and comes back to the page with what it says.
async fn does(browser: &Browser, path: &str, form: &[(&str, &str)], says: &str) -> Answer {
    let sent = browser.post(path, &encoded(form)).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{path}: {}", sent.text);
    let page = browser.get(sent.header(header::LOCATION)).await;
    proper(&page);
    page.has(says);
    page
}

/// Both sorts stand in one queue, oldest first, with what they are about and no word of anybody; filters stand in the
/// address. Whoever may not moderate, or is of another account, gets nothing.
#[tokio::test]
async fn reports_and_flagged_texts_are_one_queue() {
    on_each(|world| async move {
        let (session, text, report) = trouble(&world).await;
        let browser = agent(&world, "Ines").await;
        let queue = browser.get(QUEUE).await;
        proper(&queue);
        queue.has(&text).has(&report).has("harassment").has("a telephone number").has("order-1042");
        queue.has("passed on without it").has_not("06 39 98").has_not(NOTE).has("waits for 1 min");
        assert!(queue.text.find(&text) < queue.text.find(&report), "the oldest first");
        let reports = browser.get(&format!("{QUEUE}?kind=report")).await;
        reports.has(&report).has_not(&text);
        let texts = format!("{QUEUE}?kind=text&whose=nobody&service={}", world.service);
        browser.get(&texts).await.has(&text).has_not(&report);
        browser.get(&format!("{QUEUE}?whose=mine")).await.has("Nothing fits these filters.");
        browser.get(&format!("{QUEUE}?state=decided")).await.has_not(&text).has_not(&report);
        browser.get(&format!("{QUEUE}?kind=x&state=x&whose=x&service=x&before=x")).await.has(&text);
        let after = browser.get(&format!("{QUEUE}?before={text}")).await;
        after.has(&report).has_not(&text).has("First page");

        for (id, has) in [(&text, "The text"), (&report, "The calls and texts that it names")] {
            let page = browser.get(&format!("{QUEUE}/{id}")).await;
            proper(&page);
            page.has(has).has(&format!("/console/sessions/{session}")).has_not("06 39 98");
            page.has_not(NOTE).has(&format!("at={text}#{text}"));
        }
        let viewer = world.invited(invite("Vic", Some(&world.account), Role::Viewer, "")).await;
        let other = world.relay.create_account("Other market").await.unwrap().account;
        let elsewhere = world.invited(invite("Omar", Some(&other), Role::Agent, "")).await;
        for path in [QUEUE.to_owned(), format!("{QUEUE}/{report}")] {
            assert_eq!(viewer.get(&path).await.status, StatusCode::FORBIDDEN);
        }
        elsewhere.get(QUEUE).await.has_not(&report).has_not(&text);
        for path in [format!("{QUEUE}/{report}"), format!("{QUEUE}/{text}"), format!("{QUEUE}/RP1")]
        {
            assert_eq!(elsewhere.get(&path).await.status, StatusCode::NOT_FOUND);
        }
        let form = encoded(&[("decision", "dismissed"), ("reason", "x"), ("version", "1")]);
        for browser in [&viewer, &elsewhere] {
            let sent = browser.post(&format!("{QUEUE}/{report}/decide"), &form).await;
            assert!(sent.status.is_client_error(), "{}", sent.status);
        }
        browser.get(QUEUE).await.has(&report);
    })
    .await;
}

/// An item is taken, given to a colleague who may moderate and put back, each in the audit log; whoever saw an older
/// version is told, and changes nothing.
#[tokio::test]
async fn an_item_is_taken_given_and_put_back() {
    on_each(|world| async move {
        let (_, text, report) = trouble(&world).await;
        let (ines, noor) = (agent(&world, "Ines").await, agent(&world, "Noor").await);
        world.invited(invite("Vic", Some(&world.account), Role::Viewer, "")).await;
        let id =
            async |name: &str| world.relay.staff_named(name).await.unwrap().unwrap().id.to_string();
        for (item, action) in [(&report, "report.assigned"), (&text, "interaction.text_assigned")] {
            let path = format!("{QUEUE}/{item}");
            let assign = format!("{path}/assign");
            let page = ines.get(&path).await;
            page.has("Noor").has_not("Vic</option>");
            let seen = version(&page).to_owned();
            let take = [("do", "take"), ("version", seen.as_str())];
            let taken = does(&ines, &assign, &take, "It is yours now.").await;
            let stale = does(&noor, &assign, &take, "somebody else changed or decided it").await;
            stale.has("<dd>Ines</dd>");
            ines.get(&format!("{QUEUE}?whose=mine")).await.has(item);
            noor.get(&format!("{QUEUE}?whose=mine")).await.has_not(item);
            let (noors, vics) = (id("Noor").await, id("Vic").await);
            let give = [("do", "give"), ("to", vics.as_str()), ("version", version(&taken))];
            does(&ines, &assign, &give, "may not moderate in this account").await;
            let give = [("do", "give"), ("to", noors.as_str()), ("version", version(&taken))];
            let given = does(&ines, &assign, &give, "your colleague’s now").await;
            given.has("<dd>Noor</dd>");
            noor.get(&format!("{QUEUE}?whose=mine")).await.has(item);
            let back = [("do", "back"), ("version", version(&given))];
            let back = does(&noor, &assign, &back, "waits for anybody again").await;
            back.has("to nobody").has("Ines");
            let rows = noted(&world, action).await;
            assert_eq!(rows.len(), 3);
            let told = [id("Ines").await, noors].map(|id| format!("{{\"staff\":\"{id}\"}}"));
            assert_eq!([&rows[0], &rows[1]].map(|row| row.content.details.clone()), told);
            assert!(rows.iter().all(|row| row.content.target == *item));
        }
    })
    .await;
}

/// A decision wants a choice and a reason without a number; the first of two holds, and the second is told. What was
/// decided, why and by whom stands on the page and in the audit log, and the marketplace learns of it.
#[tokio::test]
async fn the_first_decision_holds() {
    on_each(|world| async move {
        let (session, text, report) = trouble(&world).await;
        let (ines, noor) = (agent(&world, "Ines").await, agent(&world, "Noor").await);
        for (item, action, event) in [
            (&report, "report.resolved", "report.resolved"),
            (&text, "interaction.text_decided", "message.decided"),
        ] {
            let path = format!("{QUEUE}/{item}");
            let decide = format!("{path}/decide");
            let seen = version(&ines.get(&path).await).to_owned();
            for (decision, reason) in [
                ("", "ticket 9"),
                ("hanged", "ticket 9"),
                ("warned", ""),
                ("warned", "of +14155550100"),
            ] {
                let form = [("decision", decision), ("reason", reason), ("version", seen.as_str())];
                let refused = ines.post(&decide, &encoded(&form)).await;
                assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{decision} {reason}");
                proper(&refused);
                refused.has("role=\"alert\"");
            }
            let warned =
                [("decision", "warned"), ("reason", "rude, ticket 9"), ("version", seen.as_str())];
            let banned = [("decision", "banned"), ("reason", "other"), ("version", seen.as_str())];
            let page = does(&ines, &decide, &warned, "It is decided.").await;
            page.has("the other side was warned").has("rude, ticket 9").has("<dd>Ines</dd>");
            page.has_not("name=\"decision\"").has_not("name=\"to\"");
            let late = does(&noor, &decide, &banned, "somebody else changed or decided it").await;
            late.has("the other side was warned").has_not("banned from the marketplace");
            ines.get(QUEUE).await.has_not(item);
            ines.get(&format!("{QUEUE}?state=decided&whose=mine")).await.has(item);
            let rows = noted(&world, action).await;
            assert_eq!(rows.len(), 1);
            assert_eq!(rows[0].content.details, r#"{"kind":"warned"}"#);
            let mut tx = world.read().await;
            let page = entremise::store::sessions::Page { before: None, after: None, limit: 9 };
            let told = entremise::store::events::list(
                &mut tx,
                &world.account,
                Some(&session),
                Some(event),
                &page,
            );
            let told = told.await.unwrap();
            assert_eq!(told.len(), 1);
            let data: Value = serde_json::from_str(&told[0].data).unwrap();
            assert_eq!(data["decision"], "warned");
        }
        let taken = noted(&world, "report.assigned").await;
        assert!(taken.is_empty(), "deciding is no taking");
    })
    .await;
}

/// Of two who decide in the same moment one does.
#[tokio::test]
async fn of_two_at_once_one_decides() {
    on_each(|world| async move {
        let (_, text, report) = trouble(&world).await;
        let browser = agent(&world, "Ines").await;
        for item in [report, text] {
            let path = format!("{QUEUE}/{item}/decide");
            let form = |decision| {
                encoded(&[("decision", decision), ("reason", "ticket 9"), ("version", "1")])
            };
            let (one, two) = (form("dismissed"), form("banned"));
            let (one, two) = tokio::join!(browser.post(&path, &one), browser.post(&path, &two));
            let went = [one, two].map(|answer| answer.header(header::LOCATION).to_owned());
            assert_eq!(
                went.iter().filter(|to| to.ends_with("done=decided")).count(),
                1,
                "{went:?}"
            );
            assert_eq!(
                went.iter().filter(|to| to.ends_with("fault=changed")).count(),
                1,
                "{went:?}"
            );
        }
    })
    .await;
}

/// Words are read by whoever may, lately proved, for a reason, so often a day, and after a row of the audit log; and
/// they are what was written. A moderator without the right sees what was found.
#[tokio::test]
async fn words_are_a_right_of_their_own() {
    on_each(|mut world| async move {
        let rules = LoginRules { reveals_per_day: 2, ..LoginRules::default() };
        world.relay = world.relay.clone().with_login_rules(rules);
        let (session, text, report) = trouble(&world).await;
        let words = |id: &str| format!("{QUEUE}/{id}/words");
        let plain = agent(&world, "Ines").await;
        plain
            .get(&format!("{QUEUE}/{text}"))
            .await
            .has("takes a right of its own")
            .has_not("/words");
        assert_eq!(plain.get(&words(&text)).await.status, StatusCode::FORBIDDEN);
        let (reader, reading, _) =
            with_app(&world, invite("Rae", Some(&world.account), Role::Viewer, "read_texts")).await;
        prove(&world, &reader, &reading).await;
        assert_eq!(reader.get(&words(&text)).await.status, StatusCode::FORBIDDEN, "no moderator");
        let supervisor = invite("Grace", Some(&world.account), Role::Supervisor, "");
        let (grace, key, _) = with_app(&world, supervisor).await;
        world.wait(16 * 60);
        let stale = grace.post(&words(&text), &encoded(&READING)).await;
        assert!(stale.header(header::LOCATION).starts_with("/console/prove?next="));
        prove(&world, &grace, &key).await;
        grace.get(&format!("{QUEUE}/{text}")).await.has(&words(&text));
        grace.get(&words(&text)).await.has("2 more times").has_not("06 39 98");
        for wrong in [&READING[..1], &[("cause", "abuse"), ("reason", "of +14155550100")][..]] {
            let refused = grace.post(&words(&text), &encoded(wrong)).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
            refused.has_not("06 39 98");
        }
        for (id, action) in [(&text, "interaction.text_read"), (&report, "report.words_read")] {
            assert!(noted(&world, action).await.is_empty());
            let shown = grace.post(&words(id), &encoded(&READING)).await;
            assert_eq!(shown.status, StatusCode::OK, "{}", shown.text);
            shown.has(EVASION).has("as it was written").has_not(&BUYER[1..]).has_not(&SELLER[1..]);
            assert_eq!(shown.text.contains(NOTE), id == &report);
            let back = format!("{QUEUE}/{id}?done=hidden");
            assert_eq!(shown.header("refresh"), format!("600; url={back}"));
            assert_eq!(shown.header(header::CACHE_CONTROL), "no-store");
            let rows = noted(&world, action).await;
            assert_eq!((rows.len(), rows[0].content.target.as_str()), (1, id.as_str()));
            assert!(rows[0].content.details.contains(session.as_str()));
            let back = grace.get(&back).await;
            proper(&back);
            back.has("hidden again").has("ticket 4711").has("Grace");
        }
        let spent = grace.post(&words(&text), &encoded(&READING)).await;
        assert_eq!(spent.status, StatusCode::TOO_MANY_REQUESTS);
        spent.has_not("06 39 98");
        assert_eq!(noted(&world, "interaction.text_read").await.len(), 1);

        let input = (world.account.clone(), session.clone());
        let gone = world.relay.act(input, |tx, (account, session)| {
            Box::pin(async move { relay::delete_session(tx, &account, &session).await.map(drop) })
        });
        gone.await.unwrap();
        assert_eq!(grace.get(&words(&report)).await.status, StatusCode::NOT_FOUND);
        let page = plain.get(&format!("{QUEUE}/{report}")).await;
        page.has("deleted").has_not("value=\"blocked\"").has("their session is over");
        let form = [("decision", "dismissed"), ("reason", "gone"), ("version", version(&page))];
        does(&plain, &format!("{QUEUE}/{report}/decide"), &form, "It is decided.").await;
    })
    .await;
}

/// The queue says in French what it says in English.
#[tokio::test]
async fn the_queue_speaks_french() {
    on_each(|world| async move {
        let (_, text, report) = trouble(&world).await;
        let other = world.open(Some("order-7"), OTHER_BUYER, SELLER).await;
        self::report(&world, &other, Category::Other, &[]).await;
        let browser = agent(&world, "Ines").await;
        browser.get_in(QUEUE, "fr").await.has("Modération").has("harcèlement").has("attend depuis");
        for id in [report, text] {
            let page = browser.get_in(&format!("{QUEUE}/{id}"), "fr").await;
            page.has("Trancher").has("S’en charger").has_not("Take it").has_not("Decide<");
        }
    })
    .await;
}

const US: [&str; 4] = ["+14155550100", "+14155550101", "+14155550102", "+14155550103"];

/// A moderator at the console of a relay with phones, and a session of two of them.
struct Desk {
    stage: Stage,
    contact: Contact,
    agent: Browser,
}

impl Desk {
    async fn open(database: &support::Database, more: Value) -> Self {
        let stage = Stage::open(database).await;
        stage.service("rides", &US, more).await;
        let contact = stage.contact("rides").await;
        let relay = &stage.world.running.relay;
        let agent = invite("Ines", Some(&stage.world.account.account), Role::Agent, "");
        let agent = Browser::at(relay, &stage.world.clock).enter(relay, agent).await;
        Self { stage, contact, agent }
    }

    /// The seller reports the buyer.
    async fn report(&self) -> String {
        let path =
            format!("/sessions/{}/participants/{}/report", self.contact.id, self.contact.people[1]);
        let new = json!({ "category": "scam", "block": false });
        self.stage.api("POST", &path, new).await["id"].as_str().unwrap().to_owned()
    }

    async fn decides(&self, item: &str, decision: &str, tell: &str) -> Answer {
        let path = format!("{QUEUE}/{item}");
        let page = self.agent.get(&path).await;
        let form = [
            ("decision", decision),
            ("reason", "ticket 9"),
            ("tell", tell),
            ("version", version(&page)),
        ];
        does(&self.agent, &format!("{path}/decide"), &form, "It is decided.").await
    }
}

/// Deciding to block keeps the two apart as the act does, for a report and for a flagged text, and the API tells the
/// same decision as the console.
#[tokio::test]
async fn blocking_by_decision_blocks() {
    for database in support::databases().await {
        let notice = "Numbers are looked for";
        let content =
            json!({ "phone": "flag", "legal_basis": "a balancing test", "notice": notice });
        let desk = Desk::open(&database, json!({ "content": content })).await;
        let (buyer, seller) = (stop_stage::BUYER, stop_stage::SELLER);
        for (times, sort) in (1..).zip(["report", "text"]) {
            desk.stage.text(buyer, &desk.contact.dials[0], "or on 06 39 98 12 34").await;
            let log = desk.stage.log().await;
            let text = log.iter().find(|one| one.from_role.as_deref() == Some("buyer")).unwrap();
            let item = if sort == "report" { desk.report().await } else { text.id.to_string() };
            desk.decides(&item, "blocked", "").await.has("the two are kept apart");
            let before = desk.stage.got(seller).await;
            for (from, dials) in [(buyer, &desk.contact.dials[0]), (seller, &desk.contact.dials[1])]
            {
                desk.stage.text(from, dials, "hello?").await;
                assert_eq!(desk.stage.last().await.reason, Some(Reason::Blocked), "{sort}");
            }
            assert_eq!(desk.stage.got(seller).await, before);
            assert_eq!(desk.stage.told("participant.blocked").await.len(), times);
            let rows = desk.stage.get("/audit?action=session.pair_blocked").await;
            assert_eq!(rows["data"].as_array().unwrap().len(), times);
            if sort == "report" {
                let report = desk.stage.get(&format!("/reports/{item}")).await;
                let relay = &desk.stage.world.running.relay;
                let ines = relay.staff_named("Ines").await.unwrap().unwrap();
                assert_eq!(report["decision"], "blocked");
                assert_eq!(report["assignee_id"], ines.id.as_str());
                assert_eq!(report["decision_note"], "ticket 9");
            } else {
                assert_eq!(desk.stage.told("message.decided").await[0]["decision"], "blocked");
            }
            let unblock = format!("/console/sessions/{}/unblock", desk.contact.id);
            desk.agent.post(&unblock, "").await;
        }
        desk.stage.end(database).await;
    }
}

/// Whoever reported is told where that is chosen, once, in the session's language, by a text from the number that they
/// dial; it says nothing of what was decided, and the other side gets none. By itself nobody is told.
#[tokio::test]
async fn whoever_reported_may_be_told() {
    for database in support::databases().await {
        let desk = Desk::open(&database, json!({ "language": "fr-FR" })).await;
        let seller = stop_stage::SELLER;
        let quiet = desk.report().await;
        desk.agent.get(&format!("{QUEUE}/{quiet}")).await.has("name=\"tell\"");
        desk.decides(&quiet, "dismissed", "").await.has_not("told so by a text");
        assert_eq!(desk.stage.got(seller).await, Vec::<String>::new());
        let told = desk.report().await;
        desk.decides(&told, "banned", "yes").await.has("They are told so by a text.");
        let got = desk.stage.got(seller).await;
        assert_eq!(
            got,
            [
                "Bikes : nous avons examiné votre signalement et pris une décision. Merci de nous avoir prévenus."
            ]
        );
        assert_eq!(desk.stage.got(stop_stage::BUYER).await, Vec::<String>::new());
        let again = [("decision", "banned"), ("reason", "x"), ("tell", "yes"), ("version", "2")];
        does(&desk.agent, &format!("{QUEUE}/{told}/decide"), &again, "somebody else").await;
        assert_eq!(desk.stage.got(seller).await.len(), 1);
        desk.stage.end(database).await;
    }
}

/// Who wants no texts, or whose session is over, is not told, whatever was chosen: the page says why.
#[tokio::test]
async fn who_cannot_be_told_is_not() {
    for database in support::databases().await {
        let desk = Desk::open(&database, json!({})).await;
        let seller = stop_stage::SELLER;
        let (stopped, over) = (desk.report().await, desk.report().await);
        desk.stage.text(seller, &desk.contact.dials[1], "STOP").await;
        let before = desk.stage.got(seller).await;
        for (item, why) in [(&stopped, "they want no texts"), (&over, "their session is over")] {
            if item == &over {
                let path = format!("/sessions/{}/close", desk.contact.id);
                desk.stage.api("POST", &path, json!({})).await;
            }
            let page = desk.agent.get(&format!("{QUEUE}/{item}")).await;
            page.has(why).has_not("name=\"tell\"");
            desk.decides(item, "warned", "yes").await.has(why).has_not("told so by a text");
            assert_eq!(desk.stage.got(seller).await, before);
        }
        desk.stage.end(database).await;
    }
}
