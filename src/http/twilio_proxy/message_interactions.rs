//! Texts from the marketplace to one participant: `…/Participants/{Sid}/MessageInteractions`.

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::{
    Proxy, answer,
    at::{At, By},
    error::{About, Refusal, refusal},
    form::Form,
    interactions::{self, Wired},
    paging::Asked,
    participants::find,
    shown,
};
use crate::{
    domain::{
        message::{BODY_CHARS_MAX, Body},
        session::Mode,
    },
    ids::AccountId,
    relay::{self, Error, NewText},
    store::{
        Tx,
        interactions::{Filter, Interaction, list as list_rows},
        participants::Participant,
        sessions::Session,
    },
};

const ABOUT: About = About::Session(Mode::VoiceAndMessage);

/// An interaction with whom it went to.
async fn tell(
    tx: &mut Tx,
    proxy: &Proxy,
    account: &AccountId,
    (session, to): (&Session, &Participant),
    found: &[Interaction],
) -> Result<Vec<(String, Value)>, Error> {
    let Session { id, service, .. } = session;
    let base = proxy.url(format_args!(
        "/Services/{service}/Sessions/{id}/Participants/{}/MessageInteractions",
        to.id
    ));
    let told = interactions::tell(tx, proxy, account, session, &base, found).await?;
    let rows = told.into_iter().map(|Wired { id, mut body, outbound }| {
        if let Some(object) = body.as_object_mut() {
            object.insert("participant_sid".to_owned(), outbound);
        }
        (id.to_string(), body)
    });
    Ok(rows.collect())
}

pub(super) async fn list(
    State(proxy): State<Proxy>,
    By(caller): By,
    at: At,
    asked: Asked,
) -> Result<Response, Refusal> {
    let account = &caller.account;
    let mut tx = proxy.relay().db().read().await?;
    let read = async {
        let (session, to) = find(&mut tx, account, &at).await?;
        let filter = Filter {
            session: Some(session.id.clone()),
            sent_to: Some(to.id.clone()),
            ..Filter::default()
        };
        let found = list_rows(&mut tx, account, &filter, &asked.page()).await?;
        tell(&mut tx, &proxy, account, (&session, &to), &found).await
    };
    let rows = read.await.map_err(|error| refusal(error, ABOUT))?;
    Ok(asked.answer(&proxy, "interactions", &asked.fit(rows)))
}

pub(super) async fn create(
    State(proxy): State<Proxy>,
    By(caller): By,
    at: At,
    form: Form,
) -> Result<Response, Refusal> {
    if form.all("MediaUrl").next().is_some() {
        return Err(Refusal::parameter("MediaUrl", "is not supported"));
    }
    let text = NewText::words(Body::new(form.required("Body", BODY_CHARS_MAX)?));
    proxy
        .write(&caller, ABOUT, (at, text), |tx, proxy, account, (at, text)| {
            Box::pin(async move {
                let (session, to) = find(tx, account, at).await?;
                let one =
                    relay::send_to_participant(tx, account, &session.id, &to.id, text).await?;
                let told = tell(tx, proxy, account, (&session, &to), &[one]).await?;
                let body = told.into_iter().next().map(|(_, body)| body);
                Ok(answer(StatusCode::OK, &json!(body)))
            })
        })
        .await
}

pub(super) async fn fetch(
    State(proxy): State<Proxy>,
    By(caller): By,
    at: At,
) -> Result<Response, Refusal> {
    let account = &caller.account;
    let mut tx = proxy.relay().db().read().await?;
    let read = async {
        let (session, to) = find(&mut tx, account, &at).await?;
        let one = interactions::find(&mut tx, account, &session, &at.interaction()?).await?;
        let told = tell(&mut tx, &proxy, account, (&session, &to), &[one]).await?;
        let own = json!(to.id);
        let sent = |body: &Value| {
            body["participant_sid"] == own && body["inbound_participant_sid"].is_null()
        };
        let one = told.into_iter().map(|(_, body)| body).find(sent);
        one.filter(|body| body["type"] == "Message").ok_or(Error::NotFound("interaction"))
    };
    Ok(shown(&read.await.map_err(|error| refusal(error, ABOUT))?))
}
