//! TwiML that a marketplace answers with: read strictly, and cut into turns.
//!
//! Of Twilio's verbs those that make sense where a caller is in no session: Say, Play, Pause, Gather,
//! Dial, Number, Redirect, Reject, Hangup and Message (<https://www.twilio.com/docs/voice/twiml>,
//! <https://www.twilio.com/docs/messaging/twiml>). Others are passed over.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::{carrier::element::Element, domain::message::BODY_CHARS_MAX};

/// The most elements of a document, how deep they lie, and the longest of addresses, in bytes.
const ELEMENTS_MAX: usize = 100;
const DEPTH_MAX: usize = 6;
const URL_MAX: usize = 4000;
/// How often a `loop` is played at most; Twilio's 0 is for ever.
const LOOPS_MAX: usize = 10;
/// The most characters of one `<Say>`.
const SAY_CHARS_MAX: usize = 4096;
/// The most keys that are waited for where a `<Gather>` does not say.
const KEYS_MAX: u32 = 32;
/// The most sounds of one turn.
const SOUNDS_MAX: usize = 15;
/// How many people one `<Dial>` rings.
const NUMBERS_MAX: usize = 10;

/// Where a document says that the next one is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::relay) struct Target {
    pub(in crate::relay) url: String,
    pub(in crate::relay) get: bool,
}

/// One verb.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::relay) enum Verb {
    Say { text: String, language: Option<String> },
    Play(String),
    Pause { seconds: u64 },
    Gather(Gather),
    Dial(Dial),
    Redirect(Target),
    Reject { busy: bool },
    Hangup,
    Message(String),
}

/// What `<Gather>` waits for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::relay) struct Gather {
    pub(in crate::relay) prompts: Vec<Verb>,
    pub(in crate::relay) timeout_s: u64,
    pub(in crate::relay) digits_max: u32,
    pub(in crate::relay) finish: Option<char>,
    /// Asked with the keys.
    pub(in crate::relay) action: Target,
    /// And without any.
    pub(in crate::relay) without_keys: bool,
}

/// Whom `<Dial>` rings.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::relay) struct Dial {
    pub(in crate::relay) numbers: Vec<String>,
    pub(in crate::relay) caller_id: Option<String>,
    pub(in crate::relay) timeout_s: u64,
    pub(in crate::relay) limit_s: Option<u64>,
    /// Asked once it is over; else the document goes on.
    pub(in crate::relay) action: Option<Target>,
}

/// What a turn ends with.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::relay) enum End {
    Hangup,
    Reject {
        busy: bool,
    },
    Gather(Gather),
    Dial(Dial),
    Redirect(Target),
    /// There is more to hear than fits into one turn.
    More,
}

/// What Twilio's attributes mean.
impl Element {
    fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.attribute(name)?.trim().parse().ok()
    }

    fn is(&self, name: &str) -> bool {
        self.attribute(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    fn target(&self, url: &str, base: &Url) -> Option<Target> {
        let get = self.attribute("method").is_some_and(|method| method.eq_ignore_ascii_case("get"));
        Some(Target { url: resolve(base, url)?, get })
    }

    fn action(&self, base: &Url) -> Option<Target> {
        self.target(self.attribute("action").filter(|url| !url.is_empty())?, base)
    }
}

/// The address that `url` means in a document of `base`.
fn resolve(base: &Url, url: &str) -> Option<String> {
    let url = base.join(url.trim()).ok()?;
    let text = String::from(url.clone());
    (matches!(url.scheme(), "http" | "https") && text.len() <= URL_MAX).then_some(text)
}

/// Reads a document that came from `base`; `None` for what is none.
pub(super) fn read(base: &str, body: &[u8]) -> Option<Vec<Verb>> {
    let base = Url::parse(base).ok()?;
    let root = Element::read(std::str::from_utf8(body).ok()?, ELEMENTS_MAX, DEPTH_MAX)?;
    if root.name != "Response" {
        return None;
    }
    let mut verbs = Vec::new();
    for element in &root.inside {
        verbs.extend(verb(element, &base)?);
    }
    Some(verbs)
}

/// The verbs that an element means: one, one many times, or none. `None` for one that is wrong.
fn verb(element: &Element, base: &Url) -> Option<Vec<Verb>> {
    let one = match element.name.as_str() {
        "Say" => {
            let text: String = element.text().chars().take(SAY_CHARS_MAX).collect();
            let language = element.attribute("language").map(str::to_owned);
            return Some(again(
                element,
                (!text.is_empty()).then_some(Verb::Say { text, language }),
            ));
        }
        "Play" => {
            // Keys to be played into the call are no sound for a caller.
            let url = element.text();
            let sound = if url.is_empty() { None } else { Some(Verb::Play(resolve(base, url)?)) };
            return Some(again(element, sound));
        }
        "Pause" => Verb::Pause { seconds: element.number("length").unwrap_or(1) },
        "Gather" => Verb::Gather(gather(element, base)?),
        "Dial" => Verb::Dial(dial(element, base)?),
        "Redirect" => {
            let here = base.as_str();
            let url = Some(element.text()).filter(|url| !url.is_empty()).unwrap_or(here);
            Verb::Redirect(element.target(url, base)?)
        }
        "Reject" => Verb::Reject { busy: element.attribute("reason") == Some("busy") },
        "Hangup" => Verb::Hangup,
        "Message" | "Sms" => {
            let body = element.inside.iter().find(|inside| inside.name == "Body");
            let words = body.map_or(element.text(), |body| body.text());
            let words: String = words.chars().take(BODY_CHARS_MAX).collect();
            return Some(Some(Verb::Message(words)).filter(is_said).into_iter().collect());
        }
        _ => {
            tracing::warn!("a marketplace's document has a verb that is not supported");
            return Some(Vec::new());
        }
    };
    Some(vec![one])
}

fn is_said(verb: &Verb) -> bool {
    !matches!(verb, Verb::Message(words) if words.is_empty())
}

fn again(element: &Element, sound: Option<Verb>) -> Vec<Verb> {
    let times = match element.number("loop") {
        Some(0) => LOOPS_MAX,
        times => times.unwrap_or(1).min(LOOPS_MAX),
    };
    sound.map_or_else(Vec::new, |sound| vec![sound; times])
}

fn gather(element: &Element, base: &Url) -> Option<Gather> {
    let mut prompts = Vec::new();
    for inside in &element.inside {
        if matches!(inside.name.as_str(), "Say" | "Play" | "Pause") {
            prompts.extend(verb(inside, base)?);
        }
    }
    prompts.truncate(SOUNDS_MAX);
    let finish = match element.attribute("finishOnKey") {
        None => Some('#'),
        Some(key) => key.chars().next().filter(|key| "0123456789*#".contains(*key)),
    };
    let here = Target { url: base.as_str().to_owned(), get: false };
    Some(Gather {
        prompts,
        timeout_s: element.number("timeout").unwrap_or(5).clamp(1, 120),
        digits_max: element.number("numDigits").unwrap_or(KEYS_MAX).clamp(1, KEYS_MAX),
        finish,
        action: element.action(base).unwrap_or(here),
        without_keys: element.is("actionOnEmptyResult"),
    })
}

fn dial(element: &Element, base: &Url) -> Option<Dial> {
    let inside = element.inside.iter().filter(|inside| inside.name == "Number");
    let numbers = std::iter::once(element.text()).chain(inside.map(Element::text));
    let numbers: Vec<String> =
        numbers.filter(|number| !number.is_empty()).map(str::to_owned).collect();
    if numbers.len() > NUMBERS_MAX {
        return None;
    }
    Some(Dial {
        numbers,
        caller_id: element.attribute("callerId").map(str::to_owned),
        timeout_s: element.number("timeout").unwrap_or(30).clamp(1, 600),
        limit_s: element.number("timeLimit"),
        action: element.action(base),
    })
}

/// The next turn of what is left of a document: what is heard, what ends it, and what is left then.
pub(in crate::relay) fn turn(verbs: Vec<Verb>) -> (Vec<Verb>, End, Vec<Verb>) {
    let mut sounds = Vec::new();
    let mut left = verbs.into_iter();
    while let Some(verb) = left.next() {
        let end = match verb {
            Verb::Say { .. } | Verb::Play(_) | Verb::Pause { .. } => {
                if sounds.len() == SOUNDS_MAX {
                    let rest = std::iter::once(verb).chain(left).collect();
                    return (sounds, End::More, rest);
                }
                sounds.push(verb);
                continue;
            }
            Verb::Message(_) => continue,
            Verb::Reject { busy } if sounds.is_empty() => End::Reject { busy },
            // A call that has heard something was answered and can't be rejected.
            Verb::Hangup | Verb::Reject { .. } => End::Hangup,
            Verb::Gather(gather) => End::Gather(gather),
            Verb::Dial(dial) => End::Dial(dial),
            Verb::Redirect(target) => End::Redirect(target),
        };
        return (sounds, end, left.collect());
    }
    (sounds, End::Hangup, Vec::new())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE: &str = "https://m.example/voice/in?x=1";

    fn document(inside: &str) -> Option<Vec<Verb>> {
        let text =
            format!(r#"<?xml version="1.0" encoding="UTF-8"?><Response>{inside}</Response>"#);
        read(BASE, text.as_bytes())
    }

    fn post(url: &str) -> Target {
        Target { url: url.to_owned(), get: false }
    }

    /// Every verb with what it may carry.
    #[test]
    fn verbs_are_read() {
        let verbs = document(
            r#"<!-- hours --><Say language="fr-FR" loop="2"> A &amp; B &#233; <![CDATA[<C>]]></Say>
            <Play>hold.mp3</Play><Pause/><Pause length="7"/>
            <Gather numDigits="4" timeout="9" finishOnKey="" action="/pin?a=1&amp;b=2" method="GET"
                actionOnEmptyResult="true"><Say>PIN?</Say></Gather>
            <Dial callerId="+14155550150" timeout="12" timeLimit="60" action="done">
                <Number url="/w">+14155550101</Number><Number>+14155550102</Number></Dial>
            <Dial>+14155550103</Dial><Redirect>https://other.example/next</Redirect>
            <Redirect/><Reject reason="busy"/><Reject/><Hangup/><Record/>
            <Message>Hello</Message><Message><Body>Hi</Body><Media>x</Media></Message><Message/>"#,
        );
        let say = Verb::Say { text: "A & B é <C>".into(), language: Some("fr-FR".into()) };
        let expected = vec![
            say.clone(),
            say,
            Verb::Play("https://m.example/voice/hold.mp3".into()),
            Verb::Pause { seconds: 1 },
            Verb::Pause { seconds: 7 },
            Verb::Gather(Gather {
                prompts: vec![Verb::Say { text: "PIN?".into(), language: None }],
                timeout_s: 9,
                digits_max: 4,
                finish: None,
                action: Target { url: "https://m.example/pin?a=1&b=2".into(), get: true },
                without_keys: true,
            }),
            Verb::Dial(Dial {
                numbers: vec!["+14155550101".into(), "+14155550102".into()],
                caller_id: Some("+14155550150".into()),
                timeout_s: 12,
                limit_s: Some(60),
                action: Some(post("https://m.example/voice/done")),
            }),
            Verb::Dial(Dial {
                numbers: vec!["+14155550103".into()],
                caller_id: None,
                timeout_s: 30,
                limit_s: None,
                action: None,
            }),
            Verb::Redirect(post("https://other.example/next")),
            Verb::Redirect(post(BASE)),
            Verb::Reject { busy: true },
            Verb::Reject { busy: false },
            Verb::Hangup,
            Verb::Message("Hello".into()),
            Verb::Message("Hi".into()),
        ];
        assert!(verbs == Some(expected));
    }

    /// Whatever is no such document is none: nothing of it is done.
    #[test]
    fn anything_else_is_refused() {
        let many = "<Say>x</Say>".repeat(ELEMENTS_MAX);
        let deep = format!("{}{}", "<Gather>".repeat(DEPTH_MAX), "</Gather>".repeat(DEPTH_MAX));
        for inside in [
            "<Say>x",
            "<Say>x</Play>",
            "<Say a=1>x</Say>",
            "&unknown;",
            "<?php ?>",
            "<Redirect>ftp://m.example/</Redirect>",
            "<Play>javascript:x</Play>",
            &many,
            &deep,
        ] {
            assert!(document(inside).is_none(), "{inside}");
        }
        for text in [
            "",
            "Hello",
            "<Response/><Response/>",
            "<response/>",
            r#"<!DOCTYPE x [<!ENTITY a "b">]><Response><Say>&a;</Say></Response>"#,
        ] {
            assert!(read(BASE, text.as_bytes()).is_none(), "{text}");
        }
        assert!(read(BASE, &[0xff, 0xfe]).is_none());
        assert!(read(BASE, b"<Response/>").is_some_and(|verbs| verbs.is_empty()));
    }

    /// A turn ends where somebody must be asked or rung; what follows is kept.
    #[test]
    fn turns() {
        let verbs = document("<Say>a</Say><Gather/><Say>b</Say>").unwrap();
        let (sounds, end, rest) = turn(verbs);
        assert!(sounds.len() == 1 && matches!(end, End::Gather(_)) && rest.len() == 1);
        let (sounds, end, rest) = turn(rest);
        assert!(sounds.len() == 1 && end == End::Hangup && rest.is_empty());
        let (_, end, _) = turn(document("<Reject reason=\"busy\"/>").unwrap());
        assert!(end == End::Reject { busy: true });
        let (_, end, _) = turn(document("<Say>a</Say><Reject/>").unwrap());
        assert!(end == End::Hangup);
        let long = document(&"<Say loop=\"10\">a</Say>".repeat(2)).unwrap();
        let (sounds, end, rest) = turn(long);
        assert!(sounds.len() == 15 && end == End::More && rest.len() == 5);
    }

    proptest! {
        /// Whatever a marketplace sends is read or refused, and what is read is bounded and ends.
        #[test]
        fn anything_is_bounded(parts in prop::collection::vec(part(), 0..40), cut in 0..400_usize) {
            let text = format!("<Response>{}</Response>", parts.concat());
            let cut = text.char_indices().nth(cut).map_or(&*text, |(at, _)| &text[..at]);
            for text in [&*text, cut] {
                let Some(mut left) = read(BASE, text.as_bytes()) else { continue };
                let mut turns = 0;
                while !left.is_empty() {
                    let (sounds, _, rest) = turn(left);
                    prop_assert!(sounds.len() <= SOUNDS_MAX);
                    left = rest;
                    turns += 1;
                    prop_assert!(turns <= ELEMENTS_MAX * LOOPS_MAX);
                }
            }
        }
    }

    /// An element, a half of one, or what stands between them.
    fn part() -> impl Strategy<Value = String> {
        const TAG: &str = "(Say|Play|Pause|Gather|Dial|Number|Redirect|Reject|Hangup|Message|X)";
        const ATTRIBUTE: &str =
            r#"( (loop|timeout|numDigits|finishOnKey|action)="[0-9#/a]{0,4}")?"#;
        let text = |form: String| proptest::string::string_regex(&form).unwrap().boxed();
        prop_oneof![
            text(format!("<{TAG}{ATTRIBUTE}/>")),
            text(format!("<{TAG}{ATTRIBUTE}>[a-z/]{{0,9}}")),
            text(format!("</{TAG}>")),
            text("[a-z /<&;#x0-9]{0,12}".to_owned()),
            Just("<!-- x --><![CDATA[<y>]]>&#65;&lt;".to_owned()).boxed(),
        ]
    }
}
