//! What the API answers to every reading, and the console's pages. Names go out to their own account, at one
//! place, which is taken out here; everything else is looked at.

use bytes::Bytes;
use entremise::{
    domain::staff::{Extra, Rights, Role},
    http::api,
    relay::Invite,
};
use http_body_util::Full;
use serde_json::Value;

use crate::{
    story::NAMES,
    support::{self, Answered, World},
};

/// Every page with its address.
pub(crate) async fn of_the_api(world: &World) -> Vec<(String, Vec<u8>)> {
    let document: Value = serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let readable = |path: &str| paths.get(path).is_some_and(|it| it.get("get").is_some());
    let key = format!("Bearer {}", world.account.api_key);
    let mut pages: Vec<(String, Vec<u8>)> = Vec::new();
    // The sound of a message and of a recorded call goes to its own account.
    let edge = |path: &str| path.ends_with("/voicemail") || path.ends_with("/recording");
    let listed = api::routes().iter().filter(|(method, _)| method == "GET").count();
    assert_eq!(listed, paths.keys().filter(|path| readable(path)).count(), "a route is not told");
    for template in paths.keys().filter(|path| readable(path) && !edge(path)) {
        let mut urls = filled(world, &key, template, &readable).await;
        assert!(!urls.is_empty(), "nothing to read at {template}");
        let members = paths[template]["get"]["parameters"].as_array().into_iter().flatten();
        let asked: Vec<String> = members
            .filter(|one| one["in"] == "query" && one["required"] == true)
            .map(|one| {
                let (name, example) = (one["name"].as_str(), one["example"].as_str());
                format!("{}={}", name.unwrap(), example.expect("an example"))
            })
            .collect();
        if !asked.is_empty() {
            for url in &mut urls {
                *url = format!("{url}?{}", asked.join("&"));
            }
        }
        for url in urls {
            let page = get(world, &url, ("authorization", &key)).await;
            pages.push((url, page));
        }
    }
    without_names(&mut pages);
    pages
}

/// The erasure of the story: they are in no list but the log of changes.
async fn of_the_log(world: &World, key: &str) -> String {
    let rows = get(world, "/api/v1/audit?action=person.erased", ("authorization", key)).await;
    let rows: Value = serde_json::from_slice(&rows).unwrap();
    rows["data"][0]["target"]["id"].as_str().expect("somebody was erased").to_owned()
}

/// A template's addresses, with the ids of all that there is.
async fn filled(
    world: &World,
    key: &str,
    template: &str,
    readable: &impl Fn(&str) -> bool,
) -> Vec<String> {
    let (mut urls, mut done) = (vec![String::new()], String::new());
    for part in template.split_inclusive('/') {
        let mut next = Vec::new();
        for url in &urls {
            if part.starts_with('{') {
                let end = if part.ends_with('/') { "/" } else { "" };
                // Where the place itself has no list, all of that kind are tried.
                let place = url.trim_end_matches('/');
                let of = place.rsplit('/').next().unwrap();
                let listed = readable(done.trim_end_matches('/'));
                if !listed && !readable(&format!("/api/v1/{of}")) {
                    next.push(format!("{url}{}{end}", of_the_log(world, key).await));
                    continue;
                }
                let list = if listed { place.to_owned() } else { format!("/api/v1/{of}") };
                let list = get(world, &list, ("authorization", key)).await;
                let list: Value = serde_json::from_slice(&list).unwrap();
                let members = list["data"].as_array().into_iter().flatten();
                let ids = members.map(|one| one["id"].as_str().or(one["event_id"].as_str()));
                next.extend(ids.map(|id| format!("{url}{}{end}", id.unwrap())));
            } else {
                next.push(format!("{url}{part}"));
            }
        }
        urls = next;
        done.push_str(part);
    }
    urls
}

/// Takes names out of where they may be: the participants of a session that is read.
fn without_names(pages: &mut [(String, Vec<u8>)]) {
    let mut taken = 0;
    for (url, page) in pages.iter_mut() {
        // The list of sessions, or one of them, by itself or below its service.
        let parts: Vec<&str> = url.split('/').skip(3).collect();
        let list = match parts[..] {
            ["sessions"] => true,
            ["sessions", _] | ["services", _, "sessions", _] => false,
            _ => continue,
        };
        let mut value: Value = serde_json::from_slice(page).unwrap();
        let one = |session: &mut Value| {
            let people = session["participants"].as_array_mut().into_iter().flatten();
            let names = people.filter_map(|person| person.as_object_mut()?.remove("name"));
            names.filter(|name| NAMES.iter().any(|known| name == known)).count()
        };
        taken += if list {
            value["data"].as_array_mut().unwrap().iter_mut().map(one).sum()
        } else {
            one(&mut value)
        };
        *page = value.to_string().into_bytes();
    }
    assert!(taken >= 12, "names were to be seen at {taken} places");
}

/// The console's pages, and the credentials with which they are read.
pub(crate) async fn of_the_console(
    world: &World,
    sessions: &[(String, Vec<u8>)],
) -> (Vec<(String, Vec<u8>)>, [String; 2]) {
    let link = world.running.relay.create_staff(Invite::admin("Ada")).await.unwrap();
    let login = http::Request::post("/console/login/link")
        .header("host", world.running.address.to_string())
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
        .body(Full::new(Bytes::from(format!("code={link}"))))
        .unwrap();
    let answer = support::request(world.running.address, login).await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap();
    let account = &world.account.account;
    let lists = [
        "accounts",
        "sessions",
        "interactions",
        "numbers",
        "events",
        "deliveries",
        "audit",
        "moderation",
    ];
    let mut urls = lists.map(|page| format!("/console/{page}?account={account}")).to_vec();
    let sessions = sessions.iter().filter(|(url, _)| url.starts_with("/api/v1/sessions/KC"));
    urls.extend(sessions.filter_map(|(url, _)| {
        let id = url.trim_start_matches("/api/v1/sessions/");
        (!id.contains('/')).then(|| format!("/console/sessions/{id}?account={account}"))
    }));
    assert!(urls.len() > 4, "sessions have pages");
    let queue = format!("/console/moderation?account={account}");
    let queue = String::from_utf8(get(world, &queue, ("cookie", cookie)).await).unwrap();
    let items = queue.split("href=\"/console/moderation/").skip(1);
    let items: Vec<&str> = items.filter_map(|rest| rest.split('?').next()).collect();
    for sort in ["RP", "KI"] {
        assert!(items.iter().any(|id| id.starts_with(sort)), "none of {sort} waits");
    }
    urls.extend(items.iter().map(|id| format!("/console/moderation/{id}?account={account}")));
    let mut pages = Vec::new();
    for url in urls {
        let page = get(world, &url, ("cookie", cookie)).await;
        pages.push((url, page));
    }
    let value = cookie.split_once('=').unwrap().1.to_owned();
    (pages, [link, value])
}

/// A browser of the console that says who it is.
struct Browser<'a> {
    world: &'a World,
    cookie: String,
}

impl Browser<'_> {
    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answered {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = http::Request::post(path)
            .header("host", self.world.running.address.to_string())
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .header("cookie", &self.cookie)
            .body(Full::new(Bytes::from(form)))
            .unwrap();
        support::request(self.world.running.address, request).await
    }

    async fn get(&self, path: &str) -> Vec<u8> {
        get(self.world, path, ("cookie", &self.cookie)).await
    }

    /// The code that the app of that key shows now: each is taken once.
    async fn code(&self, key: &str) -> String {
        self.world.clock.advance(30_000);
        let mut tx = self.world.running.relay.db().read().await.unwrap();
        let now = tx.now().await.unwrap();
        let secret = totp_rs::Secret::try_from_base32(key).unwrap();
        let app = totp_rs::Builder::new().with_secret(secret).build().unwrap();
        app.generate(u64::try_from(now.millis() / 1000).unwrap()).to_string()
    }
}

/// What the console answers to a search for each of these numbers, and every page on the way to a number that is
/// revealed; then the one page that shows it.
pub(crate) async fn of_a_search(
    world: &World,
    numbers: &[&str],
) -> (Vec<(String, Vec<u8>)>, Vec<u8>) {
    const PASSWORD: &str = "seven green umbrellas";
    let account = &world.account.account;
    let rights = Rights { role: Role::Agent, extra: Extra::parse("reveal").unwrap() };
    let invite =
        Invite { name: "Grete".into(), account: Some(account.clone()), rights: Some(rights) };
    let link = world.running.relay.create_staff(invite).await.unwrap();
    let mut browser = Browser { world, cookie: String::new() };
    let login = browser.post("/console/login/link", &[("code", &link)]).await;
    let cookie = login.headers["set-cookie"].to_str().unwrap();
    browser.cookie = cookie.split(';').next().unwrap().to_owned();
    browser.post("/console/me/password", &[("password", PASSWORD)]).await;
    let page = String::from_utf8(browser.get("/console/me/app").await).unwrap();
    let key = page.split_once(r#"id="secret">"#).unwrap().1.split_once('<').unwrap().0;
    let key = key.replace(' ', "");
    browser.post("/console/me/app", &[("code", &browser.code(&key).await)]).await;
    browser.post("/console/prove", &[("code", &browser.code(&key).await)]).await;

    let mut pages = Vec::new();
    let mut person = None;
    for number in numbers {
        let found = browser.post("/console/search", &[("q", number)]).await;
        pages.push(("a search".to_owned(), format!("{:?}", found.headers).into_bytes()));
        if found.status == http::StatusCode::SEE_OTHER {
            let to = found.headers["location"].to_str().unwrap().to_owned();
            pages.push((to.clone(), browser.get(&to).await));
            person = person.or(Some(to).filter(|to| to.starts_with("/console/people/")));
        } else {
            pages.push(("what a search shows".to_owned(), found.body));
        }
    }
    let reveal = format!("{}/reveal", person.expect("somebody is found"));
    pages.push((reveal.clone(), browser.get(&reveal).await));
    let refused = browser.post(&reveal, &[("cause", "dispute"), ("reason", numbers[0])]).await;
    assert_eq!(refused.status, http::StatusCode::UNPROCESSABLE_ENTITY);
    pages.push(("a reveal without a reason".to_owned(), refused.body));
    let shown = browser.post(&reveal, &[("cause", "dispute"), ("reason", "ticket 1")]).await;
    assert_eq!(shown.status, http::StatusCode::OK);
    pages.push(("a reveal's head".to_owned(), format!("{:?}", shown.headers).into_bytes()));
    (pages, shown.body)
}

/// The operators' pages.
pub(crate) async fn of_operators(world: &World) -> Vec<(String, Vec<u8>)> {
    let mut pages = Vec::new();
    for path in ["/metrics", "/healthz", "/readyz"] {
        let request = http::Request::get(path)
            .header("host", world.running.ops_address.to_string())
            .body(Full::default())
            .unwrap();
        let answer = support::request(world.running.ops_address, request).await;
        assert_eq!(answer.status, http::StatusCode::OK, "{path}");
        pages.push((path.to_owned(), answer.body));
    }
    pages
}

async fn get(world: &World, url: &str, header: (&str, &str)) -> Vec<u8> {
    let request = http::Request::get(url)
        .header("host", world.running.address.to_string())
        .header(header.0, header.1)
        .body(Full::default())
        .unwrap();
    let answer = support::request(world.running.address, request).await;
    assert_eq!(answer.status, http::StatusCode::OK, "{url}");
    answer.body
}
