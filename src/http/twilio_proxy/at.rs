//! Where a resource is: the SIDs of an address, and what they lead to in the caller's account.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use serde::Deserialize;

use super::error::{Code, Refusal};
use crate::{
    ids::{AccountId, InteractionId, NumberId, ParticipantId, ServiceId, SessionId},
    relay::{self, Caller, Error},
    store::{Tx, services, sessions},
};

/// The SIDs of an address, as they stand there.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct At {
    service: String,
    session: Option<String>,
    participant: Option<String>,
    interaction: Option<String>,
    number: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for At {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path(at)| at).map_err(|_| Refusal::new(Code::NotFound))
    }
}

/// Whoever the guard let in.
#[derive(Debug)]
pub(super) struct By(pub(super) Caller);

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let caller = parts.extensions.get::<Caller>().cloned();
        caller.map(Self).ok_or_else(|| Refusal::new(Code::Authenticate))
    }
}

impl At {
    /// The service, by its SID.
    pub(super) async fn service(
        &self,
        tx: &mut Tx,
        account: &AccountId,
    ) -> Result<services::Service, Error> {
        let missing = Error::NotFound("service");
        let Ok(id) = ServiceId::parse(&self.service) else { return Err(missing) };
        services::get(tx, account, &id).await?.ok_or(missing)
    }

    /// The service, by its SID or its unique name.
    pub(super) async fn named_service(
        &self,
        tx: &mut Tx,
        account: &AccountId,
    ) -> Result<services::Service, Error> {
        if ServiceId::parse(&self.service).is_ok() {
            return self.service(tx, account).await;
        }
        let missing = Error::NotFound("service");
        if relay::loose_name_fault(&self.service).is_some() {
            return Err(missing);
        }
        services::by_name(tx, account, &self.service).await?.ok_or(missing)
    }

    /// The session of that service, by its SID.
    pub(super) async fn session(
        &self,
        tx: &mut Tx,
        account: &AccountId,
    ) -> Result<sessions::Session, Error> {
        let missing = Error::NotFound("session");
        let named = self.session.as_deref().unwrap_or_default();
        let service = self.service(tx, account).await?.id;
        let Ok(id) = SessionId::parse(named) else { return Err(missing) };
        let session = sessions::get(tx, account, &id).await?;
        session.filter(|one| one.service == service).ok_or(missing)
    }

    /// The session of that service, by its SID or its unique name.
    pub(super) async fn named_session(
        &self,
        tx: &mut Tx,
        account: &AccountId,
    ) -> Result<sessions::Session, Error> {
        let missing = Error::NotFound("session");
        let named = self.session.as_deref().unwrap_or_default();
        if SessionId::parse(named).is_ok() {
            return self.session(tx, account).await;
        }
        if relay::loose_name_fault(named).is_some() {
            return Err(missing);
        }
        let service = self.service(tx, account).await?.id;
        let id = sessions::by_name(tx, account, &service, named).await?;
        let Some(id) = id else { return Err(missing) };
        sessions::get(tx, account, &id).await?.ok_or(missing)
    }

    /// The participant's SID.
    pub(super) fn participant(&self) -> Result<ParticipantId, Error> {
        let text = self.participant.as_deref().unwrap_or_default();
        ParticipantId::parse(text).map_err(|_| Error::NotFound("participant"))
    }

    /// The interaction's SID.
    pub(super) fn interaction(&self) -> Result<InteractionId, Error> {
        let text = self.interaction.as_deref().unwrap_or_default();
        InteractionId::parse(text).map_err(|_| Error::NotFound("interaction"))
    }

    /// The number's SID.
    pub(super) fn number(&self) -> Result<NumberId, Error> {
        let text = self.number.as_deref().unwrap_or_default();
        NumberId::parse(text).map_err(|_| Error::NotFound("number"))
    }
}
