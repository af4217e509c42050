//! Orders to keep what would be deleted: placed, and lifted.

use super::{Error, error::Fault};
use crate::{
    domain::{
        audit::{Action, Detail, Entry, Reason},
        phone::Identifier,
    },
    ids::{AccountId, HoldId, SessionId},
    store::{
        Tx, accounts, audit,
        legal_holds::{self as rows, Case, Held, LegalHold},
        retention::runs,
        sessions,
    },
};

/// How many holds of an account may be in force: each row that is to go is compared with them.
pub const HOLDS_MAX: i64 = 1000;

/// What is to be held.
#[derive(Debug, Clone)]
pub enum HoldOn {
    /// A session.
    Session(SessionId),
    /// Whoever has this number.
    Person(Identifier),
}

/// A hold to place.
#[derive(Debug, Clone)]
pub struct NewHold {
    /// On what.
    pub on: HoldOn,
    /// The case.
    pub case: Case,
    /// Why.
    pub reason: Reason,
}

/// Places a legal hold: nothing of it is deleted from now on.
///
/// # Errors
/// [`Error::NotFound`] if there is no such session, deleted or not; [`Error::Invalid`] where a thousand are in
/// force.
pub async fn place_hold(
    tx: &mut Tx,
    account: &AccountId,
    new: &NewHold,
) -> Result<LegalHold, Error> {
    // What the nightly job is at goes before this is answered; what it comes to later sees the hold.
    runs::wait(tx).await?;
    let held = match &new.on {
        HoldOn::Session(id) => {
            let known = sessions::lock(tx, account, id).await?;
            known.ok_or(Error::NotFound("session"))?;
            Held::Session(id.clone())
        }
        HoldOn::Person(number) => {
            let keys = accounts::keys(tx, account).await?;
            Held::Person(keys.index.person(&number.canonical()), number.calling_code())
        }
    };
    if rows::in_force(tx, account).await? >= HOLDS_MAX {
        let words = "the account has 1000 legal holds in force: lift one first";
        return Err(Error::Invalid(vec![Fault::new("", "limit", words)]));
    }
    let now = tx.now().await?;
    let hold = LegalHold {
        id: tx.id_at(now),
        held,
        case: new.case.clone(),
        reason: new.reason.clone(),
        version: 1,
        created_at: now,
        lifted_at: None,
    };
    rows::insert(tx, account, &hold).await?;
    audit::append(tx, account, entry(Action::LegalHoldPlaced, &hold)).await?;
    Ok(hold)
}

/// Lifts a legal hold: what is too old goes the next night. Lifting it again changes nothing.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn lift_hold(tx: &mut Tx, account: &AccountId, id: &HoldId) -> Result<(), Error> {
    let hold = rows::get(tx, account, id).await?.ok_or(Error::NotFound("legal hold"))?;
    let now = tx.now().await?;
    if rows::lift(tx, account, id, now).await? {
        audit::append(tx, account, entry(Action::LegalHoldLifted, &hold)).await?;
    }
    Ok(())
}

/// Its case and reason stay where they are sealed.
fn entry(action: Action, hold: &LegalHold) -> Entry {
    let entry = Entry::new(action, hold.id.as_str());
    match &hold.held {
        Held::Session(session) => {
            entry.with(Detail::Kind, "session").with(Detail::Session, session.as_str())
        }
        Held::Person(..) => entry.with(Detail::Kind, "person"),
    }
}
