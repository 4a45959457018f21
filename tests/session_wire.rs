//! A session behind the real client loop, spoken to by a real client library: the way of a statement from socket to
//! file and back, with a core that commits whatever it is given.

use marmot::core::{ApplyTask, Request, Response};
use marmot::mysql::Login;
use marmot::session::{
    Clock, ConfiguredAccount, CoreCall, CoreHandle, Globals, Parts, Published, Server, applier_functions,
};
use marmot::shell::client::{Front, FrontConfig};
use marmot::sqlite::{Applier, DataDir, Options};
use marmot::types::{Hlc, Mono, NodeId, Now, Span, Stamp, TxnId, Wall, WriteSet};
use mysql::prelude::Queryable;
use mysql::{Conn, Error, OptsBuilder, Row, TxOpts};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Now {
        Now { mono: Mono(0), wall: Wall(1_700_000_000_000) }
    }
    fn sleep(&self, _: Span) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::ready(()))
    }
}

/// Commits everything, in order.
struct Core {
    applier: Applier,
    published: Arc<Published>,
    seq: u64,
    ids: u64,
}

impl Core {
    fn answer(&mut self, request: Request) -> Response {
        let txn = TxnId { origin: NodeId(1), sequence: self.seq + 1 };
        match request {
            Request::Commit { write_set, .. } | Request::CommitLocked { write_set, .. } => self.commit(txn, write_set),
            Request::LockSchema { .. } => {
                self.seq += 1;
                Response::SchemaLocked { txn }
            }
            Request::AutoIds { count, .. } => {
                self.ids += u64::from(count);
                Response::AutoIds { first: self.ids, count }
            }
            _ => Response::BarrierDone,
        }
    }

    fn commit(&mut self, txn: TxnId, write_set: Arc<WriteSet>) -> Response {
        self.seq += 1;
        let stamp = Stamp { hlc: Hlc(self.seq), node: NodeId(1) };
        let (amendments, evictions) = (Vec::new(), Vec::new());
        let task = ApplyTask { seq: self.seq, txn, stamp, write_set, amendments, evictions, may_evict: false };
        self.applier.apply(&[task]).expect("it applies");
        self.published.set_applied(self.seq);
        Response::Committed { txn, stamp }
    }
}

struct Node {
    address: SocketAddr,
    runtime: Option<Runtime>,
    _stop: watch::Sender<bool>,
    _directory: tempfile::TempDir,
}

impl Node {
    fn start() -> Node {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let data = DataDir::open(directory.path(), Options::default()).expect("an empty directory opens");
        let published = Published::new();
        let applier = data.open_applier(&applier_functions()).expect("an applier");
        let mut core = Core { applier, published: published.clone(), seq: 0, ids: 1 << 40 };
        let (calls, mut queue) = mpsc::channel(64);
        let server = Server::new(Parts {
            node: NodeId(1),
            data,
            core: CoreHandle::new(calls, published),
            clock: Arc::new(Fixed),
            globals: Arc::new(Globals::new(&[]).expect("defaults are valid")),
            seed: 1,
            conflicts: None,
            links: None,
            verification: None,
            spans: None,
            configured: ConfiguredAccount::new("root", "localhost", ""),
        });
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        runtime.spawn(async move {
            while let Some(call) = queue.recv().await {
                if let CoreCall::Request { request, reply, .. } = call {
                    let _ = reply.send(core.answer(request));
                }
            }
        });
        let mut config = FrontConfig::new(marmot::session::VERSION, server.clone());
        config.counters = server.counters().clone();
        let front = Front::new(config, move |_: &Login| server.session());
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (stop, stopped) = watch::channel(false);
        runtime.spawn(front.accept_tcp(listener, stopped));
        Node { address, runtime: Some(runtime), _stop: stop, _directory: directory }
    }

    fn connect(&self) -> Conn {
        self.connect_as("root", "").expect("a login")
    }

    fn connect_as(&self, user: &str, password: &str) -> Result<Conn, Error> {
        let options = OptsBuilder::new()
            .ip_or_hostname(Some("127.0.0.1"))
            .tcp_port(self.address.port())
            .prefer_socket(false)
            .user(Some(user))
            .pass(Some(password));
        Conn::new(options)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn code<T>(result: Result<T, Error>) -> u16 {
    match result {
        Err(Error::MySqlError(e)) => e.code,
        _ => 0,
    }
}

#[test]
fn accounts_log_in_by_either_plugin() {
    let node = Node::start();
    let mut root = node.connect();
    root.query_drop("CREATE USER sha IDENTIFIED BY 'secret'").unwrap();
    root.query_drop("CREATE USER old IDENTIFIED WITH mysql_native_password BY 'secret'").unwrap();
    root.query_drop("CREATE USER guarded IDENTIFIED BY 'secret' REQUIRE SSL").unwrap();
    root.query_drop("CREATE USER locked IDENTIFIED BY 'secret' ACCOUNT LOCK").unwrap();
    root.query_drop("CREATE USER away@'10.%' IDENTIFIED BY 'secret'").unwrap();
    root.query_drop("CREATE USER bare").unwrap();
    let hash: Option<String> =
        root.query_first("SELECT authentication_string FROM mysql.user WHERE User = 'old'").unwrap();
    let copied = format!("CREATE USER copy IDENTIFIED WITH mysql_native_password AS '{}'", hash.unwrap());
    root.query_drop(copied).unwrap();
    for user in ["sha", "old", "copy"] {
        let mut client = node.connect_as(user, "secret").unwrap();
        let who: Option<String> = client.query_first("SELECT CURRENT_USER()").unwrap();
        assert_eq!(who.as_deref(), Some(format!("{user}@%").as_str()));
        for wrong in ["Secret", ""] {
            assert_eq!(code(node.connect_as(user, wrong)), 1045, "{user} {wrong}");
        }
    }
    node.connect_as("bare", "").unwrap();
    assert_eq!(code(node.connect_as("bare", "x")), 1045);
    assert_eq!(code(node.connect_as("guarded", "secret")), 1045, "nothing encrypts the link");
    assert_eq!(code(node.connect_as("locked", "secret")), 3118);
    assert_eq!(code(node.connect_as("locked", "wrong")), 1045);
    assert_eq!(code(node.connect_as("away", "secret")), 1045);
    assert_eq!(code(node.connect_as("nobody", "secret")), 1045);
    // COM_CHANGE_USER takes the rights of the new account.
    let options = mysql::ChangeUserOpts::new().with_user(Some("old".to_string())).with_pass(Some("secret".to_string()));
    root.change_user(options).unwrap();
    assert_eq!(root.query_first::<String, _>("SELECT CURRENT_USER()").unwrap().as_deref(), Some("old@%"));
    assert_eq!(code(root.query_drop("CREATE DATABASE x")), 1044);
    let locked =
        mysql::ChangeUserOpts::new().with_user(Some("locked".to_string())).with_pass(Some("secret".to_string()));
    assert_eq!(code(root.change_user(locked)), 3118);
}

#[test]
fn a_client_library_creates_writes_and_reads() {
    let node = Node::start();
    let mut c = node.connect();
    c.query_drop("CREATE DATABASE shop").unwrap();
    c.query_drop("USE shop").unwrap();
    c.query_drop(
        "CREATE TABLE item (id INT UNSIGNED NOT NULL AUTO_INCREMENT, name VARCHAR(40) NOT NULL, price DECIMAL(10,2), \
         weight DOUBLE, made DATETIME(3), small TINYINT, big BIGINT UNSIGNED, raw VARBINARY(8), \
         PRIMARY KEY (id), UNIQUE KEY by_name (name)) ENGINE=InnoDB",
    )
    .unwrap();
    let insert =
        c.prep("INSERT INTO item (name, price, weight, made, small, big, raw) VALUES (?, ?, ?, ?, ?, ?, ?)").unwrap();
    for i in 0..3u64 {
        let values = (format!("n{i}"), "12.50", 0.5, "2024-02-29 12:30:00.125", -7, u64::MAX - i, vec![0u8, 255]);
        c.exec_drop(&insert, values).unwrap();
        assert_eq!((c.affected_rows(), c.last_insert_id()), (1, i + 1));
    }
    assert_eq!(code(c.exec_drop(&insert, ("n1", "1", 1.0, "2024-01-01", 1, 1, vec![1u8]))), 1062);
    // The same row in both protocols.
    let text: Row = c.query_first("SELECT * FROM item WHERE id = 2").unwrap().unwrap();
    let binary: Row = c.exec_first("SELECT * FROM item WHERE id = ?", (2,)).unwrap().unwrap();
    type Item = (u32, String, String, f64, String, i8, u64, Vec<u8>);
    let text: Item = mysql::from_row(text);
    assert_eq!(text.0, 2);
    assert_eq!((text.2.as_str(), text.4.as_str()), ("12.50", "2024-02-29 12:30:00.125"));
    assert_eq!((text.5, text.6, text.7.as_slice()), (-7, u64::MAX - 1, &[0u8, 255][..]));
    let (id, name, price): (u32, String, String) =
        mysql::from_row_opt(c.exec_first("SELECT id, name, price FROM item WHERE id = ?", (2,)).unwrap().unwrap())
            .unwrap();
    assert_eq!((id, name.as_str(), price.as_str()), (2, "n1", "12.50"));
    assert_eq!(binary.len(), 8);
    assert_eq!(binary.columns_ref()[0].org_table_str(), "item");
}

#[test]
fn transactions_are_those_of_the_client_library() {
    let node = Node::start();
    let (mut a, mut b) = (node.connect(), node.connect());
    a.query_drop("CREATE DATABASE d").unwrap();
    a.query_drop("CREATE TABLE d.t (id INT PRIMARY KEY, n INT)").unwrap();
    let mut tx = a.start_transaction(TxOpts::default()).unwrap();
    tx.query_drop("INSERT INTO d.t VALUES (1, 1)").unwrap();
    assert_eq!(b.query_first::<u64, _>("SELECT COUNT(*) FROM d.t").unwrap(), Some(0));
    tx.commit().unwrap();
    assert_eq!(b.query_first::<u64, _>("SELECT COUNT(*) FROM d.t").unwrap(), Some(1));
    let mut tx = b.start_transaction(TxOpts::default()).unwrap();
    tx.query_drop("DELETE FROM d.t").unwrap();
    tx.rollback().unwrap();
    assert_eq!(a.query_first::<u64, _>("SELECT COUNT(*) FROM d.t").unwrap(), Some(1));
    b.query_drop("BEGIN; INSERT INTO d.t VALUES (2, 2)").unwrap();
    drop(b);
    // A client that is gone is rolled back; the next one is served all the same.
    assert_eq!(node.connect().query_first::<u64, _>("SELECT COUNT(*) FROM d.t").unwrap(), Some(1));
}

#[test]
fn a_large_result_is_streamed() {
    let node = Node::start();
    let mut c = node.connect();
    c.query_drop("CREATE DATABASE d").unwrap();
    c.query_drop("CREATE TABLE d.t (id INT PRIMARY KEY, v VARCHAR(200))").unwrap();
    let rows: Vec<String> = (0..5000).map(|i| format!("({i}, '{}')", "x".repeat(100))).collect();
    c.query_drop(format!("INSERT INTO d.t VALUES {}", rows.join(","))).unwrap();
    assert_eq!(c.affected_rows(), 5000);
    let read: Vec<(u32, String)> = c.query("SELECT id, v FROM d.t ORDER BY id").unwrap();
    assert_eq!((read.len(), read[4999].0), (5000, 4999));
    assert_eq!(code(c.query_drop("SELECT * FROM d.nope")), 1146);
    let killer = node.connect();
    let id = c.connection_id();
    drop(killer);
    let mut other = node.connect();
    other.query_drop(format!("KILL {id}")).unwrap();
    assert!(c.query_drop("SELECT 1").is_err(), "the connection was killed");
}

/// A tool computes rates from these.
#[test]
fn bytes_and_lost_connections_are_counted() {
    let node = Node::start();
    let mut c = node.connect();
    fn status(c: &mut Conn, name: &str) -> u64 {
        let row: Option<(String, u64)> = c.query_first(format!("SHOW GLOBAL STATUS LIKE '{name}'")).unwrap();
        row.expect("a variable").1
    }
    let (received, sent) = (status(&mut c, "Bytes_received"), status(&mut c, "Bytes_sent"));
    assert!(received > 100 && sent > 100, "{received} received, {sent} sent");
    assert!(status(&mut c, "Bytes_received") >= received + 30);
    assert_eq!(status(&mut c, "Max_used_connections"), 1);
    let (clients, connects) = (status(&mut c, "Aborted_clients"), status(&mut c, "Aborted_connects"));
    drop(node.connect());
    let stranger = OptsBuilder::new()
        .ip_or_hostname(Some("127.0.0.1"))
        .tcp_port(node.address.port())
        .prefer_socket(false)
        .user(Some("nobody"));
    assert!(Conn::new(stranger).is_err());
    assert_eq!(status(&mut c, "Aborted_connects"), connects + 1);
    assert_eq!(status(&mut c, "Aborted_clients"), clients, "who says goodbye was not aborted");
    let other = node.connect();
    c.query_drop(format!("KILL {}", other.connection_id())).unwrap();
    let since = Instant::now();
    while status(&mut c, "Aborted_clients") == clients {
        assert!(since.elapsed() < Duration::from_secs(10), "a killed connection is not counted");
    }
    assert_eq!(status(&mut c, "Max_used_connections"), 2);
}
