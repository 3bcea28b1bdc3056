//! A row of seeds, gone through one after the other until one fails. Never: seeds in another order.

use windlass_core::id::Digest;
use windlass_core::machine::arrows::Taken;

use crate::seed::{self, Ending, Told};
use crate::trace::Trace;

/// What a row of seeds came to.
pub struct Row {
    /// How many seeds were gone through.
    pub seeds: u64,
    /// How many turns engines took in all.
    pub steps: u64,
    /// The arrows that were taken.
    pub taken: Taken,
    /// Everything that was seen, in one digest.
    pub digest: Digest,
    /// The first that failed.
    pub failed: Option<(u64, Told)>,
}

/// Goes through seeds until one fails in a way that counts. `each` is told of every one before it begins.
pub fn row(start: u64, count: u64, counts: impl Fn(&Ending) -> bool, mut each: impl FnMut(u64)) -> Row {
    let mut row = Row { seeds: 0, steps: 0, taken: Taken::default(), digest: Digest::of(b""), failed: None };
    for seed in start..start + count {
        each(seed);
        let told = seed::seed(seed, Trace::default());
        add(&mut row.taken, &told.taken);
        row.seeds += 1;
        row.steps += u64::from(told.steps);
        row.digest = Digest::of(format!("{} {}", row.digest, told.digest).as_bytes());
        if told.ending != Ending::Well && counts(&told.ending) {
            row.failed = Some((seed, told));
            break;
        }
    }
    row
}

/// Adds up what was taken.
pub fn add(to: &mut Taken, more: &Taken) {
    more.tasks.iter().for_each(|(arrow, count)| *to.tasks.entry(*arrow).or_default() += count);
    more.attempts.iter().for_each(|(arrow, count)| *to.attempts.entry(*arrow).or_default() += count);
    more.runs.iter().for_each(|(arrow, count)| *to.runs.entry(*arrow).or_default() += count);
    more.breakers.iter().for_each(|(arrow, count)| *to.breakers.entry(*arrow).or_default() += count);
}
