//! Brings committed transactions into the database files, in order.
//!
//! What is small the driver applies itself, between two rounds: handing it to another thread and hearing back costs more
//! than the work. What is large, and what comes while that is under way, is applied by a task beside the driver, in
//! batches: while one is being written, the next gathers. Durability of the files lags behind on purpose; `marmot.db`
//! holds the redo until [`Report::Synced`].
//!
//! When the disk is full the files wait: what could not be applied is tried again, before anything else, until there is
//! room. Meanwhile they show what they showed before.

use super::driver::Report;
use super::metrics::{Metrics, observe};
use crate::core::{ApplyTask, Fatal};
use crate::sqlite::{Applied, Applier, RowRepair};
use crate::types::{ApplySeq, TableId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

/// Transactions applied in one batch at most, beside the driver.
const BATCH_MAX: usize = 512;
/// How often the files are made durable when there was something to apply.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// For how long it is remembered that a row of a table gave way: longer than any other node may need to find out the same.
const LATELY: Duration = Duration::from_secs(600);
/// How often a batch that found no room on the disk is tried again.
const RETRY_EVERY: Duration = Duration::from_millis(500);
/// What the driver applies itself at most: rows, and bytes of them.
const SMALL_ROWS: usize = 32;
const SMALL_BYTES: usize = 64 << 10;

/// The files' only writer, used by one thread at a time.
#[derive(Clone)]
pub struct SharedApplier(Arc<Mutex<State>>);

struct State {
    /// Gone after an error other than a full disk: it counts as applied what it may have lost, so nothing may be made durable with it.
    applier: Option<Applier>,
    /// Something was applied since the files were last made durable.
    unsynced: bool,
    /// When a row of a table last gave way to another that has one of its unique values now, as found out here.
    gave_way: BTreeMap<TableId, Instant>,
    metrics: Arc<Metrics>,
}

impl State {
    fn apply(&mut self, tasks: &[ApplyTask]) -> Result<Applied, Fatal> {
        self.unsynced = true;
        let since = Instant::now();
        let applied = self.run(|applier| applier.apply(tasks));
        for evicted in applied.iter().flat_map(|applied| &applied.evicted) {
            self.gave_way.insert(evicted.row.table, Instant::now());
        }
        observe(&self.metrics.batch, since.elapsed().into());
        applied
    }

    /// Makes the files durable, if something was applied since, and tells up to where they are.
    fn sync(&mut self) -> Result<Option<ApplySeq>, Fatal> {
        if !self.unsynced {
            return Ok(None);
        }
        let since = Instant::now();
        let synced = self.run(|applier| {
            let synced = applier.sync()?;
            applier.checkpoint()?;
            Ok(Some(synced))
        });
        match synced {
            // The redo is kept, and it is tried again with the next.
            Err(Fatal::DiskFull) => Ok(None),
            other => {
                observe(&self.metrics.files_sync, since.elapsed().into());
                self.unsynced = false;
                other
            }
        }
    }

    fn gave_way_lately(&self, table: TableId) -> bool {
        self.gave_way.get(&table).is_some_and(|at| at.elapsed() < LATELY)
    }

    fn run<T>(&mut self, work: impl FnOnce(&mut Applier) -> Result<T, Fatal>) -> Result<T, Fatal> {
        let ended = || Fatal::Storage("the database files were left after an error".into());
        let result = work(self.applier.as_mut().ok_or_else(ended)?);
        if result.as_ref().is_err_and(|error| *error != Fatal::DiskFull) {
            self.applier = None;
        }
        result
    }
}

impl SharedApplier {
    pub fn new(applier: Applier, metrics: Arc<Metrics>) -> SharedApplier {
        SharedApplier(Arc::new(Mutex::new(State {
            applier: Some(applier),
            unsynced: false,
            gave_way: BTreeMap::new(),
            metrics,
        })))
    }

    /// Applies `tasks` now, if they are small, nobody else is at work, and the disk has room; else `None`. Everything before
    /// them must have been applied.
    pub fn apply_small(&self, tasks: &[ApplyTask]) -> Option<Result<Applied, Fatal>> {
        if !tasks.iter().all(|t| t.write_set.ddl.is_none() && t.evictions.is_empty()) {
            return None;
        }
        let rows: usize = tasks.iter().flat_map(|t| t.write_set.tables.iter()).map(|t| t.rows.len()).sum();
        if rows > SMALL_ROWS || tasks.iter().map(|t| t.write_set.size()).sum::<usize>() > SMALL_BYTES {
            return None;
        }
        match self.0.try_lock().ok()?.apply(tasks) {
            Err(Fatal::DiskFull) => None,
            other => Some(other),
        }
    }

    /// Whether a row of the table gave way to another [`LATELY`].
    pub fn gave_way_lately(&self, table: TableId) -> bool {
        self.lock().gave_way_lately(table)
    }

    /// Replaces rows of a table (see [`Applier::repair`]) if no row of it gave way lately and `may` agrees, which is asked
    /// while nothing is applied. It may wait for the driver, which never waits for the applier.
    ///
    /// # Errors
    /// A sentence: nothing was changed.
    pub fn repair(
        &self,
        database: &str,
        version: u64,
        table: TableId,
        rows: &[RowRepair],
        may: impl FnOnce() -> bool,
    ) -> Result<usize, String> {
        let mut state = self.lock();
        if state.gave_way_lately(table) || !may() {
            return Ok(0);
        }
        let applier = state.applier.as_mut().ok_or("the node is ending")?;
        let repaired = applier.repair(database, version, table, rows).map_err(|e| e.to_string())?;
        state.unsynced = true;
        Ok(repaired)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // After a panic in the middle of a batch the process is ending.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Applies what the driver hands over, and makes the files durable, until the driver is gone.
pub async fn run(
    applier: SharedApplier,
    mut tasks: mpsc::UnboundedReceiver<Vec<ApplyTask>>,
    reports: mpsc::UnboundedSender<Report>,
) {
    if let Err(fatal) = serve(&applier, &mut tasks, &reports).await {
        // A driver that is gone has ended the process already.
        let _ = reports.send(Report::Failed(fatal));
    }
}

async fn serve(
    applier: &SharedApplier,
    tasks: &mut mpsc::UnboundedReceiver<Vec<ApplyTask>>,
    reports: &mpsc::UnboundedSender<Report>,
) -> Result<(), Fatal> {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    let mut sync_at = Instant::now() + SYNC_EVERY;
    loop {
        match timeout(sync_at.saturating_duration_since(Instant::now()), tasks.recv()).await {
            Ok(None) => {
                return applier.lock().sync().map(drop);
            }
            Ok(Some(first)) => {
                batch.extend(first);
                while batch.len() < BATCH_MAX
                    && let Ok(more) = tasks.try_recv()
                {
                    batch.extend(more);
                }
                let applied = apply_all(applier, &batch, reports).await?;
                batch.clear();
                for report in reports_of(applied) {
                    if reports.send(report).is_err() {
                        return Ok(());
                    }
                }
            }
            Err(_) => {}
        }
        if Instant::now() >= sync_at {
            sync_at = Instant::now() + SYNC_EVERY;
            let synced = applier.lock().sync()?;
            if let Some(synced) = synced
                && reports.send(Report::Synced(synced)).is_err()
            {
                return Ok(());
            }
        }
    }
}

/// Applies a batch, however long the disk is full.
async fn apply_all(
    applier: &SharedApplier,
    batch: &[ApplyTask],
    reports: &mpsc::UnboundedSender<Report>,
) -> Result<Applied, Fatal> {
    let mut waiting = false;
    loop {
        let applied = applier.lock().apply(batch);
        match applied {
            Err(Fatal::DiskFull) if !reports.is_closed() => {
                if !std::mem::replace(&mut waiting, true) {
                    let _ = reports.send(Report::FilesFull(true));
                }
                sleep(RETRY_EVERY).await;
            }
            other => {
                if waiting {
                    // A driver that is gone ends this task with its next report.
                    let _ = reports.send(Report::FilesFull(false));
                }
                return other;
            }
        }
    }
}

/// What the core hears of a batch.
pub fn reports_of(applied: Applied) -> Vec<Report> {
    let evicted = applied.evicted.into_iter();
    let mut reports: Vec<Report> =
        evicted.map(|e| Report::Evicted { winner: e.winner, row: e.row, image: e.image }).collect();
    reports.push(Report::Applied(applied.seq));
    reports
}
