//! What is refused before anything is done, and how it is said.

use crate::assert_shows;
use crate::desk::Desk;
use crate::terminal::Seat;

/// Each command, as its words: those that the help names, and those within them.
fn every_command(desk: &Desk) -> Vec<Vec<String>> {
    let (mut all, mut next): (Vec<Vec<String>>, _) = (Vec::new(), vec![Vec::new()]);
    while let Some(words) = next.pop() {
        let help = help_of(desk, &words);
        let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        let names = listed.take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
        let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
        next.extend(names.map(|name| words.iter().cloned().chain([name.to_owned()]).collect()));
        all.push(words);
    }
    all
}

fn help_of(desk: &Desk, words: &[String]) -> String {
    let line: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
    let done = desk.windlass(&line);
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{line:?}");
    done.out
}

fn wide(text: &str) -> Vec<&str> {
    text.lines().map(str::trim_end).filter(|line| line.chars().count() > 80).collect()
}

#[test]
fn the_help_of_each_command_fits_eighty_columns_and_has_no_colour_in_a_pipe() {
    let desk = Desk::new();
    let all = every_command(&desk);
    assert!(all.len() > 20, "{all:?}");
    for words in all {
        let piped = help_of(&desk, &words);
        assert!(!piped.contains('\u{1b}'), "{words:?}: {piped}");
        assert_eq!(wide(&piped), Vec::<&str>::new(), "{words:?}");
        let line: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
        let (code, seen) = Seat::new(&desk, &line, &[("NO_COLOR", "1")]).end();
        assert_eq!(code, Some(0), "{words:?}: {seen}");
        assert_eq!(wide(&seen), Vec::<&str>::new(), "{words:?}");
    }
}

#[test]
fn a_slip_of_the_pen_is_wrong_usage_that_fits_the_terminal_and_starts_nothing() {
    let desk = Desk::with("tasks: { build-api: { run: \"true\" } }");
    let run = desk.windlass(&["run", "plan.yaml"]).run();
    let mut nearly = run.clone();
    nearly.replace_range(5..6, if run.ends_with('a') { "b" } else { "a" });
    let did_you_mean = format!("did you mean `{run}`?");
    let nearly = nearly.as_str();
    let cases: Vec<(Vec<&str>, &str)> = vec![
        (vec!["rnu", "plan.yaml"], "'run'"),
        (vec!["ps", "--jsn"], "'--json'"),
        (vec!["run", "plan.yaml", "--inptu", "k=v"], "'--input'"),
        (vec!["man", "--ot", "x"], "'--out'"),
        (vec!["schema", "pln"], "'plan'"),
        (vec!["guide", "plna"], "did you mean `plan`?"),
        (vec!["show", "last", "build_api"], "did you mean `build-api`?"),
        (vec!["run", "."], "it is a folder, not a file"),
        (vec!["check", "."], "it is a folder, not a file"),
        (vec!["graph", "."], "it is a folder, not a file"),
        (vec!["revise", "last", "."], "it is a folder, not a file"),
        (vec!["show", nearly], &did_you_mean),
        (vec!["cancel", nearly], &did_you_mean),
        (vec!["pause", nearly], &did_you_mean),
        (vec!["resume", nearly], &did_you_mean),
        (vec!["events", nearly], &did_you_mean),
        (vec!["graph", nearly], &did_you_mean),
        (vec!["retry", nearly, "build-api"], &did_you_mean),
        (vec!["approve", nearly, "build-api"], &did_you_mean),
        (vec!["settle", nearly, "build-api", "--done"], &did_you_mean),
        (vec!["emit", nearly, "topic"], &did_you_mean),
        (vec!["logs", nearly, "build-api"], &did_you_mean),
        (vec!["revise", nearly, "plan.yaml"], &did_you_mean),
        (vec!["dlq", "requeue", nearly, "build-api"], &did_you_mean),
        (vec!["doctor", "--why-slow", nearly], &did_you_mean),
    ];
    for (line, said) in cases {
        let piped = desk.windlass(&line);
        assert_eq!((piped.code, piped.out.as_str()), (Some(2), ""), "{line:?}: {}", piped.all());
        assert!(piped.err.contains(said) && !piped.err.contains('\u{1b}'), "{line:?}: {}", piped.err);
        let (code, seen) = Seat::new(&desk, &line, &[("NO_COLOR", "1")]).end();
        assert_eq!(code, Some(2), "{line:?}: {seen}");
        // Commands stay in one piece, since they are there to be pasted.
        let too_wide = wide(&seen).into_iter().filter(|line| !line.contains("windlass "));
        assert_eq!(too_wide.collect::<Vec<_>>(), Vec::<&str>::new(), "{line:?}: {seen}");
    }
    let runs = desk.json(&["ps", "--json"]);
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(1), "nothing was started: {runs}");
}

#[test]
fn without_a_verb_there_is_help_and_code_2() {
    let desk = Desk::new();
    let done = desk.windlass(&[]);
    assert_eq!((done.code, done.out.as_str()), (Some(2), ""));
    assert!(done.err.contains("Usage: windlass") && done.err.contains("Commands:"), "{}", done.err);
    // A variable of the environment is no verb.
    let plain =
        desk.command(&[]).env("WINDLASS_HOME", desk.work().join("elsewhere")).output().expect("it starts");
    assert_eq!(plain.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&plain.stderr), done.err);
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

#[test]
fn what_is_said_of_a_wrong_line_is_about_what_was_typed() {
    let desk = Desk::with(
        "tasks: { a: { run: 'true' }, ask: { needs: [a], approval: Ship? }, hear: { wait_for: { topic: t, external: true } } }",
    );
    desk.windlass(&["run", "plan.yaml", "--detach"]);
    let home = desk.work().with_file_name("elsewhere");
    for (line, code, said) in [
        (&["logs", "last"][..], 2, "Usage: windlass logs [OPTIONS] <RUN> <TASK>\n"),
        (&["dlq", "requeue"], 2, "Usage: windlass dlq requeue [OPTIONS] <RUN> <TASK>\n"),
        (&["run", "plan.yaml", "--slot", "2"], 2, "'--slots'"),
        (&["run", "plan.yaml", "--slots", "two"], 2, "it is a whole number from 1 to 4096"),
        (&["run", "plan.yaml", "--slots", "0"], 2, "it is a whole number from 1 to 4096"),
    ] {
        // What the environment says was not typed.
        let done = desk.command(line).env("WINDLASS_HOME", &home).output().expect("it starts");
        let told = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{line:?}: {told}");
        assert!(
            told.contains(said) && !told.contains("--home <DIR>") && !told.contains("as a value"),
            "{line:?}: {told}"
        );
    }
    for (line, code, said) in [
        (&["approve", "last", "hear"][..], 2, "task hear asks nothing"),
        (&["approve", "last", "hear"], 2, "last hear --why` says what it waits for"),
        (&["settle", "last", "hear", "--done"], 1, "hear` shows how it came to that"),
        (&["retry", "last", "hear"], 1, "hear` shows how it came to that"),
    ] {
        let run = desk.json(&["ps", "--json"])["runs"][0]["id"].as_str().expect("a text").to_owned();
        let done = desk.windlass(line);
        assert_eq!(done.code, Some(code), "{line:?}: {}", done.all());
        assert!(done.err.contains(&said.replace("last", &run)), "{line:?}: {}", done.err);
    }
    let help = desk.windlass(&["help", "--help"]);
    assert_eq!((help.code, help.err.as_str()), (Some(0), ""), "{}", help.all());
    assert_eq!(help.out, desk.windlass(&["--help"]).out);
    desk.windlass(&["cancel", "last"]);
}

#[test]
fn what_people_are_asked_and_told_is_broken_between_words_at_a_terminal() {
    let question =
        "Ship it? This question is rather long, and goes on until it fits into no line of eighty columns";
    let desk = Desk::with(&format!(
        "tasks: {{ ask: {{ approval: '{question}' }}, hear: {{ wait_for: {{ topic: a/topic/with/a/long/name, external: true }} }} }}"
    ));
    let run = desk.windlass(&["run", "plan.yaml", "--detach"]).out.trim().to_owned();
    for line in [
        &["show", run.as_str(), "ask"][..],
        &["emit", &run, "a/topic/with/a/long/name", "a"],
        &["cancel", &run],
        &["doctor"],
    ] {
        let (code, seen) = Seat::new(&desk, line, &[("NO_COLOR", "1")]).end();
        assert_eq!(code, Some(0), "{line:?}: {seen}");
        // What stands between backticks can be pasted, and stays in one line.
        let wide: Vec<&str> = wide(&seen).into_iter().filter(|line| !line.contains('`')).collect();
        assert_eq!(wide, Vec::<&str>::new(), "{line:?}");
    }
}
