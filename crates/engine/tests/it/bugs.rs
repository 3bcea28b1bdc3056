//! A bug in a thread beside the engine's ends the engine: whoever waits for a run is told, in a program that only embeds it
//! too.

use windlass_engine::error::EngineError;
use windlass_worker::planted::Bug;

use crate::stage::Stage;

/// The thread that an engine names whose run needs what the planted bug keeps from coming.
fn ended_by(bug: Bug, plan: &str) -> &'static str {
    let stage = Stage::new();
    let turning = stage.turn(Some(bug));
    // It may end before it has told the run's name.
    drop(stage.start(&turning.handle, plan));
    turning.follow(|_| false);
    match turning.ended() {
        Err(EngineError::Bug { thread }) => thread,
        other => panic!("{other:?}"),
    }
}

const SHORT: &str = "tasks: { a: { run: echo a } }";

#[test]
fn a_panic_of_the_driver_of_processes_ends_the_engine() {
    assert_eq!(ended_by(Bug::DriverPanics, SHORT), "windlass-worker");
}

#[test]
fn a_panic_of_who_makes_reports_ready_ends_the_engine() {
    assert_eq!(ended_by(Bug::ClerkPanics, SHORT), "windlass-clerk");
}

#[test]
fn a_panic_of_who_makes_long_prompts_ready_ends_the_engine() {
    let long = "x".repeat(1_100_000);
    let plan = format!(
        "agents: {{ reads: {{ adapter: command, program: cat }} }}\ntasks: {{ a: {{ agent: reads, prompt: {long} }} }}"
    );
    assert_eq!(ended_by(Bug::PreparerPanics, &plan), "windlass-worker");
}
