//! Where sealed pictures and files lie: a folder, or S3.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use object_store::{
    ObjectStore, ObjectStoreExt as _, RetryConfig, aws::AmazonS3Builder, local::LocalFileSystem,
    path::Path,
};

use super::connector::Connector;

/// How long one put, get or delete may take.
const DEADLINE: Duration = Duration::from_secs(15);
/// How often a request that failed is made again at once. Whoever asks tries again later.
const RETRIES: usize = 1;

/// Where they lie.
#[derive(Debug, Clone)]
pub enum Settings {
    /// In this folder, which is made at need.
    Folder(PathBuf),
    /// At S3, or what speaks as it does.
    S3(S3),
}

/// A bucket. Its `Debug` has no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct S3 {
    /// The bucket.
    pub bucket: String,
    /// What names begin with; empty for nothing.
    pub prefix: String,
    /// Where it is, if not at Amazon's; trusted.
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// Key id and secret; `None` for those that the machine has by its role.
    pub credentials: Option<(String, String)>,
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// Why the store did nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectsError {
    /// The settings or the folder are unusable; what is wrong, without a secret.
    #[error("{0}")]
    Unusable(String),
    /// It failed, is full or did not answer: to be tried again.
    #[error("the store for pictures failed: {0}")]
    Failed(&'static str),
}

/// The store. Cheap to clone. Whatever lies in it is sealed by whoever puts it there.
#[derive(Debug, Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

impl Objects {
    /// Opens it; nothing is asked of an S3 store yet.
    ///
    /// # Errors
    /// [`ObjectsError::Unusable`].
    pub fn open(settings: &Settings) -> Result<Self, ObjectsError> {
        match settings {
            Settings::Folder(folder) => Self::folder(folder),
            Settings::S3(s3) => Self::s3(s3),
        }
    }

    fn folder(folder: &std::path::Path) -> Result<Self, ObjectsError> {
        let unusable = |error: &dyn fmt::Display| {
            ObjectsError::Unusable(format!("{}: {error}", folder.display()))
        };
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(|error| unusable(&error))?;
        let store = LocalFileSystem::new_with_prefix(folder).map_err(|error| unusable(&error))?;
        // What is said to be kept survives a loss of power.
        Ok(Self { store: Arc::new(store.with_fsync(true)), prefix: Path::default() })
    }

    fn s3(s3: &S3) -> Result<Self, ObjectsError> {
        let retry =
            RetryConfig { max_retries: RETRIES, retry_timeout: DEADLINE, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&s3.bucket)
            .with_region(&s3.region)
            .with_retry(retry)
            // Not every store that speaks as S3 does can delete many at once.
            .with_disable_bulk_delete(true)
            .with_http_connector(Connector);
        if let Some(endpoint) = &s3.endpoint {
            builder = builder.with_endpoint(endpoint).with_allow_http(true);
        }
        if let Some((id, secret)) = &s3.credentials {
            builder = builder.with_access_key_id(id).with_secret_access_key(secret);
        }
        let store = builder.build().map_err(|_| {
            ObjectsError::Unusable("bucket, endpoint or region can't be used".to_owned())
        })?;
        let prefix = Path::parse(&s3.prefix)
            .map_err(|_| ObjectsError::Unusable("the prefix can't be used".to_owned()))?;
        Ok(Self { store: Arc::new(store), prefix })
    }

    /// Names are ours: hex digits. The first two are a folder, so that none grows too long.
    fn path(&self, name: &str) -> Path {
        let folder = name.get(..2).unwrap_or("00");
        self.prefix.clone().join(folder).join(name)
    }

    /// Puts bytes under a name, in place of what was there.
    ///
    /// # Errors
    /// [`ObjectsError::Failed`].
    pub async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), ObjectsError> {
        let path = self.path(name);
        timely(self.store.put(&path, bytes.into())).await?.map(drop).map_err(|error| failed(&error))
    }

    /// The bytes under a name, if there are some.
    ///
    /// # Errors
    /// [`ObjectsError::Failed`].
    pub async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, ObjectsError> {
        let path = self.path(name);
        let got = timely(async { self.store.get(&path).await?.bytes().await }).await?;
        match got {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Deletes what lies under a name, if anything does.
    ///
    /// # Errors
    /// [`ObjectsError::Failed`].
    pub async fn delete(&self, name: &str) -> Result<(), ObjectsError> {
        let path = self.path(name);
        match timely(self.store.delete(&path)).await? {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(&error)),
        }
    }
}

async fn timely<T>(work: impl Future<Output = T>) -> Result<T, ObjectsError> {
    tokio::time::timeout(DEADLINE, work)
        .await
        .map_err(|_| ObjectsError::Failed("no answer in time"))
}

/// The kind alone: an answer may quote a request.
fn failed(error: &object_store::Error) -> ObjectsError {
    ObjectsError::Failed(match error {
        object_store::Error::Unauthenticated { .. }
        | object_store::Error::PermissionDenied { .. } => "it refuses our credentials",
        object_store::Error::NotFound { .. } => "there is no such bucket or folder",
        _ => "it can't be reached, is full or broken",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "0123456789abcdef0123456789abcdef";

    /// What is put is got, again over what was there, and is gone once deleted, which may be said twice.
    #[tokio::test]
    async fn a_folder_keeps_what_it_is_given() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("deep/media");
        let objects = Objects::open(&Settings::Folder(folder.clone())).unwrap();
        assert_eq!(objects.get(NAME).await, Ok(None));
        objects.put(NAME, b"one".to_vec()).await.unwrap();
        objects.put(NAME, b"two".to_vec()).await.unwrap();
        assert_eq!(objects.get(NAME).await, Ok(Some(b"two".to_vec())));
        assert!(folder.join("01").join(NAME).is_file());
        objects.delete(NAME).await.unwrap();
        objects.delete(NAME).await.unwrap();
        assert_eq!(objects.get(NAME).await, Ok(None));
    }

    /// A folder that can't be made is told at the start, and one that went away is a failure to be tried
    /// again and not the loss of a picture.
    #[tokio::test]
    async fn what_fails_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let refused = Objects::open(&Settings::Folder(file.join("below"))).unwrap_err();
        assert!(matches!(refused, ObjectsError::Unusable(_)), "{refused}");
        let objects = Objects::open(&Settings::Folder(dir.path().join("media"))).unwrap();
        std::fs::remove_dir(dir.path().join("media")).unwrap();
        std::fs::write(dir.path().join("media"), "").unwrap();
        assert!(objects.put(NAME, b"one".to_vec()).await.is_err());
    }

    /// The same at a bucket of a store that somebody else wrote (`tests/s3/run`); one that is not there is
    /// told, and so is a store that does not answer.
    #[tokio::test]
    async fn a_bucket_keeps_what_it_is_given() {
        let Some(endpoint) = s3_url() else { return };
        let at = |bucket: &str, endpoint: &str| {
            Objects::open(&Settings::S3(S3 {
                bucket: bucket.into(),
                prefix: "relay/media".into(),
                endpoint: Some(endpoint.into()),
                region: "us-east-1".into(),
                credentials: Some(("AKIDEXAMPLE".into(), "very-secret".into())),
            }))
            .unwrap()
        };
        let objects = at("pictures", &endpoint);
        assert_eq!(objects.get(NAME).await, Ok(None));
        let picture: Vec<u8> = (0..=255).cycle().take(5 * 1024 * 1024).collect();
        objects.put(NAME, b"one".to_vec()).await.unwrap();
        objects.put(NAME, picture.clone()).await.unwrap();
        assert_eq!(objects.get(NAME).await, Ok(Some(picture)));
        objects.delete(NAME).await.unwrap();
        objects.delete(NAME).await.unwrap();
        assert_eq!(objects.get(NAME).await, Ok(None));
        assert!(at("nowhere", &endpoint).put(NAME, b"one".to_vec()).await.is_err());
        assert!(at("pictures", "http://127.0.0.1:1").get(NAME).await.is_err());
    }

    /// Where an S3 store answers, for the test that needs one.
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are told by variables, not by a config file"
    )]
    fn s3_url() -> Option<String> {
        let url = std::env::var("TEST_S3_URL").ok();
        if url.is_none() {
            let required = std::env::var("REQUIRE_S3").is_ok_and(|value| value == "1");
            assert!(!required, "TEST_S3_URL is not set and REQUIRE_S3 is 1");
            println!("skipped: TEST_S3_URL is not set (tests/s3/run sets it)");
        }
        url
    }

    /// Nothing that an S3 store's settings hold is shown but where it is.
    #[test]
    fn debug_shows_no_secret() {
        let s3 = S3 {
            bucket: "pictures".into(),
            prefix: "a/b".into(),
            endpoint: Some("http://127.0.0.1:9".into()),
            region: "us-east-1".into(),
            credentials: Some(("AKIDEXAMPLE".into(), "very-secret".into())),
        };
        let objects = Objects::open(&Settings::S3(s3.clone())).unwrap();
        for shown in [format!("{s3:?}"), format!("{objects:?}")] {
            assert!(!shown.contains("very-secret"), "{shown}");
        }
    }
}
