//! Chooses proxy numbers: pinned → sticky → the one of this person's ring that has rested longest.
//!
//! The hold is the arbiter: what was read may be stale, and then the database's key says no and the
//! walk goes on (`docs/adr/0007-allocation.md`).

mod books;

pub(super) use self::books::Books;
use super::error::{Error, Exhausted, Fault};
use crate::{
    domain::{
        phone::{ProxyClass, nanp},
        policy::{GeoMatch, Selection},
        pool::{self, Capabilities, ChosenBy, Class, Narrowed, Narrowing, Need, Ring, Rule},
        session::Mode,
        time::Timestamp,
    },
    ids::{AccountId, NumberId, ParticipantId, SessionId},
    privacy::{Counterpart, Person},
    store::{
        holds::{Claim, Held},
        numbers::{Number, NumberState},
        rings::Seeker,
        services::Service,
    },
};

/// How many holders of a number are counted when a person's first place in a ring is chosen.
const LOAD_MAX: i64 = 256;

/// How far the middle of another area may be for a match by radius.
const RADIUS_KM: u16 = 100;

/// Somebody who needs a number.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) participant: ParticipantId,
    pub(super) person: Person,
    pub(super) counterpart: Counterpart,
    /// ISO 3166 alpha-2 code of their own number, if known.
    pub(super) country: Option<String>,
    /// Area code of their own number, or empty.
    pub(super) area: String,
    /// The number that the marketplace named.
    pub(super) pinned: Option<NumberId>,
}

/// A number that was chosen, with its hold taken.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    pub(super) number: Number,
    pub(super) by: ChosenBy,
    pub(super) steps: Vec<Narrowing>,
}

/// For whom numbers are chosen.
#[derive(Debug, Clone, Copy)]
pub(super) struct For<'a> {
    pub(super) account: &'a AccountId,
    pub(super) service: &'a Service,
    pub(super) session: &'a SessionId,
    pub(super) mode: Mode,
    /// The carrier that the session's other numbers are at.
    pub(super) carrier: Option<&'a str>,
    /// Whether a number that sessions share will do where none else is left.
    pub(super) shares: bool,
    /// A carrier whose numbers are not chosen.
    pub(super) without: Option<&'a str>,
    pub(super) now: Timestamp,
}

/// Takes a number for each, in the order of `wanted`. Whoever finds none left in the pool gets one that sessions
/// share, where the service has one and lets them: without a hold, since a PIN says there whose session is meant.
pub(super) async fn allocate<B: Books>(
    books: &mut B,
    ctx: For<'_>,
    wanted: &[Wanted],
) -> Result<Vec<Chosen>, Error> {
    let none_left = match allocate_pool(books, ctx, wanted).await {
        Err(Error::PoolExhausted(why)) if ctx.shares => why,
        done => return done,
    };
    for shared in books.shared(ctx.account, &ctx.service.id).await? {
        let other = ctx.carrier.is_some_and(|carrier| carrier != shared.carrier);
        let barred = ctx.mode.voice() && (shared.barred || other);
        if barred || !shared.capabilities.covers(needed(ctx.mode)) {
            continue;
        }
        if !wanted.iter().all(|one| may_text(&need(ctx, one, None), &shared)) {
            continue;
        }
        if !books.has_room(ctx.account, &shared, wanted.len()).await? {
            continue;
        }
        let mut classes = books.classes(ctx.account, &ctx.service.id).await?;
        classes.retain(|class| ctx.without != Some(class.kind.carrier.as_str()));
        let carrier = ctx.mode.voice().then_some(shared.carrier.as_str());
        books.mark().await?;
        match allocate_at(books, ctx, &classes, wanted, (carrier, Some(&shared))).await {
            Ok(chosen) => {
                books.release_mark().await?;
                return Ok(chosen);
            }
            Err(Error::PoolExhausted(_) | Error::NumberInUse) => books.rollback_to_mark().await?,
            Err(error) => return Err(error),
        }
    }
    Err(Error::PoolExhausted(none_left))
}

/// Takes a number of the pool for each. A session with calls keeps to one carrier: each carrier that could serve
/// everybody is tried, the largest first.
async fn allocate_pool<B: Books>(
    books: &mut B,
    ctx: For<'_>,
    wanted: &[Wanted],
) -> Result<Vec<Chosen>, Error> {
    let mut classes = books.classes(ctx.account, &ctx.service.id).await?;
    classes.retain(|class| ctx.without != Some(class.kind.carrier.as_str()));
    let mut carriers: Vec<Option<String>> = vec![ctx.carrier.map(str::to_owned)];
    if ctx.mode.voice() && ctx.carrier.is_none() {
        let pinned = pinned_carrier(books, ctx, wanted).await?;
        let narrowed: Vec<Narrowed> = wanted
            .iter()
            .filter(|one| one.pinned.is_none())
            .map(|one| pool::narrow(&classes, &need(ctx, one, pinned.as_deref())))
            .collect();
        let common = match pinned {
            Some(carrier) => vec![carrier],
            None => pool::carriers_in_common(&narrowed),
        };
        if common.is_empty() {
            return Err(no_carrier(&narrowed));
        }
        carriers = common.into_iter().map(Some).collect();
    }
    let mut last = None;
    for carrier in carriers {
        books.mark().await?;
        match allocate_at(books, ctx, &classes, wanted, (carrier.as_deref(), None)).await {
            Ok(chosen) => {
                books.release_mark().await?;
                return Ok(chosen);
            }
            Err(error @ (Error::PoolExhausted(_) | Error::NumberInUse)) => {
                books.rollback_to_mark().await?;
                last = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| no_carrier(&[])))
}

/// What emptied the set where no carrier can serve everybody.
fn no_carrier(narrowed: &[Narrowed]) -> Error {
    let empty = narrowed.iter().enumerate().find(|(_, one)| one.rings.is_empty());
    Error::PoolExhausted(match empty {
        Some((participant, one)) => refused_by_rule(participant, one),
        None => Exhausted {
            participant: 0,
            rule: Rule::Carrier,
            steps: narrowed.first().map(|one| one.steps.clone()).unwrap_or_default(),
            next_free_at: None,
        },
    })
}

fn refused_by_rule(participant: usize, narrowed: &Narrowed) -> Exhausted {
    Exhausted {
        participant,
        rule: narrowed.steps.last().map_or(Rule::Service, |step| step.rule),
        steps: narrowed.steps.clone(),
        next_free_at: None,
    }
}

async fn pinned_carrier<B: Books>(
    books: &mut B,
    ctx: For<'_>,
    wanted: &[Wanted],
) -> Result<Option<String>, Error> {
    let mut carrier = None;
    for (place, one) in wanted.iter().enumerate() {
        let Some(id) = &one.pinned else { continue };
        let number = pinned_number(books, ctx, one, place, id).await?;
        match &carrier {
            None => carrier = Some(number.carrier),
            Some(other) if *other == number.carrier => {}
            Some(_) => {
                return Err(Error::Invalid(vec![Fault::new(
                    format!("/participants/{place}/proxy_number_id"),
                    "carrier_mismatch",
                    "must be at the same carrier as the others, since the session relays calls",
                )]));
            }
        }
    }
    Ok(carrier)
}

async fn pinned_number<B: Books>(
    books: &mut B,
    ctx: For<'_>,
    who: &Wanted,
    place: usize,
    id: &NumberId,
) -> Result<Number, Error> {
    let fault = |code, message: &str| {
        let pointer = format!("/participants/{place}/proxy_number_id");
        Error::Invalid(vec![Fault::new(pointer, code, message)])
    };
    let number = books
        .number(ctx.account, id)
        .await?
        .filter(|number| number.service == ctx.service.id)
        .ok_or_else(|| fault("unknown_number", "must be a number of the service's pool"))?;
    if number.state != NumberState::Active {
        return Err(fault("number_not_active", "must be an active number"));
    }
    if number.shared {
        return Err(fault("number_shared", "must not be a number that sessions share"));
    }
    if !number.capabilities.covers(needed(ctx.mode)) {
        return Err(fault(
            "number_not_capable",
            "must be able to do what the session's mode needs",
        ));
    }
    if !may_text(&need(ctx, who, None), &number) {
        return Err(fault(
            "number_not_registered",
            "must be registered for texts to where the participant's own number is \
             (docs/numbering.md)",
        ));
    }
    if ctx.mode.voice() && number.barred {
        let class = ProxyClass::of(&number.number).map(ProxyClass::refusal);
        let words = format!("must not be a number that {}", class.unwrap_or_default());
        return Err(fault("number_class", &words));
    }
    if ctx.carrier.is_some_and(|carrier| ctx.mode.voice() && carrier != number.carrier) {
        return Err(fault(
            "carrier_mismatch",
            "must be at the same carrier as the session's other numbers, since it relays calls",
        ));
    }
    Ok(number)
}

const fn needed(mode: Mode) -> Capabilities {
    Capabilities { voice: mode.voice(), sms: mode.message(), mms: false }
}

/// What somebody needs of a number, by the service's rules and the session's mode.
pub(super) fn need(ctx: For<'_>, wanted: &Wanted, carrier: Option<&str>) -> Need {
    let rules = &ctx.service.rules;
    let mut areas = Vec::new();
    if !wanted.area.is_empty() {
        areas = match rules.geo_match {
            GeoMatch::Any | GeoMatch::Country => Vec::new(),
            GeoMatch::AreaCode => vec![wanted.area.clone()],
            GeoMatch::Overlay => with_own(&wanted.area, nanp::overlay(&wanted.area)),
            GeoMatch::Radius => with_own(&wanted.area, nanp::near(&wanted.area, RADIUS_KM)),
            GeoMatch::ExtendedAreaCode => {
                let mut areas = with_own(&wanted.area, nanp::overlay(&wanted.area));
                let near = nanp::near(&wanted.area, RADIUS_KM).into_iter().map(str::to_owned);
                let near: Vec<String> = near.filter(|area| !areas.contains(area)).collect();
                areas.extend(near);
                areas
            }
        };
    }
    Need {
        capabilities: needed(ctx.mode),
        country: wanted.country.clone().filter(|_| rules.geo_match != GeoMatch::Any),
        areas,
        any_area: rules.geo_fallback,
        carrier: carrier.map(str::to_owned),
        to: wanted.country.clone(),
    }
}

/// The person's own area first, then the others.
fn with_own(own: &str, others: Vec<&'static str>) -> Vec<String> {
    let others = others.into_iter().filter(|area| *area != own).map(str::to_owned);
    std::iter::once(own.to_owned()).chain(others).collect()
}

async fn allocate_at<B: Books>(
    books: &mut B,
    ctx: For<'_>,
    classes: &[Class],
    wanted: &[Wanted],
    (carrier, shared): (Option<&str>, Option<&Number>),
) -> Result<Vec<Chosen>, Error> {
    // Always in the order of the people: two that want the same two never wait for each other.
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].person.cmp(&wanted[*b].person));
    let mut chosen: Vec<Option<Chosen>> = vec![None; wanted.len()];
    for place in order {
        let one = choose(books, ctx, classes, &wanted[place], place, carrier).await;
        chosen[place] = Some(match (one, shared) {
            (Err(Error::PoolExhausted(why)), Some(shared)) => {
                Chosen { number: shared.clone(), by: ChosenBy::Shared, steps: why.steps }
            }
            (one, _) => one?,
        });
    }
    Ok(chosen.into_iter().flatten().collect())
}

async fn choose<B: Books>(
    books: &mut B,
    ctx: For<'_>,
    classes: &[Class],
    wanted: &Wanted,
    place: usize,
    carrier: Option<&str>,
) -> Result<Chosen, Error> {
    if let Some(id) = &wanted.pinned {
        let number = pinned_number(books, ctx, wanted, place, id).await?;
        return if take(books, ctx, wanted, &number).await? {
            Ok(Chosen { number, by: ChosenBy::Pinned, steps: Vec::new() })
        } else {
            Err(Error::NumberInUse)
        };
    }
    let need = need(ctx, wanted, carrier);
    let narrowed = pool::narrow(classes, &need);
    if narrowed.rings.is_empty() {
        return Err(Error::PoolExhausted(refused_by_rule(place, &narrowed)));
    }
    let sticky = sticky_number(books, ctx, wanted, &need, &narrowed.rings).await?;
    if ctx.service.rules.selection == Selection::PreferSticky
        && let Some(number) = &sticky
        && take(books, ctx, wanted, number).await?
    {
        let (by, steps) = (ChosenBy::Sticky, narrowed.steps);
        return Ok(Chosen { number: number.clone(), by, steps });
    }
    let avoid = sticky.as_ref().filter(|_| ctx.service.rules.selection == Selection::AvoidSticky);
    for ring in &narrowed.rings {
        if let Some(number) = walk(books, ctx, wanted, ring, &need, avoid).await? {
            return Ok(Chosen { number, by: ChosenBy::Ring, steps: narrowed.steps });
        }
    }
    if let Some(number) = avoid
        && take(books, ctx, wanted, number).await?
    {
        let (by, steps) = (ChosenBy::Ring, narrowed.steps);
        return Ok(Chosen { number: number.clone(), by, steps });
    }
    Err(Error::PoolExhausted(held_all(books, ctx, wanted, place, narrowed).await?))
}

async fn take<B: Books>(
    books: &mut B,
    ctx: For<'_>,
    who: &Wanted,
    number: &Number,
) -> Result<bool, Error> {
    let claim = Claim {
        account: ctx.account,
        number: &number.id,
        person: &who.person,
        session: ctx.session,
        participant: &who.participant,
        counterpart: &who.counterpart,
    };
    books.take(claim, ctx.now).await
}

fn in_rings(rings: &[Ring], number: &Number) -> bool {
    rings.iter().any(|ring| ring.has(&number.country, &number.area, &number.kind()))
}

/// Whether a number that a ring has may text where the person's own number is: of one kind there may be
/// toll-free numbers and others.
fn may_text(need: &Need, number: &Number) -> bool {
    need.may_text(&number.area, number.registered.registration)
}

/// The number that somebody had with the same people before, where it suits.
pub(super) async fn sticky_number<B: Books>(
    books: &mut B,
    ctx: For<'_>,
    wanted: &Wanted,
    need: &Need,
    rings: &[Ring],
) -> Result<Option<Number>, Error> {
    let id =
        books.sticky(ctx.account, &ctx.service.id, &wanted.person, &wanted.counterpart).await?;
    let Some(id) = id else { return Ok(None) };
    let number = books.number(ctx.account, &id).await?;
    Ok(number.filter(|number| {
        number.state == NumberState::Active
            && !number.reserved
            && !number.shared
            && in_rings(rings, number)
            && may_text(need, number)
    }))
}

/// Once around the ring, from where this person's last number was.
async fn walk<B: Books>(
    books: &mut B,
    ctx: For<'_>,
    wanted: &Wanted,
    ring: &Ring,
    need: &Need,
    avoid: Option<&Number>,
) -> Result<Option<Number>, Error> {
    let key = &ring.key(need);
    let seeker = Seeker {
        account: ctx.account,
        service: &ctx.service.id,
        person: &wanted.person,
        counterpart: &wanted.counterpart,
        now: ctx.now,
    };
    let start = match books.ring_place(ctx.account, &wanted.person, key).await? {
        Some(place) => place + 1,
        None => first_place(books, seeker, ring).await?,
    };
    for (mut from, to) in [(start, i64::MAX), (0, start)] {
        while let Some(number) = books.next_in_ring(seeker, ring, from, to).await? {
            let avoided = avoid.is_some_and(|other| other.id == number.id);
            if !avoided && may_text(need, &number) && take(books, ctx, wanted, &number).await? {
                let place = number.place;
                books.set_ring_place(ctx.account, &wanted.person, key, place).await?;
                return Ok(Some(number));
            }
            from = number.place + 1;
        }
    }
    Ok(None)
}

/// Where a person's walk begins the first time: the less loaded of two places that follow from
/// who they are, so that people spread over the pool.
async fn first_place<B: Books>(
    books: &mut B,
    seeker: Seeker<'_>,
    ring: &Ring,
) -> Result<i64, Error> {
    let places = books.places(seeker.account, seeker.service).await?.max(1);
    let mut best: Option<(i64, i64)> = None;
    for half in [0..15, 16..31] {
        let digits = seeker.person.as_str().get(half).unwrap_or("0");
        let place = i64::from_str_radix(digits, 16).unwrap_or(0) % places;
        let Some(number) = books.next_in_ring(seeker, ring, place, i64::MAX).await? else {
            continue;
        };
        let load = books.load(seeker.account, &number.id, LOAD_MAX).await?;
        if best.is_none_or(|(least, _)| load < least) {
            best = Some((load, number.place));
        }
    }
    Ok(best.map_or(0, |(_, place)| place))
}

/// Everything that suits is held by this person: in open sessions, or also in quarantine.
async fn held_all<B: Books>(
    books: &mut B,
    ctx: For<'_>,
    wanted: &Wanted,
    place: usize,
    narrowed: Narrowed,
) -> Result<Exhausted, Error> {
    let held = books.held(ctx.account, &ctx.service.id, &wanted.person, ctx.now).await?;
    let suits = |one: &&Held| {
        narrowed.rings.iter().any(|ring| {
            ring.country == one.country && ring.area.as_ref().is_none_or(|a| *a == one.area)
        })
    };
    let free_at: Vec<Timestamp> =
        held.iter().filter(suits).filter_map(|one| one.release_at).collect();
    let mut steps = narrowed.steps;
    let rule = if free_at.is_empty() { Rule::InUse } else { Rule::Quarantine };
    steps.push(Narrowing { rule, left: 0 });
    Ok(Exhausted { participant: place, rule, steps, next_free_at: free_at.into_iter().min() })
}
