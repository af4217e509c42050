//! Pictures and files: sealed where they lie, one worker at a time, gone when their time is up.

use super::*;
use crate::{
    domain::media::{MediaRefusal, MediaType},
    ids::{InteractionId, SessionId},
    privacy::DataKey,
    store::media::{self, MediaState, Medium, NewMedium},
};

db_test!(one_worker_at_a_time, what_is_settled_stays_so, time_is_up);

const ADDRESS: &str = "https://api.carrier.example/Accounts/AC1/Media/ME1";

/// One that is wanted, of a session that is nowhere else, and its key.
async fn wanted(lab: &Lab, world: &World) -> (Medium, Arc<DataKey>) {
    let (interaction, session): (InteractionId, SessionId) = (world.id(), world.id());
    let key = Arc::new(DataKey::generate());
    let one = commit!(lab.db, [world, interaction, session, key], |tx| {
        let new = NewMedium {
            interaction: &interaction,
            purpose: media::Purpose::File,
            seconds: None,
            session: &session,
            position: 0,
            carrier: Some("main"),
            address: ADDRESS,
            object: "0123456789abcdef0123456789abcdef",
            now: at(1),
            expires_at: at(100),
        };
        let id = media::insert(tx, &world.account, &key, &new).await?;
        media::get(tx, &world.account, &id).await
    });
    (one.await.unwrap().unwrap(), key)
}

async fn read(lab: &Lab, one: &Medium) -> Option<Medium> {
    let mut tx = lab.db.read().await.unwrap();
    media::get(&mut tx, &one.account, &one.id).await.unwrap()
}

/// The address opens with its session's key and no other; who takes it on has it until the lease ends, and
/// of two who read the same row one does.
async fn one_worker_at_a_time(lab: &Lab) {
    let world = World::new(lab).await;
    let (one, key) = wanted(lab, &world).await;
    assert_eq!(one.state, MediaState::Wanted);
    assert_eq!(one.address(&key).unwrap(), ADDRESS);
    assert!(one.address(&DataKey::generate()).is_err());
    let leases = commit!(lab.db, [one], |tx| {
        let first = media::lease(tx, &one, at(2), at(10)).await?;
        let second = media::lease(tx, &one, at(3), at(11)).await?;
        let again = media::get(tx, &one.account, &one.id).await?.unwrap();
        let early = media::lease(tx, &again, at(9), at(12)).await?;
        let late = media::lease(tx, &again, at(10), at(12)).await?;
        Ok::<_, Error>([first, second, early, late])
    });
    assert_eq!(leases.await.unwrap(), [true, false, false, true]);
    let now = read(lab, &one).await.unwrap();
    assert_eq!((now.tries, now.lease_until), (2, at(12)));
}

/// What was kept is not refused any more, nor the reverse, and where it lay is forgotten.
async fn what_is_settled_stays_so(lab: &Lab) {
    let world = World::new(lab).await;
    for keeps in [true, false] {
        let (one, key) = wanted(lab, &world).await;
        let done = commit!(lab.db, [one], |tx| {
            let (mut kept, mut refused) = (false, false);
            for keep in [keeps, !keeps] {
                if keep {
                    kept = media::keep(tx, &one, MediaType::Png, 7).await?;
                } else {
                    refused = media::refuse(tx, &one, MediaRefusal::Type).await?;
                }
            }
            media::put_off(tx, &one, at(50)).await?;
            Ok::<_, Error>((kept, refused))
        });
        assert_eq!(done.await.unwrap(), (keeps, !keeps));
        let now = read(lab, &one).await.unwrap();
        assert!(now.address(&key).is_err());
        assert_eq!(now.lease_until, Timestamp::EPOCH);
        let expected = if keeps {
            (MediaState::Kept, None, Some(MediaType::Png), Some(7))
        } else {
            (MediaState::Refused, Some(MediaRefusal::Type), None, None)
        };
        assert_eq!((now.state, now.refusal, now.kind, now.bytes), expected);
    }
}

/// Those whose time is up are told, the oldest first, but not while somebody is at them; a session that is
/// deleted ends the time of its own and of no other's.
async fn time_is_up(lab: &Lab) {
    let world = World::new(lab).await;
    let (one, _) = wanted(lab, &world).await;
    let (other, _) = wanted(lab, &world).await;
    let found = commit!(lab.db, [one, other], |tx| {
        let mut found = vec![media::over(tx, at(99), None, 10).await?.len()];
        media::withdraw(tx, &one.account, &one.session, at(5)).await?;
        found.push(media::over(tx, at(5), None, 10).await?.len());
        media::lease(tx, &one, at(5), at(200)).await?;
        found.push(media::over(tx, at(5), None, 10).await?.len());
        found.push(media::over(tx, at(200), None, 10).await?.len());
        found.push(media::over(tx, at(200), None, 1).await?.len());
        media::delete(tx, &one.account, &one.id).await?;
        let left = media::over(tx, at(200), None, 10).await?;
        assert_eq!(left[0].id, other.id);
        found.push(left.len());
        Ok::<_, Error>(found)
    });
    assert_eq!(found.await.unwrap(), [0, 1, 0, 2, 1, 1]);
}
