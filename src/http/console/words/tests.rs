//! What the words of the console must hold together, in each language.

use super::*;
use crate::{
    domain::{
        audit::Action,
        call::CallState,
        content::{ContentKind, Fate},
        event::EventKind,
        interaction::Outcome,
        message::MessageState,
        number_move::{MoveState, Why as MoveWhy},
        opt_out::{Scope, Source},
        phone::Registration,
        pool::{ChosenBy, Rule},
        recording::{RecordingLoss, RecordingState},
        report::{Category, Decision},
        session::{ClosedReason, Mode, State},
    },
    relay::{CarrierState, HeardKind, Trouble},
    store::{
        blocks::BlockedBy,
        media::{MediaState, Purpose},
        outbox::{OutboxKind, OutboxState},
    },
};

const RECEIPTS: [Receipt; 3] = [Receipt::None, Receipt::Delivered, Receipt::Undelivered];

fn outcomes() -> impl Iterator<Item = Option<Outcome>> {
    Outcome::ALL.iter().copied().map(Some).chain([None])
}

/// Everything that the tables say in a language, in one order.
fn all(language: Language) -> Vec<&'static str> {
    let mut words = Vec::new();
    for kind in Kind::ALL {
        words.push(states::kind(language, *kind));
        for one in Reason::ALL {
            let why = reason(language, *one, *kind);
            words.extend([why.title, why.cause, why.who, why.next]);
        }
        for end in outcomes() {
            for receipt in RECEIPTS {
                let (chip, sentence) = ending(language, *kind, end, receipt);
                words.extend([chip.word, sentence]);
            }
        }
    }
    for count in [1, 2] {
        words.extend(outcomes().map(|end| counted(language, end, count).word));
        words.push(undelivered(language, count).word);
    }
    words.extend(Outcome::ALL.iter().map(|one| outcome(language, *one)));
    words.extend(EventKind::ALL.iter().map(|one| event(language, one.as_str()).unwrap()));
    words.extend(State::ALL.iter().map(|one| state(language, *one).word));
    words.extend(Mode::ALL.iter().map(|one| mode(language, *one)));
    words.extend(ClosedReason::ALL.iter().map(|one| closed(language, *one)));
    let texts = MessageState::ALL.iter().map(|one| one.as_str());
    words.extend(texts.map(|one| leg_state(language, Kind::Message, one)));
    let calls = CallState::ALL.iter().map(|one| one.as_str());
    words.extend(calls.map(|one| leg_state(language, Kind::Call, one)));
    words.push(leg_state(language, Kind::Call, "of tomorrow"));
    words.extend(of_the_way(language));
    words.extend(of_numbers(language));
    words
}

/// What is said of the way of a call or text, and of what touched a session.
fn of_the_way(language: Language) -> Vec<&'static str> {
    let mut words = Vec::new();
    for one in [Stage::Webhook, Stage::Decision, Stage::Request, Stage::Answer, Stage::Receipt] {
        words.push(stage(language, one));
    }
    words.extend(Kind::ALL.iter().map(|one| told_us(language, *one)));
    words.extend(OutboxKind::ALL.iter().map(|one| request(language, *one)));
    words.extend(OutboxState::ALL.iter().filter_map(|one| request_state(language, *one)));
    for kind in [
        HeardKind::Busy,
        HeardKind::Declined,
        HeardKind::Ended,
        HeardKind::Rings,
        HeardKind::Keys,
        HeardKind::Records,
        HeardKind::GoesOn,
    ] {
        words.extend([true, false].map(|said| heard(language, kind, said)));
    }
    words.extend(Fate::ALL.iter().map(|one| fate(language, *one)));
    words.extend(ContentKind::ALL.iter().map(|one| content(language, *one)));
    for purpose in Purpose::ALL {
        words.extend(MediaState::ALL.iter().map(|one| file(language, *purpose, *one)));
    }
    words.extend(RecordingState::ALL.iter().map(|one| recording(language, *one)));
    words.extend(RecordingLoss::ALL.iter().map(|one| loss(language, *one)));
    words.extend(BlockedBy::ALL.iter().map(|one| blocked_by(language, *one)));
    words.extend(Source::ALL.iter().map(|one| opted_out(language, *one)));
    words.extend(Scope::ALL.iter().map(|one| reach(language, *one)));
    words.extend(Category::ALL.iter().map(|one| category(language, *one)));
    words.extend(Decision::ALL.iter().map(|one| decision(language, *one)));
    words
}

/// What is said of numbers and of how they are chosen.
fn of_numbers(language: Language) -> Vec<&'static str> {
    let mut words = vec![chosen_by(language, None)];
    words.extend(ChosenBy::ALL.iter().map(|one| chosen_by(language, Some(*one))));
    words.extend(Rule::ALL.iter().map(|one| rule(language, *one)));
    words.extend(Registration::ALL.iter().map(|one| registration(language, *one)));
    words.extend(MoveState::ALL.iter().map(|one| move_state(language, *one).word));
    words.extend(MoveWhy::ALL.iter().map(|one| move_why(language, *one)));
    words.extend([&CALLS[..], &TEXTS[..]].concat().iter().map(|(_, one)| say(language, *one)));
    words.extend(CarrierState::ALL.iter().map(|one| carrier_state(language, *one).word));
    words.extend(Trouble::ALL.iter().map(|one| trouble(language, *one)));
    words
}

/// Every reason has a title, a cause, somebody to act and a next step of its own: no two titles
/// are the same, so that no arm of the tables above catches another's reason.
#[test]
fn every_reason_is_told_apart() {
    for language in Language::ALL {
        for kind in Kind::ALL {
            let mut titles: Vec<&str> =
                Reason::ALL.iter().map(|one| reason(*language, *one, *kind).title).collect();
            titles.sort_unstable();
            titles.dedup();
            assert_eq!(titles.len(), Reason::ALL.len());
        }
        for one in Reason::ALL {
            let why = reason(*language, *one, Kind::Call);
            for text in [why.cause, why.next] {
                assert!(text.ends_with('.'), "{text}");
            }
        }
    }
}

/// No two events, and no two states of a leg, are told alike.
#[test]
fn events_and_states_are_told_apart() {
    for language in Language::ALL {
        let events = EventKind::ALL.iter().map(|one| event(*language, one.as_str()).unwrap());
        let texts = MessageState::ALL.iter().map(|one| one.as_str());
        let calls = CallState::ALL.iter().map(|one| one.as_str());
        for mut words in [
            events.collect::<Vec<_>>(),
            texts.map(|one| leg_state(*language, Kind::Message, one)).collect(),
            calls.map(|one| leg_state(*language, Kind::Call, one)).collect(),
        ] {
            let many = words.len();
            words.sort_unstable();
            words.dedup();
            assert_eq!(words.len(), many, "{words:?}");
        }
    }
    assert_eq!(event(Language::French, "session.of_tomorrow"), None);
}

/// Each action of the audit log is told in words of its own, and not in English to who reads French.
#[test]
fn actions_are_told_apart() {
    let told = |language| Action::ALL.iter().map(move |one| action(language, *one));
    for language in Language::ALL {
        let mut words: Vec<&str> = told(*language).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Action::ALL.len());
    }
    for (english, french) in told(Language::English).zip(told(Language::French)) {
        assert_ne!(english, french);
        assert!(!french.contains('\'') && !english.contains('\''), "{english}");
    }
}

/// How long a pool lasts is told in days, and why where that is not known.
#[test]
fn exhaustion_is_told() {
    let told = |language, days, known| exhaustion(language, days, known).1;
    assert_eq!(told(Language::English, Some(1), 9), "1 day");
    assert_eq!(told(Language::French, Some(20), 9), "20 jours");
    assert_ne!(told(Language::French, None, 2), told(Language::French, None, 3));
    assert_eq!(exhaustion(Language::English, Some(0), 3).0, Some(Tone::Bad));
}

/// French is not English, nothing is left to be filled in, and both are set as they are printed:
/// curly apostrophes, and in French no line that breaks before a mark of two parts.
#[test]
fn each_language_has_its_own_words() {
    let (english, french) = (all(Language::English), all(Language::French));
    assert_eq!(english.len(), french.len());
    for (english, french) in english.into_iter().zip(french) {
        assert_ne!(english, french);
        for words in [english, french] {
            assert!(!words.trim().is_empty() && words.trim() == words, "{words:?}");
            assert!(!words.contains(['\'', '{', '}', '`', '"']), "{words}");
            assert!(!words.contains("TODO") && !words.contains("  "), "{words}");
        }
        for mark in [':', ';', '?', '!', '»'] {
            for (at, _) in french.match_indices(mark) {
                assert!(french[..at].ends_with('\u{a0}'), "{french}");
            }
        }
        assert!(!french.replace("«\u{a0}", "").contains('«'), "{french}");
        assert!(!english.contains(['«', '\u{a0}']), "{english}");
    }
}
