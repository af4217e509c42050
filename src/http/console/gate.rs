//! Who may come in where: each route says what it takes, and asks here first.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::MethodRouter,
};
use http::{StatusCode, request::Parts};

use super::{
    App,
    answer::{Answer, No, Other, Shell},
    door::{self, Tongue},
    filters::Query,
};
use crate::{
    domain::{
        audit::{Actor, ActorKind, By, Reason},
        staff::{Language, Permission},
    },
    ids::AccountId,
    relay::{Must, Relay, Visitor},
    store::accounts::{self, Account},
};

/// Somebody who is logged in. What they must do first is done.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) visitor: Arc<Visitor>,
    pub(super) language: Language,
}

impl Member {
    /// What surrounds pages about no account.
    pub(super) fn shell(&self, here: &'static str) -> Shell {
        Shell::outside(&self.visitor, self.language, here)
    }

    /// Use cases in their name.
    pub(super) fn relay(&self, app: &App) -> Relay {
        self.relay_since(app, None)
    }

    /// The same, with why they do it.
    pub(super) fn relay_since(&self, app: &App, reason: Option<Reason>) -> Relay {
        let actor = Actor::new(ActorKind::Staff, self.visitor.staff.id.as_str());
        app.relay.by(By { actor, reason })
    }

    /// That they proved lately who they are; else the way to do so, and then on to `next`.
    pub(super) fn fresh(&self, next: &str) -> Answer<()> {
        if self.visitor.fresh {
            return Ok(());
        }
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
        Err(Other::To(format!("/console/prove?{query}")))
    }
}

/// Somebody who is logged in and looks at an account that they may see.
#[derive(Debug, Clone)]
pub(super) struct Inside {
    pub(super) person: Member,
    pub(super) account: Arc<Account>,
}

impl Inside {
    /// The account's id.
    pub(super) fn id(&self) -> &AccountId {
        &self.account.id
    }

    /// What surrounds their pages.
    pub(super) fn shell(&self, here: &'static str) -> Shell {
        Shell::new(&self.person.visitor, &self.account, self.person.language, here)
    }

    /// Whether they may do that here.
    pub(super) fn may(&self, what: Permission) -> bool {
        self.person.visitor.may(self.id(), what)
    }
}

/// Whether somebody asks, or a page that they left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    Somebody,
    Page,
}

/// Who is logged in with that request, whatever they must do first.
async fn visitor(app: &App, parts: &Parts, asks: Asks) -> Answer<Member> {
    let Tongue(language) = Tongue::of(&parts.headers);
    let out = || {
        let here = parts.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str);
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("next", here).finish();
        let back = parts.method == http::Method::GET && here != "/console" && here != "/console/";
        Other::To(if back {
            format!("/console/login?{query}")
        } else {
            "/console/login".to_owned()
        })
    };
    let cookie = door::browser(&parts.headers, app.secure).ok_or_else(out)?;
    let visitor = match asks {
        Asks::Somebody => app.relay.visitor(cookie).await?,
        Asks::Page => app.relay.glance(cookie).await?,
    };
    let visitor = visitor.ok_or_else(out)?;
    Ok(Member { visitor: Arc::new(visitor), language })
}

/// That what they must do first is done.
fn settled(person: &Member) -> Answer<()> {
    match person.visitor.must {
        None => Ok(()),
        Some(Must::ChangePassword) => Err(Other::To("/console/me/password".to_owned())),
        Some(Must::AddSecond) => Err(Other::To("/console/me/app".to_owned())),
    }
}

/// Which account a request is about, and that its sender may do `what` there.
async fn inside(app: &App, parts: &Parts, what: Permission, asks: Asks) -> Answer<Inside> {
    let person = visitor(app, parts, asks).await?;
    settled(&person)?;
    let asked = Query::of(parts);
    let asked = match asked.get("account") {
        Some(text) => Some(AccountId::parse(text).map_err(|_| No::NOTHING_HERE)?),
        None => None,
    };
    let id = match (person.visitor.staff.only_account(), asked) {
        (_, Some(asked)) => asked,
        (Some(own), None) => own.clone(),
        // Whoever may see several accounts chooses one first.
        (None, None) => {
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("next", parts.uri.path())
                .finish();
            return Err(Other::To(format!("/console/accounts?{query}")));
        }
    };
    if person.visitor.staff.rights(&id).is_none() {
        return Err(No::NOTHING_HERE.into());
    }
    let mut tx = app.relay.db().read().await?;
    let account = accounts::get(&mut tx, &id).await?.ok_or(No::NOTHING_HERE)?;
    drop(tx);
    let inside = Inside { person, account: Arc::new(account) };
    if inside.may(what) { Ok(inside) } else { Err(No::NOT_YOURS.into()) }
}

/// Whether somebody for whom a page asks is still logged in, and may still do `what` in that account.
pub(super) async fn still(
    app: &App,
    cookie: &str,
    account: &AccountId,
    what: Permission,
) -> Answer<bool> {
    let visitor = app.relay.glance(cookie).await?;
    Ok(visitor.is_some_and(|visitor| visitor.must.is_none() && visitor.may(account, what)))
}

/// A route for whoever may do `what` in the account that it is about.
pub(super) fn within(app: &App, what: Permission, route: MethodRouter<App>) -> MethodRouter<App> {
    gated(app, what, Asks::Somebody, route)
}

/// The same for what pages ask for by themselves, which keeps nobody logged in.
pub(super) fn beside(app: &App, what: Permission, route: MethodRouter<App>) -> MethodRouter<App> {
    gated(app, what, Asks::Page, route)
}

fn gated(app: &App, what: Permission, asks: Asks, route: MethodRouter<App>) -> MethodRouter<App> {
    async fn gate(
        State((app, what, asks)): State<(App, Permission, Asks)>,
        request: Request,
        next: Next,
    ) -> Response {
        let (mut parts, body) = request.into_parts();
        match inside(&app, &parts, what, asks).await {
            Ok(inside) => {
                parts.extensions.insert(inside);
                next.run(Request::from_parts(parts, body)).await
            }
            Err(other) => other.into_response(),
        }
    }
    route.layer(from_fn_with_state((app.clone(), what, asks), gate))
}

/// A route for whoever may do `what` in the installation as a whole; for all who are logged in without.
pub(super) fn at_large(
    app: &App,
    what: Option<Permission>,
    route: MethodRouter<App>,
) -> MethodRouter<App> {
    async fn gate(
        State((app, what)): State<(App, Option<Permission>)>,
        request: Request,
        next: Next,
    ) -> Response {
        let (mut parts, body) = request.into_parts();
        let checked = async {
            let person = visitor(&app, &parts, Asks::Somebody).await?;
            // Their own page is where what they must do is done, and some of it asks who they are.
            let theirs = ["/console/me", "/console/prove"];
            let theirs = theirs.iter().any(|path| parts.uri.path().starts_with(path));
            if what.is_some() || !theirs {
                settled(&person)?;
            }
            match what {
                Some(what) if !person.visitor.may_everywhere(what) => Err(No::NOT_YOURS.into()),
                _ => Ok(person),
            }
        };
        match checked.await {
            Ok::<Member, Other>(person) => {
                parts.extensions.insert(person);
                next.run(Request::from_parts(parts, body)).await
            }
            Err(other) => other.into_response(),
        }
    }
    route.layer(from_fn_with_state((app.clone(), what), gate))
}

/// Lets nothing in that changes something and comes from elsewhere.
pub(super) async fn own_forms(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    if parts.method.is_safe() || door::own_page(&parts) {
        return next.run(Request::from_parts(parts, body)).await;
    }
    No::ELSEWHERE.into_response()
}

/// Writes refusals in the reader's language.
pub(super) async fn refusals(request: Request, next: Next) -> Response {
    let Tongue(language) = Tongue::of(request.headers());
    let response = next.run(request).await;
    match response.extensions().get::<No>() {
        Some(no) if response.status() != StatusCode::NOT_MODIFIED => no.page(language),
        _ => response,
    }
}

impl<S: Sync> FromRequestParts<S> for Member {
    type Rejection = Other;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        // A route without a gate opens nothing.
        parts.extensions.get::<Self>().cloned().ok_or(Other::No(No::NOTHING_HERE))
    }
}

impl<S: Sync> FromRequestParts<S> for Inside {
    type Rejection = Other;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        parts.extensions.get::<Self>().cloned().ok_or(Other::No(No::NOTHING_HERE))
    }
}
