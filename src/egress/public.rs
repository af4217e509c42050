//! Which IP addresses are public unicast: those that no registry sets aside.
//!
//! Refused is what the special-purpose registries of IANA list (RFC 6890 and its successors, read
//! in November 2026), also where they call it reachable: anycast relays and protocol assignments
//! are no marketplaces. In IPv6 only global unicast, `2000::/3`, is considered at all, which leaves
//! out every notation of an IPv4 address (mapped, compatible, NAT64), unique local, link-local,
//! site-local, multicast and what will be assigned one day.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// First address and prefix length.
const REFUSED_V4: &[(Ipv4Addr, u8)] = &[
    (Ipv4Addr::UNSPECIFIED, 8),            // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),       // private use
    (Ipv4Addr::new(100, 64, 0, 0), 10),    // shared address space: CGNAT, Alibaba's metadata
    (Ipv4Addr::new(127, 0, 0, 0), 8),      // loopback
    (Ipv4Addr::new(168, 63, 129, 16), 32), // Azure's platform: public by its number only
    (Ipv4Addr::new(169, 254, 0, 0), 16),   // link-local: most clouds' metadata
    (Ipv4Addr::new(172, 16, 0, 0), 12),    // private use
    (Ipv4Addr::new(192, 0, 0, 0), 24),     // protocol assignments: Oracle's metadata
    (Ipv4Addr::new(192, 0, 2, 0), 24),     // documentation
    (Ipv4Addr::new(192, 31, 196, 0), 24),  // AS112
    (Ipv4Addr::new(192, 52, 193, 0), 24),  // AMT
    (Ipv4Addr::new(192, 88, 99, 0), 24),   // 6to4 relays
    (Ipv4Addr::new(192, 168, 0, 0), 16),   // private use
    (Ipv4Addr::new(192, 175, 48, 0), 24),  // AS112
    (Ipv4Addr::new(198, 18, 0, 0), 15),    // benchmarking
    (Ipv4Addr::new(198, 51, 100, 0), 24),  // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),   // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),      // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),      // reserved, broadcast
];

const GLOBAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Inside of [`GLOBAL_V6`].
const REFUSED_V6: &[(Ipv6Addr, u8)] = &[
    // Protocol assignments: Teredo, benchmarking, ORCHID, AMT, drone ids …
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),     // 6to4: holds an IPv4 address
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48), // AS112
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),     // documentation
];

/// Whether `ip` is an address of the public internet that one host has.
pub(super) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !REFUSED_V4.iter().any(|range| within_v4(ip, *range)),
        IpAddr::V6(ip) => {
            within_v6(ip, GLOBAL_V6) && !REFUSED_V6.iter().any(|range| within_v6(ip, *range))
        }
    }
}

const fn within_v4(ip: Ipv4Addr, (first, prefix): (Ipv4Addr, u8)) -> bool {
    (ip.to_bits() ^ first.to_bits()) >> (32 - prefix) == 0
}

const fn within_v6(ip: Ipv6Addr, (first, prefix): (Ipv6Addr, u8)) -> bool {
    (ip.to_bits() ^ first.to_bits()) >> (128 - prefix) == 0
}
