//! What an erasure did, what stays, why and until when: signed, so that it can be shown to others.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    domain::{
        erasure::{Became, Erased, ErasureState},
        time::Timestamp,
    },
    ids::AccountId,
    privacy::audit::PublicKey,
    relay::{Error, Relay},
    store::{self, carrier_records, erasures::Erasure},
};

const DAY: Duration = Duration::from_hours(24);

/// A document with the installation's signature.
#[derive(Debug, Clone, PartialEq)]
pub struct Signed {
    /// What is signed.
    pub document: Value,
    /// The signature of its bytes as they are written without spaces, in base64.
    pub signature: String,
    /// What it is verified with.
    pub public_key: String,
}

impl Signed {
    /// As one JSON object.
    pub fn object(&self) -> Value {
        json!({
            "document": self.document, "signature": self.signature, "public_key": self.public_key,
        })
    }
}

/// Whether that key's owner signed a document that [`Signed::object`] wrote; `None` if it is none.
pub fn verify_document(text: &str, key: &PublicKey) -> Option<bool> {
    let object: Value = serde_json::from_str(text).ok()?;
    let document = object.get("document")?;
    let signature = object["signature"].as_str()?;
    Some(key.verifies_document(&document.to_string(), signature))
}

impl Relay {
    /// Signs a document with the key that signs the audit log's heads.
    ///
    /// # Errors
    /// The keyring's.
    pub fn sign_document(&self, document: Value) -> Result<Signed, Error> {
        let signer = self.db.keyring().head_signer().map_err(store::Error::from)?;
        let signature = signer.sign_document(&document.to_string());
        Ok(Signed { document, signature, public_key: signer.public().to_string() })
    }

    /// The receipt of an erasure: as of its last change, once it has begun.
    ///
    /// # Errors
    /// The keyring's.
    pub fn receipt(&self, account: &AccountId, one: &Erasure) -> Result<Option<Signed>, Error> {
        if matches!(one.state, ErasureState::Listing | ErasureState::Running) {
            return Ok(None);
        }
        let counts: Value = serde_json::from_str(&one.counts).unwrap_or_default();
        let document = json!({
            "kind": "erasure_receipt",
            "erasure": one.id,
            "account": account,
            "state": one.state.as_str(),
            "asked_at": one.created_at.rfc3339(),
            "as_of": one.updated_at.rfc3339(),
            "ended_at": one.ended_at.map(Timestamp::rfc3339),
            "erased": counts,
            "at_carriers": one.at_carriers(),
            "stays": self.stays(one, &counts),
        });
        self.sign_document(document).map(Some)
    }

    fn stays(&self, one: &Erasure, counts: &Value) -> Vec<Value> {
        let at = one.updated_at;
        let stays = |what: &str, why: &str, until: Option<Timestamp>| json!({ "what": what, "why": why, "until": until.map(Timestamp::rfc3339) });
        let mut all = Vec::new();
        if let Some(until) = one.wait_until {
            all.push(stays(
                "pairs of keyed hash and proxy number in quarantine",
                "a late call must not reach a stranger",
                Some(until),
            ));
        }
        for (class, what) in [
            (Erased::OptOutsKept, "opt-outs, as keyed hashes"),
            (Erased::BlocksKept, "blocks, as keyed hashes"),
        ] {
            if counts[class.as_str()].as_u64().unwrap_or(0) > 0 {
                all.push(stays(what, "a wish to be left alone outlives the rest", None));
            }
        }
        if counts[Erased::StatutoryKept.as_str()].as_u64().unwrap_or(0) > 0 {
            all.push(stays(
                "records that a law wants kept: number, proxy number, times, outcomes, under a key of their own",
                "the operator named the law; they are told by lawful disclosure alone",
                one.statutory_until,
            ));
        }
        all.push(stays(
            "the log without hash and carriers' ids: roles, proxy numbers, times, outcomes, costs",
            "it names nobody",
            None,
        ));
        all.push(stays(
            "carriers' ids of webhooks, without the answers",
            "a repeated webhook must not count as a new one",
            Some(at + DAY * 30),
        ));
        all.push(stays(
            "keyed hashes of whole API requests",
            "a repeated request must not be done twice",
            Some(at + DAY),
        ));
        all.push(stays(
            "backups from before",
            "they are erased again by the erasure list when they are restored, and open to nobody once their \
             master key was destroyed",
            Some(at + DAY * self.erasing.horizon_days),
        ));
        all.extend(at_carriers(one));
        all
    }
}

/// What carriers have, each with what became of it: as they were asked, and not as they may do.
fn at_carriers(one: &Erasure) -> Vec<Value> {
    let until = (one.created_at + carrier_records::ASKED_FOR).rfc3339();
    let mut all = Vec::new();
    for (carrier, records) in one.at_carriers() {
        let of = |became: Became| records.get(became.as_str()).copied().unwrap_or(0);
        let told = [Became::Deleted, Became::Refused, Became::Unable].map(of);
        let owed = of(Became::Asked).saturating_sub(told.iter().sum());
        let [_, refused, unable] = told;
        for (count, why, until) in [
            (owed, "the carrier is asked to delete them", Some(&until)),
            (refused, "the carrier did not delete them, asked for two weeks at most", None),
            (unable, "the carrier has no way to be asked: they stay for its own term", None),
        ] {
            if count > 0 {
                all.push(json!({
                    "what": "records of calls and texts at a carrier",
                    "why": why,
                    "until": until,
                    "carrier": carrier,
                    "records": count,
                }));
            }
        }
    }
    all.push(json!({
        "what": "what carriers keep beside: their bills, logs and what the law wants of them",
        "why": "no carrier deletes it when it is asked",
        "until": null,
    }));
    all
}
