//! `windlass schema`.

use serde_json::Value;
use windlass_core::effect::Settle;

use crate::desk::Desk;

#[test]
fn every_line_of_a_run_fits_the_published_schema() {
    let desk = Desk::with(
        "
tasks:
  a: { run: echo 1, retry: { max_attempts: 2 } }
  b: { run: exit 3, retry: { max_attempts: 2, initial_interval: 1ms }, optional: true }
  c: { needs: [b], for_each: [1, 2], run: \"echo {{ item }}\" }
  d: { needs: [c], when: \"{{ false }}\", run: \"true\" }
  e: { needs: [a], approval: \"ok?\" }
",
    );
    let schema: Value = desk.json(&["schema", "event"]);
    let done = desk.windlass(&["run", "plan.yaml", "--json", "--yes"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let wanted = Settle { schema: Some(schema), extracts: Vec::new() };
    for line in done.out.lines() {
        let checked = windlass_worker::settle(line.as_bytes(), false, &wanted);
        assert!(checked.is_ok(), "{line}: {checked:?}");
    }
    let wrong = br#"{"seq":1,"at":"2026-01-01T00:00:00.000Z","type":"task_dead","v":1}"#;
    assert!(windlass_worker::settle(wrong, false, &wanted).is_err(), "the schema means something");
}

#[test]
fn the_schema_of_plans_is_published() {
    let schema = Desk::new().json(&["schema", "plan"]);
    assert_eq!(schema["additionalProperties"], false);
    assert!(schema["properties"]["tasks"].is_object());
}
