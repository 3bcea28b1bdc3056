//! Attempts in control groups of their own, where the machine lets them be made, and as ever where not. Never: another
//! group touched than those that the tests and their engines make.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use windlass_core::time::Span;
use windlass_worker::{Containment, machine, sweep, wait_for_old_keeper};

use crate::needs::is_there;
use crate::stage::{PAWL, Stage};
use crate::watched::{Engine, Held, Roll};

/// Whether a test may go on that needs control groups.
fn in_groups() -> bool {
    is_there("cgroup", machine().containment == Containment::Cgroup)
}

/// The folder of the control group that a process is in.
fn group_of(process: &str) -> PathBuf {
    let groups = fs::read_to_string(format!("/proc/{process}/cgroup")).expect("it lives");
    let own = groups.lines().find_map(|line| line.strip_prefix("0::")).expect("version 2");
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("/proc");
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 ")).expect("it is mounted");
    let mut fields = mount.split(' ').skip(3);
    let (root, at) = (fields.next().expect("a root"), fields.next().expect("a place"));
    Path::new(at).join(Path::new(own).strip_prefix(root).expect("it is seen"))
}

fn group_of_held(process: &Held) -> PathBuf {
    group_of(&process.pid.as_raw_nonzero().to_string())
}

/// The folders in a folder.
fn groups_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("it is there").flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = folders.map(|one| one.file_name().display().to_string()).collect();
    names.sort();
    names
}

/// A group of a test's own, which an engine can be started in.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let folder = group_of("self").join(format!("windlass-test-{name}-{}", std::process::id()));
        fs::create_dir(&folder).expect("it can be made");
        Self(folder)
    }

    fn engine(&self, name: &str) -> Engine {
        self.engine_within(name, &[])
    }

    /// An engine that another program starts in it.
    fn engine_within(&self, name: &str, around: &[&str]) -> Engine {
        let enter = format!("echo $$ > {}/cgroup.procs; exec \"$@\"", self.0.display());
        let words: Vec<&str> = ["sh", "-c", &enter, "sh"].into_iter().chain(around.iter().copied()).collect();
        Engine::start_within(name, &words, 4)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // It is not empty where a test has failed: nothing of it is to stay.
        drop(fs::write(self.0.join("cgroup.kill"), "1"));
        drop(fs::remove_dir(&self.0));
    }
}

/// A daemon that left its session, its parents and its environment, in an attempt whose main process waits.
fn daemon(engine: &mut Engine, roll: &mut Roll) -> (Held, Held) {
    let enter = roll.enter();
    let daemon = format!("trap \"\" TERM; {enter}; while :; do sleep 1000; done").replace('$', "\\$");
    engine.run(&format!(
        "{enter}; (env -i setsid sh -c '(sh -c \"{}\" &)' &); sleep 1000 & wait",
        daemon.replace('"', "\\\"")
    ));
    (roll.next(), roll.next())
}

/// Kills engine, keeper and monitor, none of which sees the others die.
fn kill_all(engine: &Engine, main: &Held) {
    let monitor = main.monitor();
    let keeper = monitor.parent().expect("a keeper");
    // The engine first: it lets a keeper go on that somebody holds.
    [&engine.held, &keeper].into_iter().for_each(Held::hold);
    for process in [&monitor, &keeper, &engine.held] {
        process.signal(Signal::KILL);
        process.wait();
    }
    // Monitors that had nothing to do see that by themselves.
    wait_for_old_keeper(engine.home.path(), Span::from_secs(30), |_| {}).expect("its lock is free");
}

#[test]
fn what_cleared_its_mark_is_ended_by_the_next_start_also_where_all_were_killed_at_once() {
    if !in_groups() {
        return;
    }
    let place = Place::new("c1");
    let mut engine = place.engine("c1");
    let mut roll = Roll::new(engine.home.path());
    let (main, daemon) = daemon(&mut engine, &mut roll);
    let group = group_of_held(&daemon);
    assert_eq!(group_of_held(&main), group, "they are in one");
    assert_eq!(group.file_name().and_then(|name| name.to_str()), Some("abcdef,t1,1"));
    assert_eq!(group.parent().and_then(Path::parent), Some(&*place.0), "below that of the engine");
    kill_all(&engine, &main);
    main.wait();
    let (home, within) = (engine.home.path(), Span::from_secs(60));
    let key = "abcdef/t1/1".parse().expect("a key");
    assert!(
        sweep((home, &engine.home_id), within, |_| {}, |live| *live == key)
            .expect("nothing to end")
            .is_empty()
    );
    assert!(sweep((home, "another"), within, |_| {}, |_| false).expect("nothing to end").is_empty());
    assert_eq!(group_of_held(&daemon), group, "neither a live attempt is ended, nor one of another home");
    let swept = sweep((home, &engine.home_id), within, |_| {}, |_| false).expect("force ends it");
    assert!(swept.contains_key(&key), "{swept:?}");
    daemon.wait();
    assert_eq!(groups_in(&place.0), Vec::<String>::new());
    assert!(!home.join("cgroups").exists(), "nothing is noted any more");
}

#[test]
fn a_copy_of_a_home_ends_nothing_in_the_groups_of_the_first() {
    if !in_groups() {
        return;
    }
    let mut engine = Engine::start("c2");
    let mut roll = Roll::new(engine.home.path());
    let (main, daemon) = daemon(&mut engine, &mut roll);
    let group = group_of_held(&daemon);
    kill_all(&engine, &main);
    let copy = tempfile::TempDir::new().expect("a folder");
    fs::copy(engine.home.path().join("cgroups"), copy.path().join("cgroups")).expect("it is noted");
    let sweep_of = |home: &Path| sweep((home, &engine.home_id), Span::from_secs(60), |_| {}, |_| false);
    sweep_of(copy.path()).expect("what is marked ends");
    assert_eq!(group_of_held(&daemon), group, "it lives where it was");
    sweep_of(engine.home.path()).expect("all of it ends");
    daemon.wait();
}

#[test]
fn a_note_of_a_group_that_this_home_has_not_made_ends_nothing() {
    if !in_groups() {
        return;
    }
    let (mut theirs, home) = (Engine::start("c3a"), tempfile::TempDir::new().expect("a folder"));
    let ours = format!("c3b-{}", std::process::id());
    let mut roll = Roll::new(theirs.home.path());
    let (_main, daemon) = daemon(&mut theirs, &mut roll);
    let group = group_of_held(&daemon);
    let number = |folder: &Path| {
        let found = fs::metadata(folder).expect("it is there");
        format!("{}:{}", found.dev(), found.ino())
    };
    let noted = fs::read_to_string(theirs.home.path().join("cgroups")).expect("it is noted");
    let of_others = noted.replace(&number(theirs.home.path()), &number(home.path()));
    // Folders and files like those of a group, outside of all groups.
    let looks_like_one = home.path().join(format!("windlass.{ours}.1.0"));
    let inner = looks_like_one.join("abcdef,t1,1");
    fs::create_dir_all(&inner).expect("ours");
    for folder in [&looks_like_one, &inner] {
        fs::write(folder.join("cgroup.kill"), "untouched").expect("ours");
    }
    let (before, _) = of_others.trim_end().rsplit_once(' ').expect("a note");
    let up = "/..".repeat(9);
    fs::write(
        home.path().join("cgroups"),
        format!("{of_others}{before} {up}{}\nno note\n", looks_like_one.display()),
    )
    .expect("ours");
    let swept = sweep((home.path(), &ours), Span::from_secs(60), |_| {}, |_| false);
    assert!(swept.expect("nothing to end").is_empty());
    assert_eq!(group_of_held(&daemon), group, "it lives where it was");
    assert_eq!(fs::read_to_string(inner.join("cgroup.kill")).expect("it is there"), "untouched");
    theirs.end();
    daemon.wait();
}

#[test]
fn the_group_of_an_engine_within_a_live_attempt_is_left_alone() {
    if !in_groups() {
        return;
    }
    let mut engine = Engine::start("c6");
    let mut roll = Roll::new(engine.home.path());
    let (home, id) = (tempfile::TempDir::new().expect("a folder"), format!("c6i-{}", std::process::id()));
    let line = format!("echo '{}'; exec sleep 1000", roll.enter());
    let inner = format!("{PAWL} {} {id} 4", home.path().display());
    engine.run(&format!("({line}) | {inner}"));
    let first = roll.number();
    let noted = fs::read_to_string(home.path().join("cgroups")).expect("it is noted before anything runs");
    let path = Path::new(noted.trim_end().rsplit(' ').next().expect("a path"));
    let name = path.file_name().expect("a name");
    let around = path.parent().and_then(Path::parent).and_then(Path::file_name).expect("that of the keeper");
    let group = group_of("self").join(around).join("abcdef,t1,1").join(name);
    let mut looks = (0..10_000_000).inspect(|_| std::thread::yield_now());
    assert!(
        looks.any(|_| groups_in(&group).is_empty()),
        "what it had in flight is over, and its group is not"
    );
    let swept = sweep((engine.home.path(), &engine.home_id), Span::from_secs(60), |_| {}, |_| true);
    assert!(swept.expect("nothing to end").is_empty());
    assert!(group.exists(), "the engine within has nothing in flight, and goes on: {first}");
    engine.end();
    assert!(!group.exists());
}

#[test]
fn two_hundred_attempts_leave_no_group_behind() {
    if !in_groups() {
        return;
    }
    let mut stage = Stage::new();
    let group = {
        let shown = stage.run("cat /proc/self/cgroup");
        let shown = crate::stage::text(&shown.captured);
        let own = shown.lines().find_map(|line| line.strip_prefix("0::")).expect("version 2").to_owned();
        let keeper =
            Path::new(&own).parent().expect("that of the keeper").file_name().expect("a name").to_owned();
        group_of("self").join(keeper)
    };
    assert_eq!(groups_in(&group), Vec::<String>::new(), "the first has left none");
    for _ in 0..200 {
        stage.shell("(setsid sleep 1000 &)");
    }
    (0..200).for_each(|_| assert_eq!(stage.ended().error, None));
    assert_eq!(groups_in(&group), Vec::<String>::new());
    stage.run_argv(&["no-such-program"]);
    assert_eq!(groups_in(&group), Vec::<String>::new(), "nor has one that could not start");
    let Stage { supervisor, home, .. } = stage;
    supervisor.shutdown();
    assert!(!group.exists() && !home.path().join("cgroups").exists());
}

#[test]
fn neither_a_killed_monitor_nor_a_killed_keeper_leaves_a_group() {
    if !in_groups() {
        return;
    }
    let place = Place::new("c4");
    let mut engine = place.engine("c4");
    let mut roll = Roll::new(engine.home.path());
    let (main, first) = daemon(&mut engine, &mut roll);
    let group = group_of_held(&first);
    let keeper = main.monitor().parent().expect("a keeper");
    main.monitor().signal(Signal::KILL);
    assert!(engine.report().starts_with("ended t1 crashed "));
    assert!(!group.exists());
    let (_main, second) = daemon(&mut engine, &mut roll);
    let group = group_of_held(&second);
    keeper.signal(Signal::KILL);
    assert!(engine.report().starts_with("lost t2 KeeperDied "));
    [first, second].iter().for_each(Held::wait);
    assert!(!group.exists() && !group.parent().expect("its keeper's").exists());
    engine.run("true");
    assert_eq!(engine.report(), "ended t3 ok 0");
    engine.end();
    assert_eq!(groups_in(&place.0), Vec::<String>::new());
}

#[test]
fn groups_that_an_attempt_makes_within_its_own_are_removed_with_what_is_in_them() {
    if !in_groups() {
        return;
    }
    let mut stage = Stage::new();
    let own = group_of("self");
    let within = format!(
        "g={}/$(grep ^0:: /proc/self/cgroup | sed 's,.*/windlass,windlass,')/inner; mkdir $g; \
         (setsid sh -c \"echo \\$\\$ > $g/cgroup.procs; echo > {}; exec sleep 1000\" &); read -r _ < {}; echo $g",
        own.display(),
        stage.path("in").display(),
        stage.path("in").display()
    );
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, stage.path("in"), rustix::fs::FileType::Fifo, mode, 0)
        .expect("a pipe");
    let ended = stage.run(&within);
    assert_eq!((ended.error, ended.leftovers), (None, 1));
    let inner = PathBuf::from(crate::stage::text(&ended.captured).trim());
    assert!(
        inner.ends_with("abcdef,t1,1/inner") && !inner.parent().expect("its attempt's").exists(),
        "{inner:?}"
    );
}

#[test]
fn a_user_to_whom_a_group_was_handed_has_groups_as_root_has() {
    // Only root can hand one over.
    if !in_groups() || !rustix::process::geteuid().is_root() {
        return;
    }
    let place = Place::new("c7");
    for name in ["", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"] {
        std::os::unix::fs::chown(place.0.join(name), Some(61236), None).expect("root may");
    }
    let user = ["setpriv", "--reuid=61236", "--regid=61236", "--clear-groups"];
    let mut engine = place.engine_within("c7", &user);
    let mut roll = Roll::new(engine.home.path());
    let (main, daemon) = daemon(&mut engine, &mut roll);
    assert!(group_of_held(&daemon).ends_with("abcdef,t1,1"));
    main.signal(Signal::KILL);
    assert!(engine.report().starts_with("ended t1 crashed "));
    daemon.wait();
    engine.end();
    assert_eq!(groups_in(&place.0), Vec::<String>::new());
}

#[test]
fn where_no_group_may_be_made_attempts_run_in_that_of_their_engine() {
    let is_root = rustix::process::geteuid().is_root();
    let another = ["setpriv", "--reuid=61235", "--regid=61235", "--clear-groups"];
    let mut engine = Engine::start_within("c5", if is_root { &another } else { &[] }, 4);
    let own =
        fs::read_to_string(format!("/proc/{}/cgroup", engine.held.pid.as_raw_nonzero())).expect("it lives");
    let mut roll = Roll::new(engine.home.path());
    let (main, daemon) = daemon(&mut engine, &mut roll);
    let of = |process: &Held| fs::read_to_string(format!("/proc/{}/cgroup", process.pid.as_raw_nonzero()));
    let is_open = !is_root && machine().containment == Containment::Cgroup;
    assert_eq!(of(&daemon).expect("it lives") == own, !is_open);
    assert_eq!(engine.home.path().join("cgroups").exists(), is_open);
    main.signal(Signal::KILL);
    assert!(engine.report().starts_with("ended t1 crashed "));
    daemon.wait();
    engine.end();
}
