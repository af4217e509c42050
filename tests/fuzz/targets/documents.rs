//! Every renderer: what another's parser reads back is the plan, verb by verb and value by value.
//!
//! Input: what `plans::answer` reads.

use std::{collections::BTreeMap, time::Duration};

use entremise::carrier::{
    Plan,
    links::Step,
    plan::{Answer, Connect, Prompt, Reply, Script, Sound, Then, Whisper},
};
use http::header::CONTENT_TYPE;
use quick_xml::{Reader, XmlVersion, escape::resolve_predefined_entity, events::Event};
use serde_json::{Value, json};

use super::{
    adapters::{SANDBOX, TWILIO},
    input::Input,
    plans::answer,
};

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let answer = answer(&mut input);
    twiml(&answer, &TWILIO.carrier.reply(&answer, &TWILIO.links));
    steps(&answer, &SANDBOX.carrier.reply(&answer, &SANDBOX.links));
}

/// An element with its attributes, words and elements.
#[derive(Debug, Default, PartialEq, Eq)]
struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
    words: String,
    inside: Vec<Self>,
}

fn element(name: &str, attributes: &[(&str, &str)], inside: Vec<Element>) -> Element {
    let attributes = attributes.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Element { name: name.to_owned(), attributes, words: String::new(), inside }
}

/// What XML can hold of a text: no control character, and one kind of line's end (XML 1.0 §2.2,
/// §2.11).
fn kept(text: &str) -> String {
    let legal = |c: &char| matches!(c, '\t' | '\n' | '\r') || !c.is_control();
    let legal: String =
        text.chars().filter(legal).filter(|c| !matches!(c, '\u{fffe}' | '\u{ffff}')).collect();
    legal.replace("\r\n", "\n").replace('\r', "\n")
}

fn say(prompt: &Prompt) -> Element {
    // In an attribute white space is a space (XML 1.0 §3.3.3).
    let language = kept(&prompt.language).replace(['\n', '\t'], " ");
    let text: String = prompt.text.chars().take(4096).collect();
    Element { words: kept(&text), ..element("Say", &[("language", &language)], Vec::new()) }
}

fn twiml(answer: &Answer, reply: &Reply) {
    assert!(reply.commands.is_empty());
    let Answer::Plan(plan) = answer else {
        let status = if *answer == Answer::Ack { 200 } else { 503 };
        return assert_eq!(reply.response.status, status);
    };
    assert_eq!(reply.response.status, 200);
    assert!(reply.response.headers[CONTENT_TYPE].to_str().unwrap().starts_with("text/xml"));
    let hangup = || element("Hangup", &[], Vec::new());
    let verbs = match plan {
        Plan::Reject(reason) => {
            let busy = *reason == entremise::carrier::plan::RejectReason::Busy;
            let reason = if busy { "busy" } else { "rejected" };
            vec![element("Reject", &[("reason", reason)], Vec::new())]
        }
        Plan::Announce(prompt) => vec![say(prompt), hangup()],
        Plan::Connect(plan) => {
            plan.announce.iter().map(say).chain([dial(plan, plan.announce.is_some())]).collect()
        }
        Plan::Script(plan) => script(plan),
        Plan::Whisper(plan) => whisper(plan),
        Plan::Proceed => Vec::new(),
        Plan::Hangup => vec![hangup()],
    };
    let body = std::str::from_utf8(&reply.response.body).expect("UTF-8");
    assert_eq!(read(body), element("Response", &[], verbs), "{body}");
}

fn script(plan: &Script) -> Vec<Element> {
    let links = &TWILIO.links;
    let post = ("method", "POST");
    let last = match &plan.then {
        Then::Hangup => element("Hangup", &[], Vec::new()),
        Then::Ask => Element {
            words: links.turn(Step::Played, &plan.leg, plan.turn),
            ..element("Redirect", &[post], Vec::new())
        },
        Then::Keys(keys) => {
            let action = links.turn(Step::Keys, &plan.leg, plan.turn);
            let timeout = (keys.timeout.as_millis() / 1000).clamp(1, 120).to_string();
            let finish = keys.finish.map(String::from).unwrap_or_default();
            let attributes = [
                ("input", "dtmf"),
                ("action", &*action),
                post,
                ("timeout", &timeout),
                ("numDigits", &keys.digits_max.to_string()),
                ("finishOnKey", &finish),
                ("actionOnEmptyResult", "true"),
            ];
            element("Gather", &attributes, keys.prompts.iter().map(heard).collect())
        }
        Then::Connect(plan) => dial(plan, true),
        Then::Record(record) => {
            let action = links.turn(Step::Recorded, &plan.leg, plan.turn);
            let seconds = |length: Duration| (length.as_millis() / 1000).clamp(1, 300).to_string();
            let attributes = [
                ("action", &*action),
                post,
                ("maxLength", &seconds(record.longest)),
                ("finishOnKey", &record.finish.to_string()),
                ("playBeep", "true"),
                ("recordingStatusCallback", &action),
                ("recordingStatusCallbackMethod", "POST"),
                ("timeout", &seconds(record.silence)),
            ];
            let verbs = [
                element("Record", &attributes, Vec::new()),
                element("Hangup", &[], Vec::new()),
            ];
            return plan.sounds.iter().map(heard).chain(verbs).collect();
        }
    };
    plan.sounds.iter().map(heard).chain([last]).collect()
}

fn heard(sound: &Sound) -> Element {
    match sound {
        Sound::Say(prompt) => say(prompt),
        Sound::Play(address) => {
            Element { words: kept(address), ..element("Play", &[], Vec::new()) }
        }
        Sound::Pause(length) => {
            let length = (length.as_millis() / 1000).clamp(1, 180).to_string();
            element("Pause", &[("length", &length)], Vec::new())
        }
    }
}

/// A call that something was played on is answered already.
fn dial(plan: &Connect, answered: bool) -> Element {
    if plan.to.is_empty() {
        return element("Hangup", &[], Vec::new());
    }
    let seconds = |ms: u128, most: u128| (ms / 1000).clamp(1, most).to_string();
    let ring = seconds(plan.ring_timeout.as_millis(), 600);
    let most = seconds(plan.duration_max.as_millis(), 14_400);
    let done = TWILIO.links.turn(Step::Dialled, &plan.leg, plan.turn);
    let mut attributes = vec![
        ("action", &*done),
        ("method", "POST"),
        ("timeout", &ring),
        ("timeLimit", &most),
        ("callerId", plan.caller_id.as_str()),
    ];
    if !answered {
        attributes.push(("answerOnBridge", "true"));
    }
    let numbers = plan.to.iter().take(10).map(|target| {
        let screen = TWILIO.links.step(Step::Whisper, &target.leg);
        let status = TWILIO.links.leg_status(&target.leg);
        let mut attributes = vec![
            ("statusCallback", &*status),
            ("statusCallbackMethod", "POST"),
            ("statusCallbackEvent", "initiated ringing answered completed"),
        ];
        if plan.screen {
            attributes.extend([("url", &*screen), ("method", "POST")]);
        }
        let words = target.number.expose().to_owned();
        Element { words, ..element("Number", &attributes, Vec::new()) }
    });
    element("Dial", &attributes, numbers.collect())
}

fn whisper(plan: &Whisper) -> Vec<Element> {
    let mut verbs: Vec<Element> = plan.say.iter().map(say).collect();
    if let Some(prompt) = &plan.accept {
        let action = TWILIO.links.step(Step::Keys, &plan.leg);
        let timeout = if plan.optional { "5" } else { "10" };
        let mut attributes =
            vec![("numDigits", "1"), ("action", &*action), ("method", "POST"), ("timeout", timeout)];
        if plan.optional {
            // Who need not accept is put through without a key, and that is for us to say.
            attributes.push(("actionOnEmptyResult", "true"));
        }
        verbs.push(element("Gather", &attributes, vec![say(prompt)]));
        verbs.push(element("Hangup", &[], Vec::new()));
    }
    verbs
}

/// The document's tree; anything but elements and words is a fault.
fn read(body: &str) -> Element {
    let mut reader = Reader::from_str(body);
    reader.config_mut().check_end_names = true;
    let mut open = vec![Element::default()];
    loop {
        let event = reader.read_event().expect("well-formed XML");
        let words = match event {
            Event::Start(tag) => {
                open.push(started(&tag));
                continue;
            }
            Event::Empty(tag) => {
                open.last_mut().unwrap().inside.push(started(&tag));
                continue;
            }
            Event::End(_) => {
                let done = open.pop().unwrap();
                open.last_mut().expect("more ends than starts").inside.push(done);
                continue;
            }
            Event::Text(text) => text.xml10_content().into_owned(),
            Event::GeneralRef(name) => resolve_predefined_entity(&name.xml10_content())
                .expect("an entity of XML")
                .to_owned(),
            Event::Decl(_) => continue,
            Event::Eof => break,
            other => panic!("neither an element nor words: {other:?}"),
        };
        open.last_mut().unwrap().words.push_str(&words);
    }
    let [root] = <[_; 1]>::try_from(open).expect("an element is not closed");
    assert!(root.words.is_empty(), "words outside of the document");
    let [document] = <[_; 1]>::try_from(root.inside).expect("one document");
    document
}

fn started(tag: &quick_xml::events::BytesStart<'_>) -> Element {
    let attributes = tag.attributes().map(|attribute| {
        let attribute = attribute.expect("well-formed attributes");
        let value = attribute.normalized_value(XmlVersion::Explicit1_0).expect("a value of XML");
        (attribute.key.as_ref().to_owned(), value.into_owned())
    });
    Element {
        name: tag.name().as_ref().to_owned(),
        attributes: attributes.collect(),
        ..Element::default()
    }
}

/// The sandbox's documents are JSON: exactly these members and no other.
fn steps(answer: &Answer, reply: &Reply) {
    assert!(reply.commands.is_empty());
    let Answer::Plan(plan) = answer else {
        let status = if *answer == Answer::Ack { 204 } else { 503 };
        return assert_eq!(reply.response.status, status);
    };
    let links = &SANDBOX.links;
    let say = |prompt: &Prompt| json!({ "do": "say", "text": prompt.text, "language": prompt.language });
    let hangup = || json!({ "do": "hang_up" });
    let steps: Vec<Value> = match plan {
        Plan::Reject(reason) => {
            let reason = format!("{reason:?}").to_ascii_lowercase();
            vec![json!({ "do": "reject", "reason": reason })]
        }
        Plan::Announce(prompt) => vec![say(prompt), hangup()],
        Plan::Connect(plan) => {
            let announce = plan.announce.iter().map(say);
            let last = if plan.to.is_empty() { hangup() } else { connect(plan) };
            announce.chain([last]).collect()
        }
        Plan::Script(plan) => acts(plan),
        Plan::Whisper(plan) => {
            let ask = plan.accept.as_ref().map(|prompt| {
                json!({ "do": "ask", "text": prompt.text, "language": prompt.language,
                    "timeout_ms": if plan.optional { 5_000 } else { 10_000 }, "keys_url": links.step(Step::Keys, &plan.leg) })
            });
            plan.say.as_ref().map(say).into_iter().chain(ask).collect()
        }
        Plan::Proceed => Vec::new(),
        Plan::Hangup => vec![hangup()],
    };
    let document: Value = serde_json::from_slice(&reply.response.body).expect("JSON");
    assert_eq!(document, json!({ "steps": steps }));
}

fn acts(plan: &Script) -> Vec<Value> {
    let sound = |sound: &Sound| match sound {
        Sound::Say(prompt) => {
            json!({ "do": "say", "text": prompt.text, "language": prompt.language })
        }
        Sound::Play(address) => json!({ "do": "play", "url": address }),
        Sound::Pause(length) => json!({ "do": "pause", "length_ms": millis(*length) }),
    };
    let url = |step| SANDBOX.links.turn(step, &plan.leg, plan.turn);
    let last = match &plan.then {
        Then::Hangup => json!({ "do": "hang_up" }),
        Then::Ask => json!({ "do": "next", "url": url(Step::Played) }),
        Then::Keys(keys) => json!({
            "do": "gather",
            "prompts": keys.prompts.iter().map(sound).collect::<Vec<_>>(),
            "timeout_ms": millis(keys.timeout),
            "digits_max": keys.digits_max,
            "finish": keys.finish,
            "keys_url": url(Step::Keys),
        }),
        Then::Connect(plan) if plan.to.is_empty() => json!({ "do": "hang_up" }),
        Then::Connect(plan) => connect(plan),
        Then::Record(record) => json!({
            "do": "record",
            "longest_ms": millis(record.longest),
            "finish": record.finish,
            "recorded_url": url(Step::Recorded),
        }),
    };
    plan.sounds.iter().map(sound).chain([last]).collect()
}

/// JSON readers keep every digit of it.
fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap().min((1 << 53) - 1)
}

fn connect(plan: &Connect) -> Value {
    let ms = |ms: u128, most: u64| u64::try_from(ms).unwrap().clamp(1000, most);
    let to: Vec<Value> = plan.to.iter().map(|target| {
        let mut one = json!({
            "number": target.number.expose(),
            "status_url": SANDBOX.links.leg_status(&target.leg),
        });
        if plan.screen {
            one["answer_url"] = SANDBOX.links.step(Step::Whisper, &target.leg).into();
        }
        one
    }).collect();
    json!({
        "do": "connect",
        "caller_id": plan.caller_id.as_str(),
        "to": to,
        "ring_timeout_ms": ms(plan.ring_timeout.as_millis(), 600_000),
        "duration_max_ms": ms(plan.duration_max.as_millis(), 14_400_000),
        "done_url": SANDBOX.links.turn(Step::Dialled, &plan.leg, plan.turn),
    })
}
