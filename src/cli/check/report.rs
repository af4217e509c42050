//! What was checked and how it went: for people a line each, for programs one object.

use serde::Serialize;

use crate::cli::{
    Failed,
    output::{self, Paint},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Warn,
    Fail,
}

#[derive(Debug, Serialize)]
struct Line {
    status: Status,
    check: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

/// Every check, in order.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Line>);

#[derive(Serialize)]
struct Summary<'a> {
    ok: bool,
    faults: usize,
    warnings: usize,
    checks: &'a [Line],
}

impl Report {
    pub(super) fn ok(&mut self, check: &str, message: impl Into<String>) {
        self.add(Status::Ok, check, message.into(), None);
    }

    pub(super) fn warn(&mut self, check: &str, message: impl Into<String>, fix: impl Into<String>) {
        self.add(Status::Warn, check, message.into(), Some(fix.into()));
    }

    pub(super) fn fail(&mut self, check: &str, message: impl Into<String>, fix: impl Into<String>) {
        self.add(Status::Fail, check, message.into(), Some(fix.into()));
    }

    fn add(&mut self, status: Status, check: &str, message: String, fix: Option<String>) {
        self.0.push(Line { status, check: check.to_owned(), message, fix });
    }

    fn count(&self, status: Status) -> usize {
        self.0.iter().filter(|line| line.status == status).count()
    }

    pub(super) fn print(&self, json: bool) {
        if json {
            let summary = Summary {
                ok: self.count(Status::Fail) == 0,
                faults: self.count(Status::Fail),
                warnings: self.count(Status::Warn),
                checks: &self.0,
            };
            // Texts and numbers always become JSON.
            output::line(&serde_json::to_string(&summary).unwrap_or_default());
            return;
        }
        let paint = Paint::new();
        for line in &self.0 {
            let status = match line.status {
                Status::Ok => paint.green("ok  "),
                Status::Warn => paint.yellow("warn"),
                Status::Fail => paint.red("fail"),
            };
            let fix = line.fix.as_ref().map(|fix| format!("  {} {fix}", paint.bold("Fix:")));
            let text =
                format!("{status}  {}: {}{}", line.check, line.message, fix.unwrap_or_default());
            output::line(&text);
        }
    }

    /// Failed if any check did.
    pub(super) fn verdict(&self) -> Result<(), Failed> {
        match self.count(Status::Fail) {
            0 => Ok(()),
            1 => Err(Failed("1 check failed".into())),
            many => Err(Failed(format!("{many} checks failed"))),
        }
    }
}
