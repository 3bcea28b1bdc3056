//! The published JSON Schema of a line of `events --json`, derived from the events themselves.
//! Never: a field that no event has.

use serde_json::{Map, Value, json};

use crate::event::Event;
use crate::id::{RunId, Seq, TaskId};
use crate::time::Time;

/// What a line has beside the event's own fields.
const OF_THE_LINE: [&str; 3] = ["run", "task", "attempt"];

/// The schema of a line.
pub fn line() -> Value {
    let mut generator = schemars::SchemaGenerator::default();
    let base = json!({
        "seq": generator.subschema_for::<Seq>(),
        "at": generator.subschema_for::<Time>(),
        "run": generator.subschema_for::<RunId>(),
        "task": generator.subschema_for::<TaskId>(),
        "attempt": { "type": "integer", "minimum": 1 },
        "type": { "type": "string" },
        "v": { "type": "integer", "minimum": 1 },
    });
    let event = generator.root_schema_for::<Event>().to_value();
    let variants = event.get("oneOf").and_then(Value::as_array).cloned().unwrap_or_default();
    let lines: Vec<Value> = variants.iter().filter_map(of_variant).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of `windlass events --json`",
        "description": "Fields are only ever added.",
        "type": "object",
        "properties": base,
        "required": ["seq", "at", "type", "v"],
        "oneOf": lines,
        "$defs": event.get("$defs").cloned().unwrap_or_default(),
    })
}

/// The schema of an event in its own variant, `{"task_dead": {…}}`, as it is in a line, with its fields beside the rest.
fn of_variant(variant: &Value) -> Option<Value> {
    let (name, body) = variant.get("properties")?.as_object()?.iter().next()?;
    let fields = body.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let own: Map<String, Value> =
        fields.into_iter().filter(|(field, _)| !OF_THE_LINE.contains(&field.as_str())).collect();
    let mut properties = Map::from_iter([("type".to_owned(), json!({ "const": name }))]);
    properties.extend(own);
    let required = body.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let optional = |field: &Value| is_nullable(body, field);
    let required: Vec<Value> = required.into_iter().filter(|field| !optional(field)).collect();
    let mut line = json!({ "properties": properties, "required": required });
    if let Some(about) = variant.get("description") {
        line["description"] = about.clone();
    }
    Some(line)
}

/// Whether a field may be null: where it is one of the line's, it is left out then.
fn is_nullable(body: &Value, field: &Value) -> bool {
    let name = field.as_str().unwrap_or_default();
    let schema = &body["properties"][name];
    let by_type =
        schema.get("type").and_then(Value::as_array).is_some_and(|types| types.contains(&json!("null")));
    let by_choice = schema
        .get("anyOf")
        .and_then(Value::as_array)
        .is_some_and(|any| any.contains(&json!({ "type": "null" })));
    by_type || by_choice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_its_line() {
        let schema = line();
        let lines = schema["oneOf"].as_array().expect("a list");
        let names: Vec<&str> =
            lines.iter().filter_map(|line| line["properties"]["type"]["const"].as_str()).collect();
        assert!(names.contains(&"task_dead") && names.contains(&"run_created"), "{names:?}");
        assert_eq!(names.len(), lines.len());
    }

    #[test]
    fn what_may_be_null_is_not_required() {
        let schema = line();
        let lines = schema["oneOf"].as_array().expect("a list");
        let of = |name: &str| {
            lines.iter().find(|line| line["properties"]["type"]["const"] == name).expect("it is there")
        };
        assert_eq!(of("task_succeeded")["required"], json!(["run", "task"]));
        assert_eq!(of("run_paused")["properties"]["reason"]["$ref"], "#/$defs/PauseReason");
        assert!(of("task_dead")["properties"].get("task").is_none(), "the line has it");
    }
}
