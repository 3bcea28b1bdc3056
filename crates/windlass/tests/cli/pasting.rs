//! Commands that are printed can be pasted: they mean the home, the folder and the files that were meant.

use crate::desk::{Desk, Done};

/// The first command of this verb in a text, as a person copies it.
fn command(text: &str, verb: &str) -> String {
    let word = format!(" {verb} ");
    let found = text.match_indices("windlass ").find_map(|(at, _)| {
        let whole = text[at..].split(['`', '\n']).next()?.split(" && ").next()?;
        whole.contains(&word).then(|| whole.trim_end().to_owned())
    });
    found.unwrap_or_else(|| panic!("no `{verb}` in {text}"))
}

/// Gives a line to a shell.
fn paste(desk: &Desk, line: &str) -> Done {
    let binary = env!("CARGO_BIN_EXE_windlass");
    desk.start_shell(&format!("windlass() {{ '{binary}' \"$@\"; }}; {line}")).end()
}

const ASKS: &str = "tasks: { ok: { approval: \"Ship it?\" }, b: { needs: [ok], run: exit 3 } }";

#[test]
fn a_printed_command_names_the_home_and_the_folder_that_were_given() {
    let desk = Desk::new();
    desk.write("with space/plan.yaml", ASKS);
    let place = ["--home", "../my home", "--dir", "with space"];
    let windlass = |arguments: &[&str]| desk.windlass(&[&place[..], arguments].concat());
    let done = windlass(&["run", "with space/plan.yaml"]);
    assert_eq!(done.code, Some(3), "{}", done.all());
    for (text, verb) in [
        (done.out.clone(), "show"),
        (windlass(&["show", "last"]).out, "show"),
        (windlass(&["show", "last", "--why"]).out, "approve"),
    ] {
        let line = command(&text, verb);
        let pasted = paste(&desk, &line);
        assert_eq!(pasted.code, Some(0), "{line}: {}", pasted.all());
    }
    let approved = paste(&desk, &command(&done.out, "approve"));
    assert_eq!(approved.code, Some(0), "{}", approved.all());
    let failed = paste(&desk, &command(&approved.err, "resume"));
    assert_eq!(failed.code, Some(1), "it goes on, and fails: {}", failed.all());
    for verb in ["logs", "retry"] {
        let line = command(&failed.out, verb);
        let pasted = paste(&desk, &line);
        assert_eq!(pasted.code, Some(0), "{line}: {}", pasted.all());
    }
}

#[test]
fn programs_are_told_the_same_commands_as_people() {
    let desk = Desk::with("tasks: { bad: { run: exit 3 }, ask: { approval: \"Ship it?\" } }");
    let windlass = |arguments: &[&str]| desk.windlass(&[&["--home", "../my home"][..], arguments].concat());
    let run = windlass(&["run", "plan.yaml"]).run();
    let hint = format!("`windlass --home '../my home' logs {run} bad` shows what it printed");
    let who = format!("you: `windlass --home '../my home' approve {run} ask --id ");
    let shown = windlass(&["show", "last", "bad", "--json"]).lines()[0].clone();
    assert_eq!(shown["tasks"][0]["error"]["hint"], hint.as_str());
    assert_eq!(shown["tasks"][0]["attempts"][0]["error"]["hint"], hint.as_str());
    assert!(windlass(&["show", "last", "bad"]).out.contains(&hint));
    let letters = windlass(&["dlq", "list", "--json"]).lines()[0].clone();
    assert_eq!(letters["dead_letters"][0]["error"]["hint"], hint.as_str());
    let why = windlass(&["show", "last", "--why", "--json"]).lines()[0].clone();
    assert!(why["waits"][0]["who"].as_str().is_some_and(|told| told.starts_with(&who)), "{why}");
    assert!(windlass(&["show", "last", "--why"]).out.contains(&who));
    desk.write("plan.yaml", "tasks: {}");
    let checked = windlass(&["check", "plan.yaml", "--json"]).lines()[0].clone();
    let told = checked["diagnostics"][0]["hint"].as_str().expect("a hint");
    assert!(told.contains("`windlass --home '../my home' init` writes a first"), "{told}");
    assert!(windlass(&["check", "plan.yaml"]).err.contains(told));
}

#[test]
fn a_home_that_the_environment_names_is_not_said_again() {
    let desk = Desk::with(ASKS);
    let output = desk.command(&["run", "plan.yaml"]).env("WINDLASS_HOME", "../home").output();
    let out = String::from_utf8(output.expect("it starts").stdout).expect("text");
    assert!(command(&out, "approve").starts_with("windlass approve "), "{out}");
}

#[test]
fn a_path_in_a_printed_command_is_one_word() {
    let desk = Desk::new();
    desk.write("with space/plan.yaml", ASKS);
    let run = desk.windlass(&["run", "with space/plan.yaml"]).run();
    desk.write("with space/plan.yaml", &ASKS.replace("exit 3", "exit 0"));
    let line = command(&desk.windlass(&["resume", &run]).err, "revise");
    let pasted = paste(&desk, &line);
    assert_eq!(pasted.code, Some(0), "{line}: {}", pasted.all());
}
