//! The topics of a run: what was said, who waits, and from where on each waiter listens. Never: whether a message
//! matches (`waits.rs` looks at it).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::{Event, Record};
use crate::id::Seq;
use crate::plan::{Plan, WaitFor, Work};
use crate::state::{Look, Run, TaskIx};
use crate::transition::Fresh;

/// The topics of a run.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Topics {
    by_name: BTreeMap<String, Topic>,
    /// How many tasks are blocked on a topic.
    held: u32,
    /// How many of them may be woken from outside the run.
    external: u32,
    /// The message that each waiter took last.
    taken: BTreeMap<TaskIx, Seq>,
    /// The tasks after whose success somebody listens, each with the record by which it ended.
    ends: BTreeMap<TaskIx, Option<Seq>>,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Topic {
    /// What was said, in order.
    pub(crate) messages: Vec<Message>,
    /// The tasks that are blocked on it.
    pub(crate) waiters: BTreeSet<TaskIx>,
}

/// What was said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Message {
    /// The record that says it.
    pub(crate) seq: Seq,
    /// Who said it.
    pub(crate) from: TaskIx,
    /// What it says.
    pub(crate) data: Value,
}

impl Topics {
    /// How many tasks are blocked on a topic.
    pub(crate) fn held(&self) -> u32 {
        self.held
    }

    /// Whether a task waits for what may come from outside the run.
    pub(crate) fn awaits_others(&self) -> bool {
        self.external > 0
    }

    /// A topic that a task of the run waits for or has emitted.
    pub(crate) fn named(&self, name: &str) -> Option<&Topic> {
        self.by_name.get(name)
    }

    /// Notes after whose success the tasks of a plan listen; its first task stands at this place.
    pub(crate) fn listen(&mut self, plan: &Plan, first: usize) {
        for task in &plan.tasks {
            if let Work::Wait(WaitFor::Topic { since: Some(place), .. }) = task.work {
                self.ends.insert(TaskIx::from_len(first + place), None);
            }
        }
    }

    /// A task has ended, or goes on after all.
    pub(crate) fn note_end(&mut self, ix: TaskIx, at: Option<Seq>) {
        if let Some(end) = self.ends.get_mut(&ix) {
            *end = at;
        }
    }
}

impl Run {
    /// What a task waits for, and whether others than tasks of the run may say it; none where it waits for no topic.
    fn listens_to(&self, ix: TaskIx) -> Option<(String, bool)> {
        let Work::Wait(WaitFor::Topic { topic, external, .. }) = &self.spec(self.task(ix)).work else {
            return None;
        };
        Some((topic.clone(), *external))
    }

    /// A task is blocked on its topic.
    pub(crate) fn begin_listening(&mut self, ix: TaskIx) {
        let Some((topic, external)) = self.listens_to(ix) else { return };
        self.topics.by_name.entry(topic).or_default().waiters.insert(ix);
        self.topics.held += 1;
        self.topics.external += u32::from(external);
    }

    /// A task is no longer blocked on its topic.
    pub(crate) fn end_listening(&mut self, ix: TaskIx) {
        let Some((topic, external)) = self.listens_to(ix) else { return };
        self.topics.by_name.entry(topic).or_default().waiters.remove(&ix);
        self.topics.held -= 1;
        self.topics.external -= u32::from(external);
    }

    /// All tasks that are blocked on a topic.
    pub(crate) fn listeners(&self) -> impl Iterator<Item = TaskIx> {
        self.topics.by_name.values().flat_map(|topic| &topic.waiters).copied()
    }

    /// The record behind which the messages begin that count for a task; none while none counts.
    pub(crate) fn listens_from(&self, ix: TaskIx) -> Option<Seq> {
        let task = self.task(ix);
        let spec = self.spec(task);
        let Work::Wait(WaitFor::Topic { since, .. }) = &spec.work else { return None };
        let since = match since {
            Some(place) => self.topics.ends.get(&self.beside(task, *place)).copied().flatten()?,
            None => Seq(0),
        };
        let taken = |ix: TaskIx| self.topics.taken.get(&ix).copied().unwrap_or_default();
        // The rounds of a task are one waiter: each goes on behind what the one before took.
        let before = spec.repeat.as_ref().and_then(|_| self.round_before(task));
        let before = before.map(|round| taken(self.names[&round.id])).unwrap_or_default();
        Some(since.max(taken(ix)).max(before))
    }

    /// What the events of topics change. False where the event is none of those.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other events of a task are taken apart in `evolve.rs`"
    )]
    pub(crate) fn evolve_topic(&mut self, ix: TaskIx, record: &Record, fresh: &mut Fresh) -> bool {
        match &record.event {
            Event::TopicEmitted { topic, data, .. } => {
                let topic = self.topics.by_name.entry(topic.clone()).or_default();
                let message = topic.messages.len();
                topic.messages.push(Message { seq: record.seq, from: ix, data: data.clone() });
                let look = |waiter: &TaskIx| Look::Message { run: self.id, waiter: *waiter, message };
                fresh.extend(topic.waiters.iter().map(look));
            }
            Event::WaitSatisfied { message, .. } => {
                self.topics.taken.insert(ix, *message);
            }
            _ => return false,
        }
        true
    }
}
