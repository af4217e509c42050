//! What is found of a person by their keyed hash alone, beside their sessions and the log: it goes, or is counted
//! where it stays.

use super::{
    Error, Tx,
    carrier_records::{self, AtCarriers, Of},
    db::on,
};
use crate::{
    domain::{erasure::Erased, time::Timestamp},
    ids::{AccountId, ErasureId, hex},
    privacy::Person,
};

/// What goes: how it is counted, and the statement. What is needed to find another comes after it.
const GONE: &[(Option<Erased>, &str)] = &[
    (Some(Erased::Rings), "DELETE FROM rings WHERE account = $1 AND person = $2"),
    (Some(Erased::StickyNumbers), "DELETE FROM sticky_numbers WHERE account = $1 AND person = $2"),
    (Some(Erased::AnswerBudgets), "DELETE FROM answer_budgets WHERE account = $1 AND person = $2"),
    (Some(Erased::LongTexts), "DELETE FROM long_texts WHERE account = $1 AND person = $2"),
    (
        None,
        "DELETE FROM verification_sends WHERE account = $1 AND verification IN (
            SELECT id FROM verifications WHERE account = $1 AND person = $2)",
    ),
    (Some(Erased::Verifications), "DELETE FROM verifications WHERE account = $1 AND person = $2"),
    (Some(Erased::Verified), "DELETE FROM verified_people WHERE account = $1 AND person = $2"),
    (Some(Erased::FirstTexts), "DELETE FROM first_texts WHERE account = $1 AND person = $2"),
    (Some(Erased::OptOutProofs), "DELETE FROM cleared_opt_outs WHERE account = $1 AND person = $2"),
    (Some(Erased::Counters), "DELETE FROM tallies WHERE account = $1 AND subject = $2"),
    (Some(Erased::Counters), "DELETE FROM verification_limits WHERE account = $1 AND subject = $2"),
    (Some(Erased::Counters), "DELETE FROM probes WHERE account = $1 AND person = $2"),
    (Some(Erased::Counters), "DELETE FROM alerts WHERE account = $1 AND subject = $2"),
    (Some(Erased::Counters), "DELETE FROM calls_open WHERE account = $1 AND person = $2"),
];

/// What stays, counted.
const STAYS: &[(Erased, &str)] = &[
    (Erased::OptOutsKept, "SELECT COUNT(*) FROM opt_outs WHERE account = $1 AND person = $2"),
    (
        Erased::BlocksKept,
        "SELECT COUNT(*) FROM blocks WHERE account = $1 AND (blocker = $2 OR blocked = $2)",
    ),
    (
        Erased::StatutoryKept,
        "SELECT COUNT(*) FROM statutory_records WHERE account = $1 AND person = $2",
    ),
];

/// What a person had beside their sessions.
#[derive(Debug, Clone, Default)]
pub struct Besides {
    /// What went, and what stays, by class.
    pub counts: Vec<(Erased, u64)>,
    /// Carriers' records of codes that were sent, to be deleted there.
    pub records: AtCarriers,
    /// Until when the last record stays that a law wants kept.
    pub statutory_until: Option<Timestamp>,
}

/// Forgets what is found by a person's hash alone, and counts what stays.
pub async fn erase(
    tx: &mut Tx,
    account: &AccountId,
    erasure: &ErasureId,
    person: &Person,
    now: Timestamp,
) -> Result<Besides, Error> {
    const UNTIL: &str =
        "SELECT MAX(expires_at) FROM statutory_records WHERE account = $1 AND person = $2";
    let of = Of::Verified(person);
    let records = carrier_records::drop_owed(tx, account, erasure, of, true, now).await?;
    let mut counts = Vec::new();
    for (class, sql) in GONE {
        let gone = on!(tx, |conn| sqlx::query(*sql)
            .bind(account)
            .bind(person)
            .execute(conn)
            .await?
            .rows_affected());
        counts.extend(class.map(|class| (class, gone)));
    }
    for (class, sql) in STAYS {
        let found: i64 = on!(tx, |conn| sqlx::query_scalar(*sql)
            .bind(account)
            .bind(person)
            .fetch_one(conn)
            .await?);
        counts.push((*class, u64::try_from(found).unwrap_or(0)));
    }
    unname_holds(tx, account, person).await?;
    let until: Option<i64> = on!(tx, |conn| sqlx::query_scalar(UNTIL)
        .bind(account)
        .bind(person)
        .fetch_one(conn)
        .await?);
    Ok(Besides { counts, records, statutory_until: until.map(Timestamp::from_millis) })
}

/// Leaves of legal holds that were lifted the case, and of whom it was a hash of nobody.
async fn unname_holds(tx: &mut Tx, account: &AccountId, person: &Person) -> Result<(), Error> {
    const SQL: &str = "
        UPDATE legal_holds SET person = $3, calling_code = NULL
        WHERE account = $1 AND person = $2 AND lifted_at IS NOT NULL";
    let mut bytes = [0; 16];
    tx.random(&mut bytes);
    on!(tx, |conn| {
        sqlx::query(SQL).bind(account).bind(person).bind(hex(&bytes)).execute(conn).await?;
    });
    Ok(())
}
