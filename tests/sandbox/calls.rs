//! Calls over the simulated network.

use std::{sync::Arc, time::Duration};

use entremise::{
    carrier::{
        Answer, Inbound, Outbound,
        event::DialEnded,
        outbound::OutboundCall,
        plan::{Connect, Plan, Prompt, RejectReason, Whisper},
    },
    domain::{call::CallState, phone::ProxyNumber},
    sandbox::{ActionError, CallEnd, CallId, CallStage, PhoneId, Sound},
};

use crate::world::{BUYER, PROXY, SELLER, World, connect, connects, leg, number, world};

const OTHER: &str = "+33639980101";

/// The states that the relay heard of a leg.
fn states(events: &[Inbound], wanted: u8) -> Vec<CallState> {
    events
        .iter()
        .filter_map(|event| match event {
            Inbound::CallStatus(status) if status.leg == Some(leg(wanted)) => Some(status.state),
            _ => None,
        })
        .collect()
}

fn dialled(events: &[Inbound]) -> &DialEnded {
    let dialled = events.iter().find_map(|event| match event {
        Inbound::DialEnded(ended) => Some(ended),
        _ => None,
    });
    dialled.expect("news of the dialling")
}

/// How the call that came in ended, as the relay heard it.
fn inbound_end(events: &[Inbound]) -> Option<(CallState, Option<Duration>)> {
    events.iter().find_map(|event| match event {
        Inbound::CallStatus(status) if status.leg.is_none() => {
            Some((status.state, status.duration))
        }
        _ => None,
    })
}

fn stage(world: &World, phone: PhoneId) -> CallStage {
    world.network.seen(phone).unwrap().calls.last().unwrap().stage
}

fn prompt(text: &str) -> Prompt {
    Prompt { text: text.to_owned(), language: String::from("en-GB") }
}

fn said(text: &str, question: bool) -> Sound {
    Sound::Words { text: text.to_owned(), language: String::from("en-GB"), question }
}

/// Dials the proxy number from the buyer's phone and waits until `phone` rings.
async fn ring(world: &World, phone: PhoneId) -> (CallId, CallId) {
    let call = world.network.dial(world.buyer, &number(PROXY)).unwrap();
    let view = world.until(phone, |view| view.call().is_some()).await;
    let ringing = view.call().unwrap();
    assert_eq!(ringing.stage, CallStage::Ringing);
    assert_eq!(ringing.other.as_ref().unwrap().expose(), PROXY);
    (call, ringing.id.clone())
}

/// A call connects two phones, the callee sees the proxy number, and the relay hears how long they
/// talked by the network's clock.
#[tokio::test]
async fn a_call_connects_and_shows_the_proxy_number() {
    let world = world(connects(connect(&[SELLER]))).await;
    let (dialling, ringing) = ring(&world, world.seller).await;
    let buyer = world.network.seen(world.buyer).unwrap();
    assert_eq!(buyer.call().unwrap().heard, [Sound::Ringing]);
    assert_eq!(stage(&world, world.buyer), CallStage::Dialling);

    world.network.answer(world.seller, &ringing).unwrap();
    world.until(world.buyer, |view| view.call().unwrap().answered_at.is_some()).await;
    world.clock.advance(42_500);
    world.network.press(world.seller, &ringing, '5').unwrap();
    world.network.idle().await;
    world.network.hang_up(world.buyer, &dialling).unwrap();
    let heard = world.heard().await;

    assert_eq!(
        states(&heard, 2),
        [CallState::Initiated, CallState::Ringing, CallState::Answered, CallState::Completed]
    );
    let length = Some(Duration::from_millis(42_500));
    let ended = DialEnded {
        leg: leg(1),
        state: CallState::Completed,
        duration: length,
        caller_gone: true,
        turn: 0,
    };
    assert_eq!(*dialled(&heard), ended);
    assert_eq!(inbound_end(&heard), Some((CallState::Completed, length)));
    let buyer = world.network.seen(world.buyer).unwrap();
    assert_eq!(buyer.calls[0].heard, [Sound::Ringing, Sound::Person, Sound::Key('5')]);
    assert_eq!(buyer.calls[0].stage, CallStage::Ended(CallEnd::Finished));
    assert_eq!(stage(&world, world.seller), CallStage::Ended(CallEnd::Finished));
}

/// A phone that declines is busy to the relay, and the caller hears it.
#[tokio::test]
async fn a_declined_call_is_busy() {
    let world = world(connects(connect(&[SELLER]))).await;
    let (_, ringing) = ring(&world, world.seller).await;
    world.network.decline(world.seller, &ringing).unwrap();
    let heard = world.heard().await;
    assert_eq!(states(&heard, 2), [CallState::Initiated, CallState::Ringing, CallState::Busy]);
    assert_eq!(dialled(&heard).state, CallState::Busy);
    assert_eq!(inbound_end(&heard).unwrap().0, CallState::Busy);
    let buyer = world.network.seen(world.buyer).unwrap();
    assert_eq!(buyer.calls[0].heard, [Sound::Ringing, Sound::Busy]);
    assert_eq!(buyer.calls[0].stage, CallStage::Ended(CallEnd::Declined));
}

/// A phone that nobody answers stops to ring after the plan's time.
#[tokio::test]
async fn nobody_answers() {
    let plan = Connect { ring_timeout: Duration::ZERO, ..connect(&[SELLER]) };
    let world = world(connects(plan)).await;
    let (_, ringing) = ring(&world, world.seller).await;
    world.until(world.buyer, |view| view.call().is_none()).await;
    let heard = world.heard().await;
    assert_eq!(states(&heard, 2), [CallState::Initiated, CallState::Ringing, CallState::NoAnswer]);
    assert_eq!(dialled(&heard).state, CallState::NoAnswer);
    assert_eq!(stage(&world, world.seller), CallStage::Ended(CallEnd::Missed));
    assert_eq!(world.network.answer(world.seller, &ringing), Err(ActionError::NoCall));
}

/// A caller who gives up ends the ringing.
#[tokio::test]
async fn the_caller_gives_up() {
    let world = world(connects(connect(&[SELLER]))).await;
    let (dialling, _) = ring(&world, world.seller).await;
    world.network.hang_up(world.buyer, &dialling).unwrap();
    let heard = world.heard().await;
    assert_eq!(states(&heard, 2).last(), Some(&CallState::Cancelled));
    assert_eq!(dialled(&heard).state, CallState::Cancelled);
    assert!(dialled(&heard).caller_gone);
    assert_eq!(inbound_end(&heard), Some((CallState::Cancelled, None)));
    assert_eq!(stage(&world, world.seller), CallStage::Ended(CallEnd::Cancelled));
}

/// A screened call speaks to the callee first and connects only after key 1; the caller hears
/// ringing all the while.
#[tokio::test]
async fn a_screened_call_waits_for_a_key() {
    for (key, accepted) in [('1', true), ('2', false)] {
        let plan = Connect { screen: true, ..connect(&[SELLER]) };
        let rest = connects(plan);
        let world = world(move |event| match event {
            Inbound::CalleeAnswered(callee) => Answer::Plan(Plan::Whisper(Whisper {
                leg: callee.leg.clone(),
                say: Some(prompt("A call about a bike.")),
                optional: false,
                accept: Some(prompt("Press 1 to take it.")),
            })),
            Inbound::Keys(keys) if keys.digits == "1" => Answer::Plan(Plan::Proceed),
            Inbound::Keys(_) => Answer::Plan(Plan::Hangup),
            other => rest(other),
        })
        .await;
        let (dialling, ringing) = ring(&world, world.seller).await;
        world.network.answer(world.seller, &ringing).unwrap();
        let asked = said("Press 1 to take it.", true);
        world.until(world.seller, |view| view.calls[0].heard.contains(&asked)).await;
        let buyer = world.network.seen(world.buyer).unwrap();
        assert_eq!(buyer.call().unwrap().heard, [Sound::Ringing]);

        world.network.press(world.seller, &ringing, key).unwrap();
        world.network.idle().await;
        let seller = world.network.seen(world.seller).unwrap();
        let whispered = [said("A call about a bike.", false), asked];
        assert_eq!(seller.calls[0].heard[..2], whispered);
        assert_eq!(seller.calls[0].heard.get(2), accepted.then_some(&Sound::Person));
        if accepted {
            world.network.hang_up(world.buyer, &dialling).unwrap();
        }
        let heard = world.heard().await;
        let expected = if accepted { CallState::Completed } else { CallState::NoAnswer };
        assert_eq!(dialled(&heard).state, expected);
    }
}

/// Of several phones that ring, the first to answer is connected and the others stop.
#[tokio::test]
async fn the_first_of_a_team_is_connected() {
    let world = world(connects(connect(&[SELLER, OTHER]))).await;
    let other = world.network.register("Colleague", number(OTHER)).unwrap();
    let (_, ringing) = ring(&world, other).await;
    world.until(world.seller, |view| view.call().is_some()).await;
    world.network.answer(other, &ringing).unwrap();
    world.until(world.buyer, |view| view.call().unwrap().answered_at.is_some()).await;
    assert_eq!(stage(&world, world.seller), CallStage::Ended(CallEnd::Cancelled));
    world.network.hang_up(other, &ringing).unwrap();
    let heard = world.heard().await;
    assert_eq!(states(&heard, 2).last(), Some(&CallState::Cancelled));
    assert_eq!(states(&heard, 3).last(), Some(&CallState::Completed));
    assert_eq!(dialled(&heard).state, CallState::Completed);
    assert!(!dialled(&heard).caller_gone);
    assert_eq!(inbound_end(&heard).unwrap().0, CallState::Completed);
}

/// A phone that is in a call is busy to the next caller.
#[tokio::test]
async fn a_phone_in_a_call_is_busy() {
    let world = world(connects(connect(&[SELLER]))).await;
    let other = world.network.register("Stranger", number(OTHER)).unwrap();
    ring(&world, world.seller).await;
    assert_eq!(world.network.dial(world.seller, &number(PROXY)), Err(ActionError::OnACall));
    world.network.dial(other, &number(PROXY)).unwrap();
    world.until(other, |view| view.call().is_none()).await;
    assert_eq!(stage(&world, other), CallStage::Ended(CallEnd::Declined));
}

/// A call to a person whom no phone has fails, and so does one that would show a person's number.
#[tokio::test]
async fn what_can_not_be_placed_fails() {
    let nobody = connect(&[OTHER]);
    let shown = Connect { caller_id: ProxyNumber::parse(BUYER).unwrap(), ..connect(&[SELLER]) };
    for plan in [nobody, shown] {
        let world = world(connects(plan)).await;
        world.network.dial(world.buyer, &number(PROXY)).unwrap();
        let heard = world.heard().await;
        assert_eq!(states(&heard, 2), [CallState::Initiated, CallState::Failed]);
        assert_eq!(dialled(&heard).state, CallState::Failed);
        assert_eq!(world.network.seen(world.seller).unwrap().calls, []);
    }
}

/// An announcement is heard by the caller, who counts as answered; a rejection is not answered.
#[tokio::test]
async fn announcements_and_rejections() {
    let world = world(|event| match event {
        Inbound::Call(_) => Answer::Plan(Plan::Announce(prompt("Please open the app."))),
        _ => Answer::Ack,
    })
    .await;
    world.network.dial(world.buyer, &number(PROXY)).unwrap();
    let heard = world.heard().await;
    assert_eq!(inbound_end(&heard).unwrap().0, CallState::Completed);
    let call = &world.network.seen(world.buyer).unwrap().calls[0];
    assert_eq!(call.heard, [said("Please open the app.", false)]);
    assert_eq!(call.stage, CallStage::Ended(CallEnd::Finished));

    let world = crate::world::world(|event| match event {
        Inbound::Call(_) => Answer::Plan(Plan::Reject(RejectReason::Busy)),
        _ => Answer::Ack,
    })
    .await;
    world.network.dial(world.buyer, &number(PROXY)).unwrap();
    assert_eq!(inbound_end(&world.heard().await), Some((CallState::Busy, None)));
    let call = &world.network.seen(world.buyer).unwrap().calls[0];
    assert_eq!((call.answered_at, &call.heard[..]), (None, &[Sound::Busy][..]));
}

/// A relay that can't be asked costs the caller the call, not the network its life.
#[tokio::test]
async fn a_call_without_an_answer_fails() {
    let world = world(|event| match event {
        Inbound::Call(_) => Answer::Nack,
        _ => Answer::Ack,
    })
    .await;
    world.network.dial(world.buyer, &number(PROXY)).unwrap();
    assert_eq!(inbound_end(&world.heard().await).unwrap().0, CallState::Failed);
    assert_eq!(stage(&world, world.buyer), CallStage::Ended(CallEnd::Failed));
}

fn placed() -> Outbound {
    Outbound::Call(OutboundCall {
        leg: leg(9),
        from: ProxyNumber::parse(PROXY).unwrap(),
        to: number(BUYER),
        ring_timeout: Duration::from_mins(1),
        duration_max: Duration::from_hours(1),
    })
}

/// A call that the relay places rings one side, then does what its plan says: click to call.
#[tokio::test]
async fn a_placed_call_rings_and_then_connects() {
    let plan = connect(&[SELLER]);
    let world = world(move |event| match event {
        Inbound::PlacedCallAnswered(_) => Answer::Plan(Plan::Connect(plan.clone())),
        Inbound::DialEnded(_) => Answer::Plan(Plan::Hangup),
        _ => Answer::Ack,
    })
    .await;
    let sent = world.send(&placed()).await.unwrap();
    assert_eq!(world.send(&placed()).await.unwrap(), sent, "the same key places no second call");
    let buyer = world.until(world.buyer, |view| view.call().is_some()).await;
    assert_eq!(buyer.calls.len(), 1);
    assert_eq!(buyer.calls[0].id.as_str(), sent.id);
    world.network.answer(world.buyer, &buyer.calls[0].id).unwrap();
    let seller = world.until(world.seller, |view| view.call().is_some()).await;
    world.network.answer(world.seller, &seller.calls[0].id).unwrap();
    world.until(world.buyer, |view| view.calls[0].heard.contains(&Sound::Person)).await;

    let end = Outbound::EndCall { id: sent.id };
    world.send(&end).await.unwrap();
    let heard = world.heard().await;
    assert_eq!(states(&heard, 9).last(), Some(&CallState::Completed));
    assert_eq!(states(&heard, 2).last(), Some(&CallState::Completed));
    assert_eq!(dialled(&heard).state, CallState::Completed);
    assert_eq!(stage(&world, world.buyer), CallStage::Ended(CallEnd::Finished));
    world.send(&end).await.expect("a call that is over can be ended again");
    let unknown = world.send(&Outbound::EndCall { id: String::from("call-of/another#one") }).await;
    assert_eq!(unknown.unwrap_err().carrier_code.as_deref(), Some("no-call"));
}

/// A call lasts no longer than its plan allows.
#[tokio::test]
async fn a_call_ends_after_its_longest_time() {
    let plan = Connect { duration_max: Duration::ZERO, ..connect(&[SELLER]) };
    let world = world(connects(plan)).await;
    let (_, ringing) = ring(&world, world.seller).await;
    world.network.answer(world.seller, &ringing).unwrap();
    world.until(world.buyer, |view| view.call().is_none()).await;
    assert_eq!(dialled(&world.heard().await).state, CallState::Completed);
}

/// What does not fit the call's point is refused and changes nothing.
#[tokio::test]
async fn acts_fit_the_moment() {
    let world = Arc::new(world(connects(connect(&[SELLER]))).await);
    let (dialling, ringing) = ring(&world, world.seller).await;
    let network = &world.network;
    assert_eq!(network.answer(world.buyer, &dialling), Err(ActionError::NotNow));
    assert_eq!(network.answer(world.buyer, &ringing), Err(ActionError::NoCall));
    assert_eq!(network.hang_up(world.seller, &ringing), Err(ActionError::NotNow));
    assert_eq!(network.press(world.seller, &ringing, '1'), Err(ActionError::NotNow));
    assert_eq!(network.press(world.seller, &ringing, 'x'), Err(ActionError::NoKey));
    network.answer(world.seller, &ringing).unwrap();
    assert_eq!(network.decline(world.seller, &ringing), Err(ActionError::NotNow));
    network.hang_up(world.seller, &ringing).unwrap();
    assert_eq!(network.hang_up(world.seller, &ringing), Err(ActionError::NoCall));
    world.heard().await;
    assert!(network.seen(world.buyer).unwrap().call().is_none());
}
