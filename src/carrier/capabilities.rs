//! What a carrier can do, as data: the allocator, the console, the docs and the tests read it.

use std::time::Duration;

use crate::domain::{
    interaction::Kind,
    phone::{ProxyNumber, nanp},
    pool,
    sender::SenderId,
};

/// What a carrier can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Calls.
    pub voice: bool,
    /// Texts.
    pub sms: bool,
    /// Pictures and files.
    pub mms: bool,
    /// How calls are steered.
    pub control: Control,
    /// Whether the carrier reports that a text reached the phone.
    pub receipts: bool,
    /// What the carrier does with the same text twice.
    pub dedupe: Dedupe,
    /// Whether it can be asked which texts and calls came in: what lost webhooks leave out is
    /// filled in.
    pub lists: bool,
    /// Whether the caller hears true ringing, and pays nothing, until somebody answers.
    pub answer_on_bridge: bool,
    /// Whether it can speak to somebody who answered before connecting.
    pub whisper: bool,
    /// Whether it can wait for keys of a caller and tell us which: PINs.
    pub gather: bool,
    /// Whether it tells what the network says of a caller's number (STIR/SHAKEN).
    pub attestation: bool,
    /// Whether it can record what a caller says and tell us where that lies.
    pub voicemail: bool,
    /// Which of its records it deletes when it is asked.
    pub deletes: Deletes,
    /// Whether it can be asked by API to begin recording two who talk, to pause that, to go on and to end it: what
    /// a recording to which both agreed needs.
    pub recording: bool,
    /// How many people can be rung at once.
    pub simultaneous: usize,
    /// How long it can be told to ring: least and most.
    pub ring_timeout: (Duration, Duration),
    /// The longest call that it can be told; `None` if it can't be told.
    pub duration_max: Option<Duration>,
    /// How long a text may be held at most before it is given up.
    pub validity_max: Duration,
    /// How long it waits for the answer to a webhook about a text.
    pub patience: Duration,
    /// The numbers whose legs it may show as caller ID.
    pub caller_id: CallerIdRule,
    /// Which words that stop texts, want them again or ask for help it answers itself.
    pub answers: Answers,
    /// Its codes in receipts that say that the recipient has opted out of texts.
    pub opted_out: &'static [&'static str],
    /// Under which names of letters it sends texts; `None` for under none that is documented.
    pub sender_ids: Option<SenderIds>,
    /// What can be done about numbers by API.
    pub numbers: Numbers,
}

impl Capabilities {
    /// All that a number of this carrier may do.
    pub const fn of_numbers(&self) -> pool::Capabilities {
        pool::Capabilities { voice: self.voice, sms: self.sms, mms: self.mms }
    }

    /// Whether it sends texts under that name.
    pub fn sends_as(&self, id: &SenderId) -> bool {
        self.sms && self.sender_ids.is_some_and(|ids| ids.take(id))
    }
}

/// Which names of letters a carrier sends texts under, of those that we take, as it documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderIds {
    /// The fewest characters.
    pub chars_min: usize,
    /// Whether there may be spaces in them.
    pub spaces: bool,
}

impl SenderIds {
    /// Whether a name is one of them.
    pub fn take(self, id: &SenderId) -> bool {
        id.chars() >= self.chars_min && (self.spaces || !id.has_space())
    }
}

/// Which of its own records of texts and calls a carrier deletes when it is asked, as it documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletes {
    /// Those of texts.
    pub texts: bool,
    /// Those of calls.
    pub calls: bool,
}

impl Deletes {
    /// None: they stay for the carrier's own term.
    pub const NONE: Self = Self { texts: false, calls: false };

    /// Whether it deletes records of that kind.
    pub const fn takes(self, kind: Kind) -> bool {
        match kind {
            Kind::Message => self.texts,
            Kind::Call => self.calls,
        }
    }
}

/// Words to which a carrier sends answers of its own, as it documents: what we sent beside them would be a
/// second answer, or be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answers {
    /// The words, in capitals.
    pub words: &'static [&'static str],
    /// Whether only on numbers under +1.
    pub plus_one: bool,
}

impl Answers {
    /// None that we know of.
    pub const NONE: Self = Self { words: &[], plus_one: true };

    /// On toll-free numbers under +1 the network itself answers these, whoever the carrier is
    /// (<https://support.twilio.com/hc/en-us/articles/360058144374>).
    const TOLL_FREE: [&'static str; 3] = ["STOP", "START", "UNSTOP"];

    /// Whether whoever writes this word, plain and in capitals, to that number is answered without us.
    pub fn to(self, word: &str, number: &ProxyNumber) -> bool {
        let plus_one = number.calling_code() == Some(1);
        if plus_one && nanp::is_toll_free(number.area()) && Self::TOLL_FREE.contains(&word) {
            return true;
        }
        (plus_one || !self.plus_one) && self.words.contains(&word)
    }
}

/// What can be done about a carrier's numbers by API. With anything but `None` it answers
/// [`super::Carrier::provisioning`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// Nothing: they are bought and set in the carrier's own console, and imported here.
    None,
    /// Those that the account has are set and listed.
    Adopt,
    /// They are bought and given back too.
    Buy,
}

/// How calls are steered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// By a document in the answer.
    Documents,
    /// By requests of ours.
    Commands {
        /// Whether the carrier drops a request that it has had, by a key of ours: then one that may
        /// have been lost is made again.
        keyed: bool,
    },
}

/// What a carrier does when it gets the same text twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dedupe {
    /// Drops the second if it has the same key, for this long.
    Key {
        /// How long it remembers.
        ttl: Duration,
    },
    /// Sends it again, but can be asked what it has sent.
    Lookup,
    /// Sends it again.
    None,
}

/// Which numbers a carrier shows as caller ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerIdRule {
    /// Only numbers of the same account at this carrier.
    OwnNumbers,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name is sent where its length and its spaces are taken, and nowhere that none is.
    #[test]
    fn names_that_carriers_send_under() {
        let id = |text: &str| SenderId::parse(text).unwrap();
        let strict = SenderIds { chars_min: 3, spaces: false };
        assert!(strict.take(&id("ABC")) && strict.take(&id("Bikes24")));
        assert!(!strict.take(&id("AB")) && !strict.take(&id("Bikes 24")));
        assert!(SenderIds { chars_min: 1, spaces: true }.take(&id("A B")));
    }

    /// A carrier is left its own words, where it documents them; and the network its toll-free numbers.
    #[test]
    fn carriers_answer_what_they_say() {
        let number = |text: &str| ProxyNumber::parse(text).unwrap();
        let [us, free, french] = ["+14155550100", "+18005550100", "+33937000001"].map(number);
        let here = Answers { words: &["STOP", "HELP"], plus_one: true };
        let there = Answers { plus_one: false, ..here };
        assert!(here.to("STOP", &us) && !here.to("STOP", &french) && there.to("HELP", &french));
        assert!(!here.to("START", &us) && here.to("UNSTOP", &free));
        assert!(!Answers::NONE.to("STOP", &us) && Answers::NONE.to("STOP", &free));
        assert!(!Answers::NONE.to("CANCEL", &free));
    }
}
