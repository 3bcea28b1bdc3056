//! What becomes of values between tasks: from one's output into another's line of shell.
//! Never: a value that is run.

use serde_json::Value;

use crate::desk::Desk;

#[test]
fn a_number_reads_as_it_was_printed_wherever_it_is_put_into_a_text() {
    let desk = Desk::with(
        r#"
agents: { scribe: { adapter: command, program: cat } }
tasks:
  version: { run: echo 1.10 }
  serial: { run: echo 12345678901234567890123 }
  shell: { needs: [version, serial], run: "printf %s {{ tasks.version.output }}/{{ tasks.serial.output }}" }
  list: { needs: [version], run: [printf, "%s", "v{{ tasks.version.output }}"] }
  alone: { needs: [version], run: [printf, "v%s", "{{ tasks.version.output }}"] }
  env: { needs: [serial], env: { SERIAL: "{{ tasks.serial.output }}" }, run: "printf %s \"s$SERIAL\"" }
  prompt: { needs: [version], agent: scribe, prompt: "version {{ tasks.version.output }}" }
  counts: { needs: [version], when: "{{ tasks.version.output < 2 }}", run: echo yes }
"#,
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let shown = desk.json(&["show", "last", "--json"]);
    let outputs: Vec<&Value> =
        shown["tasks"].as_array().expect("tasks").iter().map(|task| &task["output"]).collect();
    assert_eq!(
        outputs[2..].iter().map(|output| output.as_str().unwrap_or_default()).collect::<Vec<_>>(),
        ["1.10/12345678901234567890123", "v1.10", "v1.10", "s12345678901234567890123", "version 1.10", "yes"]
    );
    assert_eq!(*outputs[0], serde_json::json!(1.1), "for programs it is a number");
    let for_people = desk.windlass(&["show", "last"]).out;
    assert!(for_people.contains("1.10") && for_people.contains("12345678901234567890123"), "{for_people}");
    assert!(desk.windlass(&["show", "last", "version"]).out.contains("1.10"));
}

#[test]
fn an_output_is_text_in_quotes_and_here_documents_and_never_run() {
    let desk = Desk::with(
        r#"
inputs: { s: { type: string } }
tasks:
  src: { run: "cat hostile" }
  double: { needs: [src], run: "printf %s \"{{ tasks.src.output }}\"" }
  single: { run: "printf %s '{{ inputs.s }}'" }
  bare: { needs: [src], run: "printf %s {{ tasks.src.output }}" }
  document: { needs: [src], run: "cat <<EOF\n{{ tasks.src.output }}\nEOF" }
"#,
    );
    let hostile = "$(touch PWNED1) `touch PWNED2`\"; touch PWNED3; \" '; touch PWNED4; ' \\";
    desk.write("hostile", hostile);
    let done = desk.windlass(&["run", "plan.yaml", "--input", "s=it's '$(touch PWNED5)'"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let shown = desk.json(&["show", "last", "--json"]);
    let outputs = shown["tasks"].as_array().expect("tasks").iter();
    let outputs: Vec<_> = outputs.map(|task| task["output"].as_str().expect("a text")).collect();
    assert_eq!(outputs, [hostile, hostile, "it's '$(touch PWNED5)'", hostile, hostile]);
    for number in 1..=5 {
        let name = format!("PWNED{number}");
        assert!(!desk.work().join(&name).exists(), "{name}");
    }
}

#[test]
fn json_that_nests_too_deep_is_an_invalid_output_that_says_how_deep() {
    let desk = Desk::with(
        r#"
tasks:
  deep: { for_each: [128], run: "cat 128" }
  after: { needs: [deep], env: { GOT: "{{ tasks.deep.output }}" }, run: "echo \"got $GOT\"" }
  deeper: { run: "cat 129", optional: true }
"#,
    );
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    desk.write("128", &nested(128));
    desk.write("129", &nested(129));
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let message = "invalid_output: the output is JSON nested 129 levels deep: 128 are taken";
    assert!(done.out.contains(message), "{}", done.out);
    let shown = desk.json(&["show", "last", "after", "--json"]);
    assert!(
        shown.to_string().contains(&format!("got {}", nested(129))),
        "a list of it is passed on: {shown}"
    );
}

#[test]
fn a_template_that_would_give_too_long_a_text_is_refused_before_there_is_one() {
    let desk = Desk::with(
        r#"
agents: { scribe: { adapter: command, program: cat } }
tasks:
  list: { run: [echo, "{{ 'x' * 100000000 }}"] }
  shell: { run: "echo {{ 'x' * 30000000 }}" }
  several: { run: "echo {% for i in range(40) %}{{ 'x' * 1000000 }}{% endfor %}" }
  prompt: { agent: scribe, prompt: "{{ 'x' * 30000000 }}" }
  length: { run: [echo, "{{ ('x' * 100000000) | length }}"] }
  concat: { run: [echo, "{% set a = 'x' * 20000000 %}{{ (a ~ a ~ a ~ a) | length }}"] }
"#,
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(1), "{}", done.all());
    let shown = desk.json(&["show", "last", "--json"]);
    for task in shown["tasks"].as_array().expect("a list") {
        assert_eq!(task["error"]["kind"], "expression", "{task}");
        let message = task["error"]["message"].as_str().expect("a text");
        assert!(message.contains("at most 16 MiB"), "{task}");
    }
}

#[test]
fn the_word_for_nothing_is_told_to_who_writes_null() {
    let desk = Desk::with("tasks: { a: { run: \"echo {{ null }}\" } }");
    let done = desk.windlass(&["check", "plan.yaml"]);
    assert_eq!(done.code, Some(2));
    assert!(done.err.contains("Jinja calls it `none`"), "{}", done.err);
}

#[test]
fn a_task_that_removes_the_folder_of_its_output_ends_no_other_run() {
    let desk = Desk::with(
        r#"
defaults: { retry: { max_attempts: 1 } }
tasks:
  large: { run: "head -c 400000 /dev/zero | tr '\\0' x; rm -r ${WINDLASS_OUTPUT%/*}" }
  next: { needs: [large], run: "echo next > $WINDLASS_OUTPUT" }
  link: { needs: [large], run: "ln -s /dev/zero $WINDLASS_OUTPUT", optional: true }
  locked: { needs: [large], run: "head -c 99999 /dev/zero > $WINDLASS_OUTPUT; chmod 0 $WINDLASS_OUTPUT", optional: true }
"#,
    );
    let done = desk.without_privileges(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let tasks = desk.json(&["show", "last", "--json"])["tasks"].clone();
    assert_eq!(tasks[0]["output"].as_str().map(str::len), Some(400_000));
    assert_eq!(tasks[1]["output"], "next");
    for (place, why) in [(2, "it is a symbolic link"), (3, "Permission denied")] {
        let error = &tasks[place]["error"];
        assert_eq!(error["kind"], "invalid_output", "{error}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(why)), "{error}");
    }
}
