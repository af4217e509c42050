//! An account with sessions in which much has happened, and a browser at the console.

use std::{sync::Arc, time::Duration};

use axum::{Extension, Router, body::Body, response::Response};
use entremise::{
    carrier::event::{CallStatus, DialEnded, Inbound, InboundCall, InboundMessage, MessageStatus},
    clock::Clock,
    domain::{
        assurance::Attestation,
        call::CallState,
        message::{Body as Words, MessageState},
        phone::{Caller, Identifier, Permits, ProxyNumber},
        policy::{GeoMatch, MediaRule, Rules},
        pool::Capabilities,
        session::{ClosedReason, Mode},
        staff::{Rights, Role},
        time::Timestamp,
    },
    egress::Egress,
    http::{
        console::{self, ConsoleState},
        server::Arrival,
    },
    ids::{AccountId, Ids, RequestId, ServiceId, SessionId},
    privacy::{Keyring, MasterKey},
    relay::{
        self, AddParticipant, Carriers, Client, Invite, NewNumber, NewService, OpenSession, Relay,
    },
    store::{
        Db, DbOptions, Tx,
        interactions::{self, Filter, Interaction},
        legs::{self, Direction, Leg},
        sessions::Page,
    },
};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use tower::ServiceExt as _;

use crate::support::databases;

pub(crate) const BUYER: &str = "+14155550100";
pub(crate) const SELLER: &str = "+447700900123";
pub(crate) const OTHER_BUYER: &str = "+33639980017";
pub(crate) const STRANGER: &str = "+14155550177";
pub(crate) const PEOPLE: [&str; 4] = [BUYER, SELLER, OTHER_BUYER, STRANGER];
/// What people wrote, and what the marketplace calls them and notes: on no page.
pub(crate) const PRIVATE: [&str; 5] =
    ["by the fountain", "fine by me", "Ada Lovelace", "Grace Hopper", "ring twice"];
const PROXIES: [&str; 4] = ["+14155550150", "+14155550151", "+447700900900", "+33937000001"];

/// Runs a test on each engine.
pub(crate) async fn on_each<F: Future<Output = ()>>(test: impl Fn(World) -> F) {
    for database in databases().await {
        let world = World::start(&database.url).await;
        // A test may move out of its copy what it needs: the database runs until here.
        test(world.clone()).await;
        drop(world);
        database.drop().await;
    }
}

/// A relay without carriers: what they would say, the test says.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) relay: Relay,
    pub(crate) clock: Clock,
    pub(crate) account: AccountId,
    pub(crate) service: ServiceId,
    _stop: Arc<DropGuard>,
}

impl World {
    pub(crate) async fn start(url: &str) -> Self {
        let clock = Clock::manual(Timestamp::from_millis(1_795_252_727_000));
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let options = DbOptions {
            url: url.to_owned(),
            clock: clock.clone(),
            ids: Ids::default(),
            keyring: Arc::new(Keyring::new(MasterKey::generate())),
            connections: 4,
            permits: Permits::default(),
            bounds: std::sync::Arc::default(),
            ballast: 0,
        };
        let db = Db::open(options, &tracker, stop.clone()).await.unwrap();
        let relay = Relay::new(db, Carriers::new(Vec::new()), Client::new(), Egress::default());
        let account = relay.create_account("Velo Market").await.unwrap().account;
        let service = pool(&relay, &account).await;
        Self { relay, clock, account, service, _stop: Arc::new(stop.drop_guard()) }
    }

    /// The same world through another relay.
    pub(crate) fn through(&self, relay: Relay) -> Self {
        Self { relay, ..self.clone() }
    }

    /// The same world, of another account.
    pub(crate) fn of(&self, account: AccountId) -> Self {
        Self { account, ..self.clone() }
    }

    /// The console as a browser that is not logged in sees it.
    pub(crate) fn visitor(&self, secure: bool) -> Browser {
        let state = ConsoleState { relay: self.relay.clone(), secure, clock: self.clock.clone() };
        Browser { router: console::router(state), cookie: None }
    }

    /// The console as somebody sees it who may see that account, or all.
    pub(crate) async fn browser(&self, name: &str, account: Option<AccountId>) -> Browser {
        let rights = Some(Rights::of(Role::Admin));
        let invite = Invite { name: name.to_owned(), account, rights };
        self.invited(invite).await
    }

    /// The console as somebody sees it who came by a link.
    pub(crate) async fn invited(&self, invite: Invite) -> Browser {
        let link = self.relay.create_staff(invite).await.unwrap();
        let mut browser = self.visitor(false);
        let answer = browser.post("/console/login/link", &format!("code={link}")).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        browser.keep(&answer);
        browser
    }

    pub(crate) async fn open(&self, name: Option<&str>, buyer: &str, seller: &str) -> SessionId {
        let person = |number: &str, role: &str, name: &str| AddParticipant {
            identifier: Identifier::parse(number).unwrap(),
            role: Some(role.to_owned()),
            name: Some(name.to_owned()),
            number: None,
            pin: entremise::relay::PinWanted::Never,
        };
        let new = OpenSession {
            service: self.service.clone(),
            unique_name: name.map(str::to_owned),
            mode: Mode::VoiceAndMessage,
            ttl: None,
            date_expiry: None,
            recording: None,
            metadata: r#"{"note":"ring twice"}"#.to_owned(),
            participants: vec![
                person(buyer, "buyer", PRIVATE[2]),
                person(seller, "seller", PRIVATE[3]),
            ],
        };
        let account = self.account.clone();
        let opened = self.relay.db().write(move |tx| {
            let (account, new) = (account.clone(), new.clone());
            Box::pin(async move { relay::open(tx, &account, &new).await })
        });
        opened.await.unwrap().session.id
    }

    pub(crate) async fn close(&self, session: &SessionId) {
        let (account, session) = (self.account.clone(), session.clone());
        let closed = self.relay.db().write(move |tx| {
            let (account, session) = (account.clone(), session.clone());
            Box::pin(
                async move { relay::close(tx, &account, &session, ClosedReason::Api, None).await },
            )
        });
        closed.await.unwrap();
    }

    /// The proxy number that a role dials in a session.
    pub(crate) async fn dials(&self, session: &SessionId, role: &str) -> ProxyNumber {
        let mut tx = self.relay.db().read().await.unwrap();
        let view = relay::view(&mut tx, &self.account, session).await.unwrap();
        view.participants.into_iter().find(|one| one.role == role).unwrap().number
    }

    pub(crate) fn wait(&self, seconds: i64) {
        self.clock.advance(seconds * 1000);
    }

    async fn tell(&self, event: Inbound) {
        self.relay.handle("here", &event).await.unwrap();
    }

    /// A text comes in; what became of it so far.
    pub(crate) async fn text(&self, from: &str, to: &ProxyNumber, words: &str) -> Happened {
        self.text_with(from, to, words, Vec::new()).await
    }

    pub(crate) async fn text_with(
        &self,
        from: &str,
        to: &ProxyNumber,
        words: &str,
        media: Vec<String>,
    ) -> Happened {
        self.tell(Inbound::Message(InboundMessage {
            id: self.unique(),
            from: Caller::Number(Identifier::parse(from).unwrap()),
            to: to.clone(),
            body: Words::new(words.to_owned()),
            media,
            part: None,
        }))
        .await;
        self.last().await
    }

    /// A call comes in.
    pub(crate) async fn call(&self, from: Option<&str>, to: &ProxyNumber) -> Happened {
        let number = from.map(|from| Caller::Number(Identifier::parse(from).unwrap()));
        self.tell(Inbound::Call(InboundCall {
            attestation: Attestation::None,
            id: self.unique(),
            from: number.unwrap_or(Caller::Withheld),
            to: to.clone(),
        }))
        .await;
        self.last().await
    }

    /// News of the text that was passed on.
    pub(crate) async fn receipt(&self, of: &Happened, state: MessageState, code: Option<&str>) {
        self.tell(Inbound::MessageStatus(MessageStatus {
            price: None,
            leg: Some(of.out().id.clone()),
            id: format!("SM{}", of.out().id),
            state,
            carrier_code: code.map(str::to_owned),
        }))
        .await;
    }

    /// News of the phone that rings.
    pub(crate) async fn rings(&self, of: &Happened, state: CallState) {
        self.tell(Inbound::CallStatus(CallStatus {
            price: None,
            leg: Some(of.out().id.clone()),
            id: format!("CA{}", of.out().id),
            state,
            duration: None,
            carrier_code: None,
        }))
        .await;
    }

    /// The dialling of a call is over.
    pub(crate) async fn hangs_up(&self, of: &Happened, state: CallState, seconds: Option<u64>) {
        self.tell(Inbound::DialEnded(DialEnded {
            leg: of.legs[0].id.clone(),
            state,
            duration: seconds.map(Duration::from_secs),
            caller_gone: false,
            turn: 0,
        }))
        .await;
    }

    fn unique(&self) -> String {
        let id: RequestId = Ids::default().make(self.clock.now());
        id.to_string()
    }

    pub(crate) async fn read(&self) -> Tx {
        self.relay.db().read().await.unwrap()
    }

    /// The last call or text, with its legs.
    async fn last(&self) -> Happened {
        let mut tx = self.read().await;
        let page = Page { before: None, after: None, limit: 1 };
        let filter = Filter::default();
        let list = interactions::list(&mut tx, &self.account, &filter, &page).await.unwrap();
        let interaction = list.into_iter().next().unwrap();
        let legs = legs::of_interaction(&mut tx, &self.account, &interaction.id).await.unwrap();
        // Ids of one instant are in no order, and PostgreSQL's own clock is read a little apart from
        // ours.
        self.wait(1);
        Happened { interaction, legs }
    }

    /// A session in which everything goes right and wrong once.
    pub(crate) async fn dispute(&self) -> SessionId {
        let session = self.open(Some("order-1042"), BUYER, SELLER).await;
        let buyer_dials = self.dials(&session, "buyer").await;
        let seller_dials = self.dials(&session, "seller").await;
        self.wait(340);
        let text = self.text(BUYER, &buyer_dials, "meet me by the fountain").await;
        self.wait(1);
        self.receipt(&text, MessageState::Sent, None).await;
        self.wait(2);
        self.receipt(&text, MessageState::Delivered, None).await;
        self.wait(95);
        let call = self.call(Some(SELLER), &seller_dials).await;
        self.wait(2);
        self.rings(&call, CallState::Ringing).await;
        self.wait(6);
        self.rings(&call, CallState::Answered).await;
        self.wait(200);
        self.hangs_up(&call, CallState::Completed, Some(200)).await;
        self.wait(4000);
        let missed = self.call(Some(BUYER), &buyer_dials).await;
        self.rings(&missed, CallState::Ringing).await;
        self.wait(20);
        self.hangs_up(&missed, CallState::NoAnswer, None).await;
        self.wait(60);
        let picture = vec!["https://carrier.example/media/1".to_owned()];
        self.text_with(BUYER, &buyer_dials, "", picture).await;
        self.wait(60_000);
        let lost = self.text(SELLER, &seller_dials, "fine by me").await;
        self.wait(1);
        self.receipt(&lost, MessageState::Sent, None).await;
        self.wait(3600);
        self.receipt(&lost, MessageState::Undelivered, Some("30003")).await;
        self.wait(40);
        session
    }
}

/// A call or text as it was logged when it came in.
pub(crate) struct Happened {
    pub(crate) interaction: Interaction,
    legs: Vec<Leg>,
}

impl Happened {
    fn out(&self) -> &Leg {
        self.legs.iter().find(|leg| leg.direction == Direction::Outbound).unwrap()
    }
}

/// A service with a number in each of three countries.
async fn pool(relay: &Relay, account: &AccountId) -> ServiceId {
    let owner = account.clone();
    let made = relay.db().write(move |tx| {
        let owner = owner.clone();
        Box::pin(async move {
            let rules = Rules {
                geo_match: GeoMatch::Any,
                media: MediaRule::None,
                ..Rules::new("Velo".into())
            };
            let new = NewService { unique_name: "bikes".into(), rules };
            let service = relay::create_service(tx, &owner, &new).await?.id;
            for number in PROXIES {
                let number = NewNumber {
                    service: service.clone(),
                    number: ProxyNumber::parse(number).unwrap(),
                    carrier: "here".into(),
                    capabilities: Capabilities::parse("voice|sms|mms").unwrap(),
                    reserved: false,
                };
                relay::add_number(tx, &owner, &number).await?;
            }
            Ok::<_, relay::Error>(service)
        })
    });
    made.await.unwrap()
}

/// A browser with its cookie.
#[derive(Clone)]
pub(crate) struct Browser {
    router: Router,
    pub(crate) cookie: Option<String>,
}

/// What a browser got.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Self { status: head.status, headers: head.headers, text }
    }

    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn has(&self, text: &str) -> &Self {
        assert!(self.text.contains(text), "no {text:?} in:\n{}", self.text);
        self
    }

    pub(crate) fn has_not(&self, text: &str) -> &Self {
        assert!(!self.text.contains(text), "{text:?} in:\n{}", self.text);
        self
    }
}

impl Browser {
    /// A browser that is not logged in, at the console of that relay.
    pub(crate) fn at(relay: &Relay, clock: &Clock) -> Self {
        let state = ConsoleState { relay: relay.clone(), secure: false, clock: clock.clone() };
        Self { router: console::router(state), cookie: None }
    }

    /// Comes in by a one-time link.
    pub(crate) async fn enter(mut self, relay: &Relay, invite: Invite) -> Self {
        let link = relay.create_staff(invite).await.unwrap();
        let answer = self.post("/console/login/link", &format!("code={link}")).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        self.keep(&answer);
        self
    }

    pub(crate) fn keep(&mut self, answer: &Answer) {
        let cookie = answer.header(header::SET_COOKIE).split(';').next().unwrap();
        self.cookie = Some(cookie.to_owned());
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let mut request = request;
        if let Some(cookie) = &self.cookie {
            request.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
        }
        let id = RequestId::parse("RQ0123456789abcdef0123456789abcdef").unwrap();
        let arrival = Arrival::new([127, 0, 0, 1].into(), id);
        let router = self.router.clone().layer(Extension(arrival));
        Answer::of(router.oneshot(request).await.unwrap()).await
    }

    /// An answer that goes on.
    pub(crate) async fn watch(&self, path: &str) -> Response {
        let mut request = Request::get(path).body(Body::empty()).unwrap();
        let cookie = self.cookie.as_ref().unwrap();
        request.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// The same from a browser that prefers those languages.
    pub(crate) async fn get_in(&self, path: &str, languages: &str) -> Answer {
        let request = Request::get(path).header(header::ACCEPT_LANGUAGE, languages);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// A form that a page of the console sends.
    pub(crate) async fn post(&self, path: &str, form: &str) -> Answer {
        let request = Request::post(path)
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned()))
            .unwrap();
        self.send(request).await
    }
}
