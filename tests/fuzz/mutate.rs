//! Changes an input as a seed says: bits, bytes, pieces of others, and words that matter.

use crate::{rng::Rng, targets::input::flipped};

/// What readers stumble over.
const WORDS: &[&[u8]] = &[
    b"\xff",
    b"\0",
    b"\r\n",
    b"\"",
    b"'",
    b"<",
    b"&",
    b"]]>",
    b"<!--",
    b"%00",
    b"%2B",
    b"%",
    b"+",
    b"=",
    b";",
    b"?",
    b"#",
    b"@",
    b"//",
    b"\\",
    b"..",
    b"{",
    b"}",
    b"[",
    b"]",
    b"null",
    b"true",
    b"-1",
    b"0",
    b"9223372036854775807",
    b"18446744073709551616",
    b"1e999",
    b"+14155550100",
    b"+447700900123",
    b"14155550101",
    b"\xef\xbf\xbe",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"\xf0\x9f\x98\x80",
    b"\xed\xa0\x80",
    b"LG0190000000007000800000000000000a",
    b"step=dialled",
    b"&leg=",
    b"localhost",
    b"[::1]",
    b"\t",
    b"x",
    b"1",
    b"_file",
    b"\\u0000",
    b"\\ud800",
];

/// The longest input.
const MAX: usize = 4096;

/// `input` with one to eight changes; pieces may come out of `others`.
pub(crate) fn mutate(input: &[u8], others: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=rng.below(8) {
        let at = rng.below(bytes.len() + 1);
        match rng.below(8) {
            0 => {
                if let Some(bent) = flipped(&bytes, rng.next()) {
                    bytes = bent;
                }
            }
            1 => bytes.insert(at, u8::try_from(rng.below(256)).unwrap()),
            2 => {
                let end = (at + 1 + rng.below(8)).min(bytes.len());
                bytes.drain(at.min(end)..end);
            }
            3 | 4 => {
                let word = WORDS[rng.below(WORDS.len())];
                let end = if rng.below(2) == 0 { at } else { (at + word.len()).min(bytes.len()) };
                bytes.splice(at..end, word.iter().copied());
            }
            5 => {
                let other = &others[rng.below(others.len())];
                let from = rng.below(other.len() + 1);
                let end = (from + rng.below(64)).min(other.len());
                bytes.splice(at..at, other[from..end].iter().copied());
            }
            6 => {
                let end = (at + rng.below(32)).min(bytes.len());
                let piece = bytes[at..end].repeat(1 + rng.below(3));
                bytes.splice(at..at, piece);
            }
            _ => {
                if let Some(digit) = bytes.iter_mut().skip(at).find(|b| b.is_ascii_digit()) {
                    *digit = b'0' + u8::try_from(rng.below(10)).unwrap();
                }
            }
        }
        bytes.truncate(MAX);
    }
    bytes
}
