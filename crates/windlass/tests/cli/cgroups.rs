//! Control groups from outside: what a killed Windlass left in them is ended by the next start, whatever it did to hide.

use rustix::process::{Pid, Signal, kill_process};

use crate::desk::{Desk, Running, can_trace, is_alive};
use crate::needs::is_there;

/// A daemon that left its session, its parents and its environment and takes no notice of a warning. It tells the numbers of
/// the keeper, of the monitor and of its own; the second attempt has nothing to do.
const PLAN: &str = r#"
tasks:
  a:
    run: |
      test $WINDLASS_ATTEMPT = 2 && exit 0
      above="$(cut -d' ' -f4 /proc/$PPID/stat) $PPID"
      (env -i setsid sh -c "(sh -c 'trap \"\" TERM; echo $above \$\$ > said; while :; do sleep 1000; done' &)" &)
      sleep 1000 & wait
"#;

/// Kills engine, keeper and monitor, none of which is to see another one die.
fn kill_all(running: Running, keeper: i32, monitor: i32) {
    let signal = |number: i32, signal| {
        kill_process(Pid::from_raw(number).expect("a process"), signal).expect("it is alive");
    };
    running.signal(Signal::STOP);
    signal(keeper, Signal::STOP);
    signal(monitor, Signal::KILL);
    signal(keeper, Signal::KILL);
    running.signal(Signal::KILL);
    running.end();
}

/// The numbers that a task tells through a pipe.
fn numbers<const N: usize>(said: &str) -> [i32; N] {
    let numbers: Vec<i32> = said.split_whitespace().map(|one| one.parse().expect("a number")).collect();
    numbers.try_into().expect("as many as were wanted")
}

#[test]
fn what_cleared_its_environment_is_ended_by_the_next_start_after_kill_9_of_all() {
    let desk = Desk::with(PLAN);
    let said = desk.windlass(&["doctor"]);
    if !is_there("cgroup", said.out.contains("control groups: yes")) {
        return;
    }
    assert!(said.out.contains("each attempt gets a control group of its own"), "{}", said.all());
    desk.gate("said");
    let running = desk.start(&["run", "plan.yaml"]);
    let [keeper, monitor, daemon] = numbers(&desk.hear("said"));
    kill_all(running, keeper, monitor);
    assert!(is_alive(daemon.cast_unsigned()), "nobody is left to end it");
    let resumed = desk.windlass(&["resume", "last"]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.all());
    assert!(!is_alive(daemon.cast_unsigned()), "{}", resumed.all());
    let events = desk.windlass(&["events", "last", "--json"]).lines();
    let reaped = events.iter().find(|event| event["type"] == "attempt_reaped").expect("nothing is left");
    assert!(reaped["leftovers"].as_u64().is_some_and(|count| count >= 1), "{reaped}");
    assert!(!desk.home().join("cgroups").exists(), "nothing is noted any more");
}

#[test]
fn where_nothing_can_be_born_in_a_group_none_is_said_to_be() {
    let desk = Desk::new();
    if !is_there("cgroup", desk.windlass(&["doctor"]).out.contains("control groups: yes")) || !can_trace() {
        return;
    }
    let refused = ["-o", "/dev/null", "-e", "inject=clone3:error=EPERM"];
    let said = desk.start_traced(&refused, &["doctor"]).end();
    assert!(said.out.contains("control groups: no"), "{}", said.all());
}

#[test]
fn a_start_from_within_what_was_left_ends_the_rest_and_not_itself() {
    let plan = r#"
tasks:
  a:
    run: |
      test $WINDLASS_ATTEMPT = 2 && exit 0
      above="$(cut -d' ' -f4 /proc/$PPID/stat) $PPID"
      (env -i setsid sh -c "sleep 1000 & echo \$! > other; wait" &)
      (setsid sh -c "echo $above > said; read _ < gate; unset WINDLASS_OWNERS WINDLASS_RUN; \
        WINDLASS resume last > out 2>&1; echo \$? > code" &)
      sleep 1000 & wait
"#;
    let desk =
        Desk::with(&plan.replace("WINDLASS resume", &format!("{} resume", env!("CARGO_BIN_EXE_windlass"))));
    if !is_there("cgroup", desk.windlass(&["doctor"]).out.contains("control groups: yes")) {
        return;
    }
    for name in ["said", "other", "gate", "code"] {
        desk.gate(name);
    }
    let running = desk.start(&["run", "plan.yaml"]);
    let [other] = numbers(&desk.hear("other"));
    let [keeper, monitor] = numbers(&desk.hear("said"));
    kill_all(running, keeper, monitor);
    desk.open_gate("gate");
    assert_eq!(desk.hear("code"), "0\n", "{}", desk.read("out"));
    let shown = desk.json(&["show", "last", "--json"]);
    assert_eq!(shown["run"]["state"], "succeeded", "{shown}");
    assert!(!is_alive(other.cast_unsigned()));
    // Its group went on to hold the one who asked; that is for the next start.
    let looked = desk.windlass(&["doctor"]);
    assert_eq!(looked.code, Some(0), "{}", looked.all());
    assert!(!desk.home().join("cgroups").exists(), "nothing is noted any more");
}
