//! A running server, and a client that speaks to it as Twilio's SDKs do.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use entremise::{config::Config, domain::phone::Identifier, relay::NewAccount, sandbox::PhoneId};
use serde_json::Value;

use crate::support::{self, Answered, Database, World};

pub(crate) const ALICE: &str = "+12125550101";
pub(crate) const BOB: &str = "+12125550102";
pub(crate) const CAROL: &str = "+12125550103";

/// A proxy number.
pub(crate) fn proxy(n: u32) -> String {
    format!("+{}{:04}", 1_415_555, 100 + n)
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) answered: Answered,
}

impl Answer {
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Value {
        let text = String::from_utf8_lossy(&self.answered.body).into_owned();
        assert_eq!(self.status, status, "{text}");
        assert_eq!(self.answered.headers["cache-control"], "no-store");
        if status == 204 {
            assert!(text.is_empty(), "{text}");
            return Value::Null;
        }
        assert_eq!(self.answered.headers["content-type"], "application/json");
        serde_json::from_str(&text).expect(&text)
    }

    /// Refused with this code, flat.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: u32) -> Value {
        let body = self.is(status);
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["status"], status, "{body}");
        assert_eq!(body["more_info"], format!("https://www.twilio.com/docs/errors/{code}"));
        assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()));
        assert!(body.get("type").is_none() && body.get("title").is_none(), "{body}");
        body
    }
}

/// A client with credentials.
#[derive(Clone)]
pub(crate) struct Client<'w> {
    world: &'w World,
    pub(crate) user: String,
    pub(crate) password: String,
}

impl<'w> Client<'w> {
    pub(crate) fn of(world: &'w World, account: &NewAccount) -> Self {
        let (user, password) = (account.account.to_string(), account.auth_token.clone());
        Self { world, user, password }
    }

    pub(crate) fn with(&self, user: &str, password: &str) -> Self {
        Self { world: self.world, user: user.into(), password: password.into() }
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let pair = STANDARD.encode(format!("{}:{}", self.user, self.password));
        let path = path.strip_prefix(&self.world.running.origin).unwrap_or(path);
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.world.running.address.to_string())
            .header("authorization", format!("Basic {pair}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(http_body_util::Full::new(bytes::Bytes::copy_from_slice(body)))
            .unwrap();
        let answered = support::request(self.world.running.address, request).await;
        Answer { status: answered.status.as_u16(), answered }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, b"").await
    }

    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.ask("POST", path, body.as_bytes()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path, b"").await
    }

    /// What the native API shows, with a key of the first account.
    pub(crate) async fn native(&self, path: &str) -> (u16, Value) {
        self.native_with("GET", path, &Value::Null).await
    }

    /// What the native API answers; a null body is none.
    pub(crate) async fn native_with(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let kind = match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("host", self.world.running.address.to_string())
            .header("authorization", format!("Bearer {}", self.world.account.api_key));
        if !text.is_empty() {
            request = request.header("content-type", kind);
        }
        let request = request.body(http_body_util::Full::new(bytes::Bytes::from(text))).unwrap();
        let answered = support::request(self.world.running.address, request).await;
        let body = serde_json::from_slice(&answered.body).unwrap_or_default();
        (answered.status.as_u16(), body)
    }

    /// Changes something by the native API; what it is then.
    pub(crate) async fn change(&self, path: &str, change: &Value) -> Value {
        let request = http::Request::patch(format!("/api/v1{path}"))
            .header("host", self.world.running.address.to_string())
            .header("authorization", format!("Bearer {}", self.world.account.api_key))
            .header("content-type", "application/merge-patch+json")
            .body(http_body_util::Full::new(bytes::Bytes::from(change.to_string())))
            .unwrap();
        let answered = support::request(self.world.running.address, request).await;
        assert_eq!(answered.status.as_u16(), 200);
        serde_json::from_slice(&answered.body).unwrap()
    }

    /// A service; its address.
    pub(crate) async fn service(&self, name: &str, numbers: u32) -> String {
        let service = self.post("/v1/Services", &[("UniqueName", name)]).await.is(201);
        let path = format!("/v1/Services/{}", text(&service, "sid"));
        for n in 0..numbers {
            let form = [("PhoneNumber", &*proxy(n))];
            self.post(&format!("{path}/PhoneNumbers"), &form).await.is(201);
        }
        path
    }

    /// A session with these people; its address.
    pub(crate) async fn session(&self, service: &str, people: &[&str]) -> String {
        let session = self.post(&format!("{service}/Sessions"), &[]).await.is(201);
        let path = format!("{service}/Sessions/{}", text(&session, "sid"));
        for one in people {
            let form = [("Identifier", *one)];
            self.post(&format!("{path}/Participants"), &form).await.is(201);
        }
        path
    }
}

/// A text of an answer.
#[track_caller]
pub(crate) fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_else(|| panic!("{name} is no text: {body}")).to_owned()
}

pub(crate) fn identifier(number: &str) -> Identifier {
    Identifier::parse(number).unwrap()
}

/// A phone with that number.
pub(crate) fn phone(world: &World, number: &str) -> PhoneId {
    world.network.register(number.get(8..).unwrap(), identifier(number)).unwrap()
}

/// Runs a test on each engine.
pub(crate) async fn each(test: impl AsyncFn(&World, &Client<'_>)) {
    each_with(100_000, test).await;
}

/// The same, with this many requests a minute.
pub(crate) async fn each_with(rate: u32, test: impl AsyncFn(&World, &Client<'_>)) {
    each_set(|config| config.api.rate_per_minute = rate, test).await;
}

/// The same with other settings.
pub(crate) async fn each_set(set: impl Fn(&mut Config), test: impl AsyncFn(&World, &Client<'_>)) {
    for database in support::databases().await {
        run(&database, &set, &test).await;
        database.drop().await;
    }
}

async fn run(
    database: &Database,
    set: &impl Fn(&mut Config),
    test: &impl AsyncFn(&World, &Client<'_>),
) {
    let mut config = support::settings(database);
    config.api.rate_per_minute = 100_000;
    set(&mut config);
    let world = World::with(config).await;
    test(&world, &Client::of(&world, &world.account)).await;
    world.running.shutdown().await;
}
