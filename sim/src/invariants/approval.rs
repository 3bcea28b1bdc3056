//! 20, approval: an answer counts for the question that is open, once, and while what it showed is as it was.
//! Never: what is made of the answer.

use windlass_core::event::{ApprovalAnswer, Event, Record};
use windlass_core::state::State;

use crate::broken::{Verdict, demand};
use crate::oracle::Oracle;

const NAME: &str = "20 approval";

pub(crate) fn of_record(oracle: &Oracle, _: &State, record: &Record) -> Verdict {
    let Some((_, run, task)) = oracle.at(&record.event) else { return Ok(()) };
    let Event::ApprovalGiven { id, answer, command, .. } = &record.event else { return Ok(()) };
    let asked = task.question.as_ref();
    demand(asked.is_some_and(|asked| asked.id == *id), NAME, || {
        format!("{} is answered under a wrong id", task.id)
    })?;
    let asked = asked.expect("it was seen");
    demand(asked.answer.is_none(), NAME, || format!("{} is answered a second time", task.id))?;
    let named = command.as_ref().and_then(|command| oracle.named.get(command));
    demand(named.is_none_or(|named| named == id), NAME, || {
        format!("{} is answered by a command that named {named:?}, the question is {id}", task.id)
    })?;
    if *answer == ApprovalAnswer::Expired {
        return Ok(());
    }
    asked.shown.iter().try_for_each(|(shown, output)| {
        let same = run.task(shown).is_some_and(|now| now.output == *output);
        demand(same, NAME, || format!("{} is answered, and what {shown} shows has changed", task.id))
    })
}
