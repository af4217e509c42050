//! A pool and its holds in memory, by the rules of the database: the allocator that opens sessions chooses among
//! them. People and numbers are places in lists, so that a million sessions take seconds.

use std::collections::{BTreeMap, HashMap};

use super::trace::Place;
use crate::{
    domain::{
        phone::{ProxyNumber, Registered},
        pool::{Capabilities, Class, Ring},
        time::Timestamp,
    },
    ids::{AccountId, Id as _, NumberId, ServiceId},
    privacy::{Counterpart, Person},
    relay::{allocate::Books, error::Error},
    store::{
        holds::{Claim, Held},
        numbers::{Number, NumberState},
        rings::Seeker,
    },
};

/// The carrier of every number of the pool.
const CARRIER: &str = "any";

/// The digits of every number of the pool: nobody looks at them.
const DIGITS: &str = "+14155550100";

/// What every number of the pool can do.
const BOTH: Capabilities = Capabilities { voice: true, sms: true, mms: false };

#[derive(Debug, Clone, Copy)]
struct Holding {
    /// Until when it rests; `None` while its session is open.
    release: Option<Timestamp>,
    /// With whom the session is or was.
    with: u32,
}

/// What a mark goes back to.
#[derive(Debug)]
enum Undo {
    /// Somebody's hold of a number.
    Hold { who: u32, number: u32, before: Option<Holding> },
    /// Somebody's place in one of their rings.
    Place { who: u32, ring: usize, before: Option<i64> },
}

/// The numbers of a country, in order.
#[derive(Debug, Default)]
struct Country {
    all: Vec<u32>,
    areas: HashMap<String, Vec<u32>>,
}

/// A pool in memory. Numbers are never shared, reserved or drained in it.
#[derive(Debug)]
pub(super) struct Pool {
    /// Everybody, as the trace counts them.
    people: Vec<Person>,
    /// The two who need numbers now. The allocator asks about nobody else.
    pair: [u32; 2],
    /// The class of each of the two.
    pair_classes: [usize; 2],
    classes: Vec<Class>,
    /// The classes of which somebody of each class may be given a number.
    near: Vec<Vec<usize>>,
    /// A number of each class, without its id and place.
    models: Vec<Number>,
    /// The class of each number.
    numbers: Vec<usize>,
    countries: HashMap<String, Country>,
    /// The numbers that each person holds.
    holds: Vec<BTreeMap<u32, Holding>>,
    /// How many people hold each number.
    loads: Vec<i64>,
    /// Each person's place in the rings that they have been in.
    places: Vec<Vec<(String, i64)>>,
    /// The number that somebody last had with somebody.
    sticky: HashMap<[u32; 2], u32>,
    /// What was done since the mark.
    done: Vec<Undo>,
}

impl Pool {
    /// A pool with so many numbers of each place, for these people. `areas` says whether numbers must be of a person's
    /// own area; they must be of the own country always.
    pub(super) fn new(
        places: &[(Place, u64)],
        areas: bool,
        people: Vec<Person>,
        service: &ServiceId,
    ) -> Result<Self, Error> {
        let digits = ProxyNumber::parse(DIGITS).map_err(|_| Error::NotFound("number"))?;
        let model = |place: &Place| model(place, service, &digits);
        let mut pool = Self {
            pair: [0; 2],
            pair_classes: [0; 2],
            classes: Vec::new(),
            near: places.iter().map(|(place, _)| near(place, places, areas)).collect(),
            models: places.iter().map(|(place, _)| model(place)).collect(),
            numbers: Vec::new(),
            countries: HashMap::new(),
            holds: vec![BTreeMap::new(); people.len()],
            loads: Vec::new(),
            places: vec![Vec::new(); people.len()],
            sticky: HashMap::new(),
            done: Vec::new(),
            people,
        };
        for ((place, free), model) in places.iter().zip(&pool.models) {
            pool.classes.push(Class {
                country: place.country.clone(),
                area: place.area.clone(),
                kind: model.kind(),
                free: *free,
                reserved: 0,
            });
        }
        // The numbers of every class are spread over the whole pool, as in one that grew everywhere at once.
        let mut order: Vec<(u128, usize)> = Vec::new();
        for (class, (_, free)) in places.iter().enumerate() {
            let part = |number: u64| (u128::from(number) << 64) / u128::from((*free).max(1));
            order.extend((0..*free).map(|number| (part(number), class)));
        }
        order.sort_unstable();
        for ((_, class), number) in order.into_iter().zip(0..) {
            pool.numbers.push(class);
            pool.loads.push(0);
            let place = &places[class].0;
            let country = pool.countries.entry(place.country.clone()).or_default();
            country.all.push(number);
            country.areas.entry(place.area.clone()).or_default().push(number);
        }
        Ok(pool)
    }

    /// Says for whom numbers are chosen from now on, and of which classes they are.
    pub(super) fn meet(&mut self, pair: [u32; 2], classes: [usize; 2]) {
        self.pair = pair;
        self.pair_classes = classes;
    }

    /// Lets a number rest for somebody whose session ended, and keeps it for the same two.
    pub(super) fn end(&mut self, number: u32, who: u32, with: u32, release: Timestamp) {
        if let Some(hold) = self.holds[who as usize].get_mut(&number) {
            hold.release = Some(release);
        }
        self.sticky.insert([who, with], number);
    }

    /// Drops what rests no longer for somebody on a number, as the nightly purge does.
    pub(super) fn forget(&mut self, number: u32, who: u32, now: Timestamp) {
        let over = self.holds[who as usize].get(&number).and_then(|hold| hold.release);
        if over.is_some_and(|release| release <= now) {
            self.put(number, who, None);
        }
    }

    pub(super) fn person(&self, who: u32) -> &Person {
        &self.people[who as usize]
    }

    /// Which of the two it is, and who the other one is.
    fn who(&self, person: &Person) -> (u32, u32) {
        let [one, other] = self.pair;
        if self.person(one) == person { (one, other) } else { (other, one) }
    }

    /// Writes or removes a hold; what was there.
    fn put(&mut self, number: u32, who: u32, hold: Option<Holding>) -> Option<Holding> {
        let held = &mut self.holds[who as usize];
        let more = i64::from(hold.is_some());
        let before = match hold {
            Some(hold) => held.insert(number, hold),
            None => held.remove(&number),
        };
        self.loads[number as usize] += more - i64::from(before.is_some());
        before
    }

    /// Writes or removes somebody's place in a ring; what was there.
    fn set_place(&mut self, who: u32, ring: usize, place: Option<i64>) {
        let rings = &mut self.places[who as usize];
        match place {
            Some(place) => rings[ring].1 = place,
            None => {
                rings.remove(ring);
            }
        }
    }

    fn ring(&self, ring: &Ring) -> &[u32] {
        let country = self.countries.get(&ring.country);
        let numbers = country.and_then(|country| match &ring.area {
            None => Some(&country.all),
            Some(area) => country.areas.get(area),
        });
        numbers.map(Vec::as_slice).unwrap_or_default()
    }

    fn as_number(&self, number: u32) -> Number {
        let model = self.models[self.numbers[number as usize]].clone();
        let id = NumberId::from_text(format!("{}{number:032x}", NumberId::PREFIX));
        Number { id, place: i64::from(number), ..model }
    }
}

/// A number of a place that has no id yet.
fn model(place: &Place, service: &ServiceId, digits: &ProxyNumber) -> Number {
    Number {
        id: NumberId::from_text(String::new()),
        number: digits.clone(),
        service: service.clone(),
        carrier: CARRIER.to_owned(),
        country: place.country.clone(),
        area: place.area.clone(),
        capabilities: BOTH,
        registered: Registered::default(),
        barred: false,
        permit: None,
        reserved: false,
        shared: false,
        state: NumberState::Active,
        friendly_name: None,
        place: 0,
        version: 1,
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
    }
}

/// The places of which somebody of `place` may be given a number. The allocator would drop the others itself; of
/// hundreds of them it would do so for each session.
fn near(place: &Place, places: &[(Place, u64)], areas: bool) -> Vec<usize> {
    let fits = |other: &Place| {
        let country = place.country.is_empty() || place.country == other.country;
        country && (!areas || place.area.is_empty() || place.area == other.area)
    };
    let all = places.iter().enumerate();
    all.filter(|(_, (other, _))| fits(other)).map(|(class, _)| class).collect()
}

/// Free is what nobody holds, what rests no longer, and what rests after the same counterparts.
fn is_free(hold: Option<&Holding>, with: u32, now: Timestamp) -> bool {
    hold.is_none_or(|hold| hold.release.is_some_and(|release| release <= now || hold.with == with))
}

/// The number with that id.
fn number_of(id: &NumberId) -> Option<u32> {
    u32::from_str_radix(id.as_str().get(26..)?, 16).ok()
}

impl Books for Pool {
    async fn classes(&mut self, _: &AccountId, _: &ServiceId) -> Result<Vec<Class>, Error> {
        let [one, other] = self.pair_classes.map(|class| &self.near[class]);
        let more = other.iter().filter(|class| !one.contains(class));
        Ok(one.iter().chain(more).map(|class| self.classes[*class].clone()).collect())
    }

    async fn shared(&mut self, _: &AccountId, _: &ServiceId) -> Result<Vec<Number>, Error> {
        Ok(Vec::new())
    }

    async fn has_room(&mut self, _: &AccountId, _: &Number, _: usize) -> Result<bool, Error> {
        Ok(false)
    }

    async fn number(&mut self, _: &AccountId, id: &NumberId) -> Result<Option<Number>, Error> {
        let number = number_of(id).filter(|number| (*number as usize) < self.numbers.len());
        Ok(number.map(|number| self.as_number(number)))
    }

    async fn next_in_ring(
        &mut self,
        seeker: Seeker<'_>,
        ring: &Ring,
        from: i64,
        to: i64,
    ) -> Result<Option<Number>, Error> {
        let numbers = self.ring(ring);
        let numbers = &numbers[numbers.partition_point(|number| i64::from(*number) < from)..];
        let Some(first) = numbers.first() else { return Ok(None) };
        let (who, with) = self.who(seeker.person);
        // Both are in order: what somebody holds is passed along with the ring, not looked up for each number.
        let mut held = self.holds[who as usize].range(*first..).peekable();
        for number in numbers.iter().take_while(|number| i64::from(**number) < to) {
            while held.next_if(|(other, _)| *other < number).is_some() {}
            let hold = held.peek().filter(|(other, _)| *other == number).map(|(_, hold)| *hold);
            if is_free(hold, with, seeker.now) {
                return Ok(Some(self.as_number(*number)));
            }
        }
        Ok(None)
    }

    async fn take(&mut self, claim: Claim<'_>, now: Timestamp) -> Result<bool, Error> {
        let (who, with) = self.who(claim.person);
        let Some(number) = number_of(claim.number).filter(|it| (*it as usize) < self.numbers.len())
        else {
            return Ok(false);
        };
        let free = is_free(self.holds[who as usize].get(&number), with, now);
        if free {
            let before = self.put(number, who, Some(Holding { release: None, with }));
            self.done.push(Undo::Hold { who, number, before });
        }
        Ok(free)
    }

    async fn sticky(
        &mut self,
        _: &AccountId,
        _: &ServiceId,
        person: &Person,
        _: &Counterpart,
    ) -> Result<Option<NumberId>, Error> {
        let (who, with) = self.who(person);
        let had = self.sticky.get(&[who, with]).copied();
        Ok(had.map(|number| self.as_number(number).id))
    }

    async fn ring_place(
        &mut self,
        _: &AccountId,
        person: &Person,
        ring: &str,
    ) -> Result<Option<i64>, Error> {
        let rings = &self.places[self.who(person).0 as usize];
        Ok(rings.iter().find(|(key, _)| key == ring).map(|(_, place)| *place))
    }

    async fn set_ring_place(
        &mut self,
        _: &AccountId,
        person: &Person,
        ring: &str,
        place: i64,
    ) -> Result<(), Error> {
        let who = self.who(person).0;
        let rings = &mut self.places[who as usize];
        let known = rings.iter().position(|(key, _)| key == ring);
        let before = known.map(|known| rings[known].1);
        let at = known.unwrap_or(rings.len());
        if known.is_none() {
            rings.push((ring.to_owned(), place));
        }
        self.set_place(who, at, Some(place));
        self.done.push(Undo::Place { who, ring: at, before });
        Ok(())
    }

    async fn places(&mut self, _: &AccountId, _: &ServiceId) -> Result<i64, Error> {
        Ok(i64::try_from(self.numbers.len()).unwrap_or(i64::MAX))
    }

    async fn load(&mut self, _: &AccountId, id: &NumberId, most: i64) -> Result<i64, Error> {
        let load = number_of(id).and_then(|number| self.loads.get(number as usize)).copied();
        Ok(load.unwrap_or(0).min(most))
    }

    /// Only the words of a refusal need it, and nobody reads them here.
    async fn held(
        &mut self,
        _: &AccountId,
        _: &ServiceId,
        _: &Person,
        _: Timestamp,
    ) -> Result<Vec<Held>, Error> {
        Ok(Vec::new())
    }

    async fn mark(&mut self) -> Result<(), Error> {
        self.done.clear();
        Ok(())
    }

    async fn rollback_to_mark(&mut self) -> Result<(), Error> {
        while let Some(undo) = self.done.pop() {
            match undo {
                Undo::Hold { who, number, before } => {
                    self.put(number, who, before);
                }
                Undo::Place { who, ring, before } => self.set_place(who, ring, before),
            }
        }
        Ok(())
    }

    async fn release_mark(&mut self) -> Result<(), Error> {
        self.done.clear();
        Ok(())
    }
}
