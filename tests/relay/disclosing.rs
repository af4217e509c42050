//! Who had a proxy number is told by two together, and noted before it is told.

use std::time::Duration;

use entremise::{
    domain::{
        audit::Reason,
        phone::ProxyNumber,
        retention::{Retention, Statutory},
        time::Timestamp,
    },
    ids::DisclosureId,
    privacy::audit::HeadSigner,
    relay::{self, Approver, DisclosureQuestion},
    store,
};
use serde_json::Value;

use crate::{erasing::Stage, poison::sql, support};

/// Two people, and their keys.
struct Two {
    approvers: Vec<Approver>,
    keys: [HeadSigner; 2],
}

const NAMES: [&str; 2] = ["alice", "bob"];

impl Two {
    fn new() -> Self {
        let keys = NAMES.map(|_| HeadSigner::of_seed(&HeadSigner::generate().unwrap().0).unwrap());
        let one =
            |place: usize| Approver { name: NAMES[place].to_owned(), key: keys[place].public() };
        Self { approvers: vec![one(0), one(1)], keys }
    }

    async fn ask(&self, stage: &Stage, at: Timestamp) -> DisclosureId {
        let question = DisclosureQuestion {
            number: ProxyNumber::parse(stage.open.dials[0].expose()).unwrap(),
            at,
            case: "TJ 26/01234".into(),
            reason: Reason::parse("requisition").unwrap(),
        };
        let who = (&self.approvers[..], NAMES[0], &self.keys[0]);
        let relay = &stage.world.running.relay;
        relay.ask_disclosure(&stage.market.account, &question, who).await.unwrap()
    }

    async fn approve(
        &self,
        stage: &Stage,
        id: &DisclosureId,
        place: usize,
    ) -> Result<Value, relay::Error> {
        let who = (&self.approvers[..], NAMES[place], &self.keys[place]);
        let relay = &stage.world.running.relay;
        let told = relay.approve_disclosure(&stage.market.account, id, who).await?;
        let key = relay.audit_key().unwrap();
        assert_eq!(relay::verify_document(&told.object().to_string(), &key), Some(true));
        Ok(told.document)
    }
}

async fn now(stage: &Stage) -> Timestamp {
    stage.world.running.relay.db().read().await.unwrap().now().await.unwrap()
}

/// An approval is in the audit log although the answer then fails, as where a number does not open; whoever
/// asked approves nothing, and nothing is noted of that.
#[tokio::test]
async fn it_is_noted_before_it_is_told() {
    for database in support::databases().await {
        let stage = Stage::set(&database).await;
        let two = Two::new();
        let at = now(&stage).await;
        let id = two.ask(&stage, at).await;
        let approved = "SELECT COUNT(*) FROM audit WHERE action = 'disclosure.approved'";
        let refused = two.approve(&stage, &id, 0).await;
        assert!(matches!(refused, Err(relay::Error::Invalid(_))), "{refused:?}");
        assert_eq!(sql(&database, approved).await, 0);
        let told = two.approve(&stage, &id, 1).await.unwrap();
        let had = told["had_the_number"].as_array().unwrap();
        assert!(had.iter().any(|one| one["number"] == stage.market.people[0].number.expose()));
        assert_eq!(
            (&told["kept_by_law"], &told["complete"]),
            (&Value::Array(vec![]), &true.into())
        );
        assert_eq!(sql(&database, approved).await, 1);

        let id = two.ask(&stage, at).await;
        let spoilt = "UPDATE participants SET identifier = 'v1.x' WHERE erased_at IS NULL";
        sql(&database, spoilt).await;
        let failed = two.approve(&stage, &id, 1).await;
        assert!(matches!(failed, Err(relay::Error::Store(store::Error::Sealed(_)))), "{failed:?}");
        assert_eq!(sql(&database, approved).await, 2, "{}", database.name);
        stage.world.running.shutdown().await;
        database.drop().await;
    }
}

/// What a law wants kept answers for somebody who was erased, and for nobody else of an instant when they had not
/// got the number yet; where no law was named nothing does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_erased_is_told_where_a_law_wants_it() {
    for law in [false, true] {
        for database in support::databases().await {
            let statutory = law.then(|| Statutory { days: 800, basis: "Art. 1 Test Act".into() });
            let terms = Retention { statutory, ..Retention::default() };
            let stage = Stage::under(&database, terms).await;
            let two = Two::new();
            let (before, at) = (Timestamp::from_millis(1), now(&stage).await);
            stage.world.clock.advance(60_000);
            let id = stage.erase().await;
            let number = stage.market.people[0].number.expose();
            let id_asked = two.ask(&stage, at).await;
            let told = two.approve(&stage, &id_asked, 1).await.unwrap();
            assert!(!told["had_the_number"].to_string().contains(number));
            let kept = told["kept_by_law"].as_array().unwrap();
            let theirs: Vec<_> = kept.iter().filter(|one| one["number"] == number).collect();
            let what = |word: &str| theirs.iter().any(|one| one["facts"]["what"] == word);
            assert_eq!((what("number_assigned"), what("message")), (law, law), "{told}");
            let id_asked = two.ask(&stage, before).await;
            let told = two.approve(&stage, &id_asked, 1).await.unwrap();
            assert!(!told.to_string().contains(number), "{told}");

            let one = stage.erasure(&id).await;
            let receipt = stage.world.running.relay.receipt(&stage.market.account, &one);
            let stays = receipt.unwrap().unwrap().document["stays"].to_string();
            assert_eq!(stays.contains("a law wants kept"), law, "{stays}");
            let until = one.statutory_until.map(|until| until.since(at));
            assert_eq!(until.is_some_and(|left| left > Duration::from_hours(24 * 799)), law);
            stage.world.running.shutdown().await;
            database.drop().await;
        }
    }
}
