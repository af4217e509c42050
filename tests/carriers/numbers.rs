//! Numbers at carriers: each that sells or keeps them asks in the words of the snapshot, and reads every
//! captured answer.

use std::fmt::Write as _;

use entremise::{
    carrier::{
        Carrier, Provisioning, Request, Response,
        capabilities::Numbers,
        provisioning::{Bought, Held, NumberKind, Purchase, Search},
    },
    domain::{phone::ProxyNumber, pool::Capabilities},
};

use crate::{
    fixtures::{self, Fixtures},
    render,
};

const REFERENCE: &str = "NO019343fd1c3a7e63a1c0bb0f3e9a1d52-1";

fn number() -> ProxyNumber {
    ProxyNumber::parse("+14155550150").unwrap()
}

fn search() -> Search {
    Search {
        country: "US".into(),
        kind: NumberKind::Local,
        area: Some("415".into()),
        contains: Some("555".into()),
        can: Capabilities { voice: true, sms: true, mms: false },
        limit: 5,
    }
}

fn purchase() -> Purchase {
    Purchase {
        number: number(),
        kind: NumberKind::Local,
        can: Capabilities { voice: true, sms: true, mms: false },
        reference: REFERENCE.into(),
        address: Some("ADaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".into()),
        bundle: Some("BUbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb".into()),
    }
}

/// The number as the fixtures show that the account has it.
fn held(fixtures: &Fixtures, numbers: &dyn Provisioning) -> Held {
    let captured = fixtures.numbers.iter().filter(|(case, _)| case.starts_with("held"));
    let mut found = captured.filter_map(|(_, response)| numbers.held_one(&number(), response).ok());
    found.find_map(|held| held).expect(&fixtures.name)
}

/// Searches and purchases of every sort, for every use, and with as little as may be said.
fn edges(fixtures: &Fixtures, numbers: &dyn Provisioning) -> Vec<(&'static str, Request)> {
    let digits = |text: &str| Some(text.to_owned());
    let mut all = Vec::new();
    for kind in NumberKind::ALL {
        for uses in 0..8 {
            let can = Capabilities { voice: uses & 1 > 0, sms: uses & 2 > 0, mms: uses & 4 > 0 };
            for (area, contains) in [(None, None), (digits("415"), None), (None, digits("5550"))] {
                let limit = 50;
                let search = Search { kind: *kind, can, area, contains, limit, ..search() };
                all.push(("search, of every sort", numbers.search(&search)));
                all.push(("prices, of every sort", numbers.prices(&search)));
            }
            let bare = Purchase { kind: *kind, can, address: None, bundle: None, ..purchase() };
            all.push(("buy, with as little as may be", numbers.buy(&bare)));
        }
    }
    for (_, bought) in fixtures.numbers.iter().filter(|(case, _)| case.starts_with("buy")) {
        if let Ok(Bought::Ordered(id)) = numbers.bought(&purchase(), bought) {
            all.push(("order, as a purchase names it", numbers.order(&id)));
        }
    }
    for (_, page) in fixtures.numbers.iter().filter(|(case, _)| case.starts_with("page")) {
        let next = numbers.listed(None, page).ok().and_then(|page| page.next);
        all.push(("page, the next", next.map(|next| numbers.page(Some(&next)))));
    }
    all.into_iter().filter_map(|(name, request)| Some((name, request?))).collect()
}

/// Everything that is asked about numbers, by what it is for; nothing of a carrier without answers in its
/// own folder.
pub(crate) fn asked(fixtures: &Fixtures, carrier: &dyn Carrier) -> Vec<(&'static str, Request)> {
    let numbers = carrier.provisioning().filter(|_| !fixtures.numbers.is_empty());
    numbers.map_or_else(Vec::new, |numbers| {
        let mut all = requests(fixtures, numbers);
        all.extend(edges(fixtures, numbers));
        all
    })
}

fn requests(fixtures: &Fixtures, numbers: &dyn Provisioning) -> Vec<(&'static str, Request)> {
    let links = fixtures.links().with_fallback(Some("https://static.example/calls.xml".into()));
    let held = held(fixtures, numbers);
    let mut all: Vec<(&'static str, Option<Request>)> = vec![
        ("search", numbers.search(&search())),
        ("prices", numbers.prices(&search())),
        ("buy", numbers.buy(&purchase())),
        ("trace", numbers.trace(&purchase())),
        ("order", numbers.order("12ade33a-21c0-473b-b055-b3c836e1c292")),
        ("held", Some(numbers.held(&number()))),
        ("release", numbers.release(&held)),
        ("page", Some(numbers.page(None))),
    ];
    let can = Capabilities { voice: true, sms: true, mms: true };
    let texts = Capabilities { voice: false, sms: true, mms: false };
    let held_so = fixtures.numbers.iter().filter(|(case, _)| case.starts_with("held_by_"));
    for (_, response) in held_so {
        if let Ok(Some(other)) = numbers.held_one(&number(), response) {
            let requests = numbers.restore(&other, &other.settings);
            all.extend(requests.into_iter().map(|one| ("restore to another", Some(one))));
        }
    }
    for (name, requests) in [
        ("configure", numbers.configure(&held, can, &links)),
        ("configure for texts alone", numbers.configure(&held, texts, &links)),
        ("restore", numbers.restore(&held, &held.settings)),
    ] {
        all.extend(requests.into_iter().map(|request| (name, Some(request))));
    }
    all.into_iter().filter_map(|(name, request)| Some((name, request?))).collect()
}

fn meaning(numbers: &dyn Provisioning, case: &str, response: &Response) -> String {
    let word = case.split('_').next().unwrap();
    match word {
        "search" => format!("{:#?}", numbers.found(&search(), response)),
        "prices" => format!("{:#?}", numbers.priced(&search(), response)),
        "buy" => format!("{:#?}", numbers.bought(&purchase(), response)),
        "trace" => format!("{:#?}", numbers.traced(response)),
        "order" => format!("{:#?}", numbers.ordered(response)),
        "held" => {
            let held = numbers.held_one(&number(), response);
            let settings = held.iter().flatten().map(|held| held.settings.clone());
            let settings: Vec<String> = settings.collect();
            format!("{held:#?}\n{}", settings.concat())
        }
        "changed" => format!("{:#?}", numbers.changed(response)),
        "page" => format!("{:#?}", numbers.listed(None, response)),
        other => panic!("{other}: what does it answer?"),
    }
}

/// A carrier whose capabilities say that its numbers can be dealt with answers for that, and has captured
/// answers to a search, a purchase and a look-up; one that says that they can't has none.
#[test]
fn what_is_declared_is_there() {
    for fixtures in fixtures::all() {
        let carrier = fixtures.carrier();
        // A variant of a carrier deals with numbers as the carrier does.
        if fixtures.name.contains('/') {
            continue;
        }
        let declared = carrier.capabilities().numbers;
        let name = &fixtures.name;
        assert_eq!(carrier.provisioning().is_some(), declared != Numbers::None, "{name}");
        assert_eq!(fixtures.numbers.is_empty(), declared == Numbers::None, "{name}");
        let Some(numbers) = carrier.provisioning() else { continue };
        let sells = declared == Numbers::Buy;
        assert_eq!(numbers.buy(&purchase()).is_some(), sells, "{name}");
        let has = |word: &str, good: &dyn Fn(&Response) -> bool| {
            fixtures.numbers.iter().any(|(case, one)| case.starts_with(word) && good(one))
        };
        let offers = |one: &Response| numbers.found(&search(), one).is_ok_and(|o| !o.is_empty());
        assert_eq!(has("search", &offers), sells, "{name}: an offer that reads");
        let bought = |one: &Response| numbers.bought(&purchase(), one).is_ok();
        assert_eq!(has("buy", &bought), sells, "{name}: a purchase that reads");
        let pages =
            |one: &Response| numbers.listed(None, one).is_ok_and(|page| !page.held.is_empty());
        assert!(has("page", &pages), "{name}: a page that reads");
        assert!(has("held", &|one| numbers.held_one(&number(), one) == Ok(None)), "{name}");
        let orders = fixtures.numbers.iter().any(|(case, one)| {
            case.starts_with("buy")
                && matches!(numbers.bought(&purchase(), one), Ok(Bought::Ordered(_)))
        });
        assert_eq!(numbers.order("1").is_some(), orders, "{name}: orders are asked about");
    }
}

/// Every request is the one in the snapshot; secrets are in its `Authorization` alone.
#[test]
fn requests_are_built() {
    for fixtures in fixtures::all() {
        let carrier = fixtures.carrier();
        let Some(numbers) = carrier.provisioning() else { continue };
        if fixtures.numbers.is_empty() {
            continue;
        }
        let mut text = String::new();
        for (name, request) in requests(&fixtures, numbers) {
            fixtures.assert_no_secret(name, &request.url);
            fixtures.assert_no_secret(name, &String::from_utf8_lossy(&request.body));
            assert!(request.header("authorization").is_some(), "{name}: without credentials");
            text.push_str(&render::request(name, &Ok(request)));
        }
        render::snapshot(&fixtures, "number_requests", &text);
    }
}

/// Every captured answer means what the snapshot says.
#[test]
fn answers_are_understood() {
    for fixtures in fixtures::all() {
        let carrier: Box<dyn Carrier> = fixtures.carrier();
        let Some(numbers) = carrier.provisioning() else { continue };
        if fixtures.numbers.is_empty() {
            continue;
        }
        let mut text = String::new();
        for (case, response) in &fixtures.numbers {
            writeln!(text, "== {case}\n{}", meaning(numbers, case, response)).unwrap();
        }
        fixtures.assert_no_secret("answers", &text);
        render::snapshot(&fixtures, "numbers", &text);
    }
}

/// Answers that break off are trouble, and never a purchase.
#[test]
fn damaged_answers_are_told() {
    for fixtures in fixtures::all() {
        let carrier = fixtures.carrier();
        let Some(numbers) = carrier.provisioning() else { continue };
        for (case, response) in &fixtures.numbers {
            for cut in 0..response.body.len() {
                let mut damaged = response.clone();
                damaged.body = damaged.body.slice(..cut);
                // Whatever comes of it, nothing panics and no purchase is made up.
                let _ = meaning(numbers, case, &damaged);
                if !case.starts_with("buy") || !response.status.is_success() {
                    continue;
                }
                let [got, whole] = [&damaged, response].map(|one| numbers.bought(&purchase(), one));
                if fixtures.name == "sandbox" {
                    // Its answer has no body that counts.
                    assert_eq!(got.is_ok(), whole.is_ok(), "{case}");
                } else {
                    assert!(got.is_err() || (cut > 0 && got == whole), "{case} at {cut}: {got:?}");
                }
            }
        }
    }
}
