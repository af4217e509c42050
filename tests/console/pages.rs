//! What the pages say, what they never say, and what they make of nonsense.

use axum::body::Body;
use entremise::{
    domain::phone::ProxyNumber,
    store::interactions::{self, Filter},
    store::sessions::Page,
};
use http::{Method, Request, StatusCode, header};

use crate::world::{
    Answer, BUYER, Browser, OTHER_BUYER, PEOPLE, PRIVATE, SELLER, STRANGER, World, on_each,
};

/// The headers and the privacy that every page owes.
pub(crate) fn proper(answer: &Answer) {
    let policy = answer.header(header::CONTENT_SECURITY_POLICY);
    assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"));
    assert!(policy.contains("frame-ancestors 'none'"));
    assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
    assert_eq!(answer.header(header::REFERRER_POLICY), "no-referrer");
    assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
    for word in PRIVATE {
        answer.has_not(word);
    }
    // Not even without its plus, or the last digits alone.
    for number in PEOPLE {
        answer.has_not(&number[number.len() - 7..]);
    }
    for inline in ["<style", "style=", "onclick", "javascript:"] {
        answer.has_not(inline);
    }
}

/// Every page of the console once, as they are reached.
async fn pages(world: &World, browser: &Browser, session: &str) -> Vec<(String, Answer)> {
    let mut tx = world.read().await;
    let page = Page { before: None, after: None, limit: 100 };
    let all = interactions::list(&mut tx, &world.account, &Filter::default(), &page).await.unwrap();
    drop(tx);
    let middle = &all[all.len() / 2].id;
    let mut seen = Vec::new();
    for path in [
        "/console/login".to_owned(),
        "/console/sessions".to_owned(),
        "/console/sessions?state=closed&role=buyer&from=2026-01-01&to=2099-01-01".to_owned(),
        format!("/console/sessions/{session}/numbers"),
        "/console/pools".to_owned(),
        "/console/interactions".to_owned(),
        "/console/interactions?kind=call&outcome=refused".to_owned(),
        "/console/numbers".to_owned(),
        "/console/events".to_owned(),
        "/console/deliveries".to_owned(),
        "/console/developer".to_owned(),
        "/console/developer/requests".to_owned(),
        "/console/developer/webhooks".to_owned(),
        "/console/developer/keys".to_owned(),
        "/console/audit".to_owned(),
        "/console/exports".to_owned(),
        "/console/audit/exports".to_owned(),
        format!("/console/sessions/{session}"),
        format!("/console/sessions/{session}?before={middle}"),
        format!("/console/sessions/{session}?at={middle}"),
    ] {
        let answer = browser.get(&path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        seen.push((path, answer));
    }
    seen
}

/// The story of a dispute: each call and text by role, how it ended, why, and what to do. No page
/// holds a person's number, name, words or the marketplace's notes.
#[tokio::test]
async fn a_dispute_is_told() {
    on_each(|world| async move {
        let session = world.dispute().await;
        let dials = world.dials(&session, "buyer").await;
        world.close(&session).await;
        world.wait(30);
        world.text(BUYER, &dials, "fine by me").await;
        world.call(Some(STRANGER), &dials).await;
        world.call(None, &dials).await;
        let browser = world.browser("Ines", Some(world.account.clone())).await;
        for (path, answer) in pages(&world, &browser, session.as_str()).await {
            proper(&answer);
            assert!(answer.header(header::CONTENT_TYPE).starts_with("text/html"), "{path}");
        }
        let answer = browser.get(&format!("/console/sessions/{session}")).await;
        for words in [
            "A contact of buyer and seller by calls and texts, in the service “bikes”.",
            "the marketplace closed it",
            "Delivered",
            "spoke for 3 min 20 s",
            "answered after ",
            "Nobody answered.",
            "Pictures and files are not relayed.",
            "The carrier could not deliver it.",
            "code 30003",
            "The session was closed.",
            "First contact: the session is in progress",
            "What went wrong last",
            "+1••••",
            "+44••••",
        ] {
            answer.has(words);
        }
        for role in ["buyer", "seller"] {
            answer.has(world.dials(&session, role).await.as_str());
        }
        let list = browser.get("/console/sessions").await;
        list.has("order-1042").has("1 sent").has("1 not delivered").has("1 connected");
        list.has("1 missed").has("2 refused");
        let log = browser.get("/console/interactions").await;
        log.has("Not in a session on this number").has("The caller hid their number");
        log.has("unknown person").has("hidden number");
    })
    .await;
}

/// A call under way, a text on its way and a session without a contact are told as such.
#[tokio::test]
async fn what_is_under_way_is_told() {
    on_each(|world| async move {
        let quiet = world.open(None, OTHER_BUYER, SELLER).await;
        let busy = world.open(Some("order-7"), BUYER, SELLER).await;
        let dials = world.dials(&busy, "buyer").await;
        world.text(BUYER, &dials, "by the fountain").await;
        world.call(Some(BUYER), &dials).await;
        let browser = world.browser("Ines", Some(world.account.clone())).await;
        let answer = browser.get(&format!("/console/sessions/{quiet}")).await;
        answer.has("Session without a name").has("none yet").has("30 d after the last contact");
        answer.has_not("What went wrong last");
        let answer = browser.get(&format!("/console/sessions/{busy}")).await;
        answer.has("On its way").has("Under way").has("In progress");
        browser.get("/console/sessions").await.has("2 under way");
        world.wait(31 * 24 * 3600);
        let browser = world.browser("Ines", Some(world.account.clone())).await;
        browser.get("/console/sessions").await.has("Time is up");
    })
    .await;
}

/// Ids, names and proxy numbers are found as people write them; nothing that was typed comes back or stands in an
/// address but a name and an id.
#[tokio::test]
async fn search_finds_and_never_echoes() {
    on_each(|world| async move {
        let session = world.dispute().await;
        let dials = world.dials(&session, "buyer").await;
        let dials = dials.as_str();
        let digits = dials.trim_start_matches('+');
        let contact = world.text(BUYER, &ProxyNumber::parse(dials).unwrap(), "x").await;
        let browser = world.browser("Ines", Some(world.account.clone())).await;
        let found = async |typed: &str| {
            let typed: String = form_urlencoded::byte_serialize(typed.as_bytes()).collect();
            let answer = browser.post("/console/search", &format!("q={typed}")).await;
            proper(&answer);
            (answer.status, answer.header(header::LOCATION).to_owned(), answer.text)
        };
        let path = format!("/console/sessions/{session}");
        for typed in [session.as_str(), " order-1042 ", "order-1042"] {
            assert_eq!(found(typed).await.1, path, "{typed}");
        }
        let id = &contact.interaction.id;
        assert_eq!(found(id.as_str()).await.1, format!("{path}?at={id}#{id}"));
        for typed in [dials, digits, &format!("00{digits}"), &format!(" +{digits}")] {
            let (_, to, _) = found(typed).await;
            assert!(to.starts_with("/console/sessions?number=PN"), "{typed}: {to}");
            assert!(!to.contains(digits));
            let list = browser.get(&to).await;
            list.has("order-1042").has(dials).has("has, or had, the proxy number");
        }
        for typed in [OTHER_BUYER, "nobody", "KC", "<script>alert(1)</script>", "\0", "a b"] {
            let (status, to, text) = found(typed).await;
            assert_eq!((status, to.as_str()), (StatusCode::NOT_FOUND, ""), "{typed:?}");
            assert!(typed.len() < 3 || !text.contains(typed), "{typed}");
        }
        assert_eq!(found("").await.1, "/console/sessions");
        let long = "x".repeat(20_000);
        assert_eq!(found(&long).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    })
    .await;
}

/// Filters narrow both lists, and each list can be walked to its end without a gap or a repeat.
#[tokio::test]
async fn lists_are_narrowed_and_walked() {
    on_each(|world| async move {
        let first = world.dispute().await;
        for place in 0..30 {
            world.wait(1);
            let session = world.open(Some(&format!("deal-{place}")), BUYER, STRANGER).await;
            world.close(&session).await;
        }
        let browser = world.browser("Ines", Some(world.account.clone())).await;
        let mut names = Vec::new();
        let mut path = "/console/sessions".to_owned();
        for _ in 0..2 {
            let answer = browser.get(&path).await;
            let cells = answer.text.split("c-name\"><a").skip(1);
            names.extend(cells.map(|cell| {
                let text = cell.split_once('>').unwrap().1;
                text.split('<').next().unwrap().to_owned()
            }));
            let next = answer.text.split("rel=\"next\" href=\"").nth(1);
            path = next.map_or(String::new(), |rest| rest.split('"').next().unwrap().to_owned());
        }
        assert_eq!(path, "");
        let deals = (0..30).rev().map(|place| format!("deal-{place}"));
        let expected: Vec<String> = deals.chain(["order-1042".to_owned()]).collect();
        assert_eq!(names, expected);

        let closed = browser.get("/console/sessions?state=in-progress").await;
        closed.has("order-1042").has_not("deal-3");
        browser.get("/console/sessions?role=driver").await.has("No session fits");
        browser.get("/console/sessions?to=2020-01-01").await.has("No session fits");
        browser.get("/console/sessions?from=2020-01-01&state=closed").await.has("deal-29");
        let service = &world.service;
        browser.get(&format!("/console/sessions?service={service}")).await.has("deal-29");
        let log = browser.get("/console/interactions?outcome=missed").await;
        log.has("Nobody answered").has_not("Delivered");
        let log = browser.get("/console/interactions?role=seller&kind=call").await;
        log.has("Connected").has_not("Nobody answered");
        log.has(&format!("/console/sessions/{first}?at=KI"));
    })
    .await;
}

/// A session with more than a page of contacts is told in pages: each contact and each change on
/// exactly one of them, and a link into the middle opens the page that holds it.
#[tokio::test]
async fn a_long_session_is_told_in_pages() {
    on_each(|world| async move {
        let session = world.dispute().await;
        let dials = world.dials(&session, "buyer").await;
        let mut ids = Vec::new();
        for _ in 0..52 {
            world.wait(10);
            ids.push(world.text(BUYER, &dials, "").await.interaction.id);
        }
        let browser = world.browser("Ines", Some(world.account.clone())).await;
        let path = format!("/console/sessions/{session}");
        let late = browser.get(&path).await;
        let earlier = late.text.split("Show earlier").next().unwrap();
        let earlier = earlier.rsplit("href=\"").next().unwrap().split('"').next().unwrap();
        let early = browser.get(earlier).await;
        early.has("Show the latest").has_not("Show earlier").has_not("What went wrong last");
        for id in &ids {
            let here = format!("<li class=\"contact bad\" id=\"{id}\"");
            let times = [&late, &early].map(|page| page.text.matches(&here).count());
            assert_eq!(times.iter().sum::<usize>(), 1);
        }
        for change in ["Session opened", "First contact: the session is in progress"] {
            early.has(change);
            late.has_not(change);
        }
        let middle = &ids[10];
        let page = browser.get(&format!("{path}?at={middle}")).await;
        page.has(&format!("id=\"{middle}\"")).has_not(&format!("id=\"{}\"", ids[11]));
    })
    .await;
}

/// Nonsense gets a page that says so: never a 5xx, and never what was sent.
#[tokio::test]
async fn nonsense_gets_a_page() {
    on_each(|world| async move {
        let session = world.dispute().await;
        let browser = world.browser("Ines", Some(world.account.clone())).await;
        for path in [
            "/console/sessions/nonsense",
            "/console/sessions/KC00000000000000000000000000000000",
            "/console/sessions/%00",
            "/console/sessions/%FF",
            "/console/nothing/here",
            "/console/assets/nothing.css",
            "/console/assets/..%2F..%2FCargo.toml",
            "/console/sessions?account=AC00000000000000000000000000000000",
            "/console/sessions?account=%00",
        ] {
            let answer = browser.get(path).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
            proper(&answer);
            answer.has("<!doctype html>").has_not("nonsense");
        }
        for query in [
            "state=nonsense",
            "service=nonsense",
            "role=%00",
            "from=nonsense&to=-1",
            "number=%2B14155550100",
            "name=%0A",
            "before=nonsense",
            "kind=nonsense",
            "outcome=%FF%FE",
            "%%%&&&=&=&a",
            "state=open&state=closed",
            "from=9999-12-31&to=9999-12-31",
            "to=0001-01-01",
        ] {
            for list in ["sessions", "interactions", &format!("sessions/{session}")] {
                let answer = browser.get(&format!("/console/{list}?{query}")).await;
                assert_eq!(answer.status, StatusCode::OK, "{list} {query}");
                answer.has_not("nonsense").has_not("4155550100");
            }
        }
        browser.get("/console/sessions?state=x").await.has("“State” was left out: it must be open");
        for method in [Method::DELETE, Method::PUT, Method::POST] {
            let request = Request::builder().method(method).uri("/console/sessions");
            let request = request.header("sec-fetch-site", "same-origin");
            let answer = browser.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
            answer.has("<!doctype html>");
        }
        let mut visitor = world.visitor(false);
        for cookie in ["entremise=", "entremise=x", "; ; =", "entremise"] {
            visitor.cookie = Some(cookie.to_owned());
            assert_eq!(visitor.get("/console/sessions").await.status, StatusCode::SEE_OTHER);
        }
    })
    .await;
}

/// What a marketplace chose to call things is text on our pages and nothing else.
#[tokio::test]
async fn names_are_text() {
    on_each(|world| async move {
        let account = world.relay.create_account("<b>&\"'").await.unwrap().account;
        let browser = world.browser("<i>Ines", Some(account)).await;
        let answer = browser.get("/console/sessions").await;
        answer.has_not("<b>").has_not("<i>").has("&#60;i&#62;Ines");
        let answer = browser.get("/console/sessions?role=%22%3E%3Cu%3E").await;
        answer.has_not("<u>");
    })
    .await;
}

/// Assets are kept by the browser and asked for again by their tag; everyone may have them.
#[tokio::test]
async fn assets_have_tags() {
    on_each(|world| async move {
        let visitor = world.visitor(false);
        for (name, kind) in [
            ("console.css", "text/css; charset=utf-8"),
            ("console.js", "text/javascript; charset=utf-8"),
            ("sign.svg", "image/svg+xml"),
        ] {
            let path = format!("/console/assets/{name}");
            let answer = visitor.get(&path).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert_eq!(answer.header(header::CONTENT_TYPE), kind);
            assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
            let tag = answer.header(header::ETAG);
            for sent in [tag.to_owned(), format!("\"other\", W/{tag}")] {
                let again = Request::get(&path).header(header::IF_NONE_MATCH, sent);
                let again = visitor.send(again.body(Body::empty()).unwrap()).await;
                assert_eq!((again.status, again.text.len()), (StatusCode::NOT_MODIFIED, 0));
            }
        }
    })
    .await;
}
