//! Other plans for runs that are under way, at random: tasks that are new, left out, changed. They follow from the plan that
//! a run has and a number alone. Never: a plan that the loader refuses.

use windlass_core::plan::Plan;

use crate::draft::{Each, From, PlanDraft, Ref, TaskDraft, When, Work};
use crate::invariants::joins::{self, Standing};
use crate::oracle::{ORun, OTask};
use crate::plans;
use crate::random::Random;
use crate::scope::OScope;
use crate::talk::{Await, Listen};

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
    if random.chance(600) {
        let fresh = draft.tasks.iter().map(|task| task.label).max().unwrap_or(0) + 1;
        for label in fresh..=fresh + random.below(2) {
            let agents = u32::try_from(draft.agents.len()).expect("few");
            let task = new(&mut random, label, &labels, agents);
            revised.tasks.push(task);
        }
    }
    let fitting = |most: u32| most.max(u32::try_from(revised.tasks.len()).expect("few"));
    revised.tasks_max = revised.tasks_max.map(fitting);
    revised.fan_out = revised.fan_out.map(|most| most.max(2));
    revised.depth = revised.depth.map(|most| most.max(2));
    revised
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

fn new(random: &mut Random, label: u32, labels: &[u32], agents: u32) -> TaskDraft {
    let needs: Vec<u32> = labels.iter().copied().filter(|_| random.chance(200)).take(3).collect();
    let refs = needs.iter().copied().filter(|_| random.chance(300)).map(Ref::State).collect();
    let work = match random.below(4) {
        0 if agents > 0 => Work::Prompt(crate::draft::Who::One(random.below(agents))),
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
        for ix in 0..self.tasks.len() {
            let task = &self.tasks[ix];
            if task.is_node() && !task.life.began && joins::standing(self, task) != Standing::Met {
                let life = &mut self.tasks[ix].life;
                (life.held, life.rest_known, life.ready_at) = (false, false, None);
            }
        }
    }
}
