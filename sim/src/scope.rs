//! Where a task of a run is written: the run's own plan, or that of a task; what stands beside it there, and what it sees
//! of the plans around. Never: what a task comes to.

use std::sync::Arc;

use windlass_core::id::{AgentName, TaskId};
use windlass_core::plan::{self, Plan};

use crate::draft::{self, AgentDraft, PlanDraft, TaskDraft, Within, Work};
use crate::meaning;
use crate::oracle::{ORun, OTask};

/// A plan whose tasks are there.
pub(crate) struct OScope {
    /// The places of its tasks, in the order of the plan.
    pub(crate) nodes: Vec<usize>,
    /// Whether it is the run's own, as it was or is.
    pub(crate) is_own: bool,
    pub(crate) plan: Arc<Plan>,
    draft: Arc<PlanDraft>,
    /// The value of its input.
    pub(crate) flag: bool,
    /// The agents that its tasks can name, by number: its own, and behind them those around it.
    pub(crate) agents: Vec<AgentDraft>,
}

impl OScope {
    /// Where the draft stands of the task at a place of the plan.
    pub(crate) fn drafted(&self, spec: usize) -> usize {
        let label = draft::label(&self.plan.tasks[spec].id);
        self.draft.tasks.iter().position(|task| task.label == label).expect("it was drafted")
    }

    /// The draft at a place.
    pub(crate) fn draft_at(&self, drafted: usize) -> &TaskDraft {
        &self.draft.tasks[drafted]
    }

    /// The run's own.
    pub(crate) fn of_run(plan: &Arc<Plan>, draft: &Arc<PlanDraft>) -> Self {
        let (flag, agents) = (draft.flag, draft.agents.clone());
        let (plan, draft) = (Arc::clone(plan), Arc::clone(draft));
        Self { nodes: Vec::new(), is_own: true, plan, draft, flag, agents }
    }
}

impl OScope {
    /// A plan that an attempt brought, as the one task of a plan.
    pub(crate) fn around(brought: &PlanDraft) -> Self {
        // Its budget is that of the task.
        let (attempts_max, wall_ms_max) = (brought.attempts_max, brought.wall_ms_max);
        let plan = PlanDraft { attempts_max: None, wall_ms_max: None, ..brought.clone() };
        let work = Work::Plan(Within { plan: Box::new(plan), flag: None });
        let task = TaskDraft { work, attempts_max, wall_ms_max, ..TaskDraft::default() };
        let draft = PlanDraft { tasks: vec![task], depth: Some(9), ..PlanDraft::default() };
        let plan = draft.load().unwrap_or_else(|why| panic!("a plan around one is refused: {why}"));
        let (flag, agents) = (draft.flag, Vec::new());
        Self { nodes: Vec::new(), is_own: false, plan: Arc::new(plan), draft: Arc::new(draft), flag, agents }
    }
}

/// The agents that the tasks of a plan can name: its own, and behind them those around it.
fn seen(draft: &PlanDraft, around: &[AgentDraft]) -> Vec<AgentDraft> {
    draft.agents.iter().chain(around.iter().skip(draft.agents.len())).cloned().collect()
}

/// The accounts for which a plan, or one within it, names a rate, with how many starts that looks at.
pub(crate) fn rated(plan: &Plan, draft: &PlanDraft, around: &[AgentDraft]) -> Vec<(String, u32)> {
    let agents = seen(draft, around);
    let is_known = |number: &u32| plan.agents.contains_key(&AgentName(format!("a{number}").into()));
    let known = (0..).zip(&agents).filter(|(number, _)| is_known(number));
    let named = |(number, agent): (u32, &AgentDraft)| Some((account(number, agent), agent.rate?.0));
    let mut rated: Vec<(String, u32)> = known.filter_map(named).collect();
    for (spec, task) in plan.tasks.iter().map(|spec| (spec, draft.labelled(draft::label(&spec.id)))) {
        if let (Some(plan), Some(draft)) = (spec.work.sub_plan(), task.work.plan()) {
            rated.extend(self::rated(plan, draft, &agents));
        }
    }
    rated
}

/// The name of an agent's account.
pub(crate) fn account(number: u32, agent: &AgentDraft) -> String {
    agent.account.map_or_else(|| format!("a{number}"), |account| format!("x{account}"))
}

impl ORun {
    /// The plan that a task is written in.
    pub(crate) fn scope(&self, task: &OTask) -> &OScope {
        &self.scopes[task.scope]
    }

    /// The plan that a task is, whose tasks are about to come.
    pub(crate) fn scope_within(&self, task: &OTask) -> OScope {
        let around = self.scope(task);
        let (plan::Work::Plan(sub), Work::Plan(within)) = (&self.spec(task).work, &self.draft(task).work)
        else {
            unreachable!("it is a plan")
        };
        let agents = seen(&within.plan, &around.agents);
        OScope {
            nodes: Vec::new(),
            is_own: false,
            plan: Arc::clone(&sub.plan),
            draft: Arc::new(within.plan.as_ref().clone()),
            flag: meaning::flag_within(self, task).unwrap_or_default(),
            agents,
        }
    }

    pub(crate) fn spec(&self, task: &OTask) -> &plan::Task {
        &self.scope(task).plan.tasks[task.spec]
    }

    pub(crate) fn draft(&self, task: &OTask) -> &TaskDraft {
        &self.scope(task).draft.tasks[task.drafted]
    }

    /// The node of a plan for which a task stands: itself, or what it is a child of.
    pub(crate) fn node(&self, task: &OTask) -> usize {
        self.scope(task).nodes[task.spec]
    }

    /// The tasks that a task waits for.
    pub(crate) fn needs(&self, task: &OTask) -> impl Iterator<Item = usize> {
        let nodes = &self.scope(task).nodes;
        self.spec(task).needs.iter().map(|need| nodes[*need])
    }

    /// The task with this label in the plan that a task is written in.
    pub(crate) fn beside(&self, task: &OTask, label: u32) -> Option<&OTask> {
        let scope = self.scope(task);
        let mut nodes = scope.nodes.iter().map(|ix| &self.tasks[*ix]);
        nodes.find(|node| draft::label(&node.id) == label)
    }

    /// Whether a task can name an agent of this number.
    pub(crate) fn knows_agent(&self, task: &OTask, number: u32) -> bool {
        let agents = &self.scope(task).agents;
        let agent = usize::try_from(number).ok().and_then(|number| agents.get(number));
        agent.is_some_and(|agent| !agent.retired)
    }

    /// The agent of this number that a task can name.
    pub(crate) fn agent(&self, task: &OTask, number: u32) -> &AgentDraft {
        &self.scope(task).agents[usize::try_from(number).expect("32 bits fit")]
    }

    pub(crate) fn task(&self, id: &TaskId) -> Option<&OTask> {
        self.names.get(id).map(|ix| &self.tasks[*ix])
    }
}

impl OTask {
    /// Whether it is a node of a plan, and not one of several children that stand for one.
    pub(crate) const fn is_node(&self) -> bool {
        self.layer == 0
    }
}
