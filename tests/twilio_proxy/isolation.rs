//! Who may do what: credentials, scopes, and what belongs to another account.

use crate::{
    support,
    world::{ALICE, BOB, Client, each, each_with, text},
};

/// An account with its token or one of its keys, or the key by itself, gets in; nobody else does.
#[tokio::test]
async fn credentials() {
    each(async |world, a| {
        let path = "/v1/Services";
        let key = &world.account.api_key;
        a.with(&a.user, key).get(path).await.is(200);
        let id = a.native("/api-keys").await.1["data"][0]["id"].as_str().unwrap().to_owned();
        let sk = format!("SK{}", &id[2..]);
        a.with(&sk, key).get(path).await.is(200);
        let other = world.running.relay.create_account("B").await.unwrap();
        let long = "x".repeat(5000);
        for (user, password) in [
            ("", ""),
            (&*a.user, ""),
            (&*a.user, "wrong"),
            (&*a.user, &*other.auth_token),
            (&*a.user, &*other.api_key),
            (&*sk, &*other.api_key),
            ("SK0123456789abcdef0123456789abcdef", &**key),
            (&*sk, &*a.password),
            ("AC0123456789abcdef0123456789abcdef", &*a.password),
            ("+14155550100", &*long),
            ("é\0", "é"),
        ] {
            let body = a.with(user, password).get(path).await.refused(401, 20003);
            assert_eq!(body["message"], "Authenticate");
        }
        // A wrong address tells no more to a stranger than a right one.
        a.with("x", "y").get("/v1/nothing").await.refused(401, 20003);
    })
    .await;
}

/// The rate limit is one with the native API's, and says when to come back.
#[tokio::test]
async fn the_rate_is_limited() {
    each_with(3, async |_, a| {
        for _ in 0..3 {
            a.get("/v1/Services").await.is(200);
        }
        let limited = a.get("/v1/Services").await;
        assert!(limited.answered.headers.contains_key("retry-after"), "{limited:?}");
        limited.refused(429, 80621);
        a.with(&a.user, "wrong").get("/v1/Services").await.refused(401, 20003);
    })
    .await;
}

/// A key does what its scopes let it.
#[tokio::test]
async fn scopes() {
    each(async |world, a| {
        let service = a.service("rides", 0).await;
        let account = world.account.account.clone();
        let made = world.running.relay.db().write(move |tx| {
            let account = account.clone();
            Box::pin(async move {
                entremise::relay::create_key(tx, &account, "reader", "sessions:read", None).await
            })
        });
        let key = made.await.unwrap();
        let reader = a.with(&a.user, &key.token);
        reader.get(&format!("{service}/Sessions")).await.is(200);
        // It reads sessions, and nobody's number.
        let session = a.session(&service, &[]).await;
        reader.get(&session).await.is(200);
        for people in ["Participants", "Interactions"] {
            reader.get(&format!("{session}/{people}")).await.refused(403, 20403);
            a.get(&format!("{session}/{people}")).await.is(200);
        }
        reader.get(&service).await.refused(403, 20403);
        reader.post(&format!("{service}/Sessions"), &[]).await.refused(403, 20403);
        let left = a.get(&format!("{service}/Sessions")).await.is(200);
        assert_eq!(left["sessions"].as_array().map(Vec::len), Some(1));
    })
    .await;
}

/// Nothing of one account exists for another, by any address and any method; nothing changes.
#[tokio::test]
async fn accounts_are_strangers() {
    each(async |world, a| {
        let b = world.running.relay.create_account("B").await.unwrap();
        let b = Client::of(world, &b);
        let service = a.service("rides", 1).await;
        let session = a.session(&service, &[ALICE, BOB]).await;
        let people = a.get(&format!("{session}/Participants")).await.is(200);
        let one = text(&people["participants"][0], "url");
        let sent = a.post(&format!("{one}/MessageInteractions"), &[("Body", "x")]).await.is(200);
        let number = a.get(&format!("{service}/PhoneNumbers")).await.is(200);
        world.running.idle().await;
        let of_session = format!("{session}/Interactions/{}", text(&sent, "sid"));
        let things = [
            service.clone(),
            "/v1/Services/rides".into(),
            text(&number["phone_numbers"][0], "url"),
            session.clone(),
            one.clone(),
            text(&sent, "url"),
            of_session.clone(),
            format!("{service}/PhoneNumbers"),
            format!("{service}/ShortCodes"),
            format!("{service}/Sessions"),
            format!("{session}/Participants"),
            format!("{session}/Interactions"),
            format!("{one}/MessageInteractions"),
        ];
        // No path that a route has is left out; short codes there are none of.
        let is_of = |template: &str, thing: &str| {
            let thing = &thing[thing.find("/v1/").unwrap()..];
            let (names, parts) = (template.split('/'), thing.split('/'));
            names.clone().count() == parts.clone().count()
                && names.zip(parts).all(|(name, part)| name.starts_with('{') || name == part)
        };
        for template in entremise::http::twilio_proxy::paths() {
            let tried = things.iter().any(|thing| is_of(&template, thing));
            let without = !template.contains('{') || template.ends_with("/ShortCodes/{number}");
            assert!(tried || without, "{template} is not tried");
        }
        let before = a.get(&session).await.is(200);
        for thing in &things {
            a.get(thing).await.is(200);
            let full: &[u8] = b"Identifier=%2B12125550103&Body=x&PhoneNumber=%2B14155550150&Sid=x\
                &Status=closed&UniqueName=x&IsReserved=true";
            for method in ["GET", "POST", "DELETE"] {
                let answer = b.ask(method, thing, full).await;
                let known = [404, 405, 400];
                assert!(known.contains(&answer.status), "{method} {thing}: {answer:?}");
                if method == "GET" {
                    answer.refused(404, 20404);
                }
            }
        }
        assert_eq!(a.get(&session).await.is(200), before);
        a.get(&of_session).await.is(200);
        // Below another service or session of the same account it is not there either.
        let other = a.service("other", 0).await;
        let sid = |path: &str| path.rsplit('/').next().unwrap().to_owned();
        a.get(&format!("{other}/Sessions/{}", sid(&session))).await.refused(404, 20404);
        let empty = a.session(&service, &[]).await;
        let misplaced = format!("{empty}/Participants/{}", sid(&one));
        a.get(&misplaced).await.refused(404, 20404);
        a.delete(&misplaced).await.refused(404, 20404);
        let misplaced = format!("{empty}/Interactions/{}", text(&sent, "sid"));
        a.delete(&misplaced).await.refused(404, 20404);
        assert_eq!(support::interactions(world).await.len(), 1);
    })
    .await;
}
