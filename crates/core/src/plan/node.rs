//! A file as a tree of values with their places, the same for YAML, TOML and JSON. Never: what the values mean.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

use super::diagnostic::{Code, Findings, Mark};

/// The deepest nesting that is read.
pub(super) const DEPTH_MAX: usize = 64;
/// The most values in a file, keys and what aliases repeat included.
pub(super) const NODES_MAX: usize = 2_000_000;

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    pub(super) at: Mark,
    pub(super) tree: Tree<'a>,
}

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Tree<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Map(Vec<Entry<'a>>),
}

/// A key with its place, and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry<'a> {
    pub(super) key: Cow<'a, str>,
    pub(super) at: Mark,
    pub(super) value: Node<'a>,
}

impl<'a> Node<'a> {
    /// The value in words: `a text`, `a list`.
    pub(super) fn kind(&self) -> &'static str {
        match self.tree {
            Tree::Null => "nothing",
            Tree::Bool(_) => "a boolean",
            Tree::Number(_) => "a number",
            Tree::Text(_) => "a text",
            Tree::List(_) => "a list",
            Tree::Map(_) => "a map",
        }
    }

    /// The value in words that tell it from another of its kind.
    pub(super) fn brief(&self) -> String {
        match &self.tree {
            Tree::Number(number) => number.to_string(),
            Tree::List(items) if items.is_empty() => "an empty list".to_owned(),
            Tree::Null | Tree::Bool(_) | Tree::Text(_) | Tree::List(_) | Tree::Map(_) => {
                self.kind().to_owned()
            }
        }
    }

    /// What stands in the file for a text, a number or a boolean: `1.10` stays `1.10`.
    pub(super) fn scalar(&self, file: &str) -> Option<String> {
        match &self.tree {
            Tree::Text(text) => Some(text.clone().into_owned()),
            Tree::Number(number) => {
                Some(file.get(self.at.range()).map_or_else(|| number.to_string(), ToOwned::to_owned))
            }
            Tree::Bool(truth) => Some(truth.to_string()),
            Tree::Null | Tree::List(_) | Tree::Map(_) => None,
        }
    }

    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        if let Tree::Text(text) = &self.tree { Some(text) } else { None }
    }

    /// The entries, if it is a map.
    pub(super) fn entries(&self) -> &[Entry<'a>] {
        if let Tree::Map(entries) = &self.tree { entries } else { &[] }
    }

    /// The items, if it is a list.
    pub(super) fn items(&self) -> &[Node<'a>] {
        if let Tree::List(items) = &self.tree { items } else { &[] }
    }

    /// The value behind a key of a small map.
    pub(super) fn get(&self, key: &str) -> Option<&Node<'a>> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The value as JSON.
    pub(super) fn json(&self) -> Value {
        match &self.tree {
            Tree::Null => Value::Null,
            Tree::Bool(truth) => Value::Bool(*truth),
            Tree::Number(number) => Value::Number(number.clone()),
            Tree::Text(text) => Value::String(text.clone().into_owned()),
            Tree::List(items) => Value::Array(items.iter().map(Node::json).collect()),
            Tree::Map(entries) => {
                let fields = entries.iter().map(|entry| (entry.key.clone().into_owned(), entry.value.json()));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }
}

/// Reports keys that stand twice in one map, and drops the second.
pub(super) fn without_duplicates<'a>(entries: Vec<Entry<'a>>, findings: &mut Findings) -> Vec<Entry<'a>> {
    if is_short_and_without(&entries) {
        return entries;
    }
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by(|one, other| (&entries[*one].key, one).cmp(&(&entries[*other].key, other)));
    let mut is_again = vec![false; entries.len()];
    for pair in order.windows(2) {
        is_again[pair[1]] = entries[pair[0]].key == entries[pair[1]].key;
    }
    for (entry, _) in entries.iter().zip(&is_again).filter(|(_, again)| **again) {
        if findings.is_full() {
            break;
        }
        let message = format!("`{}` stands here twice", entry.key);
        findings.error(Code::DuplicateKey, entry.at, message, Some("keep one of the two".to_owned()));
    }
    entries.into_iter().zip(is_again).filter(|(_, again)| !again).map(|(entry, _)| entry).collect()
}

/// Whether a map is so short that each key is best compared with each, and no two are the same.
fn is_short_and_without(entries: &[Entry<'_>]) -> bool {
    const SHORT: usize = 8;
    let is_new =
        |(place, entry): (usize, &Entry<'_>)| entries[..place].iter().all(|one| one.key != entry.key);
    entries.len() <= SHORT && entries.iter().enumerate().all(is_new)
}

/// Counts the values of a file.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    used: usize,
}

impl Allowance {
    /// Takes room for some values; false if there is no more.
    pub(super) fn take(&mut self, nodes: usize) -> bool {
        self.used = self.used.saturating_add(nodes);
        self.used <= NODES_MAX
    }

    /// How much is taken.
    pub(super) fn used(&self) -> usize {
        self.used
    }
}

/// The error for a file with too many values.
pub(super) fn too_many(findings: &mut Findings, at: Mark, by_alias: bool) {
    let message = if by_alias {
        format!("with what its aliases repeat, the file has more than {NODES_MAX} values")
    } else {
        format!("the file has more than {NODES_MAX} values")
    };
    let hint = "put long lists into a file that a `run` task prints, and go through them with `for_each`";
    findings.error(Code::TooMany, at, message, Some(hint.to_owned()));
}

/// The error for a value that is nested too deep.
pub(super) fn too_deep(findings: &mut Findings, at: Mark) {
    let message = format!("nested more than {DEPTH_MAX} levels deep");
    findings.error(
        Code::TooDeep,
        at,
        message,
        Some("no plan needs that: is this the right file?".to_owned()),
    );
}
