//! Every bug that can be planted is found within two thousand seeds, by the invariant that is there for it.

use windlass_core::planted::Bug;
use windlass_sim::planted::{Planted, plant};
use windlass_sim::seed::{self, Ending, Told};
use windlass_sim::seeds::{Moods, row};
use windlass_sim::shrink::shrink;
use windlass_sim::trace::Trace;

use crate::scenarios::cases;

const SEEDS: u64 = 2000;

/// The first world from this seed on that shows a bug, by one of the invariants that are to find it.
fn found_from(start: u64, bug: Planted) -> Option<Told> {
    plant(Some(bug));
    let row = row((start, SEEDS - start), Moods::Own, |ending| bug.is_found(ending), |_| ());
    plant(None);
    row.failed.map(|(_, told)| told)
}

#[test]
fn every_planted_bug_is_found_by_the_invariant_that_is_there_for_it() {
    let kept = cases();
    let missed = Planted::all().filter(|bug| {
        // Where it was found last it is found at once, as long as the worlds are the same.
        let case = kept.iter().find(|(name, _)| name == bug.name());
        let seed = case.map_or(0, |(_, case)| case.seed()).min(SEEDS - 1);
        found_from(seed, *bug).or_else(|| found_from(0, *bug)).is_none()
    });
    let missed: Vec<&str> = missed.map(Planted::name).collect();
    assert!(missed.is_empty(), "nothing found {missed:?}");
}

#[test]
fn a_found_bug_is_shown_by_a_small_case() {
    let bug = Planted::Core(Bug::RateLimitCharged);
    let told = found_from(0, bug).expect("it is found");
    plant(Some(bug));
    let small = shrink(&told);
    plant(None);
    assert!(bug.is_found(&small.ending), "it ends {:?}", small.ending);
    assert!(small.steps <= 8, "it takes {} steps", small.steps);
    assert_eq!(
        seed::case(small.case, Trace::default()).ending,
        Ending::Well,
        "without the bug nothing is wrong"
    );
}
