//! Numbers in files: what `entremise numbers import` and the console read, and how they join a pool.

use std::fmt;

use super::{
    carriers::must_be_one_of,
    error::Error,
    inventory::{NewNumber, add_registered_number},
};
use crate::{
    domain::{
        phone::{Permits, ProxyNumber, Registered, Registration, Standing},
        pool::Capabilities,
    },
    ids::{AccountId, ServiceId},
    store::{Tx, numbers},
};

/// One line of a file.
#[derive(Debug, Clone)]
pub struct NumberLine {
    /// The number.
    pub number: ProxyNumber,
    /// The carrier's id in the configuration.
    pub carrier: String,
    /// What it can do.
    pub capabilities: Capabilities,
    /// What is known of its registration.
    pub registered: Registered,
}

const COLUMNS: [&str; 4] = ["number", "carrier", "capabilities", "registration"];

/// What is wrong with a file. Never a value of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFault {
    /// The line, from 1; 0 for the file as a whole.
    pub line: u64,
    /// What is wrong there.
    pub what: LineFault,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineFault {
    /// The file's first line is not the columns' names.
    Header,
    /// It is no CSV.
    Csv(String),
    /// It has more or fewer columns than the first line; how many there must be.
    Columns(usize),
    /// What must be a number is none; what is allowed.
    Number(String),
    /// A country's rule refuses the number; why.
    Barred(String),
    /// The carrier is none of these.
    Carrier(Vec<String>),
    /// It can't be read what the number can do.
    Capabilities,
    /// There is no such registration.
    Registration,
    /// The number can't have that registration: which part of it, and why.
    Registered(&'static str, String),
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        match &self.what {
            LineFault::Header => f.write_str(
                "the first line must be: number,carrier,capabilities or \
                 number,carrier,capabilities,registration",
            ),
            LineFault::Csv(why) => f.write_str(why),
            LineFault::Columns(width) => {
                write!(f, "must have {} columns", if *width == 3 { "three" } else { "four" })
            }
            LineFault::Number(why) | LineFault::Barred(why) => write!(f, "number {why}"),
            LineFault::Carrier(all) => {
                write!(f, "carrier {}", must_be_one_of(all.iter().map(String::as_str)))
            }
            LineFault::Capabilities => f.write_str("capabilities must be of voice|sms|mms"),
            LineFault::Registration => {
                let all: Vec<&str> = Registration::ALL.iter().map(|one| one.as_str()).collect();
                write!(f, "registration must be one of {}", all.join(", "))
            }
            LineFault::Registered(member, why) => write!(f, "{member} {why}"),
        }
    }
}

/// Reads a file of numbers.
///
/// # Errors
/// Every fault, in the order of the lines.
pub fn read_numbers(
    text: &[u8],
    carriers: &[String],
    permits: &Permits,
) -> Result<Vec<NumberLine>, Vec<FileFault>> {
    let fault = |line, what| FileFault { line, what };
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(text);
    let headers = reader
        .headers()
        .map_err(|error| vec![fault(0, LineFault::Csv(format!("the file: {error}")))])?
        .clone();
    let width = headers.len();
    if width < 3 || headers.iter().ne(COLUMNS.into_iter().take(width)) {
        return Err(vec![fault(0, LineFault::Header)]);
    }
    let (mut lines, mut faults) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                faults.push(fault(0, LineFault::Csv(error.to_string())));
                continue;
            }
        };
        let at = record.position().map_or(0, csv::Position::line);
        if record.len() != width {
            faults.push(fault(at, LineFault::Columns(width)));
            continue;
        }
        match line(&record, carriers, permits) {
            Ok(line) => lines.push(line),
            Err(found) => faults.extend(found.into_iter().map(|what| fault(at, what))),
        }
    }
    if faults.is_empty() { Ok(lines) } else { Err(faults) }
}

fn line(
    record: &csv::StringRecord,
    carriers: &[String],
    permits: &Permits,
) -> Result<NumberLine, Vec<LineFault>> {
    let column = |place: usize| record.get(place).unwrap_or_default();
    let mut faults = Vec::new();
    let number = ProxyNumber::parse(column(0));
    match number.as_ref().map(|number| permits.judge(number)) {
        Err(error) => faults.push(LineFault::Number(error.to_string())),
        Ok(Standing::Barred(class)) => faults.push(LineFault::Barred(class.refusal())),
        Ok(Standing::Free | Standing::Permitted(_)) => {}
    }
    let carrier = column(1);
    if !carriers.iter().any(|one| one == carrier) {
        faults.push(LineFault::Carrier(carriers.to_vec()));
    }
    let capabilities = Capabilities::parse(column(2));
    if capabilities.is_none() {
        faults.push(LineFault::Capabilities);
    }
    let registration = match column(3) {
        "" => Some(Registration::Unknown),
        word => Registration::parse(word),
    };
    let registered = registration.map(|registration| Registered { registration, campaign: None });
    match (&registered, &number) {
        (None, _) => faults.push(LineFault::Registration),
        (Some(registered), Ok(number)) => {
            let found = registered.fault(number);
            faults.extend(found.map(|(member, why)| LineFault::Registered(member, why)));
        }
        (Some(_), Err(_)) => {}
    }
    match (number, capabilities, registered) {
        (Ok(number), Some(capabilities), Some(registered)) if faults.is_empty() => {
            Ok(NumberLine { number, carrier: carrier.to_owned(), capabilities, registered })
        }
        _ => Err(faults),
    }
}

/// Adds the numbers of a file to a service's pool; how many were not the account's already.
///
/// # Errors
/// As [`add_number`](super::add_number): then none is to be kept.
pub async fn import_numbers(
    tx: &mut Tx,
    account: &AccountId,
    service: &ServiceId,
    lines: &[NumberLine],
) -> Result<usize, Error> {
    let mut added = 0;
    for line in lines {
        let new = NewNumber {
            service: service.clone(),
            number: line.number.clone(),
            carrier: line.carrier.clone(),
            capabilities: line.capabilities,
            reserved: false,
        };
        match numbers::owner(tx, &line.number).await? {
            Some((other, _)) if other == *account => {}
            _ => {
                add_registered_number(tx, account, &new, &line.registered).await?;
                added += 1;
            }
        }
    }
    Ok(added)
}

/// The same without keeping any of it: what an import would add now.
///
/// # Errors
/// The same.
pub async fn try_import(
    tx: &mut Tx,
    account: &AccountId,
    service: &ServiceId,
    lines: &[NumberLine],
) -> Result<usize, Error> {
    tx.mark().await?;
    let tried = import_numbers(tx, account, service, lines).await;
    tx.rollback_to_mark().await?;
    tried
}
