//! The ways in which a run is ended in order, and what is left of it then.

use std::io::{PipeReader, PipeWriter, Write as _};

use rustix::process::{Pid, Signal, kill_process};

use crate::desk::{Desk, Done, is_alive};

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
    assert!(
        done.out.contains("stopped   a  uncharged: it starts again once its run goes on"),
        "{}",
        done.out
    );
    assert!(!done.out.contains("at once"), "{}", done.out);
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
        attempts[0]["error"]["kind"], "interrupted",
        "a task with one attempt got another: the first was uncharged"
    );
    assert_eq!(attempts[0]["error"]["message"], "its engine was told to end");
    assert_eq!(attempts[1]["error"], serde_json::Value::Null);
}

/// The stream of a run that was paused: its end is told once, last, after the attempt in flight was over.
fn ends_with_the_pause(done: &Done, reason: &str) {
    let lines = done.lines();
    let types: Vec<&str> = lines.iter().filter_map(|line| line["type"].as_str()).collect();
    let paused: Vec<usize> = (0..types.len()).filter(|at| types[*at] == "run_paused").collect();
    assert_eq!(paused, [types.len() - 1], "{types:?}");
    assert_eq!(lines.last().expect("a line")["reason"], reason);
    assert!(types.contains(&"attempt_reaped"), "{types:?}");
}

#[test]
fn the_stream_of_an_interrupted_run_ends_once_what_was_in_flight_is_over() {
    let desk = Desk::with(WAITS);
    desk.gate("gate");
    let mut running = desk.start(&["run", "--json", "plan.yaml"]);
    running.wait_for("attempt_started");
    running.signal(Signal::INT);
    ends_with_the_pause(&running.end(), "interrupted");
}

#[test]
fn the_stream_of_a_paused_run_ends_once_what_was_in_flight_is_over() {
    let desk = Desk::with(WAITS);
    desk.gate("gate");
    let mut running = desk.start(&["run", "--json", "plan.yaml"]);
    running.wait_for("attempt_started");
    assert_eq!(desk.windlass(&["pause", "last"]).code, Some(0));
    running.wait_for("pause_requested");
    desk.open_gate("gate");
    ends_with_the_pause(&running.end(), "requested");
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

/// A pipe that holds little, so that whoever prints into it soon waits for its reader.
fn narrow() -> (PipeReader, PipeWriter) {
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    rustix::pipe::fcntl_setpipe_size(&writer, 4096).expect("it is empty");
    (reader, writer)
}

#[test]
fn a_reader_that_has_stopped_reading_does_not_hold_a_signal_up() {
    let desk = Desk::with(
        "
tasks:
  a: { for_each: \"{{ range(30) | list }}\", run: \"true\" }
  b: { needs: [a], run: \"echo $$ > pid; echo up > said; cat gate\" }
",
    );
    desk.gate("gate");
    desk.gate("said");
    let (_reader, writer) = narrow();
    let mut child = desk.command(&["run", "plan.yaml", "--json"]).stdout(writer).spawn().expect("it starts");
    assert_eq!(desk.hear("said"), "up\n", "the run goes on, whoever reads");
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it is alive");
    assert_eq!(child.wait().expect("it ends").code(), Some(143));
    assert!(!is_alive(desk.read("pid").trim().parse().expect("a number")));
    let show = desk.json(&["show", "last", "--json"]);
    assert_eq!(show["run"]["state"], "paused");
    assert_eq!(show["run"]["paused"][0], "interrupted");
}

#[test]
fn a_reader_of_both_streams_that_has_stopped_reading_does_not_hold_a_signal_up_either() {
    let desk = Desk::with(WAITS.replace("cat gate", "echo up > said; cat gate").as_str());
    desk.gate("gate");
    desk.gate("said");
    let (_reader, mut writer) = narrow();
    let (out, err) = (writer.try_clone().expect("ours"), writer.try_clone().expect("ours"));
    writer.write_all(&[b'x'; 4096]).expect("it fits");
    let mut command = desk.command(&["run", "plan.yaml"]);
    let mut child = command.stdout(out).stderr(err).spawn().expect("it starts");
    assert_eq!(desk.hear("said"), "up\n");
    kill_process(Pid::from_child(&child), Signal::INT).expect("it is alive");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}

/// Waits until a process catches a signal by itself.
fn wait_until_it_is_caught(pid: Pid, signal: Signal) {
    let bit = 1_u64 << (signal.as_raw() - 1);
    let catches = |status: String| {
        let bits = status.lines().find_map(|line| line.strip_prefix("SigCgt:").map(str::trim));
        bits.and_then(|bits| u64::from_str_radix(bits, 16).ok()).is_some_and(|bits| bits & bit != 0)
    };
    let status = format!("/proc/{}/status", pid.as_raw_nonzero());
    while !catches(std::fs::read_to_string(&status).expect("it is alive")) {
        std::thread::yield_now();
    }
}

#[test]
fn a_signal_before_anything_has_begun_is_an_orderly_end_too() {
    for _ in 0..10 {
        let desk = Desk::with("tasks: { a: { run: cat gate } }");
        desk.gate("gate");
        let running = desk.start(&["run", "plan.yaml"]);
        wait_until_it_is_caught(running.pid(), Signal::TERM);
        running.signal(Signal::TERM);
        let done = running.end();
        assert_eq!(done.code, Some(143), "{}", done.all());
        let runs = desk.json(&["ps", "--json"]);
        let runs = runs["runs"].as_array().expect("a list");
        assert!(runs.iter().all(|run| run["state"] == "paused"), "{runs:?}");
    }
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
