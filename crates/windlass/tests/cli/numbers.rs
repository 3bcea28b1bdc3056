//! Numbers with more digits than a value keeps: refused where they would be rounded, and else kept as they were printed.
//! Never: a number that reads otherwise than it came in without a word.

use serde_json::{Value, json};

use crate::desk::Desk;

const LOST: [&str; 4] =
    ["12345678901234567890123", "0.1234567890123456789", "0.1000000000000000055511151231257827", "1e400"];

#[test]
fn a_number_in_a_plan_is_refused_in_each_format_and_a_text_is_taken() {
    let desk = Desk::with("");
    for number in LOST {
        desk.write("plan.yaml", &format!("tasks: {{ a: {{ for_each: [{{ id: {number} }}], run: echo }} }}"));
        desk.write(
            "plan.json",
            &format!(r#"{{"tasks": {{"a": {{"for_each": [{number}], "run": "echo"}}}}}}"#),
        );
        desk.write("plan.toml", &format!("[tasks.a]\nrun = \"echo\"\nfor_each = [{number}]\n"));
        for file in ["plan.yaml", "plan.json", "plan.toml"] {
            let done = desk.windlass(&["run", file]);
            assert_eq!(done.code, Some(2), "{number} in {file}: {}", done.all());
            assert!(done.err.contains("kept exactly") && done.err.contains("quotes"), "{}", done.err);
        }
    }
    for number in LOST {
        desk.write("plan.yaml", &format!("tasks: {{ a: {{ run: 'echo {{{{ [1, {number}] }}}}' }} }}"));
        let done = desk.windlass(&["check", "plan.yaml"]);
        assert_eq!(done.code, Some(2), "{number} in a template: {}", done.all());
        assert!(done.err.contains("kept exactly") && done.err.contains("quotes"), "{}", done.err);
    }
    let fine = "[1.10, 0.1, 1e23, 18446744073709551615, \"12345678901234567890123\"]";
    desk.write(
        "plan.yaml",
        &format!("tasks: {{ a: {{ for_each: {fine}, run: 'echo {{{{ item }}}} | tee -a out' }} }}"),
    );
    assert_eq!(desk.windlass(&["run", "plan.yaml", "--slots", "1"]).code, Some(0));
    assert_eq!(desk.read("out"), "1.1\n0.1\n1e+23\n18446744073709551615\n12345678901234567890123\n");
}

#[test]
fn a_number_in_an_input_is_refused_by_its_place_and_a_text_is_taken() {
    let desk = Desk::with(
        "
inputs:
  one: { type: number, default: 1 }
  many: { type: object, default: {} }
  name: { type: string, default: none }
tasks: { a: { run: 'echo {{ inputs.many }} {{ inputs.name }}' } }
",
    );
    for number in LOST {
        for (input, place) in
            [(format!("one={number}"), ""), (format!("many={{\"ids\": [1, {number}]}}"), " at /ids/1")]
        {
            let done = desk.windlass(&["run", "plan.yaml", "--input", &input]);
            assert_eq!(done.code, Some(2), "{}", done.all());
            let said = format!("has the number {number}{place}, which can't be kept exactly");
            assert!(done.err.contains(&said) && done.err.contains("in quotes"), "{}", done.err);
        }
        let many = format!("many={{\"ids\": [\"{number}\"]}}");
        let done =
            desk.windlass(&["run", "plan.yaml", "--input", &many, "--input", &format!("name={number}")]);
        assert_eq!(done.code, Some(0), "{}", done.all());
        let show = desk.json(&["show", "last", "--json"]);
        assert_eq!(show["tasks"][0]["output"], format!("{{\"ids\":[\"{number}\"]}} {number}"));
    }
}

#[test]
fn an_output_whose_numbers_an_expression_or_a_schema_would_have_rounded_is_invalid() {
    for number in LOST {
        let desk = Desk::with(&format!(
            "
defaults: {{ retry: {{ max_attempts: 1 }} }}
agents: {{ scribe: {{ adapter: command, program: cat }} }}
tasks:
  list: {{ run: 'echo ''[{{\"id\": {number}}}]''', optional: true }}
  each: {{ needs: [list], for_each: '{{{{ tasks.list.output }}}}', run: 'echo {{{{ item.id }}}}' }}
  part: {{ run: 'echo ''{{\"id\": {number}}}''', optional: true }}
  shell: {{ needs: [part], run: 'echo {{{{ tasks.part.output.id }}}}' }}
  held: {{ agent: scribe, prompt: '{{\"id\": {number}}}', optional: true, output: {{ schema: {{ type: object }} }} }}
"
        ));
        desk.windlass(&["run", "plan.yaml"]);
        let show = desk.json(&["show", "last", "--json"]);
        for (place, at) in [(0, "/0/id"), (2, "/id"), (4, "/id")] {
            let error = &show["tasks"][place]["error"];
            assert_eq!(error["kind"], "invalid_output", "{number}: {}", show["tasks"][place]);
            let message = error["message"].as_str().expect("a text");
            assert!(
                message.contains(&format!("the number {number} at {at}, which can't be kept exactly")),
                "{message}"
            );
            assert!(error["hint"].as_str().expect("a text").contains("in quotes"), "{error}");
        }
    }
}

#[test]
fn an_output_whose_numbers_nobody_names_is_kept_as_it_was_printed() {
    for number in LOST {
        let desk = Desk::with(&format!(
            "
agents: {{ scribe: {{ adapter: command, program: cat }} }}
tasks:
  told: {{ run: 'echo ''{{\"id\": {number}, \"name\": \"x\"}}''' }}
  whole: {{ needs: [told], agent: scribe, prompt: 'got {{{{ tasks.told.output }}}}' }}
"
        ));
        let done = desk.windlass(&["run", "plan.yaml"]);
        assert_eq!(done.code, Some(0), "{}", done.all());
        let printed = format!("{{\"id\": {number}, \"name\": \"x\"}}");
        let show = desk.json(&["show", "last", "--json"]);
        let got = show["tasks"][1]["output"].as_str().expect("a text").trim_end();
        assert_eq!(got, format!("got {printed}"));
        assert_eq!(show["tasks"][0]["output"], json!(printed), "as a text");
        assert!(desk.windlass(&["show", "last", "told"]).out.contains(&printed));
    }
}

#[test]
fn a_bare_number_goes_into_texts_as_it_was_printed_and_is_refused_as_a_value() {
    let desk = Desk::with(
        "
tasks:
  serial: { run: echo 12345678901234567890123 }
  text: { needs: [serial], run: 'echo {{ tasks.serial.output }}' }
  large: { needs: [serial], when: '{{ tasks.serial.output > 5 }}', run: echo yes }
  items: { needs: [serial], for_each: ['{{ tasks.serial.output }}'], run: 'echo {{ item }}', optional: true }
  object: { needs: [serial], run: ['echo', '{{ {\"id\": tasks.serial.output} }}'], optional: true }
  joined: { needs: [serial], run: 'echo {{ [tasks.serial.output, 1] | join }}', optional: true }
  kept: { needs: [serial], run: 'echo {% set v = tasks.serial.output %}{{ v }}', optional: true }
  told: { needs: [serial], emit: { topic: serial, data: { id: '{{ tasks.serial.output }}' } }, optional: true }
",
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let show = desk.json(&["show", "last", "--json"]);
    let tasks: &Vec<Value> = show["tasks"].as_array().expect("a list");
    let of = |id: &str| tasks.iter().find(|task| task["id"] == id).expect("it is there");
    assert!(desk.windlass(&["show", "last", "text"]).out.contains("12345678901234567890123"));
    assert_eq!(of("large")["output"], "yes", "it is a number where it is compared");
    for id in ["items", "object", "joined", "kept", "told"] {
        let error = &of(id)["error"];
        assert_eq!(error["kind"], "invalid_output", "{}", of(id));
        let message = error["message"].as_str().expect("a text");
        assert!(
            message.contains(
                "the output of task serial is the number 12345678901234567890123, which can't be kept exactly"
            ),
            "{message}"
        );
    }
}

#[test]
fn what_is_shown_of_a_number_that_is_not_kept_exactly_is_what_was_printed_in_lists_too() {
    let desk = Desk::with(
        "
tasks:
  serial: { run: echo 12345678901234567890123 }
  each: { for_each: [1, 2], run: 'echo 1234567890123456789012{{ item }}' }
  near: { run: echo 1.10 }
",
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert!(done.out.contains("12345678901234567890121") && !done.out.contains("e+22"), "{}", done.out);
    let show = desk.json(&["show", "last", "--json"]);
    let of = |place: usize| &show["tasks"][place]["output"];
    assert_eq!(*of(0), json!("12345678901234567890123"));
    assert_eq!(*of(1), json!(["12345678901234567890121", "12345678901234567890122"]));
    assert_eq!(*of(4), json!(1.1));
    let shown = desk.windlass(&["show", "last"]).out;
    assert!(shown.contains("12345678901234567890122") && !shown.contains("e+22"), "{shown}");
}
