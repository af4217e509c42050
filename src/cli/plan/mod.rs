//! `entremise plan`: how many numbers to rent.

mod chart;
mod read;
mod table;

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
    sync::Mutex,
    time::{Duration, Instant},
};

use clap::{ArgGroup, Args};

use super::{Failed, output};
use crate::{
    domain::time::Timestamp,
    ids::AccountId,
    relay::plan::{self, Load, Market, Needed, Place, Played, Side, Trace},
};

const DAY: Duration = Duration::from_hours(24);

/// The pools that are played: these shares of what is needed.
const SHARES: [f64; 6] = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// How many sessions a market by chance may have: some gigabytes of them.
const SESSIONS_MAX: f64 = 20_000_000.0;

/// How many numbers somebody may have.
const HAVE_MAX: u64 = 10_000_000;

/// Say how many proxy numbers a market needs, and what fewer of them would cost.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("source").args(["per_day", "trace", "account"]).required(true))]
pub(super) struct Options {
    /// A market by chance: sessions that open in a day.
    #[arg(long, value_name = "SESSIONS", value_parser = positive)]
    per_day: Option<f64>,
    /// Real sessions: a CSV file with `start,end,one,other` (RFC 3339, and any names of the two people; they are
    /// hashed at once), and if it has them `country` and `area` of both; - for standard input.
    #[arg(long, value_name = "FILE.csv")]
    trace: Option<PathBuf>,
    /// Real sessions of an account in the database of --config, AC….
    #[arg(long, requires = "service")]
    account: Option<AccountId>,
    /// The id or name of the account's service.
    #[arg(long, value_name = "NAME", requires = "account", conflicts_with_all = ["per_day", "trace"])]
    service: Option<String>,
    #[command(flatten)]
    file: super::ConfigFile,
    /// How many days are played, or read of the database.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// How long a session is meant to last, as 3d, 12h or 1d..14d.
    #[arg(long, default_value = "1d..14d", value_parser = lengths)]
    lifetime: Lengths,
    /// The share of sessions that are closed earlier, at any moment alike.
    #[arg(long, default_value_t = 0.5, value_parser = share)]
    closed_early: f64,
    /// How long a number rests for a person after a session.
    #[arg(long, default_value = "3d", value_parser = length)]
    quarantine: Length,
    /// People on the side of which some are much in demand.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    sellers: u32,
    /// People on the other side.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=50_000_000))]
    buyers: u32,
    /// The share of all sessions (of a place) that the most popular seller is in, such as 2.5%.
    #[arg(long, value_name = "SHARE", value_parser = share, conflicts_with = "zipf")]
    most_popular: Option<f64>,
    /// How the popularity of sellers falls: the one of rank k is met as often as 1/k to this power says.
    #[arg(long, default_value_t = 0.8, value_parser = power)]
    zipf: f64,
    /// The same for buyers.
    #[arg(long, default_value_t = 0.0, value_parser = power)]
    buyers_zipf: f64,
    /// A place with its own numbers, as US, US/415 or US/415:3 (three times the people of one without a figure).
    #[arg(long = "place", value_name = "COUNTRY[/AREA][:PEOPLE]", value_parser = place)]
    places: Vec<Weighed>,
    /// The most people on one number at once: carriers throttle a number that has very many.
    #[arg(long, default_value_t = 100.0, value_parser = positive)]
    people_on_number: f64,
    /// Texts in a session, both ways together.
    #[arg(long, default_value_t = 6.0, value_parser = positive)]
    texts: f64,
    /// Texts that a number may send in a second.
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    texts_per_second: f64,
    /// Calls in a session.
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    calls: f64,
    /// How long a call takes.
    #[arg(long, default_value = "3m", value_parser = length)]
    call: Length,
    /// Calls that a number may have at once. One between two people is one on the number of each.
    #[arg(long, default_value_t = 10.0, value_parser = positive)]
    channels: f64,
    /// The busiest hour's share of a day's texts and calls.
    #[arg(long, default_value_t = 0.1, value_parser = share)]
    busy_hour: f64,
    /// What a number costs in a month, to say what all of them do.
    #[arg(long, value_parser = positive)]
    price: Option<f64>,
    /// Numbers that you have: played too, divided among places as the needed ones are.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=HAVE_MAX))]
    have: Option<u64>,
    /// What makes one market by chance another.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Write a chart of it to a file.
    #[arg(long, value_name = "FILE.svg")]
    chart: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy)]
struct Length(Duration);

#[derive(Debug, Clone, Copy)]
struct Lengths([Duration; 2]);

#[derive(Debug, Clone)]
struct Weighed(Place, f64);

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "must be a number".to_owned())?;
    if number > 0.0 && number.is_finite() {
        Ok(number)
    } else {
        Err("must be more than 0".to_owned())
    }
}

fn power(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "must be a number".to_owned())?;
    if (0.0..=4.0).contains(&number) { Ok(number) } else { Err("must be 0 to 4".to_owned()) }
}

fn share(text: &str) -> Result<f64, String> {
    let (digits, parts) = text.strip_suffix('%').map_or((text, 1.0), |digits| (digits, 100.0));
    let number: f64 = digits.trim().parse().map_err(|_| "must be as 0.25 or 25%".to_owned())?;
    if (0.0..=parts).contains(&number) {
        Ok(number / parts)
    } else {
        Err("must be 0 to 1, or 0% to 100%".to_owned())
    }
}

fn length(text: &str) -> Result<Length, String> {
    let said = || "must be a length as 90s, 3m, 12h or 3d".to_owned();
    let (digits, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(said)?;
    let seconds = match unit {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return Err(said()),
    };
    let number: f64 = digits.parse().map_err(|_| said())?;
    if !(0.0..=36_500.0 * 86_400.0).contains(&(number * seconds)) {
        return Err("must be 0 to 100 years".to_owned());
    }
    Ok(Length(Duration::from_secs_f64(number * seconds)))
}

fn lengths(text: &str) -> Result<Lengths, String> {
    let (least, most) = text.split_once("..").unwrap_or((text, text));
    let (least, most) = (length(least)?.0, length(most)?.0);
    if least <= most {
        Ok(Lengths([least, most]))
    } else {
        Err("must have the shorter first".to_owned())
    }
}

fn place(text: &str) -> Result<Weighed, String> {
    let (place, people) = text.split_once(':').unwrap_or((text, "1"));
    let (country, area) = place.split_once('/').unwrap_or((place, ""));
    let country_is = country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase());
    let area_is = area.len() <= 6 && area.bytes().all(|b| b.is_ascii_digit());
    if !country_is || !area_is {
        return Err("must be as US, US/415 or US/415:3".to_owned());
    }
    Ok(Weighed(Place { country: country.to_owned(), area: area.to_owned() }, positive(people)?))
}

/// A plan, as it is printed.
#[derive(Debug)]
struct Plan {
    sessions: u64,
    people: u64,
    /// From the first opening to the last.
    days: f64,
    quarantine: Duration,
    needed: Vec<Needed>,
    /// What becomes of pools of a share of that.
    shares: Vec<(f64, u64, Played)>,
    /// What becomes of the numbers that there are.
    have: Option<(u64, Played)>,
    price: Option<f64>,
    /// The first opening.
    start: Timestamp,
}

impl Plan {
    /// How many numbers it comes to.
    fn total(&self) -> u64 {
        self.needed.iter().map(|one| one.most().1).sum()
    }

    /// What they cost in a month, where it is said what one does.
    fn cost(&self) -> Option<f64> {
        self.price.map(|price| price * float(self.total()))
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
const fn float(count: u64) -> f64 {
    count as f64
}

fn count(many: usize) -> u64 {
    u64::try_from(many).unwrap_or(u64::MAX)
}

pub(super) async fn run(options: Options) -> Result<(), Failed> {
    let trace = trace(&options).await?;
    if trace.meetings().is_empty() {
        return Err(Failed("there is no session to plan for".to_owned()));
    }
    let quarantine = options.quarantine.0;
    let load = Load {
        people_on_number: options.people_on_number,
        texts: options.texts,
        texts_per_second: options.texts_per_second,
        calls: options.calls,
        call: options.call.0,
        channels: options.channels,
        busy_hour: options.busy_hour,
    };
    let needed = plan::needed(&trace, quarantine, &load);
    // What else binds needs more numbers than people hold, and refuses nobody.
    let held: Vec<u64> = needed.iter().map(|one| one.peaks.held).collect();
    let rounds = SHARES.len() + usize::from(options.have.is_some());
    let bar = Progress::new(trace.meetings().len() * rounds);
    let mut shares = Vec::new();
    for (place, share) in SHARES.into_iter().enumerate() {
        let sizes = plan::part_of(&held, share);
        let before = trace.meetings().len() * place;
        let played = plan::play(&trace, &sizes, quarantine, |done| bar.at(before + done)).await?;
        shares.push((share, sizes.iter().sum(), played));
    }
    let have = match options.have {
        None => None,
        Some(have) => {
            let sizes = plan::divide(have, &held);
            let before = trace.meetings().len() * SHARES.len();
            let played =
                plan::play(&trace, &sizes, quarantine, |done| bar.at(before + done)).await?;
            Some((have, played))
        }
    };
    bar.end();
    let (first, last) = trace.span().unwrap_or_default();
    let plan = Plan {
        sessions: count(trace.meetings().len()),
        people: count(trace.people()),
        days: last.since(first).as_secs_f64() / DAY.as_secs_f64(),
        quarantine,
        needed,
        shares,
        have,
        price: options.price,
        start: first,
    };
    if let Some(path) = &options.chart {
        std::fs::write(path, chart::svg(&plan))
            .map_err(|error| Failed(format!("{} cannot be written: {error}", path.display())))?;
    }
    if options.json {
        output::line(&table::json(&plan).to_string());
    } else {
        for line in table::lines(&plan) {
            output::line(&line);
        }
    }
    Ok(())
}

async fn trace(options: &Options) -> Result<Trace, Failed> {
    if let Some(path) = &options.trace {
        return read::csv(path);
    }
    if let (Some(account), Some(service)) = (&options.account, &options.service) {
        return read::live(&options.file, account, service, options.days).await;
    }
    let per_day = options.per_day.unwrap_or(0.0);
    if per_day * f64::from(options.days) > SESSIONS_MAX {
        return Err(Failed(
            "--per-day times --days must be at most 20,000,000 sessions".to_owned(),
        ));
    }
    let sellers = match options.most_popular {
        Some(share) => Side::with_most_popular(options.sellers, share),
        None => Side { people: options.sellers, zipf: options.zipf },
    };
    let mut places: Vec<(Place, f64)> =
        options.places.iter().map(|Weighed(place, people)| (place.clone(), *people)).collect();
    if places.is_empty() {
        places.push((Place::default(), 1.0));
    }
    Ok(plan::by_chance(&Market {
        per_day,
        days: options.days,
        lifetime: options.lifetime.0,
        closed_early: options.closed_early,
        sellers,
        buyers: Side { people: options.buyers, zipf: options.buyers_zipf },
        places,
        seed: options.seed,
    })?)
}

/// How far it is, on a terminal.
struct Progress {
    all: usize,
    begun: Instant,
    shown: bool,
    last: Mutex<Instant>,
}

impl Progress {
    fn new(all: usize) -> Self {
        let now = Instant::now();
        Self { all, begun: now, shown: io::stderr().is_terminal(), last: Mutex::new(now) }
    }

    fn at(&self, done: usize) {
        if !self.shown || done == 0 {
            return;
        }
        let Ok(mut last) = self.last.lock() else { return };
        if last.elapsed() < Duration::from_millis(200) {
            return;
        }
        *last = Instant::now();
        let so_far = self.begun.elapsed();
        let left = float(count(self.all.saturating_sub(done))) / float(count(done));
        let left = so_far.mul_f64(left);
        let _ = write!(
            io::stderr().lock(),
            "\r{done} of {} sessions played, {} s left \u{1b}[K",
            self.all,
            left.as_secs()
        );
    }

    fn end(&self) {
        if self.shown {
            let _ = write!(io::stderr().lock(), "\r\u{1b}[K");
        }
    }
}
