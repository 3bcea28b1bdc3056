//! A row of seeds, gone through one after the other until one fails. Never: seeds in another order.

use std::fmt;

use windlass_core::id::Digest;
use windlass_core::machine::arrows::Taken;

use crate::generate;
use crate::mood::NAMES;
use crate::seed::{self, Ending, Told};
use crate::steering::Steering;
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
    pub failed: Option<(Which, Told)>,
}

/// A world of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Which {
    /// Its seed.
    pub seed: u64,
    /// The number of its mood, where that is not the seed's own.
    pub(crate) mood: Option<usize>,
}

/// Which moods the worlds of a row have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moods {
    /// Each that of its seed.
    Own,
    /// Every other one that in which arrows are taken that were taken too rarely before.
    Steered,
    /// All the one of this number.
    One(usize),
}

/// Goes through seeds until one fails in a way that counts. `each` is told of every one before it begins.
pub fn row(
    (start, count): (u64, u64),
    moods: Moods,
    counts: impl Fn(&Ending) -> bool,
    mut each: impl FnMut(Which),
) -> Row {
    let mut row = Row { seeds: 0, steps: 0, taken: Taken::default(), digest: Digest::of(b""), failed: None };
    let mut steering = Steering::default();
    for seed in start..start + count {
        let mood = match moods {
            Moods::Own => None,
            Moods::Steered => steering.next(),
            Moods::One(mood) => Some(mood),
        };
        let which = Which { seed, mood };
        each(which);
        let told = seed::in_mood(seed, mood, Trace::default());
        steering.learn(mood.unwrap_or_else(|| generate::mood(seed)), &told.taken);
        add(&mut row.taken, &told.taken);
        row.seeds += 1;
        row.steps += u64::from(told.steps);
        row.digest = Digest::of(format!("{} {}", row.digest, told.digest).as_bytes());
        if told.ending != Ending::Well && counts(&told.ending) {
            row.failed = Some((which, told));
            break;
        }
    }
    row
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}", self.seed)?;
        self.mood.map_or(Ok(()), |mood| write!(f, " in the mood {}", NAMES[mood]))
    }
}

/// Adds up what was taken.
pub fn add(to: &mut Taken, more: &Taken) {
    more.tasks.iter().for_each(|(arrow, count)| *to.tasks.entry(*arrow).or_default() += count);
    more.attempts.iter().for_each(|(arrow, count)| *to.attempts.entry(*arrow).or_default() += count);
    more.runs.iter().for_each(|(arrow, count)| *to.runs.entry(*arrow).or_default() += count);
    more.breakers.iter().for_each(|(arrow, count)| *to.breakers.entry(*arrow).or_default() += count);
}
