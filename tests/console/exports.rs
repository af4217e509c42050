//! Lists as files: what they hold, what they never hold, who may have them, and those that take long.

use entremise::{
    domain::{
        audit::Action,
        staff::{Extra, Rights, Role},
    },
    ids::AccountId,
    relay::Invite,
    store::{audit, exports},
};
use http::{StatusCode, header};
use serde_json::Value;

use crate::{
    logins::{prove, with_app},
    rows::{id, run, series},
    support::databases,
    world::{Answer, BUYER, Browser, OTHER_BUYER, PEOPLE, PRIVATE, SELLER, World, on_each},
};

fn invite(name: &str, account: Option<&AccountId>, role: Role, extra: &str) -> Invite {
    let rights = Rights { role, extra: Extra::parse(extra).unwrap() };
    Invite { name: name.to_owned(), account: account.cloned(), rights: Some(rights) }
}

/// Somebody who proved who they are just now.
async fn fresh(world: &World, name: &str, role: Role, extra: &str) -> (Browser, String) {
    let invited = invite(name, Some(&world.account), role, extra);
    let (browser, key, _) = with_app(world, invited).await;
    prove(world, &browser, &key).await;
    (browser, key)
}

/// The names of the columns and the rows of a CSV file.
fn table(file: &str) -> (Vec<String>, Vec<Vec<String>>) {
    assert!(file.contains("\r\n") && !file.replace("\r\n", "").contains('\n'));
    let mut reader = csv::Reader::from_reader(file.as_bytes());
    let of = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
    let head = of(reader.headers().unwrap());
    (head, reader.records().map(|row| of(&row.unwrap())).collect())
}

fn masked(file: &Answer) {
    assert_eq!(file.status, StatusCode::OK, "{}", file.text);
    assert_eq!(file.header(header::CACHE_CONTROL), "no-store");
    for word in PRIVATE {
        file.has_not(word);
    }
    for number in PEOPLE {
        file.has_not(&number[number.len() - 7..]);
    }
}

/// How often something is in the account's audit log.
async fn noted(world: &World, action: Action) -> Vec<Value> {
    let mut tx = world.read().await;
    let filter = audit::Filter { action: Some(action), ..audit::Filter::default() };
    let rows = audit::list(&mut tx, world.account.as_str(), &filter, None, 100).await.unwrap();
    rows.iter().map(|row| serde_json::from_str(&row.link.content.details).unwrap()).collect()
}

/// A list of sessions is a table with fixed columns, masked, narrowed as the page is, and in the audit log. What a
/// spreadsheet would run is a text.
#[tokio::test]
async fn sessions_as_a_file() {
    on_each(|world| async move {
        let dispute = world.dispute().await;
        let formula = world.open(Some("=1+1,\"x\""), OTHER_BUYER, SELLER).await;
        let (grace, _) = fresh(&world, "Grace", Role::Supervisor, "").await;
        grace.get("/console/sessions").await.has("action=\"/console/exports\"").has("Export as");
        let file = grace.post("/console/exports", "list=sessions&format=csv").await;
        masked(&file);
        assert_eq!(file.header(header::CONTENT_TYPE), "text/csv; charset=utf-8; header=present");
        let name = file.header(header::CONTENT_DISPOSITION);
        assert!(name.starts_with("attachment; filename=\"sessions-2026-11-2"), "{name}");
        let (head, rows) = table(&file.text);
        let columns = "id name state closed_reason mode service_id service people created_at \
            last_interaction_at ended_at expires_at interactions undelivered";
        assert_eq!(head.join(" "), columns.split_whitespace().collect::<Vec<_>>().join(" "));
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0][0], formula.as_str());
        assert_eq!(rows[0][1], "'=1+1,\"x\"");
        assert_eq!((rows[1][0].as_str(), rows[1][1].as_str()), (dispute.as_str(), "order-1042"));
        assert!(rows[1][7].starts_with("buyer +1••••") && rows[1][7].contains("; seller +44••••"));
        assert_eq!((rows[1][12].as_str(), rows[1][13].as_str()), ("5", "1"));

        let lines =
            grace.post("/console/exports", "list=sessions&format=jsonl&name=order-1042").await;
        masked(&lines);
        assert_eq!(lines.header(header::CONTENT_TYPE), "application/x-ndjson");
        let read: Value = serde_json::from_str(lines.text.trim_end()).unwrap();
        assert_eq!(read["id"], dispute.as_str());
        assert_eq!((&read["interactions"], &read["closed_reason"]), (&5.into(), &Value::Null));
        let none = grace.post("/console/exports", "list=sessions&format=csv&state=closed").await;
        assert_eq!(table(&none.text).1.len(), 0);
        let rows = noted(&world, Action::ExportMade).await;
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[0]["kind"], "sessions");
        assert_eq!(rows[0]["filters"], "state");
        assert_eq!(rows[1]["filters"], "name");
        assert!(rows[2].get("filters").is_none());
        // A filter that can't be understood would give out more than was asked for.
        let odd = grace.post("/console/exports", "list=sessions&format=csv&state=asleep").await;
        assert_eq!(odd.header(header::LOCATION), "/console/sessions?state=asleep");
        assert_eq!(noted(&world, Action::ExportMade).await.len(), 3);
    })
    .await;
}

/// So are calls and texts; proxy numbers begin with an apostrophe, since they begin with a plus.
#[tokio::test]
async fn interactions_as_a_file() {
    on_each(|world| async move {
        let session = world.dispute().await;
        let (grace, _) = fresh(&world, "Grace", Role::Supervisor, "").await;
        let file = grace.post("/console/exports", "list=interactions&format=csv").await;
        masked(&file);
        let (head, rows) = table(&file.text);
        let at = |name: &str| head.iter().position(|one| one == name).unwrap();
        assert_eq!(rows.len(), 5);
        for row in &rows {
            assert_eq!(row[at("session_id")], session.as_str());
            assert_eq!(row[at("session")], "order-1042");
            assert!(row[at("proxy_number")].starts_with("'+"));
            assert!(row[at("from")].contains("••••") && row[at("to")].len() < 40);
        }
        let missed = rows.iter().find(|row| row[at("reason")] == "no_answer").unwrap();
        assert_eq!((missed[at("kind")].as_str(), missed[at("seconds")].as_str()), ("call", ""));
        let spoke = rows.iter().find(|row| row[at("outcome")] == "connected").unwrap();
        assert_eq!(spoke[at("seconds")], "200");
        let path = "list=interactions&format=jsonl&kind=call";
        let calls = grace.post("/console/exports", path).await;
        let kinds: Vec<Value> = calls
            .text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .inspect(|row| assert!(row["proxy_number"].as_str().unwrap().starts_with('+')))
            .map(|row| row["kind"].clone())
            .collect();
        assert_eq!(kinds, ["call", "call"]);
    })
    .await;
}

/// Lists are given out with the right to them and a fresh proof, and in nobody's account but one's own; the audit
/// log by the right to audit alone.
#[tokio::test]
async fn who_may_export() {
    on_each(|world| async move {
        world.dispute().await;
        let account = world.account.clone();
        let sessions = "list=sessions&format=csv";
        let agent = world.invited(invite("Omar", Some(&account), Role::Agent, "")).await;
        agent.get("/console/sessions").await.has_not("/console/exports");
        assert_eq!(agent.post("/console/exports", sessions).await.status, StatusCode::FORBIDDEN);
        assert_eq!(agent.get("/console/exports").await.status, StatusCode::FORBIDDEN);
        let stale = world.invited(invite("Ines", Some(&account), Role::Agent, "export")).await;
        let answer = stale.post("/console/exports", "list=sessions&format=csv&state=open").await;
        let to = "/console/prove?next=%2Fconsole%2Fsessions%3Fstate%3Dopen";
        assert_eq!(answer.header(header::LOCATION), to);
        assert!(noted(&world, Action::ExportMade).await.is_empty());

        let (grace, key) = fresh(&world, "Grace", Role::Supervisor, "").await;
        let other = world.relay.create_account("Other").await.unwrap().account;
        let elsewhere = format!("/console/exports?account={other}");
        assert_eq!(grace.post(&elsewhere, sessions).await.status, StatusCode::NOT_FOUND);
        // Each desk has its own lists.
        for (desk, list) in
            [("exports", "audit"), ("exports", "people"), ("audit/exports", "audit")]
        {
            let form = format!("list={list}&format=csv");
            let answer = grace.post(&format!("/console/{desk}"), &form).await;
            assert!(answer.status.is_client_error(), "{desk} {list}");
        }
        world.wait(16 * 60);
        let stale = grace.post("/console/exports", sessions).await;
        assert!(stale.header(header::LOCATION).starts_with("/console/prove?"));
        prove(&world, &grace, &key).await;
        masked(&grace.post("/console/exports", sessions).await);

        let (eve, _) = fresh(&world, "Eve", Role::Auditor, "").await;
        eve.get("/console/audit").await.has("action=\"/console/audit/exports\"");
        let file =
            eve.post("/console/audit/exports", "list=audit&format=csv&action=export.made").await;
        masked(&file);
        let (head, rows) = table(&file.text);
        assert_eq!(head.len(), 12);
        // Their own is in it: it was there before the first row was read.
        let names: Vec<&str> = rows.iter().map(|row| row[4].as_str()).collect();
        assert_eq!(names, ["Eve", "Grace"]);
        let refused = eve.post("/console/audit/exports", "list=sessions&format=csv").await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND);
        assert_eq!(eve.post("/console/exports", sessions).await.status, StatusCode::FORBIDDEN);
    })
    .await;
}

/// Fills the log with so many texts.
async fn many(url: &str, world: &World, count: usize) {
    let (account, service) = (&world.account, &world.service);
    let sql = format!(
        "INSERT INTO interactions (account, id, service, kind, origin, number, carrier, outcome, media,
            version, created_at, updated_at)
         {} SELECT '{account}', {}, '{service}', 'message', 'person', '+14155550150', 'here', 'refused',
            0, 1, n, n FROM s",
        series(count),
        id(url, "KI"),
    );
    run(url, &sql).await;
}

fn location(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    answer.header(header::LOCATION).to_owned()
}

/// A list of more than 10,000 rows is made by a job, which goes on after whoever was at it is lost; whoever asked
/// sees how far it is and gets the file, once it is whole, and nobody else does.
#[tokio::test]
async fn long_lists_are_made_by_a_job() {
    for database in databases().await {
        let world = World::start(&database.url).await;
        many(&database.url, &world, 10_001).await;
        let (grace, key) = fresh(&world, "Grace", Role::Supervisor, "").await;
        let form = "list=interactions&format=csv&outcome=refused";
        let page = location(&grace.post("/console/exports", form).await);
        assert!(page.starts_with("/console/exports/EX"), "{page}");
        let waiting = grace.get(&page).await;
        waiting.has("being made").has("<progress").has("Refresh").has("Cancel").has_not("Download");
        let early = grace.post(&format!("{page}/file"), "").await;
        assert_eq!(early.status, StatusCode::NOT_FOUND);
        // Whoever took it first is lost before a row is written.
        let account = world.account.clone();
        let now = world.clock.now();
        let taken = world.relay.db().write(move |tx| {
            let account = account.clone();
            Box::pin(async move {
                let now = tx.now().await?;
                let (_, id) = exports::due(tx, now, 1).await?.remove(0);
                let until = now + std::time::Duration::from_mins(1);
                exports::claim(tx, &account, &id, now, until).await
            })
        });
        let taken = taken.await.unwrap().unwrap();
        assert_eq!(world.relay.work_exports().await.unwrap(), 0, "somebody is at it");
        world.wait(61);
        assert!(world.clock.now() > now);
        assert_eq!(world.relay.work_exports().await.unwrap(), 1);
        // Who was lost comes back too late to add anything.
        let late = world.relay.db().write(move |tx| {
            let taken = taken.clone();
            Box::pin(async move {
                let now = tx.now().await?;
                let chunk = exports::Chunk {
                    body: "twice",
                    rows: 1,
                    last: None,
                    lease_until: now,
                    ended: None,
                };
                exports::grow(tx, &taken, &chunk).await
            })
        });
        assert!(!late.await.unwrap());
        let ready = grace.get(&page).await;
        ready.has("ready").has("10001").has("Download").has_not("<progress");
        grace.get("/console/exports").await.has(&page).has("10001 / 10001");
        prove(&world, &grace, &key).await;
        let file = grace.post(&format!("{page}/file"), "").await;
        masked(&file);
        let (head, rows) = table(&file.text);
        assert_eq!((head.len(), rows.len()), (15, 10_001));
        let mut ids: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
        ids.dedup();
        assert_eq!(ids.len(), 10_001);
        assert!(ids.is_sorted_by(|a, b| a > b));
        let fetched = noted(&world, Action::ExportFetched).await;
        assert_eq!((fetched.len(), &fetched[0]["count"]), (1, &"10001".into()));

        let (ada, _) = fresh(&world, "Ada", Role::Admin, "").await;
        for answer in [
            ada.get(&page).await,
            ada.post(&format!("{page}/file"), "").await,
            ada.post(&format!("{page}/cancel"), "").await,
            grace.get(&page.replace("/exports/", "/exports/EX0")).await,
        ] {
            assert_eq!(answer.status, StatusCode::NOT_FOUND);
        }
        ada.get("/console/exports").await.has_not(&page);
        world.wait(24 * 3600);
        let id = page.rsplit('/').next().unwrap().parse().unwrap();
        let staff = world.relay.staff_named("Grace").await.unwrap().unwrap().id;
        assert!(world.relay.own_export(&world.account, &id, &staff).await.is_err());
        world.relay.purge().await.unwrap();
        let mut tx = world.read().await;
        assert!(exports::get(&mut tx, &world.account, &id).await.unwrap().is_none());
        assert!(exports::chunk(&mut tx, &world.account, &id, 1).await.unwrap().is_none());
        drop((tx, world, grace, ada));
        database.drop().await;
    }
}

/// One that is not wanted any more is given up, and has no file; nobody may have more than five.
#[tokio::test]
async fn exports_are_cancelled_and_bounded() {
    for database in databases().await {
        let world = World::start(&database.url).await;
        many(&database.url, &world, 10_001).await;
        let (grace, _) = fresh(&world, "Grace", Role::Supervisor, "").await;
        let form = "list=interactions&format=jsonl";
        let page = location(&grace.post("/console/exports", form).await);
        let back = location(&grace.post(&format!("{page}/cancel"), "").await);
        assert_eq!(back, page);
        grace.get(&page).await.has("cancelled").has_not("Download").has_not("<progress");
        assert_eq!(world.relay.work_exports().await.unwrap(), 0);
        let file = grace.post(&format!("{page}/file"), "").await;
        assert_eq!(file.status, StatusCode::NOT_FOUND);
        for _ in 0..5 {
            location(&grace.post("/console/exports", form).await);
        }
        let more = grace.post("/console/exports", form).await;
        assert_eq!(more.status, StatusCode::CONFLICT);
        more.has("You have 5 long exports already");
        assert_eq!(noted(&world, Action::ExportMade).await.len(), 6);
        let short = grace.post("/console/exports", "list=sessions&format=csv").await;
        assert_eq!(short.status, StatusCode::OK, "short lists are always given out");
        drop((world, grace));
        database.drop().await;
    }
}

/// What people are called stands nowhere in clear beside the list: the filters and the pieces are sealed.
#[tokio::test]
async fn files_are_sealed() {
    for database in databases().await {
        let world = World::start(&database.url).await;
        many(&database.url, &world, 10_001).await;
        let session = world.open(Some("order-9"), BUYER, SELLER).await;
        let (grace, _) = fresh(&world, "Grace", Role::Supervisor, "").await;
        let form = "list=interactions&format=jsonl&role=";
        location(&grace.post("/console/exports", form).await);
        assert_eq!(world.relay.work_exports().await.unwrap(), 1);
        let mut tx = world.read().await;
        let staff = world.relay.staff_named("Grace").await.unwrap().unwrap().id;
        let now = tx.now().await.unwrap();
        let all = exports::of_staff(&mut tx, &world.account, &staff, now, 9).await.unwrap();
        assert_eq!((all.len(), all[0].filters.as_str()), (1, "{}"));
        let piece = exports::chunk(&mut tx, &world.account, &all[0].id, 1).await.unwrap().unwrap();
        assert!(piece.contains("\"id\":\"KI") && !piece.contains(session.as_str()));
        drop(tx);
        let stored = stored(&database.url).await;
        assert!(
            !stored.is_empty()
                && stored.iter().all(|text| !text.contains("KI") || !text.contains('{'))
        );
        drop((world, grace));
        database.drop().await;
    }
}

/// What stands in the columns that must be sealed.
async fn stored(url: &str) -> Vec<String> {
    use sqlx::{ConnectOptions as _, Connection as _};
    const SQL: &str = "SELECT body FROM export_chunks UNION ALL SELECT filters FROM exports";
    macro_rules! run {
        ($options:ty) => {{
            let options: $options = url.parse().unwrap();
            let mut conn = options.connect().await.unwrap();
            let found: Vec<String> = sqlx::query_scalar(SQL).fetch_all(&mut conn).await.unwrap();
            conn.close().await.unwrap();
            found
        }};
    }
    if url.starts_with("sqlite:") {
        run!(sqlx::sqlite::SqliteConnectOptions)
    } else {
        run!(sqlx::postgres::PgConnectOptions)
    }
}
