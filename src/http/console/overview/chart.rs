//! A chart of stacked bars as the server draws it, and the same as rows of a table.

use askama::Template;

use super::{Window, figures::totals};
use crate::{
    domain::{staff::Language, time::Timestamp},
    http::console::{
        answer::Alone,
        when::When,
        words::{self, Chip, Sort},
    },
};

/// The height of the drawing, and how wide a bar and the way to the next one are: units of the picture, which is
/// stretched to its place.
const HEIGHT: i64 = 400;
const BAR: i64 = 8;
const STEP: i64 = 10;

/// Bars, each of pieces that stand on one another.
#[derive(Debug, Template)]
#[template(path = "console/overview_chart.html")]
pub(super) struct Chart {
    shell: Alone,
    legend: Vec<(Chip, i64)>,
    bars: Vec<Bar>,
    total: i64,
    /// What the upper edge means.
    top: i64,
    width: i64,
    height: i64,
    first: String,
    last: String,
}

#[derive(Debug, Clone)]
struct Bar {
    /// When it begins, and what it holds, in words.
    begin: String,
    title: String,
    counts: Vec<i64>,
    x: i64,
    pieces: Vec<Piece>,
}

/// A piece of a bar.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    class: &'static str,
    y: i64,
    height: i64,
}

/// The rows of the table that says the same.
#[derive(Debug, Template)]
#[template(path = "console/overview_rows.html")]
pub(super) struct Rows {
    bars: Vec<Bar>,
}

/// The least of 1, 2, 5, 10, 20, 50 … that is not below.
fn top_of(most: i64) -> i64 {
    let mut scale = 1_i64;
    loop {
        for step in [1, 2, 5] {
            let top = scale.saturating_mul(step);
            if top >= most {
                return top;
            }
        }
        scale = scale.saturating_mul(10);
    }
}

/// What stands on one another from the bottom, the first lowest. What is there is seen, however little it is.
fn pieces(sorts: &[Sort], counts: &[i64], top: i64) -> Vec<Piece> {
    let mut floor = HEIGHT;
    let there = sorts.iter().zip(counts).filter(|(_, count)| **count > 0);
    there
        .map(|((tone, _), count)| {
            let height = (count * HEIGHT / top.max(1)).max(3);
            floor = (floor - height).max(0);
            Piece { class: tone.class(), y: floor, height }
        })
        .collect()
}

impl Chart {
    pub(super) fn new(
        language: Language,
        (window, now): (Window, Timestamp),
        sorts: &'static [Sort],
        counts: &[Vec<i64>],
    ) -> Self {
        let most = counts.iter().map(|bar| bar.iter().sum()).max().unwrap_or(0);
        let top = top_of(most);
        let begin = |bar| label(language, window, window.begin(now, bar));
        let mut bars = Vec::with_capacity(counts.len());
        for (place, counts) in (0_i64..).zip(counts) {
            let begin = begin(bars.len());
            let there = sorts.iter().zip(counts).filter(|(_, count)| **count > 0);
            let said: Vec<String> = there
                .map(|((_, one), count)| format!("{count} {}", words::say(language, *one)))
                .collect();
            let said = if said.is_empty() { "0".to_owned() } else { said.join(", ") };
            bars.push(Bar {
                title: format!("{begin} · {said}"),
                begin,
                counts: counts.clone(),
                x: place * STEP + (STEP - BAR) / 2,
                pieces: pieces(sorts, counts, top),
            });
        }
        let totals = totals(counts, sorts.len());
        let legend = sorts.iter().zip(&totals).map(|((tone, one), total)| {
            (Chip { tone: *tone, word: words::say(language, *one) }, *total)
        });
        Self {
            shell: Alone { lang: language },
            legend: legend.collect(),
            total: totals.iter().sum(),
            top,
            width: STEP * i64::try_from(counts.len()).unwrap_or(1),
            height: HEIGHT,
            first: begin(0),
            last: begin(counts.len().saturating_sub(1)),
            bars,
        }
    }

    pub(super) fn rows(&self) -> Rows {
        Rows { bars: self.bars.clone() }
    }
}

/// When a bar begins, as short as its span allows.
fn label(language: Language, window: Window, at: Timestamp) -> String {
    let Some(When { day, clock, .. }) = When::new(language, at) else { return String::new() };
    let minute = clock.get(..5).unwrap_or_default();
    match window {
        Window::Hour => minute.to_owned(),
        Window::Day | Window::Week => format!("{day} {minute}"),
        Window::Month | Window::Quarter => day,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The upper edge is a round number that nothing is above.
    #[test]
    fn the_upper_edge_is_round() {
        for (most, top) in [(0, 1), (1, 1), (2, 2), (3, 5), (6, 10), (11, 20), (51, 100)] {
            assert_eq!(top_of(most), top);
        }
        assert!(top_of(999_999) >= 999_999);
    }

    /// Pieces stand on one another from the bottom, in order, and none is too low to be seen.
    #[test]
    fn pieces_stand_on_one_another() {
        let all = pieces(&words::CALLS, &[50, 0, 25, 0], 100);
        assert_eq!(
            all,
            [
                Piece { class: "good", y: 200, height: 200 },
                Piece { class: "bad", y: 100, height: 100 },
            ]
        );
        assert_eq!(pieces(&words::CALLS, &[1, 0, 0, 0], 1_000_000)[0].height, 3);
        assert!(pieces(&words::CALLS, &[0, 0, 0, 0], 1).is_empty());
    }
}
