// Temporary: what `crate::sqlite` will export. Deleted when the bodies are there.

/// How files are opened.
pub struct Options { pub vfs: Option<String> /* base VFS; None = SQLite's default */, pub busy_timeout_ms: u32, pub cache_kib: u32, pub write_set_bytes: usize }

/// SQL functions every connection gets.  (`Functions::new()`, `.scalar(..)`, `.aggregate(..)`; cheap to clone)
pub struct Functions;
impl Functions {
    pub fn scalar(&mut self, name: &str, arity: i32 /* -1 = any */, deterministic: bool, eval: Arc<dyn Fn(&[Value]) -> Result<Value, FunctionError> + Send + Sync>);
    pub fn aggregate(&mut self, name: &str, arity: i32, new: Arc<dyn Fn() -> Box<dyn Aggregate> + Send + Sync>);
}
pub trait Aggregate: Send { fn step(&mut self, args: &[Value]) -> Result<(), FunctionError>; fn finish(self: Box<Self>) -> Result<Value, FunctionError>; }

/// The database files of a node. Clone = Arc.
impl DataDir {
    pub fn open(path: &Path, options: Options) -> Result<DataDir>;          // runs the self-test
    pub fn databases(&self) -> Vec<DatabaseName>;
    pub fn exists(&self, database: &str) -> bool;
    /// Durable in every file: give it to `core::Node::open`.
    pub fn durable_seq(&self) -> ApplySeq;
    /// Bumped by every applied schema change: reload the catalog when it moved.
    pub fn schema_generation(&self) -> u64;
    /// (schema version, encoded definition as last applied)
    pub fn definition(&self, database: &str) -> Result<(u64, Arc<[u8]>)>;
    pub fn open_reader(&self, functions: &Functions) -> Result<Reader>;
    pub fn open_workspace(&self, functions: &Functions) -> Result<Workspace>;
    pub fn open_applier(&self, functions: &Functions) -> Result<Applier>;   // one per DataDir
    pub fn open_checkpointer(&self) -> Result<Checkpointer>;
}

/// Both Reader and Workspace have an in-memory `main` and attach databases on demand:
impl Reader {
    pub fn attach(&mut self, database: &str) -> Result<()>;                 // no-op if attached; checks it was not dropped since
    pub fn query(&mut self, databases: &[DatabaseName], sql: &str, params: &[Value]) -> Result<Rows<'_>>; // attaches, one snapshot over all of them
    pub fn execute_local(&mut self, sql: &str, params: &[Value]) -> Result<u64>; // system tables in memory only
    pub fn attach_memory(&mut self, name: &str) -> Result<()>;              // system databases
    pub fn interrupt(&self) -> Interrupt;                                   // Clone + Send + Sync; .interrupt()
}
impl Rows<'_> {
    pub fn columns(&self) -> &[ColumnInfo];                                 // name, decltype, database, table, origin
    pub fn next(&mut self) -> Result<Option<RowRef<'_>>>;                   // RowRef: value(i) -> Value, cell(i) -> Cell<'_>, len()
}
pub enum Cell<'a> { Null, Int(i64), Real(f64), Text(&'a [u8]), Blob(&'a [u8]) }

impl Workspace {
    pub fn attach(&mut self, database: &str) -> Result<()>;                 // before begin() where possible: begin pins all attached
    pub fn attach_memory(&mut self, name: &str) -> Result<()>;
    pub fn begin(&mut self) -> Result<()>;
    pub fn in_transaction(&self) -> bool;
    pub fn query(&mut self, sql: &str, params: &[Value]) -> Result<Rows<'_>>;
    pub fn execute(&mut self, sql: &str, params: &[Value]) -> Result<Executed>; // {changes: u64, matched..}; statement is atomic, captured
    pub fn savepoint(&mut self, name: &str) -> Result<()>;
    pub fn rollback_to(&mut self, name: &str) -> Result<()>;
    pub fn release(&mut self, name: &str) -> Result<()>;
    pub fn execute_schema(&mut self, database: &str, step: &SchemaStep) -> Result<()>;  // validate a DDL privately; not captured
    pub fn take_write_set(&mut self) -> Result<WriteSet>;                   // deferred FKs checked; Schema(db) Read and FK parents in `holds`
    pub fn end(&mut self);                                                  // always rolls the overlay back and unpins
    pub fn schema_version(&mut self, database: &str) -> Result<u64>;        // of the snapshot
    pub fn row_key(&mut self, database: &str, table: &str, key: &[Value]) -> Result<RowKey>; // for FOR UPDATE holds
    pub fn ids(&self) -> &IdSource;                                         // leases for marmot_auto_id / marmot_row_id
    pub fn interrupt(&self) -> Interrupt;
}
/// Clone = Arc; also used by the registered functions.
impl IdSource {
    pub fn lease(&self, kind: IdKind, first: i64, count: u32);              // appended
    pub fn start_statement(&self, no_auto_value_on_zero: bool);
    pub fn first_generated(&self) -> Option<i64>;                           // by this statement
    pub fn left(&self, kind: IdKind) -> u64;
    pub fn clear(&self, kind: IdKind);
}

impl Store { pub fn open(path: &Path, vfs: Option<&str>) -> Result<Store, Fatal>; pub fn begin(&mut self) -> Round<'_>; pub fn set_has_room(&mut self, yes: bool); }
impl core::Storage for Round<'_> {}
impl Round<'_> { pub fn commit(self) -> Result<(), Fatal>; }                // dropped without commit = rolled back
impl StoreReader { pub fn open(path, vfs) -> Result<StoreReader, Fatal>; pub fn scan(&self, table, from, limit); }

impl Applier {
    pub fn apply(&mut self, tasks: &[ApplyTask]) -> Result<Applied, Fatal>; // Applied { seq, evicted: Vec<Evicted>, schema_changed: bool }
    pub fn sync(&mut self) -> Result<ApplySeq, Fatal>;                      // report as Input::Synced
    pub fn checkpoint(&mut self) -> Result<(), Fatal>;                      // PASSIVE, TRUNCATE by policy; between batches
}
