//! What carriers told that began calls and texts: when, what was decided, and what was answered.

use askama::Template;
use axum::extract::State;

use crate::{
    domain::interaction::{Kind, Outcome},
    http::console::{
        App,
        answer::{self, Answer, Shell},
        filters::{Filters, PLACE, Query},
        gate::Inside,
        sessions::short,
        when::When,
        words::{self, Chip, Receipt},
    },
    ids::InteractionId,
    relay,
    store::{
        received::{self, Received},
        sessions::Page,
    },
    telemetry::metrics,
};

/// How many webhooks a page lists.
const PAGE: usize = 50;
const PATH: &str = "/console/developer/webhooks";

#[derive(Template)]
#[template(path = "console/developer_webhooks.html")]
struct WebhooksPage {
    shell: Shell,
    filters: Filters,
    rows: Vec<Row>,
    older: Option<String>,
    clear: String,
    /// What carriers sent that this server refused since its start: whose, why and how often.
    refused: Vec<(String, &'static str, u64)>,
}

struct Row {
    id: String,
    at: Option<When>,
    carrier: String,
    kind: &'static str,
    number: Option<String>,
    /// Where its call or text is told, and the words for it.
    session: Option<(String, String)>,
    chip: Option<Chip>,
    why: Option<&'static str>,
    answer: &'static str,
}

/// What the carrier was answered, in a word.
fn answered(shell: &Shell, one: &Received) -> &'static str {
    let lang = shell.lang;
    match (one.kind, relay::heard_of(&one.answer)) {
        (_, Some(heard)) => {
            let said = !heard.languages.is_empty() || heard.played;
            words::heard(lang, heard.what, said)
        }
        (Kind::Message, None) => lang.say(
            "taken; a text gets no answer",
            "pris en charge ; un SMS n’appelle pas de réponse",
        ),
        (Kind::Call, None) => lang.say("not known any more", "n’est plus connue"),
    }
}

fn row(shell: &Shell, one: &Received) -> Row {
    let lang = shell.lang;
    let through = matches!(one.outcome, Some(Outcome::Relayed | Outcome::Connected));
    Row {
        id: one.interaction.to_string(),
        at: When::new(lang, one.at),
        carrier: one.carrier.clone(),
        kind: words::kind(lang, one.kind),
        number: one.number.clone(),
        session: one.session.as_ref().map(|id| {
            let path = format!("/console/sessions/{id}");
            let at = shell.link_with(&path, &[("at", one.interaction.as_str())]);
            (format!("{at}#{}", one.interaction), short(one.interaction.as_str()))
        }),
        // Without its row in the log nothing is known of how it ended.
        chip: one
            .number
            .is_some()
            .then(|| words::ending(lang, one.kind, one.outcome, Receipt::None).0),
        why: one
            .reason
            .filter(|_| !through)
            .map(|reason| words::reason(lang, reason, one.kind).title),
        answer: answered(shell, one),
    }
}

/// Takes the rows of one page: those of a call or text that goes on behind it are left for the next.
fn cut(found: &mut Vec<Received>) -> Option<InteractionId> {
    let behind = found.get(PAGE)?.interaction.clone();
    found.truncate(PAGE);
    let whole = found.iter().rposition(|one| one.interaction != behind);
    // Nothing has a page of webhooks for itself.
    found.truncate(whole.map_or(PAGE, |last| last + 1));
    found.last().map(|last| last.interaction.clone())
}

pub(in crate::http::console) async fn page(
    State(app): State<App>,
    inside: Inside,
    query: Query,
) -> Answer {
    let shell = inside.shell("developer");
    let mut filters = Filters::new(shell.lang, query);
    let days = filters.days();
    let before = filters.take("before", PLACE, |id| InteractionId::parse(id).ok());
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX) + 1;
    let page = Page { before: before.map(|id| id.to_string()), after: None, limit };
    let mut tx = app.relay.db().read().await?;
    let mut found = received::list(&mut tx, inside.id(), days, &page).await?;
    drop(tx);
    let older = cut(&mut found).map(|last| shell.link_with(PATH, &filters.next(last.as_str())));
    let refused = metrics::webhooks_refused().into_iter();
    answer::page(&WebhooksPage {
        rows: found.iter().map(|one| row(&shell, one)).collect(),
        older,
        clear: shell.link(PATH),
        refused: refused
            .map(|(carrier, outcome, count)| (carrier, words::refused(shell.lang, &outcome), count))
            .collect(),
        filters,
        shell,
    })
}
