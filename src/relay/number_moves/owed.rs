//! What is owed to people who dial another number now, and was certainly not sent: it goes out by that one.

use super::{Change, seats};
use crate::relay::{Carriers, error::Error, media};
use crate::{
    domain::{interaction::Kind, message::MessageState},
    ids::AccountId,
    store::{
        Tx,
        legs::{self, Leg},
        number_moves::Move,
        outbox::{self, Entry, OutboxKind},
        sessions::Session,
    },
};

/// Re-addresses a locked session's entries to its people's numbers as they are after `changes` of a move,
/// also where a number has come to another carrier by itself. What may have been sent is left: nobody is
/// to get it twice. Files that the new number can't take are told of.
pub(super) async fn readdress(
    tx: &mut Tx,
    carriers: &Carriers,
    (account, row): (&AccountId, &Move),
    session: &Session,
    changes: &[Change],
) -> Result<(), Error> {
    if changes.is_empty() && row.to_carrier.is_none() {
        return Ok(());
    }
    let entries = outbox::ready_of_session(tx, account, &session.id).await?;
    if entries.is_empty() {
        return Ok(());
    }
    // Read anew: the rows have the new numbers by now.
    let seats = seats(tx, account, session).await?;
    for entry in entries {
        let legs = legs::of_interaction(tx, account, &entry.interaction).await?;
        let Some(own) = legs.iter().find(|leg| leg.id == entry.leg) else { continue };
        if !is_unsent(&entry, own) {
            continue;
        }
        let of =
            |leg: &Leg| seats.iter().find(|seat| Some(&seat.who.id) == leg.participant.as_ref());
        let Some(first) = of(own) else { continue };
        if first.number.number == own.number
            && first.number.carrier == entry.carrier
            && own.kind == Kind::Message
        {
            continue;
        }
        if !outbox::readdress(tx, &entry, &first.number.carrier).await? {
            continue;
        }
        if own.kind == Kind::Message {
            let to = (first.number.carrier.as_str(), &first.number);
            media::readdressed(tx, carriers, &entry, own, to).await?;
        }
        for leg in legs.iter().filter(|leg| own.kind == Kind::Call || leg.id == own.id) {
            if let Some(seat) = of(leg) {
                let (number, carrier) = (&seat.number.number, &first.number.carrier);
                legs::readdress(tx, account, &leg.id, number, carrier).await?;
            }
        }
    }
    Ok(())
}

/// Whether a carrier certainly has nothing of it: it was never tried, or every try was refused for the
/// time being. A lost worker may have sent it.
pub(in crate::relay) fn is_unsent(entry: &Entry, leg: &Leg) -> bool {
    if leg.carrier_id.is_some() || leg.outcome.is_some() {
        return false;
    }
    match entry.kind {
        OutboxKind::Message => {
            let state = MessageState::parse(&leg.state);
            entry.crashes == 0
                && matches!(state, Some(MessageState::Queued | MessageState::Sending))
        }
        OutboxKind::Call => entry.attempts == 0,
        OutboxKind::EndCall
        | OutboxKind::FetchRecording
        | OutboxKind::DropRecording
        | OutboxKind::DropRecord
        | OutboxKind::Record => false,
    }
}
