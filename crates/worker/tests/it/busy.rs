//! What happens while the supervisor's thread is busy is seen afterwards as if it had looked all the time.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use rustix::process::Signal;
use windlass_core::effect::Program;
use windlass_core::event::{Exit, StopWhy};
use windlass_core::failure::ErrorKind;
use windlass_core::id::{Digest, Fence};
use windlass_core::template::PromptPart;
use windlass_core::time::Span;
use windlass_worker::{Blobs, Surroundings, WorkerReport, log};

use crate::held::hold_for_ever;
use crate::stage::{PATIENCE, Stage, surroundings, text};
use crate::streams::asked;
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
        monitor.signal(Signal::KILL);
        monitor.wait_until_taken();
        attempt.wait_until_taken();
        keeper.wait_until_at_rest();
    }
    drop(busy);
    let mut ends = [stage.report(), stage.report()].map(ended_as);
    ends.sort_unstable_by_key(|(fence, _)| *fence);
    assert_eq!(ends, [(1, Some(ErrorKind::Crashed)), (2, Some(ErrorKind::Crashed))]);
}

#[test]
fn a_monitor_that_is_held_keeps_nobody_waiting() {
    let mut stage = Stage::new();
    let mut roll = Roll::new(stage.home.path());
    let fence = stage.shell(&format!("{}; exec sleep 1000", roll.enter()));
    let monitor = roll.next().monitor();
    hold_for_ever(&monitor);
    // Far more than its link has room for.
    for _ in 0..5_000 {
        stage.supervisor.stop(fence, Span::from_ms(1000));
    }
    let other = stage.shell("echo here");
    let mut ends = [stage.ended(), stage.ended()];
    ends.sort_unstable_by_key(|ended| ended.fence);
    assert_eq!(ends.each_ref().map(|ended| ended.fence), [fence, other]);
    assert_eq!(text(&ends[1].captured), "here\n");
}

#[test]
fn a_stop_that_a_held_monitor_has_no_room_for_reaches_it_later() {
    let mut stage = Stage::new();
    let mut roll = Roll::new(stage.home.path());
    let fence = stage.shell(&format!("trap '' TERM; {}; while :; do sleep 1000; done", roll.enter()));
    let monitor = roll.next().monitor();
    hold_for_ever(&monitor);
    for _ in 0..5_000 {
        stage.supervisor.stop(fence, Span::from_secs(1_000_000));
    }
    stage.supervisor.stop(fence, Span::from_ms(0));
    assert_eq!(stage.ended().exit, Exit::Signal(libc::SIGKILL));
}

/// More attempts than the driver looks at in one go, each of which waits for its word.
struct Crowd(u64);

impl Crowd {
    fn gather(stage: &mut Stage, roll: &Roll) -> Self {
        let size = 40;
        for number in 0..size {
            let go = roll.pipe(&format!("go{number}"));
            stage.shell(&format!("read x < {go}; echo; echo >&2; {}; exec sleep 1000", roll.enter()));
        }
        Self(size)
    }

    /// Lets each of them print on both of its streams.
    fn shout(self, roll: &mut Roll) {
        for number in 0..self.0 {
            roll.write(&format!("go{number}"));
            roll.next();
        }
    }
}

/// An attempt that may neither last nor be silent for longer than two seconds.
fn limited(stage: &mut Stage, line: String, why: StopWhy) -> Fence {
    let mut assignment = stage.assignment(Program::Shell(line));
    let limit =
        if why == StopWhy::Stalled { &mut assignment.heartbeat } else { &mut assignment.start_to_close };
    *limit = Some(Span::from_secs(2));
    stage.start(assignment)
}

/// Waits for as long as that limit is, by an attempt of another supervisor that overruns it.
fn let_the_limit_pass(limit: StopWhy) {
    let mut clock = Stage::new();
    limited(&mut clock, "exec sleep 1000".to_owned(), limit);
    assert!(matches!(clock.report(), WorkerReport::Overdue { why, .. } if why == limit));
}

#[test]
fn output_that_nobody_had_time_to_read_is_no_silence() {
    let (mut stage, busy) = Stage::busy_with_its_first_report();
    let mut roll = Roll::new(stage.home.path());
    let crowd = Crowd::gather(&mut stage, &roll);
    let (go, end) = (roll.pipe("go"), roll.pipe("end"));
    let line = format!("printf a; read x < {go}; echo b; {}; read x < {end}", roll.enter());
    let fence = limited(&mut stage, line, StopWhy::Stalled);
    let key = format!("abcdef/t{}/1", fence.0).parse().expect("a key");
    let mut follower = log::Follower::new(&log::path(stage.home.path(), &key)).expect("a follower");
    // What it printed without an end of line shows once it was measured.
    while follower.next_line().expect("a log").is_none() {
        assert!(follower.wait(Some(PATIENCE)).expect("a wait"), "no line came");
    }
    stage.shell("true");
    assert_eq!(ended_as(stage.report()), (fence.0 + 1, None));
    crowd.shout(&mut roll);
    roll.write("go");
    roll.next();
    let_the_limit_pass(StopWhy::Stalled);
    drop(busy);
    roll.write("end");
    assert_eq!(ended_as(stage.report()), (fence.0, None));
}

#[test]
fn an_attempt_that_ended_in_time_is_not_told_of_as_late() {
    let (mut stage, busy) = Stage::busy_with_its_first_report();
    let mut roll = Roll::new(stage.home.path());
    let crowd = Crowd::gather(&mut stage, &roll);
    let line = format!("{}; read x < {}", roll.enter(), roll.pipe("go"));
    let fence = limited(&mut stage, line, StopWhy::Timeout);
    let attempt = roll.next();
    stage.shell("true");
    assert_eq!(ended_as(stage.report()), (fence.0 + 1, None));
    crowd.shout(&mut roll);
    let monitor = attempt.monitor();
    roll.write("go");
    attempt.wait_until_taken();
    monitor.wait_until_at_rest();
    let_the_limit_pass(StopWhy::Timeout);
    drop(busy);
    assert_eq!(ended_as(stage.report()), (fence.0, None));
}

/// A store whose one blob can be read when the other end of its channel is gone.
struct SlowBlobs(Mutex<Option<Receiver<()>>>);

struct SlowBlob(Receiver<()>, io::Cursor<&'static str>);

impl Blobs for SlowBlobs {
    fn open(&self, _: &Digest) -> io::Result<Box<dyn Read>> {
        let until = self.0.lock().expect("nobody panicked").take().expect("it is opened once");
        Ok(Box::new(SlowBlob(until, io::Cursor::new("what is asked"))))
    }
}

impl Read for SlowBlob {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.recv().unwrap_or_default();
        self.1.read(into)
    }
}

/// An attempt that prints its prompt, which can be read once the sender is dropped.
fn with_slow_prompt(stage: &mut Stage) -> (Fence, Sender<()>) {
    let prompt = PromptPart::Blob(Digest::of(b"what is asked"));
    let assignment = stage.assignment(asked("cat", &[], prompt));
    let fence = assignment.fence;
    let (slow, until) = channel();
    let blobs = Arc::new(SlowBlobs(Mutex::new(Some(until))));
    stage.supervisor.spawn(assignment, Surroundings { blobs, ..surroundings() });
    (fence, slow)
}

#[test]
fn a_prompt_that_is_slow_to_read_keeps_nobody_else_waiting() {
    let mut stage = Stage::new();
    let (fence, slow) = with_slow_prompt(&mut stage);
    assert_eq!(text(&stage.run("echo here").captured), "here\n");
    drop(slow);
    let ended = stage.ended();
    assert_eq!((ended.fence, text(&ended.captured).as_str()), (fence, "what is asked"));
}

#[test]
fn an_attempt_whose_prompt_is_still_being_read_can_be_stopped() {
    let mut stage = Stage::new();
    let (fence, slow) = with_slow_prompt(&mut stage);
    stage.supervisor.stop(fence, Span::from_secs(10));
    let ended = stage.ended();
    assert_eq!((ended.fence, ended.exit), (fence, Exit::NotStarted));
    assert_eq!(ended.error.map(|error| error.kind), Some(ErrorKind::Cancelled));
    drop(slow);
    // One that is prepared by the same thread, so after it.
    let (later, slow) = with_slow_prompt(&mut stage);
    drop(slow);
    assert_eq!(stage.ended().fence, later);
    assert!(stage.supervisor.live().iter().all(|(_, live)| *live != fence));
}
