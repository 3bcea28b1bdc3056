//! Values inside the engine: outputs that are too large to be there, texts that go in as they are, and the way from
//! a value to its text. Never: reading a blob.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use minijinja::value::{Enumerator, Object, ObjectRepr, Serde, ValueKind};
use minijinja::{Error, ErrorKind, Value as Live};
use serde_json::Value;

use super::TEXT_BYTES_MAX;
use super::references::pointer_step;
use crate::id::Digest;

/// Begins a placeholder in rendered text, followed by its number and [`MARK_END`]. These two are no characters:
/// Unicode keeps them for the inside of programs.
pub(super) const MARK: char = '\u{FDD0}';
/// Ends a placeholder.
pub(super) const MARK_END: char = '\u{FDD1}';
/// What a [`MARK`] in a template's own text becomes.
pub(super) const MARK_REPLACED: &str = "\u{FFFD}";

/// What the engine writes values for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// A text or a value.
    Text,
    /// A line for a shell.
    Shell,
    /// A prompt.
    Prompt,
}

/// What a placeholder stands for.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    /// A text that goes in quoted.
    Text(String),
    /// The content of a blob.
    Blob(Digest),
}

/// What one render leaves behind beside its text.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) mode: Mode,
    kept: Mutex<Vec<Kept>>,
    /// How long the texts among them are together.
    kept_bytes: AtomicUsize,
    /// The task whose large output was needed and is not there.
    missing: OnceLock<Missing>,
    /// The numbers that it sees rounded.
    rounded: OnceLock<Vec<Rounded>>,
    /// The one among them that would have gone on as a value.
    lost: OnceLock<Rounded>,
}

/// A number that a task printed, and that its value is not exactly.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rounded {
    pub(super) task: String,
    pub(super) written: String,
    pub(super) value: Value,
}

/// Whether a value has another in it.
fn holds(value: &Value, other: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| holds(item, other)),
        Value::Object(fields) => fields.values().any(|field| holds(field, other)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value == other,
    }
}

/// Whose output was needed, and whether it was cut.
#[derive(Debug)]
pub(super) struct Missing {
    pub(super) task: String,
    pub(super) truncated: bool,
}

impl Sink {
    pub(super) fn new(mode: Mode) -> Arc<Self> {
        Arc::new(Self {
            mode,
            kept: Mutex::default(),
            kept_bytes: AtomicUsize::new(0),
            missing: OnceLock::new(),
            rounded: OnceLock::new(),
            lost: OnceLock::new(),
        })
    }

    /// Notes the numbers that are seen rounded.
    pub(super) fn sees_rounded(&self, rounded: Vec<Rounded>) {
        self.rounded.get_or_init(|| rounded);
    }

    /// Looks at a value that goes on; the render fails once it is over if a rounded number is in it.
    pub(super) fn lets_go(&self, value: &Value) {
        for rounded in self.rounded.get().into_iter().flatten() {
            if holds(value, &rounded.value) {
                self.lost.get_or_init(|| rounded.clone());
            }
        }
    }

    pub(super) fn lost(&self) -> Option<&Rounded> {
        self.lost.get()
    }

    /// Keeps something and gives the placeholder for it.
    pub(super) fn keep(&self, kept: Kept) -> Result<String, Error> {
        if let Kept::Text(text) = &kept {
            let before = self.kept_bytes.fetch_add(text.len(), Ordering::Relaxed);
            if before + text.len() > TEXT_BYTES_MAX {
                return Err(ErrorKind::OutOfFuel.into());
            }
        }
        let mut list = self.kept.lock().expect("nothing panics while it is held");
        list.push(kept);
        Ok(format!("{MARK}{}{MARK_END}", list.len() - 1))
    }

    pub(super) fn take_kept(&self) -> Vec<Kept> {
        std::mem::take(&mut self.kept.lock().expect("nothing panics while it is held"))
    }

    pub(super) fn missing(&self) -> Option<&Missing> {
        self.missing.get()
    }
}

impl Object for Sink {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

/// An output of which only the digest and some parts are here, at one of its places.
#[derive(Debug)]
pub(super) struct Large {
    task: String,
    blob: Option<Digest>,
    extracts: Arc<BTreeMap<String, Value>>,
    pointer: String,
    sink: Arc<Sink>,
}

impl Large {
    pub(super) fn new(
        task: &str,
        blob: Option<Digest>,
        extracts: Arc<BTreeMap<String, Value>>,
        sink: Arc<Sink>,
    ) -> Self {
        Self { task: task.into(), blob, extracts, pointer: String::new(), sink }
    }

    pub(super) fn into_live(self) -> Live {
        Live::from_object(self)
    }

    /// The blob, if this is the whole of an output.
    pub(super) fn whole(&self) -> Option<Digest> {
        self.blob.filter(|_| self.pointer.is_empty())
    }

    /// Notes that the content was needed; the render fails once it is over.
    pub(super) fn need(&self) {
        let missing = || Missing { task: self.task.clone(), truncated: self.blob.is_none() };
        self.sink.missing.get_or_init(missing);
    }
}

impl Object for Large {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Live) -> Option<Live> {
        let key = key.as_str().map(ToOwned::to_owned).or_else(|| key.as_usize().map(|at| at.to_string()))?;
        let pointer = format!("{}{}", self.pointer, pointer_step(&key));
        if let Some(extract) = self.extracts.get(&pointer) {
            return Some(live(extract));
        }
        if self.blob.is_none() {
            self.need();
        }
        let below = format!("{pointer}/");
        let (next, _) = self.extracts.range(below.clone()..).next()?;
        next.starts_with(&below).then(|| {
            Live::from_object(Self {
                task: self.task.clone(),
                blob: self.blob,
                extracts: Arc::clone(&self.extracts),
                pointer,
                sink: Arc::clone(&self.sink),
            })
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.need();
        Enumerator::Empty
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        self.need();
        Some(0)
    }

    fn is_true(self: &Arc<Self>) -> bool {
        // Only what is not empty can be large.
        true
    }

    fn custom_cmp(self: &Arc<Self>, _: &minijinja::value::DynObject) -> Option<std::cmp::Ordering> {
        self.need();
        None
    }

    fn render(self: &Arc<Self>, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An error here would be a panic in `to_string`; the note is enough.
        self.need();
        Ok(())
    }
}

/// A text that goes into a line of shell as it is.
#[derive(Debug)]
pub(super) struct Raw(pub(super) String);

impl Object for Raw {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A JSON value for the engine.
pub(super) fn live(value: &Value) -> Live {
    match value {
        Value::Null => Live::from(()),
        Value::String(text) => Live::from(text.as_str()),
        Value::Bool(truth) => Live::from(*truth),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => Live::from(Serde(value)),
    }
}

/// A value of the engine as JSON.
pub(super) fn json(value: &Live) -> Result<Value, Error> {
    let mut room = TEXT_BYTES_MAX;
    json_within(value, &mut room)
}

/// The same value can stand in a list a thousand times at no cost, and that list in another: `room` bounds what
/// they come to when written out.
fn json_within(value: &Live, room: &mut usize) -> Result<Value, Error> {
    *room = room.checked_sub(16).ok_or(ErrorKind::OutOfFuel)?;
    if let Some(raw) = value.downcast_object_ref::<Raw>() {
        return Ok(Value::String(raw.0.clone()));
    }
    match value.kind() {
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::None => Ok(Value::Null),
        ValueKind::Bool => Ok(Value::Bool(value.is_true())),
        ValueKind::String | ValueKind::Bytes => {
            let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
            *room = room.checked_sub(text.len()).ok_or(ErrorKind::OutOfFuel)?;
            Ok(Value::String(text))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter()?.map(|item| json_within(&item, room)).collect::<Result<_, _>>().map(Value::Array)
        }
        ValueKind::Map => {
            let field = |key: Live| {
                let name = key.as_str().map_or_else(|| key.to_string(), ToOwned::to_owned);
                Ok((name, json_within(&value.get_item(&key)?, room)?))
            };
            value.try_iter()?.map(field).collect::<Result<_, Error>>().map(Value::Object)
        }
        ValueKind::Plain => Err(Error::new(ErrorKind::InvalidOperation, "a function is no value")),
        ValueKind::Number | ValueKind::Invalid | _ => serde_json::to_value(value)
            .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string())),
    }
}

/// The text that a value goes on as: null is empty, booleans and numbers are JSON's, lists and objects are compact JSON.
pub(super) fn text_for(sink: &Sink, value: &Live) -> Result<String, Error> {
    if let Some(text) = value.as_str() {
        return Ok(text.to_owned());
    }
    let value = json(value)?;
    sink.lets_go(&value);
    Ok(text_of(value))
}

fn text_of(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => other.to_string(),
    }
}
