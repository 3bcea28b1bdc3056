//! What is said and heard: who emits, who waits, and which messages have come. Never: whether a message matches
//! (`state/hearing.rs` looks at it).

use serde_json::Value;

use crate::event::{Event, Record};
use crate::id::{RunId, Seq};
use crate::machine::task::Phase;
use crate::plan::{WaitFor, Work};
use crate::state::topics::{self, Message};
use crate::state::{Fresh, Look, Run, TaskIx};

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

    /// A message has come from outside the run.
    pub(crate) fn hear_from_outside(&mut self, topic: &str, data: &Value, seq: Seq, fresh: &mut Fresh) {
        self.topics.from_outside += topics::weight(data);
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

/// A look at who is left to emit a topic, unless that comes next anyway.
fn look_for_knots(run: RunId, topic: &str, fresh: &mut Fresh) {
    let look = Look::Topic { run, topic: topic.to_owned() };
    if fresh.back() != Some(&look) {
        fresh.push_back(look);
    }
}
