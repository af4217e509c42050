//! How many parts a text is sent in, by which carriers charge (3GPP TS 23.038 and 23.040).

/// The default alphabet (3GPP TS 23.038 §6.2.1): each takes seven bits.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// Its extension (§6.2.1.1): each takes twice seven.
const EXTENDED: &str = "\u{c}^{}\\[~]|€";

/// How many septets fit in one text, and in each part of several.
const SEPTETS: (usize, usize) = (160, 153);
/// How many UTF-16 units do.
const UNITS: (usize, usize) = (70, 67);

/// How many parts `text` is sent in: one at least. In the default alphabet if it has every character,
/// and in UCS-2 otherwise. No character is split between two parts.
pub fn segments(text: &str) -> u64 {
    let septets: Option<Vec<usize>> = text
        .chars()
        .map(|c| match c {
            c if BASIC.contains(c) => Some(1),
            c if EXTENDED.contains(c) => Some(2),
            _ => None,
        })
        .collect();
    match septets {
        Some(lengths) => parts(&lengths, SEPTETS),
        None => parts(&text.chars().map(char::len_utf16).collect::<Vec<_>>(), UNITS),
    }
}

fn parts(lengths: &[usize], (single, each): (usize, usize)) -> u64 {
    if lengths.iter().sum::<usize>() <= single {
        return 1;
    }
    let (mut parts, mut used) = (1, 0);
    for length in lengths {
        if used + length > each {
            (parts, used) = (parts + 1, 0);
        }
        used += length;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The alphabet has its 127 characters (the escape is none) and its extension ten, and none twice.
    #[test]
    fn the_alphabet_is_whole() {
        let mut all: Vec<char> = BASIC.chars().chain(EXTENDED.chars()).collect();
        assert_eq!((BASIC.chars().count(), EXTENDED.chars().count()), (127, 10));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 137);
    }

    /// At each border: 160 and 153 septets, 70 and 67 units; no pair is split between two parts.
    #[test]
    fn parts_at_their_borders() {
        for (text, expected) in [
            (String::new(), 1),
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            // 76 pairs fit in 153 septets, and one septet stays empty.
            ("€".repeat(152), 2),
            ("€".repeat(153), 3),
            ("ç".repeat(70), 1),
            ("ç".repeat(71), 2),
            ("ç".repeat(134), 2),
            ("ç".repeat(135), 3),
            ("😀".repeat(35), 1),
            ("😀".repeat(36), 2),
            // 33 pairs fit in 67 units.
            ("😀".repeat(66), 2),
            ("😀".repeat(67), 3),
            // One character that is not in the alphabet makes all of it UCS-2.
            ("a".repeat(70) + "ç", 2),
            ("a".repeat(159) + "\n", 1),
        ] {
            let start: String = text.chars().take(3).collect();
            assert_eq!(segments(&text), expected, "{start}… {}", text.chars().count());
        }
    }
}
