//! The page of every key of a plan, `docs/reference/keys.md`, is printed from the published schema. Never: a key that
//! the page has and `check` does not know, or the other way round.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value};
use windlass_core::plan::schema;

const HEAD: &str = "# Every key

All that a plan, and `windlass.toml`, may say, in the order of the alphabet. What each means in practice, its defaults and how they play together is in
[plan files](plan.md). What is not supported yet is refused by `check`, never passed over.

Printed from the published schema (`windlass schema plan`) by the test `keys`; `cargo xtask accept` prints it anew.
";

/// A page of the definitions of a schema, the outermost first.
fn page(documents: &[(&str, Value)]) -> String {
    let mut page = HEAD.to_owned();
    let mut shapes: Map<String, Value> = Map::new();
    for (title, document) in documents {
        section(&mut page, title, document);
        shapes.extend(document["$defs"].as_object().cloned().unwrap_or_default());
    }
    for (name, shape) in &shapes {
        section(&mut page, name, shape);
    }
    page
}

fn section(page: &mut String, title: &str, shape: &Value) {
    let about = shape["description"].as_str().expect("each shape says what it is");
    write!(page, "\n## {title}\n\n{about}\n\n| key | holds | what it is for |\n|---|---|---|\n")
        .expect("a text");
    let required: Vec<&str> =
        shape["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (key, field) in shape["properties"].as_object().expect("each shape has keys") {
        let about = field["description"].as_str().expect("each key says what it is for");
        let must = if required.contains(&key.as_str()) { ", required" } else { "" };
        writeln!(page, "| `{key}` | {}{must} | {about} |", holds(field)).expect("a text");
    }
}

/// What a key may hold, in words.
fn holds(field: &Value) -> String {
    if let Some(shape) = field["$ref"].as_str() {
        return match shape.strip_prefix("#/$defs/") {
            Some(name) => format!("[{name}](#{name})"),
            None => "a JSON Schema".into(),
        };
    }
    if let Some(any) = field["anyOf"].as_array() {
        return any.iter().map(holds).collect::<Vec<_>>().join(", or ");
    }
    if let Some(words) = field["enum"].as_array() {
        let words: Vec<String> =
            words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        // Kinds of error have a page of their own.
        return if words.len() > 10 { "a [kind of error](errors.md)".into() } else { words.join(", ") };
    }
    match field["type"].as_str() {
        Some("array") => list(&field["items"]),
        Some("object") => format!("by name: {}", holds(&field["additionalProperties"])),
        Some("string") => text(field["pattern"].as_str()).into(),
        Some(kind @ ("integer" | "number")) => number(kind, &field["minimum"], &field["maximum"]),
        Some("boolean") => "true or false".into(),
        Some(other) => other.to_owned(),
        None if field["type"].is_array() => "a text, a number, true or false".into(),
        None => "anything".into(),
    }
}

fn list(items: &Value) -> String {
    match holds(items).as_str() {
        "a text" => "a list of texts".into(),
        "anything" => "a list".into(),
        "a text, a number, true or false" => "a list of texts, numbers, truth values".into(),
        other => format!("a list: {other}"),
    }
}

fn text(pattern: Option<&str>) -> &'static str {
    match pattern {
        None => "a text",
        Some(pattern) if pattern.contains("GiB") => "a size: `2GiB`",
        Some(pattern) if pattern.contains("(s|min|h|d)$") => "a rate: `30/min`",
        Some(pattern) if pattern.contains("none") => "a length of time: `90s`, or `none`",
        Some(_) => "a length of time: `90s`",
    }
}

fn number(kind: &str, low: &Value, high: &Value) -> String {
    let kind = if kind == "integer" { "a whole number" } else { "a number" };
    match (low.is_null(), high.is_null()) {
        (false, false) if low == high => low.to_string(),
        (false, false) => format!("{kind} from {low} to {high}"),
        (false, true) => format!("{kind} from {low}"),
        (true, false) => format!("{kind} up to {high}"),
        (true, true) => kind.into(),
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "REWRITE is how goldens are accepted")]
fn the_page_of_keys_is_what_the_schema_says() {
    let page = page(&[("plan", schema::plan()), ("windlass.toml", schema::settings())]);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/keys.md");
    if std::env::var("REWRITE").is_ok() {
        std::fs::write(&path, &page).expect("the page can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == page,
        "keys.md is not what the schema says: run `cargo xtask accept` and look at the difference"
    );
}
