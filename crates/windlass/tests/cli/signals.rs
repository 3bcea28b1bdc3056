//! The ways in which a run is ended in order, and what is left of it then.

use rustix::process::Signal;

use crate::desk::{Desk, is_alive};

/// A plan whose first task waits at a gate and whose second would follow.
const WAITS: &str =
    "tasks: { a: { run: \"echo $$ > pid; cat gate\" }, b: { needs: [a], run: echo b > proof } }";

fn interrupted(signal: Signal) -> (Desk, Option<i32>) {
    let desk = Desk::with(WAITS);
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("started   a");
    running.signal(signal);
    let done = running.end();
    assert!(done.out.contains("paused"), "{}", done.all());
    assert!(done.out.contains("hint: windlass resume"), "{}", done.all());
    (desk, done.code)
}

#[test]
fn ctrl_c_ends_it_in_order_uncharged_and_it_can_be_resumed() {
    let (desk, code) = interrupted(Signal::INT);
    assert_eq!(code, Some(130));
    let show = desk.json(&["show", "last", "--json"]);
    assert_eq!(show["run"]["state"], "paused");
    assert_eq!(show["run"]["paused"][0], "interrupted");
    let mut resumed = desk.start(&["resume"]);
    resumed.wait_for("started   a");
    desk.open_gate("gate");
    let done = resumed.end();
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_eq!(desk.read("proof"), "b\n");
    let attempts = &desk.json(&["show", "last", "--json"])["tasks"][0]["attempts"];
    assert_eq!(
        attempts[0]["error"]["kind"], "lost",
        "a task with one attempt got another: the first was uncharged"
    );
    assert_eq!(attempts[1]["error"], serde_json::Value::Null);
}

#[test]
fn sigterm_and_sighup_are_one_ctrl_c_with_their_own_codes() {
    assert_eq!(interrupted(Signal::TERM).1, Some(143));
    assert_eq!(interrupted(Signal::HUP).1, Some(129));
}

#[test]
fn ctrl_c_twice_does_not_wait_for_the_grace() {
    let desk = Desk::with(
        "tasks: { a: { run: \"trap '' TERM; echo $$ > pid; echo ready > said; cat gate; cat gate\", timeout: { grace: 1h } } }",
    );
    desk.gate("gate");
    desk.gate("said");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("started   a");
    assert_eq!(desk.hear("said"), "ready\n");
    running.signal(Signal::INT);
    running.wait_for("stopping");
    running.signal(Signal::INT);
    let done = running.end();
    assert_eq!(done.code, Some(130), "{}", done.all());
    let pid = desk.read("pid").trim().parse().expect("a number");
    assert!(!is_alive(pid), "nothing of it is left");
}

#[test]
fn a_signal_that_was_ignored_at_the_start_stays_ignored() {
    let desk = Desk::with(WAITS);
    desk.gate("gate");
    let program = env!("CARGO_BIN_EXE_windlass");
    let mut running = desk.start_shell(&format!("trap '' HUP; exec {program} run plan.yaml"));
    running.wait_for("started   a");
    running.signal(Signal::HUP);
    desk.open_gate("gate");
    let done = running.end();
    assert_eq!(done.code, Some(0), "{}", done.all());
}
