//! 18, final is final: after a final state only requeue, un-skip, reopen and notes follow; a run's outcome can be
//! computed again from its tasks. Never: how a task came to its end.

use windlass_core::event::{Event, Record, RunOutcome};
use windlass_core::state::State;

use crate::broken::{Verdict, demand};
use crate::family;
use crate::oracle::{End, ORun, OTask, Oracle};

const NAME: &str = "18 final is final";

pub(crate) fn of_record(oracle: &Oracle, _: &State, record: &Record) -> Verdict {
    let event = &record.event;
    let Some(run) = event.run().and_then(|run| oracle.runs.get(&run)) else { return Ok(()) };
    if let Event::RunFinished { outcome, .. } = event {
        let open = run.tasks.iter().find(|task| task.end.is_none());
        demand(open.is_none(), NAME, || {
            format!("the run is finished and {} is not", open.expect("it is some").id)
        })?;
        let right = outcome_of(run);
        demand(*outcome == right, NAME, || format!("the run ended as {outcome:?}, its tasks say {right:?}"))?;
        let pending = oracle.live.values().any(|live| Some(live.run) == event.run());
        return demand(!pending, "13 effects settle", || "a finished run has attempts in flight".into());
    }
    let is_note = matches!(event, Event::ResultIgnored { .. } | Event::DeadLetterDropped { .. });
    let reopens = matches!(event, Event::RunReopened { .. });
    demand(run.outcome.is_none() || is_note || reopens, NAME, || {
        format!("{} in a finished run", event.name())
    })?;
    let Some((_, _, task)) = oracle.at(event) else { return Ok(()) };
    let comes_back = matches!(event, Event::TaskRequeued { .. } | Event::TaskUnskipped { .. });
    let wish = matches!(event, Event::CancelRequested { .. });
    let right = task.end.is_none() || is_note || comes_back;
    demand(right && !(wish && task.end.is_some()), NAME, || {
        format!("{} of {}, which has ended", event.name(), task.id)
    })?;
    let unskip = !matches!(event, Event::TaskUnskipped { .. })
        || matches!(task.end, Some(End::Upstream | End::WhenFalse));
    demand(unskip, NAME, || format!("{} is un-skipped and was not skipped", task.id))
}

fn outcome_of(run: &ORun) -> RunOutcome {
    let any = |is: &dyn Fn(&OTask) -> bool| run.tasks.iter().any(is);
    let fails = |task: &OTask| task.parent.is_none() && family::fails(run, task);
    if run.cancelled && any(&|task| task.end == Some(End::Cancelled)) {
        RunOutcome::Cancelled
    } else if any(&fails) {
        RunOutcome::Failed
    } else {
        RunOutcome::Succeeded
    }
}
