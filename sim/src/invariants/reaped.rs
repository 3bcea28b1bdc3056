//! 15, reaped, in the world: nothing of an attempt lives once the journal says that it is reaped; nothing lives two seconds
//! after the death of its engine, where the keeper was left to see to that; never two attempts of a task at once.
//! Never: a word of the journal about who lives.

use windlass_core::event::{Event, Record};
use windlass_core::id::AttemptKey;
use windlass_core::state::State;

use crate::broken::{Verdict, demand};
use crate::oracle::Oracle;
use crate::world::World;

const NAME: &str = "15 reaped";
const AFTER_DEATH_MS: u64 = 2000;

pub(crate) fn of_record(oracle: &Oracle, _: &State, record: &Record) -> Verdict {
    let Event::AttemptReaped { task, attempt, fence, .. } = &record.event else { return Ok(()) };
    demand(!oracle.alive.contains(fence), NAME, || {
        format!("{task}/{attempt} is said to be reaped, and lives")
    })
}

/// What a dead engine leaves.
pub(crate) fn after_death(world: &World) -> Verdict {
    let is_over =
        world.engine.is_none() && !world.is_orphaned && world.clocks.awake >= world.died_at + AFTER_DEATH_MS;
    let left = world.processes.values().next().filter(|_| is_over);
    demand(left.is_none(), NAME, || {
        let key = left.map(|process| process.assignment.key.to_string()).unwrap_or_default();
        format!("{key} lives {AFTER_DEATH_MS} ms after the death of its engine")
    })
}

/// An attempt is about to start.
pub(crate) fn alone_in_its_place(world: &World, key: &AttemptKey) -> Verdict {
    let is_beside = |other: &AttemptKey| (other.run, &other.task) == (key.run, &key.task);
    let other = world.processes.values().find(|process| is_beside(&process.assignment.key));
    demand(other.is_none(), NAME, || format!("{key} is started while another attempt of its task lives"))
}
