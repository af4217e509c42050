//! The other login of the console's staff: whether it answers as one.

use super::report::Report;
use crate::{app, config::Config, relay::ProviderFault};

const CHECK: &str = "console.oidc";

/// Asks it what it says of itself. Whether it takes the client's id and secret only a login tells.
pub(super) async fn check(report: &mut Report, config: &Config, origin: &str) {
    let Some(provider) = app::provider(config, origin) else { return };
    let issuer = &provider.rules().issuer;
    match provider.probe().await {
        Ok(0) => report.fail(
            CHECK,
            format!("{issuer} answers, and names no key that it signs with"),
            "give it a key for signing ID tokens",
        ),
        Ok(_) => report.ok(
            CHECK,
            format!("{issuer} answers; it must send people back to {}", provider.back()),
        ),
        Err(ProviderFault::Refused(what)) => report.fail(
            CHECK,
            format!("{issuer} names an address of another sort than https ({what})"),
            "mend what it says at /.well-known/openid-configuration",
        ),
        Err(_) => report.fail(
            CHECK,
            format!("{issuer} does not answer as an OpenID Connect provider of that name"),
            "see that this machine reaches <issuer>/.well-known/openid-configuration, and that its \
             \"issuer\" is the setting letter by letter",
        ),
    }
}
