//! Cuts a folded text into words, digits and marks.

use super::{fold::Glyph, numbers};

/// What a piece of a text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// ASCII digits; letters that stand for some among them are digits already.
    Digits(String),
    /// A word of letters.
    Word(String),
    /// Anything else, one at a time.
    Mark(char),
}

/// A piece of a text: the glyphs `from..to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) what: What,
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Token {
    pub(super) fn word(&self) -> Option<&str> {
        match &self.what {
            What::Word(word) => Some(word),
            What::Digits(_) | What::Mark(_) => None,
        }
    }

    pub(super) fn digits(&self) -> Option<&str> {
        match &self.what {
            What::Digits(digits) => Some(digits),
            What::Word(_) | What::Mark(_) => None,
        }
    }

    pub(super) const fn mark(&self) -> Option<char> {
        match self.what {
            What::Mark(c) => Some(c),
            What::Digits(_) | What::Word(_) => None,
        }
    }

    pub(super) fn is_space(&self) -> bool {
        self.mark().is_some_and(|c| matches!(c, ' ' | '\n'))
    }
}

/// Cuts.
pub(super) fn tokens(glyphs: &[Glyph]) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut from = 0;
    while let Some(glyph) = glyphs.get(from) {
        if glyph.c.is_alphanumeric() {
            let more = glyphs[from..].iter().take_while(|glyph| glyph.c.is_alphanumeric()).count();
            run(glyphs, from, from + more, &mut tokens);
            from += more;
        } else {
            tokens.push(Token { what: What::Mark(glyph.c), from, to: from + 1 });
            from += 1;
        }
    }
    joined(&tokens)
}

/// One run of letters and digits.
fn run(glyphs: &[Glyph], from: usize, to: usize, tokens: &mut Vec<Token>) {
    let text: String = glyphs[from..to].iter().map(|glyph| glyph.c).collect();
    let has_digit = text.bytes().any(|b| b.is_ascii_digit());
    let has_letter = text.chars().any(|c| !c.is_ascii_digit());
    let what = match (has_digit, has_letter) {
        (true, false) => Some(What::Digits(text)),
        (false, _) => Some(What::Word(text)),
        (true, true) => alike(&text).map(What::Digits).or_else(|| spelled(&text).map(What::Word)),
    };
    if let Some(what) = what {
        tokens.push(Token { what, from, to });
        return;
    }
    let mut at = from;
    for piece in glyphs[from..to].chunk_by(|a, b| a.c.is_ascii_digit() == b.c.is_ascii_digit()) {
        let text: String = piece.iter().map(|glyph| glyph.c).collect();
        let is_digits = piece[0].c.is_ascii_digit();
        let what = if is_digits { What::Digits(text) } else { What::Word(text) };
        tokens.push(Token { what, from: at, to: at + piece.len() });
        at += piece.len();
    }
}

/// The digits of a run whose letters all look like digits, such as `o6`.
fn alike(text: &str) -> Option<String> {
    // "5s5" is meant; "5s" are seconds.
    let long = text.bytes().filter(u8::is_ascii_digit).count() >= 2;
    text.chars()
        .map(|c| match c {
            '0'..='9' => Some(c),
            'o' => Some('0'),
            'l' | 'i' => Some('1'),
            's' if long => Some('5'),
            _ => None,
        })
        .collect()
}

/// The number word of a run in which digits stand for letters, such as `s1x`.
fn spelled(text: &str) -> Option<String> {
    ['i', 'l'].into_iter().find_map(|one| {
        let word: String = text
            .chars()
            .map(|c| match c {
                '0' => 'o',
                '1' => one,
                '3' => 'e',
                '4' => 'a',
                '5' => 's',
                '7' => 't',
                c => c,
            })
            .collect();
        numbers::number(&word).map(|_| word)
    })
}

/// Puts number words together whose letters stand apart, such as `z e r o`.
fn joined(tokens: &[Token]) -> Vec<Token> {
    let is_single = |token: &Token| token.word().is_some_and(|word| word.chars().count() == 1);
    let mut out: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        // Letters at every other place, with one mark between.
        let mut end = at;
        while is_single(&tokens[end])
            && tokens.get(end + 1).is_some_and(|mark| mark.mark().is_some())
            && tokens.get(end + 2).is_some_and(is_single)
        {
            end += 2;
        }
        let word: String = tokens[at..=end].iter().filter_map(Token::word).collect();
        if end > at + 2 && numbers::numbers(&word).is_some() {
            let (from, to) = (tokens[at].from, tokens[end].to);
            out.push(Token { what: What::Word(word), from, to });
        } else {
            out.extend_from_slice(&tokens[at..=end]);
        }
        at = end + 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{super::fold::fold, *};

    fn read(text: &str) -> Vec<String> {
        let tokens = tokens(&fold(text)).into_iter();
        tokens
            .map(|token| match token.what {
                What::Digits(text) => format!("#{text}"),
                What::Word(text) => text,
                What::Mark(c) => c.to_string(),
            })
            .collect()
    }

    /// Letters between digits are digits, digits in a word are letters, and the rest comes apart.
    #[test]
    fn runs_are_read() {
        assert_eq!(read("O6 l2"), ["#06", " ", "#12"]);
        assert_eq!(read("f1ve"), ["five"]);
        assert_eq!(read("0six"), ["#0", "six"]);
        assert_eq!(read("12x5"), ["#12", "x", "#5"]);
        assert_eq!(read("z e r o 6"), ["zero", " ", "#6"]);
        assert_eq!(read("a b 6"), ["a", " ", "b", " ", "#6"]);
    }
}
