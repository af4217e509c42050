//! What is made of the counts: sums by bar, rates and lengths.

use std::time::Duration;

use askama::Template;

use super::OPEN_MAX;
use crate::{
    domain::{
        interaction::{Kind, Outcome},
        staff::Language,
    },
    http::console::{
        answer::{Alone, Answer},
        when, words,
    },
    store::hours::{Span, Traffic, WITHIN},
};

/// Which of [`words::CALLS`] a call is, and of [`words::TEXTS`] a text.
pub(super) fn sort(traffic: &Traffic) -> Answer<(Kind, usize)> {
    let (kind, outcome) = (traffic.kind()?, traffic.outcome()?);
    let place = match kind {
        Kind::Call => match outcome {
            Some(Outcome::Connected | Outcome::Relayed) => 0,
            Some(Outcome::Missed | Outcome::Busy | Outcome::Cancelled) => 1,
            Some(Outcome::Failed | Outcome::Refused | Outcome::Unknown) => 2,
            None => 3,
        },
        Kind::Message => match (outcome, traffic.delivered()) {
            (Some(Outcome::Relayed | Outcome::Connected), Some(true)) => 0,
            (Some(Outcome::Relayed | Outcome::Connected), None) => 1,
            (Some(Outcome::Relayed | Outcome::Connected), Some(false)) => 2,
            (Some(_), _) => 3,
            (None, _) => 4,
        },
    };
    Ok((kind, place))
}

/// The counts of a span.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Figures {
    /// Calls of each bar, by [`words::CALLS`],
    pub(super) calls: Vec<Vec<i64>>,
    /// and texts by [`words::TEXTS`].
    pub(super) texts: Vec<Vec<i64>>,
    /// Texts that a carrier took, by [`WITHIN`].
    bands: [i64; WITHIN.len()],
    /// How long was talked, in milliseconds.
    talked: i64,
}

impl Figures {
    pub(super) fn of(spans: &[Span], bars: usize) -> Answer<Self> {
        let mut calls = vec![vec![0; words::CALLS.len()]; bars];
        let mut texts = vec![vec![0; words::TEXTS.len()]; bars];
        let (mut bands, mut talked) = ([0; WITHIN.len()], 0);
        for Span { place, traffic } in spans {
            // The database's clock and the one that dates rows may be a little apart.
            let bar = usize::try_from(*place).unwrap_or(0).min(bars.saturating_sub(1));
            let (kind, sort) = sort(traffic)?;
            let chart = if kind == Kind::Call { &mut calls } else { &mut texts };
            if let Some(count) = chart.get_mut(bar).and_then(|bar| bar.get_mut(sort)) {
                *count += traffic.tally;
            }
            if let Some(band) = WITHIN.iter().position(|most| *most == traffic.within) {
                bands[band] += traffic.tally;
            }
            talked += traffic.talked;
        }
        Ok(Self { calls, texts, bands, talked })
    }
}

/// How many of each sort there are in all bars.
pub(super) fn totals(bars: &[Vec<i64>], sorts: usize) -> Vec<i64> {
    let total = |sort: usize| bars.iter().filter_map(|bar| bar.get(sort)).sum();
    (0..sorts).map(total).collect()
}

/// The least of [`WITHIN`] that holds so many of a hundred; `None` where there is nothing.
fn percentile(bands: &[i64], percent: i64) -> Option<i64> {
    let total: i64 = bands.iter().sum();
    let mut below = 0;
    WITHIN.iter().zip(bands).find_map(|(within, count)| {
        below += count;
        (total > 0 && below * 100 >= total * percent).then_some(*within)
    })
}

/// A length of [`WITHIN`] in seconds: `≤ 0.25 s`.
fn within(language: Language, most: i64) -> String {
    let point = language.say(".", ",");
    match most {
        i64::MAX => "> 600 s".to_owned(),
        _ if most % 1000 == 0 => format!("≤ {} s", most / 1000),
        _ => format!("≤ 0{point}{} s", format!("{most:03}").trim_end_matches('0')),
    }
}

/// The figures at the top.
#[derive(Debug, Template)]
#[template(path = "console/overview_tiles.html")]
pub(super) struct Tiles {
    shell: Alone,
    calls: i64,
    talked: Option<String>,
    texts: i64,
    /// Of a hundred calls that were put through.
    answered: Option<i64>,
    /// Within what half of the texts were taken, and 95 of a hundred.
    latency: Option<(String, String)>,
    open: i64,
    /// Whether there are more open sessions than were counted.
    more: bool,
}

impl Tiles {
    pub(super) fn new(language: Language, figures: &Figures, open: i64) -> Self {
        let calls = totals(&figures.calls, words::CALLS.len());
        let (answered, unanswered) = (calls[0], calls[1]);
        let through = answered + unanswered;
        let talked = u64::try_from(figures.talked).unwrap_or(0);
        let latency =
            |percent| percentile(&figures.bands, percent).map(|most| within(language, most));
        Self {
            shell: Alone { lang: language },
            calls: calls.iter().sum(),
            talked: (talked > 0).then(|| when::length(language, Duration::from_millis(talked))),
            texts: totals(&figures.texts, words::TEXTS.len()).iter().sum(),
            answered: (through > 0).then(|| (answered * 100 + through / 2) / through),
            latency: latency(50).zip(latency(95)),
            open: open.min(OPEN_MAX),
            more: open > OPEN_MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half and nineteen of twenty are within the least length that holds them; nothing is within none.
    #[test]
    fn percentiles_are_the_least_that_hold_them() {
        let mut bands = [0; WITHIN.len()];
        assert_eq!(percentile(&bands, 50), None);
        bands[0] = 10;
        bands[2] = 9;
        bands[8] = 1;
        assert_eq!(percentile(&bands, 50), Some(250));
        assert_eq!(percentile(&bands, 51), Some(1000));
        assert_eq!(percentile(&bands, 95), Some(1000));
        assert_eq!(percentile(&bands, 96), Some(i64::MAX));
    }

    /// Lengths are written in seconds, in the reader's way.
    #[test]
    fn lengths_are_seconds() {
        let texts = WITHIN.map(|most| within(Language::French, most));
        let wanted = [
            "≤ 0,25 s",
            "≤ 0,5 s",
            "≤ 1 s",
            "≤ 2 s",
            "≤ 5 s",
            "≤ 15 s",
            "≤ 60 s",
            "≤ 600 s",
            "> 600 s",
        ];
        assert_eq!(texts, wanted.map(str::to_owned));
        assert_eq!(within(Language::English, 250), "≤ 0.25 s");
    }
}
