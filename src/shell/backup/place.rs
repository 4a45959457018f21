//! Where a backup is: a folder, or a prefix in a bucket.

use futures_core::Stream;
use object_store::aws::AmazonS3Builder;
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder or a prefix. `Display` is as it was given; it has no credentials.
pub struct Place {
    name: String,
    /// `None`: not a folder of this machine.
    folder: Option<PathBuf>,
    store: Arc<dyn ObjectStore>,
    prefix: Key,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Place {
    /// `DIR`, `file:///DIR` or `s3://BUCKET/PREFIX`; the environment says how S3 is reached and with which credentials.
    ///
    /// # Errors
    /// A sentence.
    pub fn open(name: &str, create: bool) -> Result<Place, String> {
        if let Some(rest) = name.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            // Whoever set a provider before did so for the whole process.
            let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
            let store = AmazonS3Builder::from_env().with_bucket_name(bucket).build();
            let store = store.map_err(|e| format!("{name} cannot be used: {e}"))?;
            let prefix = Key::parse(prefix.trim_end_matches('/')).map_err(|e| format!("{name} cannot be used: {e}"))?;
            return Ok(Place { name: name.to_string(), folder: None, store: Arc::new(store), prefix });
        }
        let folder = Path::new(name.strip_prefix("file://").unwrap_or(name));
        if name.contains("://") && !name.starts_with("file://") {
            return Err(format!(
                "{name}: backups are kept in folders (DIR, file:///DIR) and in S3 (s3://BUCKET/PREFIX)"
            ));
        }
        let failed = |e: std::io::Error| format!("{}: {e}", folder.display());
        if create {
            std::fs::create_dir_all(folder).map_err(failed)?;
            if std::fs::read_dir(folder).map_err(failed)?.next().is_some() {
                return Err(format!("{} is not empty; a backup needs a folder of its own", folder.display()));
            }
        } else if !folder.is_dir() {
            return Err(format!("{}: there is no such folder", folder.display()));
        }
        let store = LocalFileSystem::new_with_prefix(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let folder = Some(folder.to_path_buf());
        Ok(Place { name: name.to_string(), folder, store: Arc::new(store), prefix: Key::default() })
    }

    fn key(&self, file: &str) -> Key {
        self.prefix.clone().join(file)
    }

    /// # Errors
    /// Those of the store.
    pub async fn has(&self, file: &str) -> object_store::Result<bool> {
        match self.store.head(&self.key(file)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A file to be written piece by piece; it is there once it was shut down.
    pub fn writer(&self, file: &str) -> BufWriter {
        BufWriter::new(self.store.clone(), self.key(file))
    }

    /// Makes a file that was written durable, where that is not the store's own affair.
    ///
    /// # Errors
    /// The disk.
    pub fn sync(&self, file: &str) -> std::io::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        std::fs::File::open(folder.join(file))?.sync_all()?;
        std::fs::File::open(folder)?.sync_all()
    }

    /// # Errors
    /// Those of the store.
    pub async fn put(&self, file: &str, content: Vec<u8>) -> object_store::Result<()> {
        self.store.put(&self.key(file), PutPayload::from(content)).await.map(drop)
    }

    /// # Errors
    /// Those of the store.
    pub async fn get(&self, file: &str) -> object_store::Result<Vec<u8>> {
        Ok(self.store.get(&self.key(file)).await?.bytes().await?.to_vec())
    }

    /// A file piece by piece.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn read(
        &self,
        file: &str,
    ) -> object_store::Result<impl Stream<Item = object_store::Result<bytes::Bytes>> + Unpin> {
        Ok(self.store.get(&self.key(file)).await?.into_stream())
    }
}
