//! What an interpreter asks of whoever runs it.

use super::call::OnLargeStack;
use super::loaded::Loaded;
use crate::mysql::SqlError;
use crate::session::execute::Failure;
use crate::session::functions::SharedContext;
use crate::session::plans::Planned;
use crate::session::read::Bound;
use crate::session::retry::Retry;
use crate::session::session::Session;
use crate::session::state::State;
use crate::sql::{Called, Read};
use crate::types::Value;
use std::future::Future;
use std::sync::Arc;

/// A statement or expression of a program that is about to run.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    pub loaded: &'a Loaded,
    pub leaf: usize,
    pub planned: &'a Planned,
    /// The variables of the program.
    pub values: &'a [Value],
}

/// Where programs run.
pub trait Host: Send {
    /// The program that is called.
    ///
    /// # Errors
    /// 1305 if there is none, 1456 and 1436 if it may not be entered once more.
    fn enter(&mut self, called: &Called) -> Result<Arc<Loaded>, SqlError>;

    /// The program that was entered last ended.
    fn leave(&mut self);

    /// The plan of a leaf.
    fn plan(&mut self, loaded: &Loaded, leaf: usize) -> Result<Planned, SqlError>;

    /// The rows of a query, as they are stored.
    fn query(
        &mut self,
        step: Step<'_>,
        read: &Read,
        bound: Bound,
    ) -> impl Future<Output = Result<Vec<Vec<Value>>, Failure>> + Send;

    /// Any other statement.
    fn run<'a>(&'a mut self, step: Step<'a>) -> OnLargeStack<'a, Result<(), SqlError>>;

    fn state(&mut self) -> &mut State;

    fn context(&self) -> &SharedContext;

    /// Brings the warnings of functions that ran into the diagnostics.
    fn take_warnings(&mut self);

    /// Lets others run.
    ///
    /// # Errors
    /// Why the program is to stop, if it is.
    fn breathe(&mut self) -> impl Future<Output = Result<(), SqlError>> + Send;

    /// The schema changed under a plan: returns when it is to be made again.
    ///
    /// # Errors
    /// 1205 if that was so for too long; why the program is to stop, if it is.
    fn schema_moved(&mut self, retry: &mut Option<Retry>) -> impl Future<Output = Result<(), SqlError>> + Send;
}

/// A session as the host: all but what becomes of a statement.
pub trait OfSession: Send {
    fn session(&self) -> &Session;

    fn session_mut(&mut self) -> &mut Session;

    /// Runs a statement.
    fn run_step<'a>(&'a mut self, step: Step<'a>) -> OnLargeStack<'a, Result<(), SqlError>>;
}

impl<T: OfSession> Host for T {
    fn enter(&mut self, called: &Called) -> Result<Arc<Loaded>, SqlError> {
        self.session_mut().enter_program(called)
    }

    fn leave(&mut self) {
        self.session_mut().leave_program();
    }

    fn plan(&mut self, loaded: &Loaded, leaf: usize) -> Result<Planned, SqlError> {
        self.session_mut().plan_leaf(loaded, leaf)
    }

    async fn query(&mut self, step: Step<'_>, read: &Read, bound: Bound) -> Result<Vec<Vec<Value>>, Failure> {
        self.session_mut().query_of_program(step, read, bound).await
    }

    fn run<'a>(&'a mut self, step: Step<'a>) -> OnLargeStack<'a, Result<(), SqlError>> {
        self.run_step(step)
    }

    fn state(&mut self) -> &mut State {
        &mut self.session_mut().state
    }

    fn context(&self) -> &SharedContext {
        &self.session().context
    }

    fn take_warnings(&mut self) {
        self.session_mut().take_warnings();
    }

    async fn breathe(&mut self) -> Result<(), SqlError> {
        tokio::task::yield_now().await;
        self.session_mut().stopped().map_or(Ok(()), Err)
    }

    async fn schema_moved(&mut self, retry: &mut Option<Retry>) -> Result<(), SqlError> {
        self.session_mut().schema_moved(retry).await
    }
}
