//! A plan that is to go on with the inputs of a run. Never: the run.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde_json::json;
use windlass_core::plan::file::{Options, PlanText, Source, load};
use windlass_core::plan::settings::Settings;

const OUTER: &str = "
inputs:
  word: { type: string, default: none }
  count: { type: integer, default: 1 }
  fresh: { type: boolean, default: true }
tasks:
  inner: { plan: inner.yaml }
";

const INNER: &str = "
inputs: { count: { type: integer, default: 9 } }
tasks: { say: { run: 'echo {{ inputs.count }}' } }
";

#[test]
fn a_plan_takes_of_the_inputs_of_a_run_what_it_knows_and_reads_each_file_once() {
    let reads = Cell::new(0);
    let read = |dir: &str, file: &str| {
        reads.set(reads.get() + 1);
        Ok(PlanText { name: file.to_owned(), bytes: INNER.into(), dir: dir.to_owned() })
    };
    let texts = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let kept = texts(&[("word", "kept"), ("count", "2"), ("gone", "of the plan before")]);
    let given = texts(&[("word", "given")]);
    let options = Options { kept: Some(&kept), read: Some(&read), ..Options::default() };
    let source = Source { name: "plan.yaml", text: OUTER.as_bytes(), format: None };
    let plan = load(&source, &Settings::default(), &given, &options).expect("a valid plan").plan;
    assert_eq!(json!(plan.inputs), json!({ "word": "given", "count": 2, "fresh": true }));
    let inner = plan.tasks[0].work.sub_plan().expect("a plan");
    assert_eq!(json!(inner.inputs), json!({ "count": 9 }), "an input of another plan is another input");
    assert_eq!(reads.get(), 1);
}
