//! kill -9 of engine, keeper, monitor, and of several at once: nothing that they started lives on.

use rustix::process::Signal;
use windlass_core::id::AttemptKey;
use windlass_core::time::Span;
use windlass_worker::{sweep, wait_for_old_keeper};

use crate::watched::{Engine, Held, Roll, alive_with};

/// A length of sleep that no other test has, so that command lines tell who belongs to this one.
fn word(number: u32) -> String {
    format!("98700.{number}{}", std::process::id())
}

/// Processes of the kinds that get away from others, all of which enter the roll: a daemon that left its session and
/// cleared its environment, one that takes no notice of SIGTERM, one that is held, and the main process. `word` is
/// how long each sleeps.
fn hard_to_end(roll: &Roll, word: &str) -> (String, usize) {
    let enter = roll.enter();
    let by_itself = enter.replace('$', "\\$");
    let daemon = format!("(env -i setsid sh -c '(sh -c \"{by_itself}; exec sleep {word}\" &)' &)");
    let deaf = format!("(setsid sh -c 'trap \"\" TERM; {enter}; while :; do sleep {word}; done' &)");
    let held = format!("sh -c '{enter}; kill -STOP $$; : {word}' &");
    let main = format!("{enter}; sleep {word} & wait; : {word}");
    (format!("{daemon}; {deaf}; {held} {main}"), 4)
}

fn start(engine: &mut Engine, word: &str) -> (Roll, Vec<Held>) {
    let mut roll = Roll::new(engine.home.path());
    let (line, count) = hard_to_end(&roll, word);
    engine.run(&line);
    let entered = (0..count).map(|_| roll.next()).collect();
    (roll, entered)
}

fn assert_all_gone(entered: &[Held], word: &str) {
    entered.iter().for_each(Held::wait);
    assert_eq!(alive_with(word), Vec::<String>::new());
}

#[test]
fn nothing_survives_the_engine() {
    let mut engine = Engine::start("1");
    let (_roll, entered) = start(&mut engine, &word(3));
    let keeper = entered[0].monitor().parent().expect("a keeper");
    engine.kill();
    keeper.wait();
    assert_all_gone(&entered, &word(3));
    wait_for_old_keeper(engine.home.path(), Span::from_secs(0), |_| {}).expect("its lock is free");
}

#[test]
fn the_lock_of_an_old_keeper_is_waited_for_until_all_is_gone() {
    let mut engine = Engine::start("2");
    let (_roll, entered) = start(&mut engine, &word(7));
    let lock = std::fs::File::open(engine.home.path().join("keeper.lock")).expect("it is there");
    assert!(lock.try_lock().is_err(), "the keeper lives");
    engine.kill();
    let mut said = String::new();
    wait_for_old_keeper(engine.home.path(), Span::from_secs(30), |what| said.push_str(what))
        .expect("it ends");
    assert_eq!(alive_with(&word(7)), Vec::<String>::new());
    assert_eq!(said, "waiting for the keeper of an earlier engine to end what that engine started");
    assert_all_gone(&entered, &word(7));
}

#[test]
fn nothing_survives_the_engine_while_a_monitor_is_held() {
    let mut engine = Engine::start("3");
    let (_roll, entered) = start(&mut engine, &word(4));
    let monitor = entered[0].monitor();
    let keeper = monitor.parent().expect("a keeper");
    monitor.signal(Signal::STOP);
    engine.kill();
    keeper.wait();
    assert_all_gone(&entered, &word(4));
}

#[test]
fn nothing_survives_the_keeper_and_the_next_attempt_gets_another() {
    let mut engine = Engine::start("4");
    let (_roll, entered) = start(&mut engine, &word(6));
    entered[0].monitor().parent().expect("a keeper").signal(Signal::KILL);
    let report = engine.report();
    assert!(report.starts_with("lost t1 KeeperDied "), "{report}");
    assert_all_gone(&entered, &word(6));
    engine.run("true");
    assert_eq!(engine.report(), "ended t2 ok 0");
    engine.end();
}

#[test]
fn nothing_survives_a_monitor_and_its_attempt_has_crashed() {
    let mut engine = Engine::start("5");
    let (_roll, entered) = start(&mut engine, &word(8));
    entered[0].monitor().signal(Signal::KILL);
    let report = engine.report();
    assert!(report.starts_with("ended t1 crashed "), "{report}");
    assert_all_gone(&entered, &word(8));
    engine.run("true");
    assert_eq!(engine.report(), "ended t2 ok 0");
    engine.end();
}

#[test]
fn what_keeper_and_monitor_leave_falls_to_the_engine() {
    let mut engine = Engine::start("6");
    let (_roll, entered) = start(&mut engine, &word(1));
    let monitor = entered[0].monitor();
    let keeper = monitor.parent().expect("a keeper");
    [&engine.held, &keeper].into_iter().for_each(Held::hold);
    for process in [&monitor, &keeper] {
        process.signal(Signal::KILL);
        process.wait();
    }
    engine.held.signal(Signal::CONT);
    let report = engine.report();
    assert!(report.starts_with("lost t1 KeeperDied "), "{report}");
    assert_all_gone(&entered, &word(1));
    engine.end();
}

#[test]
fn monitors_end_what_is_theirs_when_engine_and_keeper_are_gone() {
    let mut engine = Engine::start("7");
    let (_roll, entered) = start(&mut engine, &word(2));
    let keeper = entered[0].monitor().parent().expect("a keeper");
    [&engine.held, &keeper].into_iter().for_each(Held::hold);
    engine.held.signal(Signal::KILL);
    keeper.signal(Signal::KILL);
    wait_for_old_keeper(engine.home.path(), Span::from_secs(30), |_| {}).expect("its lock is free");
    assert_all_gone(&entered, &word(2));
}

#[test]
fn the_sweep_finds_by_marks_what_outlived_all_of_them() {
    let mut engine = Engine::start("8");
    let mut roll = Roll::new(engine.home.path());
    let enter = roll.enter();
    engine.run(&format!(
        "{enter}; (setsid sh -c '{enter}; exec sleep 98700' &); \
         sh -c '{enter}; exec sleep 98700' & wait"
    ));
    let (main, daemon, child) = (roll.next(), roll.next(), roll.next());
    let monitor = daemon.monitor();
    let keeper = monitor.parent().expect("a keeper");
    // The engine first: it lets a keeper go on that somebody holds.
    [&engine.held, &keeper].into_iter().for_each(Held::hold);
    for process in [&monitor, &keeper, &engine.held] {
        process.signal(Signal::KILL);
        process.wait();
    }
    // It dies with its monitor, by the kernel's hand.
    main.wait();
    let key = "abcdef/t1/1".parse().expect("a key");
    let sweep = |is_live: &dyn Fn(&AttemptKey) -> bool| {
        sweep((engine.home.path(), &engine.home_id), Span::from_secs(60), |_| {}, is_live)
            .expect("all of it ends")
    };
    assert!(sweep(&|live| *live == key).is_empty(), "a live attempt is left alone");
    let swept = sweep(&|_| false);
    assert_eq!(swept.get(&key), Some(&2), "the daemon and the child");
    daemon.wait();
    child.wait();
    assert!(sweep(&|_| false).is_empty());
    wait_for_old_keeper(engine.home.path(), Span::from_secs(0), |_| {}).expect("its lock is free");
}

#[test]
fn an_engine_that_ends_in_order_leaves_nothing_either() {
    let mut engine = Engine::start("9");
    let (_roll, entered) = start(&mut engine, &word(5));
    engine.end();
    assert_all_gone(&entered, &word(5));
}

#[test]
fn what_does_not_end_in_time_is_named_and_not_waited_for_longer() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let mut roll = Roll::new(folder.path());
    let home_id = format!("deaf-{}", std::process::id());
    let line = format!("trap '' TERM; {}; while :; do sleep 1000; done", roll.enter());
    #[expect(clippy::disallowed_methods, reason = "what a dead engine may have left")]
    let mut left = std::process::Command::new("sh")
        .args(["-c", &line])
        .env("WINDLASS_OWNERS", format!("{home_id}|abcdef/t1/1"))
        .spawn()
        .expect("a process");
    roll.next();
    let mut said = String::new();
    let still_there =
        sweep((folder.path(), &home_id), Span::from_ms(0), |what| said.push_str(what), |_| false);
    assert_eq!(
        still_there.expect_err("it takes no notice of a warning").to_string(),
        format!(
            "process {} of attempt abcdef/t1/1, which an earlier engine left, is still there after 0s",
            left.id()
        )
    );
    assert_eq!(said, format!("waiting for process {} of attempt abcdef/t1/1 to end", left.id()));
    assert_eq!(left.try_wait().expect("our child"), None);
    let swept =
        sweep((folder.path(), &home_id), Span::from_secs(60), |_| {}, |_| false).expect("force ends it");
    assert!(swept.contains_key(&"abcdef/t1/1".parse().expect("a key")));
    left.wait().expect("our child");
}
