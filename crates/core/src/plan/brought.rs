//! A plan that an attempt brings, as the one task of a plan around it: so it is to its run what a sub-plan of a file is.
//! Never: whether it may be brought (`decide/nests.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Plan, SubPlan, Task, Work};

/// The plan around one that comes from `source`. It has its inputs already; its budget is that of the task.
pub(crate) fn around(plan: &Arc<Plan>, source: &str) -> Plan {
    let (types, inputs) = (BTreeMap::new(), BTreeMap::new());
    let work = Work::Plan(SubPlan { file: source.to_owned(), plan: Arc::clone(plan), types, inputs });
    let id = "plan".parse().expect("it is a name");
    let task = Task { budget: plan.budget, ..Task::plain(id, work) };
    Plan {
        goal: plan.goal.clone(),
        agents: BTreeMap::new(),
        retired: BTreeSet::new(),
        limits: plan.limits,
        budget: super::Budget::default(),
        weight: 1,
        concurrency: None,
        nested: false,
        inputs: BTreeMap::new(),
        dir: plan.dir.clone(),
        tasks: vec![task],
    }
}
