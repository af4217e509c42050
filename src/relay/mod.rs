//! The use cases: the only writers of state.
//!
//! Each is a function over one transaction; [`Relay`] runs them, asks carriers and wakes the jobs.

mod abuse;
mod access;
mod adopt;
mod allocate;
mod api_log;
mod audit;
mod budgets;
mod calls;
mod carriers;
mod client;
mod consult;
mod deleting;
mod deliver;
mod detour;
mod endpoints;
mod error;
mod explain;
mod exports;
mod fence;
mod health;
mod hook;
mod hours;
mod housekeeping;
mod idempotent;
mod inbound;
mod inventory;
mod judge;
mod legal_holds;
mod long_texts;
mod look_up;
mod media;
mod messages;
mod missed;
mod notify;
mod number_files;
mod number_moves;
mod opt_outs;
mod ordering;
mod persons;
mod pins;
pub mod plan;
mod prices;
mod reconcile;
mod recording;
mod rented;
mod reports;
mod retention;
mod rotation;
mod session_notes;
mod sessions;
mod signed;
mod staff;
mod stored_plan;
mod support;
pub mod twilio_proxy;
mod verifications;
mod voicemail;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::{Notify, Semaphore};

pub use self::{
    abuse::lift_pause,
    access::{Caller, NewAccount, NewKey, Scope, TokenError, create_key, revoke_key},
    adopt::{AdoptNumber, AdoptService, adopt_number, adopt_service, in_the_way},
    api_log::{API_LOG_MAX, API_LOG_WAITING},
    audit::{ChainFault, Heads, HeadsError, PartVerified, SignedHead, Told, Verified},
    budgets::Budgets,
    calls::place_call,
    carriers::{Carriers, Configured, must_be_one_of},
    client::{Client, NotFetched, Transport},
    consult::Question,
    deleting::delete_interaction,
    deliver::Commanded,
    endpoints::{
        DELIVERIES_KEPT, ENDPOINTS_MAX, EndpointView, NewEndpoint, RESENT_MAX, Resend, ResendRange,
        UpdateEndpoint, count_resent, create_endpoint, delete_endpoint, ping_endpoint,
        replay_for_staff, resend, resend_for_staff, resend_range, rotate_keys, update_endpoint,
        view_endpoint, with_keys,
    },
    error::{Error, Exhausted, Fault},
    explain::{Explained, explain_numbers},
    exports::{
        Begun, EXPORT_AT_ONCE, EXPORT_KEPT, EXPORT_MAX, EXPORTS_EACH, File, Lines, Narrowed,
    },
    fence::{
        Confirm, Confirmed, Doubt, Fenced, doubt, raise as raise_fence, settle_by_hand, settle_here,
    },
    health::{Health, Leave, Report as HealthReport, State as CarrierState, Trouble},
    hours::{HOURS_KEPT, days_to_exhaustion},
    idempotent::{Answer, Key},
    inventory::{
        NewNumber, NewService, UpdateNumber, add_number, add_registered_number, create_service,
        default_brand, find_service, loose_name_fault, name_fault, restore_number, update_number,
        update_service,
    },
    judge::{judge_numbers, misjudged},
    legal_holds::{HOLDS_MAX, HoldOn, NewHold, lift_hold, place_hold},
    media::Offered,
    messages::{NewText, send_to_participant},
    number_files::{FileFault, LineFault, NumberLine, import_numbers, read_numbers, try_import},
    number_moves::{NewMove, Swapped, Trial, begin_move, undo_move},
    opt_outs::{Reach, clear_opt_out, person_of, record_opt_out},
    ordering::{
        AtCarrier, Cancels, Criteria, Difference, OrderNumber, QUANTITY_MAX, ReleaseNumber, Synced,
        Which, order_numbers, release_number,
    },
    persons::{
        Approver, DisclosureQuestion, Erasing, Replayed, Signed, Subject, Window, begin_erasure,
        unknown_erasures, verify_document,
    },
    pins::{PinWanted, check_gather, check_shared, remove_pin, set_pin},
    prices::Prices,
    recording::{
        check_service_recording, check_session_recording, recording_address, wish_recording,
    },
    rented::LookedUp,
    reports::{NewReport, report, resolve_report},
    retention::{Standing, Standings},
    rotation::{Rotation, Wrapped, wrapped},
    session_notes::{note_session, set_session_case},
    sessions::{
        AddParticipant, AdoptParticipant, AdoptSession, OpenSession, SessionView, UpdateSession,
        add_participant, adopt_session, close, delete as delete_session, extend, open,
        pairs_in_the_way, people_in_the_way, remove_participant, reopen, resume, set_block, update,
        view, with_names,
    },
    staff::{
        AppOffered, Arrived, Asked, Brought, CameBack, Entered, Evidence, Invite, Must, NotIn,
        NotSet, NotThere, PASSKEY_NAME_CHARS, PASSKEYS_MAX, Provider, ProviderFault,
        RECOVERY_CODES, Visitor,
    },
    stored_plan::{CallerHeard, HeardKind, heard_of},
    support::{
        ItemText, ItemWords, OPENED_WITHIN, Ruling, Somebody, TEXTS_PAGE, TextsRead, assign_item,
        block_as_staff, close_as_staff, decide_item, extend_as_staff, moderators, unblock_as_staff,
        untellable,
    },
    verifications::{
        Checked, CodeTerms, SendCode, Senders, cancel_verification, check_verification,
        forget_verified, send_code,
    },
};
use crate::{
    domain::{audit::By, pool::Rule, staff::LoginRules, verification::Limits},
    egress::Egress,
    ids::AccountId,
    media::Objects,
    store::{self, Db, Lane, Tx},
    telemetry::metrics,
};

/// Runs use cases. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Relay {
    db: Db,
    carriers: Arc<Carriers>,
    client: Client,
    health: Arc<Health>,
    spending: budgets::Spending,
    egress: Egress,
    objects: Option<Objects>,
    code_limits: Limits,
    login_rules: Arc<LoginRules>,
    hashing: Arc<Semaphore>,
    passkeys: Option<Arc<staff::Party>>,
    provider: Option<Arc<Provider>>,
    trials: number_moves::Trials,
    erasing: Arc<Erasing>,
    places: Arc<media::Places>,
    giving_out: media::Room,
    asking: consult::Open,
    /// Apart from the above: workers that wait for a marketplace keep no caller from being asked about.
    asking_on_texts: consult::Open,
    wake: Arc<Notify>,
    wake_events: Arc<Notify>,
    wake_orders: Arc<Notify>,
    api_log: Arc<api_log::Log>,
}

impl Relay {
    /// A relay over a database, for these carriers. `client` talks to carriers, `egress` to every
    /// other address.
    pub fn new(db: Db, carriers: Carriers, client: Client, egress: Egress) -> Self {
        let carriers = Arc::new(carriers.sealed(db.keyring()));
        let health = Arc::new(Health::new(&carriers, db.watch().clone()));
        Self {
            db,
            carriers,
            client,
            health,
            spending: budgets::Spending::default(),
            egress,
            objects: None,
            code_limits: Limits::default(),
            login_rules: Arc::default(),
            hashing: Arc::new(Semaphore::new(staff::HASHED_AT_ONCE)),
            passkeys: None,
            provider: None,
            trials: number_moves::Trials::default(),
            erasing: Arc::default(),
            places: Arc::default(),
            giving_out: media::Room::default(),
            asking: consult::Open::default(),
            asking_on_texts: consult::Open::default(),
            wake: Arc::default(),
            wake_events: Arc::default(),
            wake_orders: Arc::default(),
            api_log: Arc::default(),
        }
    }

    /// The same, which passes on pictures and files and keeps them there meanwhile; without, none are
    /// passed on.
    #[must_use]
    pub fn with_objects(self, objects: Option<Objects>) -> Self {
        self.carriers.set_keeps(objects.is_some());
        Self { objects, ..self }
    }

    /// The same, with these limits on codes that are sent.
    #[must_use]
    pub fn with_code_limits(self, code_limits: Limits) -> Self {
        Self { code_limits, ..self }
    }

    /// The same, with these rules on how staff log in.
    #[must_use]
    pub fn with_login_rules(self, rules: LoginRules) -> Self {
        Self { login_rules: Arc::new(rules), ..self }
    }

    /// The rules on how staff log in.
    pub fn login_rules(&self) -> &LoginRules {
        &self.login_rules
    }

    /// The database, for reading.
    pub const fn db(&self) -> &Db {
        &self.db
    }

    /// The same use cases as somebody else's work.
    #[must_use]
    pub fn lane(&self, lane: Lane) -> Self {
        Self { db: self.db.lane(lane), ..self.clone() }
    }

    /// The same use cases where they must be done on a full disk too.
    #[must_use]
    pub fn urgent(&self) -> Self {
        Self { db: self.db.urgent(), ..self.clone() }
    }

    /// The same use cases as what somebody does: the audit log names them.
    #[must_use]
    pub fn by(&self, by: impl Into<By>) -> Self {
        Self { db: self.db.by(by), ..self.clone() }
    }

    /// The configured carriers.
    pub fn carriers(&self) -> &Carriers {
        &self.carriers
    }

    /// How the carriers do, as this process sees it.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Calls addresses that an account or a carrier gave us.
    pub const fn egress(&self) -> &Egress {
        &self.egress
    }

    /// Told after each commit that may have put something into the outbox.
    pub fn wake(&self) -> &Notify {
        &self.wake
    }

    /// Told after each commit that may owe something to an endpoint.
    pub fn wake_events(&self) -> &Notify {
        &self.wake_events
    }

    /// Told after each commit that may have ordered a number.
    pub fn wake_orders(&self) -> &Notify {
        &self.wake_orders
    }

    /// Tells the loop that a number was ordered.
    pub fn ordered(&self) {
        self.wake_orders.notify_one();
    }

    /// Tells the loops that something was committed.
    pub fn committed(&self) {
        self.wake.notify_one();
        if self.db.may_owe() {
            self.wake_events.notify_one();
        }
    }

    /// Runs one use case in a transaction; with a key, once per key: again gets the same answer.
    ///
    /// # Errors
    /// The use case's own, [`Error::IdempotencyReused`], [`Error::IdempotencyInProgress`].
    pub async fn perform<F>(
        &self,
        account: &AccountId,
        key: Option<Key>,
        work: F,
    ) -> Result<Answer, Error>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<Answer, Error>> + Send + Sync + 'static,
    {
        let (account, work) = (account.clone(), Arc::new(work));
        let keyed = key.is_some();
        let answer = self
            .db
            .write(move |tx| {
                let (account, key, work) = (account.clone(), key.clone(), Arc::clone(&work));
                Box::pin(async move { idempotent::run(tx, &account, key, &*work).await })
            })
            .await;
        self.committed();
        if let Err(Error::PoolExhausted(why)) = &answer {
            let quarantined = why.rule == Rule::Quarantine;
            metrics::allocation(if quarantined { "quarantined" } else { "exhausted" });
        }
        match answer {
            Err(Error::Store(store::Error::Locked)) if keyed => Err(Error::IdempotencyInProgress),
            other => other,
        }
    }
}
