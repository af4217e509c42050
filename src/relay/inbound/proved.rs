//! Where something leads whose caller or writer proves by a PIN who they are.

use super::{By, Meant, Refused, Route, judged};
use crate::{
    domain::{
        assurance::Pin,
        interaction::{Kind, Reason},
    },
    ids::AccountId,
    privacy::Person,
    relay::error::Error,
    store::{Tx, numbers::Number, pins, services::Service},
};

/// A PIN that proves who somebody is.
#[derive(Debug, Clone, Copy)]
pub(in crate::relay) struct Proved<'a> {
    pub(in crate::relay) number: &'a Number,
    pub(in crate::relay) service: &'a Service,
    /// Who has the number that they show.
    pub(in crate::relay) person: Option<&'a Person>,
    pub(in crate::relay) meant: &'a pins::Meant,
    pub(in crate::relay) pin: &'a Pin,
}

/// Where something leads whose caller or writer has proved who they are: judged as any other, once the session
/// is locked, and with it whether the PIN is still good (I3).
pub(in crate::relay) async fn proved(
    tx: &mut Tx,
    account: &AccountId,
    kind: Kind,
    proved: Proved<'_>,
) -> Result<Route, Error> {
    let now = tx.now().await?;
    let refused = Refused {
        account: account.clone(),
        number: proved.number.clone(),
        service: proved.service.clone(),
        reason: Reason::UnknownCaller,
        person: proved.person.cloned(),
        last: None,
        now,
        silent: false,
    };
    let (session, participant) = (&proved.meant.session, &proved.meant.participant);
    let by = By::Pin(proved.pin, proved.person);
    judged(tx, kind, refused, Meant { session, participant, by }).await
}
