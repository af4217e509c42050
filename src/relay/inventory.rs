//! Services and their proxy numbers.

use serde_json::json;

use super::{
    error::{Error, Fault},
    signed::new_keys,
    twilio_proxy,
};
use crate::{
    domain::{
        audit::{Action, Detail, Entry, changed_fields},
        event::EventKind,
        phone::{Identifier, ProxyNumber, Registered, Registration, Standing},
        policy::Rules,
        pool::Capabilities,
    },
    ids::{AccountId, NumberId, ServiceId, SessionId},
    privacy::webhook::WebhookSecret,
    store::{
        self, Tx, accounts, audit, events,
        events::Place,
        holds,
        numbers::{self, Number, NumberState},
        participants,
        services::{self, Service},
    },
};

/// A service to make.
#[derive(Debug, Clone)]
pub struct NewService {
    /// Its name, unique in the account.
    pub unique_name: String,
    /// Its rules.
    pub rules: Rules,
}

/// Refuses a name and rules that are not allowed; `before` is what they were.
async fn check(
    tx: &mut Tx,
    unique_name: &str,
    rules: &Rules,
    before: Option<&Rules>,
) -> Result<(), Error> {
    let mut faults: Vec<Fault> = rules
        .faults()
        .into_iter()
        .chain(rules.lacking())
        .map(|(field, allowed)| Fault::new(format!("/{field}"), "not_allowed", allowed))
        .collect();
    if let Some(fault) = loose_name_fault(unique_name) {
        faults.insert(0, fault);
    }
    if let Some(fault) = rules.line_fault(&tx.bounds()) {
        faults.push(Fault::new("/out_of_session_number", fault.as_str(), fault.words()));
    }
    let line = rules.out_of_session_number.as_ref();
    // A line that joined a pool later is not in the way of other changes; it is not rung any more.
    let changed = before.is_none_or(|before| before.out_of_session_number.as_ref() != line);
    if let Some(line) = line.filter(|_| changed)
        && numbers::is_ours(tx, line).await?
    {
        let words = "must not be a proxy number";
        faults.push(Fault::new("/out_of_session_number", "proxy_number", words));
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::Invalid(faults)) }
}

/// What is wrong with a unique name, whichever API gives it: it stands in clear, so it must be no
/// telephone number, and it stands where ids stand.
pub fn loose_name_fault(name: &str) -> Option<Fault> {
    let fault = |code, message| Some(Fault::new("/unique_name", code, message));
    if !(1..=191).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return fault("not_allowed", "must have 1 to 191 characters, none of control");
    }
    if Identifier::parse(name).is_ok() {
        return fault("looks_like_a_number", "must not be a telephone number");
    }
    let like_an_id = ServiceId::parse(name).is_ok() || SessionId::parse(name).is_ok();
    like_an_id.then(|| Fault::new("/unique_name", "looks_like_an_id", "must not look like an id"))
}

/// The service that somebody names by its id or its unique name.
///
/// # Errors
/// [`Error::NotFound`], also for what can be no name.
pub async fn find_service(tx: &mut Tx, account: &AccountId, named: &str) -> Result<Service, Error> {
    let found = match ServiceId::parse(named) {
        Ok(id) => services::get(tx, account, &id).await?,
        Err(_) if loose_name_fault(named).is_some() => None,
        Err(_) => services::by_name(tx, account, named).await?,
    };
    found.ok_or(Error::NotFound("service"))
}

/// What is wrong with a unique name in the native API: it stands in paths and in clear, so it must
/// not look like an id or a number.
pub fn name_fault(name: &str) -> Option<Fault> {
    let length = name.chars().count();
    let ok = (1..=191).contains(&length)
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._~-:@".contains(c));
    let fault = |code, message| Some(Fault::new("/unique_name", code, message));
    if !ok {
        return fault("not_allowed", "must have 1 to 191 letters, digits and characters of ._~-:@");
    }
    let digits = name.chars().filter(char::is_ascii_digit).count();
    let letters = name.chars().filter(char::is_ascii_alphabetic).count();
    if letters == 0 && digits >= 7 {
        return fault("looks_like_a_number", "must not look like a telephone number");
    }
    (name.len() == 34 && ServiceId::parse(name).is_ok())
        .then(|| Fault::new("/unique_name", "looks_like_an_id", "must not look like an id"))
}

/// The brand of a service that names none: the account's name, as far as it may be said.
pub async fn default_brand(tx: &mut Tx, account: &AccountId) -> Result<String, Error> {
    let name = accounts::get(tx, account).await?.map(|account| account.name).unwrap_or_default();
    let said: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
    Ok(if said.trim().is_empty() { "us".to_owned() } else { said })
}

/// Makes a service.
///
/// # Errors
/// [`Error::Invalid`], [`Error::UniqueNameTaken`].
pub async fn create_service(
    tx: &mut Tx,
    account: &AccountId,
    new: &NewService,
) -> Result<Service, Error> {
    let id = tx.id().await?;
    create_service_as(tx, account, id, new).await
}

/// The same with this id.
pub(super) async fn create_service_as(
    tx: &mut Tx,
    account: &AccountId,
    id: ServiceId,
    new: &NewService,
) -> Result<Service, Error> {
    check(tx, &new.unique_name, &new.rules, None).await?;
    let now = tx.now().await?;
    let service = Service {
        id,
        unique_name: new.unique_name.clone(),
        rules: new.rules.clone(),
        callback_secret: callback_secret(tx, &new.rules, None)?,
        version: 1,
        created_at: now,
        updated_at: now,
        deleted: false,
    };
    services::insert(tx, account, &service).await.map_err(taken)?;
    twilio_proxy::of_service(tx, account, &service.id, &new.rules.proxy.callback_url).await?;
    let entry = Entry::new(Action::ServiceCreated, service.id.as_str());
    let entry = about_secret(entry, false, service.callback_secret.is_some());
    audit::append(tx, account, entry).await?;
    Ok(service)
}

/// What signs a service's questions: a new secret where it begins to ask, none where it ends.
fn callback_secret(
    tx: &Tx,
    rules: &Rules,
    before: Option<WebhookSecret>,
) -> Result<Option<WebhookSecret>, Error> {
    if rules.out_of_session_url.is_empty() || before.is_some() {
        return Ok(before.filter(|_| !rules.out_of_session_url.is_empty()));
    }
    Ok(Some(new_keys(tx)?.secret().clone()))
}

/// What became of the secret that signs a service's questions, if anything.
fn about_secret(entry: Entry, before: bool, after: bool) -> Entry {
    match (before, after) {
        (false, true) => entry.with(Detail::Secret, "made"),
        (true, false) => entry.with(Detail::Secret, "forgotten"),
        _ => entry,
    }
}

fn taken(error: store::Error) -> Error {
    match error {
        store::Error::Conflict => Error::UniqueNameTaken,
        other => other.into(),
    }
}

/// Changes a service's name and rules; `change` gets what they are.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Invalid`], [`Error::UniqueNameTaken`],
/// [`Error::VersionMismatch`].
pub async fn update_service(
    tx: &mut Tx,
    account: &AccountId,
    id: &ServiceId,
    version: Option<i64>,
    change: &(dyn Fn(&mut String, &mut Rules) + Send + Sync),
) -> Result<Service, Error> {
    let mut service = services::get(tx, account, id).await?.ok_or(Error::NotFound("service"))?;
    if version.is_some_and(|version| version != service.version) {
        return Err(Error::VersionMismatch);
    }
    let (before, name) = (service.rules.clone(), service.unique_name.clone());
    let had_secret = service.callback_secret.is_some();
    change(&mut service.unique_name, &mut service.rules);
    check(tx, &service.unique_name, &service.rules, Some(&before)).await?;
    service.callback_secret = callback_secret(tx, &service.rules, service.callback_secret)?;
    service.version += 1;
    service.updated_at = tx.now().await?;
    if !services::update(tx, account, &service).await.map_err(taken)? {
        return Err(Error::VersionMismatch);
    }
    twilio_proxy::of_service(tx, account, id, &service.rules.proxy.callback_url).await?;
    let mut names = before.changed(&service.rules);
    if name != service.unique_name {
        names.insert(0, "unique_name");
    }
    let entry = Entry::new(Action::ServiceUpdated, id.as_str()).changed(names);
    let entry = about_secret(entry, had_secret, service.callback_secret.is_some());
    audit::append(tx, account, entry).await?;
    Ok(service)
}

/// A number to add to a pool.
#[derive(Debug, Clone)]
pub struct NewNumber {
    /// The service whose pool it joins.
    pub service: ServiceId,
    /// The number.
    pub number: ProxyNumber,
    /// The carrier's id in the configuration.
    pub carrier: String,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Whether it is given only when named.
    pub reserved: bool,
}

/// Adds a number to a service's pool. One that was retired comes back under its id, since its
/// quarantines do. Whether it is registered for texts is not known, or as it was.
///
/// # Errors
/// [`Error::NotFound`], [`Error::NumberTaken`], [`Error::Invalid`], also where a country's rule refuses
/// it.
pub async fn add_number(
    tx: &mut Tx,
    account: &AccountId,
    new: &NewNumber,
) -> Result<Number, Error> {
    add_number_as(tx, account, Elsewhere::default(), new).await
}

/// The same with what is known of its registration.
///
/// # Errors
/// The same; [`Error::Invalid`] also for a registration that it can't have.
pub async fn add_registered_number(
    tx: &mut Tx,
    account: &AccountId,
    new: &NewNumber,
    registered: &Registered,
) -> Result<Number, Error> {
    let known = Elsewhere { registered: registered.clone(), ..Elsewhere::default() };
    add_number_as(tx, account, known, new).await
}

/// What a new number brings along.
#[derive(Debug, Clone, Default)]
pub(super) struct Elsewhere {
    /// The id that it has elsewhere.
    pub(super) id: Option<NumberId>,
    /// What it is called there.
    pub(super) friendly_name: Option<String>,
    /// Whether it is registered for texts.
    pub(super) registered: Registered,
}

/// What stands for and against a number: whether it is kept from calls, and why it is let in.
pub(super) fn standing(tx: &Tx, number: &ProxyNumber) -> (bool, Option<String>) {
    match tx.permits().judge(number) {
        Standing::Free => (false, None),
        Standing::Permitted(reason) => (false, Some(reason.to_owned())),
        Standing::Barred(_) => (true, None),
    }
}

/// What is wrong with a number, whoever's it is: the rule that refuses it, and a registration that it
/// can't have.
pub(super) fn number_faults(tx: &Tx, number: &ProxyNumber, registered: &Registered) -> Vec<Fault> {
    let mut faults = Vec::new();
    if let Standing::Barred(class) = tx.permits().judge(number) {
        faults.push(Fault::new("/number", "number_class", class.refusal()));
    }
    if let Some((member, allowed)) = registered.fault(number) {
        faults.push(Fault::new(format!("/{member}"), "not_allowed", allowed));
    }
    faults
}

pub(super) async fn add_number_as(
    tx: &mut Tx,
    account: &AccountId,
    known: Elsewhere,
    new: &NewNumber,
) -> Result<Number, Error> {
    let Elsewhere { id, friendly_name, registered } = known;
    let faults = number_faults(tx, &new.number, &registered);
    if !faults.is_empty() {
        return Err(Error::Invalid(faults));
    }
    services::get(tx, account, &new.service).await?.ok_or(Error::NotFound("service"))?;
    let keys = accounts::keys(tx, account).await?;
    if holds::any_open(tx, account, &keys.index.person(&new.number.canonical())).await? {
        let words = "is the own number of somebody in an open session: calls would go round";
        return Err(Error::Invalid(vec![Fault::new("/number", "participant", words)]));
    }
    let now = tx.now().await?;
    let retired = numbers::retired(tx, account, &new.number).await?;
    if let Some(retired) = retired.filter(|one| id.as_ref().is_none_or(|id| *id == one.id)) {
        return come_back(tx, account, retired, new, registered).await;
    }
    let id = id.unwrap_or_else(|| tx.id_at(now));
    let country = new.number.country().map(|country| country.as_str().to_owned());
    let (barred, permit) = standing(tx, &new.number);
    let number = Number {
        id: id.clone(),
        number: new.number.clone(),
        service: new.service.clone(),
        carrier: new.carrier.clone(),
        country: country.unwrap_or_default(),
        area: new.number.area().to_owned(),
        capabilities: new.capabilities,
        registered: registered.of(&new.number),
        barred,
        permit,
        reserved: new.reserved,
        shared: false,
        state: NumberState::Active,
        friendly_name,
        place: 0,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    numbers::insert(tx, account, &number).await.map_err(|error| match error {
        store::Error::Conflict => Error::NumberTaken,
        other => other.into(),
    })?;
    let place = Place { service: Some(&new.service), ..Place::default() };
    let data = json!({ "number_id": id }).to_string();
    events::insert(tx, account, EventKind::NumberAdded, place, &data, now).await?;
    audit::append(tx, account, joined(&number)).await?;
    Ok(numbers::get(tx, account, &id).await?.unwrap_or(number))
}

fn joined(number: &Number) -> Entry {
    Entry::new(Action::NumberAdded, number.id.as_str())
        .with(Detail::Service, number.service.as_str())
        .with(Detail::Carrier, number.carrier.as_str())
}

async fn come_back(
    tx: &mut Tx,
    account: &AccountId,
    before: Number,
    new: &NewNumber,
    registered: Registered,
) -> Result<Number, Error> {
    let now = tx.now().await?;
    let (barred, permit) = standing(tx, &new.number);
    let known = registered.registration != Registration::Unknown;
    let number = Number {
        service: new.service.clone(),
        carrier: new.carrier.clone(),
        capabilities: new.capabilities,
        registered: if known { registered.of(&new.number) } else { before.registered.clone() },
        barred,
        permit,
        reserved: new.reserved,
        shared: false,
        state: NumberState::Active,
        version: before.version + 1,
        updated_at: now,
        ..before
    };
    numbers::restore(tx, account, &number).await.map_err(|error| match error {
        store::Error::Conflict => Error::NumberTaken,
        other => other.into(),
    })?;
    let place = Place { service: Some(&new.service), ..Place::default() };
    let data = json!({ "number_id": number.id }).to_string();
    events::insert(tx, account, EventKind::NumberAdded, place, &data, now).await?;
    audit::append(tx, account, joined(&number)).await?;
    numbers::get(tx, account, &number.id).await?.ok_or(Error::NotFound("number"))
}

/// Brings a retired number of the account's back into a pool, as it was but for the pool.
///
/// # Errors
/// [`Error::NotFound`] for a number or service that is not there, [`Error::NumberTaken`] for one that
/// is in a pool, [`Error::Invalid`].
pub async fn restore_number(
    tx: &mut Tx,
    account: &AccountId,
    id: &NumberId,
    service: &ServiceId,
    reserved: bool,
) -> Result<Number, Error> {
    let number = numbers::get(tx, account, id).await?.ok_or(Error::NotFound("number"))?;
    if number.state != NumberState::Retired {
        return Err(Error::NumberTaken);
    }
    let new = NewNumber {
        service: service.clone(),
        number: number.number,
        carrier: number.carrier,
        capabilities: number.capabilities,
        reserved,
    };
    add_number(tx, account, &new).await
}

/// What may change in a number.
#[derive(Debug, Clone, Default)]
pub struct UpdateNumber {
    /// Whether it is given only when named.
    pub reserved: Option<bool>,
    /// Whether sessions share it, by PIN.
    pub shared: Option<bool>,
    /// Whether it is given at all.
    pub state: Option<NumberState>,
    /// Whether it is registered for texts. Without a campaign of its own one that is not registered
    /// loses the one that it had.
    pub registration: Option<Registration>,
    /// Its campaign; `Some(None)` for none.
    pub campaign: Option<Option<String>>,
}

impl UpdateNumber {
    fn apply(self, number: &mut Number) -> Result<(), Error> {
        number.reserved = self.reserved.unwrap_or(number.reserved);
        number.shared = self.shared.unwrap_or(number.shared);
        number.state = self.state.unwrap_or(number.state);
        if self.registration.is_none() && self.campaign.is_none() {
            return Ok(());
        }
        let registration = self.registration.unwrap_or(number.registered.registration);
        let kept = number
            .registered
            .campaign
            .take()
            .filter(|_| matches!(registration, Registration::TenDlc | Registration::TollFree));
        let registered = Registered { registration, campaign: self.campaign.unwrap_or(kept) };
        if let Some((member, allowed)) = registered.fault(&number.number) {
            let fault = Fault::new(format!("/{member}"), "not_allowed", allowed);
            return Err(Error::Invalid(vec![fault]));
        }
        number.registered = registered.of(&number.number);
        Ok(())
    }
}

/// Changes a number. One with open sessions can be drained, not retired.
///
/// # Errors
/// [`Error::NotFound`], [`Error::VersionMismatch`], [`Error::NumberHasSessions`], [`Error::Invalid`].
pub async fn update_number(
    tx: &mut Tx,
    account: &AccountId,
    id: &NumberId,
    change: UpdateNumber,
    version: Option<i64>,
) -> Result<Number, Error> {
    let (before, after) = change_number(tx, account, id, change, version).await?;
    let mut names = changed_fields!(Registered, &before.registered, after.registered, {
        registration => "registration",
        campaign => "campaign",
    });
    for (changed, name) in [
        (before.reserved != after.reserved, "reserved"),
        (before.shared != after.shared, "shared"),
        (before.state != after.state, "state"),
    ] {
        names.extend(changed.then_some(name));
    }
    let retired = after.state == NumberState::Retired;
    let action = if retired { Action::NumberRetired } else { Action::NumberUpdated };
    audit::append(tx, account, Entry::new(action, id.as_str()).changed(names)).await?;
    Ok(after)
}

/// The same as a part of something that is in the audit log itself; what it was and what it is.
pub(super) async fn change_number(
    tx: &mut Tx,
    account: &AccountId,
    id: &NumberId,
    change: UpdateNumber,
    version: Option<i64>,
) -> Result<(Number, Number), Error> {
    let before = numbers::get(tx, account, id)
        .await?
        .filter(|number| number.state != NumberState::Retired)
        .ok_or(Error::NotFound("number"))?;
    if version.is_some_and(|version| version != before.version) {
        return Err(Error::VersionMismatch);
    }
    let mut after = before.clone();
    change.apply(&mut after)?;
    after.version += 1;
    after.updated_at = tx.now().await?;
    if !numbers::update(tx, account, &before, &after).await? {
        return Err(Error::VersionMismatch);
    }
    let retired = after.state == NumberState::Retired;
    if retired && holds::open_on(tx, account, id).await? > 0 {
        return Err(Error::NumberHasSessions);
    }
    // Whoever dials it is known there by a hold, or by a PIN, and not by the other.
    let other = before.shared != after.shared || (retired && before.shared);
    if other && participants::live_on(tx, account, id).await? > 0 {
        return Err(Error::NumberHasSessions);
    }
    Ok((before, after))
}
