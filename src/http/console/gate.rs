//! Who is logged in, and which account they look at.

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::{
    App,
    answer::{Answer, No, Other, Shell},
    door,
    filters::Query,
};
use crate::{
    ids::AccountId,
    store::{
        accounts::{self, Account},
        staff::Staff,
    },
};

/// Somebody who is logged in.
#[derive(Debug)]
pub(super) struct Visitor(pub(super) Staff);

impl FromRequestParts<App> for Visitor {
    type Rejection = Other;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Answer<Self> {
        let out = || Other::To("/console/login".to_owned());
        let browser = door::browser(&parts.headers, app.secure).ok_or_else(out)?;
        app.relay.staff_by_browser(browser).await?.map(Self).ok_or_else(out)
    }
}

/// Somebody who is logged in and looks at an account that they may see.
#[derive(Debug)]
pub(super) struct Inside {
    staff: Staff,
    pub(super) account: Account,
}

impl Inside {
    /// The account's id.
    pub(super) fn id(&self) -> &AccountId {
        &self.account.id
    }

    /// What surrounds their pages.
    pub(super) fn shell(&self, here: &'static str) -> Shell {
        Shell::new(&self.staff, &self.account, here)
    }
}

impl FromRequestParts<App> for Inside {
    type Rejection = Other;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Answer<Self> {
        let Visitor(staff) = Visitor::from_request_parts(parts, app).await?;
        let asked = Query::of(parts);
        let asked = match asked.get("account") {
            Some(text) => Some(AccountId::parse(text).map_err(|_| No::NOTHING_HERE)?),
            None => None,
        };
        let id = match (&staff.account, asked) {
            (Some(own), None) => own.clone(),
            (Some(own), Some(asked)) if *own == asked => asked,
            (Some(_), Some(_)) => return Err(No::NOTHING_HERE.into()),
            (None, Some(asked)) => asked,
            // Whoever may see all accounts chooses one first.
            (None, None) => {
                let query = form_urlencoded::Serializer::new(String::new())
                    .append_pair("next", parts.uri.path())
                    .finish();
                return Err(Other::To(format!("/console/accounts?{query}")));
            }
        };
        let mut tx = app.relay.db().read().await?;
        let account = accounts::get(&mut tx, &id).await?.ok_or(No::NOTHING_HERE)?;
        Ok(Self { staff, account })
    }
}
