//! 25, head, in the world: a damaged disk that opens without complaint has the true journal. Never: how it is mended.

use windlass_core::event::Role;
use windlass_core::id::Seq;
use windlass_core::state::State;
use windlass_engine::recover;
use windlass_journal::memory::{MemoryJournal, MemoryStore};

use crate::broken::{Verdict, demand};
use crate::clocks::Clocks;
use crate::engine::BUILD;

const NAME: &str = "25 head";

/// A copy of a disk loses its end behind some record, or a bit of one; what it holds in truth is known. That the head is not
/// behind but after a power cut is what each opening finds.
pub(crate) fn of_copy(
    copy: &MemoryStore,
    (number, is_cut): (u64, bool),
    truth: &State,
    clocks: &Clocks,
) -> Verdict {
    let seq = Seq(number % (copy.head().seq.0 + 1));
    if is_cut {
        // The head is synced at checkpoints only: what a power cut has set it back behind, nobody misses.
        if seq >= copy.said() {
            return Ok(());
        }
        copy.lose_after(seq);
    } else {
        copy.flip(seq, usize::try_from(number >> 4).unwrap_or_default());
    }
    let Ok(mut journal) = MemoryJournal::open(copy, BUILD, number) else { return Ok(()) };
    let opened = recover::open(&mut journal, Role::Command, BUILD, 1, clocks.shown());
    let found = opened.as_ref().map(|opening| opening.core.state());
    demand(found.is_err() || found.is_ok_and(|found| found == truth), NAME, || {
        let what = if is_cut { "without the records behind" } else { "with a wrong bit in" };
        format!("a disk {what} {seq} is opened, and nobody says that it is damaged")
    })
}
