//! Numbers as a carrier sells and keeps them: found, bought, set, listed and given back.
//!
//! Pure like all of the seam. Whoever asks keeps to one order: what was bought is looked for before it
//! is bought again, and what a number's settings were is kept before they are changed.

use std::fmt;

use serde_json::Value;

use super::{Links, Request, Response, SendError};
use crate::{
    carrier::error::{Retry, SendErrorKind, unreadable},
    domain::{
        closed_set,
        phone::{Country, ProxyNumber},
        pool::Capabilities,
        price::Price,
    },
};

closed_set! {
    /// What sort of number it is, as carriers sell them.
    NumberKind {
        /// Of a place.
        Local = "local",
        /// Of a mobile network.
        Mobile = "mobile",
        /// Paid for by whoever is called.
        TollFree = "toll-free",
        /// Of a country, and of no place in it.
        National = "national",
    }
}

closed_set! {
    /// What a carrier wants before it sells a number.
    Want {
        /// An address of the customer's, kept with the carrier.
        Address = "address",
        /// Papers, kept with the carrier and approved by it.
        Bundle = "bundle",
    }
}

/// Which numbers are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// ISO 3166 alpha-2 code, in upper case.
    pub country: String,
    /// The sort.
    pub kind: NumberKind,
    /// Digits of the area code; at most 8.
    pub area: Option<String>,
    /// Digits that are somewhere in it; at most 15.
    pub contains: Option<String>,
    /// What it must be able to do.
    pub can: Capabilities,
    /// How many at most; 1 to 50.
    pub limit: u8,
}

impl Search {
    /// Whether a number has the digits that are looked for. Not every carrier can be asked so closely.
    pub fn fits(&self, number: &ProxyNumber) -> bool {
        let digits = number.as_str().trim_start_matches('+');
        let code = Country::parse(&self.country).and_then(Country::calling_code);
        let begins =
            |area: &String| code.is_none_or(|code| digits.starts_with(&format!("{code}{area}")));
        self.area.as_ref().is_none_or(begins)
            && self.contains.as_ref().is_none_or(|part| digits.contains(part.as_str()))
    }
}

/// A number that the carrier would sell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The number.
    pub number: ProxyNumber,
    /// Its sort.
    pub kind: NumberKind,
    /// What it can do.
    pub can: Capabilities,
    /// What it costs a month, where the carrier says so.
    pub price: Option<Price>,
    /// What the carrier wants first.
    pub wants: Vec<Want>,
}

/// One number to buy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purchase {
    /// The number.
    pub number: ProxyNumber,
    /// Its sort.
    pub kind: NumberKind,
    /// What it is bought for.
    pub can: Capabilities,
    /// Ours: the same however often this purchase is tried.
    pub reference: String,
    /// The carrier's id of the customer's address.
    pub address: Option<String>,
    /// The carrier's id of the customer's papers.
    pub bundle: Option<String>,
}

/// What came of a purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bought {
    /// The number is the customer's.
    Now,
    /// The carrier has an order of that id, which takes its time.
    Ordered(String),
}

/// How far an order has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The carrier is at it.
    Pending,
    /// The number is the customer's.
    Done,
    /// It will not be; with the carrier's code.
    Failed(Option<String>),
}

/// A number that the customer has at the carrier.
#[derive(Clone, PartialEq, Eq)]
pub struct Held {
    /// The carrier's id of it.
    pub id: String,
    /// The number.
    pub number: ProxyNumber,
    /// What it can do, where the carrier says so.
    pub can: Option<Capabilities>,
    /// Where its calls and texts go now, as JSON that only this adapter reads. It may hold addresses
    /// with passwords.
    pub settings: String,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("id", &self.id)
            .field("number", &self.number)
            .field("can", &self.can)
            .finish_non_exhaustive()
    }
}

/// Some of the numbers that the customer has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeldPage {
    /// These.
    pub held: Vec<Held>,
    /// What asks for the next page, if there is one.
    pub next: Option<String>,
}

/// A carrier whose numbers can be dealt with.
pub trait Provisioning: Send + Sync {
    /// The request for numbers on sale; `None` where it sells none of that sort, or none by API.
    fn search(&self, search: &Search) -> Option<Request>;

    /// What its answer offers.
    ///
    /// # Errors
    /// [`SendError`] for anything but a list; none on sale is an empty one.
    fn found(&self, search: &Search, response: &Response) -> Result<Vec<Offer>, SendError>;

    /// The request for prices, where those of a search do not come with it.
    fn prices(&self, _search: &Search) -> Option<Request> {
        None
    }

    /// What its answer says a number of that sort costs a month.
    fn priced(&self, _search: &Search, _response: &Response) -> Option<Price> {
        None
    }

    /// The request that buys one; `None` where numbers are not sold by API.
    fn buy(&self, purchase: &Purchase) -> Option<Request>;

    /// What came of it.
    ///
    /// # Errors
    /// [`SendError`]: with `Retry::Unknown` it may have been bought, with any other it certainly was
    /// not.
    fn bought(&self, purchase: &Purchase, response: &Response) -> Result<Bought, SendError>;

    /// The request that asks by its reference whether the carrier has an order for it.
    fn trace(&self, _purchase: &Purchase) -> Option<Request> {
        None
    }

    /// The order that its answer names, if there is one.
    ///
    /// # Errors
    /// [`SendError`] where the carrier could not tell.
    fn traced(&self, _response: &Response) -> Result<Option<String>, SendError> {
        Err(SendError::new(SendErrorKind::Unsupported, Retry::Never))
    }

    /// The request that asks how far an order has come.
    fn order(&self, _id: &str) -> Option<Request> {
        None
    }

    /// What its answer says.
    ///
    /// # Errors
    /// [`SendError`] where the carrier could not tell.
    fn ordered(&self, _response: &Response) -> Result<Progress, SendError> {
        Err(SendError::new(SendErrorKind::Unsupported, Retry::Never))
    }

    /// The request that asks whether the customer has a number.
    fn held(&self, number: &ProxyNumber) -> Request;

    /// What its answer says.
    ///
    /// # Errors
    /// [`SendError`] where the carrier could not tell.
    fn held_one(
        &self,
        number: &ProxyNumber,
        response: &Response,
    ) -> Result<Option<Held>, SendError>;

    /// The requests that send its calls and texts to us, for as much as it is to do, in order. The
    /// same again does no harm.
    fn configure(&self, held: &Held, can: Capabilities, links: &Links) -> Vec<Request>;

    /// The requests that send them where they went before, by [`Held::settings`] as they were then.
    fn restore(&self, held: &Held, before: &str) -> Vec<Request>;

    /// The request that gives it back to the carrier, who charges for it no more; `None` where that is
    /// not done by API.
    fn release(&self, held: &Held) -> Option<Request>;

    /// What an answer to one of [`Self::configure`], [`Self::restore`] or [`Self::release`] means.
    ///
    /// # Errors
    /// [`SendError`]. None of them is harmful twice, so nothing about them is unknown.
    fn changed(&self, response: &Response) -> Result<(), SendError>;

    /// The request for all numbers that the customer has: the first page, or the one after.
    fn page(&self, next: Option<&str>) -> Request;

    /// What the answer to [`Self::page`] of `at` lists.
    ///
    /// # Errors
    /// [`SendError`] for anything but a page that can be read whole.
    fn listed(&self, at: Option<&str>, response: &Response) -> Result<HeldPage, SendError>;
}

/// The one of `listed` that is asked for, where there is one.
///
/// # Errors
/// Where it is there and can't be read.
pub(super) fn the_one(
    listed: &[Value],
    is: impl Fn(&Value) -> bool,
    read: impl FnOnce(&Value) -> Option<Held>,
) -> Result<Option<Held>, SendError> {
    let found = listed.iter().find(|one| is(one));
    found.map(|one| read(one).ok_or_else(unreadable)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The area code is what follows the calling code, and nothing else in the number.
    #[test]
    fn digits_that_fit() {
        let search = |country: &str, area: Option<&str>, contains: Option<&str>| Search {
            country: country.into(),
            kind: NumberKind::Local,
            area: area.map(str::to_owned),
            contains: contains.map(str::to_owned),
            can: Capabilities::default(),
            limit: 5,
        };
        let number = ProxyNumber::parse("+442079460155").unwrap();
        for (country, area, contains, fits) in [
            ("GB", None, None, true),
            ("GB", Some("20"), None, true),
            ("GB", Some("20"), Some("0155"), true),
            ("GB", Some("794"), None, false),
            ("GB", Some("20"), Some("0156"), false),
            ("US", Some("20"), None, false),
            ("US", None, Some("4420"), true),
        ] {
            let search = search(country, area, contains);
            assert_eq!(search.fits(&number), fits, "{search:?}");
        }
    }

    /// What a number's settings were is in no debug output: they may hold passwords.
    #[test]
    fn settings_are_not_shown() {
        let number = ProxyNumber::parse("+14155550100").unwrap();
        let settings = "https://u:secret@x.example/".to_owned();
        let held = Held { id: "1".into(), number, can: None, settings };
        assert!(!format!("{held:?}").contains("secret"));
    }
}
