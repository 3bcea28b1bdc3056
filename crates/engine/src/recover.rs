//! The state, from the newest snapshot and the records after it. Never: anything else; recovery is replay.

use std::ops::ControlFlow;

use serde::Deserialize as _;
use windlass_core::evolve::evolve;
use windlass_core::id::Seq;
use windlass_core::state::State;
use windlass_journal::Journal;
use windlass_journal::error::JournalError;

/// The state that a journal gives.
pub fn replay(journal: &mut dyn Journal) -> Result<State, JournalError> {
    let (mut state, after) = journal.newest_snapshot().and_then(read).unwrap_or_default();
    journal.replay(after, &mut |record| {
        evolve(&mut state, &record);
        ControlFlow::Continue(())
    })?;
    Ok(state)
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
