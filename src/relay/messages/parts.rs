//! Long texts whose parts come in one by one, put together before anybody is looked for: the first
//! part alone might reach somebody whom the whole would not.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    carrier::event::{InboundMessage, Part},
    domain::{
        message::Body,
        phone::{Caller, Identifier, ProxyNumber},
    },
    relay::error::Error,
    store::{
        Tx, accounts,
        long_texts::{self, Key},
        numbers,
    },
};

/// How long parts are waited for since the first one. What has come by then goes on without the rest.
const WAIT: Duration = Duration::from_mins(1);

/// Stands where parts are missing.
const GAP: &str = "[…]";

/// What is kept until the last part is here.
#[derive(Serialize, Deserialize)]
struct Waiting {
    from: String,
    to: String,
    /// The carrier's id of the part that came last.
    id: String,
    parts: BTreeMap<u8, String>,
}

impl Waiting {
    fn read(state: &str) -> Result<Self, Error> {
        Ok(serde_json::from_str(state).map_err(|_| inconsistent())?)
    }

    /// The text, with a gap where parts are missing.
    fn together(self, of: i64) -> Result<InboundMessage, Error> {
        let mut words = String::new();
        for number in 1..=u8::try_from(of).unwrap_or(u8::MAX) {
            match self.parts.get(&number) {
                Some(part) => words.push_str(part),
                None if words.ends_with(GAP) => {}
                None => words.push_str(GAP),
            }
        }
        Ok(InboundMessage {
            id: self.id,
            from: Caller::Number(Identifier::parse(&self.from).map_err(|_| inconsistent())?),
            to: ProxyNumber::parse(&self.to).map_err(|_| inconsistent())?,
            body: Body::new(words),
            media: Vec::new(),
            part: None,
        })
    }
}

fn inconsistent() -> crate::store::Error {
    crate::store::Error::Inconsistent { table: "long_texts", column: "state" }
}

/// The whole text, if this is one or the last part of one; else the part is kept.
pub(super) async fn whole<'a>(
    tx: &mut Tx,
    carrier: &str,
    message: &'a InboundMessage,
) -> Result<Option<Cow<'a, InboundMessage>>, Error> {
    let (Some(part), Caller::Number(from)) = (&message.part, &message.from) else {
        return Ok(Some(Cow::Borrowed(message)));
    };
    // Whoever has no such number is told nothing of it, part by part.
    let Some(key) = key(tx, carrier, message, from, part).await? else {
        return Ok(Some(Cow::Borrowed(message)));
    };
    let now = tx.now().await?;
    let mut waiting = match long_texts::open(tx, &key, now, now + WAIT).await? {
        Some(state) => Waiting::read(&state)?,
        None => Waiting {
            from: from.expose().to_owned(),
            to: message.to.as_str().to_owned(),
            id: String::new(),
            parts: BTreeMap::new(),
        },
    };
    message.id.clone_into(&mut waiting.id);
    waiting.parts.insert(part.number(), message.body.expose().to_owned());
    if waiting.parts.len() < usize::from(part.of()) {
        let state = serde_json::to_string(&waiting).unwrap_or_default();
        long_texts::set(tx, &key, &state).await?;
        return Ok(None);
    }
    long_texts::take(tx, &key).await?;
    Ok(Some(Cow::Owned(waiting.together(key.parts)?)))
}

async fn key(
    tx: &mut Tx,
    carrier: &str,
    message: &InboundMessage,
    from: &Identifier,
    part: &Part,
) -> Result<Option<Key>, Error> {
    let Some((account, number)) = numbers::owner(tx, &message.to).await? else {
        return Ok(None);
    };
    let keys = accounts::keys(tx, &account).await?;
    Ok((number.carrier == carrier).then(|| Key {
        account,
        carrier: carrier.to_owned(),
        number_id: number.id,
        person: keys.index.person(&from.canonical()),
        reference: part.reference().to_owned(),
        parts: part.of().into(),
    }))
}

/// What has come of a text whose time is up; nothing if it is complete by now.
pub(super) async fn late(tx: &mut Tx, key: &Key) -> Result<Option<InboundMessage>, Error> {
    match long_texts::take(tx, key).await? {
        Some(state) => Ok(Some(Waiting::read(&state)?.together(key.parts)?)),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn together(parts: &[(u8, &str)], of: i64) -> String {
        let parts = parts.iter().map(|(number, words)| (*number, (*words).to_owned())).collect();
        let (from, to) = ("+14155550100".into(), "+14155550150".into());
        let waiting = Waiting { from, to, id: "1".into(), parts };
        waiting.together(of).unwrap().body.expose().to_owned()
    }

    /// Parts stand in their order, with one mark for each run of missing ones.
    #[test]
    fn parts_stand_in_order() {
        assert_eq!(together(&[(2, "b"), (1, "a "), (3, "c")], 3), "a bc");
        assert_eq!(together(&[(3, "c")], 5), "[…]c[…]");
        assert_eq!(together(&[(1, "a"), (255, "z")], 255), "a[…]z");
    }
}
