//! What is said to a run from outside, and how much of that it keeps. Never: on which topics it listens
//! (`state/outside.rs`).

use crate::decide::waits::DATA_BYTES_MAX;
use crate::event::Event;
use crate::input::{Command, Rejection};
use crate::machine::run::Phase;
use crate::size;
use crate::state::{Run, outside, topics};

/// How much a run keeps of what is said to it from outside, in bytes: nothing else bounds how often somebody speaks.
const FROM_OUTSIDE_BYTES_MAX: usize = 16 << 20;

/// A message from outside, for those who wait for its topic and those who will.
pub(crate) fn emit(
    run: &Run,
    command: &Command,
    topic: &str,
    data: &serde_json::Value,
) -> Result<Vec<Event>, Rejection> {
    if run.phase == Phase::Finished {
        return Err(Rejection::RunEnded(run.id));
    }
    if let Some(heard) = outside::unheard(run, topic) {
        return Err(Rejection::NobodyListens { run: run.id, topic: topic.to_owned(), heard });
    }
    let (bytes, most) = (size::of(data), DATA_BYTES_MAX);
    if bytes > most {
        return Err(Rejection::MessageTooLong { bytes, most });
    }
    if run.topics.bytes_from_outside() + topics::weight(data) > FROM_OUTSIDE_BYTES_MAX {
        return Err(Rejection::TooManyMessages(run.id));
    }
    Ok(vec![Event::TopicEmitted {
        run: run.id,
        task: None,
        topic: topic.to_owned(),
        data: data.clone(),
        command: Some(command.id.clone()),
        by: Some(command.by.clone()),
    }])
}
