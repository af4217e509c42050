//! Tells people who get a number of it, where the service says so: once for a number, by a text from there.

use crate::relay::{
    error::Error,
    messages::{self, NewText},
};
use crate::{
    domain::{message::Body, policy::language, pool::Narrowing, time::Timestamp},
    ids::{AccountId, ParticipantId},
    store::{Tx, first_texts, numbers, participants, services::Service, sessions::Session},
};

/// Tells each of those who were just added. Who wants no texts gets none, and is told when they come back; a
/// session without texts says nothing. It is the marketplace's text and no use of the session: its time does not
/// slide.
pub(super) async fn tell(
    tx: &mut Tx,
    account: &AccountId,
    service: &Service,
    session: &Session,
    added: &[(ParticipantId, &'static str, Vec<Narrowing>)],
    now: Timestamp,
) -> Result<(), Error> {
    let rules = &service.rules;
    if !rules.first_text.on || !session.mode.message() || !session.is_live(now) {
        return Ok(());
    }
    let key = session.data_key(tx)?;
    for one in participants::of_session(tx, account, &session.id).await? {
        if !added.iter().any(|(id, ..)| *id == one.id)
            || messages::unwanted(tx, account, &one.number_id, &one.person).await?
        {
            continue;
        }
        let new = first_texts::insert(tx, account, &service.id, &one.person, &one.number_id, now);
        if !new.await? {
            continue;
        }
        let country = if let Some(country) = one.identifier(&key)?.country() {
            country.as_str().to_owned()
        } else {
            let number = numbers::get(tx, account, &one.number_id).await?;
            number.map(|number| number.country).unwrap_or_default()
        };
        let language = language(rules, &country);
        let (number, calls) = (one.number.as_str(), session.mode.voice());
        let words = rules.first_text.text(&rules.brand, language, number, calls);
        let text = NewText::words(Body::new(words));
        messages::tell_participant(tx, account, &session.id, &one.id, &text).await?;
    }
    Ok(())
}
