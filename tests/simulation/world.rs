//! A relay whose time, random bytes, carrier and mishaps are the story's.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use entremise::{
    carrier::{Links, Settings, kind},
    clock::Clock,
    domain::{
        abuse::{Bounds, Limits},
        phone::Permits,
        time::Timestamp,
    },
    egress::Egress,
    ids::{Entropy, Ids},
    privacy::{Keyring, MasterKey},
    relay::{Carriers, Client, Configured, Relay},
    store::{Db, DbOptions, Mishap, Mishaps},
};
use tempfile::TempDir;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{carrier::Carrier, rng::Rng};

/// Random bytes that the seed chose.
#[derive(Debug)]
struct Dice(Mutex<Rng>);

impl Entropy for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        let mut rng = self.0.lock().unwrap();
        for byte in bytes {
            *byte = rng.next().to_le_bytes()[3];
        }
    }
}

/// What goes wrong at the doors, and what went wrong with the last write.
#[derive(Debug)]
pub(crate) struct Misfortune {
    rng: Mutex<Rng>,
    /// In a hundred writes.
    pub(crate) percent: Mutex<usize>,
    last: Mutex<Option<Mishap>>,
}

impl Misfortune {
    /// What happened to writes since it was last asked, as far as one went wrong.
    pub(crate) fn taken(&self) -> Option<Mishap> {
        self.last.lock().unwrap().take()
    }
}

impl Mishaps for Misfortune {
    fn next(&self) -> Option<Mishap> {
        let chance = self.rng.lock().unwrap().below(100);
        let percent = *self.percent.lock().unwrap();
        let mishap = if chance < percent / 2 {
            Some(Mishap::BeforeCommit)
        } else if chance < percent {
            Some(Mishap::AnswerLost)
        } else {
            None
        };
        if mishap.is_some() {
            *self.last.lock().unwrap() = mishap;
        }
        mishap
    }
}

pub(crate) struct World {
    pub(crate) relay: Relay,
    pub(crate) clock: Clock,
    pub(crate) carrier: Arc<Carrier>,
    pub(crate) misfortune: Arc<Misfortune>,
    ids: Ids,
    key: [u8; 32],
    db: Db,
    tracker: TaskTracker,
    stop: CancellationToken,
    folder: TempDir,
}

impl World {
    pub(crate) async fn new(seed: u64) -> Self {
        // In memory where the system has a place for that: nothing here is about power.
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() {
            tempfile::tempdir_in(memory).unwrap()
        } else {
            tempfile::tempdir().unwrap()
        };
        let clock = Clock::manual(Timestamp::from_millis(1_795_252_727_000));
        let ids = Ids::new(Arc::new(Dice(Mutex::new(Rng::new(seed ^ 0x5eed)))));
        let misfortune = Arc::new(Misfortune {
            rng: Mutex::new(Rng::new(seed ^ 0x0dd5)),
            percent: Mutex::new(0),
            last: Mutex::default(),
        });
        let carrier = Carrier::new(seed ^ 0xca11, &clock);
        let key = std::array::from_fn(|place| u8::try_from(place * 7 + 1).unwrap());
        let (relay, db, tracker, stop) =
            open(&folder, &clock, &ids, key, &carrier, &misfortune).await;
        Self { relay, clock, carrier, misfortune, ids, key, db, tracker, stop, folder }
    }

    /// The process ends and another one starts.
    pub(crate) async fn restart(&mut self) {
        self.close().await;
        let (relay, db, tracker, stop) =
            open(&self.folder, &self.clock, &self.ids, self.key, &self.carrier, &self.misfortune)
                .await;
        (self.relay, self.db, self.tracker, self.stop) = (relay, db, tracker, stop);
    }

    /// The same relay with other mishaps.
    pub(crate) fn with_mishaps(&self, mishaps: Arc<dyn Mishaps>) -> Relay {
        over(&self.db, mishaps, &self.carrier)
    }

    pub(crate) async fn close(&self) {
        self.stop.cancel();
        self.db.close().await;
        self.tracker.close();
        self.tracker.wait().await;
    }
}

async fn open(
    folder: &TempDir,
    clock: &Clock,
    ids: &Ids,
    key: [u8; 32],
    carrier: &Arc<Carrier>,
    misfortune: &Arc<Misfortune>,
) -> (Relay, Db, TaskTracker, CancellationToken) {
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let options = DbOptions {
        url: format!("sqlite:{}", folder.path().join("story.db").display()),
        clock: clock.clone(),
        ids: ids.clone(),
        keyring: Arc::new(Keyring::new(MasterKey::from_bytes(key).unwrap())),
        connections: 1,
        permits: Permits::default(),
        // Its people write and call more than any limit allows.
        bounds: Arc::new(Bounds { limits: Limits::default(), ..Bounds::default() }),
        ballast: 0,
    };
    let db = Db::open(options, &tracker, stop.clone()).await.unwrap();
    let relay = over(&db, Arc::<Misfortune>::clone(misfortune), carrier);
    (relay, db, tracker, stop)
}

/// A relay over a database that fails so, and over this carrier as Twilio.
fn over(db: &Db, mishaps: Arc<dyn Mishaps>, carrier: &Arc<Carrier>) -> Relay {
    let mut values = toml::Table::new();
    values.insert("account_sid".into(), format!("AC{}", "0".repeat(32)).into());
    values.insert("auth_token".into(), "0123456789abcdef0123456789abcdef".into());
    let settings = Settings { id: "twilio".into(), api_base: None, values };
    let twilio = kind("twilio").unwrap();
    let adapter = (twilio.build)(&settings).unwrap();
    let configured = Configured {
        id: "twilio".into(),
        kind: "twilio",
        adapter: adapter.into(),
        links: Links::new("https://relay.example", "twilio"),
        buying: false,
    };
    let client = Client::over(Arc::<Carrier>::clone(carrier));
    let carriers = Carriers::new(vec![configured]);
    Relay::new(db.with_mishaps(mishaps), carriers, client, Egress::default())
}
