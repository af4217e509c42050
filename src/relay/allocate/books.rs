//! What the allocator looks into and writes to.

use crate::{
    domain::{
        pool::{Class, Ring},
        time::Timestamp,
    },
    ids::{AccountId, NumberId, ServiceId},
    privacy::{Counterpart, Person},
    relay::{error::Error, pins},
    store::{
        Tx,
        holds::{self, Claim, Held},
        numbers::{self, Number},
        rings::{self, Seeker},
        services,
    },
};

/// Holds, rings and numbers as the allocator sees them: the database within a transaction, or a market that
/// the planner plays in memory. What a method promises is said where the database keeps it.
pub(in crate::relay) trait Books: Send {
    /// [`rings::classes`].
    async fn classes(
        &mut self,
        account: &AccountId,
        service: &ServiceId,
    ) -> Result<Vec<Class>, Error>;

    /// [`rings::shared`].
    async fn shared(
        &mut self,
        account: &AccountId,
        service: &ServiceId,
    ) -> Result<Vec<Number>, Error>;

    /// [`pins::has_room`].
    async fn has_room(
        &mut self,
        account: &AccountId,
        number: &Number,
        people: usize,
    ) -> Result<bool, Error>;

    /// [`numbers::get`].
    async fn number(&mut self, account: &AccountId, id: &NumberId)
    -> Result<Option<Number>, Error>;

    /// [`rings::next_in_ring`].
    async fn next_in_ring(
        &mut self,
        seeker: Seeker<'_>,
        ring: &Ring,
        from: i64,
        to: i64,
    ) -> Result<Option<Number>, Error>;

    /// [`holds::take`].
    async fn take(&mut self, claim: Claim<'_>, now: Timestamp) -> Result<bool, Error>;

    /// [`holds::sticky`].
    async fn sticky(
        &mut self,
        account: &AccountId,
        service: &ServiceId,
        person: &Person,
        counterpart: &Counterpart,
    ) -> Result<Option<NumberId>, Error>;

    /// [`holds::ring_place`].
    async fn ring_place(
        &mut self,
        account: &AccountId,
        person: &Person,
        ring: &str,
    ) -> Result<Option<i64>, Error>;

    /// [`holds::set_ring_place`].
    async fn set_ring_place(
        &mut self,
        account: &AccountId,
        person: &Person,
        ring: &str,
        place: i64,
    ) -> Result<(), Error>;

    /// [`services::places`].
    async fn places(&mut self, account: &AccountId, service: &ServiceId) -> Result<i64, Error>;

    /// [`holds::load`].
    async fn load(
        &mut self,
        account: &AccountId,
        number: &NumberId,
        most: i64,
    ) -> Result<i64, Error>;

    /// [`holds::held`].
    async fn held(
        &mut self,
        account: &AccountId,
        service: &ServiceId,
        person: &Person,
        now: Timestamp,
    ) -> Result<Vec<Held>, Error>;

    /// [`Tx::mark`].
    async fn mark(&mut self) -> Result<(), Error>;

    /// [`Tx::rollback_to_mark`].
    async fn rollback_to_mark(&mut self) -> Result<(), Error>;

    /// [`Tx::release_mark`].
    async fn release_mark(&mut self) -> Result<(), Error>;
}

impl Books for Tx {
    async fn classes(
        &mut self,
        account: &AccountId,
        service: &ServiceId,
    ) -> Result<Vec<Class>, Error> {
        Ok(rings::classes(self, account, service).await?)
    }

    async fn shared(
        &mut self,
        account: &AccountId,
        service: &ServiceId,
    ) -> Result<Vec<Number>, Error> {
        Ok(rings::shared(self, account, service).await?)
    }

    async fn has_room(
        &mut self,
        account: &AccountId,
        number: &Number,
        people: usize,
    ) -> Result<bool, Error> {
        pins::has_room(self, account, number, people).await
    }

    async fn number(
        &mut self,
        account: &AccountId,
        id: &NumberId,
    ) -> Result<Option<Number>, Error> {
        Ok(numbers::get(self, account, id).await?)
    }

    async fn next_in_ring(
        &mut self,
        seeker: Seeker<'_>,
        ring: &Ring,
        from: i64,
        to: i64,
    ) -> Result<Option<Number>, Error> {
        Ok(rings::next_in_ring(self, seeker, ring, from, to).await?)
    }

    async fn take(&mut self, claim: Claim<'_>, now: Timestamp) -> Result<bool, Error> {
        Ok(holds::take(self, claim, now).await?)
    }

    async fn sticky(
        &mut self,
        account: &AccountId,
        service: &ServiceId,
        person: &Person,
        counterpart: &Counterpart,
    ) -> Result<Option<NumberId>, Error> {
        Ok(holds::sticky(self, account, service, person, counterpart).await?)
    }

    async fn ring_place(
        &mut self,
        account: &AccountId,
        person: &Person,
        ring: &str,
    ) -> Result<Option<i64>, Error> {
        Ok(holds::ring_place(self, account, person, ring).await?)
    }

    async fn set_ring_place(
        &mut self,
        account: &AccountId,
        person: &Person,
        ring: &str,
        place: i64,
    ) -> Result<(), Error> {
        Ok(holds::set_ring_place(self, account, person, ring, place).await?)
    }

    async fn places(&mut self, account: &AccountId, service: &ServiceId) -> Result<i64, Error> {
        Ok(services::places(self, account, service).await?)
    }

    async fn load(
        &mut self,
        account: &AccountId,
        number: &NumberId,
        most: i64,
    ) -> Result<i64, Error> {
        Ok(holds::load(self, account, number, most).await?)
    }

    async fn held(
        &mut self,
        account: &AccountId,
        service: &ServiceId,
        person: &Person,
        now: Timestamp,
    ) -> Result<Vec<Held>, Error> {
        Ok(holds::held(self, account, service, person, now).await?)
    }

    async fn mark(&mut self) -> Result<(), Error> {
        Ok(Self::mark(self).await?)
    }

    async fn rollback_to_mark(&mut self) -> Result<(), Error> {
        Ok(Self::rollback_to_mark(self).await?)
    }

    async fn release_mark(&mut self) -> Result<(), Error> {
        Ok(Self::release_mark(self).await?)
    }
}
