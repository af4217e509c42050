//! Verifications: a code is sent to a number, and given back.

use std::{net::IpAddr, time::Duration};

use axum::{extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Api,
    auth::{Granted, VerificationsRead, VerificationsWrite},
    error::not_found,
    input::Faults,
    keys::NoFilter,
    paging::{Listing, Page, Paging},
    wire::{Count, Seconds, Time, VerificationChannel, VerificationStatus},
    write::{self, Nothing, Write, answer, nothing},
};
use crate::{
    domain::{
        phone::Identifier,
        redact,
        time::Timestamp,
        verification::{self, CHECKS_MAX, Channel, Code, SENDS_MAX, Status},
    },
    http::problem::{Path, Problem},
    ids::{AccountId, NumberId, ServiceId, VerificationId},
    relay::{self, CodeTerms, Error, Fault, SendCode},
    store::{Tx, services, verifications as rows},
};

/// A verification: somebody shows that a number is theirs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Verification {
    id: VerificationId,
    service_id: ServiceId,
    /// The number, masked: calling code, dots, and four characters that are the same for the same number
    /// in your account.
    #[schema(example = "+33••••a1f0")]
    to_masked: String,
    channel: VerificationChannel,
    status: VerificationStatus,
    /// BCP 47 language of the words.
    language: String,
    code_length: usize,
    /// How often a code was sent.
    sends: i64,
    /// How many codes may still be tried; 0 once it has ended.
    checks_left: i64,
    /// When a code may be sent again; absent where none will be.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_send_at: Option<Time>,
    expires_at: Time,
    version: i64,
    created_at: Time,
    updated_at: Time,
    ended_at: Option<Time>,
}

impl Verification {
    fn shown(row: rows::Verification, now: Timestamp) -> Self {
        let lapsed = row.status == Status::Pending && now >= row.expires_at;
        let status = if lapsed { Status::Expired } else { row.status };
        let pending = status == Status::Pending;
        let again = pending && row.sends < SENDS_MAX && row.next_send_at < row.expires_at;
        Self {
            to_masked: redact::masked(row.calling_code, row.person.tag()),
            id: row.id,
            service_id: row.service,
            channel: VerificationChannel(row.channel),
            status: VerificationStatus(status),
            language: row.language,
            code_length: row.code_length,
            sends: row.sends,
            checks_left: if pending { CHECKS_MAX - row.checks } else { 0 },
            next_send_at: again.then_some(Time(row.next_send_at)),
            expires_at: Time(row.expires_at),
            version: row.version,
            created_at: Time(row.created_at),
            updated_at: Time(row.updated_at),
            ended_at: row.ended_at.or(lapsed.then_some(row.expires_at)).map(Time),
        }
    }
}

/// A code to send.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "to": "+33639980001", "channel": "sms", "service_id": "rides", "domain": "rides.example",
    "ip": "192.0.2.7",
}))]
pub(super) struct NewVerification {
    /// The number, in E.164. It is sealed, forgotten when the verification ends, and never given out.
    #[schema(value_type = String, required = true, pattern = r"^\+[1-9][0-9]{6,14}$")]
    to: Option<String>,
    #[schema(value_type = VerificationChannel, required = true)]
    channel: Option<VerificationChannel>,
    /// The id or unique name of the service whose brand and numbers are used; may be left out where the account
    /// has one.
    service_id: Option<String>,
    /// The proxy number that it comes from: an active one of the service. By default the service's `sender_id`, or one
    /// that the relay chooses.
    #[schema(value_type = Option<NumberId>)]
    from: Option<String>,
    /// BCP 47 language of the words; by default the service's, or that of the number's country. English, French,
    /// Spanish and German are spoken, English for any other.
    language: Option<String>,
    /// The site that the code is for: the text ends in a line by which browsers fill it in there and nowhere
    /// else.
    #[schema(example = "rides.example")]
    domain: Option<String>,
    /// 4 to 8 digits; 6 by default.
    #[schema(value_type = Option<u32>, minimum = 4, maximum = 8)]
    code_length: Option<Count>,
    /// How long codes are good, 60 to 3600; 600 by default.
    ttl_seconds: Option<Seconds>,
    /// The address of whoever asks you for the code, so that it is counted too. Only a keyed hash is kept.
    #[schema(value_type = Option<String>, example = "192.0.2.7")]
    ip: Option<String>,
}

/// A code that somebody gave back.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "code": "123456" }))]
pub(super) struct NewCheck {
    /// As they typed it: digits, with spaces or dashes between them.
    #[schema(value_type = String, required = true, max_length = 24)]
    code: Option<String>,
}

/// A number to forget.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "to": "+33639980001" }))]
pub(super) struct Forgotten {
    /// The number, in E.164.
    #[schema(value_type = String, required = true, pattern = r"^\+[1-9][0-9]{6,14}$")]
    to: Option<String>,
}

/// What became of a code.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Check {
    /// Whether it was the right one. Nothing else says so.
    valid: bool,
    verification: Verification,
}

/// A number in a body.
fn identifier(text: Option<String>, faults: &mut Faults) -> Option<Identifier> {
    let text = faults.required(text, "/to")?;
    let number = Identifier::parse(&text);
    number.map_err(|error| faults.add("/to", "e164", error.to_string())).ok()
}

impl NewVerification {
    /// What is asked for, but for the service's id.
    fn read(
        self,
        faults: &mut Faults,
    ) -> Option<impl Fn(ServiceId) -> SendCode + Send + Sync + use<>> {
        let to = identifier(self.to, faults);
        let channel = faults.required(self.channel, "/channel");
        let from = self.from.and_then(|text| {
            let allowed =
                "must be the id of a proxy number: a name of letters is the service's sender_id";
            NumberId::parse(&text).map_err(|_| faults.add("/from", "invalid", allowed)).ok()
        });
        let client = self.ip.and_then(|text| {
            let allowed = "must be an address of IPv4 or IPv6";
            text.parse::<IpAddr>().map_err(|_| faults.add("/ip", "invalid", allowed)).ok()
        });
        let length = self.code_length.map(|length| usize::try_from(length.0).unwrap_or(usize::MAX));
        let terms = CodeTerms {
            // The rest is judged also where this is wrong.
            channel: channel.map_or(Channel::Sms, |channel| channel.0),
            language: self.language,
            domain: self.domain,
            code_length: length.unwrap_or(verification::CODE_LENGTH),
            ttl: self.ttl_seconds.map_or(verification::TTL, |ttl| Duration::from_secs(ttl.0)),
        };
        for fault in terms.faults() {
            faults.add(fault.pointer, fault.code, fault.message);
        }
        let to = to?;
        Some(move |service| {
            let (to, from, terms) = (to.clone(), from.clone(), terms.clone());
            SendCode { service, to, from, client, terms }
        })
    }
}

/// The service that is named, or the only one.
async fn service_of(
    tx: &mut Tx,
    account: &AccountId,
    named: Option<&str>,
) -> Result<ServiceId, Error> {
    if let Some(named) = named {
        return Ok(relay::find_service(tx, account, named).await?.id);
    }
    let mut all = services::list(tx, account, "", 2).await?;
    if let (Some(only), true) = (all.pop(), all.is_empty()) {
        return Ok(only.id);
    }
    let why = "is missing: the account has no service, or more than one";
    Err(Error::Invalid(vec![Fault::new("/service_id", "required", why)]))
}

/// Send a code to a number by text or call; for one that is pending, send another.
///
/// The answer does not tell whether the number is known here, and whoever wants no texts gets none.
#[utoipa::path(
    post,
    path = "/api/v1/verifications",
    tag = "Verifications",
    operation_id = "sendCode",
    request_body = NewVerification,
    security(("bearer" = ["verifications:write"])),
    responses(
        (status = 201, description = "The verification; its code is on its way", body = Verification),
        (status = 200, description = "The pending one; another code is on its way", body = Verification),
    ),
)]
pub(super) async fn create(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<VerificationsWrite>,
    request: Write<NewVerification>,
) -> Result<Response, Problem> {
    let Write { mut body, mut faults, terms } = request;
    let service = body.service_id.take();
    let new = body.read(&mut faults);
    let new = faults.done(new)?;
    let input = (service, new, api.0.relay.senders());
    api.write(&caller, terms.key, input, |tx, account, (service, new, senders)| {
        Box::pin(async move {
            let service = service_of(tx, account, service.as_deref()).await?;
            let (row, fresh) = relay::send_code(tx, account, &new(service), senders).await?;
            let now = tx.now().await?;
            let one = Verification::shown(row, now);
            let location = format!("/api/v1/verifications/{}", one.id);
            let status = if fresh { StatusCode::CREATED } else { StatusCode::OK };
            Ok(answer(status, &one, Some(one.version), fresh.then_some(location)))
        })
    })
    .await
}

/// Verifications, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/verifications",
    tag = "Verifications",
    operation_id = "listVerifications",
    params(Paging),
    security(("bearer" = ["verifications:read"])),
    responses((status = 200, description = "A page of verifications", body = Page<Verification>)),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<VerificationsRead>,
    listing: Listing<NoFilter>,
) -> Result<Response, Problem> {
    let mut tx = api.0.relay.db().read().await?;
    let found = rows::list(&mut tx, &caller.account, &listing.page()).await?;
    let now = tx.now().await?;
    listing.answer(
        &api,
        found,
        |row| row.id.as_str(),
        |rows| Ok(rows.into_iter().map(|row| Verification::shown(row, now)).collect()),
    )
}

fn id(text: &str) -> Result<VerificationId, Problem> {
    VerificationId::parse(text).map_err(|_| not_found("verification"))
}

/// One verification: how far it has come.
#[utoipa::path(
    get,
    path = "/api/v1/verifications/{verification}",
    tag = "Verifications",
    operation_id = "getVerification",
    security(("bearer" = ["verifications:read"])),
    responses((status = 200, description = "The verification", body = Verification)),
)]
pub(super) async fn read(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<VerificationsRead>,
    Path(named): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut tx = api.0.relay.db().read().await?;
    let row = rows::get(&mut tx, &caller.account, &id(&named)?).await?;
    let now = tx.now().await?;
    let one = Verification::shown(row.ok_or_else(|| not_found("verification"))?, now);
    // Its time may be up before anything of it is written.
    let etag = match one.status.0 {
        Status::Expired => format!("{}-expired", one.version),
        _ => one.version.to_string(),
    };
    Ok(write::read(&headers, &one, &etag))
}

/// Check a code that somebody gave back. Five may be tried; a right one is good once.
#[utoipa::path(
    post,
    path = "/api/v1/verifications/{verification}/check",
    tag = "Verifications",
    operation_id = "checkCode",
    request_body = NewCheck,
    security(("bearer" = ["verifications:write"])),
    responses((status = 200, description = "Whether it was the right one", body = Check)),
)]
pub(super) async fn check(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<VerificationsWrite>,
    Path(named): Path<String>,
    request: Write<NewCheck>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    let code = faults.required(body.code, "/code").and_then(|text| {
        let code = Code::parse(&text);
        if code.is_none() {
            faults.add("/code", "invalid", "must be 4 to 8 digits");
        }
        code
    });
    let code = faults.done(code)?;
    let input = (id(&named)?, code, terms.version);
    api.write(&caller, terms.key, input, |tx, account, (id, code, version)| {
        Box::pin(async move {
            let checked = relay::check_verification(tx, account, id, code, *version).await?;
            let now = tx.now().await?;
            let verification = Verification::shown(checked.verification, now);
            let version = verification.version;
            let shown = Check { valid: checked.valid, verification };
            Ok(answer(StatusCode::OK, &shown, Some(version), None))
        })
    })
    .await
}

/// Give a verification up: its codes are good no more.
#[utoipa::path(
    post,
    path = "/api/v1/verifications/{verification}/cancel",
    tag = "Verifications",
    operation_id = "cancelVerification",
    security(("bearer" = ["verifications:write"])),
    responses((status = 200, description = "The verification as it is now", body = Verification)),
)]
pub(super) async fn cancel(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<VerificationsWrite>,
    Path(named): Path<String>,
    request: Write<Nothing>,
) -> Result<Response, Problem> {
    let Write { body, faults, terms } = request;
    faults.done(Some(body))?;
    let input = (id(&named)?, terms.version);
    api.write(&caller, terms.key, input, |tx, account, (id, version)| {
        Box::pin(async move {
            let row = relay::cancel_verification(tx, account, id, *version).await?;
            let now = tx.now().await?;
            let one = Verification::shown(row, now);
            Ok(answer(StatusCode::OK, &one, Some(one.version), None))
        })
    })
    .await
}

/// Forget that a number was verified, and every verification of it. The same whether or not there was one.
#[utoipa::path(
    post,
    path = "/api/v1/verified-numbers/forget",
    tag = "Verifications",
    operation_id = "forgetVerifiedNumber",
    request_body = Forgotten,
    security(("bearer" = ["verifications:write"])),
    responses((status = 204, description = "Forgotten")),
)]
pub(super) async fn forget(
    State(api): State<Api>,
    Granted { caller, .. }: Granted<VerificationsWrite>,
    request: Write<Forgotten>,
) -> Result<Response, Problem> {
    let Write { body, mut faults, terms } = request;
    let number = identifier(body.to, &mut faults);
    let number = faults.done(number)?;
    api.write(&caller, terms.key, number, |tx, account, number| {
        Box::pin(async move {
            relay::forget_verified(tx, account, number).await?;
            Ok(nothing())
        })
    })
    .await
}
