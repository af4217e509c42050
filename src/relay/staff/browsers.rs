//! Browsers of staff: who is logged in with which, for how long, and out again.

use std::{sync::Arc, time::Duration};

use super::{Relay, actor, is_secret, note};
use crate::{
    domain::{
        audit::Action,
        staff::{LoginRules, Permission, Proof, Rights},
        time::Timestamp,
    },
    ids::{AccountId, BrowserId},
    relay::Error,
    store::staff::{
        self, Staff,
        browsers::{self as rows, Browser},
        factors::{self, Factors},
    },
};

/// How often a browser that asks for much is noted as seen.
const SEEN_EVERY: Duration = Duration::from_mins(1);
/// How many browsers of one person are shown.
const SHOWN: i64 = 100;

/// What somebody must do before anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Must {
    /// Change their password: an admin said so, or it is too old.
    ChangePassword,
    /// Add an app or a passkey.
    AddSecond,
}

/// Somebody who is logged in.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Who they are.
    pub staff: Staff,
    /// With which browser.
    pub browser: Browser,
    /// How they prove who they are.
    pub factors: Factors,
    /// What they must do first.
    pub must: Option<Must>,
    /// Whether they proved lately who they are.
    pub fresh: bool,
}

impl Visitor {
    /// Whether they may do that in an account.
    pub fn may(&self, account: &AccountId, what: Permission) -> bool {
        self.staff.rights(account).is_some_and(|rights| rights.may(what))
    }

    /// Whether they may do that in the installation as a whole.
    pub fn may_everywhere(&self, what: Permission) -> bool {
        self.staff.rights_everywhere().is_some_and(|rights| rights.may(what))
    }
}

/// Whether a browser is still logged in.
pub(super) fn lives(browser: &Browser, rules: &LoginRules, now: Timestamp) -> bool {
    now < browser.expires_at && now < browser.seen_at + rules.idle
}

fn must(
    staff: &Staff,
    browser: &Browser,
    factors: &Factors,
    rules: &LoginRules,
    (own_second, now): (bool, Timestamp),
) -> Option<Must> {
    let rights = staff.grants.iter().map(|grant| grant.rights).collect::<Vec<Rights>>();
    let one_step = rules.needs_second(rights) && !factors.has_second();
    match browser.proof {
        Proof::Password | Proof::Totp | Proof::Recovery => {}
        Proof::Oidc => return (own_second && one_step).then_some(Must::AddSecond),
        Proof::Link | Proof::Passkey => return None,
    }
    let roles = staff.grants.iter().map(|grant| grant.rights.role);
    let old = rules
        .password_age(roles)
        .zip(factors.password_set_at)
        .is_some_and(|(age, set)| now >= set + age);
    if factors.must_change || old {
        return Some(Must::ChangePassword);
    }
    one_step.then_some(Must::AddSecond)
}

impl Relay {
    /// Who is logged in with the browser of that cookie, whole; `None` for a cookie that is unknown, ended,
    /// halfway, or of somebody who is locked out.
    ///
    /// # Errors
    /// The store's.
    pub async fn visitor(&self, cookie: &str) -> Result<Option<Visitor>, Error> {
        let Some((visitor, now)) = self.look(cookie).await? else { return Ok(None) };
        if now >= visitor.browser.seen_at + SEEN_EVERY {
            let id = visitor.browser.id.clone();
            let seen = self.db.write(move |tx| {
                let id = id.clone();
                Box::pin(async move { Ok::<_, Error>(rows::seen(tx, &id, now).await?) })
            });
            seen.await?;
        }
        Ok(Some(visitor))
    }

    /// The same for what a page asks for by itself: nobody is seen by that, so a tab that was forgotten is logged out.
    ///
    /// # Errors
    /// The store's.
    pub async fn glance(&self, cookie: &str) -> Result<Option<Visitor>, Error> {
        Ok(self.look(cookie).await?.map(|(visitor, _)| visitor))
    }

    async fn look(&self, cookie: &str) -> Result<Option<(Visitor, Timestamp)>, Error> {
        if !is_secret(cookie) {
            return Ok(None);
        }
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        let browser = rows::by_secret(&mut tx, cookie).await?;
        let living = browser.filter(|one| !one.halfway && lives(one, &self.login_rules, now));
        let Some(browser) = living else { return Ok(None) };
        let staff = staff::get(&mut tx, &browser.staff).await?;
        let factors = factors::get(&mut tx, &browser.staff).await?;
        drop(tx);
        let enabled = staff.filter(|staff| staff.disabled_at.is_none() && !staff.grants.is_empty());
        let Some((staff, factors)) = enabled.zip(factors) else { return Ok(None) };
        let own_second = self.asks_for_own_second();
        let must = must(&staff, &browser, &factors, &self.login_rules, (own_second, now));
        let fresh =
            browser.proof != Proof::Link && now < browser.proved_at + self.login_rules.fresh;
        Ok(Some((Visitor { staff, browser, factors, must, fresh }, now)))
    }

    /// Who is halfway in with that cookie.
    ///
    /// # Errors
    /// The store's.
    pub async fn halfway(&self, cookie: &str) -> Result<Option<(Staff, Browser, Factors)>, Error> {
        if !is_secret(cookie) {
            return Ok(None);
        }
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        let browser = rows::by_secret(&mut tx, cookie).await?;
        let Some(browser) = browser.filter(|one| one.halfway && now < one.expires_at) else {
            return Ok(None);
        };
        let staff = staff::get(&mut tx, &browser.staff).await?;
        let staff = staff.filter(|staff| staff.disabled_at.is_none());
        let factors = factors::get(&mut tx, &browser.staff).await?;
        Ok(staff.zip(factors).map(|(staff, factors)| (staff, browser, factors)))
    }

    /// Somebody's browsers that are logged in, the latest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn browsers_of(&self, staff: &Staff) -> Result<Vec<Browser>, Error> {
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        let mut all = rows::of_staff(&mut tx, &staff.id, SHOWN).await?;
        all.retain(|one| !one.halfway && lives(one, &self.login_rules, now));
        Ok(all)
    }

    /// Logs the browser of that cookie out; one that is not logged in stays so.
    ///
    /// # Errors
    /// The store's.
    pub async fn log_out(&self, cookie: &str) -> Result<(), Error> {
        let Some(visitor) = self.visitor(cookie).await? else { return Ok(()) };
        self.end_browsers(visitor.staff, vec![visitor.browser.id], Action::StaffLoggedOut).await
    }

    /// Logs one other browser of somebody out.
    ///
    /// # Errors
    /// The store's.
    pub async fn revoke_browser(&self, staff: &Staff, browser: &BrowserId) -> Result<(), Error> {
        let browsers = vec![browser.clone()];
        self.end_browsers(staff.clone(), browsers, Action::StaffBrowserRevoked).await
    }

    async fn end_browsers(
        &self,
        staff: Staff,
        browsers: Vec<BrowserId>,
        action: Action,
    ) -> Result<(), Error> {
        let held = Arc::new((staff, browsers));
        let db = match action {
            Action::StaffLoggedOut => self.db.by(actor(&held.0.id)),
            _ => self.db.clone(),
        };
        db.write(move |tx| {
            let held = Arc::clone(&held);
            Box::pin(async move {
                for browser in &held.1 {
                    if rows::delete(tx, &held.0.id, browser).await? {
                        note(tx, &held.0, action).await?;
                    }
                }
                Ok::<_, Error>(())
            })
        })
        .await
    }
}
