//! Tasks that hold by SIGSTOP what is to end them: runs, signals and later commands come to their end all the same.

use rustix::process::Signal;

use crate::desk::Desk;

/// A piece of shell that holds the keeper of the task that runs it.
const HOLDS_KEEPER: &str = "kill -STOP $(cut -d' ' -f4 /proc/$PPID/stat)";

#[test]
fn a_task_that_holds_its_monitor_is_ended_when_its_time_is_over() {
    let desk = Desk::with(
        "tasks: { a: { run: \"trap '' TERM; while :; do kill -STOP $PPID; done\", \
         timeout: { start_to_close: 100ms, grace: 100ms }, retry: { max_attempts: 1 } } }",
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    let task = &desk.json(&["show", "last", "--json"])["tasks"][0];
    assert_eq!(task["error"]["kind"], "timeout");
}

#[test]
fn a_run_ends_also_when_its_keeper_is_held() {
    let desk = Desk::with(&format!("tasks: {{ a: {{ run: \"{HOLDS_KEEPER}\" }} }}"));
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
}

#[test]
fn a_keeper_that_is_held_blocks_no_home_once_its_engine_is_gone() {
    let desk = Desk::with(&format!("tasks: {{ a: {{ run: \"{HOLDS_KEEPER}; echo > said; cat gate\" }} }}"));
    desk.gate("said");
    desk.gate("gate");
    let running = desk.start(&["run", "plan.yaml"]);
    desk.hear("said");
    running.signal(Signal::KILL);
    drop(running.end());
    let done = desk.windlass(&["cancel", "last"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(desk.json(&["show", "last", "--json"])["run"]["state"], "cancelled");
}
