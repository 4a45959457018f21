//! A front on a loopback port with a toy session: it understands a few words, enough to see every packet type.

use marmot::mysql::{
    Accounts, BAD_DB_ERROR, Cell, Column, ColumnFlags, ColumnType, Completion, Credential, DUP_ENTRY, Handler, Login,
    Parameter, Prepared, QUERY_INTERRUPTED, ResultWriter, SqlError, StatementId, StatusFlags,
};
use marmot::shell::client::{Front, FrontConfig, Limits, Tls};
use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Runtime;
use tokio::sync::{Notify, watch};

/// SHA1 twice of "secret".
pub const SECRET_NATIVE: &str = "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7";
pub const PACKET_MAX: usize = 40 << 20;

/// What the sessions of one server share with the test.
#[derive(Default)]
pub struct Shared {
    pub events: Mutex<Vec<String>>,
    pub kill: Notify,
}

pub struct Server {
    pub address: SocketAddr,
    pub shared: Arc<Shared>,
    pub stop: watch::Sender<bool>,
    runtime: Option<Runtime>,
    drained: Arc<Notify>,
}

impl Server {
    pub fn start() -> Server {
        Server::with(|_| ())
    }

    pub fn with(change: impl FnOnce(&mut FrontConfig)) -> Server {
        Server::listening(change, None)
    }

    /// Also on a Unix socket, if a path is given.
    pub fn listening(change: impl FnOnce(&mut FrontConfig), socket: Option<&std::path::Path>) -> Server {
        let accounts = Accounts::new()
            .with("root", Credential::password("secret"))
            .with("open", Credential::NO_PASSWORD)
            .with("old", Credential::parse_hash(SECRET_NATIVE).unwrap());
        let mut config = FrontConfig::new("8.0.40-marmot-test", Arc::new(accounts));
        config.tls = Some(Tls::self_signed(&["localhost".to_owned()]).unwrap());
        change(&mut config);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let shared = Arc::new(Shared::default());
        let (stop, stopped) = watch::channel(false);
        let for_sessions = Arc::clone(&shared);
        let front = Front::new(config, move |login: &Login| Toy::new(login, Arc::clone(&for_sessions)));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        if let Some(path) = socket {
            let listener = runtime.block_on(async { UnixListener::bind(path) }).unwrap();
            runtime.spawn(Arc::clone(&front).accept_unix(listener, stopped.clone()));
        }
        let drained = Arc::new(Notify::new());
        let told = Arc::clone(&drained);
        runtime.spawn(async move {
            Arc::clone(&front).accept_tcp(listener, stopped).await;
            front.drained().await;
            told.notify_one();
        });
        Server { address, shared, stop, runtime: Some(runtime), drained }
    }

    pub fn events(&self) -> Vec<String> {
        self.shared.events.lock().unwrap().clone()
    }

    /// Stops accepting and waits until every session has ended.
    pub fn drain(&self) {
        self.stop.send(true).unwrap();
        self.runtime.as_ref().unwrap().block_on(self.drained.notified());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Sets bounds of a front.
pub fn limits(config: &mut FrontConfig, change: impl FnOnce(&mut Limits)) {
    let mut limits = (config.limits)();
    change(&mut limits);
    config.limits = Arc::new(move || limits);
}

/// A session that understands a few words.
pub struct Toy {
    login: Login,
    shared: Arc<Shared>,
    statements: BTreeMap<StatementId, String>,
    closed: usize,
    in_transaction: bool,
    multi: bool,
    impatient: bool,
    hasty: bool,
}

impl Toy {
    fn new(login: &Login, shared: Arc<Shared>) -> Toy {
        let (statements, multi) = (BTreeMap::new(), login.multi_statements());
        Toy {
            login: login.clone(),
            shared,
            statements,
            closed: 0,
            in_transaction: false,
            multi,
            impatient: false,
            hasty: false,
        }
    }

    fn note(&self, event: impl Into<String>) {
        self.shared.events.lock().unwrap().push(event.into());
    }

    fn done(&self) -> Completion {
        Completion { status: self.status(), ..Completion::default() }
    }

    fn use_database(&mut self, name: Option<&str>) -> Result<(), SqlError> {
        match name {
            Some("nowhere") => Err(BAD_DB_ERROR.with(&[&"nowhere"])),
            other => {
                self.login.database = other.map(str::to_owned);
                Ok(())
            }
        }
    }

    fn one(&self, out: &mut ResultWriter<'_>, column: Column, cell: Cell<'_>) -> Result<(), SqlError> {
        out.columns(&[column], self.status())?;
        out.row([cell])?;
        out.end_rows(self.done())
    }

    fn text(&self, out: &mut ResultWriter<'_>, text: &str) -> Result<(), SqlError> {
        self.one(out, Column::new("text", ColumnType::MYSQL_TYPE_VAR_STRING), Cell::from(text))
    }

    fn number(&self, out: &mut ResultWriter<'_>, number: usize) -> Result<(), SqlError> {
        self.one(out, Column::new("number", ColumnType::MYSQL_TYPE_LONGLONG), Cell::Int(number as i64))
    }

    async fn statement(&mut self, sql: &[u8], out: &mut ResultWriter<'_>) -> Result<(), SqlError> {
        let head = String::from_utf8_lossy(&sql[..sql.len().min(100)]).into_owned();
        let (word, rest) = head.trim().split_once(' ').unwrap_or((head.trim(), ""));
        match word {
            "BEGIN" | "COMMIT" | "SET" | "ROLLBACK" => {
                self.in_transaction = word == "BEGIN";
                out.ok(self.done())
            }
            "INSERT" => out.ok(Completion {
                affected_rows: 3,
                last_insert_id: 1 << 40,
                warnings: 1,
                info: "Records: 3  Duplicates: 0  Warnings: 1".into(),
                ..self.done()
            }),
            "FAIL" => Err(DUP_ENTRY.with(&[&1, &"t.PRIMARY"])),
            "SILENT" => Ok(()),
            "IMPATIENT" => {
                self.impatient = true;
                out.ok(self.done())
            }
            "HASTY" => {
                self.hasty = true;
                out.ok(self.done())
            }
            "TYPES" => types(out, self.done()),
            "HALF" => {
                out.columns(&[Column::new("n", ColumnType::MYSQL_TYPE_LONG)], self.status())?;
                out.row([Cell::Int(1)])?;
                Err(QUERY_INTERRUPTED.with(&[]))
            }
            "LENGTH" => self.number(out, sql.len()),
            "BIG" => self.text(out, &"x".repeat(rest.parse().unwrap())),
            "ROWS" => {
                out.columns(&[Column::new("n", ColumnType::MYSQL_TYPE_LONGLONG)], self.status())?;
                for n in 0..rest.parse().unwrap() {
                    out.row([Cell::Int(n)])?;
                    if out.wants_flush() {
                        out.flush().await?;
                    }
                }
                out.end_rows(self.done())
            }
            "STATE" => self.text(out, &format!("{} open, {} closed", self.statements.len(), self.closed)),
            "WHO" => {
                let l = &self.login;
                let program = l.attributes.iter().find(|(k, _)| k == "program_name").map_or("", |(_, v)| v);
                let database = l.database.as_deref().unwrap_or("-");
                let text = format!(
                    "{}@{} {database} tls={} found={} {program}",
                    l.user,
                    l.host,
                    l.tls.is_some(),
                    l.found_rows()
                );
                self.text(out, &text)
            }
            _ => self.text(out, &head),
        }
    }
}

pub fn all_types() -> (Vec<Column>, Vec<Cell<'static>>) {
    use ColumnType::*;
    let plain = |ty| Column::new("c", ty);
    let unsigned = |ty| {
        let column = Column::new("c", ty);
        Column { flags: column.flags | ColumnFlags::UNSIGNED_FLAG, ..column }
    };
    vec![
        (plain(MYSQL_TYPE_TINY), Cell::Int(-5)),
        (unsigned(MYSQL_TYPE_TINY), Cell::Int(250)),
        (plain(MYSQL_TYPE_SHORT), Cell::Int(-300)),
        (plain(MYSQL_TYPE_INT24), Cell::Int(-70_000)),
        (unsigned(MYSQL_TYPE_LONG), Cell::Int(4_000_000_000)),
        (plain(MYSQL_TYPE_LONGLONG), Cell::Int(i64::MIN)),
        (unsigned(MYSQL_TYPE_LONGLONG), Cell::Int(-1)),
        (plain(MYSQL_TYPE_FLOAT), Cell::Real(1.5)),
        (plain(MYSQL_TYPE_DOUBLE), Cell::Real(0.1)),
        (plain(MYSQL_TYPE_NEWDECIMAL), Cell::from("12.340")),
        (plain(MYSQL_TYPE_DATE), Cell::from("2024-02-29")),
        (plain(MYSQL_TYPE_DATETIME), Cell::from("2024-02-29 23:59:58.000001")),
        (plain(MYSQL_TYPE_TIMESTAMP), Cell::from("1970-01-01 00:00:01")),
        (plain(MYSQL_TYPE_TIME), Cell::from("-100:00:01.500000")),
        (plain(MYSQL_TYPE_YEAR), Cell::Int(2024)),
        (Column { length: 10, ..plain(MYSQL_TYPE_BIT) }, Cell::Int(0x201)),
        (plain(MYSQL_TYPE_VAR_STRING), Cell::from("héllo")),
        (plain(MYSQL_TYPE_BLOB), Cell::Blob(b"\0\xff")),
        (plain(MYSQL_TYPE_JSON), Cell::from("{\"a\": 1}")),
        (plain(MYSQL_TYPE_STRING), Cell::Null),
        (plain(MYSQL_TYPE_NULL), Cell::Null),
    ]
    .into_iter()
    .unzip()
}

fn types(out: &mut ResultWriter<'_>, done: Completion) -> Result<(), SqlError> {
    let (columns, cells) = all_types();
    out.columns(&columns, done.status)?;
    out.row(cells)?;
    out.end_rows(done)
}

impl Handler for Toy {
    async fn connected(&mut self, login: &Login) -> Result<(), SqlError> {
        self.note(format!("connected {}", login.user));
        self.use_database(login.database.as_deref())
    }

    fn status(&self) -> StatusFlags {
        let mut status = StatusFlags::SERVER_STATUS_AUTOCOMMIT;
        status.set(StatusFlags::SERVER_STATUS_IN_TRANS, self.in_transaction);
        status
    }

    async fn query(&mut self, sql: &[u8], out: &mut ResultWriter<'_>) -> Result<(), SqlError> {
        if self.multi && sql.len() < 1000 {
            for statement in sql.split(|b| *b == b';') {
                self.statement(statement, out).await?;
            }
            return Ok(());
        }
        self.statement(sql, out).await
    }

    async fn prepare(&mut self, id: StatementId, sql: &[u8]) -> Result<Prepared, SqlError> {
        let sql = String::from_utf8_lossy(sql).into_owned();
        if sql == "FAIL" {
            return Err(DUP_ENTRY.with(&[&1, &"t.PRIMARY"]));
        }
        let parameters = sql.bytes().filter(|b| *b == b'?').count() as u16;
        self.statements.insert(id, sql);
        Ok(Prepared { parameters, ..Prepared::default() })
    }

    async fn execute(
        &mut self,
        id: StatementId,
        parameters: &[Parameter],
        out: &mut ResultWriter<'_>,
    ) -> Result<(), SqlError> {
        let sql = self.statements.get(&id).expect("the loop gives open ids only").clone();
        if !sql.starts_with("ECHO") {
            return self.statement(sql.as_bytes(), out).await;
        }
        let column = |p: &Parameter| {
            let column = Column::new("p", p.ty);
            let sign = if p.unsigned { ColumnFlags::UNSIGNED_FLAG } else { ColumnFlags::empty() };
            Column { flags: column.flags | sign, ..column }
        };
        let columns: Vec<Column> = parameters.iter().map(column).collect();
        out.columns(&columns, self.status())?;
        out.row(parameters.iter().map(|p| Cell::from(&p.value)))?;
        out.end_rows(self.done())
    }

    fn close(&mut self, id: StatementId) {
        self.statements.remove(&id).expect("closed once");
        self.closed += 1;
    }

    async fn init_db(&mut self, name: &str) -> Result<(), SqlError> {
        self.use_database(Some(name))
    }

    async fn reset_connection(&mut self) -> Result<(), SqlError> {
        self.statements.clear();
        self.in_transaction = false;
        Ok(())
    }

    async fn change_user(&mut self, login: &Login) -> Result<(), SqlError> {
        self.reset_connection().await?;
        self.login = login.clone();
        self.use_database(login.database.as_deref())
    }

    async fn field_list(&mut self, table: &str, wildcard: &str) -> Result<Vec<Column>, SqlError> {
        Ok(vec![Column::new(format!("{table}/{wildcard}"), ColumnType::MYSQL_TYPE_LONG)])
    }

    fn statistics(&mut self) -> String {
        "Uptime: 1".into()
    }

    fn set_multi_statements(&mut self, on: bool) {
        self.multi = on;
    }

    fn max_allowed_packet(&self) -> usize {
        PACKET_MAX
    }

    fn wait_timeout(&self) -> Duration {
        if self.impatient { Duration::from_millis(1) } else { Duration::from_secs(3600) }
    }

    fn read_timeout(&self) -> Duration {
        Duration::from_millis(if self.hasty { 1 } else { 30_000 })
    }

    fn killed(&self) -> impl Future<Output = SqlError> + Send + 'static {
        let shared = Arc::clone(&self.shared);
        async move {
            shared.kill.notified().await;
            QUERY_INTERRUPTED.with(&[])
        }
    }

    async fn disconnected(&mut self) {
        self.note(format!("disconnected {}", self.login.user));
    }
}
