//! Asks a marketplace what somebody gets who is in no session, where its service says so.
//!
//! The question goes out between two transactions, never inside one. The first finds that the
//! caller is in no session and is undone; the second decides, with the advice, and commits. So of
//! two copies of one webhook that are handled at once both may ask, under the same id, and the
//! first that commits decides for both: the other finds its answer in the inbox (I10).

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::{
    Relay,
    budgets::Spending,
    error::Error,
    inbound::{Event, Refused},
    signed::{Post, standard},
    twilio_proxy::{self, Ask, Document, Passage, Verdict, Wanted},
};
use crate::{
    domain::{
        interaction::{Kind, Reason},
        phone::Caller,
        policy::{OutOfSession, is_language, is_said},
        time::Timestamp,
    },
    egress,
    ids::{AccountId, hex},
    privacy::webhook::WebhookSecret,
    store::Tx,
    telemetry::metrics,
};

/// How long a marketplace may take over a call: the caller hears nothing meanwhile, and carriers
/// wait for fifteen seconds.
const CALL_MAX: Duration = Duration::from_secs(3);
/// And over a text: a carrier that waits for two seconds must still get its answer.
const TEXT_MAX: Duration = Duration::from_secs(1);
/// The longest answer, in bytes.
const ANSWER_MAX: usize = 4096;
/// How many questions of one account may be open at once.
const OPEN_MAX: usize = 8;

/// What a marketplace is asked.
#[derive(Clone)]
pub struct Question {
    account: AccountId,
    asks: Asks,
}

/// What about, and in whose form.
#[derive(Clone)]
pub(super) enum Asks {
    /// What a stranger gets, in ours.
    Stranger(Box<Stranger>),
    /// The same in Twilio's.
    Document(Box<Ask>),
    /// Whether a call or text may go through, in Twilio's.
    Passage(Box<Passage>),
}

/// A question in our own form.
#[derive(Clone)]
pub(super) struct Stranger {
    kind: Kind,
    url: String,
    secret: WebhookSecret,
    /// The same for every copy of the carrier's event.
    id: String,
    at: Timestamp,
    body: String,
}

impl Question {
    pub(super) const fn new(account: AccountId, asks: Asks) -> Self {
        Self { account, asks }
    }
}

impl fmt::Debug for Question {
    // The address may hold a secret of the marketplace's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").field("account", &self.account).finish_non_exhaustive()
    }
}

/// What the marketplace has said so far of one call or text.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    /// What a stranger gets.
    pub(super) stranger: Option<Advice>,
    /// Whether it goes through.
    pub(super) verdict: Option<Verdict>,
    /// How often it was asked.
    pub(super) questions: u32,
    /// What is over its budget.
    pub(super) spending: Spending,
}

/// What a marketplace answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Advice {
    /// Say this to the caller, in that language or the number's.
    Announce(String, Option<String>),
    /// Turn the caller away.
    Reject,
    /// Ring the service's own line.
    Forward,
    /// Send this back to whoever texted.
    Reply(String),
    /// Send nothing back.
    Silence,
    /// Do what this says.
    Document(Document),
    /// Make this session, and put them through.
    Create(Box<Wanted>),
    /// Look again: they have a session by now.
    Route,
    /// Nothing that can be used: what the service has without being asked.
    Default,
}

/// What the marketplace advised, where its service asks: an [`Error::Ask`] until it was asked.
/// What comes from one of our own numbers is not asked about: it is never relayed (I6).
pub(super) fn advice<'a>(
    tx: &Tx,
    event: Event<'_>,
    refused: &Refused,
    given: Option<&'a Advice>,
) -> Result<Option<&'a Advice>, Error> {
    // Twilio's question was asked instead, before.
    if twilio_proxy::is_asked(refused) {
        return Ok(given);
    }
    let service = &refused.service;
    if service.rules.out_of_session != OutOfSession::Callback || refused.reason == Reason::Loop {
        return Ok(None);
    }
    let (None, Some(secret)) = (given, &service.callback_secret) else { return Ok(given) };
    Err(Error::Ask(Box::new(question(tx, event, refused, secret.clone()))))
}

/// Ids, and how the caller looks to the marketplace elsewhere; no number of theirs and no word.
fn question(tx: &Tx, event: Event<'_>, refused: &Refused, secret: WebhookSecret) -> Question {
    let named = format!("{}\0{}\0{}", event.carrier, event.kind.as_str(), event.id);
    let id = hex(&tx.keyring().sign("out-of-session", named.as_bytes())[..16]);
    let masked = match (event.from, refused.person()) {
        (Caller::Number(number), Some(person)) => Some(person.masked(number)),
        _ => None,
    };
    let (session, role) = refused.last_session();
    let (account, url) =
        (refused.account.clone(), refused.service.rules.out_of_session_url.clone());
    let body = json!({
        "id": id,
        "kind": event.kind.as_str(),
        "reason": refused.reason.as_str(),
        "service_id": refused.service.id,
        "proxy_number_id": refused.number.id,
        "proxy_number": refused.number.number.as_str(),
        "session_id": session,
        "role": role,
        "masked": masked,
    });
    let at = refused.now;
    let stranger = Stranger { kind: event.kind, url, secret, id, at, body: body.to_string() };
    Question::new(account, Asks::Stranger(Box::new(stranger)))
}

/// How many questions of each account are open.
#[derive(Debug, Clone, Default)]
pub(super) struct Open(Arc<Mutex<HashMap<AccountId, usize>>>);

/// One open question; it ends when this is dropped.
struct Asking<'a>(&'a Open, &'a AccountId);

impl Open {
    /// A place for one more, unless the account has its share: a marketplace that does not answer
    /// keeps no other waiting.
    fn begin<'a>(&'a self, account: &'a AccountId) -> Option<Asking<'a>> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(account.clone()).or_default();
        if *count >= OPEN_MAX {
            return None;
        }
        *count += 1;
        Some(Asking(self, account))
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut open = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(self.1) {
            *count -= 1;
            if *count == 0 {
                open.remove(self.1);
            }
        }
    }
}

impl Relay {
    /// Asks, once, and notes what was said. Whatever goes wrong, there is an answer in time, which
    /// `most` is for whatever has no time of its own.
    pub(super) async fn consult(&self, question: &Question, most: Duration, given: &mut Given) {
        let _asking = match (self.asking.begin(&question.account), &question.asks) {
            (Some(asking), _) => asking,
            (None, Asks::Passage(passage)) => return given.verdict = Some(passage.unasked()),
            (None, _) => return given.stranger = Some(advised(&question.account, Err("busy"))),
        };
        let said = match &question.asks {
            Asks::Passage(passage) => {
                return given.verdict = Some(self.intercept(passage, most).await);
            }
            Asks::Stranger(stranger) => self.ask_marketplace(stranger).await,
            Asks::Document(ask) => self.document(ask, most).await,
        };
        given.stranger = Some(advised(&question.account, said));
    }

    /// Asks whether a text may go through; `None` while as much is asked of its account as may be: it
    /// waits, since whoever sends enough at once would get past the question else.
    pub(super) async fn consult_on_text(
        &self,
        question: &Question,
        most: Duration,
    ) -> Option<Verdict> {
        let Asks::Passage(passage) = &question.asks else { return None };
        let _asking = self.asking_on_texts.begin(&question.account)?;
        Some(self.intercept(passage, most).await)
    }

    async fn ask_marketplace(&self, question: &Stranger) -> Result<Advice, &'static str> {
        let Stranger { url, id, at, secret, body, .. } = question;
        let post = Post {
            url,
            headers: standard(id, *at, &secret.sign(id, *at, body.as_bytes())),
            body: Bytes::from(body.clone()),
            deadline: match question.kind {
                Kind::Call => CALL_MAX,
                Kind::Message => TEXT_MAX,
            },
            answer_max: ANSWER_MAX,
        };
        let answer = self.post(post).await.map_err(egress::Failure::word)?;
        if answer.status != StatusCode::OK {
            return Err("status");
        }
        read(question.kind, &answer.body).ok_or("unreadable")
    }
}

/// Counts a question about a stranger; what was said, or what the service has without being asked.
fn advised(account: &AccountId, said: Result<Advice, &'static str>) -> Advice {
    let (advice, outcome) = match said {
        Ok(advice) => (advice, "answered"),
        Err(outcome) => (Advice::Default, outcome),
    };
    metrics::out_of_session_asked(outcome);
    if outcome != "answered" {
        tracing::warn!(%account, outcome, "a marketplace did not say what strangers get");
    }
    advice
}

#[derive(Deserialize)]
struct Said {
    action: String,
    text: Option<String>,
    language: Option<String>,
}

/// Reads an answer; `None` for whatever is none for this kind. Words obey the bounds that a
/// service's own obey.
fn read(kind: Kind, body: &[u8]) -> Option<Advice> {
    let said: Said = serde_json::from_slice(body).ok()?;
    let words = said.text.filter(|text| !text.trim().is_empty() && is_said(text));
    match (kind, &*said.action) {
        (Kind::Call, "announce") => {
            if said.language.as_deref().is_some_and(|language| !is_language(language)) {
                return None;
            }
            Some(Advice::Announce(words?, said.language))
        }
        (Kind::Call, "reject") => Some(Advice::Reject),
        (Kind::Call, "forward") => Some(Advice::Forward),
        (Kind::Message, "reply") => words.map(Advice::Reply),
        (Kind::Message, "none") => Some(Advice::Silence),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each kind has answers of its own; whatever else comes is no answer.
    #[test]
    fn answers_are_read_strictly() {
        let call = |body: &str| read(Kind::Call, body.as_bytes());
        let text = |body: &str| read(Kind::Message, body.as_bytes());
        let long = "x".repeat(301);
        assert_eq!(
            call(r#"{"action":"announce","text":"Hi","language":"fr-FR","more":1}"#),
            Some(Advice::Announce("Hi".into(), Some("fr-FR".into())))
        );
        assert_eq!(call(r#"{"action":"reject"}"#), Some(Advice::Reject));
        assert_eq!(call(r#"{"action":"forward"}"#), Some(Advice::Forward));
        assert_eq!(text(r#"{"action":"reply","text":"Hi"}"#), Some(Advice::Reply("Hi".into())));
        assert_eq!(text(r#"{"action":"none"}"#), Some(Advice::Silence));
        for body in [
            String::new(),
            "null".into(),
            "[]".into(),
            "{}".into(),
            r#"{"action":"none"}"#.into(),
            r#"{"action":"announce"}"#.into(),
            r#"{"action":"announce","text":" "}"#.into(),
            r#"{"action":"announce","text":"a\u0007"}"#.into(),
            r#"{"action":"announce","text":"Hi","language":"<Say>"}"#.into(),
            format!(r#"{{"action":"announce","text":"{long}"}}"#),
            r#"{"action":"forward"} {"action":"reject"}"#.into(),
        ] {
            assert_eq!(call(&body), None, "{body}");
        }
        for body in
            [r#"{"action":"reject"}"#, r#"{"action":"reply"}"#, r#"{"action":"reply","text":""}"#]
        {
            assert_eq!(text(body), None, "{body}");
        }
    }

    /// An account has a share of open questions, whatever another does, and gets it back.
    #[test]
    fn open_questions_are_bounded() {
        let open = Open::default();
        let [one, other] = [1, 2].map(|n| AccountId::parse(&format!("AC{n:032x}")).unwrap());
        let asked: Vec<_> = (0..OPEN_MAX).map(|_| open.begin(&one).unwrap()).collect();
        assert!(open.begin(&one).is_none());
        assert!(open.begin(&other).is_some());
        drop(asked);
        assert!(open.begin(&one).is_some());
        assert!(open.0.lock().unwrap().is_empty());
    }
}
