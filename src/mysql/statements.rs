//! The prepared statements of one connection, as far as the protocol knows them.

use super::command::Execution;
use super::error::{MAX_PREPARED_STMT_COUNT_REACHED, SqlError, UNKNOWN_STMT_HANDLER};
use super::handler::StatementId;
use super::parameter::{Parameter, StatementState};
use mysql_common::constants::CapabilityFlags;
use std::collections::BTreeMap;

/// Statements one connection may hold (MySQL's `max_prepared_stmt_count`); more are refused with 1461.
pub const STATEMENTS_MAX: usize = 16_382;

/// Prepared statements by id.
///
/// **Invariants**: ids are never given twice; the long data held by all statements together stays below the limit.
#[derive(Debug, Default)]
pub struct Statements {
    last: u32,
    open: BTreeMap<StatementId, StatementState>,
}

impl Statements {
    pub fn new() -> Self {
        Self::default()
    }

    /// The id for a statement about to be prepared.
    pub fn next_id(&mut self) -> Result<StatementId, SqlError> {
        match self.last.checked_add(1) {
            Some(next) if self.open.len() < STATEMENTS_MAX => {
                self.last = next;
                Ok(StatementId(next))
            }
            _ => Err(MAX_PREPARED_STMT_COUNT_REACHED.with(&[&STATEMENTS_MAX])),
        }
    }

    /// The statement has been prepared.
    pub fn insert(&mut self, id: StatementId, parameters: u16) {
        self.open.insert(id, StatementState::new(parameters));
    }

    /// Forgets a statement; false if there was none.
    pub fn remove(&mut self, id: StatementId) -> bool {
        self.open.remove(&id).is_some()
    }

    /// Forgets all statements. Ids go on.
    pub fn clear(&mut self) {
        self.open.clear();
    }

    /// Whether the statement is open; `what` names the caller in the error (1243).
    pub fn check(&self, id: StatementId, what: &str) -> Result<(), SqlError> {
        if self.open.contains_key(&id) { Ok(()) } else { Err(unknown(id, what)) }
    }

    /// COM_STMT_RESET: long data is dropped.
    pub fn reset(&mut self, id: StatementId) -> Result<(), SqlError> {
        self.open.get_mut(&id).ok_or_else(|| unknown(id, "mysqld_stmt_reset"))?.reset();
        Ok(())
    }

    /// COM_STMT_SEND_LONG_DATA: it has no answer, so trouble is reported by the next execution. `limit` bounds the bytes
    /// held by the whole connection.
    pub fn append(&mut self, id: StatementId, parameter: u16, chunk: &[u8], limit: usize) {
        let held: usize = self.open.values().map(StatementState::long_data_size).sum();
        if let Some(statement) = self.open.get_mut(&id) {
            statement.append(parameter, chunk, limit.saturating_sub(held));
        }
    }

    /// The parameters of an execution.
    pub fn parameters(
        &mut self,
        execution: &Execution<'_>,
        capabilities: CapabilityFlags,
    ) -> Result<Vec<Parameter>, SqlError> {
        let attributes = capabilities.contains(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES);
        let id = execution.id;
        let statement = self.open.get_mut(&id).ok_or_else(|| unknown(id, "mysqld_stmt_execute"))?;
        statement.values(execution.values, execution.flags, attributes)
    }
}

fn unknown(id: StatementId, what: &str) -> SqlError {
    UNKNOWN_STMT_HANDLER.with(&[&id.0, &what])
}

#[cfg(test)]
mod tests {
    use super::super::command::Command;
    use super::*;
    use crate::types::Value;

    fn execute(statements: &mut Statements, packet: &[u8]) -> Result<Vec<Parameter>, u16> {
        let none = CapabilityFlags::empty();
        let Ok(Command::Execute(execution)) = Command::parse(packet, none, 45) else { panic!("not an execution") };
        statements.parameters(&execution, none).map_err(|e| e.code)
    }

    #[test]
    fn statements_live_from_insert_to_remove() {
        let mut statements = Statements::new();
        let id = statements.next_id().unwrap();
        assert_eq!(id, StatementId(1));
        let packet = b"\x17\x01\0\0\0\0\x01\0\0\0";
        assert_eq!(execute(&mut statements, packet), Err(1243));
        statements.insert(id, 0);
        assert_eq!(execute(&mut statements, packet), Ok(vec![]));
        assert!(statements.remove(id));
        assert!(!statements.remove(id));
        assert_eq!(statements.check(id, "x").map_err(|e| e.code), Err(1243));
        assert_eq!(statements.next_id(), Ok(StatementId(2)));
    }

    #[test]
    fn long_data_is_bounded_over_all_statements() {
        let mut statements = Statements::new();
        let (a, b) = (statements.next_id().unwrap(), statements.next_id().unwrap());
        statements.insert(a, 1);
        statements.insert(b, 1);
        statements.append(a, 0, &[b'a'; 60], 100);
        statements.append(b, 0, &[b'b'; 60], 100);
        statements.append(StatementId(99), 0, b"nobody", 100);
        let body = b"\0\x01\0\0\0\0\x01\xfe\0";
        let packet = |id: u8| [&[0x17, id, 0, 0, 0][..], body].concat();
        assert_eq!(execute(&mut statements, &packet(2)), Err(1105));
        let values = execute(&mut statements, &packet(1)).unwrap();
        assert_eq!(values[0].value, Value::text("a".repeat(60)));
    }

    #[test]
    fn there_is_a_most() {
        let mut statements = Statements::new();
        for _ in 0..STATEMENTS_MAX {
            let id = statements.next_id().unwrap();
            statements.insert(id, 0);
        }
        assert_eq!(statements.next_id().map_err(|e| e.code), Err(1461));
        statements.clear();
        assert_eq!(statements.next_id(), Ok(StatementId(STATEMENTS_MAX as u32 + 1)));
    }
}
