//! What goes wrong at the database's doors, where a simulation says so.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{Error, Failure, Tx};

/// What goes wrong with one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// Everything was done, and the database went away before the commit.
    BeforeCommit,
    /// It is committed, and nobody hears of it.
    AnswerLost,
    /// It is committed, and whoever asked for it is held up for so long.
    HeldUp(Duration),
}

/// Decides what goes wrong at the doors: a simulation's part.
pub trait Mishaps: Send + Sync {
    /// What goes wrong with the next write.
    fn next(&self) -> Option<Mishap>;
}

/// The same work, which fails once it is done.
pub(super) fn failing<T, E, F>(
    work: F,
) -> impl for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static
where
    T: Send + 'static,
    E: Failure,
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
{
    move |tx| {
        let done = work(tx);
        Box::pin(async move {
            done.await?;
            Err(Error::Unavailable("a simulated mishap".into()).into())
        })
    }
}
