//! That no page reads without end, and that none is left out where pages are measured: `benches/pages/list.rs`.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    measured_pages::PAGES,
    rows::{run, series},
    support::databases,
    world::{BUYER, SELLER, World},
};

/// Routes that have no page to wait for: they lead elsewhere at once, hold what does not change, or never end.
const NO_PAGES: &[&str] = &[
    "/console",
    "/console/",
    "/console/login/code",
    "/console/login/oidc",
    "/console/login/oidc/back",
    "/console/prove/oidc",
    "/console/overview/live",
    "/console/assets/{name}",
];

/// Every source file below the console's folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let deeper = folders.iter().flat_map(|folder| sources(folder));
    deeper
        .chain(files.into_iter().filter(|path| path.extension().is_some_and(|e| e == "rs")))
        .collect()
}

/// The names that stand for `get(…)` before the routes are told: `let close = get(…)`.
fn named(code: &str) -> Vec<String> {
    let lets = code.split("let ").skip(1).filter_map(|rest| rest.split_once(" = "));
    lets.filter(|(_, value)| value.starts_with("get(")).map(|(name, _)| name.to_owned()).collect()
}

/// Whether `word` stands in `code`, and not within another one.
fn says(code: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        !code[..at].ends_with(part)
            && (word.ends_with('(') || !code[at + word.len()..].starts_with(part))
    })
}

/// The routes of the console that answer GET, read from its code.
fn routes() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/console");
    let mut found = BTreeSet::new();
    for file in sources(&folder) {
        let code = fs::read_to_string(file).unwrap();
        let mut words = named(&code);
        words.push("get(".to_owned());
        for rest in code.split(".route(").skip(1) {
            let (path, rest) = rest.split_once('"').unwrap().1.split_once('"').unwrap();
            let own = rest.split(';').next().unwrap();
            if path.starts_with("/console") && words.iter().any(|word| says(own, word)) {
                found.insert(path.to_owned());
            }
        }
    }
    found
}

/// Whether an address is one of a route: a parameter of it stands for one part of the path.
fn is_of(address: &str, route: &str) -> bool {
    let path = address.split('?').next().unwrap();
    let (path, route): (Vec<_>, Vec<_>) = (path.split('/').collect(), route.split('/').collect());
    path.len() == route.len()
        && path
            .iter()
            .zip(&route)
            .all(|(part, of)| part == of || (of.starts_with('{') && !part.is_empty()))
}

/// Each route that answers GET is measured, or said to be no page, and nothing else is listed.
#[test]
fn every_page_is_measured() {
    let listed: Vec<&str> =
        PAGES.iter().map(|(route, _)| *route).chain(NO_PAGES.iter().copied()).collect();
    let once: BTreeSet<String> = listed.iter().map(|route| (*route).to_owned()).collect();
    assert_eq!(once.len(), listed.len(), "a route stands in the lists twice");
    let routes = routes();
    assert!(routes.len() > 30, "only {} routes are seen in the router", routes.len());
    let missing: Vec<_> = routes.difference(&once).collect();
    assert!(missing.is_empty(), "benches/pages/list.rs does not name {missing:?}");
    let gone: Vec<_> = once.difference(&routes).collect();
    assert!(gone.is_empty(), "benches/pages/list.rs names what the router has not: {gone:?}");
    for (route, addresses) in PAGES {
        assert!(!addresses.is_empty(), "{route} has no address");
        for address in *addresses {
            assert!(is_of(address, route), "{address} is none of {route}");
        }
    }
}

/// The id of row `n`, made `n` milliseconds after 1970.
fn id(url: &str, prefix: &str) -> String {
    let digits =
        if url.starts_with("sqlite:") { "printf('%012x', n)" } else { "lpad(to_hex(n), 12, '0')" };
    format!("'{prefix}' || {digits} || '{}'", "0".repeat(20))
}

/// A list that is narrowed by what no index knows is looked through so far, says so where nothing fits, and goes on
/// from there: every row that fits is found, and none twice. What an index knows is found at once.
#[tokio::test]
async fn lists_are_looked_through_in_parts() {
    const ROWS: usize = 12_500;
    for database in databases().await {
        let world = World::start(&database.url).await;
        let (account, service) = (&world.account, &world.service);
        // Of all texts the very first is of a guest, and refused.
        let sql = format!(
            "INSERT INTO interactions (account, id, service, kind, origin, from_role, number, carrier, outcome, media,
                version, created_at, updated_at)
             {} SELECT '{account}', {}, '{service}', 'message', 'person',
                CASE n WHEN 1 THEN 'guest' ELSE 'host' END, '+14155550150', 'here',
                CASE n WHEN 1 THEN 'refused' ELSE 'relayed' END, 0, 1, n, n FROM s",
            series(ROWS),
            id(&database.url, "KI"),
        );
        run(&database.url, &sql).await;
        let browser = world.browser("Ines", Some(account.clone())).await;
        let first = format!("KI{:012x}{}", 1, "0".repeat(20));
        let mut path = "/console/interactions?role=guest".to_owned();
        let mut looks = 0;
        let found = loop {
            let page = browser.get(&path).await;
            looks += 1;
            assert!(looks < 10, "it never ends");
            if page.text.contains(&first) {
                break page;
            }
            page.has("None of the calls and texts that were looked through fits");
            let next = page.text.split("rel=\"next\" href=\"").nth(1).unwrap();
            path = next.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
        };
        assert_eq!(looks, 3, "5,000 at a time");
        found.has_not("rel=\"next\"");
        browser.get("/console/interactions?outcome=refused").await.has(&first);
        let many = browser.get("/console/interactions?role=host").await;
        many.has("rel=\"next\"").has_not("looked through");
        database.drop().await;
    }
}

/// Of a session with very many calls and texts the newest are counted, and the page says so.
#[tokio::test]
async fn counts_end_somewhere() {
    for database in databases().await {
        let world = World::start(&database.url).await;
        let session = world.open(Some("order-1042"), BUYER, SELLER).await;
        let (account, service) = (&world.account, &world.service);
        let sql = format!(
            "INSERT INTO interactions (account, id, service, session, kind, origin, number, carrier, outcome, media,
                version, created_at, updated_at)
             {} SELECT '{account}', {}, '{service}', '{session}', 'message', 'person', '+14155550150', 'here',
                'refused', 0, 1, n, n FROM s",
            series(1_001),
            id(&database.url, "KI"),
        );
        run(&database.url, &sql).await;
        let browser = world.browser("Ines", Some(account.clone())).await;
        for path in ["/console/sessions".to_owned(), format!("/console/sessions/{session}")] {
            browser.get(&path).await.has("1000 refused").has("1000 newest, the only ones counted");
        }
        database.drop().await;
    }
}
