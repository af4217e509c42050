//! Sessions: `/v1/Services/{Sid}/Sessions`, and the moves of a session's life as Twilio has them.

use std::time::Duration;

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    Proxy, answer,
    at::{At, By},
    error::{About, BAD_STATUS, Refusal, fault, refusal},
    form::Form,
    nothing,
    paging::Asked,
    participants::{NewParticipant, resolve},
    shown,
    wire::{date, maybe},
};
use crate::{
    domain::{
        session::{ClosedReason, Mode, State as Life},
        time::Timestamp,
    },
    ids::AccountId,
    relay::{self, Error, OpenSession, UpdateSession},
    store::{
        Tx,
        sessions::{self, Filter, Session},
    },
};

/// The words of Twilio's for a session's state.
const STATUSES: &[&str] = &["open", "in-progress", "closed", "failed", "unknown"];
const MODES: &[&str] = &["message-only", "voice-only", "voice-and-message"];

pub(super) fn wire(proxy: &Proxy, account: &AccountId, session: &Session) -> Value {
    let Session { id, service, lifetime, .. } = session;
    let url = proxy.url(format_args!("/Services/{service}/Sessions/{id}"));
    // With a ttl alone there is no date before the first interaction.
    let slides = session.last_interaction_at.map(|_| session.expires_at);
    let slides = slides.filter(|at| *at != Timestamp::MAX);
    json!({
        "sid": id,
        "service_sid": service,
        "account_sid": account,
        "unique_name": session.unique_name,
        "status": session.state.as_str(),
        "closed_reason": session.closed_reason.map(ClosedReason::as_str),
        "ttl": lifetime.ttl.as_secs(),
        "mode": session.mode.as_str(),
        "date_started": maybe(session.started_at),
        "date_ended": maybe(session.ended_at),
        "date_last_interaction": maybe(session.last_interaction_at),
        "date_expiry": maybe(lifetime.date_expiry.or(slides)),
        "date_created": date(session.created_at),
        "date_updated": date(session.updated_at),
        "links": {
            "interactions": format!("{url}/Interactions"),
            "participants": format!("{url}/Participants"),
        },
        "url": url,
    })
}

/// A word for a session's state, of which two name none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Known(Life),
    Other,
}

fn status(form: &Form) -> Result<Option<Status>, Refusal> {
    let read = |word: &str| {
        STATUSES.contains(&word).then(|| Life::parse(word).map_or(Status::Other, Status::Known))
    };
    form.word("Status", read, STATUSES)
}

pub(super) async fn list(
    State(proxy): State<Proxy>,
    By(caller): By,
    at: At,
    asked: Asked,
) -> Result<Response, Refusal> {
    let account = &caller.account;
    let mut tx = proxy.relay().db().read().await?;
    let service = at.service(&mut tx, account).await;
    let service = service.map_err(|error| refusal(error, About::Service))?;
    let filter = Filter { service: Some(service.id), ..Filter::default() };
    let found = sessions::list(&mut tx, account, &filter, &asked.page()).await?;
    let page =
        asked.fit(found).map(|session| (session.id.to_string(), wire(&proxy, account, &session)));
    Ok(asked.answer(&proxy, "sessions", &page))
}

/// A session to open, but for its service.
#[derive(Debug)]
struct NewSession {
    unique_name: Option<String>,
    mode: Mode,
    ttl: Option<Duration>,
    date_expiry: Option<Timestamp>,
    status: Option<Status>,
    participants: Vec<NewParticipant>,
}

impl NewSession {
    fn read(form: &Form) -> Result<Self, Refusal> {
        let unique_name = form.text("UniqueName", 191)?.filter(|name| !name.is_empty());
        let participants = form.all("Participants").map(NewParticipant::from_json);
        Ok(Self {
            unique_name,
            mode: form.word("Mode", Mode::parse, MODES)?.unwrap_or(Mode::VoiceAndMessage),
            ttl: form.seconds("Ttl")?,
            date_expiry: form.instant("DateExpiry")?,
            status: status(form)?,
            participants: participants.collect::<Result<_, _>>()?,
        })
    }
}

pub(super) async fn create(
    State(proxy): State<Proxy>,
    By(caller): By,
    at: At,
    form: Form,
) -> Result<Response, Refusal> {
    let new = NewSession::read(&form)?;
    let about = About::Session(new.mode);
    proxy
        .write(&caller, about, (at, new), |tx, proxy, account, (at, new)| {
            Box::pin(async move {
                let service = at.service(tx, account).await?;
                // A session is open until its first interaction, whatever it is made as.
                if new.status.is_some_and(|status| status != Status::Known(Life::Open)) {
                    return Err(fault(BAD_STATUS));
                }
                let open = OpenSession {
                    unique_name: new.unique_name.clone(),
                    mode: new.mode,
                    ttl: new.ttl,
                    date_expiry: new.date_expiry,
                    recording: None,
                    metadata: "{}".to_owned(),
                    participants: resolve(tx, account, &service.id, &new.participants).await?,
                    service: service.id,
                };
                let view = relay::open(tx, account, &open).await?;
                Ok(answer(StatusCode::CREATED, &wire(proxy, account, &view.session)))
            })
        })
        .await
}

pub(super) async fn fetch(
    State(proxy): State<Proxy>,
    By(caller): By,
    at: At,
) -> Result<Response, Refusal> {
    let mut tx = proxy.relay().db().read().await?;
    let session = at.named_session(&mut tx, &caller.account).await;
    let session = session.map_err(|error| refusal(error, About::Service))?;
    Ok(shown(&wire(&proxy, &caller.account, &session)))
}

pub(super) async fn update(
    State(proxy): State<Proxy>,
    By(caller): By,
    at: At,
    form: Form,
) -> Result<Response, Refusal> {
    let change = UpdateSession {
        ttl: form.seconds("Ttl")?,
        date_expiry: form.instant("DateExpiry")?.map(Some),
        metadata: None,
    };
    let input = (at, change, status(&form)?);
    // A close is done on a full disk too.
    let closes = input.2 == Some(Status::Known(Life::Closed));
    let proxy = if closes { proxy.urgent() } else { proxy };
    let about = About::Session(Mode::VoiceAndMessage);
    proxy
        .write(&caller, about, input, |tx, proxy, account, (at, change, status)| {
            Box::pin(async move {
                let session = at.session(tx, account).await?;
                let session = moved(tx, account, session, change, *status).await?;
                Ok(answer(StatusCode::OK, &wire(proxy, account, &session)))
            })
        })
        .await
}

/// Moves a session on: from open or in-progress to closed, from closed to in-progress, or to where it
/// is already.
async fn moved(
    tx: &mut Tx,
    account: &AccountId,
    session: Session,
    change: &UpdateSession,
    status: Option<Status>,
) -> Result<Session, Error> {
    let id = session.id.clone();
    let changes = change.ttl.is_some() || change.date_expiry.is_some();
    // Another request may close it meanwhile: what is decided here is decided again under its lock.
    let view = match (session.state, status) {
        (Life::Closed, Some(Status::Known(Life::InProgress))) => {
            relay::reopen(tx, account, &id, change, None).await?
        }
        (Life::Closed, Some(Status::Known(Life::Closed))) if !changes => return Ok(session),
        (Life::Open | Life::InProgress, Some(Status::Known(Life::Closed))) => {
            if changes {
                relay::update(tx, account, &id, change, None).await?;
            }
            relay::close(tx, account, &id, ClosedReason::Api, None).await?
        }
        (state, Some(to)) if to != Status::Known(state) => return Err(fault(BAD_STATUS)),
        _ => relay::update(tx, account, &id, change, None).await?,
    };
    Ok(view.session)
}

pub(super) async fn delete(
    State(proxy): State<Proxy>,
    By(caller): By,
    at: At,
) -> Result<Response, Refusal> {
    proxy
        .urgent()
        .write(&caller, About::Service, at, |tx, _, account, at| {
            Box::pin(async move {
                let session = at.session(tx, account).await?;
                relay::delete_session(tx, account, &session.id).await?;
                Ok(nothing())
            })
        })
        .await
}
