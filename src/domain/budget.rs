//! How much may be spent, and how much of it has been.

use super::price::{Currency, Price};

/// What may be spent; what is `None` is not bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Budget {
    /// Money in a day (UTC).
    pub per_day: Option<Price>,
    /// Money in a calendar month (UTC).
    pub per_month: Option<Price>,
    /// Texts in a day.
    pub texts: Option<u64>,
    /// Minutes of calls in a day, of each leg.
    pub minutes: Option<u64>,
}

/// What was spent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spent {
    /// Texts today.
    pub texts: u64,
    /// Minutes today.
    pub minutes: u64,
    /// Money today, in millionths of each currency.
    pub day: Vec<(Currency, i64)>,
    /// Money this month.
    pub month: Vec<(Currency, i64)>,
}

impl Budget {
    /// Whether nothing is bounded.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// How much of it was spent, in percent, of what is nearest its end: 100 and more when nothing is
    /// left. Money of another currency than the budget's does not count.
    pub fn percent(&self, spent: &Spent) -> u64 {
        let of = |used: u64, most: u64| used.saturating_mul(100).checked_div(most).unwrap_or(100);
        let money = |budget: Option<Price>, spent: &[(Currency, i64)]| {
            budget.map(|most| {
                let used = spent.iter().find(|(currency, _)| *currency == most.currency());
                let micros = |amount: i64| u64::try_from(amount).unwrap_or(0);
                of(micros(used.map_or(0, |(_, amount)| *amount)), micros(most.micros()))
            })
        };
        [
            money(self.per_day, &spent.day),
            money(self.per_month, &spent.month),
            self.texts.map(|most| of(spent.texts, most)),
            self.minutes.map(|most| of(spent.minutes, most)),
        ]
        .into_iter()
        .flatten()
        .max()
        .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is nearest its end counts, in its own currency; a budget of nothing is spent.
    #[test]
    fn what_is_nearest_its_end_counts() {
        let price = |text| Price::parse_both(text).unwrap();
        let [eur, usd] = ["EUR", "USD"].map(|text| Currency::parse(text).unwrap());
        let spent = Spent {
            texts: 50,
            minutes: 9,
            day: vec![(eur, 40_000_000), (usd, 900_000_000)],
            month: vec![(eur, 99_000_000)],
        };
        let none = Budget::default();
        assert!(none.is_none());
        assert_eq!(none.percent(&spent), 0);
        let texts = Budget { texts: Some(200), ..none };
        assert_eq!(texts.percent(&spent), 25);
        let day = Budget { per_day: Some(price("50 EUR")), ..texts };
        assert_eq!(day.percent(&spent), 80);
        let month = Budget { per_month: Some(price("99 EUR")), ..day };
        assert_eq!(month.percent(&spent), 100);
        let minutes = Budget { minutes: Some(3), ..month };
        assert_eq!(minutes.percent(&spent), 300);
        let other = Budget { per_day: Some(price("1 GBP")), ..none };
        assert_eq!(other.percent(&spent), 0);
        assert_eq!(Budget { texts: Some(0), ..none }.percent(&Spent::default()), 100);
    }
}
