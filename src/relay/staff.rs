//! Support staff: their one-time links and the browsers that those open.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    Relay,
    error::{Error, Fault},
};
use crate::{
    domain::audit::{Action, Actor, ActorKind, Entry},
    ids::AccountId,
    store::{
        self, Tx, accounts, audit,
        staff::{self, SecretKind, Staff},
    },
};

/// How long a link may wait to be used.
const LINK_KEPT: Duration = Duration::from_hours(24);
/// How long a browser stays logged in, whatever it does.
const BROWSER_KEPT: Duration = Duration::from_hours(12);
/// The longest name of a member of the staff, in characters.
const NAME_CHARS_MAX: usize = 100;

/// 32 random bytes in base64url: 43 characters.
fn secret(tx: &Tx) -> String {
    let mut bytes = [0; 32];
    tx.random(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Whether a text can be a secret at all: nothing else is looked up.
fn is_secret(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn check_name(name: &str) -> Result<(), Error> {
    let ok = !name.trim().is_empty()
        && name.chars().count() <= NAME_CHARS_MAX
        && !name.chars().any(char::is_control);
    if ok {
        return Ok(());
    }
    let allowed = format!("must have 1 to {NAME_CHARS_MAX} characters and no control characters");
    Err(Error::Invalid(vec![Fault::new("/name", "not_allowed", allowed)]))
}

/// Finds the member of that name, or adds them. What they may see is set once: a new link never
/// widens it.
async fn member(tx: &mut Tx, name: &str, account: Option<&AccountId>) -> Result<Staff, Error> {
    if let Some(account) = account {
        accounts::get(tx, account).await?.ok_or(Error::NotFound("account"))?;
    }
    let now = tx.now().await?;
    let new = Staff { id: tx.id_at(now), account: account.cloned(), name: name.to_owned() };
    match staff::insert(tx, &new, now).await {
        Ok(()) => return Ok(new),
        Err(store::Error::Conflict) => {}
        Err(other) => return Err(other.into()),
    }
    let there = staff::by_name(tx, name).await?.ok_or(Error::NotFound("staff member"))?;
    if account.is_some() && there.account.as_ref() != account {
        let allowed = "must be left out or be the account that this person was added with";
        return Err(Error::Invalid(vec![Fault::new("/account", "not_allowed", allowed)]));
    }
    Ok(there)
}

fn actor(person: &Staff) -> Actor {
    Actor::new(ActorKind::Staff, person.id.as_str())
}

/// Adds a row to the chain of the one account that somebody may see, or else to the installation's.
async fn note(tx: &mut Tx, person: &Staff, action: Action) -> Result<(), Error> {
    let entry = Entry::new(action, person.id.as_str());
    match &person.account {
        Some(account) => audit::append(tx, account, entry).await?,
        None => audit::append_installation(tx, entry).await?,
    }
    Ok(())
}

impl Relay {
    /// Makes a link for a member of the staff, who is added if the name is new: 43 characters of
    /// base64url, which open the console once within 24 hours. Only their keyed hash is kept.
    ///
    /// `account` is the one account that they may see, `None` for all. For a name that is there
    /// already `None` leaves what it was.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an account that is not there; [`Error::Invalid`] for a name that is
    /// not allowed, or another account than the person was added with.
    pub async fn create_staff(
        &self,
        name: &str,
        account: Option<AccountId>,
    ) -> Result<String, Error> {
        check_name(name)?;
        let name = name.trim().to_owned();
        self.db
            .write(move |tx| {
                let (name, account) = (name.clone(), account.clone());
                Box::pin(async move {
                    let person = member(tx, &name, account.as_ref()).await?;
                    let now = tx.now().await?;
                    let link = secret(tx);
                    let end = now + LINK_KEPT;
                    staff::insert_secret(tx, &person.id, SecretKind::Link, &link, now, end).await?;
                    note(tx, &person, Action::StaffInvited).await?;
                    Ok::<_, Error>(link)
                })
            })
            .await
    }

    /// Uses a link up; the secret of the browser that is logged in for 12 hours. `None` for a link
    /// that is unknown, used or past its end.
    pub async fn redeem_link(&self, link: &str) -> Result<Option<String>, Error> {
        if !is_secret(link) {
            return Ok(None);
        }
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        let person = staff::by_secret(&mut tx, SecretKind::Link, link, now).await?;
        drop(tx);
        let Some(person) = person else { return Ok(None) };
        let link = link.to_owned();
        self.db
            .by(actor(&person))
            .write(move |tx| {
                let link = link.clone();
                Box::pin(async move {
                    let now = tx.now().await?;
                    let person = staff::by_secret(tx, SecretKind::Link, &link, now).await?;
                    let Some(person) = person else { return Ok(None) };
                    // Of two who use it at once, one deletes it.
                    if !staff::delete_secret(tx, SecretKind::Link, &link).await? {
                        return Ok(None);
                    }
                    let browser = secret(tx);
                    let (kind, end) = (SecretKind::Browser, now + BROWSER_KEPT);
                    staff::insert_secret(tx, &person.id, kind, &browser, now, end).await?;
                    note(tx, &person, Action::StaffLoggedIn).await?;
                    Ok::<_, Error>(Some(browser))
                })
            })
            .await
    }

    /// Who is logged in with that browser.
    pub async fn staff_by_browser(&self, browser: &str) -> Result<Option<Staff>, Error> {
        if !is_secret(browser) {
            return Ok(None);
        }
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        Ok(staff::by_secret(&mut tx, SecretKind::Browser, browser, now).await?)
    }

    /// Logs a browser out; one that is not logged in stays so.
    pub async fn log_out(&self, browser: &str) -> Result<(), Error> {
        let Some(person) = self.staff_by_browser(browser).await? else { return Ok(()) };
        let held = Arc::new((person.clone(), browser.to_owned()));
        self.db
            .by(actor(&person))
            .write(move |tx| {
                let held = Arc::clone(&held);
                Box::pin(async move {
                    if staff::delete_secret(tx, SecretKind::Browser, &held.1).await? {
                        note(tx, &held.0, Action::StaffLoggedOut).await?;
                    }
                    Ok::<_, Error>(())
                })
            })
            .await
    }
}
