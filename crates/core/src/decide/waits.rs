//! What tasks come to that emit a message or wait for one. Nobody polls: a message is looked at by each waiter when it
//! comes, and what came before a waiter began is looked at when it begins. Never: a message that a waiter has taken
//! before.

use crate::decide::{Stamp, judge};
use crate::event::{BlockedOn, Event, TimerKind};
use crate::failure::{ErrorKind, Failure};
use crate::machine::task::Phase;
use crate::output::Output;
use crate::plan::{WaitFor, Work};
use crate::planted::{Bug, is_planted};
use crate::size;
use crate::state::render::View;
use crate::state::topics::Message;
use crate::state::{Blocked, Run, State, Task, TaskIx};
use crate::template;

/// What a message may say, in bytes of JSON.
pub(crate) const DATA_BYTES_MAX: usize = 64 * 1024;

/// A message, and with it the end of the task that emits it.
pub(crate) fn emit(run: &Run, ix: TaskIx) -> Vec<Event> {
    let task = run.task(ix);
    let Work::Emit { topic, data } = &run.spec(task).work else { unreachable!("it emits") };
    if let Some(said) = run.said_already(ix) {
        return vec![given(run, task, said.data.clone())];
    }
    let data = match template::evaluate_within(data, &View::of(run, ix)) {
        Ok(data) => data,
        Err(failure) => return vec![judge::dead(run, task, None, failure.within("emit.data"))],
    };
    let bytes = size::of(&data);
    if bytes > DATA_BYTES_MAX {
        let message = format!("its `data` is {bytes} bytes of JSON, over the {DATA_BYTES_MAX} that are kept");
        let failure = Failure::new(ErrorKind::InvalidOutput, message)
            .hint("let the message name what the others are to read themselves");
        return vec![judge::dead(run, task, None, failure)];
    }
    let (id, name) = (run.id, task.id.clone());
    let emitted = Event::TopicEmitted {
        run: id,
        task: Some(name),
        topic: topic.clone(),
        data: data.clone(),
        command: None,
        by: None,
    };
    vec![emitted, given(run, task, data)]
}

/// The beginning of a wait, or at once its end where a message has come already.
pub(crate) fn begin(run: &Run, ix: TaskIx, stamp: Stamp) -> Vec<Event> {
    let task = run.task(ix);
    if let Err(failure) = run.can_judge(ix) {
        return vec![judge::dead(run, task, None, failure)];
    }
    let events = listen(run, ix);
    if !events.is_empty() {
        return events;
    }
    let spec = run.spec(task);
    let Work::Wait(wait) = &spec.work else { unreachable!("it waits") };
    let (on, due, topic) = match wait {
        WaitFor::Topic { topic, .. } => {
            let due = spec.timeout.schedule_to_close.map(|bound| stamp.now.after(bound));
            (BlockedOn::Topic, due, Some(topic.clone()))
        }
        WaitFor::After(length) => (BlockedOn::Timer, Some(stamp.now.after(*length)), None),
        WaitFor::At(date) => (BlockedOn::Timer, Some(*date), None),
    };
    let (run, task) = (run.id, task.id.clone());
    vec![Event::TaskBlocked { run, task, on, error: None, due, output: None, topic }]
}

/// What follows when a task has waited long enough: another attempt, or the end of its wait.
pub(crate) fn time_is_up(run: &Run, ix: TaskIx) -> Vec<Event> {
    let task = run.task(ix);
    let fired = |timer| Event::TimerFired { run: run.id, task: task.id.clone(), timer };
    if task.blocked == Some(Blocked::Timer) {
        vec![fired(TimerKind::Moment), given(run, task, serde_json::Value::Null)]
    } else {
        vec![fired(TimerKind::Retry)]
    }
}

/// A look of a task that is blocked on its topic, at all that has come.
pub(crate) fn look(state: &State, run: &Run, ix: TaskIx) -> Vec<Event> {
    if hears(state, run, ix) { listen(run, ix) } else { Vec::new() }
}

/// A look of a task that is blocked on its topic, at one message.
pub(crate) fn look_at(state: &State, run: &Run, ix: TaskIx, message: usize) -> Vec<Event> {
    if !hears(state, run, ix) || is_planted(Bug::LostWakeUp) {
        return Vec::new();
    }
    let message = run.messages(ix).get(message);
    let counts = |message: &&Message| run.listens_from(ix).is_some_and(|from| message.seq > from);
    message.filter(counts).map(|message| take(run, ix, message)).unwrap_or_default()
}

/// Whether a task is blocked on its topic, and may go on.
fn hears(state: &State, run: &Run, ix: TaskIx) -> bool {
    let task = run.task(ix);
    let waits = task.phase == Phase::Blocked && task.blocked == Some(Blocked::Topic);
    waits && !task.cancel_wished && state.is_active(run)
}

/// The end of a wait by the first of the messages so far that matches; nothing where none does.
fn listen(run: &Run, ix: TaskIx) -> Vec<Event> {
    let mut ends = run.messages_in_time(ix).iter().map(|message| take(run, ix, message));
    ends.find(|events| !events.is_empty()).unwrap_or_default()
}

/// The end of a wait by a message, where that matches. One that nobody can judge does not.
fn take(run: &Run, ix: TaskIx, message: &Message) -> Vec<Event> {
    let task = run.task(ix);
    let Work::Wait(WaitFor::Topic { topic, external, .. }) = &run.spec(task).work else {
        unreachable!("it waits for a topic")
    };
    if message.from.is_none() && !external && !is_planted(Bug::OutsideHeard) {
        return Vec::new();
    }
    if run.heeds(ix, &message.data) != Ok(true) {
        return Vec::new();
    }
    let satisfied = Event::WaitSatisfied {
        run: run.id,
        task: task.id.clone(),
        topic: topic.clone(),
        message: message.seq,
        from: message.from.map(|ix| run.task(ix).id.clone()),
    };
    vec![satisfied, given(run, task, message.data.clone())]
}

/// The success of a task without attempts.
fn given(run: &Run, task: &Task, value: serde_json::Value) -> Event {
    let output = Some(Output { value, ..Output::default() });
    Event::TaskSucceeded {
        run: run.id,
        task: task.id.clone(),
        attempt: None,
        fence: None,
        output,
        commit: None,
    }
}

/// The failure of a task whose message did not come in time.
pub(crate) fn expired(run: &Run, task: &Task) -> Failure {
    let spec = run.spec(task);
    let bound = spec.timeout.schedule_to_close.unwrap_or_default();
    let topic = if let Work::Wait(WaitFor::Topic { topic, .. }) = &spec.work { topic } else { "" };
    let odd = unjudged(run, task);
    let message = format!("no message that it waits for came on the topic `{topic}` within {bound}{odd}");
    Failure::new(ErrorKind::Expired, message)
        .hint("give it more time with `timeout`; `windlass retry` waits anew")
}

/// What there is to say of messages that a task could not judge, behind why it is dead.
pub(crate) fn unjudged(run: &Run, task: &Task) -> String {
    let odd = run.unjudged(run.names[&task.id]);
    odd.map(|odd| format!("; {}", odd.in_words())).unwrap_or_default()
}
