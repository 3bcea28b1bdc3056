//! `windlass graph`.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::json;

use crate::assert_shows;
use crate::desk::Desk;
use crate::needs::is_there;

const PLAN: &str = "
goal: Build and ship
tasks:
  build: { run: make }
  test: { needs: [build], run: make test }
  lint: { needs: [build], run: make lint, optional: true }
  ship: { needs: [test, lint], join: any, approval: \"Ship it?\" }
";

#[test]
fn a_plan_is_drawn_as_text_by_default_and_starts_nothing() {
    let desk = Desk::with(PLAN);
    assert_shows!(desk, desk.windlass(&["graph", "plan.yaml"]).all());
    assert!(!desk.has_home(), "nothing was started");
}

#[test]
fn a_run_is_drawn_with_its_states_without_a_live_engine() {
    let desk = Desk::with(
        "
tasks:
  list: { run: \"echo '[1, 2]'\" }
  each: { needs: [list], for_each: \"{{ tasks.list.output }}\", run: \"true\" }
  bad: { needs: [list], run: exit 3, optional: true }
  never: { when: \"{{ false }}\", run: \"true\" }
  ask: { needs: [each, bad], approval: \"Ship it?\" }
",
    );
    let run = desk.windlass(&["run", "plan.yaml"]).run();
    let drawn = desk.windlass(&["graph", &run]).all();
    // Which of them took longest, and so is on the critical path, differs from run to run.
    let drawn = drawn.replace('┃', " ");
    let (tree, _) = drawn.split_once("critical path").expect("there is one");
    assert_shows!(desk, tree);
    assert_eq!(desk.windlass(&["graph", &run[..4]]).out, desk.windlass(&["graph", "last"]).out);
    let document = desk.json(&["graph", "last", "--json"]);
    assert_eq!(document["run"], json!({ "id": run, "state": "waiting" }));
    assert_eq!(document["tasks"][1]["children"]["done"], 2);
    assert_eq!(document["tasks"][2]["state"], "dead");
    assert_eq!(document["tasks"][4]["needs"], json!(["each", "bad"]));
    assert_eq!(document["critical_path"]["tasks"][0], "list");
    assert!(document["critical_path"]["took_ms"].is_u64());
}

#[test]
fn a_live_run_is_drawn_as_it_is() {
    let desk = Desk::with("tasks: { a: { run: cat gate } }");
    desk.gate("gate");
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("started   a");
    let drawn = desk.windlass(&["graph", "last"]).out;
    assert!(drawn.contains("running: 1 task, 1 attempt") && drawn.contains("▶ a  running"), "{drawn}");
    desk.open_gate("gate");
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn the_ending_of_the_output_file_says_how_it_is_drawn() {
    let desk = Desk::with(PLAN);
    for (name, begin) in [
        ("a.svg", "<svg xmlns="),
        ("a.mmd", "---\ntitle: \"Build and ship\"\n---\nflowchart LR\n"),
        ("a.dot", "digraph \"Build and ship\" {"),
        ("a.gv", "digraph \"Build and ship\" {"),
        ("a.txt", "Build and ship\nplan plan.yaml: 4 tasks\n"),
        ("a", "Build and ship\n"),
    ] {
        let done = desk.windlass(&["graph", "plan.yaml", "--output", name]);
        assert_eq!((done.code, done.out.as_str()), (Some(0), ""), "{}", done.all());
        assert!(desk.read(name).starts_with(begin), "{name}: {}", desk.read(name));
    }
    for format in ["svg", "mermaid", "dot"] {
        let ending = if format == "mermaid" { "mmd" } else { format };
        let done = desk.windlass(&["graph", "plan.yaml", "--format", format]);
        assert_eq!(done.out, desk.read(&format!("a.{ending}")));
        desk.windlass(&["graph", "plan.yaml", "--format", format, "-o", "b.txt"]);
        assert_eq!(desk.read("b.txt"), done.out, "what is asked for goes before the ending");
    }
}

/// `REWRITE=1` draws it anew.
#[test]
fn the_picture_in_the_readme_is_what_is_drawn() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let picture = root.join("docs/pictures/quickstart.svg");
    let mut command = Desk::new().command(&["graph", "examples/quickstart/plan.yaml", "--format", "svg"]);
    let drawn = command.current_dir(&root).output().expect("it starts").stdout;
    let drawn = String::from_utf8(drawn).expect("text");
    if std::env::var_os("REWRITE").is_some() {
        std::fs::create_dir_all(picture.parent().expect("a folder")).expect("it can be made");
        std::fs::write(&picture, &drawn).expect("it can be written");
    }
    assert!(std::fs::read_to_string(&picture).is_ok_and(|kept| kept == drawn), "REWRITE=1 draws it anew");
}

#[test]
fn graphviz_takes_every_letter() {
    let desk = Desk::new();
    if !is_there("dot", desk.start_shell("dot -V").end().code == Some(0)) {
        return;
    }
    let text = serde_json::Value::from("a<b>&\"c\" \\ \\n {x} [y] | é 日本");
    desk.write(
        "plan.yaml",
        &format!("goal: {text}\ntasks: {{ a: {{ run: [{text}] }}, b: {{ needs: [a], run: x }} }}"),
    );
    assert_eq!(desk.windlass(&["graph", "plan.yaml", "-o", "plan.dot"]).code, Some(0));
    let done = desk.start_shell("dot -Tsvg plan.dot -o plan.svg").end();
    assert_eq!((done.code, done.err.as_str()), (Some(0), ""), "{}", done.all());
}

#[test]
fn a_plan_may_come_from_standard_input() {
    let desk = Desk::new();
    let piped = desk.command(&["graph", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = piped.expect("it starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(PLAN.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("plan -: 4 tasks"));
}

#[test]
fn what_is_neither_a_plan_nor_a_run_is_named() {
    let desk = Desk::with(PLAN);
    assert_shows!(desk, desk.windlass(&["graph", "missing.yaml"]).all());
    desk.write("wrong.yaml", "tasks: { a: { rum: x } }");
    let done = desk.windlass(&["graph", "wrong.yaml"]);
    assert!(done.code == Some(2) && done.err.contains("rum"), "{}", done.all());
    let none = desk.windlass(&["graph", "last"]);
    assert!(none.code == Some(2) && none.err.contains("there are no runs in this home"), "{}", none.all());
    assert!(!desk.has_home(), "looking made no home");
    desk.windlass(&["run", "plan.yaml"]);
    assert_shows!(desk, desk.windlass(&["graph", "nothere"]).all());
    let both = desk.windlass(&["graph", "plan.yaml", "--json", "--format", "svg"]);
    assert_eq!(both.code, Some(2), "{}", both.all());
}

#[test]
fn a_file_that_can_not_be_written_is_named() {
    let desk = Desk::with(PLAN);
    let done = desk.windlass(&["graph", "plan.yaml", "-o", "missing/plan.svg"]);
    assert_eq!(done.code, Some(2), "{}", done.all());
    assert!(done.err.contains("missing/plan.svg can't be written"), "{}", done.err);
}

#[test]
fn more_than_a_picture_can_show_is_drawn_by_steps_or_refused_with_a_way_out() {
    let wide: Vec<String> = (0..600).map(|task| format!("  t{task}: {{ needs: [a], run: x }}\n")).collect();
    let desk = Desk::with(&format!("tasks:\n  a: {{ run: x }}\n{}", wide.concat()));
    for format in ["svg", "mermaid"] {
        let done = desk.windlass(&["graph", "plan.yaml", "--format", format]);
        assert_eq!(done.code, Some(0), "{}", done.err);
        assert!(
            done.out.contains("step 2: 600 tasks") && done.out.contains("t0, t1, t2 and 597 more"),
            "{}",
            done.out
        );
    }
    let text = desk.windlass(&["graph", "plan.yaml"]).out;
    assert!(text.contains("t599") && text.contains("plan plan.yaml: 601 tasks\n"), "{text}");
    let after = |task: usize| format!("  t{task}: {{ needs: [t{}], run: x }}\n", task - 1);
    let long: Vec<String> = (1..700).map(after).collect();
    desk.write("plan.yaml", &format!("tasks:\n  t0: {{ run: x }}\n{}", long.concat()));
    assert_shows!(desk, desk.windlass(&["graph", "plan.yaml", "--format", "svg"]).all());
    let dot = desk.windlass(&["graph", "plan.yaml", "--format", "dot"]).out;
    assert_eq!(dot.matches(" -> ").count(), 699);
}

#[test]
fn a_picture_is_written_in_no_format_that_was_not_meant() {
    let desk = Desk::with("tasks: { a: { run: x } }");
    let refused = desk.windlass(&["graph", "plan.yaml", "-o", "x.png"]);
    assert_eq!(refused.code, Some(2), "{}", refused.all());
    assert!(
        refused.err.contains("no picture is written as .png") && refused.err.contains(".svg"),
        "{}",
        refused.err
    );
    assert!(!desk.work().join("x.png").exists());
    for command in [&["graph", "plan.yaml", "-o", "/proc/none/x"][..], &["man", "--out", "/proc/x"]] {
        let refused = desk.windlass(command);
        assert_eq!(refused.code, Some(2), "{}", refused.all());
    }
}
