//! Accounts and who may act for them: API keys, with prefix, checksum, scopes and an end.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    Relay,
    error::{Error, Fault},
};
use crate::{
    domain::{
        audit::{Action, Actor, ActorKind, By, Detail, Entry, Reason},
        closed_set,
        time::Timestamp,
    },
    ids::{AccountId, Id as _, KeyId, hex},
    store::{
        Tx,
        accounts::{self, ApiKey},
        audit,
    },
};

closed_set! {
    /// What an API key may do.
    Scope {
        /// Read sessions, interactions and events.
        SessionsRead = "sessions:read",
        /// Open, change and close sessions; send and call.
        SessionsWrite = "sessions:write",
        /// Read services and numbers.
        NumbersRead = "numbers:read",
        /// Change services and numbers.
        NumbersWrite = "numbers:write",
        /// See people's numbers and words, where answers have them in clear: below `/v1` only.
        PeopleReveal = "people:reveal",
        /// Read endpoints and deliveries.
        WebhooksRead = "webhooks:read",
        /// Change endpoints, send again.
        WebhooksWrite = "webhooks:write",
        /// Make and withdraw API keys.
        KeysWrite = "keys:write",
        /// Read the audit log.
        AuditRead = "audit:read",
        /// Erase people.
        PersonsErase = "persons:erase",
        /// Export what is known of people.
        PersonsExport = "persons:export",
        /// Read verifications.
        VerificationsRead = "verifications:read",
        /// Send codes and check them.
        VerificationsWrite = "verifications:write",
        /// Place, read and lift legal holds.
        LegalHoldsWrite = "legal_holds:write",
        /// Read who wants no more texts.
        OptOutsRead = "opt_outs:read",
        /// Record and clear that.
        OptOutsWrite = "opt_outs:write",
        /// Read what people report of each other, with notes.
        ReportsRead = "reports:read",
        /// Decide reports.
        ReportsWrite = "reports:write",
    }
}

impl Scope {
    /// All scopes, as a key with every right has them.
    pub fn all() -> String {
        Self::ALL.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
    }
}

/// Who calls the API.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The account.
    pub account: AccountId,
    /// The key; `None` for the account's own auth token.
    pub key: Option<KeyId>,
    /// Why they do what they do, where they say so.
    pub reason: Option<Reason>,
    scopes: Vec<Scope>,
}

impl Caller {
    /// By what its requests are counted: the key's id, or the account's.
    pub fn counted_by(&self) -> &str {
        self.key.as_ref().map_or(self.account.as_str(), KeyId::as_str)
    }

    /// What the audit log has of it.
    pub fn by(&self) -> By {
        let actor = match &self.key {
            Some(key) => Actor::new(ActorKind::ApiKey, key.as_str()),
            None => Actor::new(ActorKind::AuthToken, self.account.as_str()),
        };
        By { actor, reason: self.reason.clone() }
    }

    /// Whether the key may do that.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}

/// Why a token is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not one of ours, cut off or mistyped.
    #[error("the API key is malformed: check that it was copied whole")]
    Malformed,
    /// Unknown, withdrawn or past its end.
    #[error("the API key is not known, was withdrawn or has ended")]
    Refused,
}

const PREFIX: &str = "emk_";

/// `emk_` + account (32 hex) + secret (43 of base64url, 256 bits) + CRC-32 (8 hex): scanners can
/// tell a leaked key without asking us.
fn token(account: &AccountId, secret: &[u8; 32]) -> String {
    let hex = account.as_str().get(2..).unwrap_or_default();
    let head = format!("{PREFIX}{hex}{}", URL_SAFE_NO_PAD.encode(secret));
    let sum = crc32fast::hash(head.as_bytes());
    format!("{head}{sum:08x}")
}

/// The account that a token names, if the token is whole.
fn account_of(token: &str) -> Option<AccountId> {
    if token.len() != PREFIX.len() + 32 + 43 + 8 || !token.is_ascii() {
        return None;
    }
    let (head, sum) = token.split_at(token.len() - 8);
    if format!("{:08x}", crc32fast::hash(head.as_bytes())) != sum {
        return None;
    }
    let hex = head.strip_prefix(PREFIX)?.get(..32)?;
    AccountId::parse(&format!("AC{hex}")).ok()
}

/// An account that was made: the only time that its secrets are shown.
#[derive(Debug)]
pub struct NewAccount {
    /// Its id.
    pub account: AccountId,
    /// Signs callbacks, and is the password of the Twilio-compatible API.
    pub auth_token: String,
    /// An API key with every scope.
    pub api_key: String,
}

/// A key that was made: the only time that its secret is shown.
#[derive(Debug)]
pub struct NewKey {
    /// The key.
    pub key: ApiKey,
    /// Its secret.
    pub token: String,
}

fn random<const N: usize>(tx: &Tx) -> [u8; N] {
    let mut bytes = [0; N];
    tx.random(&mut bytes);
    bytes
}

/// Makes a key for an account. Any number may live at once, so that one can be replaced without a
/// gap.
pub async fn create_key(
    tx: &mut Tx,
    account: &AccountId,
    name: &str,
    scopes: &str,
    expires_at: Option<Timestamp>,
) -> Result<NewKey, Error> {
    let now = tx.now().await?;
    let token = token(account, &random(tx));
    let key = ApiKey {
        id: tx.id_at(now),
        name: name.to_owned(),
        hint: token.get(token.len() - 4..).unwrap_or_default().to_owned(),
        scopes: scopes.to_owned(),
        created_at: now,
        expires_at,
        revoked_at: None,
        last_used_at: None,
    };
    accounts::insert_api_key(tx, account, &key, &token).await?;
    let entry = Entry::new(Action::ApiKeyCreated, key.id.as_str()).with(Detail::Scopes, scopes);
    audit::append(tx, account, entry).await?;
    Ok(NewKey { key, token })
}

/// Withdraws a key: it opens nothing any more. Withdrawing it again changes nothing.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn revoke_key(tx: &mut Tx, account: &AccountId, id: &KeyId) -> Result<(), Error> {
    let now = tx.now().await?;
    if accounts::revoke_api_key(tx, account, id, now).await? {
        let entry = Entry::new(Action::ApiKeyRevoked, id.as_str());
        return Ok(audit::append(tx, account, entry).await?);
    }
    let known = accounts::api_keys(tx, account).await?.iter().any(|key| key.id == *id);
    if known { Ok(()) } else { Err(Error::NotFound("API key")) }
}

impl Relay {
    /// Makes an account.
    ///
    /// # Errors
    /// The store's.
    pub async fn create_account(&self, name: &str) -> Result<NewAccount, Error> {
        self.make_account(None, name).await
    }

    /// Makes an account that keeps the id it has elsewhere: what moves here from Twilio keeps working.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is an account of that id.
    pub async fn adopt_account(&self, id: AccountId, name: &str) -> Result<NewAccount, Error> {
        self.make_account(Some(id), name).await
    }

    async fn make_account(&self, id: Option<AccountId>, name: &str) -> Result<NewAccount, Error> {
        let name = name.to_owned();
        self.db
            .write(move |tx| {
                let (id, name) = (id.clone(), name.clone());
                Box::pin(async move {
                    let now = tx.now().await?;
                    let account: AccountId = id.unwrap_or_else(|| tx.id_at(now));
                    if accounts::get(tx, &account).await?.is_some() {
                        let words = "is an account's already";
                        return Err(Error::Invalid(vec![Fault::new("/sid", "taken", words)]));
                    }
                    let auth_token = hex(&random::<16>(tx));
                    accounts::insert(tx, &account, &name, &auth_token, now).await?;
                    let made = Entry::new(Action::AccountCreated, account.as_str());
                    audit::append(tx, &account, made).await?;
                    let key = create_key(tx, &account, "first", &Scope::all(), None).await?;
                    Ok::<_, Error>(NewAccount { account, auth_token, api_key: key.token })
                })
            })
            .await
    }

    /// Who a token belongs to.
    ///
    /// # Errors
    /// `Ok(Err(_))` for a token that is not taken; the outer error is the store's.
    pub async fn authenticate(&self, token: &str) -> Result<Result<Caller, TokenError>, Error> {
        let Some(account) = account_of(token) else { return Ok(Err(TokenError::Malformed)) };
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        let key = accounts::api_key_by_token(&mut tx, &account, token).await?;
        drop(tx);
        let live =
            key.filter(|key| key.revoked_at.is_none() && key.expires_at.is_none_or(|at| now < at));
        let Some(key) = live else { return Ok(Err(TokenError::Refused)) };
        if key.last_used_at.is_none_or(|at| now.since(at).as_secs() >= 60) {
            let (account, id) = (account.clone(), key.id.clone());
            let noted = self.db.write(move |tx| {
                let (account, id) = (account.clone(), id.clone());
                Box::pin(async move {
                    accounts::touch_api_key(tx, &account, &id, now).await.map_err(Error::from)
                })
            });
            // Whoever may read may do so where nothing can be written.
            if let Err(error) = noted.await {
                tracing::warn!(%error, "the use of an API key was not noted");
            }
        }
        let scopes = key.scopes.split(' ').filter_map(Scope::parse).collect();
        Ok(Ok(Caller { account, key: Some(key.id), reason: None, scopes }))
    }

    /// Whose user name and password these are, as clients of Twilio send them: an account with its
    /// auth token, or with one of its API keys; or a key, named `SK` instead of `AK`, with itself.
    ///
    /// # Errors
    /// As [`Self::authenticate`].
    pub async fn authenticate_pair(
        &self,
        user: &str,
        password: &str,
    ) -> Result<Result<Caller, TokenError>, Error> {
        if password.starts_with(PREFIX) {
            let caller = self.authenticate(password).await?;
            return Ok(caller.and_then(|caller| {
                let key = caller.key.as_ref().map_or("", KeyId::as_str);
                let named = match user.strip_prefix("SK") {
                    Some(hex) => key.strip_prefix(KeyId::PREFIX) == Some(hex),
                    None => user == caller.account.as_str(),
                };
                if named { Ok(caller) } else { Err(TokenError::Refused) }
            }));
        }
        let Ok(account) = AccountId::parse(user) else { return Ok(Err(TokenError::Malformed)) };
        let mut tx = self.db.read().await?;
        let token = accounts::auth_token(&mut tx, &account).await?;
        // Keyed hashes: how long a comparison takes tells nothing of the token.
        let ring = tx.keyring();
        let same = token.is_some_and(|token| ring.token_hash(&token) == ring.token_hash(password));
        Ok(if same {
            Ok(Caller { account, key: None, reason: None, scopes: Scope::ALL.to_vec() })
        } else {
            Err(TokenError::Refused)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key names its account; any slip of a character is noticed without asking the database.
    #[test]
    fn a_mistyped_key_is_noticed() {
        let account = AccountId::parse("AC0123456789abcdef0123456789abcdef").unwrap();
        let token = token(&account, &[7; 32]);
        assert_eq!(account_of(&token), Some(account));
        for place in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[place] = if bytes[place] == b'x' { b'y' } else { b'x' };
            assert_eq!(account_of(std::str::from_utf8(&bytes).unwrap()), None);
        }
    }
}
