//! Control groups from outside: what a killed Windlass left in them is ended by the next start, whatever it did to hide.

use rustix::process::{Pid, Signal, kill_process};

use crate::desk::{Desk, is_alive};
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
    let numbers = desk.hear("said");
    let numbers: Vec<i32> = numbers.split_whitespace().map(|one| one.parse().expect("a number")).collect();
    let [keeper, monitor, daemon] = numbers[..] else { panic!("three numbers: {numbers:?}") };
    let signal = |number: i32, signal| {
        kill_process(Pid::from_raw(number).expect("a process"), signal).expect("it is alive");
    };
    // None of them is to see another one die.
    running.signal(Signal::STOP);
    signal(keeper, Signal::STOP);
    signal(monitor, Signal::KILL);
    signal(keeper, Signal::KILL);
    running.signal(Signal::KILL);
    running.end();
    assert!(is_alive(daemon.cast_unsigned()), "nobody is left to end it");
    let resumed = desk.windlass(&["resume", "last"]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.all());
    assert!(!is_alive(daemon.cast_unsigned()), "{}", resumed.all());
    let events = desk.windlass(&["events", "last", "--json"]).lines();
    let reaped = events.iter().find(|event| event["type"] == "attempt_reaped").expect("nothing is left");
    assert!(reaped["leftovers"].as_u64().is_some_and(|count| count >= 1), "{reaped}");
    assert!(!desk.home().join("cgroups").exists(), "nothing is noted any more");
}
