//! SIGSTOP to monitors and keepers, from the attempts themselves and from outside, once and again and again: what was to
//! end ends all the same, and what was to go on goes on.

use std::process::{Command, Stdio};

use rustix::process::Signal;
use windlass_core::event::Exit;
use windlass_core::failure::ErrorKind;
use windlass_core::time::Span;
use windlass_worker::wait_for_old_keeper;

use crate::limits::ends_in_its_own_way;
use crate::stage::Stage;
use crate::watched::{Engine, Held, Roll, alive_with};

/// Holds a process as often as something lets it go on, until it is over.
#[expect(clippy::disallowed_methods, reason = "a test starts what gets in the way")]
pub(crate) fn hold_for_ever(process: &Held) {
    let alive = format!("read -r _ _ state _ < /proc/{}/stat && [ $state != Z ]", process.pid);
    let line = format!("while {alive}; do kill -STOP {}; done", process.pid);
    let mut command = Command::new("sh");
    command.args(["-c", &line]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    process.signal(Signal::STOP);
    drop(command.spawn().expect("a shell"));
}

#[test]
fn an_attempt_that_holds_its_monitor_for_ever_is_ended_by_force() {
    let mut stage = Stage::new();
    let mut roll = Roll::new(stage.home.path());
    let enter = roll.enter();
    let away =
        format!("(setsid sh -c 'trap \"\" TERM; {enter}; while :; do kill -STOP $PPID; sleep 1000; done' &)");
    let fence = stage.shell(&format!("trap '' TERM; {away}; {enter}; while :; do kill -STOP $PPID; done"));
    let entered = [roll.next(), roll.next()];
    stage.supervisor.stop(fence, Span::from_ms(100));
    let ended = stage.ended();
    assert_eq!(ended.exit, Exit::Signal(libc::SIGKILL));
    assert_eq!(ended.error.map(|error| error.kind), Some(ErrorKind::Crashed));
    entered.iter().for_each(Held::wait);
    assert_eq!(stage.run("exit 3").exit, Exit::Code(3), "the next one has a monitor");
}

#[test]
fn an_attempt_that_held_its_monitor_may_still_end_in_its_own_way() {
    ends_in_its_own_way("kill -STOP $PPID;");
}

#[test]
fn the_end_of_an_attempt_that_holds_its_monitor_is_seen() {
    let mut stage = Stage::new();
    assert_eq!(stage.run("kill -STOP $PPID; exit 7").exit, Exit::Code(7));
}

/// A keeper with an attempt in flight.
fn keeper_of(engine: &mut Engine, roll: &mut Roll, word: &str) -> (Held, Held) {
    engine.run(&format!("{}; sleep {word} & wait; : {word}", roll.enter()));
    let main = roll.next();
    let keeper = main.monitor().parent().expect("a keeper");
    (main, keeper)
}

#[test]
fn a_keeper_that_is_held_makes_monitors_all_the_same() {
    let mut engine = Engine::start("h1");
    let mut roll = Roll::new(engine.home.path());
    let (_main, keeper) = keeper_of(&mut engine, &mut roll, "98701.1");
    keeper.signal(Signal::STOP);
    // More than are kept ready.
    (0..3).for_each(|_| engine.run(&format!("{}; sleep 98701.2", roll.enter())));
    (0..3).for_each(|_| drop(roll.next()));
    engine.end();
    assert_eq!(alive_with("98701."), Vec::<String>::new());
}

#[test]
fn a_keeper_that_is_held_for_ever_is_replaced() {
    let mut engine = Engine::start("h2");
    let mut roll = Roll::new(engine.home.path());
    let (main, keeper) = keeper_of(&mut engine, &mut roll, "98702.1");
    hold_for_ever(&keeper);
    let report = engine.report();
    assert!(report.starts_with("lost t1 KeeperDied "), "{report}");
    main.wait();
    engine.run("true");
    assert_eq!(engine.report(), "ended t2 ok 0");
    engine.end();
}

#[test]
fn an_engine_ends_in_order_also_when_its_keeper_is_held_for_ever() {
    let mut engine = Engine::start("h3");
    let mut roll = Roll::new(engine.home.path());
    let (main, keeper) = keeper_of(&mut engine, &mut roll, "98703.1");
    let monitor = main.monitor();
    hold_for_ever(&monitor);
    hold_for_ever(&keeper);
    engine.end();
    [main, monitor, keeper].iter().for_each(Held::wait);
    assert_eq!(alive_with("98703.1"), Vec::<String>::new());
}

#[test]
fn an_old_keeper_that_was_held_ends_what_it_has() {
    let mut engine = Engine::start("h4");
    let mut roll = Roll::new(engine.home.path());
    let (main, keeper) = keeper_of(&mut engine, &mut roll, "98704.1");
    let monitor = main.monitor();
    monitor.signal(Signal::STOP);
    keeper.signal(Signal::STOP);
    engine.kill();
    let mut said = Vec::new();
    wait_for_old_keeper(engine.home.path(), Span::from_secs(30), |what| said.push(what.to_owned()))
        .expect("it ends");
    assert_eq!(said, ["waiting for the keeper of an earlier engine to end what that engine started"]);
    [main, monitor, keeper].iter().for_each(Held::wait);
    assert_eq!(alive_with("98704.1"), Vec::<String>::new());
}

#[test]
fn an_old_keeper_that_does_not_end_is_named_and_ended_by_force() {
    let mut engine = Engine::start("h5");
    let mut roll = Roll::new(engine.home.path());
    let (main, keeper) = keeper_of(&mut engine, &mut roll, "98705.1");
    let monitor = main.monitor();
    // As long as somebody has the other end of its link it has no reason to end.
    engine.held.signal(Signal::STOP);
    let mut said = Vec::new();
    wait_for_old_keeper(engine.home.path(), Span::from_ms(1), |what| said.push(what.to_owned()))
        .expect("it is ended");
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[1].contains(&format!("{}", keeper.pid)), "{said:?}");
    [main, monitor, keeper].iter().for_each(Held::wait);
    assert_eq!(alive_with("98705."), Vec::<String>::new());
}

#[test]
fn a_monitor_that_is_held_after_its_keeper_died_is_ended_too() {
    let mut engine = Engine::start("h6");
    let mut roll = Roll::new(engine.home.path());
    let (main, keeper) = keeper_of(&mut engine, &mut roll, "98706.1");
    let monitor = main.monitor();
    keeper.signal(Signal::STOP);
    engine.kill();
    hold_for_ever(&monitor);
    keeper.signal(Signal::KILL);
    keeper.wait();
    wait_for_old_keeper(engine.home.path(), Span::from_ms(1), |_| {}).expect("it is ended");
    [main, monitor].iter().for_each(Held::wait);
    assert_eq!(alive_with("98706.1"), Vec::<String>::new());
}
