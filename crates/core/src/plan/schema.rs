//! The published JSON Schemas, made from the reader's own tables, so that they refuse what `check` refuses.
//! Never: a rule of its own.

use serde_json::{Map, Value, json};

use super::language::{PLAN, SETTINGS};
use super::shape::{Built, Field, Kind, Shape};
use super::{rate, sizes};
use crate::failure::ErrorKind;
use crate::id::TaskId;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// A length of time, as [`crate::time::Span`] reads it.
const LENGTH: &str = "^\\s*([0-9]+(ms|s|m|h|d|w)\\s*)+$";

/// The same, and one of its numbers is not zero.
const LENGTH_ABOVE_ZERO: &str =
    "^\\s*([0-9]+(ms|s|m|h|d|w)\\s*)*[0-9]*[1-9][0-9]*(ms|s|m|h|d|w)\\s*([0-9]+(ms|s|m|h|d|w)\\s*)*$";

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
        Kind::Condition => json!({ "type": ["boolean", "string", "null"] }),
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
        Kind::Limit => json!({ "type": "string", "pattern": format!("{LENGTH_ABOVE_ZERO}|^none$") }),
        Kind::Bytes => json!({ "type": "string", "pattern": sizes::PATTERN }),
        Kind::Rate => json!({ "type": "string", "pattern": rate::PATTERN }),
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::conform::conform;
    use crate::plan::diagnostic::Findings;
    use crate::plan::gates::GATE;
    use crate::plan::language::{AGENT, DEFAULTS, HOME, INPUT, LIMITS, RETRY, TASK, TIMEOUT};

    /// Draws from a seed, so that proptest can shrink to it.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 >> 33).expect("31 bits fit") % sides
        }

        fn pick<T: Copy>(&mut self, all: &[T]) -> T {
            all[self.roll(all.len())]
        }

        /// A value of a kind, or now and then of another.
        fn value(&mut self, kind: Kind) -> Value {
            if self.roll(25) == 0 {
                return self
                    .pick(
                        &[
                            json!(null),
                            json!(true),
                            json!(-7),
                            json!(2.5),
                            json!("x"),
                            json!([1]),
                            json!({"x": 1}),
                        ]
                        .each_ref(),
                    )
                    .clone();
            }
            match kind {
                Kind::Text | Kind::Template => json!(self.pick(&["a", "{{ inputs.a }}", "30s", "none"])),
                Kind::Scalar => {
                    self.pick(&[json!("a"), json!(5), json!(1.5), json!(false)].each_ref()).clone()
                }
                Kind::Truth => json!(self.roll(2) == 0),
                Kind::Condition => self.pick(&[json!(true), json!("{{ true }}")].each_ref()).clone(),
                Kind::Whole(low, high) => json!(low.saturating_sub(1) + self.roll(4) as u64 % high.max(1)),
                Kind::Signed(..) => json!(self.pick(&[-101, -100, 0, 100, 101])),
                Kind::Number(..) => json!(self.pick(&[-1.5, 0.5, 1.5, 99.5, 1e10])),
                Kind::Length(_) => json!(self.pick(&["30s", "1h30m", "none", "5", "5 m", "", "1d 2h"])),
                Kind::Limit => {
                    json!(self.pick(&["30s", "0h30m", "1h 0m", "10ms", "none", "0s", "00m 0s", "5", ""]))
                }
                Kind::Bytes => json!(self.pick(&["2GiB", "1.5 MB", "512", "1 GB GB", "GiB"])),
                Kind::Rate => json!(self.pick(&["30/min", "2/s", "0/s", "5", "1/week"])),
                Kind::Word(words) => json!(self.pick(&[words[0], words[words.len() - 1], "nonsense"])),
                Kind::Failing => json!(self.pick(&["exit", "timeout", "nonsense"])),
                Kind::List(kind) => (0..self.roll(3)).map(|_| self.value(*kind)).collect(),
                Kind::Map(kind) => {
                    let names = ["a", "b", "c"].into_iter().take(self.roll(3) + 1);
                    Value::Object(names.map(|name| (name.to_owned(), self.value(*kind))).collect())
                }
                Kind::Shape(shape) => self.shape(shape),
                Kind::Choice(shape) => {
                    let fields = (0..=self.roll(8) / 7).map(|_| &shape.fields[self.roll(shape.fields.len())]);
                    let fields: Vec<&Field> = fields.collect();
                    Value::Object(
                        fields
                            .into_iter()
                            .map(|field| (field.key.to_owned(), self.value(field.kind)))
                            .collect(),
                    )
                }
                Kind::Either(kinds) => {
                    let kind = self.pick(kinds);
                    self.value(kind)
                }
                Kind::Schema => self
                    .pick(
                        &[json!(true), json!({"type": "string"}), json!({"type": "strin"}), json!(3)]
                            .each_ref(),
                    )
                    .clone(),
                Kind::Any => json!({"any": [1, null]}),
            }
        }

        fn shape(&mut self, shape: &'static Shape) -> Value {
            let mut map = Map::new();
            for field in shape.fields {
                if self.roll(if field.required { 20 } else { 6 }) == 0 {
                    continue;
                }
                if field.required || self.roll(shape.fields.len()) < 4 {
                    map.insert(field.key.to_owned(), self.value(field.kind));
                }
            }
            if self.roll(30) == 0 {
                map.insert("unheard_of".to_owned(), json!(1));
            }
            Value::Object(map)
        }
    }

    /// Whether the reader's tables have nothing against a value.
    fn is_read(value: &Value, shape: &'static Shape) -> bool {
        let text = value.to_string();
        let mut findings = Findings::default();
        let node = crate::plan::json::parse(&text, &mut findings).expect("it is JSON");
        conform(&node, shape, &mut findings);
        !findings.has_errors()
    }

    #[test]
    fn the_published_schemas_refuse_what_the_reader_refuses() {
        let plan = jsonschema::validator_for(&plan()).expect("it is a schema");
        let settings = jsonschema::validator_for(&settings()).expect("it is a schema");
        let (mut good, mut bad) = (0, 0);
        let config = ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() };
        let mut runner = proptest::test_runner::TestRunner::new(config);
        let checked = runner.run(&any::<u64>(), |seed| {
            let mut dice = Dice(seed | 1);
            for (shape, validator) in [(&PLAN, &plan), (&SETTINGS, &settings)] {
                let value = dice.shape(shape);
                let is_valid = validator.is_valid(&value);
                let first = validator
                    .iter_errors(&value)
                    .next()
                    .map(|error| format!("{error} at {}", error.instance_path()));
                prop_assert_eq!(is_read(&value, shape), is_valid, "{} {:?}", value, first);
            }
            Ok(())
        });
        checked.expect("they agree");
        for seed in 1..500 {
            *(if is_read(&Dice(seed * 7919).shape(&PLAN), &PLAN) { &mut good } else { &mut bad }) += 1;
        }
        assert!(good > 20 && bad > 20, "the plans are drawn from both sides: {good} and {bad}");
    }

    #[test]
    #[rustfmt::skip]
    fn every_published_key_is_known() {
        let known = |shape: &'static Shape, keys: &str| {
            for key in keys.split_whitespace() {
                assert!(shape.field(key).is_some(), "{} {key}", shape.name);
            }
        };
        known(&PLAN, "version goal agents defaults budget limits target concurrency tasks inputs weight nested");
        known(&TASK, "prompt run plan inputs approval emit wait_for needs join when for_each max_parallel replicas select repeat
            agent balance workspace gates timeout retry budget priority optional rerun commit cancel_rest touches setup copy link
            ports merge_attempts output env pass dir memory judge k max bids");
        known(&AGENT, "adapter program args model env secrets concurrency rate weight fallback memory permissions sandbox network
            account resume price labels");
        known(&RETRY, "initial_interval backoff_coefficient max_interval jitter max_attempts losses_max non_retryable");
        known(&TIMEOUT, "schedule_to_start start_to_close heartbeat schedule_to_close grace");
        known(&LIMITS, "tasks fan_out depth");
        known(&INPUT, "type default");
        known(&DEFAULTS, "agent timeout retry budget");
        known(&SETTINGS, "agents defaults limits home checks on_finish");
        known(&HOME, "reserve min_free keep");
        known(&GATE, "validate tests security performance review");
        for (gate, keys) in [
            ("validate", "run diff schema paths forbid score"),
            ("tests", "run report format coverage no_weakening flaky_retries"),
            ("security", "run report format fail_on secrets baseline suppressions"),
            ("performance", "run runs warmup max_seconds against max_regression"),
            ("review", "agents quorum weights prompt timeout"),
        ] {
            let Some(Kind::Shape(shape)) = GATE.field(gate).map(|field| field.kind) else { panic!("{gate}") };
            known(shape, keys);
            known(shape, "mode timeout name when setup cache tools once allow_author");
        }
    }

    #[test]
    fn every_key_says_what_it_is_for() {
        let schema = plan();
        for (name, definition) in schema["$defs"].as_object().expect("there are some") {
            assert_eq!(definition["additionalProperties"], json!(false), "{name}");
            for (key, property) in definition["properties"].as_object().expect("it has some") {
                assert!(
                    property["description"].as_str().is_some_and(|about| about.ends_with('.')),
                    "{name}.{key}"
                );
            }
        }
    }
}
