//! `entremise import`: what an account has elsewhere goes on here.

mod plan;
mod source;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;

use self::{
    plan::{Found, Judged, Planned},
    source::{Service, Source},
};
use super::{ConfigFile, Failed, account, output};
use crate::{
    app::Opened,
    domain::time::Timestamp,
    ids::{AccountId, ServiceId, SessionId},
    relay::{self, Client},
    store::accounts,
};

/// How many sessions are asked about at once: well below the 30 requests a second that Proxy takes.
const AT_ONCE: usize = 4;
/// How many sessions one transaction takes over.
const BATCH: usize = 50;

#[derive(Debug, Subcommand)]
pub(super) enum Import {
    /// Take over services, numbers and open sessions from Twilio Proxy, with every id as it is.
    ///
    /// Nothing at Twilio is changed. Run again, it goes on where it was broken off.
    TwilioProxy(TwilioProxy),
}

#[derive(Debug, Args)]
pub(super) struct TwilioProxy {
    #[command(flatten)]
    file: ConfigFile,
    /// The account here, AC…: made with `account create --sid` it is the same as there.
    #[arg(long)]
    account: AccountId,
    /// The account at Twilio, AC…, or the SID of an API key, SK…; as --account if it is left out.
    #[arg(long, value_name = "SID")]
    from: Option<String>,
    /// A file that holds the auth token at Twilio, or the API key's secret.
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// The carrier of the numbers: its id in the settings. The first of the kind `twilio` if it is
    /// left out.
    #[arg(long)]
    carrier: Option<String>,
    /// Only this service, KS…; may be given again.
    #[arg(long, value_name = "KS…")]
    service: Vec<ServiceId>,
    /// Only say what would be done, and what is in the way.
    #[arg(long)]
    dry_run: bool,
    /// Where Twilio Proxy is.
    #[arg(long, value_name = "URL", default_value = "https://proxy.twilio.com")]
    base: String,
}

pub(super) async fn run(Import::TwilioProxy(options): Import) -> Result<(), Failed> {
    let config = options.file.load()?;
    let carrier = match &options.carrier {
        Some(id) => config.carriers.iter().find(|one| one.id == *id),
        None => config.carriers.iter().find(|one| one.kind == "twilio"),
    };
    let Some(carrier) = carrier.map(|one| one.id.clone()) else {
        return Err(Failed("--carrier must be the id of a configured carrier".into()));
    };
    let secret = std::fs::read_to_string(&options.token_file).map_err(|error| {
        Failed(format!("{} cannot be read: {error}", options.token_file.display()))
    })?;
    let user = options.from.clone().unwrap_or_else(|| options.account.to_string());
    let source = Source::new(Client::new(), &options.base, &user, secret.trim());
    let opened = account::open(&options.file).await?;
    let result = import(&options, &source, &opened, &carrier).await;
    opened.close().await;
    result
}

async fn import(
    options: &TwilioProxy,
    source: &Source,
    opened: &Opened,
    carrier: &str,
) -> Result<(), Failed> {
    let mut tx = opened.db.read().await?;
    let now = tx.now().await?;
    let Some(owner) = accounts::get(&mut tx, &options.account).await? else {
        return Err(Failed(
            "there is no such account: `entremise account create --sid AC…`".into(),
        ));
    };
    drop(tx);
    let brand: String = owner.name.chars().take(60).collect();
    let (mut judged, mut plans) = (Judged::default(), Vec::new());
    for service in chosen(source.services().await?, &options.service)? {
        let found = read(source, service, now).await?;
        let planned = plan::plan(&found, &brand, carrier, now, &mut judged);
        plans.push(planned);
    }
    judged.faults.extend(in_the_way(opened, &options.account, &plans).await?);
    for warning in &judged.warnings {
        output::error(&format!("warning: {warning}"));
    }
    if !judged.faults.is_empty() {
        let count = judged.faults.len();
        let faults = judged.faults.join("\n");
        return Err(Failed(format!("{faults}\n{count} faults: nothing was imported")));
    }
    let done = if options.dry_run {
        Done::of(&plans)
    } else {
        apply(opened, &options.account, &plans).await?
    };
    output::line(
        &json!({
            "dry_run": options.dry_run,
            "services": done.services,
            "numbers": done.numbers,
            "sessions": done.sessions,
            "participants": done.participants,
            "there_already": done.already,
            "warnings": judged.warnings.len(),
        })
        .to_string(),
    );
    Ok(())
}

/// The services that are asked for, each with its id.
fn chosen(
    services: Vec<Service>,
    asked: &[ServiceId],
) -> Result<Vec<(ServiceId, Service)>, Failed> {
    let mut all = Vec::new();
    for service in services {
        let id = ServiceId::parse(&service.sid)
            .map_err(|_| Failed("Twilio lists a service whose SID is none".into()))?;
        if asked.is_empty() || asked.contains(&id) {
            all.push((id, service));
        }
    }
    match asked.iter().find(|id| !all.iter().any(|(one, _)| one == *id)) {
        Some(missing) => Err(Failed(format!("Twilio has no service {missing}"))),
        None => Ok(all),
    }
}

/// Reads all of a service that concerns us.
async fn read(
    source: &Source,
    (id, service): (ServiceId, Service),
    now: Timestamp,
) -> Result<Found, Failed> {
    let quarantine = plan::rules(&service, "", 2).quarantine;
    let numbers = source.numbers(id.as_str()).await?;
    let mut sessions = source.sessions(id.as_str()).await?;
    let all = sessions.len();
    sessions.retain(|one| plan::concerns_us(one, quarantine, now));
    let total = sessions.len();
    output::error(&format!(
        "{id}: {} numbers, {total} of {all} sessions are open or still rest",
        numbers.len()
    ));
    let (source, service_id) = (&source, &id);
    let sessions = stream::iter(sessions.into_iter().enumerate())
        .map(|(place, session)| async move {
            let sid = SessionId::parse(&session.sid)
                .map_err(|_| Failed("Twilio lists a session whose SID is none".into()))?;
            let people = source.participants(service_id.as_str(), sid.as_str()).await?;
            if (place + 1).is_multiple_of(500) {
                output::error(&format!("{service_id}: read {} of {total} sessions", place + 1));
            }
            Ok::<_, Failed>((session, people))
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    Ok(Found { id, service, numbers, sessions })
}

/// What of this database stands in the way.
async fn in_the_way(
    opened: &Opened,
    account: &AccountId,
    plans: &[Planned],
) -> Result<Vec<String>, Failed> {
    let mut tx = opened.db.read().await?;
    let mut faults = Vec::new();
    for plan in plans {
        faults.extend(relay::in_the_way(&mut tx, account, &plan.service, &plan.numbers).await?);
        for session in &plan.sessions {
            let rules = &plan.service.rules;
            faults.extend(relay::people_in_the_way(&mut tx, account, rules, session).await?);
            faults.extend(relay::pairs_in_the_way(&mut tx, account, session).await?);
        }
    }
    Ok(faults)
}

/// What was taken over.
#[derive(Default)]
struct Done {
    services: usize,
    numbers: usize,
    sessions: usize,
    participants: usize,
    already: usize,
}

impl Done {
    fn of(plans: &[Planned]) -> Self {
        let sessions = || plans.iter().flat_map(|plan| &plan.sessions);
        Self {
            services: plans.len(),
            numbers: plans.iter().map(|plan| plan.numbers.len()).sum(),
            sessions: sessions().count(),
            participants: sessions().map(|one| one.participants.len()).sum(),
            already: 0,
        }
    }
}

async fn apply(opened: &Opened, account: &AccountId, plans: &[Planned]) -> Result<Done, Failed> {
    let mut done = Done::default();
    for plan in plans {
        let (owner, service, numbers) =
            (account.clone(), plan.service.clone(), plan.numbers.clone());
        let made = opened.db.write(move |tx| {
            let (owner, service, numbers) = (owner.clone(), service.clone(), numbers.clone());
            Box::pin(async move {
                let new = relay::adopt_service(tx, &owner, &service).await?;
                let mut added = 0;
                for number in &numbers {
                    added += usize::from(relay::adopt_number(tx, &owner, number).await?);
                }
                Ok::<_, relay::Error>((new, added))
            })
        });
        let (new, added) = made.await?;
        done.services += usize::from(new);
        done.numbers += added;
        done.already += usize::from(!new) + plan.numbers.len() - added;
        for (place, batch) in plan.sessions.chunks(BATCH).enumerate() {
            let (owner, sessions) = (account.clone(), batch.to_vec());
            let made = opened.db.write(move |tx| {
                let (owner, sessions) = (owner.clone(), sessions.clone());
                Box::pin(async move {
                    let (mut added, mut people) = (0, 0);
                    for session in &sessions {
                        if relay::adopt_session(tx, &owner, session).await? {
                            added += 1;
                            people += session.participants.len();
                        }
                    }
                    Ok::<_, relay::Error>((added, people))
                })
            });
            let (added, people) = made.await?;
            done.sessions += added;
            done.participants += people;
            done.already += batch.len() - added;
            let so_far = place * BATCH + batch.len();
            if so_far.is_multiple_of(500) || so_far == plan.sessions.len() {
                let total = plan.sessions.len();
                output::error(&format!("{}: {so_far} of {total} sessions", plan.service.id));
            }
        }
    }
    Ok(done)
}
