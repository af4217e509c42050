//! `entremise audit`: the log as it is read, its signed ends, and what is told of one that was changed.

use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};

use crate::command::{Done, OTHER_KEY, Place};

/// Runs a statement on a place's database, as somebody does who can write to it.
async fn bend(place: &Place, sql: &'static str) {
    let url = format!("sqlite:{}", place.path().join("entremise.db").display());
    let mut conn = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

fn lines(done: &Done) -> Vec<Value> {
    done.succeeded();
    done.out.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// What each command did is in the log, as an operator's; no secret is.
#[tokio::test]
async fn commands_are_in_the_log() {
    let place = Place::with_sandbox();
    let made = place.run(&["account", "create", "--name", "Bikes"]).json();
    let account = made["account_sid"].as_str().unwrap();
    place.import(account, "+14155550100,sandbox,voice|sms");
    let link = place.run(&["staff", "create", "--name", "Ines", "--account", account]);
    let everywhere = place.run(&["staff", "create", "--name", "Grace"]);
    let fenced = place.run(&["restore-fence"]);
    fenced.succeeded();
    place.run(&["restore-fence", "--nothing-lost"]).succeeded();

    let list = place.run(&["audit", "list", "--account", account]);
    let rows = lines(&list);
    let actions: Vec<&str> = rows.iter().map(|row| row["action"].as_str().unwrap()).collect();
    let expected = [
        "account.created",
        "api_key.created",
        "service.created",
        "number.added",
        "staff.granted",
        "staff.invited",
    ];
    assert_eq!(actions, expected);
    assert!(rows.iter().all(|row| row["actor_kind"] == "operator"), "{rows:?}");
    let installation = lines(&place.run(&["audit", "list", "--installation"]));
    let actions: Vec<&Value> = installation.iter().map(|row| &row["action"]).collect();
    assert_eq!(actions, ["staff.granted", "staff.invited", "database.fenced", "database.settled"]);
    let all = place.run(&["audit", "list"]);
    assert_eq!(lines(&all).len(), 10);
    assert!(lines(&place.run(&["audit", "list", "--since", "2100-01-01T00:00:00Z"])).is_empty());
    let secret = |link: &Done| link.out.trim().rsplit('#').next().unwrap().to_owned();
    for secret in [
        secret(&link),
        secret(&everywhere),
        made["api_key"].as_str().unwrap().to_owned(),
        made["auth_token"].as_str().unwrap().to_owned(),
        "Ines".to_owned(),
        "4155550100".to_owned(),
    ] {
        assert!(!all.out.contains(&secret), "{}", all.out);
    }
    for wrong in [
        &["audit", "list", "--since", "yesterday"][..],
        &["audit", "list", "--installation", "--account", account],
        &["audit", "verify", "--public-key", "AAAA", "--heads", "x"],
        &["audit"],
    ] {
        assert_eq!(place.run(wrong).code, Some(2), "{wrong:?}");
    }
}

/// A log that is whole verifies; a row that was edited is told with its place and status 1, and so is an
/// end that was cut off, by a head that was kept elsewhere.
#[tokio::test]
async fn i19_verify_tells_what_was_changed() {
    let place = Place::with_sandbox();
    let account = place.account();
    place.import(&account, "+14155550100,sandbox,voice|sms");
    let key = place.run(&["audit", "key"]);
    key.succeeded();
    let heads = place.run(&["audit", "head"]);
    let ends = lines(&heads);
    assert_eq!(ends.len(), 1);
    assert_eq!((&ends[0]["account"], &ends[0]["seq"]), (&json!(account), &json!(4)));
    let file = place.file("heads.jsonl", &heads.out);
    let verify = |more: &[&str]| place.run(&[&["audit", "verify"], more].concat());
    for with in [&[][..], &["--heads", &file], &["--heads", &file, "--public-key", key.out.trim()]]
    {
        let whole = verify(with);
        whole.succeeded();
        assert_eq!(whole.out, format!("{account}: 4 rows, whole\n"));
    }
    let other = Place::new("");
    other.settings(&format!("master_key = \"{OTHER_KEY}\"\n"));
    let other = other.run(&["audit", "key"]).out;
    let foreign = verify(&["--heads", &file, "--public-key", other.trim()]);
    assert_eq!(foreign.code, Some(1));
    assert!(foreign.out.contains("line 1: its signature does not hold"), "{}", foreign.out);
    let forged = heads.out.replace("\"seq\":4", "\"seq\":3");
    let forged = verify(&["--heads", &place.file("forged.jsonl", &forged)]);
    assert!(forged.code == Some(1) && forged.out.contains("line 1"), "{forged:?}");
    let none = verify(&["--heads", "/nowhere/heads"]);
    assert!(none.code == Some(1) && none.err.contains("cannot be read"), "{none:?}");

    bend(&place, "UPDATE audit SET actor_kind = 'relay' WHERE seq = 3").await;
    let edited = verify(&[]);
    assert_eq!(edited.code, Some(1));
    assert!(edited.out.contains(&format!("{account}: row 3 is not as it was written")));
    assert!(edited.err.contains("1 faults"), "{}", edited.err);
    bend(&place, "UPDATE audit SET actor_kind = 'operator' WHERE seq = 3").await;
    verify(&[]).succeeded();

    bend(
        &place,
        "DELETE FROM audit WHERE seq > 2;
         UPDATE audit_heads SET seq = 2, hash = (SELECT hash FROM audit WHERE seq = 2)",
    )
    .await;
    verify(&[]).succeeded();
    let cut = verify(&["--heads", &file]);
    assert_eq!(cut.code, Some(1));
    assert!(cut.out.contains("the end is cut off: rows 3 to 4 are gone"), "{}", cut.out);
    // What is written after that makes another row of the same place.
    place.run(&["numbers", "import", "--account", &account, &place.file("b.csv",
        "number,carrier,capabilities\n+14155550101,sandbox,voice\n+14155550102,sandbox,voice\n")])
        .succeeded();
    let forked = verify(&["--heads", &file]);
    assert_eq!(forked.code, Some(1));
    assert!(forked.out.contains("a signed head names another row 4"), "{}", forked.out);
}

/// A server writes the heads of chains to the file of the settings, at its start and after what was there;
/// they verify. One that can't be written is told and the server serves.
#[tokio::test]
async fn a_server_exports_heads() {
    let place = Place::with_sandbox();
    let settings = std::fs::read_to_string(place.config()).unwrap();
    place.settings(&format!("audit_heads_file = \"{{folder}}/heads.jsonl\"\n{settings}"));
    let account = place.account();
    let file = place.path().join("heads.jsonl");
    for run in 1..=2 {
        let server = place.serve();
        server.terminate();
        assert_eq!(server.ended(), Some(0));
        let written = std::fs::read_to_string(&file).unwrap();
        assert_eq!(written.lines().count(), run, "{written}");
        assert!(written.lines().all(|line| line.contains(&account)), "{written}");
    }
    let verified = place.run(&["audit", "verify", "--heads", &file.display().to_string()]);
    verified.succeeded();
    place.settings(&format!("audit_heads_file = \"{{folder}}/none/heads\"\n{settings}"));
    // It may be told before or after the server serves.
    let server = place.start();
    server.logged("signed heads of the audit log were not written");
    server.terminate();
    assert_eq!(server.ended(), Some(0));
}
