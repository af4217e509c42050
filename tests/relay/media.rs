//! Pictures and files from one carrier to another: fetched with care, made harmless, offered for a while.

use std::{net::SocketAddr, sync::Arc};

use entremise::{
    config::{MediaStore, Secret},
    domain::{
        interaction::{Outcome, Reason},
        policy::{MediaRule, Rules},
    },
    relay,
};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::{
    fake,
    picture_stage::{HIDDEN, Seen, Serve, Stage, holds, photograph},
    receiver, s3, support,
};

/// Every file below a folder.
pub(crate) fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// A picture crosses from one carrier to the other: fetched with the first one's credentials from its own
/// address and without them from where that leads, without place or name, at an address of ours that tells
/// nothing of the first carrier, sealed where it lies, and gone when its time is up.
#[tokio::test]
async fn a_picture_crosses_without_what_it_hides() {
    for database in support::databases().await {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().to_owned();
        let stage = Stage::with(&database, Rules::new("Bikes".into()), |config| {
            config.media.store = MediaStore::Folder(at);
        })
        .await;
        let picture = photograph();
        let file = format!("{}?signed", stage.cdn.serves("/store/abc", [Serve::File(picture)]));
        let first = stage.twilio.serves(&Stage::at_twilio("ME1"), [Serve::To(file)]);
        stage.text("Look at the wheel", &[&first]).await;

        let seen = stage.twilio.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert!(seen[0].authorization.as_ref().unwrap().starts_with("Basic "));
        let seen = stage.cdn.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!(seen[0].authorization, None, "credentials went to another host");

        let sent = stage.sent();
        let body = String::from_utf8_lossy(&sent.body).into_owned();
        for secret in [stage.twilio.address.to_string(), fake::ACCOUNT.into(), "abc".into()] {
            assert!(!body.contains(&secret), "{secret} in {body}");
        }
        let [url] = &Stage::media_of(&sent)[..] else { panic!("{body}") };
        assert!(url.starts_with(&format!("{}/media/", stage.world.running.origin)), "{url}");
        let got = stage.fetch("GET", url).await;
        assert_eq!(got.status, StatusCode::OK);
        for words in HIDDEN {
            assert!(!holds(&got.body, words), "{}", String::from_utf8_lossy(words));
        }
        let shown = image::load_from_memory(&got.body).unwrap();
        assert_eq!((shown.width(), shown.height()), (40, 20));
        let length = got.body.len().to_string();
        for (name, value) in [
            ("content-type", "image/jpeg"),
            ("content-length", &*length),
            ("content-disposition", "attachment; filename=\"file.jpg\""),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "private, no-store"),
        ] {
            assert_eq!(got.headers[name], value, "{name}");
        }
        let head = stage.fetch("HEAD", url).await;
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
        assert_eq!(head.headers["content-length"], *length);

        let kept = files(folder.path());
        let [kept] = &kept[..] else { panic!("{kept:?}") };
        let sealed = std::fs::read(kept).unwrap();
        assert!(!holds(&sealed, &got.body[..64]), "it lies there in clear");

        let last = stage.last().await;
        assert_eq!((last.outcome, last.media, last.media_refused), (Some(Outcome::Relayed), 1, 0));
        assert!(stage.reasons().await.is_empty());

        stage.world.clock.advance(5 * 3_600_000);
        assert_eq!(stage.fetch("GET", url).await.status, StatusCode::NOT_FOUND);
        assert_eq!(stage.world.running.relay.forget_files().await.unwrap(), 1);
        assert!(files(folder.path()).is_empty());
        stage.end(database).await;
    }
}

/// A file that can't be deleted stays, and is told of as a failure; the others go all the same (I32).
#[tokio::test]
async fn a_file_that_stays_keeps_no_other() {
    for database in support::databases().await {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().to_owned();
        let stage = Stage::with(&database, Rules::new("Bikes".into()), |config| {
            config.media.store = MediaStore::Folder(at);
        })
        .await;
        let file = stage.cdn.serves("/a", [Serve::File(photograph())]);
        stage.text("one", &[&file]).await;
        let first = files(folder.path()).remove(0);
        stage.world.clock.advance(1_000);
        stage.text("two", &[&file]).await;
        std::fs::remove_file(&first).unwrap();
        std::fs::create_dir(&first).unwrap();
        std::fs::write(first.join("inside"), "").unwrap();
        stage.world.clock.advance(5 * 3_600_000);
        let relay = &stage.world.running.relay;
        assert!(relay.forget_files().await.is_err(), "on {}", database.name);
        assert_eq!(files(folder.path()), [first.join("inside")]);
        std::fs::remove_dir_all(&first).unwrap();
        assert_eq!(relay.forget_files().await.unwrap(), 1);
        stage.end(database).await;
    }
}

/// No more than 16 files are in memory to be given out: whoever comes then is told to come again, what a file
/// is can still be asked, and once one of them was read there is room.
#[tokio::test]
async fn few_files_are_given_out_at_once() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        let first = stage.twilio.serves(&Stage::at_twilio("ME1"), [Serve::File(photograph())]);
        stage.text("Look", &[&first]).await;
        let url = Stage::media_of(&stage.sent()).remove(0);
        let token = url.rsplit('/').next().unwrap();
        let mut held = Vec::new();
        for _ in 0..16 {
            held.push(stage.world.running.relay.offered(token, true).await.unwrap().unwrap());
        }
        let busy = stage.fetch("GET", &url).await;
        assert_eq!(busy.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(busy.headers["retry-after"], "1");
        assert_eq!(stage.fetch("HEAD", &url).await.status, StatusCode::OK);
        // A part of the bytes holds the place as all of them do.
        let part = held.pop().unwrap().bytes.unwrap().slice(..1);
        assert_eq!(stage.fetch("GET", &url).await.status, StatusCode::SERVICE_UNAVAILABLE);
        drop(part);
        for _ in 0..20 {
            assert_eq!(stage.fetch("GET", &url).await.status, StatusCode::OK);
        }
        drop(held);
        stage.end(database).await;
    }
}

/// An address that was changed in any letter, cut, lengthened or made up is nothing at all, and one of a
/// session that was deleted neither.
#[tokio::test]
async fn only_our_own_addresses_lead_to_a_file() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        let file = stage.cdn.serves("/a", [Serve::File(photograph())]);
        stage.text("", &[&file]).await;
        let url = Stage::media_of(&stage.sent()).remove(0);
        let token = url.rsplit('/').next().unwrap().to_owned();
        assert_eq!(token.len(), 96);
        for place in 0..token.len() {
            let mut other = token.clone();
            let swap = if &token[place..=place] == "A" { "B" } else { "A" };
            other.replace_range(place..=place, swap);
            let answer = stage.fetch("GET", &url.replace(&token, &other)).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "letter {place}");
        }
        for other in ["x", &token[1..], &format!("{token}A"), &format!("{token}="), "%00", "a%2fb"]
        {
            let answer = stage.fetch("GET", &url.replace(&token, other)).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{other}");
        }
        assert_eq!(stage.fetch("POST", &url).await.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(stage.fetch("GET", &url).await.status, StatusCode::OK);
        let (account, id) = (stage.market.account.clone(), stage.session.id.clone());
        let deleted = stage.market.relay.db().write(move |tx| {
            let (account, id) = (account.clone(), id.clone());
            Box::pin(async move { relay::delete_session(tx, &account, &id).await })
        });
        deleted.await.unwrap();
        assert_eq!(stage.fetch("GET", &url).await.status, StatusCode::NOT_FOUND);
        assert_eq!(stage.world.running.relay.forget_files().await.unwrap(), 1);
        stage.end(database).await;
    }
}

/// A store of files in trouble delays a picture and loses nothing: it is asked again, later and later, and
/// the text goes out once, with all of its pictures.
#[tokio::test]
async fn trouble_delays_and_loses_nothing() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        let fine = stage.cdn.serves("/fine", [Serve::File(photograph())]);
        let slow = [Serve::Status(503), Serve::Status(500), Serve::File(photograph())];
        let slow = stage.cdn.serves("/slow", slow);
        stage.text("two", &[&fine, &slow]).await;
        assert!(stage.telnyx.asked().is_empty());
        stage.world.clock.advance(2_000);
        stage.world.running.jobs.idle().await;
        assert!(stage.telnyx.asked().is_empty());
        stage.world.clock.advance(3_000);
        stage.world.running.jobs.idle().await;
        assert_eq!(Stage::media_of(&stage.sent()).len(), 2);
        let asked = |path: &str| {
            let line = format!("GET {path}");
            stage.cdn.seen().iter().filter(|one| one.line == line).count()
        };
        assert_eq!((asked("/fine"), asked("/slow")), (1, 3), "what is here is not fetched again");
        assert_eq!(stage.last().await.media_refused, 0);
        stage.end(database).await;
    }
}

/// What never comes is given up before the text's time is: its words go out without it.
#[tokio::test]
async fn words_go_out_without_what_never_comes() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        let dead = stage.cdn.serves("/dead", [Serve::Status(503)]);
        stage.text("Here it is", &[&dead]).await;
        assert!(stage.telnyx.asked().is_empty());
        stage.world.clock.advance(14 * 60_000 + 52_000);
        stage.world.running.jobs.idle().await;
        let sent = stage.sent();
        assert_eq!(
            (sent.json()["text"].as_str(), Stage::media_of(&sent).len()),
            (Some("Here it is"), 0)
        );
        let last = stage.last().await;
        assert_eq!((last.outcome, last.media_refused), (Some(Outcome::Relayed), 1));
        assert_eq!(stage.reasons().await, ["unavailable"]);
        stage.end(database).await;
    }
}

/// What may not pass is left out, whatever it says that it is; words and other pictures go on, and where
/// nothing is left the text fails and says why.
#[tokio::test]
async fn what_may_not_pass_is_left_out() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        let cdn = &stage.cdn;
        let good = cdn.serves("/good.png", [Serve::File(photograph())]);
        let vcard = b"BEGIN:VCARD\r\nTEL:+12125550100\r\nEND:VCARD".to_vec();
        let vcard = cdn.serves("/contact.jpg", [Serve::File(vcard)]);
        let film = cdn.serves("/film.jpg", [Serve::File(b"\0\0\0\x18ftypmp42film".to_vec())]);
        let page = cdn.serves("/page.jpg", [Serve::File(b"<html>hello</html>".to_vec())]);
        let broken = cdn.serves("/broken.jpg", [Serve::File(b"\xff\xd8\xff\xe0rubbish".to_vec())]);
        let huge = cdn.serves("/huge.jpg", [Serve::File(vec![0xff; 15 * 1024 * 1024 + 1])]);
        let gone = cdn.url("/gone.jpg");
        let inward = "http://127.0.0.1:1/secret.jpg";
        let all = [&*good, &vcard, &film, &page, &broken, &huge, &gone, inward];
        stage.text("Look", &all).await;
        let sent = stage.sent();
        assert_eq!(sent.json()["text"], "Look");
        assert_eq!(Stage::media_of(&sent).len(), 1);
        let last = stage.last().await;
        assert_eq!((last.media, last.media_refused), (8, 7));
        let expected =
            ["too_large", "type", "type", "unavailable", "unavailable", "unreadable", "vcard"];
        assert_eq!(stage.reasons().await, expected);

        stage.text("", &[&vcard]).await;
        assert!(stage.telnyx.asked().is_empty());
        let last = stage.last().await;
        assert_eq!(last.outcome, Some(Outcome::Failed));
        assert_eq!((last.reason, last.media_refused), (Some(Reason::MediaRefused), 1));
        stage.end(database).await;
    }
}

/// A service says what passes: nothing, pictures, files too; contact cards only where that is said.
#[tokio::test]
async fn a_service_says_what_passes() {
    for database in support::databases().await {
        let rules = Rules { media: MediaRule::None, ..Rules::new("Bikes".into()) };
        let stage = Stage::with(&database, rules, |_| ()).await;
        let picture = stage.cdn.serves("/a", [Serve::File(photograph())]);
        stage.text("Look", &[&picture]).await;
        assert!(Stage::media_of(&stage.sent()).is_empty());
        stage.text("", &[&picture]).await;
        let last = stage.last().await;
        assert_eq!(last.outcome, Some(Outcome::Refused));
        assert_eq!((last.reason, last.media_refused), (Some(Reason::MediaNotSupported), 1));
        assert!(stage.cdn.seen().is_empty(), "nothing was fetched for nothing");
        stage.end(database).await;
    }
    for database in support::databases().await {
        let rules = Rules { media: MediaRule::Files, vcards: true, ..Rules::new("Bikes".into()) };
        let stage = Stage::with(&database, rules, |_| ()).await;
        let card = b"BEGIN:VCARD\r\nEND:VCARD".to_vec();
        let card = stage.cdn.serves("/card", [Serve::File(card.clone())]);
        let paper = stage.cdn.serves("/paper", [Serve::File(b"%PDF-1.7 paper".to_vec())]);
        stage.text("", &[&card, &paper]).await;
        let urls = Stage::media_of(&stage.sent());
        let mut kinds = Vec::new();
        for url in &urls {
            let got = stage.fetch("GET", url).await;
            kinds.push(got.headers["content-type"].to_str().unwrap().to_owned());
        }
        assert_eq!(kinds, ["text/vcard", "application/pdf"]);
        stage.end(database).await;
    }
}

/// I3: a session that is closed while its pictures are fetched sends nothing, and its text is withdrawn.
#[tokio::test]
async fn i3_a_close_overtakes_what_is_fetched() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        let (asked, go) = (Arc::<Notify>::default(), Arc::<Notify>::default());
        let held = Serve::Held(Arc::clone(&asked), Arc::clone(&go), photograph());
        let held = stage.cdn.serves("/held", [held]);
        stage.webhook("Look", &[&held]).await;
        asked.notified().await;
        stage.market.close(&stage.session.id).await.unwrap();
        go.notify_one();
        stage.world.running.jobs.idle().await;
        assert!(stage.telnyx.asked().is_empty(), "I3");
        let last = stage.last().await;
        assert_eq!(last.outcome, Some(Outcome::Cancelled));
        assert_eq!(last.reason, Some(Reason::SessionClosed));
        stage.end(database).await;
    }
}

/// A carrier's credentials go to its own account's files only: not to another account's, not to another
/// host, and not to any address that a marketplace names.
#[tokio::test]
async fn credentials_stay_with_the_carrier() {
    for database in support::databases().await {
        let mut twilio = None;
        let stage = Stage::with(&database, Rules::new("Bikes".into()), |config| {
            // As if the carrier's API were a public address: what is not its own path is a stranger's.
            let base = config.carriers[1].api_base.clone().unwrap();
            let address: SocketAddr = base.trim_start_matches("http://").parse().unwrap();
            config.egress_allow.push(address);
            twilio = Some(address);
        })
        .await;
        let own = Stage::at_twilio("ME1");
        let foreign = own.replace(fake::ACCOUNT, "AC11111111111111111111111111111111");
        let up = format!("{own}/%2e%2e/../../../../../Keys");
        stage.twilio.serves(&own, [Serve::File(photograph())]);
        stage.cdn.serves(&own, [Serve::File(photograph())]);
        let addresses = [stage.cdn.url(&own), stage.twilio.url(&foreign), stage.twilio.url(&up)];
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        stage.text("", &addresses).await;
        assert_eq!(Stage::media_of(&stage.sent()).len(), 1);
        let named = json!({
            "participant_id": participant(&stage, 1).await, "media": [stage.twilio.url(&own)],
        });
        let path = format!("/sessions/{}/messages", stage.session.id);
        receiver::done(&stage.world, "POST", &path, Some(named)).await;
        stage.world.running.jobs.idle().await;
        let seen: Vec<Seen> = [stage.cdn.seen(), stage.twilio.seen()].concat();
        assert!(seen.len() >= 3, "{seen:?}");
        for one in seen {
            assert_eq!(one.authorization, None, "{}", one.line);
        }
        stage.end(database).await;
    }
}

async fn participant(stage: &Stage, place: usize) -> Value {
    let path = format!("/sessions/{}", stage.session.id);
    let session = receiver::done(&stage.world, "GET", &path, None).await;
    session["participants"][place]["id"].clone()
}

/// A marketplace sends a picture through the mask, under the same rules; an address that may not be called
/// is refused at once, and so are too many.
#[tokio::test]
async fn a_marketplace_sends_a_picture() {
    for database in support::databases().await {
        let stage = Stage::open(&database).await;
        let file = stage.cdn.serves("/a", [Serve::File(photograph())]);
        let to = participant(&stage, 1).await;
        let path = format!("/sessions/{}/messages", stage.session.id);
        let ask = async |body: Value| receiver::ask(&stage.world, "POST", &path, Some(body)).await;
        for (media, pointer) in [
            (json!(["http://10.0.0.1/a"]), "/media/0"),
            (json!([file, "ftp://example.com/a"]), "/media/1"),
            (json!(vec![&file; 11]), "/media"),
            (json!([]), "/body"),
        ] {
            let (status, answer) = ask(json!({ "participant_id": to, "media": media })).await;
            assert_eq!(
                (status, &answer["errors"][0]["pointer"]),
                (422, &json!(pointer)),
                "{answer}"
            );
        }
        let (status, answer) = ask(json!({ "participant_id": to, "media": [file] })).await;
        assert_eq!((status, &answer["media"]), (201, &json!(1)), "{answer}");
        stage.world.running.jobs.idle().await;
        let url = Stage::media_of(&stage.sent()).remove(0);
        assert_eq!(stage.fetch("GET", &url).await.status, StatusCode::OK);
        stage.end(database).await;
    }
}

/// Without a store no picture is passed on, and none is fetched.
#[tokio::test]
async fn without_a_store_no_picture_passes() {
    for database in support::databases().await {
        let rules = Rules::new("Bikes".into());
        let stage = Stage::with(&database, rules, |config| config.media.store = MediaStore::Off);
        let stage = stage.await;
        let file = stage.cdn.serves("/a", [Serve::File(photograph())]);
        stage.text("Look", &[&file]).await;
        assert!(Stage::media_of(&stage.sent()).is_empty());
        assert_eq!(stage.reasons().await, ["off"]);
        assert!(stage.cdn.seen().is_empty());
        stage.end(database).await;
    }
}

/// Over S3: a picture is put with a signature that the store checks, under a name that says nothing, is
/// given out from there, and deleted; while the store is away texts wait and nothing is lost.
#[tokio::test]
async fn pictures_lie_at_s3() {
    for database in support::databases().await {
        let store = s3::Store::start().await;
        let endpoint = store.endpoint();
        let stage = Stage::with(&database, Rules::new("Bikes".into()), |config| {
            config.media.store =
                MediaStore::S3 { bucket: s3::BUCKET.into(), prefix: "relay/media".into() };
            config.media.endpoint = Some(endpoint);
            config.media.region = Some(s3::REGION.into());
            config.media.credentials = Some((Secret::new(s3::KEY), Secret::new(s3::SECRET)));
        })
        .await;
        let file = stage.cdn.serves("/a", [Serve::File(photograph())]);
        store.away(true);
        stage.text("Look", &[&file]).await;
        assert!(stage.telnyx.asked().is_empty());
        store.away(false);
        stage.world.clock.advance(3_000);
        stage.world.running.jobs.idle().await;
        let url = Stage::media_of(&stage.sent()).remove(0);
        let names = store.names();
        let [name] = &names[..] else { panic!("{names:?}") };
        let rest = name.strip_prefix("relay/media/").unwrap();
        assert!(
            rest.len() == 35 && rest.bytes().all(|b| b.is_ascii_hexdigit() || b == b'/'),
            "{name}"
        );
        let got = stage.fetch("GET", &url).await;
        assert_eq!(got.status, StatusCode::OK);
        assert_eq!(image::load_from_memory(&got.body).unwrap().width(), 40);
        store.away(true);
        assert_eq!(stage.fetch("GET", &url).await.status, StatusCode::SERVICE_UNAVAILABLE);
        stage.world.clock.advance(5 * 3_600_000);
        assert!(stage.world.running.relay.forget_files().await.is_err());
        store.away(false);
        assert_eq!(stage.world.running.relay.forget_files().await.unwrap(), 1);
        assert!(store.names().is_empty());
        assert!(store.refusals().is_empty(), "{:?}", store.refusals());
        stage.end(database).await;
    }
}
