//! The task beside the driver that brings committed transactions into the database files, in order.
//!
//! It works in batches: while one is being written, the next gathers. Durability of the files lags behind on purpose;
//! `marmot.db` holds the redo until [`Report::Synced`].

use super::driver::Report;
use crate::core::{ApplyTask, Fatal};
use crate::sqlite::Applier;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

/// Transactions applied in one batch at most.
const BATCH_MAX: usize = 512;
/// How often the files are made durable when there was something to apply.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// Applies until the driver is gone.
pub async fn run(
    mut applier: Applier,
    mut tasks: mpsc::UnboundedReceiver<Vec<ApplyTask>>,
    reports: mpsc::UnboundedSender<Report>,
) {
    if let Err(fatal) = serve(&mut applier, &mut tasks, &reports).await {
        // A driver that is gone has ended the process already.
        let _ = reports.send(Report::Failed(fatal));
    }
}

async fn serve(
    applier: &mut Applier,
    tasks: &mut mpsc::UnboundedReceiver<Vec<ApplyTask>>,
    reports: &mpsc::UnboundedSender<Report>,
) -> Result<(), Fatal> {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    let mut unsynced = false;
    let mut sync_at = Instant::now() + SYNC_EVERY;
    loop {
        let first = match unsynced {
            true => timeout(sync_at.saturating_duration_since(Instant::now()), tasks.recv()).await.ok(),
            false => Some(tasks.recv().await),
        };
        match first {
            Some(None) => {
                applier.sync()?;
                return Ok(());
            }
            Some(Some(first)) => {
                batch.extend(first);
                while batch.len() < BATCH_MAX
                    && let Ok(more) = tasks.try_recv()
                {
                    batch.extend(more);
                }
                let applied = applier.apply(&batch)?;
                batch.clear();
                for evicted in applied.evicted {
                    let (winner, row, image) = (evicted.winner, evicted.row, evicted.image);
                    // A driver that is gone has ended the process already.
                    let _ = reports.send(Report::Evicted { winner, row, image });
                }
                if reports.send(Report::Applied(applied.seq)).is_err() {
                    return Ok(());
                }
                if !unsynced {
                    unsynced = true;
                    sync_at = Instant::now() + SYNC_EVERY;
                }
            }
            None => {}
        }
        if unsynced && Instant::now() >= sync_at {
            let synced = applier.sync()?;
            applier.checkpoint()?;
            unsynced = false;
            if reports.send(Report::Synced(synced)).is_err() {
                return Ok(());
            }
        }
    }
}
