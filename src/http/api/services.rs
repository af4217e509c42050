//! Services: a named set of rules and a pool of proxy numbers.

use axum::{extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Api,
    assurance::AttestationRules,
    auth::{Granted, NumbersRead, NumbersWrite},
    content::Content,
    input::Patch,
    keys::NoFilter,
    limits::ServiceLimits,
    paging::{Listing, Page, Paging},
    retention::Retention,
    service_settings::ServiceSettings,
    twilio_proxy::TwilioProxy,
    wire::{
        GeoMatch, IdentifierCheck, MediaRule, OutOfSession, RecordingRule, Selection, StopWords,
        TeamRing, Time,
    },
    write::{self, Write, answer},
};
use crate::{
    domain::policy::Rules,
    http::problem::{Path, Problem},
    ids::{AccountId, ServiceId},
    privacy::webhook::WebhookSecret,
    relay::{self, NewService},
    store::{self, Tx, services},
};

/// The seconds of a day.
const DAY_S: u64 = 86_400;

/// A service: rules and a pool.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Service {
    id: ServiceId,
    /// Unique in the account; usable in paths.
    unique_name: String,
    /// The marketplace's name, as callers hear it.
    brand: String,
    /// BCP 47 language of what is said; empty for that of the dialled number's country.
    language: String,
    /// How long a session lives after its last interaction; 0 for ever.
    default_ttl_seconds: u64,
    /// How long nobody else gets a person's number after a session.
    quarantine_seconds: u64,
    geo_match: GeoMatch,
    /// Whether a pool that has nothing near gives a number of the same country instead.
    geo_fallback: bool,
    selection: Selection,
    /// How many people a session may have.
    participants_max: u32,
    /// How long a phone rings.
    ring_timeout_seconds: u64,
    /// The longest call.
    call_max_seconds: u64,
    /// Said to the caller before the other phone rings; empty for nothing.
    caller_announcement: String,
    /// Said to whoever answers, before the two are connected; empty for nothing.
    callee_whisper: String,
    /// Whether whoever answers must press 1.
    press_one: bool,
    team_ring: TeamRing,
    out_of_session: OutOfSession,
    /// Said instead of the neutral words; empty for those.
    out_of_session_announcement: String,
    /// Your own line, masked: calling code, dots, and four characters that are the same for the
    /// same number in your account.
    #[schema(example = "+33••••a1f0")]
    out_of_session_number_masked: Option<String>,
    /// Sent back to whoever texts where no session is, once a day; empty for nothing.
    out_of_session_text: String,
    /// Where `callback` asks; empty for nowhere.
    out_of_session_url: String,
    /// What signs the questions, `whsec_…`: only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    out_of_session_secret: Option<String>,
    /// Sent to the callee of a missed call, through the mask; empty for none.
    missed_call_text: String,
    /// Whether a caller whom nobody answered may leave a message, which is recorded. Take counsel: laws on
    /// recording differ.
    voicemail: bool,
    /// Said to the caller first; empty for words of ours. It must say that they are recorded.
    voicemail_greeting: String,
    /// The longest message.
    voicemail_seconds: u64,
    /// Whether whoever missed the call gets a text with an address where the message can be heard.
    voicemail_text: bool,
    /// How long a message is kept.
    voicemail_days: u64,
    /// Whether calls are recorded: `off`, or `consent` where both sides agreed by a key. Take counsel.
    recording: RecordingRule,
    /// What for, as people are told.
    recording_purpose: String,
    /// How long a recording is kept.
    recording_days: u64,
    /// Whether people's numbers must be possible ones, or ones that a numbering plan has.
    identifier_check: IdentifierCheck,
    /// Whether what people write is kept, sealed, with the interaction: the Twilio Proxy API shows
    /// it. This API never does.
    keep_texts: bool,
    /// Whether words that stop texts (`STOP`, `END`, `CANCEL` …) are relayed like others (`relay`), bind the
    /// proxy number that they were sent to and their sender (`number`), or go by the country of that number
    /// (`country`).
    stop_words: StopWords,
    /// Sent to whoever writes `HELP` or `INFO` to a number under +1, with `stop_words` `country`; empty for
    /// words of ours.
    help_text: String,
    /// Whether people may block and report the other side by a text (`BLOCK`, `UNBLOCK`, `REPORT`).
    block_words: bool,
    /// Which pictures and files of texts are passed on: `none`, `images` (made anew, without anything
    /// but their pixels) or `files` (also sound, film and PDF, whose metadata is not removed).
    media: MediaRule,
    /// Whether contact cards are passed on: they hold numbers.
    vcards: bool,
    /// Whether people are told by a text that a move gave them another number to dial.
    tell_of_moves: bool,
    /// Whether whoever gets a number is told of it by a text: who writes, why, which number, that it is
    /// masked, and how to get no more of them. Once for a number and a service.
    first_text: bool,
    /// Said instead of our words, with `{brand}`, `{number}` and `{stop}`; empty for ours, in the language
    /// of the service or of the person's country.
    first_text_words: String,
    content: Content,
    /// Whether only people join a session whose number was verified in this account.
    verified_participants: bool,
    /// How long a verification is good for that.
    verified_for_days: u64,
    /// The name of letters under which codes are texted, where country and carrier take one; empty for none.
    sender_id: String,
    /// Where support finds the order behind a session, with `{unique_name}` or `{session}` in it; empty for nowhere.
    order_url: String,
    retention: Retention,
    /// Which countries' numbers may join its sessions and be called and texted; empty for any that the operator
    /// allows. A list that is narrowed holds at once, also in sessions that are open.
    countries: Vec<String>,
    limits: ServiceLimits,
    /// Whether whoever wrote more than a limit allows is told so by a text, once an hour.
    tell_limits: bool,
    attestation: AttestationRules,
    /// Whether callers who withhold their number are asked for a PIN.
    pin_for_withheld: bool,
    /// Whether a PIN opens its session from any telephone.
    pin_from_any_phone: bool,
    /// Whether sessions share a number, by PIN, once the pool has none left for somebody.
    pin_fallback: bool,
    /// What the Twilio Proxy API sets.
    twilio_proxy: TwilioProxy,
    /// What is allowed but deserves a second look.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Option<Vec<String>>)]
    warnings: Vec<&'static str>,
    version: i64,
    created_at: Time,
    updated_at: Time,
}

impl Service {
    /// What an account sees of its service.
    async fn shown(
        tx: &mut Tx,
        account: &AccountId,
        service: services::Service,
    ) -> Result<Self, store::Error> {
        let masked = services::masked_line(tx, account, &service).await?;
        let rules = service.rules;
        Ok(Self {
            id: service.id,
            unique_name: service.unique_name,
            warnings: rules.warnings().into_iter().map(|one| one.words).collect(),
            brand: rules.brand,
            language: rules.language,
            default_ttl_seconds: rules.default_ttl.as_secs(),
            quarantine_seconds: rules.quarantine.as_secs(),
            geo_match: GeoMatch(rules.geo_match),
            geo_fallback: rules.geo_fallback,
            selection: Selection(rules.selection),
            participants_max: rules.participants_max,
            ring_timeout_seconds: rules.ring_timeout.as_secs(),
            call_max_seconds: rules.call_max.as_secs(),
            caller_announcement: rules.caller_announcement,
            callee_whisper: rules.callee_whisper,
            press_one: rules.press_one,
            team_ring: TeamRing(rules.team_ring),
            out_of_session: OutOfSession(rules.out_of_session),
            out_of_session_announcement: rules.out_of_session_announcement,
            out_of_session_number_masked: masked,
            out_of_session_text: rules.out_of_session_text,
            out_of_session_url: rules.out_of_session_url,
            out_of_session_secret: None,
            missed_call_text: rules.missed_call_text,
            voicemail: rules.voicemail.on,
            voicemail_greeting: rules.voicemail.greeting,
            voicemail_seconds: rules.voicemail.longest.as_secs(),
            voicemail_text: rules.voicemail.text,
            voicemail_days: rules.voicemail.kept.as_secs() / DAY_S,
            recording: RecordingRule(rules.recording.rule),
            recording_purpose: rules.recording.purpose,
            recording_days: rules.recording.kept.as_secs() / DAY_S,
            identifier_check: IdentifierCheck(rules.identifier_check),
            keep_texts: rules.keep_texts,
            stop_words: StopWords(rules.stop_words),
            help_text: rules.help_text,
            block_words: rules.block_words,
            media: MediaRule(rules.media),
            vcards: rules.vcards,
            tell_of_moves: rules.tell_of_moves,
            first_text: rules.first_text.on,
            first_text_words: rules.first_text.words,
            content: rules.content.into(),
            verified_participants: rules.verified.required,
            verified_for_days: rules.verified.within.as_secs() / DAY_S,
            sender_id: rules.sender_id.map(|id| id.as_str().to_owned()).unwrap_or_default(),
            order_url: rules.order_url.map(|url| url.as_str().to_owned()).unwrap_or_default(),
            retention: rules.retention.into(),
            countries: rules.countries.iter().map(str::to_owned).collect(),
            limits: (&rules.limits).into(),
            tell_limits: rules.tell_limits,
            attestation: rules.assurance.into(),
            pin_for_withheld: rules.assurance.pin_for_withheld,
            pin_from_any_phone: rules.assurance.pin_from_any_phone,
            pin_fallback: rules.assurance.pin_fallback,
            twilio_proxy: rules.proxy.into(),
            version: service.version,
            created_at: Time(service.created_at),
            updated_at: Time(service.updated_at),
        })
    }
}

/// All services, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/services",
    tag = "Services",
    operation_id = "listServices",
    params(Paging),
    security(("bearer" = ["numbers:read"])),
    responses((status = 200, description = "A page of services", body = Page<Service>)),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersRead>,
    listing: Listing<NoFilter>,
) -> Result<Response, Problem> {
    let mut tx = api.0.relay.db().read().await?;
    let found = services::list(&mut tx, &caller.account, listing.after(), listing.limit()).await?;
    let mut shown = Vec::with_capacity(found.len());
    for service in found {
        shown.push(Service::shown(&mut tx, &caller.account, service).await?);
    }
    listing.answer(&api, shown, |service| service.id.as_str(), Ok)
}

/// Make a service.
#[utoipa::path(
    post,
    path = "/api/v1/services",
    tag = "Services",
    operation_id = "createService",
    request_body = ServiceSettings,
    security(("bearer" = ["numbers:write"])),
    responses((status = 201, description = "The service", body = Service)),
)]
pub(super) async fn create(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersWrite>,
    request: Write<ServiceSettings>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    body.check(&mut faults, true, &api.0.relay);
    let unique_name = match &body.unique_name {
        Patch::Value(name) => Some(name.clone()),
        Patch::Absent | Patch::Null => None,
    };
    let unique_name = faults.required(unique_name, "/unique_name");
    let unique_name = faults.done(unique_name)?;
    let input = (unique_name, body, api.0.relay.clone());
    api.write(&caller, terms.key, input, |tx, account, (unique_name, body, relay)| {
        Box::pin(async move {
            let brand = relay::default_brand(tx, account).await?;
            let mut rules = Rules::new(brand.clone());
            body.apply(&mut rules, &brand);
            let new = NewService { unique_name: unique_name.clone(), rules };
            let service = relay::create_service(tx, account, &new).await?;
            relay::check_service_recording(tx, relay.carriers(), account, &service).await?;
            let secret = service.callback_secret.as_ref().map(WebhookSecret::expose);
            let mut service = Service::shown(tx, account, service).await?;
            service.out_of_session_secret = secret;
            let location = format!("/api/v1/services/{}", service.id);
            Ok(answer(StatusCode::CREATED, &service, Some(service.version), Some(location)))
        })
    })
    .await
}

/// One service, by its id or its unique name.
#[utoipa::path(
    get,
    path = "/api/v1/services/{service}",
    tag = "Services",
    operation_id = "getService",
    security(("bearer" = ["numbers:read"])),
    responses((status = 200, description = "The service", body = Service)),
)]
pub(super) async fn read(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersRead>,
    Path(service): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = api.0.relay.db().read().await?;
    let service = relay::find_service(&mut tx, &caller.account, &service).await?;
    let service = Service::shown(&mut tx, &caller.account, service).await?;
    Ok(write::read(&headers, &service, &service.version.to_string()))
}

/// Change a service's settings (JSON merge patch).
#[utoipa::path(
    patch,
    path = "/api/v1/services/{service}",
    tag = "Services",
    operation_id = "updateService",
    request_body = ServiceSettings,
    security(("bearer" = ["numbers:write"])),
    responses((status = 200, description = "The service as it is now", body = Service)),
)]
pub(super) async fn update(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<NumbersWrite>,
    Path(service): Path<String>,
    request: Write<ServiceSettings>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    body.check(&mut faults, false, &api.0.relay);
    let body = faults.done(Some(body))?;
    let input = (service, terms.version, body, api.0.relay.clone());
    api.write(&caller, terms.key, input, |tx, account, (service, version, body, relay)| {
        Box::pin(async move {
            let before = relay::find_service(tx, account, service).await?;
            let brand = relay::default_brand(tx, account).await?;
            let change = |name: &mut String, rules: &mut Rules| {
                if let Patch::Value(new) = &body.unique_name {
                    name.clone_from(new);
                }
                body.apply(rules, &brand);
            };
            let changed = relay::update_service(tx, account, &before.id, *version, &change).await?;
            if changed.rules.recording != before.rules.recording {
                relay::check_service_recording(tx, relay.carriers(), account, &changed).await?;
            }
            let new = before.callback_secret.is_none();
            let secret = changed.callback_secret.as_ref().filter(|_| new);
            let secret = secret.map(WebhookSecret::expose);
            let mut service = Service::shown(tx, account, changed).await?;
            service.out_of_session_secret = secret;
            Ok(answer(StatusCode::OK, &service, Some(service.version), None))
        })
    })
    .await
}
