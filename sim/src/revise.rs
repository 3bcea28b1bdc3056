//! Other plans for runs that are under way, at random: tasks that are new, left out, changed. They follow from the plan that
//! a run has and a number alone. Never: a plan that the loader refuses.

use windlass_core::plan::Plan;

use crate::draft::{AgentDraft, Each, EndName, From, PlanDraft, Ref, TaskDraft, When, Who, Work};
use crate::invariants::joins::{self, Standing};
use crate::oracle::{End, ORun, OTask};
use crate::plans;
use crate::random::Random;
use crate::scope::OScope;
use crate::talk::{Await, Listen};

/// How many agents a plan has at most.
const AGENTS_MAX: usize = 5;

/// Another plan for a run that has this one.
pub(crate) fn revised(draft: &PlanDraft, number: u32) -> PlanDraft {
    let mut random = Random::new(u64::from(number) ^ 0x7265_7669_7365);
    let mut revised = draft.clone();
    for label in draft.tasks.iter().map(|task| task.label) {
        let is_needed = revised.tasks.iter().any(|task| task.needs.contains(&label));
        if random.chance(120) && !is_needed && revised.tasks.len() > 1 {
            revised.tasks.retain(|task| task.label != label);
        }
    }
    let labels: Vec<u32> = revised.tasks.iter().map(|task| task.label).collect();
    for task in &mut revised.tasks {
        change(&mut random, task, &labels);
    }
    // The plans that tasks are name those of the plan around them; they stay as they are.
    if revised.tasks.iter().all(|task| task.work.plan().is_none()) {
        redefine(&mut random, &mut revised);
    }
    if random.chance(600) {
        let fresh = draft.tasks.iter().map(|task| task.label).max().unwrap_or(0) + 1;
        for label in fresh..=fresh + random.below(2) {
            let task = new(&mut random, label, &labels, &at_hand(&revised.agents));
            revised.tasks.push(task);
        }
    }
    for task in &mut revised.tasks {
        let Some(each) = task.each.as_mut().filter(|_| random.chance(200)) else { continue };
        each.max_parallel = random.chance(700).then(|| random.within(1, 3));
    }
    let fitting = |most: u32| most.max(u32::try_from(revised.tasks.len()).expect("few"));
    revised.tasks_max = revised.tasks_max.map(fitting);
    revised.fan_out = revised.fan_out.map(|most| most.max(2));
    revised.depth = revised.depth.map(|most| most.max(2));
    revised
}

/// The agents that a plan has.
fn at_hand(agents: &[AgentDraft]) -> Vec<u32> {
    (0..).zip(agents).filter(|(_, agent)| !agent.retired).map(|(number, _)| number).collect()
}

/// Agents become others, go, come back, or are new; tasks go to others.
fn redefine(random: &mut Random, draft: &mut PlanDraft) {
    for number in 0..draft.agents.len() {
        let all = at_hand(&draft.agents);
        let agent = &mut draft.agents[number];
        if random.chance(if agent.retired { 300 } else { 200 }) && (agent.retired || all.len() > 1) {
            agent.retired = !agent.retired;
        }
        if random.chance(300) {
            agent.most = random.chance(500).then(|| random.within(1, 2));
        }
        if random.chance(150) {
            agent.rate = random.chance(500).then(|| (random.within(1, 4), random.chance(500)));
        }
        if random.chance(200) {
            agent.account = random.chance(500).then(|| random.below(2));
        }
        if random.chance(300) {
            agent.fallback = all.into_iter().filter(|_| random.chance(500)).collect();
        }
    }
    if random.chance(250) && draft.agents.len() < AGENTS_MAX {
        let fallback = at_hand(&draft.agents).into_iter().filter(|_| random.chance(300)).collect();
        draft.agents.push(AgentDraft { fallback, ..AgentDraft::default() });
    }
    let all = at_hand(&draft.agents);
    for (number, agent) in (0..).zip(&mut draft.agents) {
        agent.fallback.retain(|other| *other != number && all.contains(other));
    }
    for task in &mut draft.tasks {
        let Work::Prompt(who) = &mut task.work else { continue };
        let gone = match who {
            Who::One(agent) => !all.contains(agent),
            Who::Given(_) => false,
            Who::Several(agents, _) | Who::InTurn(agents) => {
                agents.retain(|agent| all.contains(agent));
                agents.is_empty()
            }
        };
        if gone || random.chance(100) {
            *who = Who::One(random.pick(&all));
        }
    }
}

fn change(random: &mut Random, task: &mut TaskDraft, labels: &[u32]) {
    if random.chance(150) {
        task.optional = !task.optional;
    }
    if random.chance(150) && matches!(task.work, Work::Shell | Work::Argv | Work::Prompt(_)) {
        task.priority = random.pick(&[-100, 0, 1, 100]);
    }
    let earlier: Vec<u32> =
        labels.iter().copied().filter(|label| *label < task.label && !task.needs.contains(label)).collect();
    if random.chance(150) && !earlier.is_empty() {
        task.needs.push(random.pick(&earlier));
    }
    if random.chance(150) {
        task.when = match (random.below(4), task.when.take()) {
            (0, _) => None,
            // What is no condition would be one.
            (1, Some(when)) if !matches!(when, When::Wrong(_)) => Some(When::Not(Box::new(when))),
            (2, _) if !task.needs.is_empty() => {
                let ends = [EndName::Succeeded, EndName::Skipped, EndName::Dead];
                Some(When::Is(random.pick(&task.needs), random.pick(&ends)))
            }
            _ => Some(When::Flag),
        };
    }
    if random.chance(100) && !task.needs.is_empty() {
        task.join = random.below(u32::try_from(task.needs.len()).expect("few") + 1);
        task.cancel_rest &= task.join > 0;
    }
    let mut named = named(task);
    named.extend(plans::read_of(task));
    let spare: Vec<u32> = task.needs.iter().copied().filter(|need| !named.contains(need)).collect();
    if random.chance(200) && !spare.is_empty() {
        let gone = random.pick(&spare);
        task.needs.retain(|need| *need != gone);
        task.join = task.join.min(u32::try_from(task.needs.len()).expect("few"));
        task.cancel_rest &= task.join > 0;
    }
}

/// The tasks that its texts and its wait name, whatever of them.
fn named(task: &TaskDraft) -> Vec<u32> {
    let mut named: Vec<u32> = task.refs.iter().filter_map(|name| name.task()).collect();
    let mut conditions: Vec<&When> = task.when.iter().collect();
    match &task.work {
        Work::Approval { show } => named.extend(show),
        Work::Wait(Await::Topic(Listen { since, .. })) => named.extend(*since),
        Work::Plan(within) => conditions.extend(&within.flag),
        Work::Shell | Work::Argv | Work::Prompt(_) | Work::Emit(_) | Work::Wait(_) => {}
    }
    for when in conditions {
        when.names(&mut named);
    }
    named
}

fn new(random: &mut Random, label: u32, labels: &[u32], agents: &[u32]) -> TaskDraft {
    let needs: Vec<u32> = labels.iter().copied().filter(|_| random.chance(200)).take(3).collect();
    let refs = needs.iter().copied().filter(|_| random.chance(300)).map(Ref::State).collect();
    let work = match random.below(4) {
        0 if !agents.is_empty() => Work::Prompt(Who::One(random.pick(agents))),
        1 => Work::Argv,
        _ => Work::Shell,
    };
    let each = random.chance(200).then(|| Each { from: From::Literal(random.below(3)), max_parallel: None });
    let join = u32::from(!needs.is_empty() && random.chance(400));
    TaskDraft { label, needs, refs, work, each, join, optional: random.chance(200), ..TaskDraft::default() }
}

impl ORun {
    /// The run goes on by another plan: tasks of the same name are the same, others come or are left out.
    pub(crate) fn revise(&mut self, scope: OScope) {
        let number = self.scopes.len();
        let plan = std::sync::Arc::clone(&scope.plan);
        let is_own = |run: &Self, ix: usize| run.scopes[run.tasks[ix].scope].is_own;
        let own: Vec<usize> = (0..self.tasks.len()).filter(|ix| is_own(self, *ix)).collect();
        let nodes: Vec<usize> = own.iter().map(|ix| self.node(&self.tasks[*ix])).collect();
        let place = |plan: &Plan, run: &Self, node: usize| {
            plan.tasks.iter().position(|task| task.id == run.tasks[node].id)
        };
        let places: Vec<Option<usize>> = nodes.iter().map(|node| place(&plan, self, *node)).collect();
        let mut left_out = Vec::new();
        for (ix, place) in own.into_iter().zip(places) {
            match place {
                Some(spec) => {
                    let drafted = scope.drafted(spec);
                    self.change(ix, &scope, drafted);
                    let task = &mut self.tasks[ix];
                    (task.scope, task.spec, task.drafted) = (number, spec, drafted);
                    task.is_left_out = false;
                }
                None if self.tasks[ix].is_left_out => {}
                None => left_out.push(ix),
            }
        }
        self.scopes.push(scope);
        for (spec, task) in plan.tasks.iter().enumerate() {
            let ix = if let Some(known) = self.names.get(&task.id) {
                *known
            } else {
                let drafted = self.scopes[number].drafted(spec);
                self.bear(OTask { drafted, ..OTask::new(task.id.clone(), number, spec) })
            };
            self.scopes[number].nodes.push(ix);
        }
        for ix in left_out {
            self.tasks[ix].is_left_out = true;
            for member in self.family(ix) {
                let task = &mut self.tasks[member];
                task.life.cancel_wished |= task.end.is_none();
                task.life.spared_for = None;
            }
        }
        self.forget_the_retired();
        for ix in 0..self.tasks.len() {
            // What needs it now may have gone on without it: whether it comes back is not foreseen, later neither.
            self.tasks[ix].life.is_asked_anew &= !self.is_needed(ix);
            let task = &self.tasks[ix];
            if task.is_node() && !task.life.began && joins::standing(self, task) != Standing::Met {
                let life = &mut self.tasks[ix].life;
                (life.held, life.rest_known, life.ready_at) = (false, false, None);
            }
        }
    }
    /// Whether a task needs this one.
    fn is_needed(&self, ix: usize) -> bool {
        self.tasks.iter().any(|other| other.is_node() && self.needs(other).any(|need| need == ix))
    }

    /// A task of the plan has another text.
    fn change(&mut self, ix: usize, scope: &OScope, drafted: usize) {
        let (task, new) = (&self.tasks[ix], scope.draft_at(drafted));
        let old = self.draft(task);
        let is_asked = task.is_node() && old.when != new.when;
        let (was_asked, is_redrawn) = (is_asked && old.when.is_some(), old.work != new.work);
        let life = &mut self.tasks[ix].life;
        life.held &= !is_asked;
        let end = self.tasks[ix].end;
        self.tasks[ix].life.is_asked_anew |= was_asked && end == Some(End::WhenFalse);
        if is_redrawn {
            self.last_turns.remove(&ix);
        }
    }

    /// Who took over and is gone has handed its tasks back.
    fn forget_the_retired(&mut self) {
        for ix in 0..self.tasks.len() {
            let task = &self.tasks[ix];
            let is_gone = |agent: &u32| self.agent(task, *agent).retired;
            if task.life.handed_to.as_ref().is_some_and(is_gone) {
                self.tasks[ix].life.handed_to = None;
            }
            self.tasks[ix].life.named = None;
        }
    }
}
