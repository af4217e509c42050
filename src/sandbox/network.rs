//! The network: its phones, what they show, and when all is quiet.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ring::hmac;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    actions::ActionError,
    faults::Faults,
    phone::{PhoneId, PhoneView},
    state::State,
    webhook::{self, Client},
};
use crate::{
    clock::Clock,
    domain::{phone::Identifier, time::Timestamp},
};

/// The most characters of a phone's name or a contact's label.
const NAME_CHARS_MAX: usize = 40;

/// What a network needs to know.
#[derive(Clone)]
pub struct Options {
    /// `<public_url>/hooks/<carrier id>`: where webhooks go. No callback elsewhere is ever called.
    pub hooks_base: String,
    /// `<carrier's API>/v1/media`: where the relay fetches the pictures of phones.
    pub media_base: String,
    /// Signs webhooks and opens the carrier API.
    pub secret: String,
    /// The time.
    pub clock: Clock,
    /// The same seed gives the same faults.
    pub seed: u64,
    /// How fast it plays.
    pub pace: Pace,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Options({}, seed {})", self.hooks_base, self.seed)
    }
}

/// How fast the network plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How long a recorded voice takes for one word.
    pub word: Duration,
    /// How long a text takes to reach a phone after it was taken.
    pub delivery: Duration,
    /// The pause before the first of four retries of a webhook; it doubles each time.
    pub backoff: Duration,
}

impl Pace {
    /// As fast as it goes: for tests and benches.
    pub const BRISK: Self =
        Self { word: Duration::ZERO, delivery: Duration::ZERO, backoff: Duration::from_millis(5) };

    /// Slow enough to follow with the eye.
    pub const LIFELIKE: Self = Self {
        word: Duration::from_millis(180),
        delivery: Duration::from_millis(250),
        backoff: Duration::from_millis(250),
    };
}

/// A simulated phone network. Everything is in memory.
pub struct Network {
    pub(super) options: Options,
    pub(super) client: Client,
    pub(super) key: hmac::Key,
    pub(super) tracker: TaskTracker,
    pub(super) stop: CancellationToken,
    /// Part of every id, so that a restarted network never repeats one.
    pub(super) born: String,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
    busy: watch::Sender<usize>,
}

impl Network {
    /// A network without phones. Its tasks run on `tracker` and end when `stop` is cancelled.
    pub fn new(options: Options, tracker: TaskTracker, stop: CancellationToken) -> Arc<Self> {
        let now = options.clock.now();
        // Later networks count on from higher numbers, so that a page that reconnects after a
        // restart never takes an old count for a new one.
        let version = u64::try_from(now.millis()).unwrap_or(0).saturating_mul(1000);
        Arc::new(Self {
            client: webhook::client(),
            key: hmac::Key::new(hmac::HMAC_SHA256, options.secret.as_bytes()),
            born: format!("{:x}-{:x}", now.millis(), options.seed),
            state: Mutex::new(State::new(options.seed, version)),
            changes: watch::Sender::new(version),
            busy: watch::Sender::new(0),
            options,
            tracker,
            stop,
        })
    }

    /// Adds a phone.
    ///
    /// # Errors
    /// [`ActionError::NumberTaken`], [`ActionError::TooLong`] for a name of more than 40
    /// characters, [`ActionError::Full`].
    pub fn register(&self, name: &str, number: Identifier) -> Result<PhoneId, ActionError> {
        bounded(name)?;
        let id = self.lock().register(name, number)?;
        self.change(id, |_| ());
        Ok(id)
    }

    /// Writes a number into a phone's contacts, in place of the same label's.
    ///
    /// # Errors
    /// [`ActionError::NoPhone`], [`ActionError::TooLong`] for a label of more than 40 characters.
    pub fn set_contact(
        &self,
        phone: PhoneId,
        label: &str,
        number: Identifier,
    ) -> Result<(), ActionError> {
        bounded(label)?;
        self.change(phone, |view| view.set_contact(label, number)).ok_or(ActionError::NoPhone)
    }

    /// Whether a phone hides its number from those whom it calls and texts.
    ///
    /// # Errors
    /// [`ActionError::NoPhone`].
    pub fn set_withheld(&self, phone: PhoneId, withheld: bool) -> Result<(), ActionError> {
        self.lock()
            .phone_mut(phone)
            .map(|phone| phone.withheld = withheld)
            .ok_or(ActionError::NoPhone)
    }

    /// What a phone's owner sees now.
    pub fn seen(&self, phone: PhoneId) -> Option<PhoneView> {
        self.lock().phone(phone).map(|phone| phone.view.clone())
    }

    /// Those of the `first` phones, in order of registration, that changed after `version`.
    pub fn seen_since(&self, version: u64, first: usize) -> Vec<PhoneView> {
        let state = self.lock();
        state
            .phones
            .iter()
            .take(first)
            .filter(|phone| phone.view.version > version)
            .map(|phone| phone.view.clone())
            .collect()
    }

    /// Which phone has this number.
    pub fn phone_of(&self, number: &Identifier) -> Option<PhoneId> {
        self.lock().by_number.get(number).copied()
    }

    /// The change counter: it grows whenever what a phone shows changes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Waits until a phone shows what `fits` looks for, and says what it shows. Waits for ever for
    /// a phone that does not exist.
    pub async fn until(
        &self,
        phone: PhoneId,
        mut fits: impl FnMut(&PhoneView) -> bool,
    ) -> PhoneView {
        let mut changes = self.changes();
        loop {
            changes.mark_unchanged();
            if let Some(view) = self.seen(phone).filter(&mut fits) {
                return view;
            }
            // The sender lives in `self`, so this ends with a change.
            let _ = changes.changed().await;
        }
    }

    /// How many webhooks nobody took, however often they were tried.
    pub fn untaken(&self) -> u64 {
        self.lock().untaken
    }

    /// Waits until nothing is under way in the network: no webhook, retry, receipt or spoken word.
    /// Calls that wait for a person (who lets it ring, talks, or is asked for a key) do not count.
    pub async fn idle(&self) {
        // The sender lives in `self`, so this ends with a zero.
        let _ = self.busy.subscribe().wait_for(|busy| *busy == 0).await;
    }

    /// The faults that are on.
    pub fn faults(&self) -> Faults {
        self.lock().faults
    }

    /// Replaces the faults.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// Ends the live streams and tasks of this network when it is cancelled.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Whether `token` is the secret that opens the carrier API. Constant time.
    pub fn authorised(&self, token: &str) -> bool {
        let tag = hmac::sign(&self.key, self.options.secret.as_bytes());
        hmac::verify(&self.key, token.as_bytes(), tag.as_ref()).is_ok()
    }

    /// The network's time.
    pub fn now(&self) -> Timestamp {
        self.options.clock.now()
    }

    /// A new id of the network's own, never repeated.
    pub(super) fn make_id(&self, prefix: &str) -> String {
        let mut state = self.lock();
        state.made += 1;
        format!("{prefix}-{}-{}", self.born, state.made)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what a phone shows and tells those who watch; `None` if there is no such phone.
    pub(super) fn change<R>(
        &self,
        phone: PhoneId,
        change: impl FnOnce(&mut PhoneView) -> R,
    ) -> Option<R> {
        let mut state = self.lock();
        let version = state.version + 1;
        let phone = state.phone_mut(phone)?;
        let result = change(&mut phone.view);
        phone.view.version = version;
        state.version = version;
        // Under the lock, so that the count never steps back.
        self.changes.send_replace(version);
        Some(result)
    }

    /// Counts as something under way until it is dropped.
    pub(super) fn busy(&self) -> Busy {
        self.busy.send_modify(|busy| *busy += 1);
        Busy(self.busy.clone())
    }
}

fn bounded(name: &str) -> Result<(), ActionError> {
    if name.is_empty() {
        Err(ActionError::Empty)
    } else if name.chars().count() > NAME_CHARS_MAX {
        Err(ActionError::TooLong)
    } else {
        Ok(())
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Network({:?})", self.options)
    }
}

/// Something that is under way.
pub(super) struct Busy(watch::Sender<usize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.send_modify(|busy| *busy -= 1);
    }
}
