//! Codes that are given back, and what ends a verification before that.

use super::end;
use crate::{
    domain::{
        audit::{Action, Entry},
        phone::Identifier,
        verification::{CHECKS_MAX, Code, GOOD_CODES, Status},
    },
    ids::{AccountId, VerificationId},
    relay::error::Error,
    store::{
        Tx, accounts, audit,
        verifications::{self, Verification},
        verified_people,
    },
};

/// What became of a code that was given back.
#[derive(Debug)]
pub struct Checked {
    /// Whether it was the right one.
    pub valid: bool,
    /// The verification as it is now.
    pub verification: Verification,
}

/// The verification, locked, while it waits for a code.
async fn pending(
    tx: &mut Tx,
    account: &AccountId,
    id: &VerificationId,
    version: Option<i64>,
) -> Result<Verification, Error> {
    let one = verifications::lock(tx, account, id).await?;
    let one = one.ok_or(Error::NotFound("verification"))?;
    if version.is_some_and(|version| version != one.version) {
        return Err(Error::VersionMismatch);
    }
    let status = match one.status {
        Status::Pending if tx.now().await? >= one.expires_at => Status::Expired,
        status => status,
    };
    if status == Status::Pending { Ok(one) } else { Err(Error::VerificationEnded(status)) }
}

/// Takes a code that somebody gave back. A right one ends the verification, and so does one wrong one too many.
///
/// # Errors
/// [`Error::NotFound`], [`Error::VersionMismatch`], [`Error::VerificationEnded`]: a code is good once.
pub async fn check_verification(
    tx: &mut Tx,
    account: &AccountId,
    id: &VerificationId,
    code: &Code,
    version: Option<i64>,
) -> Result<Checked, Error> {
    let mut one = pending(tx, account, id, version).await?;
    let now = tx.now().await?;
    let keys = accounts::keys(tx, account).await?;
    let limit = i64::try_from(GOOD_CODES).unwrap_or(1);
    let codes = verifications::codes(tx, account, id, limit).await?;
    // Each is compared, whichever it is: how long it takes tells nothing.
    let right = codes.iter().map(|stored| keys.index.is_code(id.as_str(), code, stored));
    let valid = right.fold(false, |any, one| any | one);
    if valid {
        end(tx, account, &mut one, Status::Verified, now).await?;
        verified_people::remember(tx, account, &one.person, now).await?;
        return Ok(Checked { valid, verification: one });
    }
    one.checks += 1;
    if one.checks >= CHECKS_MAX {
        end(tx, account, &mut one, Status::Failed, now).await?;
    } else {
        one.version += 1;
        one.updated_at = now;
        verifications::update(tx, account, &one).await?;
    }
    Ok(Checked { valid, verification: one })
}

/// Gives a verification up: its code is good no more.
///
/// # Errors
/// As [`check_verification`].
pub async fn cancel_verification(
    tx: &mut Tx,
    account: &AccountId,
    id: &VerificationId,
    version: Option<i64>,
) -> Result<Verification, Error> {
    let mut one = pending(tx, account, id, version).await?;
    let now = tx.now().await?;
    end(tx, account, &mut one, Status::Cancelled, now).await?;
    Ok(one)
}

/// Forgets that a number was verified, and every verification of it: whoever has it now shows it anew.
/// The same whether or not there was anything to forget. How often codes were sent to it goes on to count.
///
/// # Errors
/// The store's.
pub async fn forget_verified(
    tx: &mut Tx,
    account: &AccountId,
    number: &Identifier,
) -> Result<(), Error> {
    let person = accounts::keys(tx, account).await?.index.person(&number.canonical());
    for id in verifications::pending_of(tx, account, &person).await? {
        verifications::lock(tx, account, &id).await?;
    }
    verifications::erase(tx, account, &person).await?;
    verified_people::erase(tx, account, &person).await?;
    let entry = Entry::new(Action::VerificationForgotten, account.as_str());
    Ok(audit::append(tx, account, entry).await?)
}
