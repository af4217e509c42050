//! The store for pictures and files that the settings name.

use std::path::PathBuf;

use crate::{
    config::{Config, MediaStore},
    media::{Objects, ObjectsError, S3, Settings},
};

/// Where S3 is if nothing else is said.
const REGION: &str = "us-east-1";

/// Opens it; `None` where none is wanted.
///
/// # Errors
/// [`ObjectsError::Unusable`].
pub(super) fn open(config: &Config) -> Result<Option<Objects>, ObjectsError> {
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

/// The folder beside a SQLite file; `None` for a database that other nodes may use too.
fn beside(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    let path = path.split('?').next().unwrap_or_default();
    Some(PathBuf::from(format!("{path}.media")))
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
