//! Inputs: their declarations, and the values that are given for them. Never: where the values come from.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde_json::Value;

use super::diagnostic::{Code, Findings};
use super::file::Options;
use super::node::Node;
use crate::exact::{self, Lossy};
use crate::template::nearest;

/// The types of inputs.
pub(super) const TYPES: &[&str] = &["boolean", "string", "number", "integer", "array", "object"];

/// Whether a text is a name that templates can write.
fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= 64
        && bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// An input as its declaration says.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    /// Its type.
    pub(super) kind: String,
    /// Whether it has a default.
    pub(super) has_default: bool,
}

/// The declarations of inputs.
pub(super) fn declared(node: Option<&Node<'_>>) -> BTreeMap<String, Declared> {
    let entries = node.map(Node::entries).unwrap_or_default();
    let declared = entries.iter().map(|entry| {
        let kind = entry.value.get("type").and_then(Node::text).unwrap_or_default().to_owned();
        (entry.key.clone().into_owned(), Declared { kind, has_default: entry.value.get("default").is_some() })
    });
    declared.collect()
}

/// The values of all inputs: those given or kept, by the declared type, and the defaults of the others.
pub(super) fn read(
    declared: Option<&Node<'_>>,
    given: &BTreeMap<String, String>,
    options: &Options<'_>,
    findings: &mut Findings,
) -> BTreeMap<String, Value> {
    let entries = declared.map(Node::entries).unwrap_or_default();
    let mut values = BTreeMap::new();
    for entry in entries {
        let name = entry.key.as_ref();
        if !is_name(name) {
            let hint = "names are letters, digits and `_`, and begin with no digit";
            findings.error(
                Code::BadName,
                entry.at,
                format!("`{name}` can't be the name of an input"),
                Some(hint.to_owned()),
            );
        }
        let Some(kind) = entry.value.get("type").and_then(Node::text).filter(|kind| TYPES.contains(kind))
        else {
            // The tables have told what is wrong; as a name it exists.
            values.insert(name.to_owned(), Value::Null);
            continue;
        };
        let kept = || options.kept.and_then(|kept| kept.get(name));
        let value = match (given.get(name).or_else(kept), entry.value.get("default")) {
            (Some(text), _) => parse(text, kind).unwrap_or_else(|wrong| {
                let given = format!("`--input {name}={}`", brief(text));
                let (message, hint) = match wrong {
                    Wrong::Kind => (format!("{given} is no {kind}"), example(name, kind)),
                    Wrong::Number(lossy) => {
                        let hint = format!("{}; a whole input of type `string` needs none", exact::AS_TEXT);
                        (format!("{given} has {}", lossy.in_words()), hint)
                    }
                };
                findings.of_file(Code::BadInput, message, Some(hint));
                Value::Null
            }),
            (None, Some(default)) => {
                let value = default.json();
                if !value.is_null() && !is(&value, kind) {
                    let message =
                        format!("the default of `{name}` must be {}, not {}", article(kind), default.kind());
                    let hint = format!("change the default, or the type: {}", TYPES.join(", "));
                    findings.error(Code::WrongType, default.at, message, Some(hint));
                }
                value
            }
            (None, None) => {
                if !options.inputs_may_be_missing {
                    let message = format!("the input `{name}` has no value");
                    findings.error(
                        Code::BadInput,
                        entry.at,
                        message,
                        Some(format!("give it one: {}", example(name, kind))),
                    );
                }
                Value::Null
            }
        };
        values.insert(name.to_owned(), value);
    }
    for name in given.keys().filter(|name| !values.contains_key(*name)) {
        let hint = match nearest(name, values.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if values.is_empty() => "it declares none; they stand under `inputs`".into(),
            None => format!("it has {}", values.keys().cloned().collect::<Vec<_>>().join(", ")),
        };
        findings.of_file(Code::BadInput, format!("the plan has no input `{name}`"), Some(hint));
    }
    values
}

fn article(kind: &str) -> String {
    let vowel = kind.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {kind}", if vowel { "an" } else { "a" })
}

/// What is wrong with the text of an input.
enum Wrong {
    /// It is not of its type.
    Kind,
    /// It has a number that is not kept as it is written.
    Number(Lossy),
}

fn parse(text: &str, kind: &str) -> Result<Value, Wrong> {
    if kind == "string" {
        return Ok(Value::String(text.to_owned()));
    }
    serde_json::from_str::<IgnoredAny>(text).map_err(|_| Wrong::Kind)?;
    if let Some(lossy) = exact::first_lossy(text) {
        return Err(Wrong::Number(lossy));
    }
    let value: Value = serde_json::from_str(text).map_err(|_| Wrong::Kind)?;
    is(&value, kind).then_some(value).ok_or(Wrong::Kind)
}

/// Whether a value is of a type.
pub(crate) fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => value.is_string(),
    }
}

fn example(name: &str, kind: &str) -> String {
    let value = match kind {
        "boolean" => "true",
        "number" => "1.5",
        "integer" => "3",
        "array" => "'[\"a\", \"b\"]'",
        "object" => "'{\"key\": \"value\"}'",
        _ => "TEXT",
    };
    format!("`--input {name}={value}`")
}

fn brief(text: &str) -> String {
    if text.chars().count() <= 40 { text.to_owned() } else { text.chars().take(39).chain(['…']).collect() }
}
