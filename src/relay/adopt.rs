//! Services and numbers that began elsewhere and go on here, with their ids.

use super::{
    error::Error,
    inventory::{
        Elsewhere, NewNumber, NewService, add_number_as, create_service_as, number_faults,
    },
};
use crate::{
    domain::{
        phone::{ProxyNumber, Registered},
        policy::Rules,
        pool::Capabilities,
    },
    ids::{AccountId, NumberId, ServiceId},
    store::{
        Tx,
        numbers::{self, NumberState},
        services,
    },
};

/// A service that began elsewhere.
#[derive(Debug, Clone)]
pub struct AdoptService {
    /// Its id.
    pub id: ServiceId,
    /// Its name.
    pub unique_name: String,
    /// Its rules.
    pub rules: Rules,
}

/// A proxy number that has an id elsewhere.
#[derive(Debug, Clone)]
pub struct AdoptNumber {
    /// Its id.
    pub id: NumberId,
    /// Its service, which is here already.
    pub service: ServiceId,
    /// The number.
    pub number: ProxyNumber,
    /// The carrier's id in the configuration.
    pub carrier: String,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Whether it is given only when named.
    pub reserved: bool,
    /// What it is called there; `None` for its digits.
    pub friendly_name: Option<String>,
}

/// Takes a service over; whether it was not here yet.
///
/// # Errors
/// Those of [`super::create_service`].
pub async fn adopt_service(
    tx: &mut Tx,
    account: &AccountId,
    new: &AdoptService,
) -> Result<bool, Error> {
    if services::get(tx, account, &new.id).await?.is_some() {
        return Ok(false);
    }
    let AdoptService { id, unique_name, rules } = new.clone();
    create_service_as(tx, account, id, &NewService { unique_name, rules }).await?;
    Ok(true)
}

/// Takes a number over; whether it was not here yet.
///
/// # Errors
/// Those of [`super::add_number`].
pub async fn adopt_number(
    tx: &mut Tx,
    account: &AccountId,
    new: &AdoptNumber,
) -> Result<bool, Error> {
    let there = numbers::get(tx, account, &new.id).await?;
    if there.is_some_and(|number| number.state != NumberState::Retired) {
        return Ok(false);
    }
    let AdoptNumber { id, service, number, carrier, capabilities, reserved, friendly_name } =
        new.clone();
    let new = NewNumber { service, number, carrier, capabilities, reserved };
    let known = Elsewhere { id: Some(id), friendly_name, ..Elsewhere::default() };
    add_number_as(tx, account, known, &new).await?;
    Ok(true)
}

/// What keeps a service and its numbers from being taken over. Ids only.
///
/// # Errors
/// The store's.
pub async fn in_the_way(
    tx: &mut Tx,
    account: &AccountId,
    service: &AdoptService,
    pool: &[AdoptNumber],
) -> Result<Vec<String>, Error> {
    let mut faults = Vec::new();
    let id = &service.id;
    let named = services::by_name(tx, account, &service.unique_name).await?;
    if let Some(other) = named.filter(|other| other.id != *id) {
        faults.push(format!("service {id}: service {} has its unique name here", other.id));
    }
    for one in pool {
        let owner = numbers::owner(tx, &one.number).await?;
        let here = match owner {
            Some((owner, there)) if owner == *account && there.id == one.id => continue,
            other => other.is_some(),
        };
        if here {
            faults.push(format!("number {}: it is in an inventory here already", one.id));
        }
        let refused = number_faults(tx, &one.number, &Registered::default());
        faults.extend(refused.iter().map(|why| format!("number {}: it {}", one.id, why.message)));
    }
    Ok(faults)
}
