//! Finds numbers that are something else than part of a telephone number: prices, measures, times,
//! dates, places on the map.
//!
//! Whoever wants a number through could dress it as one of these, so each has a narrow form, and none is
//! taken where more digits stand beside it.

use std::ops::Range;

use super::{tokens::Token, words};

const CURRENCIES: &str = "€$£¥₹%°";

/// The quantities of a text, as ranges of its tokens.
pub(super) fn find(tokens: &[Token]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let end = if tokens[at].digits().is_some() { quantity(tokens, at) } else { None };
        if let Some(end) = end {
            found.push(at..end);
            at = end;
        } else {
            at += 1;
        }
    }
    found
}

/// Where the quantity ends that begins with the digits at `at`.
fn quantity(tokens: &[Token], at: usize) -> Option<usize> {
    date(tokens, at)
        .or_else(|| named_date(tokens, at))
        .or_else(|| time(tokens, at))
        .or_else(|| place(tokens, at))
        .or_else(|| measure(tokens, at))
}

fn digits(tokens: &[Token], at: usize) -> Option<&str> {
    tokens.get(at).and_then(Token::digits)
}

fn mark(tokens: &[Token], at: usize) -> Option<char> {
    tokens.get(at).and_then(Token::mark)
}

fn value(digits: &str) -> u32 {
    digits.parse().unwrap_or(u32::MAX)
}

/// Whether digits go on before `at` or behind `end`, with one mark between or none.
fn is_amid(tokens: &[Token], at: usize, end: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|at| digits(tokens, at)).is_some();
    let parted = |place: usize| tokens.get(place).is_some_and(|token| token.mark().is_some());
    before(1)
        || (before(2) && parted(at - 1))
        || digits(tokens, end).is_some()
        || (parted(end) && digits(tokens, end + 1).is_some())
}

fn is_day_and_month(a: u32, b: u32) -> bool {
    let one = |day: u32, month: u32| (1..=31).contains(&day) && (1..=12).contains(&month);
    one(a, b) || one(b, a)
}

fn is_year(digits: &str) -> bool {
    digits.len() == 4 && (digits.starts_with("19") || digits.starts_with("20"))
}

/// `12/05/2026`, `3.4.26`, `2026-04-03`, `06 06 1998`. A time may follow one whose year is whole; beside
/// anything else it is none.
fn date(tokens: &[Token], at: usize) -> Option<usize> {
    let [a, b, c] = [digits(tokens, at)?, digits(tokens, at + 2)?, digits(tokens, at + 4)?];
    let joint = mark(tokens, at + 1)?;
    if !"/.- ".contains(joint) || mark(tokens, at + 3) != Some(joint) {
        return None;
    }
    let end = at + 5;
    let short = a.len() <= 2 && b.len() <= 2;
    let forward = short && is_year(c) && is_day_and_month(value(a), value(b));
    let backward =
        is_year(a) && b.len() == 2 && c.len() == 2 && is_day_and_month(value(b), value(c));
    let brief = short && c.len() == 2 && joint != ' ' && is_day_and_month(value(a), value(b));
    let before = at.checked_sub(2).and_then(|at| digits(tokens, at)).is_some();
    let goes_on = digits(tokens, end + 1).is_some() && mark(tokens, end) == Some(joint);
    ((forward || backward) && !before && !goes_on || brief && !is_amid(tokens, at, end))
        .then_some(end)
}

/// `7 May`, `7. Mai 2026`, `7 de mayo de 2026`.
fn named_date(tokens: &[Token], at: usize) -> Option<usize> {
    let day = digits(tokens, at)?;
    if day.len() > 2
        || !(1..=31).contains(&value(day))
        || at.checked_sub(2).is_some_and(|at| digits(tokens, at).is_some())
    {
        return None;
    }
    let mut end = at + 1;
    let mut named = false;
    while let Some(token) = tokens.get(end).filter(|_| end < at + 8) {
        match token.word() {
            Some("de") => {}
            Some(word) if !named && words::MONTHS.contains(&word) => named = true,
            None if token.is_space() || token.mark() == Some('.') => {}
            _ => break,
        }
        end += 1;
    }
    if !named {
        return None;
    }
    match digits(tokens, end) {
        Some(year) if is_year(year) => Some(end + 1),
        _ => Some(end),
    }
}

/// `10:30`, `10h30`, `14 h 30`.
fn time(tokens: &[Token], at: usize) -> Option<usize> {
    let hour = digits(tokens, at)?;
    let goes_before = at.checked_sub(2).and_then(|at| digits(tokens, at)).is_some();
    if hour.len() > 2 || value(hour) > 24 || (goes_before && mark(tokens, at - 1) == Some(':')) {
        return None;
    }
    let place = if mark(tokens, at + 1) == Some(' ') { at + 2 } else { at + 1 };
    let is_h = tokens.get(place).and_then(Token::word) == Some("h");
    let end = if is_h {
        let minute = if mark(tokens, place + 1) == Some(' ') { place + 2 } else { place + 1 };
        let is_minute = digits(tokens, minute).is_some_and(|m| m.len() == 2 && value(m) < 60);
        if is_minute { minute + 1 } else { place + 1 }
    } else {
        let minute = digits(tokens, at + 2).filter(|_| mark(tokens, at + 1) == Some(':'))?;
        if minute.len() != 2 || value(minute) > 59 {
            return None;
        }
        at + 3
    };
    let goes_on = |at: usize| mark(tokens, at) == Some(':') && digits(tokens, at + 1).is_some();
    (!goes_on(end)).then_some(end)
}

/// `48.8566`: a degree on the map.
fn place(tokens: &[Token], at: usize) -> Option<usize> {
    let (whole, part) = (digits(tokens, at)?, digits(tokens, at + 2)?);
    let form = mark(tokens, at + 1) == Some('.')
        && value(whole) <= 180
        && (whole == "0" || !whole.starts_with('0'))
        && (4..=7).contains(&part.len());
    let before = at.checked_sub(2).and_then(|at| digits(tokens, at)).is_some();
    (form && !before).then_some(at + 3)
}

/// `1.250,00 €`, `120 000 km`, `$40`, `16 GB`: at most seven digits before the fraction, in groups of
/// three, with what they measure beside them.
fn measure(tokens: &[Token], at: usize) -> Option<usize> {
    let first = digits(tokens, at)?;
    if first.len() > 7 || (first.len() > 1 && first.starts_with('0')) {
        return None;
    }
    let mut end = at + 1;
    let mut len = first.len();
    if len <= 3 {
        while len <= 4
            && mark(tokens, end).is_some_and(|c| " .,'".contains(c))
            && digits(tokens, end + 1).is_some_and(|group| group.len() == 3)
        {
            len += 3;
            end += 2;
        }
    }
    if mark(tokens, end).is_some_and(|c| ".,".contains(c))
        && digits(tokens, end + 1).is_some_and(|part| part.len() <= 2)
    {
        end += 2;
    }
    let after = if mark(tokens, end) == Some(' ') { end + 1 } else { end };
    let unit = tokens.get(after).is_some_and(|token| {
        token.word().is_some_and(|word| words::UNITS.contains(&word))
            || token.mark().is_some_and(|c| CURRENCIES.contains(c))
    });
    let back = |far: usize| at.checked_sub(far).and_then(|at| mark(tokens, at));
    let is_currency = |c: Option<char>| c.is_some_and(|c| CURRENCIES.contains(c));
    let priced = is_currency(back(1)) || (back(1) == Some(' ') && is_currency(back(2)));
    ((unit || priced) && !is_amid(tokens, at, end)).then_some(end)
}
