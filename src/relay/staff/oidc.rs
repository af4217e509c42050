//! Staff who come by another login (`OpenID` Connect): somebody is whom it names so, and their groups there say what
//! they may do here, anew each time.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    NAME_CHARS_MAX, Relay, Visitor, actor, granted, is_secret, login, note_with,
    provider::{Bound, Identity, Provider, ProviderFault},
    revoked, secret,
};
use crate::{
    domain::{
        audit::{Action, Detail, Entry},
        oidc::{OidcRules, SecondFactor},
        staff::{Language, Proof},
        time::Timestamp,
    },
    ids::{AccountId, StaffId},
    relay::Error,
    store::{
        Tx, accounts, audit,
        staff::{self, Grant, Staff, browsers as rows, factors},
    },
};

/// What was asked, where it is kept.
const ASKED: &str = "oidc";
/// How many digits a name may have: a telephone number is no name.
const NAME_DIGITS: usize = 6;

/// What a browser was sent away with.
#[derive(Serialize, Deserialize)]
struct Asked {
    bound: Bound,
    /// Where it leads then.
    next: String,
    /// The id of the browser that is logged in and is to prove again who its owner is.
    proving: Option<String>,
    /// When, in milliseconds.
    at: i64,
}

/// What a browser that comes back brings.
#[derive(Clone, Copy)]
pub struct Brought<'a> {
    /// The text that it was sent away with.
    pub state: &'a str,
    /// What the other login gives its tokens for.
    pub code: Option<&'a str>,
    /// Or why it gives none.
    pub error: Option<&'a str>,
    /// Which login says so, where it does (RFC 9207).
    pub issuer: Option<&'a str>,
}

impl std::fmt::Debug for Brought<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Brought(••••)")
    }
}

/// What became of a browser that came back.
#[derive(Debug, Clone)]
pub struct CameBack {
    /// Where it was to lead then; empty where that is not known.
    pub next: String,
    /// Whether somebody was to prove again who they are.
    pub proving: bool,
    /// How far they got, or why they did not.
    pub outcome: Result<Arrived, NotThere>,
}

/// How far somebody got by another login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrived {
    /// They are in, with that cookie.
    In(String),
    /// The console's own second step is still to come, within ten minutes.
    Halfway(String),
    /// They were in, and proved again who they are.
    Proved,
}

/// Why another login led nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotThere {
    /// There is none.
    Off,
    /// The browser was not sent away by us, too long ago, or came back already.
    Stale,
    /// The person said no there.
    Denied,
    /// What it says is not believed, or it says nothing.
    Fault(ProviderFault),
    /// None of their groups opens anything.
    NoGroup,
    /// They are locked out here.
    LockedOut,
    /// Somebody else came back than the one who is logged in.
    SomebodyElse,
    /// It does not say that they proved just now who they are.
    NotFresh,
}

impl From<ProviderFault> for NotThere {
    fn from(fault: ProviderFault) -> Self {
        Self::Fault(fault)
    }
}

/// What somebody of these groups may do, of the accounts that there are.
async fn wanted(tx: &mut Tx, rules: &OidcRules, groups: &[String]) -> Result<Vec<Grant>, Error> {
    let mut grants = Vec::new();
    for one in rules.rights_of(groups) {
        let account = match &one.account {
            None => None,
            Some(text) => {
                let id = AccountId::parse(text).ok();
                let there = match &id {
                    Some(id) => accounts::get(tx, id).await?,
                    None => None,
                };
                if there.is_none() {
                    tracing::warn!(account = %text, "a group of the other login is of no account");
                    continue;
                }
                id
            }
        };
        grants.push(Grant { account, rights: one.rights });
    }
    Ok(grants)
}

/// What they may do becomes that, and each change a row.
async fn settle(tx: &mut Tx, person: &Staff, wanted: &[Grant]) -> Result<(), Error> {
    for old in &person.grants {
        if !wanted.iter().any(|new| new.account == old.account) {
            staff::revoke(tx, &person.id, old.account.as_ref()).await?;
            revoked(tx, person, old.account.as_ref()).await?;
        }
    }
    for new in wanted.iter().filter(|new| !person.grants.contains(new)) {
        staff::grant(tx, &person.id, new).await?;
        granted(tx, person, new).await?;
    }
    Ok(())
}

/// Notes that somebody was not let in, and why; of whom nothing is known, no more than that.
async fn refuse(tx: &mut Tx, person: Option<&Staff>, why: &'static str) -> Result<(), Error> {
    let id = person.map_or("", |person| person.id.as_str());
    let entry = Entry::new(Action::StaffRefused, id).with(Detail::Why, why);
    match person {
        Some(person) => note_with(tx, person, entry).await,
        None => Ok(audit::append_installation(tx, entry).await?),
    }
}

/// A name that a list can show.
fn plain_name(name: &str) -> Option<String> {
    let name: String = name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX - 10).collect();
    let name = name.trim();
    let digits = name.chars().filter(|c| c.is_numeric()).count();
    (!name.is_empty() && digits <= NAME_DIGITS).then(|| name.to_owned())
}

/// What somebody new is called: as the other login calls them, with a figure where somebody is called so already.
async fn free_name(tx: &mut Tx, id: &StaffId, identity: &Identity) -> Result<String, Error> {
    let last = id.as_str().get(28..).unwrap_or_default();
    let name = identity.names.iter().find_map(|name| plain_name(name));
    let name = name.unwrap_or_else(|| format!("Staff {last}"));
    let mut free = name.clone();
    for figure in 2..100 {
        if staff::by_name(tx, &free).await?.is_none() {
            return Ok(free);
        }
        free = format!("{name} ({figure})");
    }
    Ok(format!("{name} {last}"))
}

/// Somebody who comes for the first time. Whoever has the same name here is somebody else.
async fn added(
    tx: &mut Tx,
    id: &StaffId,
    issuer: &str,
    identity: &Identity,
) -> Result<Staff, Error> {
    let person = Staff {
        id: id.clone(),
        name: free_name(tx, id, identity).await?,
        grants: Vec::new(),
        created_at: tx.now().await?,
        disabled_at: None,
        issuer: Some(issuer.to_owned()),
    };
    staff::insert(tx, &person).await?;
    staff::set_subject(tx, id, issuer, &identity.subject).await?;
    Ok(person)
}

/// Lets somebody in, or not.
async fn let_in(
    tx: &mut Tx,
    relay: &Relay,
    rules: &OidcRules,
    (id, identity, wanted): (&StaffId, &Identity, &[Grant]),
    agent: &str,
) -> Result<Result<Arrived, NotThere>, Error> {
    let now = tx.now().await?;
    let known = staff::by_subject(tx, &rules.issuer, &identity.subject).await?;
    let person = match known {
        Some(person) if person.disabled_at.is_some() => {
            refuse(tx, Some(&person), "locked_out").await?;
            return Ok(Err(NotThere::LockedOut));
        }
        // Somebody came twice at once, and was added meanwhile.
        Some(person) if person.id != *id => return Ok(Err(NotThere::Stale)),
        Some(person) => person,
        None => added(tx, id, &rules.issuer, identity).await?,
    };
    settle(tx, &person, wanted).await?;
    let Some(person) = staff::get(tx, id).await? else { return Ok(Err(NotThere::Stale)) };
    if person.grants.is_empty() {
        rows::delete_all(tx, id, None).await?;
        refuse(tx, Some(&person), "no_group").await?;
        return Ok(Err(NotThere::NoGroup));
    }
    let second = match rules.second_factor {
        SecondFactor::Provider => false,
        SecondFactor::Own => factors::get(tx, id).await?.is_some_and(|known| known.has_second()),
    };
    // Who was logged in there all day did not prove now who they are.
    let proved_at = identity.proved_at.map_or(Timestamp::EPOCH, |at| at.min(now));
    let proof = (Proof::Oidc, proved_at);
    let cookie = login::enter_as_of(tx, relay, &person, proof, second, agent).await?;
    Ok(Ok(if second { Arrived::Halfway(cookie) } else { Arrived::In(cookie) }))
}

/// Takes the answer as a fresh proof of whoever is logged in with that browser.
async fn prove_in(
    tx: &mut Tx,
    relay: &Relay,
    rules: &OidcRules,
    (visitor, identity, wanted): (&Visitor, &Identity, &[Grant]),
) -> Result<Result<Arrived, NotThere>, Error> {
    let now = tx.now().await?;
    let (person, browser) = (&visitor.staff, &visitor.browser);
    let known = staff::by_subject(tx, &rules.issuer, &identity.subject).await?;
    if known.is_none_or(|known| known.id != person.id) {
        return Ok(Err(NotThere::SomebodyElse));
    }
    settle(tx, person, wanted).await?;
    if wanted.is_empty() {
        rows::delete_all(tx, &person.id, None).await?;
        refuse(tx, Some(person), "no_group").await?;
        return Ok(Err(NotThere::NoGroup));
    }
    if !super::browsers::lives(browser, &relay.login_rules, now) {
        return Ok(Err(NotThere::Stale));
    }
    rows::proved(tx, &browser.id, Proof::Oidc, now).await?;
    let entry = Entry::new(Action::StaffProved, person.id.as_str());
    note_with(tx, person, entry.with(Detail::Proof, Proof::Oidc.as_str())).await?;
    Ok(Ok(Arrived::Proved))
}

impl Relay {
    /// The same, to whose console people come by another login too.
    #[must_use]
    pub fn with_provider(self, provider: Option<Provider>) -> Self {
        Self { provider: provider.map(Arc::new), ..self }
    }

    /// The other login, if there is one.
    pub fn provider(&self) -> Option<&Provider> {
        self.provider.as_deref()
    }

    /// Whether somebody who came by the other login is asked for a second step here.
    pub(super) fn asks_for_own_second(&self) -> bool {
        self.provider().is_some_and(|one| one.rules().second_factor == SecondFactor::Own)
    }

    /// Sends a browser to the other login: what it goes with, for its cookie, and where it is sent. With a
    /// `visitor` to prove again who they are: what they proved there before does not count.
    ///
    /// # Errors
    /// The store's.
    pub async fn ask_elsewhere(
        &self,
        next: &str,
        visitor: Option<&Visitor>,
        language: Language,
    ) -> Result<Result<(String, String), NotThere>, Error> {
        let Some(provider) = &self.provider else { return Ok(Err(NotThere::Off)) };
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        let (with, state, nonce, verifier) = (secret(&tx), secret(&tx), secret(&tx), secret(&tx));
        drop(tx);
        let bound = Bound { state, nonce, verifier };
        let oldest = visitor.is_none().then_some(self.login_rules.longest);
        let address = match provider.question(&bound, oldest, language).await {
            Ok(address) => address,
            Err(fault) => return Ok(Err(fault.into())),
        };
        let asked = Asked {
            bound,
            next: next.to_owned(),
            proving: visitor.map(|visitor| visitor.browser.id.to_string()),
            at: now.millis(),
        };
        let asked = serde_json::to_string(&asked).unwrap_or_default();
        self.remember(ASKED, &with, asked).await?;
        Ok(Ok((with, address)))
    }

    /// Takes what a browser brings back that was sent away `with` that, once; `cookie` is that of whoever is logged
    /// in with it already.
    ///
    /// # Errors
    /// The store's.
    pub async fn came_back(
        &self,
        with: &str,
        cookie: &str,
        brought: Brought<'_>,
        agent: &str,
    ) -> Result<CameBack, Error> {
        let Some(asked) = self.take_asked(with).await? else {
            let outcome = Err(NotThere::Stale);
            return Ok(CameBack { next: String::new(), proving: false, outcome });
        };
        let proving = asked.proving.is_some();
        let outcome = match self.identified(&asked, brought).await? {
            Ok(identity) if proving => self.prove_elsewhere(&asked, identity, cookie).await?,
            Ok(identity) => self.log_in_elsewhere(identity, agent).await?,
            Err(why) => Err(why),
        };
        if let Err(NotThere::Fault(fault)) = outcome {
            tracing::warn!(%fault, "the other login");
        }
        Ok(CameBack { next: asked.next, proving, outcome })
    }

    async fn take_asked(&self, with: &str) -> Result<Option<Asked>, Error> {
        if !is_secret(with) {
            return Ok(None);
        }
        let with = with.to_owned();
        let text = self.db.write(move |tx| {
            let with = with.clone();
            Box::pin(async move {
                let now = tx.now().await?;
                Ok::<_, Error>(rows::answered(tx, &with, ASKED, now).await?)
            })
        });
        Ok(text.await?.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// Who it is, as far as the other login is believed.
    async fn identified(
        &self,
        asked: &Asked,
        brought: Brought<'_>,
    ) -> Result<Result<Identity, NotThere>, Error> {
        let Some(provider) = &self.provider else { return Ok(Err(NotThere::Off)) };
        let refused = |check| Ok(Err(ProviderFault::Refused(check).into()));
        if brought.state != asked.bound.state {
            return refused("state");
        }
        if brought.issuer.is_some_and(|issuer| issuer != provider.rules().issuer) {
            return refused("issuer");
        }
        let code = match (brought.error, brought.code) {
            (Some("access_denied"), _) => return Ok(Err(NotThere::Denied)),
            (Some("temporarily_unavailable" | "server_error"), _) => {
                return Ok(Err(ProviderFault::Away.into()));
            }
            (Some("unauthorized_client"), _) => return Ok(Err(ProviderFault::Client.into())),
            (Some(_), _) => return refused("error"),
            (None, None) => return refused("no_code"),
            (None, Some(code)) => code,
        };
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        drop(tx);
        let identity = match provider.identify(code, &asked.bound, now).await {
            Ok(identity) => identity,
            Err(fault) => return Ok(Err(fault.into())),
        };
        let since = Provider::about(Timestamp::from_millis(asked.at));
        let fresh = identity.proved_at.is_some_and(|at| at >= since);
        if asked.proving.is_some() && !fresh {
            return Ok(Err(NotThere::NotFresh));
        }
        Ok(Ok(identity))
    }

    async fn prove_elsewhere(
        &self,
        asked: &Asked,
        identity: Identity,
        cookie: &str,
    ) -> Result<Result<Arrived, NotThere>, Error> {
        let Some(provider) = self.provider.clone() else { return Ok(Err(NotThere::Off)) };
        let visitor = self.visitor(cookie).await?;
        let visitor =
            visitor.filter(|one| asked.proving.as_deref() == Some(one.browser.id.as_str()));
        let Some(visitor) = visitor else { return Ok(Err(NotThere::Stale)) };
        let mut tx = self.db.read().await?;
        let wanted = wanted(&mut tx, provider.rules(), &identity.groups).await?;
        drop(tx);
        let held = Arc::new((self.clone(), provider, visitor, identity, wanted));
        self.db
            .by(actor(&held.2.staff.id))
            .write(move |tx| {
                let held = Arc::clone(&held);
                Box::pin(async move {
                    let (relay, provider, visitor, identity, wanted) = &*held;
                    prove_in(tx, relay, provider.rules(), (visitor, identity, wanted)).await
                })
            })
            .await
    }

    async fn log_in_elsewhere(
        &self,
        identity: Identity,
        agent: &str,
    ) -> Result<Result<Arrived, NotThere>, Error> {
        let Some(provider) = self.provider.clone() else { return Ok(Err(NotThere::Off)) };
        let rules = provider.rules();
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        let wanted = wanted(&mut tx, rules, &identity.groups).await?;
        let known = staff::by_subject(&mut tx, &rules.issuer, &identity.subject).await?;
        let id: StaffId = known.as_ref().map_or_else(|| tx.id_at(now), |known| known.id.clone());
        drop(tx);
        if known.is_none() && wanted.is_empty() {
            let refused =
                self.db.write(|tx| Box::pin(async move { refuse(tx, None, "no_group").await }));
            refused.await?;
            return Ok(Err(NotThere::NoGroup));
        }
        let held = Arc::new((self.clone(), provider, id, identity, wanted, agent.to_owned()));
        self.db
            .by(actor(&held.2))
            .write(move |tx| {
                let held = Arc::clone(&held);
                Box::pin(async move {
                    let (relay, provider, id, identity, wanted, agent) = &*held;
                    let rules = provider.rules();
                    let_in(tx, relay, rules, (id, identity, wanted), agent).await
                })
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name is cut and cleaned; a number is none.
    #[test]
    fn names_can_be_shown() {
        assert_eq!(plain_name(" Ines\u{7} Duval ").as_deref(), Some("Ines Duval"));
        assert_eq!(plain_name("Agent 007").as_deref(), Some("Agent 007"));
        for none in ["", "  ", "\n", "+14155550100", "ines 4155550100"] {
            assert_eq!(plain_name(none), None, "{none:?}");
        }
        assert_eq!(plain_name(&"é".repeat(300)).unwrap().chars().count(), 90);
    }
}
