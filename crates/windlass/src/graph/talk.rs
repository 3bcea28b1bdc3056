//! Who wakes whom by messages: the arrows of a picture that are no needs. Never: more of them than can be told apart.

use std::collections::BTreeMap;

use windlass_core::plan::{Plan, Task, WaitFor, Work};

use super::model::Graph;

/// Up to how many arrows of one topic are drawn; of more there are only the words in the boxes.
const ARROWS_MAX: usize = 24;

/// An arrow: who emits, and who waits, as places in [`Graph::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Talk<'g> {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) topic: &'g str,
}

/// All arrows of messages, in the order of topics and then of the plan.
pub(crate) fn arrows(graph: &Graph) -> Vec<Talk<'_>> {
    let mut topics: BTreeMap<&str, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for (place, node) in graph.nodes.iter().enumerate() {
        node.emits.iter().for_each(|topic| topics.entry(topic).or_default().0.push(place));
        node.hears.iter().for_each(|topic| topics.entry(topic).or_default().1.push(place));
    }
    let mut arrows = Vec::new();
    for (topic, (from, to)) in topics {
        if from.len() * to.len() > ARROWS_MAX {
            continue;
        }
        for to in to {
            let others = from.iter().copied().filter(|from| *from != to);
            arrows.extend(others.map(|from| Talk { from, to, topic }));
        }
    }
    arrows
}

/// The topics that a task, or a task of the plan that it is, waits for.
pub(crate) fn heard_by(task: &Task) -> Vec<String> {
    let mut topics = match &task.work {
        Work::Wait(WaitFor::Topic { topic, .. }) => vec![topic.clone()],
        Work::Plan(sub) => heard_within(&sub.plan),
        Work::Wait(WaitFor::After(_) | WaitFor::At(_))
        | Work::Emit { .. }
        | Work::Prompt { .. }
        | Work::Argv(_)
        | Work::Shell(_)
        | Work::Approval { .. } => Vec::new(),
    };
    topics.sort();
    topics.dedup();
    topics
}

fn heard_within(plan: &Plan) -> Vec<String> {
    plan.tasks.iter().flat_map(heard_by).collect()
}
