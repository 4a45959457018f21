//! The task that moves write-ahead logs into their files, so that no commit has to.

use crate::sqlite::{Checkpointer, FileCheckpointer};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// Between looks at the logs; each look leaves short ones alone.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Runs until `stop` is true. A checkpoint that fails is tried again: the log it leaves behind is longer, not lost.
pub async fn run(mut databases: Checkpointer, mut own: FileCheckpointer, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            biased;
            changed = stop.changed() => if changed.is_err() || *stop.borrow() { return },
            () = sleep(LOOK_EVERY) => {}
        }
        for result in [databases.run(), own.run()] {
            if let Err(error) = result {
                tracing::warn!(%error, "a checkpoint failed");
            }
        }
    }
}
