//! `kill -9` while a task waits for a run that it started, in its own home or in another one: the next attempt starts that
//! anew, and what was left of it is gone by then. Never: a process that outlives its test.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::desk::{Desk, Running, is_alive};

/// The task of a nested run is at work: it says its number in a pipe, and goes on when another is opened.
struct Stage {
    desk: Desk,
    worker: u32,
}

impl Stage {
    /// With these options of the nested command, and the command of the run around it.
    fn with(options: &str) -> (Self, Running) {
        let nested = format!(
            "sh -c 'echo $$ > command; exec {} run inner.yaml {options}'; exit $?",
            env!("CARGO_BIN_EXE_windlass")
        );
        let task = json!({ "run": nested, "retry": { "max_attempts": 2, "initial_interval": "1ms" } });
        let desk = Desk::with(&json!({ "nested": true, "tasks": { "a": task } }).to_string());
        let line = "trap '' TERM; setsid sh -c 'echo $$ > began; cat gate'";
        desk.write("inner.yaml", &json!({ "tasks": { "b": { "run": line } } }).to_string());
        desk.gate("began");
        desk.gate("gate");
        let host = desk.start(&["run", "plan.yaml"]);
        let worker = said(&desk);
        (Self { desk, worker }, host)
    }

    fn command(&self) -> Pid {
        command_of(&self.desk)
    }

    /// The next attempt gets as far as the first, which is gone by then, and comes to its end.
    fn goes_on(self, host: Running) {
        let Self { desk, worker } = self;
        let next = said(&desk);
        assert_ne!(next, worker);
        assert!(!is_alive(worker), "nothing runs twice at once");
        desk.open_gate("gate");
        let done = host.end();
        assert_eq!(done.code, Some(0), "{}", done.all());
        assert!(!is_alive(next), "nothing is left over");
    }
}

/// The process of the nested command.
fn command_of(desk: &Desk) -> Pid {
    desk.read("command").trim().parse().ok().and_then(Pid::from_raw).expect("a process")
}

fn said(desk: &Desk) -> u32 {
    desk.hear("began").trim().parse().expect("a number")
}

fn kill(pid: Pid) {
    kill_process(pid, Signal::KILL).expect("it is alive");
}

/// The keeper of an engine.
fn keeper_of(engine: Pid) -> Pid {
    let tasks = fs::read_dir(format!("/proc/{}/task", engine.as_raw_nonzero())).expect("it is alive");
    let children = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
    let children: String = children.collect();
    let is_keeper =
        |pid: &&str| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "pawl");
    let keeper = children.split_whitespace().find(is_keeper).and_then(|pid| pid.parse().ok());
    keeper.and_then(Pid::from_raw).expect("it has one")
}

const PLACES: [&str; 2] = ["", "--home ../other"];

#[test]
fn after_a_kill_of_the_engine_a_nested_run_begins_anew_once_nothing_of_it_is_left() {
    for place in PLACES {
        let (stage, host) = Stage::with(place);
        kill(host.pid());
        host.end();
        let resumed = stage.desk.start(&["resume", "last"]);
        stage.goes_on(resumed);
    }
}

#[test]
fn after_a_kill_of_the_keeper_a_nested_run_begins_anew_once_nothing_of_it_is_left() {
    for place in PLACES {
        let (stage, host) = Stage::with(place);
        kill(keeper_of(host.pid()));
        stage.goes_on(host);
    }
}

#[test]
fn after_a_kill_of_its_command_a_nested_run_begins_anew_once_nothing_of_it_is_left() {
    for place in PLACES {
        let (stage, host) = Stage::with(place);
        kill(stage.command());
        stage.goes_on(host);
    }
}

#[test]
fn after_a_kill_of_its_own_keeper_a_run_in_another_home_goes_on_by_itself() {
    let (stage, host) = Stage::with(PLACES[1]);
    kill(keeper_of(stage.command()));
    stage.goes_on(host);
}

/// A program that gives its command up and goes on: the first is killed while its task is at work, with this grace.
fn gives_up_and_calls_again(worker: &serde_json::Value, again: &str) -> (Desk, Running) {
    let windlass = env!("CARGO_BIN_EXE_windlass");
    let line = format!(
        "sh -c 'echo $$ > command; exec {windlass} run inner.yaml'; {windlass} run inner.yaml {again}"
    );
    let desk = Desk::with(&json!({ "tasks": { "a": { "run": line } } }).to_string());
    desk.write("inner.yaml", &json!({ "tasks": { "b": worker } }).to_string());
    desk.gate("began");
    desk.gate("gate");
    let host = desk.start(&["run", "plan.yaml"]);
    (desk, host)
}

#[test]
fn a_plan_that_is_called_for_again_after_a_kill_of_its_command_begins_once_the_first_has_ended() {
    let line = "trap '' TERM; echo $$ > began; cat gate";
    let worker = json!({ "run": line, "timeout": { "grace": "100ms" } });
    let (desk, host) = gives_up_and_calls_again(&worker, "2> said");
    let first = said(&desk);
    kill(command_of(&desk));
    let second = said(&desk);
    assert!(!is_alive(first), "nothing runs twice at once");
    desk.open_gate("gate");
    let done = host.end();
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert_ne!(first, second);
    for (part, state) in [("a.0", "cancelled"), ("a.1", "succeeded")] {
        let task = desk.json(&["show", "last", part, "--json"]);
        assert_eq!(task["tasks"][0]["state"], state, "{task}");
    }
}

#[test]
fn what_must_not_be_done_twice_is_not_started_again_by_a_program_that_gave_its_command_up() {
    let worker = json!({ "run": "echo $$ > began; cat gate", "rerun": "never" });
    let (desk, host) = gives_up_and_calls_again(&worker, "2> refused; echo $? > code");
    let first = said(&desk);
    kill(command_of(&desk));
    let done = host.end();
    assert_eq!((done.code, desk.read("code").as_str()), (Some(0), "1\n"), "{}", done.all());
    let refused = desk.read("refused");
    let why = format!("{}/a/1 has started a.0/b by this plan, and that says `rerun: never`", done.run());
    assert!(refused.replace('\n', " ").contains(&why), "{refused}");
    assert!(!is_alive(first), "it has ended with its command");
}

#[test]
fn a_command_that_waits_until_the_one_before_has_ended_is_ended_by_a_signal() {
    let windlass = env!("CARGO_BIN_EXE_windlass");
    let script = format!(
        "{windlass} run inner.yaml & first=$!
         cat began; kill -9 $first; wait $first
         until {windlass} events last --json | grep -q cancel_requested; do :; done
         {windlass} run inner.yaml 2> said & second=$!
         head -n 1 said > waits; kill -TERM $second; wait $second; echo $? > code; echo > gate"
    );
    let desk = Desk::with(&json!({ "tasks": { "a": { "run": script } } }).to_string());
    let line = "trap '' TERM; echo > began; cat gate";
    desk.write("inner.yaml", &json!({ "tasks": { "b": { "run": line } } }).to_string());
    for pipe in ["began", "gate", "said"] {
        desk.gate(pipe);
    }
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert!(desk.read("waits").starts_with("Waiting: "), "{}{}", desk.read("waits"), done.all());
    assert_eq!(desk.read("code"), "143\n", "{}", done.all());
    assert_eq!(done.code, Some(0), "{}", done.all());
}
