//! The database: whether it answers, fits this build and this key, and what it holds that is
//! unwise. Nothing is made or migrated.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use super::{report::Report, services, settings::Wrong};
use crate::{
    app,
    cli::keys,
    clock::Clock,
    config::Config,
    ids::Ids,
    privacy::{self, Keyring, MasterKey},
    relay::{self, Carriers},
    store::{
        DbOptions, EpochFile, Error, Inspection, Tx, durability, master_keys, meta,
        moving::{self, Standing},
        numbers::{self, Number},
    },
};

/// The most numbers of a carrier that are looked at.
pub(super) const NUMBERS_MAX: i64 = 50;

/// What the live checks need of it.
#[derive(Debug, Default)]
pub(super) struct Found(BTreeMap<String, Numbers>);

/// A carrier's numbers: the first of them, and how many there are.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    pub(super) first: Vec<Number>,
    pub(super) total: i64,
}

impl Found {
    pub(super) fn numbers_of(&self, carrier: &str) -> Option<&Numbers> {
        self.0.get(carrier)
    }
}

/// Checks the database, where its address is known.
pub(super) async fn check(report: &mut Report, config: &Config, wrong: &Wrong) -> Found {
    if wrong.has("database_url") {
        return Found::default();
    }
    let keyring = app::keyring(config);
    let given = [
        "master_key",
        "master_key_file",
        "master_key_command",
        "previous_master_keys",
        "previous_master_key_files",
    ];
    let key_known = given.iter().all(|setting| !wrong.has(setting)) && keyring.is_ok();
    let options = DbOptions {
        url: config.database_url.expose().to_owned(),
        clock: Clock::system(),
        ids: Ids::default(),
        // Nothing is opened with it: a wrong key must not hide what else is wrong.
        keyring: Arc::new(keyring.unwrap_or_else(|_| Keyring::new(MasterKey::generate()))),
        connections: 1,
        permits: config.numbers.allow.clone(),
        bounds: Arc::new(config.abuse.clone()),
        ballast: 0,
    };
    match Inspection::file(&options.url) {
        Ok(Some(path)) if !file_is_there(report, &path) => return Found::default(),
        _ => {}
    }
    match look(report, config, &options, key_known).await {
        Ok(found) => found,
        Err(error) => {
            let (message, fix) = trouble(&error);
            report.fail("database", message, fix);
            Found::default()
        }
    }
}

/// Whether there is a SQLite file to look into; tells if not.
fn file_is_there(report: &mut Report, path: &Path) -> bool {
    let name = path.display();
    match fs::File::options().append(true).open(path) {
        Ok(_) => true,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            match folder {
                Some(folder) if !folder.is_dir() => report.fail(
                    "database",
                    format!("the folder {} is not there", folder.display()),
                    "make it, writable for whoever runs `entremise serve`",
                ),
                _ => report.ok("database", format!("{name} is not there yet: `serve` makes it")),
            }
            false
        }
        Err(error) => {
            report.fail(
                "database",
                format!("{name} can't be written: {error}"),
                "run this as the user of `entremise serve`, and let that user write the file",
            );
            false
        }
    }
}

async fn look(
    report: &mut Report,
    config: &Config,
    options: &DbOptions,
    key_known: bool,
) -> Result<Found, Error> {
    let inspection = Inspection::open(options).await?;
    let result = read(report, config, &inspection, key_known).await;
    inspection.close().await;
    result
}

async fn read(
    report: &mut Report,
    config: &Config,
    inspection: &Inspection,
    key_known: bool,
) -> Result<Found, Error> {
    let schema = inspection.schema().await?;
    if schema.foreign > 0 {
        report.fail(
            "database",
            format!("{} of its migrations are not of this build", schema.foreign),
            "run the build that made it, or a newer one",
        );
        return Ok(Found::default());
    }
    if schema.pending > 0 {
        report.warn(
            "database",
            format!("answers, with {} migrations pending: no more was looked at", schema.pending),
            "start `entremise serve`, which runs them",
        );
        return Ok(Found::default());
    }
    let mut tx = inspection.read().await?;
    if key_known {
        key(report, &mut tx, config.backup_horizon_days).await?;
    }
    if !served_here(report, config, &mut tx).await? {
        return Ok(Found::default());
    }
    for setting in durability::lax(&mut tx).await? {
        report.warn(
            "power loss",
            format!("{setting}: PostgreSQL may lose what carriers were told is taken"),
            "set it to on in postgresql.conf; where it is on, let the pooler pass it",
        );
    }
    let by_carrier = numbers::count_by_carrier(&mut tx).await?;
    let counts = services::check(report, carriers(config).as_ref(), &mut tx).await?;
    let total: i64 = by_carrier.iter().map(|(_, count)| count).sum();
    report.ok("database", format!("answers, no migration is pending; {counts}, {total} numbers"));
    super::numbers::check(report, config, &mut tx).await?;
    let mut found = Found::default();
    for (carrier, total) in by_carrier {
        if config.carriers.iter().all(|one| one.id != carrier) {
            report.fail(
                &format!("numbers of {carrier}"),
                format!("{total} numbers belong to a carrier that is not configured"),
                format!("configure a carrier with the id `{carrier}`, or retire its numbers"),
            );
            continue;
        }
        let first = numbers::of_carrier(&mut tx, &carrier, NUMBERS_MAX).await?;
        found.0.insert(carrier, Numbers { first, total });
    }
    Ok(found)
}

/// The configured carriers, where the settings let them be made.
fn carriers(config: &Config) -> Option<Carriers> {
    let origin = config.origin(config.listen);
    app::carriers(config, &origin, &format!("http://{}", config.listen)).ok()
}

/// Whether `serve` would serve it as it is.
async fn served_here(report: &mut Report, config: &Config, tx: &mut Tx) -> Result<bool, Error> {
    match moving::standing(tx).await? {
        None => {}
        Some(Standing::UnderWay) => {
            let fix = "wait; if the migration was killed: `entremise migrate-database --abandon`";
            report.fail("database", "is being moved to another one", fix);
            return Ok(false);
        }
        Some(Standing::Done(to)) => {
            report.fail("database", format!("was moved to {to}"), "set database_url to that one");
            return Ok(false);
        }
    }
    let known = match Inspection::file(config.database_url.expose())? {
        Some(path) => EpochFile::beside(&path).read()?,
        None => 0,
    };
    let Some(doubt) = relay::doubt(tx, known).await? else { return Ok(true) };
    report.fail(
        "database",
        format!("is not served as it is: {doubt}"),
        "`entremise restore-fence`, as docs/runbook.md says",
    );
    Ok(false)
}

/// Whether `serve` would take these master keys, and what is to be done with those before.
async fn key(report: &mut Report, tx: &mut Tx, horizon: u32) -> Result<(), Error> {
    const CHECK: &str = "master_key";
    let mine = tx.keyring().key_id().to_owned();
    if meta::key_id(tx).await?.is_none() {
        report.ok(CHECK, "will be the one of this database, which is new");
        return Ok(());
    }
    match master_keys::admits(tx).await {
        Err(Error::Sealed(privacy::Error::UnknownKey { id })) => {
            report.fail(
                CHECK,
                format!("is {mine}, and this database or a server on it uses {id}"),
                format!(
                    "set the master key whose id is {id}, here or as a previous one: docs/keys.md"
                ),
            );
            return Ok(());
        }
        Err(Error::Keys(refusal)) => {
            report.fail(CHECK, refusal.to_string(), "docs/keys.md has the steps in their order");
            return Ok(());
        }
        other => other?,
    }
    let (mut notes, mut left) = (Vec::new(), Vec::new());
    for one in keys::list(tx, horizon).await?.into_iter().filter(|one| one.id != mine) {
        match (&one.wrapped, one.needed_until) {
            (Some(wrapped), _) => left.push(format!("{} rows by {}", wrapped.total(), one.id)),
            (None, Some(_)) if one.destroyable() => {
                notes.push(format!("{} may be destroyed", one.id));
            }
            (None, Some(until)) => {
                notes.push(format!("{} may be destroyed after {}", one.id, until.rfc3339()));
            }
            (None, None) => {}
        }
    }
    if left.is_empty() {
        notes.insert(0, "is the one of this database".to_owned());
        report.ok(CHECK, notes.join("; "));
    } else {
        let message = format!("is {mine}; still wrapped by others: {}", left.join(", "));
        report.warn(
            CHECK,
            message,
            "once it is the master key of every node: `entremise keys rotate`",
        );
    }
    Ok(())
}

/// What a store's error means to whoever set the address.
fn trouble(error: &Error) -> (String, &'static str) {
    let code = match error {
        Error::Statement(code) | Error::Unavailable(code) => code.as_str(),
        _ => "",
    };
    let known = match code {
        // PostgreSQL, appendix A.
        "28P01" | "28000" => {
            Some(("refuses the user or the password", "correct them in database_url"))
        }
        "3D000" => Some((
            "there is no database of that name",
            "make it (createdb), or correct the name in database_url",
        )),
        "42501" => Some(("lets this user not read", "make the user the database's owner")),
        "53300" => Some(("has no connection left", "raise max_connections")),
        // SQLite's result codes.
        "26" => Some(("the file is no SQLite database", "name another file in database_url")),
        "14" | "8" => Some((
            "the file can't be opened",
            "let the user of `entremise serve` read and write the file and its folder",
        )),
        _ => None,
    };
    match known {
        Some((message, fix)) => (message.to_owned(), fix),
        None => (error.to_string(), "start the database, or correct database_url"),
    }
}
