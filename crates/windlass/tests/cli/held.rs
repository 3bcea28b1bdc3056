//! Tasks that hold by SIGSTOP what is to end them: runs, signals and later commands come to their end all the same.

use rustix::process::Signal;

use crate::desk::Desk;

/// A piece of shell that holds the keeper of the task that runs it.
const HOLDS_KEEPER: &str = "kill -STOP $(cut -d' ' -f4 /proc/$PPID/stat)";

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
