//! Texts and calls over Twilio.

use entremise::{
    domain::{interaction::Outcome, interaction::Reason, policy::Rules},
    ids::InteractionId,
    store::{
        interactions::Interaction,
        legs::{self, Leg},
    },
};
use http::StatusCode;

use crate::{
    dialect::{Dialect, between},
    fake::{self, Api},
    market::{Market, Opened},
    support::{self, World},
};

/// How Twilio speaks.
pub(crate) const DIALECT: Dialect = Dialect {
    kind: "twilio",
    settings: fake::values,
    text: |world, came| {
        Box::pin(async move {
            let sid = format!("SM{:032x}", came.id);
            let fields = [("MessageSid", &*sid), ("NumMedia", "0"), ("Body", came.words)];
            let numbers = [("From", came.from), ("To", came.to)];
            fake::webhook(world, "/hooks/twilio/message", &[&fields[..], &numbers].concat()).await
        })
    },
    call: |world, came| {
        Box::pin(async move {
            let sid = format!("CA{:032x}", came.id);
            let call = [("CallSid", &*sid), ("CallStatus", "ringing"), ("Direction", "inbound")];
            let fields = [&call[..], &[("From", came.from), ("To", came.to)]].concat();
            fake::webhook(world, "/hooks/twilio/call", &fields).await
        })
    },
    answer: |asked| {
        let answer =
            serde_json::json!({ "sid": format!("SM{:032x}", asked.place), "status": "queued" });
        (StatusCode::CREATED, answer.to_string())
    },
    sent: |asked| ["From", "To", "Body"].map(|name| asked.field(name)),
    rings: |twiml, _| {
        let callee = between(twiml, "<Number ", "/Number>");
        [between(twiml, "callerId=\"", "\""), between(callee, ">", "<")].map(str::to_owned)
    },
};

pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) market: Market,
    pub(crate) session: Opened,
    pub(crate) api: Api,
}

impl Stage {
    pub(crate) async fn open(database: &support::Database) -> Self {
        let api = Api::start().await;
        let world = World::with(fake::settings(database, &api)).await;
        api.keeps_time(&world.clock);
        let market = Market::at("twilio", &world, 2, 2, Rules::new("Bikes".into())).await;
        let session = market.session([0, 1], 0, None).await.unwrap();
        Self { world, market, session, api }
    }

    /// The buyer texts.
    pub(crate) async fn text(&self, sid: &str, body: &str) {
        let fields = [
            ("MessageSid", sid),
            ("From", self.market.people[0].number.expose()),
            ("To", self.session.dials[0].expose()),
            ("Body", body),
            ("NumMedia", "0"),
        ];
        let answer = fake::webhook(&self.world, "/hooks/twilio/message", &fields).await;
        assert_eq!(answer.status, StatusCode::OK);
    }

    /// A receipt at the address that the API was given.
    pub(crate) async fn receipt(&self, place: usize, sid: &str, status: &str) {
        let url = self.api.asked()[place].fields["StatusCallback"].clone();
        let path = url.strip_prefix(&self.world.running.origin).unwrap().to_owned();
        let fields = [("MessageSid", sid), ("MessageStatus", status)];
        let answer = fake::webhook(&self.world, &path, &fields).await;
        assert_eq!(answer.status, StatusCode::OK);
    }

    pub(crate) async fn only(&self) -> Interaction {
        let mut all = support::interactions(&self.world).await;
        assert_eq!(all.len(), 1);
        all.pop().unwrap()
    }

    /// The leg to the recipient of a text.
    pub(crate) async fn leg(&self, id: &InteractionId) -> Leg {
        let mut tx = self.market.relay.db().read().await.unwrap();
        let legs = legs::of_interaction(&mut tx, &self.market.account, id).await.unwrap();
        legs.into_iter().nth(1).unwrap()
    }

    async fn state(&self) -> String {
        self.leg(&self.only().await.id).await.state
    }

    pub(crate) async fn end(self, database: support::Database) {
        self.world.running.shutdown().await;
        database.drop().await;
    }
}

/// A text goes out once, from the number that its recipient holds, and its receipt comes back.
#[tokio::test]
async fn a_text_is_relayed_by_rest() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.text("SM1", "Is it still there?").await;
        stage.text("SM1", "Is it still there?").await;
        stage.world.running.jobs.idle().await;
        let asked = stage.api.asked();
        assert_eq!(asked.len(), 1, "a duplicate webhook sends nothing");
        assert!(asked[0].path.ends_with(&format!("/Accounts/{}/Messages.json", fake::ACCOUNT)));
        assert_eq!(asked[0].fields["To"], stage.market.people[1].number.expose());
        assert_eq!(asked[0].fields["From"], stage.session.dials[1].expose());
        assert_eq!(asked[0].fields["Body"], "Is it still there?");
        let validity: u32 = asked[0].fields["ValidityPeriod"].parse().unwrap();
        assert!((1..=900).contains(&validity));
        assert_eq!(stage.only().await.outcome, Some(Outcome::Relayed));
        stage.receipt(0, &format!("SM{:032x}", 1), "delivered").await;
        stage.receipt(0, &format!("SM{:032x}", 1), "sent").await;
        assert_eq!(stage.state().await, "delivered", "I13: a late receipt takes nothing back");
        stage.end(database).await;
    }
}

/// What was certainly not sent is sent again, though Twilio drops no duplicates.
#[tokio::test]
async fn a_throttled_text_is_sent_again() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.api.answers(&[StatusCode::TOO_MANY_REQUESTS, StatusCode::TOO_MANY_REQUESTS]);
        stage.text("SM1", "Hello").await;
        for _ in 0..2 {
            stage.world.running.jobs.idle().await;
            assert_eq!(stage.only().await.outcome, None, "it is still owed");
            stage.world.clock.advance(61_000);
        }
        stage.world.running.jobs.idle().await;
        assert_eq!(stage.api.asked().len(), 3);
        assert_eq!(stage.only().await.outcome, Some(Outcome::Relayed));
        stage.end(database).await;
    }
}

/// I3: what is owed when the session closes is cancelled, not sent.
#[tokio::test]
async fn i3_a_close_overtakes_what_is_owed() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        stage.api.answers(&[StatusCode::TOO_MANY_REQUESTS]);
        stage.text("SM1", "Hello").await;
        stage.world.running.jobs.idle().await;
        stage.market.close(&stage.session.id).await.unwrap();
        stage.world.clock.advance(61_000);
        stage.world.running.jobs.idle().await;
        assert_eq!(stage.api.asked().len(), 1, "nothing is sent after the close");
        let ended = stage.only().await;
        assert_eq!(ended.outcome, Some(Outcome::Cancelled));
        assert_eq!(ended.reason, Some(Reason::SessionClosed));
        stage.end(database).await;
    }
}

/// A call is answered with a document that dials the other side as the proxy number, and its end
/// comes back to the log.
#[tokio::test]
async fn a_call_is_bridged_by_twiml() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        let caller = stage.market.people[0].number.expose().to_owned();
        let callee = stage.market.people[1].number.expose().to_owned();
        let dialled = stage.session.dials[0].expose().to_owned();
        let call = [
            ("CallSid", "CA00000000000000000000000000000001"),
            ("From", caller.as_str()),
            ("To", dialled.as_str()),
            ("CallStatus", "ringing"),
            ("Direction", "inbound"),
        ];
        let answer = fake::webhook(&stage.world, "/hooks/twilio/call", &call).await;
        let twiml = String::from_utf8(answer.body).unwrap();
        assert!(twiml.contains(&format!("callerId=\"{}\"", stage.session.dials[1].expose())));
        assert!(twiml.contains(&format!(">{callee}</Number>")), "{twiml}");
        assert!(!twiml.contains(&caller), "I17: {twiml}");
        let path = fake::action(&stage.world, &twiml);
        let ended: Vec<(&str, &str)> = call[..3]
            .iter()
            .copied()
            .chain([
                ("CallStatus", "in-progress"),
                ("Direction", "inbound"),
                ("DialCallStatus", "completed"),
                ("DialCallDuration", "42"),
                ("DialBridged", "true"),
            ])
            .collect();
        let answer = fake::webhook(&stage.world, &path, &ended).await;
        assert_eq!(answer.status, StatusCode::OK);
        let log = stage.only().await;
        assert_eq!(log.outcome, Some(Outcome::Connected));
        assert_eq!(log.duration.map(|length| length.as_secs()), Some(42));
        stage.end(database).await;
    }
}
