//! Lists as files: given out at once where they are short, else made by a job that is watched here.

use std::io;

use askama::Template;
use axum::{
    body::{Body, Bytes},
    extract::{FromRequestParts, Path, State},
    response::{IntoResponse as _, Response},
};
use futures_util::stream;
use http::{HeaderValue, StatusCode, header, request::Parts};

use super::{
    App,
    answer::{self, Answer, No, Other, Shell},
    audit,
    door::Form,
    filters::Filters,
    gate::Inside,
    interactions, sessions,
    when::When,
    words::{Chip, Tone},
};
use crate::{
    domain::{
        export::{ExportFormat, ExportList},
        staff::Language,
        time::Timestamp,
    },
    ids::ExportId,
    relay::{self, Begun, EXPORT_MAX, EXPORTS_EACH, File, Lines, Narrowed},
    store::exports::{Export, ExportState},
};

/// Where lists are given out, by the right that they take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Desk {
    path: &'static str,
    lists: &'static [ExportList],
    here: &'static str,
}

impl Desk {
    const LISTS: Self = Self {
        path: "/console/exports",
        lists: &[ExportList::Sessions, ExportList::Interactions],
        here: "sessions",
    };
    const AUDIT: Self =
        Self { path: "/console/audit/exports", lists: &[ExportList::Audit], here: "audit" };
}

impl<S: Sync> FromRequestParts<S> for Desk {
    type Rejection = Other;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        let ours = |desk: &Self| {
            let rest = parts.uri.path().strip_prefix(desk.path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        [Self::LISTS, Self::AUDIT].into_iter().find(ours).ok_or(Other::No(No::NOTHING_HERE))
    }
}

#[derive(Template)]
#[template(path = "console/exports.html")]
struct ExportsPage {
    shell: Shell,
    rows: Vec<Row>,
    fault: Option<String>,
}

#[derive(Template)]
#[template(path = "console/export.html")]
struct ExportPage {
    shell: Shell,
    row: Row,
    all: String,
    here: String,
    running: bool,
    ready: bool,
    too_long: bool,
    file: String,
    cancel: String,
}

struct Row {
    link: String,
    list: &'static str,
    format: &'static str,
    state: Chip,
    at: Option<When>,
    until: Option<When>,
    done: i64,
    total: Option<i64>,
}

const fn list_words(language: Language, list: ExportList) -> &'static str {
    match list {
        ExportList::Sessions => language.say("Sessions", "Sessions"),
        ExportList::Interactions => language.say("Interactions", "Interactions"),
        ExportList::Audit => language.say("Audit", "Audit"),
    }
}

const fn format_words(format: ExportFormat) -> &'static str {
    match format {
        ExportFormat::Csv => "CSV",
        ExportFormat::Jsonl => "JSON Lines",
    }
}

const fn state_words(language: Language, state: ExportState) -> Chip {
    let (tone, word) = match state {
        ExportState::Running => (Tone::Waiting, language.say("being made", "en préparation")),
        ExportState::Ready => (Tone::Good, language.say("ready", "prêt")),
        ExportState::Failed => (Tone::Bad, language.say("failed", "échoué")),
        ExportState::Cancelled => (Tone::Quiet, language.say("cancelled", "annulé")),
    };
    Chip { tone, word }
}

impl Row {
    fn new(one: &Export, shell: &Shell, desk: Desk) -> Self {
        Self {
            link: shell.link(&format!("{}/{}", desk.path, one.id)),
            list: list_words(shell.lang, one.list),
            format: format_words(one.format),
            state: state_words(shell.lang, one.state),
            at: When::new(shell.lang, one.created_at),
            until: When::new(shell.lang, one.expires_at),
            done: one.done,
            total: one.total.filter(|total| *total <= EXPORT_MAX),
        }
    }
}

async fn listed(app: &App, inside: &Inside, desk: Desk, fault: Option<String>) -> Answer {
    let shell = inside.shell(desk.here);
    let staff = &inside.person.visitor.staff.id;
    let all = app.relay.own_exports(inside.id(), staff).await?;
    let ours = all.iter().filter(|one| desk.lists.contains(&one.list));
    let rows = ours.map(|one| Row::new(one, &shell, desk)).collect();
    answer::page(&ExportsPage { shell, rows, fault })
}

/// Somebody's own exports.
pub(super) async fn page(State(app): State<App>, inside: Inside, desk: Desk) -> Answer {
    listed(&app, &inside, desk, None).await
}

/// Where a list is shown, and what a form narrows it to; nothing where a filter can't be understood: the file
/// would have more than was asked for.
fn narrowed(list: ExportList, filters: &mut Filters) -> (&'static str, Option<Narrowed>) {
    let (path, narrowed) = match list {
        ExportList::Sessions => {
            ("/console/sessions", Narrowed::Sessions(sessions::filter(filters).0))
        }
        ExportList::Interactions => {
            ("/console/interactions", Narrowed::Interactions(interactions::filter(filters).0))
        }
        ExportList::Audit => ("/console/audit", Narrowed::Audit(audit::filter(filters))),
    };
    (path, filters.notes.is_empty().then_some(narrowed))
}

/// Gives a list out, or begins to make its file.
pub(super) async fn make(State(app): State<App>, inside: Inside, desk: Desk, form: Form) -> Answer {
    let list = ExportList::parse(form.get("list")).filter(|list| desk.lists.contains(list));
    let list = list.ok_or(No::NOTHING_HERE)?;
    let format = ExportFormat::parse(form.get("format")).ok_or(No::NOTHING_HERE)?;
    let shell = inside.shell(desk.here);
    let asked: Vec<(&str, &str)> =
        form.pairs().filter(|(name, _)| !["list", "format", "account"].contains(name)).collect();
    let mut filters = Filters::new(shell.lang, form.query());
    let (path, narrowed) = narrowed(list, &mut filters);
    let back = shell.link_with(path, &asked);
    let Some(narrowed) = narrowed else { return Err(Other::To(back)) };
    inside.person.fresh(&back)?;
    let relay = inside.person.relay(&app);
    let staff = &inside.person.visitor.staff.id;
    match relay.export(inside.id(), staff, narrowed, format).await? {
        Begun::Now(lines) => {
            let mut tx = app.relay.db().read().await?;
            let now = tx.now().await?;
            drop(tx);
            Ok(download(
                list,
                format,
                now,
                Body::from_stream(stream::try_unfold(lines, next_lines)),
            ))
        }
        Begun::Later(id) => Err(Other::To(shell.link(&format!("{}/{id}", desk.path)))),
        Begun::TooMany => {
            let fault = match shell.lang {
                Language::English => format!(
                    "You have {EXPORTS_EACH} long exports already: cancel one, or wait until one is \
                     deleted."
                ),
                Language::French => format!(
                    "Vous avez déjà {EXPORTS_EACH} longs exports : annulez-en un, ou attendez que l’un \
                     soit supprimé."
                ),
            };
            answer::with_status(
                StatusCode::CONFLICT,
                listed(&app, &inside, desk, Some(fault)).await,
            )
        }
    }
}

fn broken(error: &relay::Error) -> io::Error {
    tracing::error!(%error, "a list that is given out broke off");
    io::Error::other("broken off")
}

async fn next_lines(mut lines: Box<Lines>) -> io::Result<Option<(Bytes, Box<Lines>)>> {
    let text = lines.next().await.map_err(|error| broken(&error))?;
    Ok(text.map(|text| (text.into(), lines)))
}

async fn next_piece(mut file: File) -> io::Result<Option<(Bytes, File)>> {
    let text = file.next().await.map_err(|error| broken(&error))?;
    Ok(text.map(|text| (text.into(), file)))
}

fn download(list: ExportList, format: ExportFormat, at: Timestamp, body: Body) -> Response {
    let time: String = at.rfc3339().chars().take(16).filter(|c| *c != ':').collect();
    let name = format!("attachment; filename=\"{list}-{time}Z.{format}\"");
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    if let Ok(name) = HeaderValue::try_from(name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

fn export_id(text: &str) -> Answer<ExportId> {
    ExportId::parse(text).map_err(|_| No::NOTHING_HERE.into())
}

async fn own(app: &App, inside: &Inside, desk: Desk, id: &str) -> Answer<Export> {
    let id = export_id(id)?;
    let staff = &inside.person.visitor.staff.id;
    let export = app.relay.own_export(inside.id(), &id, staff).await?;
    if desk.lists.contains(&export.list) { Ok(export) } else { Err(No::NOTHING_HERE.into()) }
}

/// How far one is.
pub(super) async fn one(
    State(app): State<App>,
    inside: Inside,
    desk: Desk,
    Path(id): Path<String>,
) -> Answer {
    let export = own(&app, &inside, desk, &id).await?;
    let shell = inside.shell(desk.here);
    let row = Row::new(&export, &shell, desk);
    answer::page(&ExportPage {
        all: shell.link(desk.path),
        here: row.link.clone(),
        running: export.state == ExportState::Running,
        ready: export.state == ExportState::Ready,
        too_long: export.total.is_some_and(|total| total > EXPORT_MAX),
        file: shell.link(&format!("{}/{}/file", desk.path, export.id)),
        cancel: shell.link(&format!("{}/{}/cancel", desk.path, export.id)),
        row,
        shell,
    })
}

/// The file of one that is ready.
pub(super) async fn file(
    State(app): State<App>,
    inside: Inside,
    desk: Desk,
    Path(id): Path<String>,
) -> Answer {
    let export = own(&app, &inside, desk, &id).await?;
    let back = inside.shell(desk.here).link(&format!("{}/{}", desk.path, export.id));
    inside.person.fresh(&back)?;
    let staff = &inside.person.visitor.staff.id;
    let file = inside.person.relay(&app).export_file(inside.id(), &export.id, staff).await?;
    let (list, format, at) = (export.list, export.format, export.created_at);
    Ok(download(list, format, at, Body::from_stream(stream::try_unfold(file, next_piece))))
}

/// Gives one up that is being made.
pub(super) async fn cancel(
    State(app): State<App>,
    inside: Inside,
    desk: Desk,
    Path(id): Path<String>,
) -> Answer {
    let export = own(&app, &inside, desk, &id).await?;
    let staff = &inside.person.visitor.staff.id;
    inside.person.relay(&app).cancel_export(inside.id(), &export.id, staff).await?;
    Err(Other::To(inside.shell(desk.here).link(&format!("{}/{}", desk.path, export.id))))
}
