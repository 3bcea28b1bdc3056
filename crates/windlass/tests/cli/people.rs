//! What a task may do with each verb, and what only people may.
//! Never: a wait without an end, also where this fails (`timeout` ends it).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::json;

use crate::desk::{Desk, Done};

/// The binary, under a bound.
const W: &str = concat!("timeout 60 ", env!("CARGO_BIN_EXE_windlass"));

/// What comes of a line within a task.
enum Within {
    /// It is as elsewhere.
    AsElsewhere,
    /// It is refused with these words.
    Refused(&'static str),
}
use Within::{AsElsewhere, Refused};

/// Each verb in every form that counts here; `RUN` is a run of the same home that has ended.
const LINES: [(&str, Within); 33] = [
    ("init new.yaml", AsElsewhere),
    ("check leaf.yaml", AsElsewhere),
    ("graph leaf.yaml", AsElsewhere),
    ("run leaf.yaml", AsElsewhere),
    ("run leaf.yaml --yes", Refused("a task can't answer with `--yes` what a person is asked")),
    ("resume RUN", Refused("a task of a run can't go on with a run")),
    ("resume", Refused("a task of a run can't go on with a run")),
    ("pause RUN", AsElsewhere),
    ("cancel RUN", AsElsewhere),
    ("cancel RUN b", AsElsewhere),
    ("retry RUN b", Refused("a task of a run can't try a task anew")),
    ("retry RUN b --agent x", Refused("a task of a run can't try a task anew")),
    ("retry RUN b --prompt x", Refused("a task of a run can't try a task anew")),
    ("revise RUN leaf.yaml", Refused("a task of a run can't change the plan of a run around it")),
    ("settle RUN b --done", Refused("a task of a run can't say what became of a task")),
    ("settle RUN b --failed", Refused("a task of a run can't say what became of a task")),
    ("approve RUN b --id 00000000", Refused("a task of a run can't answer what a person is asked")),
    ("emit RUN t", AsElsewhere),
    ("ps", AsElsewhere),
    ("show RUN", AsElsewhere),
    ("logs RUN b", AsElsewhere),
    ("events RUN", AsElsewhere),
    ("dlq list", AsElsewhere),
    ("dlq show RUN b", AsElsewhere),
    ("dlq requeue RUN b", Refused("a task of a run can't try a task anew")),
    ("dlq drop RUN b", Refused("a task of a run can't give a dead letter up")),
    ("doctor", AsElsewhere),
    ("doctor --accept-loss", Refused("a task of a run can't give up what is lost")),
    ("chaos leaf.yaml", Refused("a task of a run can't do harm to a copy of a project")),
    ("guide", AsElsewhere),
    ("schema plan", AsElsewhere),
    ("completions bash", AsElsewhere),
    ("man", AsElsewhere),
];

/// A run of the desk's home whose one task calls these lines, one after the other, with the binary as `W`.
fn call(desk: &Desk, lines: &str) -> Done {
    let line = lines.replace("W ", &format!("{W} "));
    desk.write("caller.yaml", &json!({ "tasks": { "a": { "run": line } } }).to_string());
    desk.windlass(&["run", "caller.yaml"])
}

/// The first words behind `prefix` in the list of commands that the help prints.
fn verbs(desk: &Desk, prefix: &[&str]) -> BTreeSet<String> {
    let help = desk.windlass(&[prefix, &["--help"]].concat()).out;
    let list = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("a list");
    let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next().map(ToOwned::to_owned)).collect()
}

#[test]
fn of_each_verb_it_is_known_what_a_task_may_do_with_it() {
    let desk = Desk::new();
    for prefix in [&[] as &[&str], &["dlq"]] {
        let mut known: BTreeSet<String> = LINES
            .iter()
            .map(|(line, _)| line.split(' ').collect::<Vec<&str>>())
            .filter(|words| words.starts_with(prefix))
            .map(|words| words[prefix.len()].to_owned())
            .collect();
        known.insert("help".to_owned());
        assert_eq!(verbs(&desk, prefix), known);
    }
}

#[test]
fn what_only_people_may_do_is_refused_within_a_task_and_all_else_is_as_elsewhere() {
    let desk = Desk::with("tasks: { b: { run: exit 3 } }");
    desk.write("leaf.yaml", "tasks: { c: { run: \"true\" } }");
    let run = desk.windlass(&["run", "plan.yaml"]).run();
    let mut lines = String::new();
    for (number, (line, _)) in LINES.iter().enumerate() {
        let line = line.replace("RUN", &run);
        writeln!(lines, "W {line} > said.{number} 2>&1; echo $? > code.{number}").expect("memory takes it");
    }
    let done = call(&desk, &lines);
    assert_eq!(done.code, Some(0), "{}", done.all());
    for (number, (line, within)) in LINES.iter().enumerate() {
        let (said, code) = (desk.read(&format!("said.{number}")), desk.read(&format!("code.{number}")));
        match within {
            AsElsewhere => assert!(!said.contains("a task of a run can't"), "{line}: {said}"),
            Refused(words) => {
                assert!(said.contains(words), "{line}: {said}");
                assert!(["1", "2"].contains(&code.trim()), "{line}: {code}");
            }
        }
    }
    let retried = desk.windlass(&["retry", &run, "b"]);
    assert_eq!(retried.code, Some(0), "a person may: {}", retried.all());
}

#[test]
fn no_task_has_done_again_what_must_not_be_done_twice() {
    let desk = Desk::with("tasks: { pay: { run: \"echo paid >> paid; kill -9 $$\", rerun: never } }");
    let asked = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(asked.code, Some(3), "{}", asked.all());
    let run = asked.run();
    let done = call(&desk, &format!("W retry {run} pay; W dlq requeue {run} pay; true"));
    assert_eq!((done.code, desk.read("paid").as_str()), (Some(0), "paid\n"), "{}", done.all());
    let shown = desk.json(&["show", &run, "--json"]);
    assert_eq!(shown["tasks"][0]["state"], "blocked", "{shown}");
}

#[test]
fn no_task_begins_a_budget_anew_that_is_used_up() {
    let desk = Desk::with(
        "tasks: { b: { run: echo tried >> tries; exit 3, budget: { attempts: 1 }, retry: { max_attempts: 3 } } }",
    );
    let ended = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!((ended.code, desk.read("tries").as_str()), (Some(1), "tried\n"), "{}", ended.all());
    let run = ended.run();
    let done = call(&desk, &format!("W retry {run} b; W dlq requeue {run} b; true"));
    assert_eq!((done.code, desk.read("tries").as_str()), (Some(0), "tried\n"), "{}", done.all());
}

#[test]
fn a_task_that_cancels_a_question_lets_nothing_behind_it_start() {
    let desk = Desk::with("tasks: { ask: { approval: Go? }, after: { needs: [ask], run: touch after } }");
    let run = desk.windlass(&["run", "plan.yaml"]).run();
    let done = call(&desk, &format!("W cancel {run} ask"));
    assert_eq!(done.code, Some(0), "{}", done.all());
    let shown = desk.json(&["show", &run, "--json"]);
    assert_eq!([&shown["tasks"][0]["state"], &shown["tasks"][1]["state"]], ["cancelled", "skipped"]);
    assert!(!desk.work().join("after").exists());
}
