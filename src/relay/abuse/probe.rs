//! Somebody who tries one proxy number after the other, to learn which are somebody's (T3).

use serde_json::json;

use crate::{
    domain::{
        abuse::{Limit, Window},
        event::EventKind,
        interaction::Reason,
    },
    relay::{error::Error, inbound::Refused},
    store::{
        Tx, events,
        events::Place,
        probes::{self, Alert},
    },
    telemetry::metrics,
};

/// Notes that somebody who is in no session tried a number; whether they try too many. They get the neutral answer
/// then and no more is done for them: no text, no line is rung, and no marketplace is asked. Every cause counts
/// alike, and reads the same rows (I5). All who withhold their number are one, and count by the number they dial.
pub(in crate::relay) async fn probed(tx: &mut Tx, refused: &mut Refused) -> Result<(), Error> {
    // What comes from our own numbers, and what is heeded, is nobody's try.
    if matches!(refused.reason, Reason::Loop | Reason::StopWord) {
        return Ok(());
    }
    let bounds = tx.bounds();
    let person = refused.person().cloned();
    let limit = match person {
        Some(_) => Limit::HarvestNumbers,
        None => Limit::HarvestWithheld,
    };
    let most = i64::from(bounds.limits.get(limit));
    if most == 0 {
        return Ok(());
    }
    let (account, number, now) = (refused.account.clone(), refused.number.id.clone(), refused.now);
    let tried = probes::note(tx, &account, &number, person.as_ref(), now).await?;
    let count = if person.is_some() { tried.numbers } else { tried.used };
    refused.silent = count > most;
    if !refused.silent {
        return Ok(());
    }
    let subject = match &person {
        Some(person) => person.as_str().to_owned(),
        None => number.as_str().to_owned(),
    };
    if probes::is_news(tx, &account, Alert::Harvest, &subject, now).await? {
        let data = json!({
            "number_id": number, "withheld": person.is_none(), "numbers": tried.numbers,
            "tries": tried.used, "until": Window::Hour.next(now).rfc3339(),
        });
        let place = Place { service: Some(&refused.service.id), ..Place::default() };
        events::insert(tx, &account, EventKind::HarvestSuspected, place, &data.to_string(), now)
            .await?;
        tx.on_commit(|| metrics::abuse("harvest"));
    }
    Ok(())
}
