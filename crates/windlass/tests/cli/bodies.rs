//! Outputs and variables that the store has lost, or no longer has as they were: nobody is handed them, no task is to blame
//! for it, and what needs them begins when they are back.

use std::fs;
use std::path::{Path, PathBuf};

use crate::desk::{Desk, Done};

/// A large output goes into the prompt of a task once a person has said yes.
const PLAN: &str = r#"
version: 1
agents: { c: { adapter: command, program: sha256sum } }
tasks:
  big: { run: "head -c 200000 /dev/zero | tr '\\0' y" }
  ap: { needs: [big], approval: hm }
  use:
    needs: [ap]
    agent: c
    workspace: shared
    rerun: never
    retry: { max_attempts: 1, initial_interval: 1ms }
    prompt: "{{ tasks.big.output }}"
"#;

/// The blob that this is said of.
fn blob(desk: &Desk, is_it: impl Fn(&[u8]) -> bool) -> PathBuf {
    let shards = fs::read_dir(desk.home().join("blobs")).expect("there are some").flatten();
    let blobs = shards.flat_map(|shard| fs::read_dir(shard.path()).expect("a folder").flatten());
    let mut found = blobs.map(|blob| blob.path()).filter(|blob| is_it(&fs::read(blob).expect("ours")));
    found.next().expect("there is one")
}

/// Goes on, and sees that the engine ends over a blob and that nothing came of the task.
fn ends_over(desk: &Desk, blob: &Path, task: &str) -> Done {
    let done = desk.windlass(&["resume", "last", "--yes"]);
    assert_eq!(done.code, Some(4), "{}", done.all());
    let name = blob.file_name().and_then(|name| name.to_str()).expect("letters and digits");
    assert!(done.err.contains(name), "it names the blob: {}", done.all());
    assert!(done.err.contains("windlass doctor"), "{}", done.all());
    let shown = desk.json(&["show", "last", task, "--why", "--json"]);
    let state = shown["tasks"][0]["state"].as_str().expect("a text");
    assert!(["ready", "backing_off"].contains(&state), "{shown}");
    assert_eq!(desk.windlass(&["dlq", "list", "--json"]).out.matches("\"task\"").count(), 0);
    done
}

#[test]
fn a_large_output_that_is_damaged_or_gone_is_handed_to_nobody_and_its_task_begins_when_it_is_back() {
    let desk = Desk::with(PLAN);
    let asked = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(asked.code, Some(3), "{}", asked.all());
    let output = blob(&desk, |bytes| bytes.len() == 200_000);
    let sound = fs::read(&output).expect("ours");
    let mut damaged = sound.clone();
    damaged[1000] = b'Z';
    let longer = [&sound[..], b"y"].concat();
    for body in [&damaged[..], &sound[..1000], b"", &longer] {
        fs::write(&output, body).expect("ours");
        let done = ends_over(&desk, &output, "use");
        assert!(done.err.contains("is not what was written"), "{}", done.all());
    }
    fs::remove_file(&output).expect("ours");
    let done = ends_over(&desk, &output, "use");
    assert!(done.err.contains("there is no blob"), "{}", done.all());

    fs::write(&output, &sound).expect("ours");
    let done = desk.windlass(&["resume", "last"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let shown = desk.json(&["show", "last", "use", "--json"]);
    let given = shown["tasks"][0]["output"].as_str().expect("a text");
    assert!(given.starts_with("4b91ed7231d554c0004fbf2590eef044"), "{given}");
}

#[test]
fn what_was_given_up_ends_the_task_that_needs_it_and_is_there_again_when_it_is_put_back() {
    let desk = Desk::with(PLAN);
    assert_eq!(desk.windlass(&["run", "plan.yaml"]).code, Some(3));
    let output = blob(&desk, |bytes| bytes.len() == 200_000);
    let sound = fs::read(&output).expect("ours");
    fs::write(&output, &sound[1..]).expect("ours");
    assert_eq!(desk.windlass(&["doctor", "--accept-loss"]).code, Some(0));
    let done = desk.windlass(&["resume", "last", "--yes"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    assert!(done.all().contains("is gone, as was accepted"), "{}", done.all());
    assert!(done.all().contains("from a backup"), "{}", done.all());
    fs::write(&output, &sound).expect("ours");
    assert_eq!(desk.windlass(&["retry", "last", "use"]).code, Some(0));
    let done = desk.windlass(&["resume", "last"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
}

#[test]
fn who_is_asked_about_an_output_that_is_damaged_sees_that_it_is() {
    let desk = Desk::with(
        "tasks: { big: { run: \"head -c 200000 /dev/zero | tr '\\\\0' y\" }, ap: { needs: [big], approval: { text: hm, show: [big] } } }",
    );
    assert_eq!(desk.windlass(&["run", "plan.yaml"]).code, Some(3));
    let output = blob(&desk, |bytes| bytes.len() == 200_000);
    fs::write(&output, "other").expect("ours");
    let shown = desk.windlass(&["show", "last", "ap"]);
    assert_eq!(shown.code, Some(4), "{}", shown.all());
    assert!(shown.out.contains("big gave:\n  its output is gone or damaged: blob"), "{}", shown.all());
}

#[test]
fn a_run_whose_variables_are_damaged_starts_nothing_and_goes_on_when_they_are_back() {
    let desk =
        Desk::with("tasks: { ap: { approval: hm }, a: { needs: [ap], run: \"echo $HOME\", rerun: never } }");
    assert_eq!(desk.windlass(&["run", "plan.yaml"]).code, Some(3));
    let variables = blob(&desk, |bytes| bytes.windows(7).any(|part| part == b"\"PATH\":"));
    let sound = fs::read(&variables).expect("ours");
    fs::write(&variables, "{}").expect("ours");
    ends_over(&desk, &variables, "a");
    fs::write(&variables, &sound).expect("ours");
    let done = desk.windlass(&["resume", "last"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
}
