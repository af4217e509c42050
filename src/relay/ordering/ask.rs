//! What carriers are asked about numbers: outside any transaction.

use super::Criteria;
use crate::{
    carrier::{
        Provisioning, Request, Response, SendError,
        error::{Retry, SendErrorKind},
        provisioning::{Bought, Held, Offer, Progress, Purchase, Search},
    },
    domain::phone::ProxyNumber,
    relay::{Configured, Error, Relay},
};

/// How many pages of a carrier's numbers are read at most.
const PAGES_MAX: usize = 1_000;

pub(super) const fn unsupported() -> SendError {
    SendError::new(SendErrorKind::Unsupported, Retry::Never)
}

impl Relay {
    /// Numbers on sale at a carrier, `limit` at most.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::CarrierUnable`], [`Error::Carrier`].
    pub async fn numbers_on_sale(
        &self,
        carrier: &str,
        criteria: &Criteria,
        limit: u8,
    ) -> Result<Vec<Offer>, Error> {
        let (carrier, provisioning) = self.provisioner(carrier)?;
        Ok(self.offers(carrier, provisioning, &criteria.search(limit)).await?)
    }

    pub(super) async fn offers(
        &self,
        carrier: &Configured,
        provisioning: &dyn Provisioning,
        search: &Search,
    ) -> Result<Vec<Offer>, SendError> {
        let request = provisioning.search(search).ok_or_else(unsupported)?;
        let read = |response: &Response| provisioning.found(search, response);
        let mut offers = self.tell(carrier, "number_search", request, read).await?;
        // What does not do what it must, or has other digits, is none.
        offers.retain(|offer| offer.can.covers(search.can) && search.fits(&offer.number));
        offers.truncate(usize::from(search.limit));
        if let Some(request) = provisioning.prices(search).filter(|_| !offers.is_empty()) {
            let read = |response: &Response| Ok(provisioning.priced(search, response));
            // Without its price a number can be shown all the same.
            let price = self.tell(carrier, "number_prices", request, read).await.ok().flatten();
            for offer in &mut offers {
                offer.price = offer.price.or(price);
            }
        }
        Ok(offers)
    }

    pub(super) async fn held_there(
        &self,
        carrier: &Configured,
        provisioning: &dyn Provisioning,
        number: &ProxyNumber,
    ) -> Result<Option<Held>, SendError> {
        let read = |response: &Response| provisioning.held_one(number, response);
        self.tell(carrier, "number_held", provisioning.held(number), read).await
    }

    pub(super) async fn buy_there(
        &self,
        carrier: &Configured,
        provisioning: &dyn Provisioning,
        purchase: &Purchase,
    ) -> Result<Bought, SendError> {
        let request = provisioning.buy(purchase).ok_or_else(unsupported)?;
        let read = |response: &Response| provisioning.bought(purchase, response);
        self.tell(carrier, "number_buy", request, read).await
    }

    /// The carrier's order for a purchase of which nobody knows what came.
    pub(super) async fn trace_there(
        &self,
        carrier: &Configured,
        provisioning: &dyn Provisioning,
        purchase: &Purchase,
    ) -> Result<Option<String>, SendError> {
        let Some(request) = provisioning.trace(purchase) else { return Ok(None) };
        let read = |response: &Response| provisioning.traced(response);
        self.tell(carrier, "number_order", request, read).await
    }

    pub(super) async fn ordered_there(
        &self,
        carrier: &Configured,
        provisioning: &dyn Provisioning,
        id: &str,
    ) -> Result<Progress, SendError> {
        let request = provisioning.order(id).ok_or_else(unsupported)?;
        let read = |response: &Response| provisioning.ordered(response);
        self.tell(carrier, "number_order", request, read).await
    }

    /// Changes something at the carrier that may be changed twice.
    pub(super) async fn change_there(
        &self,
        carrier: &Configured,
        provisioning: &dyn Provisioning,
        operation: &'static str,
        requests: Vec<Request>,
    ) -> Result<(), SendError> {
        for request in requests {
            let read = |response: &Response| provisioning.changed(response);
            self.tell(carrier, operation, request, read).await?;
        }
        Ok(())
    }

    /// All numbers that the customer has at the carrier.
    pub(super) async fn all_held(
        &self,
        carrier: &Configured,
        provisioning: &dyn Provisioning,
    ) -> Result<Vec<Held>, SendError> {
        let (mut all, mut next) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let request = provisioning.page(next.as_deref());
            let at = next.as_deref();
            let read = |response: &Response| provisioning.listed(at, response);
            let page = self.tell(carrier, "number_list", request, read).await?;
            all.extend(page.held);
            next = page.next;
            if next.is_none() {
                return Ok(all);
            }
        }
        Err(SendError::new(SendErrorKind::Unsupported, Retry::Never))
    }
}
