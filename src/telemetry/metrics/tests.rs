//! What is exported is what is described.

use std::collections::BTreeSet;

use super::*;

fn record_everything() {
    let second = Duration::from_secs(1);
    HttpMeter::new("public", "/x", "GET", "2xx").record(second);
    connections("public", 1.0);
    refused_connection("public", "total");
    panicked("public");
    webhook("main", "message", "accepted");
    carrier_request("main", "send", "sent", second);
    egress_request("answered");
    looked_up("main", "found");
    resent("main");
    carrier_state("main", 2);
    carrier_turned("main", "open");
    budget_used("main", 80);
    budget_unsummed("main");
    abuse("rate_limited");
    gap_filled("main", "message", "relayed");
    reconciled("main", "call", "complete");
    message("delivered");
    call("completed");
    out_of_session("announce");
    pin("asked");
    pin_lock("number");
    out_of_session_asked("answered");
    intercept_asked("passed");
    media("kept");
    media_bytes(1);
    people_moved("moved", 1);
    voicemail("kept");
    recording("kept");
    content("redacted");
    verification("sms", "sent");
    relayed("main", second);
    session_opened();
    session_closed("expired");
    allocation("ring");
    outbox_entries("due", 1);
    outbox_oldest(second);
    delivery("delivered", second);
    deliveries_owed(1, second);
    commit(3, second);
    disk_full(true);
    audit_heads_exported(Timestamp::from_millis(1_800_000_000_000));
    set_aside("message");
    retention("log", 1, second);
    retention_last_run(Timestamp::from_millis(1_800_000_000_000));
    number_order("main", "buy", "done");
    api_log_dropped(1);
}

/// Every metric of the table is recorded by a function, with the table's labels and help,
/// and nothing else is.
#[test]
fn the_table_is_what_is_recorded() {
    let recorder = builder().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        describe();
        record_everything();
    });
    let rendered = handle.render();
    let mut found = BTreeSet::new();
    for line in rendered.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        let metric = ALL.iter().find(|metric| metric.name == name).expect(name);
        let expected = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        assert_eq!(kind, expected, "{name}");
        assert!(rendered.contains(&format!("# HELP {name} ")), "{name}");
        let sample = rendered.lines().find(|line| line.starts_with(name)).unwrap();
        let labels: BTreeSet<&str> = sample
            .split_once('{')
            .map_or("", |(_, labels)| labels)
            .split(',')
            .filter_map(|label| label.split_once("=\"").map(|(name, _)| name))
            .filter(|name| *name != "le")
            .collect();
        assert_eq!(labels, metric.labels.iter().copied().collect(), "{name}: {sample}");
        found.insert(name.to_owned());
    }
    let all: BTreeSet<String> = ALL.iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(found, all);
}

/// `docs/metrics.md` has exactly the table's rows.
#[test]
fn the_docs_are_the_table() {
    use std::fmt::Write as _;

    let mut rows = String::new();
    for metric in ALL {
        let labels: Vec<String> = metric.labels.iter().map(|l| format!("`{l}`")).collect();
        let kind = format!("{:?}", metric.kind).to_lowercase();
        let Metric { name, help, .. } = metric;
        writeln!(rows, "| `{name}` | {kind} | {} | {help} |", labels.join(", ")).unwrap();
    }
    let docs: String = include_str!("../../../docs/metrics.md")
        .lines()
        .filter(|line| line.starts_with("| `"))
        .fold(String::new(), |docs, line| docs + line + "\n");
    assert!(docs == rows, "docs/metrics.md should have these rows:\n{rows}");
}

/// Names keep Prometheus's rules: our prefix, the base unit, `_total` on counters.
#[test]
fn names_keep_the_rules() {
    for metric in ALL {
        assert!(metric.name.starts_with("entremise_"), "{}", metric.name);
        let total = metric.name.ends_with("_total");
        assert_eq!(total, metric.kind == Kind::Counter, "{}", metric.name);
        let seconds = metric.name.ends_with("_seconds");
        assert_eq!(seconds, metric.unit == Unit::Seconds, "{}", metric.name);
    }
}
