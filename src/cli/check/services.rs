//! The services: rules that are unwise, and rules that their numbers' carriers can't keep.

use super::report::Report;
use crate::{
    carrier::Capabilities,
    domain::{policy::Warning, sender::SenderId},
    ids::AccountId,
    relay::Carriers,
    store::{
        Error, Tx, accounts,
        numbers::{self, Filter, NumberState},
        services::{self, Service},
    },
};

/// How many services are read at once.
const PAGE: i64 = 200;
/// How many of a service's numbers are looked at for a carrier: as many as for a code.
const NUMBERS_MAX: i64 = 500;

/// How many accounts and services there are, in words; tells what is unwise about each service. Without
/// `carriers` nothing is said of what they can't do.
pub(super) async fn check(
    report: &mut Report,
    carriers: Option<&Carriers>,
    tx: &mut Tx,
) -> Result<String, Error> {
    let accounts = accounts::all(tx).await?;
    let mut total = 0;
    for account in &accounts {
        let mut after = String::new();
        loop {
            let page = services::list(tx, &account.id, &after, PAGE).await?;
            total += page.len();
            for service in &page {
                let name = format!("`{}` of {}", service.unique_name, account.id);
                let check = format!("service {}", service.id);
                for Warning { words, fix } in service.rules.warnings() {
                    report.warn(&check, format!("{name}: {words}"), fix);
                }
                if let (Some(all), Some(id)) = (carriers, &service.rules.sender_id)
                    && !sends_as(all, tx, &account.id, service, id).await?
                {
                    report.warn(
                        &check,
                        format!("{name}: no carrier of its numbers sends codes under its sender_id"),
                        "docs/carriers.md says which names each carrier takes; give the service a number of \
                         one that takes this one, or another sender_id",
                    );
                }
                let (voicemail, asks) =
                    (service.rules.voicemail.on, service.rules.recording.asks());
                let Some(all) = carriers.filter(|_| voicemail || asks) else { continue };
                let of_calls = numbers::carriers_of_calls(tx, &account.id, &service.id).await?;
                let lacking = |can: fn(&Capabilities) -> bool| lacking(all, &of_calls, can);
                for carrier in lacking(|can| can.recording).into_iter().filter(|_| asks) {
                    report.warn(
                        &check,
                        format!("{name}: calls to its numbers at {carrier} are not recorded"),
                        "docs/recording.md says which carriers can; give the service numbers of one, \
                         or switch its recording off",
                    );
                }
                for carrier in lacking(|can| can.voicemail).into_iter().filter(|_| voicemail) {
                    report.warn(
                        &check,
                        format!("{name}: callers of its numbers at {carrier} can leave no message"),
                        "docs/carriers.md says which carriers record; give the service numbers of one, \
                         or switch its voicemail off",
                    );
                }
            }
            match page.last() {
                Some(Service { id, .. }) => id.as_str().clone_into(&mut after),
                None => break,
            }
        }
    }
    Ok(format!("{} accounts, {total} services", accounts.len()))
}

/// Whether a carrier of the service's active numbers sends under that name.
async fn sends_as(
    carriers: &Carriers,
    tx: &mut Tx,
    account: &AccountId,
    service: &Service,
    id: &SenderId,
) -> Result<bool, Error> {
    let filter = Filter { service: Some(service.id.clone()), registration: None };
    let all = numbers::list(tx, account, &filter, "", NUMBERS_MAX).await?;
    let mut active = all.iter().filter(|one| one.state == NumberState::Active);
    Ok(active.any(|one| {
        let carrier = carriers.get(&one.carrier);
        carrier.is_some_and(|carrier| carrier.adapter.capabilities().sends_as(id))
    }))
}

/// Which of these can't do that.
fn lacking<'a>(
    carriers: &Carriers,
    of_calls: &'a [String],
    can: fn(&Capabilities) -> bool,
) -> Vec<&'a str> {
    let can = |id: &str| carriers.get(id).is_none_or(|one| can(one.adapter.capabilities()));
    of_calls.iter().map(String::as_str).filter(|id| !can(id)).collect()
}
