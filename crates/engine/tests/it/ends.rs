//! How an engine ends, and what the next one makes of it.

use windlass_core::event::Raise;
use windlass_core::event::{Event, LossReason, RunOutcome};
use windlass_core::id::RunId;
use windlass_core::input::{Answer, Ask, Command};
use windlass_engine::error::{EngineError, Gone};
use windlass_engine::handle::{Handle, new_id};
use windlass_worker::planted::Bug;

use crate::stage::{Stage, Turning};

fn ask(handle: &Handle, ask: Ask) -> Result<Answer, Gone> {
    handle.submit(Command { id: new_id().expect("an id"), by: "test".into(), ask })
}

/// Lets the run go on, and gives how it ends.
fn resumed(turning: &Turning, run: RunId) -> Option<RunOutcome> {
    let feed = turning.handle.subscribe();
    let resumed = ask(&turning.handle, Ask::Resume { run, raise: Raise::default() });
    assert_eq!(resumed, Ok(Answer::Accepted));
    let mut ended = None;
    Turning::follow_feed(feed, |record| {
        if let Event::RunFinished { outcome, .. } = &record.event {
            ended = Some(*outcome);
        }
        ended.is_some()
    });
    ended
}

/// It ends by itself once the gate is open.
pub(crate) const GATED: &str = "tasks: { a: { run: \"test -e open || exec sleep 1000\" } }";

#[test]
fn an_engine_that_drains_stops_what_runs_and_takes_nothing_on_and_the_next_one_goes_on() {
    let stage = Stage::new();
    let turning = stage.turn(None);
    let feed = turning.handle.subscribe();
    let run = stage.start(&turning.handle, GATED).expect("the engine lives");
    Turning::follow_feed(feed, |record| matches!(record.event, Event::AttemptStarted { .. }));
    assert_eq!(ask(&turning.handle, Ask::Drain { at_once: true }), Ok(Answer::Accepted));
    assert!(matches!(stage.start(&turning.handle, GATED), Err(EngineError::Gone(_))));
    assert!(turning.ended().is_ok());
    stage.write("open");
    let turning = stage.turn(None);
    assert_eq!(resumed(&turning, run), Some(RunOutcome::Succeeded));
    ask(&turning.handle, Ask::Drain { at_once: true }).expect("it is told");
    assert!(turning.ended().is_ok());
    assert!(!stage.records().iter().any(|record| matches!(record.event, Event::AttemptLost { .. })));
}

#[test]
fn what_was_in_flight_when_an_engine_died_is_lost_to_the_next_one_and_begins_again() {
    let stage = Stage::new();
    stage.write("open");
    let turning = stage.turn(Some(Bug::ClerkPanics));
    let run = stage.start(&turning.handle, GATED).expect("it is journaled before anything starts");
    turning.follow(|_| false);
    assert!(matches!(turning.ended(), Err(EngineError::Bug { .. })));
    let turning = stage.turn(None);
    assert_eq!(resumed(&turning, run), Some(RunOutcome::Succeeded));
    ask(&turning.handle, Ask::Drain { at_once: true }).expect("it is told");
    assert!(turning.ended().is_ok());
    let lost = stage.records().into_iter().filter_map(|record| {
        if let Event::AttemptLost { reason, .. } = record.event { Some(reason) } else { None }
    });
    assert_eq!(lost.collect::<Vec<_>>(), [LossReason::EngineDied]);
}
