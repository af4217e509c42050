//! Looks through bytes, however many, for secrets in any of their forms.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::Path,
};

use super::forms::{self, Form};

/// How much of a file is read at once.
const CHUNK: usize = 1 << 20;
/// So many bytes may stand between two digits of one number: marks and blanks, in UTF-16 too.
const BETWEEN: usize = 6;

/// A number in digits: found whatever marks stand between them.
struct Digits {
    name: String,
    digits: Vec<u8>,
}

/// What is looked for.
pub(crate) struct Secrets {
    forms: Vec<Form>,
    /// By the first two bytes: the forms that begin so.
    begin: BTreeMap<u16, Vec<usize>>,
    begins: Vec<bool>,
    digits: Vec<Digits>,
    /// Codes: so short that chance writes them into longer runs of letters and digits, and nowhere else.
    alone: Vec<Digits>,
    longest: usize,
}

/// Which secrets, in which form.
pub(crate) type Found = BTreeSet<String>;

impl Secrets {
    /// Numbers as digits with the length of their calling code, words, bytes, and codes of digits, each with
    /// what they are.
    pub(crate) fn new(
        numbers: &[(&str, &str, usize)],
        words: &[(&str, &str)],
        bytes: &[(&str, &[u8])],
        codes: &[(&str, &str)],
    ) -> Self {
        let mut all = Vec::new();
        let mut digits = Vec::new();
        let mut alone = Vec::new();
        for (what, code) in codes {
            all.extend(forms::of_code(what, code));
            alone.push(Digits { name: format!("{what}, alone"), digits: code.as_bytes().to_vec() });
        }
        for (what, number, code) in numbers {
            all.extend(forms::of_number(what, number, *code));
            let national = &number[*code..];
            for (name, text) in [
                ("spaced", (*number).to_owned()),
                ("spaced, national", national.to_owned()),
                ("spaced, with a zero", format!("0{national}")),
            ] {
                digits.push(Digits { name: format!("{what}, {name}"), digits: text.into_bytes() });
            }
        }
        for (what, text) in words {
            all.extend(forms::of_words(what, text));
        }
        for (what, some) in bytes {
            all.extend(forms::of_bytes(what, some));
        }
        let mut begin: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
        let mut begins = vec![false; 1 << 16];
        for (place, form) in all.iter().enumerate() {
            let first = u16::from_be_bytes([form.bytes[0], form.bytes[1]]);
            begin.entry(first).or_default().push(place);
            begins[usize::from(first)] = true;
        }
        let longest = all.iter().map(|form| form.bytes.len()).max().unwrap_or_default();
        Self { forms: all, begin, begins, digits, alone, longest }
    }

    /// How many forms there are.
    pub(crate) fn forms(&self) -> &[Form] {
        &self.forms
    }

    /// What of it stands in there.
    pub(crate) fn find(&self, bytes: &[u8]) -> Found {
        self.find_in(bytes)
    }

    /// The same in a file, or whatever else is read.
    pub(crate) fn find_in(&self, mut from: impl Read) -> Found {
        let mut found = Found::new();
        let mut spaced = Spaced::default();
        let mut window: Vec<u8> = Vec::new();
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = from.read(&mut chunk).unwrap();
            if read == 0 {
                break;
            }
            spaced.read(&chunk[..read], self, &mut found);
            window.extend_from_slice(&chunk[..read]);
            self.look(&window, &mut found);
            // What was cut off at the end is whole with the next piece.
            let keep = window.len().saturating_sub(self.longest.saturating_sub(1));
            window.drain(..keep);
        }
        spaced.alone_ends(b' ', &self.alone, &mut found);
        spaced.group_ends(&self.digits, &mut found);
        found
    }

    /// The same in a file.
    pub(crate) fn find_in_file(&self, path: &Path) -> Found {
        self.find_in(std::fs::File::open(path).unwrap())
    }

    fn look(&self, window: &[u8], found: &mut Found) {
        for (at, two) in window.windows(2).enumerate() {
            let first = u16::from_be_bytes([two[0], two[1]]);
            if !self.begins[usize::from(first)] {
                continue;
            }
            for place in &self.begin[&first] {
                let form = &self.forms[*place];
                if window[at..].starts_with(&form.bytes) && !found.contains(&form.name) {
                    found.insert(form.name.clone());
                }
            }
        }
    }
}

/// Digits with marks between them, as they come.
#[derive(Default)]
struct Spaced {
    /// The latest digits, and whether each begins a group.
    digits: Vec<(u8, bool)>,
    groups: usize,
    between: usize,
    in_group: bool,
    /// What stood before this group, and the latest byte.
    before: u8,
    latest: u8,
    /// How many bytes of a `%2B` are still to come.
    percent: u8,
}

impl Spaced {
    fn read(&mut self, bytes: &[u8], secrets: &Secrets, found: &mut Found) {
        let wanted = &secrets.digits;
        for byte in bytes {
            let before = std::mem::replace(&mut self.latest, *byte);
            if !byte.is_ascii_digit() {
                self.alone_ends(*byte, &secrets.alone, found);
            } else if !self.in_group {
                self.before = before;
            }
            if self.percent > 0 && byte.is_ascii_hexdigit() {
                self.percent -= 1;
                continue;
            }
            self.percent = 0;
            match byte {
                b'0'..=b'9' => {
                    self.groups += usize::from(!self.in_group);
                    self.digits.push((*byte, !self.in_group));
                    self.in_group = true;
                    self.between = 0;
                    if self.digits.len() > 64 {
                        self.digits.drain(..32);
                    }
                }
                // Blanks, marks, what is between the bytes of UTF-16, and the bytes of the blanks and
                // dashes that are not ASCII.
                b' '
                | b'-'
                | b'.'
                | b'('
                | b')'
                | b'/'
                | b'_'
                | b'+'
                | b'\t'
                | b'%'
                | 0
                | 0xC2
                | 0xA0
                | 0xE2
                | 0x80
                | 0xAF
                | 0x90..=0x94
                    if self.between < BETWEEN =>
                {
                    self.group_ends(wanted, found);
                    self.percent = if *byte == b'%' { 2 } else { 0 };
                    self.between += 1;
                }
                _ => {
                    self.group_ends(wanted, found);
                    self.digits.clear();
                    self.groups = 0;
                    self.between = 0;
                }
            }
        }
    }

    /// A code ends where its group of digits does, and nothing that is joined to it stands on either side.
    fn alone_ends(&self, after: u8, wanted: &[Digits], found: &mut Found) {
        if !self.in_group || after.is_ascii_alphanumeric() || self.before.is_ascii_alphanumeric() {
            return;
        }
        let Some(from) = self.digits.iter().rposition(|(_, begins)| *begins) else { return };
        let group = self.digits[from..].iter().map(|(digit, _)| digit);
        for one in wanted.iter().filter(|one| group.clone().eq(one.digits.iter())) {
            found.insert(one.name.clone());
        }
    }

    /// A number ends where a group of digits does, and begins where one begins.
    fn group_ends(&mut self, wanted: &[Digits], found: &mut Found) {
        if !std::mem::take(&mut self.in_group) || self.groups < 2 {
            return;
        }
        for one in wanted {
            let Some(from) = self.digits.len().checked_sub(one.digits.len()) else { continue };
            let there = &self.digits[from..];
            if there[0].1 && there.iter().map(|(digit, _)| digit).eq(one.digits.iter()) {
                found.insert(one.name.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use super::*;

    const WORDS: &str = "Café \"L'été\" & <co> à 9 h 🚲";
    const VOICE: &[u8] = b"ID3\x03\x00\xff a voice \x80\x81";

    fn secrets() -> Secrets {
        Secrets::new(
            &[("Ada's number", "19075550171", 1), ("Bo's number", "33639980017", 2)],
            &[("the words", WORDS), ("a name", "Ada Byron-King")],
            &[("the voice", VOICE)],
            &[("a code", "80264179")],
        )
    }

    /// Gives one byte at a time, as a pipe may.
    struct Drip(Cursor<Vec<u8>>);

    impl Read for Drip {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            self.0.read(&mut into[..1])
        }
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x9E37_79B9_u64;
        std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[1]
        })
        .take(length)
        .collect()
    }

    fn finds(what: &str, planted: &[u8]) {
        let secrets = secrets();
        for before in [0, 1, 2, 3, 100] {
            let bytes = [&noise(before)[..], planted, b"|tail of it"].concat();
            assert!(!secrets.find(&bytes).is_empty(), "{what} at {before}: {planted:02x?}");
        }
    }

    /// Each form that is looked for is found, wherever it stands, by its name.
    #[test]
    fn every_form_is_found() {
        let secrets = secrets();
        assert!(secrets.forms().len() > 300, "{}", secrets.forms().len());
        for form in secrets.forms() {
            let bytes = [b"before <", &form.bytes[..], b"> after"].concat();
            let found = secrets.find(&bytes);
            assert!(found.contains(&form.name), "{} is not in {found:?}", form.name);
        }
    }

    /// The forms as somebody else writes them, not as this module does.
    #[test]
    fn what_others_write_is_found() {
        use base64::{Engine as _, engine::general_purpose as b64};

        for text in [
            "+19075550171",
            "19075550171",
            "9075550171",
            "tel:+1-907-555-0171",
            "+1 (907) 555-0171",
            "907.555.0171",
            "907 555 0171",
            "1 907\u{a0}555\u{202f}0171",
            "907\u{2011}555\u{2013}0171",
            "%2B19075550171",
            "%2B1%20907%20555%200171",
            "+33 6 39 98 00 17",
            "06 39 98 00 17",
            "06.39.98.00.17",
            "0639980017",
            "+33 (0)6 39 98 00 17",
            "sip:19075550171@example.net",
            "{\"pin\":\"80264179\"}",
            "code=80264179&to=x",
            "Ada Byron-King",
            "Ada+Byron-King",
            "Ada%20Byron-King",
            "Caf\\u00e9 \\\"L'\\u00e9t\\u00e9\\\" & <co> \\u00e0 9 h \\ud83d\\udeb2",
            "Caf\\u{e9} \\\"L\\'\\u{e9}t\\u{e9}\\\" & <co> \\u{e0} 9 h \\u{1f6b2}",
            "Café &quot;L&#39;été&quot; &amp; &lt;co&gt; à 9 h 🚲",
            "Caf%C3%A9+%22L%27%C3%A9t%C3%A9%22+%26+%3Cco%3E+%C3%A0+9+h+%F0%9F%9A%B2",
        ] {
            finds(text, text.as_bytes());
            let le: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            if text.is_ascii() && !text.contains(['%', '\\', '&']) && !text.contains("Ada+") {
                finds(text, &le);
                finds(text, &be);
            }
        }
        let body = r#"{"to":"+19075550171","text":"Ada Byron-King"}"#;
        for before in ["", "x", "xy", "xyz"] {
            let text = format!("{before}{body}");
            for engine in [b64::STANDARD, b64::URL_SAFE] {
                let encoded = engine.encode(&text);
                assert!(secrets().find(encoded.as_bytes()).len() >= 2, "{encoded}");
            }
        }
        // The address of a text's recipient in a protocol data unit: its length, its type, its digits.
        finds("a PDU", &[0x0B, 0x91, 0x91, 0x70, 0x55, 0x05, 0x71, 0xF1]);
        finds("a PDU in hex", b"0B919170550571F1");
        finds("packed digits", &[0x19, 0x07, 0x55, 0x50, 0x17, 0x1F]);
        finds("a BIGINT", &19_075_550_171_i64.to_le_bytes());
        finds("an integer", &19_075_550_171_i64.to_be_bytes());
        finds("a voice", &[b"riff", VOICE].concat());
        finds("a voice in hex", b"\\x49443303 4944330300ff206120766f696365208081");
        finds("bytes", format!("{VOICE:?}").as_bytes());
        finds("escaped bytes", format!("{:?}", bytes::Bytes::from_static(VOICE)).as_bytes());
    }

    /// What is near, and no secret, is not.
    #[test]
    fn what_is_no_secret_is_not_found() {
        for text in [
            "+19075550172",
            "+1 907 555 0170, +33 6 39 98 00 18",
            "Ada Byron",
            "cafe l'ete",
            "+33••••a1f0",
            "a80264179 80264179f",
            "802641790 180264179",
            "2026-11-23T02:18:28.907555Z",
            "1907 lines, 5550 words, 171 pages",
        ] {
            assert_eq!(secrets().find(text.as_bytes()), Found::new(), "{text}");
        }
        assert_eq!(secrets().find(&noise(3 << 20)), Found::new());
    }

    /// A number that lies across two pieces of a long file is found, at every place of the cut.
    #[test]
    fn the_cuts_of_a_file_hide_nothing() {
        let secrets = secrets();
        for planted in ["+19075550171", "+1 907 555 0171"] {
            for shift in 0..=planted.len() {
                let mut file = tempfile::tempfile().unwrap();
                file.write_all(&vec![b'~'; CHUNK - shift]).unwrap();
                file.write_all(planted.as_bytes()).unwrap();
                file.write_all(b"~").unwrap();
                std::io::Seek::rewind(&mut file).unwrap();
                assert!(!secrets.find_in(file).is_empty(), "{planted}, {shift} before the cut");
            }
        }
        let drip = Drip(Cursor::new(b"call 907-555-0171 now".to_vec()));
        assert!(!secrets.find_in(drip).is_empty());
    }
}
