//! Reads XML that somebody else wrote, whole and within bounds.

use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
};

/// One element of a document.
#[derive(Debug, Default)]
pub struct Element {
    /// Its name, with any prefix.
    pub name: String,
    /// Its attributes, in order.
    pub attributes: Vec<(String, String)>,
    /// The words directly inside it, joined.
    pub words: String,
    /// The elements directly inside it, in order.
    pub inside: Vec<Self>,
}

impl Element {
    /// The root of a document of at most `most` elements that lie at most `deep` deep; `None` for any
    /// other, and for what is not well-formed. No entity is expanded but XML's own.
    pub fn read(text: &str, most: usize, deep: usize) -> Option<Self> {
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_end_names = true;
        let mut open = vec![Self::default()];
        let mut elements = 0;
        loop {
            match reader.read_event().ok()? {
                Event::Start(tag) => {
                    elements += 1;
                    open.push(started(&tag)?);
                }
                Event::Empty(tag) => {
                    elements += 1;
                    let done = started(&tag)?;
                    open.last_mut()?.inside.push(done);
                }
                Event::End(_) => {
                    let done = open.pop()?;
                    open.last_mut()?.inside.push(done);
                }
                Event::Text(text) => open.last_mut()?.words.push_str(&text.xml10_content()),
                Event::CData(text) => open.last_mut()?.words.push_str(&text.xml10_content()),
                Event::GeneralRef(name) => {
                    let character = name.resolve_char_ref().ok()?;
                    let text = match character {
                        Some(c) => c.to_string(),
                        None => resolve_predefined_entity(&name.xml10_content())?.to_owned(),
                    };
                    open.last_mut()?.words.push_str(&text);
                }
                Event::Decl(_) | Event::Comment(_) => {}
                // No document of ours needs them, and a type may name files and fill memory.
                Event::PI(_) | Event::DocType(_) => return None,
                Event::Eof => break,
            }
            if elements > most || open.len() > deep {
                return None;
            }
        }
        let root = open.pop().filter(|_| open.is_empty())?;
        let [document] = <[_; 1]>::try_from(root.inside).ok()?;
        Some(document)
    }

    /// An attribute's value.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The words directly inside it, without the white space around them.
    pub fn text(&self) -> &str {
        self.words.trim()
    }

    /// The elements directly inside it that have that name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.inside.iter().filter(move |one| one.name == name)
    }

    /// The words at the end of a path of names, nothing where it leads nowhere.
    pub fn at(&self, path: &[&str]) -> &str {
        let end = path.iter().try_fold(self, |one, name| one.all(name).next());
        end.map_or("", Self::text)
    }
}

fn started(tag: &BytesStart<'_>) -> Option<Element> {
    let attributes = tag.attributes().map(|attribute| {
        let attribute = attribute.ok()?;
        let value = attribute.normalized_value(XmlVersion::Explicit1_0).ok()?;
        Some((attribute.key.as_ref().to_owned(), value.into_owned()))
    });
    Some(Element {
        name: tag.name().as_ref().to_owned(),
        attributes: attributes.collect::<Option<_>>()?,
        ..Element::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "<?xml version=\"1.0\"?><A x=\"1&amp;2\"><!-- c --><B> one <C>in</C></B><B>two</B></A>";

    /// Elements, attributes and words are found by name, and paths that lead nowhere are empty.
    #[test]
    fn documents_are_read() {
        let root = Element::read(TEXT, 4, 4).unwrap();
        assert_eq!((root.name.as_str(), root.attribute("x")), ("A", Some("1&2")));
        assert_eq!(root.all("B").map(Element::text).collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!((root.at(&["B", "C"]), root.at(&["C"]), root.at(&["B", "B"])), ("in", "", ""));
    }

    /// What is larger or deeper than it may be, broken, or names files is not read.
    #[test]
    fn other_documents_are_not() {
        assert!(Element::read(TEXT, 3, 4).is_none());
        assert!(Element::read(TEXT, 4, 3).is_none());
        let entity = "<!DOCTYPE A [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><A>&e;</A>";
        for text in ["", "words", "<A>", "<A></B>", "<A/><A/>", "<A>&e;</A>", entity] {
            assert!(Element::read(text, 9, 9).is_none(), "{text}");
        }
    }
}
