//! Time as sessions see it: given by the shell, so that a simulator can own it.

use crate::types::{Now, Span};
use std::future::Future;
use std::pin::Pin;

/// The shell's clock and its one kind of waiting.
pub trait Clock: Send + Sync {
    /// Both clocks, now.
    fn now(&self) -> Now;

    /// Ends after `span`. Used between the attempts of a statement that met a conflict.
    fn sleep(&self, span: Span) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}
