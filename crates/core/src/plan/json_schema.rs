//! Whether a JSON Schema is one, by its structure. Patterns are compiled, and references followed, by whoever uses
//! the schema ([`super::file::Options::check_schema`]). Never: holding a value against it.

use super::diagnostic::{Code, Findings};
use super::node::{Node, Tree};
use crate::template::nearest;

const TYPES: [&str; 7] = ["null", "boolean", "object", "array", "number", "string", "integer"];

/// Reports what is wrong with a schema.
pub(super) fn check(node: &Node<'_>, findings: &mut Findings) {
    match &node.tree {
        Tree::Bool(_) => {}
        Tree::Map(entries) => {
            for entry in entries {
                if findings.is_full() {
                    return;
                }
                keyword(&entry.key, &entry.value, findings);
            }
        }
        Tree::Null | Tree::Number(_) | Tree::Text(_) | Tree::List(_) => {
            wrong(findings, node, format!("a JSON Schema is a map or a boolean, not {}", node.kind()), None);
        }
    }
}

/// Whether there is nothing to report of a schema.
pub(super) fn is_sound(node: &Node<'_>) -> bool {
    let mut findings = Findings::default();
    check(node, &mut findings);
    !findings.has_errors()
}

fn wrong(findings: &mut Findings, node: &Node<'_>, message: String, hint: Option<String>) {
    findings.error(Code::BadSchema, node.at, message, hint);
}

fn keyword(key: &str, value: &Node<'_>, findings: &mut Findings) {
    let expect = |holds: bool, what: &str, findings: &mut Findings| {
        if !holds {
            let message = format!("in a JSON Schema `{key}` must be {what}, not {}", value.brief());
            wrong(findings, value, message, None);
        }
    };
    match key {
        "type" => type_names(value, findings),
        "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" => {
            expect(matches!(value.tree, Tree::Map(_)), "a map of schemas", findings);
            value.entries().iter().for_each(|entry| check(&entry.value, findings));
        }
        "items"
        | "additionalProperties"
        | "not"
        | "if"
        | "then"
        | "else"
        | "contains"
        | "propertyNames"
        | "unevaluatedItems"
        | "unevaluatedProperties" => check(value, findings),
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => {
            let is_list = matches!(&value.tree, Tree::List(items) if !items.is_empty());
            expect(is_list, "a list of one or more schemas", findings);
            value.items().iter().for_each(|item| check(item, findings));
        }
        "required" => {
            expect(matches!(value.tree, Tree::List(_)), "a list of texts", findings);
            for item in value.items().iter().filter(|item| item.text().is_none()) {
                wrong(findings, item, "in a JSON Schema `required` names properties by texts".into(), None);
            }
        }
        "enum" => expect(matches!(value.tree, Tree::List(_)), "a list", findings),
        "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties"
        | "minContains" | "maxContains" => {
            let is_count = matches!(&value.tree, Tree::Number(number) if number.as_u64().is_some());
            expect(is_count, "a whole number, at least 0", findings);
        }
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {
            expect(matches!(value.tree, Tree::Number(_)), "a number", findings);
        }
        "multipleOf" => {
            let is_positive =
                matches!(&value.tree, Tree::Number(number) if number.as_f64().is_some_and(|n| n > 0.0));
            expect(is_positive, "a number above 0", findings);
        }
        "uniqueItems" => expect(matches!(value.tree, Tree::Bool(_)), "a boolean", findings),
        "pattern" | "format" | "title" | "description" | "$id" | "$schema" | "$comment" => {
            expect(value.text().is_some(), "a text", findings);
        }
        "$ref" => reference(value, findings),
        _ => {}
    }
}

fn type_names(value: &Node<'_>, findings: &mut Findings) {
    let names: Vec<&Node<'_>> = match &value.tree {
        Tree::Text(_) => vec![value],
        Tree::List(items) => items.iter().collect(),
        Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Map(_) => {
            let message = format!("in a JSON Schema `type` must be a name of a type, not {}", value.kind());
            wrong(findings, value, message, Some(format!("types are {}", TYPES.join(", "))));
            return;
        }
    };
    for name in names {
        let Some(text) = name.text() else {
            wrong(findings, name, "in a JSON Schema types are named by texts".into(), None);
            continue;
        };
        if !TYPES.contains(&text) {
            let near = nearest(text, TYPES).map(|near| format!("did you mean `{near}`?"));
            let hint = near.or_else(|| Some(format!("types are {}", TYPES.join(", "))));
            wrong(findings, name, format!("JSON Schema knows no type `{text}`"), hint);
        }
    }
}

fn reference(value: &Node<'_>, findings: &mut Findings) {
    let is_local = value.text().is_some_and(|text| text.starts_with('#'));
    if !is_local {
        let hint = "put what it names under `$defs` and write `#/$defs/NAME`";
        wrong(findings, value, "a `$ref` must point into its own schema".into(), Some(hint.into()));
    }
}
