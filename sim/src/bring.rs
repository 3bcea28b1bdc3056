//! Attempts that bring plans while they run: which plans a case has for them, when they ask, how they wait for what they
//! started, and what they lend meanwhile. What their tasks say is heard in the run around them. Never: a plan that nobody asks for.

use std::sync::Arc;

use windlass_core::event::Event;
use windlass_core::id::{Digest, Fence, RunId, TaskId};
use windlass_core::input::{Ask, Nesting};
use windlass_core::state::parts::Standing;
use windlass_journal::blob::Blobs as _;

use crate::accounts::hold_to;
use crate::case::{Behaviour, Case, End};
use crate::converse;
use crate::draft::{PlanDraft, Shape, TaskDraft, Work};
use crate::mood::Mood;
use crate::oracle::Oracle;
use crate::plans;
use crate::process::Bringing;
use crate::queue::Item;
use crate::random::{Random, keyed};
use crate::scope::{self, OScope};
use crate::world::{ENVIRONMENT, World};

/// In how many plans, sub-plans or brought ones, an attempt may be that brings one.
const DEEPEST: usize = 2;

/// How often tasks of such a plan emit and wait at least, of a thousand.
const TALKS: u32 = 300;

/// The plans that attempts of a case may bring. Drawn from numbers of its own, so that what else a seed brings is as it is
/// without.
pub(crate) fn plans(random: &mut Random, mood: &Mood) -> Vec<PlanDraft> {
    let count = if random.chance(400) { random.within(1, 3) } else { 0 };
    let plans = (0..count).map(|_| {
        let mut draft = plan(random, mood);
        let mut talk = Random::new(random.next());
        if talk.chance(mood.talks.max(TALKS)) {
            converse::converse_within(&mut talk, &mut draft);
        }
        draft
    });
    plans.collect()
}

fn plan(random: &mut Random, mood: &Mood) -> PlanDraft {
    let mut draft =
        PlanDraft { flag: random.chance(500), reversed: random.chance(300), ..PlanDraft::default() };
    // It counts for nothing here; the budget does.
    draft.concurrency = random.chance(100).then_some(1);
    draft.attempts_max = random.chance(200).then(|| random.within(1, 4));
    draft.wall_ms_max = random.chance(100).then(|| random.pick(&[50, 2000, 60_000]));
    let agents = random.below(3);
    draft.agents = (0..agents).map(|number| plans::agent(random, mood, number, agents)).collect();
    for label in 0..random.within(1, 4) {
        let mut task = plans::task(random, mood, label, &draft, agents);
        only_attempts(&mut task);
        task.rerun_never |= random.chance(100);
        draft.tasks.push(task);
    }
    draft
}

/// What is neither work of attempts nor a question becomes that.
fn only_attempts(task: &mut TaskDraft) {
    if !task.work.has_attempts() && !matches!(task.work, Work::Approval { .. }) {
        (task.work, task.shape) = (Work::Shell, Shape::Null);
        if task.replicas.is_some() || task.rounds.is_some() {
            (task.replicas, task.rounds) = (None, None);
        }
    }
}

/// Which plans an attempt brings, where the case does not say.
pub(crate) fn brings(case: &Case, key: &str) -> Vec<u32> {
    let most = u32::try_from(case.brought.len()).expect("few");
    let mut random = Random::new(keyed(case.seed, &format!("brings {key}")));
    if most == 0 || !random.chance(350) {
        return Vec::new();
    }
    (0..random.within(1, 2)).map(|_| random.below(most)).collect()
}

/// Whether an attempt may bring plans: it is done by one, and not too deep.
pub(crate) fn may_bring(draft: &TaskDraft, key: &str) -> bool {
    let deep = key.matches('/').count();
    draft.work.has_attempts() && deep <= 2 + DEEPEST
}

impl World {
    /// An attempt asks for the next of its plans.
    pub(crate) fn bring(&mut self, fence: Fence) {
        let Some(process) = self.processes.get(&fence).filter(|process| process.killed_at.is_none()) else {
            return;
        };
        let Some(engine) = self.engine.as_ref().map(|engine| engine.number) else { return };
        let Bringing::Next(at) = process.bringing else { return };
        let number = usize::try_from(process.behaviour.brings[at]).expect("32 bits fit");
        let Some(draft) = self.case.brought.get(number).cloned() else { return };
        let within = process.assignment.key.clone();
        let plan = draft.load().unwrap_or_else(|why| panic!("a plan to bring is refused: {why}"));
        let bytes = serde_json::to_vec(&plan).expect("a plan is plain data");
        // Where the disk is full nobody brings a plan.
        let Ok(plan_digest) = self.store.blobs().put(&bytes) else { return };
        let plan = Arc::new(plan);
        self.checker.knows(plan_digest, Arc::clone(&plan), Arc::new(draft));
        let (folder, source) = ("/work".into(), "plan.json".into());
        let env_digest = Digest::of(ENVIRONMENT);
        let nesting = Nesting { within, plan, plan_digest, folder, env_digest, source, levels: None };
        let reply = self.ask_of_engine(engine, Ask::Nest(Box::new(nesting)));
        let process = self.processes.get_mut(&fence).expect("it was there");
        process.bringing = Bringing::Asked(at, reply);
        process.ends_at = u64::MAX;
    }

    /// Attempts whose plans have ended, or were not taken, go on; one whose plan is held may give up.
    pub(crate) fn go_on(&mut self) {
        let waiting = self.processes.iter().filter_map(|(fence, process)| match process.bringing {
            Bringing::Asked(at, reply) if process.killed_at.is_none() && self.people.was_told(reply) => {
                Some((*fence, at))
            }
            Bringing::Asked(..) | Bringing::Next(_) | Bringing::Done => None,
        });
        let waiting: Vec<(Fence, usize)> = waiting.collect();
        for (fence, at) in waiting {
            let process = &self.processes[&fence];
            let key = &process.assignment.key;
            let run = &self.checker.shadow.runs[&key.run];
            let ix = run.names[&key.task];
            let rests = |plan| matches!(run.standing_of(plan), Standing::Held | Standing::ForPeople);
            let gives_up = run.below(ix).any(rests) && self.random.chance(500);
            if run.open_plans(ix) > 0 && !gives_up {
                continue;
            }
            let now = self.clocks.awake;
            let process = self.processes.get_mut(&fence).expect("it was there");
            let is_last = gives_up || at + 1 >= process.behaviour.brings.len();
            let later = u64::from(self.random.below(50));
            process.bringing = if is_last { Bringing::Done } else { Bringing::Next(at + 1) };
            if gives_up {
                process.behaviour.end = End::Code(3);
            }
            process.behaviour.takes_ms = now + later - process.started_at;
            process.ends_at = if is_last { now + later } else { u64::MAX };
            self.queue.send(now + later, if is_last { Item::End(fence) } else { Item::Bring(fence) });
        }
    }
}

impl Oracle {
    /// What an event changes in what attempts have brought and lent, before all else. True where it changes nothing else.
    pub(crate) fn take_loan(&mut self, id: RunId, name: &TaskId, event: &Event) -> bool {
        let run = self.runs.get_mut(&id).expect("it was created");
        let ix = run.names[name];
        let lent = run.lends(&run.tasks[ix]);
        let newest = run.tasks[ix].newest().map(|attempt| (attempt.fence, attempt.account.clone()));
        match event {
            Event::PlanNested { plan, child, .. } => {
                let (plan, draft) = self.drafts[plan].clone();
                hold_to(&mut self.accounts, scope::rated(&plan, &draft, &[]));
                run.bring(ix, child, OScope::around(&draft));
                let (fence, account) = newest.expect("it was started");
                // That it must be alone, and that it probes, is over for good: others may have taken that.
                self.live.get_mut(&fence).expect("it is live").alone = false;
                if let Some(account) = account.and_then(|name| self.accounts.get_mut(&name)) {
                    account.lend(fence);
                }
                return true;
            }
            Event::StopRequested { .. } => run.end_plans(ix),
            Event::AttemptReaped { .. } => {
                run.end_plans(ix);
                let of = newest.filter(|_| lent).and_then(|(fence, name)| Some((fence, name?)));
                if let Some((fence, account)) = of {
                    self.accounts.get_mut(&account).expect("it was called").live.insert(fence);
                }
            }
            _ => {}
        }
        false
    }

    /// An attempt holds again what it had lent, where the last plan that it brought has ended.
    pub(crate) fn give_back(&mut self, id: RunId, name: &TaskId) {
        let run = &self.runs[&id];
        let task = &run.tasks[run.names[name]];
        let by = task.parent.filter(|_| task.brought_by.is_some()).map(|by| &run.tasks[by]);
        let Some(by) = by.filter(|by| !run.lends(by)) else { return };
        let Some(attempt) = by.newest().filter(|attempt| !attempt.is_reaped) else { return };
        if let Some(account) = &attempt.account {
            self.accounts.get_mut(account).expect("it was called").live.insert(attempt.fence);
        }
    }
}

impl Behaviour {
    /// Where an attempt that begins stands with the plans that it brings.
    pub(crate) fn begins_with(&self) -> Bringing {
        if self.brings.is_empty() { Bringing::Done } else { Bringing::Next(0) }
    }
}
