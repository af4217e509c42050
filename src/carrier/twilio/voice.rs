//! Answers as TwiML.

use http::StatusCode;

use super::{Answer, CAPABILITIES, Links, Reply, Response, seconds};
use crate::carrier::{
    document::Document,
    links::Step,
    plan::{Connect, Plan, Prompt, RejectReason, Whisper},
};

/// How long a person has to press the key that accepts a call.
const ACCEPT_SECONDS: &str = "10";

/// The most characters that one `<Say>` takes.
const SAY_CHARS_MAX: usize = 4096;

/// Words an answer. Every document is written from what the plan holds and nothing else: nothing
/// of the inbound request, and no attribute that carries its identity on (`passports`).
pub(super) fn reply(answer: &Answer, links: &Links) -> Reply {
    match answer {
        Answer::Nack => Response::empty(StatusCode::SERVICE_UNAVAILABLE).into(),
        Answer::Ack => twiml(|_| {}),
        Answer::Plan(plan) => twiml(|doc| word(doc, plan, links)),
    }
}

fn twiml(inside: impl FnOnce(&mut Document)) -> Reply {
    let mut doc = Document::new();
    doc.element("Response", &[], inside);
    Response::new(StatusCode::OK, "text/xml; charset=utf-8", doc.finish()).into()
}

fn word(doc: &mut Document, plan: &Plan, links: &Links) {
    match plan {
        Plan::Reject(reason) => {
            let reason = match reason {
                RejectReason::Busy => "busy",
                RejectReason::Declined => "rejected",
            };
            empty(doc, "Reject", &[("reason", reason)]);
        }
        Plan::Announce(prompt) => {
            say(doc, prompt);
            empty(doc, "Hangup", &[]);
        }
        Plan::Connect(plan) => connect(doc, plan, links),
        Plan::Whisper(plan) => whisper(doc, plan, links),
        Plan::Proceed => {}
        Plan::Hangup => empty(doc, "Hangup", &[]),
    }
}

fn connect(doc: &mut Document, plan: &Connect, links: &Links) {
    if plan.to.is_empty() {
        return empty(doc, "Hangup", &[]);
    }
    if let Some(prompt) = &plan.announce {
        say(doc, prompt);
    }
    let (least, most) = CAPABILITIES.ring_timeout;
    let timeout = seconds(plan.ring_timeout, least, most);
    let limit = CAPABILITIES.duration_max.unwrap_or(plan.duration_max);
    let limit = seconds(plan.duration_max, least, limit);
    let action = links.step(Step::Dialled, &plan.leg);
    let mut attributes = vec![
        ("action", action.as_str()),
        ("method", "POST"),
        ("timeout", &timeout),
        ("timeLimit", &limit),
        ("callerId", plan.caller_id.as_str()),
    ];
    // A call that `<Say>` has answered can't be answered again by the bridge.
    if plan.announce.is_none() {
        attributes.push(("answerOnBridge", "true"));
    }
    doc.element("Dial", &attributes, |doc| {
        for target in plan.to.iter().take(CAPABILITIES.simultaneous) {
            let screen = plan.screen.then(|| links.step(Step::Whisper, &target.leg));
            let status = links.leg_status(&target.leg);
            let mut attributes = Vec::new();
            if let Some(url) = &screen {
                attributes.extend([("url", url.as_str()), ("method", "POST")]);
            }
            attributes.extend([
                ("statusCallback", status.as_str()),
                ("statusCallbackMethod", "POST"),
                ("statusCallbackEvent", "initiated ringing answered completed"),
            ]);
            doc.element("Number", &attributes, |doc| doc.words(target.number.expose()));
        }
    });
}

fn whisper(doc: &mut Document, plan: &Whisper, links: &Links) {
    if let Some(prompt) = &plan.say {
        say(doc, prompt);
    }
    if let Some(prompt) = &plan.accept {
        let action = links.step(Step::Keys, &plan.leg);
        let attributes = [
            ("numDigits", "1"),
            ("action", action.as_str()),
            ("method", "POST"),
            ("timeout", ACCEPT_SECONDS),
        ];
        doc.element("Gather", &attributes, |doc| say(doc, prompt));
        // Reached when no key was pressed: a machine that answered must not be connected.
        empty(doc, "Hangup", &[]);
    }
}

fn say(doc: &mut Document, prompt: &Prompt) {
    let words: String = prompt.text.chars().take(SAY_CHARS_MAX).collect();
    doc.element("Say", &[("language", &prompt.language)], |doc| doc.words(&words));
}

fn empty(doc: &mut Document, name: &str, attributes: &[(&str, &str)]) {
    doc.element(name, attributes, |_| {});
}
