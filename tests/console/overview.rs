//! The overview: its figures against what happened, whose they are, and how they go on by themselves.

use axum::response::Response;
use entremise::{
    domain::{
        staff::{Rights, Role},
        time::Timestamp,
    },
    relay::Invite,
    store::hours::{self, Span},
};
use http::{StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::Value;

use crate::{
    logins::between,
    pages::proper,
    world::{Answer, BUYER, Browser, OTHER_BUYER, SELLER, STRANGER, World, on_each},
};

const FOURTH: &str = "+447700900124";

/// The big figure of a tile.
fn tile(page: &str, name: &str) -> String {
    between(page, &format!("<dt>{name}</dt><dd>"), "</dd>").to_owned()
}

fn tiles(page: &str) -> [String; 4] {
    ["Calls", "Texts", "Answer rate", "Open sessions"].map(|name| tile(page, name))
}

/// How many of a sort a chart's legend counts.
fn legend(page: &str, word: &str) -> i64 {
    between(page, &format!("\">{word}</span> <span class=\"num\">"), "</span>").parse().unwrap()
}

/// The cells of a table's row.
fn cells(page: &str, head: &str) -> Vec<String> {
    let row = between(page, head, "</tr>");
    let cells = row.split("<td").skip(1).map(|cell| between(cell, ">", "</td>").to_owned());
    cells.collect()
}

async fn somebody(world: &World, role: Role) -> Browser {
    let name = format!("{role:?} of {}", world.account);
    let account = Some(world.account.clone());
    world.invited(Invite { name, account, rights: Some(Rights::of(role)) }).await
}

async fn overview(browser: &Browser, span: &str) -> Answer {
    let page = browser.get(&format!("/console/overview?span={span}")).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    proper(&page);
    page
}

/// The figures, bars, reasons and pools of a day are those of what happened in it, in either language.
#[tokio::test]
async fn figures_are_of_what_happened() {
    on_each(|world| async move {
        world.dispute().await;
        let busy = world.open(None, OTHER_BUYER, SELLER).await;
        let dials = world.dials(&busy, "buyer").await;
        world.call(Some(STRANGER), &dials).await;
        let viewer = somebody(&world, Role::Viewer).await;
        world.relay.count_hours().await.unwrap();
        let page = overview(&viewer, "24h").await;
        assert_eq!(tiles(&page.text), ["3", "3", "50%", "2"]);
        page.has("talked: 3 min 20 s").has("≤ ").has("Counted every minute.");
        for (word, count) in [
            ("answered", 1),
            ("not answered", 1),
            ("not put through", 1),
            ("under way", 0),
            ("delivered", 1),
            ("taken by the carrier", 0),
            ("not delivered", 1),
            ("not passed on", 1),
            ("on their way", 0),
        ] {
            assert_eq!(legend(&page.text, word), count, "{word}");
        }
        // Every bar has its row, and what the rows hold is what the tiles say.
        let rows = between(&page.text, "<tbody data-part=\"calls-rows\">", "</tbody>");
        assert_eq!(rows.matches("<tr>").count(), 24);
        let sum: i64 = rows
            .split("<td class=\"num\">")
            .skip(1)
            .map(|cell| cell.split('<').next().unwrap().parse::<i64>().unwrap())
            .sum();
        assert_eq!(sum, 3);
        assert_eq!(page.text.matches("<rect class=\"ground\"").count(), 2 * 24);
        page.has("<svg class=\"bars\" role=\"img\" aria-label=\"").has("1 answered</title>");
        for (why, kind) in [
            ("Nobody answered", "Call"),
            ("Not in a session on this number", "Call"),
            ("Pictures and files are not relayed", "Text"),
            ("The carrier could not deliver it", "Text"),
        ] {
            let head = format!("<th scope=\"row\">{why}</th><td>{kind}</td>");
            assert_eq!(cells(&page.text, &head), ["1", "1"], "{why}");
        }
        page.has("<th scope=\"col\">here</th>");
        // Nothing of it is an hour old.
        let now = overview(&viewer, "1h").await;
        assert_eq!(tiles(&now.text), ["1", "0", "–", "2"]);
        now.has("None in this time.").has("data-watch=\"/console/overview/live\"");
        now.has("<a href=\"/console/overview?span=1h\">Reload</a>");
        let french = viewer.get_in("/console/overview?span=24h", "fr").await;
        french.has("Vue d’ensemble").has("50\u{a0}%").has("conversation\u{a0}: 3 min 20 s");
        french.has("non mis en relation").has("Libres");
    })
    .await;
}

/// What is in a span is what began after its first bar does: an hour, a day, a week, 30 and 90 days.
#[tokio::test]
async fn spans_end() {
    on_each(|world| async move {
        let session = world.open(None, BUYER, SELLER).await;
        let dials = world.dials(&session, "buyer").await;
        world.text(BUYER, &dials, "fine by me").await;
        let minute = |minutes: i64| minutes * 60;
        let mut waited = 0;
        // How much later a span still holds it for certain, and no more does, in seconds.
        for (span, within, after) in [
            ("1h", minute(54), minute(61)),
            ("24h", minute(22 * 60 + 59), minute(24 * 60 + 1)),
            ("7d", minute((7 * 24 - 7) * 60), minute(7 * 24 * 60 + 1)),
            ("30d", minute(28 * 24 * 60), minute(30 * 24 * 60 + 1)),
            ("90d", minute(88 * 24 * 60), minute(90 * 24 * 60 + 1)),
        ] {
            for (later, there) in [(within, "1"), (after, "0")] {
                world.wait(later - waited);
                waited = later;
                world.relay.count_hours().await.unwrap();
                // A login lasts half a day.
                let viewer = world.invited(Invite {
                    name: format!("{span} {later}"),
                    account: Some(world.account.clone()),
                    rights: Some(Rights::of(Role::Viewer)),
                });
                let page = overview(&viewer.await, span).await;
                assert_eq!(tile(&page.text, "Texts"), there, "{span} after {later} s");
            }
        }
    })
    .await;
}

/// A new account has a whole page of nothing; a span that is none is left out, and said to be.
#[tokio::test]
async fn nothing_is_said_of_nothing() {
    on_each(|world| async move {
        let empty = world.of(world.relay.create_account("Empty").await.unwrap().account);
        let viewer = somebody(&empty, Role::Viewer).await;
        world.relay.count_hours().await.unwrap();
        for span in ["1h", "24h", "7d", "30d", "90d"] {
            let page = overview(&viewer, span).await;
            assert_eq!(tiles(&page.text), ["0", "0", "–", "0"]);
            page.has("None in this time.").has("Everything got through.");
            page.has("There are no numbers yet.").has_not("<svg class=\"bars\"");
            page.has(&format!("span={span}\" aria-current=\"true\">"));
        }
        let page = overview(&viewer, "1y").await;
        page.has("“Span” was left out").has("span=1h\" aria-current=\"true\">");
        // Where staff come in.
        let home = viewer.get("/console").await;
        assert_eq!(home.header(header::LOCATION), "/console/overview");
    })
    .await;
}

/// Whoever sees one account sees nothing of another, and whoever may not view gets nothing, watched or not.
#[tokio::test]
async fn accounts_are_apart() {
    on_each(|world| async move {
        world.dispute().await;
        world.relay.count_hours().await.unwrap();
        let other = world.of(world.relay.create_account("Other market").await.unwrap().account);
        let stranger = somebody(&other, Role::Viewer).await;
        assert_eq!(tiles(&overview(&stranger, "24h").await.text), ["0", "0", "–", "0"]);
        let auditor = somebody(&world, Role::Auditor).await;
        for path in ["/console/overview", "/console/overview/live"] {
            let theirs = stranger.get(&format!("{path}?account={}", world.account)).await;
            assert_eq!(theirs.status, StatusCode::NOT_FOUND, "{path}");
            assert_eq!(auditor.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
            let nobody = world.visitor(false).get(path).await;
            assert_eq!(nobody.status, StatusCode::SEE_OTHER, "{path}");
        }
    })
    .await;
}

/// Numbers in use, in quarantine and reserved are counted by class; a person who holds every number has exhausted the
/// pool, which is said once three days are known.
#[tokio::test]
async fn pools_are_told() {
    on_each(|world| async move {
        let viewer = somebody(&world, Role::Viewer).await;
        let mut sessions = Vec::new();
        for other in [SELLER, OTHER_BUYER, STRANGER, FOURTH] {
            sessions.push(world.open(None, BUYER, other).await);
        }
        world.relay.count_hours().await.unwrap();
        let page = overview(&viewer, "1h").await;
        // Service, then: where, carrier, can do, all, free, in use, in quarantine, reserved, draining.
        let class = |page: &Answer, place: &str| {
            let head = format!("</a></th><td>{place}</td>");
            cells(&page.text, &head)[2..].to_vec()
        };
        assert_eq!(class(&page, "FR"), ["1", "0", "1", "0", "0", "0"]);
        page.has("known after three days");
        for session in &sessions {
            world.close(session).await;
        }
        let page = overview(&viewer, "1h").await;
        assert_eq!(class(&page, "FR"), ["1", "0", "0", "1", "0", "0"]);
        for _ in 0..2 {
            world.wait(86_400);
            world.relay.count_hours().await.unwrap();
        }
        let viewer = somebody(&world, Role::Agent).await;
        let page = overview(&viewer, "1h").await;
        page.has("exhausted for somebody").has_not("known after three days");
    })
    .await;
}

/// What the log has, hour by hour, counted once more.
async fn recounted(world: &World, hours: std::ops::RangeInclusive<i64>) -> Vec<String> {
    let mut tx = world.read().await;
    let mut all = Vec::new();
    for hour in hours {
        for traffic in hours::count(&mut tx, &world.account, hour).await.unwrap() {
            all.push(format!("{hour} {traffic:?}"));
        }
    }
    all.sort();
    all
}

async fn counted(world: &World, hours: std::ops::RangeInclusive<i64>) -> Vec<String> {
    let mut tx = world.read().await;
    let (from, before) = (*hours.start(), *hours.end() + 1);
    let all = hours::series(&mut tx, &world.account, (from, before), 1).await.unwrap();
    let told = |Span { place, traffic }: Span| format!("{} {traffic:?}", from + place);
    let mut all: Vec<String> = all.into_iter().map(told).collect();
    all.sort();
    all
}

/// The counted hours hold what a recount of the log finds, also of what ends after its hour, and however often they
/// are counted.
#[tokio::test]
async fn counted_hours_equal_a_recount() {
    on_each(|world| async move {
        let now = async |world: &World| -> Timestamp { world.read().await.now().await.unwrap() };
        let first = hours::hour_of(now(&world).await);
        let session = world.open(None, BUYER, OTHER_BUYER).await;
        let dials = world.dials(&session, "buyer").await;
        let held = world.call(Some(BUYER), &dials).await;
        world.relay.count_hours().await.unwrap();
        world.dispute().await;
        world.hangs_up(&held, entremise::domain::call::CallState::Completed, Some(70)).await;
        for hours in [0, 1, 30] {
            world.wait(hours * 3600);
            world.relay.count_hours().await.unwrap();
            world.relay.count_hours().await.unwrap();
            let span = first..=hours::hour_of(now(&world).await);
            let recount = recounted(&world, span.clone()).await;
            assert!(recount.len() >= 5, "{recount:?}");
            assert_eq!(counted(&world, span).await, recount);
        }
    })
    .await;
}

/// The next event of a stream: its name, and the parts that it brings.
async fn event(stream: &mut Response) -> Option<(String, Value)> {
    let frame = stream.body_mut().frame().await?.unwrap();
    let text = String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap();
    let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let data = serde_json::from_str(line("data: ").unwrap()).unwrap();
    Some((line("event: ").unwrap().to_owned(), data))
}

async fn seen_at(world: &World, name: &str) -> Timestamp {
    let staff = world.relay.staff_named(name).await.unwrap().unwrap();
    world.relay.browsers_of(&staff).await.unwrap()[0].seen_at
}

/// Whoever watches gets every part at first, then what changed, and is told when the login is over; watching keeps
/// nobody logged in, and nobody watches with very many pages.
#[tokio::test]
async fn figures_go_on_by_themselves() {
    on_each(|world| async move {
        let session = world.open(None, BUYER, SELLER).await;
        let dials = world.dials(&session, "buyer").await;
        let account = Some(world.account.clone());
        let rights = Some(Rights::of(Role::Viewer));
        let viewer = world.invited(Invite { name: "Vic".into(), account, rights }).await;
        let page = overview(&viewer, "1h").await;
        let seen = seen_at(&world, "Vic").await;
        world.wait(300);
        let mut stream = viewer.watch("/console/overview/live").await;
        assert_eq!(stream.status(), StatusCode::OK);
        assert_eq!(stream.headers()[header::CONTENT_TYPE], "text/event-stream");
        let (name, parts) = event(&mut stream).await.unwrap();
        assert_eq!(name, "figures");
        let parts = parts.as_object().unwrap();
        let named: Vec<&str> = page.text.split("data-part=\"").skip(1).collect();
        assert!(named.len() >= 8);
        for name in named {
            let name = name.split('"').next().unwrap();
            assert!(parts.contains_key(name), "{name}");
        }
        assert_eq!(tile(parts["tiles"].as_str().unwrap(), "Texts"), "0");
        assert_eq!(seen_at(&world, "Vic").await, seen);
        world.text(BUYER, &dials, "fine by me").await;
        let (_, changed) = event(&mut stream).await.unwrap();
        assert_eq!(tile(changed["tiles"].as_str().unwrap(), "Texts"), "1");
        assert!(changed.get("calls-rows").is_none_or(serde_json::Value::is_string));
        assert!(changed.get("failures").is_none(), "{changed}");
        let mut others = Vec::new();
        for _ in 0..3 {
            others.push(viewer.watch("/console/overview/live").await);
        }
        assert!(others.iter().all(|one| one.status() == StatusCode::OK));
        let crowded = viewer.watch("/console/overview/live").await;
        assert_eq!(crowded.status(), StatusCode::SERVICE_UNAVAILABLE);
        drop(others);
        assert_eq!(viewer.watch("/console/overview/live").await.status(), StatusCode::OK);
        viewer.post("/console/logout", "").await;
        assert_eq!(event(&mut stream).await.unwrap().0, "over");
        assert!(event(&mut stream).await.is_none());
    })
    .await;
}

/// A page that is left open is logged out like any other: watching is no request of anybody.
#[tokio::test]
async fn a_forgotten_page_is_logged_out() {
    on_each(|world| async move {
        let viewer = somebody(&world, Role::Viewer).await;
        for _ in 0..2 {
            world.wait(20 * 60);
            viewer.watch("/console/overview/live").await;
        }
        let late = viewer.watch("/console/overview/live").await;
        assert_eq!(late.status(), StatusCode::SEE_OTHER);
    })
    .await;
}
