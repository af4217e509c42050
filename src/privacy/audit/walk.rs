//! Reads a chain from its first row to its last and says what is wrong with it, at which place.

use std::{collections::BTreeMap, fmt};

use super::Content;

/// How many faults of a chain are told; more are counted.
pub const FAULTS_MAX: usize = 100;
/// How far from its place a row is looked for.
const MOVED_MAX: i64 = 1_000;

/// A row as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What it holds.
    pub content: Content,
    /// The hash that stands with it.
    pub hash: String,
}

/// What is wrong with a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The row is not as it was written, or was not written by us.
    Edited(i64),
    /// The row was written at another place.
    Moved {
        /// Where it stands.
        seq: i64,
        /// Where it belongs.
        was: i64,
    },
    /// These rows are not there, and later ones are.
    Missing {
        /// The first.
        from: i64,
        /// The last.
        to: i64,
    },
    /// These rows were there at the end, and are not any more.
    Truncated {
        /// The first.
        from: i64,
        /// The last, as far as is known.
        to: i64,
    },
    /// What the database has as the end is not the last row.
    End(i64),
    /// A signed head names another row: rows up to it were made anew.
    Rewritten {
        /// Up to this row another signed head agrees; 0 if none does.
        after: i64,
        /// The row that the head names.
        to: i64,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Edited(seq) => write!(f, "row {seq} is not as it was written"),
            Self::Moved { seq, was } => write!(f, "row {seq} was written as row {was}"),
            Self::Missing { from, to } if from == to => write!(f, "row {from} is missing"),
            Self::Missing { from, to } => write!(f, "rows {from} to {to} are missing"),
            Self::Truncated { from, to } => {
                write!(f, "the end is cut off: rows {from} to {to} are gone")
            }
            Self::End(seq) => {
                write!(f, "the last row is {seq}, and the database's note of the end differs")
            }
            Self::Rewritten { after, to } => write!(
                f,
                "a signed head names another row {to}: rows {} to {to} were made anew",
                after + 1
            ),
        }
    }
}

/// The row before.
#[derive(Debug)]
struct Before {
    seq: i64,
    hash: String,
    /// Its hash as it comes out, where that is known.
    own: Option<String>,
}

impl Before {
    fn is_whole(&self) -> bool {
        self.own.as_ref() == Some(&self.hash)
    }

    /// Whether a row names this one as the one before it.
    fn is(&self, previous: &str) -> bool {
        self.hash == previous || self.own.as_deref() == Some(previous)
    }
}

/// One chain, read row by row in the order of their places.
#[derive(Debug)]
pub struct Walk {
    /// Signed heads: place and hash.
    heads: BTreeMap<i64, String>,
    /// The last of them that agreed.
    agreed: i64,
    before: Option<Before>,
    rows: u64,
    faults: Vec<Fault>,
    more: u64,
}

impl Walk {
    /// A walk along a chain, of which these signed heads are known.
    pub const fn new(heads: BTreeMap<i64, String>) -> Self {
        Self { heads, agreed: 0, before: None, rows: 0, faults: Vec::new(), more: 0 }
    }

    /// A walk that goes on behind a row: which row that was is not known, and so it is not held against the next.
    pub fn behind(seq: i64) -> Self {
        let before =
            if seq > 0 { Some(Before { seq, hash: String::new(), own: None }) } else { None };
        Self { before, ..Self::new(BTreeMap::new()) }
    }

    /// What is wrong with the rows that were read, and how many faults more than are told; there may be more rows.
    pub fn so_far(self) -> (Vec<Fault>, u64) {
        (self.faults, self.more)
    }

    /// How many rows were read.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    fn fault(&mut self, fault: Fault) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        } else {
            self.more += 1;
        }
    }

    fn last(&self) -> i64 {
        self.before.as_ref().map_or(0, |before| before.seq)
    }

    /// The next row.
    pub fn row(&mut self, link: &Link) {
        self.rows += 1;
        let Link { content, hash } = link;
        let (seq, own) = (content.seq, content.hash());
        let expected = self.last() + 1;
        if seq < expected {
            // Places begin at 1.
            self.fault(Fault::Edited(seq));
            return;
        }
        if seq > expected {
            self.fault(Fault::Missing { from: expected, to: seq - 1 });
        }
        if own.as_ref() != Some(hash) {
            let was = self.place_of(link);
            self.fault(was.map_or(Fault::Edited(seq), |was| Fault::Moved { seq, was }));
        } else if seq == expected {
            self.link(content);
        }
        if let Some(named) = self.heads.remove(&seq) {
            if named == *hash || own.as_ref() == Some(&named) {
                self.agreed = seq;
            } else if own.as_ref() == Some(hash) {
                self.fault(Fault::Rewritten { after: self.agreed, to: seq });
            }
        }
        self.before = Some(Before { seq, hash: hash.clone(), own });
    }

    /// A row that is whole must name the one before it. If it does not, that one was made anew; if there
    /// is none, this one was.
    fn link(&mut self, content: &Content) {
        let fault = match &self.before {
            None if content.previous.is_empty() => None,
            None => Some(content.seq),
            Some(before) if before.is(&content.previous) || !before.is_whole() => None,
            Some(before) => Some(before.seq),
        };
        if let Some(seq) = fault {
            self.fault(Fault::Edited(seq));
        }
    }

    /// Where a row was written whose hash is not that of its place.
    fn place_of(&self, link: &Link) -> Option<i64> {
        if self.faults.len() >= FAULTS_MAX || link.content.hash().is_none() {
            return None;
        }
        let seq = link.content.seq;
        let around =
            (1..=MOVED_MAX).flat_map(|far| [seq.saturating_sub(far), seq.saturating_add(far)]);
        around.filter(|at| *at > 0).find(|at| link.content.hash_at(*at) == link.hash)
    }

    /// There are no more rows; `end` is what the database notes as the last: place and hash. What is wrong,
    /// and how many faults more than are told.
    pub fn end(mut self, end: Option<(i64, String)>) -> (Vec<Fault>, u64) {
        let last = self.last();
        let (noted, hash) = end.unwrap_or_default();
        let signed = self.heads.last_key_value().map_or(0, |(seq, _)| *seq);
        let known = noted.max(signed);
        if known > last {
            self.fault(Fault::Truncated { from: last + 1, to: known });
        }
        let agrees = |before: &Before| before.is(&hash) || !before.is_whole();
        let whole = self.before.as_ref().is_none_or(agrees);
        if noted < last || (noted == last && !whole) {
            self.fault(Fault::End(last));
        }
        (self.faults, self.more)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::row, *};

    fn chain(rows: i64) -> Vec<Link> {
        let mut previous = String::new();
        (1..=rows)
            .map(|seq| {
                let content = row(seq, &previous);
                let hash = content.hash().unwrap();
                previous.clone_from(&hash);
                Link { content, hash }
            })
            .collect()
    }

    fn end_of(chain: &[Link]) -> Option<(i64, String)> {
        chain.last().map(|link| (link.content.seq, link.hash.clone()))
    }

    fn walk(chain: &[Link], end: Option<(i64, String)>, heads: &[&Link]) -> Vec<Fault> {
        let heads = heads.iter().map(|link| (link.content.seq, link.hash.clone())).collect();
        let mut walk = Walk::new(heads);
        for link in chain {
            walk.row(link);
        }
        walk.end(end).0
    }

    /// Makes rows from `from` on anew, as somebody does who can write and knows how.
    fn rehash(chain: &mut [Link], from: usize) {
        for at in from..chain.len() {
            let previous = if at == 0 { String::new() } else { chain[at - 1].hash.clone() };
            let link = &mut chain[at];
            link.content.previous = previous;
            link.content.seq = i64::try_from(at).unwrap() + 1;
            link.hash = link.content.hash().unwrap();
        }
    }

    /// A chain as it was written has nothing wrong with it, with any of its heads.
    #[test]
    fn whole_chains_are_whole() {
        let chain = chain(9);
        let heads: Vec<&Link> = chain.iter().collect();
        assert_eq!(walk(&chain, end_of(&chain), &heads), []);
        assert_eq!(walk(&[], None, &[]), []);
    }

    /// Each row that is taken out is told, in the middle and at either end.
    #[test]
    fn deletions() {
        let whole = chain(6);
        for at in 0..6 {
            let mut cut = whole.clone();
            cut.remove(at);
            let seq = i64::try_from(at).unwrap() + 1;
            let expected = if seq == 6 {
                Fault::Truncated { from: 6, to: 6 }
            } else {
                Fault::Missing { from: seq, to: seq }
            };
            assert_eq!(walk(&cut, end_of(&whole), &[]), [expected]);
        }
        assert_eq!(walk(&[], end_of(&whole), &[]), [Fault::Truncated { from: 1, to: 6 }]);
    }

    /// Two rows that changed places are both told, with where they belong.
    #[test]
    fn swaps() {
        let whole = chain(6);
        let mut swapped = whole.clone();
        swapped.swap(1, 3);
        (swapped[1].content.seq, swapped[3].content.seq) = (2, 4);
        let expected = [Fault::Moved { seq: 2, was: 4 }, Fault::Moved { seq: 4, was: 2 }];
        assert_eq!(walk(&swapped, end_of(&whole), &[]), expected);
    }

    /// A row that was made anew with its hash is told by the row after it, the last by the note of the end.
    #[test]
    fn rows_with_new_hashes() {
        let whole = chain(6);
        for at in 0..6 {
            let mut bent = whole.clone();
            bent[at].content.actor = "AK".into();
            bent[at].hash = bent[at].content.hash().unwrap();
            let seq = i64::try_from(at).unwrap() + 1;
            let expected = if seq == 6 { Fault::End(6) } else { Fault::Edited(seq) };
            assert_eq!(walk(&bent, end_of(&whole), &[]), [expected]);
        }
    }

    /// A chain that was made anew from some row on is whole in itself: only a signed head tells, and between
    /// which rows. So is one whose end was cut off with the note of it.
    #[test]
    fn only_signed_heads_tell_of_a_new_chain() {
        let whole = chain(9);
        let mut anew = whole.clone();
        anew[4].content.actor = "AK".into();
        rehash(&mut anew, 4);
        assert_eq!(walk(&anew, end_of(&anew), &[]), []);
        let heads = [&whole[1], &whole[6]];
        let expected = [Fault::Rewritten { after: 2, to: 7 }];
        assert_eq!(walk(&anew, end_of(&anew), &heads), expected);
        let cut = &whole[..5];
        assert_eq!(walk(cut, end_of(cut), &[]), []);
        assert_eq!(walk(cut, end_of(cut), &heads), [Fault::Truncated { from: 6, to: 7 }]);
        assert_eq!(walk(&[], None, &heads), [Fault::Truncated { from: 1, to: 7 }]);
    }

    /// The gap of a row that was taken out is not closed by giving the others new places.
    #[test]
    fn gaps_stay_open() {
        let whole = chain(6);
        let mut closed = whole.clone();
        closed.remove(2);
        for (at, link) in (1..).zip(&mut closed) {
            link.content.seq = at;
        }
        let faults = walk(&closed, end_of(&whole), &[]);
        let expected = [
            Fault::Moved { seq: 3, was: 4 },
            Fault::Moved { seq: 4, was: 5 },
            Fault::Moved { seq: 5, was: 6 },
            Fault::Truncated { from: 6, to: 6 },
        ];
        assert_eq!(faults, expected);
    }

    /// A note of the end that names another row, none or one too many is told.
    #[test]
    fn the_note_of_the_end() {
        let whole = chain(3);
        for end in [None, Some((3, "x".to_owned())), Some((2, whole[1].hash.clone()))] {
            assert_eq!(walk(&whole, end, &[]), [Fault::End(3)]);
        }
        let more = Some((5, "x".to_owned()));
        assert_eq!(walk(&whole, more, &[]), [Fault::Truncated { from: 4, to: 5 }]);
    }

    /// Rows below the first place, and of a form that nobody knows, are told; so many faults are told, and
    /// the rest counted.
    #[test]
    fn odd_rows() {
        let mut odd = chain(3);
        odd[0].content.seq = 0;
        let faults = walk(&odd, end_of(&chain(3)), &[]);
        assert_eq!(faults, [Fault::Edited(0), Fault::Missing { from: 1, to: 1 }]);
        let mut odd = chain(300);
        for link in &mut odd {
            link.content.form = 9;
        }
        let mut walk = Walk::new(BTreeMap::new());
        for link in &odd {
            walk.row(link);
        }
        let (faults, more) = walk.end(end_of(&odd));
        assert_eq!((faults.len(), more), (FAULTS_MAX, 200));
    }
}
