//! The intercept callback: whether a call or text may go through. 403 says no; anything else, and
//! silence where the service says so, means yes.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use super::{
    callback::{about, inbound},
    form::{Letter, Signer},
    told::{Side, Told, made_up_sid},
};
use crate::{
    domain::{
        interaction::{Kind, Reason},
        policy::OnInterceptFailure,
    },
    ids::{AccountId, InteractionId, LegId},
    relay::{
        Carriers, Error, Relay,
        consult::{Asks, Question},
        inbound::{Event, Routed},
    },
    store::{
        Tx, interactions,
        outbox::Entry,
        services::{self, Service},
        sessions::Session,
    },
    telemetry::metrics,
};

/// The longest answer that is read, in bytes; nothing of it is used.
const ANSWER_MAX: usize = 64 * 1024;

/// What the marketplace said of a call or text.
#[derive(Debug, Clone)]
pub(in crate::relay) struct Verdict {
    /// Why it does not go through, if it does not.
    pub(in crate::relay) refused: Option<Reason>,
    /// The ids that it was asked about, where these are not in the database yet.
    pub(in crate::relay) ids: Option<(InteractionId, LegId)>,
}

impl Verdict {
    /// It does not go through for that reason, so nobody is asked.
    pub(in crate::relay) fn refusing(reason: Reason) -> Self {
        Self { refused: Some(reason), ids: None }
    }
}

/// A question whether something may go through.
#[derive(Clone)]
pub(in crate::relay) struct Passage {
    letter: Letter,
    on_failure: OnInterceptFailure,
    ids: Option<(InteractionId, LegId)>,
}

/// Refuses with [`Error::Ask`] where the marketplace is to be asked about a call first.
pub(in crate::relay) async fn of_call(
    tx: &mut Tx,
    event: Event<'_>,
    routed: &Routed,
) -> Result<(), Error> {
    let rules = &routed.service.rules.proxy;
    if rules.intercept_callback_url.is_empty() {
        return Ok(());
    }
    let (id, leg): (InteractionId, LegId) = (tx.id_at(routed.now), tx.id_at(routed.now));
    let url = event.adapter.and_then(|adapter| adapter.resource_url(Kind::Call, event.id));
    let sid = if url.is_some() { event.id.to_owned() } else { made_up_sid(Kind::Call, &leg) };
    let told = Told {
        id: id.clone(),
        kind: Kind::Call,
        data: "{}".to_owned(),
        inbound: Some(Side {
            leg: leg.clone(),
            participant: Some(routed.sender.id.clone()),
            sid: Some(sid),
            status: "ringing",
            url,
        }),
        outbound: None,
        created_at: routed.now,
        updated_at: routed.now,
    };
    let question =
        question(tx, &routed.account, &routed.service, &routed.session, &told, Some((id, leg)));
    Err(Error::Ask(Box::new(question.await?)))
}

/// The same for a text that a worker is about to send for the first time.
pub(in crate::relay) async fn of_text(
    tx: &mut Tx,
    carriers: &Carriers,
    entry: &Entry,
    session: &Session,
    body: &str,
) -> Result<(), Error> {
    let account = &entry.account;
    let service = services::get_any(tx, account, &session.service).await?;
    let service = service.ok_or(Error::NotFound("service"))?;
    if service.rules.proxy.intercept_callback_url.is_empty() {
        return Ok(());
    }
    let one = interactions::get_any(tx, account, &entry.interaction).await?;
    let one = one.ok_or(Error::NotFound("interaction"))?;
    let told = super::tell(tx, carriers, account, session, &[one]).await?;
    let Some(mut told) = told.into_iter().next() else { return Ok(()) };
    // Whether the service keeps what people write or not.
    told.data = json!({ "body": body }).to_string();
    let question = question(tx, account, &service, session, &told, None).await?;
    Err(Error::Ask(Box::new(question)))
}

async fn question(
    tx: &mut Tx,
    account: &AccountId,
    service: &Service,
    session: &Session,
    told: &Told,
    ids: Option<(InteractionId, LegId)>,
) -> Result<Question, Error> {
    let rules = &service.rules.proxy;
    let mut parameters = about(account, (&service.id, &session.id), told, told.updated_at);
    inbound(&mut parameters, told);
    let signer = Signer::of(tx, account).await?;
    let letter = signer.post(&rules.intercept_callback_url, &parameters);
    let passage = Passage { letter, on_failure: rules.on_intercept_failure, ids };
    Ok(Question::new(account.clone(), Asks::Passage(Box::new(passage))))
}

impl Relay {
    /// Asks whether something may go through. Whatever goes wrong, there is a verdict in time.
    pub(in crate::relay) async fn intercept(
        &self,
        passage: &Passage,
        deadline: Duration,
    ) -> Verdict {
        let outcome = match self.write_to(&passage.letter, deadline, ANSWER_MAX).await {
            Ok(answer) if answer.status == StatusCode::FORBIDDEN => "blocked",
            Ok(answer) if answer.status.is_success() => "passed",
            Ok(_) => "status",
            Err(failure) => failure.word(),
        };
        passage.verdict(outcome)
    }
}

impl Passage {
    /// The verdict where the question was not even asked.
    pub(in crate::relay) fn unasked(&self) -> Verdict {
        self.verdict("busy")
    }

    fn verdict(&self, outcome: &'static str) -> Verdict {
        metrics::intercept_asked(outcome);
        let refused = match (outcome, self.on_failure) {
            ("blocked", _) => Some(Reason::Intercepted),
            ("passed", _) | (_, OnInterceptFailure::Continue) => None,
            (_, OnInterceptFailure::Block) => Some(Reason::InterceptFailed),
        };
        Verdict { refused, ids: self.ids.clone() }
    }
}
