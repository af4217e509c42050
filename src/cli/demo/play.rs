//! The play: what happens, and which number each phone sees.

use std::{future::Future, time::Duration};

use super::{
    detail,
    market::{BUYER, Market, Opened, SELLER, shown},
};
use crate::{
    app::Running,
    cli::{
        Failed,
        output::{self, Paint},
    },
    domain::{interaction::Kind, message::Body, phone::Identifier},
    relay::Relay,
    sandbox::{CallEnd, CallStage, CallView, Direction, PhoneId, PhoneView, Sound},
    store::{interactions, legs, sessions::Page},
};

/// How long any step may take before the demo says that something is wrong.
const STEP_MAX: Duration = Duration::from_secs(30);

/// Plays the conversation and tells it.
pub(super) async fn play(running: &Running, market: &Market) -> Result<(), Failed> {
    let stage = Stage { market, relay: &running.relay, paint: Paint::new() };
    output::line("");
    output::line(
        &stage.paint.bold("Entremise: two strangers talk, and neither learns the other's number"),
    );
    output::line("");
    output::line(&format!("  Buyer's own number   {}", stage.paint.cyan(&shown(&own(BUYER)?))));
    output::line(&format!("  Seller's own number  {}", stage.paint.cyan(&shown(&own(SELLER)?))));
    output::line("");
    let session = stage.opens().await?;
    stage.buyer_texts(&session).await?;
    stage.seller_calls(&session).await?;
    stage.closes(&session).await?;
    stage.late_call(&session).await?;
    running.idle().await;
    stage.nobody_learnt()?;
    stage.log().await
}

fn own(number: &str) -> Result<Identifier, Failed> {
    Ok(Identifier::parse(number)?)
}

struct Stage<'a> {
    market: &'a Market,
    relay: &'a Relay,
    paint: Paint,
}

/// Waits for a step, and says which one if it does not come.
async fn within<T>(what: &str, step: impl Future<Output = T>) -> Result<T, Failed> {
    tokio::time::timeout(STEP_MAX, step)
        .await
        .map_err(|_| Failed(format!("the demo stopped: {what} did not happen in time")))
}

impl Stage<'_> {
    fn step(&self, number: u8, text: &str) {
        let number = self.paint.green(&format!("{number}"));
        output::line(&format!("  {number}. {}", self.paint.bold(text)));
    }

    fn detail(&self, label: &str, text: &str) {
        detail(self.paint, label, text);
    }

    /// The call that a phone is in or was in last.
    fn last_call(view: &PhoneView) -> Option<&CallView> {
        view.calls.last()
    }

    async fn seen(
        &self,
        what: &str,
        phone: PhoneId,
        fits: impl FnMut(&PhoneView) -> bool,
    ) -> Result<PhoneView, Failed> {
        within(what, self.market.network.until(phone, fits)).await
    }

    async fn opens(&self) -> Result<Opened, Failed> {
        let session = self.market.open_session(self.relay).await?;
        self.step(1, "The marketplace opens a session for the two.");
        self.detail("Buyer dials", &shown(&session.buyer_dials));
        self.detail("Seller dials", &shown(&session.seller_dials));
        Ok(session)
    }

    async fn buyer_texts(&self, session: &Opened) -> Result<(), Failed> {
        const WORDS: &str = "Hi! Is the bike still for sale?";
        let market = self.market;
        let body = Body::new(WORDS.into());
        market.network.text(market.buyer, &session.buyer_dials, body)?;
        self.step(2, &format!("The buyer texts: \"{WORDS}\""));
        self.detail("Buyer's phone shows", &format!("to {}", shown(&session.buyer_dials)));
        let view = self.seen("the text's arrival", market.seller, |view| {
            view.received().any(|text| text.body.expose() == WORDS)
        });
        let view = view.await?;
        let from = view.received().last().and_then(|text| text.other.number()).map(shown);
        let from = from.unwrap_or_default();
        self.detail("Seller's phone shows", &format!("from {from}"));
        Ok(())
    }

    async fn seller_calls(&self, session: &Opened) -> Result<(), Failed> {
        let market = self.market;
        let call = market.network.dial(market.seller, &session.seller_dials)?;
        self.step(3, "The seller calls back, and the buyer answers.");
        self.detail("Seller's phone shows", &format!("calling {}", shown(&session.seller_dials)));
        let view = self.seen("the buyer's phone ringing", market.buyer, |view| {
            view.call().is_some_and(|call| call.stage == CallStage::Ringing)
        });
        let view = view.await?;
        let Some(ringing) = view.call() else { return Ok(()) };
        let from = ringing.other.as_ref().map(shown).unwrap_or_default();
        self.detail("Buyer's phone shows", &format!("call from {from}"));
        market.network.answer(market.buyer, &ringing.id)?;
        let together = |view: &PhoneView| {
            view.call().is_some_and(|call| call.heard.last() == Some(&Sound::Person))
        };
        self.seen("the seller hearing the buyer", market.seller, together).await?;
        self.seen("the buyer hearing the seller", market.buyer, together).await?;
        self.detail("Connected", "they hear each other");
        market.network.hang_up(market.seller, &call)?;
        self.seen("the end of the call", market.buyer, |view| view.call().is_none()).await?;
        Ok(())
    }

    async fn closes(&self, session: &Opened) -> Result<(), Failed> {
        self.market.close_session(self.relay, &session.id).await?;
        self.step(4, "The bike is sold: the marketplace closes the session.");
        self.detail("Their numbers", "rest for 7 days before anybody else gets the same pair");
        Ok(())
    }

    async fn late_call(&self, session: &Opened) -> Result<(), Failed> {
        let market = self.market;
        market.network.dial(market.seller, &session.seller_dials)?;
        self.step(5, "The seller calls once more. Too late: nobody's phone rings.");
        let view = self.seen("the late call's end", market.seller, |view| {
            Self::last_call(view).is_some_and(|call| call.stage.is_over())
        });
        let view = view.await?;
        let heard = Self::last_call(&view).and_then(|call| {
            call.heard.iter().find_map(|sound| match sound {
                Sound::Words { text, .. } => Some(text.clone()),
                _ => None,
            })
        });
        let heard = heard
            .ok_or_else(|| Failed("the late caller did not hear the neutral answer".into()))?;
        self.detail("Seller hears only", &format!("\"{heard}\""));
        Ok(())
    }

    /// Looks through everything that each phone has shown for the other's own number.
    fn nobody_learnt(&self) -> Result<(), Failed> {
        let market = self.market;
        for (phone, secret) in [(market.buyer, SELLER), (market.seller, BUYER)] {
            let view = market.network.seen(phone).ok_or_else(|| Failed("no such phone".into()))?;
            let secret = own(secret)?;
            let learnt = view.texts.iter().any(|text| text.other == secret)
                || view.calls.iter().any(|call| call.other.as_ref() == Some(&secret));
            if learnt {
                return Err(Failed("a phone has shown the other's own number".into()));
            }
            // Each was rung or written to, or the look would prove nothing.
            let reached = view.texts.iter().any(|text| text.direction == Direction::In)
                || view.calls.iter().any(|call| call.stage == CallStage::Ended(CallEnd::Finished));
            if !reached {
                return Err(Failed("a phone was not reached".into()));
            }
        }
        output::line("");
        let checked = "Checked: neither phone has ever shown the other's own number.";
        output::line(&format!("  {}", self.paint.green(checked)));
        Ok(())
    }

    /// The log as support staff sees it.
    async fn log(&self) -> Result<(), Failed> {
        let mut tx = self.relay.db().read().await?;
        let page = Page { before: None, after: None, limit: 20 };
        let filter = interactions::Filter::default();
        let mut rows = interactions::list(&mut tx, &self.market.account, &filter, &page).await?;
        rows.reverse();
        output::line("");
        output::line(
            &self.paint.bold("  The log: roles, times and outcomes; no number of theirs, no words"),
        );
        let head = format!(
            "  {:<14}{:<7}{:<9}{:<9}{:<15}{:<11}{}",
            "time (UTC)", "what", "from", "to", "through", "outcome", "reason"
        );
        output::line(&self.paint.dim(&head));
        for row in rows {
            let legs = legs::of_interaction(&mut tx, &self.market.account, &row.id).await?;
            let to = legs.iter().find(|leg| leg.position > 0).and_then(|leg| leg.role.clone());
            let at = jiff::Timestamp::from_millisecond(row.created_at.millis())
                .map(|at| at.strftime("%H:%M:%S%.3f").to_string())
                .unwrap_or_default();
            let kind = if row.kind == Kind::Call { "call" } else { "text" };
            let from = row.from_role.unwrap_or_else(|| "-".into());
            let outcome = row.outcome.map_or("pending", |outcome| outcome.as_str());
            let reason = row.reason.map_or("", |reason| reason.as_str());
            output::line(&format!(
                "  {at:<14}{kind:<7}{from:<9}{:<9}{:<15}{outcome:<11}{reason}",
                to.unwrap_or_else(|| "nobody".into()),
                row.number.as_str(),
            ));
        }
        output::line("");
        Ok(())
    }
}
