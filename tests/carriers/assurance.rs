//! What carriers say of callers, and that all of them can ask for a PIN.

use std::collections::BTreeSet;

use entremise::{carrier::Inbound, domain::assurance::Attestation};

use crate::fixtures;

/// A carrier that tells what the network says of a caller's number has a webhook that does, and one that does not
/// tell has none.
#[test]
fn attestations_are_told_where_they_are_said_to_be() {
    for fixtures in fixtures::all() {
        let carrier = fixtures.carrier();
        let told: BTreeSet<Attestation> = fixtures
            .requests
            .iter()
            .flat_map(|(_, request)| carrier.parse_with(request, &fixtures.links()))
            .flatten()
            .filter_map(|event| match event {
                Inbound::Call(call) => Some(call.attestation),
                _ => None,
            })
            .collect();
        let some = told.iter().any(|one| *one != Attestation::None);
        assert_eq!(carrier.capabilities().attestation, some, "{}: {told:?}", fixtures.name);
    }
}

/// Whoever carries calls tells which keys a caller presses. One that does not would be refused numbers that
/// sessions share.
#[test]
fn keys_are_told_by_all_who_carry_calls() {
    for fixtures in fixtures::all() {
        let can = *fixtures.carrier().capabilities();
        let told = fixtures.requests.iter().any(|(_, request)| {
            let events = fixtures.carrier().parse_with(request, &fixtures.links());
            events
                .into_iter()
                .flatten()
                .any(|event| matches!(event, Inbound::Keys(keys) if keys.turn > 0))
        });
        assert_eq!(can.voice && can.gather, told, "{}", fixtures.name);
    }
}
