//! What the admin address knows of the node, and its judgement of it.

use crate::core::{NodeStatus, PeerState, PeerStatus};
use crate::session::{LinkRow, LinkStates, Server};
use crate::shell::instance::{Instance, ROOM_BYTES};
use crate::shell::metrics::Metrics;
use crate::types::{Mono, Span};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// How long the driver may take to answer. It may wait for a slow disk; a node that cannot answer for so long serves nobody.
const PATIENCE: Duration = Duration::from_secs(5);
/// A peer that is behind for longer deserves a look; so does a transaction that is open for longer.
const LONG_LAG: Span = Span::from_secs(10);
const LONG_TRANSACTION: Span = Span::from_secs(60);
/// Less free space on the disk deserves a look.
const LITTLE_ROOM: u64 = 1 << 30;

/// A node before and after it was started.
pub struct Watch {
    pub metrics: Arc<Metrics>,
    directory: PathBuf,
    max_clock_offset: Span,
    running: OnceLock<Running>,
}

/// The parts of a running node that are watched.
pub struct Running {
    pub server: Arc<Server>,
    pub links: Arc<dyn LinkStates>,
    /// Frames of peers that wait for the driver.
    pub envelopes: Box<dyn Fn() -> usize + Send + Sync>,
    pub ready: watch::Receiver<bool>,
    pub stopping: watch::Receiver<bool>,
}

/// Everything seen at one moment.
pub struct Seen<'a> {
    pub running: Option<&'a Running>,
    /// As the driver told; `None`: it did not.
    pub status: Option<Box<NodeStatus>>,
    pub links: Vec<LinkRow>,
    /// Free bytes on the data directory's disk.
    pub free_bytes: Option<u64>,
    pub ready: Result<(), String>,
    pub problems: Vec<Problem>,
}

/// Something that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The node does not do what it is for.
    pub bad: bool,
    pub text: String,
}

impl Watch {
    pub fn new(directory: PathBuf, max_clock_offset: Span, metrics: Arc<Metrics>) -> Arc<Watch> {
        Arc::new(Watch { metrics, directory, max_clock_offset, running: OnceLock::new() })
    }

    /// The node runs.
    pub fn attach(&self, instance: &Instance) {
        // Once: there is one instance in a process.
        let _ = self.running.set(instance.watched());
    }

    /// Whether the driver's loop turns. A node that is starting is well.
    ///
    /// # Errors
    /// Why not.
    pub async fn health(&self) -> Result<(), String> {
        match self.running.get() {
            Some(running) if self.status(running).await.is_none() => Err(silent()),
            _ => Ok(()),
        }
    }

    /// Whether clients are served and QUORUM writes can succeed.
    ///
    /// # Errors
    /// Why not.
    pub async fn readiness(&self) -> Result<(), String> {
        self.look().await.ready
    }

    /// Looks at everything.
    pub async fn look(&self) -> Seen<'_> {
        let running = self.running.get();
        let status = match running {
            Some(running) => self.status(running).await,
            None => None,
        };
        let free_bytes = free_bytes(&self.directory);
        let ready = self.judge(running, status.as_deref(), free_bytes);
        let links = running.map_or_else(Vec::new, |running| running.links.list());
        let mut seen = Seen { running, status, links, free_bytes, ready, problems: Vec::new() };
        seen.problems = self.problems(&seen);
        seen
    }

    /// Bytes of all files in the data directory, but for folders in it: copies on their way.
    pub fn data_bytes(&self) -> u64 {
        // A directory that cannot be read, or a file that just went, has nothing to show.
        let Ok(entries) = std::fs::read_dir(&self.directory) else { return 0 };
        entries.flatten().filter_map(|e| e.metadata().ok()).filter(|data| data.is_file()).map(|data| data.len()).sum()
    }

    /// Memory of this process, where the operating system tells.
    pub fn resident_bytes(&self) -> Option<u64> {
        let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
        let pages: u64 = pages.split_whitespace().nth(1)?.parse().ok()?;
        let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok()??;
        Some(pages * u64::try_from(size).ok()?)
    }

    async fn status(&self, running: &Running) -> Option<Box<NodeStatus>> {
        timeout(PATIENCE, running.server.status()).await.ok().flatten()
    }

    fn judge(
        &self,
        running: Option<&Running>,
        status: Option<&NodeStatus>,
        free_bytes: Option<u64>,
    ) -> Result<(), String> {
        let Some(running) = running else {
            let (received, size) = (self.metrics.snapshot_received.get(), self.metrics.snapshot_size.get());
            return Err(match size {
                0 => "starting".to_string(),
                _ => format!("starting: {} of {} MB of the data are copied", received >> 20, size >> 20),
            });
        };
        if *running.stopping.borrow() {
            return Err("stopping".to_string());
        }
        let status = status.ok_or_else(silent)?;
        if !*running.ready.borrow() {
            return Err("joining: this node is no voting member yet, or still applies what it recovered".to_string());
        }
        if status.alive_voters < status.quorum() {
            return Err(format!(
                "no majority: {} of {} voting members are alive, {} are needed; writes are refused, local reads are served",
                status.alive_voters,
                status.voters,
                status.quorum()
            ));
        }
        match free_bytes {
            Some(free) if free < ROOM_BYTES => {
                Err(format!("disk full: {} MB are free, writes are refused, reads are served", free >> 20))
            }
            _ => Ok(()),
        }
    }

    fn problems(&self, seen: &Seen<'_>) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut add = |bad, text| problems.push(Problem { bad, text });
        if let Err(why) = &seen.ready {
            add(true, format!("Not ready: {why}."));
        }
        let Some(status) = &seen.status else { return problems };
        for peer in status.peers.iter().filter(|p| p.id != status.id && p.state != PeerState::Removed) {
            for (bad, text) in self.problems_of(peer, seen) {
                add(bad, text);
            }
        }
        let limit = self.max_clock_offset.as_millis().cast_signed();
        if status.ahead_ms > limit / 2 {
            let ahead = status.ahead_ms;
            add(
                false,
                format!("The cluster's clock is {ahead} ms ahead of this node's: is this one slow, or another fast?"),
            );
        }
        if let Some(free) = seen.free_bytes.filter(|free| (ROOM_BYTES..LITTLE_ROOM).contains(free)) {
            let least = ROOM_BYTES >> 20;
            add(false, format!("{} MB are free on the disk; below {least} MB writes are refused.", free >> 20));
        }
        let compared = seen.running.map_or_else(Vec::new, |running| running.server.verification());
        for row in compared.iter().filter(|row| row.undecided > 0) {
            let (database, table, rows) = (&row.database, &row.table, row.undecided);
            add(
                true,
                format!(
                    "{rows} rows of {database}.{table} differ from another node's, and no majority has them alike: the log \
                     says what to do."
                ),
            );
        }
        for row in compared.iter().filter(|row| row.definition.is_trouble()) {
            let (database, table) = (&row.database, &row.table);
            add(
                true,
                format!("The definition of {database}.{table} differs from another node's: the log says what to do."),
            );
        }
        if let Some(oldest) = seen.oldest_transaction().filter(|age| *age > LONG_TRANSACTION) {
            let seconds = oldest.as_millis() / 1000;
            add(
                false,
                format!(
                    "A transaction has been open for {seconds} s; its snapshot keeps the write-ahead log from shrinking."
                ),
            );
        }
        problems
    }

    fn problems_of(&self, peer: &PeerStatus, seen: &Seen<'_>) -> Vec<(bool, String)> {
        let name = format!("Node {} ({})", peer.id.0, peer.address);
        let for_long = |span: Option<Span>| span.map_or(String::new(), |s| format!(" for {} s", s.as_millis() / 1000));
        let limit = self.max_clock_offset.as_millis().cast_signed();
        let mut found = Vec::new();
        match peer.state {
            PeerState::Dead | PeerState::Suspect if peer.voter => {
                found.push((false, format!("{name} is away: nothing was heard of it{}.", for_long(peer.silence))));
            }
            PeerState::Joining => {
                found.push((false, format!("{name} is joining; it lacks {} transactions.", peer.lag)))
            }
            PeerState::Alive => {
                if peer.lag_time.is_none_or(|lag| lag > LONG_LAG) {
                    let since = for_long(peer.lag_time);
                    found.push((false, format!("{name} has lacked some of {} transactions{since}.", peer.lag)));
                }
                if seen.link_to(peer).is_some_and(|link| !link.up) {
                    found.push((false, format!("{name} is alive, but this node cannot connect to it.")));
                }
            }
            PeerState::Dead | PeerState::Suspect | PeerState::Removed => {}
        }
        if peer.ahead_ms > limit {
            let text = format!(
                "The clock of {name} is {} ms ahead of this node's, more than max_clock_offset allows.",
                peer.ahead_ms
            );
            found.push((true, text));
        }
        found
    }
}

impl Seen<'_> {
    /// The link by which this node speaks to a peer.
    pub fn link_to(&self, peer: &PeerStatus) -> Option<&LinkRow> {
        self.links.iter().find(|link| link.address == peer.address)
    }

    /// How long the oldest of the transactions that clients hold open has been so.
    pub fn oldest_transaction(&self) -> Option<Span> {
        let running = self.running?;
        let now = running.server.now().mono;
        let since: Option<Mono> =
            running.server.registry().list().iter().filter_map(|c| c.transaction()).map(|(since, _)| since).min();
        since.map(|since| now.since(since))
    }
}

fn silent() -> String {
    format!("the driver has not answered for {} s", PATIENCE.as_secs())
}

fn free_bytes(directory: &std::path::Path) -> Option<u64> {
    nix::sys::statvfs::statvfs(directory).ok().map(|s| s.blocks_available() * s.fragment_size())
}
