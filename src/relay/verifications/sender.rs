//! From which proxy number a code is sent, or under which name.

use std::{collections::BTreeMap, time::Duration};

use super::SendCode;
use crate::{
    carrier::Capabilities,
    domain::{
        phone::{Country, ProxyNumber},
        sender::{SenderId, takes_names},
        verification::{Channel, Limits},
    },
    ids::AccountId,
    privacy::Person,
    relay::{
        Relay,
        error::{Error, Fault},
        messages,
    },
    store::{
        Tx,
        numbers::{self, Filter, Number, NumberState},
        services::Service,
    },
};

/// How many numbers of a pool are looked at.
const NUMBERS_MAX: i64 = 500;
/// How long a carrier is down before a code goes by another one.
const DOWN_FOR: Duration = Duration::from_secs(5);

/// What codes may be sent by now, and how often.
#[derive(Debug, Clone)]
pub struct Senders {
    pub(super) limits: Limits,
    /// What each configured carrier can do, and whether it takes anything now.
    carriers: BTreeMap<String, (Capabilities, bool)>,
}

impl Relay {
    /// What codes may be sent by now: carriers that are down come last.
    pub fn senders(&self) -> Senders {
        let down = self.health.down_for(DOWN_FOR);
        let carriers = self.carriers().iter().map(|one| {
            let up = !down.contains(&one.id);
            (one.id.clone(), (*one.adapter.capabilities(), up))
        });
        Senders { limits: self.code_limits, carriers: carriers.collect() }
    }
}

/// A number, and the carrier that it is at.
pub(super) struct Sender {
    pub(super) number: ProxyNumber,
    pub(super) carrier: String,
    /// The name that the recipient sees instead of the number.
    pub(super) id: Option<SenderId>,
}

impl From<Number> for Sender {
    fn from(number: Number) -> Self {
        Self { number: number.number, carrier: number.carrier, id: None }
    }
}

impl Senders {
    fn up(&self, number: &Number) -> bool {
        self.carriers.get(&number.carrier).is_some_and(|(_, up)| *up)
    }

    fn send_as(&self, number: &Number, id: &SenderId) -> bool {
        self.carriers.get(&number.carrier).is_some_and(|(can, _)| can.sends_as(id))
    }
}

/// The number that was named, or one of the pool: at a carrier that works, that sends under the service's name where
/// the person's country takes names, else of that country if there is one, that they want texts from, and for one person
/// the same one again. Where they want none from any, one all the same: whoever is to send it finds that out, and
/// whoever asks does not.
pub(super) async fn choose(
    tx: &mut Tx,
    account: &AccountId,
    service: &Service,
    new: &SendCode,
    person: &Person,
    senders: &Senders,
) -> Result<Sender, Error> {
    let place = new.to.country();
    let country = place.as_ref().map(Country::as_str);
    if let Some(id) = &new.from {
        let number = numbers::get(tx, account, id).await?;
        let number =
            number.filter(|one| one.service == service.id && one.state == NumberState::Active);
        let refuse = |code, allowed| Err(Error::Invalid(vec![Fault::new("/from", code, allowed)]));
        return match number {
            None => refuse("unknown_number", "must be an active number of the service"),
            Some(number) if !able(&number, new.terms.channel, country, senders) => {
                refuse("number_not_capable", "must be able to send this to that country")
            }
            Some(number) => Ok(number.into()),
        };
    }
    let filter = Filter { service: Some(service.id.clone()), registration: None };
    let mut pool = numbers::list(tx, account, &filter, "", NUMBERS_MAX).await?;
    let id = service.rules.sender_id.as_ref();
    let id = id.filter(|_| new.terms.channel == Channel::Sms && takes_names(place));
    // Under a name nobody sees the number: it may be reserved, and need not be able to text.
    let named = |one: &Number| id.is_some_and(|id| senders.send_as(one, id));
    pool.retain(|one| one.state == NumberState::Active);
    pool.retain(|one| {
        named(one) || !one.reserved && able(one, new.terms.channel, country, senders)
    });
    let class = |one: &Number| {
        let far = !named(one) && country != Some(one.country.as_str());
        (!senders.up(one), !named(one), far)
    };
    pool.sort_by_key(|one| (class(one), one.place));
    let Some(first) = pool.first().map(class) else { return Err(Error::NoSender) };
    let best = pool.iter().take_while(|one| class(one) == first).count();
    // The keyed hash of the person is as good as chance, and the same the next time.
    let chance = u32::from_str_radix(person.tag(), 16).unwrap_or(0);
    let turn = usize::try_from(chance).unwrap_or(0) % best;
    pool[..best].rotate_left(turn);
    let shown =
        |number: Number| Sender { id: id.filter(|_| named(&number)).cloned(), ..number.into() };
    let mut fallback = None;
    for number in pool {
        if !messages::unwanted(tx, account, &number.id, person).await? {
            return Ok(shown(number));
        }
        fallback.get_or_insert(number);
    }
    fallback.map(shown).ok_or(Error::NoSender)
}

/// Whether a number and its carrier can send it, and may to that country.
fn able(number: &Number, channel: Channel, country: Option<&str>, senders: &Senders) -> bool {
    let Some((carrier, _)) = senders.carriers.get(&number.carrier) else { return false };
    match channel {
        Channel::Sms => {
            let registered = &number.registered.registration;
            number.capabilities.sms && carrier.sms && registered.lets_text(&number.area, country)
        }
        Channel::Call => number.capabilities.voice && carrier.voice && !number.barred,
    }
}
