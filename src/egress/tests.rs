//! What the rules say, held against ranges written down a second time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use proptest::prelude::*;

use super::{Address, Reach, Refused, guard::Guard, public::is_public};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// First and last address of each range that IANA's IPv4 special-purpose registry lists, that is
/// multicast or reserved, and Azure's platform: as numbers, written apart from the tables.
fn set_aside_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, d] = ip.octets();
    ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_documentation()
        || ip.is_unspecified()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..=127).contains(&b))
        || (a == 198 && (b == 18 || b == 19))
        || (a == 192 && matches!((b, c), (0, 0 | 2) | (31, 196) | (52, 193) | (88, 99) | (175, 48)))
        || (a, b, c, d) == (168, 63, 129, 16)
}

/// The same of IPv6, by segments.
fn set_aside_v6(ip: Ipv6Addr) -> bool {
    let [a, b, c, ..] = ip.segments();
    !(0x2000..=0x3fff).contains(&a)
        || (a == 0x2001 && b <= 0x01ff)
        || (a == 0x2001 && b == 0x0db8)
        || a == 0x2002
        || (a == 0x2620 && b == 0x004f && c == 0x8000)
        || (a == 0x3fff && b <= 0x0fff)
}

/// Addresses at the edges of what is set aside, inside.
const INNER: &str = "
    0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.100.100.200 100.127.255.255
    127.0.0.0 127.255.255.255 168.63.129.16 169.254.0.0 169.254.169.254 169.254.255.255 172.16.0.0
    172.31.255.255 192.0.0.0 192.0.0.192 192.0.0.255 192.0.2.0 192.0.2.255 192.31.196.0
    192.52.193.255 192.88.99.1 192.168.0.0 192.168.255.255 192.175.48.9 198.18.0.0 198.19.255.255
    198.51.100.0 198.51.100.255 203.0.113.0 203.0.113.255 224.0.0.0 239.255.255.255 240.0.0.0
    255.255.255.254 255.255.255.255 :: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 64:ff9b::7f00:1
    64:ff9b::808:808 64:ff9b:1::1 100::1 100:0:0:1::1 1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
    2001::1 2001:0:4136:e378::1 2001:2::1 2001:10::1 2001:20::1 2001:30::1 2001:1ff:ffff::1
    2001:db8::1 2002:7f00:1:: 2002::1 2620:4f:8000::1 3fff::1 3fff:fff:ffff::1 4000:: 5f00::1
    fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1
";

/// The nearest ones outside, and well-known ones.
const OUTER: &str = "
    1.0.0.0 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
    168.63.129.15 168.63.129.17 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0
    192.0.3.0 192.88.98.255 192.88.100.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0
    198.51.99.255 203.0.114.0 223.255.255.255 2000:: 2001:200::1 2001:db7::1 2001:db9::1
    2001:4860:4860::8888 2003::1 2606:4700::1111 2620:4f:7fff::1 2a00:1450:4001::1 3ffe:ffff::1
    3fff:1000::1
";

/// The edges of every range fall on the right side.
#[test]
fn edges_of_ranges() {
    for inner in INNER.split_whitespace() {
        assert!(!is_public(ip(inner)), "{inner}");
    }
    for outer in OUTER.split_whitespace() {
        assert!(is_public(ip(outer)), "{outer}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Any IPv4 address is judged as the second list says.
    #[test]
    fn any_v4(bits: u32) {
        let ip = Ipv4Addr::from_bits(bits);
        prop_assert_eq!(is_public(ip.into()), !set_aside_v4(ip), "{}", ip);
    }

    /// Any IPv4 address near the edge of a range is.
    #[test]
    fn any_v4_of_the_special_blocks(
        a in prop::sample::select(vec![0u8, 10, 100, 127, 168, 169, 172, 192, 198, 203, 224, 240]),
        rest: [u8; 3],
    ) {
        let ip = Ipv4Addr::new(a, rest[0], rest[1], rest[2]);
        prop_assert_eq!(is_public(ip.into()), !set_aside_v4(ip), "{}", ip);
    }

    /// Any IPv6 address is, in global unicast above all.
    #[test]
    fn any_v6(bits: u128, first in 0x1ff0u16..0x4010, second in 0u16..0x1100, near: bool) {
        let mut segments = Ipv6Addr::from_bits(bits).segments();
        segments[0] = first;
        if near {
            segments[0] = [0x2001, 0x2002, 0x2620, 0x3fff][usize::from(first % 4)];
            segments[1] = second;
        }
        let ip = Ipv6Addr::from(segments);
        prop_assert_eq!(is_public(ip.into()), !set_aside_v6(ip), "{}", ip);
    }

    /// No IPv6 notation of an IPv4 address is public: mapped, compatible, NAT64, 6to4, Teredo.
    #[test]
    fn no_v4_in_disguise(bits: u32) {
        let low = u128::from(bits);
        let teredo = 0x2001_0000_u128 << 96 | u128::from(!bits);
        for disguised in [
            low,
            0xffff_u128 << 32 | low,
            0x64_ff9b_u128 << 96 | low,
            0x0064_ff9b_0001_u128 << 80 | low,
            0x2002_u128 << 112 | low << 80,
            teredo,
        ] {
            let ip = Ipv6Addr::from_bits(disguised);
            prop_assert!(!is_public(ip.into()), "{}", ip);
        }
    }

    /// Nothing that is not public is ever checked, on any port, unless it is allowed literally.
    #[test]
    fn the_guard_knows_no_exception(bits: u32, port: u16, secure: bool) {
        let allowed: SocketAddr = "10.0.0.5:8443".parse().unwrap();
        let guard = Guard::new(&[allowed], Reach::Public);
        let address = SocketAddr::from((Ipv4Addr::from_bits(bits), port));
        let checked = guard.check(address, secure).is_ok();
        let public = !set_aside_v4(Ipv4Addr::from_bits(bits)) && secure && port == 443;
        prop_assert_eq!(checked, public || address == allowed);
        prop_assert!(guard.check(allowed, secure).is_ok());
    }

    /// No inner IPv4 address is accepted in any notation that the parser knows.
    #[test]
    fn any_notation(
        (first, free) in prop::sample::select(vec![
            ([0u8, 0], 24), ([10, 0], 24), ([127, 0], 24), ([169, 254], 16), ([172, 16], 20),
            ([192, 168], 16), ([224, 0], 28), ([240, 0], 28),
        ]),
        rest: u32,
        parts in 1usize..=4,
        base in prop::sample::select(vec![8, 10, 16]),
    ) {
        let first = u32::from_be_bytes([first[0], first[1], 0, 0]);
        let bits = first | rest & ((1 << free) - 1);
        let written = |number: u32| match base {
            8 => format!("0{number:o}"),
            10 => number.to_string(),
            _ => format!("0x{number:x}"),
        };
        let bytes = bits.to_be_bytes();
        let mut words: Vec<String> =
            bytes[..parts - 1].iter().map(|byte| written((*byte).into())).collect();
        let below = 8 * (5 - u32::try_from(parts).unwrap());
        words.push(written(bits & u32::MAX >> (32 - below)));
        let url = format!("https://{}/", words.join("."));
        let read = url::Url::parse(&url).unwrap();
        prop_assert_eq!(read.host(), Some(url::Host::Ipv4(Ipv4Addr::from_bits(bits))), "{}", url);
        prop_assert_eq!(Address::parse(&url, &Guard::new(&[], Reach::Public)), Err(Refused::Inward), "{}", url);
    }

    /// No text makes the reader panic, and what it accepts is written as it is read.
    #[test]
    fn any_text(text in "(https?://)?[a-z0-9.%:@/\\\\\\[\\]#?。①\\t ]{0,40}") {
        if let Ok(address) = Address::parse(&text, &Guard::new(&[], Reach::Public)) {
            let origin = format!("https://{}", address.authority);
            prop_assert!(text.to_ascii_lowercase().starts_with(&origin), "{}", text);
            prop_assert_eq!(Address::parse(address.expose(), &Guard::new(&[], Reach::Public)), Ok(address));
        }
    }
}

/// `Debug` and `Display` show the origin: a path or query may be the secret itself.
#[test]
fn addresses_keep_their_secrets() {
    let guard = Guard::new(&[], Reach::Public);
    let url = "https://hooks.example/T0/secret?token=hunter2";
    let address = Address::parse(url, &guard).unwrap();
    assert_eq!(
        format!("{address} {address:?}"),
        "https://hooks.example Address(https://hooks.example)"
    );
    assert_eq!(address.expose(), url);
}

/// An allowed address opens itself with its port: for a literal by http and https, for names its
/// port by https; no other address on that port, and no other port of that address.
#[test]
fn what_is_allowed_opens_no_more() {
    let allow = ["10.0.0.5:8443".parse().unwrap(), "[fd00::5]:80".parse().unwrap()];
    let guard = Guard::new(&allow, Reach::Public);
    let parse = |url| Address::parse(url, &guard).map(|_| ());
    for good in [
        "https://10.0.0.5:8443/a",
        "http://10.0.0.5:8443/a",
        "http://[fd00::5]/",
        "https://[fd00::5]:80/",
        "https://hooks.example:8443/",
    ] {
        assert_eq!(parse(good), Ok(()), "{good}");
    }
    for (bad, why) in [
        ("https://10.0.0.5/", Refused::Inward),
        ("https://10.0.0.6:8443/", Refused::Inward),
        ("https://10.0.0.5:8444/", Refused::Inward),
        ("http://[fd00::5]:443/", Refused::Inward),
        ("https://8.8.8.8:8443/", Refused::Port),
        ("http://8.8.8.8/", Refused::Scheme),
        ("http://hooks.example:8443/", Refused::Scheme),
        ("https://hooks.example:8444/", Refused::Port),
    ] {
        assert_eq!(parse(bad), Err(why), "{bad}");
    }
}

/// What the operator named may lie within, under any name and on any port, but not without TLS, and not where no host
/// of theirs is; without TLS to this machine alone, and only where that is said.
#[test]
fn operators_reach_inward_by_tls() {
    for plain in [false, true] {
        let guard = Guard::new(&[], Reach::Operators { plain });
        let parse = |url| Address::parse(url, &guard).map(|_| ());
        for good in [
            "https://sso/realms/staff",
            "https://login.internal:8443/",
            "https://10.0.0.5:8443/",
            "https://127.0.0.1:9/",
            "https://8.8.8.8/",
        ] {
            assert_eq!(parse(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("http://sso/", Refused::Scheme),
            ("http://10.0.0.5/", Refused::Scheme),
            ("https://169.254.169.254/latest", Refused::Inward),
            ("https://[fe80::1]/", Refused::Inward),
            ("https://[::ffff:169.254.169.254]/", Refused::Inward),
            ("https://0.0.0.0/", Refused::Inward),
            ("ftp://sso/", Refused::Scheme),
        ] {
            assert_eq!(parse(bad), Err(why), "{bad}");
        }
        let local = if plain { Ok(()) } else { Err(Refused::Scheme) };
        for url in ["http://127.0.0.1:9/", "http://localhost:9/", "http://[::1]:9/"] {
            assert_eq!(parse(url), local, "{url}");
        }
        // A name is judged again by what it leads to.
        let at = |text: &str| guard.check(text.parse().unwrap(), false).is_ok();
        assert_eq!((at("127.0.0.1:9"), at("10.0.0.5:9")), (plain, false));
    }
}
