//! How a record is written: as stored bytes, which never change once written, and as a line of `events --json`.
//! Never: the chain around the bytes (that is `chain.rs`).

use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use windlass_core::event::{Event, Record};
use windlass_core::id::Seq;
use windlass_core::size;
pub use windlass_core::size::EVENT_BYTES_MAX;
use windlass_core::time::Time;

use crate::error::{JournalError, Rule};

/// The largest batch, as stored.
pub const BATCH_BYTES_MAX: usize = 8 << 20;
/// How deep values within an event may nest, the event's own levels included. Above what an output can bring, and far
/// below what a stack can take.
pub const EVENT_DEPTH_MAX: usize = 256;

#[derive(Serialize)]
struct Written<'a> {
    at: i64,
    v: u32,
    event: &'a Event,
}

#[derive(Deserialize)]
struct Stored {
    at: i64,
    v: u32,
    event: Event,
}

/// Writes a record's stored bytes behind what the buffer holds.
pub fn encode(record: &Record, into: &mut Vec<u8>) -> Result<(), JournalError> {
    let start = into.len();
    let broken = |rule| JournalError::Malformed { seq: record.seq, rule };
    let written = Written { at: record.at.ms, v: record.event.version(), event: &record.event };
    serde_json::to_writer(&mut *into, &written).map_err(|_| broken(Rule::NotJson))?;
    let bytes = &into[start..];
    if bytes.len() > EVENT_BYTES_MAX {
        return Err(broken(Rule::EventTooLarge { bytes: bytes.len(), max: EVENT_BYTES_MAX }));
    }
    if is_too_deep(bytes) {
        return Err(broken(Rule::EventTooDeep { max: EVENT_DEPTH_MAX }));
    }
    Ok(())
}

fn is_too_deep(bytes: &[u8]) -> bool {
    bytes.len() > 2 * EVENT_DEPTH_MAX && size::depth_of_json(bytes) > EVENT_DEPTH_MAX
}

/// Reads stored bytes back. `build` is asked for the build that wrote them if this one does not understand them.
pub fn decode(seq: Seq, bytes: &[u8], build: impl FnOnce() -> String) -> Result<Record, JournalError> {
    // A store may be anybody's: what nests without end would end this process.
    if is_too_deep(bytes) {
        return Err(JournalError::Malformed { seq, rule: Rule::EventTooDeep { max: EVENT_DEPTH_MAX } });
    }
    let mut reading = serde_json::Deserializer::from_slice(bytes);
    // That limit is another one than serde's, and what `encode` let through must be readable for ever.
    reading.disable_recursion_limit();
    match Stored::deserialize(&mut reading).and_then(|stored| reading.end().map(|()| stored)) {
        Ok(stored) if stored.v <= stored.event.version() => {
            Ok(Record { seq, at: Time::from_ms(stored.at), event: stored.event })
        }
        Ok(stored) => {
            let kind = stored.event.name().to_owned();
            let source = serde::de::Error::custom(format_args!(
                "its version is {}, the newest known is {}",
                stored.v,
                stored.event.version()
            ));
            Err(JournalError::Foreign { seq, kind, v: stored.v, build: build(), source })
        }
        Err(source) => {
            let (kind, v) = outline(bytes);
            Err(JournalError::Foreign { seq, kind, v, build: build(), source })
        }
    }
}

/// The name and version of an event that could not be read as a whole.
fn outline(bytes: &[u8]) -> (String, u32) {
    #[derive(Default, Deserialize)]
    struct Outline {
        #[serde(default)]
        v: u32,
        #[serde(default)]
        event: Value,
    }
    let outline: Outline = serde_json::from_slice(bytes).unwrap_or_default();
    let name = outline.event.as_object().and_then(|tagged| tagged.keys().next().cloned());
    (name.unwrap_or_else(|| "?".into()), outline.v)
}

/// A record as others see it: a line of `events --json`. Keys come in the order of INTERFACES.
#[derive(Clone, Copy, Debug)]
pub struct Wire<'a>(pub &'a Record);

impl Serialize for Wire<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Record { seq, at, event } = self.0;
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("seq", seq)?;
        map.serialize_entry("at", at)?;
        if let Some(run) = event.run() {
            map.serialize_entry("run", &run)?;
        }
        if let Some(task) = event.task() {
            map.serialize_entry("task", task)?;
        }
        if let Some(attempt) = event.attempt() {
            map.serialize_entry("attempt", &attempt)?;
        }
        map.serialize_entry("type", event.name())?;
        map.serialize_entry("v", &event.version())?;
        let tagged = serde_json::to_value(event).map_err(serde::ser::Error::custom)?;
        for (key, value) in fields(tagged) {
            if !matches!(key.as_str(), "run" | "task" | "attempt") {
                map.serialize_entry(&key, &value)?;
            }
        }
        map.end()
    }
}

/// The fields of an externally tagged event.
fn fields(tagged: Value) -> serde_json::Map<String, Value> {
    let Value::Object(tagged) = tagged else { return serde_json::Map::new() };
    match tagged.into_iter().next() {
        Some((_, Value::Object(fields))) => fields,
        _ => serde_json::Map::new(),
    }
}

/// A record as a JSON value; [`Wire`] keeps the order of keys where it is written at once.
pub fn wire(record: &Record) -> Value {
    serde_json::to_value(Wire(record)).expect("every event can be written as JSON: it is in the journal")
}

/// A record as one line of JSON, without the end of the line.
pub fn wire_line(record: &Record) -> String {
    serde_json::to_string(&Wire(record)).expect("every event can be written as JSON: it is in the journal")
}
