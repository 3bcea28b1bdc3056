//! 17, purity: the same seed is the same world, to the byte, also in another process, whose hashes have other seeds, and beside
//! whatever other threads; that `decide` leaves its input as it was says its type. Never: a seed that fails.

use windlass_sim::seed::{self, Ending};
use windlass_sim::seeds::{Moods, row};
use windlass_sim::trace::Trace;

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
fn a_seed_is_the_same_world_in_another_process_and_beside_other_threads() {
    let some = || row((0, 25), Moods::Steered, |_| true, |_| ()).digest;
    let digests = std::thread::scope(|scope| {
        let threads = [0, 1, 2].map(|_| scope.spawn(some));
        threads.map(|thread| thread.join().expect("it goes through its seeds"))
    });
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
    let program = env!("CARGO_BIN_EXE_windlass-sim");
    #[expect(clippy::disallowed_methods, reason = "another process is what this is about")]
    let told = std::process::Command::new(program).args(["--seeds", "25"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&told.stdout);
    assert!(said.contains(&digests[0].to_string()), "{} is not in:\n{said}", digests[0]);
}
