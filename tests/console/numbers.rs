//! The list of numbers: what each can do, whether it is given, and who holds it.

use entremise::{
    domain::{phone::ProxyNumber, pool::Capabilities},
    relay::{self, Invite, NewNumber, UpdateNumber},
    store::numbers::{self, NumberState},
};
use http::StatusCode;

use crate::world::{BUYER, OTHER_BUYER, PEOPLE, SELLER, World, on_each};

/// The numbers of a page, in order.
fn listed(page: &str) -> Vec<String> {
    let rows = page.split("<tr role=\"row\" id=\"PN").skip(1);
    rows.map(|row| {
        let rest = row.split_once("<span class=\"num\">").unwrap().1;
        rest.split_once('<').unwrap().0.replace("&#43;", "+")
    })
    .collect()
}

/// A row of a page.
fn row<'a>(page: &'a str, number: &str) -> &'a str {
    let start = page.find(&format!("<span class=\"num\">{number}")).unwrap();
    page[start..].split_once("</tr>").unwrap().0
}

async fn change(world: &World, number: &str, update: UpdateNumber) {
    let (account, number) = (world.account.clone(), ProxyNumber::parse(number).unwrap());
    let done = world.relay.db().write(move |tx| {
        let (account, number, update) = (account.clone(), number.clone(), update.clone());
        Box::pin(async move {
            let (_, found) = numbers::owner(tx, &number).await?.unwrap();
            relay::update_number(tx, &account, &found.id, update, None).await.map(drop)
        })
    });
    done.await.unwrap();
}

/// Every number with its state, carrier, country and abilities, narrowed by the address, and how many people hold
/// it: in open sessions and in quarantine.
#[tokio::test]
async fn numbers_are_listed() {
    on_each(|world| async move {
        let first = world.open(Some("order-1"), BUYER, SELLER).await;
        world.open(Some("order-2"), OTHER_BUYER, SELLER).await;
        world.close(&first).await;
        let browser = world.browser("Ines", Some(world.account.clone())).await;
        let page = browser.get("/console/numbers").await;
        assert_eq!(page.status, StatusCode::OK);
        assert_eq!(listed(&page.text).len(), 4);
        for number in PEOPLE {
            page.has_not(&number[number.len() - 7..]);
        }
        let held: Vec<(i64, i64)> = listed(&page.text)
            .iter()
            .map(|number| {
                let row = row(&page.text, number);
                let count = |words: &str| {
                    let head = row.split_once(words).unwrap().0;
                    head.trim().rsplit('>').next().unwrap().trim().parse().unwrap()
                };
                (count("in open sessions"), count("in quarantine"))
            })
            .collect();
        assert_eq!(held.iter().map(|(open, _)| open).sum::<i64>(), 2);
        assert_eq!(held.iter().map(|(_, quarantined)| quarantined).sum::<i64>(), 2);

        let draining =
            UpdateNumber { state: Some(NumberState::Draining), ..UpdateNumber::default() };
        change(&world, "+14155550151", draining).await;
        let reserved = UpdateNumber { reserved: Some(true), ..UpdateNumber::default() };
        change(&world, "+33937000001", reserved).await;
        for (filter, expected) in [
            ("state=draining", &["+14155550151"][..]),
            ("reserved=yes", &["+33937000001"]),
            ("country=GB", &["+447700900900"]),
            ("can=sms&country=FR", &["+33937000001"]),
            ("carrier=nowhere", &[]),
            ("state=retired", &[]),
        ] {
            let page = browser.get(&format!("/console/numbers?{filter}")).await;
            assert_eq!(listed(&page.text), expected, "{filter}");
        }
        let page = browser.get("/console/numbers?state=asleep").await;
        page.has("“State” was left out");
        assert!(row(&page.text, "+33937000001").contains("reserved: given when named"));
        let french = browser.get_in("/console/numbers", "fr").await;
        french.has("en retrait").has("en quarantaine").has_not("in quarantine");
        let other = world.relay.create_account("Other").await.unwrap().account;
        let elsewhere = browser.get(&format!("/console/numbers?account={other}")).await;
        assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
    })
    .await;
}

/// A long list goes on where it ended.
#[tokio::test]
async fn a_long_list_goes_on() {
    on_each(|world| async move {
        let (account, service) = (world.account.clone(), world.service.clone());
        let added = world.relay.db().write(move |tx| {
            let (account, service) = (account.clone(), service.clone());
            Box::pin(async move {
                for n in 0..40 {
                    let number = NewNumber {
                        service: service.clone(),
                        number: ProxyNumber::parse(&format!("+33937{:06}", 100 + n)).unwrap(),
                        carrier: "here".into(),
                        capabilities: Capabilities::parse("voice|sms").unwrap(),
                        reserved: false,
                    };
                    relay::add_number(tx, &account, &number).await?;
                }
                Ok::<_, relay::Error>(())
            })
        });
        added.await.unwrap();
        let browser = world.invited(Invite::admin("Grace")).await;
        let mut path = format!("/console/numbers?account={}&country=FR", world.account);
        let mut seen = Vec::new();
        loop {
            let page = browser.get(&path).await;
            seen.extend(listed(&page.text));
            let Some((_, rest)) = page.text.split_once("rel=\"next\" href=\"") else { break };
            path = rest.split_once('"').unwrap().0.replace("&#38;", "&");
        }
        let mut once = seen.clone();
        once.sort();
        once.dedup();
        assert_eq!((seen.len(), once.len()), (41, 41));
    })
    .await;
}
