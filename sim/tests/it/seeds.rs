//! Two thousand seeds, in parts so that every core has some, and what they have in common.

use windlass_core::machine::arrows::Taken;
use windlass_sim::coverage::{self, Rare};
use windlass_sim::seed;
use windlass_sim::seeds::{Moods, Row, add, row};
use windlass_sim::shrink::shrink;
use windlass_sim::trace::Trace;

const PART: u64 = 500;
const PARTS: u64 = 4;

/// The row from this seed on. Fails with the smallest case that breaks the same promise.
fn part(start: u64) -> Row {
    let row = row((start, PART), Moods::Steered, |_| true, |_| ());
    if let Some((which, told)) = &row.failed {
        let small = shrink(told);
        let trace = small.trace.lines().join("\n");
        let case = serde_json::to_string(&small.case).expect("plain data");
        panic!("{which}: {:?}\n{trace}\ncase: {case}\n{:?}", told.ending, small.ending);
    }
    row
}

#[test]
fn two_thousand_seeds_keep_every_promise_and_take_every_arrow_often() {
    let taken = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..PARTS).map(|number| scope.spawn(move || part(number * PART))).collect();
        let mut taken = Taken::default();
        for part in parts {
            // What it has said is its own failure.
            let row = part.join().unwrap_or_else(|said| std::panic::resume_unwind(said));
            add(&mut taken, &row.taken);
        }
        taken
    });
    let rare = coverage::rare(&taken, PARTS * PART);
    let unknown: Vec<&Rare> = rare
        .iter()
        .filter(|rare| coverage::EXCEPTIONS.iter().all(|(known, _)| *known != rare.arrow))
        .collect();
    assert!(unknown.is_empty(), "let a draft or a mood meet these more often: {unknown:#?}");
    let seen = coverage::EXCEPTIONS.iter().find(|(known, _)| rare.iter().all(|rare| rare.arrow != *known));
    assert_eq!(seen, None, "it is seen often by now: it is no exception any more");
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
