//! What is known of a story while it is played: sessions, what was said, and what must follow.

use std::collections::{BTreeMap, BTreeSet};

use entremise::{
    carrier::{event::Inbound, plan::Answer},
    domain::time::Timestamp,
    ids::SessionId,
};

/// A session. Steps are played one at a time, so that what is written here is exact.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) people: [usize; 2],
    pub(crate) proxies: [String; 2],
    pub(crate) open: bool,
    /// When it last ceased to be open.
    pub(crate) ended_at: Option<Timestamp>,
}

/// Something that a carrier posts until it is taken.
#[derive(Debug, Clone)]
pub(crate) struct Webhook {
    pub(crate) event: Inbound,
    /// What it was answered first.
    pub(crate) answer: Option<Answer>,
}

/// A text or call that somebody made.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) call: bool,
    pub(crate) person: usize,
    pub(crate) proxy: String,
    /// How often the recipient got it.
    pub(crate) received: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Story {
    pub(crate) sessions: Vec<Session>,
    pub(crate) webhooks: BTreeMap<String, Webhook>,
    pub(crate) said: BTreeMap<String, Said>,
    /// Who set a block, and against whom: nothing passes between the two, either way.
    pub(crate) blocks: BTreeSet<(usize, usize)>,
    /// What happened, step by step.
    pub(crate) lines: Vec<String>,
}

impl Story {
    pub(crate) fn tell(&mut self, line: String) {
        self.lines.push(line);
    }

    /// Whether what this person says to this number may go to `to` as `from` at this moment.
    pub(crate) fn reaches(&self, said: &Said, from: &str, to: &str) -> Reach {
        let sides = self.sessions.iter().flat_map(|session| [(session, 0), (session, 1)]);
        let mut reach = Reach::Nobody;
        for (session, side) in sides {
            let theirs = session.people[side] == said.person
                && session.proxies[side] == said.proxy
                && session.proxies[1 - side] == from
                && person(session.people[1 - side]) == to;
            if theirs {
                let other = session.people[1 - side];
                let blocked = self.blocks.contains(&(other, said.person))
                    || self.blocks.contains(&(said.person, other));
                if session.open && !blocked {
                    return Reach::Open;
                }
                reach = Reach::Closed;
            }
        }
        reach
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    Open,
    Closed,
    Nobody,
}

/// A person's number.
pub(crate) fn person(place: usize) -> String {
    format!("+{}", 12_125_550_100_u64 + place as u64)
}

impl Drop for Story {
    /// A story that breaks a promise is told up to there.
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.lines.join("\n"));
        }
    }
}
