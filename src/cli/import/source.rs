//! What a Twilio account has under Proxy, read through Twilio's own API: pages, limits, failures.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{Method, StatusCode, header};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{carrier::Request, cli::Failed, relay::Client};

/// What is asked for at once; Proxy answers with no more.
const PAGE_SIZE: usize = 100;
/// How often one page is asked for before the import gives up.
const TRIES: u32 = 6;
/// The longest wait that Twilio may ask for.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// A service as Twilio tells of it.
#[derive(Clone, Deserialize)]
pub(super) struct Service {
    pub(super) sid: String,
    pub(super) unique_name: String,
    pub(super) default_ttl: Option<u64>,
    pub(super) callback_url: Option<String>,
    pub(super) intercept_callback_url: Option<String>,
    pub(super) out_of_session_callback_url: Option<String>,
    pub(super) chat_instance_sid: Option<String>,
    pub(super) geo_match_level: Option<String>,
    pub(super) number_selection_behavior: Option<String>,
}

/// A number of a service's pool.
#[derive(Clone, Deserialize)]
pub(super) struct Number {
    pub(super) sid: String,
    #[serde(rename = "phone_number")]
    pub(super) digits: String,
    pub(super) friendly_name: Option<String>,
    #[serde(default)]
    pub(super) capabilities: BTreeMap<String, Value>,
    #[serde(default)]
    pub(super) is_reserved: bool,
}

/// A session.
#[derive(Clone, Deserialize)]
pub(super) struct Session {
    pub(super) sid: String,
    pub(super) unique_name: Option<String>,
    pub(super) status: String,
    pub(super) mode: Option<String>,
    pub(super) ttl: Option<u64>,
    pub(super) date_created: Option<String>,
    pub(super) date_started: Option<String>,
    pub(super) date_ended: Option<String>,
    pub(super) date_last_interaction: Option<String>,
    pub(super) date_expiry: Option<String>,
}

/// Somebody in a session. `identifier` is a real number: none of these can be shown.
#[derive(Clone, Deserialize)]
pub(super) struct Participant {
    pub(super) sid: String,
    pub(super) identifier: String,
    pub(super) friendly_name: Option<String>,
    pub(super) proxy_identifier: Option<String>,
    pub(super) proxy_identifier_sid: Option<String>,
    pub(super) date_created: Option<String>,
    pub(super) date_deleted: Option<String>,
}

/// Twilio's API, with an account's credentials.
pub(super) struct Source {
    client: Client,
    base: String,
    authorization: String,
}

impl Source {
    /// `base` without a slash at the end.
    pub(super) fn new(client: Client, base: &str, user: &str, secret: &str) -> Self {
        let authorization = format!("Basic {}", STANDARD.encode(format!("{user}:{secret}")));
        Self { client, base: base.trim_end_matches('/').to_owned(), authorization }
    }

    pub(super) async fn services(&self) -> Result<Vec<Service>, Failed> {
        self.all("/v1/Services", "services").await
    }

    pub(super) async fn numbers(&self, service: &str) -> Result<Vec<Number>, Failed> {
        self.all(&format!("/v1/Services/{service}/PhoneNumbers"), "phone_numbers").await
    }

    pub(super) async fn sessions(&self, service: &str) -> Result<Vec<Session>, Failed> {
        self.all(&format!("/v1/Services/{service}/Sessions"), "sessions").await
    }

    pub(super) async fn participants(
        &self,
        service: &str,
        session: &str,
    ) -> Result<Vec<Participant>, Failed> {
        let path = format!("/v1/Services/{service}/Sessions/{session}/Participants");
        self.all(&path, "participants").await
    }

    /// Every page of a list.
    async fn all<T: DeserializeOwned>(&self, path: &str, key: &str) -> Result<Vec<T>, Failed> {
        let mut all = Vec::new();
        let mut query = format!("PageSize={PAGE_SIZE}");
        loop {
            let mut page = self.page(path, &query).await?;
            let unreadable = || Failed(format!("Twilio's answer to {path} can't be read"));
            let listed = page.get_mut(key).map(Value::take).ok_or_else(unreadable)?;
            let listed: Vec<T> = serde_json::from_value(listed).map_err(|_| unreadable())?;
            all.extend(listed);
            // Only the query is taken: whatever host a page names, the credentials go to ours.
            let next = page.pointer("/meta/next_page_url").and_then(Value::as_str);
            match next.map(|url| url.split_once('?')) {
                None => return Ok(all),
                Some(Some((_, next))) if next != query => next.clone_into(&mut query),
                Some(_) => return Err(unreadable()),
            }
        }
    }

    async fn page(&self, path: &str, query: &str) -> Result<Value, Failed> {
        let mut wait = Duration::from_millis(500);
        for tries in 1.. {
            let url = format!("{}{path}?{query}", self.base);
            let request = Request::new(Method::GET, url)
                .with_header(header::AUTHORIZATION, &self.authorization)
                .with_header(header::ACCEPT, "application/json");
            let outcome = match self.client.send(request).await {
                Ok(answer) if answer.status == StatusCode::OK => {
                    return serde_json::from_slice(&answer.body)
                        .map_err(|_| Failed(format!("Twilio's answer to {path} is no JSON")));
                }
                Ok(answer) if answer.status == StatusCode::UNAUTHORIZED => {
                    return Err(Failed(
                        "Twilio does not take these credentials: give the account's SID with \
                         --from, and its auth token in the file of --token-file"
                            .into(),
                    ));
                }
                Ok(answer) => {
                    let busy = answer.status == StatusCode::TOO_MANY_REQUESTS;
                    if !busy && !answer.status.is_server_error() {
                        return Err(Failed(format!("Twilio answers {} to {path}", answer.status)));
                    }
                    let asked = answer
                        .headers
                        .get(header::RETRY_AFTER)
                        .and_then(|value| value.to_str().ok()?.parse().ok())
                        .map(Duration::from_secs);
                    wait = asked.unwrap_or(wait).min(WAIT_MAX);
                    format!("Twilio answers {}", answer.status)
                }
                Err(_) => "Twilio does not answer".to_owned(),
            };
            if tries == TRIES {
                return Err(Failed(format!(
                    "{outcome} to {path}. Nothing is lost: run the same command again, it goes on"
                )));
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(WAIT_MAX);
        }
        Err(Failed(format!("Twilio does not answer to {path}")))
    }
}
