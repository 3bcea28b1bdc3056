//! An opening: the state, from the newest snapshot and the records after it, and what is reported first. Never: anything
//! else; recovery is replay.

use std::ops::ControlFlow;

use serde::Deserialize as _;
use windlass_core::event::Role;
use windlass_core::fold::evolve;
use windlass_core::id::{Epoch, Seq};
use windlass_core::input::Report;
use windlass_core::state::State;
use windlass_core::turn::Core;
use windlass_journal::Journal;
use windlass_journal::error::JournalError;

use crate::clock::{Clock, Shown};

/// An opening that has not turned yet.
pub struct Opening {
    /// The state that the journal gave, with its one writer.
    pub core: Core,
    /// How far the snapshot went that it began with: what lies behind that was replayed.
    pub kept: Seq,
    /// The clock that it goes by.
    pub clock: Clock,
    /// What is reported first: that it begins, and how long the one before had been alive since its last record; and by how
    /// much the wall clock was set back while no engine was alive, so that waits go on from what it shows.
    pub first: Vec<Report>,
}

/// Opens a journal: for this role, by this build, with so many slots, when the clocks show this.
pub fn open(
    journal: &mut dyn Journal,
    role: Role,
    build: &str,
    slots: u32,
    shown: Shown,
) -> Result<Opening, JournalError> {
    let (state, kept) = replay(journal)?;
    let epoch = Epoch(journal.head().epoch.0 + 1);
    let last_alive = journal.last_alive();
    let (clock, set_back) = Clock::start(state.now.after(last_alive), shown);
    let began = Report::EngineStarted { epoch, role, build: build.to_owned(), last_alive };
    let first = [began].into_iter().chain(set_back.map(Report::from)).collect();
    Ok(Opening { core: Core::new(state, slots), kept, clock, first })
}

/// The state that a journal gives, and how far the snapshot went that it comes from.
fn replay(journal: &mut dyn Journal) -> Result<(State, Seq), JournalError> {
    let (mut state, kept) = journal.newest_snapshot().and_then(read).unwrap_or_default();
    journal.replay(kept, &mut |record| {
        evolve(&mut state, &record);
        ControlFlow::Continue(())
    })?;
    // What became ready is looked at when its run is resumed.
    state.fresh.clear();
    Ok((state, kept))
}

/// A state as its snapshot keeps it.
pub fn snapshot(state: &State) -> Vec<u8> {
    serde_json::to_vec(state).expect("a state is plain data")
}

/// A state from its snapshot. One that can't be read is as good as none: it is only a cache.
pub fn read((at, bytes): (Seq, Vec<u8>)) -> Option<(State, Seq)> {
    let mut reading = serde_json::Deserializer::from_slice(&bytes);
    // Values of users are bounded in depth where they come in; around them the state adds some levels of its own.
    reading.disable_recursion_limit();
    let state = State::deserialize(&mut reading).ok()?;
    // A plan that was gone may have been put back since: whoever lacks one looks at the journal itself.
    (state.head == at && state.lost.is_empty()).then_some((state, at))
}
