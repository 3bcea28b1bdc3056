//! What the journal says, understood a second time: plain facts about runs, tasks and attempts, in words of their own.
//! The invariants are checked against this. Never: a call into the core's policies, or into its state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use windlass_core::event::BudgetKind;
use windlass_core::event::{
    ApprovalAnswer, Event, Exit, LossReason, PauseReason, Role, RunOutcome, Settlement, StopWhy, Usage,
};
use windlass_core::failure::{ErrorKind, Failure};
use windlass_core::id::{AttemptKey, CommandId, Digest, Epoch, Fence, RunId, Seq, TaskId};
use windlass_core::plan::Plan;
use windlass_core::time::Time;

use crate::accounts::OAccount;
use crate::draft::PlanDraft;
use crate::family::Choice;
use crate::invariants::joins::{self, Standing};
use crate::scope::OScope;
use crate::talk::OMessage;

/// More time than any world takes: by so much its clocks may be wrong about what was told anew.
const UNTOLD_MS: u64 = 1 << 42;

/// Everything that the journal says.
pub(crate) struct Oracle {
    pub(crate) seed: u64,
    pub(crate) slots: u32,
    pub(crate) seq: Seq,
    pub(crate) at: Time,
    pub(crate) epoch: Epoch,
    pub(crate) role: Option<Role>,
    pub(crate) runs: BTreeMap<RunId, ORun>,
    pub(crate) live: BTreeMap<Fence, Live>,
    pub(crate) accounts: BTreeMap<String, OAccount>,
    /// The sum of the wall clock's steps, as far as journaled.
    pub(crate) steps_ms: i64,
    /// How many attempts were live when the newest opening began.
    pub(crate) died_with: usize,
    /// How many attempts were live when the keeper of each of these died.
    pub(crate) keeper_deaths: BTreeMap<Fence, usize>,
    /// How often an engine found the wall clock set while none lived.
    pub(crate) unseen_steps: u32,
    /// By how much the wall clock has drifted in all.
    pub(crate) drift_ms: u64,
    /// What the world's clocks show: since boot, and awake with an engine alive.
    pub(crate) boot: u64,
    pub(crate) worked: u64,
    /// What the first of them showed when the newest record was written.
    pub(crate) record_boot: u64,
    /// What the latter showed at the newest record, and how much of it no record ever told of: what engines that died had
    /// not noted.
    pub(crate) witnessed: u64,
    pub(crate) unseen_ms: u64,
    /// The time of the turn.
    pub(crate) now: Time,
    /// The attempts whose processes live, in truth.
    pub(crate) alive: BTreeSet<Fence>,
    /// The power was cut since the newest opening: what engines noted for themselves may be gone.
    pub(crate) has_lost_power: bool,
    /// The run that has just met a full disk.
    pub(crate) met_full_disk: Option<RunId>,
    /// How attempts really ended.
    pub(crate) truth: BTreeMap<Fence, Truth>,
    pub(crate) commands: BTreeSet<CommandId>,
    /// The blobs that records name.
    pub(crate) blobs: BTreeSet<Digest>,
    /// The questions that commands named when they answered.
    pub(crate) named: BTreeMap<CommandId, String>,
    /// The drafts of the plans that runs may have.
    pub(crate) drafts: BTreeMap<Digest, (Arc<Plan>, Arc<PlanDraft>)>,
}

/// An attempt that holds a slot.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) run: RunId,
    pub(crate) task: usize,
    pub(crate) alone: bool,
}

/// How an attempt really ended.
#[derive(Clone, Debug)]
pub(crate) struct Truth {
    /// It ended with 0, unstopped, and nothing was wrong with what it gave.
    pub(crate) well: bool,
    pub(crate) usage: Usage,
}

/// A run.
pub(crate) struct ORun {
    pub(crate) plan: Arc<Plan>,
    pub(crate) draft: Arc<PlanDraft>,
    /// Its own plan, and those of tasks as they came.
    pub(crate) scopes: Vec<OScope>,
    pub(crate) tasks: Vec<OTask>,
    pub(crate) names: BTreeMap<TaskId, usize>,
    /// What its tasks have said, in order.
    pub(crate) messages: Vec<OMessage>,
    /// Who went on before the knot that is being untied by the newest records.
    pub(crate) went_on: Option<Vec<bool>>,
    /// Why nothing new starts, and whether the pause was told.
    pub(crate) pauses: BTreeMap<PauseReason, bool>,
    /// What runs is to be stopped, too.
    pub(crate) paused_now: bool,
    pub(crate) outcome: Option<RunOutcome>,
    pub(crate) host: Epoch,
    pub(crate) cancelled: bool,
    /// What people have added to its budgets: attempts, and time in milliseconds.
    pub(crate) raised: (u32, u64),
    /// The budget that the record before said is used up.
    pub(crate) reached: Option<BudgetKind>,
    /// How long it was worked on, by the world's clock, and since when it is.
    pub(crate) worked: u64,
    pub(crate) works_since: Option<u64>,
    /// How often that clock stopped.
    pub(crate) stops: u64,
    /// Attempts that were charged, and those that may come to be.
    pub(crate) used: (u32, u32),
    /// The tasks whose newest attempt is not reaped.
    pub(crate) in_flight: BTreeSet<usize>,
    /// The agent that worked last on each node of a plan or its children.
    pub(crate) last_turns: BTreeMap<usize, u32>,
}

/// A task.
#[derive(Clone, Debug)]
pub(crate) struct OTask {
    pub(crate) id: TaskId,
    /// The plan that it is written in, and its place there.
    pub(crate) scope: usize,
    pub(crate) spec: usize,
    /// The place of its draft among those of the plan.
    pub(crate) drafted: usize,
    /// How many parents it has that stand for the same node of the plan.
    pub(crate) layer: usize,
    pub(crate) parent: Option<usize>,
    pub(crate) children: Vec<usize>,
    /// The number of the parent's attempt that brought it, where it is a plan that one did.
    pub(crate) brought_by: Option<usize>,
    /// The plans that its attempts brought.
    pub(crate) nests: Vec<usize>,
    pub(crate) is_expanded: bool,
    /// Which record says that it passed, and what it gave.
    pub(crate) passed: Option<(u64, Value)>,
    /// What became of the choice among its children.
    pub(crate) choice: Option<Choice>,
    /// How many of its rounds belong to earlier incarnations.
    pub(crate) earlier_children: usize,
    /// Whether the plan was revised without it.
    pub(crate) is_left_out: bool,
    pub(crate) end: Option<End>,
    pub(crate) output: Value,
    pub(crate) attempts: Vec<OAttempt>,
    pub(crate) deaths_in_row: u32,
    /// Of it and of all below it, since its last requeue: attempts that were charged, and those that may come to be.
    pub(crate) used: (u32, u32),
    /// Whether it is asked something else than the plan's prompt.
    pub(crate) is_asked_otherwise: bool,
    pub(crate) question: Option<Question>,
    /// The record by which it ended.
    pub(crate) ended: Option<u64>,
    /// The message that it heard last.
    pub(crate) had: u64,
    /// What it had heard before, and whether it had begun and listened, where its wait is about to end by that.
    pub(crate) hears: Option<(u64, bool, bool)>,
    /// Since its last requeue.
    pub(crate) life: Life,
}

/// An incarnation.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact that the journal says or does not say")]
pub(crate) struct Life {
    /// Something was started, asked or expanded.
    pub(crate) began: bool,
    pub(crate) accepted: bool,
    /// Its condition has held since its join was met: it is looked at once, and others go on.
    pub(crate) held: bool,
    pub(crate) charged: u32,
    pub(crate) losses: u32,
    pub(crate) ceiling_ms: u64,
    pub(crate) once: BTreeSet<ErrorKind>,
    /// Agents from which others have taken over, and the last that did.
    pub(crate) handed_from: Vec<u32>,
    pub(crate) handed_to: Option<u32>,
    /// Whom its expression named last, by the plan that there is, and for which attempt.
    pub(crate) named: Option<(u32, usize)>,
    /// Attempts above the policy's that they were given.
    pub(crate) granted: u32,
    /// The next attempt is not before: by the wall less its steps, and by the world's clock.
    pub(crate) due: Option<Due>,
    pub(crate) cancel_wished: bool,
    pub(crate) is_unknown: bool,
    pub(crate) settled_as: Option<Settlement>,
    /// What the run's clock showed when its join was first seen met.
    pub(crate) ready_at: Option<u64>,
    /// The same, when it was last asked or blocked.
    pub(crate) asked_at: u64,
    /// It is blocked on a topic.
    pub(crate) listens: bool,
    /// What it has emitted or heard.
    pub(crate) said: Option<Value>,
    /// The moment that it waited for has come.
    pub(crate) has_fired: bool,
    /// No attempt follows: the last failure was final.
    pub(crate) gave_up: bool,
    /// A budget of its own is used up, as that was told.
    pub(crate) is_used_up: bool,
    /// The record by which it began anew; 0 for the first time.
    pub(crate) from: u64,
    /// Its join is met, and what it was met without is known.
    pub(crate) rest_known: bool,
    /// The task that is to have it cancelled, since its join was met.
    pub(crate) spared_for: Option<usize>,
    /// It was cancelled for that.
    pub(crate) is_spared: bool,
    /// It was skipped for a condition that is another now.
    pub(crate) is_asked_anew: bool,
}

/// When the next attempt may start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due {
    pub(crate) steady_ms: i64,
    pub(crate) boot: u64,
    pub(crate) unseen_steps: u32,
}

/// A question to a person.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) id: String,
    /// What the tasks that it shows had given when it was asked.
    pub(crate) shown: BTreeMap<TaskId, Value>,
    pub(crate) answer: Option<ApprovalAnswer>,
}

/// An attempt.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact that the journal says or does not say")]
pub(crate) struct OAttempt {
    pub(crate) fence: Fence,
    pub(crate) epoch: Epoch,
    pub(crate) agent: Option<u32>,
    /// The account that the agent had when it started.
    pub(crate) account: Option<String>,
    pub(crate) stop: Option<(StopWhy, u64)>,
    pub(crate) exit: Option<Exit>,
    pub(crate) error: Option<Failure>,
    pub(crate) lost: Option<LossReason>,
    pub(crate) is_settled: bool,
    /// What it gave was to stand in the record behind its end, or is nothing.
    pub(crate) is_given_apart: bool,
    pub(crate) is_reaped: bool,
    pub(crate) is_judged: bool,
    /// By the wall less its steps.
    pub(crate) ended_steady_ms: i64,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Succeeded,
    WhenFalse,
    Upstream,
    Dead,
    Cancelled,
}

impl ORun {
    /// The tasks whose newest attempt is not reaped.
    pub(crate) fn in_flight(&self) -> impl Iterator<Item = &OTask> {
        self.in_flight.iter().map(|ix| &self.tasks[*ix])
    }

    /// How long it was worked on.
    pub(crate) fn worked(&self, now: u64) -> u64 {
        self.worked + self.works_since.map_or(0, |since| now - since)
    }

    /// Notes whose condition holds, of those whose join is met.
    pub(crate) fn note_conditions(&mut self) {
        for ix in 0..self.tasks.len() {
            let task = &self.tasks[ix];
            if !task.is_node()
                || task.end.is_some()
                || task.life.began
                || task.life.held
                || joins::standing(self, task) != Standing::Met
            {
                continue;
            }
            self.tasks[ix].life.held = joins::condition(self, &self.tasks[ix]) == Ok(true);
        }
    }

    /// Notes what is to be cancelled, since the join of a task that says so has just been met.
    pub(crate) fn note_rest(&mut self) {
        for ix in 0..self.tasks.len() {
            let task = &self.tasks[ix];
            if !task.is_node() || !self.draft(task).cancel_rest || task.life.began || task.end.is_some() {
                continue;
            }
            let is_met = joins::standing(self, task) == Standing::Met;
            let is_news = is_met && !task.life.rest_known;
            self.tasks[ix].life.rest_known = is_met;
            for need in self.needs(&self.tasks[ix]).collect::<Vec<_>>() {
                let need = &mut self.tasks[need];
                if is_news && need.end.is_none() && !need.life.cancel_wished {
                    need.life.spared_for.get_or_insert(ix);
                }
            }
        }
    }

    pub(crate) fn stand(&mut self, now: u64) {
        self.worked = self.worked(now);
        self.works_since = None;
        self.stops += 1;
    }
}

impl OTask {
    pub(crate) fn newest(&self) -> Option<&OAttempt> {
        self.attempts.last()
    }

    /// The agent of an attempt in flight.
    pub(crate) fn is_with(&self) -> Option<u32> {
        self.newest().filter(|attempt| !attempt.is_reaped)?.agent
    }

    /// Whether its newest attempt waits for its output to be settled.
    pub(crate) fn awaits_settling(&self) -> bool {
        self.end.is_none()
            && self.newest().is_some_and(|attempt| {
                let well = attempt.lost.is_none() && attempt.stop.is_none() && attempt.error.is_none();
                attempt.is_reaped && well && !attempt.is_settled && !attempt.is_given_apart
            })
    }
}

impl Oracle {
    pub(crate) fn is_active(&self, run: &ORun) -> bool {
        let lives = self.role == Some(Role::Engine) && run.host == self.epoch;
        lives && run.pauses.is_empty() && run.outcome.is_none()
    }

    /// How many attempts take a slot: not those that wait for what they brought, and have lent it.
    pub(crate) fn taking_room(&self) -> usize {
        let takes = |live: &&Live| {
            let run = &self.runs[&live.run];
            !run.lends(&run.tasks[live.task])
        };
        self.live.values().filter(takes).count()
    }

    /// The attempts within which an attempt is, the outermost first.
    pub(crate) fn attempts_around(&self, live: &Live) -> Vec<AttemptKey> {
        let run = &self.runs[&live.run];
        let around = |ix: &usize| run.tasks[*ix].parent;
        let up = std::iter::successors(Some(live.task), around).map(|ix| &run.tasks[ix]);
        let brought = up.filter_map(|task| Some((task.parent?, task.brought_by?)));
        let key = |(by, attempt): (usize, usize)| {
            let attempt = u32::try_from(attempt).expect("few");
            AttemptKey { run: live.run, task: run.tasks[by].id.clone(), attempt }
        };
        let mut keys: Vec<AttemptKey> = brought.map(key).collect();
        keys.reverse();
        keys
    }

    /// The run and task of an event.
    pub(crate) fn at(&self, event: &Event) -> Option<(RunId, &ORun, &OTask)> {
        let run = event.run()?;
        let of = self.runs.get(&run)?;
        Some((run, of, of.task(event.task()?)?))
    }
}

impl Oracle {
    pub(crate) fn new(seed: u64, slots: u32, drafts: BTreeMap<Digest, (Arc<Plan>, Arc<PlanDraft>)>) -> Self {
        Self {
            seed,
            slots,
            seq: Seq(0),
            at: Time::default(),
            epoch: Epoch(0),
            role: None,
            runs: BTreeMap::new(),
            live: BTreeMap::new(),
            accounts: BTreeMap::new(),
            steps_ms: 0,
            died_with: 0,
            keeper_deaths: BTreeMap::new(),
            unseen_steps: 0,
            drift_ms: 0,
            boot: 0,
            record_boot: 0,
            now: Time::default(),
            alive: BTreeSet::new(),
            has_lost_power: false,
            met_full_disk: None,
            worked: 0,
            witnessed: 0,
            unseen_ms: 0,
            truth: BTreeMap::new(),
            commands: BTreeSet::new(),
            blobs: BTreeSet::new(),
            named: BTreeMap::new(),
            drafts,
        }
    }

    /// Knows no record any more; those up to this one will be told again, long after they were written: how much time went
    /// by between them is not known any more.
    pub(crate) fn forget(&mut self, intact: Seq) {
        let before = std::mem::replace(self, Self::new(self.seed, self.slots, BTreeMap::new()));
        let Self { boot, worked, now, truth, keeper_deaths, named, drafts, .. } = before;
        let kept = |fence: &Fence| fence.0 <= intact.0;
        *self = Self {
            boot,
            worked,
            now,
            truth: truth.into_iter().filter(|(fence, _)| kept(fence)).collect(),
            keeper_deaths: keeper_deaths.into_iter().filter(|(fence, _)| kept(fence)).collect(),
            drift_ms: UNTOLD_MS,
            unseen_ms: UNTOLD_MS,
            named,
            drafts,
            ..Self::new(self.seed, self.slots, BTreeMap::new())
        };
    }

    /// By how much the clock of a run in the world may be ahead of what the journal makes of it, in milliseconds.
    pub(crate) fn slack_ms(&self, run: &ORun) -> u64 {
        // The world looks at its clocks once a turn, which may be 2 s long.
        2100 * (1 + run.stops) + self.drift_ms + self.unseen_ms
    }

    /// Notes which tasks have become ready since the last look.
    pub(crate) fn note_ready(&mut self) {
        let worked = self.worked;
        for run in self.runs.values_mut().filter(|run| run.outcome.is_none()) {
            let now = run.worked(worked);
            for ix in 0..run.tasks.len() {
                let task = &run.tasks[ix];
                if task.end.is_some() || task.life.ready_at.is_some() {
                    continue;
                }
                let met = !task.is_node()
                    || crate::invariants::joins::standing(run, task)
                        == crate::invariants::joins::Standing::Met;
                if met {
                    run.tasks[ix].life.ready_at = Some(now);
                }
            }
        }
    }
}
