//! Passkeys (`WebAuthn` level 3): made, used to log in, and to prove again who somebody is. An authenticator says
//! that it saw the person, and so one counts as both steps.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use url::{Host, Url};
use uuid::Uuid;
use webauthn_rs::{
    Webauthn, WebauthnBuilder,
    prelude::{
        DiscoverableAuthentication, Passkey as Key, PasskeyRegistration, PublicKeyCredential,
        RegisterPublicKeyCredential,
    },
};

use super::{
    NotIn, NotSet, Relay, Visitor, actor, browsers::lives, is_secret, login::enter, note,
    note_with, secret,
};
use crate::{
    domain::{
        audit::{Action, Detail, Entry},
        staff::Proof,
        time::Timestamp,
    },
    ids::StaffId,
    relay::Error,
    store::{
        self, Tx,
        staff::{
            self,
            browsers::{self as rows},
            factors::{self, Passkey},
        },
    },
};

/// How long the browser may take to answer.
const ASKED_KEPT: Duration = Duration::from_mins(5);
/// How many one person may have.
pub const PASSKEYS_MAX: usize = 20;
/// The longest name of one, in characters.
pub const PASSKEY_NAME_CHARS: usize = 60;

/// What was asked, where it is kept.
const NEW: &str = "passkey.new";
const LOGIN: &str = "passkey.login";
const PROVE: &str = "passkey.prove";

/// What a browser is asked, for its `navigator.credentials`: `{"publicKey": {…}}`.
pub type Asked = Value;

/// Whose passkeys browsers know at an origin, and how they are checked there.
#[derive(Debug)]
pub(in crate::relay) struct Party {
    checks: Webauthn,
    origin: String,
}

impl Party {
    /// `None` for an origin whose host has no name: passkeys are of a name. A developer's own machine has one.
    pub(in crate::relay) fn at(origin: &str) -> Option<Self> {
        let mut url = Url::parse(origin).ok()?;
        let local = match url.host()? {
            Host::Domain(_) => false,
            Host::Ipv4(address) if address.is_loopback() => true,
            Host::Ipv6(address) if address.is_loopback() => true,
            Host::Ipv4(_) | Host::Ipv6(_) => return None,
        };
        if local {
            url.set_host(Some("localhost")).ok()?;
        }
        let name = url.domain()?.to_owned();
        let checks = WebauthnBuilder::new(&name, &url).ok()?.rp_name("Entremise").build().ok()?;
        Some(Self { checks, origin: url.origin().ascii_serialization() })
    }
}

/// What authenticators know somebody by: the bytes of their id, which says nothing about them.
fn handle(staff: &StaffId) -> Option<Uuid> {
    Uuid::try_parse(staff.as_str().get(2..)?).ok()
}

fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

fn written(state: &impl Serialize) -> Option<String> {
    serde_json::to_string(state).ok()
}

/// A name that a list can show.
fn plain_name(name: &str) -> Option<String> {
    let name = name.trim();
    let ok = !name.is_empty()
        && name.chars().count() <= PASSKEY_NAME_CHARS
        && !name.chars().any(char::is_control);
    ok.then(|| name.to_owned())
}

/// Whether somebody proved lately who they are, or has nothing to prove it with.
fn may_add(visitor: &Visitor) -> bool {
    let known = &visitor.factors;
    let first = known.password.is_none() && !known.has_second();
    visitor.fresh || (first && visitor.browser.proof == Proof::Link)
}

fn key_of(passkey: &Passkey) -> Option<Key> {
    read(&passkey.credential)
}

/// The passkey that an answer is by, if it is one of ours and answers what was asked; its counter goes on.
/// `named` where the answer must say whose it is.
async fn check(
    tx: &mut Tx,
    party: &Party,
    asked: &str,
    answer: &PublicKeyCredential,
    named: bool,
) -> Result<Option<Passkey>, Error> {
    let Some(asked) = read::<DiscoverableAuthentication>(asked) else { return Ok(None) };
    let id = URL_SAFE_NO_PAD.encode(answer.get_credential_id());
    let Some(known) = factors::passkey_by_id(tx, &id).await? else { return Ok(None) };
    let owner = handle(&known.staff);
    let says = answer.get_user_unique_id();
    let theirs = says.map_or(!named, |says| owner.is_some_and(|id| id.as_bytes() == says));
    let Some(mut key) = key_of(&known).filter(|_| theirs) else { return Ok(None) };
    let told = match party.checks.finish_discoverable_authentication_v2(answer, asked, &key) {
        Ok(told) => told,
        Err(why) => {
            tracing::warn!(%why, "a passkey's answer was not taken");
            return Ok(None);
        }
    };
    key.update_credential(&told);
    let Some(credential) = written(&key) else { return Ok(None) };
    let now = tx.now().await?;
    factors::passkey_used(tx, &id, &credential, now).await?;
    Ok(Some(known))
}

impl Relay {
    /// The same, whose console is at that origin: its passkeys are of that name.
    #[must_use]
    pub fn with_console_at(self, origin: &str) -> Self {
        Self { passkeys: Party::at(origin).map(Arc::new), ..self }
    }

    /// The origin at which browsers know the console's passkeys, if they know any.
    pub fn passkeys_at(&self) -> Option<&str> {
        self.passkeys.as_deref().map(|party| party.origin.as_str())
    }

    /// Keeps for five minutes what a browser was asked.
    pub(super) async fn remember(
        &self,
        kind: &'static str,
        secret: &str,
        state: String,
    ) -> Result<(), Error> {
        let held = Arc::new((secret.to_owned(), state));
        self.db
            .write(move |tx| {
                let held = Arc::clone(&held);
                Box::pin(async move {
                    let end = tx.now().await? + ASKED_KEPT;
                    Ok::<_, Error>(rows::ask(tx, &held.0, kind, &held.1, end).await?)
                })
            })
            .await
    }

    /// Asks the browser of that cookie, which is `visitor`'s, for a new passkey.
    ///
    /// # Errors
    /// The store's.
    pub async fn ask_for_new_passkey(
        &self,
        visitor: &Visitor,
        cookie: &str,
    ) -> Result<Result<Asked, NotSet>, Error> {
        if !may_add(visitor) {
            return Ok(Err(NotSet::Stale));
        }
        let mut tx = self.db.read().await?;
        let there = factors::passkeys(&mut tx, &visitor.staff.id).await?;
        drop(tx);
        if there.len() >= PASSKEYS_MAX {
            return Ok(Err(NotSet::Full));
        }
        let (Some(party), Some(handle)) = (&self.passkeys, handle(&visitor.staff.id)) else {
            return Ok(Err(NotSet::Failed));
        };
        let known = there.iter().filter_map(key_of).map(|key| key.cred_id().clone()).collect();
        let name = visitor.staff.name.as_str();
        let begun = party.checks.start_passkey_registration(handle, name, name, Some(known));
        let Some((asked, state)) = begun.ok().and_then(|(asked, state)| {
            let mut asked = serde_json::to_value(asked).ok()?;
            // One that needs no name to be found, so that it is a login by itself.
            let wish = asked.pointer_mut("/publicKey/authenticatorSelection")?.as_object_mut()?;
            wish.insert("residentKey".to_owned(), "required".into());
            wish.insert("requireResidentKey".to_owned(), true.into());
            Some((asked, written(&state)?))
        }) else {
            return Ok(Err(NotSet::Failed));
        };
        self.remember(NEW, cookie, state).await?;
        Ok(Ok(asked))
    }

    /// Takes the new passkey that was asked for. Every other browser of its owner is logged out.
    ///
    /// # Errors
    /// The store's.
    pub async fn add_passkey(
        &self,
        visitor: &Visitor,
        cookie: &str,
        name: &str,
        answer: Value,
    ) -> Result<Result<(), NotSet>, Error> {
        let Some(name) = plain_name(name) else { return Ok(Err(NotSet::Name)) };
        let (Some(party), Ok(answer)) =
            (self.passkeys.clone(), serde_json::from_value::<RegisterPublicKeyCredential>(answer))
        else {
            return Ok(Err(NotSet::Refused));
        };
        let held = Arc::new((visitor.clone(), cookie.to_owned(), name, answer, party));
        self.db
            .by(actor(&visitor.staff.id))
            .write(move |tx| {
                let held = Arc::clone(&held);
                Box::pin(async move {
                    let (visitor, cookie, name, answer, party) = &*held;
                    let staff = &visitor.staff;
                    let now = tx.now().await?;
                    let asked = rows::answered(tx, cookie, NEW, now).await?;
                    let Some(asked) = asked.as_deref().and_then(read::<PasskeyRegistration>) else {
                        return Ok(Err(NotSet::Refused));
                    };
                    let made = match party.checks.finish_passkey_registration(answer, &asked) {
                        Ok(made) => made,
                        Err(why) => {
                            tracing::warn!(%why, "a new passkey was not taken");
                            return Ok(Err(NotSet::Refused));
                        }
                    };
                    if factors::passkeys(tx, &staff.id).await?.len() >= PASSKEYS_MAX {
                        return Ok(Err(NotSet::Full));
                    }
                    let Some(credential) = written(&made) else { return Ok(Err(NotSet::Failed)) };
                    let new = Passkey {
                        id: URL_SAFE_NO_PAD.encode(made.cred_id()),
                        staff: staff.id.clone(),
                        name: name.clone(),
                        credential,
                        created_at: now,
                        last_used_at: None,
                    };
                    match factors::insert_passkey(tx, &new).await {
                        Err(store::Error::Conflict) => return Ok(Err(NotSet::Refused)),
                        done => done?,
                    }
                    rows::delete_all(tx, &staff.id, Some(&visitor.browser.id)).await?;
                    note(tx, staff, Action::StaffPasskeyAdded).await?;
                    Ok::<_, Error>(Ok(()))
                })
            })
            .await
    }

    /// Somebody's passkeys, the oldest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn passkeys_of(&self, staff: &StaffId) -> Result<Vec<Passkey>, Error> {
        let mut tx = self.db.read().await?;
        Ok(factors::passkeys(&mut tx, staff).await?)
    }

    /// Takes a passkey of somebody away; whoever logged in elsewhere must do so again. The last one stays where
    /// there is no password: nothing else opens the console then.
    ///
    /// # Errors
    /// The store's.
    pub async fn remove_passkey(
        &self,
        visitor: &Visitor,
        id: &str,
    ) -> Result<Result<(), NotSet>, Error> {
        if !visitor.fresh {
            return Ok(Err(NotSet::Stale));
        }
        let held = Arc::new((visitor.clone(), id.to_owned()));
        self.db
            .by(actor(&visitor.staff.id))
            .write(move |tx| {
                let held = Arc::clone(&held);
                Box::pin(async move {
                    let (staff, browser) = (&held.0.staff, &held.0.browser);
                    let Some(known) = factors::get(tx, &staff.id).await? else {
                        return Ok(Err(NotSet::Failed));
                    };
                    let only = known.password.is_none() && staff.issuer.is_none();
                    if only && known.passkeys <= 1 {
                        return Ok(Err(NotSet::Only));
                    }
                    if !factors::delete_passkey(tx, &staff.id, &held.1).await? {
                        return Ok(Err(NotSet::Failed));
                    }
                    if known.passkeys == 1 && known.totp_since.is_none() {
                        factors::set_recovery_codes(tx, &staff.id, &[]).await?;
                    }
                    rows::delete_all(tx, &staff.id, Some(&browser.id)).await?;
                    note(tx, staff, Action::StaffPasskeyRemoved).await?;
                    Ok::<_, Error>(Ok(()))
                })
            })
            .await
    }

    /// Asks a browser of nobody yet for a passkey: what its answer goes with, and what it is asked. `None` where
    /// browsers know no passkeys.
    ///
    /// # Errors
    /// The store's.
    pub async fn ask_for_login(&self) -> Result<Option<(String, Asked)>, Error> {
        let Some((asked, state)) = self.question(&[]) else { return Ok(None) };
        let tx = self.db.read().await?;
        let with = secret(&tx);
        drop(tx);
        self.remember(LOGIN, &with, state).await?;
        Ok(Some((with, asked)))
    }

    /// What is asked of a browser, of those passkeys or of any, and what is kept of it.
    fn question(&self, only: &[Passkey]) -> Option<(Asked, String)> {
        let begun = self.passkeys.as_deref()?.checks.start_discoverable_authentication();
        let (mut question, state) = begun.ok()?;
        // It is asked for when somebody presses a button.
        question.mediation = None;
        let mut asked = serde_json::to_value(question).ok()?;
        let ids: Vec<Value> = only
            .iter()
            .map(|one| serde_json::json!({"type": "public-key", "id": one.id}))
            .collect();
        let wish = asked.pointer_mut("/publicKey")?.as_object_mut()?;
        wish.insert("allowCredentials".to_owned(), ids.into());
        Some((asked, written(&state)?))
    }

    /// Logs somebody in by a passkey, which says whose it is and stands for both steps; the browser's cookie. For
    /// whoever comes by another login it is the second step alone, of the browser with that `cookie`, which is
    /// halfway in.
    ///
    /// # Errors
    /// The store's.
    pub async fn log_in_by_passkey(
        &self,
        with: &str,
        answer: Value,
        (cookie, agent): (&str, &str),
    ) -> Result<Result<String, NotIn>, Error> {
        let (Some(party), Ok(answer)) =
            (self.passkeys.clone(), serde_json::from_value::<PublicKeyCredential>(answer))
        else {
            return Ok(Err(NotIn::Wrong));
        };
        let id = URL_SAFE_NO_PAD.encode(answer.get_credential_id());
        let mut tx = self.db.read().await?;
        let known = factors::passkey_by_id(&mut tx, &id).await?;
        drop(tx);
        let Some(known) = known.filter(|_| is_secret(with)) else { return Ok(Err(NotIn::Wrong)) };
        let halfway = self.halfway(cookie).await?.map(|(_, browser, _)| browser);
        let said = (with.to_owned(), agent.to_owned(), halfway);
        let held = Arc::new((self.clone(), said, answer, party));
        self.db
            .by(actor(&known.staff))
            .write(move |tx| {
                let held = Arc::clone(&held);
                Box::pin(async move {
                    let (relay, (with, agent, halfway), answer, party) = &*held;
                    let now = tx.now().await?;
                    let asked = rows::answered(tx, with, LOGIN, now).await?;
                    let Some(asked) = asked else { return Ok(Err(NotIn::Wrong)) };
                    let Some(key) = check(tx, party, &asked, answer, true).await? else {
                        return Ok(Err(NotIn::Wrong));
                    };
                    let person = staff::get(tx, &key.staff).await?;
                    let allowed =
                        person.filter(|one| one.disabled_at.is_none() && !one.grants.is_empty());
                    let Some(person) = allowed else { return Ok(Err(NotIn::Wrong)) };
                    if person.issuer.is_none() {
                        let proof = Proof::Passkey;
                        return Ok(Ok(enter(tx, relay, &person, proof, false, agent).await?));
                    }
                    let first = halfway
                        .as_ref()
                        .filter(|one| one.staff == person.id && one.proof == Proof::Oidc);
                    let Some(first) = first else { return Ok(Err(NotIn::Wrong)) };
                    if !rows::delete(tx, &person.id, &first.id).await? {
                        return Ok(Err(NotIn::Wrong));
                    }
                    let cookie = enter(tx, relay, &person, Proof::Oidc, false, agent).await?;
                    Ok::<_, Error>(Ok(cookie))
                })
            })
            .await
    }

    /// Asks the browser of that cookie, which is `visitor`'s, for one of their passkeys. `None` where they have
    /// none that it knows.
    ///
    /// # Errors
    /// The store's.
    pub async fn ask_for_proof(
        &self,
        visitor: &Visitor,
        cookie: &str,
    ) -> Result<Option<Asked>, Error> {
        let there = self.passkeys_of(&visitor.staff.id).await?;
        let question = if there.is_empty() { None } else { self.question(&there) };
        let Some((asked, state)) = question else { return Ok(None) };
        self.remember(PROVE, cookie, state).await?;
        Ok(Some(asked))
    }

    /// Proves again by a passkey who somebody is that is logged in.
    ///
    /// # Errors
    /// The store's.
    pub async fn prove_by_passkey(
        &self,
        cookie: &str,
        answer: Value,
    ) -> Result<Result<(), NotIn>, Error> {
        let Some(visitor) = self.visitor(cookie).await? else { return Ok(Err(NotIn::Wrong)) };
        let (Some(party), Ok(answer)) =
            (self.passkeys.clone(), serde_json::from_value::<PublicKeyCredential>(answer))
        else {
            return Ok(Err(NotIn::Wrong));
        };
        let rules = Arc::clone(&self.login_rules);
        let held = Arc::new((visitor, cookie.to_owned(), answer, party, rules));
        self.db
            .by(actor(&held.0.staff.id))
            .write(move |tx| {
                let held = Arc::clone(&held);
                Box::pin(async move {
                    let (visitor, cookie, answer, party, rules) = &*held;
                    let (person, browser) = (&visitor.staff, &visitor.browser);
                    let now = tx.now().await?;
                    let asked = rows::answered(tx, cookie, PROVE, now).await?;
                    let Some(asked) = asked else { return Ok(Err(NotIn::Wrong)) };
                    let key = check(tx, party, &asked, answer, false).await?;
                    let theirs = key.is_some_and(|key| key.staff == person.id);
                    if !theirs || !lives(browser, rules, now) {
                        return Ok(Err(NotIn::Wrong));
                    }
                    rows::proved(tx, &browser.id, Proof::Passkey, now).await?;
                    factors::set_failures(tx, &person.id, 0, Timestamp::EPOCH).await?;
                    let entry = Entry::new(Action::StaffProved, person.id.as_str())
                        .with(Detail::Proof, Proof::Passkey.as_str());
                    note_with(tx, person, entry).await?;
                    Ok::<_, Error>(Ok(()))
                })
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passkeys are of a name by which browsers reach the console: not of an address, but for one's own machine.
    #[test]
    fn passkeys_are_of_a_name() {
        for (origin, at) in [
            ("https://relay.example", Some("https://relay.example")),
            ("https://relay.example:8443", Some("https://relay.example:8443")),
            ("http://127.0.0.1:8080", Some("http://localhost:8080")),
            ("http://[::1]:8080", Some("http://localhost:8080")),
            ("http://localhost:8080", Some("http://localhost:8080")),
            ("https://192.0.2.7", None),
            ("https://[2001:db8::7]", None),
            ("nowhere", None),
        ] {
            let party = Party::at(origin);
            assert_eq!(party.as_ref().map(|party| party.origin.as_str()), at, "{origin}");
        }
    }
}
