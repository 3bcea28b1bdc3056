//! One seed, or one case: made, gone through, and told. Never: which seeds.

use std::panic::{AssertUnwindSafe, catch_unwind};

use windlass_core::id::Digest;
use windlass_core::machine::arrows::Taken;

use crate::broken::Broken;
use crate::case::Case;
use crate::generate;
use crate::trace::Trace;
use crate::world::World;

/// How a world ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Every promise was kept.
    Well,
    /// A promise was broken.
    Broken(Broken),
    /// Something panicked.
    Crashed(String),
}

/// What is told of a world.
pub struct Told {
    /// How it ended.
    pub ending: Ending,
    /// How many records its journal has in the end.
    pub records: u64,
    /// How many turns engines took.
    pub steps: u32,
    /// What the journal holds in the end, and what people were told: the whole of what can be seen from outside.
    pub digest: Digest,
    /// The arrows of the machines that were taken.
    pub taken: Taken,
    /// The lines of its trace, where they were kept.
    pub trace: Trace,
    /// The case, with the behaviours that were drawn on the way.
    pub case: Case,
}

/// The world of a seed.
pub fn seed(seed: u64, trace: Trace) -> Told {
    case(generate::case(seed, None), trace)
}

/// The world of a seed in the mood of this number, or in its own.
pub(crate) fn in_mood(seed: u64, mood: Option<usize>, trace: Trace) -> Told {
    case(generate::case(seed, mood), trace)
}

/// The world of a case.
pub fn case(case: Case, trace: Trace) -> Told {
    let whole = case.clone();
    let mut world = match catch_unwind(AssertUnwindSafe(|| World::new(case, trace))) {
        Ok(world) => world,
        Err(panic) => {
            let ending = Ending::Crashed(words(&*panic));
            return Told {
                ending,
                records: 0,
                steps: 0,
                digest: Digest::of(b""),
                taken: Taken::default(),
                trace: Trace::default(),
                case: whole,
            };
        }
    };
    let ran = catch_unwind(AssertUnwindSafe(|| world.run()));
    let ending = match ran {
        Ok(Ok(())) => Ending::Well,
        Ok(Err(broken)) => Ending::Broken(broken),
        Err(panic) => Ending::Crashed(words(&*panic)),
    };
    let behaviours = std::mem::take(&mut world.case.behaviours);
    let case = Case { behaviours, ..whole };
    let taken = std::mem::take(&mut world.checker.taken);
    let records = world.store.head().seq.0;
    Told { ending, records, steps: world.step, digest: world.digest(), taken, trace: world.trace, case }
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}
