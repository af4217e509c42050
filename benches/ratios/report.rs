//! The table that a run prints.

use std::io::{self, Write as _};

use crate::Result;

/// What a row must reach.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// Nothing: the row is there for comparison.
    None,
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) figure: String,
    pub(crate) reference: String,
    pub(crate) ratio: String,
    /// What is judged.
    pub(crate) judged: f64,
    pub(crate) goal: Goal,
    /// How the goal reads.
    pub(crate) goal_text: String,
}

impl Row {
    const fn met(&self) -> &'static str {
        let met = match self.goal {
            Goal::AtLeast(least) => self.judged >= least,
            Goal::AtMost(most) => self.judged <= most,
            Goal::None => return "–",
        };
        if met { "yes" } else { "no" }
    }
}

/// What was found out so far. Each row is told as soon as it is known.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    facts: Vec<String>,
}

/// Writes one line to standard output.
pub(crate) fn say(line: &str) -> Result<()> {
    writeln!(io::stdout(), "{line}")?;
    Ok(())
}

/// Tells how far the run is, on standard error.
pub(crate) fn step(line: &str) {
    // Nobody reads it: the run goes on.
    let _ = writeln!(io::stderr(), "… {line}");
}

impl Report {
    pub(crate) fn add(&mut self, row: Row) {
        step(&format!("{}: {} · {} · {}", row.name, row.figure, row.ratio, row.met()));
        self.rows.push(row);
    }

    /// Something to know beside the figures.
    pub(crate) fn fact(&mut self, fact: String) {
        self.facts.push(fact);
    }

    /// Prints the facts and the table, as Markdown.
    pub(crate) fn print(&self) -> Result<()> {
        say("")?;
        for fact in &self.facts {
            say(&format!("- {fact}"))?;
        }
        say("")?;
        say("| row | figure | reference | ratio | goal | met |")?;
        say("| --- | --- | --- | --- | --- | --- |")?;
        for row in &self.rows {
            let Row { name, figure, reference, ratio, goal_text, .. } = row;
            let met = row.met();
            say(&format!("| {name} | {figure} | {reference} | {ratio} | {goal_text} | {met} |"))?;
        }
        Ok(())
    }
}

/// A whole number as a float: everything that is counted here is far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(crate) const fn float(number: u64) -> f64 {
    number as f64
}

/// The middle one; zero of nothing.
pub(crate) fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or_default()
}

/// The `percent`-th percentile of sorted figures; zero of nothing.
pub(crate) fn percentile(sorted: &[u32], percent: usize) -> f64 {
    let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().map(f64::from).unwrap_or_default()
}
