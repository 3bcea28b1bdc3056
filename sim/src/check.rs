//! The checker: it reads the journal as it lies on the disk, folds it a second time, and holds every promise against it.
//! Never: the live engine's word for what happened.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use windlass_core::effect::Effect;
use windlass_core::event::{Event, Record};
use windlass_core::fold::evolve;
use windlass_core::id::{CommandId, Digest, Fence, RunId, Seq, TaskId};
use windlass_core::input::{Answer, Ended};
use windlass_core::machine::arrows::{self, Taken};
use windlass_core::plan::Plan;
use windlass_core::state::State;
use windlass_core::state::due::Due;
use windlass_core::time::Time;
use windlass_journal::memory::MemoryStore;
use windlass_journal::record::decode;

use crate::broken::{Broken, Verdict, broken, demand};
use crate::clocks::Clocks;
use crate::draft::PlanDraft;
use crate::invariants::{self, blobs, effects::Given, fairness::Turns, prefix, replay};
use crate::oracle::{Oracle, Truth};
use crate::trace::Trace;
use crate::world::Planned;

const WAKE: &str = "14 wake";
/// How far an engine's clock may be from the wall clock without that being a step; what is less than the first is a turn.
const MADE_UP_MS: Range<u64> = 100..5000;

/// The checker of one world.
pub(crate) struct Checker {
    /// The fold of what lies on the disk.
    pub(crate) shadow: State,
    pub(crate) oracle: Oracle,
    plans: BTreeMap<Digest, Arc<Plan>>,
    given: Given,
    turns: Turns,
    awake: u64,
    /// By how much the wall clock was set without a word in the journal.
    unseen_ms: i64,
    acknowledged: Vec<CommandId>,
    changed: bool,
    /// The arrows of the machines that were taken.
    pub(crate) taken: Taken,
}

impl Checker {
    pub(crate) fn new(seed: u64, slots: u32, planned: &[Planned]) -> Self {
        let drafts = planned.iter().map(|planned| {
            let draft = Arc::new(planned.draft.clone());
            (planned.digest, (Arc::clone(&planned.plan), draft))
        });
        let oracle = Oracle::new(seed, slots, drafts.collect());
        let plans = planned.iter().map(|planned| (planned.digest, planned.plan.clone())).collect();
        Self {
            shadow: State::default(),
            oracle,
            plans,
            given: Given::default(),
            turns: Turns::default(),
            awake: 0,
            unseen_ms: 0,
            acknowledged: Vec::new(),
            changed: false,
            taken: Taken::default(),
        }
    }

    /// A plan by which a run may go on.
    pub(crate) fn knows(&mut self, digest: Digest, plan: Arc<Plan>, draft: Arc<PlanDraft>) {
        self.plans.insert(digest, Arc::clone(&plan));
        self.oracle.drafts.insert(digest, (plan, draft));
    }

    /// Takes in what has become durable.
    pub(crate) fn take(&mut self, store: &MemoryStore, clocks: &Clocks, trace: &mut Trace) -> Verdict {
        self.pass(clocks);
        let end = store.head().seq;
        self.changed |= self.shadow.head < end;
        while self.shadow.head < end {
            let seq = self.shadow.head.next();
            let record = self.read(store, seq)?;
            trace.record(&record);
            if matches!(record.event, Event::EngineStarted { .. }) {
                let unseen_ms = clocks.set - self.oracle.steps_ms;
                self.oracle.unseen_steps += u32::from(unseen_ms != self.unseen_ms);
                self.unseen_ms = unseen_ms;
                // By how much less than a step the wall clock is behind, that is made up for little by little.
                let ahead_ms = record.at.ms.abs_diff(clocks.shown().wall_ms);
                self.drifts(if MADE_UP_MS.contains(&ahead_ms) { ahead_ms } else { 0 });
            }
            blobs::of_record(store, &record)?;
            invariants::of_record(&self.oracle, &self.shadow, &record)?;
            self.turns.of_record(&self.oracle, &record)?;
            self.oracle.take(&record);
            arrows::count(std::mem::take(&mut self.taken));
            evolve(&mut self.shadow, &record);
            self.taken = arrows::counted();
            // Nobody looks at what is fresh here: the live state does.
            self.shadow.fresh.clear();
            demand(self.shadow.due == Due::of(&self.shadow), WAKE, || {
                format!("after record {seq} what is noted as due is {:?}", self.shadow.due)
            })?;
            self.turns.note(&self.oracle, &self.shadow);
        }
        if self.changed {
            self.oracle.note_ready();
        }
        Ok(())
    }

    /// When a record was written; the beginning of time for none.
    pub(crate) fn said_at(&self, store: &MemoryStore, seq: Seq) -> Result<Time, Broken> {
        if seq == Seq(0) { Ok(Time::default()) } else { Ok(self.read(store, seq)?.at) }
    }

    /// The records behind this one are gone, and somebody accepted that: what is known is what is left of the journal.
    pub(crate) fn forget(&mut self, intact: Seq, store: &MemoryStore, clocks: &Clocks) -> Verdict {
        self.pass(clocks);
        self.shadow = State::default();
        self.oracle.forget(intact);
        (self.given, self.turns) = (Given::default(), Turns::default());
        while self.shadow.head < store.head().seq {
            let record = self.read(store, self.shadow.head.next())?;
            self.oracle.take(&record);
            evolve(&mut self.shadow, &record);
            self.shadow.fresh.clear();
        }
        self.changed = true;
        self.acknowledged.retain(|id| self.shadow.commands.contains_key(id));
        Ok(())
    }

    /// Time passes: it counts as work where an engine was alive, which is for the caller to say by calling.
    pub(crate) fn pass(&mut self, clocks: &Clocks) {
        self.oracle.boot = clocks.boot();
        self.oracle.worked += clocks.awake - self.awake;
        self.awake = clocks.awake;
    }

    /// The wall clock goes wrong by a little, and so does everything that is measured by it.
    pub(crate) fn drifts(&mut self, by_ms: u64) {
        self.oracle.drift_ms += by_ms;
    }

    /// Time has passed in which no engine lived.
    pub(crate) fn slept(&mut self, clocks: &Clocks) {
        self.awake = clocks.awake;
    }

    fn read(&self, store: &MemoryStore, seq: Seq) -> Result<Record, Broken> {
        let bytes = store.bytes(seq).ok_or_else(|| broken(prefix::NAME, format!("record {seq} is gone")))?;
        let mut record = decode(seq, &bytes, String::new)
            .map_err(|error| broken(replay::NAME, format!("record {seq} can't be read: {error}")))?;
        if let Event::RunCreated { plan, hydrated, .. }
        | Event::PlanRevised { plan, hydrated, .. }
        | Event::PlanNested { plan, hydrated, .. } = &mut record.event
        {
            hydrated.0 = self.plans.get(plan).cloned();
        }
        Ok(record)
    }

    /// The live state is what the disk says, but for what it has not looked at yet.
    pub(crate) fn compare(&self, live: &State) -> Verdict {
        let at_rest = live.fresh.is_empty();
        let same = if at_rest { *live == self.shadow } else { live.head == self.shadow.head };
        if same { Ok(()) } else { replay::same(&self.shadow, live, "the live state") }
    }

    /// A state that was recovered is what the disk says; what was acknowledged is in it.
    pub(crate) fn recovered(&self, state: &State, store: &MemoryStore) -> Verdict {
        prefix::is_kept(&self.shadow, store.head().seq)?;
        if *state != self.shadow {
            replay::same(&self.shadow, state, "the recovered state")?;
        }
        prefix::has_all(&self.acknowledged, state)
    }

    /// Somebody was told: what was accepted must be durable.
    pub(crate) fn acknowledged(&mut self, id: &CommandId, answer: &Answer, leaves_events: bool) -> Verdict {
        if *answer == Answer::Accepted && leaves_events {
            prefix::of_answer(&self.oracle, id)?;
            self.acknowledged.push(id.clone());
        }
        Ok(())
    }

    /// Somebody was told that a cancel was wished before: then it was.
    pub(crate) fn cancel_acknowledged(&self, run: RunId, task: Option<&TaskId>) -> Verdict {
        let run = &self.oracle.runs[&run];
        let mut meant = run.tasks.iter().filter(|other| task.is_none_or(|task| other.id == *task));
        let other = meant.find(|task| task.end.is_none() && !task.life.cancel_wished);
        demand(other.is_none(), "19 cancel", || {
            format!("{} is said to be cancelled, and goes on", other.expect("there is one").id)
        })
    }

    /// An order is given.
    pub(crate) fn order(&mut self, order: &Effect) -> Verdict {
        self.given.order(&self.oracle, order)
    }

    /// An attempt ended, in truth.
    pub(crate) fn ended(&mut self, fence: Fence, ended: &Ended, does_its_work: bool) {
        let well =
            does_its_work && ended.error.is_none() && ended.exit == windlass_core::event::Exit::Code(0);
        self.oracle.truth.insert(fence, Truth { well, usage: ended.usage });
    }

    /// The keeper died, and with it these, of so many that held a slot.
    pub(crate) fn keeper_died(&mut self, live: usize, attempts: impl Iterator<Item = Fence>) {
        self.oracle.keeper_deaths.extend(attempts.map(|fence| (fence, live)));
    }

    /// The turn is over.
    pub(crate) fn rests(&mut self, more: bool) -> Verdict {
        if more || !self.changed {
            return Ok(());
        }
        self.changed = false;
        invariants::at_rest(&self.oracle, &self.shadow)?;
        self.given.at_rest(&self.oracle, &self.shadow)
    }

    /// What has not ended.
    pub(crate) fn unfinished(&self) -> String {
        let mut open = Vec::new();
        for run in self.shadow.unfinished.iter().map(|id| &self.shadow.runs[id]) {
            let tasks = run.tasks.iter().filter(|task| !task.phase.is_final());
            let tasks: Vec<String> =
                tasks.map(|task| format!("{} ({})", task.id, task.phase.name())).collect();
            open.push(format!("{} {:?}: {}", run.id, run.phase, tasks.join(", ")));
        }
        open.join("; ")
    }

    /// The end of the world: the state of the engine that was opened last is what the disk says, byte for byte.
    pub(crate) fn end(&self, store: &MemoryStore, live: &State) -> Verdict {
        replay::same(&self.shadow, live, "the last state")?;
        prefix::is_kept(&self.shadow, store.head().seq)?;
        prefix::has_all(&self.acknowledged, live)
    }
}
