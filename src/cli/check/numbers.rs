//! The pools' numbers: which a country's rule keeps from calls, and which may not text.

use std::collections::BTreeMap;

use super::report::Report;
use crate::{
    config::Config,
    domain::phone::{ProxyClass, ProxyNumber, Registration},
    relay,
    store::{Error, Tx, numbers},
};

/// How many numbers a line names.
const NAMED: usize = 5;

/// Lists the numbers in use that new sessions do without.
pub(super) async fn check(report: &mut Report, config: &Config, tx: &mut Tx) -> Result<(), Error> {
    let misjudged = relay::misjudged(tx).await?;
    if misjudged > 0 {
        report.warn(
            "numbers",
            format!("{misjudged} stand otherwise by the rules of this build and by numbers.allow"),
            "start `entremise serve`, which judges every number again",
        );
    }
    let mut by_rule: BTreeMap<&str, (&ProxyClass, Vec<ProxyNumber>)> = BTreeMap::new();
    for number in numbers::barred(tx).await? {
        if let Some(class) = ProxyClass::of(&number) {
            by_rule.entry(&class.id).or_insert_with(|| (class, Vec::new())).1.push(number);
        }
    }
    for (rule, (class, refused)) in by_rule {
        report.warn(
            &format!("numbers of rule {rule}"),
            format!(
                "{} given to no new session with calls, for the number {}",
                named(&refused, "is", "are"),
                class.refusal()
            ),
            "use other numbers; if you hold a special permit, name it in numbers.allow",
        );
    }
    for (registration, words, fix) in [
        (
            Registration::None,
            "registered for no texts: people in the United States are not given them for texts",
            "register them with the carrier, and set their `registration`",
        ),
        (
            Registration::Unknown,
            "used for texts, and nobody has said whether that is what they are registered for",
            "set their `registration`: 10dlc, toll_free or none",
        ),
    ] {
        let mut by_carrier: BTreeMap<String, Vec<ProxyNumber>> = BTreeMap::new();
        for (carrier, number) in numbers::texting_as(tx, registration).await? {
            by_carrier.entry(carrier).or_default().push(number);
        }
        for (carrier, found) in by_carrier {
            // A simulated network asks for no registration.
            let kind = config.carriers.iter().find(|one| one.id == carrier).map(|one| &*one.kind);
            if kind == Some("sandbox") {
                continue;
            }
            report.warn(
                &format!("registration of numbers of {carrier}"),
                format!("{} {words}", named(&found, "is", "are")),
                format!("{fix} (docs/numbering.md)"),
            );
        }
    }
    Ok(())
}

/// How many numbers, the first of them, and the verb.
fn named(numbers: &[ProxyNumber], one: &str, many: &str) -> String {
    let first: Vec<&str> = numbers.iter().take(NAMED).map(ProxyNumber::as_str).collect();
    let more = if numbers.len() > NAMED { " …" } else { "" };
    match numbers.len() {
        1 => format!("{} {one}", first.join(", ")),
        count => format!("{count} numbers ({}{more}) {many}", first.join(", ")),
    }
}
