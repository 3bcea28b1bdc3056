//! Attempts whose prompts take long to copy are made ready on a thread of their own. Never: anything that the driver
//! can do without waiting for a disk.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};

use windlass_core::effect::Assignment;
use windlass_core::failure::Failure;
use windlass_core::id::{AttemptKey, Fence};

use super::attempt::not_handed_over;
use super::driver::Driver;
use super::launch::{self, Ready};
use super::{Order, Orders, Surroundings};
use crate::planted::{self, Bug, is_planted};
use crate::settings::Settings;

/// An attempt to be made ready.
type Job = (Box<Assignment>, Surroundings);

/// The attempts that the thread has, and how it is given more.
#[derive(Debug, Default)]
pub(super) struct Preparing {
    attempts: BTreeMap<Fence, AttemptKey>,
    jobs: Option<Sender<Job>>,
}

impl Preparing {
    /// An attempt that is not wanted any more: what is made ready for it is dropped.
    pub(super) fn forget(&mut self, fence: Fence) -> Option<AttemptKey> {
        self.attempts.remove(&fence)
    }
}

impl Driver {
    /// Has an attempt made ready by the other thread.
    pub(super) fn prepare_elsewhere(&mut self, assignment: Box<Assignment>, surroundings: Surroundings) {
        let jobs = match self.preparing.jobs.take() {
            Some(jobs) => Ok(jobs),
            None => start(&self.settings, &self.null, &self.orders),
        };
        match jobs {
            Ok(jobs) => {
                self.preparing.attempts.insert(assignment.fence, assignment.key.clone());
                // The thread ends only with its queue, whose other end is held here.
                jobs.send((assignment, surroundings)).unwrap_or_default();
                self.preparing.jobs = Some(jobs);
            }
            Err(error) => self.start(&assignment, Err(not_handed_over(&error))),
        }
    }

    /// The other thread is done with an attempt, which may have been stopped meanwhile.
    pub(super) fn prepared(&mut self, assignment: &Assignment, ready: Result<Ready, Failure>) {
        if self.preparing.forget(assignment.fence).is_some() {
            self.start(assignment, ready);
        }
    }
}

/// What the thread works with.
struct Preparer {
    settings: Settings,
    null: Arc<OwnedFd>,
    /// Where what is ready goes. The thread is no reason for it to live on.
    orders: Weak<Orders>,
}

/// Starts the thread. It ends with the supervisor, after what it is about.
fn start(settings: &Settings, null: &Arc<OwnedFd>, orders: &Arc<Orders>) -> io::Result<Sender<Job>> {
    let preparer =
        Preparer { settings: settings.clone(), null: Arc::clone(null), orders: Arc::downgrade(orders) };
    let (jobs, queue) = channel();
    std::thread::Builder::new()
        .name("windlass-prompts".to_owned())
        .spawn(planted::carried(move || preparer.run(&queue)))?;
    Ok(jobs)
}

impl Drop for Preparer {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(orders) = self.orders.upgrade()
        {
            orders.give(Order::PreparerPanicked);
        }
    }
}

impl Preparer {
    fn run(&self, queue: &Receiver<Job>) {
        while let Ok((assignment, surroundings)) = queue.recv() {
            // Nobody waits for the rest of the queue where the supervisor has ended.
            if self.orders.strong_count() == 0 {
                return;
            }
            assert!(!is_planted(Bug::PreparerPanics), "a bug that is planted");
            let ready = launch::prepare(&self.settings, &assignment, &surroundings, &self.null);
            let Some(orders) = self.orders.upgrade() else { return };
            orders.give(Order::Start(assignment, ready));
        }
    }
}
