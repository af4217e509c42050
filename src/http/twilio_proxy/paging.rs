//! Lists: pages as Twilio's SDKs walk them, by absolute addresses.

use axum::{extract::FromRequestParts, response::Response};
use http::request::Parts;
use serde_json::{Value, json};

use super::{Proxy, error::Refusal, shown};
use crate::store::sessions::Page;

/// How many things a page has where nothing else is asked.
const SIZE: i64 = 50;
/// How many at most, whatever is asked.
const SIZE_MAX: i64 = 100;

/// A page that was asked for.
#[derive(Debug)]
pub(super) struct Asked {
    path: String,
    number: u32,
    size: i64,
    token: Token,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// At the newest.
    Start,
    /// After the last of the page before.
    After(String),
    /// Before the first of the page after.
    Before(String),
}

impl Token {
    fn read(text: &str) -> Option<Self> {
        let (kind, id) = text.split_at_checked(2)?;
        let whole = id.len() == 34 && id.bytes().all(|b| b.is_ascii_alphanumeric());
        match kind {
            "PA" if whole => Some(Self::After(id.to_owned())),
            "PB" if whole => Some(Self::Before(id.to_owned())),
            _ => None,
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Self::read(parts.uri.path(), parts.uri.query().unwrap_or_default())
    }
}

impl Asked {
    fn read(path: &str, query: &str) -> Result<Self, Refusal> {
        let mut asked = Self { path: path.to_owned(), number: 0, size: SIZE, token: Token::Start };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "PageSize" => {
                    let size = value.parse::<i64>().ok().filter(|size| *size > 0);
                    let allowed = "must be a whole number above 0";
                    let size = size.ok_or_else(|| Refusal::parameter("PageSize", allowed))?;
                    asked.size = size.min(SIZE_MAX);
                }
                "Page" => {
                    let allowed = "must be a whole number, 0 or above";
                    let number = value.parse().map_err(|_| Refusal::parameter("Page", allowed))?;
                    asked.number = number;
                }
                "PageToken" if !value.is_empty() => {
                    let allowed = "must be taken from the address of a page";
                    let token = Token::read(&value);
                    asked.token = token.ok_or_else(|| Refusal::parameter("PageToken", allowed))?;
                }
                _ => {}
            }
        }
        // Without a token only the first page can be found.
        if asked.token == Token::Start {
            asked.number = 0;
        }
        Ok(asked)
    }

    /// The page for the store: one more than fits, to see whether there is another.
    pub(super) fn page(&self) -> Page {
        let (before, after) = match &self.token {
            Token::Start => (None, None),
            // Newest first: what comes after a page is older.
            Token::After(id) => (Some(id.clone()), None),
            Token::Before(id) => (None, Some(id.clone())),
        };
        Page { before, after, limit: self.size + 1 }
    }

    /// The page out of a whole list, newest first.
    pub(super) fn cut<T>(&self, all: Vec<T>, id: impl Fn(&T) -> &str) -> Vec<T> {
        let page = self.page();
        let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let mut left: Vec<T> = all
            .into_iter()
            .filter(|one| page.before.as_deref().is_none_or(|before| id(one) < before))
            .filter(|one| page.after.as_deref().is_none_or(|after| id(one) > after))
            .collect();
        if page.after.is_some() && left.len() > limit {
            left.drain(..left.len() - limit);
        }
        left.truncate(limit);
        left
    }

    /// What of the rows that were found is on the page, and whether there are pages on either side.
    pub(super) fn fit<T>(&self, mut found: Vec<T>) -> Fitted<T> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let more = found.len() > size;
        let backwards = matches!(self.token, Token::Before(_));
        if backwards && more {
            found.remove(0);
        }
        found.truncate(size);
        Fitted {
            rows: found,
            next: more || backwards,
            previous: if backwards { more } else { self.number > 0 },
        }
    }

    /// Answers with a page; each row has its SID and what is shown of it.
    pub(super) fn answer(
        &self,
        proxy: &Proxy,
        key: &str,
        page: &Fitted<(String, Value)>,
    ) -> Response {
        let url = |number: u32, token: &str| {
            let Self { path, size, .. } = self;
            let base = &proxy.0.public_url;
            format!("{base}{path}?PageSize={size}&Page={number}{token}")
        };
        let own = match &self.token {
            Token::Start => String::new(),
            Token::After(id) => format!("&PageToken=PA{id}"),
            Token::Before(id) => format!("&PageToken=PB{id}"),
        };
        let next = page
            .rows
            .last()
            .filter(|_| page.next)
            .map(|(id, _)| url(self.number.saturating_add(1), &format!("&PageToken=PA{id}")));
        let previous = page
            .rows
            .first()
            .filter(|_| page.previous)
            .map(|(id, _)| url(self.number.saturating_sub(1), &format!("&PageToken=PB{id}")));
        let rows: Vec<&Value> = page.rows.iter().map(|(_, row)| row).collect();
        shown(&json!({
            key: rows,
            "meta": {
                "page": self.number,
                "page_size": self.size,
                "key": key,
                "first_page_url": url(0, ""),
                "previous_page_url": previous,
                "next_page_url": next,
                "url": url(self.number, &own),
            },
        }))
    }
}

/// What is on a page.
#[derive(Debug)]
pub(super) struct Fitted<T> {
    pub(super) rows: Vec<T>,
    next: bool,
    previous: bool,
}

impl<T> Fitted<T> {
    /// The same page of something else.
    pub(super) fn map<U>(self, each: impl FnMut(T) -> U) -> Fitted<U> {
        let Self { rows, next, previous } = self;
        Fitted { rows: rows.into_iter().map(each).collect(), next, previous }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> Vec<String> {
        (0..7).rev().map(|n| format!("KC{n:032x}")).collect()
    }

    fn walk(query: &str) -> (Vec<String>, bool, bool) {
        let asked = Asked::read("/v1/Services", query).unwrap();
        let fitted = asked.fit(asked.cut(ids(), String::as_str));
        (fitted.rows, fitted.previous, fitted.next)
    }

    /// Forwards and back again through the same pages.
    #[test]
    fn pages_are_walked_both_ways() {
        let all = ids();
        let (first, previous, next) = walk("PageSize=3");
        assert_eq!((&first[..], previous, next), (&all[..3], false, true));
        let (second, previous, next) = walk(&format!("PageSize=3&Page=1&PageToken=PA{}", all[2]));
        assert_eq!((&second[..], previous, next), (&all[3..6], true, true));
        let (third, previous, next) = walk(&format!("PageSize=3&Page=2&PageToken=PA{}", all[5]));
        assert_eq!((&third[..], previous, next), (&all[6..], true, false));
        let (back, previous, next) = walk(&format!("PageSize=3&Page=1&PageToken=PB{}", all[6]));
        assert_eq!((&back[..], previous, next), (&all[3..6], true, true));
        let (back, previous, next) = walk(&format!("PageSize=3&Page=0&PageToken=PB{}", all[3]));
        assert_eq!((&back[..], previous, next), (&all[..3], false, true));
    }

    /// A size above the most is the most; nonsense is refused.
    #[test]
    fn nonsense_is_refused() {
        assert_eq!(Asked::read("/", "PageSize=1000").unwrap().size, SIZE_MAX);
        for query in ["PageSize=0", "PageSize=x", "Page=-1", "PageToken=PA", "PageToken=PAé"] {
            assert!(Asked::read("/", query).is_err(), "{query}");
        }
    }
}
