//! The audit log's chains: their ends, signed, for elsewhere; and whether they are as they were written.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Error, Relay};
pub use crate::privacy::audit::Fault as ChainFault;
use crate::{
    domain::time::Timestamp,
    ids::AccountId,
    privacy::audit::{Fault, Head, PublicKey, Walk},
    store::{self, audit},
};

/// How many rows, or heads, are read at once.
const PAGE: i64 = 500;
/// How many rows of one chain are verified for somebody who waits for the answer.
const PART: u64 = 50_000;
/// How many signed heads are taken: some hundred megabytes of memory.
const HEADS_MAX: usize = 1_000_000;

/// The end of a chain, signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// The end.
    pub head: Head,
    /// The signature, in base64.
    pub signature: String,
}

impl SignedHead {
    /// As one line of JSON.
    pub fn line(&self) -> String {
        let Head { account, seq, hash, at } = &self.head;
        json!({
            "account": account, "seq": seq, "hash": hash, "at": at.rfc3339(),
            "signature": self.signature,
        })
        .to_string()
    }

    fn parse(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        let at = text("at")?.parse::<jiff::Timestamp>().ok()?;
        let head = Head {
            account: text("account")?,
            seq: value["seq"].as_i64()?,
            hash: text("hash")?,
            at: Timestamp::from_millis(at.as_millisecond()),
        };
        Some(Self { head, signature: text("signature")? })
    }
}

/// Why a line of a file of signed heads is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadsError {
    /// It is no line that `entremise audit head` writes.
    #[error("is no signed head")]
    Malformed,
    /// Another key signed it, or it was changed.
    #[error("its signature does not hold: another key signed it, or it was changed")]
    Signature,
    /// An earlier line has another hash for the same row: there were two chains.
    #[error("names another row {0} than an earlier line: there were two chains")]
    Forked(i64),
    /// There are too many.
    #[error("there are more than {HEADS_MAX} heads: take a part of the file")]
    TooMany,
}

/// Signed heads that were kept elsewhere, by chain and place.
#[derive(Debug, Default)]
pub struct Heads {
    chains: BTreeMap<String, BTreeMap<i64, String>>,
    count: usize,
}

impl Heads {
    /// Takes a line, if the key's owner signed it.
    ///
    /// # Errors
    /// Each of [`HeadsError`]: the heads before it stay.
    pub fn add(&mut self, key: &PublicKey, line: &str) -> Result<(), HeadsError> {
        let SignedHead { head, signature } =
            SignedHead::parse(line).ok_or(HeadsError::Malformed)?;
        if !key.verifies(&head, &signature) {
            return Err(HeadsError::Signature);
        }
        let there = self.chains.entry(head.account).or_default();
        match there.get(&head.seq) {
            Some(hash) if *hash == head.hash => return Ok(()),
            Some(_) => return Err(HeadsError::Forked(head.seq)),
            None => {}
        }
        if self.count >= HEADS_MAX {
            return Err(HeadsError::TooMany);
        }
        self.count += 1;
        there.insert(head.seq, head.hash);
        Ok(())
    }
}

/// What is told while chains are verified.
#[derive(Debug)]
pub enum Told<'a> {
    /// So many rows of a chain were read.
    Progress(&'a str, u64),
    /// A chain was read: its rows, what is wrong with it, and how many faults more there are.
    Chain(&'a str, u64, &'a [Fault], u64),
}

/// What came of verifying.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many chains there are.
    pub chains: u64,
    /// How many rows.
    pub rows: u64,
    /// How many faults.
    pub faults: u64,
}

/// What came of verifying a part of one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartVerified {
    /// How many rows were read.
    pub rows: u64,
    /// The last of them.
    pub last: i64,
    /// Whether there are no more rows behind it.
    pub ended: bool,
    /// What is wrong with them,
    pub faults: Vec<ChainFault>,
    /// and how many faults more there are.
    pub more: u64,
}

impl Relay {
    /// What the heads of this installation are verified with.
    ///
    /// # Errors
    /// The keyring's.
    pub fn audit_key(&self) -> Result<PublicKey, Error> {
        let signer = self.db.keyring().head_signer().map_err(store::Error::from)?;
        Ok(signer.public())
    }

    /// The ends of the chains from `from` on, signed, some at a time, and where to go on; none at the end.
    ///
    /// # Errors
    /// The store's.
    pub async fn signed_heads(
        &self,
        from: &str,
    ) -> Result<(Vec<SignedHead>, Option<String>), Error> {
        let signer = self.db.keyring().head_signer().map_err(store::Error::from)?;
        let mut tx = self.db.read().await?;
        let heads = audit::heads(&mut tx, from, PAGE).await?;
        let next = heads.last().map(|head| audit::behind(&head.account));
        let sign = |head| SignedHead { signature: signer.sign(&head), head };
        Ok((heads.into_iter().map(sign).collect(), next))
    }

    /// Reads an account's chain, or the installation's, as of one instant, from the row behind `after` on: 50,000
    /// rows at most. 0 begins at the first.
    ///
    /// # Errors
    /// The store's.
    pub async fn verify_chain(
        &self,
        account: Option<&AccountId>,
        after: i64,
    ) -> Result<PartVerified, Error> {
        let chain = audit::chain_of(account);
        let mut walk = Walk::behind(after);
        let mut tx = self.db.read().await?;
        // A place below the first is a fault, and would not be looked at.
        let mut last = if after == 0 { i64::MIN } else { after };
        while walk.rows() < PART {
            let page = audit::page(&mut tx, chain, last, PAGE).await?;
            let Some(end) = page.last() else {
                let (rows, noted) = (walk.rows(), audit::end(&mut tx, chain).await?);
                let (faults, more) = walk.end(noted);
                return Ok(PartVerified { rows, last: last.max(after), ended: true, faults, more });
            };
            last = end.content.seq;
            for link in &page {
                walk.row(link);
            }
        }
        let rows = walk.rows();
        let (faults, more) = walk.so_far();
        Ok(PartVerified { rows, last, ended: false, faults, more })
    }

    /// Reads every chain from its first row to its last, each as of one instant, and tells what is wrong.
    /// `heads` were kept elsewhere.
    ///
    /// # Errors
    /// The store's.
    pub async fn verify_audit(
        &self,
        mut heads: Heads,
        mut told: impl FnMut(Told<'_>),
    ) -> Result<Verified, Error> {
        let mut verified = Verified::default();
        let mut from = String::new();
        loop {
            let mut tx = self.db.read().await?;
            let there = audit::next_chain(&mut tx, &from).await?;
            // A chain that is gone, with the note of its end, is known from its signed heads.
            let signed = heads.chains.keys().next().cloned();
            let Some(chain) = [there, signed].into_iter().flatten().min() else {
                return Ok(verified);
            };
            let mut walk = Walk::new(heads.chains.remove(&chain).unwrap_or_default());
            let mut after = i64::MIN;
            loop {
                let page = audit::page(&mut tx, &chain, after, PAGE).await?;
                let Some(last) = page.last() else { break };
                after = last.content.seq;
                for link in &page {
                    walk.row(link);
                }
                told(Told::Progress(&chain, walk.rows()));
            }
            let rows = walk.rows();
            let (faults, more) = walk.end(audit::end(&mut tx, &chain).await?);
            told(Told::Chain(&chain, rows, &faults, more));
            verified.chains += 1;
            verified.rows += rows;
            verified.faults += u64::try_from(faults.len()).unwrap_or(u64::MAX) + more;
            from = audit::behind(&chain);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::privacy::{Keyring, MasterKey};

    /// A line reads back; one that was changed, or signed by another, or that names another row than
    /// a line before it, is told.
    #[test]
    fn lines_of_heads() {
        let signer = Keyring::new(MasterKey::generate()).head_signer().unwrap();
        let head = |seq, hash: &str| {
            let at = Timestamp::from_millis(1_800_000_000_123);
            let head = Head { account: "AC1".into(), seq, hash: hash.into(), at };
            SignedHead { signature: signer.sign(&head), head }
        };
        let line = head(3, "ab").line();
        assert_eq!(SignedHead::parse(&line), Some(head(3, "ab")));
        let mut heads = Heads::default();
        let key = signer.public();
        assert_eq!(heads.add(&key, &line), Ok(()));
        assert_eq!(heads.add(&key, &line), Ok(()), "the same twice");
        assert_eq!(heads.add(&key, &line.replace("\"ab\"", "\"ac\"")), Err(HeadsError::Signature));
        assert_eq!(heads.add(&key, &head(3, "ac").line()), Err(HeadsError::Forked(3)));
        for bad in ["", "{}", "null", "[1]", "{\"seq\":\"3\"}"] {
            assert_eq!(heads.add(&key, bad), Err(HeadsError::Malformed), "{bad}");
        }
        let other = Keyring::new(MasterKey::generate()).head_signer().unwrap().public();
        assert_eq!(heads.add(&other, &line), Err(HeadsError::Signature));
        assert_eq!(heads.count, 1);
    }
}
