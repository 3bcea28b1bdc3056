//! The topics of a run: what was said, who waits, and from where on each waiter listens. Never: whether a message
//! matches (`waits.rs` looks at it).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::{Event, Record};
use crate::id::{RunId, Seq, TaskId};
use crate::machine::task::Phase;
use crate::plan::{Plan, WaitFor, Work};
use crate::planted::{Bug, is_planted};
use crate::size;
use crate::state::tree::Form;
use crate::state::{Fresh, Look, Run, TaskIx};

/// The topics of a run.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Topics {
    by_name: BTreeMap<String, Topic>,
    /// How many tasks are blocked on a topic.
    listeners: u32,
    /// How many of them may be woken from outside the run.
    external: u32,
    /// How much was said from outside the run, in bytes.
    from_outside: usize,
    /// The message that each waiter took last.
    taken: BTreeMap<TaskIx, Seq>,
    /// The message with which the wait of a task is about to end: taken once that has ended.
    taking: BTreeMap<TaskIx, Seq>,
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

/// A look at who is left to emit a topic, unless that comes next anyway.
fn look_for_knots(run: RunId, topic: &str, fresh: &mut Fresh) {
    let look = Look::Topic { run, topic: topic.to_owned() };
    if fresh.back() != Some(&look) {
        fresh.push_back(look);
    }
}

impl Run {
    /// A task has come to the run.
    pub(crate) fn note_emitter(&mut self, ix: TaskIx) {
        if self.spec(self.task(ix)).emits.is_empty() {
            return;
        }
        for name in self.spec(self.task(ix)).emits.clone() {
            let topic = self.topics.by_name.entry(name).or_default();
            topic.emitters.insert(ix);
            topic.had_emitters = true;
        }
    }

    /// The plan has changed: who emits, and after whose success somebody listens.
    pub(crate) fn note_emitters_anew(&mut self) {
        for topic in self.topics.by_name.values_mut() {
            topic.emitters.clear();
            topic.going = 0;
        }
        for ix in (0..self.tasks.len()).map(TaskIx::from_len) {
            let (task, spec) = (self.task(ix), self.spec(self.task(ix)));
            let after = match &spec.work {
                Work::Wait(WaitFor::Topic { since, .. }) => since.map(|place| self.beside(task, place)),
                Work::Prompt { .. }
                | Work::Argv(_)
                | Work::Shell(_)
                | Work::Approval { .. }
                | Work::Plan(_)
                | Work::Emit { .. }
                | Work::Wait(WaitFor::After(_) | WaitFor::At(_)) => None,
            };
            let (is_left, is_ready) = (self.may_emit(ix), task.phase == Phase::Ready);
            for name in spec.emits.clone() {
                let topic = self.topics.by_name.entry(name).or_default();
                topic.had_emitters = true;
                topic.going += u32::from(is_ready);
                if is_left {
                    topic.emitters.insert(ix);
                }
            }
            if let Some(after) = after {
                self.topics.ends.entry(after).or_insert(None);
            }
        }
    }

    /// A task has moved: whether it may still emit, and is about to start.
    pub(crate) fn move_emitter(&mut self, ix: TaskIx, from: Phase, to: Phase, fresh: &mut Fresh) {
        if self.topics.by_name.is_empty() || self.spec(self.task(ix)).emits.is_empty() {
            return;
        }
        let is_left = self.may_emit(ix);
        for name in self.spec(self.task(ix)).emits.clone() {
            let topic = self.topics.by_name.entry(name.clone()).or_default();
            topic.going -= u32::from(from == Phase::Ready);
            topic.going += u32::from(to == Phase::Ready);
            let was_left = topic.emitters.contains(&ix);
            if is_left {
                topic.emitters.insert(ix);
            } else {
                topic.emitters.remove(&ix);
            }
            if was_left && !is_left && topic.going == 0 && !topic.waiters.is_empty() {
                look_for_knots(self.id, &name, fresh);
            }
        }
    }

    /// Whether a task whose plan emits may do so, or make children that do.
    fn may_emit(&self, ix: TaskIx) -> bool {
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

    /// Looks at all who are blocked on topics once more.
    pub(crate) fn look_at_topics(&self, fresh: &mut Fresh) {
        let waited_for = || self.topics.by_name.iter().filter(|(_, topic)| !topic.waiters.is_empty());
        let listeners = waited_for().flat_map(|(_, topic)| &topic.waiters);
        fresh.extend(listeners.map(|ix| Look::Task(self.id, *ix)));
        waited_for().for_each(|(name, _)| look_for_knots(self.id, name, fresh));
    }

    /// A task may have lost what would have woken it: one of several that would have been enough has ended in vain, or it
    /// waits once more.
    pub(crate) fn look_at_wakeable(&self, ix: TaskIx, fresh: &mut Fresh) {
        if self.topics.listeners > self.topics.external {
            fresh.push_back(Look::Wakeable { run: self.id, task: ix });
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
    fn listens_to(&self, ix: TaskIx) -> Option<(&String, bool)> {
        let Work::Wait(WaitFor::Topic { topic, external, .. }) = &self.spec(self.task(ix)).work else {
            return None;
        };
        Some((topic, *external))
    }

    /// A task is blocked on its topic.
    pub(crate) fn begin_listening(&mut self, ix: TaskIx) {
        let Some((topic, external)) = self.listens_to(ix) else { return };
        let name = topic.clone();
        self.topics.by_name.entry(name).or_default().waiters.insert(ix);
        self.topics.listeners += 1;
        self.topics.external += u32::from(external);
    }

    /// A task is no longer blocked on its topic.
    pub(crate) fn end_listening(&mut self, ix: TaskIx) {
        let Some((topic, external)) = self.listens_to(ix) else { return };
        let name = topic.clone();
        self.topics.by_name.entry(name).or_default().waiters.remove(&ix);
        self.topics.listeners -= 1;
        self.topics.external -= u32::from(external);
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
        let had = |ix: &TaskIx| self.topics.taken.get(ix).filter(|_| !is_planted(Bug::HeardTwice));
        let taken = |ix: TaskIx| had(&ix).copied().unwrap_or_default();
        // The rounds of a task are one waiter: each goes on behind what the one before took.
        let before = spec.repeat.as_ref().and_then(|_| self.round_before(task));
        let before = before.map(|round| taken(self.names[&round.id])).unwrap_or_default();
        Some(since.max(taken(ix)).max(before))
    }

    /// A message has come from outside the run.
    pub(crate) fn hear_from_outside(&mut self, topic: &str, data: &Value, seq: Seq, fresh: &mut Fresh) {
        self.topics.from_outside += weight(data);
        self.hear(topic, Message { seq, from: None, data: data.clone() }, fresh);
    }

    /// A message is kept, and each waiter is to look at it.
    fn hear(&mut self, topic: &str, message: Message, fresh: &mut Fresh) {
        let topic = self.topics.by_name.entry(topic.to_owned()).or_default();
        let place = topic.messages.len();
        topic.messages.push(message);
        let look = |waiter: &TaskIx| Look::Message { run: self.id, waiter: *waiter, message: place };
        fresh.extend(topic.waiters.iter().map(look));
    }

    /// What the events of topics change. False where the event is none of those.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the other events of a task are taken apart in `fold/mod.rs`"
    )]
    pub(crate) fn evolve_topic(&mut self, ix: TaskIx, record: &Record, fresh: &mut Fresh) -> bool {
        match &record.event {
            Event::TopicEmitted { topic, data, .. } => {
                self.hear(topic, Message { seq: record.seq, from: Some(ix), data: data.clone() }, fresh);
            }
            Event::WaitSatisfied { message, .. } => {
                self.topics.taking.insert(ix, *message);
            }
            _ => return false,
        }
        true
    }
}
