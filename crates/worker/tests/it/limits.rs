//! Limits of time and memory, stops, and what is left when the main process is over.

use windlass_core::effect::Program;
use windlass_core::event::{Exit, StopWhy};
use windlass_core::failure::ErrorKind;
use windlass_core::time::Span;
use windlass_worker::WorkerReport;

use crate::stage::Stage;
use crate::watched::{Engine, Roll};

fn overdue(stage: &Stage) -> (u64, StopWhy, String) {
    match stage.report() {
        WorkerReport::Overdue { fence, why, message, .. } => (fence.0, why, message),
        other @ (WorkerReport::Ended(_) | WorkerReport::Lost { .. }) => panic!("{other:?}"),
    }
}

#[test]
fn an_attempt_that_takes_too_long_is_told_of_once_and_ended_on_order() {
    let mut stage = Stage::new();
    let mut assignment = stage.assignment(Program::Shell("sleep 1000".into()));
    assignment.start_to_close = Some(Span::from_ms(50));
    let fence = stage.start(assignment);
    assert_eq!(overdue(&stage), (1, StopWhy::Timeout, "it ran longer than 50ms (start_to_close)".into()));
    stage.supervisor.stop(fence, Span::from_secs(10));
    let ended = stage.ended();
    assert_eq!(ended.exit, Exit::Signal(libc::SIGTERM));
    assert_eq!(ended.error.map(|error| error.kind), Some(ErrorKind::Crashed));
}

#[test]
fn silence_is_told_of_and_work_is_none() {
    let mut stage = Stage::new();
    let mut limited = |line: &str| {
        let mut assignment = stage.assignment(Program::Shell(line.into()));
        assignment.heartbeat = Some(Span::from_ms(1000));
        assignment.start_to_close = Some(Span::from_ms(3500));
        stage.start(assignment)
    };
    let silent = limited("sleep 1000");
    let busy = limited("while :; do :; done");
    assert_eq!(overdue(&stage).1, StopWhy::Stalled);
    let mut late: Vec<_> = (0..2).map(|_| overdue(&stage)).map(|(fence, why, _)| (fence, why)).collect();
    late.sort_unstable_by_key(|(fence, _)| *fence);
    assert_eq!(late, [(1, StopWhy::Timeout), (2, StopWhy::Timeout)]);
    for fence in [silent, busy] {
        stage.supervisor.stop(fence, Span::from_ms(0));
    }
    for _ in 0..2 {
        assert_eq!(stage.ended().exit, Exit::Signal(libc::SIGKILL));
    }
}

#[test]
fn memory_is_summed_over_the_descent_and_told_of_when_it_is_too_much() {
    let mut stage = Stage::new();
    let hold = "x=$(head -c 40000000 /dev/zero | tr '\\0' x); sleep 1000; : $x";
    let mut assignment = stage.assignment(Program::Shell(format!("({hold}) & ({hold}) & wait")));
    assignment.memory_bytes_max = Some(64 << 20);
    let fence = stage.start(assignment);
    let (_, why, message) = overdue(&stage);
    assert_eq!(why, StopWhy::Memory);
    assert!(message.ends_with("MiB of memory, 64 MiB are allowed"), "{message}");
    stage.supervisor.stop(fence, Span::from_ms(0));
    let ended = stage.ended();
    assert!(ended.usage.memory_bytes_peak > 64 << 20);
    assert!(ended.usage.processes_peak >= 3, "{:?}", ended.usage);
}

/// Uses a fifth of a second of a processor, by its own account.
const WORK: &str =
    "until read -r stat < /proc/self/stat; set -- $stat; [ $((${14} + ${15})) -ge 20 ]; do :; done";

#[test]
fn the_processors_that_an_attempt_used_are_counted_over_all_its_processes() {
    let mut stage = Stage::new();
    let mut roll = Roll::new(stage.home.path());
    let (enter, done) = (roll.enter(), roll.pipe("done"));
    let fence = stage.shell(&format!(
        "sh -c '{WORK}' & (setsid sh -c '{WORK}; {enter}; exec sleep 1000' &); wait; read word < {done}"
    ));
    let orphan = roll.next();
    roll.write("done");
    let ended = stage.ended();
    orphan.wait();
    assert_eq!((ended.fence, ended.leftovers), (fence, 1));
    assert!(ended.usage.cpu_ms >= 400, "{:?}", ended.usage);
}

#[test]
fn the_memory_that_an_attempt_used_is_counted_also_where_another_process_than_the_first_had_it() {
    let mut stage = Stage::new();
    let ended = stage.run("sh -c 'x=$(head -c 40000000 /dev/zero | tr \"\\0\" x)'; true");
    assert!(ended.usage.memory_bytes_peak > 40_000_000, "{:?}", ended.usage);
}

#[test]
fn a_polite_stop_lets_a_program_end_in_its_own_way() {
    ends_in_its_own_way("");
}

/// A program that cleans up when it is asked to end does so, and with its own exit. `before` is what it does first.
pub(crate) fn ends_in_its_own_way(before: &str) {
    let mut stage = Stage::new();
    let mut roll = Roll::new(stage.home.path());
    let enter = roll.enter();
    let trap = "trap 'echo cleaned; exit 7' TERM";
    let fence = stage.shell(&format!("{trap}; {before} {enter}; sleep 1000 & wait"));
    roll.next();
    stage.supervisor.stop(fence, Span::from_secs(60));
    let ended = stage.ended();
    assert_eq!(ended.exit, Exit::Code(7));
    assert_eq!(crate::stage::text(&ended.captured), "cleaned\n");
}

#[test]
fn each_process_is_warned_once() {
    let mut stage = Stage::new();
    let mut roll = Roll::new(stage.home.path());
    let enter = roll.enter();
    // A second warning before it goes on would be written too.
    let heard = "while [ -z $heard ]; do :; done";
    let waits =
        |pipe| format!("trap 'echo warned; heard=1' TERM; {enter}; {heard}; {enter}; read word < {pipe}");
    let (one, other) = (waits(roll.pipe("one")), waits(roll.pipe("other")).replace('\'', "\""));
    let fence = stage.shell(&format!("(setsid sh -c '{other}' &); {one}"));
    let monitor = roll.next().monitor();
    roll.next();
    stage.supervisor.stop(fence, Span::from_secs(60));
    // Both have been warned, and the monitor has done all that is to be done before the grace is over.
    roll.next();
    roll.next();
    monitor.wait_until_at_rest();
    roll.write("one");
    roll.write("other");
    assert_eq!(crate::stage::text(&stage.ended().captured), "warned\nwarned\n");
}

#[test]
fn what_takes_no_notice_is_ended_by_force_also_when_it_is_held() {
    let mut stage = Stage::new();
    let mut roll = Roll::new(stage.home.path());
    let enter = roll.enter();
    let fence = stage.shell(&format!(
        "trap '' TERM; sh -c '{enter}; kill -STOP $$' & (setsid sh -c '{enter}; sleep 1000; sleep 1000' &) ; {enter}; while :; do wait; sleep 1000; done"
    ));
    let entered = [roll.next(), roll.next(), roll.next()];
    stage.supervisor.stop(fence, Span::from_ms(100));
    assert_eq!(stage.ended().exit, Exit::Signal(libc::SIGKILL));
    entered.iter().for_each(crate::watched::Held::wait);
}

#[test]
fn what_outlives_the_main_process_is_ended_and_counted() {
    let mut stage = Stage::new();
    let mut roll = Roll::new(stage.home.path());
    let enter = roll.enter();
    let begun = roll.pipe("begun");
    let outlives = format!("(setsid sh -c '{enter}; echo > {begun}; exec sleep 1000' &)");
    let ended = stage.run(&format!("{outlives}; read word < {begun}; echo out; exit 0"));
    assert_eq!((ended.exit, ended.error, ended.leftovers), (Exit::Code(0), None, 1));
    roll.next_or_gone();
}

#[test]
fn a_bomb_of_forks_is_ended() {
    let mut stage = Stage::new();
    let mut roll = Roll::new(stage.home.path());
    let bomb = format!(
        "{}; if [ $1 -lt 9 ]; then sh bomb $(($1 + 1)) & sh bomb $(($1 + 1)) & fi; exec sleep 1000",
        roll.enter()
    );
    std::fs::write(stage.path("bomb"), bomb).expect("a script");
    let fence = stage.shell("exec sh bomb 1");
    // Of 511 that it comes to some are there, and make others.
    let some: Vec<_> = (0..30).map(|_| roll.next()).collect();
    stage.supervisor.stop(fence, Span::from_ms(0));
    assert_eq!(stage.ended().exit, Exit::Signal(libc::SIGKILL));
    some.iter().for_each(crate::watched::Held::wait);
}

#[test]
fn a_stop_before_the_start_is_an_end_too() {
    let (mut stage, busy) = Stage::busy_with_its_first_report();
    stage.run("true");
    let fences: Vec<_> = (0..20).map(|_| stage.shell("sleep 1000")).collect();
    for fence in &fences {
        stage.supervisor.stop(*fence, Span::from_ms(0));
    }
    // It hears of the starts and of the stops at once.
    drop(busy);
    for fence in &fences {
        let ended = stage.ended();
        assert_eq!((ended.fence, ended.exit), (*fence, Exit::NotStarted));
        assert_eq!(ended.error.map(|error| error.kind), Some(ErrorKind::Cancelled));
    }
}

#[test]
fn stops_of_all_that_runs_end_all_of_it() {
    let mut stage = Stage::new();
    let mut roll = Roll::new(stage.home.path());
    let enter = roll.enter();
    let fences: Vec<_> = (0..4).map(|_| stage.shell(&format!("{enter}; exec sleep 1000"))).collect();
    let running: Vec<_> = fences.iter().map(|_| roll.next()).collect();
    for fence in &fences {
        stage.supervisor.stop(*fence, Span::from_ms(0));
    }
    for _ in &fences {
        assert_eq!(stage.ended().exit, Exit::Signal(libc::SIGKILL));
    }
    running.iter().for_each(crate::watched::Held::wait);
}

#[test]
fn five_hundred_attempts_leave_no_descriptor_and_no_zombie() {
    let mut engine = Engine::start("leaks");
    let mut burst = |line: &str| {
        (0..10).for_each(|_| engine.run(line));
        (0..10).for_each(|_| drop(engine.report()));
        engine.held.open_files_and_children()
    };
    let (before, _) = burst("echo warm");
    for round in 0..50 {
        burst(if round % 2 == 0 { "echo out; echo err >&2" } else { "exit 1" });
    }
    assert_eq!(burst("true"), (before, 1), "and the keeper alone");
    engine.end();
}
