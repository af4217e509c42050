//! One pass over a text that undoes disguises of single characters, with a way back to its bytes.
//!
//! What comes out is lower-case, without accents and without characters that nobody sees; digits of
//! every script are ASCII's, and so are letters that only look different.

/// One character as it is compared, and the bytes that it stands for. What was left out behind it
/// belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Glyph {
    pub(super) c: char,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Folds a text.
pub(super) fn fold(text: &str) -> Vec<Glyph> {
    let mut glyphs: Vec<Glyph> = Vec::with_capacity(text.len());
    for (start, c) in text.char_indices() {
        let end = start + c.len_utf8();
        if is_unseen(c) {
            if let Some(last) = glyphs.last_mut() {
                last.end = end;
            }
            continue;
        }
        let (first, second) = folded(c);
        glyphs.push(Glyph { c: first, start, end });
        if let Some(c) = second {
            glyphs.push(Glyph { c, start, end });
        }
    }
    glyphs
}

/// Marks that sit on another character, and characters without a width.
const fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{300}'..='\u{36f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e01ef}')
}

/// Where the digits of scripts begin: ten in a row each (Unicode 16, general category Nd).
const ZEROS: &[u32] = &[
    0x0660,
    0x06F0,
    0x07C0,
    0x0966,
    0x09E6,
    0x0A66,
    0x0AE6,
    0x0B66,
    0x0BE6,
    0x0C66,
    0x0CE6,
    0x0D66,
    0x0DE6,
    0x0E50,
    0x0ED0,
    0x0F20,
    0x1040,
    0x1090,
    0x17E0,
    0x1810,
    0x1946,
    0x19D0,
    0x1A80,
    0x1A90,
    0x1B50,
    0x1BB0,
    0x1C40,
    0x1C50,
    0xA620,
    0xA8D0,
    0xA900,
    0xA9D0,
    0xA9F0,
    0xAA50,
    0xABF0,
    0xFF10,
    0x0001_04A0,
    0x0001_1066,
    0x0001_D7CE,
    0x0001_D7D8,
    0x0001_D7E2,
    0x0001_D7EC,
    0x0001_D7F6,
    0x0001_E140,
    0x0001_E950,
    0x0001_FBF0,
];

/// Where rows of nine begin that have no zero: in circles, in brackets, with a full stop.
const ONES: &[u32] =
    &[0x2460, 0x2474, 0x2488, 0x24F5, 0x2776, 0x2780, 0x278A, 0x0001_F102, 0x0001_0107];

/// The value of a digit in whatever form.
fn digit(c: char) -> Option<u32> {
    if let Some(value) = c.to_digit(10) {
        return Some(value);
    }
    let code = u32::from(c);
    let row = |starts: &[u32], len: u32, first: u32| {
        let found = starts.iter().find(|start| (**start..**start + len).contains(&code));
        found.map(|start| code - start + first)
    };
    match c {
        '⁰' | '₀' | '⓪' | '⓿' | '🄋' | '🄌' => Some(0),
        '¹' => Some(1),
        '²' => Some(2),
        '³' => Some(3),
        '⁴'..='⁹' => Some(code - 0x2070),
        '₁'..='₉' => Some(code - 0x2080),
        _ => row(ZEROS, 10, 0).or_else(|| row(ONES, 9, 1)),
    }
}

/// Letters with marks, and letters of other scripts that look alike: what they are taken for.
const LOOKS: &[(char, &str)] = &[
    ('a', "àáâãäåāăąаα"),
    ('c', "çćčсϲ"),
    ('d', "ďđԁ"),
    ('e', "èéêëēėęěеє"),
    ('g', "ğģ"),
    ('h', "һ"),
    ('i', "ìíîïīįıіι"),
    ('j', "ј"),
    ('k', "к"),
    ('l', "łĺľӏ"),
    ('m', "м"),
    ('n', "ñńň"),
    ('o', "òóôõöøōőоο"),
    ('p', "рρ"),
    ('r', "ŕř"),
    ('s', "śšşѕ"),
    ('t', "ťţт"),
    ('u', "ùúûüūůűųυ"),
    ('v', "ν"),
    ('x', "хχ"),
    ('y', "ýÿуγ"),
    ('z', "źżž"),
];

/// What a character is compared as; two where it stands for two.
fn folded(c: char) -> (char, Option<char>) {
    if let Some(value) = digit(c) {
        return (char::from_digit(value, 10).unwrap_or('0'), None);
    }
    let one = match c {
        '\n' | '\r' | '\u{2028}' | '\u{2029}' => '\n',
        c if c.is_whitespace() => ' ',
        '\u{2800}' | '\u{3164}' => ' ',
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '－' => '-',
        '。' | '．' | '｡' | '․' | '﹒' => '.',
        '﹫' => '@',
        // The ASCII characters in full width.
        '！'..='～' => shifted(u32::from(c) - 0xFEE0),
        // Mathematical letters: thirteen alphabets of capital and small ones.
        '\u{1d400}'..='\u{1d6a3}' => letter((u32::from(c) - 0x0001_D400) % 52),
        'Ⓐ'..='ⓩ' => letter(u32::from(c) - 0x24B6),
        '🄰'..='🅉' => letter(u32::from(c) - 0x0001_F130),
        '🅐'..='🅩' => letter(u32::from(c) - 0x0001_F150),
        '🅰'..='🆉' => letter(u32::from(c) - 0x0001_F170),
        c => c,
    };
    let mut lower = one.to_lowercase();
    let one = lower.next().unwrap_or(one);
    match one {
        'ß' => ('s', Some('s')),
        'œ' => ('o', Some('e')),
        'æ' => ('a', Some('e')),
        'þ' => ('t', Some('h')),
        c if c.is_ascii() => (c, None),
        c => {
            (LOOKS.iter().find(|(_, looks)| looks.contains(c)).map_or(c, |(plain, _)| *plain), None)
        }
    }
}

fn shifted(code: u32) -> char {
    char::from_u32(code).unwrap_or(' ')
}

/// A letter by its place among the capital and then the small ones.
fn letter(place: u32) -> char {
    char::from_u32(u32::from('a') + place % 26).unwrap_or('a')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        fold(text).iter().map(|glyph| glyph.c).collect()
    }

    /// Digits of every form are the same digits, and letters lose what only dresses them.
    #[test]
    fn disguises_fall() {
        for digits in [
            "0123456789",
            "０１２３４５６７８９",
            "٠١٢٣٤٥٦٧٨٩",
            "𝟬𝟭𝟮𝟯𝟰𝟱𝟲𝟳𝟴𝟵",
            "⁰¹²³⁴⁵⁶⁷⁸⁹",
            "⓪①②③④⑤⑥⑦⑧⑨",
        ] {
            assert_eq!(read(digits), "0123456789", "{digits}");
        }
        assert_eq!(read("4️⃣1\u{200b}5"), "415");
        assert_eq!(read("Zéro SIX dreißig œuf"), "zero six dreissig oeuf");
        assert_eq!(read("ｇｍａｉｌ．ＣＯＭ 𝐠𝐦𝐚𝐢𝐥 gmаil"), "gmail.com gmail gmail");
    }

    /// Each glyph leads back to its own bytes, and no byte between the first and the last is lost.
    #[test]
    fn the_way_back_is_whole() {
        let text = "a\u{301}ß\u{200b}４️⃣";
        let glyphs = fold(text);
        assert_eq!(glyphs.len(), 4);
        assert_eq!((glyphs[0].start, glyphs[0].end), (0, 3));
        assert_eq!(glyphs[1].start, glyphs[2].start);
        assert_eq!(glyphs[3].end, text.len());
    }
}
