//! On which topics a run listens to others than its tasks. Never: waking a task whose plan does not say `external: true`.

use std::collections::BTreeSet;

use crate::plan::{Plan, WaitFor, Work};
use crate::state::Run;
use crate::template::nearest;

/// How many topics are named to somebody who means another.
const TOPICS_NAMED: usize = 8;

/// The topics on which tasks of a plan, or of plans within it, listen to others than tasks of the run.
pub fn topics(plan: &Plan) -> BTreeSet<&str> {
    let mut topics = BTreeSet::new();
    listened_to(plan, &mut topics);
    topics
}

/// The same of a run: of its plan, and of those that attempts brought and that go on.
pub fn topics_of(run: &Run) -> BTreeSet<&str> {
    let mut into = topics(&run.plan);
    run.open_brought().for_each(|plan| listened_to(plan, &mut into));
    into
}

fn listened_to<'p>(plan: &'p Plan, into: &mut BTreeSet<&'p str>) {
    for task in plan.tasks.iter().filter(|task| !task.removed) {
        if let Work::Wait(WaitFor::Topic { topic, external: true, .. }) = &task.work {
            into.insert(topic);
        } else if let Work::Plan(within) = &task.work {
            listened_to(&within.plan, into);
        }
    }
}

/// What there is instead of a topic of which no task of a run hears from outside, in words; none where some task does.
pub fn unheard(run: &Run, topic: &str) -> Option<String> {
    let topics = topics_of(run);
    (!topics.contains(topic)).then(|| heard(topic, &topics))
}

fn heard(topic: &str, topics: &BTreeSet<&str>) -> String {
    if let Some(near) = nearest(topic, topics.iter().copied()) {
        return format!("did you mean `{near}`?");
    }
    let named: Vec<String> = topics.iter().take(TOPICS_NAMED).map(|topic| format!("`{topic}`")).collect();
    match topics.len() {
        0 => "none of its waits says `external: true`".to_owned(),
        all if all > named.len() => {
            format!("tasks wait on {} and {} others", named.join(", "), all - named.len())
        }
        _ => format!("tasks wait on {}", named.join(", ")),
    }
}
