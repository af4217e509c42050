//! The store for pictures and files that the settings name.

use std::path::PathBuf;

use crate::{
    config::{Config, MediaStore},
    media::{Objects, ObjectsError, S3, Settings},
    relay::Erasing,
    store::ErasureList,
};

/// Where S3 is if nothing else is said.
const REGION: &str = "us-east-1";

/// Opens it; `None` where none is wanted.
///
/// # Errors
/// [`ObjectsError::Unusable`].
pub fn open(config: &Config) -> Result<Option<Objects>, ObjectsError> {
    settings(config).map(|settings| Objects::open(&settings)).transpose()
}

fn settings(config: &Config) -> Option<Settings> {
    let media = &config.media;
    match &media.store {
        MediaStore::Off => None,
        MediaStore::Beside => beside(config.database_url.expose()).map(Settings::Folder),
        MediaStore::Folder(folder) => Some(Settings::Folder(folder.clone())),
        MediaStore::S3 { bucket, prefix } => Some(Settings::S3(S3 {
            bucket: bucket.clone(),
            prefix: prefix.clone(),
            endpoint: media.endpoint.clone(),
            region: media.region.clone().unwrap_or_else(|| REGION.to_owned()),
            credentials: media
                .credentials
                .as_ref()
                .map(|(id, key)| (id.expose().to_owned(), key.expose().to_owned())),
        })),
    }
}

/// Where it is written what was erased, and how long backups are kept.
pub fn erasing(config: &Config) -> Erasing {
    let beside = || Some(PathBuf::from(format!("{}.erased", file(config.database_url.expose())?)));
    let list = config.erasure_list.clone().or_else(beside).map(ErasureList::at);
    Erasing { list, horizon_days: config.backup_horizon_days }
}

/// The folder beside a SQLite file; `None` for a database that other nodes may use too.
fn beside(url: &str) -> Option<PathBuf> {
    Some(PathBuf::from(format!("{}.media", file(url)?)))
}

/// The path of a SQLite file.
fn file(url: &str) -> Option<&str> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    path.split('?').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file's pictures lie beside it, however its address is written; a server's lie nowhere unless
    /// the settings say where.
    #[test]
    fn pictures_lie_beside_a_file() {
        for url in ["sqlite:a/b.db", "sqlite://a/b.db", "sqlite:a/b.db?mode=rwc"] {
            assert_eq!(beside(url), Some("a/b.db.media".into()), "{url}");
        }
        assert_eq!(beside("postgres://u@h/n"), None);
    }
}
