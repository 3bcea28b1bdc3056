//! A `windlass.toml` that can't be read: nothing new begins, but what is there can be looked at, stopped and gone on with.
//! Never: a brake that hangs on a file of settings.

use crate::desk::Desk;

const BROKEN: &str = "x = [";

#[test]
fn a_live_run_is_paused_resumed_and_cancelled_whatever_the_settings_are() {
    let desk = Desk::with("tasks: { a: { run: cat gate } }");
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("started   a");
    desk.write("windlass.toml", BROKEN);
    for steer in ["pause", "resume", "cancel"] {
        let mut arguments = vec![steer, "last"];
        if steer == "resume" {
            arguments.push("--detach");
        }
        let done = desk.windlass(&arguments);
        assert_eq!(done.code, Some(0), "{steer}: {}", done.all());
        assert!(done.err.contains("windlass.toml:1:6"), "{steer}: {}", done.err);
    }
    assert_eq!(running.end().code, Some(1));
    assert_eq!(desk.json(&["ps", "--json"])["runs"][0]["state"], "cancelled");
}

#[test]
fn without_an_engine_too() {
    let desk = Desk::with("tasks: { a: { approval: \"Go on?\" }, b: { needs: [a], run: \"true\" } }");
    assert_eq!(desk.windlass(&["run", "plan.yaml"]).code, Some(3));
    desk.write("windlass.toml", BROKEN);
    let resumed = desk.windlass(&["resume", "last", "--yes"]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.all());
    assert!(!resumed.err.contains("The file plan.yaml"), "{}", resumed.err);
    let again = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(again.code, Some(2), "new work waits for settings that hold: {}", again.all());
}

#[test]
fn what_finds_nothing_to_do_says_it_too_and_what_does_much_says_it_once() {
    let desk = Desk::with("tasks: { a: { approval: \"Go on?\" } }");
    let runs = [(); 2].map(|()| desk.windlass(&["run", "plan.yaml"]).run());
    desk.write("windlass.toml", BROKEN);
    for arguments in [&["pause"][..], &["dlq", "list"], &["dlq", "drop", &runs[0], "a"], &["cancel", "zzz"]] {
        let done = desk.windlass(arguments);
        assert_eq!(done.err.matches("windlass.toml:1:6").count(), 1, "{arguments:?}: {}", done.all());
    }
    for run in runs {
        assert_eq!(desk.windlass(&["cancel", &run]).code, Some(0));
    }
    let nothing = desk.windlass(&["pause"]);
    assert!(nothing.err.contains("windlass.toml:1:6"), "{}", nothing.all());
    assert!(nothing.err.contains("nothing to pause"), "{}", nothing.all());
}

#[test]
fn doctor_names_them_and_looks_at_the_rest() {
    let desk = Desk::with("tasks: { a: { run: \"true\" } }");
    assert_eq!(desk.windlass(&["run", "plan.yaml"]).code, Some(0));
    desk.write("windlass.toml", BROKEN);
    let done = desk.windlass(&["doctor"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    assert!(done.out.contains("the chain holds"), "{}", done.out);
    assert!(done.out.contains("windlass.toml:1:6"), "{}", done.out);
    let config = desk.windlass(&["doctor", "--config"]);
    assert_eq!(config.code, Some(1), "{}", config.all());
    assert!(config.err.contains("windlass.toml (broken, and passed over"), "{}", config.all());
    assert!(config.out.contains("home") && config.err.contains("windlass.toml:1:6"), "{}", config.all());
}
