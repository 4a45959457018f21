//! How many ids a statement needs, and where they come from: AUTO_INCREMENT columns of BIGINT and hidden row ids take
//! the core's time-ordered ids, narrower columns and mode `sequential` take small ones ([`super::sequence`]).
//!
//! The ids of one statement ascend, and are consecutive as far as one lease goes (64 or 4096 time-ordered ids, any
//! number of small ones): clients compute the others from LAST_INSERT_ID(), which is the first.

use super::lease::Lease;
use super::refusal;
use super::session::Session;
use crate::core::{Request, Response};
use crate::mysql::SqlError;
use crate::sql::{AutoIncrement, ColumnType, IntegerSize, Write, WriteKind};
use crate::sqlite::{Constraint, Error, IdKind, Workspace};
use crate::types::{AutoIdMode, Value};

/// Ids leased from the core at once, when a statement needs fewer.
const BLOCK: u64 = 64;
/// The most that one statement may need.
const MOST: u64 = 1 << 24;

/// The ids of one statement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ids {
    auto: u64,
    rows: u64,
    /// The last range given to the statement: its end and how many ids it has.
    last: Option<(i64, u64)>,
}

/// Ids `first..first + count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub first: i64,
    pub count: u64,
}

impl Range {
    pub(super) fn end(self) -> i64 {
        self.first.saturating_add(i64::try_from(self.count).unwrap_or(i64::MAX))
    }
}

impl Ids {
    pub(super) fn for_statement(write: &Write) -> Ids {
        let inserts = matches!(write.kind, WriteKind::Insert | WriteKind::Upsert | WriteKind::Replace);
        let rows = write.rows.map_or(1, |n| n as u64);
        let auto = match &write.auto_increment {
            Some(auto) if inserts && !auto.all_given => rows,
            _ => 0,
        };
        // Whether the table has a hidden key shows when the statement asks for a row id.
        Ids { auto, rows: 0, last: None }
    }

    /// The statement found its lease empty.
    pub(super) fn want_more(&mut self, kind: IdKind) {
        let wanted = match kind {
            IdKind::Auto => &mut self.auto,
            IdKind::Row => &mut self.rows,
        };
        *wanted = (*wanted * 4).clamp(BLOCK.min(16), MOST * 4);
    }

    pub(super) fn rows_wanted(&self) -> u64 {
        self.rows
    }

    /// The column and the number of ids for it, if any are needed.
    pub(super) fn auto_wanted<'a>(&self, write: &'a Write) -> Option<(&'a AutoIncrement, u64)> {
        let auto = write.auto_increment.as_ref()?;
        (self.auto > 0).then_some((auto, self.auto))
    }

    /// Whether the column's ids are the core's time-ordered ones.
    pub(super) fn is_big(auto: &AutoIncrement, mode: AutoIdMode) -> bool {
        let wide = matches!(auto.ty, ColumnType::Integer { size: IntegerSize::Big, .. });
        let sequential = mode == AutoIdMode::Sequential && auto.start < AutoIdMode::SEQUENTIAL_END.cast_unsigned();
        wide && !sequential
    }

    pub(super) fn leased(&mut self, last: Range) {
        self.last = Some((last.end(), last.count));
    }

    /// The end of what was leased last and how many of the `left` ids are of that range, once.
    pub(super) fn returned(&mut self, left: u64) -> Option<(i64, u64)> {
        self.last.take().map(|(end, count)| (end, left.min(count)))
    }

    /// Whether the failure may come from a small generated id that somebody had used by hand.
    pub(super) fn explains(&self, error: &Error, write: &Write, mode: AutoIdMode) -> bool {
        let Some((auto, _)) = self.auto_wanted(write) else { return false };
        let Error::Constraint { kind: Constraint::Unique(columns) | Constraint::PrimaryKey(columns), .. } = error
        else {
            return false;
        };
        let names = super::constraint::column_names(columns);
        !Ids::is_big(auto, mode) && names.len() == 1 && names[0].eq_ignore_ascii_case(&auto.column)
    }
}

/// The AUTO_INCREMENT ids in the rows that a statement wrote, as far as its client is told of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WrittenIds {
    /// The first that was generated and inserted: LAST_INSERT_ID(). An id generated for a row that was there already and
    /// was updated or ignored does not count.
    pub generated: Option<i64>,
    /// That of the last row inserted, or changed because it was there already.
    pub last: Option<i64>,
}

impl WrittenIds {
    /// Those of the statement that `workspace` ran last.
    pub(super) fn of(workspace: &Workspace, write: &Write) -> WrittenIds {
        let inserts = matches!(write.kind, WriteKind::Insert | WriteKind::Upsert | WriteKind::Replace);
        let Some(auto) = write.auto_increment.as_ref().filter(|_| inserts) else { return WrittenIds::default() };
        let rows = || {
            let cells = workspace.written(write.table_id, &auto.column);
            cells.filter_map(|(new, cell)| if let Value::Int(id) = cell { Some((new, *id)) } else { None })
        };
        let first = workspace.ids().first_generated();
        let generated = match first {
            Some(id) if rows().next() == Some((true, id)) => first,
            Some(_) => {
                let generated = workspace.ids().generated();
                rows().find(|(new, id)| *new && generated.contains(id)).map(|(_, id)| id)
            }
            None => None,
        };
        let last = if generated.is_some() { None } else { rows().last().map(|(_, id)| id) };
        WrittenIds { generated, last }
    }
}

impl Session {
    /// `count` ids that are unique in the cluster, in ascending ranges: one, unless the core gives fewer at a time.
    pub(super) async fn big_ids(&mut self, count: u64) -> Result<Vec<Range>, SqlError> {
        if let Some(first) = self.big_ids.take(count) {
            return Ok(vec![Range { first, count }]);
        }
        if count > MOST {
            return Err(SqlError::internal(format!("a statement that needs more than {MOST} AUTO_INCREMENT ids")));
        }
        let (mut ranges, mut missing) = (Vec::new(), count);
        while missing > 0 {
            let mut lease = self.lease_of_core(missing.max(BLOCK)).await?;
            let taken = lease.left().min(missing);
            let Some(first) = lease.take(taken).filter(|_| taken > 0) else {
                return Err(SqlError::internal("a lease of ids without ids"));
            };
            ranges.push(Range { first, count: taken });
            missing -= taken;
            self.big_ids = lease;
        }
        Ok(ranges)
    }

    /// At most `count` fresh ids from the core.
    async fn lease_of_core(&mut self, count: u64) -> Result<Lease, SqlError> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        match self.core.request(Request::AutoIds { mode: self.state.settings.auto_ids, count }).await {
            Some(Response::AutoIds { first, count }) => {
                let first = i64::try_from(first).map_err(|_| crate::mysql::AUTOINC_READ_FAILED.with(&[]))?;
                Ok(Lease::new(first, u64::from(count)))
            }
            Some(Response::Refused(refused)) => Err(refusal::to_sql(&refused)),
            other => Err(SqlError::internal(format!("unexpected answer to a lease of ids: {other:?}"))),
        }
    }
}
