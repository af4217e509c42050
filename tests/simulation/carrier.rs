//! The carrier of a story: it takes texts, well or badly, and remembers what it really sent.

use std::sync::{Arc, Mutex};

use entremise::{
    carrier::{
        Request, Response, SendError,
        error::{Retry, SendErrorKind},
        links,
    },
    clock::Clock,
    ids::LegId,
    relay::Transport,
};
use futures_util::future::BoxFuture;
use http::StatusCode;
use serde_json::{Value, json};

use crate::rng::Rng;

/// A text that reached its recipient's phone.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) id: String,
    pub(crate) leg: LegId,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) body: String,
}

/// How the carrier answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Taken,
    /// Taken, and the answer is lost on its way.
    TakenUnheard,
    /// Not taken: trouble at the carrier, of which nobody can say whether it was taken.
    Trouble,
    Throttled,
    /// Nothing listens.
    Unreachable,
    /// The recipient opted out.
    Refused,
}

#[derive(Debug)]
pub(crate) struct Carrier {
    rng: Mutex<Rng>,
    /// Whether everything works.
    pub(crate) well: Mutex<bool>,
    /// What was sent since it was last looked at, with the fate that it met.
    pub(crate) sent: Mutex<Vec<Sent>>,
    pub(crate) told: Mutex<Vec<String>>,
    /// What its list of messages shows, the newest first.
    record: Mutex<Vec<Value>>,
    clock: Clock,
    ids: Mutex<u64>,
}

impl Carrier {
    pub(crate) fn new(seed: u64, clock: &Clock) -> Arc<Self> {
        Arc::new(Self {
            rng: Mutex::new(Rng::new(seed)),
            well: Mutex::new(false),
            sent: Mutex::default(),
            told: Mutex::default(),
            record: Mutex::default(),
            clock: clock.clone(),
            ids: Mutex::new(0),
        })
    }

    fn fate(&self) -> Fate {
        let chance = self.rng.lock().unwrap().below(100);
        match chance {
            _ if *self.well.lock().unwrap() => Fate::Taken,
            0..8 => Fate::TakenUnheard,
            8..14 => Fate::Trouble,
            14..20 => Fate::Throttled,
            20..24 => Fate::Unreachable,
            24..27 => Fate::Refused,
            _ => Fate::Taken,
        }
    }

    fn take(&self, form: &[(String, String)]) -> String {
        let field = |name: &str| {
            let found = form.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let mut ids = self.ids.lock().unwrap();
        *ids += 1;
        let id = format!("SMf{:031x}", *ids);
        let callback = field("StatusCallback");
        let leg = links::read(callback.split_once('?').unwrap().1).leg.unwrap();
        let at = jiff::Timestamp::from_millisecond(self.clock.now().millis()).unwrap();
        let at = jiff::fmt::rfc2822::to_string(&at.to_zoned(jiff::tz::TimeZone::UTC)).unwrap();
        let entry = json!({
            "sid": id, "direction": "outbound-api", "status": "sent", "date_created": at,
            "from": field("From"), "to": field("To"), "body": field("Body"),
        });
        self.record.lock().unwrap().insert(0, entry);
        self.sent.lock().unwrap().push(Sent {
            id: id.clone(),
            leg,
            from: field("From"),
            to: field("To"),
            body: field("Body"),
        });
        id
    }
}

impl Transport for Carrier {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, SendError>> {
        let answer = |status: StatusCode, body: String| {
            Ok(Response::new(status, "application/json", body.into_bytes()))
        };
        let answered = if request.url.ends_with("/Messages.json") && request.method == "POST" {
            let form: Vec<_> = form_urlencoded::parse(&request.body).into_owned().collect();
            let fate = self.fate();
            self.told.lock().unwrap().push(format!("{fate:?}"));
            match fate {
                Fate::Taken => {
                    let id = self.take(&form);
                    answer(StatusCode::CREATED, format!(r#"{{"sid":"{id}","status":"queued"}}"#))
                }
                Fate::TakenUnheard => {
                    self.take(&form);
                    Err(SendError::new(SendErrorKind::Unreachable, Retry::Unknown))
                }
                Fate::Trouble => answer(StatusCode::INTERNAL_SERVER_ERROR, "{}".into()),
                Fate::Throttled => {
                    answer(StatusCode::TOO_MANY_REQUESTS, r#"{"code":20429}"#.into())
                }
                Fate::Unreachable => Err(SendError::new(
                    SendErrorKind::Unreachable,
                    Retry::After(std::time::Duration::from_secs(1)),
                )),
                Fate::Refused => answer(StatusCode::BAD_REQUEST, r#"{"code":21610}"#.into()),
            }
        } else if request.url.ends_with("/Calls.json") && request.method == "POST" {
            self.told.lock().unwrap().push("Called".into());
            answer(StatusCode::CREATED, format!(r#"{{"sid":"CAf{:031x}"}}"#, 1))
        } else if let Some((_, from)) =
            request.url.split_once("/Messages.json?").and_then(|(_, query)| {
                form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "From")
            })
            && (*self.well.lock().unwrap() || self.rng.lock().unwrap().below(100) < 80)
        {
            self.told.lock().unwrap().push("Listed".into());
            let record = self.record.lock().unwrap();
            let entries: Vec<&Value> = record.iter().filter(|one| one["from"] == *from).collect();
            answer(StatusCode::OK, json!({ "messages": entries }).to_string())
        } else {
            answer(StatusCode::SERVICE_UNAVAILABLE, "{}".into())
        };
        Box::pin(async move { answered })
    }
}
