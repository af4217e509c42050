//! Showing staff what is else masked: a number, or texts. That they do is noted and committed before anything is
//! opened.

use std::time::Duration;

use crate::{
    domain::{
        audit::{Action, Detail, Entry},
        message::Body,
        opening::{Cause, Opened},
        phone::Identifier,
    },
    ids::{AccountId, InteractionId, ParticipantId, SessionId, StaffId},
    relay::{Error, Relay},
    store::{
        Tx, audit,
        interactions::{self, Filter, Interaction},
        participants,
        sessions::{self, Page},
        staff::openings,
    },
};

/// Within how long so much may be opened.
pub const OPENED_WITHIN: Duration = Duration::from_hours(24);

/// How many texts are shown at once.
pub const TEXTS_PAGE: usize = 50;

/// Texts of one session, oldest first.
#[derive(Debug)]
pub struct TextsRead {
    /// Each with its words, where they were kept.
    pub texts: Vec<(Interaction, Option<Body>)>,
    /// Before which one earlier ones are.
    pub earlier: Option<InteractionId>,
}

/// Notes that something is opened, unless too much was; whether it may be.
pub(super) async fn noted(
    tx: &mut Tx,
    account: &AccountId,
    (staff, what, most): (&StaffId, Opened, u32),
    entry: Entry,
) -> Result<bool, Error> {
    let now = tx.now().await?;
    if !openings::take(tx, staff, what, most, (now - OPENED_WITHIN, now)).await? {
        return Ok(false);
    }
    audit::append(tx, account, entry).await?;
    Ok(true)
}

impl Relay {
    /// Notes that staff look for whoever has a number, of which only the masked form is kept.
    ///
    /// # Errors
    /// The store's.
    pub async fn note_search(&self, account: &AccountId, masked: &str) -> Result<(), Error> {
        let entry = Entry::new(Action::PersonSearched, account.as_str());
        let entry = entry.with(Detail::Masked, masked);
        self.act((account.clone(), entry), |tx, (account, entry)| {
            Box::pin(async move { Ok(audit::append(tx, &account, entry).await?) })
        })
        .await
    }

    /// How many of a kind somebody may still open now.
    ///
    /// # Errors
    /// The store's.
    pub async fn openings_left(&self, staff: &StaffId, what: Opened) -> Result<u32, Error> {
        let mut tx = self.db.read().await?;
        let now = tx.now().await?;
        let had = openings::count(&mut tx, staff, what, now - OPENED_WITHIN).await?;
        let had = u32::try_from(had).unwrap_or(u32::MAX);
        Ok(self.login_rules.reveals_per_day.saturating_sub(had))
    }

    /// Shows somebody of the staff a participant's number; `None` once they have opened as many as they may. The
    /// relay must be theirs ([`Relay::by`]).
    ///
    /// # Errors
    /// [`Error::NotFound`], also for somebody who was erased.
    pub async fn reveal(
        &self,
        account: &AccountId,
        staff: &StaffId,
        id: &ParticipantId,
        cause: Cause,
    ) -> Result<Option<Identifier>, Error> {
        let most = self.login_rules.reveals_per_day;
        let input = (account.clone(), staff.clone(), id.clone());
        let may = self.act(input, move |tx, (account, staff, id)| {
            Box::pin(async move {
                let session = there(tx, &account, &id).await?;
                let entry = Entry::new(Action::SessionNumberRevealed, session.as_str())
                    .with(Detail::Participant, id.as_str())
                    .with(Detail::Why, cause.as_str());
                noted(tx, &account, (&staff, Opened::Number, most), entry).await
            })
        });
        if !may.await? {
            return Ok(None);
        }
        let mut tx = self.db.read().await?;
        let gone = Error::NotFound("participant");
        let one = participants::get(&mut tx, account, id).await?.filter(|one| !one.erased);
        let one = one.ok_or(gone)?;
        let session = sessions::get(&mut tx, account, &one.session).await?;
        let key = session.ok_or(Error::NotFound("session"))?.data_key(&tx)?;
        Ok(Some(one.identifier(&key)?))
    }

    /// Shows somebody of the staff the latest texts of a session before one of them; `None` once they have opened
    /// as often as they may. The relay must be theirs ([`Relay::by`]).
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn read_texts(
        &self,
        account: &AccountId,
        staff: &StaffId,
        id: &SessionId,
        before: Option<&InteractionId>,
        cause: Cause,
    ) -> Result<Option<TextsRead>, Error> {
        let most = self.login_rules.reveals_per_day;
        let input = (account.clone(), staff.clone(), id.clone());
        let may = self.act(input, move |tx, (account, staff, id)| {
            Box::pin(async move {
                let found = sessions::get(tx, &account, &id).await?;
                found.ok_or(Error::NotFound("session"))?;
                let entry = Entry::new(Action::SessionTextsRead, id.as_str())
                    .with(Detail::Why, cause.as_str());
                noted(tx, &account, (&staff, Opened::Texts, most), entry).await
            })
        });
        if !may.await? {
            return Ok(None);
        }
        let mut tx = self.db.read().await?;
        let session = sessions::get(&mut tx, account, id).await?;
        let key = session.ok_or(Error::NotFound("session"))?.data_key(&tx)?;
        let filter = Filter {
            session: Some(id.clone()),
            kind: Some(crate::domain::interaction::Kind::Message),
            ..Filter::default()
        };
        let limit = i64::try_from(TEXTS_PAGE).unwrap_or(i64::MAX) + 1;
        let page = Page { before: before.map(ToString::to_string), after: None, limit };
        let mut found = interactions::list(&mut tx, account, &filter, &page).await?;
        let more = found.len() > TEXTS_PAGE;
        found.truncate(TEXTS_PAGE);
        let earlier = found.last().filter(|_| more).map(|one| one.id.clone());
        found.reverse();
        let ids: Vec<InteractionId> = found.iter().map(|one| one.id.clone()).collect();
        let mut words = interactions::words(&mut tx, account, &key, &ids).await?;
        let texts = found.into_iter().map(|one| {
            let said = words.remove(&one.id);
            (one, said)
        });
        Ok(Some(TextsRead { texts: texts.collect(), earlier }))
    }
}

/// The session that a participant is in, or was, and that was not deleted.
async fn there(tx: &mut Tx, account: &AccountId, id: &ParticipantId) -> Result<SessionId, Error> {
    let one = participants::get(tx, account, id).await?.filter(|one| !one.erased);
    let one = one.ok_or(Error::NotFound("participant"))?;
    let session = sessions::get(tx, account, &one.session).await?;
    Ok(session.ok_or(Error::NotFound("session"))?.id)
}
