//! A plan that an attempt brings, as the one task of a plan around it: so it is to its run what a sub-plan of a file is.
//! Never: whether it may be brought (`nests.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::layers::{RetryLayer, TimeoutLayer};
use super::{Join, Plan, Rerun, SubPlan, Task, Work, waits};

/// The plan around one that comes from `source`. It has its inputs already; its budget is that of the task.
pub(crate) fn around(plan: &Arc<Plan>, source: &str) -> Plan {
    let (types, inputs) = (BTreeMap::new(), BTreeMap::new());
    let work = Work::Plan(SubPlan { file: source.to_owned(), plan: Arc::clone(plan), types, inputs });
    let task = Task {
        id: "plan".parse().expect("it is a name"),
        emits: waits::emits(&work),
        work,
        needs: Vec::new(),
        join: Join::All,
        when: None,
        for_each: None,
        repeat: None,
        replicas: None,
        retry: RetryLayer::default().settle(false),
        timeout: TimeoutLayer::default().settle(false, false),
        rerun: Rerun::default(),
        optional: false,
        priority: 0,
        cancel_rest: false,
        output_schema: None,
        extracts: Vec::new(),
        env: BTreeMap::new(),
        pass: Vec::new(),
        dir: None,
        memory_bytes_max: None,
        budget: plan.budget,
        removed: false,
    };
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
