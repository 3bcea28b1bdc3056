//! 22, topics: each message reaches every waiter for which it counts, the first one first, and none of them twice; one that
//! can't be judged counts for none. What
//! nobody can wake any more ends, and nothing else ends so. Never: a wait for a person.

use serde_json::Value;
use windlass_core::event::{BlockedOn, Event, Record};
use windlass_core::failure::ErrorKind;
use windlass_core::state::State;

use crate::broken::{Verdict, demand};
use crate::draft::Work;
use crate::oracle::{ORun, OTask, Oracle};
use crate::talk::{self, Await, Heard, OMessage};

const NAME: &str = "22 topics";

pub(crate) fn of_record(oracle: &Oracle, _: &State, record: &Record) -> Verdict {
    if let Event::TopicEmitted { task: None, .. } = &record.event {
        return from_outside(oracle, &record.event);
    }
    let Some((_, run, task)) = oracle.at(&record.event) else { return Ok(()) };
    let (ix, id) = (run.names[&task.id], &task.id);
    let work = &run.draft(task).work;
    match &record.event {
        Event::TopicEmitted { topic, data, .. } => {
            let number = |emit: &talk::Emit| match emit.says {
                Some(number) => Some(u64::from(number)),
                None => talk::index(run, ix).map(|index| index as u64),
            };
            let right = matches!(work, Work::Emit(emit)
                if *topic == talk::topic(emit.topic) && data.as_u64() == number(emit));
            demand(right && task.end.is_none(), NAME, || format!("{id} emits {data} on {topic}"))
        }
        Event::WaitSatisfied { message, from, topic, .. } => {
            let heard = talk::heard(run, ix);
            let said_by = |first: &OMessage| first.from.map(|ix| run.tasks[ix].id.clone());
            let right = matches!(&heard, Heard::This(first)
                if first.seq == message.0 && said_by(first) == *from && first.topic == *topic);
            demand(right, NAME, || {
                format!("{id} hears message {message} of {from:?}, it is to hear {heard:?}")
            })
        }
        Event::TaskBlocked { on: BlockedOn::Topic, .. } => {
            let heard = talk::heard(run, ix);
            let right = talk::listens(run.draft(task)).is_some() && matches!(heard, Heard::Nothing);
            demand(right, NAME, || format!("{id} waits for a message, it is to hear {heard:?}"))
        }
        Event::TaskBlocked { on: BlockedOn::Timer, .. } => {
            let right = matches!(work, Work::Wait(Await::After(_) | Await::At(_)));
            demand(right, NAME, || format!("{id} waits for a moment"))
        }
        Event::TaskSucceeded { output, .. } if task.children.is_empty() => {
            let given = output.as_ref().map(|output| &output.value);
            let right = match work {
                Work::Emit(_) | Work::Wait(Await::Topic(_)) => given == task.life.said.as_ref(),
                Work::Wait(Await::After(_) | Await::At(_)) => {
                    task.life.has_fired && given.is_none_or(Value::is_null)
                }
                Work::Shell | Work::Argv | Work::Prompt(_) | Work::Approval { .. } | Work::Plan(_) => true,
            };
            demand(right || task.is_expanded, NAME, || format!("{id} succeeds with {given:?}"))
        }
        Event::TaskDead { error, .. } if error.kind == ErrorKind::Deadlock => {
            // All of a knot end, also those that would go on once the first of them has ended.
            let was_held = run.went_on.as_ref().and_then(|went_on| went_on.get(ix)) == Some(&false);
            let held = was_held || !talk::going(run)[ix];
            demand(held, NAME, || format!("{id} is dead of a deadlock, and something may wake it"))?;
            let deaf = !matches!(talk::heard(run, ix), Heard::This(_)) || !task.life.listens;
            demand(deaf, NAME, || format!("{id} is dead of a deadlock, and its message has come"))
        }
        _ => Ok(()),
    }
}

/// What is said from outside: by a command, to a run that has not ended, on a topic of which some task hears such things.
fn from_outside(oracle: &Oracle, event: &Event) -> Verdict {
    let run = event.run().and_then(|id| oracle.runs.get(&id));
    let Event::TopicEmitted { topic, command: Some(_), by: Some(_), .. } = event else {
        return demand(false, NAME, || "nobody knows who says something from outside".to_owned());
    };
    let right = run.is_some_and(|run| run.outcome.is_none() && run.hears_others(topic));
    demand(right, NAME, || format!("something is said from outside on {topic}, which nobody hears"))
}

/// At rest nobody waits for what has come, or for what can't come any more.
pub(crate) fn at_rest(oracle: &Oracle) -> Verdict {
    for run in oracle.runs.values().filter(|run| run.outcome.is_none() && oracle.is_active(run)) {
        if !run.tasks.iter().any(|task| task.end.is_none() && task.life.listens) {
            continue;
        }
        let going = talk::going(run);
        for (ix, task) in waiting(run) {
            let heard = talk::heard(run, ix);
            demand(matches!(heard, Heard::Nothing), NAME, || {
                format!("{} goes on waiting, it is to hear {heard:?}", task.id)
            })?;
            demand(going[ix], "14 wake", || format!("nobody can wake {} any more, which waits", task.id))?;
        }
    }
    Ok(())
}

fn waiting(run: &ORun) -> impl Iterator<Item = (usize, &OTask)> {
    let tasks = run.tasks.iter().enumerate();
    tasks.filter(|(_, task)| task.end.is_none() && task.life.listens && !task.life.cancel_wished)
}
