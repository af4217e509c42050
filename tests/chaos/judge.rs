//! What the log says against what the carrier saw.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use crate::{
    database::Logged,
    load::QUARANTINE,
    truth::{Bridged, Facts, Said, Session, number},
};

/// A text may still leave so long after a close was acknowledged: it was on its way (I3).
const IN_FLIGHT: Duration = Duration::from_secs(10);

/// Everything that must not be, by invariant, with an example of each.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) texts: u64,
    pub(crate) calls: u64,
    /// Texts that the recipient got more than once, after the carrier's answer had been lost.
    pub(crate) excused: u64,
    /// Nobody took them in time, so nothing is owed.
    pub(crate) never_taken: u64,
    /// How texts and calls ended: (kind, outcome, reason).
    pub(crate) ends: BTreeMap<(&'static str, String, String), u64>,
    pub(crate) faults: BTreeMap<&'static str, Vec<String>>,
}

impl Verdict {
    fn fault(&mut self, what: &'static str, example: impl Into<String>) {
        self.faults.entry(what).or_default().push(example.into());
    }
}

/// Everybody to whom something that somebody said to a number may go: the other side of every
/// session in which they dial that number.
fn candidates<'a>(facts: &'a Facts, said: &Said) -> Vec<(&'a Session, usize)> {
    let meant = &facts.sessions[said.session];
    let (person, dialled) = (meant.people[said.side], &meant.proxies[said.side]);
    let sides = facts.sessions.iter().flat_map(|session| [(session, 0), (session, 1)]);
    sides
        .filter(|(session, side)| {
            session.people[*side] == person && session.proxies[*side] == *dialled
        })
        .collect()
}

/// Whether (from, to) is the other side of one of these, and of which.
fn reached<'a>(candidates: &[(&'a Session, usize)], from: &str, to: &str) -> Vec<&'a Session> {
    let fits = candidates.iter().filter(|(session, side)| {
        session.proxies[1 - side] == from && number(session.people[1 - side]) == to
    });
    fits.map(|(session, _)| *session).collect()
}

pub(crate) fn judge(facts: &Facts, log: &[Logged]) -> Verdict {
    let mut verdict = Verdict::default();
    for strange in &facts.strange {
        verdict.fault("I2: a text that nobody wrote", strange);
    }
    for refused in &facts.refused {
        verdict.fault("I9: refused what was in order", refused);
    }
    let mut logged: BTreeMap<&str, Vec<&Logged>> = BTreeMap::new();
    for row in log {
        logged.entry(&row.carrier_id).or_default().push(row);
    }
    for (id, said) in &facts.said {
        let rows = logged.get(id.as_str()).map_or(&[][..], Vec::as_slice);
        let distinct: BTreeSet<&str> = rows.iter().map(|row| row.interaction.as_str()).collect();
        if distinct.len() > 1 {
            verdict.fault("I10: logged twice", id);
        }
        let Some(acked) = said.acked else {
            verdict.never_taken += 1;
            continue;
        };
        let Some(row) = rows.first() else {
            verdict.fault("I9: acknowledged and lost", id);
            continue;
        };
        let Some(outcome) = row.outcome.as_deref() else {
            verdict.fault("I9: no outcome", id);
            continue;
        };
        let kind = if said.call { "call" } else { "text" };
        let reason = row.reason.clone().unwrap_or_default();
        *verdict.ends.entry((kind, outcome.to_owned(), reason)).or_default() += 1;
        let candidates = candidates(facts, said);
        let open = |(session, _): &(&Session, usize)| {
            session.open_acked < said.posted && session.close_asked.is_none_or(|at| at > acked)
        };
        if outcome == "refused" && candidates.iter().any(open) {
            let reason = row.reason.as_deref().unwrap_or_default();
            verdict.fault("I9: refused in an open session", format!("{id} {reason}"));
        }
        if said.call {
            verdict.calls += 1;
            call(&mut verdict, facts, id, said, outcome, &candidates);
        } else {
            verdict.texts += 1;
            text(&mut verdict, facts, id, said, outcome, &candidates);
        }
    }
    early_reuse(&mut verdict, facts);
    verdict
}

fn text(
    verdict: &mut Verdict,
    facts: &Facts,
    id: &str,
    said: &Said,
    outcome: &str,
    candidates: &[(&Session, usize)],
) {
    let sent = facts.sent.get(id).map_or(&[][..], Vec::as_slice);
    match outcome {
        "relayed" if sent.is_empty() => {
            verdict.fault("I9: called relayed and never sent", id);
        }
        "relayed" | "unknown" => {}
        other if !sent.is_empty() => {
            verdict.fault("I9: sent, and the log says otherwise", format!("{id} {other}"));
        }
        _ => {}
    }
    if sent.len() > 1 {
        if sent[..sent.len() - 1].iter().all(|one| one.unheard) {
            verdict.excused += 1;
        } else {
            verdict.fault("I11: sent twice", id);
        }
    }
    for one in sent {
        let sessions = reached(candidates, &one.from, &one.to);
        if sessions.is_empty() {
            verdict.fault("I2: to the wrong person, or from a wrong number", id);
        } else if sessions.iter().all(|session| over(session, said, one.at)) {
            verdict.fault("I3: after the close", id);
        }
    }
}

/// Whether a session was certainly over: before the text was posted, or so long before it was sent
/// that it cannot have been on its way.
fn over(session: &Session, said: &Said, sent: Instant) -> bool {
    session.close_acked.is_some_and(|at| at < said.posted || at + IN_FLIGHT < sent)
}

fn call(
    verdict: &mut Verdict,
    facts: &Facts,
    id: &str,
    said: &Said,
    outcome: &str,
    candidates: &[(&Session, usize)],
) {
    let answers = facts.bridged.get(id).map_or(&[][..], Vec::as_slice);
    // Once the session is closed a repetition connects nobody any more.
    let closed = facts.sessions[said.session].close_asked.is_some();
    let alike = |two: &[Bridged]| {
        two[0].document == two[1].document
            || (closed && (two[0].dial.is_none() || two[1].dial.is_none()))
    };
    if !answers.windows(2).all(alike) {
        verdict.fault("I10: two instructions for one call", id);
    }
    for (to, from) in answers.iter().filter_map(|answer| answer.dial.as_ref()) {
        let sessions = reached(candidates, from, to);
        if sessions.is_empty() {
            verdict.fault("I2: to the wrong person, or from a wrong number", id);
        } else if sessions.iter().all(|one| one.close_acked.is_some_and(|at| at < said.posted)) {
            verdict.fault("I3: after the close", id);
        }
        if outcome == "refused" {
            verdict.fault("I9: bridged, and the log says refused", id);
        }
    }
}

/// I4: nobody got a number of theirs for another counterpart before its quarantine was over.
fn early_reuse(verdict: &mut Verdict, facts: &Facts) {
    let mut claims: BTreeMap<(usize, &str), Vec<(&Session, usize)>> = BTreeMap::new();
    for session in &facts.sessions {
        for side in 0..2 {
            let claim = (session.people[side], session.proxies[side].as_str());
            claims.entry(claim).or_default().push((session, side));
        }
    }
    for sharing in claims.values() {
        for (one, side) in sharing {
            for (other, other_side) in sharing {
                if one.people[1 - side] == other.people[1 - other_side] {
                    continue;
                }
                // Certainly the later of the two.
                if other.open_asked <= one.open_acked {
                    continue;
                }
                // Its close took effect when it was asked for, or later.
                let free = one.close_asked.map(|asked| asked + QUARANTINE);
                if free.is_none_or(|free| other.open_acked < free) {
                    verdict.fault("I4: early reuse", format!("{} and {}", one.id, other.id));
                }
            }
        }
    }
}
