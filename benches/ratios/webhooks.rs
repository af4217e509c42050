//! What carriers tell: calls, texts and forgeries against bare hyper, and how long a text takes.

use std::time::{Duration, Instant};

use bytes::Bytes;
use entremise::{carrier::signature, clock::Clock, ids::hex};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::{
    Result, Scale,
    carrier::Carrier,
    child::Server,
    fill::Pattern,
    load::{self, Comparison, Drive, Magazine, Shot, Target},
    opening,
    report::{Goal, Report, Row, float, percentile, step},
    world::{Engine, SECRET, World, chance},
};

const CALLS: &str = "/hooks/sandbox/call";
const TEXTS: &str = "/hooks/sandbox/message";
/// What one request costs masked-communications-app, which logs nothing, in microseconds.
const PEER_CPU: f64 = 280.0;
/// Below this share of foreign work the rates are trusted; above it, the processor time.
const QUIET: f64 = 0.06;

/// Somebody with an open session, and the number that they dial.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) from: String,
    pub(crate) to: String,
}

/// Signs an event as the sandbox network would.
pub(crate) fn shot(address: &str, path: &'static str, event: &Value) -> Result<Shot> {
    let body = event.to_string();
    let at = Clock::system().now().millis();
    let signed = format!("{at}.http://{address}{path}.{body}");
    let tag = signature::sign_sha256(SECRET.as_bytes(), signed.as_bytes());
    let signature = HeaderValue::from_str(&format!("t={at},v1={}", hex(&tag)))?;
    Ok(Shot { path, body: Bytes::from(body), signature })
}

/// A new call from somebody who may be anybody.
pub(crate) fn call(address: &str, id: &str, line: &Line) -> Result<Shot> {
    let event = json!({ "event": "call", "id": id, "from": line.from, "to": line.to });
    shot(address, CALLS, &event)
}

fn text(address: &str, id: &str, line: &Line, words: &str) -> Result<Shot> {
    let event = json!({
        "event": "message", "id": id, "from": line.from, "to": line.to, "text": words,
    });
    shot(address, TEXTS, &event)
}

fn some(lines: &[Line]) -> Result<&Line> {
    let place = usize::try_from(chance(u32::try_from(lines.len())?))?;
    lines.get(place).ok_or_else(|| "nobody has a session".into())
}

/// New calls or texts of people with sessions, each with an id of its own.
fn magazine(
    server: &Server,
    lines: &[Line],
    texts: bool,
    label: &str,
    many: u32,
) -> Result<Magazine> {
    let address = server.address.to_string();
    let shots = (0..many).map(|place| {
        let (id, line) = (format!("{label}{place}"), some(lines)?);
        if texts {
            text(&address, &id, line, "Is the bicycle still there? I could come at six.")
        } else {
            call(&address, &id, line)
        }
    });
    let expect = if texts { StatusCode::NO_CONTENT } else { StatusCode::OK };
    Ok(Magazine::once(shots.collect::<Result<_>>()?, expect))
}

fn against_hyper(name: String, seen: &Comparison, least: f64) -> Row {
    let quiet = seen.foreign < QUIET || seen.cpu_ratio <= 0.0;
    Row {
        name,
        figure: format!(
            "{:.0}/s, {:.0} µs CPU, p50 {:.1} ms, p99 {:.1} ms",
            seen.rate, seen.cpu, seen.p50, seen.p99
        ),
        reference: format!("hyper {:.0}/s, {:.1} µs", seen.reference, seen.reference_cpu),
        ratio: format!(
            "{:.3} rps, {:.3} CPU (others {:.0} %)",
            seen.rate_ratio,
            seen.cpu_ratio,
            seen.foreign * 100.0
        ),
        judged: if quiet { seen.rate_ratio } else { seen.cpu_ratio },
        goal: Goal::AtLeast(least),
        goal_text: format!("≥ {least} of {}", if quiet { "rps" } else { "CPU" }),
    }
}

/// What the rows of webhooks share.
pub(crate) struct Bench<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) world: &'a World,
    pub(crate) raw: &'a World,
    pub(crate) raw_pattern: &'a Pattern,
    pub(crate) bare: &'a Target,
    pub(crate) scale: Scale,
    pub(crate) lines: &'a [Line],
}

impl Bench<'_> {
    fn drive(&self) -> Drive {
        Drive { connections: self.scale.connections, time: self.scale.window, every: None }
    }

    fn name(&self, what: &str) -> String {
        format!("{what}, {}", self.engine.name())
    }

    /// All rows of webhooks on one engine.
    pub(crate) async fn run(&self, report: &mut Report) -> Result<()> {
        let mut carrier = Carrier::start().await?;
        let api = carrier.address.to_string();
        let server = Server::start(&["serve-app", &self.world.url, &self.world.key, &api])?;
        let mut meters = vec![crate::machine::Meter::Process(server.pid())];
        meters.extend(crate::postmaster(self.engine).await?);
        let target = Target { address: server.address, meters };
        if matches!(self.engine, Engine::Sqlite) {
            self.forged(&server, &target, report).await?;
        }
        self.calls(&server, &target, report).await?;
        self.idle_texts(&server, &mut carrier, report).await?;
        self.texts(&server, &target, &carrier, report).await?;
        // Thousands of texts are still to be sent, and nobody waits for them.
        drop(server);
        Ok(())
    }

    async fn forged(&self, server: &Server, target: &Target, report: &mut Report) -> Result<()> {
        let address = server.address.to_string();
        let shots = (0..1000_u32).map(|place| {
            let mut shot = call(&address, &format!("forged{place}"), some(self.lines)?)?;
            shot.signature = HeaderValue::from_str(&format!(
                "t={},v1={}",
                Clock::system().now().millis(),
                "0".repeat(64)
            ))?;
            Ok(shot)
        });
        let once = Magazine::once(shots.collect::<Result<_>>()?, StatusCode::FORBIDDEN);
        let endless = once.endless(StatusCode::FORBIDDEN);
        let rounds = self.scale.rounds;
        let seen = load::compare(self.bare, target, &endless, self.drive(), rounds).await?;
        report.add(against_hyper("forged webhook refused".to_owned(), &seen, 0.5));
        Ok(())
    }

    async fn calls(&self, server: &Server, target: &Target, report: &mut Report) -> Result<()> {
        let mut raw = self.world.raw().await?;
        let before = (rows(&mut raw).await?, raw.size().await?);
        let magazine = magazine(server, self.lines, false, "call", self.scale.shots)?;
        let rounds = self.scale.rounds;
        let seen = load::compare(self.bare, target, &magazine, self.drive(), rounds).await?;
        let after = (rows(&mut raw).await?, raw.size().await?);
        raw.close().await?;
        let sqlite = matches!(self.engine, Engine::Sqlite);
        let least = if sqlite { 0.22 } else { 0.15 };
        report.add(against_hyper(self.name("inbound call, signed, durable"), &seen, least));
        report.add(Row {
            name: self.name("CPU of an inbound call"),
            figure: format!("{:.0} µs", seen.cpu),
            reference: format!("masked-communications-app {PEER_CPU} µs (recorded)"),
            ratio: format!("{:.2} ×", PEER_CPU / seen.cpu),
            judged: PEER_CPU / seen.cpu,
            goal: Goal::AtLeast(4.0),
            goal_text: "≥ 4 ×".to_owned(),
        });
        let written = u64::try_from(after.0 - before.0)?;
        let each = float(written) / float(seen.answered);
        let per_second = each * seen.rate;
        let batch = self.scale.connections;
        let many = usize::try_from(written * u64::try_from(batch)? / seen.answered)?;
        let window = self.scale.window;
        let reference = opening::raw_events(self.raw, self.raw_pattern, many, window).await?;
        report.add(Row {
            name: self.name("rows made durable for calls"),
            figure: format!("{per_second:.0}/s ({each:.1} for each call)"),
            reference: format!("raw rows of the log, {batch} calls a commit: {reference:.0}/s"),
            ratio: format!("{:.3}", per_second / reference),
            judged: per_second / reference,
            goal: Goal::AtLeast(0.6),
            goal_text: "≥ 0.6".to_owned(),
        });
        let bytes = float(u64::try_from((after.1 - before.1).max(0))?) / float(seen.answered);
        report.fact(format!("{}: {bytes:.0} bytes on disk for each call", self.engine.name()));
        self.half(server, target, seen.rate, report).await
    }

    /// At half of the highest rate.
    async fn half(
        &self,
        server: &Server,
        target: &Target,
        rate: f64,
        report: &mut Report,
    ) -> Result<()> {
        let connections = self.scale.connections;
        let every = Duration::from_secs_f64(2.0 * float(u64::try_from(connections)?) / rate);
        let drive = Drive { connections, time: self.scale.window * 2, every: Some(every) };
        let magazine = magazine(server, self.lines, false, "half", self.scale.shots)?;
        let window = load::fire(target, &magazine, drive).await?;
        let p99 = percentile(&window.took, 99) / 1000.0;
        report.add(Row {
            name: self.name("p99 of an inbound call at half of that rate"),
            figure: format!("{p99:.1} ms at {:.0}/s", window.rate()),
            reference: "–".to_owned(),
            ratio: "–".to_owned(),
            judged: p99,
            goal: Goal::AtMost(25.0),
            goal_text: "< 25 ms".to_owned(),
        });
        Ok(())
    }

    /// Texts one at a time.
    async fn idle_texts(
        &self,
        server: &Server,
        carrier: &mut Carrier,
        report: &mut Report,
    ) -> Result<()> {
        let (address, mut took) = (server.address.to_string(), Vec::new());
        for place in 0..self.scale.texts {
            let words = format!("words {place}");
            let shot = text(&address, &format!("idle{place}"), some(self.lines)?, &words)?;
            let begun = Instant::now();
            load::once(server.address, shot).await?;
            let at =
                tokio::time::timeout(Duration::from_secs(10), carrier.arrival(&words)).await??;
            took.push(u32::try_from((at - begun).as_micros())?);
        }
        took.sort_unstable();
        let (p50, p99) = (percentile(&took, 50) / 1000.0, percentile(&took, 99) / 1000.0);
        for (name, figure, most) in [("p50", p50, 15.0), ("p99", p99, 50.0)] {
            report.add(Row {
                name: self.name(&format!("text sent to us → request at the carrier, idle, {name}")),
                figure: format!("{figure:.1} ms"),
                reference: "–".to_owned(),
                ratio: "–".to_owned(),
                judged: figure,
                goal: Goal::AtMost(most),
                goal_text: format!("< {most:.0} ms"),
            });
        }
        Ok(())
    }

    async fn texts(
        &self,
        server: &Server,
        target: &Target,
        carrier: &Carrier,
        report: &mut Report,
    ) -> Result<()> {
        // To the end: taken in and handed over, as fast as both go together.
        let sent = carrier.count();
        let magazine = self::magazine(server, self.lines, true, "through", self.scale.through)?;
        let begun = Instant::now();
        let drive = Drive { time: Duration::from_mins(1), ..self.drive() };
        let taken = load::fire(target, &magazine, drive).await?;
        let all = sent + taken.answered;
        tokio::time::timeout(Duration::from_mins(2), carrier.taken(all)).await?;
        let through = float(taken.answered) / begun.elapsed().as_secs_f64();
        report.add(Row {
            name: self.name("texts taken in and handed to the carrier"),
            figure: format!("{through:.0}/s, {} texts", taken.answered),
            reference: format!("taken in at {:.0}/s", taken.rate()),
            ratio: format!("{:.2}", through / taken.rate()),
            judged: 0.0,
            goal: Goal::None,
            goal_text: "–".to_owned(),
        });
        step("texts, with a carrier that keeps all workers waiting");
        carrier.hold(true);
        let magazine = self::magazine(server, self.lines, true, "text", self.scale.shots)?;
        let rounds = self.scale.rounds;
        let seen = load::compare(self.bare, target, &magazine, self.drive(), rounds).await;
        carrier.hold(false);
        let least = if matches!(self.engine, Engine::Sqlite) { 0.15 } else { 0.10 };
        report.add(against_hyper(self.name("inbound text, signed, durable"), &seen?, least));
        Ok(())
    }
}

/// All rows that a call may add to.
async fn rows(raw: &mut crate::world::Raw) -> Result<i64> {
    raw.number(
        "SELECT CAST((SELECT COUNT(*) FROM inbox) + (SELECT COUNT(*) FROM interactions)
            + (SELECT COUNT(*) FROM legs) + (SELECT COUNT(*) FROM events)
            + (SELECT COUNT(*) FROM outbox) AS BIGINT)",
    )
    .await
}

/// Calls of strangers: what a relay does with them in an empty database and in a full one alike.
pub(crate) async fn strangers(server: &Server, many: u32) -> Result<()> {
    let address = server.address.to_string();
    for place in 0..many {
        let line = Line { from: "+447700900100".to_owned(), to: "+33937000000".to_owned() };
        let shot = call(&address, &format!("stranger{place}-{}", chance(u32::MAX)), &line)?;
        load::once(server.address, shot).await?;
    }
    Ok(())
}
