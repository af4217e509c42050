//! A backup of PostgreSQL by its own tools, at the snapshot that was counted.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufReader, ErrorKind, Read as _},
    path::Path,
    process::{Command, Stdio},
};

use url::Url;

use super::{super::Failed, Counts, Opened, Unfinished, backup};

/// What the tools are told of the database, by variables: arguments can be read by everybody.
type Environment = Vec<(&'static str, String)>;

/// Dumps the database and reads the dump back: every table with as many rows as the snapshot has.
pub(super) async fn copy(url: &str, opened: &Opened, into: &Unfinished) -> Result<Counts, Failed> {
    let environment = environment(url)?;
    let mut tx = opened.db.read().await?;
    let snapshot = backup::share_snapshot(&mut tx).await?.unwrap_or_default();
    let schema = backup::schema(&mut tx).await?;
    let counts = backup::counts(&mut tx).await?;
    let (file, path) = (into.writer()?, into.path().to_path_buf());
    let dumped = tokio::task::spawn_blocking(move || {
        dump(&environment, &snapshot, file)?;
        read_back(&path)
    })
    .await??;
    drop(tx);
    for (table, count) in &counts {
        let found = dumped.get(&format!("{schema}.{table}")).copied();
        if found != Some(*count) {
            let found = found.map_or("none".into(), |found| found.to_string());
            return Err(Failed(format!(
                "the dump is not whole: {table} has {count} rows, the dump has {found}"
            )));
        }
    }
    Ok(counts)
}

/// The parts of the address as libpq's variables.
fn environment(url: &str) -> Result<Environment, Failed> {
    let url = Url::parse(url)?;
    let mut all = vec![("PGAPPNAME", "entremise backup".to_owned())];
    let mut set = |name, value: &str| {
        if !value.is_empty() {
            all.push((name, decoded(value)));
        }
    };
    // In an address of ours brackets stand around IPv6.
    set("PGHOST", url.host_str().unwrap_or_default().trim_matches(['[', ']']));
    set("PGPORT", &url.port().map(|port| port.to_string()).unwrap_or_default());
    set("PGUSER", url.username());
    set("PGPASSWORD", url.password().unwrap_or_default());
    set("PGDATABASE", url.path().trim_start_matches('/'));
    for (key, value) in url.query_pairs() {
        let name = match &*key {
            "host" => "PGHOST",
            "port" => "PGPORT",
            "user" => "PGUSER",
            "password" => "PGPASSWORD",
            "dbname" => "PGDATABASE",
            "sslmode" | "ssl-mode" => "PGSSLMODE",
            "sslrootcert" | "ssl-root-cert" | "ssl-ca" => "PGSSLROOTCERT",
            "sslcert" | "ssl-cert" => "PGSSLCERT",
            "sslkey" | "ssl-key" => "PGSSLKEY",
            "options" => "PGOPTIONS",
            _ => continue,
        };
        all.push((name, value.into_owned()));
    }
    Ok(all)
}

/// Percent-decodes a part of an address.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn missing(tool: &str, error: &std::io::Error) -> Failed {
    if error.kind() == ErrorKind::NotFound {
        return Failed(format!(
            "{tool} is not on the PATH: install PostgreSQL's client programs of the server's version \
             (Debian: apt install postgresql-client)"
        ));
    }
    Failed(format!("{tool} does not start: {error}"))
}

fn dump(environment: &Environment, snapshot: &str, into: File) -> Result<(), Failed> {
    let child = Command::new("pg_dump")
        .args(["--format=custom", "--no-owner", "--no-privileges", "--no-password"])
        .arg(format!("--snapshot={snapshot}"))
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(into)
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| missing("pg_dump", &error))?;
    let done = child.wait_with_output()?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(Failed(format!("pg_dump failed: {}", said.lines().next().unwrap_or("without a word"))))
}

/// Unpacks the dump as the script that a restore would run; how many rows it has of each table.
fn read_back(path: &Path) -> Result<BTreeMap<String, i64>, Failed> {
    let mut child = Command::new("pg_restore")
        .args(["--data-only", "--file=-"])
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| missing("pg_restore", &error))?;
    let counted =
        child.stdout.take().map_or_else(|| Ok(BTreeMap::new()), |out| rows(BufReader::new(out)));
    let mut said = String::new();
    if let Some(mut err) = child.stderr.take() {
        err.read_to_string(&mut said)?;
    }
    if !child.wait()?.success() {
        let said = said.lines().next().unwrap_or("without a word");
        return Err(Failed(format!("pg_restore cannot read the dump: {said}")));
    }
    Ok(counted?)
}

/// Counts the lines of each `COPY` in a script.
fn rows(mut script: impl std::io::BufRead) -> std::io::Result<BTreeMap<String, i64>> {
    let (mut counts, mut table) = (BTreeMap::new(), None::<String>);
    let mut line = Vec::new();
    loop {
        line.clear();
        if script.read_until(b'\n', &mut line)? == 0 {
            return Ok(counts);
        }
        match &table {
            Some(_) if line == b"\\.\n" => table = None,
            Some(name) => *counts.entry(name.clone()).or_insert(0) += 1,
            None => {
                let Some(rest) = line.strip_prefix(b"COPY ") else { continue };
                let rest = String::from_utf8_lossy(rest);
                // `COPY schema.table (columns) FROM stdin;`
                let name = rest.split(" (").next().unwrap_or_default().replace('"', "");
                counts.insert(name.clone(), 0);
                table = Some(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every part of an address reaches the tools as a variable, decoded; none is left for arguments.
    #[test]
    fn addresses_become_variables() {
        let url = "postgres://me:p%40ss%2Fword@db.example:6432/relay?sslmode=verify-full";
        let all: BTreeMap<_, _> = environment(url).unwrap().into_iter().collect();
        assert_eq!(all["PGPASSWORD"], "p@ss/word");
        assert_eq!((&*all["PGHOST"], &*all["PGPORT"]), ("db.example", "6432"));
        assert_eq!((&*all["PGUSER"], &*all["PGDATABASE"]), ("me", "relay"));
        assert_eq!(all["PGSSLMODE"], "verify-full");
    }

    /// Rows are counted table by table; what stands outside of a `COPY` is none.
    #[test]
    fn rows_are_counted() {
        let script = "SET x = 1;\nCOPY public.meta (name, value) FROM stdin;\na\tb\nc\td\n\\.\n\n\
                      COPY public.\"events\" (id) FROM stdin;\n\\.\nSELECT 1;\n";
        let counts = rows(script.as_bytes()).unwrap();
        assert_eq!(
            counts,
            BTreeMap::from([("public.meta".into(), 2), ("public.events".into(), 0)])
        );
    }
}
