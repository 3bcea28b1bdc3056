//! `windlass check`.

use std::io::Write as _;
use std::process::Stdio;

use crate::assert_shows;
use crate::desk::Desk;

#[test]
fn a_good_plan_says_what_would_start_in_order() {
    let desk = Desk::with(
        "
tasks:
  survey: { run: [ls, -la] }
  ask: { needs: [survey], approval: \"Go on?\" }
  fix: { needs: [ask], for_each: [1, 2], run: \"echo {{ item }}\" }
  report: { needs: [survey, fix], join: any, when: \"{{ inputs.loud }}\", run: echo done }
inputs: { loud: { type: boolean } }
",
    );
    assert_shows!(desk, desk.windlass(&["check", "plan.yaml"]).all());
    assert!(!desk.has_home(), "nothing was started");
}

#[test]
fn all_errors_of_a_file_are_shown_each_with_its_place_and_a_hint() {
    let desk = Desk::with(
        "
tasks:
  build: { rum: make }
  test: { needs: [biuld], run: make test }
  loop: { needs: [loop], run: \"true\" }
",
    );
    let done = desk.windlass(&["check", "plan.yaml"]);
    assert_eq!(done.code, Some(2));
    assert_shows!(desk, done.all());
    assert_eq!(desk.windlass(&["run", "plan.yaml"]).code, Some(2));
    assert!(!desk.has_home(), "nothing was started");
}

#[test]
fn schemas_that_can_not_be_compiled_are_shown_with_the_other_errors_and_once_each() {
    let desk = Desk::with(
        r##"
tasks:
  build: { rum: make }
  pattern: { run: x, output: { schema: { type: string, pattern: "(" } } }
  kind: { run: x, output: { schema: { type: objekt, pattern: "(" } } }
  far: { run: x, output: { schema: { $ref: "#/$defs/none" } } }
  test: { needs: [biuld], run: make test }
"##,
    );
    let done = desk.windlass(&["check", "plan.yaml"]);
    assert_eq!(done.code, Some(2));
    assert_shows!(desk, done.all());
}

#[test]
fn a_plan_may_come_from_standard_input() {
    let desk = Desk::new();
    let mut child = desk
        .command(&["check", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(b"tasks: { a: { run: \"true\" } }").expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 task in 1 step"));
}

#[test]
fn programs_get_one_document_whether_it_is_right_or_not() {
    let desk = Desk::with("tasks: { a: { run: \"true\" }, b: { needs: [a], run: [echo, x] } }");
    let good = desk.json(&["check", "plan.yaml", "--json"]);
    assert_eq!(good["ok"], true);
    assert_eq!(good["tasks"][1]["needs"][0], "a");
    assert_eq!(good["tasks"][1]["level"], 1);
    desk.write("plan.yaml", "tasks: { a: { rum: x } }");
    let done = desk.windlass(&["check", "plan.yaml", "--json"]);
    assert_eq!(done.code, Some(2));
    let wrong = &done.lines()[0];
    assert_eq!(wrong["ok"], false);
    assert_eq!(wrong["diagnostics"][0]["code"], "unknown_key");
    assert_eq!(wrong["diagnostics"][0]["at"]["line"], 1);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let desk = Desk::new();
    assert_shows!(desk, desk.windlass(&["check", "missing.yaml"]).all());
}

#[test]
fn a_line_of_a_megabyte_is_not_printed_whole() {
    let desk = Desk::with(&format!("tasks: {{ a: {{ run: \"{}\", rum: 1 }} }}", "x".repeat(1 << 20)));
    let done = desk.windlass(&["check", "plan.yaml"]);
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("rum") && done.err.len() < 2000, "{} bytes", done.err.len());
}

#[test]
fn what_is_no_file_is_refused_by_its_name_and_never_waited_for() {
    let desk = Desk::new();
    desk.gate("pipe");
    std::fs::create_dir(desk.work().join("folder")).expect("ours");
    let _socket = std::os::unix::net::UnixListener::bind(desk.work().join("socket")).expect("ours");
    for (path, what) in
        [("pipe", "a pipe"), ("folder", "a folder"), ("socket", "a socket"), ("/dev/zero", "a device")]
    {
        for verb in ["check", "run"] {
            let done = desk.windlass(&[verb, path]);
            assert_eq!(done.code, Some(2), "{}", done.all());
            assert!(done.err.contains(&format!("the plan {path} can't be read")), "{}", done.err);
            assert!(done.err.contains(&format!("it is {what}, not a file")), "{}", done.err);
            assert!(done.err.contains("hint:"), "{}", done.err);
        }
    }
    desk.gate("windlass.toml");
    let settings = desk.windlass(&["ps"]);
    let checked = desk.windlass(&["doctor"]);
    assert_eq!((settings.code, checked.code), (Some(0), Some(1)), "{}", checked.all());
    assert!(checked.out.contains("windlass.toml can't be read: it is a pipe, not a file"), "{}", checked.out);
}

#[test]
fn a_file_of_ten_mebibytes_is_read_and_a_longer_one_is_told_the_bound() {
    let desk = Desk::with("");
    let plan = "tasks: { a: { run: \"true\" } }\n#";
    let filled = |bytes: usize| format!("{plan}{}", "x".repeat(bytes - plan.len()));
    desk.write("plan.yaml", &filled(10 << 20));
    assert_eq!(desk.windlass(&["check", "plan.yaml"]).code, Some(0));
    desk.write("plan.yaml", &filled(12 << 20));
    let done = desk.windlass(&["check", "plan.yaml"]);
    assert_eq!(done.code, Some(2), "{}", done.all());
    assert!(done.err.contains("the file is larger than the 10 MiB that are read"), "{}", done.err);
}
