//! What an address asks for. A filter that can't be understood is left out, and the page says so.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::{
    answer::Answer,
    when,
    words::{self, Pair},
};
use crate::{
    domain::{staff::Language, time::Timestamp},
    ids::{AccountId, NumberId},
    store::{
        Tx,
        reach::{self, List},
        sessions::Page,
    },
};

/// How many rows of a list a page looks through for those that filters leave which no index knows.
pub(super) const LOOKED_THROUGH: i64 = 5_000;

/// The parameters of an address.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Those of a request.
    pub(super) fn of(parts: &Parts) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// The value of a parameter without the space around it; nothing if that is empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.trim());
        value.filter(|value| !value.is_empty())
    }

    /// Whether the parameter is there at all.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(other, _)| other == name)
    }
}

impl From<Vec<(String, String)>> for Query {
    fn from(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }
}

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

/// What a filter for a place in a list is called, and must be.
pub(super) const PLACE: [Pair; 2] =
    [["Page", "Page"], ["where another page ended", "l’endroit où s’arrête une autre page"]];
/// The same for a service.
pub(super) const SERVICE: [Pair; 2] =
    [["Service", "Service"], ["a service of this account", "un service de ce compte"]];

/// The filters of a list as they were understood.
#[derive(Debug)]
pub(super) struct Filters {
    language: Language,
    query: Query,
    kept: Vec<(&'static str, String)>,
    /// What was left out and why.
    pub(super) notes: Vec<String>,
}

impl Filters {
    pub(super) fn new(language: Language, query: Query) -> Self {
        Self { language, query, kept: Vec::new(), notes: Vec::new() }
    }

    /// Reads a filter. Its label and what it must be complete "“State” was left out: it must be …",
    /// and "« État » n’a pas été pris en compte : il faut …".
    pub(super) fn take<T>(
        &mut self,
        name: &'static str,
        [label, allowed]: [Pair; 2],
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.query.get(name)?;
        let value = parse(text);
        if value.is_some() {
            self.kept.push((name, text.to_owned()));
        } else {
            let (label, allowed) =
                (words::say(self.language, label), words::say(self.language, allowed));
            self.notes.push(match self.language {
                Language::English => format!("“{label}” was left out: it must be {allowed}."),
                Language::French => {
                    format!("« {label} » n’a pas été pris en compte : il faut {allowed}.")
                }
            });
        }
        value
    }

    /// What went wrong with a form that led here, in a word.
    pub(super) fn fault(&self) -> Option<&str> {
        self.query.get("fault")
    }

    /// Reads the role.
    pub(super) fn role(&mut self) -> Option<String> {
        const ALLOWED: Pair = [
            "at most 64 characters, none of control",
            "au plus 64 caractères, sans caractère de contrôle",
        ];
        self.take("role", [["Role", "Rôle"], ALLOWED], |text| {
            (text.chars().count() <= 64 && !text.chars().any(char::is_control))
                .then(|| text.to_owned())
        })
    }

    /// Reads the first and the last day: from when, and before when.
    pub(super) fn days(&mut self) -> (Option<Timestamp>, Option<Timestamp>) {
        const DAY: std::time::Duration = std::time::Duration::from_hours(24);
        const ALLOWED: Pair = ["a day such as 2026-11-21", "un jour tel que 2026-11-21"];
        let from = self.take("from", [["From", "Du"], ALLOWED], when::day);
        let to = self.take("to", [["To", "Au"], ALLOWED], when::day);
        (from, to.map(|day| day + DAY))
    }

    /// Where a look at a list ends that some filter narrows which no index knows, and whether it does: rows of `from`
    /// on are left then, and the look goes on before it.
    pub(super) async fn reach(
        tx: &mut Tx,
        account: &AccountId,
        (list, number): (List, Option<&NumberId>),
        (page, from, before): (&Page, &mut Option<Timestamp>, Option<Timestamp>),
    ) -> Answer<Option<Timestamp>> {
        let end = match number {
            // A number has its own sessions in order.
            Some(number) => {
                reach::end_of_number(tx, account, number, (page, before), LOOKED_THROUGH).await?
            }
            None => reach::end(tx, account, list, (page, before), LOOKED_THROUGH).await?,
        };
        let end = end.filter(|at| from.is_none_or(|from| from < *at));
        *from = end.or(*from);
        Ok(end)
    }

    /// What a filter was understood as; empty for none.
    pub(super) fn value(&self, name: &str) -> &str {
        self.kept.iter().find(|(other, _)| *other == name).map_or("", |(_, value)| value)
    }

    /// Whether any filter holds, where the page is walked or not.
    pub(super) fn any(&self) -> bool {
        self.kept.iter().any(|(name, _)| *name != "before")
    }

    /// The parameters of the next page: the same filters, from `before` on.
    pub(super) fn next<'a>(&'a self, before: &'a str) -> Vec<(&'a str, &'a str)> {
        let kept = self.kept.iter().filter(|(name, _)| *name != "before");
        kept.map(|(name, value)| (*name, value.as_str())).chain([("before", before)]).collect()
    }

    /// The parameters of the first page: the same filters.
    pub(super) fn first(&self) -> Vec<(&str, &str)> {
        let kept = self.kept.iter().filter(|(name, _)| *name != "before");
        kept.map(|(name, value)| (*name, value.as_str())).collect()
    }
}

/// A choice of a closed set in a form.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) label: String,
}

impl Choice {
    pub(super) fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self { value: value.into(), label: label.into() }
    }
}
