//! The thread behind a supervisor: it waits for orders, news of keeper and monitors, output, and time.
//! Never: blocking on any one of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use windlass_core::effect::Assignment;
use windlass_core::failure::{ErrorKind, Failure};
use windlass_core::id::Fence;
use windlass_core::input::LostAttempt;
use windlass_core::time::Span;

use super::attempt::{Attempt, not_handed_over, not_started};
use super::launch::{self, Ready};
use super::mourning::Mourning;
use super::pool::Pool;
use super::preparing::Preparing;
use super::{Order, Orders, Surroundings};
use crate::clock::{self, Moment};
use crate::keeper::was_to_be_keeper;
use crate::os::cgroup::Emptying;
use crate::os::{Host, Os as _, Pid, Signal};
use crate::planted::{Bug, is_planted};
use crate::private;
use crate::report::{AttemptEnded, WorkerError, WorkerReport};
use crate::settings::Settings;

/// What the poller names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaited {
    Bell,
    Keeper,
    Monitor(u32),
    /// A stream of an attempt: 0 is output, 1 is error.
    Stream(Fence, usize),
}

impl Awaited {
    /// The number by which the poller knows it.
    pub(super) fn token(self) -> u64 {
        match self {
            Self::Bell => 0,
            Self::Keeper => 1,
            Self::Monitor(id) => u64::from(id) << 2 | 2,
            Self::Stream(fence, side) => fence.0 << 3 | (side as u64) << 2 | 3,
        }
    }

    fn of_token(token: u64) -> Self {
        match token & 3 {
            0 => Self::Bell,
            1 => Self::Keeper,
            2 => Self::Monitor(u32::try_from(token >> 2).unwrap_or(0)),
            _ => Self::Stream(Fence(token >> 3), usize::from(token & 4 != 0)),
        }
    }
}

/// How much is read from a stream before others get their turn.
const READ_BYTES: usize = 64 * 1024;
/// How long a keeper may take at the orderly end before it is ended itself, and as long again what it leaves.
const KEEPER_WITHIN: Duration = Duration::from_secs(5);
type Sink = Box<dyn FnMut(WorkerReport) + Send>;

pub(super) struct Driver {
    pub(super) settings: Settings,
    sink: Sink,
    pub(super) orders: Arc<Orders>,
    pub(super) poller: OwnedFd,
    pub(super) null: Arc<OwnedFd>,
    pub(super) pool: Option<Pool>,
    pub(super) mourning: Option<Mourning>,
    pub(super) attempts: BTreeMap<Fence, Attempt>,
    pub(super) preparing: Preparing,
    /// Ready, and without a monitor yet: the order and its descriptors.
    waiting: VecDeque<(Fence, Vec<u8>, Vec<Arc<OwnedFd>>)>,
    /// Attempts whose monitor is gone and whose processes the keeper is ending.
    pub(super) orphaned: Vec<(Pid, Fence)>,
    /// Attempts that a keeper's death ended, until all that it left is gone, with what outlived each.
    pub(super) mourned: Vec<(Attempt, u32)>,
    /// Attempts that are over but for their control groups, in which something is still ending.
    pub(super) emptying: Vec<(Emptying, AttemptEnded)>,
    /// When it is looked again whether they are empty.
    pub(super) emptying_step: Option<Duration>,
    /// How many processes the kernel had ended for want of memory, at the last two measurements.
    pub(super) memory_kills: [u64; 2],
    pub(super) mourning_step: Option<Duration>,
    /// When each attempt will have run too long.
    pub(super) deadlines: BTreeSet<(Moment, Fence)>,
    pub(super) next_tick: Option<Moment>,
    /// When each attempt that was told to end will be looked at, if it has not.
    pub(super) ends_by: BTreeMap<Fence, Moment>,
    pub(super) last_ask: Moment,
    /// The disk of the home has little room left: logs don't grow.
    sparing_logs: bool,
    pub(super) buffer: Vec<u8>,
}

/// What this program is called, for messages.
fn own_program() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| "windlass".into())
}

impl Driver {
    pub(super) fn new(settings: Settings, sink: Sink, orders: Arc<Orders>) -> Result<Self, WorkerError> {
        if was_to_be_keeper() {
            return Err(WorkerError::NoKeeper);
        }
        // What lies in the spool belongs to attempts of an engine that is gone, and so are they.
        drop(fs::remove_dir_all(settings.spool()));
        for folder in [settings.spool(), settings.home.join("logs")] {
            let made = private::make_folder(&folder);
            made.map_err(|source| WorkerError::Folder { path: folder, source })?;
        }
        let system = |what| move |source| WorkerError::System { what, source };
        let poller = Host::poller().map_err(system("make a poller"))?;
        Host::watch(&poller, orders.bell.as_fd(), Awaited::Bell.token()).map_err(system("watch the bell"))?;
        let null: OwnedFd = fs::File::open("/dev/null").map_err(system("open /dev/null"))?.into();
        let pool = Pool::start(&settings, &poller).map_err(|source| WorkerError::Keeper {
            program: settings.program.clone().unwrap_or_else(own_program),
            source,
        })?;
        Ok(Self {
            settings,
            sink,
            orders,
            poller,
            null: Arc::new(null),
            pool: Some(pool),
            mourning: None,
            attempts: BTreeMap::new(),
            preparing: Preparing::default(),
            waiting: VecDeque::new(),
            orphaned: Vec::new(),
            mourned: Vec::new(),
            emptying: Vec::new(),
            emptying_step: None,
            memory_kills: [Host::memory_kills(); 2],
            mourning_step: None,
            deadlines: BTreeSet::new(),
            next_tick: None,
            ends_by: BTreeMap::new(),
            last_ask: clock::monotonic(),
            sparing_logs: false,
            buffer: vec![0; READ_BYTES],
        })
    }

    pub(super) fn run(mut self) {
        let mut tokens = Vec::with_capacity(64);
        loop {
            for order in self.orders.take() {
                match order {
                    Order::Spawn(assignment, surroundings) => self.spawn(assignment, surroundings),
                    Order::Start(assignment, ready) => self.prepared(&assignment, ready),
                    Order::Stop { fence, grace } => self.stop(fence, grace),
                    Order::SpareLogs(sparing) => self.spare_logs(sparing),
                    Order::Waits(fence, waits) => self.waits(fence, waits),
                    Order::PreparerPanicked => panic!("the thread that prepares attempts has panicked"),
                    Order::ShutDown => return self.shut_down(),
                }
            }
            self.hand_out();
            let at_most = self.due();
            Host::ready(&self.poller, &mut tokens, at_most).expect("a poller of ours can be waited for");
            for token in &tokens {
                match Awaited::of_token(*token) {
                    Awaited::Bell => Host::silence(&self.orders.bell),
                    Awaited::Keeper => self.hear_keeper(),
                    Awaited::Monitor(id) => {
                        self.hear_monitor(id);
                    }
                    Awaited::Stream(fence, side) => {
                        if let Some(attempt) = self.attempts.get_mut(&fence) {
                            attempt.read(side, &mut self.buffer);
                        }
                    }
                }
            }
            self.mourn();
            self.look_at_groups();
            self.look_at_limits();
        }
    }

    fn spawn(&mut self, assignment: Box<Assignment>, surroundings: Surroundings) {
        assert!(!is_planted(Bug::DriverPanics), "a bug that is planted");
        if launch::takes_long(&assignment.program) {
            return self.prepare_elsewhere(assignment, surroundings);
        }
        let ready = launch::prepare(&self.settings, &assignment, &surroundings, &self.null);
        self.start(&assignment, ready);
    }

    pub(super) fn start(&mut self, assignment: &Assignment, ready: Result<Ready, Failure>) {
        match ready {
            Ok(ready) => {
                let (mut attempt, message, descriptors) = Attempt::new(&self.settings, assignment, ready);
                attempt.spare_log(self.sparing_logs);
                let watched = attempt.watch_streams(&self.poller);
                // While it waits for a monitor, too: the keeper is looked at then.
                self.tick_by(clock::monotonic() + attempt.watch.tick());
                self.attempts.insert(assignment.fence, attempt);
                match watched {
                    Ok(()) => self.waiting.push_back((assignment.fence, message, descriptors)),
                    Err(error) => self.fail(assignment.fence, not_handed_over(&error)),
                }
            }
            Err(failure) => self.ended(not_started(assignment.key.clone(), assignment.fence, failure)),
        }
    }

    /// Gives what waits to monitors that are idle, and asks for those that are missing.
    pub(super) fn hand_out(&mut self) {
        if self.waiting.is_empty() || self.mourning.is_some() {
            return;
        }
        if self.pool.is_none() {
            match Pool::start(&self.settings, &self.poller) {
                Ok(pool) => self.pool = Some(pool),
                Err(error) => return self.fail_waiting(&error),
            }
        }
        while let Some(pool) = self.pool.as_mut().filter(|pool| pool.has_idle()) {
            let Some((fence, message, descriptors)) = self.waiting.pop_front() else { return };
            let borrowed: Vec<BorrowedFd<'_>> = descriptors.iter().map(|one| one.as_fd()).collect();
            match pool.give(fence, &message, &borrowed) {
                Ok(true) => self.watch_limits(fence),
                Ok(false) => self.waiting.push_front((fence, message, descriptors)),
                Err(error) => self.fail(fence, not_handed_over(&error)),
            }
        }
        if let Some(pool) = &mut self.pool {
            pool.ask_for_missing(self.waiting.len());
        }
    }

    /// Takes an attempt out of the books.
    pub(super) fn take(&mut self, fence: Fence) -> Option<Attempt> {
        let attempt = self.attempts.remove(&fence)?;
        if let Some(deadline) = attempt.watch.deadline() {
            self.deadlines.remove(&(deadline, fence));
        }
        self.ends_by.remove(&fence);
        Some(attempt)
    }

    /// No attempt that waits will get a monitor.
    pub(super) fn fail_waiting(&mut self, error: &io::Error) {
        while !self.waiting.is_empty() {
            self.fail_first(error);
        }
    }

    pub(super) fn fail_first(&mut self, error: &io::Error) {
        if let Some((fence, ..)) = self.waiting.pop_front() {
            self.fail(fence, not_handed_over(error));
        }
    }

    /// An attempt could not be started after all.
    pub(super) fn fail(&mut self, fence: Fence, failure: Failure) {
        if let Some(attempt) = self.take(fence) {
            let LostAttempt { key, fence, .. } = attempt.lost(0, &mut self.buffer);
            self.ended(not_started(key, fence, failure));
        }
    }

    fn stop(&mut self, fence: Fence, grace: Span) {
        let never_began = || Failure::new(ErrorKind::Cancelled, "it was stopped before it began");
        if let Some(key) = self.preparing.forget(fence) {
            return self.ended(not_started(key, fence, never_began()));
        }
        if let Some(place) = self.waiting.iter().position(|(waiting, ..)| *waiting == fence) {
            self.waiting.remove(place);
            return self.fail(fence, never_began());
        }
        let grace = clock::duration(grace);
        if let Some(attempt) = self.attempts.get_mut(&fence) {
            attempt.stopped = true;
            self.expect_end(fence, grace);
        }
        let pools = self.pool.iter_mut().chain(self.mourning.as_mut().map(|mourning| &mut mourning.pool));
        for monitor in pools.filter_map(|pool| pool.of(fence)) {
            monitor.stop(grace);
        }
    }

    fn spare_logs(&mut self, sparing: bool) {
        self.sparing_logs = sparing;
        self.attempts.values_mut().for_each(|attempt| attempt.spare_log(sparing));
    }

    fn waits(&mut self, fence: Fence, waits: bool) {
        if let Some(attempt) = self.attempts.get_mut(&fence) {
            attempt.watch.waits(waits, clock::monotonic());
        }
    }

    pub(super) fn ended(&mut self, report: AttemptEnded) {
        self.report(WorkerReport::Ended(Box::new(report)));
    }

    /// Tells of the attempts whose control groups are empty by now.
    fn look_at_groups(&mut self) {
        self.emptying_step = None;
        for (mut group, mut report) in std::mem::take(&mut self.emptying) {
            if let Some(next_step) = group.step() {
                self.emptying_step = Some(next_step);
                self.emptying.push((group, report));
            } else {
                report.leftovers = report.leftovers.saturating_add(group.strangers());
                self.ended(report);
            }
        }
    }

    /// Gives a report to the engine; after it the attempts that it ends are live no more.
    pub(super) fn report(&mut self, report: WorkerReport) {
        let over: Vec<Fence> = match &report {
            WorkerReport::Ended(ended) => vec![ended.fence],
            WorkerReport::Lost { attempts, .. } => attempts.iter().map(|one| one.fence).collect(),
            WorkerReport::Overdue { .. } => Vec::new(),
        };
        // First the report: an attempt that is in neither counts as lost.
        (self.sink)(report);
        let mut live = self.orders.live();
        for fence in over {
            live.remove(&fence);
        }
    }

    fn shut_down(mut self) {
        if let Some(mut pool) = self.pool.take() {
            // Monitors listen to their own links, the keeper to its: all of them close.
            pool.monitors.clear();
            if !pool.keeper.end_within(KEEPER_WITHIN) {
                pool.keeper.signal(Signal::KILL);
                self.mourning = Some(Mourning::new(pool, &self.settings));
            } else if let Some(cgroups) = pool.cgroups {
                cgroups.end();
            }
        }
        if let Some(mourning) = self.mourning {
            mourning.end_within(KEEPER_WITHIN);
        }
    }
}
