//! The topics of a run: what was said, who waits, and from where on each waiter listens. Never: whether a message
//! matches (`hearing.rs` looks at it).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{Seq, TaskId};
use crate::machine::task::Phase;
use crate::plan::{Plan, WaitFor, Work};
use crate::planted::{Bug, is_planted};
use crate::size;
use crate::state::queue::Rank;
use crate::state::tree::Form;
use crate::state::{Run, TaskIx};

/// The topics of a run.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Topics {
    pub(crate) by_name: BTreeMap<String, Topic>,
    /// How many tasks are blocked on a topic.
    pub(crate) listeners: u32,
    /// How many of them may be woken from outside the run.
    pub(crate) external: u32,
    /// How much was said from outside the run, in bytes.
    pub(crate) from_outside: usize,
    /// The message that each waiter took last.
    pub(crate) taken: BTreeMap<TaskIx, Seq>,
    /// The message with which the wait of a task is about to end: taken once that has ended.
    pub(crate) taking: BTreeMap<TaskIx, Seq>,
    /// The tasks after whose success somebody listens, each with the record by which it ended.
    pub(crate) ends: BTreeMap<TaskIx, Option<Seq>>,
}

/// A topic.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Topic {
    /// What was said, in order.
    pub(crate) messages: Vec<Message>,
    /// The tasks that are blocked on it.
    pub(crate) waiters: BTreeSet<TaskIx>,
    /// The unfinished tasks that may emit it: by themselves, or through children that they have not got yet.
    pub(crate) emitters: BTreeSet<TaskIx>,
    /// How many of them are about to start.
    pub(crate) going: u32,
    /// Whether there was ever a task that may emit it.
    pub(crate) had_emitters: bool,
}

/// What was said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Message {
    /// The record that says it.
    pub(crate) seq: Seq,
    /// The task that said it; none where it came from outside the run.
    pub(crate) from: Option<TaskIx>,
    /// What it says.
    pub(crate) data: Value,
}

impl Topics {
    /// How many tasks are blocked on a topic.
    pub(crate) fn listeners(&self) -> u32 {
        self.listeners
    }

    /// Whether a task waits for what may come from outside the run.
    pub(crate) fn awaits_others(&self) -> bool {
        self.external > 0
    }

    /// How much was said from outside the run, in bytes.
    pub(crate) fn bytes_from_outside(&self) -> usize {
        self.from_outside
    }

    /// The unfinished tasks that may emit a topic, by themselves or through children that they do not have yet.
    pub fn emitters(&self, topic: &str) -> impl Iterator<Item = TaskIx> + Clone {
        self.by_name.get(topic).into_iter().flat_map(|topic| &topic.emitters).copied()
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

    /// Whether it is known when a task ended, for those who listen from then on.
    pub(crate) fn knows_end_of(&self, ix: TaskIx) -> bool {
        self.ends.contains_key(&ix)
    }

    /// A task has ended, or goes on after all.
    pub(crate) fn note_end(&mut self, ix: TaskIx, at: Option<Seq>) {
        if let Some(end) = self.ends.get_mut(&ix) {
            *end = at;
        }
        let taken = self.taking.remove(&ix).map(|message| (ix, message));
        self.taken.extend(taken);
    }
}

/// What a message takes up beside what it says, in bytes.
const MESSAGE_BYTES: usize = 256;

/// How much room a message takes up, in bytes.
pub(crate) fn weight(data: &Value) -> usize {
    size::of(data) + MESSAGE_BYTES
}

impl Run {
    /// Whether a task whose plan emits may do so, or make children that do.
    pub(crate) fn may_emit(&self, ix: TaskIx) -> bool {
        let task = self.task(ix);
        match task.phase {
            Phase::Waiting | Phase::Ready => true,
            Phase::Expanded if self.form(task) == Form::Rounds => {
                let behind = u32::try_from(task.children.len()).expect("capped") - task.earlier_children;
                self.spec(task).repeat.as_ref().is_some_and(|repeat| behind < repeat.max)
            }
            Phase::Running
            | Phase::Stopping
            | Phase::Gating
            | Phase::Merging
            | Phase::BackingOff
            | Phase::Parked
            | Phase::Blocked
            | Phase::Expanded
            | Phase::Succeeded
            | Phase::Skipped
            | Phase::Dead
            | Phase::Cancelled => false,
        }
    }

    /// What was said on a topic by the record at this place.
    pub fn said_at(&self, topic: &str, message: Seq) -> Option<&Value> {
        let messages = &self.topics.by_name.get(topic)?.messages;
        let place = messages.binary_search_by_key(&message, |said| said.seq).ok()?;
        Some(&messages[place].data)
    }

    /// The tasks that took a message last, by its place in the journal.
    pub fn heard_by(&self, message: Seq) -> Vec<TaskId> {
        let took = self.topics.taken.iter().filter(|(_, taken)| **taken == message);
        took.map(|(ix, _)| self.task(*ix).id.clone()).collect()
    }

    /// The topic that a task waits for.
    pub(crate) fn topic_of(&self, ix: TaskIx) -> Option<&String> {
        self.listens_to(ix).map(|(topic, _)| topic)
    }

    /// Whether a task may be woken from outside the run.
    pub(crate) fn is_external(&self, ix: TaskIx) -> bool {
        self.listens_to(ix).is_some_and(|(_, external)| external)
    }

    /// What a task waits for, and whether others than tasks of the run may say it; none where it waits for no topic.
    pub(crate) fn listens_to(&self, ix: TaskIx) -> Option<(&String, bool)> {
        let Work::Wait(WaitFor::Topic { topic, external, .. }) = &self.spec(self.task(ix)).work else {
            return None;
        };
        Some((topic, *external))
    }

    /// The task without whose success no message counts for one that waits, while it has not succeeded.
    pub(crate) fn listens_after(&self, ix: TaskIx) -> Option<TaskIx> {
        let task = self.task(ix);
        let spec = self.spec(task);
        let Work::Wait(WaitFor::Topic { since: Some(place), .. }) = &spec.work else { return None };
        let since = self.beside(task, *place);
        Some(since).filter(|since| self.ending(*since).is_none_or(|ending| !ending.counts(spec.join)))
    }

    /// The record behind which the messages begin that count for a task; none while none counts.
    pub(crate) fn listens_from(&self, ix: TaskIx) -> Option<Seq> {
        let task = self.task(ix);
        let spec = self.spec(task);
        let Work::Wait(WaitFor::Topic { since, .. }) = &spec.work else { return None };
        let since = match since {
            Some(_) if self.listens_after(ix).is_some() => return None,
            Some(place) => self.topics.ends.get(&self.beside(task, *place)).copied().flatten()?,
            None => Seq(0),
        };
        let had = |ix: &TaskIx| self.topics.taken.get(ix).filter(|_| !is_planted(Bug::HeardTwice));
        let taken = |ix: TaskIx| had(&ix).copied().unwrap_or_default();
        // The rounds of a task are one waiter: each goes on behind what the one before took.
        let before = spec.repeat.as_ref().and_then(|_| self.round_before(task));
        let before = before.map(|round| taken(self.names[&round.id])).unwrap_or_default();
        Some(since.max(taken(ix)).max(before))
    }

    /// What a task that is about to emit has said since it became ready: the end of the journal lost that it succeeded.
    pub(crate) fn said_already(&self, ix: TaskIx) -> Option<&Message> {
        let task = self.task(ix);
        let Work::Emit { topic, .. } = &self.spec(task).work else { return None };
        let since = task.rank.map(Rank::since)?;
        let messages = self.topics.named(topic).map(|topic| topic.messages.as_slice()).unwrap_or_default();
        let late = messages.iter().rev().take_while(|message| message.seq > since);
        late.into_iter().find(|message| message.from == Some(ix))
    }

    /// What was said so far on the topic that a task waits for.
    pub(crate) fn messages(&self, ix: TaskIx) -> &[Message] {
        let Work::Wait(WaitFor::Topic { topic, .. }) = &self.spec(self.task(ix)).work else { return &[] };
        self.topics.named(topic).map_or(&[], |topic| &topic.messages)
    }
}
