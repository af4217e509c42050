//! After the play: addresses to open, and phones that learn of sessions opened by API.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::market::{BUYER, Market, Opened, SELLER, shown};
use crate::{
    app::Running,
    cli::{
        Failed,
        output::{self, Paint},
    },
    domain::{phone::Identifier, session::State},
    ids::SessionId,
    relay::Relay,
    store::{
        participants,
        sessions::{self, Filter, Page},
    },
};

/// How often new sessions are looked for.
const LOOK: Duration = Duration::from_millis(300);

/// Prints what to open and what to try.
pub(super) fn tell(running: &Running, market: &Market, session: &Opened, console: &str) {
    let paint = Paint::new();
    let origin = &running.origin;
    output::line(&paint.bold("  Now you: a new session is open, and the phones are live"));
    for (what, url) in [
        ("Two phones", format!("{origin}/sandbox")),
        ("Console", console.to_owned()),
        ("API docs", format!("{origin}/docs")),
        ("Metrics", format!("http://{}/metrics", running.ops_address)),
    ] {
        output::line(&format!("  {what:<14}{}", paint.cyan(&url)));
    }
    output::line(&format!(
        "  {:<14}buyer dials {}, seller dials {}",
        "Numbers",
        shown(&session.buyer_dials),
        shown(&session.seller_dials)
    ));
    output::line("");
    output::line("  Open another session by API, and see the phones' contacts change:");
    output::line("");
    output::line(&format!(
        "curl -s {origin}/api/v1/sessions -H 'Authorization: Bearer {}' \\\n  \
         -H 'Content-Type: application/json' -d '{{\"service_id\":\"{}\",\"participants\":[\n    \
         {{\"role\":\"buyer\",\"identifier\":\"{BUYER}\"}},\n    \
         {{\"role\":\"seller\",\"identifier\":\"{SELLER}\"}}]}}'",
        market.api_key, market.service
    ));
    output::line("");
    output::line(
        &paint
            .dim("  Everything is in a temporary folder and goes when this ends. Ctrl-C ends it."),
    );
}

/// Writes the numbers of new sessions into the phones, until a signal comes.
pub(super) async fn until_stopped(running: &Running, market: &Market) -> Result<(), Failed> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut looks = tokio::time::interval(LOOK);
    let mut last: Option<SessionId> = None;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = looks.tick() => last = learn(&running.relay, market, last).await?,
        }
    }
}

async fn learn(
    relay: &Relay,
    market: &Market,
    last: Option<SessionId>,
) -> Result<Option<SessionId>, Failed> {
    let mut tx = relay.db().read().await?;
    let page = Page { before: None, after: None, limit: 10 };
    let newest = sessions::list(&mut tx, &market.account, &Filter::default(), &page).await?;
    let fresh: Vec<_> = newest
        .iter()
        .filter(|one| last.as_ref().is_none_or(|last| one.id > *last))
        .filter(|one| one.state != State::Closed)
        .collect();
    for session in fresh.iter().rev() {
        let key = session.data_key(&tx)?;
        let people = participants::of_session(&mut tx, &market.account, &session.id).await?;
        for one in &people {
            let Some(phone) = market.network.phone_of(&one.identifier(&key)?) else { continue };
            let other = people.iter().find(|other| other.role != one.role);
            let label = other.map_or("Contact", |other| other.role.as_str());
            let mut label = label.to_owned();
            if let Some(first) = label.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            let number = Identifier::parse(one.number.as_str())?;
            market.network.set_contact(phone, &label, number)?;
        }
    }
    Ok(newest.first().map(|one| one.id.clone()).max(last))
}
