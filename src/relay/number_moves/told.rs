//! Tells people that they dial another number from now on, where the service or the move says so.

use super::Change;
use crate::relay::{
    error::Error,
    messages::{self, NewText},
};
use crate::{
    domain::{
        message::Body,
        policy::{language, moved_words},
    },
    ids::AccountId,
    store::{Tx, number_moves::Move, services::Service, sessions::Session},
};

/// Sends each of them a text from the number that they dial now. Who wants no texts gets none, and a
/// session without texts, or on hold, says nothing.
pub(super) async fn tell(
    tx: &mut Tx,
    account: &AccountId,
    row: &Move,
    session: &Session,
    service: &Service,
    changes: &[Change],
) -> Result<(), Error> {
    let now = tx.now().await?;
    let tells = row.tell.unwrap_or(service.rules.tell_of_moves);
    if !tells || !session.mode.message() || !session.is_live(now) {
        return Ok(());
    }
    for Change { seat, to } in changes {
        let language = language(&service.rules, &to.country);
        let numbers = [seat.number.number.as_str(), to.number.as_str()];
        let words = moved_words(&service.rules, language, numbers);
        let text = NewText::words(Body::new(words));
        messages::tell_participant(tx, account, &session.id, &seat.who.id, &text).await?;
    }
    Ok(())
}
