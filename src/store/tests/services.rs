//! Services: names, versions, pages, and rules that read back as they were.

use std::time::Duration;

use super::{world::a_service, *};
use crate::{
    domain::{
        abuse::{Countries, Limit, Limits},
        assurance::{AssuranceRules, Treatment},
        content::{Actions, ContentAction},
        opt_out::StopWords,
        phone::Strictness,
        policy::{
            ContentRules, FirstTextRules, GeoMatch, MediaRule, OnInterceptFailure, OrderUrl,
            OutOfSession, ProxyRules, RecordingRule, RecordingRules, Rules, Selection, TeamRing,
            VerifiedRules, VoicemailRules,
        },
        retention::RetentionRules,
        sender::SenderId,
    },
    ids::ServiceId,
    privacy::webhook::WebhookSecret,
    store::services,
};

/// Rules of which none is the default.
fn unusual() -> Rules {
    Rules {
        brand: "Ünïcode \"quoted\" \\ brand".into(),
        language: "fr-FR".into(),
        default_ttl: Duration::from_millis(1),
        quarantine: Duration::from_hours(24 * 3650),
        geo_match: GeoMatch::Radius,
        geo_fallback: false,
        selection: Selection::AvoidSticky,
        participants_max: 20,
        ring_timeout: Duration::from_secs(7),
        call_max: Duration::from_secs(8),
        caller_announcement: "a".into(),
        callee_whisper: "b".into(),
        press_one: true,
        team_ring: *TeamRing::ALL.last().unwrap(),
        out_of_session: *OutOfSession::ALL.last().unwrap(),
        out_of_session_announcement: "c".into(),
        out_of_session_number: Some(super::world::identifier(7)),
        out_of_session_text: "e".into(),
        out_of_session_url: "https://market.example/strangers?key=a b".into(),
        missed_call_text: "d".into(),
        identifier_check: Strictness::Valid,
        keep_texts: true,
        stop_words: *StopWords::ALL.last().unwrap(),
        help_text: "i".into(),
        block_words: false,
        media: *MediaRule::ALL.last().unwrap(),
        vcards: true,
        tell_of_moves: true,
        first_text: FirstTextRules { on: true, words: "i".into() },
        verified: VerifiedRules { required: true, within: Duration::from_hours(48) },
        sender_id: SenderId::parse("Bikes 24"),
        order_url: OrderUrl::parse("https://market.example/{unique_name}"),
        retention: RetentionRules { texts: Some(7), log: None, sessions: Some(90) },
        content: ContentRules {
            actions: Actions {
                phone: ContentAction::Block,
                email: ContentAction::Redact,
                link: ContentAction::Flag,
                payment: ContentAction::Block,
            },
            legal_basis: "g".into(),
            notice: "h".into(),
            keep_originals: true,
        },
        recording: RecordingRules {
            rule: RecordingRule::Consent,
            purpose: "disputes".into(),
            kept: Duration::from_hours(24 * 90),
        },
        voicemail: VoicemailRules {
            on: true,
            greeting: "f".into(),
            longest: Duration::from_secs(9),
            text: false,
            kept: Duration::from_hours(48),
        },
        countries: Countries::parse(["FR", "US"]).unwrap(),
        limits: {
            let mut limits = Limits::default();
            limits.set(Limit::PairTexts, 7);
            limits
        },
        tell_limits: true,
        assurance: AssuranceRules {
            a: Treatment::PressOne,
            b: Treatment::Pin,
            c: Treatment::Refuse,
            failed: Treatment::Refuse,
            none: Treatment::Pin,
            pin_for_withheld: true,
            pin_from_any_phone: true,
            pin_fallback: true,
        },
        proxy: unusual_proxy(),
    }
}

fn unusual_proxy() -> ProxyRules {
    ProxyRules {
        callback_url: "https://market.example/told?key=c".into(),
        intercept_callback_url: "https://market.example/asked?key=d".into(),
        out_of_session_callback_url: "https://market.example/else?key=e".into(),
        chat_instance_sid: format!("IS{:032x}", 7),
        on_intercept_failure: OnInterceptFailure::Block,
    }
}

db_test!(rules_read_back, names_are_unique_in_an_account, one_change_per_version, pages_are_whole);

/// Every rule reads back as it was written, by id and by name, and only in its account.
async fn rules_read_back(lab: &Lab) {
    let (world, other) = (World::named(lab, "one").await, World::named(lab, "two").await);
    let id: ServiceId = lab.ids.make(at(1));
    let mut service = a_service(&id, "unusual");
    service.rules = unusual();
    let secret = WebhookSecret::parse(&format!("whsec_{}", "A".repeat(32))).unwrap();
    service.callback_secret = Some(secret.clone());
    commit!(lab.db, [world, service], |tx| services::insert(tx, &world.account, &service).await)
        .await
        .unwrap();
    let mut tx = lab.db.read().await.unwrap();
    let by_id = services::get(&mut tx, &world.account, &id).await.unwrap().unwrap();
    let by_name = services::by_name(&mut tx, &world.account, "unusual").await.unwrap().unwrap();
    for found in [by_id, by_name] {
        assert_eq!(found.rules, unusual());
        assert_eq!(found.callback_secret.unwrap().expose(), secret.expose());
        assert_eq!((found.version, found.created_at, found.updated_at), (1, at(0), at(0)));
    }
    assert!(services::get(&mut tx, &other.account, &id).await.unwrap().is_none());
    assert!(services::by_name(&mut tx, &other.account, "unusual").await.unwrap().is_none());
    assert!(services::by_name(&mut tx, &world.account, "Unusual").await.unwrap().is_none());
    assert_eq!(services::places(&mut tx, &world.account, &id).await.unwrap(), 0);
}

/// Two services of one account can't have one name, at birth or by a change; two accounts can.
async fn names_are_unique_in_an_account(lab: &Lab) {
    let (world, other) = (World::named(lab, "one").await, World::named(lab, "two").await);
    let new = a_service(&lab.ids.make(at(1)), "free");
    for (world, free) in [(world.clone(), true), (world.clone(), false), (other, true)] {
        let mut new = new.clone();
        new.id = lab.ids.make(at(1));
        let done =
            commit!(lab.db, [world, new], |tx| services::insert(tx, &world.account, &new).await);
        match done.await {
            Ok(()) => assert!(free),
            Err(error) => assert!(!free && matches!(error, Error::Conflict)),
        }
    }
    let mut taken = a_service(&world.service, "free");
    taken.version = 2;
    let renamed =
        commit!(lab.db, [world, taken], |tx| services::update(tx, &world.account, &taken).await);
    assert!(matches!(renamed.await, Err(Error::Conflict)));
}

/// Of many that change one version exactly one does.
async fn one_change_per_version(lab: &Lab) {
    let world = World::new(lab).await;
    let changes = (0..8).map(|n| {
        let mut next = a_service(&world.service, &format!("name{n}"));
        next.version = 2;
        next.updated_at = at(n);
        commit!(lab.db, [world, next], |tx| services::update(tx, &world.account, &next).await)
    });
    let done = futures_util::future::join_all(changes).await;
    assert_eq!(done.into_iter().filter(|done| *done.as_ref().unwrap()).count(), 1);
    let mut tx = lab.db.read().await.unwrap();
    let found = services::get(&mut tx, &world.account, &world.service).await.unwrap().unwrap();
    assert_eq!((found.version, found.created_at), (2, at(0)));
    assert_eq!(found.unique_name, format!("name{}", found.updated_at.millis() - at(0).millis()));
}

/// Pages of every size show each service once, in order of the ids.
async fn pages_are_whole(lab: &Lab) {
    let world = World::new(lab).await;
    commit!(lab.db, [world], |tx| {
        for n in 0..6 {
            let id = world.id();
            services::insert(tx, &world.account, &a_service(&id, &format!("s{n}"))).await?;
        }
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    let mut tx = lab.db.read().await.unwrap();
    for limit in 1..=8 {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = services::list(&mut tx, &world.account, &after, limit).await.unwrap();
            let Some(last) = page.last() else { break };
            after = last.id.to_string();
            seen.extend(page.into_iter().map(|one| one.id));
        }
        assert_eq!(seen.len(), 7);
        assert!(seen.is_sorted_by(|a, b| a < b));
    }
}
