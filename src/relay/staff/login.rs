//! The way in: a link, or a password and then a code.

use std::{sync::Arc, time::Duration};

use super::{Relay, actor, browsers::lives, is_secret, note, note_with, secret};
use crate::{
    domain::{
        audit::{Action, Detail, Entry},
        staff::{Proof, wait_after},
        time::Timestamp,
    },
    ids::StaffId,
    relay::Error,
    store::{
        Tx,
        staff::{
            self, Staff,
            browsers::{self as rows, Browser},
            factors::{self, Factors},
        },
    },
};

/// How long the second factor may take.
const HALFWAY_KEPT: Duration = Duration::from_mins(10);
/// The longest that a browser's own name is kept, in characters.
const AGENT_CHARS: usize = 60;
/// How many passwords are hashed at once: each takes 19 MiB and a core.
pub(in crate::relay) const HASHED_AT_ONCE: usize = 2;
/// What is compared where there is nothing to compare with, so that it takes as long.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA\
    $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// How far somebody got, and the cookie that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entered {
    /// They are in.
    In(String),
    /// The second factor is still to come, within 10 minutes.
    Halfway(String),
}

/// Why somebody did not get in. Which it was is told to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotIn {
    /// Name, password or code is wrong, or they may not log in.
    Wrong,
    /// Too many were wrong of late.
    Wait,
}

/// What somebody proves who they are with.
#[derive(Clone)]
pub enum Evidence {
    /// Their password.
    Password(String),
    /// A code of their app, or a recovery code.
    Code(String),
}

impl std::fmt::Debug for Evidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password(••••)",
            Self::Code(_) => "Code(••••)",
        })
    }
}

/// What a browser calls itself, in few words that can be shown.
fn short_agent(agent: &str) -> String {
    agent.chars().filter(|c| !c.is_control()).take(AGENT_CHARS).collect()
}

/// A recovery code as it was made, however it is typed.
pub(super) fn bare_code(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Logs a browser in, whole or halfway; its cookie.
pub(super) async fn enter(
    tx: &mut Tx,
    relay: &Relay,
    person: &Staff,
    proof: Proof,
    halfway: bool,
    agent: &str,
) -> Result<String, Error> {
    let now = tx.now().await?;
    enter_as_of(tx, relay, person, (proof, now), halfway, agent).await
}

/// The same of somebody who proved at that time who they are.
pub(super) async fn enter_as_of(
    tx: &mut Tx,
    relay: &Relay,
    person: &Staff,
    (proof, proved_at): (Proof, Timestamp),
    halfway: bool,
    agent: &str,
) -> Result<String, Error> {
    let now = tx.now().await?;
    let cookie = secret(tx);
    let kept = if halfway { HALFWAY_KEPT } else { relay.login_rules.longest };
    let browser = Browser {
        id: tx.id_at(now),
        staff: person.id.clone(),
        halfway,
        proof,
        agent: short_agent(agent),
        created_at: now,
        seen_at: now,
        proved_at,
        expires_at: now + kept,
    };
    rows::insert(tx, &cookie, &browser).await?;
    if !halfway {
        factors::set_failures(tx, &person.id, 0, Timestamp::EPOCH).await?;
        let entry = Entry::new(Action::StaffLoggedIn, person.id.as_str());
        note_with(tx, person, entry.with(Detail::Proof, proof.as_str())).await?;
    }
    Ok(cookie)
}

/// Somebody's factors, locked; or why nothing is looked at now.
async fn open_factors(tx: &mut Tx, person: &Staff) -> Result<Result<Factors, NotIn>, Error> {
    let Some(known) = factors::lock(tx, &person.id).await? else { return Ok(Err(NotIn::Wrong)) };
    let shut = tx.now().await? < known.locked_until;
    Ok(if shut { Err(NotIn::Wait) } else { Ok(known) })
}

/// Notes a wrong password or code; from the fifth in a row on none is taken for a while.
async fn failed(tx: &mut Tx, person: &Staff, known: &Factors) -> Result<(), Error> {
    let failures = known.failures.saturating_add(1);
    let wait = wait_after(failures);
    if wait.is_zero() {
        return Ok(factors::set_failures(tx, &person.id, failures, Timestamp::EPOCH).await?);
    }
    let until = tx.now().await? + wait;
    factors::set_failures(tx, &person.id, failures, until).await?;
    note(tx, person, Action::StaffLocked).await?;
    Ok(())
}

/// Whether a code is one of theirs that was not used; it is so used.
pub(super) async fn take_code(
    tx: &mut Tx,
    staff: &StaffId,
    known: &Factors,
    code: &str,
) -> Result<Option<Proof>, Error> {
    let now = tx.now().await?;
    if let (Some(salt), Some(_)) = (&known.totp_salt, known.totp_since) {
        let seconds = u64::try_from(now.millis() / 1000).unwrap_or_default();
        let step = tx.keyring().totp_step(staff.as_str(), salt, code, seconds);
        if let Some(step) = step {
            return Ok(factors::take_step(tx, staff, step).await?.then_some(Proof::Totp));
        }
    }
    let code = bare_code(code);
    if code.len() < 8 {
        return Ok(None);
    }
    let taken = factors::take_recovery_code(tx, staff, &code).await?;
    Ok(taken.then_some(Proof::Recovery))
}

impl Relay {
    /// Whether that is their password. At most two are hashed at once.
    pub(super) async fn password_is(
        &self,
        staff: Option<&Staff>,
        hash: Option<&str>,
        password: &str,
    ) -> bool {
        let Ok(_turn) = self.hashing.acquire().await else { return false };
        let id = staff.map_or_else(String::new, |staff| staff.id.to_string());
        let keyring = Arc::clone(self.db.keyring());
        let (known, hash) = (hash.is_some(), hash.unwrap_or(NOBODYS).to_owned());
        let password = password.to_owned();
        let matches =
            tokio::task::spawn_blocking(move || keyring.password_matches(&id, &password, &hash));
        matches.await.unwrap_or(false) && known
    }

    /// Uses a link up; the cookie of the browser that is so logged in. `None` for a link that is unknown, used,
    /// past its end, or of somebody who is locked out.
    ///
    /// # Errors
    /// The store's.
    pub async fn redeem_link(&self, link: &str, agent: &str) -> Result<Option<String>, Error> {
        if !is_secret(link) {
            return Ok(None);
        }
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        let person = staff::by_link(&mut tx, link, now).await?;
        drop(tx);
        let Some(person) = person else { return Ok(None) };
        let held = Arc::new((self.clone(), link.to_owned(), agent.to_owned()));
        self.db
            .by(actor(&person.id))
            .write(move |tx| {
                let held = Arc::clone(&held);
                Box::pin(async move {
                    let now = tx.now().await?;
                    let person = staff::by_link(tx, &held.1, now).await?;
                    let local =
                        person.filter(|one| one.disabled_at.is_none() && one.issuer.is_none());
                    let Some(person) = local else {
                        return Ok(None);
                    };
                    // Of two who use it at once, one deletes it.
                    if !staff::delete_link(tx, &held.1).await? {
                        return Ok(None);
                    }
                    let cookie = enter(tx, &held.0, &person, Proof::Link, false, &held.2).await?;
                    Ok::<_, Error>(Some(cookie))
                })
            })
            .await
    }

    /// Logs somebody in by name and password: whole, or halfway where they have a second factor. It takes as
    /// long for a name that is not there.
    ///
    /// # Errors
    /// The store's.
    pub async fn log_in(
        &self,
        name: &str,
        password: &str,
        agent: &str,
    ) -> Result<Result<Entered, NotIn>, Error> {
        let mut tx = self.db.read().await?;
        let person = staff::by_name(&mut tx, name.trim()).await?;
        let known = match &person {
            Some(person) => factors::get(&mut tx, &person.id).await?,
            None => None,
        };
        drop(tx);
        let hash = known.as_ref().and_then(|known| known.password.as_deref());
        let right = self.password_is(person.as_ref(), hash, password).await;
        let Some(person) = person else { return Ok(Err(NotIn::Wrong)) };
        let allowed = self.login_rules.passwords
            && person.disabled_at.is_none()
            && person.issuer.is_none()
            && !person.grants.is_empty();
        let compared = known.and_then(|known| known.password);
        let held = Arc::new((self.clone(), person, agent.to_owned(), compared));
        self.db
            .by(actor(&held.1.id))
            .write(move |tx| {
                let held = Arc::clone(&held);
                Box::pin(async move {
                    let (relay, person, agent) = (&held.0, &held.1, &held.2);
                    let known = match open_factors(tx, person).await? {
                        Ok(known) => known,
                        Err(not_in) => return Ok(Err(not_in)),
                    };
                    // What was compared is what they have still.
                    let right = right && known.password == held.3;
                    if !right {
                        failed(tx, person, &known).await?;
                    }
                    if !right || !allowed {
                        return Ok(Err(NotIn::Wrong));
                    }
                    let second = known.has_second();
                    let cookie = enter(tx, relay, person, Proof::Password, second, agent).await?;
                    let entered =
                        if second { Entered::Halfway(cookie) } else { Entered::In(cookie) };
                    Ok::<_, Error>(Ok(entered))
                })
            })
            .await
    }

    /// The second factor of somebody who is halfway in: a code of their app, or a recovery code; the cookie of
    /// the browser that is so logged in.
    ///
    /// # Errors
    /// The store's.
    pub async fn second_factor(
        &self,
        cookie: &str,
        code: &str,
    ) -> Result<Result<String, NotIn>, Error> {
        let Some((person, browser, _)) = self.halfway(cookie).await? else {
            return Ok(Err(NotIn::Wrong));
        };
        let held = Arc::new((self.clone(), person, browser, code.to_owned()));
        self.db
            .by(actor(&held.1.id))
            .write(move |tx| {
                let held = Arc::clone(&held);
                Box::pin(async move {
                    let (relay, person, browser, code) = &*held;
                    let known = match open_factors(tx, person).await? {
                        Ok(known) => known,
                        Err(not_in) => return Ok(Err(not_in)),
                    };
                    let Some(proof) = take_code(tx, &person.id, &known, code).await? else {
                        failed(tx, person, &known).await?;
                        return Ok(Err(NotIn::Wrong));
                    };
                    // Of two who answer at once, one deletes it.
                    if !rows::delete(tx, &person.id, &browser.id).await? {
                        return Ok(Err(NotIn::Wrong));
                    }
                    // Whoever came by another login comes by it also where they are asked for more.
                    let proof = if browser.proof == Proof::Oidc { Proof::Oidc } else { proof };
                    let cookie = enter(tx, relay, person, proof, false, &browser.agent).await?;
                    Ok::<_, Error>(Ok(cookie))
                })
            })
            .await
    }

    /// Proves again who somebody is that is logged in, for what only a fresh proof opens. Where they have an
    /// app or a passkey, a password does not do.
    ///
    /// # Errors
    /// The store's.
    pub async fn prove(
        &self,
        cookie: &str,
        evidence: &Evidence,
    ) -> Result<Result<(), NotIn>, Error> {
        let Some(visitor) = self.visitor(cookie).await? else { return Ok(Err(NotIn::Wrong)) };
        let known = visitor.factors.clone();
        let right = match evidence {
            Evidence::Password(password) => {
                !known.has_second()
                    && self
                        .password_is(Some(&visitor.staff), known.password.as_deref(), password)
                        .await
            }
            Evidence::Code(_) => false,
        };
        let held = Arc::new((visitor, evidence.clone(), self.login_rules.clone()));
        self.db
            .by(actor(&held.0.staff.id))
            .write(move |tx| {
                let held = Arc::clone(&held);
                Box::pin(async move {
                    let (visitor, evidence, rules) = &*held;
                    let (person, browser) = (&visitor.staff, &visitor.browser);
                    let known = match open_factors(tx, person).await? {
                        Ok(known) => known,
                        Err(not_in) => return Ok(Err(not_in)),
                    };
                    let now = tx.now().await?;
                    let right = right && known.password == visitor.factors.password;
                    let proof = match evidence {
                        Evidence::Password(_) => right.then_some(Proof::Password),
                        Evidence::Code(code) => take_code(tx, &person.id, &known, code).await?,
                    };
                    let Some(proof) = proof.filter(|_| lives(browser, rules, now)) else {
                        failed(tx, person, &known).await?;
                        return Ok(Err(NotIn::Wrong));
                    };
                    rows::proved(tx, &browser.id, proof, now).await?;
                    factors::set_failures(tx, &person.id, 0, Timestamp::EPOCH).await?;
                    let entry = Entry::new(Action::StaffProved, person.id.as_str());
                    note_with(tx, person, entry.with(Detail::Proof, proof.as_str())).await?;
                    Ok::<_, Error>(Ok(()))
                })
            })
            .await
    }
}
