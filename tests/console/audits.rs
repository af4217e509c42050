//! The audit page: who did what, how much each has seen, and whether the chain is whole.

use entremise::{
    domain::{
        audit::{Action, Actor, ActorKind, By, Detail, Entry, Reason},
        staff::{Rights, Role},
    },
    ids::AccountId,
    relay::{self, Invite},
    store::audit,
};
use http::{StatusCode, header};

use crate::{
    rows::run,
    support::databases,
    world::{Browser, World, on_each},
};

/// Adds a row to an account's chain, by one of the staff.
async fn note(world: &World, account: &AccountId, staff: &str, reason: Option<&str>, entry: Entry) {
    let actor = Actor::new(ActorKind::Staff, staff);
    let reason = reason.map(|text| Reason::parse(text).unwrap());
    let db = world.relay.db().by(By { actor, reason });
    let account = account.clone();
    let added = db.write(move |tx| {
        let (account, entry) = (account.clone(), entry.clone());
        Box::pin(
            async move { audit::append(tx, &account, entry).await.map_err(relay::Error::from) },
        )
    });
    added.await.unwrap();
}

async fn auditor(world: &World, name: &str, account: Option<&AccountId>) -> Browser {
    let rights = Some(Rights::of(Role::Auditor));
    world.invited(Invite { name: name.to_owned(), account: account.cloned(), rights }).await
}

async fn id_of(world: &World, name: &str) -> String {
    world.relay.staff_named(name).await.unwrap().unwrap().id.to_string()
}

/// Each row says who did what to what and why, by name; filters in the address narrow the list, and one that can't
/// be understood is said.
#[tokio::test]
async fn who_did_what() {
    on_each(|world| async move {
        let account = world.account.clone();
        auditor(&world, "Eve", Some(&account)).await;
        let omar = Invite {
            name: "Omar".into(),
            account: Some(account.clone()),
            rights: Some(Rights::of(Role::Agent)),
        };
        world.invited(omar).await;
        let omar = id_of(&world, "Omar").await;
        let session = world.open(Some("order-7"), crate::world::BUYER, crate::world::SELLER).await;
        world.wait(60);
        let entry = Entry::new(Action::SessionResumed, session.as_str());
        note(&world, &account, &omar, Some("ticket 4711"), entry).await;
        world.wait(24 * 3600);
        let entry = Entry::new(Action::ExportMade, "EX0123456789abcdef0123456789abcdef")
            .with(Detail::Kind, "sessions");
        note(&world, &account, &omar, None, entry).await;

        // A day later their browser is logged out.
        let eve = auditor(&world, "Eve", Some(&account)).await;
        let home = eve.get("/console").await;
        assert_eq!(home.header(header::LOCATION), "/console/audit");
        let page = eve.get("/console/audit").await;
        assert_eq!(page.status, StatusCode::OK);
        page.has("Omar").has("Session let go on").has("ticket 4711").has("session.resumed");
        page.has("List exported").has("Logged in").has("Eve");
        // They may not see sessions: nothing leads there.
        page.has_not("/console/sessions");
        let rows = |page: &str| page.matches("id=\"row-").count();
        let all = rows(&page.text);
        let narrowed = eve.get(&format!("/console/audit?who={omar}")).await;
        assert!(rows(&narrowed.text) < all);
        narrowed.has("ticket 4711");
        for (filter, count) in [
            ("action=session.resumed", 1),
            ("action=export.made&who=staff", 1),
            ("action=export.made&who=relay", 0),
            (&format!("about={session}"), 1),
            ("action=session.resumed&from=2026-11-22", 0),
            ("action=session.resumed&to=2026-11-21", 1),
            ("action=export.made&from=2026-11-22&to=2026-11-22", 1),
        ] {
            let page = eve.get(&format!("/console/audit?{filter}")).await;
            assert_eq!(rows(&page.text), count, "{filter}");
        }
        let odd = eve.get("/console/audit?action=mischief&who=a%20b").await;
        odd.has("“What” was left out").has("“Who” was left out");
        assert_eq!(rows(&odd.text), all);
        let french = eve.get_in("/console/audit", "fr").await;
        french.has("Liste exportée").has("Qui").has_not("List exported");
    })
    .await;
}

/// Long lists go on where they ended, and nothing is told twice.
#[tokio::test]
async fn pages_of_the_log_go_on() {
    on_each(|world| async move {
        let account = world.account.clone();
        let eve = auditor(&world, "Eve", Some(&account)).await;
        let staff = id_of(&world, "Eve").await;
        for _ in 0..60 {
            let entry = Entry::new(Action::ServiceUpdated, world.service.as_str());
            note(&world, &account, &staff, None, entry).await;
        }
        let mut path = "/console/audit?action=service.updated".to_owned();
        let mut seen = Vec::new();
        loop {
            let page = eve.get(&path).await;
            let rows = page.text.split("id=\"row-").skip(1);
            seen.extend(rows.map(|rest| rest.split_once('"').unwrap().0.to_owned()));
            let Some((_, rest)) = page.text.split_once("rel=\"next\" href=\"") else { break };
            path = rest.split_once('"').unwrap().0.replace("&#38;", "&");
            assert!(path.contains("action=service.updated"), "{path}");
        }
        assert_eq!(seen.len(), 60);
        let mut once = seen.clone();
        once.dedup();
        assert_eq!(once, seen);
    })
    .await;
}

/// How much each of the staff saw or took away is counted for the chosen days, by person.
#[tokio::test]
async fn what_each_saw_is_counted() {
    on_each(|world| async move {
        let account = world.account.clone();
        let eve = auditor(&world, "Eve", Some(&account)).await;
        world
            .invited(Invite {
                name: "Omar".into(),
                account: Some(account.clone()),
                rights: Some(Rights::of(Role::Agent)),
            })
            .await;
        let (eves, omars) = (id_of(&world, "Eve").await, id_of(&world, "Omar").await);
        let page = eve.get("/console/audit").await;
        page.has("Nothing, by nobody.");
        for (who, times) in [(&omars, 3), (&eves, 1)] {
            for _ in 0..times {
                let entry = Entry::new(Action::ExportMade, "EX0123456789abcdef0123456789abcdef");
                note(&world, &account, who, None, entry).await;
            }
        }
        // The first of the columns is the exports.
        let count = |page: &str, name: &str| {
            let table = page.split_once("looks-h\">").unwrap().1.split_once("rows-h").unwrap().0;
            let row = table.split_once(&format!(">{name}</a></th>"))?.1;
            row.split_once("<td>")?.1.split_once("</td>").map(|(count, _)| count.to_owned())
        };
        let page = eve.get("/console/audit").await;
        assert_eq!(count(&page.text, "Omar").as_deref(), Some("3"));
        assert_eq!(count(&page.text, "Eve").as_deref(), Some("1"));
        let earlier = eve.get("/console/audit?to=2026-11-20").await;
        assert_eq!(count(&earlier.text, "Omar"), None);
        let today = eve.get("/console/audit?from=2026-11-21").await;
        assert_eq!(count(&today.text, "Omar").as_deref(), Some("3"));
    })
    .await;
}

/// A chain that is whole is said to be; a row that was bent, or is gone, is named.
#[tokio::test]
async fn the_chain_is_verified() {
    for database in databases().await {
        let world = World::start(&database.url).await;
        let account = world.account.clone();
        let eve = auditor(&world, "Eve", Some(&account)).await;
        let staff = id_of(&world, "Eve").await;
        for _ in 0..4 {
            let entry = Entry::new(Action::ServiceUpdated, world.service.as_str());
            note(&world, &account, &staff, None, entry).await;
        }
        let whole = eve.post("/console/audit/verify", "").await;
        assert_eq!(whole.status, StatusCode::OK);
        whole.has("Whole.").has_not("broken");
        let sql = format!("UPDATE audit SET actor = 'ST' WHERE account = '{account}' AND seq = 3");
        run(&database.url, &sql).await;
        let bent = eve.post("/console/audit/verify", "").await;
        bent.has("The chain is broken").has("row 3 is not as it was written").has_not("Whole.");
        let behind = eve.post("/console/audit/verify", "after=3").await;
        behind.has("Whole.");
        let sql = format!("DELETE FROM audit WHERE account = '{account}' AND seq = 4");
        run(&database.url, &sql).await;
        let cut = eve.post("/console/audit/verify", "after=3").await;
        cut.has("row 4 is missing");
        drop((world, eve));
        database.drop().await;
    }
}

/// Whoever has the right in one account sees that account's rows alone; without it, none.
#[tokio::test]
async fn one_account_sees_its_own() {
    on_each(|world| async move {
        let account = world.account.clone();
        let other = world.relay.create_account("Other").await.unwrap().account;
        let eve = auditor(&world, "Eve", Some(&account)).await;
        let staff = id_of(&world, "Eve").await;
        let foreign = "EP0123456789abcdef0123456789abcdef";
        note(&world, &other, &staff, None, Entry::new(Action::EndpointDeleted, foreign)).await;
        eve.get("/console/audit")
            .await
            .has_not("endpoint.deleted</code>")
            .has_not("The installation’s own");
        let elsewhere = eve.get(&format!("/console/audit?account={other}")).await;
        assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
        for path in ["/console/audit/installation", "/console/sessions"] {
            assert_eq!(eve.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
        }
        let refused = eve.post("/console/audit/installation/verify", "").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        let omar = Invite {
            name: "Omar".into(),
            account: Some(account.clone()),
            rights: Some(Rights::of(Role::Agent)),
        };
        let omar = world.invited(omar).await;
        omar.get("/console/sessions").await.has_not("/console/audit");
        assert_eq!(omar.get("/console/audit").await.status, StatusCode::FORBIDDEN);
        assert_eq!(omar.post("/console/audit/verify", "").await.status, StatusCode::FORBIDDEN);

        let all = auditor(&world, "Ada", None).await;
        all.get(&format!("/console/audit?account={other}")).await.has("endpoint.deleted</code>");
        let installation = all.get("/console/audit/installation").await;
        assert_eq!(installation.status, StatusCode::OK);
        installation
            .has("Audit of the installation")
            .has("staff.invited")
            .has_not("endpoint.deleted</code>");
        all.post("/console/audit/installation/verify", "").await.has("Whole.");
    })
    .await;
}
