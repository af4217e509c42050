//! The public address, live: one signed round trip, and a forged one that must be refused.

use bytes::{BufMut as _, BytesMut};
use http::StatusCode;

use super::{
    reach::{self, Step},
    report::Report,
};
use crate::{
    carrier::{Answer, Request},
    clock::Clock,
    relay::{Client, Configured},
};

/// Sends a signed webhook through the public address, and the same with one byte more.
pub(super) async fn check(report: &mut Report, client: &Client, carrier: &Configured) {
    let check = format!("{}: public address", carrier.id);
    let Some(sample) = carrier.adapter.sample(&carrier.links, Clock::system().now()) else {
        report.ok(&check, "not tried: this carrier's signature can't be made here");
        return;
    };
    let address = sample.url.clone();
    let forged = forge(&sample);
    if let Err((message, fix)) = genuine(client, carrier, sample).await {
        report.fail(&check, message, fix);
        return;
    }
    match client.send(forged).await.map(|answer| answer.status) {
        Ok(StatusCode::FORBIDDEN) => {
            report.ok(&check, format!("{address} took a signed webhook and refused a forged one"));
        }
        Ok(status) => report.fail(
            &check,
            format!("{address} answered a forged webhook with {}, not 403", status.as_u16()),
            "let requests reach `entremise serve` unchanged: something in front answers for it",
        ),
        Err(_) => report.fail(
            &check,
            format!("{address} did not answer a forged webhook"),
            "see the log of whatever is in front of `entremise serve`",
        ),
    }
}

/// The same with one byte more than what was signed.
fn forge(sample: &Request) -> Request {
    let mut body = BytesMut::from(&sample.body[..]);
    body.put_u8(b'0');
    Request { body: body.freeze(), ..sample.clone() }
}

async fn genuine(
    client: &Client,
    carrier: &Configured,
    sample: Request,
) -> Result<(), (String, String)> {
    let address = sample.url.clone();
    let Ok(answer) = client.send(sample).await else {
        let (step, message) = reach::why(&address).await;
        return Err((message, unreached(step)));
    };
    let expected = carrier.adapter.reply(&Answer::Ack, &carrier.links).response;
    if answer.status == expected.status && answer.body == expected.body {
        return Ok(());
    }
    let fix = match answer.status {
        StatusCode::FORBIDDEN => {
            "start `entremise serve` with these settings: it has other secrets, another public_url \
             (carriers sign the address), or a clock that is minutes off"
        }
        StatusCode::NOT_FOUND => {
            "start `entremise serve` with these settings, and let /hooks/ through to it unchanged"
        }
        status if status.is_redirection() => {
            "set public_url to the origin that it redirects to: carriers sign the address that they \
             were given"
        }
        StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => {
            "start `entremise serve`, and let what is in front pass requests on to its `listen`"
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            "see the log of `entremise serve`: its database does not answer, or it is overloaded"
        }
        StatusCode::UNAUTHORIZED => "take /hooks/ out of what asks for a password",
        _ => "let requests to /hooks/ reach `entremise serve` unchanged: something else answers",
    };
    let status = answer.status.as_u16();
    let what = if answer.status == expected.status { "another answer" } else { "no success" };
    Err((format!("{address} gave a signed webhook {what} (status {status})"), fix.to_owned()))
}

fn unreached(step: Step) -> String {
    match step {
        Step::Address => "correct public_url",
        Step::Name => "make a DNS record for the host of public_url",
        Step::Connection | Step::Answer => {
            "start `entremise serve` with these settings, and let public_url lead to its `listen`"
        }
        Step::Certificate => {
            "serve a certificate for the host of public_url that is in date and signed by an \
             authority that the web trusts, with its whole chain: carriers refuse any other"
        }
        Step::Tls => "serve TLS at public_url: set tls_cert and tls_key, or let a proxy do it",
    }
    .to_owned()
}
