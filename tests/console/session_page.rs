//! The page of one session: the way of each call and text, what phones showed, and what else touched it.

use std::collections::BTreeSet;

use entremise::{
    domain::{
        event::EventKind,
        message::{Body, MessageState},
        phone::Identifier,
        report::Category,
    },
    relay::{self, NewEndpoint, NewReport, Reach},
    store::endpoints::EndpointUrl,
    store::interactions::{self, Filter},
    store::sessions::Page,
};

use crate::world::{BUYER, PEOPLE, PRIVATE, SELLER, World, on_each};

/// Each call and text is told from the carrier's webhook to its receipts, with what took how long; and what each
/// phone showed, by role, without a word or a number of anybody.
#[tokio::test]
async fn the_way_of_each_is_told() {
    on_each(|world| async move {
        let session = world.dispute().await;
        let browser = world.browser("Ines", Some(world.account.clone())).await;
        let page = browser.get(&format!("/console/sessions/{session}")).await;
        for words in [
            "Carrier’s webhook",
            "here handed us the text",
            "here told us of the call",
            "To be passed on",
            "To be put through",
            "Our request",
            "Send the text, here, waits for its turn",
            "Carrier’s report",
            "Phone has the text",
            "What the phones showed",
            "got the text as it was written, from ",
            "nothing: it did not arrive",
            "rang, showing ",
            "heard ringing",
            "dialled ",
        ] {
            page.has(words);
        }
        for role in ["buyer", "seller"] {
            let number = world.dials(&session, role).await;
            page.has(&format!("rang, showing {number}"));
            page.has(&format!("dialled {number}"));
        }
        for word in PRIVATE {
            page.has_not(word);
        }
        for number in PEOPLE {
            page.has_not(&number[number.len() - 7..]);
        }
        let french = browser.get_in(&format!("/console/sessions/{session}"), "fr").await;
        for words in [
            "Webhook de l’opérateur",
            "here nous a remis le SMS",
            "À mettre en relation",
            "Ce que les téléphones ont affiché",
            "a sonné en affichant ",
            "a reçu le SMS tel qu’écrit",
            "rien\u{a0}: il n’est pas arrivé",
        ] {
            french.has(words);
        }
    })
    .await;
}

/// What the marketplace was told of each step stands beside the step.
#[tokio::test]
async fn deliveries_stand_beside_their_steps() {
    on_each(|world| async move {
        let account = world.account.clone();
        let made = world.relay.db().write(move |tx| {
            let account = account.clone();
            Box::pin(async move {
                let new = NewEndpoint {
                    url: EndpointUrl::new("https://market.example/hooks".to_owned()),
                    description: String::new(),
                    service: None,
                    event_types: vec![EventKind::MessageReceived],
                    enabled: true,
                };
                relay::create_endpoint(tx, &account, &new).await.map(drop)
            })
        });
        made.await.unwrap();
        let session = world.open(Some("order-7"), BUYER, SELLER).await;
        let dials = world.dials(&session, "buyer").await;
        world.text(BUYER, &dials, "by the fountain").await;
        let browser = world.browser("Ines", Some(world.account.clone())).await;
        let page = browser.get(&format!("/console/sessions/{session}")).await;
        page.has("Text came in").has("marketplace not told yet").has_not("market.example");
    })
    .await;
}

/// Blocks, opt-outs and reports of a session's people are on its page, by role.
#[tokio::test]
async fn what_else_touched_it_is_told() {
    on_each(|world| async move {
        let session = world.open(Some("order-7"), BUYER, SELLER).await;
        let browser = world.browser("Ines", Some(world.account.clone())).await;
        let path = format!("/console/sessions/{session}");
        browser.get(&path).await.has_not("What else touched it");
        let (account, of) = (world.account.clone(), session.clone());
        let done = world.relay.db().write(move |tx| {
            let (account, of) = (account.clone(), of.clone());
            Box::pin(async move {
                let people = relay::view(tx, &account, &of).await?.participants;
                let seller = people.iter().find(|one| one.role == "seller").unwrap();
                let report = NewReport {
                    category: Category::Threat,
                    note: Some(Body::new("by the fountain".to_owned())),
                    interactions: Vec::new(),
                    block: true,
                };
                relay::report(tx, &account, &of, &seller.id, &report).await?;
                let buyer = Identifier::parse(BUYER).unwrap();
                relay::record_opt_out(tx, &account, &buyer, &Reach::Account).await?;
                Ok::<_, relay::Error>(())
            })
        });
        done.await.unwrap();
        let page = browser.get(&path).await;
        page.has("What else touched it").has("wants nothing from buyer, by the marketplace");
        page.has("wants no texts from all numbers of the account: they told the marketplace");
        page.has("a threat (not decided yet)").has_not("by the fountain");
        let french = browser.get_in(&path, "fr").await;
        french
            .has("ne veut rien de buyer, par la place de marché")
            .has("menace (pas encore tranché)");
    })
    .await;
}

async fn ids(world: &World) -> BTreeSet<String> {
    let mut tx = world.read().await;
    let page = Page { before: None, after: None, limit: 1000 };
    let all = interactions::list(&mut tx, &world.account, &Filter::default(), &page).await.unwrap();
    all.into_iter().map(|one| one.id.to_string()).collect()
}

/// A long session is told in pages, each call and text on exactly one of them.
#[tokio::test]
async fn a_long_session_is_told_in_pages() {
    on_each(|world| async move {
        let session = world.open(Some("order-7"), BUYER, SELLER).await;
        let dials = world.dials(&session, "buyer").await;
        for _ in 0..120 {
            let text = world.text(BUYER, &dials, "fine by me").await;
            world.receipt(&text, MessageState::Sent, None).await;
            world.wait(30);
        }
        let browser = world.browser("Ines", Some(world.account.clone())).await;
        let mut path = format!("/console/sessions/{session}");
        let (mut seen, mut pages) = (Vec::new(), 0);
        loop {
            let page = browser.get(&path).await;
            let told = page.text.split("<li class=\"contact ").skip(1);
            let told: Vec<String> = told
                .map(|one| one.split("id=\"").nth(1).unwrap().split('"').next().unwrap().to_owned())
                .collect();
            assert!(told.len() <= 50);
            seen.extend(told);
            pages += 1;
            let Some(before) = page.text.split("?before=").nth(1) else { break };
            let before = before.split('"').next().unwrap();
            path = format!("/console/sessions/{session}?before={before}");
        }
        assert_eq!((pages, seen.len()), (3, 120));
        assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), ids(&world).await);
    })
    .await;
}
