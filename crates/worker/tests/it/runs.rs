//! Starting, ending, output.

use windlass_core::event::Exit;
use windlass_worker::Captured;

use crate::stage::{Stage, text};

#[test]
fn a_program_that_ends_well_is_reported_once_with_its_output() {
    let mut stage = Stage::new();
    let ended = stage.run("echo hello");
    assert_eq!((ended.exit, ended.error, ended.leftovers), (Exit::Code(0), None, 0));
    assert!(matches!(&ended.captured, Captured::Inline(bytes) if bytes == b"hello\n"));
    // It leaves the list of the living after its report, so that it is never in neither.
    let next = stage.run("true").fence;
    assert!(stage.supervisor.live().iter().all(|(_, fence)| *fence == next));
}

#[test]
fn an_exit_code_is_a_failure_with_the_end_of_what_was_said() {
    let mut stage = Stage::new();
    let ended = stage.run("echo working; echo 'no such key' >&2; exit 3");
    assert_eq!(ended.exit, Exit::Code(3));
    let error = ended.error.expect("an error");
    assert_eq!(error.message, "`/bin/sh` exited with code 3: no such key");
    assert_eq!(text(&ended.captured), "working\n");
}

#[test]
fn many_programs_run_in_the_few_monitors_that_there_are() {
    let mut stage = Stage::new();
    for _ in 0..100 {
        stage.shell("true");
    }
    let mut fences: Vec<u64> = (0..100).map(|_| stage.ended().fence.0).collect();
    fences.sort_unstable();
    assert_eq!(fences, (1..=100).collect::<Vec<u64>>());
}
