//! What operators are given beside the binary: alert rules, a dashboard, the runbook and the page on
//! scaling name what there is.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use entremise::telemetry::metrics::{self, Kind};
use serde_json::Value;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

/// The names in `text` that begin with our prefix, as whole words.
fn named(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("entremise_"))
        .collect()
}

/// What Prometheus calls a metric's series: a histogram has three.
fn series() -> BTreeMap<String, &'static metrics::Metric> {
    let mut all = BTreeMap::new();
    for metric in metrics::ALL {
        if metric.kind == Kind::Histogram {
            for ending in ["_bucket", "_sum", "_count"] {
                all.insert(format!("{}{ending}", metric.name), metric);
            }
        } else {
            all.insert(metric.name.to_owned(), metric);
        }
    }
    all
}

/// What is wrong with an expression: series that there are not, labels that a series has not,
/// brackets that do not close.
fn faults(expr: &str) -> Vec<String> {
    let series = series();
    let mut faults = Vec::new();
    for name in named(expr) {
        if !series.contains_key(name) {
            faults.push(format!("no series {name}"));
        }
    }
    for (at, _) in expr.match_indices('{') {
        let name = expr[..at].rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
        let name = name.unwrap();
        let labels = expr[at + 1..].split_once('}').expect("an open brace").0;
        let Some(metric) = series.get(name) else {
            if name != "up" {
                faults.push(format!("labels of {name}, which is unknown"));
            }
            continue;
        };
        // A value may hold a comma: a label is a word before `=`, `!=` or `=~`.
        for part in labels.split("\",").filter(|part| !part.is_empty()) {
            let label = part.split(['=', '!', '~']).next().unwrap();
            if !metric.labels.contains(&label) && !["instance", "job", "le"].contains(&label) {
                faults.push(format!("{name} has no label {label}"));
            }
        }
    }
    for (open, close) in [('(', ')'), ('[', ']'), ('{', '}')] {
        if expr.matches(open).count() != expr.matches(close).count() {
            faults.push(format!("{open} and {close} do not pair"));
        }
    }
    faults
}

/// One alert of the rules.
#[derive(Debug, Default)]
struct Alert {
    name: String,
    expr: String,
    fields: BTreeMap<String, String>,
}

/// Reads the rules, in the part of YAML that they are written in: indented maps of plain, quoted and
/// folded scalars. Everything else is a fault, so that a slip in the file can't hide here.
fn alerts(text: &str) -> Vec<Alert> {
    let mut alerts: Vec<Alert> = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with('#') {
            continue;
        }
        assert!(!line.contains('\t'), "a tab: {line}");
        let indent = line.len() - line.trim_start().len();
        assert_eq!(indent % 2, 0, "odd indentation: {line}");
        let bare = bare.strip_prefix("- ").unwrap_or(bare);
        let (key, value) = bare.split_once(':').expect(line);
        assert!(key.bytes().all(|b| b.is_ascii_lowercase()), "a strange key: {line}");
        let mut value = value.trim().to_owned();
        if value == ">-" {
            value.clear();
            while let Some(more) = lines.next_if(|next| next.starts_with(&" ".repeat(indent + 1))) {
                value.push_str(more.trim());
                value.push(' ');
            }
            value.truncate(value.trim_end().len());
        } else if value.starts_with('"') {
            assert!(value.len() > 1 && value.ends_with('"'), "a quote stays open: {line}");
            let inner = value.trim_matches('"').len();
            value = value[1..=inner].into();
            assert!(!value.contains('"'), "a quote inside: {line}");
        } else {
            // What a plain scalar may not begin with or hold.
            assert!(!value.contains(": ") && !value.contains(" #"), "must be quoted: {line}");
            assert!(
                !value.starts_with(['{', '[', '&', '*', '!', '|', '>', '%', '@', '`']),
                "{line}"
            );
        }
        match (key, alerts.last_mut()) {
            ("groups" | "rules", _) => assert!(value.is_empty(), "{line}"),
            ("name", None) => assert_eq!(value, "entremise"),
            ("alert", _) => alerts.push(Alert { name: value, ..Alert::default() }),
            ("expr", Some(alert)) => alert.expr = value,
            (_, Some(alert)) => assert!(
                alert.fields.insert(key.to_owned(), value).is_none(),
                "{} has two of {key}",
                alert.name
            ),
            (key, None) => panic!("{key} outside of an alert"),
        }
    }
    alerts
}

/// The titles at that level below `## <heading>`, or below nothing.
fn sections<'a>(text: &'a str, heading: &str) -> BTreeSet<&'a str> {
    let all = text.split("\n## ").find(|part| part.starts_with(heading)).expect(heading);
    all.lines().filter_map(|line| line.strip_prefix("### ")).collect()
}

/// The rules are whole: each has an expression over series and labels that there are, a time to
/// last, a severity and words; fourteen of them, each once.
#[test]
fn alerts_are_over_what_there_is() {
    let alerts = alerts(&read("packaging/prometheus/alerts.yml"));
    let names: BTreeSet<&str> = alerts.iter().map(|alert| &*alert.name).collect();
    assert_eq!((alerts.len(), names.len()), (17, 17));
    for Alert { name, expr, fields } in &alerts {
        assert_eq!(faults(expr), Vec::<String>::new(), "{name}: {expr}");
        assert!(!named(expr).is_empty() || expr.starts_with("up{"), "{name} is over nothing");
        let keys: Vec<&str> = fields.keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            ["annotations", "for", "labels", "runbook", "severity", "summary"],
            "{name}"
        );
        assert_eq!(fields["severity"], "page");
        let lasts = fields["for"].trim_end_matches('m').parse::<u32>().unwrap();
        assert!((1..=15).contains(&lasts), "{name}");
        // Who reads it in the night finds the section.
        assert_eq!(fields["runbook"], format!("docs/runbook.md#{}", name.to_lowercase()));
    }
}

/// Every alert has a section in the runbook and every section an alert; each says what it means,
/// how to see it, what to do and when it is over, and names only metrics that there are.
#[test]
fn the_runbook_answers_every_page() {
    let runbook = read("docs/runbook.md");
    let rules = alerts(&read("packaging/prometheus/alerts.yml"));
    let names: BTreeSet<&str> = rules.iter().map(|alert| &*alert.name).collect();
    assert_eq!(sections(&runbook, "Pages"), names);
    let pages = runbook.split("\n## ").find(|part| part.starts_with("Pages")).unwrap();
    for section in pages.split("\n### ").skip(1) {
        for part in ["**Means**:", "**See**:", "**Do**", "**Over when**"] {
            assert!(
                section.contains(part),
                "{part} is missing: {}",
                section.lines().next().unwrap()
            );
        }
    }
    let known: BTreeSet<&str> = metrics::ALL.iter().map(|metric| metric.name).collect();
    for page in ["docs/runbook.md", "docs/scaling.md", "docs/install.md", "docs/cli.md"] {
        let text = read(page);
        let unknown: Vec<&str> =
            named(&text).into_iter().filter(|name| !known.contains(name)).collect();
        assert!(unknown.is_empty(), "{page} names {unknown:?}");
    }
}

/// Links within the runbook lead to a heading of it.
#[test]
fn the_runbook_leads_somewhere() {
    for page in ["docs/runbook.md", "docs/scaling.md"] {
        let text = read(page);
        let target =
            |link: &str| link.split_once('#').map(|(file, at)| (file.to_owned(), at.to_owned()));
        for (at, _) in text.match_indices("](") {
            let link = text[at + 2..].split(')').next().unwrap();
            let Some((file, heading)) = target(link) else { continue };
            let text = if file.is_empty() { text.clone() } else { read(&format!("docs/{file}")) };
            let slugs: BTreeSet<String> = text
                .lines()
                .filter(|line| line.starts_with('#'))
                .map(|line| {
                    let title = line.trim_start_matches('#').trim().to_lowercase();
                    let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
                    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
                })
                .collect();
            assert!(slugs.contains(&heading), "{page}: nothing is at {link}");
        }
    }
}

/// The dashboard is JSON that Grafana takes: every panel has a title, a unit, a place of its own and
/// the data source that was chosen; every expression is over series and labels that there are; and
/// every metric is on it.
#[test]
fn the_dashboard_shows_what_there_is() {
    let dashboard: Value = serde_json::from_str(&read("packaging/grafana/entremise.json")).unwrap();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let named_variables: Vec<&str> =
        variables.iter().map(|v| v["name"].as_str().unwrap()).collect();
    assert_eq!(named_variables, ["datasource", "instance"]);
    assert_eq!(variables[0]["type"], "datasource");
    let panels = dashboard["panels"].as_array().unwrap();
    let (mut ids, mut titles, mut places) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut shown = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(!title.is_empty() && titles.insert(title), "twice: {title}");
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: its id is taken");
        let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(places.insert((place("x"), place("y"))), "{title} lies on another");
        assert!(place("x") + place("w") <= 24, "{title} is too wide");
        if panel["type"] == "row" {
            continue;
        }
        let unit = panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap();
        assert!(["short", "s", "reqps", "cps"].contains(&unit), "{title}: {unit}");
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{title} is empty");
        for source in targets.iter().chain([panel]) {
            assert_eq!(source["datasource"]["uid"], "${datasource}", "{title}");
        }
        for target in targets {
            let expr = target["expr"].as_str().unwrap();
            assert_eq!(faults(expr), Vec::<String>::new(), "{title}: {expr}");
            shown.extend(named(expr).into_iter().map(str::to_owned));
        }
    }
    let series = series();
    let shown: BTreeSet<&str> = shown.iter().map(|name| series[name].name).collect();
    let missing: Vec<&str> =
        metrics::ALL.iter().map(|m| m.name).filter(|name| !shown.contains(name)).collect();
    assert!(missing.is_empty(), "not on the dashboard: {missing:?}");
}

/// The check of expressions sees what it is there for.
#[test]
fn slips_are_seen() {
    assert!(faults("sum(rate(entremise_messages_total{outcome=~\"a|b\"}[5m]))").is_empty());
    for slip in [
        "rate(entremise_message_total[5m])",
        "rate(entremise_relay_latency_seconds[5m])",
        "rate(entremise_messages_total{result=\"failed\"}[5m])",
        "sum(rate(entremise_messages_total[5m])",
    ] {
        assert!(!faults(slip).is_empty(), "{slip}");
    }
}

/// `docs/scaling.md` says of every table how it would be distributed, and what it says is so: the key
/// of a table that is distributed on the account begins with the account.
#[test]
fn every_table_has_its_place() {
    let page = read("docs/scaling.md");
    let told: BTreeMap<&str, &str> = page
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
            let table = cells.next()?.trim_end_matches('`');
            Some((table, cells.next()?.trim_matches('`')))
        })
        .collect();
    let mut sql = String::new();
    let mut files: Vec<_> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for file in files {
        sql.push_str(&fs::read_to_string(file).unwrap());
    }
    let mut tables = BTreeSet::new();
    for definition in sql.split("CREATE TABLE ").skip(1) {
        let (made_as, rest) = definition.split_once(" (").unwrap();
        // One that takes another's place; what only makes room for another is dropped.
        let renamed = sql.split_once(&format!("ALTER TABLE {made_as} RENAME TO "));
        let name = renamed
            .map(|(_, name)| name.split(';').next().unwrap())
            .filter(|name| !sql.contains(&format!("DROP TABLE {name};")))
            .unwrap_or(made_as);
        let body = rest.split("\n);").next().unwrap();
        tables.insert(name);
        let Some(on) = told.get(name) else { panic!("docs/scaling.md does not tell of {name}") };
        let key = body.lines().map(str::trim).find_map(|line| {
            let listed =
                line.strip_prefix("PRIMARY KEY (").and_then(|keys| keys.split([',', ')']).next());
            let column = line.contains(" PRIMARY KEY").then(|| line.split(' ').next()).flatten();
            listed.or(column)
        });
        match *on {
            "reference" => {}
            "event" => assert!(body.contains("PRIMARY KEY (carrier, kind, event)"), "{name}"),
            column => assert_eq!(key, Some(column), "{name}"),
        }
    }
    // A unique index of a distributed table begins with the account, or the page says what it needs.
    for index in sql.split("CREATE UNIQUE INDEX ").skip(1) {
        let (name, rest) = index.split_once(" ON ").unwrap();
        let (table, columns) = rest.split_once(" (").unwrap();
        let alone = told[table] == "account" && !columns.starts_with("account");
        assert!(!alone || page.contains(&format!("**`{name}`**")), "{name} needs a word");
    }
    let gone: Vec<_> = told.keys().filter(|table| !tables.contains(*table)).collect();
    assert!(gone.is_empty(), "docs/scaling.md tells of {gone:?}");
}
