//! Numbers of a file join a pool: tried first, and kept only when that is asked for.

use askama::Template;
use axum::extract::State;

use super::{
    App,
    answer::{self, Answer, Shell},
    door::Form,
    filters::{Choice, Query},
    gate::Inside,
    pool_number::refusal,
    sessions::service_choices,
    words,
};
use crate::{
    ids::ServiceId,
    relay::{self, NumberLine},
};

/// How many faults of a file are told.
const FAULTS: usize = 50;

#[derive(Template)]
#[template(path = "console/pool_import.html")]
struct ImportPage {
    shell: Shell,
    services: Vec<Choice>,
    service: String,
    /// What was given, to be sent again.
    text: String,
    carriers: String,
    /// How a file begins.
    columns: &'static str,
    faults: Vec<String>,
    more_faults: usize,
    fault: Option<String>,
    /// What trying it found: how many lines, and how many numbers would be added.
    tried: Option<(usize, usize)>,
    done: Option<(usize, usize)>,
    back: String,
    action: String,
}

async fn blank(app: &App, inside: &Inside, service: &str) -> Answer<ImportPage> {
    let shell = inside.shell("pools");
    let mut tx = app.relay.db().read().await?;
    let services = service_choices(&mut tx, inside.id()).await?;
    drop(tx);
    let carriers: Vec<&str> = app.relay.carriers().iter().map(|one| one.id.as_str()).collect();
    Ok(ImportPage {
        carriers: carriers.join(", "),
        columns: "number,carrier,capabilities",
        back: shell.link("/console/pools"),
        action: shell.link("/console/pools/import"),
        services,
        service: service.to_owned(),
        text: String::new(),
        faults: Vec::new(),
        more_faults: 0,
        fault: None,
        tried: None,
        done: None,
        shell,
    })
}

pub(super) async fn form(State(app): State<App>, inside: Inside, query: Query) -> Answer {
    let service = query.get("service").unwrap_or_default().to_owned();
    // Before anything is typed: what is typed would not come back from there.
    let here = inside.shell("pools").link_with("/console/pools/import", &[("service", &service)]);
    inside.person.fresh(&here)?;
    answer::page(&blank(&app, &inside, &service).await?)
}

pub(super) async fn import(State(app): State<App>, inside: Inside, form: Form) -> Answer {
    let keep = form.get("do") == "import";
    if keep {
        inside.person.fresh(&inside.shell("pools").link("/console/pools/import"))?;
    }
    let mut page = blank(&app, &inside, form.get("service")).await?;
    let language = page.shell.lang;
    page.text = form.get("numbers").to_owned();
    let known = page.services.iter().any(|one| one.value == page.service);
    let service = ServiceId::parse(&page.service).ok().filter(|_| known);
    let Some(service) = service else {
        let words = language.say("Choose a service.", "Choisissez un service.");
        page.fault = Some(words.to_owned());
        return answer::again(&page);
    };
    let carriers: Vec<String> = app.relay.carriers().iter().map(|one| one.id.clone()).collect();
    let tx = app.relay.db().read().await?;
    let read = relay::read_numbers(page.text.as_bytes(), &carriers, tx.permits());
    drop(tx);
    let lines: Vec<NumberLine> = match read {
        Ok(lines) => lines,
        Err(faults) => {
            page.more_faults = faults.len().saturating_sub(FAULTS);
            let told = faults.iter().take(FAULTS);
            page.faults = told.map(|fault| words::line_fault(language, fault)).collect();
            return answer::again(&page);
        }
    };
    let (account, all) = (inside.id().clone(), lines.len());
    let relay = inside.person.relay(&app);
    let added = relay.db().write(move |tx| {
        let (account, service, lines) = (account.clone(), service.clone(), lines.clone());
        Box::pin(async move {
            if keep {
                relay::import_numbers(tx, &account, &service, &lines).await
            } else {
                relay::try_import(tx, &account, &service, &lines).await
            }
        })
    });
    match added.await {
        Ok(added) if keep => {
            app.relay.committed();
            (page.done, page.text) = (Some((all, added)), String::new());
            answer::page(&page)
        }
        Ok(added) => {
            page.tried = Some((all, added));
            answer::page(&page)
        }
        Err(error) => match refusal(language, &error) {
            Some(words) => {
                page.fault = Some(words);
                answer::again(&page)
            }
            None => Err(error.into()),
        },
    }
}
