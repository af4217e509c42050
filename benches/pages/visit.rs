//! A browser of somebody who may do everything: asks for pages one after the other, and notes how long each took.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use entremise::{
    domain::time::Timestamp,
    ids::{AccountId, BrowserId},
    relay::Invite,
    store::staff::browsers,
};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet};

use crate::{
    Result,
    bulk::{run, texts},
    pattern::Pattern,
    world::{Live, Raw, World},
};

/// Somebody with a cookie, and what the addresses are filled in with.
pub(crate) struct Visitor {
    account: AccountId,
    cookie: String,
    places: Vec<(&'static str, String)>,
}

/// How long a page took.
#[derive(Debug)]
pub(crate) struct Timed {
    pub(crate) address: &'static str,
    /// The first time, with nothing of it in any cache of ours.
    pub(crate) first: Duration,
    pub(crate) p50: Duration,
    pub(crate) p95: Duration,
    pub(crate) bytes: usize,
}

impl Visitor {
    /// Logs somebody in, and looks for what pages are about.
    pub(crate) async fn enter(world: &World, live: &Live, pattern: &Pattern) -> Result<Self> {
        let link = live.relay.create_staff(Invite::admin("Grace Keen")).await?;
        let cookie = live.relay.redeem_link(&link, "").await?.ok_or("the link opens nothing")?;
        let visitor = live.relay.visitor(&cookie).await?.ok_or("the browser is unknown")?;
        let now = entremise::clock::Clock::system().now();
        // It lasts as long as we measure.
        let proved = now + Duration::from_hours(2);
        let proving = live.relay.act(
            (visitor.browser.id.clone(), proved),
            |tx, (id, at): (BrowserId, Timestamp)| {
                Box::pin(async move {
                    let proof = entremise::domain::staff::Proof::Passkey;
                    Ok(browsers::proved(tx, &id, proof, at).await?)
                })
            },
        );
        proving.await?;
        let yesterday = now.millis() - 86_400_000;
        let mut raw = world.raw().await?;
        let account = &world.account;
        let ready = |id: &str, list: &str| {
            format!(
                "INSERT INTO exports (account, id, staff, list, format, filters, state, last_row, done, total, chunks, \
                 tries, fence, lease_until, created_at, ended_at, expires_at) VALUES ('{account}', '{id}', '{}', \
                 '{list}', 'csv', '{{}}', 'ready', NULL, 12000, 12000, 0, 0, 1, 0, {now}, {now}, {})",
                visitor.staff.id,
                now.millis() + 86_400_000,
                now = now.millis(),
            )
        };
        let exports = [format!("EX{:032x}", 1), format!("EX{:032x}", 2)];
        run(&mut raw, ready(&exports[0], "sessions")).await?;
        run(&mut raw, ready(&exports[1], "audit")).await?;
        let places = places(&mut raw, world, pattern).await?;
        raw.close().await?;
        let [export, audit_export] = exports;
        let own = [
            ("{staff}", visitor.staff.id.to_string()),
            ("{export}", export),
            ("{audit_export}", audit_export),
            ("{day}", jiff::Timestamp::from_millisecond(yesterday)?.strftime("%F").to_string()),
        ];
        let places = places.into_iter().chain(own).collect();
        Ok(Self { account: account.clone(), cookie, places })
    }

    /// Asks for a page so often.
    pub(crate) async fn time(
        &self,
        server: SocketAddr,
        address: &'static str,
        turns: usize,
    ) -> Result<Timed> {
        let mut path = address.to_owned();
        for (place, value) in &self.places {
            path = path.replace(place, value);
        }
        if path.contains('{') {
            return Err(format!("nothing is known for {path}").into());
        }
        let before = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{before}account={}", self.account);
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with this set, which is dropped once the page is timed.
        let mut driving = JoinSet::new();
        driving.spawn(async move {
            let _ = connection.await;
        });
        let (first, bytes) = self.ask(&mut sender, &path).await?;
        let mut took = Vec::with_capacity(turns);
        for _ in 0..turns {
            took.push(self.ask(&mut sender, &path).await?.0);
        }
        took.sort_unstable();
        let at = |percent: usize| {
            let place = (took.len() * percent).div_ceil(100).saturating_sub(1);
            took.get(place).copied().unwrap_or_default()
        };
        Ok(Timed { address, first, p50: at(50), p95: at(95), bytes })
    }

    /// How long one answer took, and how long it is.
    async fn ask(
        &self,
        sender: &mut SendRequest<Empty<Bytes>>,
        path: &str,
    ) -> Result<(Duration, usize)> {
        let request = Request::get(path)
            .header(header::HOST, "localhost")
            .header(header::COOKIE, format!("entremise={}", self.cookie))
            .header(header::ACCEPT_LANGUAGE, "en")
            .body(Empty::new())?;
        // Until the last answer is read whole there is no next request.
        sender.ready().await?;
        let began = Instant::now();
        let response = sender.send_request(request).await;
        let response = response.map_err(|error| format!("{path}: {error}"))?;
        let status = response.status();
        let to = response.headers().get(header::LOCATION).cloned();
        let body = response.into_body().collect().await?.to_bytes();
        if status != StatusCode::OK {
            return Err(format!("{path} answers {status} {to:?}").into());
        }
        Ok((began.elapsed(), body.len()))
    }
}

/// What stands for each word in braces, but for what is of the visitor.
async fn places(
    raw: &mut Raw,
    world: &World,
    pattern: &Pattern,
) -> Result<Vec<(&'static str, String)>> {
    let (account, session) = (&world.account, &pattern.session);
    let mut middle = async |table: &str| -> Result<String> {
        let own = format!("FROM {table} WHERE account = '{account}'");
        let count = texts(raw, format!("SELECT CAST(COUNT(*) / 2 AS TEXT) {own}")).await?.concat();
        let sql = format!("SELECT id {own} ORDER BY id LIMIT 1 OFFSET {count}");
        Ok(texts(raw, sql).await?.pop().ok_or_else(|| format!("{table} is empty"))?)
    };
    let other = middle("sessions").await?;
    let finding = pattern.contacts[0].id.to_string();
    Ok(vec![
        ("{session}", session.to_string()),
        ("{person}", pattern.buyer.id.to_string()),
        ("{number}", pattern.buyer.number_id.to_string()),
        ("{service}", world.service.to_string()),
        ("{endpoint}", pattern.endpoint.clone()),
        ("{opt_out}", pattern.opt_out.to_string()),
        ("{erasure}", pattern.erasure.to_string()),
        ("{report}", pattern.report.to_string()),
        ("{finding}", finding),
        ("{key}", pattern.key.to_string()),
        ("{middle_request}", middle("api_requests").await?),
        ("{colleague}", format!("ST{:012x}{:020x}", 1, 7)),
        ("{middle_contact}", middle("interactions").await?),
        ("{middle_event}", middle("events").await?),
        ("{other_session}", other.clone()),
        ("{middle_session}", other),
    ])
}
