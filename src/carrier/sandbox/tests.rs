//! What is the sandbox's own: its settings. Everything else is in `tests/carriers.rs`.

use super::*;
use crate::domain::phone::ProxyNumber;

fn settings(text: &str, api_base: Option<&str>) -> Settings {
    Settings {
        id: String::from("sandbox"),
        api_base: api_base.map(str::to_owned),
        values: toml::from_str(text).unwrap(),
    }
}

/// Every fault of the settings is told at once, by key, and none repeats the secret.
#[test]
fn all_faults_are_told_at_once() {
    let faults =
        build(&settings("secret = 'short one'\ntoken = 'x'", Some("ftp://x"))).unwrap_err();
    let keys: Vec<_> = faults.iter().map(|fault| fault.key.as_str()).collect();
    assert_eq!(keys, ["secret", "token", "api_base"]);
    assert!(faults.iter().all(|fault| !fault.message.contains("short one")));
    assert_eq!(build(&settings("", None)).unwrap_err().len(), 2);
}

/// The API's address is used as it was given, without a slash at the end.
#[test]
fn api_base_is_used() {
    let secret = "secret = '0123456789abcdef'";
    let carrier = build(&settings(secret, Some("http://127.0.0.1:8080/sandbox/carrier/"))).unwrap();
    let probe = carrier.probe().unwrap();
    assert_eq!(probe.url, "http://127.0.0.1:8080/sandbox/carrier/v1/account");
    assert_eq!(carrier.secrets(), ["0123456789abcdef"]);
}

/// The sample is signed for its address and its time, and says nothing; there is nothing to ask
/// about a number.
#[test]
fn a_sample_is_authentic_and_harmless() {
    let at = Some("http://127.0.0.1:8080/sandbox/carrier");
    let carrier = build(&settings("secret = '0123456789abcdef'", at)).unwrap();
    let stranger = build(&settings("secret = 'fedcba9876543210'", at)).unwrap();
    let now = Timestamp::from_millis(1_795_292_727_000);
    let sample = carrier.sample(&Links::new("https://relay.example", "play"), now).unwrap();
    assert_eq!(sample.url, "https://relay.example/hooks/play/status");
    assert_eq!(carrier.verify(&sample, now), Ok(()));
    assert!(matches!(carrier.parse(&sample).unwrap()[..], [Inbound::Ignored(_)]));
    assert_eq!(stranger.verify(&sample, now), Err(WebhookError::BadSignature));
    let later = now + Duration::from_secs(301);
    assert_eq!(carrier.verify(&sample, later), Err(WebhookError::Stale));
    let elsewhere = Request { url: "https://other.example/hooks/play/status".into(), ..sample };
    assert_eq!(carrier.verify(&elsewhere, now), Err(WebhookError::BadSignature));
    assert!(carrier.number(&ProxyNumber::parse("+14155550100").unwrap()).is_none());
}
