//! Small AUTO_INCREMENT ids, for columns narrower than BIGINT and for mode `sequential`: blocks leased by a QUORUM transaction on the database's
//! `__marmot_sequences`, so that no two nodes ever hand out the same id. A node keeps one block per table and its
//! sessions share it; what is left of a block when the node stops is skipped.

use super::constraint;
use super::core_handle::CoreHandle;
use super::lease::Lease;
use super::refusal;
use super::retry::Retry;
use super::server::Server;
use crate::core::{Request, Response};
use crate::mysql::{self, SqlError};
use crate::sql::{AutoIncrement, ColumnType, IntegerSize};
use crate::sqlite::{Functions, Workspace};
use crate::types::{AutoIdMode, Span, TableId, Value, WriteLevel};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The first block of a table; each next one is twice as large, up to the largest.
const SMALLEST: u64 = 16;
const LARGEST: u64 = 4096;

/// A node's blocks.
#[derive(Default)]
pub struct Sequences {
    blocks: Mutex<BTreeMap<TableId, Block>>,
    /// One lease at a time: the others find the block it brought.
    workspace: tokio::sync::Mutex<Option<Workspace>>,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    lease: Lease,
    size: u64,
}

/// Whose ids are wanted.
pub struct Target<'a> {
    pub database: &'a str,
    pub table: &'a str,
    pub id: TableId,
    pub auto: &'a AutoIncrement,
}

impl Sequences {
    fn blocks(&self) -> MutexGuard<'_, BTreeMap<TableId, Block>> {
        // A panic elsewhere cannot leave a block half changed: every change is one assignment.
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, table: TableId, count: u64) -> Option<i64> {
        self.blocks().get_mut(&table)?.lease.take(count)
    }

    /// Gives back the last `count` ids before `end`, if nobody took any since.
    pub fn give_back(&self, table: TableId, end: i64, count: u64) {
        if let Some(block) = self.blocks().get_mut(&table) {
            block.lease.give_back(end, count);
        }
    }

    /// Drops the table's block: somebody used its ids explicitly.
    pub fn forget(&self, table: TableId) {
        if let Some(block) = self.blocks().get_mut(&table) {
            block.lease = Lease::default();
        }
    }

    /// `count` consecutive ids of the table.
    ///
    /// # Errors
    /// 1467 if the column's type has no more; what the cluster refuses otherwise.
    pub async fn ids(
        &self,
        server: &Arc<Server>,
        core: &CoreHandle,
        target: &Target<'_>,
        count: u64,
        lock_wait: Span,
    ) -> Result<i64, SqlError> {
        let mut retry = Retry::new(server, lock_wait);
        loop {
            if let Some(first) = self.take(target.id, count) {
                return Ok(first);
            }
            let mut workspace = self.workspace.lock().await;
            if let Some(first) = self.take(target.id, count) {
                return Ok(first);
            }
            let size = self.blocks().get(&target.id).map_or(SMALLEST, |b| (b.size * 2).min(LARGEST));
            let snapshot = core.open_snapshot();
            let mut used = match workspace.take() {
                Some(workspace) => workspace,
                None => server.data.open_workspace(&Functions::new()).map_err(plain)?,
            };
            let planned = plan_block(&mut used, target, count, size);
            used.end();
            *workspace = Some(used);
            let (lease, write_set) = planned?;
            let request = Request::Commit {
                write_set: Arc::new(write_set),
                snapshot: snapshot.get(),
                level: WriteLevel::Quorum,
                begin: retry.begin(),
                lock_wait: retry.left(server),
            };
            match core.request(request).await {
                Some(Response::Committed { .. }) => {
                    let mut blocks = self.blocks();
                    let before = blocks.get(&target.id).map_or(Lease::default(), |b| b.lease);
                    // Without others in between, no id is skipped.
                    blocks.insert(target.id, Block { lease: before.followed_by(lease), size });
                }
                Some(Response::Refused(refused)) => {
                    drop((snapshot, workspace));
                    retry.after(server, &refused).await.map_err(no_lease)?;
                }
                // Whether the block was taken or not, nothing of the client's was done: another one is leased next time.
                other => return Err(SqlError::internal(format!("cannot lease AUTO_INCREMENT ids: {other:?}"))),
            }
        }
    }
}

/// Nothing of the client's own was changed, whatever became of the lease.
fn no_lease(error: SqlError) -> SqlError {
    if error.code == refusal::unknown_outcome("").code {
        return SqlError::internal("cannot lease AUTO_INCREMENT ids; nothing was changed, a retry is safe");
    }
    error
}

fn plain(error: crate::sqlite::Error) -> SqlError {
    constraint::to_sql(error, None, None)
}

/// Executes the lease of a block on a fresh snapshot.
fn plan_block(
    workspace: &mut Workspace,
    target: &Target<'_>,
    count: u64,
    size: u64,
) -> Result<(Lease, crate::types::WriteSet), SqlError> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let database = quoted(target.database);
    workspace.attach(target.database).map_err(plain)?;
    workspace.begin().map_err(plain)?;
    let name = Value::text(target.id.to_string());
    let mut first = i64::try_from(target.auto.start).unwrap_or(i64::MAX).max(1);
    let next = format!("SELECT next FROM {database}.\"__marmot_sequences\" WHERE name = ?1");
    let column = quoted(&target.auto.column);
    let wide = matches!(target.auto.ty, ColumnType::Integer { size: IntegerSize::Big, .. });
    let max = if wide { target.auto.max.min(AutoIdMode::SEQUENTIAL_END - 1) } else { target.auto.max };
    // Above it are ids of another mode.
    let highest = format!("SELECT max({column}) FROM {database}.{} WHERE {column} <= {max}", quoted(target.table));
    for (sql, parameters, add) in [(next, &[name.clone()][..], 0), (highest, &[][..], 1)] {
        let mut rows = workspace.query(&sql, parameters).map_err(plain)?;
        if let Some(row) = rows.next().map_err(plain)?
            && let Value::Int(seen) = row.value(0)
        {
            first = first.max(seen.saturating_add(add));
        }
    }
    let room = u64::try_from(max.saturating_sub(first).saturating_add(1)).unwrap_or(0);
    if room < count {
        return Err(mysql::AUTOINC_READ_FAILED.with(&[]));
    }
    // A block never takes more than a small part of what a narrow type has left.
    let block = count.max(size.min(room / 256 + 1)).min(room);
    let end = Value::Int(first.saturating_add(i64::try_from(block).unwrap_or(i64::MAX)));
    let sql = format!(
        "INSERT INTO {database}.\"__marmot_sequences\"(name, next) VALUES(?1, ?2) \
         ON CONFLICT(name) DO UPDATE SET next = excluded.next"
    );
    workspace.execute(&sql, &[name, end]).map_err(plain)?;
    let write_set = workspace.take_write_set().map_err(plain)?;
    Ok((Lease::new(first, block), write_set))
}
