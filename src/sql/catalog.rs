//! The catalog: every table as its MySQL definition said, plus the ids Marmot gave it.
//!
//! `SHOW CREATE TABLE`, `DESCRIBE`, `information_schema`, result metadata and the rules for storing values all come
//! from here, never from SQLite's affinities. A [`Catalog`] is a value: cloning it copies an `Arc`, changing it makes
//! a new one. Each database's part is stored in that database's file and changes with its DDL.

use super::account::Accounts;
use super::collate::CollationOrder;
use super::column_type::ColumnType;
use super::program::{StoredKind, StoredProgram, Trigger};
use super::routine::Routine;
use super::tables::Tables;
use crate::types::{CollationRules, ColumnId, DatabaseName, IndexId, TableId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The primary key of a table that declares none.
pub const HIDDEN_KEY: &str = "__marmot_rowid";
/// How the names of columns begin that are key parts and nothing else.
pub const HIDDEN_PART: &str = "!hidden!";
/// The id of the [`HIDDEN_KEY`] column; never a declared column's.
pub const HIDDEN_KEY_ID: ColumnId = ColumnId(0);
/// The prefix of every name Marmot keeps for itself inside a database file; refused in user DDL.
pub const RESERVED_PREFIX: &str = "__marmot_";

/// What the name of a private database of temporary tables begins with; no other database's name may contain a colon.
const TEMPORARY_PREFIX: &str = "temporary:";

/// The private database in which a session keeps its temporary tables of `database`. Its tables are in the session's
/// own catalog, never in a file, and never replicated.
pub fn temporary_database(database: &str) -> DatabaseName {
    format!("{TEMPORARY_PREFIX}{database}").into()
}

/// Whether a database is one of [`temporary_database`].
pub fn is_temporary(database: &str) -> bool {
    database.starts_with(TEMPORARY_PREFIX)
}

/// The database that a client knows: a temporary table's is that of the others.
pub fn public_name(database: &str) -> &str {
    database.strip_prefix(TEMPORARY_PREFIX).unwrap_or(database)
}

/// All databases.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalog {
    databases: Arc<BTreeMap<DatabaseName, Arc<Database>>>,
}

impl Catalog {
    pub fn new() -> Catalog {
        Catalog::default()
    }
    /// The database of exactly this name (MySQL on Linux compares database names by their bytes).
    pub fn database(&self, name: &str) -> Option<&Arc<Database>> {
        self.databases.get(name)
    }
    pub fn table(&self, database: &str, table: &str) -> Option<&Arc<Table>> {
        self.databases.get(database)?.tables.get(table)
    }
    /// Ascending by name.
    pub fn databases(&self) -> impl Iterator<Item = &Arc<Database>> {
        self.databases.values()
    }
    /// A catalog in which `database` replaces or joins the others.
    pub fn with(&self, database: Database) -> Catalog {
        let mut databases = (*self.databases).clone();
        databases.insert(database.name.clone(), Arc::new(database));
        Catalog { databases: Arc::new(databases) }
    }
    /// A catalog without the database `name`.
    pub fn without(&self, name: &str) -> Catalog {
        let mut databases = (*self.databases).clone();
        databases.remove(name);
        Catalog { databases: Arc::new(databases) }
    }
}

impl FromIterator<Database> for Catalog {
    fn from_iter<I: IntoIterator<Item = Database>>(databases: I) -> Self {
        databases.into_iter().map(Arc::new).collect()
    }
}

impl FromIterator<Arc<Database>> for Catalog {
    fn from_iter<I: IntoIterator<Item = Arc<Database>>>(databases: I) -> Self {
        let databases = databases.into_iter().map(|d| (d.name.clone(), d)).collect();
        Catalog { databases: Arc::new(databases) }
    }
}

/// One database (MySQL: schema), and the file `<name>.db`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Database {
    pub name: DatabaseName,
    /// What tables inherit.
    pub collation: Collation,
    pub tables: Tables,
    /// Changes with every DDL and is never the same again for this name, so that a cached plan can tell whether it
    /// still holds. Equal on all nodes.
    pub version: u64,
    /// `information_schema`, `mysql`, `performance_schema`, `marmot`: kept in memory, never replicated, and not
    /// open to DDL or DML.
    pub system: bool,
    pub views: BTreeMap<String, Arc<View>>,
    /// Stored functions of one RETURN.
    pub routines: BTreeMap<String, Arc<Routine>>,
    /// All other stored programs, by kind and name in lower case.
    pub programs: BTreeMap<(StoredKind, String), Arc<StoredProgram>>,
    /// Who made views, by name, and functions of one RETURN, by name and `()`: `user@host`.
    pub definers: BTreeMap<String, String>,
    /// All accounts of the cluster: in [`ACCOUNTS_DATABASE`](super::account::ACCOUNTS_DATABASE) only.
    pub accounts: Accounts,
}

/// The definer of what was made before definers were kept.
pub const FIRST_DEFINER: &str = "root@%";

impl Database {
    /// A database out of its encoded form. One written before there were views, stored functions, other programs, definers
    /// or accounts ends where they would begin: with none of them.
    pub fn decode(bytes: &[u8]) -> Result<Database, postcard::Error> {
        let mut missing = 0;
        loop {
            match postcard::from_bytes(&[bytes, &vec![0; missing]].concat()) {
                Err(postcard::Error::DeserializeUnexpectedEnd) if missing < 5 => missing += 1,
                decoded => return decoded,
            }
        }
    }
    /// A database out of its encoded form, with tables that are encoded beside it besides those in it.
    pub fn assemble(bytes: &[u8], tables: &[Vec<u8>]) -> Result<Database, postcard::Error> {
        let mut database = Database::decode(bytes)?;
        for table in tables {
            let table: Arc<Table> = postcard::from_bytes(table)?;
            database.tables.insert(table.name.clone(), table);
        }
        Ok(database)
    }
    /// The stored function of that name, in any case.
    pub fn routine(&self, name: &str) -> Option<&Arc<Routine>> {
        self.routines.values().find(|r| r.name.eq_ignore_ascii_case(name))
    }
    /// The view whose name SQLite would call the same, were it a table.
    pub fn view_ignoring_case(&self, name: &str) -> Option<&Arc<View>> {
        self.views.get(name).or_else(|| self.views.values().find(|v| v.name.eq_ignore_ascii_case(name)))
    }
    /// An empty user database.
    pub fn new(name: impl Into<DatabaseName>, collation: Collation, version: u64) -> Database {
        Database {
            name: name.into(),
            collation,
            tables: Tables::default(),
            version,
            system: false,
            views: BTreeMap::new(),
            routines: BTreeMap::new(),
            programs: BTreeMap::new(),
            definers: BTreeMap::new(),
            accounts: Accounts::default(),
        }
    }
    /// `user@host` of whoever made a view, or a function of one RETURN by its name and `()`.
    pub fn definer(&self, name: &str) -> &str {
        self.definers.get(name).map_or(FIRST_DEFINER, String::as_str)
    }
    /// The stored program of that name, in any case; a function of one RETURN is none.
    pub fn program(&self, kind: StoredKind, name: &str) -> Option<&Arc<StoredProgram>> {
        self.programs.get(&(kind, name.to_lowercase()))
    }
    /// The triggers of a table, in the order of their names.
    pub fn triggers<'d>(&'d self, table: &'d str) -> impl Iterator<Item = (&'d Arc<StoredProgram>, &'d Trigger)> {
        let of = |p: &'d Arc<StoredProgram>| p.trigger.as_ref().map(|t| (p, t));
        self.programs.values().filter_map(of).filter(move |(_, t)| t.table == table)
    }
    /// The table whose name SQLite would call the same: it compares names without ASCII case.
    pub fn table_ignoring_case(&self, name: &str) -> Option<&Arc<Table>> {
        self.tables.get_ignoring_case(name)
    }
    /// The table a row change names.
    pub fn table_by_id(&self, id: TableId) -> Option<&Arc<Table>> {
        self.tables.values().find(|t| t.id == id)
    }
}

/// One view: a query under a name, put in place of the name when a statement is translated. SQLite does not know it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct View {
    pub name: String,
    /// As they were when it was created; the query gives as many.
    pub columns: Vec<Column>,
    /// The query as MySQL text, with `*` spelled out.
    pub query: String,
    /// Where its unqualified names are; empty: it has none.
    pub database: DatabaseName,
    /// The SQL mode it was created in, by which its text is read.
    pub modes: u32,
    /// `CASCADED`, `LOCAL` or `NONE`.
    pub check_option: String,
    /// `UNDEFINED`, `MERGE` or `TEMPTABLE`.
    pub algorithm: String,
    pub invoker: bool,
}

/// One table.
///
/// **Invariants**: column names are unique without case; `primary` and every index name existing columns; `columns` is
/// never empty; ids are below `next_column` / `next_index` and never given twice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    pub id: TableId,
    pub name: String,
    /// Declared columns in order, without the hidden key.
    pub columns: Vec<Column>,
    /// The declared primary key. Rows are known by [`HIDDEN_KEY`] where there is none, or see [`Table::has_hidden_key`].
    pub primary: Option<Index>,
    /// Secondary indexes in the order of `SHOW CREATE TABLE`.
    pub indexes: Vec<Index>,
    pub foreign_keys: Vec<ForeignKey>,
    pub checks: Vec<Check>,
    pub options: TableOptions,
    /// How its texts compare in its file.
    pub collations: CollationRules,
    /// The next fresh [`ColumnId`].
    pub next_column: u32,
    /// The next fresh [`IndexId`].
    pub next_index: u32,
}

impl Table {
    /// A column by name, without ASCII case, and its position.
    pub fn column(&self, name: &str) -> Option<(usize, &Column)> {
        self.columns.iter().enumerate().find(|(_, c)| c.name.eq_ignore_ascii_case(name))
    }
    pub fn column_by_id(&self, id: ColumnId) -> Option<&Column> {
        self.columns.iter().find(|c| c.id == id)
    }
    /// The columns that there are to see. Those of key parts come after them in `columns`.
    pub fn shown_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|c| !c.is_hidden())
    }
    /// The expression of a key part, if it is one.
    pub fn part_expression(&self, part: &IndexColumn) -> Option<&str> {
        self.column_by_id(part.column).filter(|c| c.is_hidden())?.generated()
    }
    pub fn auto_increment(&self) -> Option<&Column> {
        self.columns.iter().find(|c| c.auto_increment)
    }
    /// Whether rows are known by [`HIDDEN_KEY`]: without a primary key, and with one of prefixes or generated columns, which
    /// the file holds as another unique index.
    pub fn has_hidden_key(&self) -> bool {
        let is_whole = |part: &IndexColumn| {
            part.prefix.is_none() && self.column_by_id(part.column).is_some_and(|c| c.generated().is_none())
        };
        self.primary.as_ref().is_none_or(|primary| !primary.columns.iter().all(is_whole))
    }
    /// The primary key as what a row is known by.
    pub fn identity(&self) -> Option<&Index> {
        self.primary.as_ref().filter(|_| !self.has_hidden_key())
    }
    /// The names of the key columns of a row's identity, in key order; the hidden key if it is known by that.
    pub fn key_columns(&self) -> Vec<&str> {
        match self.identity() {
            Some(primary) => primary.columns.iter().map(|c| self.name_of(c.column)).collect(),
            None => vec![HIDDEN_KEY],
        }
    }
    /// Whether the key is SQLite's rowid: the hidden key, or one integer column that fits a signed 64-bit
    /// number. BIGINT UNSIGNED counts: values above its signed half are then refused (1264).
    pub fn key_is_rowid(&self) -> bool {
        self.identity().is_none() || self.rowid_column().is_some()
    }
    /// The column that is SQLite's rowid.
    pub fn rowid_column(&self) -> Option<&Column> {
        match self.identity()?.columns.as_slice() {
            [only] => self.column_by_id(only.column).filter(|c| matches!(c.ty, ColumnType::Integer { .. })),
            _ => None,
        }
    }
    /// The indexes that the file has besides the key that rows are known by.
    pub fn secondary_indexes(&self) -> impl Iterator<Item = &Index> {
        let primary = self.primary.as_ref().filter(|_| self.has_hidden_key());
        primary.into_iter().chain(self.indexes.iter().filter(|i| i.kind != IndexKind::FullText))
    }
    /// All unique indexes but the primary key.
    pub fn unique_indexes(&self) -> impl Iterator<Item = &Index> {
        self.indexes.iter().filter(|i| i.kind == IndexKind::Unique)
    }
    /// The name of a column that an index or key of this table mentions.
    pub fn name_of(&self, id: ColumnId) -> &str {
        self.column_by_id(id).map_or(HIDDEN_KEY, |c| c.name.as_str())
    }
}

/// One column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    pub id: ColumnId,
    pub name: String,
    pub ty: ColumnType,
    pub nullable: bool,
    pub default: Option<ColumnDefault>,
    /// `ON UPDATE CURRENT_TIMESTAMP(fsp)`.
    pub on_update: Option<u8>,
    pub auto_increment: bool,
    pub comment: String,
    /// Left out of `SELECT *`.
    pub invisible: bool,
}

impl Column {
    /// A column of which nothing but its type is said: nullable, without a default.
    pub fn plain(id: ColumnId, name: impl Into<String>, ty: ColumnType) -> Column {
        Column {
            id,
            name: name.into(),
            ty,
            nullable: true,
            default: None,
            on_update: None,
            auto_increment: false,
            comment: String::new(),
            invisible: false,
        }
    }

    /// Whether it is a key part that is an expression: no column to anybody.
    pub fn is_hidden(&self) -> bool {
        self.name.starts_with(HIDDEN_PART)
    }

    /// The expression of a generated column.
    pub fn generated(&self) -> Option<&str> {
        match &self.default {
            Some(ColumnDefault::Generated { expression, .. }) => Some(expression),
            _ => None,
        }
    }
}

/// What an INSERT that leaves a column out puts there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ColumnDefault {
    /// A constant, as MySQL's SHOW CREATE TABLE prints it between quotes; already in the column's format.
    Constant(crate::types::Value),
    /// `CURRENT_TIMESTAMP(fsp)`.
    Now(u8),
    /// `(expression)`, as MySQL text.
    Expression(String),
    /// `GENERATED ALWAYS AS (expression)`, as MySQL text: never given, always computed. SQLite computes it when it is
    /// read, whether it is declared STORED or not, so that it fits the row however that came to be. Where it is part of
    /// an index, the columns it is made of change together (see [`crate::types::RowChange`]).
    Generated { expression: String, stored: bool },
}

/// An index or the primary key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Index {
    pub id: IndexId,
    /// `PRIMARY` for the primary key.
    pub name: String,
    pub kind: IndexKind,
    pub columns: Vec<IndexColumn>,
    pub comment: String,
    pub invisible: bool,
}

/// What an [`Index`] promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IndexKind {
    Primary,
    Unique,
    Plain,
    /// For MATCH ... AGAINST; a definition alone (see `fulltext`).
    FullText,
}

impl IndexKind {
    /// Whether no two rows may have the same values.
    pub fn is_unique(self) -> bool {
        matches!(self, IndexKind::Primary | IndexKind::Unique)
    }
    /// What MySQL says it is made of.
    pub fn structure(self) -> &'static str {
        if self == IndexKind::FullText { "FULLTEXT" } else { "BTREE" }
    }
}

/// One part of an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexColumn {
    pub column: ColumnId,
    /// Only the first so many characters (bytes for binary columns) count.
    pub prefix: Option<u32>,
    pub descending: bool,
}

/// A foreign key, by column names of this table and of the parent (same database).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    pub name: String,
    pub columns: Vec<ColumnId>,
    pub parent_database: DatabaseName,
    pub parent_table: String,
    pub parent_columns: Vec<String>,
    pub on_delete: ReferentialAction,
    pub on_update: ReferentialAction,
}

/// What happens to child rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReferentialAction {
    #[default]
    NoAction,
    Restrict,
    Cascade,
    SetNull,
    SetDefault,
}

impl ReferentialAction {
    /// As SQL writes it.
    pub fn sql(self) -> &'static str {
        match self {
            ReferentialAction::NoAction => "NO ACTION",
            ReferentialAction::Restrict => "RESTRICT",
            ReferentialAction::Cascade => "CASCADE",
            ReferentialAction::SetNull => "SET NULL",
            ReferentialAction::SetDefault => "SET DEFAULT",
        }
    }
}

/// A CHECK constraint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub name: String,
    /// The condition as MySQL text, without the outer parentheses.
    pub expression: String,
    pub place: CheckPlace,
}

impl Check {
    /// Whether rows must satisfy it.
    pub fn enforced(&self) -> bool {
        self.place != CheckPlace::NotEnforced
    }
}

/// Where a CHECK constraint stands in the definition. The first two are written as what they were before checks of
/// columns were told apart: whether one is enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CheckPlace {
    /// Among the table's, and without effect.
    NotEnforced,
    /// Among the table's.
    Table,
    /// In the definition of this column, under a name that MySQL chose.
    Column(ColumnId),
}

/// Table options: kept to be shown, mostly without effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableOptions {
    /// As written; `InnoDB` by default.
    pub engine: String,
    pub collation: Collation,
    pub comment: String,
    /// `AUTO_INCREMENT=n`: ids start at or above it.
    pub auto_increment: Option<u64>,
    /// Other options as `(NAME, value)`, for instance `("ROW_FORMAT", "DYNAMIC")`.
    pub others: Vec<(String, String)>,
    /// Wall-clock time of the CREATE, `YYYY-MM-DD HH:MM:SS` in UTC.
    pub created: String,
}

/// A MySQL collation by name, for instance `utf8mb4_general_ci`. It implies its character set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Collation(Arc<str>);

impl Collation {
    /// The default of `utf8mb4`, and the one of a database that says nothing: the classical one, which every MySQL and
    /// MariaDB knows, so that a dump can be loaded anywhere.
    pub const DEFAULT: &str = "utf8mb4_general_ci";

    /// A known collation, by name without case; `None` if MySQL has no such collation that Marmot knows.
    pub fn new(name: &str) -> Option<Collation> {
        let name = name.to_ascii_lowercase();
        // `utf8` is the old name of utf8mb3.
        let name = name.strip_prefix("utf8_").map_or(name.clone(), |rest| format!("utf8mb3_{rest}"));
        let charset = name.split('_').next().unwrap_or_default();
        let ends = ["_ci", "_cs", "_bin"].iter().any(|e| name.ends_with(e));
        (name == "binary" || ends && Collation::default_of(charset).is_some()).then(|| Collation(name.into()))
    }
    /// The default collation of a character set; `None` if the set is unknown.
    pub fn default_of(charset: &str) -> Option<Collation> {
        let charset = charset.to_ascii_lowercase();
        let name = match charset.as_str() {
            "utf8mb4" => Collation::DEFAULT,
            "utf8" | "utf8mb3" => "utf8mb3_general_ci",
            "latin1" => "latin1_swedish_ci",
            "binary" => "binary",
            "ascii" | "ucs2" | "utf16" | "utf32" | "latin2" | "latin5" | "latin7" | "cp1250" | "cp1251" | "cp1252"
            | "cp1256" | "cp1257" | "greek" | "hebrew" | "koi8r" | "koi8u" | "macroman" | "cp850" | "cp852"
            | "cp866" => {
                return Some(Collation(format!("{charset}_general_ci").into()));
            }
            "utf16le" => "utf16le_general_ci",
            "gbk" | "gb2312" | "big5" => return Some(Collation(format!("{charset}_chinese_ci").into())),
            "sjis" | "cp932" | "ujis" | "eucjpms" => return Some(Collation(format!("{charset}_japanese_ci").into())),
            "euckr" => "euckr_korean_ci",
            "tis620" => "tis620_thai_ci",
            _ => return None,
        };
        Some(Collation(name.into()))
    }
    pub fn name(&self) -> &str {
        &self.0
    }
    /// The character set. `utf8` is an alias of `utf8mb3`.
    pub fn charset(&self) -> &str {
        match self.0.split('_').next().unwrap_or_default() {
            "utf8" => "utf8mb3",
            charset => charset,
        }
    }
    /// Whether letters that differ only in case are equal; such columns are `COLLATE NOCASE` in SQLite.
    pub fn ignores_case(&self) -> bool {
        self.0.ends_with("_ci")
    }
    /// Whether this is its character set's default, which SHOW CREATE leaves unsaid.
    pub fn is_default(&self) -> bool {
        Collation::default_of(self.charset()).as_ref() == Some(self)
    }
    /// The collation that SQLite applies for this one: a built-in one, or its own if the rules are MySQL's.
    pub fn sqlite(&self, rules: CollationRules) -> &'static str {
        let own = match rules {
            CollationRules::Portable => None,
            CollationRules::Mysql => CollationOrder::named(&self.0),
        };
        let built_in = if self.ignores_case() { "NOCASE" } else { "BINARY" };
        own.map_or(built_in, CollationOrder::name)
    }
}

impl Default for Collation {
    fn default() -> Self {
        Collation(Collation::DEFAULT.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_written_before_there_were_views_or_functions_is_read() {
        let database = Database::new("d", Collation::default(), 7);
        let bytes = postcard::to_stdvec(&database).expect("plain data serialises");
        for missing in 0..=5 {
            assert_eq!(Database::decode(&bytes[..bytes.len() - missing]), Ok(database.clone()), "{missing}");
        }
        assert!(Database::decode(&bytes[..bytes.len() - 6]).is_err());
    }

    #[test]
    fn whether_a_check_is_enforced_is_read_as_it_was_written() {
        let place = |enforced: bool| postcard::from_bytes::<CheckPlace>(&postcard::to_stdvec(&enforced).unwrap());
        assert_eq!(place(true), Ok(CheckPlace::Table));
        assert_eq!(place(false), Ok(CheckPlace::NotEnforced));
    }
}
