//! Addresses at a carrier's own API: the only ones that its credentials are sent to.

use http::Method;
use url::Url;

use super::Request;

/// Parts of a path that another reader may take for more than one step.
const UNCLEAR: [&str; 4] = ["%2f", "%5c", "%2e", "//"];

/// The request for what lies below `base`, an address of the API without a slash at its end; `None` for
/// an address that is, or may be read as, any other.
pub(super) fn below(base: &str, address: &str) -> Option<Request> {
    let (base, url) = (Url::parse(base).ok()?, Url::parse(address).ok()?);
    let same = url.scheme() == base.scheme()
        && url.host() == base.host()
        && url.port_or_known_default() == base.port_or_known_default();
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let rest = url.path().strip_prefix(base.path().trim_end_matches('/'))?;
    let lower = rest.to_ascii_lowercase();
    let clear = rest.len() > 1
        && rest.starts_with('/')
        && !UNCLEAR.iter().any(|unclear| lower.contains(unclear));
    (same && plain && clear).then(|| Request::new(Method::GET, url.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://api.carrier.example/v1/Accounts/AC1/Messages";

    /// Only what lies below the account's own path, on the same host, port and scheme, is asked for.
    #[test]
    fn nothing_but_the_own_path_is_asked_for() {
        for good in ["/MM1/Media/ME1", "/MM1/Media/ME1?a=1", "/a/b%20c.jpg", "/x/../MM1"] {
            assert!(below(BASE, &format!("{BASE}{good}")).is_some(), "{good}");
        }
        for bad in [
            "",
            "/",
            "s/MM1",
            "/../../../../v1/keys",
            "/%2e%2e/%2E%2E/keys",
            "/..%2f..%2fkeys",
            "/a//b",
            "/a%5c..%5cb",
            "/a#b",
        ] {
            assert!(below(BASE, &format!("{BASE}{bad}")).is_none(), "{bad}");
        }
        for bad in [
            "https://api.carrier.example.evil.example/v1/Accounts/AC1/Messages/MM1",
            "https://api.carrier.example@evil.example/v1/Accounts/AC1/Messages/MM1",
            "https://user@api.carrier.example/v1/Accounts/AC1/Messages/MM1",
            "https://api.carrier.example:444/v1/Accounts/AC1/Messages/MM1",
            "http://api.carrier.example/v1/Accounts/AC1/Messages/MM1",
            "https://api.carrier.example/v1/Accounts/AC2/Messages/MM1",
            "//api.carrier.example/v1/Accounts/AC1/Messages/MM1",
            "/v1/Accounts/AC1/Messages/MM1",
            "javascript:alert(1)",
        ] {
            assert!(below(BASE, bad).is_none(), "{bad}");
        }
        let upper = "HTTPS://API.CARRIER.EXAMPLE:443/v1/Accounts/AC1/Messages/MM1";
        assert_eq!(below(BASE, upper).unwrap().url, format!("{BASE}/MM1"));
    }
}
