//! Reads numbers, in digits or words, as the groups of digits that somebody would dial.

use super::{
    numbers::{self, DE, EN, FR, Languages, Said},
    tokens::{Token, What},
};

/// A group of digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) digits: String,
    /// Its tokens.
    pub(super) from: usize,
    pub(super) to: usize,
    /// Whether it is in words.
    pub(super) spoken: bool,
    /// Whether it only looks like digits, as a lonely `o` does.
    pub(super) weak: bool,
}

/// One thing that is said of a number, and its token.
#[derive(Debug, Clone, Copy)]
struct Piece {
    said: Said,
    token: usize,
}

/// All groups of a text, but those of a thousand and more in words: nobody dials so.
pub(super) fn groups(tokens: &[Token]) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at].what {
            What::Digits(digits) => {
                let digits = digits.clone();
                groups.push(Group { digits, from: at, to: at + 1, spoken: false, weak: false });
                at += 1;
            }
            What::Word(word) => {
                if let Some(zeros) = weak(word) {
                    let spoken = word == "oh";
                    groups.push(Group { digits: zeros, from: at, to: at + 1, spoken, weak: true });
                    at += 1;
                } else {
                    at = phrase(tokens, at, &mut groups);
                }
            }
            What::Mark(_) => at += 1,
        }
    }
    times(tokens, &mut groups);
    groups
}

/// Lonely letters that look or sound like digits.
fn weak(word: &str) -> Option<String> {
    match word {
        "oh" => Some("0".to_owned()),
        "l" | "i" => Some("1".to_owned()),
        word if word.len() <= 4 && word.bytes().all(|b| b == b'o') => Some("0".repeat(word.len())),
        _ => None,
    }
}

/// Reads the number words that stand together from `at` on; where they end.
fn phrase(tokens: &[Token], at: usize, groups: &mut Vec<Group>) -> usize {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut end = at;
    while let Some(said) = tokens.get(end).and_then(Token::word).and_then(numbers::numbers) {
        pieces.extend(said.into_iter().map(|said| Piece { said, token: end }));
        end += 1;
        // Words of one number are parted by a blank or a hyphen; anything else ends it.
        let joint = tokens.get(end).and_then(Token::mark);
        let next = tokens.get(end + 1).and_then(Token::word).and_then(numbers::numbers);
        if !matches!(joint, Some(' ' | '-')) || next.is_none() {
            break;
        }
        end += 1;
    }
    if pieces.is_empty() {
        return at + 1;
    }
    let mut next = 0;
    while next < pieces.len() {
        let begun = next;
        match pieces[next].said {
            Said::Value(..) => {
                let (value, after) = value(&pieces, next);
                next = after;
                let big = pieces.get(next).is_some_and(|piece| piece.said == Said::Big);
                if !big {
                    let (from, to) = (pieces[begun].token, pieces[next - 1].token + 1);
                    let digits = value.to_string();
                    groups.push(Group { digits, from, to, spoken: true, weak: false });
                }
            }
            Said::Hundred(language) => {
                // "Cent douze"; in English nobody says it bare.
                let (rest, after) = below_hundred(&pieces, next + 1, language);
                next = after;
                let (from, to) = (pieces[begun].token, pieces[next - 1].token + 1);
                let digits = (100 + rest).to_string();
                groups.push(Group { digits, from, to, spoken: true, weak: false });
            }
            Said::Big => {
                // What follows belongs to it: "mil doscientos".
                next += 1;
                if matches!(pieces.get(next).map(|piece| piece.said), Some(Said::Value(..))) {
                    next = value(&pieces, next).1;
                }
            }
            Said::And(_) | Said::Times(_) => next += 1,
        }
    }
    // Several groups may stand in one word that is written together: then each spans it.
    end.max(at + 1)
}

/// The value under a thousand that begins at `at`, and where it ends.
fn value(pieces: &[Piece], at: usize) -> (u32, usize) {
    let Some(Said::Value(first, language)) = said(pieces, at) else { return (0, at + 1) };
    if let (1..=9, Some(Said::Hundred(hundred))) = (first, said(pieces, at + 1))
        && language & hundred != 0
    {
        let (rest, after) = below_hundred(pieces, at + 2, hundred);
        return (first * 100 + rest, after);
    }
    if first >= 100 {
        let (rest, after) = below_hundred(pieces, at + 1, language);
        return (first + rest, after);
    }
    tens(pieces, at)
}

/// What follows hundreds and belongs to them: from ten on, or after "and"; else nothing. A single
/// digit is one of its own: "nine hundred, one, two, three".
fn below_hundred(pieces: &[Piece], at: usize, language: Languages) -> (u32, usize) {
    let joined = matches!(said(pieces, at), Some(Said::And(and)) if and & language != 0);
    let start = at + usize::from(joined);
    if let Some(Said::Value(first, of)) = said(pieces, start)
        && of & language != 0
        && first < 100
    {
        let (value, after) = tens(pieces, start);
        let alone = language == DE && pieces[start].token == pieces[at.saturating_sub(1)].token;
        if value >= 10 || (value > 0 && (joined || alone)) {
            return (value, after);
        }
    }
    (0, at)
}

/// A value under a hundred: tens with units, in the order of its language.
fn tens(pieces: &[Piece], at: usize) -> (u32, usize) {
    let Some(Said::Value(first, language)) = said(pieces, at) else { return (0, at + 1) };
    // Neunundzwanzig.
    if let ((1..=9), Some(Said::And(DE)), Some(Said::Value(tens, DE))) =
        (first, said(pieces, at + 1), said(pieces, at + 2))
        && tens >= 20
        && tens % 10 == 0
    {
        return (tens + first, at + 3);
    }
    let french = language & FR != 0;
    // Quatre-vingts.
    let (base, after) = match said(pieces, at + 1) {
        Some(Said::Value(20, FR)) if french && first == 4 => (80, at + 2),
        _ => (first, at + 1),
    };
    // Dix-huit.
    if french && base == 10 {
        return match said(pieces, after) {
            Some(Said::Value(unit @ 7..=9, FR)) => (10 + unit, after + 1),
            _ => (base, after),
        };
    }
    if !(20..=90).contains(&base) || base % 10 != 0 || language == DE {
        return (base, after);
    }
    let joined = matches!(said(pieces, after), Some(Said::And(and)) if and & language != 0);
    let start = after + usize::from(joined);
    let Some(Said::Value(unit, of)) = said(pieces, start) else { return (base, after) };
    if of & language == 0 {
        return (base, after);
    }
    match unit {
        // Soixante-dix-huit.
        10 if french && (base == 60 || base == 80) => {
            let (teen, end) = tens(pieces, start);
            (base + teen, end)
        }
        11..=16 if french && (base == 60 || base == 80) => (base + unit, start + 1),
        // "Twenty and five" is no number.
        1..=9 if !(joined && language & EN != 0) => (base + unit, start + 1),
        _ => (base, after),
    }
}

fn said(pieces: &[Piece], at: usize) -> Option<Said> {
    pieces.get(at).map(|piece| piece.said)
}

/// "Double seven" is two groups of one seven, and "triple one" three.
fn times(tokens: &[Token], groups: &mut [Group]) {
    for group in groups {
        if group.digits.len() != 1 {
            continue;
        }
        let word = |at: usize| tokens.get(at).and_then(Token::word).and_then(numbers::numbers);
        // Written together, as "doppelnull", or one word and one mark before.
        let own = word(group.from).filter(|_| group.to == group.from + 1);
        let before = group.from.checked_sub(2).and_then(word);
        let own = own.as_deref().and_then(|said| said.split_first());
        let count = match (own, before.as_deref()) {
            (Some((Said::Times(count), [_])), _) => *count,
            (_, Some([.., Said::Times(count)])) => {
                group.from -= 2;
                *count
            }
            _ => continue,
        };
        group.digits = group.digits.repeat(count);
        group.weak = false;
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{fold::fold, tokens::tokens},
        *,
    };

    fn read(text: &str) -> String {
        let groups = groups(&tokens(&fold(text)));
        groups.iter().map(|group| group.digits.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// Pairs and hundreds are read as each language says them.
    #[test]
    fn numbers_are_read() {
        for (text, digits) in [
            ("zéro six trente-neuf quatre-vingt-dix-huit douze", "0 6 39 98 12"),
            ("soixante-dix-huit quatre-vingt-onze vingt et un", "78 91 21"),
            ("soixante et onze, quatre-vingts, septante et un", "71 80 71"),
            ("deux cent douze cent un", "212 100 1"),
            ("four fifteen five fifty-five oh one twenty-three", "4 15 5 55 0 1 23"),
            ("nine hundred one two three", "900 1 2 3"),
            ("nine hundred and five", "905"),
            ("double oh triple two", "00 222"),
            ("seiscientos doce treinta y cuatro", "612 34"),
            ("null einhunderteinundsiebzig neununddreißig zwanzig fünf", "0 171 39 20 5"),
            ("nulleinssiebeneins doppelnull zwo", "0 1 7 1 00 2"),
            ("mille deux cents euros", ""),
            ("zwanzigtausend", ""),
        ] {
            assert_eq!(read(text), digits, "{text}");
        }
    }
}
