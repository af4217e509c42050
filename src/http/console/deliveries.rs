//! What endpoints were sent, endpoint by endpoint: what became of each event, and sending it again.

use std::collections::HashMap;

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
};
use http::StatusCode;

use super::{
    App,
    answer::{self, Answer, No, Shell},
    door::Form,
    filters::{Choice, Filters, LOOKED_THROUGH, PLACE, Query},
    gate::Inside,
    sessions::short,
    when::{self, When},
    words::{Chip, Pair, Tone},
};
use crate::{
    domain::staff::Language,
    ids::{EndpointId, EventId},
    relay::{self, Error, Resend, ResendRange},
    store::{
        deliveries::{self, Attempt, AttemptOutcome, Delivery, DeliveryState, Filter},
        endpoints::{self, DisabledReason, Endpoint, EndpointKind, EndpointState},
        sessions::Page,
    },
};

/// How many deliveries a page lists.
const PAGE: usize = 50;

#[derive(Template)]
#[template(path = "console/deliveries.html")]
struct DeliveriesPage {
    shell: Shell,
    filters: Filters,
    endpoints: Vec<EndpointRow>,
    /// The endpoint that is looked at.
    chosen: Option<Chosen>,
    notice: Option<String>,
    fault: Option<&'static str>,
}

struct EndpointRow {
    id: String,
    link: String,
    host: String,
    description: String,
    state: Chip,
    why: Option<&'static str>,
    failing: Option<When>,
}

struct Chosen {
    id: String,
    host: String,
    enabled: bool,
    states: Vec<Choice>,
    which: Vec<Choice>,
    rows: Vec<Row>,
    older: Option<String>,
    /// Whether the look ended before the list did.
    further: bool,
    clear: String,
    resend: String,
    replay: String,
}

struct Row {
    event: String,
    events: String,
    kind: String,
    state: Chip,
    attempts: i64,
    answer: Option<String>,
    tried: Option<When>,
    next: Option<When>,
    at: Option<When>,
    /// Whether it may be sent again now.
    again: bool,
}

#[derive(Template)]
#[template(path = "console/replay.html")]
struct ReplayPage {
    shell: Shell,
    host: String,
    endpoint: String,
    back: String,
    replay: String,
    which: Choice,
    from: String,
    to: String,
    count: i64,
    more: bool,
}

/// How far a delivery has come.
pub(super) const fn state(language: Language, state: DeliveryState) -> Chip {
    let (tone, word) = match state {
        DeliveryState::Ready => (Tone::Waiting, language.say("waiting", "en attente")),
        DeliveryState::Sending => (Tone::Waiting, language.say("being sent", "en cours d’envoi")),
        DeliveryState::Delivered => (Tone::Good, language.say("delivered", "livré")),
        DeliveryState::Failed => (Tone::Bad, language.say("failed", "échoué")),
        DeliveryState::Cancelled => (Tone::Quiet, language.say("withdrawn", "retiré")),
    };
    Chip { tone, word }
}

const fn outcome(language: Language, outcome: AttemptOutcome) -> &'static str {
    match outcome {
        AttemptOutcome::Delivered => language.say("taken", "accepté"),
        AttemptOutcome::Status => language.say("refused", "refusé"),
        AttemptOutcome::Redirect => {
            language.say("a redirect, not followed", "redirection, non suivie")
        }
        AttemptOutcome::Gone => {
            language.say("gone: nothing more is wanted", "disparu : plus rien n’est voulu")
        }
        AttemptOutcome::Timeout => {
            language.say("no whole answer in time", "pas de réponse complète à temps")
        }
        AttemptOutcome::Unreachable => language.say("not reached", "injoignable"),
        AttemptOutcome::Untrusted => {
            language.say("no trusted certificate", "pas de certificat de confiance")
        }
        AttemptOutcome::Broken => language.say("the connection broke", "connexion rompue"),
        AttemptOutcome::TooLarge => language.say("the answer was too long", "réponse trop longue"),
        AttemptOutcome::Refused => {
            language.say("its address may not be called", "son adresse ne peut pas être appelée")
        }
    }
}

const fn which(language: Language, which: Resend) -> &'static str {
    match which {
        Resend::Failed => language.say("those that failed", "celles qui ont échoué"),
        Resend::Cancelled => language
            .say("those withdrawn when it was off", "celles retirées quand il était désactivé"),
        Resend::Delivered => {
            language.say("those that were delivered", "celles qui ont été livrées")
        }
        Resend::Missing => language.say("those that never were", "celles qui n’ont jamais existé"),
    }
}

/// Where an endpoint is: its host alone, since the rest of an address may hold a secret.
pub(super) fn host(endpoint: &Endpoint) -> String {
    let url = url::Url::parse(endpoint.url.expose()).ok();
    url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

fn endpoint_row(one: &Endpoint, shell: &Shell) -> EndpointRow {
    let lang = shell.lang;
    let state = match one.state {
        EndpointState::Enabled if one.failing_since.is_some() => {
            Chip { tone: Tone::Missed, word: lang.say("failing", "en échec") }
        }
        EndpointState::Enabled => Chip { tone: Tone::Good, word: lang.say("on", "actif") },
        EndpointState::Disabled | EndpointState::Deleted => {
            Chip { tone: Tone::Quiet, word: lang.say("off", "désactivé") }
        }
    };
    let why = one.disabled_reason.map(|why| match why {
        DisabledReason::Api => {
            lang.say("switched off by its owner", "désactivé par son propriétaire")
        }
        DisabledReason::Gone => lang.say("it answered 410 Gone", "il a répondu 410 Gone"),
        DisabledReason::Failing => {
            lang.say("for days nothing was delivered", "rien n’a été livré pendant des jours")
        }
    });
    let description = match one.kind {
        EndpointKind::Webhook => one.description.clone(),
        EndpointKind::TwilioProxy => {
            lang.say("a service’s callback", "le rappel d’un service").to_owned()
        }
    };
    EndpointRow {
        id: one.id.to_string(),
        link: shell.link_with("/console/deliveries", &[("endpoint", one.id.as_str())]),
        host: host(one),
        description,
        state,
        why,
        failing: one.failing_since.and_then(|at| When::new(lang, at)),
    }
}

fn endpoint_id(text: &str) -> Option<EndpointId> {
    EndpointId::parse(text).ok()
}

pub(super) async fn page(State(app): State<App>, inside: Inside, query: Query) -> Answer {
    let notice = notice(&query, inside.person.language);
    shown(&app, &inside, query, notice, None).await
}

/// What was done, by the address that its doing led to.
fn notice(query: &Query, language: Language) -> Option<String> {
    let count: Option<u32> = query.get("resent").and_then(|count| count.parse().ok());
    count.map(|count| match language {
        Language::English => format!("To be sent again: {count}."),
        Language::French => format!("À renvoyer : {count}."),
    })
}

async fn shown(
    app: &App,
    inside: &Inside,
    query: Query,
    notice: Option<String>,
    fault: Option<&'static str>,
) -> Answer {
    const LISTED: Pair = ["one of the list", "une valeur de la liste"];
    let shell = inside.shell("deliveries");
    let mut filters = Filters::new(shell.lang, query);
    let called = [["Endpoint", "Point de terminaison"], LISTED];
    let id = filters.take("endpoint", called, endpoint_id);
    let state = filters.take("state", [["State", "État"], LISTED], DeliveryState::parse);
    let called = [["Event", "Événement"], ["the id of an event", "l’identifiant d’un événement"]];
    let event = filters.take("event", called, |id| EventId::parse(id).ok());
    let (from, before) = filters.days();
    let place = filters.take("before", PLACE, |id| EventId::parse(id).ok());
    let account = inside.id();
    let mut tx = app.relay.db().read().await?;
    let all = endpoints::list(&mut tx, account).await?;
    let chosen = match id {
        None => None,
        Some(id) => {
            let endpoint = all.iter().find(|one| one.id == id).ok_or(No::NOTHING_HERE)?;
            let limit = i64::try_from(PAGE).unwrap_or(i64::MAX) + 1;
            let page = Page { before: place.map(|id| id.to_string()), after: None, limit };
            let mut end = None;
            let mut found = if let Some(event) = &event {
                deliveries::get(&mut tx, account, &id, event).await?.into_iter().collect()
            } else {
                let mut filter = Filter { state, from, before, from_event: None };
                let span = (&filter, &page);
                end = deliveries::reach(&mut tx, account, &id, span, LOOKED_THROUGH).await?;
                filter.from_event.clone_from(&end);
                deliveries::narrowed(&mut tx, account, &id, &filter, &page).await?
            };
            let more = found.len() > PAGE;
            found.truncate(PAGE);
            let events: Vec<EventId> = found.iter().map(|one| one.event.clone()).collect();
            let last = deliveries::last_attempts(&mut tx, account, &id, &events).await?;
            let further = end.filter(|_| !more);
            let next =
                found.last().filter(|_| more).map(|last| last.event.clone()).or(further.clone());
            let mut chosen = chosen(&shell, endpoint, &found, &last.into_iter().collect());
            chosen.older =
                next.map(|id| shell.link_with("/console/deliveries", &filters.next(id.as_str())));
            chosen.further = further.is_some();
            Some(chosen)
        }
    };
    drop(tx);
    let endpoints = all.iter().map(|one| endpoint_row(one, &shell)).collect();
    answer::page(&DeliveriesPage { shell, filters, endpoints, chosen, notice, fault })
}

fn chosen(
    shell: &Shell,
    endpoint: &Endpoint,
    found: &[Delivery],
    last: &HashMap<EventId, Attempt>,
) -> Chosen {
    let lang = shell.lang;
    let enabled = endpoint.state == EndpointState::Enabled;
    let path = "/console/deliveries";
    let states = DeliveryState::ALL.iter();
    Chosen {
        id: endpoint.id.to_string(),
        host: host(endpoint),
        enabled,
        states: states.map(|one| Choice::new(one.as_str(), state(lang, *one).word)).collect(),
        which: Resend::ALL.iter().map(|one| Choice::new(one.as_str(), which(lang, *one))).collect(),
        rows: found.iter().map(|one| row(shell, one, last.get(&one.event), enabled)).collect(),
        older: None,
        further: false,
        clear: shell.link_with(path, &[("endpoint", endpoint.id.as_str())]),
        resend: shell.link("/console/deliveries/resend"),
        replay: shell.link("/console/deliveries/replay"),
    }
}

fn row(shell: &Shell, one: &Delivery, last: Option<&Attempt>, enabled: bool) -> Row {
    let lang = shell.lang;
    let answer = last.map(|last| match (last.status, last.outcome) {
        (Some(status), Some(AttemptOutcome::Delivered)) => status.to_string(),
        (Some(status), Some(how)) => format!("{status}, {}", outcome(lang, how)),
        (None, Some(how)) => outcome(lang, how).to_owned(),
        (_, None) => lang.say("not known yet", "pas encore connue").to_owned(),
    });
    Row {
        event: one.event.to_string(),
        events: short(one.event.as_str()),
        kind: one.kind.clone(),
        state: state(lang, one.state),
        attempts: one.attempts,
        answer,
        tried: last.and_then(|last| When::new(lang, last.started_at)),
        next: one.next_at.and_then(|at| When::new(lang, at)),
        at: When::new(lang, one.created_at),
        again: enabled && one.state != DeliveryState::Sending,
    }
}

/// Why nothing was sent again, where whoever asked can do something about it.
fn refused(language: Language, error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::EndpointDisabled => language.say(
            "The endpoint is off: its owner must switch it on first.",
            "Le point de terminaison est désactivé : son propriétaire doit d’abord le réactiver.",
        ),
        Error::DeliveryUnderWay => language.say(
            "It is being sent just now. Look again in a moment.",
            "L’envoi est en cours. Regardez de nouveau dans un instant.",
        ),
        Error::Invalid(_) => language.say(
            "The time must end after it begins, and begin within the last 30 days.",
            "La période doit finir après son début, et débuter dans les 30 derniers jours.",
        ),
        _ => return None,
    })
}

/// The page of an endpoint again, with why nothing was done.
async fn not_done(app: &App, inside: &Inside, endpoint: &EndpointId, error: Error) -> Answer {
    let fault = refused(inside.person.language, &error).ok_or(error)?;
    let query = Query::from(vec![("endpoint".to_owned(), endpoint.to_string())]);
    answer::with_status(
        StatusCode::UNPROCESSABLE_ENTITY,
        shown(app, inside, query, None, Some(fault)).await,
    )
}

fn done(inside: &Inside, endpoint: &EndpointId, count: u64) -> Response {
    let shell = inside.shell("deliveries");
    let pairs = [("endpoint", endpoint.as_str()), ("resent", &count.to_string())];
    Redirect::to(&shell.link_with("/console/deliveries", &pairs)).into_response()
}

/// Sends one event to an endpoint again.
pub(super) async fn resend(State(app): State<App>, inside: Inside, form: Form) -> Answer {
    let endpoint = endpoint_id(form.get("endpoint")).ok_or(No::NOTHING_HERE)?;
    let event = EventId::parse(form.get("event")).map_err(|_| No::NOTHING_HERE)?;
    let relay = inside.person.relay(&app);
    let given = (inside.id().clone(), endpoint.clone(), event);
    let sent = relay.db().write(move |tx| {
        let (account, endpoint, event) = given.clone();
        Box::pin(async move { relay::resend_for_staff(tx, &account, &endpoint, &event).await })
    });
    match sent.await {
        Ok(_) => {
            relay.committed();
            Ok(done(&inside, &endpoint, 1))
        }
        Err(error) => not_done(&app, &inside, &endpoint, error).await,
    }
}

/// Reads which deliveries are sent again; nothing where the form is not whole.
fn range(form: &Form) -> Option<ResendRange> {
    let from = when::minute(form.get("from"))?;
    let before = match form.get("to") {
        "" => None,
        text => Some(when::minute(text)?),
    };
    Some(ResendRange { from, before, which: Resend::parse(form.get("which"))? })
}

/// Sends an endpoint the events of a time again: first says how many, and does it once that is confirmed.
pub(super) async fn replay(State(app): State<App>, inside: Inside, form: Form) -> Answer {
    let endpoint = endpoint_id(form.get("endpoint")).ok_or(No::NOTHING_HERE)?;
    let Some(range) = range(&form) else {
        let error = Error::Invalid(Vec::new());
        return not_done(&app, &inside, &endpoint, error).await;
    };
    if form.get("confirmed") != "yes" {
        return match confirm(&app, &inside, &endpoint, range, &form).await {
            Ok(page) => answer::page(&page),
            Err(error) => not_done(&app, &inside, &endpoint, error).await,
        };
    }
    let relay = inside.person.relay(&app);
    let given = (inside.id().clone(), endpoint.clone());
    let sent = relay.db().write(move |tx| {
        let (account, endpoint) = given.clone();
        Box::pin(async move { relay::replay_for_staff(tx, &account, &endpoint, &range).await })
    });
    match sent.await {
        Ok(count) => {
            relay.committed();
            Ok(done(&inside, &endpoint, count))
        }
        Err(error) => not_done(&app, &inside, &endpoint, error).await,
    }
}

async fn confirm(
    app: &App,
    inside: &Inside,
    endpoint: &EndpointId,
    mut range: ResendRange,
    form: &Form,
) -> Result<ReplayPage, Error> {
    let shell = inside.shell("deliveries");
    let mut tx = app.relay.db().read().await?;
    let now = tx.now().await?;
    // What is confirmed is what was counted: it ends before events that are still to come.
    let to = form.get("to");
    let to = if to.is_empty() { when::to_minute(now) } else { to.to_owned() };
    range.before = range.before.or_else(|| when::minute(&to));
    let (count, more) = relay::count_resent(&mut tx, inside.id(), endpoint, &range).await?;
    let found = endpoints::get(&mut tx, inside.id(), endpoint).await?;
    let found = found.ok_or(Error::NotFound("endpoint"))?;
    drop(tx);
    Ok(ReplayPage {
        host: host(&found),
        endpoint: endpoint.to_string(),
        back: shell.link_with("/console/deliveries", &[("endpoint", endpoint.as_str())]),
        replay: shell.link("/console/deliveries/replay"),
        which: Choice::new(range.which.as_str(), which(shell.lang, range.which)),
        from: form.get("from").to_owned(),
        to,
        count,
        more,
        shell,
    })
}
