//! One write set's rows into one file.
//!
//! Rows go in by primary key: a DELETE, an UPDATE of the changed columns only (every index on another column stays
//! untouched), or an INSERT. A row that meets a unique value which another row of the same transaction has not given
//! up yet is taken out and put back whole at the end. Whoever is in the way then must give way to a merged write set;
//! to a validated one nobody can be in the way.

use super::apply::{Evicted, Open};
use super::connection::quoted;
use super::error::{Constraint, Error, Result};
use super::layout::{Affinity, KeyPart, TableLayout};
use super::statement::Statement;
use crate::core::{ApplyTask, Eviction, Fatal};
use crate::types::{ColumnId, ColumnSet, RowImage, RowKey, RowOp, TableChanges, TableId, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Compiled statements kept per file.
const KEPT: usize = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Op {
    Insert,
    Update,
    Delete,
    /// The whole row by its key.
    Select,
    /// Whole rows by a unique index, the set being the index's id.
    Find,
}

/// Compiled statements by table, what they do, and the columns concerned.
#[derive(Default)]
pub(super) struct Statements(BTreeMap<(TableId, Op, ColumnSet), Statement>);

impl Statements {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Cells by the table's columns here; `None` where the image knows nothing of the column.
type Cells<'v> = Vec<Option<&'v Value>>;

/// What shall become of one row.
#[derive(Clone, Copy)]
enum Work<'v> {
    Insert(&'v RowImage),
    Set(&'v RowImage, &'v ColumnSet),
    Delete(&'v RowImage),
}

struct Table<'a> {
    open: &'a mut Open,
    layout: Arc<TableLayout>,
    /// Where each column of the images is here.
    places: Vec<Option<usize>>,
    columns: Arc<[ColumnId]>,
    /// Merged rows replace and resurrect; validated rows find what their snapshot saw.
    merged: bool,
    /// Rows to be put back at the end, whole.
    deferred: Vec<Vec<Option<Value>>>,
}

fn broken(table: &TableLayout, what: &str) -> Fatal {
    Fatal::Invariant(format!("{what} in table {} ('{}')", table.id, table.name))
}

/// Removes a row that lost a unique value.
pub(super) fn evict(open: &mut Open, eviction: &Eviction) -> std::result::Result<(), Fatal> {
    let Some(layout) = open.layout.with_id(eviction.row.table).cloned() else { return Ok(()) };
    let mut table = Table::new(open, layout, &eviction.columns, true);
    let cells = table.cells(&eviction.image);
    if table.is_addressed(&cells) {
        table.delete(&cells)?;
    }
    Ok(())
}

/// Applies the rows of one table; `place` is its index in the write set, by which amendments refer to it.
pub(super) fn apply_table(
    open: &mut Open,
    task: &ApplyTask,
    place: usize,
    changes: &TableChanges,
    evicted: &mut Vec<Evicted>,
) -> std::result::Result<(), Fatal> {
    // A table dropped since the row was written takes its rows along.
    let Some(layout) = open.layout.with_id(changes.table).cloned() else { return Ok(()) };
    let merged = task.may_evict || !task.amendments.is_empty() || !task.evictions.is_empty();
    let mut table = Table::new(open, layout, &changes.columns, merged);
    let first = task.amendments.partition_point(|(t, _, _)| *t < place);
    let mut amendments = task.amendments[first..].iter().take_while(|(t, _, _)| *t == place).peekable();
    let mut work = Vec::with_capacity(changes.rows.len());
    for (at, row) in changes.rows.iter().enumerate() {
        let amended = amendments.next_if(|(_, r, _)| *r == at).map(|(_, _, op)| op);
        match (amended, &row.before, &row.after) {
            (Some(RowOp::Skip), ..) => {}
            (Some(RowOp::Put { image, changed }), ..) => work.push(Work::Set(image, changed)),
            (Some(RowOp::Delete { image }), ..) => work.push(Work::Delete(image)),
            (None, None, Some(after)) => work.push(Work::Insert(after)),
            (None, Some(_), Some(after)) => work.push(Work::Set(after, &row.changed)),
            (None, Some(before), None) => work.push(Work::Delete(before)),
            (None, None, None) => return Err(broken(&table.layout, "a change without images")),
        }
    }
    let is_delete = |w: &&Work<'_>| matches!(w, Work::Delete(_));
    for work in work.iter().filter(is_delete).chain(work.iter().filter(|w| !is_delete(w))) {
        if let Some(image) = table.apply(*work)? {
            evicted.push(table.evicted(task, image.clone(), table.columns.clone()));
        }
    }
    table.put_back(task, evicted)
}

impl<'a> Table<'a> {
    fn new(open: &'a mut Open, layout: Arc<TableLayout>, columns: &Arc<[ColumnId]>, merged: bool) -> Table<'a> {
        let places = if **columns == *layout.column_ids {
            (0..columns.len()).map(Some).collect()
        } else {
            columns.iter().map(|id| layout.column_with_id(*id)).collect()
        };
        Table { open, layout, places, columns: columns.clone(), merged, deferred: Vec::new() }
    }

    fn cells<'v>(&self, image: &'v RowImage) -> Cells<'v> {
        let mut cells: Cells<'v> = vec![None; self.layout.columns.len()];
        for (place, value) in self.places.iter().zip(image.iter()) {
            if let Some(place) = place {
                cells[*place] = Some(value);
            }
        }
        cells
    }

    /// Whether the image names a row here: it has every column of the primary key.
    fn is_addressed(&self, cells: &Cells<'_>) -> bool {
        self.layout.key.iter().all(|part| cells[part.column].is_some())
    }

    /// Does `work`; gives back the image of a row that has no place in this table any more.
    fn apply<'v>(&mut self, work: Work<'v>) -> std::result::Result<Option<&'v RowImage>, Fatal> {
        let (Work::Insert(image) | Work::Set(image, _) | Work::Delete(image)) = work;
        let cells = self.cells(image);
        if !self.is_addressed(&cells) {
            return Ok(Some(image));
        }
        match work {
            Work::Delete(_) => {
                if self.delete(&cells)? == 0 && !self.merged {
                    return Err(broken(&self.layout, "a row to delete is not there"));
                }
            }
            Work::Insert(_) => self.insert_or_defer(&cells)?,
            Work::Set(_, changed) => {
                let set = |i: usize| changed.contains(i).then(|| self.places.get(i).copied().flatten()).flatten();
                let set: ColumnSet = (0..self.places.len()).filter_map(set).collect();
                match self.update(&cells, &set) {
                    Ok(0) if self.merged => self.insert_or_defer(&cells)?,
                    Ok(0) => return Err(broken(&self.layout, "a row to update is not there")),
                    Ok(_) => {}
                    Err(error) if is_unique(&error) => {
                        let changed = (0..cells.len()).map(|i| cells[i].filter(|_| set.contains(i))).collect();
                        self.defer(&cells, &changed)?;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(None)
    }

    fn insert_or_defer(&mut self, cells: &Cells<'_>) -> std::result::Result<(), Fatal> {
        match self.insert(cells) {
            Ok(()) => Ok(()),
            Err(error) if is_unique(&error) => {
                if !self.merged && self.row_by_key(cells)?.is_some() {
                    return Err(broken(&self.layout, "a row to insert is there already"));
                }
                self.defer(cells, cells)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the row out, to be put back with the changed cells when the others have moved.
    fn defer(&mut self, cells: &Cells<'_>, changed: &Cells<'_>) -> std::result::Result<(), Fatal> {
        let present = self.row_by_key(cells)?;
        let whole = match present {
            Some(row) => {
                self.delete(cells)?;
                changed.iter().zip(row).map(|(new, old)| Some(new.cloned().unwrap_or(old))).collect()
            }
            None => cells.iter().map(|cell| cell.cloned()).collect(),
        };
        self.deferred.push(whole);
        Ok(())
    }

    fn put_back(&mut self, task: &ApplyTask, evicted: &mut Vec<Evicted>) -> std::result::Result<(), Fatal> {
        for row in std::mem::take(&mut self.deferred) {
            let cells: Cells<'_> = row.iter().map(Option::as_ref).collect();
            match self.insert(&cells) {
                Ok(()) => continue,
                Err(error) if is_unique(&error) && self.merged => {}
                Err(error) if is_unique(&error) => {
                    return Err(broken(&self.layout, "a validated row meets another's unique value"));
                }
                Err(error) => return Err(error.into()),
            }
            for image in self.rows_in_the_way(&cells)? {
                let image: RowImage = image.into();
                self.delete(&image.iter().map(Some).collect())?;
                evicted.push(self.evicted(task, image, self.layout.column_ids.clone()));
            }
            self.insert(&cells)?;
        }
        Ok(())
    }

    fn evicted(&self, task: &ApplyTask, image: RowImage, columns: Arc<[ColumnId]>) -> Evicted {
        let key = match *columns == *self.layout.column_ids {
            true => self.layout.row_key(&image),
            false => Arc::from([]),
        };
        let row = RowKey { table: self.layout.id, key };
        Evicted { winner: task.txn, database: self.open.name.clone(), row, columns, image }
    }

    // ---- statements ----

    fn name(&self) -> String {
        format!("{}.{}", quoted(&self.open.name), quoted(&self.layout.name))
    }

    fn column(&self, at: usize) -> String {
        quoted(&self.layout.columns[at].name)
    }

    /// The name at a place of a [`KeyPart`].
    fn key_column(&self, place: usize) -> String {
        match place.checked_sub(self.layout.columns.len()) {
            Some(computed) => quoted(&self.layout.computed[computed].name),
            None => self.column(place),
        }
    }

    fn all_columns(&self) -> String {
        (0..self.layout.columns.len()).map(|i| self.column(i)).collect::<Vec<_>>().join(", ")
    }

    /// `"a" = ?n AND …` for the key, parameters from `first` on.
    fn key_condition(&self, first: usize) -> String {
        let parts = self.layout.key.iter().enumerate();
        parts.map(|(i, p)| format!("{} = ?{}", self.column(p.column), first + i)).collect::<Vec<_>>().join(" AND ")
    }

    fn key_cells<'v>(&self, cells: &Cells<'v>) -> Vec<&'v Value> {
        self.layout.key.iter().filter_map(|part| cells[part.column]).collect()
    }

    fn statement(&mut self, op: Op, set: ColumnSet, sql: impl FnOnce(&Self) -> String) -> Result<&mut Statement> {
        let id = (self.layout.id, op, set);
        if !self.open.statements.0.contains_key(&id) {
            let statement = self.open.connection.prepare(&sql(self))?;
            if self.open.statements.0.len() >= KEPT {
                self.open.statements.clear();
            }
            self.open.statements.0.insert(id.clone(), statement);
        }
        Ok(self.open.statements.0.get_mut(&id).expect("present or just inserted"))
    }

    fn delete(&mut self, cells: &Cells<'_>) -> Result<u64> {
        let key = self.key_cells(cells);
        let sql = |t: &Self| format!("DELETE FROM {} WHERE {}", t.name(), t.key_condition(1));
        self.statement(Op::Delete, ColumnSet::new(), sql)?.run_counted(key)
    }

    fn update(&mut self, cells: &Cells<'_>, set: &ColumnSet) -> Result<u64> {
        let values: Vec<&Value> = set.iter().filter_map(|i| cells[i]).chain(self.key_cells(cells)).collect();
        if set.is_empty() {
            // Only columns that were dropped since: there is nothing to do if the row is there.
            return Ok(u64::from(self.row_by_key(cells)?.is_some()));
        }
        let sql = |t: &Self| {
            let columns: Vec<String> =
                set.iter().enumerate().map(|(n, i)| format!("{} = ?{}", t.column(i), n + 1)).collect();
            format!("UPDATE {} SET {} WHERE {}", t.name(), columns.join(", "), t.key_condition(columns.len() + 1))
        };
        self.statement(Op::Update, set.clone(), sql)?.run_counted(values)
    }

    fn insert(&mut self, cells: &Cells<'_>) -> Result<()> {
        let zeros: Vec<(usize, Value)> = self.zeros(cells);
        let mut cells = cells.clone();
        zeros.iter().for_each(|(i, zero)| cells[*i] = Some(zero));
        let set: ColumnSet = (0..cells.len()).filter(|i| cells[*i].is_some()).collect();
        let sql = |t: &Self| {
            let columns: Vec<String> = set.iter().map(|i| t.column(i)).collect();
            let marks: Vec<String> = (1..=columns.len()).map(|n| format!("?{n}")).collect();
            format!("INSERT INTO {}({}) VALUES({})", t.name(), columns.join(", "), marks.join(", "))
        };
        let values: Vec<&Value> = set.iter().filter_map(|i| cells[i]).collect();
        self.statement(Op::Insert, set.clone(), sql)?.run(values)
    }

    /// What a row from before a NOT NULL column existed gets there.
    fn zeros(&self, cells: &Cells<'_>) -> Vec<(usize, Value)> {
        let missing = self.layout.columns.iter().enumerate().filter(|(i, c)| c.required && cells[*i].is_none());
        let zero = |affinity| match affinity {
            Affinity::Integer | Affinity::Numeric => Value::Int(0),
            Affinity::Real => Value::real(0.0),
            Affinity::Text => Value::text(""),
            Affinity::Blob => Value::Blob([].into()),
        };
        missing.map(|(i, column)| (i, zero(column.affinity))).collect()
    }

    fn row_by_key(&mut self, cells: &Cells<'_>) -> Result<Option<Vec<Value>>> {
        let key = self.key_cells(cells);
        let sql = |t: &Self| format!("SELECT {} FROM {} WHERE {}", t.all_columns(), t.name(), t.key_condition(1));
        Ok(self.statement(Op::Select, ColumnSet::new(), sql)?.all(key)?.pop())
    }

    /// The rows that own one of the unique values of `cells`, or its key.
    fn rows_in_the_way(&mut self, cells: &Cells<'_>) -> Result<Vec<Vec<Value>>> {
        let layout = self.layout.clone();
        let mut found: Vec<Vec<Value>> = self.row_by_key(cells)?.into_iter().collect();
        let stored: Vec<Value> = cells.iter().map(|cell| cell.cloned().unwrap_or_default()).collect();
        let keyed = {
            let Open { computer, dir, .. } = &mut *self.open;
            computer.cells(dir, &layout, &stored)?
        };
        for unique in &layout.uniques {
            let is_known = unique.columns.iter().all(|column| cells[*column].is_some());
            let values: Vec<&Value> = unique.parts.iter().map(|part| &keyed[part.column]).collect();
            if !is_known || values.contains(&&Value::Null) {
                continue;
            }
            let condition = |t: &Self, n: usize, part: &KeyPart| match part.prefix {
                None => format!("{} = ?{n}", t.key_column(part.column)),
                Some(length) => {
                    format!("substr({}, 1, {length}) = substr(?{n}, 1, {length})", t.key_column(part.column))
                }
            };
            let sql = |t: &Self| {
                let parts = unique.parts.iter().enumerate().map(|(i, part)| condition(t, i + 1, part));
                let conditions = parts.collect::<Vec<_>>().join(" AND ");
                format!("SELECT {} FROM {} WHERE {conditions}", t.all_columns(), t.name())
            };
            let set = [unique.id.0 as usize].into_iter().collect();
            found.extend(self.statement(Op::Find, set, sql)?.all(values)?);
        }
        // One row may own several of the values.
        let mut keys = std::collections::BTreeSet::new();
        found.retain(|row| keys.insert(layout.row_key(row)));
        Ok(found)
    }
}

fn is_unique(error: &Error) -> bool {
    matches!(error, Error::Constraint { kind: Constraint::Unique(_) | Constraint::PrimaryKey(_), .. })
}
