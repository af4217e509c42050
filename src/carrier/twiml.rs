//! What the dialects of TwiML have in common.

use std::time::Duration;

use http::StatusCode;

use super::{
    Links, Reply, Response,
    document::Document,
    links::Step,
    plan::{Connect, RejectReason},
};
use crate::domain::call::CallState;

/// A document of the verbs that `inside` writes.
pub(super) fn response(inside: impl FnOnce(&mut Document)) -> Reply {
    let mut doc = Document::new();
    doc.element("Response", &[], inside);
    Response::new(StatusCode::OK, "text/xml; charset=utf-8", doc.finish()).into()
}

/// Writes an element that has nothing inside.
pub(super) fn empty(doc: &mut Document, name: &str, attributes: &[(&str, &str)]) {
    doc.element(name, attributes, |_| {});
}

/// The people whom a `<Dial>` rings, `most` of them, each with the address for its news and, if it is
/// asked first, for what it is asked.
pub(super) fn numbers(doc: &mut Document, plan: &Connect, links: &Links, most: usize) {
    for target in plan.to.iter().take(most) {
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
}

/// The `reason` of a `<Reject>`.
pub(super) const fn reason(reason: RejectReason) -> &'static str {
    match reason {
        RejectReason::Busy => "busy",
        RejectReason::Declined => "rejected",
    }
}

/// Whole seconds of `length`, rounded down and kept between `least` and `most`.
pub(super) fn seconds(length: Duration, least: Duration, most: Duration) -> String {
    length.clamp(least, most).as_secs().to_string()
}

/// What a `CallStatus` or `DialCallStatus` means.
pub(super) fn call_state(status: &str) -> Option<CallState> {
    Some(match status {
        "queued" => CallState::Queued,
        "initiated" => CallState::Initiated,
        "ringing" => CallState::Ringing,
        "in-progress" | "answered" => CallState::Answered,
        "completed" => CallState::Completed,
        "busy" => CallState::Busy,
        "no-answer" => CallState::NoAnswer,
        "failed" => CallState::Failed,
        "canceled" => CallState::Cancelled,
        _ => return None,
    })
}
