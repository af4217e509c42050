//! The epoch outside of the database: a small file beside it that an older copy is held against.

use std::{
    fs::File,
    io::{Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use super::Error;

/// Digits of the number: always as many, so that one write replaces the whole.
const DIGITS: usize = 20;

/// How far the database that stands beside it is known to have come.
#[derive(Debug, Clone)]
pub struct EpochFile(PathBuf);

impl EpochFile {
    /// The one beside a SQLite file.
    pub fn beside(database: &Path) -> Self {
        let mut name = database.as_os_str().to_owned();
        name.push(".epoch");
        Self(name.into())
    }

    /// The epoch that was noted last; 0 if none was.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the file can't be read; [`Error::Statement`] if it holds something
    /// else.
    pub fn read(&self) -> Result<i64, Error> {
        match File::open(&self.0) {
            Ok(mut file) => self.parse(&mut file),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(self.fault(&error)),
        }
    }

    /// Notes an epoch, unless a later one is noted. Durable when this returns.
    ///
    /// # Errors
    /// As [`EpochFile::read`].
    pub fn raise(&self, epoch: i64) -> Result<(), Error> {
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&self.0)
            .map_err(|error| self.fault(&error))?;
        // A command beside the server raises it too; the lock goes with the file.
        file.lock().map_err(|error| self.fault(&error))?;
        if self.parse(&mut file)? >= epoch {
            return Ok(());
        }
        let text = format!("{epoch:0DIGITS$}\n");
        file.rewind()
            .and_then(|()| file.write_all(text.as_bytes()))
            .and_then(|()| file.sync_all())
            .map_err(|error| self.fault(&error))
    }

    fn parse(&self, file: &mut File) -> Result<i64, Error> {
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| self.fault(&error))?;
        // It is empty for a moment after it was made.
        if text.is_empty() {
            return Ok(0);
        }
        let digits = text.trim();
        // `parse` alone would take a sign; of a longer text `raise` would leave the end.
        let fits = text.len() <= DIGITS + 1 && digits.bytes().all(|b| b.is_ascii_digit());
        let number = if fits { digits.parse().ok() } else { None };
        number
            .ok_or_else(|| Error::Statement(format!("{} does not hold an epoch", self.0.display())))
    }

    fn fault(&self, error: &std::io::Error) -> Error {
        Error::Unavailable(format!("{}: {}", self.0.display(), error.kind()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number only grows, whoever writes it, and reads back; what is no number is refused.
    #[test]
    fn it_only_grows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let file = EpochFile::beside(&path);
        assert_eq!(file.read().unwrap(), 0);
        file.raise(7).unwrap();
        file.raise(3).unwrap();
        assert_eq!(file.read().unwrap(), 7);
        file.raise(12).unwrap();
        assert_eq!(EpochFile::beside(&path).read().unwrap(), 12);
        std::fs::write(folder.path().join("store.db.epoch"), "seven").unwrap();
        assert!(matches!(file.read(), Err(Error::Statement(_))));
        for text in ["-1", "+7", &"0".repeat(40)] {
            std::fs::write(folder.path().join("store.db.epoch"), text).unwrap();
            assert!(matches!(file.raise(5), Err(Error::Statement(_))), "{text}");
        }
    }
}
