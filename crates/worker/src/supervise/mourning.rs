//! The keeper has died: its monitors end what is theirs, and what falls to this process is ended and taken here.
//! Never: starting anything before all of that is gone.

use std::collections::HashSet;
use std::time::Duration;

use windlass_core::event::LossReason;
use windlass_core::id::{AttemptKey, Fence};

use crate::clock::{self, Moment};
use crate::ending::{Ending, GRACE_OF_LEFTOVERS, descent};
use crate::keeper::left_to_this_process;
use crate::os::{Host, Look, Os as _, Pid, Process, Signal};
use crate::report::WorkerReport;
use crate::settings::Settings;
use crate::sweep::Sweep;

use super::driver::Driver;
use super::pool::Pool;

/// How long monitors may take to end what is theirs before they are ended themselves.
const GRACE_OF_MONITORS: Duration = Duration::from_secs(2);
/// After how long what does not end is told of, and how often again.
const LONG: Duration = Duration::from_secs(10);
/// How often it is looked whether all is gone.
const LOOK: Duration = Duration::from_millis(10);

/// What has to be gone before another keeper starts.
#[derive(Debug)]
pub(super) struct Mourning {
    pub(super) pool: Pool,
    /// The monitors of that keeper, which come to this process too.
    monitors: HashSet<Pid>,
    seen: HashSet<Process>,
    until: Moment,
    ending: Option<Ending>,
    sweep: Sweep,
    /// When those who read logs are told what is still there.
    tell_at: Option<Moment>,
}

impl Driver {
    /// An attempt that a keeper's death ended is told of with the others, once everything that the keeper left is gone.
    pub(super) fn mourn_attempt(&mut self, fence: Fence, leftovers: u32) {
        if let Some(mut attempt) = self.take(fence) {
            attempt.close(&mut self.buffer);
            self.mourned.push((attempt, leftovers));
        }
    }

    /// Goes on with what a dead keeper left.
    pub(super) fn mourn(&mut self) {
        let Some(mourning) = &mut self.mourning else { return };
        self.mourning_step = mourning.step();
        if self.mourning_step.is_some() {
            return;
        }
        for (_, fence) in std::mem::take(&mut self.orphaned) {
            self.mourn_attempt(fence, 0);
        }
        self.mourning_step = self.sweep_after_keeper();
        if self.mourning_step.is_some() {
            return;
        }
        self.mourning_step =
            self.mourning.as_ref().and_then(|mourning| mourning.pool.cgroups.as_ref()?.end_step());
        if self.mourning_step.is_some() {
            return;
        }
        let Some(mourning) = self.mourning.take() else { return };
        let (swept, leftovers) = (mourning.sweep.ended(), mourning.leftovers());
        let mut attempts = Vec::new();
        for (attempt, left) in std::mem::take(&mut self.mourned) {
            let left = left + swept.get(&attempt.key).copied().unwrap_or(0);
            attempts.push(attempt.lost(left, &mut self.buffer));
        }
        // Whose of several the orphans were can't be told; they are counted once.
        if let Some(first) = attempts.first_mut() {
            first.leftovers += leftovers;
            self.report(WorkerReport::Lost { attempts, reason: LossReason::KeeperDied });
        }
    }

    /// What fell to nobody carries its mark: a step of the sweep for it, and the time until the next.
    fn sweep_after_keeper(&mut self) -> Option<Duration> {
        let mourning = self.mourning.as_mut()?;
        let mourned = &mut self.mourned;
        let is_live = |key: &AttemptKey| mourned.iter().all(|(attempt, _)| attempt.key != *key);
        let next_step = mourning.sweep.step(&is_live)?;
        let now = clock::monotonic();
        if now >= *mourning.tell_at.get_or_insert(now + LONG)
            && let Some((pid, Some(key))) = mourning.sweep.first_left()
        {
            mourning.tell_at = Some(now + LONG);
            let of_it = mourned.iter_mut().filter(|(attempt, _)| attempt.key == key);
            let text = format!("process {pid} does not end, and until it has, nothing else is started");
            of_it.for_each(|(attempt, _)| attempt.note(&text));
        }
        Some(next_step)
    }
}

impl Mourning {
    /// Begins when the keeper's link has closed. Idle monitors end with their links.
    pub(super) fn new(mut pool: Pool, settings: &Settings) -> Self {
        let monitors = pool.monitors.values().map(|monitor| monitor.process.pid).collect();
        pool.monitors.retain(|_, monitor| monitor.doing.is_some());
        let mourning = Self {
            pool,
            monitors,
            seen: HashSet::new(),
            until: clock::monotonic() + GRACE_OF_MONITORS,
            ending: None,
            sweep: Sweep::new(&settings.home, &settings.home_id),
            tell_at: None,
        };
        // One that is held would neither hear of the keeper's death nor end.
        mourning.pool.signal_monitors(Signal::CONT);
        mourning
    }

    /// Does what is due; none when nothing of the keeper's is left, else the time until the next step.
    pub(super) fn step(&mut self) -> Option<Duration> {
        if !self.pool.monitors.is_empty() {
            if clock::monotonic() >= self.until {
                self.pool.signal_monitors(Signal::KILL);
            }
            return Some(LOOK);
        }
        // Links close before the kernel hands the children of their holder on: only that it can be taken proves that.
        if !self.pool.keeper.is_over() {
            return Some(LOOK);
        }
        if !Host::is_subreaper() {
            return None;
        }
        let left = take_the_dead();
        if left.is_empty() {
            return None;
        }
        self.seen.extend(descent(left));
        let ending = self.ending.get_or_insert_with(|| Ending::new(GRACE_OF_LEFTOVERS));
        Some(ending.step(left_to_this_process).min(LOOK))
    }

    /// Goes on until nothing is left, for this long at most. What not even force ends falls to the next in line.
    pub(super) fn end_within(mut self, span: Duration) {
        // Where the engine ends no report is wanted: their links close.
        self.pool.monitors.clear();
        let until = clock::monotonic() + span;
        while let Some(next_step) = self.step().filter(|_| clock::monotonic() < until) {
            std::thread::sleep(next_step);
        }
        if let Some(cgroups) = self.pool.cgroups.take() {
            cgroups.end();
        }
    }

    /// The processes that had to be ended here.
    pub(super) fn leftovers(&self) -> u32 {
        let others = self.seen.iter().filter(|process| !self.monitors.contains(&process.pid));
        u32::try_from(others.count()).unwrap_or(u32::MAX)
    }
}

/// What came to this process and lives. Each one that was taken may have left more, so it is looked again.
fn take_the_dead() -> Vec<Look> {
    loop {
        let found = left_to_this_process();
        let alive: Vec<Look> =
            found.iter().copied().filter(|child| !Host::wait_for(child.process.pid)).collect();
        if alive.len() == found.len() {
            return alive;
        }
    }
}
