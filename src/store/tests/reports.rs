//! What the console and `check` read: names, tallies, windows, counts, and a look from outside.

use super::*;
use crate::{
    domain::{event::EventKind, interaction::Outcome},
    ids::{InteractionId, SessionId},
    store::{
        Inspection, Schema, accounts,
        events::{self, Place, Window},
        interactions, legs,
        master_keys::Opener,
        meta,
        numbers::{self, NumberState},
        sessions::{self, Filter, Page},
    },
};

db_test!(
    accounts_are_paged,
    sessions_are_found_by_name_and_number,
    interactions_are_tallied,
    a_window_of_events,
    numbers_are_counted_by_carrier,
    a_look_changes_nothing,
);

/// Pages of accounts show each once, in order of the ids.
async fn accounts_are_paged(lab: &Lab) {
    for name in ["a", "b", "c", "d", "e"] {
        World::named(lab, name).await;
    }
    let mut tx = lab.db.read().await.unwrap();
    for limit in [1, 2, 5, 9] {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = accounts::list(&mut tx, &after, limit).await.unwrap();
            let Some(last) = page.last() else { break };
            after = last.id.to_string();
            seen.extend(page.into_iter().map(|one| one.id));
        }
        assert_eq!(seen.len(), 5);
        assert!(seen.is_sorted_by(|a, b| a < b));
    }
}

/// Sessions are found by their names, and by a number that somebody has or had; names are told for
/// those that have one.
async fn sessions_are_found_by_name_and_number(lab: &Lab) {
    let (world, other) = (World::named(lab, "one").await, World::named(lab, "two").await);
    let ids = world.numbers(&lab.db, 0, 2).await;
    let (named, plain) = commit!(lab.db, [world, ids], |tx| {
        let (named, plain) = (world.session(tx, at(1)).await?, world.session(tx, at(2)).await?);
        let name = "UPDATE sessions SET unique_name = 'trip'";
        run(tx, format!("{name} WHERE id = '{}'", named.id)).await?;
        world.join(tx, &plain, 1, (&ids[0], 0), "a").await?;
        Ok::<_, Error>((named.id, plain.id))
    })
    .await
    .unwrap();
    let mut tx = lab.db.read().await.unwrap();
    let both = [plain.clone(), named.clone()];
    let names = sessions::names(&mut tx, &world.account, &both).await.unwrap();
    assert_eq!(names, [(named.clone(), "trip".to_owned())]);
    assert!(sessions::names(&mut tx, &world.account, &[]).await.unwrap().is_empty());
    assert!(sessions::names(&mut tx, &other.account, &both).await.unwrap().is_empty());
    let none = Filter::default;
    let cases = [
        (Filter { unique_name: Some("trip".into()), ..none() }, vec![named.clone()]),
        (Filter { unique_name: Some("Trip".into()), ..none() }, vec![]),
        (Filter { number: Some(ids[0].clone()), ..none() }, vec![plain.clone()]),
        (Filter { number: Some(ids[1].clone()), ..none() }, vec![]),
    ];
    let page = Page { before: None, after: None, limit: 9 };
    for (filter, expected) in cases {
        let found = sessions::list(&mut tx, &world.account, &filter, &page).await.unwrap();
        assert_eq!(found.into_iter().map(|one| one.id).collect::<Vec<_>>(), expected);
        let foreign = sessions::list(&mut tx, &other.account, &filter, &page).await.unwrap();
        assert!(foreign.is_empty());
    }
}

/// Interactions are counted by session and outcome; among them those that reached nobody.
async fn interactions_are_tallied(lab: &Lab) {
    let world = World::new(lab).await;
    let (one, two): (SessionId, SessionId) = (world.id(), world.id());
    commit!(lab.db, [world, one, two], |tx| {
        let rows: [(_, _, &[&str]); 5] = [
            (&one, Some(Outcome::Relayed), &["received", "delivered"]),
            (&one, Some(Outcome::Relayed), &["received", "undelivered"]),
            (&one, Some(Outcome::Relayed), &["received", "undelivered", "delivered"]),
            (&one, None, &["queued"]),
            (&two, Some(Outcome::Failed), &[]),
        ];
        for (session, outcome, states) in rows {
            let mut interaction = world.interaction(Some(session));
            interaction.outcome = outcome;
            interactions::insert(tx, &world.account, &interaction).await?;
            for (position, state) in (0..).zip(states) {
                let mut leg = world.leg(&interaction.id, position);
                leg.state = (*state).to_owned();
                legs::insert(tx, &world.account, &leg).await?;
            }
        }
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    let mut tx = lab.db.read().await.unwrap();
    let both = [one.clone(), two.clone()];
    let tallies = interactions::tallies(&mut tx, &world.account, &both);
    let mut tallies: Vec<_> = tallies
        .await
        .unwrap()
        .into_iter()
        .map(|one| (one.session, one.outcome, one.count, one.undelivered))
        .collect();
    tallies.sort();
    let mut expected = [
        (one.clone(), None, 1, 0),
        (one, Some(Outcome::Relayed), 3, 1),
        (two, Some(Outcome::Failed), 1, 0),
    ];
    expected.sort();
    assert_eq!(tallies, expected);
    assert!(interactions::tallies(&mut tx, &world.account, &[]).await.unwrap().is_empty());
    // Only the newest of each session: of the first one the last, which is under way.
    let newest = interactions::newest_tallies(&mut tx, &world.account, &both, 1).await.unwrap();
    let counts: Vec<_> = newest.iter().map(|one| (one.outcome, one.count)).collect();
    assert_eq!(newest.len(), 2, "{newest:?}");
    assert!(
        counts.contains(&(None, 1)) && counts.contains(&(Some(Outcome::Failed), 1)),
        "{counts:?}"
    );
    assert_eq!(
        interactions::newest_tallies(&mut tx, &world.account, &both, 100).await.unwrap(),
        interactions::tallies(&mut tx, &world.account, &both).await.unwrap()
    );
    assert!(
        interactions::newest_tallies(&mut tx, &world.account, &[], 1).await.unwrap().is_empty()
    );
}

/// A window shows the events of its interactions and those of its time that belong to none, in the
/// order in which they happened.
async fn a_window_of_events(lab: &Lab) {
    let world = World::new(lab).await;
    let (mine, other): (InteractionId, InteractionId) = (world.id(), world.id());
    let made = commit!(lab.db, [world, mine, other], |tx| {
        let made = world.session(tx, at(0)).await?;
        for (ms, interaction) in
            (0..).zip([None, Some(&mine), None, Some(&other), None, Some(&mine), None])
        {
            let place = Place { session: Some(&made.id), interaction, ..Place::default() };
            events::insert(tx, &world.account, EventKind::SessionCreated, place, "{}", at(ms))
                .await?;
        }
        Ok::<_, Error>(made)
    })
    .await
    .unwrap();
    let mut tx = lab.db.read().await.unwrap();
    let both = [mine.clone()];
    for (interactions, limit, expected) in
        [(&both[..], 9, vec![2, 3, 5, 6]), (&both[..], 2, vec![2, 3]), (&[], 9, vec![3, 5])]
    {
        let window = Window { interactions, from: at(2), before: at(5) };
        let found = events::of_session(&mut tx, &world.account, &made.id, &window, limit).await;
        let found: Vec<i64> = found.unwrap().into_iter().map(|one| one.sequence).collect();
        assert_eq!(found, expected);
    }
}

/// Numbers in use are counted and listed by carrier over all accounts, without retired ones.
async fn numbers_are_counted_by_carrier(lab: &Lab) {
    let (one, two) = (World::named(lab, "one").await, World::named(lab, "two").await);
    one.numbers(&lab.db, 0, 3).await;
    let ids = two.numbers(&lab.db, 10, 12).await;
    commit!(lab.db, [two, ids], |tx| {
        let mut number = two.number(20);
        number.carrier = "b".into();
        numbers::insert(tx, &two.account, &number).await?;
        let before = numbers::get(tx, &two.account, &ids[0]).await?.unwrap();
        let mut after = before.clone();
        after.state = NumberState::Retired;
        after.version += 1;
        assert!(numbers::update(tx, &two.account, &before, &after).await?);
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    let mut tx = lab.db.read().await.unwrap();
    let counts = numbers::count_by_carrier(&mut tx).await.unwrap();
    assert_eq!(counts, [("a".to_owned(), 4), ("b".to_owned(), 1)]);
    for (carrier, limit, expected) in [("a", 9, 4), ("a", 2, 2), ("b", 9, 1), ("c", 9, 0)] {
        let found = numbers::of_carrier(&mut tx, carrier, limit).await.unwrap();
        assert_eq!(found.len(), expected, "{carrier}");
        assert!(found.is_sorted_by_key(|one| one.number.as_str().to_owned()));
    }
}

/// A look from outside sees the rows, the key and the migrations of a database that is in use, and
/// says of an empty one that all is pending; it makes nothing.
async fn a_look_changes_nothing(lab: &Lab) {
    let look = Inspection::open(&lab.options()).await.unwrap();
    assert_eq!(look.schema().await.unwrap(), Schema { pending: 0, foreign: 0 });
    assert_eq!(meta::key_id(&mut look.read().await.unwrap()).await.unwrap(), None);
    lab.db.claim(Opener::Command).await.unwrap();
    let mut tx = look.read().await.unwrap();
    let id = meta::key_id(&mut tx).await.unwrap();
    assert_eq!(id.as_deref(), Some(lab.keyring.key_id()));
    let write = "INSERT INTO meta (name, value) VALUES ('row', '')";
    assert!(run(&mut tx, write).await.is_err());
    drop(tx);
    commit!(lab.db, [], |tx| {
        run(tx, "UPDATE _sqlx_migrations SET version = 999 WHERE version = 1").await
    })
    .await
    .unwrap();
    let schema = look.schema().await.unwrap();
    assert_eq!((schema.pending, schema.foreign), (1, 0), "a later one that only adds is no fault");
    commit!(lab.db, [], |tx| {
        run(tx, "UPDATE meta SET value = '999' WHERE name = 'oldest_schema'").await
    })
    .await
    .unwrap();
    let schema = look.schema().await.unwrap();
    assert_eq!((schema.pending, schema.foreign), (1, 1));
    look.close().await;
    let file = Inspection::file(&lab.url).unwrap();
    assert_eq!(file.is_some(), lab.on_sqlite());
    if let Some(file) = file {
        assert_eq!(file, lab.file);
        let gone = file.with_file_name("gone.db");
        let options = DbOptions { url: format!("sqlite:{}", gone.display()), ..lab.options() };
        let refused = Inspection::open(&options).await.map(drop);
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
        assert!(!gone.exists());
    }
}
