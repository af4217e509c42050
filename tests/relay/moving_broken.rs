//! Moves off a number that are broken off, repeated, done on several nodes at once, or come one upon the
//! other: nobody is moved twice, and no pair of person and number is freed.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use entremise::{
    domain::{
        number_move::{MoveState, StepState},
        policy::Rules,
        session::Mode,
    },
    egress::Egress,
    ids::{NumberId, SessionId},
    relay::{self, Carriers, Client, NewMove, Relay},
    store::{
        Error as StoreError, Mishap, Mishaps, accounts, holds, number_move_steps as steps,
        number_moves::{self, Move, Off, Tally},
        numbers,
    },
};
use futures_util::future::join_all;

use crate::{
    market::{Market, Opened},
    moving_stage::{ELSEWHERE, Stage, place_of},
    poison::sql,
    rng::{self, Rng},
    support::{self, CARRIER, World},
};

/// The use cases as another node runs them, which may have mishaps.
pub(crate) fn node(stage: &Stage, mishaps: Option<Arc<dyn Mishaps>>) -> Relay {
    let db = stage.market.relay.db();
    let db = mishaps.map_or_else(|| db.clone(), |mishaps| db.with_mishaps(mishaps));
    Relay::new(db, Carriers::default(), Client::new(), Egress::default())
}

/// Several nodes at once move nobody twice: each person has one step, and they add up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_at_once_move_nobody_twice() {
    for database in support::databases().await {
        let stage = Stage::open(&database, 40, &[CARRIER; 3]).await;
        let market = &stage.market;
        let mut sessions = Vec::new();
        for pair in 0..20 {
            sessions.push(market.session([2 * pair, 2 * pair + 1], 0, None).await.unwrap());
        }
        let off = stage.number(0);
        let mut before = 0;
        for session in &sessions {
            before += stage.people(&session.id).await.iter().filter(|p| p.number_id == off).count();
        }
        assert!(before > 5, "{before} people on it");
        let row = stage.begin(stage.off(0)).await.unwrap();
        let nodes: Vec<Relay> = (0..4).map(|_| node(&stage, None)).collect();
        let work = nodes.iter().map(|node| node.move_on(&market.account, &row.id));
        for done in join_all(work).await {
            done.unwrap();
        }
        let row = stage.end(&row).await;
        assert_eq!(row.tally, Tally { moved: i64::try_from(before).unwrap(), ..Tally::default() });
        let mut tx = market.relay.db().read().await.unwrap();
        let steps = steps::list(&mut tx, &market.account, &row.id, "", 1000).await.unwrap();
        assert_eq!(steps.len(), before);
        drop(tx);
        stage.close(database).await;
    }
}

/// Fails every third write, before its commit or after it.
#[derive(Default)]
struct Third(AtomicU64);

impl Mishaps for Third {
    fn next(&self) -> Option<Mishap> {
        match self.0.fetch_add(1, Ordering::SeqCst) % 6 {
            2 => Some(Mishap::BeforeCommit),
            5 => Some(Mishap::AnswerLost),
            _ => None,
        }
    }
}

/// A move that is broken off between sessions goes on where it was: everybody is moved once, and undone once.
#[tokio::test]
async fn a_move_that_is_broken_off_goes_on() {
    for database in support::databases().await {
        let stage = Stage::open(&database, 20, &[CARRIER; 3]).await;
        let market = &stage.market;
        let mut sessions = Vec::new();
        for pair in 0..10 {
            sessions.push(market.session([2 * pair, 2 * pair + 1], 0, None).await.unwrap());
        }
        let row = stage.begin(stage.off(0)).await.unwrap();
        let broken = node(&stage, Some(Arc::new(Third::default())));
        let go_on = async |row: &Move| {
            let mut breaks = 0;
            for _ in 0..1000 {
                match broken.move_on(&market.account, &row.id).await {
                    Ok(row) if !row.state.is_open() => return (row, breaks),
                    Ok(_) => {}
                    Err(relay::Error::Store(StoreError::Unavailable(_))) => breaks += 1,
                    Err(error) => panic!("{error:?}"),
                }
            }
            panic!("the move does not end")
        };
        let (done, breaks) = go_on(&row).await;
        assert!(breaks > 1 && done.tally.moved > 1 && done.tally.kept == 0, "{breaks} {done:?}");
        let (account, id) = (market.account.clone(), row.id.clone());
        let undoing = market.relay.db().write(move |tx| {
            let (account, id) = (account.clone(), id.clone());
            Box::pin(async move { relay::undo_move(tx, &account, &id, None).await })
        });
        let (undone, _) = go_on(&undoing.await.unwrap()).await;
        assert_eq!((undone.tally.undone, undone.tally.not_undone), (done.tally.moved, 0));
        for session in &sessions {
            assert_eq!(stage.dials(&session.id).await, session.dials);
        }
        stage.close(database).await;
    }
}

/// A session of which nothing can be read stays, and is noted; its neighbours are moved, and the move ends.
#[tokio::test]
async fn i32_a_session_that_cannot_be_read_keeps_no_other_back() {
    for database in support::databases().await {
        let stage = Stage::open(&database, 6, &[CARRIER; 3]).await;
        let market = &stage.market;
        let mut sessions = Vec::new();
        for pair in [[0, 1], [2, 3], [4, 5]] {
            sessions.push(market.pair(pair, [0, 1], Mode::VoiceAndMessage).await.unwrap());
        }
        let bad = &sessions[1].id;
        let spoil = format!("UPDATE participants SET number = 'rubbish' WHERE session = '{bad}'");
        sql(&database, &spoil).await;
        let row = stage.moved(stage.off(0)).await;
        assert_eq!(row.state, MoveState::Done);
        assert_eq!(row.tally, Tally { moved: 2, kept: 1, ..Tally::default() }, "{}", database.name);
        let mut tx = market.relay.db().read().await.unwrap();
        let steps = steps::of_session(&mut tx, &market.account, &row.id, bad).await.unwrap();
        drop(tx);
        assert_eq!((steps.len(), steps[0].state), (1, StepState::Kept));
        let spoilt = "UPDATE participants SET number = '+14155550100' WHERE number = 'rubbish'";
        sql(&database, spoilt).await;
        stage.close(database).await;
    }
}

/// A running relay goes on with moves by itself.
#[tokio::test]
async fn the_server_goes_on_with_moves() {
    for database in support::databases().await {
        let mut config = support::settings(&database);
        config.jobs.poll = Duration::from_millis(10);
        let world = World::with(config).await;
        let market = Market::open(&world, 2, 3, Rules::new("Bikes".into())).await;
        let stage = Stage { world, market };
        let session = stage.market.session([0, 1], 0, None).await.unwrap();
        let off = place_of(&session, &stage.market, 0);
        let row = stage.begin(stage.off(off)).await.unwrap();
        let state = async || {
            let mut tx = stage.market.relay.db().read().await.unwrap();
            let found = number_moves::get(&mut tx, &stage.market.account, &row.id);
            found.await.unwrap().unwrap().state
        };
        support::until(async || state().await == MoveState::Done).await;
        assert_ne!(stage.dials(&session.id).await[0], session.dials[0]);
        stage.close(database).await;
    }
}

/// A pair that ever meant a session, and between whom.
type Meant = HashMap<(usize, NumberId), (SessionId, [usize; 2])>;

/// I1, I4: whatever is opened, closed, reopened, moved and moved back, each pair of person and number that
/// ever meant a session means that one, or a later one of the same two, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_i4_no_pair_is_freed_by_a_move() {
    for database in support::databases().await {
        let seed = rng::any();
        println!("{}: seed {seed}", database.name);
        let mut rng = Rng::new(seed);
        let carriers = [CARRIER, CARRIER, CARRIER, ELSEWHERE, ELSEWHERE, ELSEWHERE];
        let stage = Stage::open(&database, 6, &carriers).await;
        let market = &stage.market;
        let (mut sessions, mut moves) = (Vec::<(Opened, [usize; 2])>::new(), Vec::new());
        let mut meant = Meant::new();
        for _ in 0..160 {
            match rng.below(10) {
                0..3 => {
                    let people = [rng.below(3) * 2, rng.below(3) * 2 + 1];
                    if let Ok(opened) = market.session(people, 0, None).await {
                        sessions.push((opened, people));
                    }
                }
                3 if !sessions.is_empty() => {
                    market.close(&sessions[rng.below(sessions.len())].0.id).await.unwrap();
                }
                4 if !sessions.is_empty() => {
                    // It may be open, or its numbers in use.
                    let _ = market.reopen(&sessions[rng.below(sessions.len())].0.id).await;
                }
                5..7 => moves.push(stage.moved(stage.off(rng.below(6))).await),
                7 => {
                    let carrier = carriers[rng.below(6)].to_owned();
                    let new = NewMove { off: Off::Carrier(carrier), ..stage.off(0) };
                    moves.push(stage.moved(new).await);
                }
                8 => {
                    for place in 0..6 {
                        stage.give_out(place).await;
                    }
                }
                _ if !moves.is_empty() => {
                    stage.undo(&moves[rng.below(moves.len())]).await;
                }
                _ => {}
            }
            audit(&stage, &sessions, &mut meant).await;
        }
        let moved: i64 = moves.iter().map(|row| row.tally.moved).sum();
        assert!(moved > 5, "nothing was moved to speak of: {moved}");
        stage.close(database).await;
    }
}

async fn audit(stage: &Stage, sessions: &[(Opened, [usize; 2])], meant: &mut Meant) {
    let market = &stage.market;
    let mut tx = market.relay.db().read().await.unwrap();
    let keys = accounts::keys(&mut tx, &market.account).await.unwrap();
    let mut live = HashMap::new();
    for (opened, people) in sessions {
        let view = relay::view(&mut tx, &market.account, &opened.id).await.unwrap();
        let open = view.session.closed_reason.is_none();
        live.insert(opened.id.clone(), open);
        let mut carriers = Vec::new();
        for (place, who) in people.iter().zip(&view.participants) {
            if open {
                let number = numbers::get(&mut tx, &market.account, &who.number_id).await.unwrap();
                carriers.push(number.unwrap().carrier);
                meant.insert((*place, who.number_id.clone()), (opened.id.clone(), *people));
            }
        }
        carriers.dedup();
        assert!(carriers.len() <= 1, "I17: {} is at {carriers:?}", opened.id);
    }
    for ((place, number), (session, people)) in meant.iter() {
        let person = keys.index.person(&market.people[*place].number.canonical());
        let hold = holds::find(&mut tx, &market.account, number, &person).await.unwrap().unwrap();
        if live[session] {
            assert!(hold.open && hold.session == *session, "I1: {place} on {number}: {hold:?}");
        } else if hold.session != *session {
            let other = sessions.iter().find(|(opened, _)| opened.id == hold.session).unwrap();
            assert_eq!(other.1, *people, "I4: {place} on {number}");
        }
    }
    assert_eq!(holds::doubled(&mut tx).await.unwrap(), 0, "I1");
}
