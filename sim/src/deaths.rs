//! How engines, keepers and machines die, and what becomes of the attempts that they leave: processes outlive who started
//! them, until the keeper has ended them or somebody has swept them away. Never: what the next engine makes of it.

use windlass_core::decide::Stamp;
use windlass_core::event::{LossReason, Role};
use windlass_core::id::Fence;
use windlass_core::input::{Input, LostAttempt, Report};
use windlass_core::time::Span;
use windlass_engine::turn::{Letter, turn};

use crate::broken::{Verdict, demand};
use crate::hands::Hands;
use crate::invariants::{blobs, head};
use crate::queue::Item;
use crate::world::World;

/// How long a keeper whose engine is gone waits from the polite stop to the hard one.
const GRACE: Span = Span::from_ms(500);

impl World {
    /// Somebody starts an engine. It waits until the keeper of the one before has ended all that it started.
    pub(crate) fn start(&mut self) -> Verdict {
        match self.keeper_is_done_at() {
            Some(at) => {
                self.queue.send(at, Item::Restart);
                Ok(())
            }
            None => self.open(Role::Engine),
        }
    }

    /// When the keeper of an engine that died will have ended the last attempt; none where it has.
    pub(crate) fn keeper_is_done_at(&self) -> Option<u64> {
        let ends = self.processes.values().map(|process| process.ends_at);
        ends.max().filter(|_| self.engine.is_none() && !self.is_orphaned)
    }

    /// The keeper sees that its engine is gone: it stops all attempts, and kills what does not obey.
    pub(crate) fn keeper_ends_all(&mut self) {
        let now = self.clocks.awake;
        for (fence, process) in &mut self.processes {
            process.stop(now, GRACE);
            self.queue.send(process.ends_at, Item::End(*fence));
        }
    }

    /// An engine that opens ends what earlier ones left, before it says that it is gone.
    pub(crate) fn sweep(&mut self) {
        self.is_orphaned = false;
        for fence in std::mem::take(&mut self.processes).into_keys() {
            self.trace.say(|| format!("the attempt under fence {fence} is swept away"));
        }
    }

    /// The keeper is killed, and with it every attempt; the engine starts another.
    pub(crate) fn keeper_dies(&mut self) {
        let Some(engine) = &self.engine else { return };
        let state = engine.core.state();
        // What died with another keeper before is not reported again.
        let known = |fence: &Fence| self.checker.oracle.keeper_deaths.contains_key(fence);
        let live = state.live.iter().filter(|(fence, _)| !known(fence)).filter_map(|(fence, (run, ix))| {
            let task = state.runs[run].task(*ix);
            let attempt = task.live_attempt().filter(|attempt| attempt.epoch == state.epoch)?;
            Some(LostAttempt { key: task.key(*run, attempt), fence: *fence, leftovers: 0 })
        });
        let attempts: Vec<LostAttempt> = live.collect();
        self.checker.keeper_died(attempts.len(), attempts.iter().map(|lost| lost.fence));
        self.processes.clear();
        self.queue.keep(|item| !matches!(item, Item::Bring(_) | Item::End(_) | Item::Overdue(..)));
        if !attempts.is_empty() {
            self.report(3, Report::Lost { attempts, reason: LossReason::KeeperDied });
        }
    }

    /// Engine and keeper are killed both at once.
    pub(crate) fn both_die(&mut self, down_ms: u64) {
        if self.engine.is_some() {
            self.is_orphaned = true;
            self.engine_dies(down_ms);
        }
    }

    /// The machine loses its power: whatever was not synced is gone, and every process. It is started again, and with it
    /// an engine.
    pub(crate) fn power_is_cut(&mut self, down_ms: u64) -> Verdict {
        self.engine_dies(down_ms);
        self.sweep();
        self.store.cut_power();
        self.clocks.restart();
        self.checker.oracle.has_lost_power = true;
        blobs::are_there(&self.checker.oracle, &self.store)
    }

    /// Another engine opens the home of one that lives, as if there were no lock: whatever the older one says from then on is
    /// refused, and nobody hears of it.
    pub(crate) fn usurp(&mut self) -> Verdict {
        if self.dying.is_some() || self.disk_low {
            return Ok(());
        }
        let Some(mut older) = self.engine.take() else { return Ok(()) };
        self.checker.pass(&self.clocks);
        self.queue.keep(|item| matches!(item, Item::Letter { engine: None, .. } | Item::Restart));
        self.open(Role::Engine)?;
        let stamp = Stamp { now: self.checker.oracle.now, seed: 0 };
        let input = Input::Report(Report::ClockJumped { by_ms: 10_000, suspended_ms: 0 });
        let before = self.store.head();
        let mut hands = Hands::new(&self.store, None);
        let said = vec![Letter { input, stamp, reply: None }];
        let turned = turn(&mut older.core, &mut older.journal, said, stamp, &mut hands);
        let is_silent = hands.answers.is_empty() && hands.orders.is_empty() && self.store.head() == before;
        demand(turned.is_err() && is_silent, "3.5 one writer", || {
            format!("engine {} goes on after another one has opened its home: {turned:?}", older.number)
        })
    }

    /// A copy of the disk is damaged: it does not open, or it has the true journal.
    pub(crate) fn damage(&self, number: u64, is_cut: bool) -> Verdict {
        head::of_copy(&self.store.branch(), (number, is_cut), &self.checker.shadow, &self.clocks)
    }
}
