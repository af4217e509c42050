//! How much a carrier is sent.

use std::time::Duration;

/// How much a carrier takes, and is sent: the time between two; `None` for as much as there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rates {
    /// Of texts.
    pub texts: Option<Duration>,
    /// Of texts from one proxy number.
    pub texts_of_number: Option<Duration>,
    /// Of calls that we place.
    pub calls: Option<Duration>,
}
