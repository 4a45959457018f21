//! What the core refuses, in MySQL's terms. The table is in the module documentation of [`super`].

use crate::core::Refusal;
use crate::mysql::{SqlError, SqlState};

fn error(code: u16, state: &str, message: impl Into<String>) -> SqlError {
    SqlError { code, state: SqlState::parse(state), message: message.into() }
}

/// MySQL 1213: clients retry the whole transaction when they see it.
pub fn deadlock() -> SqlError {
    error(1213, "40001", "Deadlock found when trying to get lock; try restarting transaction")
}

/// MySQL 1205.
pub fn lock_wait_timeout() -> SqlError {
    error(1205, "HY000", "Lock wait timeout exceeded; try restarting transaction")
}

/// The outcome of a commit that nobody can tell: SQLSTATE 08007, "transaction resolution unknown".
pub fn unknown_outcome(what: impl std::fmt::Display) -> SqlError {
    let message = format!(
        "The outcome of this transaction is unknown ({what}): it may or may not commit; check before repeating it"
    );
    error(1180, "08007", message)
}

/// The error a client gets for a refusal that is not retried any more.
pub fn to_sql(refusal: &Refusal) -> SqlError {
    match refusal {
        Refusal::Conflict { .. } | Refusal::SnapshotTooOld => deadlock(),
        Refusal::LockWaitTimeout | Refusal::LockLost => lock_wait_timeout(),
        Refusal::UnknownOutcome { txn } => unknown_outcome(format_args!("transaction {txn}")),
        Refusal::NoQuorum { answered, voters } => error(
            1105,
            "HY000",
            format!("No quorum: {answered} of {voters} voting members answered; nothing was changed, a retry is safe"),
        ),
        Refusal::Overloaded => error(1637, "HY000", "Too many active concurrent transactions"),
        Refusal::TooLarge { size, limit } => too_large(Some(*size), *limit),
        Refusal::NotVoter => error(1836, "HY000", "Running in read-only mode: this node is not a voting member yet"),
        Refusal::Removed(epoch) => {
            error(1836, "HY000", format!("Running in read-only mode: this node was removed in epoch {}", epoch.0))
        }
        Refusal::DiskFull => error(1021, "HY000", "Disk full; nothing was changed, a retry is safe when there is room"),
        Refusal::ClockOffset { offset_ms } => error(
            1105,
            "HY000",
            format!("The clock of this node differs from the cluster's by {offset_ms} ms; nothing was changed"),
        ),
        Refusal::Membership(why) => error(1105, "HY000", why.clone()),
        Refusal::ShuttingDown => error(1053, "08S01", "Server shutdown in progress"),
    }
}

/// MySQL 1197: the transaction changed more than `limit` bytes.
pub fn too_large(size: Option<usize>, limit: usize) -> SqlError {
    let size = size.map(|s| format!(" {s} bytes,")).unwrap_or_default();
    error(
        1197,
        "HY000",
        format!("Multi-statement transaction is too large:{size} more than {limit} bytes; it was rolled back"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{NodeId, Stamp, TxnId};

    #[test]
    fn an_unknown_outcome_is_told_apart_from_every_clean_refusal() {
        let unknown = to_sql(&Refusal::UnknownOutcome { txn: TxnId { origin: NodeId(2), sequence: 7 } });
        assert_eq!((unknown.code, unknown.state.as_str()), (1180, "08007"));
        assert!(unknown.message.contains("n2:7"));
        let clean = [
            Refusal::Conflict { begin: Stamp::NONE },
            Refusal::NoQuorum { answered: 1, voters: 3 },
            Refusal::LockWaitTimeout,
            Refusal::ShuttingDown,
            Refusal::DiskFull,
        ];
        for refusal in clean {
            let e = to_sql(&refusal);
            assert!(e.code != 1180 && e.state.as_str() != "08007", "{refusal}");
        }
    }
}
