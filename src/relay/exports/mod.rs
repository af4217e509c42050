//! Lists that staff take away as files: what is short at once, what is long by a job. Audited before a row is read.

mod rows;
mod work;

use std::time::Duration;

pub use self::rows::Narrowed;
use self::rows::page;
use super::{Error, Relay};
use crate::{
    domain::{
        audit::{Action, Detail, Entry},
        export::ExportFormat,
    },
    ids::{AccountId, ExportId, StaffId},
    store::{
        Tx, audit,
        exports::{self, Export, ExportState, NewExport},
    },
};

/// Lists of so many rows at most are answered at once.
pub const EXPORT_AT_ONCE: i64 = 10_000;
/// No file has more rows.
pub const EXPORT_MAX: i64 = 1_000_000;
/// How many exports somebody may have at a time that a job makes or made.
pub const EXPORTS_EACH: i64 = 5;
/// How long a file that a job made is kept.
pub const EXPORT_KEPT: Duration = Duration::from_hours(24);
/// How many rows are read at once: what is in memory of a list, however long it is.
const PAGE: i64 = 500;

/// What came of asking for a list.
#[derive(Debug)]
pub enum Begun {
    /// It is short: its rows, to be read one page after another.
    Now(Box<Lines>),
    /// A job makes it.
    Later(ExportId),
    /// They have as many as they may have.
    TooMany,
}

/// The lines of a list, read as they are asked for.
#[derive(Debug)]
pub struct Lines {
    relay: Relay,
    account: AccountId,
    narrowed: Narrowed,
    format: ExportFormat,
    /// The last row that was read; `None` before the first.
    last: Option<String>,
    left: i64,
    begun: bool,
}

impl Lines {
    /// The next lines, the head before the first; `None` behind the last.
    ///
    /// # Errors
    /// The store's.
    pub async fn next(&mut self) -> Result<Option<String>, Error> {
        let list = self.narrowed.list();
        let mut lines = String::new();
        if !self.begun {
            self.begun = true;
            lines = self.format.head(list);
        }
        if self.left > 0 {
            let limit = self.left.min(PAGE);
            let mut tx = self.relay.db.read().await?;
            let page =
                page(&mut tx, &self.account, &self.narrowed, self.last.take(), limit).await?;
            drop(tx);
            for row in &page.rows {
                self.format.write(list, row, &mut lines);
            }
            let read = i64::try_from(page.rows.len()).unwrap_or(i64::MAX);
            self.left = if read < limit { 0 } else { self.left.saturating_sub(read) };
            self.last = page.last;
        }
        Ok((!lines.is_empty()).then_some(lines))
    }
}

/// The file that a job made, read piece by piece.
#[derive(Debug)]
pub struct File {
    relay: Relay,
    export: Export,
    seq: i64,
}

impl File {
    /// What was exported.
    pub const fn export(&self) -> &Export {
        &self.export
    }

    /// The next piece; `None` behind the last.
    ///
    /// # Errors
    /// The store's; [`Error::NotFound`] where its time is up meanwhile.
    pub async fn next(&mut self) -> Result<Option<String>, Error> {
        if self.seq >= self.export.chunks {
            return Ok(None);
        }
        self.seq += 1;
        let Export { account, id, .. } = &self.export;
        let mut tx = self.relay.db.read().await?;
        let piece = exports::chunk(&mut tx, account, id, self.seq).await?;
        piece.map(Some).ok_or(Error::NotFound("export"))
    }
}

fn noted(action: Action, id: &ExportId, narrowed: &Narrowed) -> Entry {
    let entry = Entry::new(action, id.as_str()).with(Detail::Kind, narrowed.list().as_str());
    let names = narrowed.names().join(" ");
    if names.is_empty() { entry } else { entry.with(Detail::Filters, names) }
}

/// The export, if that person asked for it and its time is not up.
async fn own(
    tx: &mut Tx,
    account: &AccountId,
    id: &ExportId,
    staff: &StaffId,
) -> Result<Export, Error> {
    let now = tx.now().await?;
    let export = exports::get(tx, account, id).await?;
    let own = export.filter(|one| one.staff == *staff && one.expires_at > now);
    own.ok_or(Error::NotFound("export"))
}

impl Relay {
    /// Gives out a list to one of the staff, or begins a job that makes a file of it: where it has more than
    /// [`EXPORT_AT_ONCE`] rows. Either is in the audit log by then.
    ///
    /// # Errors
    /// The store's.
    pub async fn export(
        &self,
        account: &AccountId,
        staff: &StaffId,
        narrowed: Narrowed,
        format: ExportFormat,
    ) -> Result<Begun, Error> {
        let mut tx = self.db.read().await?;
        let short = narrowed.count(&mut tx, account, EXPORT_AT_ONCE + 1).await? <= EXPORT_AT_ONCE;
        drop(tx);
        let given = (account.clone(), staff.clone(), narrowed.clone());
        let id = self.db.write(move |tx| {
            let (account, staff, narrowed) = given.clone();
            Box::pin(async move {
                let now = tx.now().await?;
                let id: ExportId = tx.id_at(now);
                if !short {
                    if exports::standing(tx, &account, &staff, now).await? >= EXPORTS_EACH {
                        return Ok(None);
                    }
                    let filters = narrowed.to_text();
                    let new = NewExport {
                        id: &id,
                        staff: &staff,
                        list: narrowed.list(),
                        format,
                        filters: &filters,
                        now,
                        expires_at: now + EXPORT_KEPT,
                    };
                    exports::insert(tx, &account, &new).await?;
                }
                let entry = noted(Action::ExportMade, &id, &narrowed);
                audit::append(tx, &account, entry).await?;
                Ok::<_, Error>(Some(id))
            })
        });
        let Some(id) = id.await? else { return Ok(Begun::TooMany) };
        if !short {
            return Ok(Begun::Later(id));
        }
        Ok(Begun::Now(Box::new(Lines {
            relay: self.clone(),
            account: account.clone(),
            narrowed,
            format,
            last: None,
            left: EXPORT_AT_ONCE,
            begun: false,
        })))
    }

    /// Somebody's export.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another's.
    pub async fn own_export(
        &self,
        account: &AccountId,
        id: &ExportId,
        staff: &StaffId,
    ) -> Result<Export, Error> {
        let mut tx = self.db.read().await?;
        own(&mut tx, account, id, staff).await
    }

    /// Somebody's exports that a job makes or made, the newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn own_exports(
        &self,
        account: &AccountId,
        staff: &StaffId,
    ) -> Result<Vec<Export>, Error> {
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        Ok(exports::of_staff(&mut tx, account, staff, now, 50).await?)
    }

    /// The file of an export, for whoever asked for it. The audit log has it before a piece is read.
    ///
    /// # Errors
    /// [`Error::NotFound`] for another's, and for one that is not ready.
    pub async fn export_file(
        &self,
        account: &AccountId,
        id: &ExportId,
        staff: &StaffId,
    ) -> Result<File, Error> {
        let given = (account.clone(), id.clone(), staff.clone());
        let export = self.db.write(move |tx| {
            let (account, id, staff) = given.clone();
            Box::pin(async move {
                let export = own(tx, &account, &id, &staff).await?;
                let narrowed = Narrowed::parse(export.list, &export.filters);
                let ready = narrowed.filter(|_| export.state == ExportState::Ready);
                let narrowed = ready.ok_or(Error::NotFound("export"))?;
                let entry = noted(Action::ExportFetched, &id, &narrowed);
                let entry = entry.with(Detail::Count, export.done.to_string());
                audit::append(tx, &account, entry).await?;
                Ok::<_, Error>(export)
            })
        });
        Ok(File { relay: self.clone(), export: export.await?, seq: 0 })
    }

    /// Gives an export up that runs.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for another's.
    pub async fn cancel_export(
        &self,
        account: &AccountId,
        id: &ExportId,
        staff: &StaffId,
    ) -> Result<(), Error> {
        let given = (account.clone(), id.clone(), staff.clone());
        let done = self.db.write(move |tx| {
            let (account, id, staff) = given.clone();
            Box::pin(async move {
                own(tx, &account, &id, &staff).await?;
                let now = tx.now().await?;
                exports::end(tx, &account, &id, ExportState::Cancelled, now).await?;
                Ok::<_, Error>(())
            })
        });
        done.await
    }
}
