//! The bugs that can be planted in the worker are found, by real processes. (That a sleep of the machine is no silence is
//! shown beside the watch, since a test can't let the machine sleep.) Never: a process that outlives its test.

use windlass_core::event::LossReason;
use windlass_core::id::AttemptKey;
use windlass_worker::environment::innermost_of;
use windlass_worker::planted::{Bug, plant};
use windlass_worker::{Owners, WorkerReport};

use crate::stage::{Stage, text};

const AROUND: &str = "around|aaaaaa/outer/1";

/// The attempt to which a run belongs that has started another one, by the marks of what that other has started.
fn owner_by_the_marks(bug: Option<Bug>) -> Option<AttemptKey> {
    plant(bug);
    let mut stage =
        Stage::with(|settings| settings.owners = Some(Owners { marks: AROUND.to_owned(), levels: 0 }));
    plant(None);
    let ended = stage.run("printf %s \"$WINDLASS_OWNERS\"");
    innermost_of("around", &text(&ended.captured))
}

#[test]
fn what_a_nested_run_starts_is_known_to_the_run_around_and_overwritten_marks_are_found() {
    assert_eq!(owner_by_the_marks(None), "aaaaaa/outer/1".parse().ok());
    assert_eq!(owner_by_the_marks(Some(Bug::MarksOverwritten)), None);
}

#[test]
fn an_attempt_of_which_its_monitor_never_told_the_end_is_lost() {
    let mut stage =
        Stage::with(|settings| settings.program = Some(env!("CARGO_BIN_EXE_windlass-forgetful-pawl").into()));
    let fence = stage.shell("true");
    let WorkerReport::Lost { attempts, reason: LossReason::ReportLost } = stage.report() else {
        panic!("nothing else can be known of it");
    };
    assert_eq!(attempts.iter().map(|lost| lost.fence).collect::<Vec<_>>(), [fence]);
}
