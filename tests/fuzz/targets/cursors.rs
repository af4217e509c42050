//! Lists and their cursors: page after page is the whole list, and no cursor works that was bent, made
//! up, or carried to another list.
//!
//! Input: the list · a bit to turn · the limit · a cursor · the filters.

use serde_json::Value;

use super::{
    input::{Input, flipped},
    world::{self, Answered, World},
};

const LISTS: [&str; 6] = ["sessions", "numbers", "services", "events", "interactions", "api-keys"];

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let list = input.choice(LISTS.len());
    let (bit, limit, foreign) = (input.count(), input.field(), input.field());
    let filters = escaped(input.rest(), b"=&%+_-.:");
    world::with(|world| judge(world, list, bit, limit, foreign, &filters));
}

/// The bytes as they may stand in a query; those of `plain` stand for themselves.
fn escaped(bytes: &[u8], plain: &[u8]) -> String {
    let escape = |b: &u8| {
        let kept = b.is_ascii_alphanumeric() || plain.contains(b);
        if kept { char::from(*b).to_string() } else { format!("%{b:02X}") }
    };
    bytes.iter().map(escape).collect()
}

fn judge(world: &World, list: usize, bit: u64, limit: &[u8], foreign: &[u8], filters: &str) {
    let path = format!("/api/v1/{}?{filters}", LISTS[list]);
    let ask = |limit: &[u8], cursor: &str| {
        let cursor = if cursor.is_empty() {
            String::new()
        } else {
            format!("&cursor={}", escaped(cursor.as_bytes(), b""))
        };
        world.get(&format!("{path}&limit={}{cursor}", escaped(limit, b"")))
    };
    let first = ask(limit, "");
    let small = std::str::from_utf8(limit).ok().and_then(|text| text.parse::<i64>().ok());
    let sane = small.is_some_and(|limit| (1..=100).contains(&limit));
    assert!(first.status == 200 || first.status == 400 || first.status == 404, "{}", first.body);
    assert!(sane || first.status != 200, "a page with the limit {limit:?}");
    if first.status != 200 {
        return;
    }
    let (whole, _) = page(&ask(b"100", ""));
    let (mut found, mut next) = page(&first);
    let mut cursors = Vec::new();
    while let Some(cursor) = next {
        let (more, after) = page(&ask(limit, &cursor));
        assert!(!more.is_empty() && found.len() <= whole.len(), "pages without end");
        found.extend(more);
        cursors.push(cursor);
        next = after;
    }
    assert_eq!(found, whole, "page by page is not the whole");
    let refused = |answered: &Answered, what: &str| {
        assert_eq!(answered.status, 400, "{what}: {}", answered.body);
        assert_eq!(answered.json()["code"], "cursor_invalid", "{what}");
    };
    if let Some(cursor) = cursors.first() {
        let bent = flipped(cursor.as_bytes(), bit).unwrap();
        let bent = format!("{path}&limit=10&cursor={}", escaped(&bent, b""));
        refused(&world.get(&bent), "a bit turned");
        let other = format!("/api/v1/sessions/?limit=10&cursor={cursor}");
        assert_ne!(world.get(&other).status, 200, "at another address");
        // `limit` and `cursor` are no filters: anything else that is added is.
        let more = format!("{path}&unique_name=x&limit=10&cursor={cursor}");
        assert_eq!(world.get(&more).status, 400, "with other filters");
        for (at, name) in LISTS.iter().enumerate().filter(|(at, _)| *at != list) {
            let elsewhere = world.get(&format!("/api/v1/{name}?cursor={cursor}"));
            assert_eq!(elsewhere.status, 400, "list {at} took another's cursor");
        }
    }
    let foreign = String::from_utf8_lossy(foreign).into_owned();
    if !foreign.is_empty() && !cursors.contains(&foreign) {
        refused(&ask(limit, &foreign), "made up");
    }
}

/// The ids of a page, and where the next one begins.
fn page(answered: &Answered) -> (Vec<String>, Option<String>) {
    assert_eq!(answered.status, 200, "{}", answered.body);
    let page = answered.json();
    let ids = page["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned());
    let next = page["next_cursor"].as_str().map(str::to_owned);
    assert_eq!(page["has_more"], Value::Bool(next.is_some()));
    let linked = answered.header("link").is_some_and(|link| {
        next.as_ref().is_some_and(|next| link.contains(&format!("cursor={next}>")))
    });
    assert_eq!(linked, next.is_some(), "the link is not the cursor");
    (ids.collect(), next)
}
