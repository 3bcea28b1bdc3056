//! `windlass run --detach`.

use crate::desk::Desk;

#[test]
fn a_detached_run_goes_on_in_the_background() {
    let desk = Desk::with("tasks: { a: { run: cat gate } }");
    desk.gate("gate");
    let done = desk.windlass(&["run", "plan.yaml", "--detach"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let run = done.out.trim().to_owned();
    assert_eq!(run.len(), 6);
    assert_eq!(desk.json(&["show", &run, "--json"])["run"]["state"], "running");
    let following = desk.start(&["events", &run, "-f", "--json"]);
    desk.open_gate("gate");
    assert_eq!(following.end().lines().last().expect("a line")["type"], "run_finished");
}

#[test]
fn a_detached_run_is_steered_like_any_other() {
    let desk = Desk::with("tasks: { a: { run: cat gate } }");
    desk.gate("gate");
    let run = desk.windlass(&["run", "plan.yaml", "--detach"]).out.trim().to_owned();
    assert_eq!(desk.windlass(&["cancel", &run]).code, Some(0));
    let followed = desk.windlass(&["events", &run, "-f", "--json"]);
    assert_eq!(followed.lines().last().expect("a line")["outcome"], "cancelled");
}

#[test]
fn what_keeps_a_detached_run_from_starting_is_said_at_the_terminal() {
    let desk = Desk::with("tasks: { a: { rum: x } }");
    assert_eq!(desk.windlass(&["run", "plan.yaml", "--detach"]).code, Some(2));
    desk.write("plan.yaml", "tasks: { a: { run: \"true\" } }");
    let mut command = desk.command(&["run", "plan.yaml", "--detach"]);
    let output = command.env("WINDLASS_HOME_MIN_FREE", "9223372036854775807").output().expect("it starts");
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("MiB free"));
}
