//! One client's connection to a node, and what an error says about the fate of what was asked.

use mysql::prelude::Queryable;
use mysql::{Conn, Error, OptsBuilder};
use std::net::SocketAddrV4;
use std::time::Duration;

/// The error of a commit that nobody can tell the outcome of.
const UNKNOWN_OUTCOME: u16 = 1180;

/// Where a node listens for MySQL clients.
#[derive(Clone, Debug)]
pub struct Address {
    pub socket: SocketAddrV4,
    pub password: String,
}

/// Why a statement or transaction did not succeed.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// The server's error; nothing where the connection broke.
    pub code: Option<u16>,
    pub text: String,
    /// It may nevertheless have happened.
    pub unknown: bool,
}

impl Trouble {
    /// What was done without such doubt: a read, or what comes before a COMMIT.
    fn certain(self) -> Trouble {
        Trouble { unknown: false, ..self }
    }

    /// A transaction that its client decides not to commit.
    pub fn own(text: &str) -> Trouble {
        Trouble { code: None, text: text.to_string(), unknown: false }
    }
}

/// A row as text; `None` is NULL.
pub type Row = Vec<Option<String>>;

/// What an autocommit statement reported.
pub struct Done {
    pub affected: u64,
    pub last_insert_id: u64,
}

/// Connects when needed, again when the connection was lost.
pub struct Session {
    address: Address,
    /// Statements that begin each connection.
    greeting: Vec<String>,
    patience: Duration,
    connection: Option<Conn>,
}

impl Session {
    pub fn new(address: &Address, greeting: &[&str], patience: Duration) -> Session {
        let greeting = greeting.iter().map(|sql| sql.to_string()).collect();
        Session { address: address.clone(), greeting, patience, connection: None }
    }

    /// The connection, opened if there is none. What fails here has asked for nothing yet.
    fn connection(&mut self) -> Result<&mut Conn, Trouble> {
        if self.connection.is_none() {
            let options = OptsBuilder::new()
                .ip_or_hostname(Some(self.address.socket.ip().to_string()))
                .tcp_port(self.address.socket.port())
                .prefer_socket(false)
                .user(Some("root"))
                .pass(Some(self.address.password.clone()).filter(|p| !p.is_empty()))
                .tcp_connect_timeout(Some(Duration::from_secs(2)))
                .read_timeout(Some(self.patience))
                .write_timeout(Some(self.patience));
            let greeting = &self.greeting;
            let connect = || -> Result<Conn, Error> {
                let mut connection = Conn::new(options)?;
                greeting.iter().try_for_each(|sql| connection.query_drop(sql))?;
                Ok(connection)
            };
            self.connection = Some(connect().map_err(|e| trouble(&e).certain())?);
        }
        Ok(self.connection.as_mut().expect("it was just opened"))
    }

    fn run<T>(&mut self, ask: impl FnOnce(&mut Conn) -> Result<T, Error>) -> Result<T, Trouble> {
        let outcome = ask(self.connection()?).map_err(|e| trouble(&e));
        if outcome.as_ref().is_err_and(|trouble| trouble.code.is_none()) {
            self.connection = None;
        }
        outcome
    }

    /// The rows of a query, which changes nothing whatever becomes of it.
    pub fn rows(&mut self, sql: &str) -> Result<Vec<Row>, Trouble> {
        self.run(|connection| rows(connection, sql)).map_err(Trouble::certain)
    }

    /// The numbers in the first column of a query's rows.
    pub fn ints(&mut self, sql: &str) -> Result<Vec<i64>, Trouble> {
        Ok(self.rows(sql)?.iter().filter_map(|row| number(row, 0)).collect())
    }

    /// A statement that is a transaction of its own.
    pub fn autocommit(&mut self, sql: &str) -> Result<Done, Trouble> {
        self.run(|connection| {
            connection.query_drop(sql)?;
            Ok(Done { affected: connection.affected_rows(), last_insert_id: connection.last_insert_id() })
        })
    }

    /// `BEGIN`, the work, `COMMIT`. Only the answer to COMMIT can leave a doubt.
    pub fn transaction<T>(&mut self, work: impl FnOnce(&mut Session) -> Result<T, Trouble>) -> Result<T, Trouble> {
        self.autocommit("BEGIN").map_err(Trouble::certain)?;
        let value = match work(self) {
            Ok(value) => value,
            Err(trouble) => {
                if self.connection.is_some() {
                    let _ = self.autocommit("ROLLBACK");
                }
                return Err(trouble.certain());
            }
        };
        match self.connection {
            Some(_) => self.autocommit("COMMIT").map(|_| value),
            None => Err(Trouble::own("the connection was lost before COMMIT")),
        }
    }
}

/// The number in a column of a row.
pub fn number(row: &Row, column: usize) -> Option<i64> {
    row.get(column)?.as_ref()?.parse().ok()
}

fn rows(connection: &mut Conn, sql: &str) -> Result<Vec<Row>, Error> {
    let cell = |value: mysql::Value| match value {
        mysql::Value::NULL => None,
        mysql::Value::Bytes(text) => Some(String::from_utf8_lossy(&text).into_owned()),
        other => Some(other.as_sql(true)),
    };
    let rows: Vec<mysql::Row> = connection.query(sql)?;
    Ok(rows.into_iter().map(|row| row.unwrap().into_iter().map(cell).collect()).collect())
}

fn trouble(error: &Error) -> Trouble {
    match error {
        // An error of the server is a promise that nothing happened, unless it is the one that says "unknown".
        Error::MySqlError(e) => Trouble {
            code: Some(e.code),
            text: format!("{} {}", e.code, e.message),
            unknown: e.code == UNKNOWN_OUTCOME,
        },
        other => Trouble { code: None, text: other.to_string(), unknown: true },
    }
}
