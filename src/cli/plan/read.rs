//! Reads real sessions: from a file, or from an account in the database.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use csv::StringRecord;

use crate::{
    cli::{ConfigFile, Failed, account::open},
    domain::time::Timestamp,
    ids::AccountId,
    relay::{
        self,
        plan::{self, Collector, Place, Trace},
    },
    store::Db,
};

/// Where each column of a file is.
#[derive(Debug)]
struct Columns {
    start: usize,
    end: usize,
    people: [usize; 2],
    country: Option<usize>,
    area: Option<usize>,
}

impl Columns {
    fn of(header: &StringRecord) -> Result<Self, Failed> {
        let at = |name: &str| header.iter().position(|cell| cell.trim().eq_ignore_ascii_case(name));
        let must = |name: &str| {
            at(name).ok_or_else(|| {
                Failed(format!(
                    "line 1 must name the columns start,end,one,other; {name} is missing"
                ))
            })
        };
        Ok(Self {
            start: must("start")?,
            end: must("end")?,
            people: [must("one")?, must("other")?],
            country: at("country"),
            area: at("area"),
        })
    }
}

/// Reads `path`, or standard input for `-`. What names people is in no message.
pub(super) fn csv(path: &Path) -> Result<Trace, Failed> {
    let named = path.display();
    let source: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(path);
        Box::new(file.map_err(|error| Failed(format!("{named} cannot be read: {error}")))?)
    };
    lines(source).map_err(|Failed(why)| Failed(format!("{named}: {why}")))
}

fn lines(source: impl Read) -> Result<Trace, Failed> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(source);
    let unreadable = |error: csv::Error| match error.position() {
        Some(place) => Failed(format!("line {} is no CSV in UTF-8", place.line())),
        None => Failed("it cannot be read as CSV".to_owned()),
    };
    let columns = Columns::of(reader.headers().map_err(unreadable)?)?;
    let mut all = Collector::default();
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(unreadable)? {
        let line = record.position().map_or(0, csv::Position::line);
        let wrong = |what: &str| Failed(format!("line {line}: {what}"));
        let cell = |at: usize| record.get(at).map(str::trim).unwrap_or_default();
        let time = |at: usize, name: &str| {
            let stamp: Result<jiff::Timestamp, _> = cell(at).parse();
            stamp
                .map(|stamp| Timestamp::from_millis(stamp.as_millisecond()))
                .map_err(|_| wrong(&format!("{name} must be a time as 2026-03-01T12:00:00Z")))
        };
        let (start, end) = (time(columns.start, "start")?, time(columns.end, "end")?);
        let place = Place {
            country: columns.country.map(cell).unwrap_or_default().to_owned(),
            area: columns.area.map(cell).unwrap_or_default().to_owned(),
        };
        let [one, other] = columns.people.map(cell);
        if one.is_empty() || other.is_empty() {
            return Err(wrong("one and other must both name somebody"));
        }
        let told = |fault: plan::TraceFault| wrong(&fault.to_string());
        let people =
            [all.person(one, &place).map_err(told)?, all.person(other, &place).map_err(told)?];
        all.meet(start, end, people).map_err(told)?;
    }
    Ok(all.done())
}

/// Reads the sessions of the last `days` days of a service, by its id or name.
pub(super) async fn live(
    file: &ConfigFile,
    account: &AccountId,
    service: &str,
    days: u32,
) -> Result<Trace, Failed> {
    let opened = open(file).await?;
    let read = of_service(&opened.db, account, service, days).await;
    opened.close().await;
    Ok(read?)
}

async fn of_service(
    db: &Db,
    account: &AccountId,
    service: &str,
    days: u32,
) -> Result<Trace, relay::Error> {
    let mut tx = db.read().await?;
    let service = relay::find_service(&mut tx, account, service).await?;
    drop(tx);
    plan::of_service(db, account, &service.id, days).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Trace, String> {
        lines(text.as_bytes()).map_err(|Failed(why)| why)
    }

    /// Columns are found by name, in any order; places are told apart.
    #[test]
    fn files_are_read() {
        let text = "one,other,end,start,area,country\n\
            a,b,2026-03-02T00:00:00Z,2026-03-01T00:00:00Z,415,US\n\
            c,d,2026-03-02T00:00:00Z,2026-02-01T00:00:00Z,,FR\n";
        let trace = read(text).unwrap();
        assert_eq!((trace.meetings().len(), trace.people(), trace.places().len()), (2, 4, 2));
        assert_eq!(trace.meetings()[0].people, [2, 3], "by the time at which they open");
        let plain = read("start,end,one,other\n2026-03-01T00:00:00Z,2026-03-01T00:00:01Z,x,y\n");
        assert_eq!(plain.unwrap().places(), [Place::default()]);
    }

    /// What is wrong, and in which line; never what names somebody.
    #[test]
    fn faults_are_told() {
        let line = |rest: &str| format!("start,end,one,other\n{rest}\n");
        let (march, february) = ("2026-03-01T00:00:00Z", "2026-02-01T00:00:00Z");
        for (text, why) in [
            ("start,end,one\n".to_owned(), "other is missing"),
            (line(&format!("yesterday,{march},a,b")), "line 2: start must be a time"),
            (line(&format!("{march},,a,b")), "line 2: end must be a time"),
            (line(&format!("{march},{february},secret,b")), "line 2: ends before"),
            (line(&format!("{february},{march},secret,secret")), "both sides"),
            (line(&format!("{february},{march},secret")), "must both name"),
        ] {
            let told = read(&text).unwrap_err();
            assert!(told.contains(why), "{told}");
            assert!(!told.contains("secret"), "{told}");
        }
    }
}
