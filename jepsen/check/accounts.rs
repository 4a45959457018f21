//! Sums and small numbers of rows: transfers keep sums, increments add up, pairs are not skewed or read in opposite orders.

use super::Report;
use crate::history::Operation;
use std::collections::BTreeMap;

/// Every `:read` and `:final` of all accounts, `[balance ...]`, sums up to `total`, and no account is overdrawn.
pub fn transfers(history: &[Operation], accounts: usize, total: i64) -> Report {
    let mut report = Report::default();
    for op in history.iter().filter(|op| op.is_ok() && (op.is("read") || op.is("final"))) {
        let balances = op.result.ints();
        let sum: i64 = balances.iter().sum();
        if sum != total || balances.len() != accounts {
            let at = op.called / 1_000_000;
            report.broken(format!("node {} at {at} ms: the sum is {sum}, not {total}: {balances:?}", op.node + 1));
        }
        if balances.iter().any(|balance| *balance < 0) {
            report.broken(format!("node {}: an account is overdrawn: {balances:?}", op.node + 1));
        }
    }
    report
}

/// Each `:increment` of a counter, `key`, adds one. In the end, `:final` `[[key value] ...]`, a counter has at least what was
/// acknowledged and at most what may have happened.
pub fn increments(history: &[Operation]) -> Report {
    let mut report = Report::default();
    let mut sure: BTreeMap<i64, i64> = BTreeMap::new();
    let mut possible: BTreeMap<i64, i64> = BTreeMap::new();
    for op in history.iter().filter(|op| op.is("increment")) {
        let Some(key) = op.call.int() else { continue };
        *sure.entry(key).or_default() += i64::from(op.is_ok());
        *possible.entry(key).or_default() += i64::from(op.may_be());
    }
    for op in history.iter().filter(|op| op.is_ok() && op.is("final")) {
        let values: BTreeMap<i64, i64> = op.result.items().iter().filter_map(|pair| pair.pair()).collect();
        for (key, least) in &sure {
            let (most, value) = (possible[key], values.get(key).copied().unwrap_or(0));
            if value < *least {
                let lost = least - value;
                if op.node == 0 {
                    report.count("lost updates", lost as u64);
                }
                report.broken(format!(
                    "node {}: counter {key} is {value}, {lost} less than was acknowledged",
                    op.node + 1
                ));
            } else if value > most {
                report.broken(format!("node {}: counter {key} is {value}, more than {most} increments", op.node + 1));
            }
        }
    }
    report
}

/// Write skew: in each pair at most one side may be set by transactions that saw the other unset. `:final`
/// `[[pair sides-set] ...]`.
pub fn skewed_pairs(history: &[Operation], is_allowed: bool) -> Report {
    let mut report = Report::default();
    for op in history.iter().filter(|op| op.is_ok() && op.is("final")) {
        let pairs = op.result.items().iter().filter_map(|pair| pair.pair());
        let skewed: Vec<i64> = pairs.filter(|(_, sides)| *sides > 1).map(|(pair, _)| pair).collect();
        if !is_allowed && !skewed.is_empty() {
            report.broken(format!("node {}: write skew in spite of FOR UPDATE: pairs {skewed:?}", op.node + 1));
        }
        if op.node == 0 && is_allowed {
            report.count("write skews (allowed)", skewed.len() as u64);
        }
    }
    report
}

/// Long forks: of a pair one reader saw only side 0 and another only side 1. A `:read` is a QUORUM read, which must not show
/// that together with another; `:read-local` may. The call is the `[first last]` pair asked for, the answer `[[pair side] ...]`.
pub fn forks(history: &[Operation]) -> Report {
    let mut report = Report::default();
    // For each pair the first reader that saw side 0 or side 1 alone, by kind of read.
    let mut alone: BTreeMap<(&str, i64), [Option<&Operation>; 2]> = BTreeMap::new();
    for op in history.iter().filter(|op| op.is_ok() && (op.is("read") || op.is("read-local"))) {
        let mut seen: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for (pair, side) in op.result.items().iter().filter_map(|row| row.pair()) {
            seen.entry(pair).or_default().push(side);
        }
        for (pair, sides) in seen {
            if let [side @ (0 | 1)] = sides[..] {
                alone.entry((op.f.as_str(), pair)).or_default()[side as usize].get_or_insert(op);
            }
        }
    }
    for ((f, pair), readers) in alone {
        let [Some(a), Some(b)] = readers else { continue };
        if f == "read-local" {
            report.count("long forks of local reads (allowed)", 1);
            continue;
        }
        let at =
            |op: &Operation| format!("node {} from {} to {} us", op.node + 1, op.called / 1000, op.returned / 1000);
        report.broken(format!("QUORUM reads saw the rows of pair {pair} in opposite orders: {}; {}", at(a), at(b)));
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::clean;
    use crate::edn::Edn;
    use crate::history::End;
    use crate::history::testing::op;

    fn pairs(pairs: &[(i64, i64)]) -> Edn {
        pairs.iter().copied().collect()
    }

    #[test]
    fn a_sum_that_changes_is_found() {
        let read = |balances: [i64; 2]| [op("read", balances.into_iter().collect::<Edn>(), (0, 1), End::Ok)];
        assert!(clean(&transfers(&read([3, 7]), 2, 10)));
        assert!(!clean(&transfers(&read([3, 6]), 2, 10)));
        assert!(!clean(&transfers(&read([-1, 11]), 2, 10)));
        assert!(!clean(&transfers(&read([4, 6]), 3, 10)), "an account is missing");
    }

    #[test]
    fn a_lost_and_an_invented_increment_are_found() {
        let of = |ends: [End; 2], value| {
            let mut history: Vec<Operation> = ends.iter().map(|end| op("increment", 1, (0, 1), *end)).collect();
            history.push(op("final", pairs(&[(1, value)]), (8, 9), End::Ok));
            increments(&history)
        };
        assert!(clean(&of([End::Ok, End::Ok], 2)));
        assert!(!clean(&of([End::Ok, End::Ok], 1)));
        assert_eq!(of([End::Ok, End::Ok], 0).counts["lost updates"], 2);
        assert!(clean(&of([End::Ok, End::Info], 1)) && clean(&of([End::Ok, End::Info], 2)));
        assert!(!clean(&of([End::Ok, End::Fail], 2)), "a refused increment happened");
        assert!(!clean(&of([End::Ok, End::Ok], 3)));
    }

    #[test]
    fn skew_is_counted_where_allowed_and_found_where_not() {
        let history = [op("final", pairs(&[(1, 1), (2, 2)]), (8, 9), End::Ok)];
        let allowed = skewed_pairs(&history, true);
        assert!(clean(&allowed) && allowed.counts["write skews (allowed)"] == 1);
        assert!(!clean(&skewed_pairs(&history, false)));
    }

    #[test]
    fn a_long_fork_is_found_among_quorum_reads_and_counted_among_local_ones() {
        let reads = |f| [op(f, pairs(&[(4, 0)]), (0, 5), End::Ok), op(f, pairs(&[(4, 1), (3, 0)]), (0, 5), End::Ok)];
        assert!(!clean(&forks(&reads("read"))));
        let local = forks(&reads("read-local"));
        assert!(clean(&local) && local.counts["long forks of local reads (allowed)"] == 1);
        let agreed =
            [op("read", pairs(&[(4, 0)]), (0, 5), End::Ok), op("read", pairs(&[(4, 0), (4, 1)]), (0, 5), End::Ok)];
        assert!(clean(&forks(&agreed)));
    }
}
