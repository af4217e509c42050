//! Finds e-mail addresses and links, written or said.

use std::ops::Range;

use super::{
    tokens::{Token, What},
    words,
};

/// A text with where its capitals are: a capital behind a dot begins a sentence.
pub(super) struct Reader<'a> {
    pub(super) tokens: &'a [Token],
    /// Whether the token at that place begins with a capital.
    pub(super) capital: &'a dyn Fn(usize) -> bool,
}

/// How many labels of a name, and how many tokens before a sign, are read: longer ones cost more than
/// they are worth.
const LABELS_MAX: usize = 10;
const LOCAL_MAX: usize = 64;

/// How sure a joint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joint {
    /// The sign itself, nothing around it.
    Sign,
    /// A word or brackets that mean nothing else, or the sign with blanks around.
    Sure,
    /// A word that has other meanings.
    Perhaps,
}

impl Reader<'_> {
    fn mark(&self, at: usize) -> Option<char> {
        self.tokens.get(at).and_then(Token::mark)
    }

    fn word(&self, at: usize) -> Option<&str> {
        self.tokens.get(at).and_then(Token::word)
    }

    /// Letters or digits, as they are compared.
    fn text(&self, at: usize) -> Option<&str> {
        match &self.tokens.get(at)?.what {
            What::Digits(text) | What::Word(text) => Some(text),
            What::Mark(_) => None,
        }
    }

    fn past_spaces(&self, mut at: usize) -> usize {
        while self.mark(at) == Some(' ') {
            at += 1;
        }
        at
    }

    /// A sign or one of these words in brackets or between blanks, from `at` on; where it ends.
    fn joint(
        &self,
        at: usize,
        sign: char,
        sure: &[&str],
        perhaps: &[&str],
    ) -> Option<(usize, Joint)> {
        let start = self.past_spaces(at);
        let bracket = self.mark(start).is_some_and(|c| "([{<_*".contains(c));
        let inner = if bracket { self.past_spaces(start + 1) } else { start };
        let is_sign = self.mark(inner) == Some(sign);
        let word = self.word(inner).unwrap_or_default();
        let mut end = inner + 1;
        if bracket {
            end = self.past_spaces(end);
            if !self.mark(end).is_some_and(|c| ")]}>_*".contains(c)) {
                return None;
            }
            end += 1;
        }
        let next = self.past_spaces(end);
        let joint = match (is_sign, bracket) {
            (true, false) if start == at && next == end => Joint::Sign,
            (true, _) => Joint::Sure,
            (false, true) if sure.contains(&word) || perhaps.contains(&word) => Joint::Sure,
            (false, false) if sure.contains(&word) => Joint::Sure,
            (false, false) if perhaps.contains(&word) && start > at && next > end => Joint::Perhaps,
            _ => return None,
        };
        Some((next, joint))
    }

    /// A dot between the labels of a name, from `at` on, and where it ends. A said one goes with
    /// certain ends only.
    fn dot(&self, at: usize) -> Option<(usize, Joint, &'static [&'static str])> {
        if let Some((end, joint)) = self.joint(at, '.', &[], &[]) {
            return Some((end, joint, &[]));
        }
        words::DOTS.iter().find_map(|(word, ends)| {
            let (end, joint) = self.joint(at, '\0', &[], &[word])?;
            Some((end, joint, *ends))
        })
    }

    /// A label of a name: letters, digits and hyphens; where it ends.
    fn label(&self, at: usize) -> Option<usize> {
        self.text(at)?;
        let mut end = at + 1;
        while end < at + LOCAL_MAX {
            if self.text(end).is_some() {
                end += 1;
            } else if matches!(self.mark(end), Some('-')) && self.text(end + 1).is_some() {
                end += 2;
            } else {
                break;
            }
        }
        Some(end)
    }

    /// A name on the net from `at` on: where it ends, and its last label and how it is joined.
    fn host(&self, at: usize) -> Option<Host> {
        let mut end = self.label(at)?;
        let mut host = Host { end, tld: at, joint: Joint::Sign, labels: 1, said: false };
        while let Some((next, joint, ends)) = self.dot(end).filter(|_| host.labels < LABELS_MAX) {
            let Some(after) = self.label(next) else { break };
            let said = !ends.is_empty();
            let tld = self.text(next).unwrap_or_default();
            let is_end = if said { ends.contains(&tld) } else { is_tld(tld) };
            // A dot with a blank behind it ends a sentence, but before what can only be a name's end.
            let goes_on = after == next + 1
                && self.dot(after).is_some_and(|dot| self.text(dot.0).is_some_and(is_tld));
            let spaced = joint != Joint::Sign && !said;
            if (said || spaced) && !is_end && !goes_on {
                break;
            }
            if spaced
                && is_end
                && self.mark(next - 1) == Some(' ')
                && !SPACED.contains(&tld)
                && !goes_on
            {
                break;
            }
            end = after;
            let joint = if said || spaced { Joint::Sure } else { joint };
            host = Host { end, tld: next, joint, labels: host.labels + 1, said: host.said || said };
        }
        (host.labels > 1).then_some(host)
    }

    /// The e-mail addresses, as ranges of tokens.
    pub(super) fn emails(&self) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let one = if self.text(at).is_some() { self.email(at) } else { None };
            if let Some(one) = one {
                at = one.end;
                found.push(one);
            } else {
                at += 1;
            }
        }
        found
    }

    /// The address whose local part ends with the token at `last`.
    fn email(&self, last: usize) -> Option<Range<usize>> {
        let (next, joint) = self.joint(last + 1, '@', words::AT, words::PERHAPS_AT)?;
        let end = self.mail_host(next, joint)?;
        let mut from = last;
        // Back over what belongs to the name before the sign.
        while last - from < LOCAL_MAX {
            let before = |back: usize| from.checked_sub(back);
            let dotted = before(2).filter(|at| {
                let joint = self.mark(at + 1).is_some_and(|c| "._-+".contains(c));
                joint && self.text(*at).is_some()
            });
            let glued = before(1).filter(|at| self.text(*at).is_some());
            let said = before(4).filter(|at| {
                let word = self.word(at + 2).unwrap_or_default();
                let dot = words::DOTS.iter().any(|(dot, _)| *dot == word);
                let spaces = self.mark(at + 1) == Some(' ') && self.mark(at + 3) == Some(' ');
                dot && spaces && self.text(*at).is_some()
            });
            let single = before(2).filter(|at| {
                let short = |at: usize| self.text(at).is_some_and(|text| text.len() == 1);
                self.mark(at + 1) == Some(' ') && short(*at) && short(from)
            });
            match dotted.or(glued).or(said).or(single) {
                Some(at) => from = at,
                None => break,
            }
        }
        Some(from..end)
    }

    /// The host of an address, or a provider that needs no end.
    fn mail_host(&self, at: usize, joint: Joint) -> Option<usize> {
        let provider = self.word(at).is_some_and(|word| words::PROVIDERS.contains(&word));
        if let Some(host) = self.host(at) {
            let tld = self.text(host.tld).unwrap_or_default();
            let letters = tld.len() >= 2 && tld.bytes().all(|b| b.is_ascii_lowercase());
            let known = is_tld(tld);
            let sure = match joint {
                Joint::Sign => letters,
                Joint::Sure => known,
                // "I was at the shop.it is closed": only with a said dot, or a known provider.
                Joint::Perhaps => known && (host.said || provider),
            };
            if sure {
                return Some(host.end);
            }
        }
        // "john@gmail com"
        let spaced = self.mark(at + 1) == Some(' ')
            && self.word(at + 2).is_some_and(|word| SPACED.contains(&word));
        if joint != Joint::Perhaps && spaced && self.word(at).is_some() {
            return Some(at + 3);
        }
        provider.then_some(at + 1)
    }

    /// The links, as ranges of tokens.
    pub(super) fn links(&self) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            match self.link(at) {
                Some(one) if one.end > at => {
                    at = one.end;
                    match found.last_mut() {
                        Some(last) if one.start < last.end => last.end = one.end,
                        _ => found.push(one),
                    }
                }
                _ => at += 1,
            }
        }
        found
    }

    fn link(&self, at: usize) -> Option<Range<usize>> {
        // The scheme's end is the surest sign, whatever stands before it.
        if self.mark(at) == Some(':')
            && self.mark(at + 1) == Some('/')
            && self.mark(at + 2) == Some('/')
        {
            let end = self.to_space(at + 3);
            return (end > at + 3).then(|| self.scheme(at)..end);
        }
        self.text(at)?;
        let glued = at.checked_sub(1).and_then(|at| self.text(at));
        if glued.is_some() {
            return None;
        }
        let before = at.checked_sub(1).and_then(|at| self.mark(at));
        if before.is_some_and(|c| "@.-_".contains(c)) && at > 1 && self.text(at - 2).is_some() {
            return None;
        }
        let host = self.host(at)?;
        let tld = self.text(host.tld).unwrap_or_default();
        let path = self.mark(host.end) == Some('/') && self.text(host.end + 1).is_some();
        let www = self.word(at) == Some("www");
        let name = self.text(at).unwrap_or_default();
        let known = HOSTS.contains(&(name, tld)) && host.labels == 2;
        let letters = (at..host.tld).filter_map(|at| self.word(at)).any(|word| word.len() > 1);
        let article = host.labels == 2 && words::ARTICLES.contains(&name);
        let plain = if host.said {
            !article
        } else if words::TLDS.contains(&tld) {
            letters
        } else if words::WORDY_TLDS.contains(&tld) {
            let bare = !words::BARELY_TLDS.contains(&tld) && host.joint == Joint::Sign;
            letters && (path || (bare && !(self.capital)(host.tld)))
        } else {
            false
        };
        let is_link = www || known || plain;
        is_link.then(|| at..if path { self.to_space(host.end) } else { host.end })
    }

    fn to_space(&self, mut at: usize) -> usize {
        while self.tokens.get(at).is_some_and(|token| !token.is_space()) {
            at += 1;
        }
        at
    }

    /// Where the scheme begins whose colon is at `at`: letters, also with blanks between.
    fn scheme(&self, at: usize) -> usize {
        let mut from = at;
        while let Some(before) = from.checked_sub(1).filter(|_| at - from < LOCAL_MAX) {
            let single = |at: usize| self.text(at).is_some_and(|text| text.len() == 1);
            if self.text(before).is_some() && (from == at || single(before)) {
                from = before;
            } else if self.mark(before) == Some(' ')
                && single(from)
                && before.checked_sub(1).is_some_and(single)
            {
                from = before - 1;
            } else {
                break;
            }
        }
        from
    }
}

struct Host {
    end: usize,
    tld: usize,
    joint: Joint,
    labels: usize,
    said: bool,
}

fn is_tld(word: &str) -> bool {
    words::TLDS.contains(&word) || words::WORDY_TLDS.contains(&word)
}

/// Ends of names that nobody writes behind a full stop and a blank.
const SPACED: [&str; 11] = ["com", "net", "org", "info", "io", "uk", "fr", "es", "de", "me", "eu"];

/// Short names that lead to people.
const HOSTS: [(&str, &str); 9] = [
    ("t", "me"),
    ("wa", "me"),
    ("m", "me"),
    ("fb", "me"),
    ("paypal", "me"),
    ("x", "com"),
    ("g", "co"),
    ("youtu", "be"),
    ("t", "co"),
];
