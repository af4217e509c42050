//! What something costs: exact, in millionths of a currency's unit. Nothing is ever a float.

use std::fmt;

/// A currency by its three letters (ISO 4217).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Reads three letters of either case; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let letters: [u8; 3] = text.as_bytes().try_into().ok()?;
        letters
            .iter()
            .all(u8::is_ascii_alphabetic)
            .then(|| Self(letters.map(|b| b.to_ascii_uppercase())))
    }

    /// The three letters, in upper case.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

closed_set! {
    /// What a price is for.
    Per {
        /// Each part of a text that is sent.
        Segment = "segment",
        /// Each text with pictures or files that is sent.
        Media = "media",
        /// Each call that we make or put through.
        Call = "call",
        /// Each minute of it that was begun.
        Minute = "minute",
        /// Each minute of a call that came in.
        InboundMinute = "inbound_minute",
    }
}

/// An amount of a currency, zero or more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Price {
    micros: i64,
    currency: Currency,
}

/// The most that one thing may cost, in millionths: a million.
const MOST: i64 = 1_000_000_000_000;

/// Where a decimal's unit is, in digits behind the point.
const DIGITS: i32 = 6;

impl Price {
    /// So many millionths, a million units at most; `None` beyond, and below zero.
    pub fn new(micros: i64, currency: Currency) -> Option<Self> {
        (0..=MOST).contains(&micros).then_some(Self { micros, currency })
    }

    /// Reads a decimal without a sign, such as `0.0075` or `7.5e-3`, and a currency. What is finer than a
    /// millionth is rounded half up. `None` for anything else, and for more than a million.
    pub fn parse(amount: &str, currency: &str) -> Option<Self> {
        Self::new(micros(amount)?, Currency::parse(currency)?)
    }

    /// Reads an amount, a space and a currency, such as `0.0075 USD`.
    pub fn parse_both(text: &str) -> Option<Self> {
        let (amount, currency) = text.split_once(' ')?;
        Self::parse(amount, currency)
    }

    /// In millionths.
    pub const fn micros(self) -> i64 {
        self.micros
    }

    /// The currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The same so many times; `None` beyond a million.
    pub fn times(self, count: u64) -> Option<Self> {
        let micros = self.micros.checked_mul(i64::try_from(count).ok()?)?;
        Self::new(micros, self.currency)
    }

    /// Both together; `None` of two currencies, and beyond a million.
    pub fn plus(self, other: Self) -> Option<Self> {
        let same = self.currency == other.currency;
        same.then(|| Self::new(self.micros + other.micros, self.currency)).flatten()
    }
}

/// Millionths as a decimal: at least two digits behind the point, and no more than there are.
pub fn decimal(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let (whole, part) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
    let part = format!("{part:06}");
    let kept = part.trim_end_matches('0').len().max(2);
    format!("{sign}{whole}.{}", &part[..kept])
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Currency({})", self.as_str())
    }
}

impl fmt::Debug for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Price({self})")
    }
}

/// `0.0075 USD`.
impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", decimal(self.micros), self.currency.as_str())
    }
}

/// Reads a decimal without a sign as millionths; what is finer is rounded half up. `None` for anything else.
pub fn micros(text: &str) -> Option<i64> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits: String = [whole, part].concat();
    let plain =
        !digits.is_empty() && digits.len() <= 30 && digits.bytes().all(|b| b.is_ascii_digit());
    if !plain || !(-30..=30).contains(&exponent) {
        return None;
    }
    let value: i128 = digits.parse().ok()?;
    // How far the last digit is from a millionth.
    let shift = DIGITS + exponent - i32::try_from(part.len()).ok()?;
    let ten = |power: i32| 10_i128.checked_pow(u32::try_from(power).ok()?);
    let micros = if shift >= 0 {
        if value == 0 { 0 } else { value.checked_mul(ten(shift)?)? }
    } else {
        match ten(-shift) {
            Some(unit) => (value + unit / 2) / unit,
            None => 0,
        }
    };
    i64::try_from(micros).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Decimals are read exactly, in each form that carriers write; what is finer than a millionth is
    /// rounded half up.
    #[test]
    fn decimals_are_exact() {
        for (text, micros) in [
            ("0.0075", 7_500),
            ("0.00750", 7_500),
            ("0.03330000", 33_300),
            ("7.5e-3", 7_500),
            ("1E2", 100_000_000),
            ("0", 0),
            ("12", 12_000_000),
            (".5", 500_000),
            ("5.", 5_000_000),
            ("0.0000005", 1),
            ("0.0000004", 0),
            ("1e-30", 0),
            ("1000000", 1_000_000_000_000),
        ] {
            let price = Price::parse(text, "usd").unwrap();
            assert_eq!((price.micros(), price.currency().as_str()), (micros, "USD"), "{text}");
        }
        for text in [
            "",
            ".",
            "-1",
            "+1",
            "1,5",
            "1.2.3",
            "0x1",
            "1e",
            "1e99",
            "1000000.000001",
            "NaN",
            " 1",
        ] {
            assert_eq!(Price::parse(text, "USD"), None, "{text}");
        }
        for currency in ["", "US", "USDT", "U1D", "U$D"] {
            assert_eq!(Price::parse("1", currency), None, "{currency}");
        }
        assert_eq!(Price::parse_both("0.0075 EUR").unwrap().to_string(), "0.0075 EUR");
        assert_eq!(Price::parse_both("1 EUR").unwrap().to_string(), "1.00 EUR");
        assert_eq!(Price::parse_both("0.0075EUR"), None);
    }

    /// Two currencies are never added, and nothing overflows.
    #[test]
    fn currencies_are_kept_apart() {
        let [one, other] = ["1 EUR", "1 USD"].map(|text| Price::parse_both(text).unwrap());
        assert_eq!(one.plus(other), None);
        assert_eq!(one.plus(one), one.times(2));
        assert_eq!(one.times(1_000_001), None);
        assert_eq!(one.times(u64::MAX), None);
    }

    proptest! {
        /// What is written is read back.
        #[test]
        fn written_and_read(micros in 0..=MOST) {
            let text = decimal(micros);
            prop_assert_eq!(Price::parse(&text, "EUR").unwrap().micros(), micros);
        }
    }
}
