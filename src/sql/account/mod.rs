//! Accounts and what they may (manual, "Access Control and Account Management").
//!
//! ```text
//!   statement ── parse/account ──► AccountChange ── Accounts::apply ──► Accounts   (replicated as one definition)
//!   login     ── Accounts::of(user, host) ──► Account ── Rights ◄── Needs ── translate   (of every other statement)
//! ```
//!
//! [`Accounts`] is a value, like the catalog: a change makes a new one, which a session commits as a schema change of a
//! database that no statement can name ([`ACCOUNTS_DATABASE`]). So accounts are decided by a quorum, reach every node in order
//! with everything else, and come with every snapshot.
//!
//! What a statement needs is found when it is translated ([`Needs`]) and belongs to its plan; it is held against the account's
//! [`Rights`] each time the statement runs.
//!
//! Left out, and refused by name: roles, privileges on columns and single routines, dynamic privileges, resource limits,
//! password policies, X509.

mod accounts;
mod change;
mod host;
mod need;
mod privilege;
mod rights;
mod show;

pub use accounts::{ACCOUNTS_DATABASE, Account, Accounts};
pub use change::{
    AccountChange, AccountOptions, Author, GivenPrivileges, GrantLevel, Identified, Secret, UserReference,
    UserSpecification,
};
pub use host::is_loopback;
pub use need::{Need, Needs, Subject};
pub use privilege::{PRIVILEGE_COLUMNS, Privileges};
pub use rights::Rights;
