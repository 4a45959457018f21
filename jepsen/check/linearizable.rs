//! Whether a history of one register is linearizable: Wing and Gong's search with Lowe's memory of the states seen
//! ("Testing for linearizability", 2017), on a register of a row that is read, written and compared-and-set.
//!
//! An operation of unknown outcome may take effect at any time after its call, or never.

use std::collections::{HashMap, HashSet};

/// What an operation did to the register; 0 is its value before the first write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Read(i64),
    Write(i64),
    /// It found the first value and left the second.
    Swap(i64, i64),
}

/// An operation that took effect, or may have.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub action: Action,
    pub called: u64,
    /// `None`: nobody knows whether it took effect.
    pub returned: Option<u64>,
}

/// The state after an action, if the action is possible in `state`.
fn apply(state: i64, action: Action) -> Option<i64> {
    match action {
        Action::Read(value) => (value == state).then_some(state),
        Action::Write(value) => Some(value),
        Action::Swap(from, to) => (from == state).then_some(to),
    }
}

/// How far the search came.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Linearizable,
    /// No order explains the history; `stuck` is the answer that the longest explanation cannot reach.
    Not {
        stuck: usize,
    },
    /// Too many orders to try them all.
    GaveUp,
}

const MOST_STATES: usize = 5_000_000;

/// Judges the history of one register.
pub fn judge(steps: &[Step]) -> Verdict {
    let steps = relevant(steps);
    let n = steps.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_key(|i| steps[*i].1.called);
    // Depth first over sets of operations that took effect; the answers that are due limit what may come next.
    let mut seen: HashSet<(Vec<u64>, i64)> = HashSet::new();
    let mut done = vec![0u64; n.div_ceil(64)];
    let mut stack = vec![(0i64, candidates(&steps, &order, &done))];
    let mut path: Vec<usize> = Vec::new();
    let mut deepest = (0, first_due(&steps, &done));
    while let Some((state, open)) = stack.last_mut() {
        let state = *state;
        if first_due(&steps, &done).is_none() {
            return Verdict::Linearizable;
        }
        if path.len() > deepest.0 {
            deepest = (path.len(), first_due(&steps, &done));
        }
        match open.pop() {
            Some(i) => {
                let Some(next) = apply(state, steps[i].1.action) else { continue };
                done[i / 64] |= 1 << (i % 64);
                if seen.insert((done.clone(), next)) {
                    if seen.len() > MOST_STATES {
                        return Verdict::GaveUp;
                    }
                    path.push(i);
                    let open = candidates(&steps, &order, &done);
                    stack.push((next, open));
                } else {
                    done[i / 64] &= !(1 << (i % 64));
                }
            }
            None => {
                stack.pop();
                if let Some(i) = path.pop() {
                    done[i / 64] &= !(1 << (i % 64));
                }
            }
        }
    }
    match deepest.1 {
        Some(stuck) => Verdict::Not { stuck: steps[stuck].0 },
        None => Verdict::Linearizable,
    }
}

/// Without what may be left out soundly: unknown operations whose value nobody saw. With their places in the input.
fn relevant(steps: &[Step]) -> Vec<(usize, Step)> {
    let mut kept: Vec<(usize, Step)> = steps.iter().copied().enumerate().collect();
    loop {
        let mut seen: HashMap<i64, u32> = HashMap::new();
        for (_, step) in &kept {
            if let Action::Read(value) | Action::Swap(value, _) = step.action {
                *seen.entry(value).or_default() += 1;
            }
        }
        let before = kept.len();
        kept.retain(|(_, step)| {
            let writes = match step.action {
                Action::Read(_) => None,
                Action::Write(value) | Action::Swap(_, value) => Some(value),
            };
            step.returned.is_some() || writes.is_some_and(|value| seen.contains_key(&value))
        });
        if kept.len() == before {
            return kept;
        }
    }
}

fn is_done(done: &[u64], i: usize) -> bool {
    done[i / 64] >> (i % 64) & 1 == 1
}

/// The operation whose answer came first among those that did not take effect yet.
fn first_due(steps: &[(usize, Step)], done: &[u64]) -> Option<usize> {
    let due = steps.iter().enumerate().filter(|(i, _)| !is_done(done, *i));
    due.filter_map(|(i, (_, step))| step.returned.map(|at| (at, i))).min().map(|(_, i)| i)
}

/// What may take effect next: called before any answer that is still due. Unknown ones are tried last (popped last).
fn candidates(steps: &[(usize, Step)], order: &[usize], done: &[u64]) -> Vec<usize> {
    let Some(due) = first_due(steps, done) else { return Vec::new() };
    let limit = steps[due].1.returned.unwrap_or(u64::MAX);
    let called = order.iter().copied().take_while(|i| steps[*i].1.called <= limit);
    let mut open: Vec<usize> = called.filter(|i| !is_done(done, *i)).collect();
    open.sort_by_key(|i| std::cmp::Reverse(steps[*i].1.returned.unwrap_or(u64::MAX)));
    open
}

#[cfg(test)]
mod tests {
    use super::*;
    use Action::*;

    fn known(action: Action, called: u64, returned: u64) -> Step {
        Step { action, called, returned: Some(returned) }
    }

    fn unknown(action: Action, called: u64) -> Step {
        Step { action, called, returned: None }
    }

    #[test]
    fn a_serial_history_is_linearizable() {
        let steps = [known(Write(1), 0, 1), known(Read(1), 2, 3), known(Swap(1, 2), 4, 5), known(Read(2), 6, 7)];
        assert_eq!(judge(&steps), Verdict::Linearizable);
        assert_eq!(judge(&[]), Verdict::Linearizable);
    }

    #[test]
    fn concurrent_operations_take_any_order() {
        let steps = [known(Write(1), 0, 10), known(Write(2), 0, 10), known(Read(2), 1, 5), known(Read(1), 6, 9)];
        assert_eq!(judge(&steps), Verdict::Linearizable);
    }

    #[test]
    fn a_stale_read_is_found() {
        let steps = [known(Write(1), 0, 1), known(Write(2), 2, 3), known(Read(1), 4, 5)];
        assert_eq!(judge(&steps), Verdict::Not { stuck: 2 });
    }

    #[test]
    fn a_lost_write_is_found() {
        assert_eq!(judge(&[known(Write(1), 0, 1), known(Read(0), 2, 3)]), Verdict::Not { stuck: 1 });
    }

    #[test]
    fn reads_must_not_go_back() {
        let steps = [known(Write(1), 0, 1), known(Write(2), 2, 9), known(Read(2), 3, 4), known(Read(1), 5, 6)];
        assert!(matches!(judge(&steps), Verdict::Not { .. }));
    }

    #[test]
    fn two_swaps_of_one_value_are_a_lost_update() {
        let steps = [known(Write(1), 0, 1), known(Swap(1, 2), 2, 5), known(Swap(1, 3), 2, 5)];
        assert!(matches!(judge(&steps), Verdict::Not { .. }));
    }

    #[test]
    fn an_unknown_write_takes_effect_late_or_never() {
        let late = [known(Write(1), 0, 1), unknown(Write(2), 2), known(Read(1), 3, 4), known(Read(2), 9, 10)];
        assert_eq!(judge(&late), Verdict::Linearizable);
        let never = [known(Write(1), 0, 1), unknown(Write(2), 2), known(Read(1), 3, 4)];
        assert_eq!(judge(&never), Verdict::Linearizable);
        let twice = [unknown(Write(2), 0), known(Read(2), 1, 2), known(Write(3), 3, 4), known(Read(2), 5, 6)];
        assert!(matches!(judge(&twice), Verdict::Not { .. }), "it takes effect once");
    }

    #[test]
    fn a_value_from_nowhere_is_found() {
        assert!(matches!(judge(&[known(Read(7), 0, 1)]), Verdict::Not { .. }));
        assert!(matches!(judge(&[known(Read(7), 0, 1), unknown(Write(7), 2)]), Verdict::Not { .. }), "called later");
    }

    #[test]
    fn long_histories_with_many_unknowns_are_judged() {
        let mut steps = Vec::new();
        for i in 0..400i64 {
            let at = i as u64 * 10;
            steps.push(known(Write(2 * i + 1), at, at + 25));
            steps.push(unknown(Write(2 * i + 2), at + 1));
            steps.push(known(Read(2 * i + 1), at + 6, at + 9));
        }
        assert_eq!(judge(&steps), Verdict::Linearizable);
        steps.push(known(Read(1), 100_000, 100_001));
        assert!(matches!(judge(&steps), Verdict::Not { .. }));
    }
}
