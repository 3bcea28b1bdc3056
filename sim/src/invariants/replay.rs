//! 16, replay: the live state, a replay of all records, and a snapshot with the rest of them are the same, byte for byte; every
//! prefix can be folded, as the checker does it a record at a time. Never: what has not been looked at yet (`fresh`).

use windlass_core::state::State;
use windlass_engine::recover;

use crate::broken::{Verdict, demand};

pub(crate) const NAME: &str = "16 replay";

/// A state is what the records on the disk say.
pub(crate) fn same(said: &State, state: &State, what: &str) -> Verdict {
    let (ours, theirs) = (recover::snapshot(said), recover::snapshot(state));
    demand(ours == theirs, NAME, || {
        let at = ours.iter().zip(&theirs).position(|(left, right)| left != right).unwrap_or_default();
        let around = |bytes: &[u8]| {
            let end = (at + 80).min(bytes.len());
            String::from_utf8_lossy(&bytes[at.saturating_sub(120)..end]).into_owned()
        };
        format!("{what} is not what a replay gives:\n  …{}\n  …{}", around(&theirs), around(&ours))
    })
}
