//! 3.1, commands: the same id again carries nothing out twice. Never: what a command comes to.

use windlass_core::event::{Event, Record};
use windlass_core::id::CommandId;
use windlass_core::state::State;

use crate::broken::{Verdict, demand};
use crate::oracle::Oracle;

const NAME: &str = "3.1 once";

pub(crate) fn of_record(oracle: &Oracle, _: &State, record: &Record) -> Verdict {
    let Some(command) = command_of(&record.event) else { return Ok(()) };
    demand(!oracle.commands.contains(command), NAME, || {
        format!("{} is carried out again: {}", command.0, record.event.name())
    })
}

/// The command that an event carries out.
pub(crate) fn command_of(event: &Event) -> Option<&CommandId> {
    match event {
        Event::RunCreated { command, .. }
        | Event::PlanRevised { command, .. }
        | Event::PlanNested { command, .. }
        | Event::TaskUnblocked { command, .. }
        | Event::DeadLetterDropped { command, .. } => Some(command),
        Event::CancelRequested { command, .. }
        | Event::PauseRequested { command, .. }
        | Event::RunResumed { command, .. }
        | Event::TaskRequeued { command, .. }
        | Event::TopicEmitted { command, .. }
        | Event::ApprovalGiven { command, .. } => command.as_ref(),
        _ => None,
    }
}
