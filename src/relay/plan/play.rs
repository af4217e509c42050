//! Opens and ends a trace's sessions on a pool in memory, by the allocator that serves requests.

use std::{collections::HashMap, time::Duration};

use ring::digest::{SHA256, digest};

use super::{
    books::Pool,
    trace::{Place, Trace},
};
use crate::{
    domain::{
        policy::{GeoMatch, Rules},
        session::Mode,
        time::Timestamp,
    },
    ids::{AccountId, Id, ParticipantId, SessionId},
    privacy::{Counterpart, Person},
    relay::{
        allocate::{self, For, Wanted},
        error::Error,
    },
    store::services::Service,
};

/// A number that somebody gets again this soon for another counterpart may reach the wrong one of the two from a
/// saved contact.
const SOON: Duration = Duration::from_hours(7 * 24);

/// After how many sessions it is told how far it is.
const STEP: usize = 8192;

/// How a pool did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Played {
    /// Sessions that were opened.
    pub opened: u64,
    /// Sessions that nobody could be found a number for.
    pub refused: u64,
    /// When the first was refused.
    pub first_refused: Option<Timestamp>,
    /// Numbers that were given out again to somebody for another counterpart.
    pub reused: u64,
    /// Those of them within seven days of the end of the session before.
    pub reused_soon: u64,
    /// The most people at once on one number, in open sessions.
    pub crowd: u64,
    /// The mean of it over the pool, when most were open at all.
    pub mean: f64,
}

impl Played {
    /// The share of sessions that were refused, 0 to 1.
    pub fn refusal(&self) -> f64 {
        let all = self.opened + self.refused;
        if all == 0 { 0.0 } else { ratio(self.refused, all) }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share of counts that are far below 2^52")]
pub(super) fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

struct Game<'a> {
    trace: &'a Trace,
    pool: Pool,
    account: AccountId,
    session: SessionId,
    service: Service,
    quarantine: Duration,
    /// The sessions in the order in which they end, which is also that of their quarantines.
    ends: Vec<u32>,
    /// How many of them have ended.
    ended: usize,
    /// How many of them have had their quarantine.
    released: usize,
    /// The numbers of each session; `None` for one that was refused.
    given: Vec<Option<[u32; 2]>>,
    /// With whom somebody last had a number, and until when.
    last: HashMap<[u32; 2], (u32, Timestamp)>,
    /// How many people each number has in open sessions.
    crowds: Vec<u64>,
    open: u64,
    most_open: u64,
    played: Played,
}

/// Plays the whole trace on a pool of so many numbers for each of its classes. `tell` hears how many sessions are done,
/// now and then.
///
/// # Errors
/// What the allocator answers but for a pool that is exhausted; on a pool in memory there is nothing of the kind.
pub async fn play(
    trace: &Trace,
    sizes: &[u64],
    quarantine: Duration,
    tell: impl Fn(usize) + Send,
) -> Result<Played, Error> {
    let mut rules = Rules::new("Plan".to_owned());
    rules.quarantine = quarantine;
    rules.geo_match = geo_match(trace.places());
    rules.geo_fallback = false;
    let areas = rules.geo_match == GeoMatch::AreaCode;
    let service = service(rules);
    let places: Vec<(Place, u64)> =
        trace.places().iter().cloned().zip(sizes.iter().copied()).collect();
    let numbers: u64 = places.iter().map(|(_, numbers)| *numbers).sum();
    let people = (0..trace.people()).filter_map(person).collect();
    let mut game = Game {
        trace,
        pool: Pool::new(&places, areas, people, &service.id)?,
        account: id(),
        session: id(),
        service,
        quarantine,
        ends: trace.by_end(),
        ended: 0,
        released: 0,
        given: Vec::with_capacity(trace.meetings().len()),
        last: HashMap::new(),
        crowds: vec![0; usize::try_from(numbers).unwrap_or(0)],
        open: 0,
        most_open: 0,
        played: Played::default(),
    };
    for place in 0..trace.meetings().len() {
        game.until(trace.meetings()[place].start);
        let given = game.open(place).await?;
        game.given.push(given);
        if place.is_multiple_of(STEP) {
            tell(place);
        }
    }
    game.played.mean = if numbers == 0 { 0.0 } else { ratio(game.most_open * 2, numbers) };
    Ok(game.played)
}

/// An id: of each kind there is one.
fn id<I: Id>() -> I {
    I::from_text(format!("{}{:032x}", I::PREFIX, 0))
}

fn service(rules: Rules) -> Service {
    Service {
        id: id(),
        unique_name: "plan".to_owned(),
        rules,
        callback_secret: None,
        version: 1,
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
        deleted: false,
    }
}

/// How near numbers must be, by what the classes tell apart.
fn geo_match(places: &[Place]) -> GeoMatch {
    if places.iter().any(|place| !place.area.is_empty()) {
        GeoMatch::AreaCode
    } else if places.iter().any(|place| !place.country.is_empty()) {
        GeoMatch::Country
    } else {
        GeoMatch::Any
    }
}

/// Somebody, spread over the ring as the keyed hash of a real number is.
fn person(index: usize) -> Option<Person> {
    let hash = digest(&SHA256, &index.to_be_bytes());
    let half: [u8; 16] = hash.as_ref().get(..16)?.try_into().ok()?;
    Person::parse(&format!("{:032x}", u128::from_be_bytes(half)))
}

impl Game<'_> {
    /// Opens a session if there are numbers for it: which.
    async fn open(&mut self, place: usize) -> Result<Option<[u32; 2]>, Error> {
        let meeting = self.trace.meetings()[place];
        let [one, other] = meeting.people;
        self.pool.meet(meeting.people, meeting.people.map(|who| self.trace.class_of(who)));
        let mut wanted = Vec::with_capacity(2);
        for (who, with) in [(one, other), (other, one)] {
            let with = Counterpart::parse(self.pool.person(with).as_str());
            let Some(counterpart) = with else { return Ok(None) };
            let near = &self.trace.places()[self.trace.class_of(who)];
            wanted.push(Wanted {
                participant: ParticipantId::from_text(String::new()),
                person: self.pool.person(who).clone(),
                counterpart,
                country: Some(near.country.clone()).filter(|country| !country.is_empty()),
                area: near.area.clone(),
                pinned: None,
            });
        }
        let ctx = For {
            account: &self.account,
            service: &self.service,
            session: &self.session,
            mode: Mode::VoiceAndMessage,
            carrier: None,
            shares: false,
            without: None,
            now: meeting.start,
        };
        let chosen = match allocate::allocate(&mut self.pool, ctx, &wanted).await {
            Ok(chosen) => chosen,
            Err(Error::PoolExhausted(_)) => {
                self.played.refused += 1;
                self.played.first_refused.get_or_insert(meeting.start);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        // A number of the pool is its place in it.
        let mut numbers = chosen.iter().filter_map(|one| u32::try_from(one.number.place).ok());
        let (Some(first), Some(second)) = (numbers.next(), numbers.next()) else {
            return Ok(None);
        };
        self.seat(place, [first, second]);
        Ok(Some([first, second]))
    }

    fn seat(&mut self, place: usize, numbers: [u32; 2]) {
        let meeting = self.trace.meetings()[place];
        self.played.opened += 1;
        self.open += 1;
        self.most_open = self.most_open.max(self.open);
        let [one, other] = meeting.people;
        for ((who, with), number) in [(one, other), (other, one)].into_iter().zip(numbers) {
            let crowd = &mut self.crowds[number as usize];
            *crowd += 1;
            self.played.crowd = self.played.crowd.max(*crowd);
            let last = self.last.insert([who, number], (with, meeting.end));
            if let Some((_, ended)) = last.filter(|(before, _)| *before != with) {
                self.played.reused += 1;
                self.played.reused_soon += u64::from(meeting.start.since(ended) < SOON);
            }
        }
    }

    /// Ends what has ended by `now`.
    fn until(&mut self, now: Timestamp) {
        while let Some(place) = self.ends.get(self.ended).map(|place| *place as usize) {
            // One that lasts no time at all may end before it was opened here.
            if self.trace.meetings()[place].end > now || place >= self.given.len() {
                break;
            }
            self.end(place);
            self.ended += 1;
        }
        while self.released < self.ended {
            let place = self.ends[self.released] as usize;
            let meeting = self.trace.meetings()[place];
            let at = meeting.end + self.quarantine;
            if at > now {
                break;
            }
            for (who, number) in
                meeting.people.into_iter().zip(self.given[place].into_iter().flatten())
            {
                self.pool.forget(number, who, at);
            }
            self.released += 1;
        }
    }

    fn end(&mut self, place: usize) {
        let Some(numbers) = self.given[place] else { return };
        let meeting = self.trace.meetings()[place];
        let release = meeting.end + self.quarantine;
        self.open -= 1;
        let [one, other] = meeting.people;
        for ((who, with), number) in [(one, other), (other, one)].into_iter().zip(numbers) {
            self.pool.end(number, who, with, release);
            self.crowds[number as usize] -= 1;
        }
    }
}
