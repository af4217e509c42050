//! Opt-outs as the marketplace deals with them: recorded where somebody told it, cleared with a proof.

use super::{
    error::{Error, Fault},
    messages::{Told, Whose, tell_opt_out},
    reports::note_fault,
};
use crate::{
    domain::{
        audit::{Action, Detail, Entry},
        event::EventKind,
        message::Body,
        opt_out::{Scope, Source},
        phone::Identifier,
    },
    ids::{AccountId, NumberId, OptOutId, ServiceId},
    privacy::Person,
    store::{
        Tx, accounts, audit, numbers,
        opt_outs::{self, OptOut, Stored},
        services,
    },
};

/// What somebody wants no texts from.
#[derive(Debug, Clone)]
pub enum Reach {
    /// No number of the account.
    Account,
    /// None of this service.
    Service(ServiceId),
    /// Not this one.
    Number(NumberId),
}

/// Who has this number, as opt-outs know them.
pub async fn person_of(
    tx: &mut Tx,
    account: &AccountId,
    number: &Identifier,
) -> Result<Person, Error> {
    Ok(accounts::keys(tx, account).await?.index.person(&number.canonical()))
}

/// Records that somebody told the marketplace that they want no more texts; what stands now, and whether it is
/// new.
///
/// # Errors
/// [`Error::Invalid`] where there is no such service or number.
pub async fn record_opt_out(
    tx: &mut Tx,
    account: &AccountId,
    number: &Identifier,
    reach: &Reach,
) -> Result<(Stored, bool), Error> {
    let unknown = |pointer: &str, allowed: &str| {
        Err(Error::Invalid(vec![Fault::new(pointer, "unknown", allowed)]))
    };
    let (scope, value) = match reach {
        Reach::Account => (Scope::Account, account.as_str()),
        Reach::Service(id) => {
            if services::get(tx, account, id).await?.is_none() {
                return unknown("/service_id", "must be a service of the account");
            }
            (Scope::Service, id.as_str())
        }
        Reach::Number(id) => {
            if numbers::get(tx, account, id).await?.is_none() {
                return unknown("/number_id", "must be a number of the account");
            }
            (Scope::Number, id.as_str())
        }
    };
    let person = person_of(tx, account, number).await?;
    let now = tx.now().await?;
    let one = OptOut { account, person: &person, scope, value };
    let new = opt_outs::insert(tx, one, Source::Api, now).await?;
    if let Some(id) = &new {
        let told = Told { id, scope, source: Source::Api, value };
        let kind = EventKind::PersonOptedOut;
        tell_opt_out(tx, kind, account, Whose::default(), told, now).await?;
    } else {
        // What the marketplace was told too is not undone by a word.
        opt_outs::take_over(tx, one).await?;
    }
    let stored = opt_outs::find(tx, one).await?.ok_or(Error::NotFound("opt-out"))?;
    let entry = Entry::new(Action::OptOutRecorded, stored.id.as_str());
    audit::append(tx, account, entry.with(Detail::Scope, scope.as_str())).await?;
    Ok((stored, new.is_some()))
}

/// Clears an opt-out: the marketplace says what shows that the person wants texts again. A carrier that keeps a
/// list of its own goes on refusing.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`].
pub async fn clear_opt_out(
    tx: &mut Tx,
    account: &AccountId,
    id: &OptOutId,
    proof: &Body,
) -> Result<(), Error> {
    if let Some(fault) = note_fault(Some(proof), "/proof") {
        return Err(Error::Invalid(vec![fault]));
    }
    let now = tx.now().await?;
    let was = opt_outs::clear(tx, account, id, proof, now).await?;
    let was = was.ok_or(Error::NotFound("opt-out"))?;
    let told = Told { id, scope: was.scope, source: Source::Api, value: &was.value };
    let kind = EventKind::PersonOptedIn;
    tell_opt_out(tx, kind, account, Whose::default(), told, now).await?;
    let entry = Entry::new(Action::OptOutCleared, id.as_str());
    let entry =
        entry.with(Detail::Scope, was.scope.as_str()).with(Detail::Why, was.source.as_str());
    Ok(audit::append(tx, account, entry).await?)
}
