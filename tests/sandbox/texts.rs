//! Texts over the simulated network, and its faults.

use std::sync::atomic::{AtomicUsize, Ordering};

use entremise::{
    carrier::{
        Answer, Inbound, Outbound,
        error::{Retry, SendErrorKind},
        event::{InboundMessage, MessageStatus},
    },
    domain::{
        message::MessageState,
        phone::{Caller, ProxyNumber},
    },
    sandbox::{Faults, TextState},
};

use crate::world::{BUYER, PROXY, SELLER, leg, number, text, words, world};

fn states(events: &[Inbound]) -> Vec<MessageState> {
    events
        .iter()
        .filter_map(|event| match event {
            Inbound::MessageStatus(status) => Some(status.state),
            _ => None,
        })
        .collect()
}

fn bodies(events: &[Inbound]) -> Vec<&str> {
    events
        .iter()
        .filter_map(|event| match event {
            Inbound::Message(message) => Some(message.body.expose()),
            _ => None,
        })
        .collect()
}

/// A text reaches the relay with its sender's number, and the other phone from the proxy number.
#[tokio::test]
async fn a_text_goes_through_the_relay() {
    let world = world(|_| Answer::Ack).await;
    let id = world.network.text(world.buyer, &number(PROXY), words("Still there? ☃")).unwrap();
    let expected = Inbound::Message(InboundMessage {
        id,
        from: Caller::Number(number(BUYER)),
        to: ProxyNumber::parse(PROXY).unwrap(),
        body: words("Still there? ☃"),
        media: Vec::new(),
        part: None,
    });
    assert_eq!(world.heard().await, [expected]);
    assert_eq!(world.network.seen(world.buyer).unwrap().texts[0].state, TextState::Sent);

    let sent = world.send(&text(SELLER, "Still there? ☃", leg(2))).await.unwrap();
    let status = |state| {
        let (id, leg) = (sent.id.clone(), Some(leg(2)));
        Inbound::MessageStatus(MessageStatus { leg, id, state, carrier_code: None, price: None })
    };
    let receipts = [status(MessageState::Sent), status(MessageState::Delivered)];
    assert_eq!(world.heard().await, receipts);
    let seller = world.network.seen(world.seller).unwrap();
    let received: Vec<_> = seller.received().collect();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].other.expose(), PROXY);
    assert_eq!(received[0].body.expose(), "Still there? ☃");
}

/// A text to a number that nobody has is taken, and its receipt says that it did not arrive.
#[tokio::test]
async fn a_text_to_nobody_is_undelivered() {
    let world = world(|_| Answer::Ack).await;
    world.send(&text("+14155550199", "Hello", leg(2))).await.unwrap();
    let heard = world.heard().await;
    assert_eq!(states(&heard), [MessageState::Sent, MessageState::Undelivered]);
}

/// The relay can't show a person's number as the sender, nor have callbacks sent elsewhere.
#[tokio::test]
async fn only_proxy_numbers_and_hooks_are_taken() {
    let world = world(|_| Answer::Ack).await;
    let Outbound::Message(mut message) = text(SELLER, "Hello", leg(2)) else { unreachable!() };
    message.from = ProxyNumber::parse(BUYER).unwrap().into();
    let error = world.send(&Outbound::Message(message)).await.unwrap_err();
    assert_eq!(error.carrier_code.as_deref(), Some("not-your-number"));

    let mut request = world.carrier.request(&text(SELLER, "Hi", leg(3)), &world.links).unwrap();
    let elsewhere = String::from_utf8(request.body.to_vec()).unwrap();
    request.body = elsewhere.replace(&world.base, "http://127.0.0.1:1").into();
    let answer = world.exchange(request).await.unwrap();
    assert_eq!(answer.status, 422);
    assert_eq!(world.network.seen(world.seller).unwrap().texts, []);
    assert_eq!(world.heard().await, []);
}

/// An answer that is lost after the text was taken is ambiguous, and the same key sends no second
/// text, whether the answer was an error or the connection broke.
#[tokio::test]
async fn an_ambiguous_send_repeated_with_its_key_arrives_once() {
    for accept_then_reset in [false, true] {
        let world = world(|_| Answer::Ack).await;
        world.network.set_faults(Faults {
            accept_then_fail: 1,
            accept_then_reset,
            ..Faults::default()
        });
        let message = text(SELLER, "Once", leg(2));
        let error = world.send(&message).await.unwrap_err();
        assert_eq!((error.kind, error.retry), (SendErrorKind::Unreachable, Retry::Unknown));
        let again = world.send(&message).await.unwrap();
        assert_eq!(world.network.seen(world.seller).unwrap().texts.len(), 1);
        assert_eq!(world.network.seen(world.seller).unwrap().texts[0].id, again.id);

        let other = world.send(&text(SELLER, "Other words", leg(2))).await.unwrap_err();
        assert_eq!(other.carrier_code.as_deref(), Some("key-reused"));
    }
}

/// A send that is refused before it was taken leaves nothing, and says so where it says 503.
#[tokio::test]
async fn a_refused_send_leaves_nothing() {
    let world = world(|_| Answer::Ack).await;
    world.network.set_faults(Faults { fail_next: 1, ..Faults::default() });
    let error = world.send(&text(SELLER, "Hello", leg(2))).await.unwrap_err();
    assert!(matches!(error.retry, Retry::After(_)));
    assert_eq!(world.network.seen(world.seller).unwrap().texts, []);

    world.network.set_faults(Faults { fail_next: 1, fail_status: 502, ..Faults::default() });
    let error = world.send(&text(SELLER, "Hello", leg(2))).await.unwrap_err();
    assert_eq!(error.retry, Retry::Unknown);
    world.send(&text(SELLER, "Hello", leg(2))).await.unwrap();
    assert_eq!(world.network.seen(world.seller).unwrap().texts.len(), 1);
}

/// With duplicates on, the relay hears the same text several times under one id.
#[tokio::test]
async fn duplicates_have_one_id() {
    let world = world(|_| Answer::Ack).await;
    world.network.set_faults(Faults {
        duplicate_percent: 100,
        duplicate_copies: 2,
        ..Faults::default()
    });
    world.network.text(world.buyer, &number(PROXY), words("Hello")).unwrap();
    let heard = world.heard().await;
    assert_eq!(heard.len(), 3);
    assert!(heard.iter().all(|event| *event == heard[0]));
}

/// With lost receipts on, a text arrives and the relay never hears of it.
#[tokio::test]
async fn receipts_can_be_lost() {
    let world = world(|_| Answer::Ack).await;
    world.network.set_faults(Faults { lost_receipt_percent: 100, ..Faults::default() });
    world.send(&text(SELLER, "Hello", leg(2))).await.unwrap();
    assert_eq!(world.heard().await, []);
    assert_eq!(world.network.seen(world.seller).unwrap().texts.len(), 1);
}

/// A webhook that the relay does not take is repeated, and no later text of the same sender
/// overtakes it.
#[tokio::test]
async fn retries_keep_a_senders_order() {
    let tries = AtomicUsize::new(0);
    let world = world(move |_| match tries.fetch_add(1, Ordering::SeqCst) {
        0..3 => Answer::Nack,
        _ => Answer::Ack,
    })
    .await;
    for body in ["one", "two"] {
        world.network.text(world.buyer, &number(PROXY), words(body)).unwrap();
    }
    assert_eq!(bodies(&world.heard().await), ["one", "one", "one", "one", "two"]);
}

/// A text that the relay refuses five times is shown as failed on its phone.
#[tokio::test]
async fn after_five_tries_a_text_has_failed() {
    let world = world(|_| Answer::Nack).await;
    world.network.text(world.buyer, &number(PROXY), words("Hello")).unwrap();
    assert_eq!(world.heard().await.len(), 5);
    assert_eq!(world.network.seen(world.buyer).unwrap().texts[0].state, TextState::Failed);
}

/// With reordering on, a later text of the same sender comes first.
#[tokio::test]
async fn texts_can_be_reordered() {
    let world = world(|_| Answer::Ack).await;
    world.network.set_faults(Faults { reorder_percent: 100, ..Faults::default() });
    for body in ["one", "two"] {
        world.network.text(world.buyer, &number(PROXY), words(body)).unwrap();
    }
    assert_eq!(bodies(&world.heard().await), ["two", "one"]);
}

/// A hidden number reaches the relay as withheld.
#[tokio::test]
async fn a_hidden_number_is_withheld() {
    let world = world(|_| Answer::Ack).await;
    world.network.set_withheld(world.buyer, true).unwrap();
    world.network.text(world.buyer, &number(PROXY), words("Hello")).unwrap();
    match &world.heard().await[..] {
        [Inbound::Message(message)] => assert_eq!(message.from, Caller::Withheld),
        other => panic!("{other:?}"),
    }
}

/// Without the relay between them, two phones see each other's numbers.
#[tokio::test]
async fn a_straight_text_shows_the_real_number() {
    let world = world(|_| Answer::Ack).await;
    world.network.text(world.buyer, &number(SELLER), words("Hello")).unwrap();
    assert_eq!(world.heard().await, []);
    assert_eq!(world.network.seen(world.seller).unwrap().texts[0].other.expose(), BUYER);
}
