//! Pictures of more boxes than can be read: the tasks of a step become one box. Never: a box that hides a failure.

use windlass_core::machine::task::Phase;
use windlass_core::plan::{Join, graph};

use super::model::{Children, Graph, Kind, Node, Progress};

/// Which phase a box of several tasks has: that of one of them, the first in this list.
const WORST: [Phase; 13] = [
    Phase::Dead,
    Phase::Cancelled,
    Phase::Blocked,
    Phase::Stopping,
    Phase::Running,
    Phase::Gating,
    Phase::Expanded,
    Phase::Parked,
    Phase::BackingOff,
    Phase::Ready,
    Phase::Waiting,
    Phase::Succeeded,
    Phase::Skipped,
];

/// How many tasks a box of several names.
const NAMED_MAX: usize = 3;

/// The graph with a box for each step. Each needs the one before; longer needs are in none of them.
pub(crate) fn by_steps(whole: &Graph) -> Graph {
    let needs: Vec<Vec<usize>> = whole.nodes.iter().map(|node| node.needs.clone()).collect();
    let levels = graph::levels(&needs);
    let mut level_of = vec![0; whole.nodes.len()];
    for (level, places) in levels.iter().enumerate() {
        for place in places {
            level_of[*place] = level;
        }
    }
    let nodes = levels.iter().enumerate().map(|(level, places)| {
        let members: Vec<&Node> = places.iter().map(|place| &whole.nodes[*place]).collect();
        step(level, &members)
    });
    let mut path: Vec<usize> = whole.path.nodes.iter().map(|place| level_of[*place]).collect();
    path.dedup();
    let mut folded = Graph { nodes: nodes.collect(), ..whole.clone() };
    folded.path.nodes = path;
    folded
}

fn step(level: usize, members: &[&Node]) -> Node {
    if let [only] = members {
        return Node {
            needs: level.checked_sub(1).into_iter().collect(),
            join: Join::All,
            ..(*only).clone()
        };
    }
    let names: Vec<&str> = members.iter().take(NAMED_MAX).map(|node| node.id.as_str()).collect();
    let more = members.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let progress: Vec<&Progress> = members.iter().filter_map(|node| node.progress.as_ref()).collect();
    let worst = WORST.into_iter().find(|phase| progress.iter().any(|progress| progress.state == *phase));
    let failed = progress.iter().filter(|progress| progress.state == Phase::Dead);
    let children = Children {
        total: members.len(),
        done: progress.iter().filter(|progress| progress.state.is_final()).count(),
        failed: failed.count(),
        shown: Vec::new(),
    };
    Node {
        id: format!("step {}: {} tasks", level + 1, members.len()),
        kind: Kind::Fold,
        does: format!("{}{more}", names.join(", ")),
        needs: level.checked_sub(1).into_iter().collect(),
        join: Join::All,
        for_each: false,
        repeat: None,
        replicas: None,
        when: None,
        optional: members.iter().all(|node| node.optional),
        emits: Vec::new(),
        hears: Vec::new(),
        progress: worst.map(|state| Progress {
            state,
            attempts: progress.iter().map(|progress| progress.attempts).sum(),
            took: None,
            children: Some(children),
        }),
    }
}
