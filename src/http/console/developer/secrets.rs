//! The secrets by which endpoints know that events are ours: renewed, with the old ones for a while, and shown once.

use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use http::StatusCode;

use crate::{
    domain::staff::Permission,
    http::console::{
        App,
        answer::{self, Answer, No, Shell},
        deliveries::host,
        door::Form,
        filters::Choice,
        gate::Inside,
        when::When,
    },
    ids::EndpointId,
    relay::{self, EndpointView, Error},
    store::{
        Tx,
        endpoints::{self, EndpointKind, Keys},
    },
};

/// For how many hours the old keys may sign beside the new ones; a day where nothing is chosen.
const OVERLAPS: [u64; 4] = [0, 1, 24, 168];
const OVERLAP: u64 = 24;

/// An endpoint with its keys, as the page of keys lists it.
pub(super) struct EndpointRow {
    pub(super) id: String,
    pub(super) link: String,
    pub(super) host: String,
    pub(super) keys: Vec<KeyRow>,
    /// Where they are renewed, for whoever may; a service's callback has its account's token instead.
    pub(super) renew: Option<String>,
    /// Whether it is a service's callback.
    pub(super) callback: bool,
}

pub(super) struct KeyRow {
    pub(super) public: String,
    pub(super) made: Option<When>,
    pub(super) ends: Option<When>,
}

#[derive(Template)]
#[template(path = "console/developer_secret.html")]
struct SecretPage {
    shell: Shell,
    host: String,
    id: String,
    keys: Vec<KeyRow>,
    overlaps: Vec<(Choice, bool)>,
    /// The secret that was just made, which is shown this once.
    made: Option<String>,
    fault: Option<&'static str>,
    back: String,
    action: String,
    version: i64,
}

fn key_row(shell: &Shell, one: &Keys) -> KeyRow {
    KeyRow {
        public: one.keys.public(),
        made: When::new(shell.lang, one.created_at),
        ends: one.ends_at.and_then(|at| When::new(shell.lang, at)),
    }
}

/// Every endpoint of the account with the keys that sign what it gets.
pub(super) async fn rows(tx: &mut Tx, inside: &Inside, shell: &Shell) -> Answer<Vec<EndpointRow>> {
    let mut rows = Vec::new();
    for one in endpoints::list(tx, inside.id()).await? {
        let view = relay::with_keys(tx, inside.id(), one).await?;
        let one = &view.endpoint;
        let callback = one.kind == EndpointKind::TwilioProxy;
        let may = !callback && shell.may(Permission::Staff);
        rows.push(EndpointRow {
            id: one.id.to_string(),
            link: shell.link_with("/console/deliveries", &[("endpoint", one.id.as_str())]),
            host: host(one),
            keys: if callback {
                Vec::new()
            } else {
                view.keys.iter().map(|key| key_row(shell, key)).collect()
            },
            renew: may
                .then(|| shell.link(&format!("/console/developer/endpoints/{}/secret", one.id))),
            callback,
        });
    }
    Ok(rows)
}

fn secret_page(inside: &Inside, view: &EndpointView, overlap: u64) -> SecretPage {
    let shell = inside.shell("developer");
    let lang = shell.lang;
    let one = &view.endpoint;
    let words = |hours: u64| match hours {
        0 => lang.say("not at all", "pas du tout"),
        1 => lang.say("an hour", "une heure"),
        24 => lang.say("a day", "un jour"),
        _ => lang.say("a week", "une semaine"),
    };
    SecretPage {
        host: host(one),
        id: one.id.to_string(),
        keys: view.keys.iter().map(|key| key_row(&shell, key)).collect(),
        overlaps: OVERLAPS
            .map(|hours| (Choice::new(hours.to_string(), words(hours)), hours == overlap))
            .into(),
        made: None,
        fault: None,
        back: shell.link("/console/developer/keys"),
        action: shell.link(&format!("/console/developer/endpoints/{}/secret", one.id)),
        version: one.version,
        shell,
    }
}

/// The endpoint that an address names, if its keys are its own.
async fn find(app: &App, inside: &Inside, id: &str) -> Answer<EndpointView> {
    let id = EndpointId::parse(id).map_err(|_| No::NOTHING_HERE)?;
    let mut tx = app.relay.db().read().await?;
    let view = relay::view_endpoint(&mut tx, inside.id(), &id).await?;
    match view.endpoint.kind {
        EndpointKind::Webhook => Ok(view),
        EndpointKind::TwilioProxy => Err(No::NOTHING_HERE.into()),
    }
}

pub(in crate::http::console) async fn ask(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
) -> Answer {
    let page = secret_page(&inside, &find(&app, &inside, &id).await?, OVERLAP);
    inside.person.fresh(&page.action)?;
    answer::page(&page)
}

pub(in crate::http::console) async fn rotate(
    State(app): State<App>,
    inside: Inside,
    Path(id): Path<String>,
    typed: Form,
) -> Answer {
    let view = find(&app, &inside, &id).await?;
    let wanted = typed.get("overlap").parse().ok().filter(|hours| OVERLAPS.contains(hours));
    let mut page = secret_page(&inside, &view, wanted.unwrap_or(OVERLAP));
    inside.person.fresh(&page.action)?;
    // Sent twice it is done once: the form names the version that was looked at.
    let version: Option<i64> = typed.get("version").parse().ok();
    let (Some(hours), Some(version)) = (wanted, version) else {
        return Err(No::NOTHING_HERE.into());
    };
    let input = (inside.id().clone(), view.endpoint.id.clone());
    let relay = inside.person.relay(&app);
    let done = relay.db().write(move |tx| {
        let (account, id) = input.clone();
        Box::pin(async move {
            let overlap = Duration::from_hours(hours);
            relay::rotate_keys(tx, &account, &id, overlap, Some(version)).await
        })
    });
    match done.await {
        Ok(view) => {
            let mut page = secret_page(&inside, &view, hours);
            page.made = view.keys.first().map(|key| key.keys.secret().expose());
            answer::page(&page)
        }
        Err(Error::VersionMismatch) => {
            page.fault = Some(page.shell.lang.say(
                "The endpoint was changed meanwhile, perhaps by this form: nothing was done. Look at it again.",
                "Le point de terminaison a été modifié entre-temps, peut-être par ce formulaire : rien n’a été fait. \
                 Regardez-le de nouveau.",
            ));
            answer::with_status(StatusCode::CONFLICT, answer::page(&page))
        }
        Err(other) => Err(other.into()),
    }
}
