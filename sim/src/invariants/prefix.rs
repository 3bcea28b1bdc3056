//! 2, prefix: what was acknowledged, shown or ordered is in the journal, and is there after any crash and any power cut; what
//! the journal was before is a prefix of what it is after. Never: what somebody accepted as lost.

use windlass_core::id::{CommandId, Seq};
use windlass_core::state::State;

use crate::broken::{Verdict, demand};
use crate::oracle::Oracle;

pub(crate) const NAME: &str = "2 prefix";

/// Somebody is told that a command is carried out: it must be durable.
pub(crate) fn of_answer(oracle: &Oracle, id: &CommandId) -> Verdict {
    demand(oracle.commands.contains(id), NAME, || format!("{id:?} is accepted and not in the journal"))
}

/// What was seen on the disk is still there, and nothing that nobody has seen.
pub(crate) fn is_kept(seen: &State, end: Seq) -> Verdict {
    demand(end == seen.head, NAME, || format!("the disk ends at {end}, it was seen up to {}", seen.head))
}

/// All that was acknowledged is there.
pub(crate) fn has_all(acknowledged: &[CommandId], state: &State) -> Verdict {
    let missing = acknowledged.iter().find(|id| !state.commands.contains_key(*id));
    demand(missing.is_none(), NAME, || format!("{missing:?} was acknowledged and is not in the journal"))
}
