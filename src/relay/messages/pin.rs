//! Texts to a number that sessions share: they begin with the code of whoever writes, which goes no further.

use super::{refused, relay};
use crate::relay::{
    error::Error,
    inbound::{self, Event, Refused, Route},
    pins::{self, Giver, Proof},
};
use crate::{
    carrier::{event::InboundMessage, plan::Answer},
    domain::{
        assurance::leading_pin,
        interaction::{Kind, Reason},
        message::Body,
        phone::Caller,
    },
    store::{
        Tx,
        inbox::{self, EventKey},
    },
};

/// Whether a text that leads to nobody is looked at for a code. What has no number to answer to, or comes from
/// one of ours, is not.
pub(super) fn is_wanted(event: Event<'_>, refused: &Refused) -> bool {
    refused.number.shared
        && refused.reason != Reason::Loop
        && matches!(event.from, Caller::Number(_))
}

/// Passes a text on whose code is its writer's; any other is refused, and answered once a day by words that say
/// that a code is needed.
pub(super) async fn take(
    tx: &mut Tx,
    event: Event<'_>,
    mut refused: Refused,
    message: &InboundMessage,
    key: EventKey<'_>,
) -> Result<(Answer, Option<Reason>), Error> {
    refused.reason = Reason::PinMissing;
    if let Some((pin, rest)) = leading_pin(message.body.expose()) {
        let (number, service) = (&refused.number, &refused.service);
        let (account, person) = (&refused.account, refused.person());
        let giver = Giver { account, service, number, person };
        refused.reason = match pins::prove(tx, giver, &pin, refused.now).await? {
            Proof::Locked => Reason::PinLocked,
            Proof::Nothing => Reason::PinWrong,
            Proof::Is(meant) => {
                let proved = inbound::Proved { number, service, person, meant: &meant, pin: &pin };
                let route = inbound::proved(tx, account, Kind::Message, proved).await?;
                if let Route::To(routed) = route {
                    let message =
                        InboundMessage { body: Body::new(rest.to_owned()), ..message.clone() };
                    let (account, id, reason) = relay(tx, event, *routed, &message).await?;
                    inbox::set_answer(tx, key, &account, &id, "").await?;
                    return Ok((Answer::Ack, reason));
                }
                Reason::PinWrong
            }
        };
    }
    let id = refused::help(tx, event, &refused, &message.body).await?;
    inbox::set_answer(tx, key, &refused.account, &id, "").await?;
    Ok((Answer::Ack, Some(refused.reason)))
}
