//! Moving a database: what is copied, in what order it is read, and what holds writes off.

use super::*;
use crate::store::moving::{self, Standing};

db_test!(every_row_arrives, writes_are_held_off);

/// Rows of more than one page arrive, each once, also where the key has a number, whose order is
/// not that of its digits; and a target that has any row is refused.
async fn every_row_arrives(lab: &Lab) {
    commit!(lab.db, [], |tx| {
        for number in 1..=450 {
            let value = if number % 2 == 0 { "NULL".to_owned() } else { number.to_string() };
            let row = format!(
                "INSERT INTO delivery_attempts
                     (account, endpoint, event, number, started_at, duration, status, outcome)
                 VALUES ('AC', 'EP', 'EV', {number}, 1, {value}, NULL, 'it''s {number}')"
            );
            run(tx, row).await?;
        }
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    let there = Lab::sqlite().await;
    for full in [false, true] {
        let from = lab.db.clone();
        let copied = commit!(there.db, [from], |tx| moving::copy(&from, tx).await).await;
        assert_eq!(copied.is_err(), full, "{copied:?}");
        let Ok(sums) = copied else { continue };
        let attempts = sums.iter().find(|sum| sum.table == "delivery_attempts").unwrap();
        assert_eq!(attempts.rows, 450);
        let mut tx = there.db.read().await.unwrap();
        assert_eq!(moving::sums(&mut tx).await.unwrap(), sums);
        let odd = "SELECT COUNT(*) FROM delivery_attempts WHERE duration = number AND number > 0";
        assert_eq!(count(&mut tx, odd).await.unwrap(), 225);
    }
    there.close().await;
}

/// While writes are held off every one fails as if the database were away, from another process
/// too; afterwards nothing is left of it.
async fn writes_are_held_off(lab: &Lab) {
    let write =
        "INSERT INTO blocks (account, blocker, blocked, created_at) VALUES ('a', 'b', 'c', 1)";
    commit!(lab.db, [], |tx| moving::hold_writes(tx).await).await.unwrap();
    let other = lab.second().await;
    for db in [&lab.db, &other] {
        let held = commit!(db, [], |tx| run(tx, write).await).await;
        assert!(matches!(held, Err(Error::Unavailable(_))), "{held:?}");
        let standing = moving::standing(&mut db.read().await.unwrap()).await.unwrap();
        assert_eq!(standing, Some(Standing::UnderWay));
    }
    commit!(other, [], |tx| moving::release_writes(tx).await).await.unwrap();
    commit!(lab.db, [], |tx| run(tx, write).await).await.unwrap();
    assert_eq!(moving::standing(&mut lab.db.read().await.unwrap()).await.unwrap(), None);
    other.close().await;
}
