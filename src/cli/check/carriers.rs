//! A carrier's side, live: whether it takes the credentials, and where it sends its numbers' calls
//! and texts.

use futures_util::{StreamExt as _, stream};
use http::StatusCode;

use super::{
    database::Numbers,
    reach::{self, Step},
    report::Report,
};
use crate::{
    carrier::{NumberFault, Request},
    clock::Clock,
    relay::{Client, Configured},
};

/// How many numbers are asked about at once: below every carrier's limit.
const AT_ONCE: usize = 4;

/// What a carrier did not answer well: what happened, and the fix.
type Trouble = (String, String);

/// Asks the carrier with each of its credentials; whether it took them.
pub(super) async fn credentials(
    report: &mut Report,
    client: &Client,
    place: usize,
    carrier: &Configured,
) -> bool {
    let check = format!("{}: credentials", carrier.id);
    let probes = [
        (carrier.adapter.probe(), "are taken"),
        (carrier.adapter.probe_signing(), "that sign webhooks are taken"),
        (carrier.adapter.probe_calls(), "that place calls are taken"),
    ];
    let mut good = true;
    for (probe, words) in probes {
        let Some(probe) = probe else { continue };
        match ask(client, probe, &format!("carriers.{place}"), carrier).await {
            Ok(_) => report.ok(&check, words),
            Err((message, fix)) => {
                good = false;
                report.fail(&check, message, fix);
            }
        }
    }
    good
}

/// Asks; anything but a 2xx is trouble.
async fn ask(
    client: &Client,
    request: Request,
    entry: &str,
    carrier: &Configured,
) -> Result<crate::carrier::Response, Trouble> {
    let address = request.url.clone();
    let request = carrier.adapter.authorize(request, Clock::system().now());
    let Ok(answer) = client.send(request).await else {
        let (step, message) = reach::why(&address).await;
        return Err((message, unreached(step, entry, carrier)));
    };
    let status = answer.status;
    let fix = match status {
        _ if status.is_success() => return Ok(answer),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => format!(
            "correct the account and the secrets of {entry}: they must be of the same account, in \
             force, and allowed to read it"
        ),
        StatusCode::NOT_FOUND => format!("correct the account of {entry}, or its api_base"),
        StatusCode::TOO_MANY_REQUESTS => "wait a minute, then check again".to_owned(),
        _ if status.is_redirection() => format!("correct {entry}.api_base: it redirects"),
        _ => "see the carrier's status page, then check again".to_owned(),
    };
    let verb = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "refused",
        _ => "answered with",
    };
    Err((format!("the carrier {verb} {}", status.as_u16()), fix))
}

fn unreached(step: Step, entry: &str, carrier: &Configured) -> String {
    if carrier.kind == "sandbox" {
        return "start `entremise serve` with these settings: it serves the sandbox".into();
    }
    match step {
        Step::Address | Step::Name => {
            format!("correct {entry}.api_base, or this machine's name server")
        }
        Step::Connection | Step::Answer => {
            "let this machine reach the carrier (firewall, proxy), then check again".into()
        }
        Step::Certificate | Step::Tls => format!(
            "correct {entry}.api_base and this machine's clock; something in between may open TLS"
        ),
    }
}

/// Asks about what is set for all numbers at once; tells what is to be set at the carrier.
pub(super) async fn account(
    report: &mut Report,
    client: &Client,
    place: usize,
    carrier: &Configured,
) {
    let check = format!("{}: settings there", carrier.id);
    let mut right = None;
    for (nth, request) in carrier.adapter.account().into_iter().enumerate() {
        let answer = ask(client, request, &format!("carriers.{place}"), carrier).await;
        let faults = answer.and_then(|answer| {
            carrier.adapter.account_faults(nth, &carrier.links, &answer).ok_or_else(unreadable)
        });
        match faults {
            Ok(faults) if faults.is_empty() => right = right.or(Some(true)),
            Ok(faults) => {
                right = Some(false);
                tell(report, &check, &faults);
            }
            Err((message, fix)) => {
                right = Some(false);
                report.fail(&check, format!("can't be looked at: {message}"), fix);
            }
        }
    }
    if right == Some(true) {
        report.ok(&check, "sends calls and texts here");
    }
}

fn unreadable() -> Trouble {
    ("the answer can't be read".into(), "correct api_base".into())
}

/// Asks about each number; tells what is to be set at the carrier.
pub(super) async fn numbers(
    report: &mut Report,
    client: &Client,
    carrier: &Configured,
    numbers: Option<&Numbers>,
) {
    let check = format!("{}: numbers", carrier.id);
    let Some(numbers) = numbers else {
        report.warn(
            &check,
            "there are none: nobody can be given one",
            "bring them in with `entremise numbers import`",
        );
        return;
    };
    let asked = numbers.first.iter().filter_map(|number| {
        let request = carrier.adapter.number(&number.number)?;
        Some(async move { (number, ask(client, request, &carrier.id, carrier).await) })
    });
    let mut answers = stream::iter(asked).buffered(AT_ONCE);
    let (mut seen, mut right) = (0, 0);
    while let Some((number, answer)) = answers.next().await {
        seen += 1;
        let faults = answer.and_then(|answer| {
            carrier
                .adapter
                .number_faults(&number.number, number.capabilities, &carrier.links, &answer)
                .ok_or_else(unreadable)
        });
        match faults {
            Ok(faults) if faults.is_empty() => right += 1,
            Ok(faults) => {
                let check = format!("{}: number {}", carrier.id, number.number);
                tell(report, &check, &faults);
            }
            Err((message, fix)) => {
                // The others would fare no better.
                report.fail(&check, format!("can't be looked at: {message}"), fix);
                return;
            }
        }
    }
    let total = numbers.total;
    if seen == 0 {
        report.ok(&check, format!("{total}: nothing is to be set for them at the carrier"));
    } else if right == seen {
        let most =
            if total > seen { format!(" (the first {seen} of {total})") } else { String::new() };
        report.ok(&check, format!("{right} send calls and texts here{most}"));
    }
}

fn tell(report: &mut Report, check: &str, faults: &[NumberFault]) {
    let join =
        |part: fn(&NumberFault) -> &str| faults.iter().map(part).collect::<Vec<_>>().join("; ");
    let (message, fix) = (join(|fault| &fault.found), join(|fault| &fault.fix));
    if faults.iter().any(|fault| fault.grave) {
        report.fail(check, message, fix);
    } else {
        report.warn(check, message, fix);
    }
}
