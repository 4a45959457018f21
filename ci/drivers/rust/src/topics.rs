//! What the two tests share: where the server is, the run of the topics, and statements that fail.

use std::fmt::Debug;
use std::future::Future;

pub type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Code, SQLSTATE and statement of errors, on a table `names` with a row.
pub const BAD: [(u16, &str, &str); 6] = [
    (1062, "23000", "INSERT INTO names VALUES (2, 'a')"),
    (1064, "42000", "SELEKT 1"),
    (1146, "42S02", "SELECT * FROM nothing"),
    (1406, "22001", "INSERT INTO names VALUES (2, 'abcdef')"),
    (1048, "23000", "INSERT INTO names VALUES (2, NULL)"),
    (1054, "42S22", "SELECT nothing FROM names"),
];

/// Where the server is and what it is.
pub struct Environment {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: String,
    /// A file: the certificate of the server.
    pub ca: String,
    /// A file: the statement that makes the table of all types.
    pub types: String,
    pub marmot: bool,
}

impl Environment {
    pub fn get() -> Environment {
        let var = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
        Environment {
            host: var("DB_HOST"),
            port: var("DB_PORT").parse().expect("DB_PORT is a port"),
            user: var("DB_USER"),
            password: var("DB_PASSWORD"),
            ca: var("DB_CA"),
            types: var("DB_TYPES"),
            marmot: var("DB_KIND") == "marmot",
        }
    }
}

pub fn same<T: PartialEq + Debug>(what: &str, got: T, wanted: T) -> Outcome {
    if got == wanted { Ok(()) } else { Err(format!("{what}: got {got:.200?}, wanted {wanted:.200?}").into()) }
}

pub fn need(what: &str, holds: bool) -> Outcome {
    if holds { Ok(()) } else { Err(format!("{what} was expected").into()) }
}

/// Runs a topic and tells of it; gives how many failed.
pub async fn run(driver: &str, topic: &str, test: impl Future<Output = Outcome>) -> u32 {
    let outcome = test.await;
    if let Err(error) = &outcome {
        println!("{error}");
    }
    let result = if outcome.is_ok() { "ok" } else { "FAILED" };
    println!("test {driver}::{topic} ... {result}");
    u32::from(outcome.is_err())
}
