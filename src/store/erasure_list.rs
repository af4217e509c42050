//! The erasure list: a file outside of the database that says what was erased, by ids alone. A restored
//! backup has what was erased since; the list has it erased again.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use super::{Error, erasures::Entry};
use crate::{
    domain::time::Timestamp,
    ids::{AccountId, ErasureId, SessionId},
};

/// What a line begins with.
const FORM: &str = "e1";
/// What stands for no session.
const NONE: &str = "-";

/// The file.
#[derive(Debug, Clone)]
pub struct ErasureList(PathBuf);

impl ErasureList {
    /// The list at that place.
    pub const fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Whether it is there.
    pub fn exists(&self) -> bool {
        self.0.exists()
    }

    /// Adds entries. Durable when this returns, the file's name as well.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if it can't be written.
    pub fn append(&self, entries: &[Entry]) -> Result<(), Error> {
        let new = !self.exists();
        let mut file = File::options()
            .create(true)
            .append(true)
            .read(true)
            .open(&self.0)
            .map_err(|error| self.fault(&error))?;
        // Two processes of one machine take turns; the lock goes with the file.
        file.lock().map_err(|error| self.fault(&error))?;
        let mut text = String::new();
        if !ends_well(&mut file).map_err(|error| self.fault(&error))? {
            text.push('\n');
        }
        for entry in entries {
            text.push_str(&line(entry));
            text.push('\n');
        }
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|error| self.fault(&error))?;
        if new {
            let folder = self.0.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = File::open(folder.unwrap_or(Path::new(".")));
            folder.and_then(|folder| folder.sync_all()).map_err(|error| self.fault(&error))?;
        }
        Ok(())
    }

    /// All entries, in the order in which they were added; none if there is no file. A last line that was
    /// broken off counts as not written.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if it can't be read; [`Error::Statement`] if a line is none of ours.
    pub fn read(&self) -> Result<Vec<Entry>, Error> {
        let mut text = String::new();
        match File::open(&self.0) {
            Ok(mut file) => {
                file.read_to_string(&mut text).map_err(|error| self.fault(&error))?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.fault(&error)),
        }
        let mut entries = Vec::new();
        let mut torn = None;
        for (place, one) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            match parse(one) {
                Some(entry) => entries.push(entry),
                // It may stand before later lines.
                None if is_torn(one) => torn = Some(place + 1),
                None => {
                    let file = self.0.display();
                    return Err(Error::Statement(format!(
                        "{file}, line {}: is no line of an erasure list",
                        place + 1
                    )));
                }
            }
        }
        if let Some(line) = torn {
            tracing::warn!(line, "a line of the erasure list was broken off, and is passed over");
        }
        Ok(entries)
    }

    fn fault(&self, error: &std::io::Error) -> Error {
        Error::Unavailable(format!("{}: {}", self.0.display(), error.kind()))
    }
}

/// Whether a line was broken off: it has no whole check sum.
fn is_torn(line: &str) -> bool {
    line.split(' ').nth(6).is_none_or(|sum| sum.len() < 8)
}

fn ends_well(file: &mut File) -> std::io::Result<bool> {
    let length = file.seek(SeekFrom::End(0))?;
    if length == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

fn line(entry: &Entry) -> String {
    let Entry { account, erasure, what, session, created_at } = entry;
    let session = session.as_ref().map_or(NONE, SessionId::as_str);
    let text = format!("{FORM} {account} {erasure} {what} {session} {}", created_at.millis());
    let sum = crc32fast::hash(text.as_bytes());
    format!("{text} {sum:08x}")
}

fn parse(line: &str) -> Option<Entry> {
    let (text, sum) = line.rsplit_once(' ')?;
    if format!("{:08x}", crc32fast::hash(text.as_bytes())) != sum {
        return None;
    }
    let words: Vec<&str> = text.split(' ').collect();
    let [FORM, account, erasure, what, session, at] = words[..] else { return None };
    let session = match session {
        NONE => None,
        id => Some(SessionId::parse(id).ok()?),
    };
    Some(Entry {
        account: AccountId::parse(account).ok()?,
        erasure: ErasureId::parse(erasure).ok()?,
        what: what.to_owned(),
        session,
        created_at: Timestamp::from_millis(at.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: u8) -> Entry {
        Entry {
            account: AccountId::parse(&format!("AC{n:032x}")).unwrap(),
            erasure: ErasureId::parse(&format!("ER{n:032x}")).unwrap(),
            what: format!("KP{n:032x}"),
            session: n.is_multiple_of(2).then(|| SessionId::parse(&format!("KC{n:032x}")).unwrap()),
            created_at: Timestamp::from_millis(1_800_000_000_000),
        }
    }

    /// What was added reads back in its order; a line that was broken off is passed over and written behind;
    /// one that was changed is told.
    #[test]
    fn entries_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let list = ErasureList::at(folder.path().join("list"));
        assert!(!list.exists() && list.read().unwrap().is_empty());
        list.append(&[entry(1), entry(2)]).unwrap();
        list.append(&[entry(3)]).unwrap();
        assert_eq!(list.read().unwrap(), [entry(1), entry(2), entry(3)]);
        let text = std::fs::read_to_string(list.path()).unwrap();
        std::fs::write(list.path(), &text[..text.len() - 9]).unwrap();
        assert_eq!(list.read().unwrap(), [entry(1), entry(2)]);
        list.append(&[entry(3)]).unwrap();
        assert_eq!(list.read().unwrap(), [entry(1), entry(2), entry(3)]);
        let changed = text.replace("KP0", "KP1");
        std::fs::write(list.path(), changed).unwrap();
        assert!(matches!(list.read(), Err(Error::Statement(_))));
    }
}
