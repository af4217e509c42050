//! How the console answers: pages, ways elsewhere, and refusals that are pages too.

use std::fmt;

use askama::Template;
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::{HeaderValue, StatusCode, header};

use crate::{
    relay,
    store::{self, accounts::Account, staff::Staff},
};

/// What a handler gives back instead of its page.
#[derive(Debug)]
pub(super) enum Other {
    /// A refusal.
    No(No),
    /// A way elsewhere (303).
    To(String),
}

/// A page, or something else.
pub(super) type Answer<T = Response> = Result<T, Other>;

/// A refusal, as a page. Its words never repeat what was asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct No {
    status: StatusCode,
    title: &'static str,
    words: &'static str,
}

impl No {
    pub(super) const NOTHING_HERE: Self = Self {
        status: StatusCode::NOT_FOUND,
        title: "There is nothing here",
        words: "It does not exist, or it is of an account that you may not see.",
    };
    pub(super) const METHOD: Self = Self {
        status: StatusCode::METHOD_NOT_ALLOWED,
        title: "That can't be done here",
        words: "This address does not take that method.",
    };
    pub(super) const ELSEWHERE: Self = Self {
        status: StatusCode::FORBIDDEN,
        title: "That came from another site",
        words: "Only this console's own pages may send its forms. Open the console and try again.",
    };
    pub(super) const TOO_LONG: Self = Self {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        title: "That was too long",
        words: "This form takes one short line.",
    };
    const UNAVAILABLE: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        title: "The database does not answer",
        words: "Nothing is lost. Please try again in a moment.",
    };
    const FAILED: Self = Self {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        title: "Something went wrong on our side",
        words: "It is in the log, for the operator.",
    };
}

#[derive(Template)]
#[template(path = "console/no.html")]
struct NoPage {
    title: &'static str,
    words: &'static str,
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        let page = NoPage { title: self.title, words: self.words };
        let mut response = match page.render() {
            Ok(page) => Html(page).into_response(),
            Err(_) => self.title.into_response(),
        };
        *response.status_mut() = self.status;
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl IntoResponse for Other {
    fn into_response(self) -> Response {
        match self {
            Self::No(no) => no.into_response(),
            Self::To(path) => Redirect::to(&path).into_response(),
        }
    }
}

impl From<No> for Other {
    fn from(no: No) -> Self {
        Self::No(no)
    }
}

fn failed(cause: &dyn fmt::Display) -> Other {
    tracing::error!(%cause, "a page of the console could not be made");
    Other::No(No::FAILED)
}

impl From<store::Error> for Other {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Unavailable(_) | store::Error::Locked => {
                tracing::warn!(%error, "the console got no answer from the database");
                Self::No(No::UNAVAILABLE)
            }
            other => failed(&other),
        }
    }
}

impl From<relay::Error> for Other {
    fn from(error: relay::Error) -> Self {
        match error {
            relay::Error::Store(error) => error.into(),
            other => failed(&other),
        }
    }
}

/// Writes a page.
pub(super) fn page(template: &impl Template) -> Answer {
    match template.render() {
        Ok(text) => Ok(Html(text).into_response()),
        Err(error) => Err(failed(&error)),
    }
}

/// What surrounds every page of somebody who is logged in.
#[derive(Debug)]
pub(super) struct Shell {
    /// Who they are.
    pub(super) staff: String,
    /// The account that they look at.
    pub(super) account: Option<String>,
    /// Whether they may look at others.
    pub(super) may_switch: bool,
    /// Which part of the console it is.
    pub(super) here: &'static str,
    /// The account's id, where addresses must say it.
    said: Option<String>,
}

impl Shell {
    /// Around pages about an account.
    pub(super) fn new(staff: &Staff, account: &Account, here: &'static str) -> Self {
        let may_switch = staff.account.is_none();
        Self {
            staff: staff.name.clone(),
            account: Some(account.name.clone()),
            may_switch,
            here,
            said: may_switch.then(|| account.id.to_string()),
        }
    }

    /// Around pages about no account.
    pub(super) fn outside(staff: &Staff) -> Self {
        let may_switch = staff.account.is_none();
        Self { staff: staff.name.clone(), account: None, may_switch, here: "", said: None }
    }

    /// The value of the hidden field that keeps the account in a form; empty for none.
    pub(super) fn said(&self) -> &str {
        self.said.as_deref().unwrap_or_default()
    }

    /// An address in the console that keeps the account.
    pub(super) fn link(&self, path: &str) -> String {
        self.link_with(path, &[])
    }

    /// The same with parameters.
    pub(super) fn link_with(&self, path: &str, pairs: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(account) = &self.said {
            query.append_pair("account", account);
        }
        for (name, value) in pairs {
            query.append_pair(name, value);
        }
        let query = query.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}
