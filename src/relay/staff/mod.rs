//! Support staff: who is among them, what they may do, and their one-time links.

mod browsers;
mod factors;
mod login;
mod oidc;
mod passkeys;
mod provider;

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

pub use self::{
    browsers::{Must, Visitor},
    factors::{AppOffered, NotSet, RECOVERY_CODES},
    login::{Entered, Evidence, NotIn},
    oidc::{Arrived, Brought, CameBack, NotThere},
    passkeys::{Asked, PASSKEY_NAME_CHARS, PASSKEYS_MAX},
    provider::{Provider, ProviderFault},
};
pub(super) use self::{login::HASHED_AT_ONCE, passkeys::Party};
use super::{
    Relay,
    error::{Error, Fault},
};
use crate::{
    domain::{
        audit::{Action, Actor, ActorKind, Detail, Entry},
        staff::{Extra, Rights, Role},
    },
    ids::{AccountId, StaffId},
    store::{
        Tx, accounts, audit,
        staff::{self, Grant, Staff, browsers as rows, factors as proofs},
    },
};

/// How long a link may wait to be used.
const LINK_KEPT: Duration = Duration::from_hours(24);
/// The longest name of a member of the staff, in characters.
const NAME_CHARS_MAX: usize = 100;

/// Random bytes in base64url: 43 characters.
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

/// Who is to be let in, and as what.
#[derive(Debug, Clone)]
pub struct Invite {
    /// Their name, as the audit log will know them.
    pub name: String,
    /// The account; `None` for every one.
    pub account: Option<AccountId>,
    /// What they may do there; for somebody who is there already `None` leaves what it was.
    pub rights: Option<Rights>,
}

impl Invite {
    /// Somebody who may do everything everywhere.
    pub fn admin(name: &str) -> Self {
        Self { name: name.to_owned(), account: None, rights: Some(Rights::of(Role::Admin)) }
    }
}

fn actor(person: &StaffId) -> Actor {
    Actor::new(ActorKind::Staff, person.as_str())
}

/// Adds a row to the chain of the one account that somebody may see, or else to the installation's.
async fn note_with(tx: &mut Tx, person: &Staff, entry: Entry) -> Result<(), Error> {
    match person.only_account() {
        Some(account) => audit::append(tx, account, entry).await?,
        None => audit::append_installation(tx, entry).await?,
    }
    Ok(())
}

async fn note(tx: &mut Tx, person: &Staff, action: Action) -> Result<(), Error> {
    note_with(tx, person, Entry::new(action, person.id.as_str())).await
}

async fn granted(tx: &mut Tx, person: &Staff, grant: &Grant) -> Result<(), Error> {
    let Rights { role, extra } = grant.rights;
    let mut entry =
        Entry::new(Action::StaffGranted, person.id.as_str()).with(Detail::Role, role.as_str());
    if extra != Extra::default() {
        entry = entry.with(Detail::Scopes, extra.to_string());
    }
    match &grant.account {
        Some(account) => audit::append(tx, account, entry).await?,
        None => audit::append_installation(tx, entry).await?,
    }
    Ok(())
}

async fn revoked(tx: &mut Tx, person: &Staff, account: Option<&AccountId>) -> Result<(), Error> {
    let entry = Entry::new(Action::StaffGrantRevoked, person.id.as_str());
    match account {
        Some(account) => audit::append(tx, account, entry).await?,
        None => audit::append_installation(tx, entry).await?,
    }
    Ok(())
}

/// That somebody has a login here, and rights that are given here.
fn local(person: &Staff) -> Result<(), Error> {
    if person.issuer.is_none() {
        return Ok(());
    }
    let why =
        "comes by the other login, and by it alone: what they may do is said by their groups there";
    Err(Error::Invalid(vec![Fault::new("/staff", "elsewhere", why)]))
}

/// Finds the member of that name, or adds them; what they may do becomes what was said.
async fn member(tx: &mut Tx, invite: &Invite) -> Result<Staff, Error> {
    if let Some(account) = &invite.account {
        accounts::get(tx, account).await?.ok_or(Error::NotFound("account"))?;
    }
    let now = tx.now().await?;
    let Some(there) = staff::by_name(tx, &invite.name).await? else {
        let rights = invite.rights.unwrap_or_else(|| Rights::of(Role::Viewer));
        let grant = Grant { account: invite.account.clone(), rights };
        let new = Staff {
            id: tx.id_at(now),
            name: invite.name.clone(),
            grants: vec![grant.clone()],
            created_at: now,
            disabled_at: None,
            issuer: None,
        };
        staff::insert(tx, &new).await?;
        granted(tx, &new, &grant).await?;
        return Ok(new);
    };
    local(&there)?;
    if let Some(rights) = invite.rights {
        let grant = Grant { account: invite.account.clone(), rights };
        if !there.grants.contains(&grant) {
            staff::grant(tx, &there.id, &grant).await?;
            granted(tx, &there, &grant).await?;
        }
    } else {
        let has = there.grants.iter().any(|grant| grant.account == invite.account);
        if invite.account.is_some() && !has {
            let allowed = "must be left out or be an account that this person may see already: to let \
                           them see another, say their role there";
            return Err(Error::Invalid(vec![Fault::new("/account", "not_allowed", allowed)]));
        }
    }
    staff::get(tx, &there.id).await?.ok_or(Error::NotFound("staff member"))
}

/// Whether nobody but `id` who may log in runs the console of the whole installation.
async fn last_admin(tx: &mut Tx, id: &StaffId) -> Result<bool, Error> {
    let mut after = String::new();
    let is_admin = |one: &Staff| {
        one.disabled_at.is_none()
            && one.rights_everywhere().is_some_and(|rights| rights.role == Role::Admin)
    };
    let mut concerned = false;
    loop {
        let page = staff::list(tx, None, &after, 100).await?;
        let Some(last) = page.last() else { return Ok(concerned) };
        after.clone_from(&last.name);
        for one in page.iter().filter(|one| is_admin(one)) {
            if one.id == *id {
                concerned = true;
            } else {
                return Ok(false);
            }
        }
    }
}

fn last_admin_fault() -> Error {
    let why = "is the last who runs the whole console: let in another admin first";
    Error::Invalid(vec![Fault::new("/staff", "last_admin", why)])
}

impl Relay {
    /// Makes a link for a member of the staff, who is added if the name is new: 43 characters of
    /// base64url, which open the console once within 24 hours. Only their keyed hash is kept.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an account that is not there; [`Error::Invalid`] for a name that is
    /// not allowed or of somebody who comes by another login, or an account that somebody who is there already may
    /// not see, without a role.
    pub async fn create_staff(&self, invite: Invite) -> Result<String, Error> {
        check_name(&invite.name)?;
        let invite = Invite { name: invite.name.trim().to_owned(), ..invite };
        self.db
            .write(move |tx| {
                let invite = invite.clone();
                Box::pin(async move {
                    let person = member(tx, &invite).await?;
                    let now = tx.now().await?;
                    let link = secret(tx);
                    staff::insert_link(tx, &person.id, &link, now, now + LINK_KEPT).await?;
                    note(tx, &person, Action::StaffInvited).await?;
                    Ok::<_, Error>(link)
                })
            })
            .await
    }

    /// The member of the staff of that name.
    ///
    /// # Errors
    /// The store's.
    pub async fn staff_named(&self, name: &str) -> Result<Option<Staff>, Error> {
        let mut tx = self.db.read().await?;
        Ok(staff::by_name(&mut tx, name.trim()).await?)
    }

    /// Changes somebody, in one transaction with its row in the audit log.
    async fn change_staff<F>(&self, id: &StaffId, work: F) -> Result<(), Error>
    where
        F: for<'t> Fn(&'t mut Tx, Staff) -> futures_util::future::BoxFuture<'t, Result<(), Error>>
            + Send
            + Sync
            + 'static,
    {
        let (id, work) = (id.clone(), std::sync::Arc::new(work));
        self.db
            .write(move |tx| {
                let (id, work) = (id.clone(), std::sync::Arc::clone(&work));
                Box::pin(async move {
                    let person = staff::get(tx, &id).await?;
                    work(tx, person.ok_or(Error::NotFound("staff member"))?).await
                })
            })
            .await
    }

    /// Takes away what somebody may do in an account, or in all where it is `None`.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] for the last who runs the whole console, and for whoever comes by
    /// another login.
    pub async fn revoke_grant(
        &self,
        id: &StaffId,
        account: Option<AccountId>,
    ) -> Result<(), Error> {
        self.change_staff(id, move |tx, person| {
            let account = account.clone();
            Box::pin(async move {
                local(&person)?;
                if account.is_none() && last_admin(tx, &person.id).await? {
                    return Err(last_admin_fault());
                }
                if !staff::revoke(tx, &person.id, account.as_ref()).await? {
                    return Err(Error::NotFound("grant"));
                }
                revoked(tx, &person, account.as_ref()).await
            })
        })
        .await
    }

    /// Says what somebody may do in an account, or in all where it is `None`.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] for the last who runs the whole console, and for whoever comes by
    /// another login.
    pub async fn set_grant(&self, id: &StaffId, grant: Grant) -> Result<(), Error> {
        self.change_staff(id, move |tx, person| {
            let grant = grant.clone();
            Box::pin(async move {
                local(&person)?;
                if let Some(account) = &grant.account {
                    accounts::get(tx, account).await?.ok_or(Error::NotFound("account"))?;
                } else if grant.rights.role != Role::Admin && last_admin(tx, &person.id).await? {
                    return Err(last_admin_fault());
                }
                staff::grant(tx, &person.id, &grant).await?;
                granted(tx, &person, &grant).await
            })
        })
        .await
    }

    /// Locks somebody out: their browsers are logged out and their links end. Or lets them in again.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] for the last who runs the whole console.
    pub async fn set_disabled(&self, id: &StaffId, disabled: bool) -> Result<(), Error> {
        self.change_staff(id, move |tx, person| {
            Box::pin(async move {
                if person.disabled_at.is_some() == disabled {
                    return Ok(());
                }
                let now = tx.now().await?;
                if disabled {
                    if last_admin(tx, &person.id).await? {
                        return Err(last_admin_fault());
                    }
                    rows::delete_all(tx, &person.id, None).await?;
                    staff::delete_links(tx, &person.id).await?;
                }
                staff::set_disabled(tx, &person.id, disabled.then_some(now)).await?;
                let action = if disabled { Action::StaffDisabled } else { Action::StaffEnabled };
                note(tx, &person, action).await
            })
        })
        .await
    }

    /// Makes somebody change their password at their next login, and logs all their browsers out: for when
    /// passwords may have leaked.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] for whoever comes by another login.
    pub async fn expire_password(&self, id: &StaffId) -> Result<(), Error> {
        self.change_staff(id, |tx, person| {
            Box::pin(async move {
                local(&person)?;
                proofs::set_must_change(tx, &person.id).await?;
                rows::delete_all(tx, &person.id, None).await?;
                note(tx, &person, Action::StaffPasswordExpired).await
            })
        })
        .await
    }

    /// Takes somebody's app, recovery codes and passkeys away and logs all their browsers out: for whoever lost
    /// them. Their password stays.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn remove_second_steps(&self, id: &StaffId) -> Result<(), Error> {
        self.change_staff(id, |tx, person| {
            Box::pin(async move {
                let known = proofs::get(tx, &person.id).await?;
                let known = known.ok_or(Error::NotFound("staff member"))?;
                proofs::set_totp(tx, &person.id, None, None).await?;
                proofs::set_recovery_codes(tx, &person.id, &[]).await?;
                proofs::delete_passkeys(tx, &person.id).await?;
                rows::delete_all(tx, &person.id, None).await?;
                if known.totp_since.is_some() {
                    note(tx, &person, Action::StaffTotpRemoved).await?;
                }
                if known.passkeys > 0 {
                    note(tx, &person, Action::StaffPasskeyRemoved).await?;
                }
                Ok(())
            })
        })
        .await
    }
}
