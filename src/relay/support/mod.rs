//! What support staff do to a session, and what they open: each stands in the audit log, by their name, with it or
//! before it.

mod acts;
mod finding;
mod moderating;
mod opening;

use futures_util::future::BoxFuture;

pub use self::{
    acts::{block_as_staff, close_as_staff, extend_as_staff, unblock_as_staff},
    finding::Somebody,
    moderating::{ItemText, ItemWords, Ruling, assign_item, decide_item, moderators, untellable},
    opening::{OPENED_WITHIN, TEXTS_PAGE, TextsRead},
};
use super::{Error, Relay};
use crate::store::Tx;

impl Relay {
    /// Runs one of these in a transaction: whoever the relay is then stands in the audit log.
    ///
    /// # Errors
    /// The use case's own.
    pub async fn act<I, T, F>(&self, input: I, work: F) -> Result<T, Error>
    where
        I: Clone + Send + Sync + 'static,
        T: Send + 'static,
        F: for<'t> Fn(&'t mut Tx, I) -> BoxFuture<'t, Result<T, Error>> + Send + Sync + 'static,
    {
        let done = self.db.write(move |tx| work(tx, input.clone())).await;
        self.committed();
        done
    }
}
