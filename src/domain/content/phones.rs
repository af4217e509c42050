//! Finds telephone numbers: groups of digits that together look like one.
//!
//! A number of itself says little: so many digits may be a price, a date or an order. What is none for
//! sure is taken out first; then groups that stand together are weighed by their shape, and by the
//! words around them.

use std::ops::Range;

use super::{
    quantities,
    spoken::{self, Group},
    tokens::Token,
    words,
};

/// How many digits a number may have, with everything that is dialled before it.
const DIGITS_MAX: usize = 17;
/// How many marks may stand between two groups, and how many words that say nothing.
const MARKS_MAX: usize = 12;
const FILLERS_MAX: usize = 3;
/// How many other words may stand between groups of a number that is torn apart.
const TORN_MAX: usize = 4;
/// How many words before and after are looked at, and among how many tokens.
const NEAR: usize = 5;
const NEAR_TOKENS: usize = 40;

/// What stands between two groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// Nothing, blanks, hyphens, dots.
    Plain,
    /// Marks or words that part sentences, or pretend to.
    Soft,
    /// A few words.
    Torn,
    /// Too much.
    Break,
}

/// What the words around say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Label {
    Phone,
    Other,
    None,
}

/// The telephone numbers of a text, as ranges of its tokens, each with its digits.
pub(super) fn find(tokens: &[Token], taken: &[Range<usize>]) -> Vec<(Range<usize>, String)> {
    let stops = quantities::find(tokens);
    let mut barred = vec![false; tokens.len()];
    for range in stops.iter().chain(taken) {
        barred[range.clone()].fill(true);
    }
    let free = |group: &Group| barred[group.from..group.to].iter().all(|barred| !barred);
    let groups: Vec<Group> = spoken::groups(tokens).into_iter().filter(free).collect();
    let gaps: Vec<Gap> =
        groups.windows(2).map(|pair| gap(tokens, &barred, &pair[0], &pair[1])).collect();
    let reader = Reader { tokens, groups: &groups, gaps: &gaps };
    let whole: Vec<Option<usize>> = (0..groups.len()).map(|at| reader.together(at)).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < groups.len() {
        let end = whole[at].or_else(|| reader.torn(at, &whole));
        if let Some(end) = end {
            let from = reader.begin(at);
            found.push((from..groups[end - 1].to, reader.digits(at, end)));
            at = end;
        } else {
            at += 1;
        }
    }
    found
}

fn gap(tokens: &[Token], barred: &[bool], a: &Group, b: &Group) -> Gap {
    // Groups of one word that is written together span the same token.
    let Some(between) = tokens.get(a.to..b.from) else { return Gap::Plain };
    if between.len() > NEAR_TOKENS || barred[a.to..b.from].contains(&true) {
        return Gap::Break;
    }
    let is_filler = |word: &&str| words::FILLERS.contains(word) || words::PLUS.contains(word);
    let said: Vec<&str> = between.iter().filter_map(Token::word).collect();
    let fillers = said.iter().filter(|word| is_filler(word)).count();
    let others = said.len() - fillers;
    let marks = between.len() - said.len();
    if marks > MARKS_MAX + 2 * said.len() || others > TORN_MAX || fillers > FILLERS_MAX {
        return Gap::Break;
    }
    if others > 0 {
        return Gap::Torn;
    }
    let plain = |token: &Token| token.mark().is_some_and(|c| " -.()_*".contains(c));
    let dots = between.windows(2).any(|pair| pair[0].mark() == Some('.') && pair[1].is_space());
    if between.iter().all(plain) && !dots { Gap::Plain } else { Gap::Soft }
}

struct Reader<'a> {
    tokens: &'a [Token],
    groups: &'a [Group],
    gaps: &'a [Gap],
}

impl Reader<'_> {
    fn digits(&self, at: usize, end: usize) -> String {
        self.groups[at..end].iter().map(|group| group.digits.as_str()).collect()
    }

    /// Where a number ends that begins here, its groups standing together. The longest wins.
    fn together(&self, at: usize) -> Option<usize> {
        let mut ends = Vec::new();
        let mut len = 0;
        for end in at + 1..=self.groups.len() {
            if end > at + 1 && !matches!(self.gaps[end - 2], Gap::Plain | Gap::Soft) {
                break;
            }
            len += self.groups[end - 1].digits.len();
            if len > DIGITS_MAX {
                break;
            }
            ends.push(end);
        }
        ends.into_iter().rev().find(|end| self.is_number(at, *end))
    }

    /// The same of a number that a few other words tear apart: only what has the shape of one, to the
    /// digit.
    fn torn(&self, at: usize, whole: &[Option<usize>]) -> Option<usize> {
        let mut len = 0;
        let mut torn = 0;
        for end in at + 1..=self.groups.len() {
            if end > at + 1 {
                match self.gaps[end - 2] {
                    Gap::Break => return None,
                    Gap::Torn => torn += 1,
                    Gap::Plain | Gap::Soft => {}
                }
            }
            let group = &self.groups[end - 1];
            len += group.digits.len();
            // Where a whole number begins nothing torn goes on.
            if whole[end - 1].is_some() {
                return None;
            }
            if len > DIGITS_MAX || group.digits.len() > 5 || group.weak {
                return None;
            }
            if torn == 0 || end < at + 3 {
                continue;
            }
            let digits = self.digits(at, end);
            let labelled = self.label(at, end) == Label::Phone;
            let near = labelled || torn == 1;
            let whole = is_mobile(&digits)
                || (labelled && is_trunk(&digits) && (10..=11).contains(&digits.len()))
                || (near
                    && (is_american(&digits) || is_spanish(&digits))
                    && self.is_thirds(at, end));
            if whole && !self.is_count(at, end) {
                return Some(end);
            }
        }
        None
    }

    /// Whether these groups are a telephone number.
    fn is_number(&self, at: usize, end: usize) -> bool {
        let groups = &self.groups[at..end];
        let (Some(first), Some(last)) = (groups.first(), groups.last()) else { return false };
        let digits = self.digits(at, end);
        let len = digits.len();
        if len < 7 || (first.weak && !first.spoken && first.digits == "1") || self.is_count(at, end)
        {
            return false;
        }
        let plus = self.begin(at) < first.from;
        // What nobody mistakes for anything else is one wherever it begins and ends.
        if plus && (8..=15).contains(&len) && !digits.starts_with('0') || is_mobile(&digits) {
            return true;
        }
        if last.weak && !last.spoken && groups.len() > 1 && last.digits.len() == 1 {
            return false;
        }
        if !self.is_whole(at, end) {
            return false;
        }
        let american = is_american(&digits) && self.is_grouped(at, end, &AMERICAN);
        // In its usual groups it is one, whatever it is called.
        if american && groups.len() >= 3 {
            return true;
        }
        let label = self.label(at, end);
        let spoken = groups.iter().filter(|group| group.spoken).count();
        let spoken = spoken * 2 >= groups.len() || spoken >= 3;
        if label == Label::Other && !spoken {
            return false;
        }
        let abroad = digits.starts_with("00") && (10..=17).contains(&len) && &digits[2..3] != "0";
        let at_home = is_trunk(&digits) && (9..=13).contains(&len);
        let spanish = is_spanish(&digits) && self.is_grouped(at, end, &SPANISH);
        let called = is_called(&digits, groups.len());
        abroad
            || at_home
            || american
            || spanish
            || called
            || (label == Label::Phone && len <= 15)
            || (spoken && (9..=15).contains(&len))
    }

    /// The sizes of the groups, with single digits together.
    fn sizes(&self, at: usize, end: usize) -> Vec<usize> {
        let sizes: Vec<usize> = self.groups[at..end].iter().map(|one| one.digits.len()).collect();
        if sizes.iter().all(|size| *size == 1) { vec![sizes.len()] } else { sizes }
    }

    fn is_grouped(&self, at: usize, end: usize, forms: &[&[usize]]) -> bool {
        let sizes = self.sizes(at, end);
        forms.iter().any(|form| *form == sizes)
            || self.groups[at..end].iter().any(|group| group.spoken)
    }

    fn is_thirds(&self, at: usize, end: usize) -> bool {
        matches!(*self.sizes(at, end), [3, 3, 3 | 4])
    }

    /// Whether somebody counts, or names sizes or prices: each group as far from the last.
    fn is_count(&self, at: usize, end: usize) -> bool {
        let values: Option<Vec<i64>> = self.groups[at..end]
            .iter()
            .map(|group| group.digits.parse().ok().filter(|_| group.digits.len() <= 5))
            .collect();
        let Some(values) = values.filter(|values| values.len() >= 3) else { return false };
        let step = values[1] - values[0];
        step != 0 && values.windows(2).all(|pair| pair[1] - pair[0] == step)
    }

    /// Whether nothing goes on before and behind: it is no part of something longer.
    fn is_whole(&self, at: usize, end: usize) -> bool {
        let lone = end == at + 1 && self.groups[at].digits.len() >= 7;
        let before = at.checked_sub(1).and_then(|at| self.gaps.get(at));
        let after = self.gaps.get(end - 1).filter(|_| end < self.groups.len());
        let parted = |gap: Option<&Gap>| gap.is_none_or(|gap| *gap != Gap::Plain);
        (parted(before) || self.groups[at - 1].weak) && (parted(after) || self.groups[end].weak)
            || lone
    }

    /// Where the number's first token is: a plus before it belongs to it.
    fn begin(&self, at: usize) -> usize {
        let from = self.groups[at].from;
        let before = |back: usize| from.checked_sub(back).and_then(|at| self.tokens.get(at));
        let is_plus = |token: Option<&Token>| {
            token.is_some_and(|token| {
                token.mark() == Some('+') || token.word().is_some_and(|w| words::PLUS.contains(&w))
            })
        };
        if is_plus(before(1)) {
            return from - 1;
        }
        let apart = before(1).is_some_and(|token| token.is_space() || token.mark() == Some('('));
        if apart && is_plus(before(2)) { from - 2 } else { from }
    }

    /// What the nearest words say: those before first.
    fn label(&self, at: usize, end: usize) -> Label {
        let before = self.tokens[..self.groups[at].from].iter().rev().take(NEAR_TOKENS);
        let before = before.filter_map(Token::word);
        let before: Vec<&str> = before.take(NEAR).collect();
        if before.iter().any(|word| words::OTHERS.contains(word)) {
            return Label::Other;
        }
        let after = self.tokens[self.groups[end - 1].to..].iter().take(NEAR_TOKENS);
        let after = after.filter_map(Token::word);
        let mut near = before.into_iter().chain(after.take(NEAR));
        if near.any(|word| words::PHONES.contains(&word)) { Label::Phone } else { Label::None }
    }
}

/// How Americans and Spaniards write their numbers in groups.
const AMERICAN: [&[usize]; 7] =
    [&[10], &[11], &[3, 3, 4], &[3, 7], &[6, 4], &[1, 3, 3, 4], &[3, 3, 2, 2]];
const SPANISH: [&[usize]; 5] = [&[9], &[3, 3, 3], &[3, 2, 2, 2], &[3, 6], &[2, 7]];

/// A mobile number as people of France, Britain and Germany dial it at home, or a landline of
/// France's: the first digits and the length say so.
fn is_mobile(digits: &str) -> bool {
    let begins = |all: &[&str]| all.iter().any(|one| digits.starts_with(one));
    match digits.len() {
        10 => begins(&["06", "07"]),
        11 => begins(&["07", "015", "016", "017"]),
        12 => begins(&["015", "016", "017"]),
        _ => false,
    }
}

/// A number with the prefix of its country's trunk.
fn is_trunk(digits: &str) -> bool {
    digits.starts_with('0') && !digits.starts_with("00")
}

/// A number of North America, with or without the 1.
fn is_american(digits: &str) -> bool {
    let national = match digits.len() {
        10 => digits,
        11 if digits.starts_with('1') => &digits[1..],
        _ => return false,
    };
    let bytes = national.as_bytes();
    let office = |at: usize| bytes[at] >= b'2' && &bytes[at + 1..at + 3] != b"11";
    office(0) && office(3)
}

fn is_spanish(digits: &str) -> bool {
    digits.len() == 9 && digits.starts_with(['6', '7', '8', '9'])
}
/// Whether a calling code of the languages' countries begins the digits, without a plus.
fn is_called(digits: &str, groups: usize) -> bool {
    let shape = |codes: &[&str], lens: Range<usize>| {
        lens.contains(&digits.len()) && codes.iter().any(|code| digits.starts_with(code))
    };
    shape(&["336", "337", "346", "347"], 11..12)
        || shape(&["447", "4915", "4916", "4917"], 12..14)
        || (groups > 1 && (shape(&["33", "34"], 11..12) || shape(&["44", "49"], 12..14)))
}
