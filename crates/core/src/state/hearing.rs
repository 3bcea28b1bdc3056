//! Which of the messages on a topic count for a task that waits, and which nobody can judge: those count for none, since
//! whoever says something odd must not end those who wait for something else. Never: waking anybody.

use serde::Serialize;
use serde_json::Value;

use crate::failure::Failure;
use crate::id::{Seq, TaskId};
use crate::machine::task::Phase;
use crate::plan::{WaitFor, Work};
use crate::state::render::View;
use crate::state::topics::Message;
use crate::state::{Blocked, Run, TaskIx};

/// The messages that came for a task and that its `match` could not judge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unjudged {
    /// How many they are.
    pub count: usize,
    /// The newest, by its place in the journal.
    pub newest: Seq,
    /// Why that could not be judged.
    pub why: String,
}

impl Unjudged {
    /// What there is to say of them.
    pub fn in_words(&self) -> String {
        let Self { count, newest, why } = self;
        match count {
            1 => format!("1 message (seq {newest}) could not be judged: {why}"),
            more => format!("{more} messages could not be judged, the newest (seq {newest}): {why}"),
        }
    }
}

impl Run {
    /// An error where nobody can tell of any message whether a task waits for it, whatever that says.
    pub(crate) fn can_judge(&self, ix: TaskIx) -> Result<(), Failure> {
        let Work::Wait(WaitFor::Topic { matches: Some(matches), .. }) = &self.spec(self.task(ix)).work else {
            return Ok(());
        };
        matches.judges_messages(&View::of(self, ix))
    }

    /// What was said so far on the topic that a task waits for, and counts for it by when it was said.
    pub(crate) fn messages_in_time(&self, ix: TaskIx) -> &[Message] {
        let Some(from) = self.listens_from(ix) else { return &[] };
        let messages = self.messages(ix);
        &messages[messages.partition_point(|message| message.seq <= from)..]
    }

    /// Whether a message is one that a task waits for; an error where nobody can tell.
    pub(crate) fn heeds(&self, ix: TaskIx, data: &Value) -> Result<bool, Failure> {
        let Work::Wait(WaitFor::Topic { matches: Some(matches), .. }) = &self.spec(self.task(ix)).work else {
            return Ok(true);
        };
        matches.truth(&View::of(self, ix).with_message(data))
    }

    /// The messages for a task that waits, which it passes over since nobody can tell whether they match.
    pub fn unjudged(&self, ix: TaskIx) -> Option<Unjudged> {
        let is_meant = |message: &&Message| message.from.is_some() || self.is_external(ix);
        let messages = self.messages_in_time(ix).iter().filter(is_meant);
        let odd = messages.filter_map(|message| Some((message.seq, self.heeds(ix, &message.data).err()?)));
        let (count, last) = odd.fold((0, None), |(count, _), last| (count + 1, Some(last)));
        last.map(|(newest, failure)| Unjudged { count, newest, why: failure.message })
    }

    /// The tasks that wait for what may come from outside, and can't judge this message, each with the reason: those for
    /// which it counts.
    pub fn puzzled_by(&self, message: Seq, topic: &str) -> Vec<(TaskId, String)> {
        let Some(topic) = self.topics.named(topic) else { return Vec::new() };
        let waits = |ix: &&TaskIx| {
            let task = self.task(**ix);
            task.phase == Phase::Blocked && task.blocked == Some(Blocked::Topic) && self.is_external(**ix)
        };
        let why = |ix: &TaskIx| {
            let said = self.messages_in_time(*ix).iter().rfind(|said| said.seq == message)?;
            Some((self.task(*ix).id.clone(), self.heeds(*ix, &said.data).err()?.message))
        };
        topic.waiters.iter().filter(waits).filter_map(why).collect()
    }
}
