//! What somebody proves themselves with, as they set it: password, app, recovery codes.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Relay, Visitor, actor, note};
use crate::{
    domain::{
        audit::Action,
        staff::{WeakPassword, check_password},
    },
    privacy::SALT_BYTES,
    relay::Error,
    store::{
        Tx,
        staff::{browsers as rows, factors},
    },
};

/// How many recovery codes somebody has.
pub const RECOVERY_CODES: usize = 10;
/// What recovery codes are made of: nothing that looks like another. 32 of them, so that a random byte picks
/// evenly.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// What an app is to hold.
#[derive(Clone, PartialEq, Eq)]
pub struct AppOffered {
    /// The secret, in Base32.
    pub secret: String,
    /// The same as an `otpauth` address.
    pub address: String,
}

impl std::fmt::Debug for AppOffered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AppOffered(••••)")
    }
}

/// Why nothing was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSet {
    /// The password that was given as the present one is not.
    Wrong,
    /// The new password is not taken.
    Weak(WeakPassword),
    /// It is the present one.
    Same,
    /// The code is not what the app should show now.
    Code,
    /// They must prove again who they are first.
    Stale,
    /// The name is not allowed.
    Name,
    /// The passkey is not what was asked for.
    Refused,
    /// They have as many as may be.
    Full,
    /// Nothing else opens the console to them.
    Only,
    /// It can't be made.
    Failed,
}

fn recovery_codes(tx: &Tx) -> Vec<String> {
    let mut bytes = [0; RECOVERY_CODES * 10];
    tx.random(&mut bytes);
    let letter = |byte: &u8| char::from(LETTERS[usize::from(byte % 32)]);
    bytes.chunks_exact(10).map(|chunk| chunk.iter().map(letter).collect()).collect()
}

/// A recovery code as people read it: `abcde-fghij`.
fn shown(code: &str) -> String {
    let (head, tail) = code.split_at(code.len() / 2);
    format!("{head}-{tail}")
}

impl Relay {
    /// Sets somebody's password. Whoever has one says it first; whoever has none came by a link or a passkey just
    /// now. Every other browser of theirs is logged out.
    ///
    /// # Errors
    /// The store's.
    pub async fn set_password(
        &self,
        visitor: &Visitor,
        present: &str,
        new: &str,
    ) -> Result<Result<(), NotSet>, Error> {
        let staff = &visitor.staff;
        let known = visitor.factors.password.as_deref();
        // A password would outlast what the other login takes away.
        if staff.issuer.is_some() {
            return Ok(Err(NotSet::Failed));
        }
        if known.is_some() && !self.password_is(Some(staff), known, present).await {
            return Ok(Err(NotSet::Wrong));
        }
        if let Err(weak) = check_password(new, &staff.name) {
            return Ok(Err(NotSet::Weak(weak)));
        }
        if known.is_some() && present == new {
            return Ok(Err(NotSet::Same));
        }
        let Some(hash) = self.password_hash(staff.id.as_str(), new).await else {
            return Ok(Err(NotSet::Failed));
        };
        let held = Arc::new((visitor.clone(), hash));
        self.db
            .by(actor(&staff.id))
            .write(move |tx| {
                let held = Arc::clone(&held);
                Box::pin(async move {
                    let now = tx.now().await?;
                    let (visitor, hash) = &*held;
                    factors::set_password(tx, &visitor.staff.id, hash, now).await?;
                    let (id, kept) = (&visitor.staff.id, &visitor.browser.id);
                    rows::delete_all(tx, id, Some(kept)).await?;
                    note(tx, &visitor.staff, Action::StaffPasswordSet).await?;
                    Ok::<_, Error>(Ok(()))
                })
            })
            .await
    }

    async fn password_hash(&self, staff: &str, password: &str) -> Option<String> {
        let _turn = self.hashing.acquire().await.ok()?;
        let mut salt = [0; SALT_BYTES];
        self.db.read().await.ok()?.random(&mut salt);
        let keyring = Arc::clone(self.db.keyring());
        let (staff, password) = (staff.to_owned(), password.to_owned());
        let hash =
            tokio::task::spawn_blocking(move || keyring.password_hash(&staff, &password, salt));
        hash.await.ok().flatten()
    }

    /// Offers somebody's app a secret, which asks for nothing before its first code was shown.
    ///
    /// # Errors
    /// The store's.
    pub async fn offer_app(&self, visitor: &Visitor) -> Result<Option<AppOffered>, Error> {
        let staff = Arc::new(visitor.staff.clone());
        let since = visitor.factors.totp_since;
        if since.is_some() {
            return Ok(None);
        }
        let there = visitor.factors.totp_salt.clone();
        let db = self.db.by(actor(&staff.id));
        let offered = db.write(move |tx| {
            let (staff, there) = (Arc::clone(&staff), there.clone());
            Box::pin(async move {
                let salt = if let Some(salt) = there {
                    salt
                } else {
                    let mut bytes = [0; 16];
                    tx.random(&mut bytes);
                    let salt = URL_SAFE_NO_PAD.encode(bytes);
                    factors::set_totp(tx, &staff.id, Some(&salt), None).await?;
                    salt
                };
                let made = tx.keyring().totp_secret(staff.id.as_str(), &staff.name, &salt);
                Ok::<_, Error>(made.map(|(secret, address)| AppOffered { secret, address }))
            })
        });
        offered.await
    }

    /// Takes the first code of an app, which is asked for from then on; the recovery codes for the day that it
    /// is lost.
    ///
    /// # Errors
    /// The store's.
    pub async fn confirm_app(
        &self,
        visitor: &Visitor,
        code: &str,
    ) -> Result<Result<Vec<String>, NotSet>, Error> {
        let held = Arc::new((visitor.clone(), code.to_owned()));
        self.db
            .by(actor(&visitor.staff.id))
            .write(move |tx| {
                let held = Arc::clone(&held);
                Box::pin(async move {
                    let (visitor, code) = &*held;
                    let id = &visitor.staff.id;
                    let now = tx.now().await?;
                    let Some(known) = factors::get(tx, id).await? else {
                        return Ok(Err(NotSet::Failed));
                    };
                    let (Some(salt), None) = (known.totp_salt, known.totp_since) else {
                        return Ok(Err(NotSet::Code));
                    };
                    let seconds = u64::try_from(now.millis() / 1000).unwrap_or_default();
                    let step = tx.keyring().totp_step(id.as_str(), &salt, code, seconds);
                    let Some(step) = step else { return Ok(Err(NotSet::Code)) };
                    factors::take_step(tx, id, step).await?;
                    factors::set_totp(tx, id, Some(&salt), Some(now)).await?;
                    let codes = recovery_codes(tx);
                    factors::set_recovery_codes(tx, id, &codes).await?;
                    note(tx, &visitor.staff, Action::StaffTotpAdded).await?;
                    rows::delete_all(tx, id, Some(&visitor.browser.id)).await?;
                    Ok::<_, Error>(Ok(codes.iter().map(|code| shown(code)).collect()))
                })
            })
            .await
    }

    /// Asks for no codes of an app any more.
    ///
    /// # Errors
    /// The store's.
    pub async fn remove_app(&self, visitor: &Visitor) -> Result<Result<(), NotSet>, Error> {
        if !visitor.fresh {
            return Ok(Err(NotSet::Stale));
        }
        let held = Arc::new(visitor.clone());
        self.db
            .by(actor(&visitor.staff.id))
            .write(move |tx| {
                let held = Arc::clone(&held);
                Box::pin(async move {
                    factors::set_totp(tx, &held.staff.id, None, None).await?;
                    if held.factors.passkeys == 0 {
                        factors::set_recovery_codes(tx, &held.staff.id, &[]).await?;
                    }
                    note(tx, &held.staff, Action::StaffTotpRemoved).await?;
                    Ok::<_, Error>(Ok(()))
                })
            })
            .await
    }

    /// Makes somebody new recovery codes, in place of what is left of the old.
    ///
    /// # Errors
    /// The store's.
    pub async fn renew_recovery_codes(
        &self,
        visitor: &Visitor,
    ) -> Result<Result<Vec<String>, NotSet>, Error> {
        if !visitor.fresh || !visitor.factors.has_second() {
            return Ok(Err(NotSet::Stale));
        }
        let held = Arc::new(visitor.clone());
        self.db
            .by(actor(&visitor.staff.id))
            .write(move |tx| {
                let held = Arc::clone(&held);
                Box::pin(async move {
                    let codes = recovery_codes(tx);
                    factors::set_recovery_codes(tx, &held.staff.id, &codes).await?;
                    note(tx, &held.staff, Action::StaffRecoveryCodesMade).await?;
                    Ok::<_, Error>(Ok(codes.iter().map(|code| shown(code)).collect()))
                })
            })
            .await
    }
}
