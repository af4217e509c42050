//! Texts whose fate is unknown, over a carrier that can be asked what it sent (M4), and the order of
//! texts behind one that is stuck.

use entremise::{
    domain::interaction::{Outcome, Reason},
    store::{legs::Leg, outbox},
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    fake::{self, Asked},
    over_twilio::Stage,
    support,
};

const LOST: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;

impl Stage {
    /// Time passes and what is due is done.
    async fn pass(&self, seconds: i64) {
        self.world.clock.advance(seconds * 1000);
        self.world.running.jobs.idle().await;
    }

    /// How the newest text ended: its outcome, its reason and its recipient's leg.
    async fn newest(&self) -> (Option<Outcome>, Option<Reason>, Leg) {
        let newest = support::interactions(&self.world).await.remove(0);
        (newest.outcome, newest.reason, self.leg(&newest.id).await)
    }

    fn sends(&self) -> Vec<Asked> {
        self.api.asked()
    }

    /// A text from the seller's proxy number to the seller, as Twilio lists it.
    fn listed(&self, sid: u32, body: &str) -> Value {
        json!({
            "sid": format!("SM{sid:032x}"), "direction": "outbound-api", "status": "sent",
            "from": self.session.dials[1].expose(),
            "to": self.market.people[1].number.expose(), "body": body,
            "date_created": fake::rfc2822(self.world.clock.now().millis()), "error_code": null,
        })
    }
}

/// I11, M4: a text that the carrier took though its answer was lost is found on its record, over
/// several pages, and not sent again; no person's number stands in an address.
#[tokio::test]
async fn i11_a_text_on_record_is_not_sent_again() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.api.pages(1, "https://elsewhere.example");
        stage.api.takes_but_answers(LOST);
        stage.text("SM1", "Hello").await;
        stage.world.running.jobs.idle().await;
        assert_eq!(stage.only().await.outcome, None, "a receipt may come");
        assert_eq!(stage.api.lists().len(), 0, "it is waited for first");
        // What came in between: another person's text from the same number.
        let mut other = stage.listed(99, "Hello");
        other["to"] = "+12125550199".into();
        stage.api.record("Messages", other);
        stage.pass(11).await;
        assert_eq!(stage.sends().len(), 1, "once, on {}", database.name);
        let (outcome, _, leg) = stage.newest().await;
        assert_eq!(outcome, Some(Outcome::Relayed));
        assert_eq!(leg.carrier_id, Some(format!("SM{:032x}", 1)));
        assert!(!leg.possible_duplicate);
        let lists = stage.api.lists();
        assert_eq!(lists.len(), 2, "I22: the next page is at our carrier, wherever it says");
        let digits = stage.market.people[1].number.expose().trim_start_matches('+');
        assert!(!lists.iter().any(|url| url.contains(digits)), "I16: {lists:?}");
        stage.end(database).await;
    }
}

/// I11, M4: a text that the carrier has nothing of is sent once more, and its leg says that there
/// may be two; if that answer is lost too and nothing is on record, it is never sent a third time.
#[tokio::test]
async fn i11_a_text_that_is_not_on_record_is_sent_once_more() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.api.answers(&[LOST]);
        stage.text("SM1", "Hello").await;
        stage.world.running.jobs.idle().await;
        stage.pass(11).await;
        assert_eq!(stage.sends().len(), 2, "on {}", database.name);
        let (outcome, _, leg) = stage.newest().await;
        assert_eq!(outcome, Some(Outcome::Relayed));
        assert!(leg.possible_duplicate);
        stage.api.answers(&[LOST, LOST]);
        stage.text("SM2", "Anybody there?").await;
        stage.world.running.jobs.idle().await;
        for _ in 0..4 {
            stage.pass(11).await;
        }
        assert_eq!(stage.sends().len(), 4, "twice and not three times, on {}", database.name);
        let (outcome, reason, leg) = stage.newest().await;
        assert_eq!((outcome, reason), (Some(Outcome::Unknown), Some(Reason::CarrierUnknown)));
        assert!(leg.possible_duplicate);
        stage.end(database).await;
    }
}

/// I11, M4: what was throttled when it was sent once more is certainly not sent, and is tried until it
/// is, though the carrier was asked only once.
#[tokio::test]
async fn i11_a_second_try_that_was_not_taken_goes_on() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.api.answers(&[LOST, StatusCode::TOO_MANY_REQUESTS, StatusCode::TOO_MANY_REQUESTS]);
        stage.text("SM1", "Hello").await;
        stage.world.running.jobs.idle().await;
        for _ in 0..4 {
            stage.pass(11).await;
        }
        assert_eq!(stage.sends().len(), 4);
        assert_eq!(stage.api.lists().len(), 1);
        assert_eq!(stage.newest().await.0, Some(Outcome::Relayed));
        stage.end(database).await;
    }
}

/// I11: a receipt tells what a lost answer did not, and the carrier is not asked.
#[tokio::test]
async fn i11_a_receipt_settles_it() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.api.answers(&[LOST]);
        stage.text("SM1", "Hello").await;
        stage.world.running.jobs.idle().await;
        stage.receipt(0, "SMffffffffffffffffffffffffffffffff", "delivered").await;
        stage.pass(11).await;
        assert_eq!((stage.sends().len(), stage.api.lists().len()), (1, 0));
        assert_eq!(stage.newest().await.0, Some(Outcome::Relayed));
        stage.end(database).await;
    }
}

/// I11: the same words twice: one that is known by its id is not taken for the other, and the other
/// is sent; of two whose fate is unknown neither is guessed.
#[tokio::test]
async fn i11_the_same_words_twice_are_told_apart_or_unknown() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.text("SM1", "ok").await;
        stage.world.running.jobs.idle().await;
        stage.api.answers(&[LOST]);
        stage.text("SM2", "ok").await;
        stage.world.running.jobs.idle().await;
        stage.pass(11).await;
        assert_eq!(stage.sends().len(), 3, "the first is not taken for the second");
        assert_eq!(stage.newest().await.0, Some(Outcome::Relayed));
        // Two tries of this one are lost, and it stays unknown.
        stage.api.answers(&[LOST, LOST]);
        stage.text("SM3", "ok").await;
        stage.world.running.jobs.idle().await;
        stage.pass(11).await;
        stage.pass(11).await;
        assert_eq!(stage.newest().await.0, Some(Outcome::Unknown));
        // The next is on record, but that may be the one before it.
        stage.api.takes_but_answers(LOST);
        stage.text("SM4", "ok").await;
        stage.world.running.jobs.idle().await;
        stage.pass(11).await;
        assert_eq!(stage.sends().len(), 6, "nothing is sent on a guess, on {}", database.name);
        let (outcome, _, leg) = stage.newest().await;
        assert_eq!((outcome, leg.carrier_id), (Some(Outcome::Unknown), None));
        stage.end(database).await;
    }
}

/// I11: more copies on record than were sent, and other words, are doubt: nothing is sent.
#[tokio::test]
async fn i11_in_doubt_nothing_is_sent() {
    for words in [["Hello", "Hello"], ["Hello", "Goodbye"]] {
        for database in support::databases().await {
            let stage = Stage::open(&database).await;
            stage.api.answers(&[LOST]);
            stage.text("SM1", "Hello").await;
            stage.world.running.jobs.idle().await;
            for (sid, body) in (50..).zip(words) {
                stage.api.record("Messages", stage.listed(sid, body));
            }
            stage.pass(11).await;
            assert_eq!(stage.sends().len(), 1);
            assert_eq!(stage.newest().await.0, Some(Outcome::Unknown));
            stage.end(database).await;
        }
    }
}

/// I11: while the carrier can't be asked nothing is sent; it is asked again with growing pauses, and
/// only as long as the text is worth sending.
#[tokio::test]
async fn i11_a_look_up_that_fails_is_tried_again() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.api.lists_answer(&[LOST, StatusCode::OK, StatusCode::TOO_MANY_REQUESTS]);
        stage.api.takes_but_answers(LOST);
        stage.text("SM1", "Hello").await;
        stage.world.running.jobs.idle().await;
        for asked in 1..=4 {
            assert_eq!(stage.newest().await.0, None, "nobody gives up on {}", database.name);
            stage.pass(61).await;
            assert_eq!(stage.api.lists().len(), asked);
        }
        assert_eq!(stage.newest().await.0, Some(Outcome::Relayed));
        stage.api.lists_answer(&[LOST; 20]);
        stage.api.answers(&[LOST]);
        stage.text("SM2", "Still there?").await;
        stage.world.running.jobs.idle().await;
        for _ in 0..16 {
            stage.pass(61).await;
        }
        assert_eq!(stage.newest().await.0, Some(Outcome::Unknown), "its time is up");
        assert_eq!(stage.sends().len(), 2);
        stage.end(database).await;
    }
}

/// I11: a worker that died after its claim may have sent it: the carrier is asked
/// before anybody sends it again.
#[tokio::test]
async fn i11_what_a_lost_worker_may_have_sent_is_looked_up() {
    for (taken, sends) in [(true, 1), (false, 2)] {
        for database in support::databases().await {
            let stage = Stage::open(&database).await;
            stage.api.answers(&[StatusCode::TOO_MANY_REQUESTS]);
            stage.text("SM1", "Hello").await;
            stage.world.running.jobs.idle().await;
            let (account, session) = (stage.market.account.clone(), stage.session.id.clone());
            let claimed = stage.market.relay.db().write(move |tx| {
                let (account, session) = (account.clone(), session.clone());
                Box::pin(async move {
                    let now = tx.now().await?;
                    let entry = outbox::ready_of_session(tx, &account, &session).await?.remove(0);
                    let lease = now + std::time::Duration::from_secs(30);
                    let claimed = outbox::claim(tx, &entry, now, lease).await?;
                    Ok::<_, entremise::store::Error>(claimed.is_some())
                })
            });
            assert!(claimed.await.unwrap());
            if taken {
                stage.api.record("Messages", stage.listed(77, "Hello"));
            }
            // A look-up that fails first must not let it be forgotten.
            stage.api.lists_answer(&[LOST]);
            stage.pass(31).await;
            assert_eq!(stage.sends().len(), 1, "only the throttled one so far");
            stage.pass(61).await;
            assert_eq!(stage.sends().len(), sends, "taken: {taken}, on {}", database.name);
            let (outcome, _, leg) = stage.newest().await;
            assert_eq!(outcome, Some(Outcome::Relayed));
            assert_eq!(leg.possible_duplicate, !taken);
            stage.end(database).await;
        }
    }
}

/// I12: texts to one person leave in the order in which they came, and one that is stuck keeps the
/// next back for 30 seconds and no longer.
#[tokio::test]
async fn i12_a_stuck_head_blocks_for_30_seconds() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.api.throttles("stuck");
        stage.text("SM1", "stuck").await;
        stage.world.running.jobs.idle().await;
        stage.text("SM2", "behind").await;
        let behind = |stage: &Stage| {
            stage.sends().iter().filter(|one| one.fields["Body"] == "behind").count()
        };
        for _ in 0..2 {
            stage.pass(14).await;
            assert_eq!(behind(&stage), 0, "it waits its turn, on {}", database.name);
        }
        stage.pass(3).await;
        assert_eq!(behind(&stage), 1, "31 s are enough, on {}", database.name);
        let newest = support::interactions(&stage.world).await.remove(0);
        assert_eq!(newest.outcome, Some(Outcome::Relayed));
        let stuck = support::interactions(&stage.world).await.remove(1);
        assert_eq!(stuck.outcome, None, "the head is still owed");
        stage.end(database).await;
    }
}
