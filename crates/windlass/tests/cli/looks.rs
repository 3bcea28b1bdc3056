//! Commands that only look.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::assert_shows;
use crate::desk::Desk;

#[test]
fn a_long_log_goes_into_a_pipe_in_few_writes() {
    let desk = Desk::with("tasks: { a: { run: seq 1 3000 } }");
    desk.windlass(&["run", "plan.yaml"]);
    for more in [&[][..], &["--raw"], &["--json"]] {
        let arguments = [&["logs", "last", "a"], more].concat();
        let bytes = desk.windlass(&arguments).out.len();
        // Of a socket for messages each write is one.
        let (here, there) = UnixDatagram::pair().expect("two sockets");
        let mut command = desk.command(&arguments);
        let mut child = command.stdout(Stdio::from(OwnedFd::from(there))).spawn().expect("it starts");
        drop(command);
        let (mut message, mut read, mut writes) = (vec![0; 1 << 20], 0, 0);
        while read < bytes {
            read += here.recv(&mut message).expect("a message");
            writes += 1;
        }
        assert!(child.wait().expect("it ends").success());
        assert!(writes < 100, "{writes} writes for {bytes} bytes with {more:?}");
    }
}

#[test]
fn an_empty_home_has_no_runs_and_that_is_no_failure() {
    let desk = Desk::new();
    assert_eq!(desk.json(&["ps", "--json"]), json!({ "runs": [] }));
    assert_eq!(desk.json(&["ps", "--all", "--json"]), json!({ "runs": [] }));
    assert_eq!(desk.json(&["dlq", "list", "--json"]), json!({ "dead_letters": [] }));
    assert!(!desk.has_home());
}

#[test]
fn runs_are_listed_with_the_newest_first() {
    let desk = Desk::with("goal: First\ntasks: { a: { run: \"true\" } }");
    let first = desk.windlass(&["run", "plan.yaml"]).run();
    desk.write("plan.yaml", "goal: Second\ntasks: { a: { run: exit 1 }, b: { needs: [a], run: \"true\" } }");
    let second = desk.windlass(&["run", "plan.yaml"]).run();
    let ps = desk.json(&["ps", "--json"]);
    let runs = ps["runs"].as_array().expect("a list");
    assert_eq!(runs.len(), 2);
    assert_eq!((&runs[0]["id"], &runs[1]["id"]), (&json!(second), &json!(first)));
    assert_eq!(runs[0]["goal"], "Second");
    assert_eq!(runs[0]["state"], "failed");
    assert_eq!(runs[0]["tasks"], json!({ "dead": 1, "skipped": 1 }));
    assert!(runs[0]["started_at"].is_string() && runs[0]["ended_at"].is_string());
    let table = desk.windlass(&["ps"]).all().replace(&first, "[run1]").replace(&second, "[run2]");
    assert_shows!(desk, table);
    assert_eq!(desk.json(&["ps", "--all", "--json"])["runs"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_run_is_shown_in_the_order_of_its_plan_with_children_after_their_parent() {
    let desk = Desk::with(
        "
goal: Everything at once
tasks:
  last: { needs: [each], run: echo end }
  each: { needs: [list], for_each: \"{{ tasks.list.output }}\", run: [echo, \"{{ item }}\"] }
  list: { run: \"echo '[1, {\\\"a\\\": true}]'\" }
  never: { when: \"{{ false }}\", run: \"true\" }
",
    );
    let run = desk.windlass(&["run", "plan.yaml"]).run();
    let show = desk.json(&["show", &run, "--json"]);
    let ids: Vec<&str> =
        show["tasks"].as_array().expect("a list").iter().filter_map(|task| task["id"].as_str()).collect();
    assert_eq!(ids, ["last", "each", "each.0", "each.1", "list", "never"]);
    assert_eq!(show["tasks"][1]["output"], json!([1, { "a": true }]));
    assert_eq!(show["tasks"][5]["skipped"]["reason"], "when");
    let attempt = &show["tasks"][0]["attempts"][0];
    assert_eq!(
        (&attempt["number"], &attempt["state"], &attempt["exit_code"]),
        (&json!(1), &json!("finished"), &json!(0))
    );
    assert_eq!((&attempt["agent"], &attempt["error"]), (&Value::Null, &Value::Null));
    assert!(
        attempt["started_at"].is_string() && attempt["ended_at"].is_string() && attempt["usage"].is_object()
    );
    let shown = desk.windlass(&["show", &run]).all();
    let (table, timeline) = shown.split_once("\n\nTIMELINE").expect("there is one");
    assert_shows!(desk, table);
    assert!(timeline.contains("each.1") && timeline.contains("█ succeeded"), "{timeline}");
    assert!(timeline.contains("┃ critical path, ") && timeline.contains("list → each → each."), "{timeline}");
    let path = &show["run"]["critical_path"];
    assert_eq!((&path["tasks"][0], path["tasks"].as_array().map(Vec::len)), (&json!("list"), Some(4)));
    assert!(path["took_ms"].is_u64());
}

#[test]
fn retries_and_attempts_in_flight_stand_in_the_timeline() {
    let desk = Desk::with(
        "
tasks:
  again: { run: \"test $WINDLASS_ATTEMPT = 2\", retry: { max_attempts: 2, initial_interval: 1ms } }
  on: { needs: [again], run: cat gate }
",
    );
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("started   on");
    let shown = desk.windlass(&["show", "last"]).out;
    for part in ["▒", "▶", "2 attempts", "▒ failed", "▶ running", "· before it is tried again"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    desk.open_gate("gate");
    assert_eq!(running.end().code, Some(0));
    assert!(!desk.windlass(&["show", "last", "--why"]).out.contains("TIMELINE"), "that is about waits");
}

#[test]
fn without_attempts_there_is_no_timeline() {
    let desk = Desk::with("tasks: { ask: { approval: \"Ship it?\" } }");
    desk.windlass(&["run", "plan.yaml"]);
    assert!(!desk.windlass(&["show", "last"]).out.contains("TIMELINE"));
    assert_eq!(desk.json(&["show", "last", "--json"])["run"]["critical_path"]["tasks"], json!([]));
}

#[test]
fn a_skipped_task_says_what_it_was_skipped_for() {
    let desk = Desk::with(
        "
tasks:
  own: { when: \"{{ false }}\", run: \"true\" }
  all: { needs: [own], when: \"{{ true }}\", run: \"true\" }
  further: { needs: [all], run: \"true\" }
  bad: { run: exit 1 }
  upstream: { needs: [bad], run: \"true\" }
  chain: { needs: [upstream, own], run: \"true\" }
",
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    let told = |out: &str, task: &str| {
        let mut lines = out.lines().filter(|line| !line.starts_with("task "));
        lines.find(|line| line.contains("skipped") && line.contains(task)).unwrap_or_default().to_owned()
    };
    for (task, why) in [
        ("own", "its `when` is false"),
        ("all", "all that it needs was skipped by `when`"),
        ("further", "all that it needs was skipped by `when`"),
        ("upstream", "because of bad"),
        ("chain", "because of bad"),
    ] {
        assert!(told(&done.out, &format!(" {task} ")).ends_with(why), "{}", done.out);
        let all = desk.windlass(&["show"]).out;
        assert!(told(&all, &format!("{task} ")).ends_with(why), "{task}: {all}");
        let one = desk.windlass(&["show", "last", task]).out;
        assert!(told(&one, why).starts_with("  skipped"), "{task}: {one}");
        let shown = desk.json(&["show", "last", task, "--json"])["tasks"][0]["skipped"].clone();
        assert_eq!(shown["with_its_needs"] == true, why.starts_with("all"), "{task}: {shown}");
    }
}

#[test]
fn a_large_output_is_shown_whole() {
    let desk = Desk::with("tasks: { a: { run: \"head -c 200000 /dev/zero | tr '\\\\0' x\" } }");
    desk.windlass(&["run", "plan.yaml"]);
    let output = desk.json(&["show", "last", "--json"])["tasks"][0]["output"].as_str().map(str::len);
    assert_eq!(output, Some(200_000));
}

#[test]
fn a_large_output_is_shown_as_the_value_that_templates_see() {
    let desk =
        Desk::with("tasks: { a: { run: \"head -c 70000 /dev/zero | tr '\\\\0' x; printf '\\\\r\\\\n'\" } }");
    desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(desk.json(&["show", "last", "--json"])["tasks"][0]["output"], "x".repeat(70_000));
}

#[test]
fn a_wait_for_a_person_stands_still_while_no_engine_works_and_says_what_is_left() {
    let desk = Desk::with("tasks: { ask: { approval: \"Ship it?\" } }");
    desk.windlass(&["run", "plan.yaml"]);
    let wait = desk.json(&["show", "last", "--why", "--json"])["waits"][0].clone();
    assert_eq!(wait["until"], Value::Null);
    assert!(wait["working_ms_left"].as_u64().is_some_and(|left| left > 0), "{wait}");
    let told = desk.windlass(&["show", "last", "--why"]);
    assert!(told.out.contains("of working time left"), "{}", told.out);
}

#[test]
fn a_bare_timeout_of_an_approval_bounds_the_wait_for_the_answer() {
    let desk = Desk::with("tasks: { ask: { approval: \"Ship it?\", timeout: 5m } }");
    assert_eq!(desk.windlass(&["run", "plan.yaml"]).code, Some(3));
    let wait = desk.json(&["show", "last", "--why", "--json"])["waits"][0].clone();
    let left = wait["working_ms_left"].as_u64();
    assert!(left.is_some_and(|left| left > 0 && left <= 300_000), "{wait}");
}

#[test]
fn every_unfinished_task_says_why_it_waits() {
    let desk = Desk::with(
        "
tasks:
  ask: { approval: \"Ship it?\" }
  run: { run: cat gate }
  slot: { run: \"true\" }
  after: { needs: [run, ask], run: \"true\" }
concurrency: 1
",
    );
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("started   run");
    let show = desk.json(&["show", "last", "--why", "--json"]);
    let on: Vec<(&str, &str)> = show["waits"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|wait| (wait["task"].as_str().expect("text"), wait["on"].as_str().expect("text")))
        .collect();
    assert_eq!(
        on,
        [
            ("ask", "an approval"),
            ("run", "attempt 1, which runs"),
            ("slot", "room under the plan's concurrency: 1 of 1 in flight"),
            ("after", "tasks run, ask")
        ]
    );
    assert_eq!(show["waits"][2]["who"], "the program of run");
    let wait = &show["tasks"][0]["waits"][0];
    assert!(wait["since"].is_string() && wait["until"].is_string(), "{wait}");
    assert!(wait["who"].as_str().expect("text").starts_with("you: `windlass approve"), "{wait}");
    desk.open_gate("gate");
    running.end();
    assert_shows!(desk, desk.windlass(&["show", "last", "--why"]).all());
}

#[test]
fn the_logs_of_a_parent_name_its_children_and_how_to_see_theirs() {
    let desk = Desk::with("tasks: { each: { for_each: [one, two], run: \"echo {{ item }}\" } }");
    let run = desk.windlass(&["run", "plan.yaml"]).run();
    let said = desk.windlass(&["logs", "last", "each"]);
    assert_eq!(said.code, Some(0), "{}", said.all());
    assert!(
        said.err.contains("Task each has no attempts of its own: its children have them."),
        "{}",
        said.all()
    );
    assert!(
        said.err.contains(&format!("  each.1  succeeded    windlass logs {run} each.1")),
        "{}",
        said.all()
    );
}

#[test]
fn logs_keep_their_time_and_where_they_came_from() {
    let desk = Desk::with("tasks: { a: { run: \"echo one; echo two >&2; printf three\" } }");
    desk.windlass(&["run", "plan.yaml"]);
    let lines = desk.windlass(&["logs", "last", "a", "--json"]).lines();
    let mut said: Vec<(&str, &str)> = lines
        .iter()
        .map(|line| (line["stream"].as_str().expect("text"), line["text"].as_str().expect("text")))
        .collect();
    said.sort_unstable();
    assert_eq!(said, [("stderr", "two"), ("stdout", "one"), ("stdout", "three")]);
    assert!(lines.iter().all(|line| line["at"].as_str().is_some_and(|at| at.ends_with('Z'))));
    let raw = desk.windlass(&["logs", "last", "a", "--raw"]);
    assert!(
        raw.out.contains("one\n") && raw.out.ends_with("three") || raw.out.ends_with("two\n"),
        "{:?}",
        raw.out
    );
    assert_eq!(desk.windlass(&["logs", "last", "a", "--attempt", "2"]).code, Some(2));
}

#[test]
fn a_long_line_is_one_line_and_says_where_it_goes_on_after_another() {
    let desk = Desk::with("tasks: { a: { run: \"head -c 40000 /dev/zero | tr '\\\\0' x; echo end\" } }");
    desk.windlass(&["run", "plan.yaml"]);
    let printed = desk.windlass(&["logs", "last", "a", "--attempt", "1"]).out;
    assert_eq!(printed.lines().count(), 1, "{} letters", printed.len());
    assert!(printed.ends_with("xend\n"));
    let pieces = desk.windlass(&["logs", "last", "a", "--json"]).lines();
    let continues: Vec<bool> = pieces.iter().map(|piece| piece["continues"] == true).collect();
    assert_eq!(continues, [false, true, true]);
    let whole: String = pieces.iter().filter_map(|piece| piece["text"].as_str()).collect();
    assert_eq!(whole, format!("{}end", "x".repeat(40_000)));

    let key = format!("{}/a/1", desk.json(&["ps", "--json"])["runs"][0]["id"].as_str().expect("a run"));
    let path = windlass_worker::log::path(&desk.home(), &key.parse().expect("a key"));
    std::fs::write(path, "1000 o+one\ne between\no two\n three\n").expect("a log");
    let printed = desk.windlass(&["logs", "last", "a", "--attempt", "1"]).out;
    let said: Vec<&str> =
        printed.lines().filter_map(|line| line.split_once(' ')).map(|(_, said)| said).collect();
    assert_eq!(said, ["out one", "err between", "out …two", "out three"]);
}

#[test]
fn raw_logs_are_the_bytes_that_were_printed() {
    let desk =
        Desk::with(r#"tasks: { a: { run: "printf '\\377\\376 \\000 \\033[31m \\302\\r\\n\\n\\200'" } }"#);
    desk.windlass(&["run", "plan.yaml"]);
    let raw = desk.command(&["logs", "last", "a", "--raw"]).output().expect("it starts");
    assert_eq!(raw.stdout, b"\xff\xfe \0 \x1b[31m \xc2\r\n\n\x80");
}

#[test]
fn logs_follow_a_task_over_its_attempts_until_it_is_final() {
    let desk = Desk::with(
        "tasks: { a: { run: \"echo attempt $WINDLASS_ATTEMPT; cat gate; test $WINDLASS_ATTEMPT = 2\", retry: { max_attempts: 2, initial_interval: 1ms } } }",
    );
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("started   a");
    let mut following = desk.start(&["logs", "last", "a", "-f", "--raw"]);
    following.wait_for("attempt 1");
    desk.open_gate("gate");
    following.wait_for("attempt 2");
    desk.open_gate("gate");
    let followed = following.end();
    assert_eq!(followed.code, Some(0), "{}", followed.all());
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn events_follow_a_run_to_its_end() {
    let desk = Desk::with("tasks: { a: { run: cat gate } }");
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("started   a");
    let mut following = desk.start(&["events", "last", "-f", "--json"]);
    following.wait_for("attempt_started");
    desk.open_gate("gate");
    let followed = following.end();
    assert_eq!(followed.code, Some(0));
    assert_eq!(followed.lines().last().expect("a line")["type"], "run_finished");
    running.end();
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let desk = Desk::with("tasks: { a: { for_each: \"{{ range(90) | list }}\", run: \"true\" } }");
    desk.windlass(&["run", "plan.yaml"]);
    let program = env!("CARGO_BIN_EXE_windlass");
    let done = desk.start_shell(&format!("{program} events last --json | head -n 1")).end();
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    assert_eq!(done.out.lines().count(), 1);
}

#[test]
fn colours_are_for_terminals_only() {
    let desk = Desk::with("tasks: { a: { run: exit 1 } }");
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert!(!done.all().contains('\u{1b}'));
    let forced = desk.command(&["ps"]).env("CLICOLOR_FORCE", "1").output().expect("it starts");
    assert!(String::from_utf8_lossy(&forced.stdout).contains('\u{1b}'));
    let neither =
        desk.command(&["ps"]).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").output().expect("it starts");
    assert!(!String::from_utf8_lossy(&neither.stdout).contains('\u{1b}'));
}

#[test]
fn a_parent_has_no_logs_to_look_at_and_its_children_have() {
    let desk = Desk::with("tasks: { l: { for_each: [1], run: \"false\" } }");
    let run = desk.windlass(&["run", "plan.yaml"]).run();
    let shown = desk.windlass(&["show", &run, "l"]).out;
    assert!(shown.contains(&format!("windlass logs {run} l.0`")), "{shown}");
    assert!(!shown.contains(&format!("windlass logs {run} l`")), "{shown}");
}

#[test]
fn a_question_is_shown_with_the_outputs_that_belong_to_it() {
    let desk = Desk::with(
        "
tasks:
  src: { run: \"echo first line; echo second line\" }
  ask: { needs: [src], approval: { text: \"Ship it?\\nReally?\", show: [src] } }
",
    );
    desk.windlass(&["run", "plan.yaml"]);
    assert_shows!(desk, desk.windlass(&["show", "last", "ask"]).out);
}

#[test]
fn what_one_task_waits_for_is_said_of_one_and_nothing_of_a_run_that_has_ended() {
    let desk = Desk::with("tasks: { ask: { approval: \"Well?\" } }");
    desk.windlass(&["run", "plan.yaml"]);
    let shown = desk.windlass(&["show", "last"]).out;
    assert!(shown.contains("says what it waits for"), "{shown}");
    desk.windlass(&["cancel", "last"]);
    let why = desk.windlass(&["show", "last", "--why"]).out;
    assert!(why.ends_with("Nothing waits: the run has ended.\n") && !why.contains("WAITS"), "{why}");
    assert!(
        desk.windlass(&["show", "last", "ask", "--why"]).out.contains("Nothing waits: the run has ended.")
    );
    let document = desk.json(&["show", "last", "--why", "--json"]);
    assert_eq!(document["waits"], json!([]));
}

#[test]
fn logs_that_were_removed_from_the_home_are_said_to_be_gone() {
    let desk = Desk::with(
        "tasks: { a: { run: \"echo one; cat gate; echo two\" }, b: { run: \"echo x\" }, c: { run: \"true\" } }",
    );
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    let run = running.run();
    running.wait_for("succeeded b");
    let mut following = desk.start(&["logs", &run, "a", "-f"]);
    following.wait_for("one");
    std::fs::remove_dir_all(desk.home().join("logs")).expect("ours");
    desk.open_gate("gate");
    assert_eq!((running.end().code, following.end().code), (Some(0), Some(0)));
    let log = desk.windlass(&["logs", &run, "a", "--raw"]);
    assert_eq!(log.out, "go\ntwo\n", "{}", log.all());
    assert!(desk.windlass(&["logs", &run, "a"]).out.contains("the log was removed"));
    let gone = desk.windlass(&["logs", &run, "b"]);
    assert!(gone.err.contains("There is no log of attempt 1: it was removed"), "{}", gone.all());
    let empty = desk.windlass(&["logs", &run, "c"]);
    assert!(!empty.err.contains("no log"), "{}", empty.all());
}

#[test]
fn a_task_says_what_was_not_kept_of_its_output_and_of_its_log() {
    let desk = Desk::with("tasks: { a: { run: \"head -c 17M /dev/zero\" }, b: { run: echo hello } }");
    let run = desk.windlass(&["run", "plan.yaml"]).run();
    let shown = desk.windlass(&["show", "last", "a"]).out;
    assert!(
        shown.contains("output    none: 17 MiB were printed, and more than 16 MiB is not kept"),
        "{shown}"
    );
    // As a log looks of which the middle was cut: its first part, and the last with what lies before it.
    let log = desk.home().join("logs").join(&run).join("b@1.log");
    let first = std::fs::read_to_string(&log).expect("it is there");
    std::fs::write(&log, format!("{first}@6\n")).expect("ours");
    std::fs::write(log.with_extension("log.2"), "@2054\n1 o end\n").expect("ours");
    let shown = desk.windlass(&["show", "last", "b"]).out;
    assert!(shown.contains("its log is cut: 2.0 KiB of it are missing"), "{shown}");
    assert!(!desk.windlass(&["show", "last", "a"]).out.contains("its log is cut"));
}
