//! Two carriers and a store of files that a relay stands between, with a picture that hides something.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, extract::State, response::IntoResponse as _};
use entremise::{
    config::{CarrierConfig, Config, Rates},
    domain::budget::Budget,
    domain::{policy::Rules, session::Mode},
    store::interactions::Interaction,
};
use http::{HeaderMap, Method, StatusCode, Uri};
use image::{Rgb, RgbImage, codecs::jpeg::JpegEncoder};
use tokio::{net::TcpListener, sync::Notify};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::{
    dialect::{Asked, StandIn},
    fake,
    market::{Market, Opened},
    over_telnyx, receiver,
    support::{self, Database, World},
};

/// What stands in a picture beside its pixels.
pub(crate) const HIDDEN: &[&[u8]] = &[b"GPSLatitude48.8583", b"Jane Doe", b"behind the end"];

/// A photograph with a place, a name, and more behind its end.
pub(crate) fn photograph() -> Vec<u8> {
    let mut plain = Vec::new();
    let picture = RgbImage::from_pixel(40, 20, Rgb([200, 30, 30]));
    JpegEncoder::new(&mut plain).encode_image(&picture).unwrap();
    let note = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\0GPSLatitude48.8583 Jane Doe";
    let length = u16::try_from(note.len() + 2).unwrap().to_be_bytes();
    let (start, rest) = plain.split_at(2);
    [start, &[0xff, 0xe1], &length, note, rest, b"behind the end"].concat()
}

pub(crate) fn holds(bytes: &[u8], words: &[u8]) -> bool {
    bytes.windows(words.len()).any(|window| window == words)
}

/// What a host does with a GET.
#[derive(Clone)]
pub(crate) enum Serve {
    File(Vec<u8>),
    Status(u16),
    To(String),
    /// The same as a file, once somebody says so; it tells that it was asked.
    Held(Arc<Notify>, Arc<Notify>, Vec<u8>),
}

/// A request that a host got.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) authorization: Option<String>,
}

#[derive(Default)]
struct Script {
    files: BTreeMap<String, VecDeque<Serve>>,
    seen: Vec<Seen>,
}

/// A web server: a carrier's API, its store of files, or a stranger's.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    script: Arc<Mutex<Script>>,
    _server: Arc<AbortOnDropHandle<()>>,
}

impl Host {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::<Mutex<Script>>::default();
        let router = Router::new().fallback(serve).with_state(Arc::clone(&script));
        let served = async move { fake::axum_serve(listener, router).await };
        let server = AbortOnDropHandle::new(TaskTracker::new().spawn(served));
        Self { address, script, _server: Arc::new(server) }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it does at a path, in order; the last for ever. The address.
    pub(crate) fn serves(&self, path: &str, what: impl IntoIterator<Item = Serve>) -> String {
        let what = what.into_iter().collect();
        self.script.lock().unwrap().files.insert(path.to_owned(), what);
        self.url(path)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.script.lock().unwrap().seen.clone()
    }
}

async fn serve(
    State(script): State<Arc<Mutex<Script>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> axum::response::Response {
    let what = {
        let mut script = script.lock().unwrap();
        let authorization = headers.get("authorization").map(|v| v.to_str().unwrap().to_owned());
        script.seen.push(Seen { line: format!("{method} {}", uri.path()), authorization });
        let files = script.files.get_mut(uri.path());
        files.and_then(|all| if all.len() > 1 { all.pop_front() } else { all.front().cloned() })
    };
    let file = match what {
        Some(Serve::File(bytes)) => bytes,
        Some(Serve::Held(asked, go, bytes)) => {
            asked.notify_one();
            go.notified().await;
            bytes
        }
        Some(Serve::Status(status)) => {
            return StatusCode::from_u16(status).unwrap().into_response();
        }
        Some(Serve::To(url)) => {
            return (StatusCode::TEMPORARY_REDIRECT, [("location", url)]).into_response();
        }
        None => return StatusCode::NOT_FOUND.into_response(),
    };
    // A type that is a lie.
    ([("content-type", "text/html")], file).into_response()
}

/// Twilio's side, whose API is a host of ours; Telnyx' side; and a store of files that both may name.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) market: Market,
    pub(crate) session: Opened,
    pub(crate) twilio: Host,
    pub(crate) cdn: Host,
    pub(crate) telnyx: StandIn,
    pub(crate) count: Mutex<usize>,
}

impl Stage {
    pub(crate) async fn open(database: &Database) -> Self {
        Self::with(database, Rules::new("Bikes".into()), |_| ()).await
    }

    pub(crate) async fn with(
        database: &Database,
        rules: Rules,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let (twilio, cdn) = (Host::start().await, Host::start().await);
        let telnyx = StandIn::start(&over_telnyx::DIALECT).await;
        let mut config = support::settings(database);
        config.allow_sandbox = true;
        config.egress_allow = vec![cdn.address];
        config.carriers.push(CarrierConfig {
            id: "twilio".into(),
            kind: "twilio".into(),
            api_base: Some(twilio.url("")),
            rates: Rates::default(),
            budget: Budget::default(),
            buying: false,
            fallback_url: None,
            values: fake::values(),
        });
        config.carriers.push(telnyx.entry());
        change(&mut config);
        let world = World::with(config).await;
        let market = Market::over(&["twilio", "telnyx"], &world, 2, rules).await;
        let session = market.pinned([0, 1], Mode::MessageOnly).await.unwrap();
        Self { world, market, session, twilio, cdn, telnyx, count: Mutex::new(0) }
    }

    /// Where Twilio has a file of this account.
    pub(crate) fn at_twilio(name: &str) -> String {
        format!("/2010-04-01/Accounts/{}/Messages/MM1/Media/{name}", fake::ACCOUNT)
    }

    /// The buyer texts over Twilio, with files at these addresses; everything that follows is done.
    pub(crate) async fn text(&self, words: &str, media: &[&str]) {
        self.webhook(words, media).await;
        self.world.running.jobs.idle().await;
    }

    pub(crate) async fn webhook(&self, words: &str, media: &[&str]) {
        let sid = {
            let mut count = self.count.lock().unwrap();
            *count += 1;
            format!("MM{:032x}", *count)
        };
        let (number, names) = (
            media.len().to_string(),
            (0..media.len()).map(|n| format!("MediaUrl{n}")).collect::<Vec<_>>(),
        );
        let mut fields = vec![
            ("MessageSid", &*sid),
            ("From", self.market.people[0].number.expose()),
            ("To", self.session.dials[0].expose()),
            ("Body", words),
            ("NumMedia", &number),
        ];
        fields.extend(names.iter().map(String::as_str).zip(media.iter().copied()));
        let answer = fake::webhook(&self.world, "/hooks/twilio/message", &fields).await;
        assert_eq!(answer.status, StatusCode::OK);
    }

    /// The one text that the seller's carrier was asked to send since the last time.
    pub(crate) fn sent(&self) -> Asked {
        let mut asked = self.telnyx.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked.pop().unwrap()
    }

    pub(crate) fn media_of(asked: &Asked) -> Vec<String> {
        let body = asked.json();
        let list = body["media_urls"].as_array().into_iter().flatten();
        list.map(|one| one.as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn fetch(&self, method: &str, url: &str) -> support::Answered {
        let path = url.strip_prefix(&self.world.running.origin).unwrap();
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.world.running.address.to_string())
            .body(http_body_util::Full::default())
            .unwrap();
        support::request(self.world.running.address, request).await
    }

    /// The latest text in the log.
    pub(crate) async fn last(&self) -> Interaction {
        support::interactions(&self.world).await.into_iter().next().unwrap()
    }

    /// Every reason for which files were not passed on so far.
    pub(crate) async fn reasons(&self) -> Vec<String> {
        let path = "/events?type=media.refused&limit=100".to_owned();
        let events = receiver::done(&self.world, "GET", &path, None).await;
        let data = events["data"].as_array().unwrap().clone();
        let mut reasons: Vec<String> = data
            .iter()
            .flat_map(|one| one["data"]["reasons"].as_array().unwrap().clone())
            .map(|reason| reason.as_str().unwrap().to_owned())
            .collect();
        reasons.sort();
        reasons
    }

    pub(crate) async fn end(self, database: Database) {
        self.world.running.shutdown().await;
        database.drop().await;
    }
}
