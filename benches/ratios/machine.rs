//! What the machine is and what its processes cost, from /proc.

use std::{fs, io::Write as _, path::Path, time::Instant};

use crate::{Result, report::float};

/// Linux counts processor time in hundredths of a second, whatever its own clock does.
const TICKS: f64 = 100.0;

/// A process, or a process with all its children, whose processor time counts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Meter {
    /// This process alone.
    Process(u32),
    /// This process, its children that live and its children that have ended.
    Family(u32),
}

/// The fields of /proc/PID/stat after the name: the parent and four times.
fn stat(pid: u32) -> Option<(u32, [u64; 4])> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let rest = text.rsplit_once(") ")?.1;
    let fields: Vec<&str> = rest.split(' ').collect();
    let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
    let times = [number(11)?, number(12)?, number(13)?, number(14)?];
    Some((fields.get(1)?.parse().ok()?, times))
}

impl Meter {
    /// Seconds of processor time so far; `None` where there is no /proc.
    pub(crate) fn seconds(self) -> Option<f64> {
        let ticks = match self {
            Self::Process(pid) => {
                let (_, [user, system, ..]) = stat(pid)?;
                user + system
            }
            Self::Family(pid) => {
                let (_, own) = stat(pid)?;
                let mut sum: u64 = own.iter().sum();
                for entry in fs::read_dir("/proc").ok()?.flatten() {
                    let child = entry.file_name().to_str().and_then(|name| name.parse().ok());
                    if let Some((parent, [user, system, ..])) = child.and_then(stat)
                        && parent == pid
                    {
                        sum += user + system;
                    }
                }
                sum
            }
        };
        Some(float(ticks) / TICKS)
    }
}

/// The parent of a process.
pub(crate) fn parent(pid: u32) -> Option<u32> {
    stat(pid).map(|(parent, _)| parent)
}

/// Seconds that all processors together spent on processes so far.
pub(crate) fn busy() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let fields: Vec<u64> =
        text.lines().next()?.split_whitespace().skip(1).filter_map(|f| f.parse().ok()).collect();
    Some(float(fields.iter().take(3).sum()) / TICKS)
}

/// Bytes of memory that a process has in use.
pub(crate) fn resident(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// The processor's name and how many there are.
pub(crate) fn processors() -> String {
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("unknown", |rest| rest.trim_start_matches([' ', '\t', ':']));
    format!("{count} × {name}")
}

/// How often a second 4 KiB can be appended to a file and be on disk.
pub(crate) fn syncs_per_second(folder: &Path) -> Result<f64> {
    let mut file = fs::File::create(folder.join("sync"))?;
    let (block, start) = ([7; 4096], Instant::now());
    let mut count = 0;
    while start.elapsed().as_millis() < 500 {
        file.write_all(&block)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(float(count) / start.elapsed().as_secs_f64())
}
