//! Which run's turn it is: each start moves a run on by as much as its weight is small, and the run that is least far is
//! next. Looking at it costs the logarithm of the number of runs. Never: which task of a run starts (`queue.rs`).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::id::{RunId, Seq};
use crate::planted::{Bug, is_planted};
use crate::state::Run;

/// How far one start moves a run of weight 1.
const STRIDE: u64 = 1 << 24;

/// The runs that could start a task if there were a slot.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Agenda {
    /// How far the run was that was served last: who comes in begins there.
    reached: u64,
    /// Those with a ready task that no limit of theirs holds back.
    ready: BTreeSet<Turn>,
    /// Those with a task that must be alone.
    suspects: BTreeSet<Turn>,
}

/// How far a run is. Of two that are as far the older one comes first.
type Turn = (u64, Seq, RunId);

/// A run's share of what was started.
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Share {
    /// How far it was when it came in.
    from: u64,
    /// How many starts it has had since. Counted, not added up: so no rounding grows.
    starts: u64,
    /// Where it stands on the agenda, and whether as ready and as suspect.
    on: Option<(u64, bool, bool)>,
}

impl Share {
    fn at(self, weight: u32) -> u64 {
        let weight = if is_planted(Bug::WeightsIgnored) { 1 } else { weight };
        let moved = u128::from(self.starts) * u128::from(STRIDE) / u128::from(weight.max(1));
        self.from.saturating_add(u64::try_from(moved).unwrap_or(u64::MAX))
    }
}

impl Agenda {
    /// The runs with tasks to start, in the order of their turns.
    pub fn ready(&self) -> impl Iterator<Item = RunId> {
        self.ready.iter().map(|(.., run)| *run)
    }

    /// The same, of those with a task that must be alone.
    pub fn suspects(&self) -> impl Iterator<Item = RunId> {
        self.suspects.iter().map(|(.., run)| *run)
    }

    /// An attempt of a run has started; alone, that was no turn.
    pub(crate) fn serve(&mut self, run: &mut Run, alone: bool) {
        // One that was passed over because nobody could work on its tasks has no arrears either.
        let at = if alone { run.share.at(run.plan.weight) } else { self.come_in(run) };
        // Those that are less far were passed over, unless this was no turn.
        let first = self.ready.first().filter(|_| alone);
        let least = first.map_or(at, |(first, ..)| at.min(*first));
        self.reached = self.reached.max(least);
        self.leave(run);
        run.share.starts += u64::from(!alone);
    }

    /// A run has changed: it has tasks to start, or none. `is_active` is whether it may start any.
    pub(crate) fn attend(&mut self, run: &mut Run, is_active: bool) {
        let is_ready = is_active && run.has_room() && run.queue.heads().next().is_some();
        let is_suspect = is_active && run.is_within_budget() && run.queue.alone().next().is_some();
        let on = run.share.on.map_or((false, false), |(_, ready, suspect)| (ready, suspect));
        if on == (is_ready, is_suspect) {
            return;
        }
        self.leave(run);
        if !is_ready && !is_suspect {
            return;
        }
        let at = self.come_in(run);
        let turn = (at, run.created.0, run.id);
        run.share.on = Some((at, is_ready, is_suspect));
        if is_ready {
            self.ready.insert(turn);
        }
        if is_suspect {
            self.suspects.insert(turn);
        }
    }

    /// How far a run is: at least as far as the one that was served last. What it did not start while it could not is not
    /// made up for.
    fn come_in(&self, run: &mut Run) -> u64 {
        let at = run.share.at(run.plan.weight);
        if at >= self.reached || is_planted(Bug::ArrearsGranted) {
            return at;
        }
        (run.share.from, run.share.starts) = (self.reached, 0);
        self.reached
    }

    fn leave(&mut self, run: &mut Run) {
        if let Some((at, ..)) = run.share.on.take() {
            let turn = (at, run.created.0, run.id);
            self.ready.remove(&turn);
            self.suspects.remove(&turn);
        }
    }
}
