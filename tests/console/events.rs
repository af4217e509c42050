//! Events and deliveries: lists with filters, and sending again.

use std::time::Duration;

use entremise::{
    domain::{
        audit::Action,
        staff::{Rights, Role},
    },
    ids::{EndpointId, EventId},
    relay::{self, Invite, NewEndpoint},
    store::{
        audit,
        deliveries::{self, AttemptOutcome, DeliveryState, Ended},
        endpoints::EndpointUrl,
    },
};
use http::{StatusCode, header};

use crate::{
    logins::encoded,
    world::{BUYER, Browser, OTHER_BUYER, PEOPLE, SELLER, World, on_each},
};

pub(crate) async fn endpoint(world: &World) -> EndpointId {
    let account = world.account.clone();
    let made = world.relay.db().write(move |tx| {
        let account = account.clone();
        Box::pin(async move {
            let new = NewEndpoint {
                url: EndpointUrl::new("https://hooks.example/in/c2VjcmV0?token=hush".into()),
                description: "Orders".into(),
                service: None,
                event_types: Vec::new(),
                enabled: true,
            };
            relay::create_endpoint(tx, &account, &new).await
        })
    });
    made.await.unwrap().endpoint.id
}

/// Tries the next delivery, which ends so.
async fn tried(world: &World, endpoint: &EndpointId, status: u16, state: DeliveryState) -> EventId {
    let given = (world.account.clone(), endpoint.clone());
    let event = world.relay.db().write(move |tx| {
        let (account, endpoint) = given.clone();
        Box::pin(async move {
            let now = tx.now().await?;
            let lease = now + Duration::from_mins(1);
            let claim = deliveries::claim(tx, &account, &endpoint, now, lease).await?.unwrap();
            let took = Duration::from_millis(40);
            let delivered = state == DeliveryState::Delivered;
            let outcome =
                if delivered { AttemptOutcome::Delivered } else { AttemptOutcome::Status };
            let ended = Ended { outcome, status: Some(status), took };
            deliveries::note(tx, &claim, ended).await?;
            assert!(deliveries::finish(tx, &claim, state, now).await?);
            Ok::<_, relay::Error>(claim.event)
        })
    });
    event.await.unwrap()
}

async fn state(world: &World, endpoint: &EndpointId, event: &EventId) -> DeliveryState {
    let mut tx = world.read().await;
    deliveries::get(&mut tx, &world.account, endpoint, event).await.unwrap().unwrap().state
}

async fn agent(world: &World) -> Browser {
    let rights = Some(Rights::of(Role::Agent));
    let account = Some(world.account.clone());
    world.invited(Invite { name: "Omar".into(), account, rights }).await
}

fn rows(page: &str) -> usize {
    page.matches("<tr role=\"row\" id=\"").count()
}

/// Events stand in order with their session and what became of them, narrowed by the address; who may not develop
/// sees no endpoint.
#[tokio::test]
async fn events_are_listed() {
    on_each(|world| async move {
        let endpoint = endpoint(&world).await;
        let session = world.dispute().await;
        world.wait(24 * 3600);
        let other = world.open(Some("order-2"), OTHER_BUYER, SELLER).await;
        let omar = agent(&world).await;
        let page = omar.get("/console/events").await;
        assert_eq!(page.status, StatusCode::OK);
        page.has("session.created").has("call.missed").has(&format!("endpoint={endpoint}"));
        for number in PEOPLE {
            page.has_not(&number[number.len() - 7..]);
        }
        let all = rows(&page.text);
        let of_other = omar.get(&format!("/console/events?session={other}")).await;
        let few = rows(&of_other.text);
        assert!(few > 0 && few < all);
        of_other.has_not(session.as_str());
        for (filter, count) in [
            ("type=session.created", 2),
            ("type=session.created&to=2026-11-22", 1),
            ("type=session.created&from=2026-11-23", 1),
            (&format!("type=session.created&session={session}"), 1),
        ] {
            let page = omar.get(&format!("/console/events?{filter}")).await;
            assert_eq!(rows(&page.text), count, "{filter}");
        }
        omar.get("/console/events?type=mischief").await.has("“Type” was left out");
        omar.get_in("/console/events", "fr").await.has("Livraisons").has_not("Deliveries");

        let rights = Some(Rights::of(Role::Viewer));
        let account = Some(world.account.clone());
        let viewer = Invite { name: "Vera".into(), account, rights };
        let viewer = world.invited(viewer).await;
        viewer.get("/console/events").await.has("session.created").has_not("/console/deliveries");
        for path in ["/console/deliveries", "/console/deliveries?endpoint=x"] {
            assert_eq!(viewer.get(path).await.status, StatusCode::FORBIDDEN);
        }
        for path in ["/console/deliveries/resend", "/console/deliveries/replay"] {
            let form = format!("endpoint={endpoint}");
            assert_eq!(viewer.post(path, &form).await.status, StatusCode::FORBIDDEN);
        }
    })
    .await;
}

/// Each delivery says how far it is, what the endpoint answered last and when it is tried next; of an endpoint's
/// address the host alone is shown. One is sent again, and the audit log says by whom.
#[tokio::test]
async fn deliveries_are_listed_and_sent_again() {
    on_each(|world| async move {
        let endpoint = endpoint(&world).await;
        world.open(Some("order-1"), BUYER, SELLER).await;
        world.open(Some("order-2"), OTHER_BUYER, SELLER).await;
        world.wait(1);
        let failed = tried(&world, &endpoint, 503, DeliveryState::Failed).await;
        let taken = tried(&world, &endpoint, 204, DeliveryState::Delivered).await;
        let omar = agent(&world).await;
        let all = omar.get("/console/deliveries").await;
        all.has("hooks.example").has("Orders").has_not("hush").has_not("c2VjcmV0");
        let path = format!("/console/deliveries?endpoint={endpoint}");
        let page = omar.get(&path).await;
        page.has("503, refused").has(">204<").has("failed").has("waiting").has_not("hush");
        for (filter, count) in [
            ("state=failed".to_owned(), 1),
            ("state=delivered".to_owned(), 1),
            ("state=cancelled".to_owned(), 0),
            ("state=failed&to=2026-11-20".to_owned(), 0),
            ("state=failed&from=2026-11-20".to_owned(), 1),
            (format!("event={taken}"), 1),
        ] {
            let page = omar.get(&format!("{path}&{filter}")).await;
            assert_eq!(rows(&page.text), count, "{filter}");
        }
        let form = format!("endpoint={endpoint}&event={failed}");
        let sent = omar.post("/console/deliveries/resend", &form).await;
        assert_eq!(sent.header(header::LOCATION), format!("{path}&resent=1"));
        omar.get(sent.header(header::LOCATION)).await.has("To be sent again: 1.");
        assert_eq!(state(&world, &endpoint, &failed).await, DeliveryState::Ready);
        let mut tx = world.read().await;
        let filter =
            audit::Filter { action: Some(Action::EndpointResent), ..audit::Filter::default() };
        let rows = audit::list(&mut tx, world.account.as_str(), &filter, None, 9).await.unwrap();
        drop(tx);
        let omars = world.relay.staff_named("Omar").await.unwrap().unwrap().id;
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].link.content.actor, omars.as_str());
        assert!(rows[0].link.content.details.contains(failed.as_str()));
        let nothing = format!("endpoint={endpoint}&event=EV00000000000000000000000000000000");
        let answer = omar.post("/console/deliveries/resend", &nothing).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    })
    .await;
}

/// A time is replayed once it was said how much that is, and that was confirmed.
#[tokio::test]
async fn a_time_is_replayed() {
    on_each(|world| async move {
        let endpoint = endpoint(&world).await;
        world.open(Some("order-1"), BUYER, SELLER).await;
        world.wait(1);
        let mut taken = Vec::new();
        for _ in 0..2 {
            taken.push(tried(&world, &endpoint, 200, DeliveryState::Delivered).await);
        }
        world.wait(120);
        let omar = agent(&world).await;
        let id = endpoint.to_string();
        let form = |which: &str, from: &str, confirmed: &str| {
            encoded(&[
                ("endpoint", &id),
                ("which", which),
                ("from", from),
                ("confirmed", confirmed),
            ])
        };
        let path = "/console/deliveries/replay";
        let asked = omar.post(path, &form("delivered", "2026-11-21T00:00", "")).await;
        assert_eq!(asked.status, StatusCode::OK);
        asked.has("<strong>2</strong>").has("hooks.example").has("Send them again");
        for event in &taken {
            assert_eq!(state(&world, &endpoint, event).await, DeliveryState::Delivered);
        }
        let to =
            asked.text.split_once("name=\"to\" value=\"").unwrap().1.split_once('"').unwrap().0;
        let confirmed = format!("{}&to={to}", form("delivered", "2026-11-21T00:00", "yes"));
        let done = omar.post(path, &confirmed).await;
        assert!(done.header(header::LOCATION).ends_with("&resent=2"), "{}", done.text);
        for event in &taken {
            assert_eq!(state(&world, &endpoint, event).await, DeliveryState::Ready);
        }
        let none = omar.post(path, &form("failed", "2026-11-21T00:00", "")).await;
        none.has("nothing to send again").has_not("Send them again");
        for from in ["", "2026-09-01T00:00", "2026-12-01T00:00", "soon"] {
            let answer = omar.post(path, &form("missing", from, "yes")).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{from}");
            answer.has("within the last 30 days");
        }
    })
    .await;
}
