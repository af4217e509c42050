//! One adapter of every carrier, with fixed settings.

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use entremise::{
    carrier::{self, Carrier, Links, Settings},
    domain::time::Timestamp,
};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

/// The time of every run.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_795_292_727_000);
pub(crate) const ORIGIN: &str = "https://relay.example";
pub(crate) const SANDBOX_API: &str = "https://network.example/sandbox/carrier";
pub(crate) const SANDBOX_SECRET: &str = "a-secret-of-the-fuzzers";
pub(crate) const TWILIO_API: &str = "https://api.twilio.com";
pub(crate) const TELNYX_API: &str = "https://api.telnyx.com";
pub(crate) const ORGANIZATION: &str = "f5586561-8ff0-4291-a51b-c7dfe4139ff9";
pub(crate) const APPLICATION: &str = "1494404757140276705";
pub(crate) const MESSAGING_PROFILE: &str = "16fd2706-8baf-433b-82eb-8c7fada847da";
/// The seed of the key that signs Telnyx's webhooks here.
pub(crate) const TELNYX_SEED: [u8; 32] = [7; 32];
pub(crate) const ACCOUNT_SID: &str = "AC00000000000000000000000000000001";
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const TOKEN_SECONDARY: &str = "00112233445566778899aabbccddeeff";
pub(crate) const SHARED_KEY: &str = "shared_01";
/// Where nobody answers: no input may reach the real one.
pub(crate) const NOWHERE: &str = "http://127.0.0.1:1";
const VONAGE: &str = include_str!("../../../fixtures/vonage/carrier.toml");
const PLIVO: &str = include_str!("../../../fixtures/plivo/carrier.toml");
const BANDWIDTH: &str = include_str!("../../../fixtures/bandwidth/carrier.toml");
const INFOBIP: &str = include_str!("../../../fixtures/infobip/carrier.toml");
const SINCH: &str = include_str!("../../../fixtures/sinch/carrier.toml");
const SIGNALWIRE: &str = include_str!("../../../fixtures/signalwire/carrier.toml");
const JAMBONZ: &str = include_str!("../../../fixtures/jambonz/carrier.toml");
pub(crate) const SHARED_SECRET: &str = "a-shared-secret-of-the-fuzzers";

/// An adapter and the addresses that it is given.
pub(crate) struct Adapter {
    pub(crate) kind: &'static str,
    pub(crate) carrier: Box<dyn Carrier>,
    pub(crate) links: Links,
}

/// Another adapter of that kind, with the same settings.
pub(crate) fn another(kind: &str) -> Box<dyn Carrier> {
    match kind {
        "sandbox" => adapter("sandbox", SANDBOX_API, &sandbox_settings()).carrier,
        "telnyx" => adapter("telnyx", TELNYX_API, &telnyx_settings()).carrier,
        "vonage" => adapter("vonage", NOWHERE, &vonage_settings()).carrier,
        "plivo" => adapter("plivo", NOWHERE, &plivo_settings()).carrier,
        "bandwidth" => adapter("bandwidth", NOWHERE, &bandwidth_settings()).carrier,
        "infobip" => adapter("infobip", NOWHERE, &settings_of(INFOBIP)).carrier,
        "sinch" => adapter("sinch", NOWHERE, &settings_of(SINCH)).carrier,
        "signalwire" => adapter("signalwire", NOWHERE, &settings_of(SIGNALWIRE)).carrier,
        "jambonz" => adapter("jambonz", NOWHERE, &settings_of(JAMBONZ)).carrier,
        _ => adapter("twilio", TWILIO_API, &twilio_settings()).carrier,
    }
}

fn adapter(kind: &'static str, api_base: &str, settings: &str) -> Adapter {
    let settings = Settings {
        id: kind.to_owned(),
        api_base: Some(api_base.to_owned()),
        values: settings.parse().unwrap(),
    };
    let carrier = (carrier::kind(kind).unwrap().build)(&settings).unwrap();
    Adapter { kind, carrier, links: Links::new(ORIGIN, kind) }
}

fn sandbox_settings() -> String {
    format!("secret = '{SANDBOX_SECRET}'")
}

/// The settings of its fixtures, by name.
pub(crate) fn vonage_setting(key: &str) -> String {
    setting(&vonage_settings(), key)
}

/// The name and the password that carrier's webhooks have here.
pub(crate) fn webhook_password(kind: &str) -> String {
    let facts = if kind == "infobip" { INFOBIP } else { BANDWIDTH };
    let word = |key: &str| setting(&settings_of(facts), key);
    format!("{}:{}", word("webhook_username"), word("webhook_password"))
}

fn setting(settings: &str, key: &str) -> String {
    let settings: toml::Table = settings.parse().unwrap();
    settings[key].as_str().unwrap().to_owned()
}

fn vonage_settings() -> String {
    settings_of(VONAGE)
}

pub(crate) fn sinch_setting(key: &str) -> String {
    setting(&settings_of(SINCH), key)
}

/// The key that signs `SignalWire`'s webhooks here.
pub(crate) fn signalwire_key() -> String {
    setting(&settings_of(SIGNALWIRE), "signing_key")
}

/// The secret that signs jambonz's webhooks here.
pub(crate) fn jambonz_secret() -> String {
    setting(&settings_of(JAMBONZ), "webhook_secret")
}

fn plivo_settings() -> String {
    settings_of(PLIVO)
}

/// The token that signs Plivo's webhooks here.
pub(crate) fn plivo_token() -> String {
    setting(&plivo_settings(), "auth_token")
}

fn bandwidth_settings() -> String {
    settings_of(BANDWIDTH)
}

fn settings_of(fixtures: &str) -> String {
    let facts: toml::Table = fixtures.parse().unwrap();
    toml::to_string(&facts["settings"]).unwrap()
}

fn twilio_settings() -> String {
    format!(
        "account_sid = '{ACCOUNT_SID}'\nauth_token = '{TOKEN}'\n\
         auth_token_secondary = '{TOKEN_SECONDARY}'\n\
         shared_keys = {{ {SHARED_KEY} = '{SHARED_SECRET}' }}"
    )
}

pub(crate) fn telnyx_key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&TELNYX_SEED).unwrap()
}

fn telnyx_settings() -> String {
    let public = STANDARD.encode(telnyx_key().public_key());
    format!(
        "api_key = '{TOKEN}'\npublic_key = '{public}'\naccount_sid = '{ORGANIZATION}'\n\
         application_id = '{APPLICATION}'\nmessaging_profile_id = '{MESSAGING_PROFILE}'"
    )
}

pub(crate) static SANDBOX: LazyLock<Adapter> =
    LazyLock::new(|| adapter("sandbox", SANDBOX_API, &sandbox_settings()));
pub(crate) static TWILIO: LazyLock<Adapter> =
    LazyLock::new(|| adapter("twilio", TWILIO_API, &twilio_settings()));

pub(crate) static TELNYX: LazyLock<Adapter> =
    LazyLock::new(|| adapter("telnyx", TELNYX_API, &telnyx_settings()));

static VONAGE_ADAPTER: LazyLock<Adapter> =
    LazyLock::new(|| adapter("vonage", NOWHERE, &vonage_settings()));

static PLIVO_ADAPTER: LazyLock<Adapter> =
    LazyLock::new(|| adapter("plivo", NOWHERE, &plivo_settings()));

static BANDWIDTH_ADAPTER: LazyLock<Adapter> =
    LazyLock::new(|| adapter("bandwidth", NOWHERE, &bandwidth_settings()));

static INFOBIP_ADAPTER: LazyLock<Adapter> =
    LazyLock::new(|| adapter("infobip", NOWHERE, &settings_of(INFOBIP)));

static SINCH_ADAPTER: LazyLock<Adapter> =
    LazyLock::new(|| adapter("sinch", NOWHERE, &settings_of(SINCH)));

static SIGNALWIRE_ADAPTER: LazyLock<Adapter> =
    LazyLock::new(|| adapter("signalwire", NOWHERE, &settings_of(SIGNALWIRE)));
static JAMBONZ_ADAPTER: LazyLock<Adapter> =
    LazyLock::new(|| adapter("jambonz", NOWHERE, &settings_of(JAMBONZ)));

/// Every carrier that can be configured has an adapter here.
pub(crate) fn all() -> [&'static Adapter; 10] {
    let all = [
        &*SANDBOX,
        &*TWILIO,
        &*TELNYX,
        &*VONAGE_ADAPTER,
        &*PLIVO_ADAPTER,
        &*BANDWIDTH_ADAPTER,
        &*INFOBIP_ADAPTER,
        &*SINCH_ADAPTER,
        &*SIGNALWIRE_ADAPTER,
        &*JAMBONZ_ADAPTER,
    ];
    assert_eq!(
        all.map(|one| one.kind).to_vec(),
        carrier::KINDS.iter().map(|k| k.name).collect::<Vec<_>>()
    );
    all
}
