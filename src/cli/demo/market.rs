//! The demo's marketplace: one account, one service with a small pool, a buyer and a seller.

use std::sync::Arc;

use crate::{
    cli::Failed,
    domain::{
        phone::{Identifier, ProxyNumber},
        policy::Rules,
        pool::Capabilities,
        session::Mode,
    },
    ids::{AccountId, ServiceId, SessionId},
    relay::{self, AddParticipant, Answer, NewNumber, NewService, OpenSession, Relay},
    sandbox::{Network, PhoneId},
};

/// The sandbox carrier's id.
pub(super) const CARRIER: &str = "sandbox";
/// Their own numbers: fictional ones, which nobody has.
pub(super) const BUYER: &str = "+12125550142";
pub(super) const SELLER: &str = "+13125550178";
const POOL: [&str; 4] = ["+14155550101", "+14155550102", "+14155550103", "+14155550104"];

/// What the play needs.
pub(super) struct Market {
    pub(super) account: AccountId,
    pub(super) api_key: String,
    pub(super) service: ServiceId,
    pub(super) network: Arc<Network>,
    pub(super) buyer: PhoneId,
    pub(super) seller: PhoneId,
}

/// A session of the two, with the numbers that they dial.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    pub(super) id: SessionId,
    /// The buyer dials this to reach the seller.
    pub(super) buyer_dials: Identifier,
    /// The seller dials this to reach the buyer.
    pub(super) seller_dials: Identifier,
}

impl Market {
    /// Makes the account, the service, its pool and the two phones.
    pub(super) async fn open(running: &crate::app::Running) -> Result<Self, Failed> {
        let relay = &running.relay;
        let network = running
            .network
            .clone()
            .ok_or_else(|| Failed("the demo needs its sandbox carrier".into()))?;
        let made = relay.create_account("Demo marketplace").await?;
        let owner = made.account.clone();
        let service = relay
            .db()
            .write(move |tx| {
                let account = owner.clone();
                Box::pin(async move {
                    let new = NewService {
                        unique_name: "demo".into(),
                        rules: Rules::new("Bikes & Co".into()),
                    };
                    let service = relay::create_service(tx, &account, &new).await?;
                    for number in POOL {
                        let number = ProxyNumber::parse(number)
                            .map_err(|_| relay::Error::NotFound("number"))?;
                        let capabilities = Capabilities { voice: true, sms: true, mms: true };
                        let new = NewNumber {
                            service: service.id.clone(),
                            number,
                            carrier: CARRIER.into(),
                            capabilities,
                            reserved: false,
                        };
                        relay::add_number(tx, &account, &new).await?;
                    }
                    Ok::<_, relay::Error>(service.id)
                })
            })
            .await?;
        let buyer = network.register("Buyer", Identifier::parse(BUYER)?)?;
        let seller = network.register("Seller", Identifier::parse(SELLER)?)?;
        let (account, api_key) = (made.account, made.api_key);
        Ok(Self { account, api_key, service, network, buyer, seller })
    }

    /// Opens a session of the two, and writes their proxy numbers into their phones.
    pub(super) async fn open_session(&self, relay: &Relay) -> Result<Opened, Failed> {
        let person = |number: &str, role: &str| {
            Ok::<_, Failed>(AddParticipant {
                identifier: Identifier::parse(number)?,
                role: Some(role.to_owned()),
                name: None,
                number: None,
                pin: relay::PinWanted::Never,
            })
        };
        let new = OpenSession {
            service: self.service.clone(),
            unique_name: None,
            mode: Mode::VoiceAndMessage,
            ttl: None,
            date_expiry: None,
            recording: None,
            metadata: "{}".into(),
            participants: vec![person(BUYER, "buyer")?, person(SELLER, "seller")?],
        };
        let account = self.account.clone();
        let view = relay
            .db()
            .write(move |tx| {
                let (account, new) = (account.clone(), new.clone());
                Box::pin(async move { relay::open(tx, &account, &new).await })
            })
            .await?;
        let dials = |role: &str| {
            let one = view.participants.iter().find(|one| one.role == role);
            let number = one.map(|one| one.number.to_string()).unwrap_or_default();
            Identifier::parse(&number)
        };
        let opened = Opened {
            id: view.session.id.clone(),
            buyer_dials: dials("buyer")?,
            seller_dials: dials("seller")?,
        };
        self.network.set_contact(self.buyer, "Seller", opened.buyer_dials.clone())?;
        self.network.set_contact(self.seller, "Buyer", opened.seller_dials.clone())?;
        Ok(opened)
    }

    /// Closes a session, as the marketplace would by API.
    pub(super) async fn close_session(&self, relay: &Relay, id: &SessionId) -> Result<(), Failed> {
        let (account, id) = (self.account.clone(), id.clone());
        let owner = account.clone();
        relay
            .perform(&account, None, move |tx| {
                let (account, id) = (owner.clone(), id.clone());
                Box::pin(async move {
                    let reason = crate::domain::session::ClosedReason::Api;
                    relay::close(tx, &account, &id, reason, None).await?;
                    Ok(Answer::empty(204))
                })
            })
            .await?;
        Ok(())
    }
}

/// A number in groups, as a phone shows it.
pub(super) fn shown(number: &Identifier) -> String {
    let digits = number.expose();
    match (digits.get(..2), digits.get(2..5), digits.get(5..8), digits.get(8..)) {
        (Some("+1"), Some(area), Some(exchange), Some(line)) if digits.len() == 12 => {
            format!("+1 {area} {exchange} {line}")
        }
        _ => digits.to_owned(),
    }
}
