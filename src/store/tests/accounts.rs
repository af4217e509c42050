//! Accounts, API keys, staff and their secrets.

use super::*;
use crate::{
    domain::staff::{Rights, Role},
    ids::{AccountId, KeyId},
    store::{
        accounts::{self, ApiKey},
        staff::{self, Grant, Staff},
    },
};

fn key(id: &KeyId, name: &str, expires_at: Option<Timestamp>) -> ApiKey {
    ApiKey {
        id: id.clone(),
        name: name.into(),
        hint: "abcd".into(),
        scopes: "sessions:read sessions:write".into(),
        created_at: at(1),
        expires_at,
        revoked_at: None,
        last_used_at: None,
    }
}

db_test!(
    accounts_read_back,
    persons_differ_by_account,
    keys_of_an_undone_account_are_forgotten,
    api_keys_are_found_by_token,
    staff_and_their_secrets
);

/// An account reads back, is listed by age, and is made once.
async fn accounts_read_back(lab: &Lab) {
    let first = World::named(lab, "first").await;
    let second = World::named(lab, "second").await;
    let mut tx = lab.db.read().await.unwrap();
    let found = accounts::get(&mut tx, &second.account).await.unwrap().unwrap();
    assert_eq!(
        (found.id.clone(), &*found.name, found.created_at),
        (second.account.clone(), "second", at(0))
    );
    let all = accounts::all(&mut tx).await.unwrap();
    let mut ids = [first.account.clone(), second.account.clone()];
    ids.sort();
    assert_eq!(all.into_iter().map(|one| one.id).collect::<Vec<_>>(), ids);
    let nobody: AccountId = lab.ids.make(at(0));
    assert!(accounts::get(&mut tx, &nobody).await.unwrap().is_none());
    assert!(matches!(
        accounts::keys(&mut tx, &nobody).await,
        Err(Error::Inconsistent { table: "accounts", column: "id" })
    ));
    drop(tx);
    let id = first.account.clone();
    let again = commit!(lab.db, [id], |tx| accounts::insert(tx, &id, "x", "t", at(2)).await);
    assert!(matches!(again.await, Err(Error::Conflict)));
}

/// Two accounts know one number as two persons.
async fn persons_differ_by_account(lab: &Lab) {
    let (one, two) = (World::named(lab, "one").await, World::named(lab, "two").await);
    assert_ne!(one.person(1), two.person(1));
    assert_ne!(one.person(1), one.person(2));
}

/// The keys of an insertion that was undone are not used for the account that is made with the
/// same id later: what they sealed could never be opened again.
async fn keys_of_an_undone_account_are_forgotten(lab: &Lab) {
    let id: AccountId = lab.ids.make(at(0));
    let undone = commit!(lab.db, [id], |tx| {
        accounts::insert(tx, &id, "a", "t", at(0)).await?;
        accounts::keys(tx, &id).await?;
        Err::<(), _>(Error::Conflict)
    });
    undone.await.unwrap_err();
    let keys = commit!(lab.db, [id], |tx| {
        accounts::insert(tx, &id, "a", "t", at(0)).await?;
        accounts::keys(tx, &id).await
    })
    .await
    .unwrap();
    let other = lab.second().await;
    let stored = accounts::keys(&mut other.read().await.unwrap(), &id).await.unwrap();
    assert_eq!(stored.data.open_text(&keys.data.seal_text("x", "c"), "c").unwrap(), "x");
    other.close().await;
}

/// An API key is found by its token only, in its own account only, and keeps its dates.
async fn api_keys_are_found_by_token(lab: &Lab) {
    let (mine, theirs) = (World::named(lab, "mine").await, World::named(lab, "theirs").await);
    let (one, two): (KeyId, KeyId) = (lab.ids.make(at(1)), lab.ids.make(at(2)));
    commit!(lab.db, [mine, one, two], |tx| {
        accounts::insert_api_key(tx, &mine.account, &key(&one, "one", Some(at(9))), "tok1").await?;
        accounts::insert_api_key(tx, &mine.account, &key(&two, "two", None), "tok2").await
    })
    .await
    .unwrap();
    let same = commit!(lab.db, [mine], |tx| {
        let id = tx.id_at(at(3));
        accounts::insert_api_key(tx, &mine.account, &key(&id, "three", None), "tok2").await
    });
    assert!(matches!(same.await, Err(Error::Conflict)));

    let mut tx = lab.db.read().await.unwrap();
    let found = accounts::api_key_by_token(&mut tx, &mine.account, "tok1").await.unwrap().unwrap();
    assert_eq!((&found.id, &*found.name, &*found.hint), (&one, "one", "abcd"));
    assert_eq!(found.scopes, "sessions:read sessions:write");
    assert_eq!((found.created_at, found.expires_at), (at(1), Some(at(9))));
    assert_eq!((found.revoked_at, found.last_used_at), (None, None));
    for (account, token) in
        [(&mine.account, "tok3"), (&mine.account, ""), (&theirs.account, "tok1")]
    {
        assert!(accounts::api_key_by_token(&mut tx, account, token).await.unwrap().is_none());
    }
    let ids = accounts::api_keys(&mut tx, &mine.account).await.unwrap();
    assert_eq!(ids.into_iter().map(|one| one.id).collect::<Vec<_>>(), [one.clone(), two.clone()]);
    assert!(accounts::api_keys(&mut tx, &theirs.account).await.unwrap().is_empty());
    drop(tx);

    let done = commit!(lab.db, [mine, theirs, one, two], |tx| {
        accounts::touch_api_key(tx, &mine.account, &one, at(4)).await?;
        Ok::<_, Error>([
            accounts::revoke_api_key(tx, &theirs.account, &two, at(5)).await?,
            accounts::revoke_api_key(tx, &mine.account, &two, at(5)).await?,
            accounts::revoke_api_key(tx, &mine.account, &two, at(6)).await?,
        ])
    });
    assert_eq!(done.await.unwrap(), [false, true, false]);
    let mut tx = lab.db.read().await.unwrap();
    let keys = accounts::api_keys(&mut tx, &mine.account).await.unwrap();
    assert_eq!((keys[0].last_used_at, keys[0].revoked_at), (Some(at(4)), None));
    assert_eq!((keys[1].last_used_at, keys[1].revoked_at), (None, Some(at(5))));
}

/// A member of the staff is made once by name and found by a live secret of the right kind; a
/// secret ends by use, by deletion and by time.
async fn staff_and_their_secrets(lab: &Lab) {
    let world = World::new(lab).await;
    let person = |name: &str, account: Option<AccountId>| Staff {
        id: lab.ids.make(at(0)),
        name: name.into(),
        grants: vec![Grant { account, rights: Rights::of(Role::Agent) }],
        created_at: at(0),
        disabled_at: None,
        issuer: None,
    };
    let (ann, bob) = (person("ann", None), person("bob", Some(world.account.clone())));
    commit!(lab.db, [ann, bob], |tx| {
        staff::insert(tx, &ann).await?;
        staff::insert(tx, &bob).await?;
        staff::insert_link(tx, &ann.id, "once", at(0), at(10)).await
    })
    .await
    .unwrap();
    let twin = person("ann", None);
    let again = commit!(lab.db, [twin], |tx| staff::insert(tx, &twin).await);
    assert!(matches!(again.await, Err(Error::Conflict)));

    let mut tx = lab.db.read().await.unwrap();
    let found = staff::by_name(&mut tx, "bob").await.unwrap().unwrap();
    assert_eq!((found.id, found.grants), (bob.id.clone(), bob.grants.clone()));
    assert!(staff::by_name(&mut tx, "eve").await.unwrap().is_none());
    for (secret, ms, name) in [("once", 9, Some("ann")), ("once", 10, None), ("Once", 9, None)] {
        let who = staff::by_link(&mut tx, secret, at(ms)).await.unwrap();
        assert_eq!(who.map(|who| who.name), name.map(str::to_owned), "{secret} {ms}");
    }
    drop(tx);
    let ends = commit!(lab.db, [bob], |tx| {
        staff::insert_link(tx, &bob.id, "other", at(0), at(20)).await?;
        Ok::<_, Error>((
            staff::delete_link(tx, "Once").await?,
            staff::delete_link(tx, "once").await?,
            staff::delete_link(tx, "once").await?,
            staff::purge(tx, at(19)).await?,
            staff::purge(tx, at(20)).await?,
        ))
    });
    assert_eq!(ends.await.unwrap(), (false, true, false, 0, 1));
}
