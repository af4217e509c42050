//! Another login as we talk to it (`OpenID` Connect Core 1.0, authorization code with PKCE): what it says of itself,
//! where a browser is sent, and who somebody is that it sent back.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use openidconnect::{
    AdditionalClaims, AsyncHttpClient, AuthType, AuthorizationCode,
    ClaimsVerificationError as NotVerified, Client, ClientId, ClientSecret, CsrfToken,
    EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, IdTokenFields, IssuerUrl, LanguageTag, Nonce, OAuth2TokenResponse as _,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    SignatureVerificationError as BadSignature, StandardErrorResponse, StandardTokenResponse,
    TokenResponse as _, UserInfoClaims,
    core::{
        CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClientAuthMethod,
        CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm as Alg, CoreProviderMetadata, CoreRevocableToken,
        CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::{sync::Mutex, time::Instant};

use crate::{
    domain::{oidc::OidcRules, staff::Language, time::Timestamp},
    egress::{self, Egress, Failure, Reach},
};

/// How long it may take to answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes.
const ANSWER_MAX: usize = 256 * 1024;
/// How long what it says of itself, its keys too, is taken for true without asking.
const KNOWN_FOR: Duration = Duration::from_mins(10);
/// By how much its clock may differ from ours.
const SKEW: Duration = Duration::from_mins(1);
/// How many groups of somebody are looked at, and the longest of their names in bytes.
const GROUPS_MAX: usize = 1000;
const GROUP_BYTES: usize = 200;
/// The longest subject (`OpenID` Connect Core §2), in bytes.
const SUBJECT_BYTES: usize = 255;

/// What tokens may be signed with: none that both sides hold the key of, and never nothing.
const ALGORITHMS: [Alg; 9] = [
    Alg::RsaSsaPkcs1V15Sha256,
    Alg::RsaSsaPkcs1V15Sha384,
    Alg::RsaSsaPkcs1V15Sha512,
    Alg::RsaSsaPssSha256,
    Alg::RsaSsaPssSha384,
    Alg::RsaSsaPssSha512,
    Alg::EcdsaP256Sha256,
    Alg::EcdsaP384Sha384,
    Alg::EdDsa,
];

/// The claims that the library has no field for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct More(Map<String, Value>);

impl AdditionalClaims for More {}

type Tokens = StandardTokenResponse<
    IdTokenFields<
        More,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        Alg,
    >,
    CoreTokenType,
>;
type Asking = Client<
    More,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Our HTTP client, as the library calls it.
#[derive(Debug)]
struct Web(Egress);

impl<'c> AsyncHttpClient<'c> for Web {
    type Error = Failure;
    type Future = BoxFuture<'c, Result<HttpResponse, Failure>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let address = self.0.accept(&head.uri.to_string())?;
            let request = egress::Request {
                method: head.method,
                address,
                headers: head.headers,
                body: body.into(),
                deadline: DEADLINE,
                answer_max: ANSWER_MAX,
            };
            let answer = self.0.send(request).await?;
            let mut response = HttpResponse::new(answer.body.to_vec());
            *response.status_mut() = answer.status;
            *response.headers_mut() = answer.headers;
            Ok(response)
        })
    }
}

/// Why the other login told nothing that is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProviderFault {
    /// It does not answer, or not as such a login does.
    #[error("does not answer as an OpenID Connect provider")]
    Away,
    /// It knows us by another id or secret, or does not let us ask so.
    #[error("does not accept the client's id and secret")]
    Client,
    /// What it sent is not what was asked for, or not by it. The word says which check it was.
    #[error("sent an answer that is not believed ({0})")]
    Refused(&'static str),
    /// By its clock it is another time than by ours.
    #[error("has another time than this machine")]
    Clock,
}

/// Who somebody is at the other login.
#[derive(Clone)]
pub(super) struct Identity {
    /// What it names them by, for ever.
    pub(super) subject: String,
    /// What they are called, the best first.
    pub(super) names: Vec<String>,
    /// Their groups.
    pub(super) groups: Vec<String>,
    /// When they last proved there who they are, if it says so.
    pub(super) proved_at: Option<Timestamp>,
}

/// What one login is bound to: random texts that come back, or whose hash does.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Bound {
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
}

/// Another login.
pub struct Provider {
    rules: OidcRules,
    secret: ClientSecret,
    back: RedirectUrl,
    issuer: IssuerUrl,
    web: Web,
    known: Mutex<Option<(Instant, Arc<CoreProviderMetadata>)>>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Provider {
    /// The login that sends people back to the console at `origin`; `None` if one of the two is no address.
    pub fn new(rules: OidcRules, secret: &str, origin: &str) -> Option<Self> {
        let plain = rules.issuer.starts_with("http:");
        let options =
            egress::Options { reach: Reach::Operators { plain }, ..egress::Options::default() };
        Some(Self {
            secret: ClientSecret::new(secret.to_owned()),
            back: RedirectUrl::new(format!("{origin}/console/login/oidc/back")).ok()?,
            issuer: IssuerUrl::new(rules.issuer.clone()).ok()?,
            web: Web(Egress::new(options)),
            known: Mutex::new(None),
            rules,
        })
    }

    /// The operator's description of it.
    pub const fn rules(&self) -> &OidcRules {
        &self.rules
    }

    /// Where it sends people back to: an address that it must know.
    pub fn back(&self) -> &str {
        self.back.as_str()
    }

    /// Asks it anew what it says of itself; how many keys it signs with.
    ///
    /// # Errors
    /// [`ProviderFault::Away`]; `Refused` where it names addresses that are not called.
    pub async fn probe(&self) -> Result<usize, ProviderFault> {
        Ok(self.known(true).await?.jwks().keys().len())
    }

    /// What it says of itself. Whoever asks meanwhile waits for the same answer.
    async fn known(&self, anew: bool) -> Result<Arc<CoreProviderMetadata>, ProviderFault> {
        let asked = Instant::now();
        let mut known = self.known.lock().await;
        if let Some((since, metadata)) = &*known
            && (*since >= asked || (!anew && since.elapsed() < KNOWN_FOR))
        {
            return Ok(Arc::clone(metadata));
        }
        let found = CoreProviderMetadata::discover_async(self.issuer.clone(), &self.web).await;
        let found = found.map_err(|why| {
            let kind = match &why {
                openidconnect::DiscoveryError::Request(failure) => failure.word(),
                openidconnect::DiscoveryError::Parse(_) => "unreadable",
                openidconnect::DiscoveryError::Response(..) => "status",
                openidconnect::DiscoveryError::Validation(_) => "issuer",
                _ => "other",
            };
            tracing::warn!(kind, "the other login does not say what it is");
            ProviderFault::Away
        })?;
        // Browsers are led there.
        let authorize = found.authorization_endpoint().url();
        if authorize.scheme() != "https" && self.web.0.accept(authorize.as_str()).is_err() {
            return Err(ProviderFault::Refused("authorization_endpoint"));
        }
        let found = Arc::new(found);
        *known = Some((Instant::now(), Arc::clone(&found)));
        Ok(found)
    }

    fn asking(&self, known: &CoreProviderMetadata) -> Asking {
        let id = ClientId::new(self.rules.client_id.clone());
        let asking = Client::from_provider_metadata(known.clone(), id, Some(self.secret.clone()))
            .set_redirect_uri(self.back.clone());
        let ways = known.token_endpoint_auth_methods_supported();
        let takes = |way| ways.is_some_and(|ways| ways.contains(&way));
        // Without a list it is the header (RFC 8414 §2).
        let in_body = takes(CoreClientAuthMethod::ClientSecretPost)
            && !takes(CoreClientAuthMethod::ClientSecretBasic);
        if in_body { asking.set_auth_type(AuthType::RequestBody) } else { asking }
    }

    /// Where a browser is sent. `oldest` is how long ago somebody may have proved there who they are; none of it
    /// where they must do so now.
    pub(super) async fn question(
        &self,
        bound: &Bound,
        oldest: Option<Duration>,
        language: Language,
    ) -> Result<String, ProviderFault> {
        let known = self.known(false).await?;
        let asking = self.asking(&known);
        let (state, nonce) = (bound.state.clone(), bound.nonce.clone());
        let verifier = PkceCodeVerifier::new(bound.verifier.clone());
        let mut request = asking
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(nonce),
            )
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .set_max_age(oldest.unwrap_or_default())
            .add_ui_locale(LanguageTag::new(language.as_str().to_owned()))
            .add_scopes(self.rules.scopes.iter().cloned().map(Scope::new));
        if oldest.is_none() {
            request = request.add_prompt(CoreAuthPrompt::Login);
        }
        let (url, _, _) = request.url();
        Ok(url.into())
    }

    /// Who somebody is that it sent back with a code.
    pub(super) async fn identify(
        &self,
        code: &str,
        bound: &Bound,
        now: Timestamp,
    ) -> Result<Identity, ProviderFault> {
        let known = self.known(false).await?;
        let tokens = self.tokens(&self.asking(&known), code, bound).await?;
        match self.read(&known, &tokens, bound, now).await {
            // It may have new keys.
            Err(ProviderFault::Refused("key" | "signature")) => {
                let known = self.known(true).await?;
                self.read(&known, &tokens, bound, now).await
            }
            other => other,
        }
    }

    async fn tokens(
        &self,
        asking: &Asking,
        code: &str,
        bound: &Bound,
    ) -> Result<Tokens, ProviderFault> {
        let exchange = asking.exchange_code(AuthorizationCode::new(code.to_owned()));
        let exchange = exchange.map_err(|_| ProviderFault::Refused("token_endpoint"))?;
        let verifier = PkceCodeVerifier::new(bound.verifier.clone());
        let answer = exchange.set_pkce_verifier(verifier).request_async(&self.web).await;
        answer.map_err(|why| match why {
            RequestTokenError::Request(_) => ProviderFault::Away,
            RequestTokenError::ServerResponse(said) => match said.error() {
                CoreErrorResponseType::InvalidGrant => ProviderFault::Refused("code"),
                CoreErrorResponseType::InvalidClient
                | CoreErrorResponseType::UnauthorizedClient => ProviderFault::Client,
                _ => ProviderFault::Refused("token_answer"),
            },
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                ProviderFault::Refused("token_answer")
            }
        })
    }

    /// What tokens say, once they are believed.
    async fn read(
        &self,
        known: &CoreProviderMetadata,
        tokens: &Tokens,
        bound: &Bound,
        now: Timestamp,
    ) -> Result<Identity, ProviderFault> {
        let asking = self.asking(known);
        let token = tokens.id_token().ok_or(ProviderFault::Refused("no_id_token"))?;
        let late = Duration::from_millis(now.millis().unsigned_abs()).saturating_sub(SKEW);
        let verifier = asking
            .id_token_verifier()
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || (std::time::UNIX_EPOCH + late).into());
        let claims = token
            .claims(&verifier, &Nonce::new(bound.nonce.clone()))
            .map_err(|why| refused(&why))?;
        if Timestamp::from_millis(claims.issue_time().timestamp_millis()) > now + SKEW {
            return Err(ProviderFault::Clock);
        }
        let subject = claims.subject().as_str().to_owned();
        if subject.is_empty() || subject.len() > SUBJECT_BYTES {
            return Err(ProviderFault::Refused("subject"));
        }
        let mut names: Vec<String> = [
            claims.name().and_then(|name| name.get(None)).map(|name| name.to_string()),
            claims.preferred_username().map(|name| name.to_string()),
        ]
        .into_iter()
        .flatten()
        .collect();
        let mut groups = claim(claims.additional_claims(), &self.rules.groups_claim);
        // Some put into the token only what must be in it.
        if groups.is_none()
            && let Ok(request) =
                asking.user_info(tokens.access_token().clone(), Some(claims.subject().clone()))
        {
            let told: Result<UserInfoClaims<More, CoreGenderClaim>, _> =
                request.request_async(&self.web).await;
            let told = told.map_err(|why| match why {
                openidconnect::UserInfoError::Request(_) => ProviderFault::Away,
                _ => ProviderFault::Refused("userinfo"),
            })?;
            groups = claim(told.additional_claims(), &self.rules.groups_claim);
            names.extend(told.name().and_then(|name| name.get(None)).map(|name| name.to_string()));
            names.extend(told.preferred_username().map(|name| name.to_string()));
        }
        Ok(Identity {
            subject,
            names,
            groups: groups.unwrap_or_default(),
            proved_at: claims.auth_time().map(|at| Timestamp::from_millis(at.timestamp_millis())),
        })
    }

    /// The earliest that its clock may show when ours shows that.
    pub(super) fn about(at: Timestamp) -> Timestamp {
        Timestamp::from_millis(at.millis() - i64::try_from(SKEW.as_millis()).unwrap_or_default())
    }
}

/// Which check a token failed.
fn refused(why: &NotVerified) -> ProviderFault {
    let check = match why {
        NotVerified::Expired(_) => return ProviderFault::Clock,
        NotVerified::InvalidAudience(_) => "audience",
        NotVerified::InvalidIssuer(_) => "issuer",
        NotVerified::InvalidNonce(_) => "nonce",
        NotVerified::InvalidSubject(_) => "subject",
        NotVerified::SignatureVerification(BadSignature::NoMatchingKey) => "key",
        NotVerified::SignatureVerification(
            BadSignature::NoSignature
            | BadSignature::DisallowedAlg(_)
            | BadSignature::UnsupportedAlg(_),
        ) => "algorithm",
        NotVerified::SignatureVerification(_) => "signature",
        _ => "claims",
    };
    ProviderFault::Refused(check)
}

/// The groups in a claim: a list of texts, or one. `None` where the claim is not there.
fn claim(claims: &More, name: &str) -> Option<Vec<String>> {
    let whole = claims.0.get(name);
    let found = whole.or_else(|| {
        let mut way = name.split('.');
        let first = claims.0.get(way.next()?)?;
        way.try_fold(first, |at, step| at.get(step))
    })?;
    let texts: Vec<&str> = match found {
        Value::String(one) => vec![one],
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let short = texts.into_iter().filter(|text| text.len() <= GROUP_BYTES);
    Some(short.take(GROUPS_MAX).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Groups are a list or one text, under a name or at the end of a way; a name with dots comes first.
    #[test]
    fn groups_are_found() {
        let read = |text: &str, name: &str| claim(&serde_json::from_str(text).unwrap(), name);
        let list = |all: &[&str]| Some(all.iter().map(|one| (*one).to_owned()).collect());
        assert_eq!(read(r#"{"groups": ["a", 7, "b"]}"#, "groups"), list(&["a", "b"]));
        assert_eq!(read(r#"{"groups": "a"}"#, "groups"), list(&["a"]));
        assert_eq!(read(r#"{"groups": {"a": 1}}"#, "groups"), list(&[]));
        assert_eq!(read(r#"{"other": ["a"]}"#, "groups"), None);
        let nested = r#"{"realm_access": {"roles": ["a"]}, "a.b": ["c"], "a": {"b": ["d"]}}"#;
        assert_eq!(read(nested, "realm_access.roles"), list(&["a"]));
        assert_eq!(read(nested, "a.b"), list(&["c"]));
        assert_eq!(read(nested, "realm_access.none"), None);
    }
}
