//! A small XML writer: elements and attributes only, everything escaped, so that no text of ours
//! or of a caller can become a verb.

/// Writes one XML document.
#[derive(Debug)]
pub struct Document {
    text: String,
}

impl Document {
    /// A document with the XML declaration.
    pub fn new() -> Self {
        Self { text: String::from(r#"<?xml version="1.0" encoding="UTF-8"?>"#) }
    }

    /// Writes an element whose inside `inside` writes; an empty inside closes it at once.
    pub fn element(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        inside: impl FnOnce(&mut Self),
    ) {
        self.text.push('<');
        self.text.push_str(name);
        for (key, value) in attributes {
            self.text.push(' ');
            self.text.push_str(key);
            self.text.push_str("=\"");
            self.escaped(value);
            self.text.push('"');
        }
        let start = self.text.len();
        self.text.push('>');
        inside(self);
        if self.text.len() == start + 1 {
            self.text.truncate(start);
            self.text.push_str("/>");
        } else {
            self.text.push_str("</");
            self.text.push_str(name);
            self.text.push('>');
        }
    }

    /// Writes words.
    pub fn words(&mut self, words: &str) {
        self.escaped(words);
    }

    /// The finished document.
    pub fn finish(self) -> String {
        self.text
    }

    fn escaped(&mut self, words: &str) {
        for c in words.chars() {
            match c {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                // XML 1.0 §2.2 knows no other control characters, escaped or not.
                c if c.is_control() && !matches!(c, '\t' | '\n' | '\r') => {}
                '\u{FFFE}' | '\u{FFFF}' => {}
                c => self.text.push(c),
            }
        }
    }
}

impl Default for Document {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words that look like verbs stay words.
    #[test]
    fn words_are_never_markup() {
        let mut doc = Document::new();
        doc.element("Response", &[], |doc| {
            doc.element("Say", &[("language", "en\"><Dial>")], |doc| {
                doc.words("</Say><Dial>1\u{7}");
            });
            doc.element("Hangup", &[], |_| {});
        });
        assert_eq!(
            doc.finish(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Say language=\"en&quot;&gt;&lt;Dial&gt;\">\
             &lt;/Say&gt;&lt;Dial&gt;1</Say><Hangup/></Response>"
        );
    }
}
