//! Where tasks run.
//!
//! In production the driver and its links share one thread, since almost every message of a peer becomes a round, and
//! almost every round messages; handing them to another thread cost more than the work. The applier has a thread of its
//! own and clients have a runtime, so that no long query makes the node look dead. Under madsim everything is a task of
//! the simulated node.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A task without result.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Starts a task on some runtime.
pub type Spawn = Arc<dyn Fn(Task) + Send + Sync>;

/// Starts tasks on the runtime this is called in.
pub fn here() -> Spawn {
    #[cfg(not(madsim))]
    {
        let handle = tokio::runtime::Handle::current();
        Arc::new(move |task| drop(handle.spawn(task)))
    }
    #[cfg(madsim)]
    Arc::new(|task| drop(tokio::spawn(task)))
}

/// Runs `task` on a thread of its own (madsim: as a task). The thread ends with the task.
///
/// # Errors
/// The operating system gave no thread or no timer.
pub fn dedicated(name: &str, task: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
    #[cfg(not(madsim))]
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        std::thread::Builder::new().name(name.to_string()).spawn(move || runtime.block_on(task))?;
    }
    #[cfg(madsim)]
    {
        let _ = name;
        tokio::spawn(task);
    }
    Ok(())
}
