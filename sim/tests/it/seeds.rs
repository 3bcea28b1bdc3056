//! Two thousand seeds, in parts so that every core has some.

use windlass_sim::seed::{self, Ending};
use windlass_sim::seeds::row;
use windlass_sim::shrink::shrink;
use windlass_sim::trace::Trace;

const PART: u64 = 500;

/// Fails with the smallest case that breaks the same promise.
fn all_keep_their_promises(start: u64, count: u64) {
    let row = row(start, count, |_| true, |_| ());
    if let Some((seed, told)) = row.failed {
        let small = shrink(&told);
        let trace = small.trace.lines().join("\n");
        let case = serde_json::to_string(&small.case).expect("plain data");
        panic!("seed {seed}: {:?}\n{trace}\ncase: {case}\n{:?}", told.ending, small.ending);
    }
}

#[test]
fn the_first_part_of_two_thousand_seeds_keeps_every_promise() {
    all_keep_their_promises(0, PART);
}

#[test]
fn the_second_part_of_two_thousand_seeds_keeps_every_promise() {
    all_keep_their_promises(PART, PART);
}

#[test]
fn the_third_part_of_two_thousand_seeds_keeps_every_promise() {
    all_keep_their_promises(2 * PART, PART);
}

#[test]
fn the_fourth_part_of_two_thousand_seeds_keeps_every_promise() {
    all_keep_their_promises(3 * PART, PART);
}

#[test]
fn the_same_seed_is_the_same_world_to_the_byte() {
    for number in 0..100 {
        let (first, second) = (seed::seed(number, Trace::kept()), seed::seed(number, Trace::kept()));
        assert_eq!(first.ending, Ending::Well);
        assert_eq!(first.digest, second.digest, "seed {number}");
        assert_eq!(first.trace.lines(), second.trace.lines(), "seed {number}");
    }
}

#[test]
fn a_seed_is_the_same_world_in_another_process() {
    let program = env!("CARGO_BIN_EXE_windlass-sim");
    let row = row(0, 25, |_| true, |_| ());
    #[expect(clippy::disallowed_methods, reason = "another process is what this is about")]
    let told = std::process::Command::new(program).args(["--seeds", "25"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&told.stdout);
    assert!(said.contains(&row.digest.to_string()), "{} is not in:\n{said}", row.digest);
}

#[test]
fn the_world_of_a_case_is_that_of_its_seed() {
    for number in 0..20 {
        let told = seed::seed(number, Trace::default());
        let text = serde_json::to_string(&told.case).expect("plain data");
        let read = serde_json::from_str(&text).expect("it was written so");
        assert_eq!(seed::case(read, Trace::default()).digest, told.digest, "seed {number}");
    }
}
