//! The figures of the last hour while somebody watches, as server-sent events.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Extension,
    extract::State,
    response::{
        IntoResponse as _, Response,
        sse::{Event, Sse},
    },
};
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Part, Window, parts};
use crate::{
    domain::staff::{Language, Permission},
    http::{
        console::{
            App,
            answer::{Answer, No},
            door,
            gate::{self, Inside},
        },
        server::Stopping,
    },
    ids::{AccountId, StaffId},
};

/// How often what changed is sent.
const EVERY: Duration = Duration::from_secs(5);
/// When a browser asks again that lost the connection.
const AGAIN: Duration = Duration::from_secs(10);
/// How many pages of one person are served at once, and of all together.
const EACH_MAX: usize = 4;
const ALL_MAX: usize = 32;

/// How long figures serve all who watch the same account in the same language.
const SHARED: Duration = Duration::from_millis(2_500);

/// The parts of a page as they were counted, and when that was.
type Counted = (Instant, Arc<Vec<Part>>);

/// Who watches, with how many pages, and what was counted for them last.
#[derive(Debug, Default)]
pub(in crate::http::console) struct Watchers {
    pages: Mutex<HashMap<StaffId, usize>>,
    counted: tokio::sync::Mutex<HashMap<(AccountId, Language), Counted>>,
}

/// One page's place.
#[derive(Debug)]
struct Place {
    watchers: Arc<Watchers>,
    who: StaffId,
}

impl Watchers {
    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<StaffId, usize>> {
        // A panic can't leave a count half changed.
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The figures of now, or of a moment ago: however many watch, they are counted one after the other and once for
    /// all who see the same.
    async fn figures(
        &self,
        app: &App,
        account: &AccountId,
        language: Language,
    ) -> Answer<Arc<Vec<Part>>> {
        let mut counted = self.counted.lock().await;
        counted.retain(|_, (at, _)| at.elapsed() < SHARED);
        let key = (account.clone(), language);
        if let Some((_, parts)) = counted.get(&key) {
            return Ok(Arc::clone(parts));
        }
        let new = Arc::new(parts(app, account, language, Window::Hour).await?);
        counted.insert(key, (Instant::now(), Arc::clone(&new)));
        Ok(new)
    }

    /// A place for one more page of somebody; nothing where there is none left.
    fn enter(self: &Arc<Self>, who: &StaffId) -> Option<Place> {
        let mut all = self.all();
        let own = all.get(who).copied().unwrap_or(0);
        if own >= EACH_MAX || all.values().sum::<usize>() >= ALL_MAX {
            return None;
        }
        all.insert(who.clone(), own + 1);
        Some(Place { watchers: Arc::clone(self), who: who.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.watchers.all();
        match all.get_mut(&self.who) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(all.remove(&self.who)),
        }
    }
}

/// A page that is watched.
struct Watch {
    app: App,
    cookie: String,
    account: AccountId,
    language: Language,
    stop: CancellationToken,
    /// What was sent of each part; nothing at first.
    sent: Option<Arc<Vec<Part>>>,
    _place: Place,
}

impl Watch {
    /// The next event, and what watches on; nothing once the server stops.
    async fn next(mut self) -> Option<(Event, Option<Self>)> {
        let before = self.sent.take();
        if before.is_some() {
            self.stop.run_until_cancelled(tokio::time::sleep(EVERY)).await?;
        }
        // Nobody is seen by watching: a tab that was forgotten ends with its login.
        // Where the database does not answer the browser asks again.
        if !gate::still(&self.app, &self.cookie, &self.account, Permission::View).await.ok()? {
            return Some((Event::default().event("over").data("{}"), None));
        }
        let watchers = Arc::clone(&self.app.watchers);
        let new = watchers.figures(&self.app, &self.account, self.language).await.ok()?;
        let changed =
            new.iter().filter(|part| !before.as_ref().is_some_and(|sent| sent.contains(part)));
        let changed: serde_json::Map<String, serde_json::Value> =
            changed.map(|part| (part.name.to_owned(), part.html.clone().into())).collect();
        self.sent = Some(Arc::clone(&new));
        let mut event = Event::default().event("figures");
        if before.is_none() {
            event = event.retry(AGAIN);
        }
        Some((event.data(serde_json::Value::from(changed).to_string()), Some(self)))
    }
}

/// What changed in the last hour's figures, every five seconds, until the login ends or the server stops.
pub(super) async fn live(
    State(app): State<App>,
    inside: Inside,
    headers: HeaderMap,
    stopping: Option<Extension<Stopping>>,
) -> Answer {
    let cookie = door::browser(&headers, app.secure).ok_or(No::NOTHING_HERE)?.to_owned();
    let place = app.watchers.enter(&inside.person.visitor.staff.id).ok_or(No::CROWDED)?;
    let stop = stopping.map_or_else(CancellationToken::new, |Extension(Stopping(stop))| stop);
    let watch = Watch {
        cookie,
        account: inside.id().clone(),
        language: inside.person.language,
        stop,
        sent: None,
        _place: place,
        app,
    };
    let events = stream::unfold(Some(watch), async |watch| {
        let (event, watch) = watch?.next().await?;
        Some((Ok::<_, Infallible>(event), watch))
    });
    Ok(unheld(Sse::new(events).into_response()))
}

/// Asks proxies to pass each event on at once.
fn unheld(mut response: Response) -> Response {
    let name = HeaderName::from_static("x-accel-buffering");
    response.headers_mut().insert(name, HeaderValue::from_static("no"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::time::Timestamp, ids::Ids};

    /// One person has few places and all together have a bounded number; a place that is left is free again.
    #[test]
    fn places_are_bounded() {
        let watchers = Arc::new(Watchers::default());
        let ids = Ids::default();
        let somebody = || ids.make::<StaffId>(Timestamp::from_millis(0));
        let one = somebody();
        let mut places: Vec<Place> = (0..EACH_MAX).map(|_| watchers.enter(&one).unwrap()).collect();
        assert!(watchers.enter(&one).is_none());
        places.pop();
        places.push(watchers.enter(&one).unwrap());
        while places.len() < ALL_MAX {
            places.push(watchers.enter(&somebody()).unwrap());
        }
        assert!(watchers.enter(&somebody()).is_none());
        drop(places);
        assert!(watchers.all().is_empty());
    }
}
