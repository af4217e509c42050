//! Somebody of an account, whoever they are: found by their number, or by who they are in a session. The keyed hash
//! that makes them one stays in here.

use crate::{
    domain::phone::Identifier,
    ids::{AccountId, ParticipantId, SessionId},
    privacy::Person,
    relay::Error,
    store::{
        Tx, accounts,
        blocks::{self, Concerning},
        opt_outs,
        participants::{self, Participant},
        sessions::{self, Session},
    },
};

/// Somebody of an account.
#[derive(Debug, Clone)]
pub struct Somebody {
    account: AccountId,
    person: Person,
    /// Their masked number.
    pub masked: String,
    /// Who they are in a session that was not deleted; `None` for somebody who is in none.
    pub known: Option<ParticipantId>,
}

impl Somebody {
    /// Whoever has one of these numbers: in a session, or in an opt-out or a block that outlived theirs. The first that
    /// somebody has counts.
    ///
    /// # Errors
    /// The store's.
    pub async fn by_number(
        tx: &mut Tx,
        account: &AccountId,
        numbers: &[Identifier],
    ) -> Result<Option<Self>, Error> {
        let keys = accounts::keys(tx, account).await?;
        for number in numbers {
            let person = keys.index.person(&number.canonical());
            let known = participants::latest_of(tx, account, &person).await?;
            let masked = person.masked(number);
            let known = known.map(|one| one.id);
            let one = Self { account: account.clone(), person, masked, known };
            if one.known.is_some()
                || !one.opt_outs(tx, 1).await?.is_empty()
                || !one.blocks(tx, 1).await?.is_empty()
            {
                return Ok(Some(one));
            }
        }
        Ok(None)
    }

    /// Whoever is that participant.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for somebody who was erased, or whose session was deleted.
    pub async fn by_participant(
        tx: &mut Tx,
        account: &AccountId,
        id: &ParticipantId,
    ) -> Result<Self, Error> {
        let one = participants::get(tx, account, id).await?.filter(|one| !one.erased);
        let one = one.ok_or(Error::NotFound("participant"))?;
        let session = sessions::get(tx, account, &one.session).await?;
        session.ok_or(Error::NotFound("session"))?;
        let (masked, known) = (one.masked(), Some(one.id));
        Ok(Self { account: account.clone(), person: one.person, masked, known })
    }

    /// The masked form of a number, whether or not somebody has it.
    ///
    /// # Errors
    /// The store's.
    pub async fn masked(
        tx: &mut Tx,
        account: &AccountId,
        number: &Identifier,
    ) -> Result<String, Error> {
        let keys = accounts::keys(tx, account).await?;
        Ok(keys.index.person(&number.canonical()).masked(number))
    }

    /// Whether it is they who are that participant.
    pub fn is(&self, one: &Participant) -> bool {
        one.person == self.person
    }

    /// The sessions that they are in, or were, before `before`, newest first, `limit` at most.
    ///
    /// # Errors
    /// The store's.
    pub async fn sessions(
        &self,
        tx: &mut Tx,
        before: Option<&SessionId>,
        limit: i64,
    ) -> Result<Vec<Session>, Error> {
        Ok(sessions::of_person(tx, &self.account, &self.person, before, limit).await?)
    }

    /// Their opt-outs, `limit` at most.
    ///
    /// # Errors
    /// The store's.
    pub async fn opt_outs(&self, tx: &mut Tx, limit: i64) -> Result<Vec<opt_outs::Stored>, Error> {
        Ok(opt_outs::of_person(tx, &self.account, &self.person, limit).await?)
    }

    /// The blocks that concern them, `limit` at most.
    ///
    /// # Errors
    /// The store's.
    pub async fn blocks(&self, tx: &mut Tx, limit: i64) -> Result<Vec<Concerning>, Error> {
        Ok(blocks::of_person(tx, &self.account, &self.person, limit).await?)
    }
}
