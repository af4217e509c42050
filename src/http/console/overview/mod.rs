//! How an account does: what was relayed, what failed, how full its pools are and how carriers do.

mod carriers;
mod chart;
mod failures;
mod figures;
mod live;
mod pools;

use askama::{Template, filters::HtmlSafe};
use axum::{Router, extract::State, routing::get};

pub(super) use self::live::Watchers;
use self::{
    chart::Chart,
    figures::{Figures, Tiles},
};
use super::{
    App,
    answer::{self, Answer, Shell},
    filters::{Filters, Query},
    gate::{self, Inside},
    when::When,
    words::{self, Pair},
};
use crate::{
    domain::{
        staff::{Language, Permission as P},
        time::Timestamp,
    },
    ids::AccountId,
    store::{
        Tx,
        hours::{self, Span},
    },
};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
/// How many calls and texts of the last hour are counted, the newest.
const RECENT_MAX: i64 = 10_000;
/// How many open sessions are counted.
const OPEN_MAX: i64 = 100_000;

pub(super) fn routes(app: &App) -> Router<App> {
    Router::new()
        .route("/console/overview", gate::within(app, P::View, get(page)))
        .route("/console/overview/live", gate::beside(app, P::View, get(live::live)))
}

/// How far back the page looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Window {
    Hour,
    Day,
    Week,
    Month,
    Quarter,
}

impl Window {
    const ALL: [Self; 5] = [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Quarter];

    /// As addresses say it.
    const fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
            Self::Quarter => "90d",
        }
    }

    const fn words(self) -> Pair {
        match self {
            Self::Hour => ["Last hour", "Dernière heure"],
            Self::Day => ["24 hours", "24 heures"],
            Self::Week => ["7 days", "7 jours"],
            Self::Month => ["30 days", "30 jours"],
            Self::Quarter => ["90 days", "90 jours"],
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == text)
    }

    /// How many bars it has, and how long each is, in milliseconds.
    const fn bars(self) -> (usize, i64) {
        match self {
            Self::Hour => (12, 5 * MINUTE_MS),
            Self::Day => (24, HOUR_MS),
            Self::Week => (28, 6 * HOUR_MS),
            Self::Month => (30, 24 * HOUR_MS),
            Self::Quarter => (90, 24 * HOUR_MS),
        }
    }

    /// When the bar begins that is so many after the first: the last one is under way at `now`, and each begins at a
    /// whole multiple of its length.
    fn begin(self, now: Timestamp, bar: usize) -> Timestamp {
        let (count, each) = self.bars();
        let back = i64::try_from(count.saturating_sub(bar + 1)).unwrap_or_default();
        Timestamp::from_millis((now.millis().div_euclid(each) - back) * each)
    }

    /// What began in it, bar by bar.
    async fn read(self, tx: &mut Tx, account: &AccountId, now: Timestamp) -> Answer<Vec<Span>> {
        let (_, each) = self.bars();
        let begin = self.begin(now, 0);
        if self == Self::Hour {
            return Ok(hours::recent(tx, account, begin, each, RECENT_MAX).await?);
        }
        let span = (hours::hour_of(begin), hours::hour_of(now) + 1);
        Ok(hours::series(tx, account, span, each / HOUR_MS).await?)
    }
}

/// A part of the page that changes while somebody watches: its name and what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    name: &'static str,
    html: String,
}

/// Everything that is counted, as the page shows it: also by itself, for whoever watches.
async fn parts(
    app: &App,
    account: &AccountId,
    language: Language,
    window: Window,
) -> Answer<Vec<Part>> {
    let mut tx = app.relay.db().read().await?;
    let now = tx.now().await?;
    let spans = window.read(&mut tx, account, now).await?;
    let open = hours::open_sessions(&mut tx, account, OPEN_MAX + 1).await?;
    drop(tx);
    let figures = Figures::of(&spans, window.bars().0)?;
    let at = When::new(language, now);
    let mut parts = vec![
        part("at", &At { at })?,
        part("tiles", &Tiles::new(language, &figures, open))?,
        part("failures", &failures::table(language, &spans)?)?,
        part("carriers", &carriers::table(app, language))?,
    ];
    for (name, rows, sorts, counts) in [
        ("calls", "calls-rows", &words::CALLS[..], &figures.calls),
        ("texts", "texts-rows", &words::TEXTS[..], &figures.texts),
    ] {
        let chart = Chart::new(language, (window, now), sorts, counts);
        parts.push(part(rows, &chart.rows())?);
        parts.push(part(name, &chart)?);
    }
    Ok(parts)
}

fn part(name: &'static str, template: &impl Template) -> Answer<Part> {
    let html = template.render().map_err(|error| answer::failed(&error))?;
    Ok(Part { name, html })
}

#[derive(Template)]
#[template(source = "{% if let Some(at) = at %}{{ at }}{% endif %}", ext = "html")]
struct At {
    at: Option<When>,
}

#[derive(Template)]
#[template(path = "console/overview.html")]
struct OverviewPage {
    shell: Shell,
    filters: Filters,
    spans: Vec<Way>,
    parts: Vec<Part>,
    /// How the two charts divide what they show.
    calls: Vec<&'static str>,
    texts: Vec<&'static str>,
    classes: Vec<pools::Class>,
    fullness: Vec<pools::Full>,
    /// Whether there is more than is listed.
    cut: bool,
    pools: String,
    /// Where the figures come from while somebody watches; nothing where they are counted by the hour.
    live: Option<String>,
    here: String,
}

/// A way to another span.
struct Way {
    link: String,
    label: &'static str,
    here: bool,
}

/// What stands in a part of the page: written and escaped by its own template.
struct Made<'a>(&'a str);

impl std::fmt::Display for Made<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl HtmlSafe for Made<'_> {}

impl OverviewPage {
    fn part(&self, name: &str) -> Made<'_> {
        Made(self.parts.iter().find(|part| part.name == name).map_or("", |part| &part.html))
    }
}

async fn page(State(app): State<App>, inside: Inside, query: Query) -> Answer {
    const SPAN: [Pair; 2] =
        [["Span", "Période"], ["1h, 24h, 7d, 30d or 90d", "1h, 24h, 7d, 30d ou 90d"]];
    let shell = inside.shell("overview");
    let lang = shell.lang;
    let mut filters = Filters::new(lang, query);
    let window = filters.take("span", SPAN, Window::parse).unwrap_or(Window::Hour);
    let parts = parts(&app, inside.id(), lang, window).await?;
    let pools::Pools { classes, fullness, cut } = pools::read(&app, inside.id(), &shell).await?;
    let link = |one: Window| shell.link_with("/console/overview", &[("span", one.name())]);
    let spans = Window::ALL.map(|one| Way {
        link: link(one),
        label: words::say(lang, one.words()),
        here: one == window,
    });
    let said =
        |sorts: &[words::Sort]| sorts.iter().map(|(_, one)| words::say(lang, *one)).collect();
    answer::page(&OverviewPage {
        spans: spans.into(),
        parts,
        calls: said(&words::CALLS),
        texts: said(&words::TEXTS),
        classes,
        fullness,
        cut,
        pools: shell.link("/console/pools"),
        live: (window == Window::Hour).then(|| shell.link("/console/overview/live")),
        here: link(window),
        filters,
        shell,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each span's bars begin at whole multiples of their length, one after the other, and now is in the last one.
    #[test]
    fn bars_begin_at_whole_multiples() {
        let now = Timestamp::from_millis(1_795_292_727_042);
        for window in Window::ALL {
            let (count, each) = window.bars();
            let begins: Vec<i64> = (0..count).map(|bar| window.begin(now, bar).millis()).collect();
            assert!(begins.iter().all(|begin| begin % each == 0), "{window:?}");
            assert!(begins.windows(2).all(|two| two[1] - two[0] == each), "{window:?}");
            let last = begins.last().unwrap();
            assert!((*last..last + each).contains(&now.millis()), "{window:?}");
        }
    }

    /// An address says a span by its name.
    #[test]
    fn spans_are_read_by_name() {
        for window in Window::ALL {
            assert_eq!(Window::parse(window.name()), Some(window));
        }
        assert_eq!(Window::parse("1y"), None);
    }
}
