//! A small marketplace to put rows into: an account, a service, numbers, people, sessions.

use std::{sync::Arc, time::Duration};

use super::{Lab, at, commit};
use crate::{
    domain::{
        interaction::Kind,
        phone::{Identifier, ProxyNumber, Registered, Registration},
        policy::Rules,
        pool::Capabilities,
        session::{Lifetime, Mode},
        time::Timestamp,
    },
    ids::{
        AccountId, Id, Ids, InteractionId, LegId, NumberId, ParticipantId, ServiceId, SessionId,
    },
    privacy::{Counterpart, DataKey, Person},
    store::{
        Db, Error, Tx,
        accounts::{self, AccountKeys},
        holds::{self, Claim},
        interactions::{Interaction, Origin},
        legs::{Direction, Leg},
        numbers::{self, Number, NumberState},
        participants::{self, NewParticipant},
        services::{self, Service},
        sessions::{self, NewSession},
    },
};

/// An account with a service, and the keys that make its persons. Cheap to clone.
#[derive(Clone)]
pub(super) struct World {
    pub(super) account: AccountId,
    pub(super) service: ServiceId,
    pub(super) keys: Arc<AccountKeys>,
    pub(super) ids: Ids,
}

/// The `n`th person's number, of a hundred.
pub(super) fn identifier(n: u32) -> Identifier {
    Identifier::parse(&format!("+{}{:04}", 1_415_555, 100 + n % 100)).unwrap()
}

/// The `n`th proxy number, of a million.
pub(super) fn proxy(n: u32) -> ProxyNumber {
    ProxyNumber::parse(&format!("+33937{n:06}")).unwrap()
}

pub(super) const VOICE_AND_SMS: Capabilities = Capabilities { voice: true, sms: true, mms: false };

impl World {
    /// An account with a service, committed.
    pub(super) async fn new(lab: &Lab) -> Self {
        Self::named(lab, "market").await
    }

    pub(super) async fn named(lab: &Lab, name: &str) -> Self {
        Self::on(&lab.db, &lab.ids, name).await
    }

    /// The same by another process.
    pub(super) async fn on(db: &Db, ids: &Ids, name: &str) -> Self {
        let account: AccountId = ids.make(at(0));
        let service: ServiceId = ids.make(at(0));
        let (name, ids) = (name.to_owned(), ids.clone());
        commit!(db, [account, service, name, ids], |tx| {
            accounts::insert(tx, &account, &name, "token", at(0)).await?;
            services::insert(tx, &account, &a_service(&service, &name)).await?;
            let keys = accounts::keys(tx, &account).await?;
            Ok::<_, Error>(Self { account, service, keys, ids })
        })
        .await
        .unwrap()
    }

    pub(super) fn id<I: Id>(&self) -> I {
        self.ids.make(at(0))
    }

    pub(super) fn person(&self, n: u32) -> Person {
        self.keys.index.person(&identifier(n).canonical())
    }

    pub(super) fn pair(&self, n: u32) -> Counterpart {
        self.keys.index.pair(&[self.person(n)])
    }

    /// A number that is in no table yet.
    pub(super) fn number(&self, n: u32) -> Number {
        Number {
            id: self.id(),
            number: proxy(n),
            service: self.service.clone(),
            carrier: "a".into(),
            country: "FR".into(),
            area: String::new(),
            capabilities: VOICE_AND_SMS,
            registered: Registered { registration: Registration::None, campaign: None },
            barred: false,
            permit: None,
            reserved: false,
            shared: false,
            state: NumberState::Active,
            friendly_name: n.is_multiple_of(2).then(|| format!("Desk {n}")),
            place: 0,
            version: 1,
            created_at: at(0),
            updated_at: at(0),
        }
    }

    /// Adds the proxy numbers `from..to`.
    pub(super) async fn numbers(&self, db: &Db, from: u32, to: u32) -> Vec<NumberId> {
        let world = self.clone();
        commit!(db, [world], |tx| {
            let mut ids = Vec::new();
            for n in from..to {
                let number = world.number(n);
                numbers::insert(tx, &world.account, &number).await?;
                ids.push(number.id);
            }
            Ok::<_, Error>(ids)
        })
        .await
        .unwrap()
    }

    /// Adds an open session.
    pub(super) async fn session(&self, tx: &mut Tx, now: Timestamp) -> Result<Made, Error> {
        let made = Made { id: self.ids.make(now), key: Arc::new(DataKey::generate()) };
        let new = NewSession {
            id: &made.id,
            service: &self.service,
            unique_name: None,
            mode: Mode::VoiceAndMessage,
            lifetime: Lifetime { ttl: Duration::from_mins(1), date_expiry: None },
            recording: None,
            metadata: "{}",
            key: &made.key,
            now,
        };
        sessions::insert(tx, &self.account, &new).await?;
        Ok(made)
    }

    /// Adds person `n` to a session, on a number.
    pub(super) async fn join(
        &self,
        tx: &mut Tx,
        session: &Made,
        n: u32,
        number: (&NumberId, u32),
        role: &str,
    ) -> Result<ParticipantId, Error> {
        let id: ParticipantId = self.id();
        let new = NewParticipant {
            id: &id,
            session: &session.id,
            role,
            position: i64::from(n),
            person: &self.person(n),
            identifier: &identifier(n),
            name: Some("Ada"),
            number_id: number.0,
            number: &proxy(number.1),
            chosen_by: None,
            key: &session.key,
            now: at(0),
        };
        participants::insert(tx, &self.account, &new).await?;
        Ok(id)
    }

    /// Takes the hold of person `n` on a number, for a session with person `other`.
    pub(super) async fn hold(
        &self,
        tx: &mut Tx,
        number: &NumberId,
        n: u32,
        session: &SessionId,
        other: u32,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let claim = Claim {
            account: &self.account,
            number,
            person: &self.person(n),
            session,
            participant: &self.id(),
            counterpart: &self.pair(other),
        };
        holds::take(tx, claim, now).await
    }

    /// An open interaction that is in no table yet.
    pub(super) fn interaction(&self, session: Option<&SessionId>) -> Interaction {
        Interaction {
            id: self.id(),
            service: Some(self.service.clone()),
            session: session.cloned(),
            kind: Kind::Message,
            origin: Origin::Person,
            from_participant: Some(self.id()),
            from_role: Some("customer".into()),
            person: Some(self.person(1)),
            number: proxy(1),
            carrier: "a".into(),
            attestation: None,
            outcome: None,
            reason: None,
            media: 2,
            media_refused: 0,
            duration: None,
            version: 1,
            created_at: at(0),
            updated_at: at(0),
            ended_at: None,
        }
    }

    /// A leg that is in no table yet.
    pub(super) fn leg(&self, interaction: &InteractionId, position: i64) -> Leg {
        let id: LegId = self.id();
        Leg {
            id,
            interaction: interaction.clone(),
            session: None,
            position,
            kind: Kind::Message,
            direction: if position == 0 { Direction::Inbound } else { Direction::Outbound },
            participant: Some(self.id()),
            role: Some("provider".into()),
            number: proxy(1),
            sender_id: None,
            carrier: "a".into(),
            carrier_id: None,
            state: "queued".into(),
            outcome: None,
            reason: None,
            carrier_code: None,
            possible_duplicate: false,
            duration: None,
            created_at: at(0),
            updated_at: at(0),
            answered_at: None,
            ended_at: None,
        }
    }
}

/// A session that was made.
#[derive(Clone)]
pub(super) struct Made {
    pub(super) id: SessionId,
    pub(super) key: Arc<DataKey>,
}

/// A service that is in no table yet.
pub(super) fn a_service(id: &ServiceId, name: &str) -> Service {
    Service {
        id: id.clone(),
        unique_name: name.to_owned(),
        rules: Rules::new("Brand".into()),
        callback_secret: None,
        version: 1,
        created_at: at(0),
        updated_at: at(0),
        deleted: false,
    }
}
