//! What is refused before anything is done, and how it is said.

use crate::assert_shows;
use crate::desk::Desk;

#[test]
fn without_a_verb_there_is_help_and_code_2() {
    let desk = Desk::new();
    let done = desk.windlass(&[]);
    assert_eq!((done.code, done.out.as_str()), (Some(2), ""));
    assert!(done.err.contains("Usage: windlass"), "{}", done.err);
    assert_eq!(desk.windlass(&["--help"]).code, Some(0));
}

#[test]
fn an_unknown_verb_is_wrong_usage() {
    let done = Desk::new().windlass(&["resum"]);
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("'resume'"), "{}", done.err);
}

#[test]
fn what_is_not_built_yet_says_so() {
    let desk = Desk::with("tasks: { a: { run: \"true\" } }");
    for arguments in [
        &["run", "--goal", "x"][..],
        &["run", "-p", "x"],
        &["run", "plan.yaml", "--bus", "redis://x"],
        &["resume", "--budget", "usd=+5"],
    ] {
        let done = desk.windlass(arguments);
        assert_eq!(done.code, Some(2), "{arguments:?}: {}", done.all());
        assert!(done.err.contains("is not supported yet"), "{arguments:?}: {}", done.err);
    }
    for arguments in [
        &["resume", "--budget", "attempts=+5"][..],
        &["resume", "abcdef", "--budget", "attempts=5"],
        &["resume", "abcdef", "--budget", "wall=+soon"],
        &["resume", "abcdef", "--budget", "hope=+1"],
        &["resume", "abcdef", "--budget", "attempts=+0"],
    ] {
        let done = desk.windlass(arguments);
        assert_eq!(done.code, Some(2), "{arguments:?}: {}", done.all());
        assert!(done.err.contains("--budget"), "{arguments:?}: {}", done.err);
    }
    assert!(!desk.has_home(), "nothing was started");
}

#[test]
fn an_empty_home_has_no_run_to_look_at_or_to_steer() {
    let desk = Desk::new();
    for arguments in [
        &["show", "abcdef"][..],
        &["show"],
        &["events", "last"],
        &["logs", "abcdef", "a"],
        &["resume"],
        &["resume", "abcdef"],
        &["pause", "abcdef"],
        &["cancel", "abcdef"],
        &["retry", "abcdef", "a"],
        &["settle", "abcdef", "a", "--done"],
        &["approve", "abcdef", "a", "--id", "x"],
        &["dlq", "requeue", "abcdef", "a"],
        &["dlq", "drop", "abcdef", "a"],
    ] {
        let done = desk.windlass(arguments);
        assert_eq!(done.code, Some(2), "{arguments:?}: {}", done.all());
    }
    assert!(!desk.has_home(), "looking made no home");
    assert_shows!(desk, desk.windlass(&["show", "last"]).all());
}

#[test]
fn names_that_are_nearly_right_are_suggested() {
    let desk = Desk::with("tasks: { build-api: { run: \"true\" } }");
    let run = desk.windlass(&["run", "plan.yaml"]).run();
    assert_shows!(desk, desk.windlass(&["show", "last", "build_api"]).all());
    let mut wrong = run.clone();
    wrong.replace_range(5..6, if run.ends_with('a') { "b" } else { "a" });
    let done = desk.windlass(&["show", &wrong]);
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains(&format!("did you mean `{run}`?")), "{}", done.err);
}

#[test]
fn the_start_of_an_id_is_enough() {
    let desk = Desk::with("tasks: { a: { run: \"true\" } }");
    let run = desk.windlass(&["run", "plan.yaml"]).run();
    assert_eq!(desk.json(&["show", &run[..3], "--json"])["run"]["id"], run.as_str());
    assert_eq!(desk.json(&["show", "last", "--json"])["run"]["id"], run.as_str());
    assert_eq!(desk.windlass(&["show", ""]).code, Some(2));
}

#[test]
fn a_folder_that_is_not_there_is_wrong_usage() {
    let desk = Desk::new();
    assert_shows!(desk, desk.windlass(&["ps", "--dir", "missing"]).all());
}

#[test]
fn settings_with_an_error_are_shown_like_a_plan() {
    let desk = Desk::with("tasks: { a: { run: \"true\" } }");
    desk.write("windlass.toml", "[limitz]\ntasks = 3\n");
    assert_shows!(desk, desk.windlass(&["run", "plan.yaml"]).all());
}

#[test]
fn a_folder_that_was_removed_under_the_shell_is_named_as_what_it_is() {
    let desk = Desk::with("tasks: { a: { run: \"true\" } }");
    desk.windlass(&["run", "plan.yaml"]);
    let line = |call: &str| {
        format!("mkdir gone && cd gone && rmdir ../gone && {} {call}", env!("CARGO_BIN_EXE_windlass"))
    };
    for call in ["ps", "run plan.yaml", "show last --home ."] {
        let done = desk.start_shell(&line(call)).end();
        assert_eq!(done.code, Some(2), "{call}: {}", done.all());
        assert!(done.err.contains("the current folder is not there any more"), "{call}: {}", done.all());
    }
    let done = desk.start_shell(&line("ps --dir \"$HOME/../project\"")).end();
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert!(done.out.contains("succeeded"), "{}", done.all());
}

#[test]
fn an_empty_text_is_no_run() {
    let desk = Desk::with("tasks: { a: { run: \"true\" } }");
    desk.windlass(&["run", "plan.yaml"]);
    for arguments in [&["show", ""][..], &["resume", ""], &["cancel", ""], &["events", ""], &["graph", ""]] {
        let done = desk.windlass(arguments);
        assert_eq!(done.code, Some(2), "{arguments:?}: {}", done.all());
    }
    assert_eq!(desk.json(&["ps", "--json"])["runs"][0]["state"], "succeeded");
}
