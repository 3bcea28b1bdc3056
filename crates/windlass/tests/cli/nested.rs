//! Windlass called from within a task: nothing there may wait for the run that waits for it.
//! Never: a wait without an end, also where this fails (`timeout` ends it).

use serde_json::json;

use crate::desk::Desk;

/// A desk whose plan has one task, which runs these lines with the binary as `$W`, each under a bound.
fn inside(lines: &str) -> Desk {
    let lines = lines.replace("W ", &format!("timeout 60 {} ", env!("CARGO_BIN_EXE_windlass")));
    Desk::with(&json!({ "tasks": { "a": { "run": lines } } }).to_string())
}

#[test]
fn a_task_can_not_start_another_run() {
    let desk = Desk::with("tasks: { a: { run: \"true\" } }");
    let output = desk
        .command(&["run", "plan.yaml"])
        .env("WINDLASS_OWNERS", "h|abcdef/a/1")
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nested runs are not supported yet"));
    assert!(!desk.has_home());
}

#[test]
fn what_a_task_calls_can_not_wait_for_the_run_around_it() {
    for (line, says) in [
        ("W resume last", "a task of a run can't go on with a run"),
        ("W resume", "a task of a run can't go on with a run"),
        ("W resume $WINDLASS_RUN --detach", "a task of a run can't go on with a run"),
        ("W events last -f", "this would wait for itself"),
        ("W events last -f --json", "this would wait for itself"),
        ("W logs last a -f", "this would wait for itself"),
    ] {
        let desk = inside(&format!("{line}; echo $? > code"));
        let done = desk.windlass(&["run", "plan.yaml"]);
        assert_eq!((done.code, desk.read("code").trim()), (Some(0), "1"), "{line}: {}", done.all());
        let said = desk.windlass(&["logs", "last", "a"]);
        assert!(said.out.contains(says), "{line}: {}", said.all());
    }
}

#[test]
fn what_a_task_calls_can_look_at_the_run_around_it_and_steer_it() {
    let desk = inside("W show last > shown && W events last > told && W logs last a && W pause last");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert!(desk.read("shown").contains("running"), "{}", desk.read("shown"));
    let desk = inside("W cancel last; cat");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    assert!(done.out.contains("cancelled"), "{}", done.all());
}

#[test]
fn another_home_can_be_followed_from_within_a_task() {
    let other = Desk::with("tasks: { b: { run: echo done } }");
    other.windlass(&["run", "plan.yaml"]);
    let home = other.home().display().to_string();
    let desk = inside(&format!("W events last -f --home {home} && W logs last b -f --home {home}"));
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
}
