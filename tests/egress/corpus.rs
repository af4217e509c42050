//! The corpus: hundreds of ways to say "inside", and the ways to say "outside" that must stay.

use std::{collections::BTreeMap, net::SocketAddr};

use entremise::egress::{Egress, Failure, Options, Refused};

use super::hosts::{Answers, Canary, egress, post};

/// Each address with the comment that begins its group.
fn corpus(port: u16) -> Vec<(String, String)> {
    let mut group = String::new();
    let mut found = Vec::new();
    for line in include_str!("../../fixtures/egress/hostile.txt").lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            comment.clone_into(&mut group);
        } else if !line.is_empty() {
            found.push((group.clone(), filled(line, port)));
        }
    }
    found
}

fn filled(line: &str, port: u16) -> String {
    let mut url = line.replace("{port}", &port.to_string());
    let characters = [
        ("{tab}", '\t'),
        ("{lf}", '\n'),
        ("{cr}", '\r'),
        ("{nul}", '\0'),
        ("{sp}", ' '),
        ("{del}", '\x7f'),
    ];
    for (name, character) in characters {
        url = url.replace(name, &character.to_string());
    }
    for times in [63, 64, 2048] {
        url = url.replace(&format!("{{a{times}}}"), &"a".repeat(times));
    }
    assert!(!url.contains('{'), "{url}: not a placeholder");
    url
}

/// I22: no address of the corpus opens a connection to a canary, whatever the name server says,
/// nor where the operator allows some other address on the canaries' port.
#[tokio::test]
async fn i22_no_hostile_address_leads_inward() {
    let canary = Canary::new();
    let elsewhere = SocketAddr::from(([192, 0, 2, 77], canary.port));
    let mut groups = BTreeMap::<String, usize>::new();
    let (mut addresses, mut sent) = (0, 0);
    for (group, url) in corpus(canary.port) {
        for allow in [&[][..], &[elsewhere]] {
            for answer in [&["127.0.0.1", "::1"][..], &["::ffff:127.0.0.1"], &["::1", "1.1.1.1"]] {
                let egress = egress(allow, Answers::new(&[answer]));
                let Ok(address) = egress.accept(&url) else { continue };
                let refused = egress.send(post(address)).await.err();
                assert_eq!(refused, Some(Failure::Refused(Refused::Inward)), "{group}: {url:?}");
                sent += 1;
            }
        }
        assert_eq!(canary.connects(), 0, "{group}: {url:?}");
        *groups.entry(group).or_default() += 1;
        addresses += 1;
    }
    println!("{addresses} addresses in {} groups; {sent} sends refused", groups.len());
    assert!(addresses >= 200 && groups.len() >= 20, "{groups:?}");
    assert!(sent > 50, "the second wall was tested by {sent} sends only");
}

/// The canaries do sing: allowed literally, each is reached. So a zero above means something.
#[tokio::test]
async fn the_canaries_sing() {
    let canary = Canary::new();
    let allowed = SocketAddr::from(([127, 0, 0, 1], canary.port));
    let egress = egress(&[allowed], Answers::new(&[&["127.0.0.1"]]));
    for url in [format!("http://{allowed}/"), format!("https://hooks.example:{}/", canary.port)] {
        let mut request = post(egress.accept(&url).unwrap());
        request.deadline = std::time::Duration::from_millis(200);
        egress.send(request).await.unwrap_err();
        assert_eq!(canary.connects(), 1, "{url}");
    }
}

/// Each kind of fault is told by its own reason, so that an account learns what to change.
#[test]
fn refusals_say_why() {
    let egress = Egress::new(Options::default());
    for (url, why) in [
        ("https://127.0.0.1/", Refused::Inward),
        ("https://[::ffff:127.0.0.1]/", Refused::Inward),
        ("https://2130706433/", Refused::Inward),
        ("https://134744072/", Refused::Unreadable),
        ("https://localhost/", Refused::Name),
        ("https://hooks.example./", Refused::Name),
        ("https://intranet/", Refused::Name),
        ("http://hooks.example/", Refused::Scheme),
        ("ftp://hooks.example/", Refused::Scheme),
        ("https://hooks.example:8443/", Refused::Port),
        ("https://u:p@hooks.example/", Refused::Credentials),
        ("https://hooks.example/#a", Refused::Fragment),
        ("https://hooks.example\\@evil.example/", Refused::Unreadable),
        ("hooks.example", Refused::Unreadable),
    ] {
        assert_eq!(egress.accept(url).map(|_| ()), Err(why), "{url}");
        assert!(why.to_string().starts_with("must "), "{why}");
    }
    let longest = format!("https://hooks.example/{}", "a".repeat(2048 - 22));
    assert_eq!(longest.len(), 2048);
    assert!(egress.accept(&longest).is_ok());
    assert_eq!(egress.accept(&(longest + "a")).map(|_| ()), Err(Refused::TooLong));
}

/// Good addresses are taken as they are, and kept to the letter but for the case of the host.
#[test]
fn good_addresses_are_accepted() {
    let egress = Egress::new(Options::default());
    for (url, shown) in [
        ("https://hooks.example/", "https://hooks.example"),
        ("https://hooks.example/a/b?c=d&e=%20f", "https://hooks.example"),
        ("https://hooks.example:443/a", "https://hooks.example"),
        ("HTTPS://Hooks.Example/A", "https://hooks.example"),
        ("https://a.b.c.d.hooks.example/", "https://a.b.c.d.hooks.example"),
        ("https://1and1.example/", "https://1and1.example"),
        ("https://xn--mnchen-3ya.example/", "https://xn--mnchen-3ya.example"),
        ("https://a-b--c.example/@user", "https://a-b--c.example"),
        ("https://hooks.example/a:b@c/?u=https://127.0.0.1/", "https://hooks.example"),
        ("https://hooks.example?a=b", "https://hooks.example"),
        ("https://8.8.8.8/hook", "https://8.8.8.8"),
        ("https://[2606:4700:4700::1111]/hook", "https://[2606:4700:4700::1111]"),
        ("https://hooks.example/a|b[c]^d?e|f[g]^h{i}", "https://hooks.example"),
    ] {
        let address = egress.accept(url).unwrap_or_else(|why| panic!("{url}: {why}"));
        assert_eq!(address.to_string(), shown);
        assert_eq!(egress.accept(address.expose()).as_ref(), Ok(&address), "{url}");
        assert!(!format!("{address:?}").contains("hook?"), "{address:?}");
    }
}
