//! 20, approval: an answer counts for the question that is open, once, and while what it showed is as it was.
//! Never: what is made of the answer.

use windlass_core::event::{ApprovalAnswer, Event, Record};
use windlass_core::id::Digest;
use windlass_core::state::State;

use crate::broken::{Verdict, demand};
use crate::oracle::Oracle;

const NAME: &str = "20 approval";

pub(crate) fn of_record(oracle: &Oracle, before: &State, record: &Record) -> Verdict {
    let Some((run_id, _, task)) = oracle.at(&record.event) else { return Ok(()) };
    let Event::ApprovalGiven { id, answer, .. } = &record.event else { return Ok(()) };
    let asked = task.question.as_ref();
    demand(asked.is_some_and(|asked| asked.id == *id), NAME, || format!("{} is answered under a wrong id", task.id))?;
    let asked = asked.expect("it was seen");
    demand(asked.answer.is_none(), NAME, || format!("{} is answered a second time", task.id))?;
    if *answer == ApprovalAnswer::Expired {
        return Ok(());
    }
    let run = &before.runs[&run_id];
    for (shown, digest) in &asked.digests {
        let output = &run.task(run.names[shown]).output;
        let now = Digest::of(&serde_json::to_vec(output).expect("plain data"));
        demand(now == *digest, NAME, || format!("{} is answered, and what {shown} shows has changed", task.id))?;
    }
    Ok(())
}
