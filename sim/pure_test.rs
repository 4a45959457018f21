//! The pure simulator as an ordinary test: a modest number of seeds, the determinism check, that faults strike, and that
//! the planted bugs that are found quickly are found. `simulate --planted` hunts them all.

// The command line tool uses more of it.
#[allow(dead_code, unused_imports)]
mod pure;

use marmot::core::Bug;
use pure::{Detail, Kind, Mark, Marks, Nursery, Options};

const SEEDS: u64 = 60;

#[test]
fn seeds_break_no_promise_and_every_fault_strikes() {
    let mut nursery = Nursery::new();
    let mut marks = Marks::default();
    for seed in 0..SEEDS {
        let verdict = nursery.run(Options::draw(seed), Detail::Kinds);
        if let Some(violation) = verdict.violation {
            panic!("{violation}\nagain: cargo run --release --example simulate -- --seed {seed} --trace");
        }
        marks.add(&verdict.marks);
    }
    let must = [
        Mark::MessageLost,
        Mark::MessageCut,
        Mark::MessageDuplicated,
        Mark::MessageLate,
        Mark::MessageReordered,
        Mark::MessageMuffled,
        Mark::CrashBeforeCommit,
        Mark::CrashAfterCommit,
        Mark::CrashAmongEffects,
        Mark::Blackout,
        Mark::DiskLost,
        Mark::RoundLost,
        Mark::FilesRolledBack,
        Mark::Redone,
        Mark::Restart,
        Mark::Pause,
        Mark::Partition,
        Mark::OneWayPartition,
        Mark::ClockJumped,
        Mark::ClockSkewed,
        Mark::ClockDrifts,
        Mark::Slow,
        Mark::DiskFull,
        Mark::Joined,
        Mark::Renewed,
        Mark::MemberChanged,
        Mark::Committed,
        Mark::CommittedOne,
        Mark::CommittedAll,
        Mark::AcceptedAlong,
        Mark::Conflict,
        Mark::NoQuorum,
        Mark::UnknownOutcome,
        Mark::UnknownCommitted,
        Mark::UnknownAborted,
        Mark::SnapshotTooOld,
        Mark::RefusedDiskFull,
        Mark::LockWaitTimeout,
        Mark::ClientGone,
        Mark::RecoveryNotice,
        Mark::ConflictLogged,
        Mark::BarrierDone,
        Mark::SchemaChanged,
        Mark::AutoIds,
        Mark::Amended,
        Mark::WatermarkRose,
    ];
    for mark in must {
        assert!(marks.count(mark) > 0, "{} never happened:\n{marks}", mark.name());
    }
    let repairs = [
        Kind::Recover,
        Kind::Promise,
        Kind::Refused,
        Kind::Decided,
        Kind::Inquire,
        Kind::Working,
        Kind::SyncRequest,
        Kind::SyncRecords,
        Kind::BarrierState,
        Kind::Welcome,
        Kind::AdmitMe,
    ];
    for kind in repairs {
        assert!(marks.messages(kind) > 0, "no {} was ever sent:\n{marks}", kind.name());
    }
}

#[test]
fn equal_seeds_give_equal_traces() {
    for seed in [3, 17] {
        let run = || Nursery::new().run(Options::draw(seed), Detail::Fields).hash;
        assert_eq!(run(), run(), "seed {seed}");
    }
    let other = |seed| Nursery::new().run(Options::draw(seed), Detail::Fields).hash;
    assert_ne!(other(3), other(17), "the hash sees nothing");
}

/// Every bug is hunted by `simulate --planted`, within budgets of its own; here those that a few seeds suffice for. The
/// rare ones have scripts (`src/core/testscripts/planted`), and every bug has the one or the other.
#[test]
fn planted_bugs_are_noticed() {
    const BUDGET: u64 = 200;
    let quick = [
        Bug::AckBeforeQuorum,
        Bug::BaseNotChecked,
        Bug::IntentsNotChecked,
        Bug::PrepareByMinority,
        Bug::SchemaNotHeld,
        Bug::BarrierAsksOne,
        Bug::IntentExpires,
        Bug::AutoIdsFollowClock,
        Bug::NoCover,
        Bug::BallotZeroTwice,
        Bug::RecoveryWithoutQuorum,
        Bug::TodaysWatermark,
        Bug::ReadersForgotten,
        Bug::VoteNotDurable,
        Bug::RenewalForgetsVotes,
        Bug::RenewalForgetsRecords,
    ];
    let mut nursery = Nursery::new();
    println!("| planted bug | seeds | noticed by |");
    for bug in quick {
        let hunt = pure::hunt(&mut nursery, bug, 0, BUDGET);
        let Some((severity, check, text)) = hunt.caught else {
            panic!("{} was not noticed within {BUDGET} seeds", bug.name());
        };
        println!("| {} | {} | {severity:?}: {check}: {text} |", bug.name(), hunt.seeds);
    }
    for bug in Bug::ALL.iter().filter(|b| pure::expected(**b).is_none()) {
        let script = format!("{}/src/core/testscripts/planted/{}", env!("CARGO_MANIFEST_DIR"), bug.name());
        assert!(std::path::Path::new(&script).exists(), "{} is neither hunted nor has it a script", bug.name());
    }
}
