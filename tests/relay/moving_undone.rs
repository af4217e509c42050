//! Moves that are taken back: who stays where they are, and why; and what is left alone by a move because it
//! may have been done already.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::Duration,
};

use entremise::{
    domain::{
        interaction::Outcome,
        number_move::{MoveState, StepState},
        policy::Rules,
        session::Mode,
    },
    relay::{self, NewMove},
    store::{
        Mishap, Mishaps,
        number_moves::{Move, Off, Tally},
        numbers::NumberState,
    },
};
use http::StatusCode;
use tokio_util::task::TaskTracker;

use crate::{
    fake::{self, Api},
    market::Market,
    moving_broken::node,
    moving_stage::{ELSEWHERE, Stage, place_of},
    support::{self, CARRIER, World},
};

fn off_carrier(stage: &Stage, carrier: &str) -> NewMove {
    NewMove { off: Off::Carrier(carrier.into()), ..stage.off(0) }
}

/// I11: a text that its carrier may have taken is looked for where it was sent, and never sent by the number
/// that its recipient dials since.
#[tokio::test]
async fn i11_what_may_have_been_sent_is_not_sent_again() {
    for database in support::databases().await {
        let api = Api::start().await;
        let mut config = fake::settings(&database, &api);
        config.jobs.poll = Duration::from_mins(1);
        let world = World::with(config).await;
        api.keeps_time(&world.clock);
        let market = Market::at("twilio", &world, 2, 4, Rules::new("Bikes".into())).await;
        let stage = Stage { world, market };
        let session = stage.market.pinned([0, 1], Mode::VoiceAndMessage).await.unwrap();
        api.takes_but_answers(StatusCode::INTERNAL_SERVER_ERROR);
        let fields = [
            ("MessageSid", "SM1"),
            ("From", stage.market.people[0].number.expose()),
            ("To", session.dials[0].expose()),
            ("Body", "one"),
            ("NumMedia", "0"),
        ];
        fake::webhook(&stage.world, "/hooks/twilio/message", &fields).await;
        stage.world.running.jobs.idle().await;
        assert_eq!(api.taken(), ["one"]);
        stage.moved(stage.off(1)).await;
        assert_ne!(stage.dials(&session.id).await[1], session.dials[1]);
        for _ in 0..20 {
            stage.world.clock.advance(30_000);
            stage.world.running.jobs.idle().await;
        }
        assert_eq!(api.taken(), ["one"], "once, on {}", database.name);
        assert_eq!(api.asked()[0].fields["From"], session.dials[1].expose());
        let looked = api.lists().iter().filter(|url| url.contains("Messages")).count();
        assert!(looked > 0, "it was looked for");
        let log = support::interactions(&stage.world).await;
        assert!(log.iter().all(|one| one.outcome == Some(Outcome::Relayed)), "{log:?}");
        stage.close(database).await;
    }
}

/// Of two moves one after the other the first can't be taken back: it would take people off the number that
/// the second gave them.
#[tokio::test]
async fn who_was_moved_since_stays() {
    for database in support::databases().await {
        let stage = Stage::open(&database, 2, &[CARRIER; 4]).await;
        let session = stage.market.pinned([0, 1], Mode::VoiceAndMessage).await.unwrap();
        let first = stage.moved(stage.off(0)).await;
        let between = stage.dials(&session.id).await;
        let place = place_of(
            &crate::market::Opened { dials: between, ..session.clone() },
            &stage.market,
            0,
        );
        stage.moved(stage.off(place)).await;
        let there = stage.dials(&session.id).await;
        let undone = stage.undo(&first).await;
        assert_eq!((undone.tally.undone, undone.tally.not_undone), (0, 1));
        let why = (StepState::NotUndone, Some("moved_since".to_owned()));
        assert_eq!(stage.steps(&first, &session.id).await, [why]);
        assert_eq!(stage.dials(&session.id).await, there, "on {}", database.name);
        stage.close(database).await;
    }
}

/// Whoever left the session stays gone; an old number that has left its pool is dialled by nobody, and where
/// one of a session with calls can't go back to the old carrier nobody does.
#[tokio::test]
async fn who_cant_go_back_stays() {
    for database in support::databases().await {
        let stage = Stage::open(&database, 4, &[CARRIER, CARRIER, ELSEWHERE, ELSEWHERE]).await;
        let market = &stage.market;
        let left = market.pair([2, 3], [0, 1], Mode::MessageOnly).await.unwrap();
        let session = market.pinned([0, 1], Mode::VoiceAndMessage).await.unwrap();
        let row = stage.moved(off_carrier(&stage, CARRIER)).await;
        assert_eq!(row.tally.moved, 4);
        let there = stage.dials(&session.id).await;
        let people = stage.people(&left.id).await;
        let (account, id, gone) = (market.account.clone(), left.id.clone(), people[0].id.clone());
        let removed = market.relay.db().write(move |tx| {
            let (account, id, gone) = (account.clone(), id.clone(), gone.clone());
            Box::pin(
                async move { relay::remove_participant(tx, &account, &id, &gone).await.map(drop) },
            )
        });
        removed.await.unwrap();
        stage.set_state(0, NumberState::Retired).await;
        let undone = stage.undo(&row).await;
        assert_eq!((undone.tally.undone, undone.tally.not_undone), (1, 3));
        let reasons = async |session| {
            let steps = stage.steps(&row, session).await;
            let mut all: Vec<_> = steps.into_iter().map(|(_, why)| why).collect();
            all.sort();
            all
        };
        let why = |text: &str| Some(text.to_owned());
        assert_eq!(reasons(&left.id).await, [None, why("left")]);
        assert_eq!(reasons(&session.id).await, [why("carrier"), why("number_retired")]);
        assert_eq!(stage.dials(&session.id).await, there, "on {}", database.name);
        stage.close(database).await;
    }
}

/// An old number that means another session for somebody by now is theirs in that one.
#[tokio::test]
async fn who_has_another_session_there_stays() {
    for database in support::databases().await {
        let rules = Rules { quarantine: Duration::from_hours(1), ..Rules::new("Bikes".into()) };
        let stage = Stage::with(&database, 4, &[CARRIER; 4], rules).await;
        let market = &stage.market;
        let session = market.pinned([0, 1], Mode::VoiceAndMessage).await.unwrap();
        let row = stage.moved(stage.off(0)).await;
        let there = stage.dials(&session.id).await;
        market.close(&session.id).await.unwrap();
        stage.world.clock.advance(2 * 3_600_000);
        stage.give_out(0).await;
        let other = market.pair([0, 3], [0, 0], Mode::VoiceAndMessage).await.unwrap();
        market.reopen(&session.id).await.unwrap();
        let undone = stage.undo(&row).await;
        assert_eq!((undone.tally.undone, undone.tally.not_undone), (0, 1));
        let why = (StepState::NotUndone, Some("number_in_use".to_owned()));
        assert_eq!(stage.steps(&row, &session.id).await, [why]);
        assert_eq!(stage.dials(&session.id).await, there, "on {}", database.name);
        assert!(stage.text(0, &other.dials[0], 3).await.is_some(), "I1");
        stage.close(database).await;
    }
}

/// A number that was given out again by hand, and drained again by hand, is not the move's any more.
#[tokio::test]
async fn what_was_drained_by_hand_stays_so() {
    for database in support::databases().await {
        let stage = Stage::open(&database, 2, &[CARRIER; 3]).await;
        let row = stage.moved(stage.off(0)).await;
        assert_eq!(stage.row(0).await.state, NumberState::Draining);
        stage.give_out(0).await;
        stage.set_state(0, NumberState::Draining).await;
        assert_eq!(stage.undo(&row).await.state, MoveState::Undone);
        assert_eq!(stage.row(0).await.state, NumberState::Draining, "on {}", database.name);
        stage.close(database).await;
    }
}

/// Off a carrier nobody of a session with calls is moved where one of the two finds no number.
#[tokio::test]
async fn nobody_is_moved_off_a_carrier_alone() {
    for database in support::databases().await {
        let stage = Stage::open(&database, 6, &[CARRIER, CARRIER, ELSEWHERE, ELSEWHERE]).await;
        let market = &stage.market;
        let session = market.pinned([0, 1], Mode::VoiceAndMessage).await.unwrap();
        // The first has both numbers of the other carrier for others; for the second both are free.
        for (other, numbers) in [(3, [2, 3]), (5, [3, 2])] {
            market.pair([0, other], numbers, Mode::VoiceAndMessage).await.unwrap();
        }
        let row = stage.moved(off_carrier(&stage, CARRIER)).await;
        assert_eq!(row.tally, Tally { kept: 2, ..Tally::default() }, "on {}", database.name);
        assert_eq!(stage.dials(&session.id).await, session.dials);
        stage.close(database).await;
    }
}

/// Lets the second write wait until the test says so.
struct Gate {
    writes: AtomicUsize,
    reached: Mutex<mpsc::Sender<()>>,
    opens: Mutex<mpsc::Receiver<()>>,
}

/// Longer than anything of it takes.
const PATIENCE: Duration = Duration::from_mins(1);

impl Mishaps for Gate {
    fn next(&self) -> Option<Mishap> {
        if self.writes.fetch_add(1, Ordering::SeqCst) == 1 {
            self.reached.lock().unwrap().send(()).unwrap();
            self.opens.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        }
        None
    }
}

/// A node that read a move before it was turned moves nobody after it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_move_that_was_turned_moves_nobody_on() {
    for database in support::databases().await {
        let stage = Stage::open(&database, 2, &[CARRIER; 4]).await;
        let session = stage.market.pinned([0, 1], Mode::VoiceAndMessage).await.unwrap();
        let row = stage.begin(stage.off(0)).await.unwrap();
        let ((tell, reached), (open, opens)) = (mpsc::channel(), mpsc::channel());
        let gate = Gate {
            writes: AtomicUsize::new(0),
            reached: Mutex::new(tell),
            opens: Mutex::new(opens),
        };
        let slow = node(&stage, Some(Arc::new(gate)));
        let (account, id) = (stage.market.account.clone(), row.id.clone());
        let late = TaskTracker::new().spawn(async move { slow.move_on(&account, &id).await });
        tokio::task::block_in_place(|| reached.recv_timeout(PATIENCE)).unwrap();
        let undone: Move = stage.undo(&row).await;
        assert_eq!(undone.state, MoveState::Undone);
        open.send(()).unwrap();
        late.await.unwrap().unwrap();
        assert_eq!(stage.dials(&session.id).await, session.dials, "on {}", database.name);
        assert!(stage.steps(&row, &session.id).await.is_empty());
        stage.close(database).await;
    }
}
