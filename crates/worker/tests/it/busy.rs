//! What happens while the supervisor's thread is busy is seen afterwards as if it had looked all the time.

use windlass_core::failure::ErrorKind;
use windlass_worker::WorkerReport;

use crate::stage::Stage;
use crate::watched::Roll;

fn ended_as(report: WorkerReport) -> (u64, Option<ErrorKind>) {
    match report {
        WorkerReport::Ended(ended) => (ended.fence.0, ended.error.map(|error| error.kind)),
        other @ (WorkerReport::Overdue { .. } | WorkerReport::Lost { .. }) => panic!("{other:?}"),
    }
}

#[test]
fn monitors_that_die_one_after_another_are_all_told_of() {
    let (mut stage, busy) = Stage::busy_with_its_first_report();
    let mut roll = Roll::new(stage.home.path());
    let waits = format!("{}; exec sleep 1000", roll.enter());
    stage.shell(&waits);
    let first = roll.next();
    stage.shell(&waits);
    let second = roll.next();
    let keeper = first.monitor().parent().expect("a keeper");
    stage.shell("true");
    assert_eq!(ended_as(stage.report()), (3, None));
    // The keeper's word of the first monitor lies there when the second one dies, and so does that of the second when
    // the end of that monitor's own link is seen.
    for attempt in [first, second] {
        let monitor = attempt.monitor();
        monitor.signal(rustix::process::Signal::KILL);
        monitor.wait_until_taken();
        attempt.wait_until_taken();
        keeper.wait_until_at_rest();
    }
    drop(busy);
    let mut ends = [stage.report(), stage.report()].map(ended_as);
    ends.sort_unstable_by_key(|(fence, _)| *fence);
    assert_eq!(ends, [(1, Some(ErrorKind::Crashed)), (2, Some(ErrorKind::Crashed))]);
}
