//! Where tasks run.
//!
//! In production the driver and its links share one thread, since almost every message of a peer becomes a round, and
//! almost every round messages; handing them to another thread cost more than the work. The applier has a thread of its
//! own, and so has each client, as in MySQL: a long statement keeps nobody else waiting, however many there are. Under
//! madsim everything is a task of the simulated node.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
#[cfg(not(madsim))]
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

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

/// Runs `task` on a thread of its own (madsim: as a task), which may use sockets. The thread ends with the task.
///
/// # Errors
/// The operating system gave no thread, or not the few descriptors that a runtime needs.
pub fn dedicated(name: &str, task: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    #[cfg(not(madsim))]
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let running = Running::new();
        let run = move || {
            // Until the task is dropped, and the runtime with all that it started: they have files open.
            let _running = running;
            let runtime = runtime;
            runtime.block_on(task);
        };
        std::thread::Builder::new().name(name.to_string()).spawn(run)?;
    }
    #[cfg(madsim)]
    {
        let _ = name;
        tokio::spawn(task);
    }
    Ok(())
}

/// Waits until all threads that [`dedicated`] started in this process have ended, and closed their files; whether they
/// have within `patience`.
#[cfg(not(madsim))]
pub fn dedicated_ended(patience: std::time::Duration) -> bool {
    let waited = DEDICATED.1.wait_timeout_while(running(), patience, |running| *running > 0);
    !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
}

/// How many run, and who waits for one to end.
#[cfg(not(madsim))]
static DEDICATED: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

#[cfg(not(madsim))]
fn running() -> MutexGuard<'static, usize> {
    DEDICATED.0.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts for as long as it lives.
#[cfg(not(madsim))]
struct Running;

#[cfg(not(madsim))]
impl Running {
    fn new() -> Running {
        *running() += 1;
        Running
    }
}

#[cfg(not(madsim))]
impl Drop for Running {
    fn drop(&mut self) {
        *running() -= 1;
        DEDICATED.1.notify_all();
    }
}

/// A socket that can leave the runtime it was accepted in for that of another thread.
pub trait Moves: Sized + Send + 'static {
    /// The socket between two runtimes.
    type Parted: Send + 'static;

    /// Leaves its runtime.
    ///
    /// # Errors
    /// Those of the operating system.
    fn part(self) -> io::Result<Self::Parted>;

    /// Joins the runtime this is called in.
    ///
    /// # Errors
    /// Those of the operating system.
    fn join(parted: Self::Parted) -> io::Result<Self>;
}

#[cfg(not(madsim))]
impl Moves for tokio::net::TcpStream {
    type Parted = std::net::TcpStream;

    fn part(self) -> io::Result<Self::Parted> {
        self.into_std()
    }

    fn join(parted: Self::Parted) -> io::Result<Self> {
        tokio::net::TcpStream::from_std(parted)
    }
}

#[cfg(not(madsim))]
impl Moves for tokio::net::UnixStream {
    type Parted = std::os::unix::net::UnixStream;

    fn part(self) -> io::Result<Self::Parted> {
        self.into_std()
    }

    fn join(parted: Self::Parted) -> io::Result<Self> {
        tokio::net::UnixStream::from_std(parted)
    }
}

#[cfg(madsim)]
impl Moves for tokio::net::TcpStream {
    type Parted = Self;

    fn part(self) -> io::Result<Self> {
        Ok(self)
    }

    fn join(parted: Self) -> io::Result<Self> {
        Ok(parted)
    }
}

/// A thread with a runtime of its own that waits for a connection to serve (madsim: nothing; the connection becomes a
/// task). A statement runs on its thread to the end, and the operating system sees to it that the others have their turn.
pub struct Seat {
    #[cfg(not(madsim))]
    job: std::sync::mpsc::SyncSender<Job>,
}

/// Makes the task within the runtime it is to run in.
#[cfg(not(madsim))]
type Job = Box<dyn FnOnce() -> io::Result<Task> + Send>;

impl Seat {
    /// # Errors
    /// The operating system gives no thread, or not the few descriptors that a runtime needs.
    pub fn take() -> io::Result<Seat> {
        #[cfg(not(madsim))]
        {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let (job, jobs) = std::sync::mpsc::sync_channel::<Job>(1);
            let serve = move || {
                // A seat that was left without a connection has nothing to do.
                let Ok(job) = jobs.recv() else { return };
                runtime.block_on(async {
                    match job() {
                        Ok(task) => task.await,
                        Err(error) => tracing::warn!(%error, "a client's socket was lost"),
                    }
                });
            };
            std::thread::Builder::new().name("client".to_string()).spawn(serve)?;
            Ok(Seat { job })
        }
        #[cfg(madsim)]
        Ok(Seat {})
    }

    /// Serves a connection; the thread ends with it.
    ///
    /// # Errors
    /// The socket could not be handed over; it is closed.
    pub fn serve<S: Moves>(self, stream: S, serve: impl FnOnce(S) -> Task + Send + 'static) -> io::Result<()> {
        let parted = stream.part()?;
        #[cfg(not(madsim))]
        {
            let job: Job = Box::new(move || S::join(parted).map(serve));
            // It waits for exactly this.
            self.job.send(job).map_err(|_| io::ErrorKind::BrokenPipe.into())
        }
        #[cfg(madsim)]
        {
            drop(tokio::spawn(serve(S::join(parted)?)));
            Ok(())
        }
    }
}
