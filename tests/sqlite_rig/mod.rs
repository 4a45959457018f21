//! A data directory with one database, its applier, and shorthands for statements.
#![allow(dead_code)] // each test binary uses a part

use marmot::core::ApplyTask;
use marmot::sqlite::{
    Applied, Applier, DataDir, DefinitionChange, Definitions, Executed, FileChange, Functions, Options, Reader,
    SchemaStep, TableDigest, TableEntry, TableIds, UniqueIds, Workspace,
};
use marmot::types::{ColumnId, Ddl, Hlc, IndexId, NodeId, Stamp, TableId, TxnId, Value, WriteSet};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

pub const DB: &str = "shop";

/// A table's identities: columns numbered from 1, each entry of `uniques` a list of column names.
pub fn ids(number: u64, name: &str, columns: &[&str], uniques: &[&[&str]]) -> TableIds {
    TableIds {
        id: TableId::new(NodeId(1), number),
        name: name.into(),
        columns: columns.iter().zip(1..).map(|(c, i)| (ColumnId(i), c.to_string())).collect(),
        uniques: uniques
            .iter()
            .zip(1..)
            .map(|(u, i)| UniqueIds { id: IndexId(i), parts: u.iter().map(|c| (c.to_string(), None)).collect() })
            .collect(),
    }
}

pub fn task(seq: u64, write_set: WriteSet) -> ApplyTask {
    ApplyTask {
        seq,
        txn: TxnId { origin: NodeId(1), sequence: seq },
        stamp: Stamp { hlc: Hlc(seq), node: NodeId(1) },
        write_set: Arc::new(write_set),
        amendments: Vec::new(),
        evictions: Vec::new(),
        may_evict: false,
    }
}

pub fn schema(file: FileChange, statements: &[&str], tables: &[TableIds], version: u64) -> WriteSet {
    let step = SchemaStep {
        file,
        version,
        statements: statements.iter().map(|s| s.to_string()).collect(),
        definitions: Definitions::Whole {
            definition: format!("definition {version}").into_bytes(),
            tables: tables.to_vec(),
        },
    };
    WriteSet { ddl: Some(Ddl { database: DB.into(), payload: step.encode().into() }), ..WriteSet::default() }
}

/// As [`schema`], as it is said from version 7 on: `gone` are no more, `tables` are new or changed.
pub fn change(file: FileChange, statements: &[&str], gone: &[&str], tables: &[TableIds], version: u64) -> WriteSet {
    let entry = |ids: &TableIds| TableEntry { ids: ids.clone(), definition: format!("{} {version}", ids.name).into() };
    let change = DefinitionChange {
        database: format!("definition {version}").into_bytes(),
        gone: gone.iter().map(|name| name.to_string()).collect(),
        tables: tables.iter().map(entry).collect(),
    };
    let statements = statements.iter().map(|s| s.to_string()).collect();
    let step = SchemaStep { file, version, statements, definitions: Definitions::Changed(change) };
    WriteSet { ddl: Some(Ddl { database: DB.into(), payload: step.encode().into() }), ..WriteSet::default() }
}

/// Functions a schema may name: `twice(x)`, and `refuse(x)`, which always fails.
pub fn functions() -> Functions {
    let mut functions = Functions::new();
    functions.scalar(
        "twice",
        1,
        true,
        Arc::new(|args: &[Value]| match &args[0] {
            Value::Int(i) => Ok(Value::Int(i * 2)),
            other => Ok(other.clone()),
        }),
    );
    functions.scalar(
        "refuse",
        1,
        true,
        Arc::new(|args: &[Value]| {
            let message = format!("Out of range value {}", args[0]);
            Err(marmot::sqlite::FunctionError { code: 1264, state: "22003".into(), message })
        }),
    );
    functions
}

pub struct Rig {
    pub dir: DataDir,
    pub applier: Applier,
    pub seq: u64,
    pub tables: Vec<TableIds>,
    // Removed last.
    pub home: TempDir,
}

impl Rig {
    /// A database `shop` made by `statements`.
    pub fn new(tables: &[TableIds], statements: &[&str]) -> Rig {
        Rig::with(Options::default(), tables, statements)
    }

    pub fn with(options: Options, tables: &[TableIds], statements: &[&str]) -> Rig {
        let home = tempfile::tempdir().unwrap();
        let dir = DataDir::open(home.path(), options).unwrap();
        let applier = dir.open_applier(&functions()).unwrap();
        let mut rig = Rig { dir, applier, seq: 0, tables: tables.to_vec(), home };
        rig.apply(schema(FileChange::Create, statements, tables, 1));
        rig
    }

    pub fn path(&self) -> std::path::PathBuf {
        self.home.path().join(format!("{DB}.db"))
    }

    /// A plain SQLite connection on the file, as an administrator's tool would open it.
    pub fn plain(&self) -> rusqlite::Connection {
        plain(&self.path())
    }

    pub fn apply(&mut self, write_set: WriteSet) -> Applied {
        self.seq += 1;
        self.applier.apply(&[task(self.seq, write_set)]).unwrap()
    }

    pub fn workspace(&self) -> Workspace {
        let mut workspace = self.dir.open_workspace(&functions()).unwrap();
        workspace.attach(DB).unwrap();
        workspace
    }

    pub fn reader(&self) -> Reader {
        self.dir.open_reader(&functions()).unwrap()
    }

    /// Runs statements in one transaction and commits it.
    pub fn commit(&mut self, statements: &[&str]) -> WriteSet {
        let mut workspace = self.workspace();
        workspace.begin().unwrap();
        for sql in statements {
            workspace.execute(sql, &[]).unwrap_or_else(|e| panic!("{sql}: {e}"));
        }
        let write_set = workspace.take_write_set().unwrap();
        workspace.end();
        self.apply(write_set.clone());
        write_set
    }

    pub fn digests(&self) -> Vec<TableDigest> {
        self.dir.open_rows(DB).unwrap().digests().unwrap()
    }

    /// Reopens the directory as after the end of the process.
    pub fn restart(self) -> Rig {
        let Rig { dir, applier, seq, tables, home } = self;
        drop(applier);
        drop(dir);
        let dir = DataDir::open(home.path(), Options::default()).unwrap();
        let applier = dir.open_applier(&functions()).unwrap();
        Rig { dir, applier, seq, tables, home }
    }
}

pub fn plain(path: &Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
    connection
}

/// The single number a query gives.
pub fn number(workspace: &mut Workspace, sql: &str) -> i64 {
    match one(workspace, sql) {
        Value::Int(i) => i,
        other => panic!("{sql}: {other}"),
    }
}

pub fn one(workspace: &mut Workspace, sql: &str) -> Value {
    let rows = workspace.query(sql, &[]).unwrap_or_else(|e| panic!("{sql}: {e}")).collect().unwrap();
    rows.into_iter().next().and_then(|mut r| r.pop()).unwrap_or_default()
}

pub fn run(workspace: &mut Workspace, sql: &str) -> Executed {
    workspace.execute(sql, &[]).unwrap_or_else(|e| panic!("{sql}: {e}"))
}

pub fn read(reader: &mut Reader, sql: &str) -> Vec<Vec<Value>> {
    reader.query(&[DB.into()], sql, &[]).unwrap_or_else(|e| panic!("{sql}: {e}")).collect().unwrap()
}
