//! The physical layout of tables: what a captured row means and how a row is addressed.
//!
//! A schema change concerns a table or two, while a database may have thousands: it says which, and the layouts of all others
//! are shared with the one before.
//!
//! Types, collations, keys and generated columns are read from SQLite's own schema, since SQLite decides by them what
//! is equal; the catalog adds which identity belongs to which name ([`TableIds`]).

use super::cell::{integer, text};
use super::computed::{ComputedColumn, Scratch, generated_columns};
use super::connection::{Connection, quoted};
use super::error::{Error, Result};
use super::key::{self, Collation};
use super::schema::{DefinitionChange, Definitions, TableIds, UniqueIds};
use crate::types::{ColumnId, Key, RowKey, TableId, UniqueValue, Value};
use rpds::RedBlackTreeMapSync;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// SQLite's column affinities (<https://sqlite.org/datatype3.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Affinity {
    Integer,
    Text,
    Blob,
    Real,
    Numeric,
}

#[derive(Debug)]
pub(super) struct ColumnLayout {
    pub(super) id: ColumnId,
    pub(super) name: String,
    /// Its number in SQLite's schema, generated columns counted.
    pub(super) position: usize,
    pub(super) affinity: Affinity,
    /// NOT NULL without a default: a late row from before the column existed gets a zero.
    pub(super) required: bool,
}

/// One column of a key: its place in [`TableLayout::columns`], or after them in [`TableLayout::computed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyPart {
    pub(super) column: usize,
    pub(super) collation: Collation,
    /// Only this many characters (bytes of a blob) count.
    pub(super) prefix: Option<u32>,
}

#[derive(Debug)]
pub(super) struct UniqueLayout {
    pub(super) id: crate::types::IndexId,
    pub(super) parts: Vec<KeyPart>,
    /// The stored columns its values are made of.
    pub(super) columns: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct ForeignLayout {
    /// Places in the child's columns, as those of a [`KeyPart`], in the order of `to`.
    from: Vec<usize>,
    parent: String,
    /// Empty: the parent's primary key.
    to: Vec<String>,
}

/// One table. Columns are the stored ones: generated columns are in keys only.
#[derive(Debug)]
pub(super) struct TableLayout {
    pub(super) id: TableId,
    pub(super) name: String,
    pub(super) columns: Vec<ColumnLayout>,
    pub(super) column_ids: Arc<[ColumnId]>,
    pub(super) key: Vec<KeyPart>,
    pub(super) uniques: Vec<UniqueLayout>,
    pub(super) foreign: Vec<ForeignLayout>,
    /// The generated columns that unique indexes and foreign keys need, and what computes them.
    pub(super) computed: Vec<ComputedColumn>,
    pub(super) scratch: Option<Scratch>,
    /// Groups of columns of which none changes without the others: those of unique values and of what an index computes.
    pub(super) together: Vec<Vec<usize>>,
    source: Source,
}

/// Digest of all that a table's layout follows from.
type Source = [u8; 32];

/// A table, and what its layout follows from.
#[derive(Debug)]
pub(super) struct TableSource {
    ids: TableIds,
    source: Source,
}

impl TableSource {
    /// A table that changed last when the database came to be of version `changed`.
    pub(super) fn changed(ids: TableIds, changed: u64) -> TableSource {
        let source = digest(&ids, [changed.to_le_bytes().as_slice()]);
        TableSource { ids, source }
    }

    /// Tables of the database attached as `schema` of which nobody noted when they changed: by their identities, and the
    /// statements that made them and their indexes.
    pub(super) fn whole(connection: &Connection, schema: &str, tables: Vec<TableIds>) -> Result<Vec<TableSource>> {
        let statements = statements(connection, schema)?;
        let source = |ids: TableIds| {
            let made_by = statements.get(&ids.name.to_ascii_lowercase()).into_iter().flatten();
            TableSource { source: digest(&ids, made_by.map(String::as_bytes)), ids }
        };
        Ok(tables.into_iter().map(source).collect())
    }
}

/// The tables of one database at one schema version.
#[derive(Clone, Debug, Default)]
pub(super) struct DatabaseLayout {
    pub(super) version: u64,
    by_name: RedBlackTreeMapSync<String, Arc<TableLayout>>,
    by_id: RedBlackTreeMapSync<TableId, Arc<TableLayout>>,
    /// Of how many tables the layout was read for this one, and not taken over.
    pub(super) read: u64,
}

impl DatabaseLayout {
    /// Reads the layouts of the database attached as `schema`; tables that are as they were in `before` are taken over.
    pub(super) fn read(
        connection: &Connection,
        schema: &str,
        version: u64,
        tables: Vec<TableSource>,
        before: Option<&DatabaseLayout>,
    ) -> Result<DatabaseLayout> {
        let mut layout = DatabaseLayout { version, ..DatabaseLayout::default() };
        for table in tables {
            let known = before.and_then(|before| before.by_id.get(&table.ids.id));
            match known.filter(|known| known.source == table.source) {
                Some(known) => layout.insert(known.clone()),
                None => layout.add(connection, schema, table)?,
            }
        }
        Ok(layout)
    }

    /// The layouts after a schema change to `version`, which `connection` has made of the database attached as `schema`.
    pub(super) fn after(
        &self,
        connection: &Connection,
        schema: &str,
        version: u64,
        definitions: &Definitions,
    ) -> Result<DatabaseLayout> {
        match definitions {
            Definitions::Whole { tables, .. } => {
                let mut sources = TableSource::whole(connection, schema, tables.clone())?;
                sources.push(TableSource::changed(super::data_dir::sequences_ids(), 0));
                DatabaseLayout::read(connection, schema, version, sources, Some(self))
            }
            Definitions::Changed(DefinitionChange { gone, tables, .. }) => {
                let mut layout = DatabaseLayout { version, read: 0, ..self.clone() };
                for name in gone {
                    layout.remove(name);
                }
                for entry in tables {
                    layout.add(connection, schema, TableSource::changed(entry.ids.clone(), version))?;
                }
                Ok(layout)
            }
        }
    }

    /// What was carried along with changes is what there is.
    #[cfg(test)]
    pub(super) fn check(&self, read: &DatabaseLayout) {
        let shown = |layout: &DatabaseLayout| {
            let (by_name, by_id): (Vec<_>, Vec<_>) = (layout.by_name.iter().collect(), layout.by_id.iter().collect());
            format!("{} {by_name:?} {by_id:?}", layout.version)
        };
        assert_eq!(shown(self), shown(read));
    }

    fn add(&mut self, connection: &Connection, schema: &str, table: TableSource) -> Result<()> {
        self.read += 1;
        self.insert(Arc::new(TableLayout::read(connection, schema, &table.ids, table.source)?));
        Ok(())
    }

    /// Instead of the table of that name, and of the one of that identity.
    fn insert(&mut self, table: Arc<TableLayout>) {
        self.remove(&table.name);
        if let Some(renamed) = self.by_id.get(&table.id).cloned() {
            self.by_name.remove_mut(&renamed.name);
        }
        self.by_name.insert_mut(table.name.clone(), table.clone());
        self.by_id.insert_mut(table.id, table);
    }

    fn remove(&mut self, name: &str) {
        if let Some(table) = self.by_name.get(name).cloned() {
            self.by_name.remove_mut(name);
            self.by_id.remove_mut(&table.id);
        }
    }

    pub(super) fn named(&self, name: &str) -> Option<&Arc<TableLayout>> {
        self.by_name
            .get(name)
            .or_else(|| self.by_name.iter().find_map(|(n, t)| n.eq_ignore_ascii_case(name).then_some(t)))
    }

    pub(super) fn with_id(&self, id: TableId) -> Option<&Arc<TableLayout>> {
        self.by_id.get(&id)
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = &Arc<TableLayout>> {
        self.by_id.values()
    }

    /// The keys of the parents that `row` of `child` refers to, the cells of generated columns after the stored ones.
    pub(super) fn parents<'a>(&'a self, child: &'a TableLayout, row: &'a [Value]) -> impl Iterator<Item = Key> + 'a {
        child.foreign.iter().filter_map(move |foreign| {
            let parent = self.named(&foreign.parent)?;
            let referenced: Vec<usize> = if foreign.to.is_empty() {
                parent.key.iter().map(|part| part.column).collect()
            } else {
                foreign.to.iter().map(|name| parent.key_column(name)).collect::<Option<_>>()?
            };
            let cell_of = |part: &KeyPart| {
                let at = referenced.iter().position(|column| *column == part.column)?;
                let value = row.get(*foreign.from.get(at)?)?;
                let value = convert(value, parent.affinity(part.column));
                (value != Value::Null).then_some(value)
            };
            let covers =
                |parts: &[KeyPart]| parts.len() == referenced.len() && parts.iter().all(|p| cell_of(p).is_some());
            let encode = |parts: &[KeyPart]| -> Option<Arc<[u8]>> {
                let cells: Vec<Value> = parts.iter().map(cell_of).collect::<Option<_>>()?;
                Some(key::encode(cells.iter().zip(parts.iter().map(|p| p.collation))).into())
            };
            if covers(&parent.key) {
                return Some(Key::Row(RowKey { table: parent.id, key: encode(&parent.key)? }));
            }
            let unique =
                parent.uniques.iter().find(|u| u.parts.iter().all(|p| p.prefix.is_none()) && covers(&u.parts))?;
            Some(Key::Unique(parent.id, UniqueValue { index: unique.id, values: encode(&unique.parts)? }))
        })
    }
}

/// What made each table and its indexes, by the table's name in lower case.
pub(super) fn statements(connection: &Connection, schema: &str) -> Result<BTreeMap<String, Vec<String>>> {
    let schema = quoted(schema);
    let sql = format!("SELECT tbl_name, sql FROM {schema}.sqlite_schema WHERE sql IS NOT NULL");
    let mut statements: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in connection.prepare(&sql)?.all([])? {
        statements.entry(text(&row, 0).to_ascii_lowercase()).or_default().push(text(&row, 1));
    }
    Ok(statements)
}

fn digest<'p>(ids: &TableIds, parts: impl IntoIterator<Item = &'p [u8]>) -> Source {
    let mut digest = Sha256::new();
    let mut add = |part: &[u8]| {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    };
    add(&postcard::to_stdvec(ids).expect("plain data serialises"));
    parts.into_iter().for_each(add);
    digest.finalize().into()
}

impl TableLayout {
    fn read(connection: &Connection, schema: &str, ids: &TableIds, source: Source) -> Result<TableLayout> {
        let schema = quoted(schema);
        let pragma = |name: &str, argument: &str| -> Result<Vec<Vec<Value>>> {
            connection.prepare(&format!("PRAGMA {schema}.{name}({})", quoted(argument)))?.all([])
        };
        let mut columns = Vec::new();
        let mut primary: Vec<(i64, usize)> = Vec::new();
        let mut generated: Vec<(String, Affinity)> = Vec::new();
        for row in pragma("table_xinfo", &ids.name)? {
            let name = text(&row, 1);
            if integer(&row, 6) != 0 {
                generated.push((name, affinity(&text(&row, 2))));
                continue;
            }
            let known = ids.columns.iter().find(|(_, n)| n.eq_ignore_ascii_case(&name));
            let Some((id, _)) = known else { return Err(Error::Unreplicated(format!("{}.{name}", ids.name))) };
            let number = integer(&row, 5);
            if number > 0 {
                primary.push((number, columns.len()));
            }
            let position = usize::try_from(integer(&row, 0)).unwrap_or(0);
            let required = integer(&row, 3) != 0 && row.get(4) == Some(&Value::Null);
            columns.push(ColumnLayout { id: *id, name, position, affinity: affinity(&text(&row, 2)), required });
        }
        primary.sort_unstable();
        if primary.is_empty() {
            // Also a table that is not there.
            return Err(Error::Unreplicated(ids.name.clone()));
        }
        let mut table = TableLayout {
            id: ids.id,
            name: ids.name.clone(),
            column_ids: columns.iter().map(|c| c.id).collect(),
            columns,
            key: primary
                .iter()
                .map(|(_, column)| KeyPart { column: *column, collation: Collation::Binary, prefix: None })
                .collect(),
            uniques: Vec::new(),
            foreign: Vec::new(),
            computed: Vec::new(),
            scratch: None,
            together: Vec::new(),
            source,
        };
        let create = match generated.as_slice() {
            [] => String::new(),
            _ => {
                let sql =
                    format!("SELECT sql FROM {schema}.sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE");
                let found = connection.prepare(&sql)?.all([&Value::text(ids.name.as_str())])?;
                found.first().map(|row| text(row, 0)).unwrap_or_default()
            }
        };
        let names: Vec<String> = table.columns.iter().map(|c| c.name.clone()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let generated = generated_columns(&create, &names, &generated);
        for index in pragma("index_list", &ids.name)? {
            let name = text(&index, 1);
            if integer(&index, 2) == 0 {
                if !generated.is_empty() {
                    let parts = pragma("index_xinfo", &name)?;
                    let indexed = |c: &&ComputedColumn| parts.iter().any(|p| text(p, 2).eq_ignore_ascii_case(&c.name));
                    table.together.extend(generated.iter().filter(indexed).map(|c| c.sources.clone()));
                }
                continue;
            }
            let rows: Vec<_> = pragma("index_xinfo", &name)?.into_iter().filter(|r| integer(r, 5) == 1).collect();
            let is_primary = text(&index, 3) == "pk";
            if integer(&index, 4) != 0 {
                return Err(Error::Unsupported(format!("partial unique index '{name}'")));
            }
            let unique = if is_primary { None } else { Some(table.identity_of(&rows, ids, &name)?) };
            let mut parts = Vec::new();
            for (i, row) in rows.iter().enumerate() {
                let collation = text(row, 4);
                let collation = Collation::named(&collation)
                    .ok_or_else(|| Error::Unsupported(format!("collation '{collation}' of index '{name}'")))?;
                let (column, prefix) = match unique {
                    Some(unique) => {
                        let (column, prefix) = &unique.parts[i];
                        // A prefix that does not shorten may be indexed as the plain column.
                        (table.place_of(column, &generated), prefix.filter(|_| integer(row, 1) == -2))
                    }
                    None => (table.column(&text(row, 2)), None),
                };
                let column =
                    column.ok_or_else(|| Error::Unsupported(format!("unique index '{name}' on an expression")))?;
                parts.push(KeyPart { column, collation, prefix });
            }
            match unique {
                Some(unique) => {
                    let columns: Vec<usize> = parts.iter().flat_map(|part| table.made_of(part.column)).collect();
                    table.together.push(columns.clone());
                    table.uniques.push(UniqueLayout { id: unique.id, parts, columns });
                }
                None => table.key = parts,
            }
        }
        table.uniques.sort_by_key(|u| u.id);
        table.foreign = table.foreign_keys(&pragma("foreign_key_list", &ids.name)?, &generated);
        if !table.computed.is_empty() {
            table.scratch = Some(Scratch::new(ids.id, &create, &names, &table.computed));
        }
        Ok(table)
    }

    /// The identity of a unique index with these `index_xinfo` rows: the one with the same parts.
    fn identity_of<'i>(&self, rows: &[Vec<Value>], ids: &'i TableIds, name: &str) -> Result<&'i UniqueIds> {
        let same = |unique: &&UniqueIds| {
            unique.parts.len() == rows.len()
                && unique.parts.iter().zip(rows).all(|((column, prefix), row)| {
                    // -2 marks an expression: what a prefix key is made of.
                    let expression = integer(row, 1) == -2;
                    if expression { prefix.is_some() } else { text(row, 2).eq_ignore_ascii_case(column) }
                })
        };
        let missing = || Error::Unsupported(format!("unique index '{name}' of '{}' has no identity", ids.name));
        ids.uniques.iter().find(same).ok_or_else(missing)
    }

    fn foreign_keys(&mut self, rows: &[Vec<Value>], generated: &[ComputedColumn]) -> Vec<ForeignLayout> {
        let mut by_id: BTreeMap<i64, Vec<&Vec<Value>>> = BTreeMap::new();
        rows.iter().for_each(|row| by_id.entry(integer(row, 0)).or_default().push(row));
        let mut one = |rows: Vec<&Vec<Value>>| {
            let from = rows.iter().map(|row| self.place_of(&text(row, 3), generated)).collect::<Option<_>>()?;
            let to = rows.iter().map(|row| text(row, 4)).filter(|name| !name.is_empty()).collect();
            Some(ForeignLayout { from, parent: text(rows[0], 2), to })
        };
        by_id.into_values().filter_map(&mut one).collect()
    }

    /// The place of a part of a key; a generated column gets one.
    fn place_of(&mut self, name: &str, generated: &[ComputedColumn]) -> Option<usize> {
        if let Some(known) = self.key_column(name) {
            return Some(known);
        }
        let column = generated.iter().find(|c| c.name.eq_ignore_ascii_case(name))?;
        self.computed.push(column.clone());
        Some(self.columns.len() + self.computed.len() - 1)
    }

    /// The place of the column named so, among those that keys are made of.
    fn key_column(&self, name: &str) -> Option<usize> {
        let computed = || self.computed.iter().position(|c| c.name.eq_ignore_ascii_case(name));
        self.column(name).or_else(|| computed().map(|at| self.columns.len() + at))
    }

    /// The stored columns that a part of a key is made of.
    fn made_of(&self, place: usize) -> Vec<usize> {
        match place.checked_sub(self.columns.len()) {
            Some(computed) => self.computed[computed].sources.clone(),
            None => vec![place],
        }
    }

    fn affinity(&self, place: usize) -> Affinity {
        match place.checked_sub(self.columns.len()) {
            Some(computed) => self.computed[computed].affinity,
            None => self.columns[place].affinity,
        }
    }

    /// The place of the stored column named so.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name.eq_ignore_ascii_case(name))
    }

    /// The place of the column with this identity.
    pub(super) fn column_with_id(&self, id: ColumnId) -> Option<usize> {
        self.columns.iter().position(|c| c.id == id)
    }

    /// The row's key.
    pub(super) fn row_key(&self, row: &[Value]) -> Arc<[u8]> {
        key::encode(self.key.iter().map(|part| (&row[part.column], part.collation))).into()
    }

    /// The row's value of a unique index, the cells of generated columns after the stored ones; none if a part is NULL.
    pub(super) fn unique_value(&self, unique: &UniqueLayout, row: &[Value]) -> Option<UniqueValue> {
        let mut values = Vec::with_capacity(24);
        for part in &unique.parts {
            match (&row[part.column], part.prefix) {
                (Value::Null, _) => return None,
                (value, None) => key::encode_cell(value, part.collation, &mut values),
                (value, Some(n)) => key::encode_cell(&prefix(value, n), part.collation, &mut values),
            }
        }
        Some(UniqueValue { index: unique.id, values: values.into() })
    }
}

fn prefix(value: &Value, n: u32) -> Value {
    let n = n as usize;
    match value {
        Value::Text(text) => match text.char_indices().nth(n) {
            Some((end, _)) => Value::text(&text[..end]),
            None => value.clone(),
        },
        Value::Blob(bytes) => Value::Blob(bytes[..n.min(bytes.len())].into()),
        other => other.clone(),
    }
}

/// `value` as a column of this affinity would store it.
pub(super) fn convert(value: &Value, affinity: Affinity) -> Value {
    let number = |text: &str| {
        let text = text.trim_matches(|c: char| c.is_ascii_whitespace());
        let integer = text.parse::<i64>().ok().map(Value::Int);
        integer.or_else(|| text.parse::<f64>().ok().filter(|x| x.is_finite()).map(Value::real))
    };
    match (affinity, value) {
        (Affinity::Text, Value::Int(i)) => Value::text(i.to_string()),
        (Affinity::Real, Value::Int(i)) => Value::real(*i as f64),
        (Affinity::Integer | Affinity::Numeric | Affinity::Real, Value::Text(text)) => match number(text) {
            Some(Value::Int(i)) if affinity == Affinity::Real => Value::real(i as f64),
            Some(number) => number,
            None => value.clone(),
        },
        _ => value.clone(),
    }
}

fn affinity(declared: &str) -> Affinity {
    let declared = declared.to_ascii_uppercase();
    let has = |parts: &[&str]| parts.iter().any(|p| declared.contains(p));
    if has(&["INT"]) {
        Affinity::Integer
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        Affinity::Text
    } else if declared.is_empty() || has(&["BLOB"]) {
        Affinity::Blob
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        Affinity::Real
    } else {
        Affinity::Numeric
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::Functions;
    use crate::types::NodeId;

    fn ids(number: u64, name: &str) -> TableIds {
        TableIds {
            id: TableId::new(NodeId(1), number),
            name: name.into(),
            columns: vec![(ColumnId(1), "id".into()), (ColumnId(2), "v".into())],
            uniques: Vec::new(),
        }
    }

    #[test]
    fn a_layout_is_taken_over_only_while_all_it_follows_from_is_the_same() {
        let connection = Connection::open(":memory:", None, 0, &Functions::new()).expect("a database");
        let run = |sql: &str| connection.run_script(sql).expect(sql);
        let read = |ids: &[TableIds], before| {
            let sources = TableSource::whole(&connection, "main", ids.to_vec()).expect("it reads");
            DatabaseLayout::read(&connection, "main", 1, sources, before).expect("it reads")
        };
        run("CREATE TABLE a(id INTEGER PRIMARY KEY, v INTEGER); CREATE TABLE b(id INTEGER PRIMARY KEY, v INTEGER)");
        let (a, b) = (ids(1, "a"), ids(2, "b"));
        let first = read(&[a.clone(), b.clone()], None);
        let same = |one: &DatabaseLayout, other: &DatabaseLayout, ids: &TableIds| {
            Arc::ptr_eq(one.with_id(ids.id).expect("it is there"), other.with_id(ids.id).expect("it is there"))
        };
        let again = read(&[a.clone(), b.clone()], Some(&first));
        assert!(same(&again, &first, &a) && same(&again, &first, &b));

        run("DROP TABLE b; CREATE TABLE b(id INTEGER PRIMARY KEY, v TEXT)");
        let changed = read(&[a.clone(), b.clone()], Some(&again));
        assert!(same(&changed, &first, &a) && !same(&changed, &first, &b));
        assert_eq!(changed.with_id(b.id).expect("it is there").columns[1].affinity, Affinity::Text);

        let mut unique = a.clone();
        unique.uniques.push(UniqueIds { id: crate::types::IndexId(1), parts: vec![("v".into(), None)] });
        run("CREATE UNIQUE INDEX u ON a(v)");
        let indexed = read(&[unique.clone(), b.clone()], Some(&changed));
        assert!(!same(&indexed, &changed, &a) && same(&indexed, &changed, &b));
        assert_eq!(indexed.with_id(a.id).expect("it is there").uniques.len(), 1);
    }
}
