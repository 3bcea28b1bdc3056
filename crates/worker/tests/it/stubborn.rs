//! Processes that are hard to find or to end, many of them, and a machine without memory: nothing is left, and the engine
//! lives. Never: a process of another user, or of another group than a test has made.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use windlass_core::time::Span;
use windlass_worker::wait_for_old_keeper;

use crate::needs::is_there;
use crate::watched::{Engine, Held, Roll, alive_with};

/// Who is no root sees of others only what they let be seen.
fn another_user() -> &'static [&'static str] {
    let is_root = rustix::process::geteuid().is_root();
    if is_root { &["setpriv", "--reuid=61237", "--regid=61237", "--clear-groups"] } else { &[] }
}

/// What can't be asked for its mark, what is another program at each moment, and what neither ends by itself nor on a warning.
fn stubborn(engine: &mut Engine, roll: &mut Roll) -> [Held; 3] {
    let enter = roll.enter();
    let again = engine.home.path().join("again");
    fs::write(&again, "exec sh $0").expect("ours");
    let said = engine.home.path().join("roll");
    // Not dumpable: its environment is for root alone.
    let hidden = format!(
        "syscall({}, {}, 0); open F, \">\", \"{}\"; print F \"$$\\n\"; close F; $SIG{{TERM}} = \"IGNORE\"; sleep 1000 while 1",
        libc::SYS_prctl,
        libc::PR_SET_DUMPABLE,
        said.display()
    );
    let other_at_each_moment = format!("trap \"\" TERM; {enter}; exec sh {}", again.display());
    engine.run(&format!(
        "(setsid perl -e '{hidden}' &); (setsid sh -c '{other_at_each_moment}' &); {enter}; sleep 1000 & wait"
    ));
    [roll.next(), roll.next(), roll.next()]
}

#[test]
fn what_hides_its_mark_or_is_another_program_at_each_moment_ends_with_its_engine() {
    let mut engine = Engine::start_within("s1", another_user(), 4);
    let mut roll = Roll::new(engine.home.path());
    let entered = stubborn(&mut engine, &mut roll);
    engine.kill();
    entered.iter().for_each(Held::wait);
    wait_for_old_keeper(engine.home.path(), Span::from_secs(30), |_| {}).expect("its lock is free");
}

#[test]
fn what_hides_its_mark_or_is_another_program_at_each_moment_ends_with_its_keeper_and_with_its_monitor() {
    let mut engine = Engine::start_within("s2", another_user(), 4);
    let mut roll = Roll::new(engine.home.path());
    let entered = stubborn(&mut engine, &mut roll);
    entered[0].monitor().parent().expect("a keeper").signal(Signal::KILL);
    assert!(engine.report().starts_with("lost t1 KeeperDied "));
    entered.iter().for_each(Held::wait);
    let entered = stubborn(&mut engine, &mut roll);
    entered[0].monitor().signal(Signal::KILL);
    assert!(engine.report().starts_with("ended t2 crashed "));
    entered.iter().for_each(Held::wait);
    engine.end();
}

#[test]
fn of_a_thousand_attempts_that_each_leave_three_daemons_nothing_is_left() {
    let word = format!("98709.{}", std::process::id());
    let daemons = format!(
        "(setsid sleep {word} &); (env -i setsid sh -c '(sleep {word} &)' &); (trap '' TERM; setsid sleep {word} &)"
    );
    let mut engine = Engine::start_within("s3", &[], 64);
    engine.run("true");
    assert_eq!(engine.report(), "ended t1 ok 0");
    (0..1000).for_each(|_| engine.run(&daemons));
    for _ in 0..1000 {
        let report = engine.report();
        assert!(report.starts_with("ended ") && report.contains(" ok "), "{report}");
    }
    assert_eq!(alive_with(&word), Vec::<String>::new());
    let (_, children) = engine.held.open_files_and_children();
    assert_eq!(children, 1, "the keeper alone");
    engine.end();
}

/// A group in which no more than so many bytes of memory can be had, if one can be made here.
struct LittleMemory(PathBuf);

impl LittleMemory {
    fn of(bytes: u64) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let mount = |kind: &str, option: &str| {
            let line = mounts.lines().find(|line| {
                line.split_once(" - ").is_some_and(|(_, fs)| {
                    fs.starts_with(kind) && fs.split([' ', ',']).any(|one| one == option)
                })
            })?;
            line.split(' ').nth(4).map(PathBuf::from)
        };
        let name = format!("windlass-memory-{}", std::process::id());
        let limit = |file: &str, folder: &Path| fs::write(folder.join(file), bytes.to_string()).is_ok();
        // Version 1 first: where both are mounted, memory belongs to it.
        let first =
            mount("cgroup ", "memory").map(|at| (at, "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"));
        let second = || mount("cgroup2 ", "rw").map(|at| (at, "memory.max", "memory.swap.max"));
        let (at, file, with_swap) = first.or_else(second)?;
        let made = Self(at.join(name));
        fs::create_dir(&made.0).ok()?;
        // Without swap of its own it goes without the second.
        let is_limited = limit(file, &made.0);
        limit(with_swap, &made.0);
        is_limited.then_some(made)
    }
}

impl Drop for LittleMemory {
    fn drop(&mut self) {
        drop(fs::remove_dir(&self.0));
    }
}

#[test]
fn where_memory_runs_out_the_attempt_that_took_it_is_ended_and_not_the_engine() {
    let little = LittleMemory::of(256 << 20);
    if !is_there("memory", little.is_some()) {
        return;
    }
    let little = little.expect("it is there");
    let enter = format!("echo $$ > {}/cgroup.procs; exec \"$@\"", little.0.display());
    let mut engine = Engine::start_within("s4", &["sh", "-c", &enter, "sh"], 4);
    engine.run("true");
    assert_eq!(engine.report(), "ended t1 ok 0");
    engine.run("exec tail /dev/zero");
    let report = engine.report();
    assert!(report.starts_with("ended t2 out_of_memory "), "{report}");
    engine.run("true");
    assert_eq!(engine.report(), "ended t3 ok 0", "the engine and what it needs live on");
    engine.end();
}
