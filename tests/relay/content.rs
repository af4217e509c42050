//! What a service does with numbers, addresses, links and payment handles in texts: T7, on each engine.

use std::time::Duration;

use entremise::{
    domain::{
        content::{Actions, ContentAction, ContentKind, Fate},
        interaction::{Outcome, Reason},
        policy::{ContentRules, Rules},
    },
    relay,
    store::{events, interactions, sessions, sessions::Page, text_findings},
};
use serde_json::{Value, json};

use crate::{
    market::{Market, Opened},
    support::{self, Database, World},
};

/// What no sink may have beside the phone of whoever it is meant for.
const NUMBER: &str = "06 39 98 12 34";
const TEXT: &str = "Bonjour, appelez-moi au 06 39 98 12 34 ce soir";
const NOTICE: &str = "Règles : bikes.example/textes";
const DAY_MS: i64 = 86_400_000;

fn rules(action: ContentAction) -> Rules {
    let content = ContentRules {
        actions: Actions { phone: action, ..Actions::ALLOW },
        legal_basis: "Art. 6(1)(f) GDPR".into(),
        notice: NOTICE.into(),
        keep_originals: false,
    };
    Rules { language: "fr-FR".into(), content, ..Rules::new("Bikes".into()) }
}

/// Two people in a session of a service with these rules.
struct Stage {
    world: World,
    market: Market,
    session: Opened,
}

impl Stage {
    async fn open(database: &Database, rules: Rules) -> Self {
        let world = World::start(database).await;
        let market = Market::open(&world, 2, 2, rules).await;
        let session = market.session([0, 1], 0, None).await.unwrap();
        Self { world, market, session }
    }

    /// The buyer writes, by webhook.
    async fn text(&self, id: &str, words: &str, more: Value) {
        let mut text = json!({
            "event": "message", "id": id, "text": words,
            "from": self.market.people[0].number.expose(), "to": self.session.dials[0].expose(),
        });
        text.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = support::webhook(&self.world, "message", &text).await;
        assert!(answer.status.is_success(), "{}", answer.status);
    }

    /// What somebody's phone got.
    async fn got(&self, who: usize) -> Vec<String> {
        self.world.running.idle().await;
        let view = self.market.network.seen(self.market.people[who].phone).unwrap();
        view.received().map(|text| text.body.expose().to_owned()).collect()
    }

    /// The data of the events of a type.
    async fn told(&self, kind: &str) -> Vec<Value> {
        let mut tx = self.market.relay.db().read().await.unwrap();
        let page = Page { before: None, after: None, limit: 1000 };
        let account = &self.market.account;
        let all = events::list(&mut tx, account, None, Some(kind), &page).await.unwrap();
        all.iter().map(|event| serde_json::from_str(&event.data).unwrap()).collect()
    }

    /// The buyer's texts, the last first.
    async fn log(&self) -> Vec<interactions::Interaction> {
        let all = support::interactions(&self.world).await;
        all.into_iter().filter(|one| one.from_role.as_deref() == Some("buyer")).collect()
    }

    /// What was found in the buyer's last text, and the text as it was written where that is kept.
    async fn found(&self) -> (Option<text_findings::Finding>, Option<String>) {
        let id = self.log().await[0].id.clone();
        let mut tx = self.market.relay.db().read().await.unwrap();
        let account = &self.market.account;
        let found = text_findings::of_text(&mut tx, account, &id).await.unwrap();
        let session = sessions::get(&mut tx, account, &self.session.id).await.unwrap().unwrap();
        let key = session.data_key(&tx).unwrap();
        let kept = text_findings::original(&mut tx, account, &key, &id).await.unwrap();
        (found, kept.map(|body| body.expose().to_owned()))
    }

    async fn end(self, database: Database) {
        self.world.running.shutdown().await;
        database.drop().await;
    }
}

/// By default no text is read: everything goes on as it is, nothing is marked, nobody is told.
#[tokio::test]
async fn texts_are_not_read_by_default() {
    for database in support::databases().await {
        let stage = Stage::open(&database, Rules::new("Bikes".into())).await;
        stage.text("1", TEXT, json!({})).await;
        assert_eq!(stage.got(1).await, [TEXT]);
        assert_eq!(stage.got(0).await, Vec::<String>::new());
        assert_eq!(stage.found().await, (None, None));
        assert!(stage.told("message.moderated").await.is_empty());
        stage.end(database).await;
    }
}

/// A flagged text goes on as it is; the marketplace is told the kinds and no word, and whoever wrote it
/// that it was reported. An ordinary text tells nobody anything.
#[tokio::test]
async fn a_flagged_text_goes_on() {
    for database in support::databases().await {
        let stage = Stage::open(&database, rules(ContentAction::Flag)).await;
        stage.text("1", "J'arrive à 10h30, 40 €", json!({})).await;
        assert_eq!(stage.got(0).await, Vec::<String>::new());
        stage.text("2", TEXT, json!({})).await;
        assert_eq!(stage.got(1).await, ["J'arrive à 10h30, 40 €", TEXT]);
        let (found, kept) = stage.found().await;
        let found = found.unwrap();
        assert_eq!((found.fate, &*found.kinds), (Fate::Flagged, &[ContentKind::Phone][..]));
        assert_eq!(kept, None, "its recipient has it");
        let told = stage.told("message.moderated").await;
        assert_eq!(told.len(), 1);
        assert_eq!((&told[0]["action"], &told[0]["role"]), (&json!("flagged"), &json!("buyer")));
        assert_eq!(told[0]["kinds"], json!(["phone"]));
        let back = stage.got(0).await;
        assert_eq!(back.len(), 1, "{back:?}");
        assert!(back[0].contains("signalé") && back[0].ends_with(NOTICE), "{back:?}");
        stage.end(database).await;
    }
}

/// T7: of a redacted text the recipient gets the rest and sees that something is gone, its sender is told,
/// and nothing that we send or keep has the number, though the service keeps texts.
#[tokio::test]
async fn t7_a_redacted_text_shows_its_mark() {
    for database in support::databases().await {
        let mut rules = rules(ContentAction::Redact);
        rules.keep_texts = true;
        let stage = Stage::open(&database, rules).await;
        stage.text("1", TEXT, json!({})).await;
        let got = stage.got(1).await;
        assert_eq!(got, ["Bonjour, appelez-moi au [numéro retiré] ce soir"]);
        let (found, kept) = stage.found().await;
        assert_eq!(found.unwrap().fate, Fate::Redacted);
        assert_eq!(kept, None, "the service does not keep originals");
        let log = stage.log().await;
        assert_eq!(log[0].outcome, Some(Outcome::Relayed));
        let mut tx = stage.market.relay.db().read().await.unwrap();
        let account = &stage.market.account;
        let session = sessions::get(&mut tx, account, &stage.session.id).await.unwrap().unwrap();
        let key = session.data_key(&tx).unwrap();
        let ids = [log[0].id.clone()];
        let words = interactions::words(&mut tx, account, &key, &ids).await.unwrap();
        assert_eq!(words[&log[0].id].expose(), got[0], "kept as it was passed on");
        drop(tx);
        let told = stage.told("message.moderated").await;
        assert!(!told[0].to_string().contains(NUMBER), "{told:?}");
        let back = stage.got(0).await;
        assert!(back[0].contains("sans une partie") && back[0].contains(NOTICE), "{back:?}");
        assert!(!back[0].contains(NUMBER), "{back:?}");
        stage.end(database).await;
    }
}

/// T7: a blocked text reaches nobody, the log says why, and its sender is told in the session's language. A
/// repeated webhook tells nobody twice (I10).
#[tokio::test]
async fn t7_a_blocked_text_reaches_nobody() {
    for database in support::databases().await {
        let stage = Stage::open(&database, rules(ContentAction::Block)).await;
        for _ in 0..3 {
            stage.text("1", "zéro six trente-neuf quatre-vingt-dix-huit 12 34", json!({})).await;
        }
        assert_eq!(stage.got(1).await, Vec::<String>::new());
        let log = stage.log().await;
        assert_eq!(log.len(), 1);
        assert_eq!(log[0].outcome, Some(Outcome::Refused));
        assert_eq!(log[0].reason, Some(Reason::ContentBlocked));
        assert_eq!(stage.told("message.refused").await[0]["reason"], "content_blocked");
        assert_eq!(stage.told("message.moderated").await[0]["action"], "blocked");
        let back = stage.got(0).await;
        assert_eq!(back.len(), 1, "{back:?}");
        let words =
            "Bikes : votre message n'a pas été transmis, car il contient un numéro de téléphone.";
        assert_eq!(back[0], format!("{words} {NOTICE}"));
        stage.end(database).await;
    }
}

/// A long text is judged when it is whole: no part of it goes ahead, though no part has a number.
#[tokio::test]
async fn t7_parts_are_judged_together() {
    for database in support::databases().await {
        let stage = Stage::open(&database, rules(ContentAction::Redact)).await;
        for (number, words) in [(2, "98 12 34 ce soir"), (1, "au 06 39 ")] {
            let part = json!({ "part": { "reference": "7", "number": number, "of": 2 } });
            stage.text(&format!("7-{number}"), words, part).await;
        }
        assert_eq!(stage.got(1).await, ["au [numéro retiré] ce soir"]);
        stage.end(database).await;
    }
}

/// The session's own numbers may be named: that is what they are for.
#[tokio::test]
async fn proxy_numbers_may_be_named() {
    for database in support::databases().await {
        let stage = Stage::open(&database, rules(ContentAction::Block)).await;
        for (id, dialled) in ["1", "2"].into_iter().zip(&stage.session.dials) {
            stage.text(id, &format!("call {}", dialled.expose()), json!({})).await;
        }
        assert_eq!(stage.got(1).await.len(), 2);
        stage
            .text("3", &format!("call {}", stage.market.people[0].number.expose()), json!({}))
            .await;
        assert_eq!(stage.got(1).await.len(), 2);
        stage.end(database).await;
    }
}

/// Whoever tries again and again is told five times an hour, and every text is judged all the same.
#[tokio::test]
async fn senders_are_told_so_often() {
    for database in support::databases().await {
        let stage = Stage::open(&database, rules(ContentAction::Block)).await;
        for id in 0..8 {
            stage.text(&id.to_string(), TEXT, json!({})).await;
        }
        assert_eq!(stage.got(0).await.len(), 5);
        assert_eq!(stage.got(1).await.len(), 0);
        assert_eq!(stage.told("message.moderated").await.len(), 8);
        stage.world.clock.advance(3_600_001);
        stage.text("9", TEXT, json!({})).await;
        assert_eq!(stage.got(0).await.len(), 6);
        stage.end(database).await;
    }
}

/// A service that keeps what it altered as it was written.
fn keeping() -> Rules {
    let mut rules = rules(ContentAction::Redact);
    rules.content.keep_originals = true;
    rules.default_ttl = Duration::ZERO;
    rules
}

/// Where the service says so the text as it was written is kept, sealed under its session's key; it goes
/// after 30 days, and what was found stays.
#[tokio::test]
async fn originals_are_kept_sealed_for_a_while() {
    for database in support::databases().await {
        let stage = Stage::open(&database, keeping()).await;
        stage.text("1", TEXT, json!({})).await;
        for (days, kept) in [(0, true), (30, true), (2, false)] {
            stage.world.clock.advance(days * DAY_MS);
            stage.market.relay.retain_now().await.unwrap();
            let (found, original) = stage.found().await;
            assert_eq!(original.as_deref(), kept.then_some(TEXT));
            assert_eq!(found.unwrap().kinds, [ContentKind::Phone]);
        }
        stage.end(database).await;
    }
}

/// With its session the text as it was written goes at once.
#[tokio::test]
async fn originals_go_with_their_session() {
    for database in support::databases().await {
        let stage = Stage::open(&database, keeping()).await;
        stage.text("1", TEXT, json!({})).await;
        assert_eq!(stage.found().await.1.as_deref(), Some(TEXT));
        let db = stage.market.relay.db();
        let (account, id) = (stage.market.account.clone(), stage.session.id.clone());
        let text = stage.log().await[0].id.clone();
        let mut tx = db.read().await.unwrap();
        let session = sessions::get(&mut tx, &account, &id).await.unwrap().unwrap();
        let key = session.data_key(&tx).unwrap();
        drop(tx);
        let owner = account.clone();
        db.write(move |tx| {
            let (account, id) = (owner.clone(), id.clone());
            Box::pin(async move { relay::delete_session(tx, &account, &id).await })
        })
        .await
        .unwrap();
        let mut tx = db.read().await.unwrap();
        assert_eq!(text_findings::original(&mut tx, &account, &key, &text).await.unwrap(), None);
        drop(tx);
        stage.end(database).await;
    }
}
