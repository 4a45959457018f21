//! Marmot: a leaderless, distributed SQL database on plain SQLite files that speaks the MySQL protocol.
//!
//! # The life of a write
//!
//! `UPDATE account SET balance = 5 WHERE id = 7`, sent to any node:
//!
//! 1. **Bytes.** `shell::client` reads a packet; [`mysql`] decodes it and calls the session's [`mysql::Handler`].
//! 2. **Meaning.** `session` looks the statement up in the plan cache; a shape seen before is not parsed again.
//!    Otherwise [`sql`] parses and translates it: [`sql::Plan`] holds the SQLite text and where each parameter comes from.
//! 3. **Speculation.** The statement runs on `sqlite::Workspace`, a private overlay above a pinned snapshot of this node's
//!    files. Nothing is locked, nothing reaches a file. The preupdate hook captures the net change of every row, with
//!    its images before and after: a [`types::WriteSet`]. A transaction left open does no more than this.
//! 4. **Commit request.** The session sends [`core::Request::Commit`] with the write set and the snapshot it was made on
//!    through `session::CoreHandle` to the one task that owns the core, `shell::driver`.
//! 5. **Judgement at home.** `core/txn/coordinator` compares each key with what was written here since the snapshot, and
//!    parks the request behind an undecided transaction that holds one. Neither costs a message.
//! 6. **Prepare.** The transaction gets its position `(node, sequence)`. Every voting member judges it in
//!    `core/txn/participant`, records the write set and the intents, and answers with its clock. The round's commit is
//!    one disk sync for everything in it (`sqlite::Store`); nothing that rests on it leaves the node before.
//! 7. **Decision.** With a quorum, Commit is proposed at ballot zero, stamped above every clock heard. A quorum of
//!    acceptances (`core/txn/recover` is the acceptor) *is* the commit. If this node dies anywhere on the way, any holder
//!    of the intents finishes the transaction with a higher ballot.
//! 8. **Order.** `core/txn/decide` gives the commit its place in this node's apply order, once all it depends on has one;
//!    `core/merge` moves the versions of its keys, and the intents are free.
//! 9. **Rows.** The effect [`core::Effect::Apply`] reaches `shell::applier`, and `sqlite::Applier` brings the rows into the
//!    database file, many transactions to one SQLite transaction.
//! 10. **Answer.** When that is visible here, the core answers the client, and its next read sees its own write.
//! 11. **Elsewhere.** The others hear `Decided` and do 8 and 9. Whoever missed it notices in the next progress report and
//!     pulls it (`core/replicate/sync`). What every voter has applied sinks below the stable watermark
//!     (`core/replicate/progress`), and its versions are forgotten.
//!
//! A `ONE` write skips 6 and 7: it is recorded here, answered, and pushed to the others; `core/merge` makes the result the
//! same everywhere, in whatever order writes arrive. A single-node cluster does 6 to 8 within one step: one disk sync.
//!
//! A schema change takes its lock as an intent first ([`core::Request::LockSchema`]), waits until everything committed under
//! the old schema is applied here, is tried out to find out whether it works (on the workspace; in an empty database if it makes or
//! drops whole tables), and then goes through 6 to 11. It says what becomes of the tables that it concerns; all others stay as they are.
//!
//! # The life of a read
//!
//! 1. As above, to the plan.
//! 2. Outside a transaction `sqlite::Reader` runs it on this node's files: no network, no lock, not even the core.
//! 3. At read level QUORUM or ALL, a [`core::Request::Barrier`] goes first: a majority (or all) of the voters says what it
//!    holds and has in flight, and the read waits until that is applied here.
//! 4. Inside a transaction it runs on the workspace: one snapshot, and the transaction's own changes.
//!
//! # Layers
//!
//! | layer | knows | does not know |
//! |---|---|---|
//! | [`types`] | nouns | anything else of Marmot |
//! | [`core`] | everything a node decides | IO, clocks, threads, SQL |
//! | [`mysql`] | the wire protocol, as bytes in and out | sockets, SQL |
//! | [`sql`] | MySQL's language, the catalog | SQLite's library, the cluster |
//! | `sqlite` | files, overlays, capture, the applier | the network, sessions |
//! | `session` | one client | sockets |
//! | `shell` | tokio, sockets, clocks | SQL |
//! | `extension` | another program's SQLite | the rest but `sql` |
//!
//! Each imports only those above it; `tests/tidy.rs` checks that. `config` and `daemon` stand beside `shell`. The feature `shell`
//! switches on everything that does IO; without it the library is the pure part, which the simulator's pure loop runs.

#[cfg(all(feature = "shell", feature = "extension"))]
compile_error!(
    "the features `shell` and `extension` want SQLite in two ways; give --no-default-features with `extension`"
);

#[cfg(feature = "shell")]
pub mod config;
pub mod core;
#[cfg(feature = "shell")]
pub mod daemon;
#[cfg(feature = "extension")]
pub mod extension;
pub mod mysql;
#[cfg(feature = "shell")]
pub mod session;
#[cfg(feature = "shell")]
pub mod shell;
pub mod sql;
#[cfg(feature = "shell")]
pub mod sqlite;
pub mod types;
