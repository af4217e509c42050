//! Answers as requests to the Calls API about the call that a webhook was about.

use std::time::Duration;

use super::{Answer, Links, Reply, act::requests, config::Config};
use crate::carrier::commanded::{Direct, Manner, News};

/// How Infobip goes about it: it connects whoever is asked nothing, and takes 32 keys, for a minute.
pub(super) static MANNER: Manner = Manner {
    direct: Direct::Always,
    tells_joined: false,
    // As many as Infobip's voice messages take.
    spoken_max: 1400,
    keys_max: 32,
    keys_timeout: (Duration::from_secs(1), Duration::from_mins(1)),
};

/// Words an answer: an empty one, and commands for the call that the webhook was about.
pub(super) fn reply(config: &Config, answer: &Answer, news: Option<&News>, links: &Links) -> Reply {
    MANNER.reply(answer, news, |step| requests(config, links, step))
}
