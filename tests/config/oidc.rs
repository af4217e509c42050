//! `[console.oidc]`: what describes another login for staff, and what does not.

use entremise::domain::oidc::SecondFactor;

use crate::{KEY, keys, load};

/// Another login for staff is described whole or not at all, and its secret is in no fault; what it lacks is told at
/// once, each under its key.
#[test]
fn another_login_is_described_whole() {
    let key = ("ENTREMISE_MASTER_KEY", KEY);
    let groups = "[[console.oidc.groups]]\ngroup = \"support\"\nrole = \"agent\"\n";
    let whole = format!(
        "[console.oidc]\nissuer = \"https://login.example/a/\"\nclient_id = \"x\"\nclient_secret = \
         \"hunter2\"\n{groups}"
    );
    let oidc = load(&whole, &[key]).unwrap().oidc.unwrap();
    assert_eq!(oidc.rules.issuer, "https://login.example/a/", "letter by letter");
    assert_eq!(oidc.rules.scopes, ["profile"]);
    assert_eq!(oidc.rules.groups_claim, "groups");
    assert_eq!(oidc.rules.second_factor, SecondFactor::Provider);
    assert_eq!(oidc.client_secret.expose(), "hunter2");
    assert!(!format!("{oidc:?}").contains("hunter2"));
    let secret = [key, ("ENTREMISE_CONSOLE__OIDC__CLIENT_SECRET", "other")];
    assert_eq!(load(&whole, &secret).unwrap().oidc.unwrap().client_secret.expose(), "other");
    assert!(load("[console.oidc]", &[key]).unwrap().oidc.is_none());

    let missing = keys("[console.oidc]\nlabel = \"X\"", &[key]);
    let needed = ["issuer", "client_id", "client_secret", "groups"];
    assert_eq!(missing, needed.map(|name| format!("console.oidc.{name}")));
    for (from, to, fault) in [
        ("https://login.example/a/", "http://login.example", "issuer"),
        ("https://login.example/a/", "https://login.example?a", "issuer"),
        ("https://login.example/a/", "https://u:p@login.example", "issuer"),
        ("hunter2", "", "client_secret"),
        ("\"agent\"", "\"boss\"", "groups.0.role"),
        ("\"agent\"", "\"agent\"\nallow = [\"staff\"]", "groups.0.allow"),
        ("\"agent\"", "\"agent\"\naccount = \"AC1\"", "groups.0.account"),
        ("\"agent\"", "\"agent\"\ncolour = 1", "groups.0.colour"),
        ("\"x\"", "\"x\"\nsecond_factor = \"none\"", "second_factor"),
        ("\"x\"", "\"x\"\nscopes = [\"a b\"]", "scopes"),
    ] {
        let found = keys(&whole.replace(from, to), &[key]);
        assert_eq!(found, [format!("console.oidc.{fault}")], "{to}");
    }
    let local = whole.replace("https://login.example/a/", "http://127.0.0.1:4011");
    assert!(load(&local, &[key]).unwrap().oidc.is_some());
}
