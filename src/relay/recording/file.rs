//! The file of a recording: taken in when its carrier tells where it lies, and told of once it is kept.

use serde_json::json;

use super::{owe_drop, tell, tell_loss};
use crate::relay::{
    Carriers, Error, calls::live, inbound::Source, media::token, voicemail::FETCHED_FOR,
};
use crate::{
    carrier::{event::Recorded, plan::Answer},
    domain::{
        event::EventKind,
        media::MediaRefusal,
        recording::{RecordingLoss, RecordingState},
        time::Timestamp,
    },
    ids::{AccountId, hex},
    store::{
        Tx,
        inbox::{self, EventKey},
        media::{self, MediaState, Medium, NewMedium, Purpose},
        outbox::{self, NewEntry, OutboxKind},
        recordings::{self, Recording},
    },
    telemetry::metrics,
};

/// Takes in where the recording of a call lies: it is fetched, and deleted at its carrier. One that is not to be
/// kept is only deleted; one of a call for which none was ever asked is somebody else's.
pub(in crate::relay) async fn arrived(
    tx: &mut Tx,
    source: Source<'_>,
    event: &Recorded,
) -> Result<Answer, Error> {
    let key = EventKey { carrier: source.carrier, kind: "recording", event: &event.id };
    let Some(call) = live(tx, source.carrier, &event.leg).await? else { return Ok(Answer::Ack) };
    let found = recordings::get(tx, &call.account, &call.leg.interaction).await?;
    let Some(one) = found.filter(|one| one.leg == call.leg.id) else { return Ok(Answer::Ack) };
    if !inbox::insert(tx, key, call.now).await? {
        return Ok(Answer::Ack);
    }
    let account = &call.account;
    let there = media::recording(tx, account, &one.interaction).await?.is_some();
    let gone = call.session.as_ref().is_none_or(|session| session.gone);
    let begun = one.state.is_under_way() || one.state == RecordingState::Stopped;
    let (state, loss) = one.state.over();
    let loss = one.loss.or(loss).or(gone.then_some(RecordingLoss::SessionDeleted));
    let session = call.session.as_ref().filter(|_| begun && !there && loss.is_none());
    let Some(session) = session.filter(|_| source.keeps) else {
        tx.on_commit(|| metrics::recording("unwanted"));
        owe_drop(tx, account, &one, &event.id, call.now).await?;
        return discarded(tx, account, one, loss, begun, call.now).await.map(|()| Answer::Ack);
    };
    let mut random = [0; 16];
    tx.random(&mut random);
    let new = NewMedium {
        interaction: &one.interaction,
        purpose: Purpose::Recording,
        seconds: event.length.and_then(|length| i64::try_from(length.as_secs()).ok()),
        session: &session.id,
        position: 0,
        carrier: Some(source.carrier),
        address: &event.address,
        object: &hex(&random),
        now: call.now,
        expires_at: call.now + one.kept,
    };
    let sealing = session.data_key(tx)?;
    media::insert(tx, account, &sealing, &new).await?;
    let ended_at = one.ended_at.or(Some(call.now));
    let carrier_id = Some(event.id.clone());
    let one = Recording { state, ended_at, carrier_id, updated_at: call.now, ..one };
    recordings::update(tx, account, &one).await?;
    let entry = NewEntry {
        kind: OutboxKind::FetchRecording,
        session: Some(&one.session),
        interaction: &one.interaction,
        leg: &one.leg,
        carrier: source.carrier,
        payload: &event.id,
        run_at: call.now,
        valid_until: call.now + FETCHED_FOR,
        now: call.now,
    };
    outbox::insert(tx, account, &entry).await?;
    Ok(Answer::Ack)
}

/// Notes that nothing of a recording is kept, once.
async fn discarded(
    tx: &mut Tx,
    account: &AccountId,
    one: Recording,
    loss: Option<RecordingLoss>,
    begun: bool,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(loss) = loss.filter(|_| begun) else { return Ok(()) };
    let one = Recording {
        state: RecordingState::Failed,
        loss: Some(loss),
        // The carrier is to forget it too.
        carrier_id: None,
        ended_at: one.ended_at.or(Some(now)),
        updated_at: now,
        ..one
    };
    recordings::update(tx, account, &one).await?;
    tell_loss(tx, account, &one, now).await
}

/// A recording is kept.
pub(in crate::relay) async fn kept(tx: &mut Tx, medium: &Medium) -> Result<(), Error> {
    let found = recordings::get(tx, &medium.account, &medium.interaction).await?;
    let Some(one) = found.filter(|one| one.state == RecordingState::Stopped) else { return Ok(()) };
    let now = tx.now().await?;
    let one = Recording { state: RecordingState::Ready, updated_at: now, ..one };
    recordings::update(tx, &medium.account, &one).await?;
    tx.on_commit(|| metrics::recording("kept"));
    let data = json!({ "seconds": medium.seconds, "expires_at": medium.expires_at.rfc3339() });
    tell(tx, &medium.account, &one, EventKind::RecordingReady, data, now).await
}

/// A recording could not be fetched, or is none.
pub(in crate::relay) async fn lost(
    tx: &mut Tx,
    medium: &Medium,
    why: MediaRefusal,
) -> Result<(), Error> {
    let found = recordings::get(tx, &medium.account, &medium.interaction).await?;
    let Some(one) = found.filter(|one| one.state == RecordingState::Stopped) else { return Ok(()) };
    let now = tx.now().await?;
    let loss = match why {
        MediaRefusal::Unavailable | MediaRefusal::Off => RecordingLoss::Lost,
        _ => RecordingLoss::Unusable,
    };
    let one = Recording { state: RecordingState::Failed, loss: Some(loss), updated_at: now, ..one };
    recordings::update(tx, &medium.account, &one).await?;
    tell_loss(tx, &medium.account, &one, now).await
}

/// Where a recording that is kept can be heard: an address of ours, signed.
pub fn address(tx: &Tx, carriers: &Carriers, medium: &Medium) -> Option<String> {
    let carrier = carriers.get(medium.carrier.as_deref()?)?;
    let kept = medium.state == MediaState::Kept;
    kept.then(|| carrier.links.media(&token(tx, medium)))
}
