//! Live sessions are moved off a number: the old and the new one both mean the session, nobody else gets
//! either pair, and taken back everything is as it was.

use entremise::{
    domain::{
        interaction::Outcome,
        message::Body,
        number_move::{MoveState, StepState, Why},
        opt_out::StopWords,
        policy::Rules,
        pool::Rule,
        session::Mode,
    },
    ids::NumberId,
    relay::{self, NewMove},
    sandbox::{CallStage, Faults},
    store::{
        number_moves::{self, Off, Tally},
        numbers::{self, NumberState},
    },
};

use crate::{
    moving_stage::{ELSEWHERE, Stage, place_of},
    support::{self, CARRIER},
};

/// I1, I2, I4: after a move a text and a call to the old number and to the new one reach the same person, who
/// answers by the new one; nobody's pair of either number means anything else before the session's end and
/// its quarantine, and then both are free.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_i2_i4_both_numbers_mean_the_session() {
    for database in support::databases().await {
        let stage = Stage::open(&database, 6, &[CARRIER; 3]).await;
        let market = &stage.market;
        let session = market.session([0, 1], 0, None).await.unwrap();
        let off = place_of(&session, market, 0);
        let row = stage.moved(stage.off(off)).await;
        assert_eq!((row.state, row.tally.kept), (MoveState::Done, 0));
        let [mine, theirs] = stage.dials(&session.id).await;
        let old = &session.dials[0];
        assert_ne!(&mine, old, "{}", database.name);
        for dialled in [old, &mine] {
            assert_eq!(stage.text(0, dialled, 1).await.as_ref(), Some(&theirs));
            let phones = [market.people[0].phone, market.people[1].phone];
            let call = market.network.dial(phones[0], dialled).unwrap();
            let rings = market.network.until(phones[1], |view| {
                view.call().is_some_and(|call| call.stage == CallStage::Ringing)
            });
            let rings = rings.await;
            assert_eq!(rings.call().unwrap().other.as_ref(), Some(&theirs), "I2");
            market.network.hang_up(phones[0], &call).unwrap();
            market.network.until(phones[1], |view| view.call().is_none()).await;
        }
        assert_eq!(stage.text(1, &theirs, 0).await.as_ref(), Some(&mine));

        // The third number is the only one that this person may get.
        let other = market.session([0, 3], 0, None).await.unwrap();
        assert!(other.dials[0] != *old && other.dials[0] != mine);
        let full = market.session([0, 5], 0, None).await;
        assert!(matches!(&full, Err(relay::Error::PoolExhausted(_))), "{full:?}");
        market.close(&session.id).await.unwrap();
        let full = market.session([0, 5], 0, None).await;
        assert!(
            matches!(&full, Err(relay::Error::PoolExhausted(why)) if why.rule == Rule::Quarantine),
            "I4: {full:?}"
        );
        let again = market.session([0, 1], 0, None).await.unwrap();
        assert_eq!(again.dials[0], mine, "the one that they dialled last");
        stage.close(database).await;
    }
}

/// A number from which everybody was moved can leave its pool, is given to nobody meanwhile, and guards its
/// pairs if it comes back; one that is still dialled can't.
#[tokio::test]
async fn a_number_that_was_left_can_retire() {
    for database in support::databases().await {
        let stage = Stage::open(&database, 4, &[CARRIER; 2]).await;
        let market = &stage.market;
        let session = market.session([0, 1], 0, None).await.unwrap();
        let off = place_of(&session, market, 0);
        let retire = async || {
            let (account, id) = (market.account.clone(), stage.number(off));
            let retired = market.relay.db().write(move |tx| {
                let (account, id) = (account.clone(), id.clone());
                Box::pin(async move {
                    let state = Some(NumberState::Retired);
                    let change = relay::UpdateNumber { state, ..Default::default() };
                    relay::update_number(tx, &account, &id, change, None).await
                })
            });
            retired.await
        };
        assert!(matches!(retire().await, Err(relay::Error::NumberHasSessions)));
        let row = stage.moved(stage.off(off)).await;
        assert!(row.tally.moved >= 1 && row.tally.kept == 0);
        assert_eq!(retire().await.unwrap().state, NumberState::Retired);
        let (account, service, id) =
            (market.account.clone(), market.service.clone(), stage.number(off));
        let back = market.relay.db().write(move |tx| {
            let (account, service, id) = (account.clone(), service.clone(), id.clone());
            Box::pin(async move { relay::restore_number(tx, &account, &id, &service, false).await })
        });
        assert_eq!(back.await.unwrap().id, stage.number(off));
        let again = market.session([0, 3], 0, None).await;
        assert!(matches!(&again, Err(relay::Error::PoolExhausted(_))), "I1: {again:?}");
        assert!(stage.text(0, &session.dials[0], 1).await.is_some(), "it still means the session");
        stage.close(database).await;
    }
}

/// Whoever has no other number to get is kept, with the rule that left none, and the move goes on with the
/// next; they are put through as before.
#[tokio::test]
async fn whoever_gets_no_number_is_kept() {
    for database in support::databases().await {
        let stage = Stage::open(&database, 4, &[CARRIER; 2]).await;
        let market = &stage.market;
        let one = market.session([0, 1], 0, None).await.unwrap();
        let other = market.session([0, 3], 0, None).await.unwrap();
        let alone = market.session([2, 1], 0, None).await.unwrap();
        let off = place_of(&one, market, 0);
        let tried =
            market.relay.try_move(&market.account, &stage.off(off), usize::MAX).await.unwrap();
        let row = stage.moved(stage.off(off)).await;
        let kept = (StepState::Kept, Some("in_use".to_owned()));
        let steps = stage.steps(&row, &one.id).await;
        assert!(steps.contains(&kept), "{steps:?}");
        assert_eq!(stage.dials(&one.id).await[0], one.dials[0]);
        assert!(stage.text(0, &one.dials[0], 1).await.is_some());
        for session in [&one, &other, &alone] {
            let there = stage.people(&session.id).await;
            let left = there.iter().filter(|who| who.number_id == stage.number(off)).count();
            let steps = stage.steps(&row, &session.id).await;
            let stay = steps.iter().filter(|(state, _)| *state == StepState::Kept).count();
            assert_eq!(left, stay, "{steps:?}");
        }
        assert_eq!(tried.kept.get("in_use").copied(), u64::try_from(row.tally.kept).ok());
        stage.close(database).await;
    }
}

/// A dry run changes nothing: neither numbers nor sessions, nor is anybody told.
#[tokio::test]
async fn a_dry_run_changes_nothing() {
    for database in support::databases().await {
        let stage = Stage::open(&database, 4, &[CARRIER; 3]).await;
        let market = &stage.market;
        let session = market.session([0, 1], 0, None).await.unwrap();
        let off = place_of(&session, market, 0);
        let new = NewMove { tell: Some(true), ..stage.off(off) };
        let tried = market.relay.try_move(&market.account, &new, usize::MAX).await.unwrap();
        assert_eq!(tried.sessions, 1);
        assert!(tried.moved >= 1 && tried.kept.is_empty());
        stage.world.running.idle().await;
        assert_eq!(stage.dials(&session.id).await, session.dials);
        assert!(stage.told(0).is_empty() && stage.told(1).is_empty());
        assert_eq!(stage.row(off).await.state, NumberState::Active);
        stage.close(database).await;
    }
}

/// Taken back, people dial their old numbers again, and both still mean the session; again changes nothing.
/// The number is given out again.
#[tokio::test]
async fn a_move_is_undone_once() {
    for database in support::databases().await {
        let stage = Stage::open(&database, 4, &[CARRIER; 3]).await;
        let market = &stage.market;
        let session = market.session([0, 1], 0, None).await.unwrap();
        let off = place_of(&session, market, 0);
        let row = stage.moved(stage.off(off)).await;
        let there = stage.dials(&session.id).await;
        let undone = stage.undo(&row).await;
        assert_eq!(undone.state, MoveState::Undone);
        assert_eq!((undone.tally.undone, undone.tally.not_undone), (row.tally.moved, 0));
        assert_eq!(stage.dials(&session.id).await, session.dials);
        for dialled in [&session.dials[0], &there[0]] {
            assert_eq!(stage.text(0, dialled, 1).await.as_ref(), Some(&session.dials[1]));
        }
        let again = stage.undo(&undone).await;
        assert_eq!((again.tally, again.version), (undone.tally, undone.version));
        assert_eq!(stage.row(off).await.state, NumberState::Active);
        stage.close(database).await;
    }
}

/// A session that was closed since is left as it is. One that was reopened as well has both numbers again,
/// and is moved back.
#[tokio::test]
async fn undone_after_a_close_and_a_reopening() {
    for database in support::databases().await {
        let stage = Stage::open(&database, 4, &[CARRIER; 3]).await;
        let market = &stage.market;
        for reopens in [false, true] {
            let session = market.session([0, 1], 0, None).await.unwrap();
            let row = stage.moved(stage.off(place_of(&session, market, 0))).await;
            let there = stage.dials(&session.id).await;
            market.close(&session.id).await.unwrap();
            if !reopens {
                let undone = stage.undo(&row).await;
                assert_eq!(undone.tally.undone, 0);
                let why = (StepState::NotUndone, Some("session_closed".to_owned()));
                assert!(stage.steps(&row, &session.id).await.contains(&why));
                assert_eq!(stage.dials(&session.id).await, there);
                continue;
            }
            market.reopen(&session.id).await.unwrap();
            assert!(stage.text(0, &session.dials[0], 1).await.is_some(), "the old one");
            assert!(stage.text(0, &there[0], 1).await.is_some(), "the new one");
            let undone = stage.undo(&row).await;
            assert_eq!((undone.tally.undone, undone.tally.not_undone), (row.tally.moved, 0));
            assert_eq!(stage.dials(&session.id).await, session.dials);
        }
        stage.close(database).await;
    }
}

/// A session with calls has the numbers of one carrier after a move, whichever way: alone where its carrier
/// has another, else everybody. A late call to the old number rings, from the number that its carrier has.
#[tokio::test]
async fn a_session_with_calls_keeps_to_one_carrier() {
    for database in support::databases().await {
        let carriers = [CARRIER, CARRIER, ELSEWHERE, ELSEWHERE];
        let stage = Stage::open(&database, 2, &carriers).await;
        let market = &stage.market;
        let session = market.pinned([0, 1], Mode::VoiceAndMessage).await.unwrap();
        // Person 0 has 0; its carrier has 1 beside it, which is free for them.
        let alone = stage.moved(stage.off(0)).await;
        assert_eq!(alone.tally, Tally { moved: 1, ..Tally::default() });
        assert_eq!(stage.people(&session.id).await[0].number_id, stage.number(1));
        // Both have 1 now, and nothing else is left at the carrier.
        let both = stage.moved(stage.off(1)).await;
        assert_eq!(both.tally, Tally { moved: 2, ..Tally::default() });
        let people = stage.people(&session.id).await;
        for who in &people {
            assert!([stage.number(2), stage.number(3)].contains(&who.number_id));
        }
        // An old number is called at its carrier, which may show only its own.
        let told = stage.call("late", 0, &session.dials[0]).await.to_string();
        assert!(told.contains(&session.dials[1].expose()[1..]), "{told}");
        for who in &people {
            assert!(!told.contains(&who.number.as_str()[1..]), "I17: {told}");
        }
        let undone = stage.undo(&both).await;
        assert_eq!(undone.tally.undone, 2);
        let people = stage.people(&session.id).await;
        assert!(people.iter().all(|who| who.number_id == stage.number(1)));
        stage.close(database).await;
    }
}

/// Off a whole carrier everybody gets numbers of another.
#[tokio::test]
async fn off_a_carrier() {
    for database in support::databases().await {
        let carriers = [CARRIER, CARRIER, ELSEWHERE];
        let stage = Stage::open(&database, 4, &carriers).await;
        let market = &stage.market;
        let first = market.pinned([0, 1], Mode::VoiceAndMessage).await.unwrap();
        let new = NewMove { off: Off::Carrier(CARRIER.into()), ..stage.off(0) };
        let row = stage.begin(new).await.unwrap();
        let second = market.session([2, 3], 0, None).await.unwrap();
        let row = stage.end(&row).await;
        assert_eq!(row.tally, Tally { moved: 2, ..Tally::default() });
        for session in [&first, &second] {
            let people = stage.people(&session.id).await;
            assert!(people.iter().all(|who| who.number_id == stage.number(2)));
        }
        // The carrier's numbers are in no pool any more: nobody else is put on them.
        let full = market.session([0, 3], 0, None).await;
        assert!(matches!(&full, Err(relay::Error::PoolExhausted(_))), "{full:?}");
        stage.close(database).await;
    }
}

/// A number that came to another carrier of ours stays what it is, and whoever is on the other side of a call
/// gets one of that carrier; undone, everything is as it was.
#[tokio::test]
async fn ported_to_another_carrier() {
    for database in support::databases().await {
        let carriers = [CARRIER, CARRIER, ELSEWHERE];
        let stage = Stage::open(&database, 2, &carriers).await;
        let market = &stage.market;
        let session = market.pinned([0, 1], Mode::VoiceAndMessage).await.unwrap();
        let new = NewMove { to_carrier: Some(ELSEWHERE.into()), why: Why::Ported, ..stage.off(1) };
        let row = stage.moved(new).await;
        assert_eq!(row.tally, Tally { moved: 1, ..Tally::default() });
        let people = stage.people(&session.id).await;
        assert_eq!(people[1].number_id, stage.number(1));
        assert_ne!(people[0].number_id, stage.number(0));
        let carrier = async |id: &NumberId| stage.number_of(id).await.carrier;
        for who in &people {
            assert_eq!(carrier(&who.number_id).await, ELSEWHERE);
        }
        assert_eq!(stage.row(1).await.state, NumberState::Active, "it stays in its pool");
        stage.undo(&row).await;
        assert_eq!(carrier(&stage.number(1)).await, CARRIER);
        assert_eq!(stage.dials(&session.id).await, session.dials);
        stage.close(database).await;
    }
}

/// A port is undone only where the number still is at the carrier that it brought it to: one that has gone on
/// since stays at the third, however the first is taken back.
#[tokio::test]
async fn a_number_that_went_on_stays_where_it_is() {
    for database in support::databases().await {
        let stage = Stage::open(&database, 2, &[CARRIER, CARRIER, ELSEWHERE]).await;
        let (market, why) = (&stage.market, Why::Ported);
        let to = |carrier: &str| Some(carrier.to_owned());
        let first = NewMove { to_carrier: to(ELSEWHERE), why, ..stage.off(1) };
        let first = stage.moved(first).await;
        let second = NewMove { to_carrier: to("third"), why, ..stage.off(1) };
        let second = stage.moved(second).await;
        let carrier = async || {
            let mut tx = market.relay.db().read().await.unwrap();
            let number = numbers::get(&mut tx, &market.account, &stage.number(1)).await.unwrap();
            number.unwrap().carrier
        };
        stage.undo(&first).await;
        assert_eq!(carrier().await, "third", "on {}", database.name);
        stage.undo(&second).await;
        assert_eq!(carrier().await, ELSEWHERE);
        stage.close(database).await;
    }
}

/// Taken back, a move gives out no number that something else wants out: one whose carrier is being left, or
/// that is to leave its pool. Once the other move is taken back as well, the number is given out.
#[tokio::test]
async fn numbers_that_are_to_go_are_not_given_out() {
    for database in support::databases().await {
        let stage = Stage::open(&database, 2, &[CARRIER, CARRIER, ELSEWHERE]).await;
        let market = &stage.market;
        let state = async |place: usize| {
            let mut tx = market.relay.db().read().await.unwrap();
            let number = numbers::get(&mut tx, &market.account, &stage.number(place)).await;
            number.unwrap().unwrap().state
        };
        let one = stage.moved(stage.off(0)).await;
        let all = NewMove { off: Off::Carrier(CARRIER.into()), ..stage.off(0) };
        let all = stage.moved(all).await;
        stage.undo(&one).await;
        assert_eq!(
            state(0).await,
            NumberState::Draining,
            "its carrier is left, on {}",
            database.name
        );
        stage.undo(&all).await;
        assert_eq!((state(0).await, state(1).await), (NumberState::Active, NumberState::Active));

        // Somebody dials it, so that it does not go at once.
        market.pinned([1, 1], Mode::VoiceAndMessage).await.unwrap();
        let row = stage.begin(stage.off(1)).await.unwrap();
        let (account, id) = (market.account.clone(), stage.number(1));
        let released = market.relay.db().write(move |tx| {
            let (account, id) = (account.clone(), id.clone());
            Box::pin(async move {
                let how =
                    relay::ReleaseNumber { at_carrier: Some(relay::AtCarrier::Keep), force: false };
                relay::release_number(tx, &account, &id, how, None, &|_| relay::Cancels::None).await
            })
        });
        released.await.unwrap();
        stage.undo(&row).await;
        assert_eq!(state(1).await, NumberState::Draining, "it is to leave, on {}", database.name);
        stage.close(database).await;
    }
}

/// A dry run off a carrier counts each session and each person once, though both numbers of a session are
/// at the carrier.
#[tokio::test]
async fn a_dry_run_off_a_carrier_counts_once() {
    for database in support::databases().await {
        let stage = Stage::open(&database, 4, &[CARRIER, CARRIER, ELSEWHERE]).await;
        let market = &stage.market;
        market.pair([0, 1], [0, 1], Mode::VoiceAndMessage).await.unwrap();
        market.pair([2, 3], [1, 0], Mode::VoiceAndMessage).await.unwrap();
        let new = NewMove { off: Off::Carrier(CARRIER.into()), ..stage.off(0) };
        let tried = market.relay.try_move(&market.account, &new, usize::MAX).await.unwrap();
        assert_eq!((tried.sessions, tried.moved), (2, 4), "on {}", database.name);
        let row = stage.moved(new).await;
        assert_eq!(row.tally, Tally { moved: 4, ..Tally::default() });
        stage.close(database).await;
    }
}

/// A session that comes upon the number while its neighbours are looked at, before the place where the work
/// is, is moved all the same.
#[tokio::test]
async fn whoever_comes_upon_the_number_late_is_moved() {
    for database in support::databases().await {
        let stage = Stage::open(&database, 4, &[CARRIER; 3]).await;
        let market = &stage.market;
        let late = market.pair([0, 1], [0, 1], Mode::VoiceAndMessage).await.unwrap();
        market.close(&late.id).await.unwrap();
        market.pair([2, 3], [0, 1], Mode::VoiceAndMessage).await.unwrap();
        let row = stage.begin(stage.off(0)).await.unwrap();
        let account = &market.account;
        let looked = loop {
            let now = market.relay.move_on(account, &row.id).await.unwrap();
            if now.tally.moved > 0 {
                break now;
            }
        };
        assert!(looked.state.is_open(), "it was ended before its time");
        market.reopen(&late.id).await.unwrap();
        let row = stage.end(&row).await;
        assert_eq!(row.tally, Tally { moved: 2, ..Tally::default() }, "on {}", database.name);
        assert_ne!(stage.people(&late.id).await[0].number_id, stage.number(0));
        stage.close(database).await;
    }
}

/// A move is kept for 90 days after it ended, its steps as long as somebody may be moved back, and itself as
/// long as there are any, or numbers that it took out of circulation.
#[tokio::test]
async fn old_moves_are_forgotten() {
    const DAYS_91_MS: i64 = 91 * 24 * 3_600_000;
    for database in support::databases().await {
        let stage = Stage::open(&database, 2, &[CARRIER; 3]).await;
        let market = &stage.market;
        let session = market.session([0, 1], 0, None).await.unwrap();
        let off = place_of(&session, market, 0);
        let row = stage.moved(stage.off(off)).await;
        let left = async || {
            market.relay.purge().await.unwrap();
            let steps = stage.steps(&row, &session.id).await.len();
            let mut tx = market.relay.db().read().await.unwrap();
            let found = number_moves::get(&mut tx, &market.account, &row.id).await.unwrap();
            (found.is_some(), steps > 0)
        };
        stage.world.clock.advance(DAYS_91_MS);
        assert_eq!(left().await, (true, true), "it can be taken back, on {}", database.name);
        market.close(&session.id).await.unwrap();
        assert_eq!(left().await, (true, false), "its number is out of circulation");
        stage.give_out(off).await;
        assert_eq!(left().await, (false, false));
        let young = stage.moved(stage.off(off)).await;
        market.relay.purge().await.unwrap();
        let mut tx = market.relay.db().read().await.unwrap();
        let found = number_moves::get(&mut tx, &market.account, &young.id).await.unwrap();
        assert!(found.is_some());
        drop(tx);
        stage.close(database).await;
    }
}

/// What no carrier took yet goes out by the new number, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_owed_goes_out_by_the_new_number() {
    for database in support::databases().await {
        let stage = Stage::open(&database, 2, &[CARRIER; 3]).await;
        let market = &stage.market;
        let session = market.session([0, 1], 0, None).await.unwrap();
        market.network.set_faults(Faults { fail_next: 1_000, ..Faults::default() });
        let phone = market.people[0].phone;
        for words in ["one", "two"] {
            market.network.text(phone, &session.dials[0], Body::new(words.into())).unwrap();
        }
        let owed = async || stage.world.running.relay.measure().await.unwrap();
        support::until(async || owed().await >= 2).await;
        // What a worker is at stays where it is.
        stage.world.running.jobs.idle().await;
        stage.moved(stage.off(place_of(&session, market, 1))).await;
        let [_, theirs] = stage.dials(&session.id).await;
        assert_ne!(theirs, session.dials[1]);
        market.network.set_faults(Faults::default());
        for _ in 0..20 {
            if owed().await == 0 {
                break;
            }
            stage.world.clock.advance(61_000);
            stage.world.running.idle().await;
        }
        let mut words = stage.told(1);
        words.sort();
        let from = theirs.expose().to_owned();
        assert_eq!(words, [(from.clone(), "one".into()), (from, "two".into())]);
        let log = support::interactions(&stage.world).await;
        assert!(log.iter().all(|one| one.outcome == Some(Outcome::Relayed)), "{log:?}");
        stage.close(database).await;
    }
}

/// Where the service says so each whose number changed is told once, from the new number and in the service's
/// language, and the session's time does not slide for it; nobody who wants no texts, and nobody where the
/// move says so. Somebody who stops texts on the old number gets none from the new one.
#[tokio::test]
async fn people_are_told_once() {
    for database in support::databases().await {
        let rules = Rules {
            tell_of_moves: true,
            language: "de-DE".into(),
            stop_words: StopWords::Number,
            ..Rules::new("Bikes".into())
        };
        let stage = Stage::with(&database, 4, &[CARRIER; 6], rules).await;
        let market = &stage.market;
        let stopped = market.pinned([0, 1], Mode::VoiceAndMessage).await.unwrap();
        market
            .network
            .text(market.people[1].phone, &stopped.dials[1], Body::new("STOP".into()))
            .unwrap();
        stage.world.running.idle().await;
        let first = stage.moved(stage.off(0)).await;
        stage.world.running.idle().await;
        assert_eq!(stage.told(0).len(), 1, "once: {:?}", stage.told(0));
        let second = stage.moved(stage.off(1)).await;
        assert!(first.tally.moved == 1 && second.tally.moved >= 1);
        stage.world.running.idle().await;
        let told = stage.told(0);
        let [mine, _] = stage.dials(&stopped.id).await;
        let (from, words) = told.last().unwrap();
        assert_eq!(from, mine.expose());
        assert!(words.starts_with("Bikes: ") && words.contains("ersetzt"), "{words}");
        assert!(words.contains(mine.expose()), "{words}");
        assert!(stage.told(1).is_empty(), "{:?}", stage.told(1));
        let mut tx = market.relay.db().read().await.unwrap();
        let view = relay::view(&mut tx, &market.account, &stopped.id).await.unwrap();
        drop(tx);
        assert_eq!(view.session.last_interaction_at, None, "nobody used the session");

        // The opt-out came along, and one on a number that was left holds for the one that came after.
        assert_eq!(stage.text(0, &mine, 1).await, None);
        market
            .network
            .text(market.people[0].phone, &stopped.dials[0], Body::new("STOP".into()))
            .unwrap();
        stage.world.running.idle().await;
        let [_, theirs] = stage.dials(&stopped.id).await;
        assert_eq!(stage.text(1, &theirs, 0).await, None);

        let quiet = market.session([2, 3], 0, None).await.unwrap();
        let off = place_of(&quiet, market, 0);
        stage.moved(NewMove { tell: Some(false), ..stage.off(off) }).await;
        stage.world.running.idle().await;
        assert_ne!(stage.dials(&quiet.id).await[0], quiet.dials[0]);
        assert!(stage.told(2).is_empty() && stage.told(3).is_empty());
        stage.close(database).await;
    }
}
