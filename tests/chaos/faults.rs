//! What breaks, one after the other, and how long it takes to come back.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use crate::{
    carrier::{Carrier, Trouble},
    cluster::Cluster,
    database::Database,
    gate::{Gate, Mode},
};

/// How long a node may take to see its clock as it was set.
const CLOCK_SEEN: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// SIGKILL, and a new start.
    NodeKilled,
    /// SIGSTOP, and SIGCONT.
    NodeStopped,
    /// SIGTERM under load, and a new start: an upgrade.
    NodeRestarted,
    /// Two hours forward, two hours back, right again.
    ClockSet,
    CarrierRefuses,
    CarrierThrottles,
    CarrierTakesSilently,
    CarrierTakesAndResets,
    /// Another process holds SQLite's write lock.
    LockHeld,
    DiskFull,
    DatabaseCrashed,
    DatabaseCut,
    DatabaseHung,
    CommitsCut,
}

impl Fault {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::NodeKilled => "node killed (SIGKILL)",
            Self::NodeStopped => "node stopped (SIGSTOP)",
            Self::NodeRestarted => "node restarted (SIGTERM)",
            Self::ClockSet => "clock set forward and back two hours",
            Self::CarrierRefuses => "carrier answers 500",
            Self::CarrierThrottles => "carrier answers 429",
            Self::CarrierTakesSilently => "carrier takes it and does not answer",
            Self::CarrierTakesAndResets => "carrier takes it and resets",
            Self::LockHeld => "another process holds the write lock",
            Self::DiskFull => "disk full",
            Self::DatabaseCrashed => "database crashed and recovered",
            Self::DatabaseCut => "database unreachable",
            Self::DatabaseHung => "database hangs",
            Self::CommitsCut => "connection cut between COMMIT and its answer",
        }
    }

    /// What can break with this database.
    fn all(database: &Database, clocks: bool) -> Vec<Self> {
        let mut all = vec![
            Self::NodeKilled,
            Self::CarrierTakesAndResets,
            Self::NodeStopped,
            Self::CarrierRefuses,
            Self::NodeRestarted,
        ];
        // A start believes the clock: what was in quarantine before it was set is out of it by the
        // next one.
        if clocks {
            all.push(Self::ClockSet);
        }
        all.extend([Self::CarrierTakesSilently, Self::CarrierThrottles]);
        match database {
            Database::Sqlite(disk) => {
                all.push(Self::LockHeld);
                if disk.own {
                    all.push(Self::DiskFull);
                }
            }
            Database::Postgres(_) => {
                all.extend([
                    Self::CommitsCut,
                    Self::DatabaseCrashed,
                    Self::DatabaseCut,
                    Self::DatabaseHung,
                ]);
            }
        }
        all
    }
}

/// What was survived.
#[derive(Debug, Default)]
pub(crate) struct Survived {
    /// How often each fault was injected.
    pub(crate) counts: BTreeMap<Fault, u32>,
    /// From the end of a fault until every node acknowledged something again, at worst.
    pub(crate) worst: Option<(Duration, Fault)>,
    /// From a kill to readiness, at worst.
    pub(crate) slowest_start: Duration,
    pub(crate) not_recovered: Vec<Fault>,
}

#[derive(Debug)]
pub(crate) struct Breaker {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) carrier: Arc<Carrier>,
    pub(crate) database: Arc<Mutex<Database>>,
    pub(crate) gate: Option<Gate>,
    pub(crate) survived: Survived,
}

impl Breaker {
    /// Breaks one thing after the other until the time is over, and each once at least.
    pub(crate) async fn run(&mut self, length: Duration, pause: Duration) {
        let started = Instant::now();
        let kinds = Fault::all(&*self.database.lock().await, self.cluster.sets_clocks());
        for (count, fault) in kinds.iter().cycle().enumerate() {
            tokio::time::sleep(pause).await;
            if started.elapsed() >= length && count >= kinds.len() {
                return;
            }
            self.inject(*fault).await;
        }
    }

    async fn inject(&mut self, fault: Fault) {
        let at = self.cluster.started.elapsed().as_secs_f32();
        let hold = Duration::from_millis(1500 + self.carrier.below(2500) as u64);
        self.hold(fault, hold).await;
        let healed = Instant::now();
        *self.survived.counts.entry(fault).or_default() += 1;
        let Some(took) = self.cluster.recovered(healed).await else {
            println!("{at:>7.1} s  {}: NOT BACK", fault.name());
            self.survived.not_recovered.push(fault);
            return;
        };
        println!("{at:>7.1} s  {}: back {} ms later", fault.name(), took.as_millis());
        if self.survived.worst.is_none_or(|(worst, _)| took > worst) {
            self.survived.worst = Some((took, fault));
        }
    }

    async fn hold(&mut self, fault: Fault, hold: Duration) {
        let node = &self.cluster.nodes[self.carrier.below(self.cluster.nodes.len())];
        match fault {
            Fault::NodeKilled => {
                node.kill();
                let took = node.start(&self.cluster.client).await;
                self.survived.slowest_start = self.survived.slowest_start.max(took);
            }
            Fault::NodeStopped => {
                node.signal("STOP");
                // Longer than a worker may take from its claim to its request.
                tokio::time::sleep(hold + Duration::from_secs(5)).await;
                node.signal("CONT");
            }
            Fault::NodeRestarted => {
                assert!(node.stop(), "a node did not drain and end with status 0");
                node.start(&self.cluster.client).await;
            }
            Fault::ClockSet => {
                for offset in ["+7200", "-7200", "+0"] {
                    self.cluster.set_clocks(offset);
                    tokio::time::sleep(hold / 2 + CLOCK_SEEN).await;
                }
            }
            Fault::CarrierRefuses => self.trouble(Trouble::Refuses, hold).await,
            Fault::CarrierThrottles => self.trouble(Trouble::Throttles, hold).await,
            Fault::CarrierTakesSilently => self.trouble(Trouble::TakesSilently, hold).await,
            Fault::CarrierTakesAndResets => self.trouble(Trouble::TakesAndResets, hold).await,
            Fault::LockHeld => {
                if let Database::Sqlite(disk) = &*self.database.lock().await {
                    disk.hold_lock(hold).await;
                }
            }
            Fault::DiskFull => {
                if let Database::Sqlite(disk) = &*self.database.lock().await {
                    disk.fill();
                    tokio::time::sleep(hold).await;
                    disk.make_room();
                }
            }
            Fault::DatabaseCrashed => {
                if let Database::Postgres(server) = &mut *self.database.lock().await {
                    server.crash();
                    tokio::time::sleep(hold / 4).await;
                    server.go();
                }
            }
            Fault::DatabaseCut => self.gate(Mode::Shut, hold).await,
            Fault::DatabaseHung => self.gate(Mode::Hung, hold).await,
            Fault::CommitsCut => self.gate(Mode::CutCommits, hold).await,
        }
    }

    async fn trouble(&self, trouble: Trouble, hold: Duration) {
        *self.carrier.trouble.lock().unwrap() = trouble;
        tokio::time::sleep(hold).await;
        *self.carrier.trouble.lock().unwrap() = Trouble::Nothing;
    }

    async fn gate(&self, mode: Mode, hold: Duration) {
        if let Some(gate) = &self.gate {
            gate.set(mode);
            tokio::time::sleep(hold).await;
            gate.set(Mode::Open);
        }
    }
}
