//! Two terminals, one home: the second hands its plan to the engine that is alive.

use rustix::process::Signal;

use crate::desk::Desk;

const FIRST: &str = "tasks: { a: { run: cat gate } }";
const SECOND: &str = "tasks: { b: { run: \"cat second > got\" } }";

fn two() -> Desk {
    let desk = Desk::with(FIRST);
    desk.write("second.yaml", SECOND);
    desk.gate("gate");
    desk.gate("second");
    desk
}

#[test]
fn a_second_run_is_handed_over_and_followed() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("started   a");
    let mut guest = desk.start(&["run", "second.yaml"]);
    guest.wait_for("started   b");
    desk.open_gate("second");
    let guest = guest.end();
    assert_eq!(guest.code, Some(0), "{}", guest.all());
    assert_eq!(desk.read("got"), "go\n");
    desk.open_gate("gate");
    let host = host.end();
    assert_eq!(host.code, Some(0));
    assert!(!host.out.contains(" b "), "the host tells of its own run only: {}", host.out);
    let events = desk.windlass(&["events", &guest.run(), "--json"]);
    assert!(!events.out.contains("engine_started"), "{}", events.out);
}

#[test]
fn the_host_stays_until_the_other_run_is_over_and_says_so() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("started   a");
    let mut guest = desk.start(&["run", "second.yaml", "--json"]);
    guest.wait_for("attempt_started");
    desk.open_gate("gate");
    host.wait_for("succeeded a");
    desk.open_gate("second");
    let host = host.end();
    assert_eq!(host.code, Some(0));
    assert!(host.err.contains("goes on for"), "{}", host.err);
    let guest = guest.end();
    assert_eq!(guest.code, Some(0));
    assert_eq!(guest.lines().last().expect("a line")["type"], "run_finished");
}

#[test]
fn ctrl_c_in_the_second_terminal_only_detaches() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("started   a");
    let mut guest = desk.start(&["run", "second.yaml"]);
    let run = guest.run();
    guest.wait_for("started   b");
    guest.signal(Signal::INT);
    let guest = guest.end();
    assert_eq!(guest.code, Some(130));
    assert!(guest.err.contains(&format!("Run {run} goes on")), "{}", guest.all());
    desk.open_gate("second");
    desk.open_gate("gate");
    assert_eq!(host.end().code, Some(0));
    assert_eq!(desk.json(&["show", &run, "--json"])["run"]["state"], "succeeded");
}

#[test]
fn a_host_may_take_no_other_plans() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml", "--no-host"]);
    host.wait_for("started   a");
    let guest = desk.windlass(&["run", "second.yaml"]);
    assert_eq!(guest.code, Some(1));
    assert!(guest.err.contains("--no-host"), "{}", guest.err);
    desk.open_gate("gate");
    assert_eq!(host.end().code, Some(0));
    assert_eq!(desk.json(&["ps", "--json"])["runs"].as_array().map(Vec::len), Some(1));
}

#[test]
fn slots_of_a_handed_over_run_are_ignored_with_a_word() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("started   a");
    let mut guest = desk.start(&["run", "second.yaml", "--slots", "2"]);
    guest.wait_for("started   b");
    desk.open_gate("second");
    assert!(guest.end().err.contains("--slots is ignored"));
    desk.open_gate("gate");
    host.end();
}

#[test]
fn a_guest_whose_host_is_killed_says_how_to_go_on() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("started   a");
    let mut guest = desk.start(&["run", "second.yaml"]);
    let run = guest.run();
    guest.wait_for("started   b");
    host.signal(Signal::KILL);
    host.end();
    let guest = guest.end();
    assert_eq!(guest.code, Some(4), "{}", guest.all());
    assert!(guest.out.contains(&format!("windlass resume {run}")), "{}", guest.out);
}

#[test]
fn a_guest_whose_host_is_interrupted_ends_with_3() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml"]);
    host.wait_for("started   a");
    let mut guest = desk.start(&["run", "second.yaml"]);
    guest.wait_for("started   b");
    host.signal(Signal::INT);
    assert_eq!(host.end().code, Some(130));
    assert_eq!(guest.end().code, Some(3));
}

#[test]
fn a_socket_that_was_removed_is_bound_anew() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml"]);
    let run = host.run();
    host.wait_for("started   a");
    let sockets = desk.work().parent().expect("it has one").join("run/windlass");
    for socket in std::fs::read_dir(&sockets).expect("the folder is there") {
        std::fs::remove_file(socket.expect("readable").path()).expect("ours");
    }
    // The command tries again for 5 s, and the engine looks each 5 s: one of two tries reaches it.
    let reached = (0..2).any(|_| desk.windlass(&["cancel", &run]).code == Some(0));
    assert!(reached);
    assert_eq!(host.end().code, Some(1));
}

#[test]
fn an_engine_that_does_not_answer_is_named_with_its_pid() {
    let desk = two();
    let mut host = desk.start(&["run", "plan.yaml"]);
    let run = host.run();
    host.wait_for("started   a");
    host.signal(Signal::STOP);
    let cancelled = desk.windlass(&["cancel", &run]);
    host.signal(Signal::CONT);
    assert_eq!(cancelled.code, Some(4), "{}", cancelled.all());
    let pid = format!("process {}", host.pid().as_raw_nonzero());
    assert!(cancelled.err.contains(&pid), "{}", cancelled.err);
    desk.open_gate("gate");
    host.end();
}
