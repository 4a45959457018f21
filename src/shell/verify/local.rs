//! This node's own side of a comparison: its files, its core, its applier.

use super::{Ask, Place, Settled};
use crate::core::Settling;
use crate::session::Server;
use crate::shell::SystemClock;
use crate::shell::applier::SharedApplier;
use crate::shell::driver::Report;
use crate::sqlite::TableRows;
use crate::types::{DatabaseName, Mono, RowKey, Span, TableId, Wall};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

/// How long the driver, or the applier, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the applier's progress is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What both sides of a comparison need of this node. Used on threads of their own: every call may wait for the driver.
#[derive(Clone)]
pub struct Local {
    pub(super) server: Arc<Server>,
    reports: mpsc::UnboundedSender<Report>,
    pub(super) applier: SharedApplier,
    clock: SystemClock,
    /// True when this node is a voting member, and its files show what it recorded.
    ready: watch::Receiver<bool>,
    /// How long a comparison may take, from the snapshot to the last question.
    in_time: Span,
}

/// A snapshot, and when it was begun: everything recorded by then is in it.
pub(super) struct Taken {
    pub since: Mono,
    pub rows: TableRows,
}

impl Local {
    /// `ready` becomes true when this node is a voting member, and its files show what it recorded; `grace` is how long the core
    /// keeps key states below the watermark.
    pub fn new(
        server: Arc<Server>,
        reports: mpsc::UnboundedSender<Report>,
        applier: SharedApplier,
        clock: SystemClock,
        ready: watch::Receiver<bool>,
        grace: Span,
    ) -> Local {
        // A margin for clocks that do not run alike.
        let in_time = Span(grace.0 / 4 * 3);
        Local { server, reports, applier, clock, ready, in_time }
    }

    /// Whether it may be compared: before, the files lack what is recorded.
    pub(super) fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// Waits until it may be compared; for ever, if it stops before that.
    pub(super) async fn is_there(&self) {
        let mut ready = self.ready.clone();
        if ready.wait_for(|ready| *ready).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// What is settled here, as of now.
    ///
    /// # Errors
    /// A sentence: the node is stopping.
    pub(super) fn settling(&self, database: &DatabaseName, rows: Vec<RowKey>) -> Result<Settling, String> {
        let (reply, answer) = sync_channel(1);
        let report = Report::Settling { database: database.clone(), rows, reply };
        self.reports.send(report).map_err(|_| "the node is stopping".to_string())?;
        answer.recv_timeout(PATIENCE).map_err(|_| "the driver did not answer".to_string())
    }

    /// As [`Local::settling`], as it is told to others.
    ///
    /// # Errors
    /// As there.
    pub(super) fn settled(&self, place: (&DatabaseName, TableId), rows: Vec<RowKey>) -> Result<Settled, String> {
        let said = self.settling(place.0, rows)?;
        // After the rows: whatever gave way meanwhile is seen.
        let gave_way = self.applier.gave_way_lately(place.1);
        let Settling { clock, horizon, is_redefined, unsettled, last_commit: _ } = said;
        Ok(Settled { clock, horizon, is_redefined, gave_way, unsettled })
    }

    /// A snapshot of a database that shows everything recorded when it was asked for.
    ///
    /// # Errors
    /// A sentence: the applier is behind, or the file cannot be read.
    pub(super) async fn snapshot(&self, database: &DatabaseName) -> Result<Taken, String> {
        if !self.is_ready() {
            return Err("it is no voting member yet, or still applies what it recovered".into());
        }
        let since = self.now();
        let recorded = self.settling(database, Vec::new())?.last_commit;
        while self.server.published().applied() < recorded {
            if self.now().since(since).as_millis() > u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX) {
                return Err("its applier is behind".into());
            }
            sleep(LOOK_EVERY).await;
        }
        let rows = self.server.data().open_rows(database).map_err(|e| e.to_string())?;
        Ok(Taken { since, rows })
    }

    /// As [`Local::snapshot`], of one version of the schema.
    ///
    /// # Errors
    /// As there; or the schema is another.
    pub(super) async fn snapshot_at(&self, database: &DatabaseName, version: u64) -> Result<Taken, String> {
        let taken = self.snapshot(database).await?;
        match taken.rows.schema_version() == version {
            true => Ok(taken),
            false => Err("the definition is another one there".into()),
        }
    }

    /// As [`Local::snapshot`], of the schema and with the table that `place` names.
    ///
    /// # Errors
    /// As there; or the schema is another.
    pub(super) async fn snapshot_of(&self, place: &Place) -> Result<Taken, String> {
        let taken = self.snapshot_at(&place.database, place.version).await?;
        match taken.rows.key_columns(place.table) {
            Some(_) => Ok(taken),
            None => Err("there is no such table there".into()),
        }
    }

    /// Whether little enough time has passed since a snapshot was begun.
    pub(super) fn is_in_time(&self, since: Mono) -> bool {
        self.now().since(since) < self.in_time
    }

    fn now(&self) -> Mono {
        self.clock.now().mono
    }

    pub(super) fn wall(&self) -> Wall {
        self.clock.now().wall
    }
}

/// The question which rows are settled.
pub(super) fn settle(database: &DatabaseName, table: TableId, rows: &[RowKey]) -> Ask {
    Ask::Settle { database: database.clone(), table, rows: rows.iter().map(|row| row.key.to_vec()).collect() }
}
