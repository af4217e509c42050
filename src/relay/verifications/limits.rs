//! What is counted before a code is sent. A refusal undoes the transaction, and so counts nothing.

use super::SendCode;
use crate::{
    domain::{
        time::Timestamp,
        verification::{Held, Limits, client},
    },
    ids::AccountId,
    privacy::{Counted, Person},
    relay::error::Error,
    store::{
        Tx, accounts,
        verification_limits::{self, Count},
    },
    telemetry::metrics,
};

/// Counts one more code, the widest count first: everybody takes them in that order, and nobody waits for
/// another crosswise.
///
/// # Errors
/// [`Error::CodeHeld`].
pub(super) async fn take(
    tx: &mut Tx,
    account: &AccountId,
    limits: &Limits,
    new: &SendCode,
    person: &Person,
    now: Timestamp,
) -> Result<(), Error> {
    let keys = accounts::keys(tx, account).await?;
    let numbers = keys.index.prefix(&new.to.canonical());
    let asker = new.client.map(|address| keys.index.counted("client", &client(address)));
    let counts = [
        (Held::Account, Count::AccountHour, Some(""), limits.account_hour),
        (Held::Client, Count::ClientHour, asker.as_ref().map(Counted::as_str), limits.client_hour),
        (Held::Prefix, Count::PrefixHour, Some(&*numbers), limits.prefix_hour),
        (Held::Person, Count::PersonDay, Some(person.as_str()), limits.person_day),
        (Held::Person, Count::PersonHour, Some(person.as_str()), limits.person_hour),
    ];
    for (held, count, subject, most) in counts {
        let Some(subject) = subject.filter(|_| most > 0) else { continue };
        let free = verification_limits::take(tx, account, count, subject, most, now).await?;
        if let Some(at) = free {
            metrics::verification(new.terms.channel.as_str(), "limited");
            return Err(Error::CodeHeld(held, at.since(now)));
        }
    }
    Ok(())
}
