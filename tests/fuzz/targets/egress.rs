//! Addresses that others gave us: what is accepted leads to one public host, whoever reads it.
//!
//! Input: the address.

use std::net::IpAddr;

use entremise::egress::Egress;

pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let egress = Egress::default();
    let Ok(address) = egress.accept(&text) else { return };
    let kept = address.expose();
    assert!(kept.len() <= 2048 && kept.is_ascii());
    assert!(!kept.contains(|c: char| c.is_ascii_control() || c == ' ' || c == '\\'), "{kept:?}");
    assert_eq!(egress.accept(kept).as_ref(), Ok(&address), "refused as it is kept");
    // As a person reads it: what stands between the slashes is the host.
    let rest = text[..8].eq_ignore_ascii_case("https://").then(|| &text[8..]).expect("https");
    let read = rest.split(['/', '?', '#']).next().unwrap();
    assert!(!read.contains('@') && !text.contains('#'), "{text}");
    let host = read.strip_suffix(":443").unwrap_or(read).to_ascii_lowercase();
    assert_eq!(address.to_string(), format!("https://{host}"), "{text}");
    // As a generic reader of URIs sees it.
    let uri: http::Uri = kept.parse().expect("a URI");
    assert_eq!(uri.host(), Some(&*host));
    assert!(uri.port_u16().is_none_or(|port| port == 443));
    assert!(!format!("{address:?}").contains('?'), "a query is shown");
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = bare.parse::<IpAddr>() {
        assert!(public(ip), "{ip} is not public");
    } else {
        judge_name(&host);
    }
}

fn judge_name(host: &str) {
    let labels: Vec<&str> = host.split('.').collect();
    assert!(labels.len() >= 2 && host.len() <= 253, "{host}");
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    for label in &labels {
        assert!((1..=63).contains(&label.len()) && label.chars().all(plain), "{host}");
    }
    // Were the last one a number, some would read all of it as an IPv4 address.
    let last = labels.last().unwrap();
    let number = last.chars().all(|c| c.is_ascii_digit());
    let hex = last.strip_prefix("0x");
    let hex = hex.is_some_and(|rest| rest.chars().all(|c| c.is_ascii_hexdigit()));
    assert!(!number && !hex, "{host} may be a number");
    let inner = ["localhost", "local", "internal", "localdomain", "lan", "home", "corp"];
    assert!(!inner.contains(last), "{host}");
}

/// What the standard library says of an address, and the ranges that it has no stable name for.
fn public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let reserved = matches!(
                v4.octets(),
                [0 | 240..=255, ..] | [100, 64..=127, ..] | [192, 0, 0, _] | [198, 18 | 19, ..]
            );
            let named = v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_unspecified();
            !reserved && !named
        }
        IpAddr::V6(v6) => {
            // Global unicast, and none that leads to an IPv4 address or is for documentation.
            let [a, b, ..] = v6.segments();
            (0x2000..0x4000).contains(&a)
                && !matches!((a, b), (0x2001, 0..0x200 | 0xdb8) | (0x2002, _))
        }
    }
}
