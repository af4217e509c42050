//! The pages of number pools: how they stand, files of numbers, and what is done with one.

use entremise::{
    carrier::{self, Links},
    domain::{
        phone::ProxyNumber,
        staff::{Rights, Role},
    },
    egress::Egress,
    ids::{AccountId, MoveId, NumberId},
    relay::{Carriers, Client, Configured, Invite, Relay},
    store::{number_moves, numbers},
};
use http::{StatusCode, header};

use crate::{
    logins,
    world::{Answer, BUYER, Browser, SELLER, World, on_each},
};

/// The same world, whose console knows the carrier that its numbers are at.
fn with_carrier(world: &World) -> World {
    let mut values = toml::Table::new();
    values.insert("account_sid".into(), format!("AC{}", "0".repeat(32)).into());
    values.insert("auth_token".into(), "0123456789abcdef0123456789abcdef".into());
    let kind = carrier::kind("twilio").unwrap();
    let settings = carrier::Settings { id: "here".into(), api_base: None, values };
    let configured = Configured {
        id: "here".into(),
        kind: "twilio",
        adapter: (kind.build)(&settings).unwrap().into(),
        links: Links::new("https://relay.example", "here"),
        buying: false,
    };
    let carriers = Carriers::new(vec![configured]);
    let db = world.relay.db().clone();
    world.through(Relay::new(db, carriers, Client::new(), Egress::default()))
}

fn encoded(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

async fn somebody(world: &World, role: Role) -> Browser {
    let account = Some(world.account.clone());
    let name = format!("{role:?} of {}", world.account);
    world.invited(Invite { name, account, rights: Some(Rights::of(role)) }).await
}

/// Somebody who runs pools and proved just now who they are, by an app; its key.
async fn runner(world: &World) -> (Browser, String) {
    let name = format!("Grace of {}", world.account);
    let account = Some(world.account.clone());
    let invite = Invite { name, account, rights: Some(Rights::of(Role::Admin)) };
    let (browser, key, _) = logins::with_app(world, invite).await;
    logins::prove(world, &browser, &key).await;
    (browser, key)
}

async fn number(world: &World, text: &str) -> numbers::Number {
    let mut tx = world.read().await;
    let number = ProxyNumber::parse(text).unwrap();
    let (account, number) = numbers::owner(&mut tx, &number).await.unwrap().unwrap();
    assert_eq!(account, world.account);
    number
}

fn path(id: &NumberId) -> String {
    format!("/console/pools/numbers/{id}")
}

async fn act(browser: &Browser, number: &numbers::Number, pairs: &[(&str, &str)]) -> Answer {
    let version = number.version.to_string();
    let form = encoded(&[pairs, &[("version", &version)]].concat());
    browser.post(&format!("{}/change", path(&number.id)), &form).await
}

/// One class's cells, in the table's order.
fn cells(page: &Answer, place: &str) -> Vec<String> {
    let row = page.text.split(&format!("<th scope=\"row\">{place}</th>")).nth(1).unwrap();
    let row = row.split("</tr>").next().unwrap();
    let cells = row.split("<td class=\"num\">").skip(1);
    cells.map(|cell| cell.split('<').next().unwrap().to_owned()).collect()
}

/// Each class is counted: in use, resting, free, reserved, draining.
#[tokio::test]
async fn classes_are_counted() {
    on_each(|world| async move {
        let open = world.open(Some("order-7"), BUYER, SELLER).await;
        let ended = world.open(Some("order-8"), BUYER, SELLER).await;
        world.close(&ended).await;
        let browser = somebody(&world, Role::Viewer).await;
        let page = browser.get("/console/pools").await;
        assert_eq!(page.status, StatusCode::OK);
        page.has("bikes").has("calls, texts, pictures").has_not("Import numbers");
        let mut totals = [0_i64; 7];
        for place in ["US 415", "GB", "FR"] {
            for (total, cell) in totals.iter_mut().zip(cells(&page, place)) {
                *total += cell.parse::<i64>().unwrap();
            }
        }
        let mut tx = world.read().await;
        let mut used = std::collections::BTreeSet::new();
        for role in ["buyer", "seller"] {
            used.insert(world.dials(&open, role).await);
        }
        let mut resting = std::collections::BTreeSet::new();
        for role in ["buyer", "seller"] {
            resting.insert(world.dials(&ended, role).await);
        }
        let resting = i64::try_from(resting.difference(&used).count()).unwrap();
        let used = i64::try_from(used.len()).unwrap();
        assert_eq!(totals, [4, 4, used, resting, 4 - used - resting, 0, 0]);
        let french = browser.get_in("/console/pools", "fr").await;
        french.has("Lots de numéros").has("appels, SMS, images");
        // What a viewer may not do is not there for them, and refused.
        let (_, one) =
            numbers::owner(&mut tx, &world.dials(&open, "buyer").await).await.unwrap().unwrap();
        drop(tx);
        browser.get(&path(&one.id)).await.has("Its sessions").has_not("Retire it");
        let refused = act(&browser, &one, &[("do", "reserve")]).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        let refused = browser.get("/console/pools/import").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
    })
    .await;
}

/// A number is reserved, drained and given out again by the opposite button; it is retired only with its last
/// digits typed, a fresh proof, and nobody on it. What somebody else changed meanwhile is not written over.
#[tokio::test]
async fn a_number_is_reserved_drained_and_retired() {
    on_each(|world| async move {
        let (browser, key) = runner(&world).await;
        let text = "+33937000001";
        let first = number(&world, text).await;
        for (what, state) in [
            ("reserve", "Reserved"),
            ("give", "Given out"),
            ("drain", "Draining"),
            ("activate", "Given out"),
        ] {
            let now = number(&world, text).await;
            let done = act(&browser, &now, &[("do", what)]).await;
            let there = format!("{}?done=changed", path(&first.id));
            assert_eq!(done.header(header::LOCATION), there, "{what}: {}", done.text);
            browser.get(&path(&first.id)).await.has(&format!(">{state}</span>"));
        }
        let stale = act(&browser, &first, &[("do", "reserve")]).await;
        assert_eq!(stale.status, StatusCode::UNPROCESSABLE_ENTITY);
        stale.has("Somebody changed it meanwhile.");
        let now = number(&world, text).await;
        for wrong in ["", "0002", text] {
            let refused = act(&browser, &now, &[("do", "retire"), ("confirm", wrong)]).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
            refused.has("type the number’s last four digits");
        }
        let session = world.open(Some("order-7"), BUYER, SELLER).await;
        let busy = number(&world, world.dials(&session, "buyer").await.as_str()).await;
        let digits = busy.number.as_str();
        let last = &digits[digits.len() - 4..];
        let refused = act(&browser, &busy, &[("do", "retire"), ("confirm", last)]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        refused.has("People dial it in open sessions.");
        world.close(&session).await;
        let busy = number(&world, digits).await;
        let form = [("do", "retire"), ("confirm", last)];
        world.wait(16 * 60);
        let stale = act(&browser, &busy, &form).await;
        assert!(stale.header(header::LOCATION).starts_with("/console/prove?next="));
        logins::prove(&world, &browser, &key).await;
        let done = act(&browser, &busy, &form).await;
        let there = format!("{}?done=retired", path(&busy.id));
        assert_eq!(done.header(header::LOCATION), there, "{}", done.text);
        browser.get(&there).await.has("It is retired.").has(">Retired</span>").has_not("Retire it");
    })
    .await;
}

/// A file is read as the command reads it: every fault with its line and without its value; trying it changes
/// nothing, importing adds what is new, and none of it where one number can't be had.
#[tokio::test]
async fn a_file_of_numbers_joins_a_pool() {
    on_each(|world| async move {
        let world = with_carrier(&world);
        let blank = somebody(&world, Role::Supervisor).await.get("/console/pools/import").await;
        assert!(blank.header(header::LOCATION).starts_with("/console/prove?next="));
        let (browser, _) = runner(&world).await;
        browser.get("/console/pools/import").await.has("name=\"numbers\"").has("here");
        let send = async |what: &str, numbers: &str| {
            let pairs = [("service", world.service.as_str()), ("numbers", numbers), ("do", what)];
            browser.post("/console/pools/import", &encoded(&pairs)).await
        };
        let wrong = "number,carrier,capabilities\n4155550160,here,voice\n+14155550161,nobody,fax\n+1415";
        let refused = send("import", wrong).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        for fault in [
            "Line 2: the number must be in E.164",
            "Line 3: the carrier must be one of here",
            "Line 3: capabilities must be of",
            "Line 4: must have 3 columns",
        ] {
            refused.has(fault);
        }
        let good = "number,carrier,capabilities\n+14155550160,here,voice|sms\n+14155550150,here,voice|sms\n";
        let owner = async || {
            let mut tx = world.read().await;
            let new = ProxyNumber::parse("+14155550160").unwrap();
            numbers::owner(&mut tx, &new).await.unwrap().map(|(account, _)| account)
        };
        let tried = send("try", good).await;
        assert_eq!(tried.status, StatusCode::OK);
        tried.has("Nothing was changed. Lines: 2. Numbers that would be added: 1.");
        assert_eq!(owner().await, None);
        let done = send("import", good).await;
        done.has("Done. Lines: 2. Numbers added: 1.");
        assert_eq!(owner().await, Some(world.account.clone()));
        // One of another account's: nothing of the file is kept.
        let other = world.relay.create_account("Other").await.unwrap().account;
        let other = world.of(other);
        let theirs = "number,carrier,capabilities\n+14155550162,here,sms\n+14155550160,here,sms\n";
        let service = make_service(&other).await;
        let (stranger, _) = runner(&other).await;
        let pairs = [("service", service.as_str()), ("numbers", theirs), ("do", "import")];
        let refused = stranger.post("/console/pools/import", &encoded(&pairs)).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        refused.has("A number belongs to another account. Nothing was changed.");
        let mut tx = world.read().await;
        let first = ProxyNumber::parse("+14155550162").unwrap();
        assert!(numbers::owner(&mut tx, &first).await.unwrap().is_none());
    })
    .await;
}

async fn make_service(world: &World) -> String {
    let account: AccountId = world.account.clone();
    let made = world.relay.db().write(move |tx| {
        let account = account.clone();
        Box::pin(async move {
            let rules = entremise::domain::policy::Rules::new("Other".into());
            let new = entremise::relay::NewService { unique_name: "other".into(), rules };
            entremise::relay::create_service(tx, &account, &new).await
        })
    });
    made.await.unwrap().id.to_string()
}

/// Sessions are moved off a number, after a trial that changes nothing; and back again.
#[tokio::test]
async fn sessions_are_moved_off_and_back() {
    on_each(|world| async move {
        let session = world.open(Some("order-7"), BUYER, SELLER).await;
        let old = number(&world, world.dials(&session, "buyer").await.as_str()).await;
        let (browser, _) = runner(&world).await;
        let move_off = async |pairs: &[(&str, &str)]| {
            browser.post(&format!("{}/move", path(&old.id)), &encoded(pairs)).await
        };
        let tried = move_off(&[("do", "try"), ("why", "dead")]).await;
        tried.has("Nothing was changed.").has("Sessions looked at: 1");
        // Where both dial it, each has another then.
        let both = world.dials(&session, "seller").await == old.number;
        tried.has(&format!("People who would dial another number: {}", 1 + i32::from(both)));
        assert_eq!(world.dials(&session, "buyer").await, old.number);
        for nowhere in ["+14155550199", "fine by me", old.number.as_str()] {
            let refused = move_off(&[("do", "move"), ("to", nowhere)]).await;
            assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{nowhere}");
            refused.has("must be another active number of the same service");
        }
        let begun = move_off(&[("do", "move"), ("why", "blocked"), ("tell", "no")]).await;
        let there = format!("{}?done=moving", path(&old.id));
        assert_eq!(begun.header(header::LOCATION), there, "{}", begun.text);
        let id = latest(&world).await;
        while world.relay.move_on(&world.account, &id).await.unwrap().state.is_open() {}
        assert_ne!(world.dials(&session, "buyer").await, old.number);
        browser.get(&there).await.has("Its sessions are being moved.").has(">Done</span>");
        let why = browser.get(&format!("/console/sessions/{session}/numbers")).await;
        why.has("moved on to it");
        let undone = browser.post(&format!("/console/pools/moves/{id}/undo"), "").await;
        assert_eq!(undone.header(header::LOCATION), path(&old.id));
        while world.relay.move_on(&world.account, &id).await.unwrap().state.is_open() {}
        assert_eq!(world.dials(&session, "buyer").await, old.number);
    })
    .await;
}

async fn latest(world: &World) -> MoveId {
    let mut tx = world.read().await;
    number_moves::latest(&mut tx, &world.account, 1).await.unwrap().remove(0).id
}

/// A carrier's code is told with what its carrier means by it.
#[tokio::test]
async fn codes_are_told_with_their_meaning() {
    on_each(|world| async move {
        let session = world.dispute().await;
        let browser = somebody(&with_carrier(&world), Role::Viewer).await;
        let path = format!("/console/sessions/{session}");
        browser.get(&path).await.has("code 30003: the phone is off, out of reach");
        browser.get_in(&path, "fr").await.has("code 30003\u{a0}: téléphone éteint");
    })
    .await;
}
