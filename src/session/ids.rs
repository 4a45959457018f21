//! How many ids a statement needs, and where they come from: AUTO_INCREMENT columns of BIGINT and hidden row ids take
//! the core's time-ordered ids, narrower columns take small ones ([`super::sequence`]).
//!
//! The ids of one statement are consecutive: clients compute the others from LAST_INSERT_ID(), which is the first. Only a
//! statement that needs more ids than the core gives at once (64, or 4096 in the extended mode) gets several ranges, each
//! above the one before, as with `innodb_autoinc_lock_mode = 2`.

use super::refusal;
use super::session::Session;
use crate::core::{Request, Response};
use crate::mysql::SqlError;
use crate::sql::{AutoIncrement, ColumnType, IntegerSize, Write, WriteKind};
use crate::sqlite::{Constraint, Error, IdKind};

/// Ids leased from the core at once, when a statement needs fewer.
const BLOCK: u64 = 64;
/// The most that one statement may need.
const MOST: u64 = 1 << 24;

/// The ids of one statement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ids {
    auto: u64,
    rows: u64,
    /// The last range given to the statement: its end and its length.
    last: Option<(i64, u64)>,
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

    pub(super) fn is_big(auto: &AutoIncrement) -> bool {
        matches!(auto.ty, ColumnType::Integer { size: IntegerSize::Big, .. })
    }

    pub(super) fn leased(&mut self, first: i64, count: u64) {
        self.last = Some((first.saturating_add(i64::try_from(count).unwrap_or(i64::MAX)), count));
    }

    /// The end and length of the last range leased and whether it came from the core, once.
    pub(super) fn returned(&mut self, write: &Write) -> Option<(i64, u64, bool)> {
        let big = write.auto_increment.as_ref().is_some_and(Ids::is_big);
        self.last.take().map(|(end, length)| (end, length, big))
    }

    /// Whether the failure may come from a small generated id that somebody had used by hand.
    pub(super) fn explains(&self, error: &Error, write: &Write) -> bool {
        let Some((auto, _)) = self.auto_wanted(write) else { return false };
        let Error::Constraint { kind: Constraint::Unique(columns) | Constraint::PrimaryKey(columns), .. } = error
        else {
            return false;
        };
        let names = super::constraint::column_names(columns);
        !Ids::is_big(auto) && names.len() == 1 && names[0].eq_ignore_ascii_case(&auto.column)
    }
}

impl Session {
    /// The first of `count` consecutive ids that are unique in the cluster, or of as many as the core gives at once, and
    /// how many these are.
    pub(super) async fn big_ids(&mut self, count: u64) -> Result<(i64, u64), SqlError> {
        if let Some(first) = self.big_ids.take(count) {
            return Ok((first, count));
        }
        let asked = u32::try_from(count.max(BLOCK)).ok().filter(|_| count <= MOST);
        let Some(asked) = asked else {
            return Err(SqlError::internal(format!("a statement that needs more than {MOST} AUTO_INCREMENT ids")));
        };
        match self.core.request(Request::AutoIds { mode: self.state.settings.auto_ids, count: asked }).await {
            Some(Response::AutoIds { first, count: given }) if given > 0 => {
                let first = i64::try_from(first).map_err(|_| crate::mysql::AUTOINC_READ_FAILED.with(&[]))?;
                let count = count.min(u64::from(given));
                self.big_ids = super::lease::Lease::new(first, u64::from(given));
                let first = self.big_ids.take(count);
                first.map(|f| (f, count)).ok_or_else(|| SqlError::internal("a lease of ids that is too short"))
            }
            Some(Response::Refused(refused)) => Err(refusal::to_sql(&refused)),
            other => Err(SqlError::internal(format!("unexpected answer to a lease of ids: {other:?}"))),
        }
    }
}
