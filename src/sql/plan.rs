//! What a statement becomes: SQLite text with parameters, or a request to the session.

use super::account::{AccountChange, UserReference};
use super::catalog::{Column, Table};
use super::column_type::ColumnType;
use super::error::Warning;
use super::load::{FileFormat, IntoFile};
use super::parameter::{Parameter, Source, Wanted};
use super::program::StoredKind;
use super::schema_change::SchemaChange;
use crate::types::{DatabaseName, NodeId, TableId, Value};
use std::sync::Arc;

/// A translated statement. It holds for every text of the same shape (see [`super::PlanCache`]), as long as the
/// databases it used have the same version.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// Returns rows, changes nothing.
    Read(Read),
    /// INSERT, REPLACE, UPDATE, DELETE.
    Write(Write),
    /// LOAD DATA.
    Load(Box<Load>),
    /// DDL: commits the open transaction, then runs alone.
    Schema(SchemaChange),
    /// Several, one after the other: DROP TABLE of tables of several databases.
    Schemas(Vec<SchemaChange>),
    /// CREATE TABLE ... SELECT: the schema change, then the text of the INSERT that fills the new table. If that fails,
    /// the table goes again.
    CreateSelect {
        change: SchemaChange,
        insert: String,
    },

    /// `BEGIN`, `START TRANSACTION`: commits the open transaction first.
    Begin {
        read_only: bool,
        consistent_snapshot: bool,
    },
    /// `COMMIT`.
    Commit(Completion),
    /// `ROLLBACK`.
    Rollback(Completion),
    Savepoint(String),
    RollbackTo(String),
    Release(String),
    /// The assignments of one SET, left to right; if one is refused none takes effect.
    Set(Vec<Assignment>),
    /// `USE`: the session checks that the database exists (1049).
    Use(DatabaseName),
    /// Changes accounts: commits the open transaction, as DDL does.
    Account(Box<AccountStatement>),
    /// What only the session knows.
    Session(SessionCommand),
    /// Rows known without any storage: SHOW CREATE TABLE, ANALYZE TABLE and the like.
    Rows {
        columns: Vec<ResultColumn>,
        rows: Vec<Vec<Value>>,
    },
    Admin(Admin),
    Call(Call),
    /// Accepted without effect.
    Nothing(Vec<Warning>),
}

/// A statement about accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountStatement {
    pub change: AccountChange,
    /// Its text without passwords and hashes.
    pub shown: Arc<str>,
}

/// `[AND [NO] CHAIN] [[NO] RELEASE]` of COMMIT and ROLLBACK.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    pub chain: bool,
    pub release: bool,
}

/// SQLite text and where its parameters `?1..?n` come from: `parameters[0]` is `?1`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    /// Tables are written `"database"."table"`.
    pub sql: String,
    pub parameters: Vec<Parameter>,
    /// It calls stored functions whose bodies are statements.
    pub calls: bool,
}

/// A query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Read {
    pub program: Program,
    pub columns: Vec<ResultColumn>,
    /// Every database the text names; the reader has them attached.
    pub databases: Vec<DatabaseName>,
    /// Every table the text names, once each: what a session fills before it reads a system database.
    pub tables: Vec<(DatabaseName, String)>,
    /// FOR UPDATE, FOR SHARE.
    pub locking: Option<Locking>,
    /// `SQL_CALC_FOUND_ROWS`: a query of one number, the rows there would be without LIMIT.
    pub found_rows: Option<Program>,
    /// A statement of the client that has no LIMIT of its own: `sql_select_limit` holds for it.
    pub unlimited: bool,
    /// `SELECT ... INTO @a, b`: one row at most (1172), assigned instead of returned.
    pub into: Vec<VariableTarget>,
    /// `SELECT ... INTO OUTFILE`.
    pub file: Option<Arc<IntoFile>>,
}

/// A variable that a statement assigns.
#[derive(Clone, Debug, PartialEq)]
pub enum VariableTarget {
    /// `@name`, in lower case.
    User(String),
    /// Of the stored program that the statement is in.
    Local { slot: usize, column: Option<Arc<Column>> },
    /// The n-th `?` marker of a prepared CALL, from 0: the value goes to whoever executes it.
    Marker(usize),
}

impl SetValue {
    /// The user variable that it is, if it is nothing else.
    pub fn user_variable(&self) -> Option<&str> {
        let SetValue::Query(read) = self else { return None };
        match read.program.parameters.as_slice() {
            [Parameter { source: Source::Environment(Wanted::User(name)), .. }] if read.program.sql == "SELECT ?1" => {
                Some(name)
            }
            _ => None,
        }
    }
}

/// A stored program that a statement calls.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Called {
    pub database: DatabaseName,
    pub kind: StoredKind,
    pub name: String,
}

/// CALL of a procedure.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub procedure: Called,
    pub arguments: Vec<Argument>,
}

/// One argument of a CALL.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// What the parameter has at first, converted to its type; `None`: NULL, for it only gives a value.
    pub value: Option<Read>,
    /// What gets the parameter's value in the end.
    pub target: Option<VariableTarget>,
}

/// What a locking read locks.
#[derive(Clone, Debug, PartialEq)]
pub struct Locking {
    pub exclusive: bool,
    /// NOWAIT: fail at once (3572) rather than wait.
    pub nowait: bool,
    pub skip_locked: bool,
    pub targets: Vec<LockTarget>,
}

/// One table of a locking read.
#[derive(Clone, Debug, PartialEq)]
pub struct LockTarget {
    pub database: DatabaseName,
    pub table: TableId,
    pub table_name: String,
    /// Returns the primary keys (the columns of [`super::Table::key_columns`], in that order) of the rows to hold.
    pub keys: Program,
}

/// A change of one table; a DELETE may name several.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    pub kind: WriteKind,
    pub program: Program,
    pub database: DatabaseName,
    pub table: String,
    pub table_id: TableId,
    /// Every database the text names.
    pub databases: Vec<DatabaseName>,
    /// As [`Read::tables`].
    pub tables: Vec<(DatabaseName, String)>,
    /// `IGNORE`: what would be an error for a row becomes a warning.
    pub ignore: bool,
    /// The table's AUTO_INCREMENT column, where the statement inserts.
    pub auto_increment: Option<AutoIncrement>,
    /// Rows in VALUES; `None` for INSERT ... SELECT and for kinds without.
    pub rows: Option<usize>,
    /// DELETE from or UPDATE of several tables: not empty, and then `program` is a query whose rows are the keys of the
    /// rows to change in each of these tables and their new values, one table's after the other's. They are computed
    /// before any row is changed.
    pub keyed: Vec<KeyedChange>,
    /// The statement that each row of the program, which is then a query, is run through: its parameters are the
    /// program's own, then the row.
    pub by_row: Option<String>,
    /// RETURNING: the columns of the rows that the program gives; empty without it.
    pub returning: Vec<ResultColumn>,
    /// A table that has triggers for what is done to it: the program is a query of the rows, and each is changed by itself.
    pub triggered: Option<Arc<Triggered>>,
}

/// A change of tables with triggers, row by row. The rows of the query have one part for each of the tables, one after the
/// other.
#[derive(Clone, Debug, PartialEq)]
pub struct Triggered {
    pub parts: Vec<RowChange>,
    /// RETURNING: computes what a changed row gives. Its parameters are those of the statement, then the cells of the
    /// inserted, updated or deleted row.
    pub returned: Option<String>,
}

/// What happens to the rows of one table.
#[derive(Clone, Debug, PartialEq)]
pub struct RowChange {
    pub database: DatabaseName,
    pub table: Arc<Table>,
    pub kind: RowChangeKind,
}

/// How a row changes. Statements take the primary key's columns as `?1..` in the key's order.
#[derive(Clone, Debug, PartialEq)]
pub enum RowChangeKind {
    Insert(Box<RowInsert>),
    Update(RowUpdate),
    Delete(RowDelete),
}

/// The part of a row is the values of these columns, as their places in the table.
#[derive(Clone, Debug, PartialEq)]
pub struct RowInsert {
    pub columns: Vec<usize>,
    /// Inserts one row: its parameters are the cells of all columns but generated ones.
    pub insert: Write,
    /// For REPLACE and ON DUPLICATE KEY UPDATE, each unique key: key and cells of the row that has the same, as the part of
    /// a deletion has them. The parameters are the cells of all columns of the new row.
    pub keys: Vec<String>,
    /// REPLACE: what happens to those rows.
    pub replaced: Option<RowDelete>,
    /// ON DUPLICATE KEY UPDATE: what happens to the first of those rows.
    pub updated: Option<RowUpdate>,
    /// Finds that row as the part of an update: its parameters are those of the statement, then the cells of all columns of
    /// the new row, then the key.
    pub update_of: String,
}

/// The part of a row is its key, the cells of all columns, and new values for these columns.
#[derive(Clone, Debug, PartialEq)]
pub struct RowUpdate {
    pub keys: usize,
    pub columns: Vec<usize>,
    /// Changes the row: its parameters are the key, then the cells of all columns but generated ones.
    pub update: Write,
}

/// The part of a row is its key and the cells of all columns.
#[derive(Clone, Debug, PartialEq)]
pub struct RowDelete {
    pub keys: usize,
    pub delete: Write,
}

/// LOAD DATA: the INSERT, whose only client's parameter is a cell of rows ([`super::encode_rows`]).
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    pub file: String,
    /// The client has the file.
    pub local: bool,
    pub format: FileFormat,
    /// How many fields a line should have.
    pub fields: usize,
    /// Whether a line with another number of fields is an error.
    pub strict: bool,
    pub write: Write,
}

/// The part of a DELETE or UPDATE that one of several tables has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedChange {
    /// How many columns of the query are this table's key; all NULL where an outer join found no row.
    pub keys: usize,
    /// How many columns after these are new values.
    pub values: usize,
    /// Changes the row with the key `?1..`; the values are the parameters after it.
    pub sql: String,
}

/// Kinds of [`Write`]; they differ in how affected rows are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteKind {
    Insert,
    /// INSERT ... ON DUPLICATE KEY UPDATE: an inserted row counts 1, a changed one 2, one left as it was 0 (1 with
    /// CLIENT_FOUND_ROWS).
    Upsert,
    /// A replaced row counts 2.
    Replace,
    /// Counts changed rows, or matched ones with CLIENT_FOUND_ROWS.
    Update,
    Delete,
}

/// The AUTO_INCREMENT column of an inserted table.
#[derive(Clone, Debug, PartialEq)]
pub struct AutoIncrement {
    pub column: String,
    pub ty: ColumnType,
    /// The largest id the column's type and storage hold.
    pub max: i64,
    /// The table option: ids start at or above it.
    pub start: u64,
    /// Whether every row of the statement brings a literal id, so that none needs to be leased.
    pub all_given: bool,
}

/// How a result column looks to the client. Names are MySQL's (the expression's own text where there is no alias).
#[derive(Clone, Debug, PartialEq)]
pub struct ResultColumn {
    pub name: Arc<str>,
    pub ty: ResultType,
    pub nullable: bool,
    /// Where a plain column comes from.
    pub origin: Option<Arc<Origin>>,
}

impl ResultColumn {
    /// A cell as the client would see it.
    pub fn present(&self, value: Value) -> Value {
        match &self.ty {
            ResultType::Known(ty) => ty.present(value),
            ResultType::Dynamic | ResultType::Null => value,
        }
    }
}

/// The type of a result column.
#[derive(Clone, Debug, PartialEq)]
pub enum ResultType {
    /// Known before execution; cells go through [`ColumnType::present`].
    Known(ColumnType),
    /// Only the cells tell (user variables, `@@` variables, client parameters): use the type of the first row's cell,
    /// as BIGINT, DOUBLE, VARCHAR or BLOB.
    Dynamic,
    /// NULL.
    Null,
}

/// The column behind a result column.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    pub database: DatabaseName,
    /// As the statement calls it.
    pub table_alias: String,
    pub table: String,
    pub column: String,
    pub primary_key: bool,
    pub unique_key: bool,
    pub multiple_key: bool,
    pub auto_increment: bool,
    pub no_default: bool,
    pub on_update_now: bool,
}

/// One assignment of SET.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    pub target: SetTarget,
    pub value: SetValue,
}

/// What SET sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetTarget {
    /// `@name`, in lower case.
    User(String),
    /// A system variable, in lower case.
    System { scope: VariableScope, name: String },
    /// `SET NAMES`: the value is the character set; the collation rides along.
    Names { collation: Option<String> },
    /// `SET CHARACTER SET`.
    CharacterSet,
    /// `SET [scope] TRANSACTION ISOLATION LEVEL`; the value is for instance `REPEATABLE-READ`. `Once` is the next
    /// transaction only.
    Isolation(VariableScope),
    /// `SET [scope] TRANSACTION READ ONLY | READ WRITE`; the value is 1 for read only.
    ReadOnly(VariableScope),
}

/// Where a system variable is set or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VariableScope {
    /// `SESSION`, `LOCAL`, `@@session.`.
    Session,
    Global,
    /// `PERSIST`, `PERSIST_ONLY`.
    Persist,
    /// None was written: the session's value if there is one, else the global one. For SET TRANSACTION: once.
    Unspecified,
}

/// What it is set to.
#[derive(Clone, Debug, PartialEq)]
pub enum SetValue {
    Default,
    /// A literal, or a bare word such as `ON` (as text).
    Constant(Value),
    /// One row, one column.
    Query(Box<Read>),
}

/// What the session answers from its own state.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionCommand {
    /// `SHOW WARNINGS`, `SHOW ERRORS` (errors only); `count` for `SHOW COUNT(*) WARNINGS`.
    ShowWarnings {
        errors_only: bool,
        count: bool,
        offset: u64,
        limit: Option<u64>,
    },
    /// `SHOW GRANTS [FOR user]`.
    ShowGrants {
        user: UserReference,
    },
    /// `SHOW CREATE USER`.
    ShowCreateUser {
        user: UserReference,
    },
    Kill {
        connection: u64,
        query_only: bool,
    },
    /// `PREPARE name FROM ...`.
    Prepare {
        name: String,
        text: SetValue,
    },
    /// `EXECUTE name USING a, b`.
    Execute {
        name: String,
        using: Vec<SetValue>,
    },
    /// `EXECUTE IMMEDIATE text USING a, b`.
    ExecuteImmediate {
        text: SetValue,
        using: Vec<SetValue>,
    },
    /// `SET STATEMENT variable = value, ... FOR statement` (MariaDB): the session's variables are others for that statement.
    SetStatement {
        assignments: Vec<Assignment>,
        text: Arc<str>,
    },
    /// `DEALLOCATE PREPARE name`.
    Deallocate {
        name: String,
    },
    /// SIGNAL, RESIGNAL.
    Signal(Signal),
    GetDiagnostics(GetDiagnostics),
    /// Runs a query and throws its rows away.
    Do(Read),
    /// `CHECK TABLE`, `CHECKSUM TABLE`: reads each table to the end.
    Inspect {
        checksum: bool,
        tables: Vec<Inspected>,
    },
    /// `EXPLAIN statement`: runs SQLite's EXPLAIN QUERY PLAN over the program and shows it in MySQL's columns.
    Explain(Program, Vec<DatabaseName>),
}

/// A table named in CHECK TABLE or CHECKSUM TABLE.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspected {
    /// `database.table`, as the answer names it.
    pub shown: String,
    pub found: InspectedKind,
}

/// What there is of that name.
#[derive(Clone, Debug, PartialEq)]
pub enum InspectedKind {
    Table {
        database: DatabaseName,
        table: String,
    },
    /// A view, a system table, a temporary table: nothing that nodes have in common.
    Other,
    /// Nothing; the text says so.
    Missing(String),
}

/// A condition to be raised.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    pub resignal: bool,
    /// Its SQLSTATE; `None`: that of the condition being handled.
    pub state: Option<String>,
    /// By MySQL's names, once each.
    pub items: Vec<(&'static str, SetValue)>,
}

/// GET DIAGNOSTICS.
#[derive(Clone, Debug, PartialEq)]
pub struct GetDiagnostics {
    pub stacked: bool,
    /// The number of the condition, from 1; `None`: items of the statement.
    pub condition: Option<SetValue>,
    pub items: Vec<(VariableTarget, &'static str)>,
}

/// Administration of the cluster and of this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admin {
    /// `ALTER CLUSTER REMOVE NODE n`, `REMOVE NODE n`: take its vote, for good.
    RemoveNode(NodeId),
    /// `ALTER CLUSTER VERIFY`: hold this node's tables against another's now.
    Verify,
    /// `ALTER INSTANCE RELOAD TLS`; `lenient` (NO ROLLBACK ON ERROR): what is wrong is a warning.
    ReloadTls { lenient: bool },
    /// `FLUSH HOSTS`.
    FlushHosts,
}
