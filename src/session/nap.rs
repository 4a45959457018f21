//! `SLEEP()`. The function itself runs within SQLite and must not block the thread: it notes what it owes, and the
//! session pays between rows. `KILL` and `max_execution_time` end the wait.

use super::clock::Clock;
use super::functions::SharedContext;
use super::registry::Connection;
use crate::sqlite;
use crate::types::Span;
use std::sync::Arc;

/// Who waits, and for what.
pub(super) struct Naps {
    pub context: SharedContext,
    pub clock: Arc<dyn Clock>,
    pub connection: Option<Arc<Connection>>,
}

impl Naps {
    /// Whether the program calls SLEEP().
    pub fn are_in(sql: &str) -> bool {
        sql.contains("marmot_sleep(")
    }

    /// Waits for as long as the functions that ran since the last call asked for.
    ///
    /// # Errors
    /// [`sqlite::Error::Interrupted`]: the statement is to stop; the session knows why.
    pub async fn take(&self) -> sqlite::Result<()> {
        let owed = Span(self.context.lock().sleep.take().saturating_mul(1000));
        if owed == Span::ZERO {
            return Ok(());
        }
        let Some(connection) = &self.connection else {
            self.clock.sleep(owed).await;
            return Ok(());
        };
        let left = connection.statement_time_left(self.clock.now().mono);
        tokio::select! {
            biased;
            () = connection.stopped() => {}
            () = self.clock.sleep(left.map_or(owed, |left| left.min(owed))) => connection.expire(self.clock.now().mono),
        }
        match connection.must_stop() {
            true => Err(sqlite::Error::Interrupted { transaction_lost: false }),
            false => Ok(()),
        }
    }
}
