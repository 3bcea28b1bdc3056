//! The published JSON Schemas, made from the reader's own tables, so that they refuse what `check` refuses.
//! Never: a rule of its own.

use serde_json::{Map, Value, json};

use super::language::{PLAN, SETTINGS};
use super::shape::{Built, Field, Kind, Shape};
use super::sizes;
use crate::failure::ErrorKind;
use crate::id::TaskId;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// A length of time, as [`crate::time::Span`] reads it.
const LENGTH: &str = "^\\s*([0-9]+(ms|s|m|h|d|w)\\s*)+$";

/// The schema of a plan's file.
pub fn plan() -> Value {
    document(&PLAN, "Windlass plan")
}

/// The schema of windlass.toml.
pub fn settings() -> Value {
    document(&SETTINGS, "Windlass settings")
}

fn document(shape: &'static Shape, title: &str) -> Value {
    let mut definitions = Map::new();
    let mut root = object(shape, &mut definitions);
    let own = root.as_object_mut().expect("a shape is an object");
    own.insert("$schema".into(), DIALECT.into());
    own.insert("title".into(), title.into());
    if !definitions.is_empty() {
        own.insert("$defs".into(), Value::Object(definitions));
    }
    root
}

fn object(shape: &'static Shape, definitions: &mut Map<String, Value>) -> Value {
    let properties: Map<String, Value> =
        shape.fields.iter().map(|field| (field.key.to_owned(), property(field, definitions))).collect();
    let required: Vec<&str> =
        shape.fields.iter().filter(|field| field.required).map(|field| field.key).collect();
    let mut object = json!({
        "title": shape.name,
        "description": shape.about,
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

fn property(field: &'static Field, definitions: &mut Map<String, Value>) -> Value {
    let mut schema = value(field.kind, definitions);
    let about = match field.built {
        Built::Yes => field.about.to_owned(),
        Built::No => format!("{} Not supported yet.", field.about),
        Built::Only(values) => format!("{} So far only {}.", field.about, values.join(", ")),
    };
    if field.key == "tasks" && matches!(field.kind, Kind::Map(_)) {
        schema["propertyNames"] =
            json!({ "pattern": format!("^[A-Za-z_][A-Za-z0-9_-]{{0,{}}}$", TaskId::NAME_BYTES_MAX - 1) });
        schema["minProperties"] = json!(1);
    }
    schema["description"] = about.into();
    schema
}

fn value(kind: Kind, definitions: &mut Map<String, Value>) -> Value {
    match kind {
        Kind::Text | Kind::Template => json!({ "type": "string" }),
        Kind::Scalar => json!({ "type": ["string", "number", "boolean"] }),
        Kind::Truth => json!({ "type": "boolean" }),
        Kind::Condition => json!({ "type": ["boolean", "string"] }),
        Kind::Whole(low, high) => {
            let mut schema = json!({ "type": "integer", "minimum": low });
            if high < u64::MAX {
                schema["maximum"] = high.into();
            }
            schema
        }
        Kind::Signed(low, high) => json!({ "type": "integer", "minimum": low, "maximum": high }),
        Kind::Number(low, high) => {
            let mut schema = json!({ "type": "number" });
            if low > f64::MIN {
                schema["minimum"] = low.into();
            }
            if high < f64::MAX {
                schema["maximum"] = high.into();
            }
            schema
        }
        Kind::Length(false) => json!({ "type": "string", "pattern": LENGTH }),
        Kind::Length(true) => json!({ "type": "string", "pattern": format!("{LENGTH}|^none$") }),
        Kind::Bytes => json!({ "type": "string", "pattern": sizes::PATTERN }),
        Kind::Word(words) => json!({ "type": "string", "enum": words }),
        Kind::Failing => {
            let names: Vec<&str> = ErrorKind::ALL.iter().map(|kind| kind.name()).collect();
            json!({ "type": "string", "enum": names })
        }
        Kind::List(kind) => json!({ "type": "array", "items": value(*kind, definitions) }),
        Kind::Map(kind) => json!({ "type": "object", "additionalProperties": value(*kind, definitions) }),
        Kind::Shape(shape) => reference(shape, definitions),
        Kind::Choice(shape) => {
            let known = reference(shape, definitions);
            definitions[shape.name]["minProperties"] = json!(1);
            definitions[shape.name]["maxProperties"] = json!(1);
            known
        }
        Kind::Either(kinds) => {
            let any: Vec<Value> = kinds.iter().map(|kind| value(*kind, definitions)).collect();
            json!({ "anyOf": any })
        }
        Kind::Schema => json!({ "anyOf": [{ "type": "boolean" }, { "$ref": DIALECT }] }),
        Kind::Any => json!({}),
    }
}

/// A reference to a shape's definition, which is made the first time.
fn reference(shape: &'static Shape, definitions: &mut Map<String, Value>) -> Value {
    if !definitions.contains_key(shape.name) {
        definitions.insert(shape.name.to_owned(), Value::Null);
        let made = object(shape, definitions);
        definitions.insert(shape.name.to_owned(), made);
    }
    json!({ "$ref": format!("#/$defs/{}", shape.name) })
}
