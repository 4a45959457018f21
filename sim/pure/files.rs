//! The simulated database files of one node: what the SQLite applier leaves on disk, with every version of every row.
//!
//! Tasks are applied strictly in order, each whole. A crash leaves any prefix at least as long as what was reported
//! `Synced`; the core emits the rest again. Keeping all versions makes snapshots and rollback cheap, and a run is short.

use super::history::Violation;
use super::marks::{Mark, Marks};
use super::tables::{KEY, Name, SCHEMA, TAG, Tag, int, key_number, tag_of};
use marmot::core::ApplyTask;
use marmot::types::{ApplySeq, ColumnSet, RowImage, RowOp, TxnId, UniqueValue};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// A row as of an apply position; `None`: deleted.
#[derive(Clone, Debug)]
struct Version {
    seq: ApplySeq,
    image: Option<RowImage>,
}

/// One applied transaction.
#[derive(Clone, Copy, Debug)]
pub struct Logged {
    pub seq: ApplySeq,
    pub txn: TxnId,
    pub tag: Option<Tag>,
}

/// Database files and the applier's queue before them.
#[derive(Clone, Debug)]
pub struct Files {
    tables: Vec<BTreeMap<u64, Vec<Version>>>,
    unique: Vec<BTreeMap<UniqueValue, u64>>,
    schema: Vec<(ApplySeq, i64)>,
    /// What was applied, by rising position. Positions of aborted transactions are missing.
    log: Vec<Logged>,
    /// By tag: whether that attempt is in `log`.
    present: Vec<bool>,
    /// Positions that crashes took away again, to recognise redo.
    highest: ApplySeq,
    pub synced: ApplySeq,
    pub queue: VecDeque<ApplyTask>,
    /// Whether the applier has work scheduled.
    pub busy: bool,
}

/// The rows as of one position.
#[derive(Clone, Copy)]
pub struct View<'a> {
    files: &'a Files,
    seq: ApplySeq,
}

impl<'a> View<'a> {
    pub fn row(&self, table: Name, key: u64) -> Option<&'a RowImage> {
        self.at(self.files.tables[table as usize].get(&key)?)
    }

    pub fn rows(self, table: Name) -> impl Iterator<Item = (u64, &'a RowImage)> {
        self.files.tables[table as usize].iter().filter_map(move |(key, v)| Some((*key, self.at(v)?)))
    }

    pub fn schema(&self) -> i64 {
        self.files.schema.iter().rev().find(|(seq, _)| *seq <= self.seq).map_or(0, |(_, version)| *version)
    }

    fn at(&self, versions: &'a [Version]) -> Option<&'a RowImage> {
        versions.iter().rev().find(|v| v.seq <= self.seq)?.image.as_ref()
    }
}

impl Files {
    /// Files that hold the given rows before anything was applied, as an import would leave them.
    pub fn new(rows: Vec<(Name, RowImage)>) -> Files {
        let mut files = Files {
            tables: vec![BTreeMap::new(); Name::ALL.len()],
            unique: vec![BTreeMap::new(); Name::ALL.len()],
            schema: Vec::new(),
            log: Vec::new(),
            present: Vec::new(),
            highest: 0,
            synced: 0,
            queue: VecDeque::new(),
            busy: false,
        };
        for (table, image) in rows {
            let key = int(&image, KEY) as u64;
            files.set(0, table, key, Some(image));
        }
        files
    }

    /// A copy of what is in them now, without what waits for the applier.
    pub fn copy(&self) -> Files {
        let synced = self.applied();
        Files { queue: VecDeque::new(), busy: false, synced, ..self.clone() }
    }

    /// The position of the newest applied task.
    pub fn applied(&self) -> ApplySeq {
        self.log.last().map_or(0, |l| l.seq)
    }

    pub fn view(&self, seq: ApplySeq) -> View<'_> {
        View { files: self, seq }
    }

    pub fn now(&self) -> View<'_> {
        self.view(self.applied())
    }

    pub fn contains(&self, tag: Tag) -> bool {
        self.present.get(tag as usize).copied().unwrap_or(false)
    }

    pub fn log(&self) -> &[Logged] {
        &self.log
    }

    /// Drops everything after a prefix that `durable` chooses among those a crash may leave. True if something went.
    pub fn crash(&mut self, durable: ApplySeq) -> bool {
        self.queue.clear();
        self.busy = false;
        let keep = durable.clamp(self.synced.min(self.applied()), self.applied());
        let lost = self.log.split_off(self.log.partition_point(|l| l.seq <= keep));
        // What is found after a crash is on disk: the node is told so when it starts.
        self.synced = self.applied();
        for gone in &lost {
            if let Some(tag) = gone.tag {
                self.present[tag as usize] = false;
            }
        }
        if !lost.is_empty() {
            for table in &mut self.tables {
                for versions in table.values_mut() {
                    while versions.last().is_some_and(|v| v.seq > keep) {
                        versions.pop();
                    }
                }
                table.retain(|_, versions| !versions.is_empty());
            }
            self.schema.retain(|(seq, _)| *seq <= keep);
            self.index_anew();
        }
        !lost.is_empty()
    }

    /// Applies one task whole, checking on the way what must hold at every moment.
    pub fn apply(&mut self, task: &ApplyTask, marks: &mut Marks) -> Result<(), Violation> {
        if task.seq <= self.applied() {
            let text = format!("task {} follows position {}", task.seq, self.applied());
            return Err(Violation::correctness("anytime_apply_is_in_order", text));
        }
        if task.seq <= self.highest {
            marks.hit(Mark::Redone);
        }
        self.highest = self.highest.max(task.seq);
        let tag = tag_of(&task.write_set);
        if let Some(tag) = tag {
            let tag = tag as usize;
            if self.present.len() <= tag {
                self.present.resize(tag + 1, false);
            }
            if self.present[tag] {
                return Err(Violation::correctness("anytime_applied_once", format!("{} applied twice", task.txn)));
            }
            self.present[tag] = true;
        }
        self.log.push(Logged { seq: task.seq, txn: task.txn, tag });
        if let Some(ddl) = &task.write_set.ddl {
            self.change_schema(task, &ddl.payload)?;
        }
        let mut changes = Vec::new();
        for eviction in &task.evictions {
            marks.hit(Mark::Evicted);
            if let Some(table) = Name::of(eviction.row.table) {
                if !table.is_merged() {
                    let text = format!("{} evicts a row of {table:?}, which only QUORUM writes", task.txn);
                    return Err(Violation::correctness("anytime_unique_values_are_unique", text));
                }
                changes.push((table, key_number(&eviction.row.key), None));
            }
        }
        for (index, table) in task.write_set.tables.iter().enumerate() {
            let Some(name) = Name::of(table.table) else { continue };
            for (position, row) in table.rows.iter().enumerate() {
                let key = key_number(&row.key);
                let current = self.current(name, key);
                let amended = task.amendments.iter().find(|(t, r, _)| *t == index && *r == position);
                let after = match amended.map(|(_, _, op)| op) {
                    Some(op) => {
                        marks.hit(Mark::Amended);
                        match op {
                            RowOp::Skip => continue,
                            RowOp::Put { image, changed } => Some(merged(current.as_ref(), image, changed)),
                            RowOp::Delete { .. } => None,
                        }
                    }
                    None => {
                        if !name.is_merged() {
                            check_base(task, name, key, current.as_ref(), row.before.as_ref())?;
                        }
                        match (&row.before, &row.after, &current) {
                            (Some(_), Some(_), None) if name.is_merged() => {
                                let text = format!("{} updates {name:?}/{key}, which is not there", task.txn);
                                return Err(Violation::correctness("anytime_merged_updates_find_their_row", text));
                            }
                            (Some(_), Some(after), Some(c)) => Some(merged(Some(c), after, &row.changed)),
                            (_, after, _) => after.clone(),
                        }
                    }
                };
                if !name.is_merged() {
                    self.check_schema(task, name, after.as_ref())?;
                }
                changes.push((name, key, after));
            }
        }
        self.change(task, changes)
    }

    fn change(&mut self, task: &ApplyTask, changes: Vec<(Name, u64, Option<RowImage>)>) -> Result<(), Violation> {
        // All old values go before any new one comes, so that rows of one transaction may swap unique values.
        for (table, key, _) in &changes {
            self.unindex(*table, *key);
        }
        for (table, key, image) in changes {
            for value in image.iter().flat_map(|i| table.unique_values(i)) {
                let Some(other) = self.unique[table as usize].get(&value).copied() else { continue };
                if other == key {
                    continue;
                }
                // Who must give way the core has said: also where writes are merged, nothing is left to the applier.
                let text = format!("{}: rows {other} and {key} of {table:?} both hold {value:?}", task.txn);
                return Err(Violation::correctness("anytime_unique_values_are_unique", text));
            }
            self.set(task.seq, table, key, image);
        }
        if task.write_set.tables.iter().any(|t| t.table == Name::Child.id() || t.table == Name::Parent.id()) {
            self.check_family(task)?;
        }
        Ok(())
    }

    fn set(&mut self, seq: ApplySeq, table: Name, key: u64, image: Option<RowImage>) {
        self.unindex(table, key);
        for value in image.iter().flat_map(|i| table.unique_values(i)) {
            self.unique[table as usize].insert(value, key);
        }
        let versions = self.tables[table as usize].entry(key).or_default();
        match versions.last_mut() {
            Some(last) if last.seq == seq => last.image = image,
            _ => versions.push(Version { seq, image }),
        }
    }

    fn unindex(&mut self, table: Name, key: u64) {
        if table.unique().is_empty() {
            return;
        }
        if let Some(old) = self.current(table, key) {
            for value in table.unique_values(&old) {
                if self.unique[table as usize].get(&value) == Some(&key) {
                    self.unique[table as usize].remove(&value);
                }
            }
        }
    }

    fn index_anew(&mut self) {
        for name in Name::ALL {
            let rows: Vec<(u64, RowImage)> = self.now().rows(name).map(|(k, i)| (k, i.clone())).collect();
            let index = &mut self.unique[name as usize];
            index.clear();
            for (key, image) in rows {
                index.extend(name.unique_values(&image).map(|value| (value, key)));
            }
        }
    }

    fn current(&self, table: Name, key: u64) -> Option<RowImage> {
        self.tables[table as usize].get(&key)?.last()?.image.clone()
    }

    fn change_schema(&mut self, task: &ApplyTask, payload: &Arc<[u8]>) -> Result<(), Violation> {
        let version = payload.get(4..12).and_then(|b| b.try_into().ok()).map_or(-1, i64::from_be_bytes);
        let current = self.now().schema();
        if version != current + 1 {
            let text = format!("{}: schema {version} was made of {}, but {current} is here", task.txn, version - 1);
            return Err(Violation::correctness("anytime_schema_changes_are_serial", text));
        }
        self.schema.push((task.seq, version));
        Ok(())
    }

    fn check_schema(&self, task: &ApplyTask, table: Name, after: Option<&RowImage>) -> Result<(), Violation> {
        let (Some(after), current) = (after, self.now().schema()) else { return Ok(()) };
        if int(after, SCHEMA) == current {
            return Ok(());
        }
        let text = format!("{}: executed on {table:?} under {}, applied under {current}", task.txn, int(after, SCHEMA));
        Err(Violation::correctness("anytime_schema_of_execution_is_schema_of_apply", text))
    }

    fn check_family(&self, task: &ApplyTask) -> Result<(), Violation> {
        let view = self.now();
        for (key, child) in view.rows(Name::Child) {
            let parent = int(child, super::tables::DATA) as u64;
            if view.row(Name::Parent, parent).is_none() {
                let text = format!("after {}: child {key} has lost its parent {parent}", task.txn);
                return Err(Violation::correctness("anytime_children_have_parents", text));
            }
        }
        Ok(())
    }
}

/// `image`'s changed cells laid over what is there; all of it where nothing is.
fn merged(current: Option<&RowImage>, image: &RowImage, changed: &ColumnSet) -> RowImage {
    match current {
        None => image.clone(),
        Some(old) => {
            (0..image.len()).map(|i| if changed.contains(i) { image[i].clone() } else { old[i].clone() }).collect()
        }
    }
}

/// First committer wins, so on every node a validated change meets exactly the row version it was computed from.
fn check_base(
    task: &ApplyTask,
    table: Name,
    key: u64,
    current: Option<&RowImage>,
    before: Option<&RowImage>,
) -> Result<(), Violation> {
    if current == before {
        return Ok(());
    }
    let writer = |i: Option<&RowImage>| i.map_or("nothing".to_string(), |i| format!("#{}", int(i, TAG)));
    let text = format!(
        "{} (#{:?}) read version {} of {table:?}/{key} and is applied on version {}",
        task.txn,
        tag_of(&task.write_set),
        writer(before),
        writer(current),
    );
    Err(Violation::correctness("anytime_no_lost_update", text))
}
