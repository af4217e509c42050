//! Texts whose fate is unknown, at carriers that can be asked what they sent (M4).
//!
//! The rule, in doubt for "unknown" and against a silent double: of what the carrier has on record
//! from the same proxy number to the same person since a day before the first try, all that a leg of
//! ours already has the id of is left out. If nothing is left, it was not sent, and it
//! is sent once more, flagged. If what is left says the same and is not more than we tried to send,
//! it is ours, unless another text to that person is of unknown fate too. Anything else is doubt.

use std::time::Duration;

use super::{Error, Relay, messages};
use crate::{
    carrier::{
        SendError,
        error::{Retry, SendErrorKind},
        listing::{Query, Recorded, SentText},
        outbound::OutboundMessage,
    },
    domain::time::Timestamp,
    store::{
        charges,
        legs::{self, Leg},
        outbox::Entry,
    },
    telemetry::metrics,
};

/// How far the carrier's clock may be from ours: what was set wrong for a while must not hide a text.
/// Whatever is on record of that day is told apart by its id.
const SKEW: Duration = Duration::from_hours(24);
/// How many pages of one number's texts are read.
const PAGES_MAX: usize = 20;
/// How long looking up may take: less than a worker's lease.
const LOOK_UP_MAX: Duration = Duration::from_secs(20);

/// What became of a text.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// The carrier has it.
    Sent(SentText),
    /// The carrier does not have it.
    Absent,
    /// It can't be told from another.
    Doubt,
}

impl Relay {
    /// Asks the carrier what became of a text that may have been sent, and acts on it. Nothing is
    /// sent here: what is due once more is claimed again, its session judged again.
    pub(super) async fn follow_up(
        &self,
        entry: Entry,
        message: &OutboundMessage,
    ) -> Result<(), Error> {
        let carrier = entry.carrier.clone();
        let used = charges::News::of_text(&message.body, !message.media.is_empty());
        let fate = match tokio::time::timeout(LOOK_UP_MAX, self.fate(&entry, message)).await {
            Ok(fate) => fate?,
            Err(_) => Err(incomplete()),
        };
        match fate {
            Ok(Fate::Sent(text)) => {
                metrics::looked_up(&carrier, "found");
                self.db
                    .write(move |tx| {
                        let (entry, text) = (entry.clone(), text.clone());
                        Box::pin(async move {
                            messages::found(tx, &entry, &text).await?;
                            let used = charges::News { price: text.price, ..used };
                            charges::note(tx, &entry.account, &entry.leg, used).await?;
                            Ok(())
                        })
                    })
                    .await
            }
            Ok(Fate::Absent) => {
                metrics::looked_up(&carrier, "absent");
                let again = self
                    .db
                    .write(move |tx| {
                        let entry = entry.clone();
                        Box::pin(async move { messages::absent(tx, &entry).await })
                    })
                    .await?;
                if again {
                    metrics::resent(&carrier);
                    tracing::warn!(carrier, "a text is sent once more: the first is not on record");
                }
                Ok(())
            }
            Ok(Fate::Doubt) => {
                metrics::looked_up(&carrier, "doubt");
                self.write_entry(entry, |tx, entry| Box::pin(messages::give_up(tx, entry))).await
            }
            Err(_) => {
                metrics::looked_up(&carrier, "failed");
                self.write_entry(entry, |tx, entry| Box::pin(messages::ask_again(tx, entry))).await
            }
        }
    }

    async fn fate(
        &self,
        entry: &Entry,
        message: &OutboundMessage,
    ) -> Result<Result<Fate, SendError>, Error> {
        let since = entry.tried_at.unwrap_or(entry.created_at) - SKEW;
        let texts = match self.sent_since(entry, message, since).await {
            Ok(texts) => texts,
            Err(error) => return Ok(Err(error)),
        };
        let mut tx = self.db.read().await?;
        let leg: Option<Leg> =
            legs::by_id(&mut tx, &entry.carrier, &entry.leg).await?.map(|(_, leg)| leg);
        let leg = leg.ok_or(Error::NotFound("leg"))?;
        let ids: Vec<String> = texts.iter().map(|text| text.id.clone()).collect();
        let known = legs::known_ids(&mut tx, &entry.carrier, &ids).await?;
        let left: Vec<SentText> =
            texts.into_iter().filter(|text| !known.contains(&text.id)).collect();
        let rival = legs::has_rival(&mut tx, &entry.account, &leg, since).await?;
        let tries = if leg.possible_duplicate { 2 } else { 1 };
        Ok(Ok(judge(left, message, tries, rival)))
    }

    /// All that the carrier sent to this person from this number since then, or nothing at all: a
    /// list that is not whole can't say that something is not on it.
    async fn sent_since(
        &self,
        entry: &Entry,
        message: &OutboundMessage,
        since: Timestamp,
    ) -> Result<Vec<SentText>, SendError> {
        let carrier = self.carriers.get(&entry.carrier).ok_or_else(incomplete)?;
        let query = Query::Sent { from: message.from.clone(), since };
        let mut next = carrier.adapter.list(&query);
        let mut texts = Vec::new();
        let person = message.to.canonical();
        for _ in 0..PAGES_MAX {
            let Some(request) = next else { return Ok(texts) };
            let page = self.page(carrier, &query, request).await?;
            texts.extend(page.records.into_iter().filter_map(|record| match record.what {
                Recorded::Sent(text) => (text.to.canonical() == person).then_some(text),
                Recorded::CameIn(_) => None,
            }));
            next = page.next;
        }
        if next.is_some() { Err(incomplete()) } else { Ok(texts) }
    }
}

fn incomplete() -> SendError {
    SendError::new(SendErrorKind::Unreachable, Retry::Unknown)
}

/// What the texts that are left say of ours, of which `tries` may have gone out.
fn judge(left: Vec<SentText>, message: &OutboundMessage, tries: usize, rival: bool) -> Fate {
    let same = |text: &SentText| match &text.body {
        // Spaces at the ends do not survive every carrier.
        Some(body) => body.expose().trim() == message.body.expose().trim(),
        None => true,
    };
    if left.is_empty() {
        return Fate::Absent;
    }
    if rival || left.len() > tries || !left.iter().all(same) {
        return Fate::Doubt;
    }
    // Of two copies the one that came furthest.
    left.into_iter()
        .reduce(
            |best, other| if best.state.after(other.state) == best.state { best } else { other },
        )
        .map_or(Fate::Absent, Fate::Sent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{
            message::{Body, MessageState},
            phone::{Identifier, ProxyNumber},
        },
        ids::LegId,
    };

    fn ours(body: &str) -> OutboundMessage {
        OutboundMessage {
            leg: LegId::parse("LG0123456789abcdef0123456789abcdef").unwrap(),
            from: ProxyNumber::parse("+14155550100").unwrap().into(),
            to: Identifier::parse("+12125550100").unwrap(),
            body: Body::new(body.to_owned()),
            media: Vec::new(),
            validity: Duration::from_mins(15),
        }
    }

    fn text(id: &str, body: Option<&str>, state: MessageState) -> SentText {
        SentText {
            price: None,
            id: id.to_owned(),
            to: Identifier::parse("+12125550100").unwrap(),
            body: body.map(|words| Body::new(words.to_owned())),
            state,
            carrier_code: None,
        }
    }

    /// Nothing on record was not sent; the one that says the same is ours; where the carrier keeps no
    /// words the only one is ours.
    #[test]
    fn what_is_certain_is_told() {
        let sent = |id, body| text(id, body, MessageState::Sent);
        assert_eq!(judge(vec![], &ours("ok"), 1, false), Fate::Absent);
        assert_eq!(judge(vec![], &ours("ok"), 1, true), Fate::Absent);
        for body in [Some("ok"), Some(" ok\n"), None] {
            let found = judge(vec![sent("1", body)], &ours("ok "), 1, false);
            assert_eq!(found, Fate::Sent(sent("1", body)));
        }
    }

    /// I11: more copies than we tried to send, other words, or another text of unknown fate to the
    /// same person are doubt, never "absent".
    #[test]
    fn i11_doubt_is_not_absence() {
        let sent = |id, words| text(id, Some(words), MessageState::Sent);
        assert_eq!(
            judge(vec![sent("1", "ok"), sent("2", "ok")], &ours("ok"), 1, false),
            Fate::Doubt
        );
        assert_eq!(judge(vec![sent("1", "no")], &ours("ok"), 1, false), Fate::Doubt);
        assert_eq!(judge(vec![sent("1", "ok")], &ours("ok"), 1, true), Fate::Doubt);
        assert_eq!(
            judge(vec![sent("1", "ok"), sent("2", "no")], &ours("ok"), 2, false),
            Fate::Doubt
        );
    }

    /// Of two copies of a text that was sent twice the one that came further speaks for both.
    #[test]
    fn two_copies_after_two_tries() {
        let copies = || {
            vec![
                text("1", Some("ok"), MessageState::Sent),
                text("2", Some("ok"), MessageState::Delivered),
            ]
        };
        let mut reversed = copies();
        reversed.reverse();
        for left in [copies(), reversed] {
            let Fate::Sent(found) = judge(left, &ours("ok"), 2, false) else { panic!("doubt") };
            assert_eq!(found.id, "2");
        }
    }
}
