//! After a change of the rules on numbers: each number is judged again, once.

use super::inventory::standing;
use crate::{
    domain::audit::{Action, Detail, Entry},
    ids::AccountId,
    store::{
        self, Db, Tx, accounts, audit, meta,
        numbers::{self, Number, NumberState},
    },
};

/// How many numbers one transaction judges.
const BATCH: i64 = 500;

/// Judges every number by the rules and permits of this process, if the last that did so had others;
/// how many it found to stand otherwise.
///
/// # Errors
/// The store's.
pub async fn judge_numbers(db: &Db) -> Result<usize, store::Error> {
    let mut tx = db.read().await?;
    if judged(&mut tx).await? {
        return Ok(0);
    }
    let accounts = accounts::all(&mut tx).await?;
    drop(tx);
    let mut changed = 0;
    for account in accounts {
        let mut from = Some(String::new());
        while let Some(after) = from {
            let id = account.id.clone();
            let (count, next) = db
                .write(move |tx| {
                    let (id, after) = (id.clone(), after.clone());
                    Box::pin(async move { batch(tx, &id, &after).await })
                })
                .await?;
            changed += count;
            from = next;
        }
    }
    db.write(move |tx| {
        Box::pin(async move {
            let rules = tx.permits().rules();
            meta::set_number_rules(tx, &rules).await?;
            if changed == 0 {
                return Ok(());
            }
            let entry = Entry::new(Action::NumbersJudged, "");
            let entry = entry.with(Detail::Count, changed.to_string());
            audit::append_installation(tx, entry).await
        })
    })
    .await?;
    Ok(changed)
}

/// How many numbers stand otherwise by the rules and permits of this process.
///
/// # Errors
/// The store's.
pub async fn misjudged(tx: &mut Tx) -> Result<usize, store::Error> {
    if judged(tx).await? {
        return Ok(0);
    }
    let mut count = 0;
    for account in accounts::all(tx).await? {
        let mut after = String::new();
        loop {
            let all = numbers::Filter::default();
            let page = numbers::list(tx, &account.id, &all, &after, BATCH).await?;
            count += page.iter().filter(|one| otherwise(tx, one).is_some()).count();
            match page.last() {
                Some(last) => last.id.as_str().clone_into(&mut after),
                None => break,
            }
        }
    }
    Ok(count)
}

/// What stands for and against a number in use, where that is not what it has.
fn otherwise(tx: &Tx, number: &Number) -> Option<(bool, Option<String>)> {
    let now = standing(tx, &number.number);
    let same = now.0 == number.barred && now.1 == number.permit;
    (!same && number.state != NumberState::Retired).then_some(now)
}

/// Whether the numbers were judged by the rules and permits of this process.
async fn judged(tx: &mut Tx) -> Result<bool, store::Error> {
    let rules = tx.permits().rules();
    Ok(meta::number_rules(tx).await?.is_some_and(|there| there == rules))
}

async fn batch(
    tx: &mut Tx,
    account: &AccountId,
    after: &str,
) -> Result<(usize, Option<String>), store::Error> {
    let page = numbers::list(tx, account, &numbers::Filter::default(), after, BATCH).await?;
    let now = tx.now().await?;
    let mut changed = 0;
    for before in &page {
        let Some((barred, permit)) = otherwise(tx, before) else { continue };
        let mut after = before.clone();
        (after.barred, after.permit) = (barred, permit);
        after.version += 1;
        after.updated_at = now;
        if !numbers::update(tx, account, before, &after).await? {
            // Somebody changed it meanwhile.
            return Err(store::Error::Transient);
        }
        changed += 1;
    }
    Ok((changed, page.last().map(|one| one.id.to_string())))
}
