//! Services and their rules.

mod assurance;

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use self::assurance::StoredAssurance;
use super::{
    Error, Tx, accounts,
    db::on,
    sessions::{Page, paged},
};
use crate::{
    domain::{
        abuse::{Countries, Limit, Limits},
        assurance::AssuranceRules,
        content::{Actions, ContentAction},
        opt_out::StopWords,
        phone::Strictness,
        policy::{
            ContentRules, FirstTextRules, GeoMatch, MediaRule, OnInterceptFailure, OutOfSession,
            ProxyRules, Rules, Selection, TeamRing, VerifiedRules, VoicemailRules,
        },
        retention::RetentionRules,
        time::Timestamp,
    },
    ids::{AccountId, ServiceId},
    privacy::webhook::WebhookSecret,
};

/// A service.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its id.
    pub id: ServiceId,
    /// Its name, unique in the account.
    pub unique_name: String,
    /// Its rules.
    pub rules: Rules,
    /// What signs the questions that go to the rules' `out_of_session_url`. Kept only with one.
    pub callback_secret: Option<WebhookSecret>,
    /// Grows with each change.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Whether it was deleted: only [`get_any`] gives one out.
    pub deleted: bool,
}

/// The stored form of the rules. A field that an older row lacks gets its default.
#[derive(Serialize, Deserialize)]
struct StoredRules {
    brand: String,
    #[serde(default)]
    language: String,
    default_ttl_ms: u64,
    quarantine_ms: u64,
    geo_match: String,
    geo_fallback: bool,
    selection: String,
    participants_max: u32,
    ring_timeout_ms: u64,
    call_max_ms: u64,
    caller_announcement: String,
    callee_whisper: String,
    press_one: bool,
    team_ring: String,
    out_of_session: String,
    out_of_session_announcement: String,
    #[serde(default)]
    out_of_session_text: String,
    missed_call_text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identifier_check: Option<String>,
    #[serde(default)]
    keep_texts: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stop_words: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    help_text: String,
    #[serde(default)]
    block_words: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media: Option<String>,
    #[serde(default)]
    vcards: bool,
    #[serde(default)]
    tell_of_moves: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_text: Option<StoredFirstText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    voicemail: Option<StoredVoicemail>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<StoredContent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verified: Option<StoredVerified>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retention: Option<StoredRetention>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    countries: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    limits: BTreeMap<String, u32>,
    #[serde(default)]
    tell_limits: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    assurance: Option<StoredAssurance>,
}

#[derive(Serialize, Deserialize)]
struct StoredVerified {
    required: bool,
    within_ms: u64,
}

/// In days.
#[derive(Serialize, Deserialize)]
struct StoredRetention {
    texts: Option<u32>,
    log: Option<u32>,
    sessions: Option<u32>,
}

#[derive(Serialize, Deserialize)]
struct StoredContent {
    phone: String,
    email: String,
    link: String,
    payment: String,
    legal_basis: String,
    notice: String,
    keep_originals: bool,
}

impl StoredContent {
    fn new(rules: &ContentRules) -> Self {
        let Actions { phone, email, link, payment } = rules.actions;
        Self {
            phone: phone.as_str().into(),
            email: email.as_str().into(),
            link: link.as_str().into(),
            payment: payment.as_str().into(),
            legal_basis: rules.legal_basis.clone(),
            notice: rules.notice.clone(),
            keep_originals: rules.keep_originals,
        }
    }

    fn read(self) -> Option<ContentRules> {
        let actions = Actions {
            phone: ContentAction::parse(&self.phone)?,
            email: ContentAction::parse(&self.email)?,
            link: ContentAction::parse(&self.link)?,
            payment: ContentAction::parse(&self.payment)?,
        };
        let Self { legal_basis, notice, keep_originals, .. } = self;
        Some(ContentRules { actions, legal_basis, notice, keep_originals })
    }
}

#[derive(Serialize, Deserialize)]
struct StoredVoicemail {
    on: bool,
    greeting: String,
    longest_ms: u64,
    text: bool,
    kept_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct StoredFirstText {
    on: bool,
    words: String,
}

/// The stored form of what a service of Twilio Proxy has, before it is sealed.
#[derive(Serialize, Deserialize)]
struct StoredProxy {
    callback_url: String,
    intercept_callback_url: String,
    out_of_session_callback_url: String,
    chat_instance_sid: String,
    on_intercept_failure: String,
}

fn proxy_text(rules: &ProxyRules) -> Result<String, Error> {
    serde_json::to_string(&StoredProxy {
        callback_url: rules.callback_url.clone(),
        intercept_callback_url: rules.intercept_callback_url.clone(),
        out_of_session_callback_url: rules.out_of_session_callback_url.clone(),
        chat_instance_sid: rules.chat_instance_sid.clone(),
        on_intercept_failure: rules.on_intercept_failure.as_str().into(),
    })
    .map_err(|_| Error::Inconsistent { table: "services", column: "proxy" })
}

fn proxy_rules(text: &str) -> Option<ProxyRules> {
    let stored: StoredProxy = serde_json::from_str(text).ok()?;
    Some(ProxyRules {
        callback_url: stored.callback_url,
        intercept_callback_url: stored.intercept_callback_url,
        out_of_session_callback_url: stored.out_of_session_callback_url,
        chat_instance_sid: stored.chat_instance_sid,
        on_intercept_failure: OnInterceptFailure::parse(&stored.on_intercept_failure)?,
    })
}

fn ms(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

fn to_text(rules: &Rules) -> Result<String, Error> {
    serde_json::to_string(&StoredRules {
        brand: rules.brand.clone(),
        language: rules.language.clone(),
        default_ttl_ms: ms(rules.default_ttl),
        quarantine_ms: ms(rules.quarantine),
        geo_match: rules.geo_match.as_str().into(),
        geo_fallback: rules.geo_fallback,
        selection: rules.selection.as_str().into(),
        participants_max: rules.participants_max,
        ring_timeout_ms: ms(rules.ring_timeout),
        call_max_ms: ms(rules.call_max),
        caller_announcement: rules.caller_announcement.clone(),
        callee_whisper: rules.callee_whisper.clone(),
        press_one: rules.press_one,
        team_ring: rules.team_ring.as_str().into(),
        out_of_session: rules.out_of_session.as_str().into(),
        out_of_session_announcement: rules.out_of_session_announcement.clone(),
        out_of_session_text: rules.out_of_session_text.clone(),
        missed_call_text: rules.missed_call_text.clone(),
        identifier_check: Some(rules.identifier_check.as_str().into()),
        keep_texts: rules.keep_texts,
        stop_words: Some(rules.stop_words.as_str().into()),
        help_text: rules.help_text.clone(),
        block_words: rules.block_words,
        media: Some(rules.media.as_str().into()),
        vcards: rules.vcards,
        tell_of_moves: rules.tell_of_moves,
        first_text: (rules.first_text != FirstTextRules::default()).then(|| StoredFirstText {
            on: rules.first_text.on,
            words: rules.first_text.words.clone(),
        }),
        voicemail: (rules.voicemail != VoicemailRules::default()).then(|| StoredVoicemail {
            on: rules.voicemail.on,
            greeting: rules.voicemail.greeting.clone(),
            longest_ms: ms(rules.voicemail.longest),
            text: rules.voicemail.text,
            kept_ms: ms(rules.voicemail.kept),
        }),
        content: (rules.content != ContentRules::default())
            .then(|| StoredContent::new(&rules.content)),
        verified: (rules.verified != VerifiedRules::default()).then(|| StoredVerified {
            required: rules.verified.required,
            within_ms: ms(rules.verified.within),
        }),
        retention: (rules.retention != RetentionRules::default()).then(|| {
            let RetentionRules { texts, log, sessions } = rules.retention;
            StoredRetention { texts, log, sessions }
        }),
        countries: rules.countries.iter().map(str::to_owned).collect(),
        limits: rules.limits.iter().map(|(one, most)| (one.as_str().to_owned(), most)).collect(),
        tell_limits: rules.tell_limits,
        assurance: (rules.assurance != AssuranceRules::default())
            .then(|| StoredAssurance::new(&rules.assurance)),
    })
    .map_err(|_| Error::Inconsistent { table: "services", column: "rules" })
}

fn from_text(text: &str) -> Option<Rules> {
    let stored: StoredRules = serde_json::from_str(text).ok()?;
    Some(Rules {
        brand: stored.brand,
        language: stored.language,
        default_ttl: Duration::from_millis(stored.default_ttl_ms),
        quarantine: Duration::from_millis(stored.quarantine_ms),
        geo_match: GeoMatch::parse(&stored.geo_match)?,
        geo_fallback: stored.geo_fallback,
        selection: Selection::parse(&stored.selection)?,
        participants_max: stored.participants_max,
        ring_timeout: Duration::from_millis(stored.ring_timeout_ms),
        call_max: Duration::from_millis(stored.call_max_ms),
        caller_announcement: stored.caller_announcement,
        callee_whisper: stored.callee_whisper,
        press_one: stored.press_one,
        team_ring: TeamRing::parse(&stored.team_ring)?,
        out_of_session: OutOfSession::parse(&stored.out_of_session)?,
        out_of_session_announcement: stored.out_of_session_announcement,
        out_of_session_number: None,
        out_of_session_text: stored.out_of_session_text,
        out_of_session_url: String::new(),
        missed_call_text: stored.missed_call_text,
        identifier_check: match stored.identifier_check {
            Some(word) => Strictness::parse(&word)?,
            None => Strictness::Possible,
        },
        keep_texts: stored.keep_texts,
        stop_words: match stored.stop_words {
            Some(word) => StopWords::parse(&word)?,
            None => StopWords::Relay,
        },
        help_text: stored.help_text,
        block_words: stored.block_words,
        media: match stored.media {
            Some(word) => MediaRule::parse(&word)?,
            None => MediaRule::Images,
        },
        vcards: stored.vcards,
        tell_of_moves: stored.tell_of_moves,
        first_text: stored.first_text.map_or_else(FirstTextRules::default, |stored| {
            FirstTextRules { on: stored.on, words: stored.words }
        }),
        voicemail: stored.voicemail.map_or_else(VoicemailRules::default, |stored| VoicemailRules {
            on: stored.on,
            greeting: stored.greeting,
            longest: Duration::from_millis(stored.longest_ms),
            text: stored.text,
            kept: Duration::from_millis(stored.kept_ms),
        }),
        content: match stored.content {
            Some(stored) => stored.read()?,
            None => ContentRules::default(),
        },
        verified: stored.verified.map_or_else(VerifiedRules::default, |stored| VerifiedRules {
            required: stored.required,
            within: Duration::from_millis(stored.within_ms),
        }),
        retention: stored.retention.map_or_else(RetentionRules::default, |stored| {
            let StoredRetention { texts, log, sessions } = stored;
            RetentionRules { texts, log, sessions }
        }),
        countries: Countries::parse(stored.countries.iter().map(String::as_str))?,
        limits: limits(&stored.limits),
        tell_limits: stored.tell_limits,
        assurance: match stored.assurance {
            Some(stored) => stored.read()?,
            None => AssuranceRules::default(),
        },
        proxy: ProxyRules::default(),
    })
}

/// A limit that a newer version knows is none here.
fn limits(stored: &BTreeMap<String, u32>) -> Limits {
    let mut limits = Limits::default();
    for (name, most) in stored {
        if let Some(limit) = Limit::parse(name) {
            limits.set(limit, *most);
        }
    }
    limits
}

#[derive(sqlx::FromRow)]
struct Row {
    id: ServiceId,
    unique_name: String,
    rules: String,
    fallback_number: Option<String>,
    callback: Option<String>,
    proxy: Option<String>,
    version: i64,
    created_at: i64,
    updated_at: i64,
    deleted_at: Option<i64>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, unique_name, rules, fallback_number, callback, proxy, version, created_at, \
             updated_at, deleted_at FROM services WHERE account = $1 AND ",
            $rest
        )
    };
}

fn context(what: &str, id: &ServiceId) -> String {
    format!("service-{what}:{id}")
}

/// What of a service is sealed, as it is stored.
struct Sealed {
    fallback_number: Option<String>,
    callback: Option<String>,
    proxy: Option<String>,
}

async fn seal(tx: &mut Tx, account: &AccountId, service: &Service) -> Result<Sealed, Error> {
    let Service { id, rules, callback_secret, .. } = service;
    let keys = accounts::keys(tx, account).await?;
    let line = rules.out_of_session_number.as_ref();
    let url = &rules.out_of_session_url;
    let secret = callback_secret.as_ref().filter(|_| !url.is_empty());
    Ok(Sealed {
        fallback_number: line
            .map(|number| keys.data.seal_identifier(number, &context("fallback", id))),
        callback: secret.map(|secret| {
            let text = format!("{} {url}", secret.expose());
            keys.data.seal_text(&text, &context("callback", id))
        }),
        proxy: if rules.proxy == ProxyRules::default() {
            None
        } else {
            Some(keys.data.seal_text(&proxy_text(&rules.proxy)?, &context("proxy", id)))
        },
    })
}

async fn open(tx: &mut Tx, account: &AccountId, row: Row) -> Result<Service, Error> {
    let mut rules =
        from_text(&row.rules).ok_or(Error::Inconsistent { table: "services", column: "rules" })?;
    if let Some(sealed) = &row.fallback_number {
        let keys = accounts::keys(tx, account).await?;
        let number = keys.data.open_identifier(sealed, &context("fallback", &row.id))?;
        rules.out_of_session_number = Some(number);
    }
    let mut callback_secret = None;
    if let Some(sealed) = &row.callback {
        let keys = accounts::keys(tx, account).await?;
        let text = keys.data.open_text(sealed, &context("callback", &row.id))?;
        let (secret, url) = text
            .split_once(' ')
            .ok_or(Error::Inconsistent { table: "services", column: "callback" })?;
        callback_secret = Some(WebhookSecret::parse(secret)?);
        url.clone_into(&mut rules.out_of_session_url);
    }
    if let Some(sealed) = &row.proxy {
        let keys = accounts::keys(tx, account).await?;
        let text = keys.data.open_text(sealed, &context("proxy", &row.id))?;
        rules.proxy =
            proxy_rules(&text).ok_or(Error::Inconsistent { table: "services", column: "proxy" })?;
    }
    Ok(Service {
        id: row.id,
        unique_name: row.unique_name,
        rules,
        callback_secret,
        version: row.version,
        created_at: Timestamp::from_millis(row.created_at),
        updated_at: Timestamp::from_millis(row.updated_at),
        deleted: row.deleted_at.is_some(),
    })
}

/// The service's own line as staff and marketplaces see it, if it has one.
pub async fn masked_line(
    tx: &mut Tx,
    account: &AccountId,
    service: &Service,
) -> Result<Option<String>, Error> {
    let Some(number) = &service.rules.out_of_session_number else { return Ok(None) };
    let keys = accounts::keys(tx, account).await?;
    Ok(Some(keys.index.person(&number.canonical()).masked(number)))
}

/// Adds a service.
///
/// # Errors
/// [`Error::Conflict`] if its name is taken.
pub async fn insert(tx: &mut Tx, account: &AccountId, service: &Service) -> Result<(), Error> {
    const SQL: &str = "
        INSERT INTO services
            (account, id, unique_name, rules, fallback_number, callback, next_place, version,
             created_at, updated_at, proxy)
        VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, $10)
        ON CONFLICT DO NOTHING";
    let rules = to_text(&service.rules)?;
    let sealed = seal(tx, account, service).await?;
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(&service.id)
        .bind(&service.unique_name)
        .bind(&rules)
        .bind(&sealed.fallback_number)
        .bind(&sealed.callback)
        .bind(service.version)
        .bind(service.created_at.millis())
        .bind(service.updated_at.millis())
        .bind(&sealed.proxy)
        .execute(conn)
        .await?
        .rows_affected());
    if done == 1 { Ok(()) } else { Err(Error::Conflict) }
}

/// The service with that id, unless it was deleted.
pub async fn get(
    tx: &mut Tx,
    account: &AccountId,
    id: &ServiceId,
) -> Result<Option<Service>, Error> {
    Ok(get_any(tx, account, id).await?.filter(|service| !service.deleted))
}

/// The service with that id, also if it was deleted: its sessions end by its rules.
pub async fn get_any(
    tx: &mut Tx,
    account: &AccountId,
    id: &ServiceId,
) -> Result<Option<Service>, Error> {
    const SQL: &str = select!("id = $2");
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(id).fetch_optional(conn).await?);
    match row {
        Some(row) => Ok(Some(open(tx, account, row).await?)),
        None => Ok(None),
    }
}

/// The service with that name.
pub async fn by_name(
    tx: &mut Tx,
    account: &AccountId,
    name: &str,
) -> Result<Option<Service>, Error> {
    const SQL: &str = select!("unique_name = $2 AND deleted_at IS NULL");
    let row: Option<Row> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).bind(name).fetch_optional(conn).await?);
    match row {
        Some(row) => Ok(Some(open(tx, account, row).await?)),
        None => Ok(None),
    }
}

/// The services of an account, also those that were deleted, with what they keep for a shorter time.
pub(super) async fn retention(
    tx: &mut Tx,
    account: &AccountId,
) -> Result<Vec<(ServiceId, RetentionRules)>, Error> {
    const SQL: &str = "SELECT id, rules FROM services WHERE account = $1 ORDER BY id";
    let rows: Vec<(ServiceId, String)> =
        on!(tx, |conn| sqlx::query_as(SQL).bind(account).fetch_all(conn).await?);
    // Rules that can't be read keep nothing for ever.
    let rules = |text: &str| from_text(text).map(|rules| rules.retention).unwrap_or_default();
    Ok(rows.into_iter().map(|(id, text)| (id, rules(&text))).collect())
}

/// Services after `after`, in order of their ids, `limit` at most.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    after: &str,
    limit: i64,
) -> Result<Vec<Service>, Error> {
    const SQL: &str = select!("id > $2 AND deleted_at IS NULL ORDER BY id LIMIT $3");
    let rows: Vec<Row> = on!(tx, |conn| sqlx::query_as(SQL)
        .bind(account)
        .bind(after)
        .bind(limit)
        .fetch_all(conn)
        .await?);
    let mut services = Vec::with_capacity(rows.len());
    for row in rows {
        services.push(open(tx, account, row).await?);
    }
    Ok(services)
}

/// A page of services, newest first.
pub async fn page(tx: &mut Tx, account: &AccountId, page: &Page) -> Result<Vec<Service>, Error> {
    let rows: Vec<Row> = on!(tx, |conn| {
        let mut q = sqlx::QueryBuilder::new(concat!(
            "SELECT id, unique_name, rules, fallback_number, callback, proxy, version, created_at, ",
            "updated_at, deleted_at FROM services WHERE deleted_at IS NULL AND account = "
        ));
        q.push_bind(account);
        paged!(q, page);
        q.build_query_as().fetch_all(conn).await?
    });
    let mut services = Vec::with_capacity(rows.len());
    for row in page.in_order(rows) {
        services.push(open(tx, account, row).await?);
    }
    Ok(services)
}

/// Writes a service's name and rules if it is still at the version before `service.version`;
/// whether it was.
///
/// # Errors
/// [`Error::Conflict`] if the name is taken.
pub async fn update(tx: &mut Tx, account: &AccountId, service: &Service) -> Result<bool, Error> {
    const SQL: &str = "
        UPDATE services SET unique_name = $3, rules = $4, fallback_number = $5, callback = $6,
            version = $7, updated_at = $8, proxy = $9
        WHERE account = $1 AND id = $2 AND version = $7 - 1 AND deleted_at IS NULL";
    let rules = to_text(&service.rules)?;
    let sealed = seal(tx, account, service).await?;
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(&service.id)
        .bind(&service.unique_name)
        .bind(&rules)
        .bind(&sealed.fallback_number)
        .bind(&sealed.callback)
        .bind(service.version)
        .bind(service.updated_at.millis())
        .bind(&sealed.proxy)
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Deletes a service: nobody is shown it any more, and its name is free. Whether it was there.
pub async fn delete(
    tx: &mut Tx,
    account: &AccountId,
    id: &ServiceId,
    now: Timestamp,
) -> Result<bool, Error> {
    // The column has no room for nothing, and no name that may be given has a control character.
    const SQL: &str = "
        UPDATE services SET deleted_at = $3, updated_at = $3, version = version + 1,
            unique_name = $4
        WHERE account = $1 AND id = $2 AND deleted_at IS NULL";
    let name = format!("\u{7f}{id}");
    let done = on!(tx, |conn| sqlx::query(SQL)
        .bind(account)
        .bind(id)
        .bind(now.millis())
        .bind(&name)
        .execute(conn)
        .await?
        .rows_affected());
    Ok(done == 1)
}

/// Takes the next `count` places of the rings of a service that was not deleted; the first of them.
pub(super) async fn take_places(
    tx: &mut Tx,
    account: &AccountId,
    id: &ServiceId,
    count: i64,
) -> Result<i64, Error> {
    const SQL: &str = "
        UPDATE services SET next_place = next_place + $3
        WHERE account = $1 AND id = $2 AND deleted_at IS NULL
        RETURNING next_place - $3";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(account)
        .bind(id)
        .bind(count)
        .fetch_one(conn)
        .await?))
}

/// How many places the service's rings have.
pub async fn places(tx: &mut Tx, account: &AccountId, id: &ServiceId) -> Result<i64, Error> {
    const SQL: &str = "SELECT next_place FROM services WHERE account = $1 AND id = $2";
    Ok(on!(tx, |conn| sqlx::query_scalar(SQL).bind(account).bind(id).fetch_one(conn).await?))
}
