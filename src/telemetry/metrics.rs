//! Every metric: its name, kind, unit, labels and meaning, and one function to record it.
//!
//! Labels come from closed sets, the router's patterns and the configuration; never an id, never
//! a number. `docs/metrics.md` is held to the table by a test.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use metrics::{Label, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::domain::time::Timestamp;

/// How a metric's value behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Observations in buckets.
    Histogram,
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name, with the unit.
    pub name: &'static str,
    /// How its value behaves.
    pub kind: Kind,
    /// What one of it is.
    pub unit: Unit,
    /// The names of its labels, in order of the recording function's arguments.
    pub labels: &'static [&'static str],
    /// What it counts.
    pub help: &'static str,
}

macro_rules! metrics_table {
    ($($const:ident = $kind:ident $name:literal $unit:ident [$($label:literal),*] $help:literal;)*) => {
        $(const $const: Metric = Metric {
            name: $name,
            kind: Kind::$kind,
            unit: Unit::$unit,
            labels: &[$($label),*],
            help: $help,
        };)*

        /// Every metric, in order of the docs.
        pub const ALL: &[Metric] = &[$($const),*];
    };
}

metrics_table! {
    BUILD_INFO = Gauge "entremise_build_info" Count ["version"]
        "Always 1; the label says which version runs.";
    HTTP_REQUESTS = Counter "entremise_http_requests_total" Count
        ["listener", "route", "method", "status_class"]
        "Requests answered, by the route's pattern.";
    HTTP_DURATION = Histogram "entremise_http_request_duration_seconds" Seconds
        ["listener", "route", "method", "status_class"]
        "From the end of a request's head to the head of its answer.";
    CONNECTIONS = Gauge "entremise_connections" Count ["listener"] "Open connections.";
    REFUSED_CONNECTIONS = Counter "entremise_refused_connections_total" Count
        ["listener", "reason"]
        "Connections and requests that were cut off: total, client, first_byte, header, idle, \
         stalled, handshake, in_flight, bodies, drain, accept.";
    PANICS = Counter "entremise_panics_total" Count ["listener"]
        "Panics that became an answer with status 500. Each is a bug.";
    WEBHOOKS = Counter "entremise_carrier_webhooks_total" Count ["carrier", "kind", "outcome"]
        "Webhooks from carriers: accepted, ignored, duplicate, challenged, bad_signature, stale, bad_address, bad_token, challenged, malformed.";
    CARRIER_REQUESTS = Counter "entremise_carrier_requests_total" Count
        ["carrier", "operation", "outcome"]
        "Requests to carriers.";
    CARRIER_DURATION = Histogram "entremise_carrier_request_duration_seconds" Seconds
        ["carrier", "operation"]
        "How long carriers took to answer.";
    CARRIER_STATE = Gauge "entremise_carrier_state" Count ["carrier"]
        "Whether this node sends to a carrier: 0 it does, 1 one at a time to see, 2 the carrier is down \
         and what is owed to it waits.";
    BUDGET_USED = Gauge "entremise_budget_used_ratio" Count ["carrier"]
        "How much of a carrier's budget is spent, of what is nearest its end: 1 and more when nothing is left.";
    BUDGET_UNSUMMED = Counter "entremise_budget_sums_failed_total" Count ["of"]
        "Times that what was spent of a budget could not be summed, by carrier, or `accounts` for those of \
         accounts: what it came to before goes on to count.";
    ABUSE = Counter "entremise_abuse_total" Count ["control"]
        "Times that something held abuse or cost in bounds: rate_limited, minutes_spent, call_in_progress, \
         country_not_allowed, number_not_allowed, traffic_paused, loop_stopped of texts and calls that were \
         refused; sessions that were not opened; loop, paused, harvest, budget_near, budget_spent once each.";
    CARRIER_TURNS = Counter "entremise_carrier_turns_total" Count ["carrier", "state"]
        "Changes of that: to closed, half_open, open.";
    EGRESS_REQUESTS = Counter "entremise_egress_requests_total" Count ["outcome"]
        "Requests to addresses that marketplaces and carriers gave us: answered, refused, \
         unreachable, untrusted, timeout, broken, too_large.";
    LOOK_UPS = Counter "entremise_unknown_text_lookups_total" Count ["carrier", "outcome"]
        "Times that a carrier was asked whether it took a text whose fate was unknown: found, absent, \
         doubt, failed.";
    RESENT = Counter "entremise_texts_resent_total" Count ["carrier"]
        "Texts to be sent once more because the carrier had nothing of the first: each may be a duplicate.";
    GAPS = Counter "entremise_webhook_gaps_filled_total" Count ["carrier", "kind", "outcome"]
        "Texts and calls that no webhook told of and a carrier's list did: relayed, refused, logged.";
    RECONCILED = Counter "entremise_reconcile_runs_total" Count ["carrier", "kind", "outcome"]
        "Comparisons of a carrier's list with the inbox: complete, incomplete, failed.";
    MESSAGES = Counter "entremise_messages_total" Count ["outcome"]
        "Texts by final outcome.";
    CALLS = Counter "entremise_calls_total" Count ["outcome"]
        "Calls by final outcome.";
    OUT_OF_SESSION = Counter "entremise_out_of_session_total" Count ["answer"]
        "What callers and senders without a session got: announce, reject, forward, text, none.";
    PINS = Counter "entremise_pins_total" Count ["outcome"]
        "PINs: asked for in a call; right, wrong; locked: not listened to.";
    PIN_LOCKS = Counter "entremise_pin_locks_total" Count ["scope"]
        "Times that PINs were locked for an hour or a day: caller, number.";
    OUT_OF_SESSION_ASKED = Counter "entremise_out_of_session_asked_total" Count ["outcome"]
        "Marketplaces that were asked what strangers get: answered, busy, status, unreadable, refused, \
         unreachable, untrusted, timeout, broken, too_large.";
    INTERCEPT_ASKED = Counter "entremise_intercept_asked_total" Count ["outcome"]
        "Marketplaces that were asked whether a call or text may go through: passed, blocked, busy, \
         status, refused, unreachable, untrusted, timeout, broken, too_large.";
    MEDIA = Counter "entremise_media_total" Count ["outcome"]
        "Pictures and files of texts: kept, retry, deleted; not passed on: off, type, vcard, too_many, \
         too_large, unreadable, unavailable, recipient.";
    MEDIA_BYTES = Counter "entremise_media_kept_bytes_total" Bytes []
        "Bytes of pictures and files that were kept to be passed on.";
    PEOPLE_MOVED = Counter "entremise_number_move_people_total" Count ["outcome"]
        "People in sessions that were moved off a number: moved, kept, undone, not_undone.";
    RECORDINGS = Counter "entremise_recordings_total" Count ["outcome"]
        "Recordings of calls: asked, agreed, declined; recording, paused, stopped: confirmed by their carrier; \
         unconfirmed; kept, lost, unwanted.";
    VOICEMAIL = Counter "entremise_voicemail_total" Count ["outcome"]
        "Voicemail: offered to callers; messages kept, retry, lost, unwanted; dropped: deleted at their \
         carrier.";
    CONTENT = Counter "entremise_text_content_total" Count ["outcome"]
        "Texts in which something was found that their service looks for: flagged, redacted, blocked; \
         untold: the sender had been told often enough.";
    VERIFICATIONS = Counter "entremise_verifications_total" Count ["channel", "outcome"]
        "Codes: sent, limited; what they were for: verified, failed, expired, cancelled.";
    RELAY_LATENCY = Histogram "entremise_relay_latency_seconds" Seconds ["carrier"]
        "From a text's arrival to the recipient's carrier taking it.";
    SESSIONS_OPENED = Counter "entremise_sessions_opened_total" Count [] "Sessions opened.";
    SESSIONS_CLOSED = Counter "entremise_sessions_closed_total" Count ["reason"] "Sessions closed.";
    ALLOCATIONS = Counter "entremise_allocations_total" Count ["outcome"]
        "Requests for which no proxy number was left: exhausted, or quarantined if only quarantine is \
         in the way.";
    OUTBOX_ENTRIES = Gauge "entremise_outbox_entries" Count ["state"]
        "What is owed to carriers and marketplaces.";
    OUTBOX_AGE = Gauge "entremise_outbox_oldest_age_seconds" Seconds []
        "Age of the oldest entry that is due.";
    NUMBER_ORDERS = Counter "entremise_number_orders_total" Count ["carrier", "kind", "outcome"]
        "Numbers bought, adopted and released at carriers, by how it ended: done, failed, cancelled.";
    SET_ASIDE = Counter "entremise_set_aside_total" Count ["kind"]
        "What stopped five workers and was set aside: message, call, delivery. Each is a bug, or damage.";
    DELIVERIES = Counter "entremise_event_deliveries_total" Count ["outcome"]
        "Attempts to send an event to an endpoint: delivered, status, redirect, gone, timeout, \
         unreachable, untrusted, broken, too_large, refused.";
    DELIVERY_DURATION = Histogram "entremise_event_delivery_duration_seconds" Seconds ["outcome"]
        "How long endpoints took to answer.";
    DELIVERIES_OWED = Gauge "entremise_event_deliveries_owed" Count []
        "Deliveries that are not over, counted to 100,000.";
    DELIVERIES_LATE = Gauge "entremise_event_deliveries_late_seconds" Seconds []
        "How long the delivery that waits longest has been due: our delay, not the endpoints'.";
    API_LOG_DROPPED = Counter "entremise_api_log_dropped_total" Count []
        "Requests to the APIs that the developers' log lacks: more came than the database took.";
    DB_GROUP_SIZE = Histogram "entremise_db_group_size" Count []
        "Writes that one commit held.";
    DB_COMMIT = Histogram "entremise_db_commit_seconds" Seconds []
        "How long commits took.";
    DISK_FULL = Gauge "entremise_disk_full" Count []
        "1 while the disk below SQLite is full: only what closes or blocks is written.";
    AUDIT_HEADS_EXPORTED = Gauge "entremise_audit_heads_exported_timestamp_seconds" Seconds []
        "When the audit log's signed heads were last written to `audit_heads_file`, in seconds since 1970.";
    RETENTION_DELETED = Counter "entremise_retention_rows_deleted_total" Count ["class"]
        "Rows that the nightly job deleted, by class of data.";
    RETENTION_OLDEST = Gauge "entremise_retention_oldest_age_seconds" Seconds ["class"]
        "Age of the oldest row of a class after the last nightly job of this node.";
    RETENTION_RUN = Gauge "entremise_retention_last_run_timestamp_seconds" Seconds []
        "When the nightly job last came to its end, on any node, in seconds since 1970.";
}

const SECONDS: &[f64] = &[
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0,
];
const SIZES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

fn builder() -> PrometheusBuilder {
    let builder = PrometheusBuilder::new();
    let sizes = Matcher::Full(DB_GROUP_SIZE.name.to_owned());
    // The only error is an empty list of buckets.
    builder
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(sizes, SIZES))
        .unwrap_or_else(|_| PrometheusBuilder::new())
}

fn describe() {
    for metric in ALL {
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(metric.name, metric.unit, metric.help),
            Kind::Gauge => metrics::describe_gauge!(metric.name, metric.unit, metric.help),
            Kind::Histogram => {
                metrics::describe_histogram!(metric.name, metric.unit, metric.help);
            }
        }
    }
    metrics::gauge!(BUILD_INFO.name, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

/// The process's metrics, ready to render. The first call starts them.
pub fn handle() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let recorder = builder().build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_ok() {
            describe();
        }
        handle
    })
}

/// Sorts observations into their buckets every five seconds, until `stop`: without it they pile up
/// in memory where nobody reads the metrics.
pub async fn run_upkeep(stop: tokio_util::sync::CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(Duration::from_secs(5))).await.is_some() {
        handle().run_upkeep();
    }
}

fn counter<const N: usize>(metric: &Metric, values: [Value; N]) -> metrics::Counter {
    metrics::counter!(metric.name, labels(metric, values))
}

fn gauge<const N: usize>(metric: &Metric, values: [Value; N]) -> metrics::Gauge {
    metrics::gauge!(metric.name, labels(metric, values))
}

fn histogram<const N: usize>(metric: &Metric, values: [Value; N]) -> metrics::Histogram {
    metrics::histogram!(metric.name, labels(metric, values))
}

type Value = metrics::SharedString;

fn labels<const N: usize>(metric: &Metric, values: [Value; N]) -> Vec<Label> {
    metric.labels.iter().zip(values).map(|(name, value)| Label::new(*name, value)).collect()
}

fn text(value: &str) -> Value {
    Value::from(value.to_owned())
}

/// The two metrics of one kind of request; kept, so that a request costs no look-up.
#[derive(Clone)]
pub struct HttpMeter {
    requests: metrics::Counter,
    duration: metrics::Histogram,
}

impl std::fmt::Debug for HttpMeter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpMeter")
    }
}

impl HttpMeter {
    /// The metrics of `route`, a pattern, and of `status_class`, such as `2xx`.
    pub fn new(
        listener: &'static str,
        route: &str,
        method: &'static str,
        status_class: &'static str,
    ) -> Self {
        let route = Value::from(Arc::<str>::from(route));
        let values = [listener.into(), route, method.into(), status_class.into()];
        Self {
            requests: counter(&HTTP_REQUESTS, values.clone()),
            duration: histogram(&HTTP_DURATION, values),
        }
    }

    /// One request that took `took`.
    pub fn record(&self, took: Duration) {
        self.requests.increment(1);
        self.duration.record(took);
    }
}

/// A connection was opened (`1.0`) or closed (`-1.0`).
pub fn connections(listener: &'static str, change: f64) {
    gauge(&CONNECTIONS, [listener.into()]).increment(change);
}

/// A connection or request was cut off, for a `reason` from the metric's help.
pub fn refused_connection(listener: &'static str, reason: &'static str) {
    counter(&REFUSED_CONNECTIONS, [listener.into(), reason.into()]).increment(1);
}

/// A handler panicked.
pub fn panicked(listener: &'static str) {
    counter(&PANICS, [listener.into()]).increment(1);
}

/// A carrier's webhook was answered. `carrier` is the configured id.
pub fn webhook(carrier: &str, kind: &'static str, outcome: &'static str) {
    counter(&WEBHOOKS, [text(carrier), kind.into(), outcome.into()]).increment(1);
}

/// How many webhooks this process refused, by carrier and `outcome`, sorted by both.
pub fn webhooks_refused() -> Vec<(String, String, u64)> {
    const REFUSED: [&str; 5] = ["bad_signature", "stale", "bad_address", "bad_token", "malformed"];
    let text = handle().render();
    let counted = text.lines().filter_map(|line| {
        let (labels, value) =
            line.strip_prefix(WEBHOOKS.name)?.strip_prefix('{')?.split_once("} ")?;
        let label = |name: &str| {
            let (_, rest) = labels.split_once(&format!("{name}=\""))?;
            rest.split_once('"').map(|(value, _)| value.to_owned())
        };
        let outcome = label("outcome").filter(|one| REFUSED.contains(&one.as_str()))?;
        Some((label("carrier")?, outcome, value.parse().ok()?))
    });
    let mut all: Vec<_> = counted.collect();
    all.sort();
    all
}

/// A carrier was asked something and answered, or not, after `took`.
pub fn carrier_request(
    carrier: &str,
    operation: &'static str,
    outcome: &'static str,
    took: Duration,
) {
    counter(&CARRIER_REQUESTS, [text(carrier), operation.into(), outcome.into()]).increment(1);
    histogram(&CARRIER_DURATION, [text(carrier), operation.into()]).record(took);
}

/// Whether a carrier is sent to: 0, 1 or 2 as the metric's help says.
pub fn carrier_state(carrier: &str, level: u32) {
    gauge(&CARRIER_STATE, [text(carrier)]).set(f64::from(level));
}

/// So many percent of a carrier's budget are spent.
pub fn budget_used(carrier: &str, percent: u64) {
    let percent = u32::try_from(percent).unwrap_or(u32::MAX);
    gauge(&BUDGET_USED, [text(carrier)]).set(f64::from(percent) / 100.0);
}

/// What was spent at a carrier, or by `accounts`, could not be summed.
pub fn budget_unsummed(of: &str) {
    counter(&BUDGET_UNSUMMED, [text(of)]).increment(1);
}

/// Something held abuse or cost in bounds: a `control` from the metric's help.
pub fn abuse(control: &'static str) {
    counter(&ABUSE, [control.into()]).increment(1);
}

/// Whether a carrier is sent to has changed, to a `state` from the metric's help.
pub fn carrier_turned(carrier: &str, state: &'static str) {
    counter(&CARRIER_TURNS, [text(carrier), state.into()]).increment(1);
}

/// So many requests to the APIs are not in the log of them.
pub fn api_log_dropped(requests: u64) {
    counter(&API_LOG_DROPPED, []).increment(requests);
}

/// A stranger's address was called, or refused, with an `outcome` from the metric's help.
pub fn egress_request(outcome: &'static str) {
    counter(&EGRESS_REQUESTS, [outcome.into()]).increment(1);
}

/// A carrier was asked about a text of unknown fate, with an `outcome` from the metric's help.
pub fn looked_up(carrier: &str, outcome: &'static str) {
    counter(&LOOK_UPS, [text(carrier), outcome.into()]).increment(1);
}

/// A text is sent once more.
pub fn resent(carrier: &str) {
    counter(&RESENT, [text(carrier)]).increment(1);
}

/// Something that no webhook told of was taken in, with an `outcome` from the metric's help.
pub fn gap_filled(carrier: &str, kind: &'static str, outcome: &'static str) {
    counter(&GAPS, [text(carrier), kind.into(), outcome.into()]).increment(1);
}

/// A carrier's list was compared, with an `outcome` from the metric's help.
pub fn reconciled(carrier: &str, kind: &'static str, outcome: &'static str) {
    counter(&RECONCILED, [text(carrier), kind.into(), outcome.into()]).increment(1);
}

/// A text got its final outcome.
pub fn message(outcome: &'static str) {
    counter(&MESSAGES, [outcome.into()]).increment(1);
}

/// A call got its final outcome.
pub fn call(outcome: &'static str) {
    counter(&CALLS, [outcome.into()]).increment(1);
}

/// Somebody without a session got that `answer`.
pub fn out_of_session(answer: &'static str) {
    counter(&OUT_OF_SESSION, [answer.into()]).increment(1);
}

/// A PIN was `asked`, `right`, `wrong` or `locked`.
pub fn pin(outcome: &'static str) {
    counter(&PINS, [outcome.into()]).increment(1);
}

/// PINs are not listened to any more, of a `caller` or on a `number`.
pub fn pin_lock(scope: &'static str) {
    counter(&PIN_LOCKS, [scope.into()]).increment(1);
}

/// A marketplace was asked what a stranger gets, with that outcome.
pub fn out_of_session_asked(outcome: &'static str) {
    counter(&OUT_OF_SESSION_ASKED, [outcome.into()]).increment(1);
}

/// A marketplace was asked whether something may go through, with that outcome.
pub fn intercept_asked(outcome: &'static str) {
    counter(&INTERCEPT_ASKED, [outcome.into()]).increment(1);
}

/// A picture or file came to that, of the metric's help.
pub fn media(outcome: &'static str) {
    counter(&MEDIA, [outcome.into()]).increment(1);
}

/// So many bytes of a picture or file were kept.
pub fn media_bytes(bytes: u64) {
    counter(&MEDIA_BYTES, []).increment(bytes);
}

/// So many people in sessions that were moved off a number came to that, of the metric's help.
pub fn people_moved(outcome: &'static str, people: u64) {
    counter(&PEOPLE_MOVED, [outcome.into()]).increment(people);
}

/// A recording came to that, of the metric's help.
pub fn recording(outcome: &'static str) {
    counter(&RECORDINGS, [outcome.into()]).increment(1);
}

/// Voicemail came to that, of the metric's help.
pub fn voicemail(outcome: &'static str) {
    counter(&VOICEMAIL, [outcome.into()]).increment(1);
}

/// A text held what its service looks for, and came to that, of the metric's help.
pub fn content(outcome: &'static str) {
    counter(&CONTENT, [outcome.into()]).increment(1);
}

/// A code by `channel` came to that, of the metric's help.
pub fn verification(channel: &'static str, outcome: &'static str) {
    counter(&VERIFICATIONS, [channel.into(), outcome.into()]).increment(1);
}

/// The recipient's `carrier` took a text `latency` after it arrived.
pub fn relayed(carrier: &str, latency: Duration) {
    histogram(&RELAY_LATENCY, [text(carrier)]).record(latency);
}

/// A session was opened.
pub fn session_opened() {
    counter(&SESSIONS_OPENED, []).increment(1);
}

/// A session was closed.
pub fn session_closed(reason: &'static str) {
    counter(&SESSIONS_CLOSED, [reason.into()]).increment(1);
}

/// A proxy number was chosen, or not.
pub fn allocation(outcome: &'static str) {
    counter(&ALLOCATIONS, [outcome.into()]).increment(1);
}

/// How many entries of the outbox are in `state`.
pub fn outbox_entries(state: &'static str, entries: u32) {
    gauge(&OUTBOX_ENTRIES, [state.into()]).set(f64::from(entries));
}

/// How long the oldest due entry of the outbox has been due; zero where there is none.
pub fn outbox_oldest(age: Duration) {
    gauge(&OUTBOX_AGE, []).set(age.as_secs_f64());
}

/// An attempt to send an event ended after `took`.
pub fn delivery(outcome: &'static str, took: Duration) {
    counter(&DELIVERIES, [outcome.into()]).increment(1);
    histogram(&DELIVERY_DURATION, [outcome.into()]).record(took);
}

/// How many deliveries are owed, and how late the latest is.
pub fn deliveries_owed(owed: u32, late: Duration) {
    gauge(&DELIVERIES_OWED, []).set(f64::from(owed));
    gauge(&DELIVERIES_LATE, []).set(late.as_secs_f64());
}

/// A commit held `writes` writes and took `took`.
pub fn commit(writes: u32, took: Duration) {
    histogram(&DB_GROUP_SIZE, []).record(f64::from(writes));
    histogram(&DB_COMMIT, []).record(took);
}

/// What was ordered about a number ended.
pub fn number_order(carrier: &str, kind: &'static str, outcome: &'static str) {
    counter(&NUMBER_ORDERS, [text(carrier), kind.into(), outcome.into()]).increment(1);
}

/// Something stopped workers and was set aside.
pub fn set_aside(kind: &'static str) {
    counter(&SET_ASIDE, [kind.into()]).increment(1);
}

/// The disk below SQLite is full, or is not any more.
pub fn disk_full(full: bool) {
    gauge(&DISK_FULL, []).set(f64::from(u8::from(full)));
}

/// The signed heads of the audit log were written to their file.
pub fn audit_heads_exported(at: Timestamp) {
    gauge(&AUDIT_HEADS_EXPORTED, []).set(at.since(Timestamp::EPOCH).as_secs_f64());
}

/// The nightly job deleted rows of a class, and so old is the oldest that it left.
pub fn retention(class: &'static str, deleted: u64, oldest: Duration) {
    counter(&RETENTION_DELETED, [class.into()]).increment(deleted);
    gauge(&RETENTION_OLDEST, [class.into()]).set(oldest.as_secs_f64());
}

/// The nightly job last came to its end then.
pub fn retention_last_run(at: Timestamp) {
    gauge(&RETENTION_RUN, []).set(at.since(Timestamp::EPOCH).as_secs_f64());
}

#[cfg(test)]
mod tests;
