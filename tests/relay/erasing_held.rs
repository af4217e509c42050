//! What a legal hold keeps from being erased, and what it does not.

use entremise::{
    domain::{audit::Reason, erasure::ErasureState, phone::Identifier, session::State},
    ids::{ErasureId, HoldId},
    relay::{self, HoldOn, NewHold, Subject},
    store::{legal_holds::Case, sessions},
};

use crate::{
    erasing::{self, Stage},
    support,
};

async fn hold(stage: &Stage, on: HoldOn) -> HoldId {
    let new = NewHold {
        on,
        case: Case::parse("Police 2026-117").unwrap(),
        reason: Reason::parse("fraud report").unwrap(),
    };
    let account = stage.market.account.clone();
    let placed = stage.world.running.relay.db().write(move |tx| {
        let (account, new) = (account.clone(), new.clone());
        Box::pin(async move { relay::place_hold(tx, &account, &new).await })
    });
    placed.await.unwrap().id
}

async fn lift(stage: &Stage, id: &HoldId) {
    let (account, id) = (stage.market.account.clone(), id.clone());
    let lifted = stage.world.running.relay.db().write(move |tx| {
        let (account, id) = (account.clone(), id.clone());
        Box::pin(async move { relay::lift_hold(tx, &account, &id).await })
    });
    lifted.await.unwrap();
}

async fn begin(stage: &Stage, number: &Identifier) -> Result<ErasureId, relay::Error> {
    let (account, number) = (stage.market.account.clone(), number.clone());
    let begun = stage.world.running.relay.db().write(move |tx| {
        let (account, subject) = (account.clone(), Subject::Number(number.clone()));
        Box::pin(async move { relay::begin_erasure(tx, &account, &subject).await })
    });
    begun.await.map(|one| one.id)
}

/// Nobody is erased who is held, of whom a session is, or who was in a session with somebody who is: the answer
/// names the hold, and nothing is changed, nor by a dry run. Others are; and all are once it was lifted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_legal_hold_keeps_people() {
    for database in support::databases().await {
        let stage = Stage::set(&database).await;
        let relay = &stage.world.running.relay;
        let person = |place: usize| stage.market.people[place].number.clone();
        for on in [
            HoldOn::Person(person(0)),
            HoldOn::Session(stage.closed.id.clone()),
            // They spoke with the one who is held.
            HoldOn::Person(person(1)),
        ] {
            let held = hold(&stage, on).await;
            let refused = begin(&stage, &person(0)).await;
            assert!(
                matches!(&refused, Err(relay::Error::LegalHold(id)) if *id == held),
                "{refused:?}"
            );
            let tried = relay.try_erasure(&stage.market.account, &Subject::Number(person(0))).await;
            assert!(matches!(&tried, Err(relay::Error::LegalHold(id)) if *id == held), "{tried:?}");
            begin(&stage, &person(5)).await.unwrap();
            lift(&stage, &held).await;
        }
        let mut tx = relay.db().read().await.unwrap();
        let open = sessions::get(&mut tx, &stage.market.account, &stage.open.id).await.unwrap();
        assert_ne!(open.unwrap().state, State::Closed);
        drop(tx);
        let id = stage.erase().await;
        assert_eq!(stage.erasure(&id).await.state, ErasureState::Waiting);
        // Of the holds that were lifted nothing leads to them either.
        let rows = crate::leftovers::dump(&database).await;
        let holds = rows.iter().filter(|row| row.table == "legal_holds");
        for row in holds {
            assert_ne!(row.values["person"], stage.person.as_str());
        }
        stage.world.running.shutdown().await;
        database.drop().await;
    }
}

/// One that is placed while an erasure is under way stops it before what is held; once it was lifted the erasure
/// goes on by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_stops_what_is_under_way() {
    for database in support::databases().await {
        let stage = Stage::set(&database).await;
        let (relay, account) = (&stage.world.running.relay, &stage.market.account);
        let id = begin(&stage, &erasing::number(&stage.market)).await.unwrap();
        let held = hold(&stage, HoldOn::Session(stage.open.id.clone())).await;
        relay.list_owed().await.unwrap();
        while relay.erase_on(account, &id).await.unwrap() {}
        let one = stage.erasure(&id).await;
        assert_eq!(one.state, ErasureState::Running, "{}", database.name);
        let rows = crate::leftovers::dump(&database).await;
        let there = |session: &str| {
            let of = |row: &&crate::leftovers::Row| {
                row.table == "participants" && row.values["session"] == session
            };
            rows.iter().filter(of).any(|row| row.values["person"] == stage.person.as_str())
        };
        assert!(there(stage.open.id.as_str()), "it is kept");
        lift(&stage, &held).await;
        stage.world.clock.advance(11 * 60_000);
        relay.work_erasures().await.unwrap();
        assert_eq!(stage.erasure(&id).await.state, ErasureState::Waiting, "{}", database.name);
        let ring = relay.db().keyring().clone();
        erasing::nothing_is_left(&database, &ring, &stage.digits()).await;
        stage.world.running.shutdown().await;
        database.drop().await;
    }
}

/// A hold that only the backup has does not bring back whom the list has: it was lifted before they were erased.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_in_a_backup_brings_nobody_back() {
    for database in support::databases().await {
        let stage = Stage::set(&database).await;
        let held = hold(&stage, HoldOn::Session(stage.open.id.clone())).await;
        let (stage, copy) = Box::pin(stage.copied(&database)).await;
        lift(&stage, &held).await;
        stage.erase().await;
        let (config, digits, clock) =
            (stage.config.clone(), stage.digits(), stage.world.clock.clone());
        stage.world.running.shutdown().await;
        let restored = erasing::on(&config, &copy);
        erasing::fence(&restored).await;
        let running = support::run(restored, &clock).await.unwrap();
        let ring = running.relay.db().keyring().clone();
        erasing::nothing_is_left(&copy, &ring, &digits).await;
        running.shutdown().await;
        copy.drop().await;
        database.drop().await;
    }
}
