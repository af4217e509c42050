//! A plan as a table for a terminal, and as JSON.

use serde_json::{Value, json};

use super::{DAY, Plan};
use crate::{
    cli::output::Paint,
    domain::time::Timestamp,
    relay::plan::{Bound, Needed, Place, Played},
};

/// What each bound is, in words.
const fn words(bound: Bound) -> &'static str {
    match bound {
        Bound::Held => "numbers that one person holds",
        Bound::People => "people on one number",
        Bound::Texts => "texts in a second",
        Bound::Calls => "calls at once",
    }
}

fn place(place: &Place) -> String {
    match (&*place.country, &*place.area) {
        ("", _) => "all".to_owned(),
        (country, "") => country.to_owned(),
        (country, area) => format!("{country} {area}"),
    }
}

/// A count with its thousands apart.
fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// On which day the first session was refused, from 1.
fn day(plan: &Plan, played: &Played) -> Option<f64> {
    let first: Timestamp = played.first_refused?;
    Some(first.since(plan.start).as_secs_f64() / DAY.as_secs_f64())
}

fn lasted(plan: &Plan, played: &Played) -> String {
    day(plan, played).map_or_else(
        || "never exhausted".to_owned(),
        |day| format!("exhausted on day {:.0}", day + 1.0),
    )
}

/// The lines of the table.
pub(super) fn lines(plan: &Plan) -> Vec<String> {
    let paint = Paint::new();
    let mut out = vec![
        format!(
            "{} sessions of {} people in {:.0} days; a number rests for {:.1} days",
            count(plan.sessions),
            count(plan.people),
            plan.days,
            plan.quarantine.as_secs_f64() / DAY.as_secs_f64(),
        ),
        String::new(),
        paint.bold(&format!(
            "{:<12} {:>9}  {:<30} {:>8} {:>8} {:>8} {:>8}",
            "class", "numbers", "what binds", "held", "people", "texts", "calls"
        )),
    ];
    let mut classes: Vec<&Needed> = plan.needed.iter().collect();
    classes.sort_by(|a, b| b.most().1.cmp(&a.most().1).then_with(|| a.place.cmp(&b.place)));
    for one in classes {
        let (bound, numbers) = one.most();
        let [held, people, texts, calls] = one.bounds.map(|(_, numbers)| count(numbers));
        out.push(format!(
            "{:<12} {:>9}  {:<30} {held:>8} {people:>8} {texts:>8} {calls:>8}",
            place(&one.place),
            count(numbers),
            words(bound),
        ));
    }
    out.push(paint.bold(&format!("{:<12} {:>9}", "together", count(plan.total()))));
    if let Some((price, cost)) = plan.price.zip(plan.cost()) {
        out.push(format!("{:<12} {cost:>9.2}  a month, at {price} a number", "cost"));
    }
    out.push(String::new());
    out.push(paint.bold("With fewer numbers than people hold:"));
    out.push(format!("{:>6} {:>9}  {:>10}  {}", "share", "numbers", "refused", "the pool is"));
    for (share, numbers, played) in &plan.shares {
        out.push(row(plan, &format!("{:.0} %", share * 100.0), *numbers, played));
    }
    if let Some((numbers, played)) = &plan.have {
        out.push(row(plan, "yours", *numbers, played));
    }
    out
}

fn row(plan: &Plan, share: &str, numbers: u64, played: &Played) -> String {
    let refused = format!("{:.2} %", played.refusal() * 100.0);
    format!("{share:>6} {:>9}  {refused:>10}  {}", count(numbers), lasted(plan, played))
}

/// The plan as one object.
pub(super) fn json(plan: &Plan) -> Value {
    let played = |numbers: u64, played: &Played| {
        json!({
            "numbers": numbers,
            "opened": played.opened,
            "refused": played.refused,
            "refusal_rate": played.refusal(),
            "days_to_exhaustion": day(plan, played),
            "reused_for_another": played.reused,
            "reused_for_another_within_7_days": played.reused_soon,
            "most_people_on_one_number": played.crowd,
            "mean_people_on_one_number": played.mean,
        })
    };
    let classes: Vec<Value> = plan
        .needed
        .iter()
        .map(|one| {
            let (bound, numbers) = one.most();
            let bounds = one
                .bounds
                .iter()
                .map(|(bound, numbers)| (bound.as_str().to_owned(), json!(numbers)));
            json!({
                "country": one.place.country,
                "area": one.place.area,
                "numbers": numbers,
                "binds": bound.as_str(),
                "bounds": bounds.collect::<serde_json::Map<_, _>>(),
                "sessions": one.peaks.sessions,
                "most_open": one.peaks.open,
            })
        })
        .collect();
    let shares: Vec<Value> = plan
        .shares
        .iter()
        .map(|(share, numbers, one)| {
            let mut row = played(*numbers, one);
            row["share"] = json!(share);
            row
        })
        .collect();
    json!({
        "sessions": plan.sessions,
        "people": plan.people,
        "days": plan.days,
        "quarantine_days": plan.quarantine.as_secs_f64() / DAY.as_secs_f64(),
        "numbers": plan.total(),
        "monthly_cost": plan.cost(),
        "classes": classes,
        "pools": shares,
        "yours": plan.have.as_ref().map(|(numbers, one)| played(*numbers, one)),
    })
}
