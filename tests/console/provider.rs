//! Another login in software (`OpenID` Connect): it says who came, signs it, and lies where it is told to.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64},
};
use bytes::Bytes;
use entremise::{
    domain::oidc::{GroupRights, OidcRules, SecondFactor},
    relay::{self, Relay},
};
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use ring::{
    digest::{SHA256, digest},
    hmac,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
        RsaPublicKeyComponents,
    },
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_rustls::rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use url::Url;

pub(crate) const CLIENT: &str = "console";
pub(crate) const SECRET: &str = "a secret/of + the tests";

/// What it signs with.
pub(crate) enum Key {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
}

impl Key {
    pub(crate) fn rsa() -> Self {
        let pem = include_bytes!("../tls/oidc-rsa.key");
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem).unwrap();
        Self::Rsa(RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap())
    }

    pub(crate) fn ec() -> Self {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self::Ec(EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap())
    }

    fn public(&self, id: &str) -> Value {
        match self {
            Self::Rsa(key) => {
                let parts = RsaPublicKeyComponents::<Vec<u8>>::from(key.public());
                let (n, e) = (BASE64.encode(parts.n), BASE64.encode(parts.e));
                json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": id, "n": n, "e": e})
            }
            Self::Ec(key) => {
                let point = key.public_key().as_ref();
                let (x, y) = (BASE64.encode(&point[1..33]), BASE64.encode(&point[33..]));
                json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": id, "x": x, "y": y})
            }
        }
    }

    const fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::Ec(_) => "ES256",
        }
    }

    fn sign(&self, text: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, text, &mut signature).unwrap();
                signature
            }
            Self::Ec(key) => key.sign(&random, text).unwrap().as_ref().to_vec(),
        }
    }
}

/// How a token is signed, where that is not as it should be.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Signed {
    #[default]
    Well,
    /// Not at all (`alg` is `none`).
    Not,
    /// With the client's secret.
    ByTheSecret,
    /// By a key that it does not show.
    ByAnother,
}

/// Changes the claims of a token; the second is the time in seconds.
pub(crate) type Bend = fn(&mut Value, i64);

/// What is known of a code.
struct Given {
    nonce: String,
    challenge: String,
    back: String,
}

struct Inner {
    relay: Relay,
    issuer: String,
    key: Key,
    key_id: String,
    codes: HashMap<String, Given>,
    claims: Value,
    /// Claims that are told by the user info alone.
    apart: Value,
    signed: Signed,
    bend: Bend,
    asked: u32,
    given: u32,
}

/// Such a login; dropping it ends it.
pub(crate) struct Elsewhere {
    inner: Arc<Mutex<Inner>>,
    pub(crate) issuer: String,
    _tasks: JoinSet<()>,
}

fn form(text: &str) -> HashMap<String, String> {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

fn answer(status: u16, body: &Value) -> Response<Full<Bytes>> {
    let response = Response::builder().status(status);
    let response = response.header(header::CONTENT_TYPE, "application/json");
    response.body(Full::new(body.to_string().into())).unwrap()
}

impl Inner {
    fn metadata(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        json!({
            "issuer": self.issuer,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "userinfo_endpoint": at("/userinfo"),
            "jwks_uri": at("/keys"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
        })
    }

    fn token(&self, nonce: &str, now: i64) -> String {
        let mut claims = self.claims.clone();
        let own = json!({
            "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce,
        });
        claims.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        (self.bend)(&mut claims, now);
        let algorithm = match self.signed {
            Signed::Not => "none",
            Signed::ByTheSecret => "HS256",
            Signed::Well | Signed::ByAnother => self.key.algorithm(),
        };
        let head = json!({"alg": algorithm, "kid": self.key_id, "typ": "JWT"});
        let text =
            format!("{}.{}", BASE64.encode(head.to_string()), BASE64.encode(claims.to_string()));
        let signature = match self.signed {
            Signed::Well => self.key.sign(text.as_bytes()),
            Signed::Not => Vec::new(),
            Signed::ByTheSecret => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
                hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
            }
            Signed::ByAnother => Key::ec().sign(text.as_bytes()),
        };
        format!("{text}.{}", BASE64.encode(signature))
    }

    /// A code's tokens, once, for whoever has its verifier and our secret.
    fn redeem(&mut self, authorization: &str, body: &str, now: i64) -> Response<Full<Bytes>> {
        let written =
            |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let known = STANDARD.encode(format!("{}:{}", written(CLIENT), written(SECRET)));
        if authorization != format!("Basic {known}") {
            return answer(401, &json!({"error": "invalid_client"}));
        }
        let body = form(body);
        let given = self.codes.remove(&body["code"]).filter(|given| {
            let verifier = digest(&SHA256, body["code_verifier"].as_bytes());
            BASE64.encode(verifier) == given.challenge && body["redirect_uri"] == given.back
        });
        let Some(given) = given else { return answer(400, &json!({"error": "invalid_grant"})) };
        assert_eq!(body["grant_type"], "authorization_code");
        let token = self.token(&given.nonce, now);
        answer(200, &json!({"access_token": "access", "token_type": "Bearer", "id_token": token}))
    }
}

async fn serve(
    inner: Arc<Mutex<Inner>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = String::from_utf8(body.collect().await?.to_bytes().to_vec()).unwrap();
    let relay = lock(&inner).relay.clone();
    let now = relay.db().read().await.unwrap().now().await.unwrap().millis() / 1000;
    let mut inner = lock(&inner);
    inner.asked += 1;
    let authorization =
        head.headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap());
    Ok(match head.uri.path() {
        "/.well-known/openid-configuration" => answer(200, &inner.metadata()),
        "/keys" => answer(200, &json!({"keys": [inner.key.public(&inner.key_id)]})),
        "/token" => inner.redeem(authorization.unwrap_or_default(), &body, now),
        "/userinfo" if authorization == Some("Bearer access") => {
            let mut claims = inner.apart.clone();
            claims["sub"] = inner.claims["sub"].clone();
            answer(200, &claims)
        }
        _ => answer(404, &json!({})),
    })
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap()
}

impl Elsewhere {
    /// One that tells the time of that relay.
    pub(crate) async fn start(relay: &Relay, key: Key) -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Mutex::new(Inner {
            relay: relay.clone(),
            issuer: issuer.clone(),
            key,
            key_id: "one".to_owned(),
            codes: HashMap::new(),
            claims: json!({}),
            apart: json!({}),
            signed: Signed::Well,
            bend: |_, _| {},
            asked: 0,
            given: 0,
        }));
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&inner);
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let inner = Arc::clone(&shared);
                open.spawn(async move {
                    let service = service_fn(move |request| serve(Arc::clone(&inner), request));
                    let _ =
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { inner, issuer, _tasks: tasks }
    }

    /// How the console is told of it.
    pub(crate) fn rules(&self, groups: Vec<GroupRights>) -> OidcRules {
        OidcRules {
            issuer: self.issuer.clone(),
            client_id: CLIENT.to_owned(),
            label: Some("Velo ID".to_owned()),
            scopes: vec!["profile".to_owned(), "groups".to_owned()],
            groups_claim: "groups".to_owned(),
            second_factor: SecondFactor::Provider,
            groups,
        }
    }

    /// A relay whose console takes it.
    pub(crate) fn at(relay: &Relay, rules: OidcRules) -> Relay {
        let provider = relay::Provider::new(rules, SECRET, "http://127.0.0.1:8080");
        relay.clone().with_provider(Some(provider.unwrap()))
    }

    /// Who comes next, with their claims.
    pub(crate) fn somebody(&self, claims: Value) {
        lock(&self.inner).claims = claims;
    }

    /// What is told of them by the user info alone.
    pub(crate) fn apart(&self, claims: Value) {
        lock(&self.inner).apart = claims;
    }

    /// It lies from now on.
    pub(crate) fn lies(&self, signed: Signed, bend: Bend) {
        let mut inner = lock(&self.inner);
        (inner.signed, inner.bend) = (signed, bend);
    }

    /// It signs with another key from now on.
    pub(crate) fn rotate(&self, key: Key) {
        let mut inner = lock(&self.inner);
        (inner.key, inner.key_id) = (key, "two".to_owned());
    }

    /// How often it was asked for anything.
    pub(crate) fn asked(&self) -> u32 {
        lock(&self.inner).asked
    }

    /// Somebody logs in at that address: the query with which their browser comes back.
    pub(crate) fn authorize(&self, address: &str) -> Query {
        let address = Url::parse(address).unwrap();
        let asked = form(address.query().unwrap());
        assert_eq!(address.path(), "/authorize");
        assert_eq!(asked["client_id"], CLIENT);
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["code_challenge_method"], "S256");
        let mut inner = lock(&self.inner);
        inner.given += 1;
        let code = format!("code-{}", inner.given);
        let given = Given {
            nonce: asked["nonce"].clone(),
            challenge: asked["code_challenge"].clone(),
            back: asked["redirect_uri"].clone(),
        };
        assert_eq!(given.back, "http://127.0.0.1:8080/console/login/oidc/back");
        inner.codes.insert(code.clone(), given);
        let (state, issuer) = (asked["state"].clone(), inner.issuer.clone());
        Query { asked, brought: vec![("code", code), ("state", state), ("iss", issuer)] }
    }
}

/// What a browser was asked, and what it comes back with.
pub(crate) struct Query {
    pub(crate) asked: HashMap<String, String>,
    pub(crate) brought: Vec<(&'static str, String)>,
}

impl Query {
    /// The address that the browser comes back to.
    pub(crate) fn path(&self) -> String {
        let query =
            form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.brought).finish();
        format!("/console/login/oidc/back?{query}")
    }

    /// The same with another value; none takes it out.
    pub(crate) fn with(mut self, name: &'static str, value: Option<&str>) -> Self {
        self.brought.retain(|(one, _)| *one != name);
        self.brought.extend(value.map(|value| (name, value.to_owned())));
        self
    }
}
