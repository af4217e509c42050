//! The guarded client, black box (I22): hostile addresses, name servers that lie and change their
//! mind, hosts that redirect, dawdle and flood. Canaries on loopback count who got through.

#[cfg(test)]
#[path = "egress/corpus.rs"]
mod corpus;
#[cfg(test)]
#[path = "egress/hosts.rs"]
mod hosts;
#[cfg(test)]
#[path = "egress/limits.rs"]
mod limits;
#[cfg(test)]
#[path = "egress/names.rs"]
mod names;
#[cfg(test)]
#[expect(dead_code, reason = "shared: other binaries use the rest")]
mod support;
#[cfg(test)]
#[path = "egress/wire.rs"]
mod wire;
