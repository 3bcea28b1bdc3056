//! The engine's side of processes: a handle whose calls never block, and the thread behind it.
//! Never: choosing what runs, or what an end means for the task.

mod attempt;
mod driver;
mod held;
mod launch;
mod limits;
mod meter;
mod mourning;
mod news;
mod pool;
mod preparing;
mod spool;
mod watch;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use windlass_core::effect::Assignment;
use windlass_core::failure::Failure;
use windlass_core::id::{AttemptKey, Digest, Fence};
use windlass_core::time::Span;

use crate::os::{Host, Os as _};
use crate::planted;
use crate::report::{WorkerError, WorkerReport};
use crate::settings::Settings;
use driver::Driver;
use launch::Ready;

/// Where the driver finds the large values that prompts name.
pub trait Blobs: Send + Sync {
    /// Opens a blob for reading. One that is not what its digest names gives an error, at the latest at its end.
    fn open(&self, digest: &Digest) -> io::Result<Box<dyn Read>>;
}

/// What an attempt needs besides its assignment.
#[derive(Clone)]
pub struct Surroundings {
    /// The variables of the run's surroundings, as [`crate::environment::cut`] gave them.
    pub env_base: Arc<BTreeMap<String, String>>,
    /// The blobs that its prompt names.
    pub blobs: Arc<dyn Blobs>,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").field("env_base", &self.env_base.len()).finish_non_exhaustive()
    }
}

/// Starts, watches and ends attempts. Dropped, it ends all of them.
#[derive(Debug)]
pub struct Supervisor {
    orders: Arc<Orders>,
    thread: Option<JoinHandle<()>>,
}

/// What the engine asks of the driver.
#[derive(Debug)]
enum Order {
    Spawn(Box<Assignment>, Surroundings),
    /// From the thread that prepares: what it made ready, or why it could not.
    Start(Box<Assignment>, Result<Ready, Failure>),
    Stop {
        fence: Fence,
        grace: Span,
    },
    SpareLogs(bool),
    /// An attempt waits for a run that it started, or no more.
    Waits(Fence, bool),
    /// The thread that prepares has met a bug: what it was to make ready never comes.
    PreparerPanicked,
    ShutDown,
}

#[derive(Debug)]
struct Orders {
    queue: Mutex<Vec<Order>>,
    bell: OwnedFd,
    live: Mutex<BTreeMap<Fence, AttemptKey>>,
}

impl Orders {
    fn give(&self, order: Order) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // One ring is enough for all that is taken at once.
        let silent = queue.is_empty();
        queue.push(order);
        drop(queue);
        if silent {
            Host::ring(&self.bell);
        }
    }

    fn take(&self) -> Vec<Order> {
        std::mem::take(&mut self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn live(&self) -> std::sync::MutexGuard<'_, BTreeMap<Fence, AttemptKey>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Supervisor {
    /// Starts the keeper and the thread. Reports are given to `sink` on that thread, so it must not wait for anything. Where
    /// a bug ends the thread, `sink` is dropped while it panics, and nothing is reported any more.
    pub fn start(
        settings: Settings,
        sink: impl FnMut(WorkerReport) + Send + 'static,
    ) -> Result<Self, WorkerError> {
        let system = |what| move |source| WorkerError::System { what, source };
        let orders = Arc::new(Orders {
            queue: Mutex::default(),
            bell: Host::bell().map_err(system("make a bell"))?,
            live: Mutex::default(),
        });
        let driver = Driver::new(settings, Box::new(sink), Arc::clone(&orders))?;
        let thread = std::thread::Builder::new()
            .name("windlass-worker".to_owned())
            .spawn(planted::carried(move || driver.run()))
            .map_err(system("start a thread"))?;
        Ok(Self { orders, thread: Some(thread) })
    }

    /// Starts an attempt. Whatever comes of it, a failure to start too, comes as a report.
    pub fn spawn(&self, assignment: Assignment, surroundings: Surroundings) {
        self.orders.live().insert(assignment.fence, assignment.key.clone());
        self.orders.give(Order::Spawn(Box::new(assignment), surroundings));
    }

    /// Ends an attempt: politely, and after `grace` by force, until nothing of it is left. One that has ended already
    /// is not stopped again: its report is on its way.
    pub fn stop(&self, fence: Fence, grace: Span) {
        self.orders.give(Order::Stop { fence, grace });
    }

    /// The disk of the home has little room left, and no log grows from here on; or it has room again.
    pub fn spare_logs(&self, sparing: bool) {
        self.orders.give(Order::SpareLogs(sparing));
    }

    /// An attempt waits for a run that it started, so that its silence is none; or no more, and its silence begins anew.
    pub fn waits(&self, fence: Fence, waits: bool) {
        self.orders.give(Order::Waits(fence, waits));
    }

    /// The attempts of which no end was reported yet.
    pub fn live(&self) -> Vec<(AttemptKey, Fence)> {
        self.orders.live().iter().map(|(fence, key)| (key.clone(), *fence)).collect()
    }

    /// Ends the keeper and with it all that still runs, and waits until nothing of it is left.
    pub fn shutdown(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.orders.give(Order::ShutDown);
            // A panic of the driver was printed where it happened, and dropped the sink: whoever gave it can tell by that.
            drop(thread.join());
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.end();
    }
}
