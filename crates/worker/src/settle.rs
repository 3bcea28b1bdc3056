//! What an attempt printed becomes a value: parsed, held against its schema, cut into what the plan names.
//! Never: deciding whether the attempt is tried again.

use std::collections::BTreeMap;

use jsonschema::{Draft, Validator};
use serde::Deserialize as _;
use serde::de::IgnoredAny;
use serde_json::Value;
use windlass_core::effect::Settle;
use windlass_core::exact::{self, AS_TEXT};
use windlass_core::failure::{ErrorKind, Failure};
use windlass_core::id::Digest;
use windlass_core::output::Output;
use windlass_core::size::depth_of_json;

/// The longest value that goes into the journal by itself, as JSON; of a longer one only the named parts do.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;
/// The most that all named parts of a value may be together, with their names.
pub const EXTRACTS_BYTES_MAX: usize = 192 * 1024;

/// How deep a value may nest.
const VALUE_DEPTH_MAX: usize = 128;

/// The longest number that is kept as it was written.
const WRITTEN_BYTES_MAX: usize = 1024;
/// How many violations of a schema a message names.
const VIOLATIONS_MAX: usize = 5;
/// The longest account of one violation, in characters.
const VIOLATION_CHARS_MAX: usize = 240;

/// Settles an output. A value that is too long to be journaled whole, or that has numbers in it which can't be kept
/// exactly, comes back as null, with its extracts and with the digest of these bytes: the caller keeps the blob.
pub fn settle(bytes: &[u8], truncated: bool, settle: &Settle) -> Result<Output, Failure> {
    if truncated {
        return settle_truncated(settle);
    }
    let value = value_of(bytes)?;
    let written = written(bytes, &value);
    // A bare number is kept beside its value. What has others in it is kept as it was printed, and in no other way.
    let rounded = if written.is_some() && settle.schema.is_none() { None } else { with_lossy(bytes, &value) };
    rounded.map_or(Ok(()), |text| refuse_lossy(text, &value, settle))?;
    if let Some(schema) = &settle.schema {
        check(&value, schema)?;
    }
    let length = json(&value).len();
    if length <= VALUE_BYTES_MAX && rounded.is_none() {
        return Ok(Output { written, value, ..Output::default() });
    }
    let blob = Some(Digest::of(bytes));
    Ok(Output { blob, extracts: cut(&value, &settle.extracts)?, ..Output::default() })
}

fn settle_truncated(settle: &Settle) -> Result<Output, Failure> {
    if settle.schema.is_none() && settle.extracts.is_empty() {
        return Ok(Output { truncated: true, ..Output::default() });
    }
    let who = if settle.schema.is_some() { "its schema is" } else { "expressions of the plan are" };
    let message = format!("the output is longer than what is kept, so {who} not met");
    Err(Failure::new(ErrorKind::InvalidOutput, message)
        .hint("print the answer alone, or write it into the file named by WINDLASS_OUTPUT"))
}

/// The text of an output that has numbers in it which are not kept as they were printed.
fn with_lossy<'b>(bytes: &'b [u8], value: &Value) -> Option<&'b str> {
    let text = str::from_utf8(bytes).ok()?;
    let is_text = || value.is_string() && !(text.trim_start().starts_with(['{', '[']) && is_json(bytes));
    let has_none = value.is_null() || value.is_boolean() || is_text();
    (!has_none && exact::first_lossy(text).is_some()).then_some(text)
}

/// Refuses an output whose numbers would be rounded on their way: where it is held against a schema, or an expression of
/// the plan names them.
fn refuse_lossy(text: &str, value: &Value, settle: &Settle) -> Result<(), Failure> {
    let (lossy, why) = if settle.schema.is_some() {
        (exact::first_lossy(text), "it is to hold against its schema")
    } else {
        // One that no double comes near leaves no value of which there could be parts.
        let is_none = value.is_string() && !settle.extracts.is_empty();
        let pointers = settle.extracts.iter().map(String::as_str);
        let named = if is_none { exact::first_lossy(text) } else { exact::first_lossy_in(text, pointers) };
        (named, "an expression of the plan names it")
    };
    lossy.map_or(Ok(()), |lossy| {
        let message = format!("the output has {}, and {why}", lossy.in_words());
        Err(Failure::new(ErrorKind::InvalidOutput, message).hint(AS_TEXT))
    })
}

/// How a number was written, where JSON writes it otherwise: `1.10` may be a version, and a long number a name.
fn written(bytes: &[u8], value: &Value) -> Option<String> {
    let text = str::from_utf8(bytes).ok().filter(|_| value.is_number())?.trim();
    (text.len() <= WRITTEN_BYTES_MAX && text != json(value)).then(|| text.to_owned())
}

/// What an output is as a value: JSON where it is JSON, else text without its last newline.
fn value_of(bytes: &[u8]) -> Result<Value, Failure> {
    let depth = depth_of_json(bytes);
    if depth > VALUE_DEPTH_MAX {
        return if is_json(bytes) { Err(too_deep(depth)) } else { Ok(text_of(bytes)) };
    }
    let mut reading = serde_json::Deserializer::from_slice(bytes);
    // It has just been measured.
    reading.disable_recursion_limit();
    let read = Value::deserialize(&mut reading).and_then(|value| reading.end().map(|()| value));
    Ok(read.unwrap_or_else(|_| text_of(bytes)))
}

/// The same for who looks at it: what has numbers in it that can't be kept exactly is the text that was printed.
pub fn value_as_printed(bytes: &[u8]) -> Result<Value, Failure> {
    let value = value_of(bytes)?;
    Ok(if with_lossy(bytes, &value).is_none() { value } else { text_of(bytes) })
}

/// What somebody says, as a value: what has numbers in it that can't be kept exactly is refused.
pub fn value_as_said(bytes: &[u8]) -> Result<Value, Failure> {
    let value = value_of(bytes)?;
    let text = str::from_utf8(bytes).ok().filter(|_| is_json(bytes));
    match text.and_then(exact::first_lossy) {
        None => Ok(value),
        Some(lossy) => {
            let message = format!("it has {}", lossy.in_words());
            Err(Failure::new(ErrorKind::InvalidOutput, message).hint(AS_TEXT))
        }
    }
}

/// Whether it is JSON, however deep: to pass over a value takes no stack.
fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

fn text_of(bytes: &[u8]) -> Value {
    let text = String::from_utf8_lossy(bytes);
    let text = text.strip_suffix('\n').map_or(&*text, |text| text.strip_suffix('\r').unwrap_or(text));
    Value::String(text.to_owned())
}

fn too_deep(depth: usize) -> Failure {
    let message = format!("the output is JSON nested {depth} levels deep: {VALUE_DEPTH_MAX} are taken");
    Failure::new(ErrorKind::InvalidOutput, message)
        .hint("print a flatter value, or let the task leave its result in a file")
}

/// Says what is wrong with a JSON Schema itself.
pub fn check_schema(schema: &Value) -> Result<(), String> {
    validator(schema).map(drop)
}

fn validator(schema: &Value) -> Result<Validator, String> {
    let options = jsonschema::options().with_draft(Draft::Draft202012).offline();
    options.build(schema).map_err(|error| violation(&error.instance_path().to_string(), &error.to_string()))
}

fn check(value: &Value, schema: &Value) -> Result<(), Failure> {
    let validator = validator(schema).map_err(|wrong| {
        Failure::new(ErrorKind::InvalidOutput, format!("the schema of the output is no JSON Schema: {wrong}"))
            .hint("mend `output.schema` in the plan")
    })?;
    let mut violations = validator.iter_errors(value);
    let named: Vec<String> = violations
        .by_ref()
        .take(VIOLATIONS_MAX)
        .map(|error| violation(&error.instance_path().to_string(), &error.to_string()))
        .collect();
    if named.is_empty() {
        return Ok(());
    }
    let more = if violations.next().is_some() { "; and more" } else { "" };
    let message = format!("the output does not hold against its schema: {}{more}", named.join("; "));
    Err(Failure::new(ErrorKind::InvalidOutput, message))
}

fn violation(place: &str, what: &str) -> String {
    let what: String = match what.char_indices().nth(VIOLATION_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &what[..end]),
        None => what.to_owned(),
    };
    if place.is_empty() { what } else { format!("{place}: {what}") }
}

fn cut(value: &Value, pointers: &[String]) -> Result<BTreeMap<String, Value>, Failure> {
    let mut extracts = BTreeMap::new();
    let mut total = 0;
    for pointer in pointers {
        // What is not there is undefined, which is an error where it is used and not before.
        let Some(part) = value.pointer(pointer) else { continue };
        let length = json(part).len();
        if length > VALUE_BYTES_MAX {
            return Err(too_long(&named(pointer), length, VALUE_BYTES_MAX));
        }
        total += length + json(&Value::from(pointer.as_str())).len();
        extracts.insert(pointer.clone(), part.clone());
    }
    if total > EXTRACTS_BYTES_MAX {
        return Err(too_long("what expressions of the plan name of the output", total, EXTRACTS_BYTES_MAX));
    }
    Ok(extracts)
}

fn named(pointer: &str) -> String {
    if pointer.is_empty() { "the output".to_owned() } else { format!("`{pointer}` of the output") }
}

fn too_long(what: &str, length: usize, max: usize) -> Failure {
    Failure::new(
        ErrorKind::InvalidOutput,
        format!(
            "{what} is {length} bytes long as JSON, and an expression of the plan names it: {max} are taken"
        ),
    )
    .hint("name a smaller part of it, or let the task leave its result in a file")
}

/// Canonical: without blanks, and with the keys of objects in order.
fn json(value: &Value) -> String {
    value.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(bytes: &[u8]) -> Value {
        settle(bytes, false, &Settle::default()).expect("an output").value
    }

    fn with(schema: Option<Value>, extracts: &[&str]) -> Settle {
        Settle { schema, extracts: extracts.iter().map(|one| (*one).to_owned()).collect() }
    }

    #[test]
    fn what_is_json_is_json_and_the_rest_is_text_without_its_last_newline() {
        assert_eq!(plain(b" {\"a\": [1, 2.5]}\n"), json!({"a": [1, 2.5]}));
        assert_eq!(plain(b"true\n"), json!(true));
        assert_eq!(plain(b"two\nlines\n\n"), json!("two\nlines\n"));
        assert_eq!(plain(b"of windows\r\n"), json!("of windows"));
        assert_eq!(plain(b""), json!(""));
        assert_eq!(plain(b"\n"), json!(""));
        assert_eq!(plain(b"caf\xe9"), json!("caf\u{fffd}"));
    }

    #[test]
    fn a_number_that_json_writes_otherwise_is_kept_as_it_was_written() {
        let settled = |bytes: &[u8]| settle(bytes, false, &Settle::default()).expect("an output");
        for text in ["1.10", "12345678901234567890123", "1e5", "-0.0e0"] {
            let output = settled(format!(" {text}\n").as_bytes());
            assert_eq!((output.value.is_number(), output.written.as_deref()), (true, Some(text)));
        }
        for text in ["1.5", "7\n", "\"1.10\"", "[1.10]", "v1.10"] {
            assert_eq!(settled(text.as_bytes()).written, None, "{text}");
        }
        assert_eq!(
            settled(format!("1.{}", "0".repeat(2000)).as_bytes()).written,
            None,
            "no number is so long"
        );
        let long = format!("0.{}", "12".repeat(1000));
        let kept = Output { blob: Some(Digest::of(long.as_bytes())), ..Output::default() };
        assert_eq!(settled(long.as_bytes()), kept, "as a text");
        settle(long.as_bytes(), false, &with(None, &[""])).expect_err("an expression would have it rounded");
    }

    #[test]
    fn what_has_numbers_in_it_that_are_not_kept_exactly_is_kept_as_it_was_printed() {
        let text = br#"{"ids": [12345678901234567890123], "name": "x", "far": {"it": 1e400}}"#;
        let output = settle(text, false, &Settle::default()).expect("nobody names any of them");
        assert_eq!(output, Output { blob: Some(Digest::of(text)), ..Output::default() });
        let near = br#"{"ids": [12345678901234567890123], "name": "x"}"#;
        let output = settle(near, false, &with(None, &["/name"])).expect("it is named beside them");
        assert_eq!(output.extracts, BTreeMap::from([("/name".to_owned(), json!("x"))]));
        assert_eq!((output.value, output.blob), (Value::Null, Some(Digest::of(near))));
        for (wanted, why) in [
            (with(None, &["/ids/0"]), "an expression of the plan names it"),
            (with(None, &["/ids"]), "an expression of the plan names it"),
            (with(None, &[""]), "an expression of the plan names it"),
            (with(Some(json!({})), &[]), "it is to hold against its schema"),
        ] {
            let failure = settle(near, false, &wanted).expect_err("it would be rounded");
            assert_eq!(failure.kind, ErrorKind::InvalidOutput);
            let number = "the number 12345678901234567890123 at /ids/0, which can't be kept exactly";
            assert_eq!(failure.message, format!("the output has {number}, and {why}"));
        }
        settle(text, false, &with(None, &["/name"]))
            .expect_err("there is no value that it could be cut from");
        let plain = br#"{"a": [0.1, 1.50, 0.10000000000000001, 18446744073709551615], "b": "1e400"}"#;
        assert_eq!(settle(plain, false, &with(None, &[""])).map(|output| output.blob), Ok(None));
    }

    #[test]
    fn a_schema_names_the_places_where_it_does_not_hold() {
        let schema = json!({"type": "object", "required": ["places"],
            "properties": {"places": {"type": "array", "items": {"type": "string"}}}});
        let failure =
            settle(b"{\"places\": [\"a\", 7]}", false, &with(Some(schema.clone()), &[])).expect_err("7");
        assert_eq!(failure.kind, ErrorKind::InvalidOutput);
        assert_eq!(
            failure.message,
            "the output does not hold against its schema: /places/1: 7 is not of type \"string\""
        );
        let failure = settle(b"no json", false, &with(Some(schema), &[])).expect_err("text");
        assert_eq!(
            failure.message,
            "the output does not hold against its schema: \"no json\" is not of type \"object\""
        );
    }

    #[test]
    fn a_schema_that_is_none_is_an_error_of_its_own_and_asks_no_network() {
        assert_eq!(check_schema(&json!({"type": "object"})), Ok(()));
        assert!(check_schema(&json!({"type": "objekt"})).is_err());
        assert!(check_schema(&json!({"$ref": "https://example.com/schema.json"})).is_err());
        assert!(check_schema(&json!({"$ref": "file:///etc/passwd"})).is_err());
    }

    #[test]
    fn of_a_long_value_only_the_named_parts_are_kept() {
        let long = json!({"text": "x".repeat(VALUE_BYTES_MAX), "items": [{"n": 1}]}).to_string();
        let output = settle(long.as_bytes(), false, &with(None, &["/items", "/gone"])).expect("an output");
        assert_eq!(output.value, Value::Null);
        assert_eq!(output.extracts, BTreeMap::from([("/items".to_owned(), json!([{"n": 1}]))]));
        let failure = settle(long.as_bytes(), false, &with(None, &["/text"])).expect_err("too long");
        assert_eq!(failure.kind, ErrorKind::InvalidOutput);
    }

    #[test]
    fn all_named_parts_together_have_a_bound_too() {
        // Each with the quotes around it and its name, which is `"/a"`.
        let part = "x".repeat(VALUE_BYTES_MAX - 2 - 4);
        let long = json!({"a": part, "b": part, "c": part, "d": 1}).to_string();
        let fits = with(None, &["/a", "/b", "/c"]);
        assert_eq!(settle(long.as_bytes(), false, &fits).expect("192 KiB").extracts.len(), 3);
        let over = with(None, &["/a", "/b", "/c", "/d"]);
        let failure = settle(long.as_bytes(), false, &over).expect_err("five bytes more");
        assert_eq!(failure.kind, ErrorKind::InvalidOutput);
        assert!(
            failure.message.contains("196613 bytes") && failure.message.contains("196608"),
            "{failure:?}"
        );
    }

    #[test]
    fn the_names_of_parts_count_too() {
        let name = |number: usize| format!("{number:0>1000}");
        let long: BTreeMap<String, u32> = (0..300).map(|number| (name(number), 1)).collect();
        let long = json!(long).to_string();
        let pointers: Vec<String> = (0..300).map(|number| format!("/{}", name(number))).collect();
        let pointers: Vec<&str> = pointers.iter().map(String::as_str).collect();
        assert!(settle(long.as_bytes(), false, &with(None, &pointers[..190])).is_ok());
        assert!(settle(long.as_bytes(), false, &with(None, &pointers)).is_err(), "no record can hold that");
    }

    #[test]
    fn a_truncated_output_is_null_unless_somebody_needs_it() {
        let output = settle(b"", true, &Settle::default()).expect("an output");
        assert_eq!(output, Output { truncated: true, ..Output::default() });
        assert!(settle(b"", true, &with(Some(json!({})), &[])).is_err());
        assert!(settle(b"", true, &with(None, &["/a"])).is_err());
    }

    #[test]
    fn json_that_is_too_deep_is_refused_with_its_depth_and_the_bound() {
        let nested = |depth: usize| format!("{}7{}\n", "[{\"a\":".repeat(depth / 2), "}]".repeat(depth / 2));
        let deepest = value_of(nested(VALUE_DEPTH_MAX).as_bytes()).expect("it may be as deep");
        assert_eq!(deepest.pointer(&"/0/a".repeat(VALUE_DEPTH_MAX / 2)), Some(&json!(7)));
        for depth in [VALUE_DEPTH_MAX + 2, 200_000] {
            let failure = value_of(nested(depth).as_bytes()).expect_err("it is deeper");
            assert_eq!(failure.kind, ErrorKind::InvalidOutput);
            assert_eq!(
                failure.message,
                format!("the output is JSON nested {depth} levels deep: 128 are taken")
            );
        }
    }

    #[test]
    fn a_text_full_of_brackets_is_a_text() {
        for text in ["[".repeat(100_000), format!("{}]", "[1] [".repeat(500)), "{\"a\":".repeat(200)] {
            assert_eq!(value_of(text.as_bytes()), Ok(json!(text)));
        }
    }
}
