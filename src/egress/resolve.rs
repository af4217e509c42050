//! Looks names up: the seam where tests put a name server that lies.

use std::{
    fmt, io,
    net::{IpAddr, ToSocketAddrs as _},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

/// Most look-ups at once: each holds a thread, and one whose asker gave up goes on.
const LOOKUPS_MAX: usize = 64;

/// Looks names up.
pub trait Resolve: fmt::Debug + Send + Sync {
    /// All addresses of a name. Asked once for a request, whatever the answer.
    fn resolve(&self, name: String) -> BoxFuture<'_, io::Result<Vec<IpAddr>>>;
}

/// The system's own look-up, `/etc/hosts` and search list included: whatever it says is checked.
#[derive(Debug, Clone)]
pub struct System {
    slots: Arc<Semaphore>,
}

impl Default for System {
    fn default() -> Self {
        Self { slots: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }
}

impl Resolve for System {
    fn resolve(&self, name: String) -> BoxFuture<'_, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(io::Error::other)?;
            let lookup = tokio::task::spawn_blocking(move || {
                // The look-up cannot be stopped: it keeps its slot until it ends.
                let _slot = slot;
                Ok((&*name, 0).to_socket_addrs()?.map(|found| found.ip()).collect())
            });
            lookup.await.map_err(io::Error::other)?
        })
    }
}
