//! Finds what somebody could be paid by: IBANs, handles of payment services, addresses of coins.

use std::ops::Range;

use super::{
    fold::Glyph,
    tokens::{Token, What},
    words,
};

/// How many words may stand between a service and the handle, and among how many tokens.
const NEAR: usize = 5;
const NEAR_TOKENS: usize = 40;

/// IBANs with a right checksum, as ranges of glyphs.
pub(super) fn ibans(glyphs: &[Glyph]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < glyphs.len() {
        let begins = at == 0 || !glyphs[at - 1].c.is_alphanumeric();
        match begins.then(|| iban(glyphs, at)).flatten() {
            Some(end) => {
                found.push(at..end);
                at = end;
            }
            None => at += 1,
        }
    }
    found
}

/// Where the IBAN ends that begins at `at`. Blanks, hyphens and dots may stand in it, one at a time.
fn iban(glyphs: &[Glyph], at: usize) -> Option<usize> {
    let country: String = glyphs.get(at..at + 2)?.iter().map(|glyph| glyph.c).collect();
    let (_, form) = words::IBANS.iter().find(|(name, _)| *name == country)?;
    let kinds: Vec<char> = kinds(form);
    let mut text = country;
    let mut place = at + 2;
    for kind in kinds {
        if glyphs.get(place).is_some_and(|glyph| " -.".contains(glyph.c)) {
            place += 1;
        }
        let c = glyphs.get(place)?.c;
        let fits = match kind {
            'n' => c.is_ascii_digit(),
            'a' => c.is_ascii_lowercase(),
            _ => c.is_ascii_digit() || c.is_ascii_lowercase(),
        };
        if !fits {
            return None;
        }
        text.push(c);
        place += 1;
    }
    let ends = glyphs.get(place).is_none_or(|glyph| !glyph.c.is_alphanumeric());
    (ends && is_sound(&text)).then_some(place)
}

/// What stands at each place of a form such as `a4n14`, behind the country; two check digits first.
fn kinds(form: &str) -> Vec<char> {
    let mut kinds = vec!['n', 'n'];
    let mut rest = form;
    while let Some(kind) = rest.chars().next() {
        let digits = rest[1..].bytes().take_while(u8::is_ascii_digit).count();
        let count = rest[1..=digits].parse().unwrap_or(0);
        kinds.extend(std::iter::repeat_n(kind, count));
        rest = &rest[1 + digits..];
    }
    kinds
}

/// ISO 7064: the remainder by 97 of the number that the letters spell is one.
fn is_sound(iban: &str) -> bool {
    let (head, tail) = iban.split_at(4);
    let sum = tail.chars().chain(head.chars()).fold(0, |sum, c| {
        let value = c.to_digit(36).unwrap_or(0);
        (sum * if value < 10 { 10 } else { 100 } + value) % 97
    });
    sum == 1
}

/// Addresses of coins by their form, as ranges of bytes: the case of their letters matters.
pub(super) fn coins(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
        if is_coin(word) {
            found.push(from..from + word.len());
        }
        from += word.len();
        from += text[from..].chars().next().map_or(0, char::len_utf8);
    }
    found
}

fn is_coin(word: &str) -> bool {
    let bytes = word.as_bytes();
    let len = bytes.len();
    let base58 = || bytes.iter().all(|b| b.is_ascii_alphanumeric() && !b"0OIl".contains(b));
    let mixed = || {
        bytes.iter().any(u8::is_ascii_uppercase)
            && bytes.iter().any(u8::is_ascii_lowercase)
            && bytes.iter().any(u8::is_ascii_digit)
    };
    let lower = word.to_ascii_lowercase();
    let bech32 = |name: &str, least: usize| lower.starts_with(name) && (least..=90).contains(&len);
    match bytes.first() {
        Some(b'0') => {
            len == 42 && lower.starts_with("0x") && bytes[2..].iter().all(u8::is_ascii_hexdigit)
        }
        Some(b'1' | b'3' | b'L' | b'M' | b'D' | b'r') if (26..=35).contains(&len) => {
            base58() && mixed()
        }
        Some(b'T') if len == 34 => base58() && mixed(),
        Some(b'4' | b'8') if len == 95 => base58() && mixed(),
        _ => bech32("bc1", 25) || bech32("ltc1", 25),
    }
}

/// Handles that pay: `$name`, and `@name` where a payment service is named. As ranges of tokens.
pub(super) fn handles(tokens: &[Token]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Some(sign) = token.mark().filter(|c| matches!(c, '$' | '@' | '€')) else { continue };
        let lone = at == 0 || matches!(tokens[at - 1].what, What::Mark(_));
        let Some(end) = name(tokens, at + 1).filter(|_| lone) else { continue };
        let long = tokens[at + 1].word().is_some_and(|word| word.len() >= 3);
        if (sign == '$' && long) || is_paid(tokens, at, end) {
            found.push(at..end);
        }
    }
    found
}

/// Where a handle ends: letters first, then also digits and `_.-`.
fn name(tokens: &[Token], at: usize) -> Option<usize> {
    let text = |at: usize| tokens.get(at).is_some_and(|token| token.mark().is_none());
    tokens.get(at)?.word()?;
    let mut end = at + 1;
    while end < at + NEAR_TOKENS {
        if text(end) {
            end += 1;
        } else if tokens.get(end).and_then(Token::mark).is_some_and(|c| "_.-".contains(c))
            && text(end + 1)
        {
            end += 2;
        } else {
            break;
        }
    }
    Some(end)
}

/// Whether a payment service is named near these tokens.
pub(super) fn is_paid(tokens: &[Token], from: usize, to: usize) -> bool {
    let before = tokens[..from].iter().rev().take(NEAR_TOKENS).filter_map(Token::word).take(NEAR);
    let after = tokens[to..].iter().take(NEAR_TOKENS).filter_map(Token::word).take(NEAR);
    before.chain(after).any(|word| words::PAYMENTS.contains(&word))
}

/// Whether a link leads to where somebody is paid.
pub(super) fn is_paid_at(link: &str) -> bool {
    let bare = link.split("://").last().unwrap_or(link);
    let bare = bare.strip_prefix("www.").unwrap_or(bare);
    words::PAYMENT_HOSTS.iter().any(|host| bare.starts_with(host))
}

#[cfg(test)]
mod tests {
    use super::{super::fold::fold, *};

    fn count(text: &str) -> usize {
        ibans(&fold(text)).len()
    }

    /// One wrong digit, and it is no IBAN; blanks do not matter.
    #[test]
    fn ibans_have_a_checksum() {
        assert_eq!(count("FR76 3000 6000 0112 3456 7890 189"), 1);
        assert_eq!(count("DE89370400440532013000"), 1);
        assert_eq!(count("gb33-bukb-2020-1555-5555-55 and GB82 WEST 1234 5698 7654 32"), 2);
        assert_eq!(count("DE89370400440532013001"), 0);
        assert_eq!(count("de 12 bis 14 Uhr"), 0);
    }

    /// Each country's form has the length that the registry says, 34 at most.
    #[test]
    fn forms_are_sound() {
        for (country, form) in words::IBANS {
            assert!((13..=32).contains(&kinds(form).len()), "{country}");
        }
    }
}
