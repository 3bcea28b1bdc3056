//! Holds a file's tree against the tables of the language: unknown keys, wrong types, numbers out of range, and what
//! is not built yet. It goes on after an error, so that all are told at once. Never: what a plan means.
#![expect(clippy::wildcard_enum_match_arm, reason = "what is left over of the kinds is treated alike")]

use std::collections::BTreeMap;

use serde_json::Number;

use super::diagnostic::{Code, Findings, Mark};
use super::language::{AGENT, PLAN, TASK};
use super::node::{Entry, Node, Tree};
use super::rate::Rate;
use super::secrets::masked;
use super::shape::{Built, Field, Kind, Shape};
use super::{json_schema, sizes};
use crate::failure::ErrorKind;
use crate::template::nearest;
use crate::time::{Span, TimeError};

/// What is part of the language and not built yet, by what it is called.
pub(super) type Missing = BTreeMap<String, Vec<(String, Mark)>>;

/// Holds a tree against a shape.
pub(super) fn conform(node: &Node<'_>, shape: &'static Shape, findings: &mut Findings) -> Missing {
    let mut walk = Walk { findings, missing: Missing::new(), owner: String::new() };
    walk.shape(node, shape);
    walk.missing
}

/// Reports what is missing, each thing once with all its places.
pub(super) fn report_missing(missing: &Missing, findings: &mut Findings) {
    for (feature, places) in missing {
        let Some((_, at)) = places.first() else { continue };
        let mut owners: Vec<&str> = places.iter().map(|(owner, _)| owner.as_str()).collect();
        owners.dedup();
        owners.retain(|owner| !owner.is_empty());
        let shown = owners.iter().take(5).copied().collect::<Vec<_>>().join(", ");
        let more = owners.len().saturating_sub(5);
        let whose = match (shown.is_empty(), more) {
            (true, _) => String::new(),
            (false, 0) => format!(" ({shown})"),
            (false, more) => format!(" ({shown} and {more} more)"),
        };
        findings.error(
            Code::NotSupported,
            *at,
            format!("{feature} is not supported yet{whose}"),
            Some(
                "it is part of the language and comes with a later version; leave it out for now".to_owned(),
            ),
        );
    }
}

struct Walk<'f> {
    findings: &'f mut Findings,
    missing: Missing,
    /// The task or agent that is looked at.
    owner: String,
}

impl Walk<'_> {
    fn shape(&mut self, node: &Node<'_>, shape: &'static Shape) {
        let Tree::Map(entries) = &node.tree else {
            self.wrong(node, shape.called, Kind::Shape(shape));
            return;
        };
        for entry in entries {
            match shape.field(&entry.key) {
                Some(field) => self.field(entry, field),
                None => self.unknown(entry, shape),
            }
        }
        for field in shape.fields.iter().filter(|field| field.required && node.get(field.key).is_none()) {
            if self.findings.is_full() {
                break;
            }
            let message = format!("{} needs `{}`", shape.called, field.key);
            let hint = format!("`{}` is {}: {}", field.key, field.kind.expected(), lower(field.about));
            self.findings.error(Code::MissingKey, node.at, message, Some(hint));
        }
    }

    fn field(&mut self, entry: &Entry<'_>, field: &'static Field) {
        match field.built {
            Built::Yes => {}
            Built::No => self.miss(format!("`{}`", field.key), entry.at),
            Built::Only(values) => {
                let written = match &entry.value.tree {
                    Tree::Text(text) => text.clone().into_owned(),
                    Tree::Number(number) => number.to_string(),
                    Tree::Bool(truth) => truth.to_string(),
                    Tree::Null | Tree::List(_) | Tree::Map(_) => String::new(),
                };
                let known = !matches!(field.kind, Kind::Word(words) if !words.contains(&written.as_str()));
                if known && !written.is_empty() && !values.contains(&written.as_str()) {
                    self.miss(format!("`{}: {written}`", field.key), entry.value.at);
                }
            }
        }
        self.value(&entry.value, field.key, field.kind);
    }

    fn miss(&mut self, feature: String, at: Mark) {
        self.missing.entry(feature).or_default().push((self.owner.clone(), at));
    }

    fn value(&mut self, node: &Node<'_>, key: &str, kind: Kind) {
        match (kind, &node.tree) {
            (Kind::Any, _) => {}
            (_, Tree::Text(text)) if takes(kind, node) && !matches!(kind, Kind::Either(_) | Kind::Schema) => {
                self.text(node, key, text, kind);
            }
            (_, Tree::Number(number))
                if matches!(kind, Kind::Whole(..) | Kind::Signed(..) | Kind::Number(..)) =>
            {
                self.number(node, key, number, kind);
            }
            (Kind::Scalar, Tree::Number(_) | Tree::Bool(_))
            | (Kind::Truth | Kind::Condition, Tree::Bool(_)) => {}
            // `when: null` says something; after `when:` something was forgotten.
            (Kind::Condition, Tree::Null) if !node.at.range().is_empty() => {}
            (Kind::List(kind), Tree::List(items)) => {
                for item in items {
                    self.value(item, key, *kind);
                }
            }
            (Kind::Map(kind), Tree::Map(entries)) => {
                for entry in entries {
                    if let Kind::Shape(shape) = kind {
                        self.owner = entry.key.clone().into_owned();
                        if !matches!(entry.value.tree, Tree::Map(_)) {
                            let thing = shape.called.split_once(' ').map_or(shape.called, |(_, thing)| thing);
                            self.wrong(&entry.value, &format!("{thing} `{}`", entry.key), *kind);
                            continue;
                        }
                    }
                    self.value(&entry.value, &entry.key, *kind);
                }
                self.owner.clear();
            }
            (Kind::Shape(shape), Tree::Map(_)) => self.shape(node, shape),
            (Kind::Choice(shape), Tree::Map(entries)) => {
                self.shape(node, shape);
                if entries.len() != 1 {
                    let message =
                        format!("{} has one key, its kind, and this has {}", shape.called, entries.len());
                    self.findings.error(Code::WrongType, node.at, message, Some(keys_hint(shape)));
                }
            }
            (Kind::Either(kinds), _) => match kinds.iter().find(|kind| takes(**kind, node)) {
                Some(kind) => self.value(node, key, *kind),
                None => self.wrong(node, key, kind),
            },
            (Kind::Schema, _) => json_schema::check(node, self.findings),
            _ => self.wrong(node, key, kind),
        }
    }

    fn text(&mut self, node: &Node<'_>, key: &str, text: &str, kind: Kind) {
        if self.findings.is_full() {
            return;
        }
        match kind {
            Kind::Length(liftable) => {
                if !(liftable && text == "none")
                    && let Err(error) = text.parse::<Span>()
                {
                    self.length(node, key, text, &error);
                }
            }
            Kind::Limit if text != "none" => match text.parse::<Span>() {
                Ok(Span { ms: 0 }) => {
                    let hint = "write how long it may take, as in `30m`, or `none` for no limit".to_owned();
                    self.bad(node, format!("`{key}`: `{text}` leaves no time at all"), Some(hint));
                }
                Ok(_) => {}
                Err(error) => self.length(node, key, text, &error),
            },
            Kind::Bytes if sizes::bytes(text).is_none() => {
                let hint = "write a number with its unit, as in `512MiB` or `2GiB`".to_owned();
                self.bad(node, format!("`{key}`: `{text}` is no size"), Some(hint));
            }
            Kind::Rate if text.parse::<Rate>().is_err() => {
                let hint = "write how many may start in a second, minute, hour or day: `2/s`, `30/min`, `500/h`, `2000/d`";
                self.bad(node, format!("`{key}`: `{text}` is no rate"), Some(hint.to_owned()));
            }
            Kind::Word(words) => self.word(node, key, text, words),
            Kind::Failing if ErrorKind::from_name(text).is_none() => {
                let names: Vec<&str> = ErrorKind::ALL.iter().map(|kind| kind.name()).collect();
                self.word(node, key, text, &names);
            }
            _ => {}
        }
    }

    fn length(&mut self, node: &Node<'_>, key: &str, text: &str, error: &TimeError) {
        let (message, hint) = if matches!(error, TimeError::Span(_)) {
            let hint = "write a number with its unit, as in `500ms`, `30s`, `5m`, `1h30m`, `7d`";
            (format!("`{key}`: `{text}` is no length of time"), Some(hint.to_owned()))
        } else {
            (format!("`{key}`: {error}"), None)
        };
        self.bad(node, message, hint);
    }

    fn number(&mut self, node: &Node<'_>, key: &str, number: &Number, kind: Kind) {
        let in_range = match kind {
            Kind::Whole(low, high) => number.as_u64().is_some_and(|number| (low..=high).contains(&number)),
            Kind::Signed(low, high) => number.as_i64().is_some_and(|number| (low..=high).contains(&number)),
            Kind::Number(low, high) => number.as_f64().is_some_and(|number| (low..=high).contains(&number)),
            _ => true,
        };
        if !self.findings.is_full() {
            self.range(node, key, kind, in_range);
        }
    }

    fn range(&mut self, node: &Node<'_>, key: &str, kind: Kind, in_range: bool) {
        if !in_range && key == "version" {
            let hint = "a newer windlass may read it".to_owned();
            let message = "this windlass reads version 1 of the language";
            self.findings.error(Code::UnknownVersion, node.at, message, Some(hint));
        } else if !in_range {
            let message = format!("`{key}` must be {}", kind.expected());
            self.findings.error(Code::OutOfRange, node.at, message, None);
        }
    }

    fn bad(&mut self, node: &Node<'_>, message: String, hint: Option<String>) {
        self.findings.error(Code::BadValue, node.at, message, hint);
    }

    fn word(&mut self, node: &Node<'_>, key: &str, text: &str, words: &[&str]) {
        if words.contains(&text) {
            return;
        }
        let near = nearest(text, words.iter().copied());
        let hint = near.map_or_else(
            || format!("it is one of {}", words.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        self.bad(node, format!("`{key}` can't be `{text}`"), Some(hint));
    }

    fn wrong(&mut self, node: &Node<'_>, key: &str, kind: Kind) {
        if self.findings.is_full() {
            return;
        }
        let expected = kind.expected();
        let name =
            if key.contains(' ') || key == "windlass.toml" { key.to_owned() } else { format!("`{key}`") };
        if matches!(node.tree, Tree::Null) {
            let hint = "give it a value, or leave the key out".to_owned();
            self.findings.error(
                Code::WrongType,
                node.at,
                format!("{name} has no value; it must be {expected}"),
                Some(hint),
            );
            return;
        }
        let message = format!("{name} must be {expected}, not {}", node.brief());
        self.findings.error(Code::WrongType, node.at, message, advice(kind, node));
    }

    fn unknown(&mut self, entry: &Entry<'_>, shape: &'static Shape) {
        if self.findings.is_full() {
            return;
        }
        let message = format!("{} has no key `{}`", shape.called, entry.key);
        let near = nearest(&entry.key, shape.fields.iter().map(|field| field.key));
        let elsewhere = [(&PLAN, "of the plan itself"), (&TASK, "of tasks"), (&AGENT, "of agents")];
        let elsewhere = elsewhere
            .into_iter()
            .find(|(other, _)| !std::ptr::eq(*other, shape) && other.field(&entry.key).is_some());
        let hint = match (near, elsewhere) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, Some((_, whose))) => format!("`{}` is a key {whose}", entry.key),
            (None, None) => keys_hint(shape),
        };
        self.findings.error(Code::UnknownKey, entry.at, message, Some(hint));
    }
}

fn keys_hint(shape: &Shape) -> String {
    let keys: Vec<&str> = shape.fields.iter().map(|field| field.key).collect();
    if keys.len() > 20 {
        return "`windlass schema plan` prints all keys with what they are for".to_owned();
    }
    format!("it has {}", keys.join(", "))
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}

/// Whether a value is of the type that a kind wants, whatever it says.
fn takes(kind: Kind, node: &Node<'_>) -> bool {
    match kind {
        Kind::Any | Kind::Schema => true,
        Kind::Text
        | Kind::Template
        | Kind::Length(_)
        | Kind::Limit
        | Kind::Bytes
        | Kind::Rate
        | Kind::Word(_)
        | Kind::Failing => matches!(node.tree, Tree::Text(_)),
        Kind::Scalar => matches!(node.tree, Tree::Text(_) | Tree::Number(_) | Tree::Bool(_)),
        Kind::Truth => matches!(node.tree, Tree::Bool(_)),
        Kind::Condition => matches!(node.tree, Tree::Bool(_) | Tree::Text(_)),
        Kind::Whole(..) | Kind::Signed(..) | Kind::Number(..) => matches!(node.tree, Tree::Number(_)),
        Kind::List(_) => matches!(node.tree, Tree::List(_)),
        Kind::Map(_) | Kind::Shape(_) | Kind::Choice(_) => matches!(node.tree, Tree::Map(_)),
        Kind::Either(kinds) => kinds.iter().any(|kind| takes(*kind, node)),
    }
}

/// What to write instead of a value of the wrong type.
fn advice(kind: Kind, node: &Node<'_>) -> Option<String> {
    match (kind, &node.tree) {
        (Kind::Truth | Kind::Condition, Tree::Text(text)) => {
            let word = match text.to_ascii_lowercase().as_str() {
                "yes" | "on" | "true" | "y" => "true",
                "no" | "off" | "false" | "n" => "false",
                _ => return None,
            };
            Some(format!("write `{word}`, without quotes"))
        }
        (Kind::Whole(..) | Kind::Signed(..) | Kind::Number(..), Tree::Text(text))
            if text.parse::<f64>().is_ok() =>
        {
            Some("leave the quotes out".into())
        }
        (Kind::Whole(..) | Kind::Signed(..) | Kind::Number(..), _) => {
            Some("write a number, without quotes".into())
        }
        (Kind::List(_), Tree::Text(text)) if text.len() <= 60 => {
            Some(format!("write a list: `[{}]`", masked(text)))
        }
        (Kind::Length(_) | Kind::Limit, Tree::Number(number)) => {
            Some(format!("give it a unit, as in `{number}s`"))
        }
        (Kind::Bytes, Tree::Number(_)) => Some("give it a unit, as in `512MiB`".into()),
        (Kind::Rate, Tree::Number(number)) => Some(format!("say in which time, as in `{number}/min`")),
        (Kind::Either(kinds), Tree::Number(number))
            if kinds.iter().any(|kind| matches!(kind, Kind::Length(_) | Kind::Limit)) =>
        {
            Some(format!("give it a unit, as in `{number}s`"))
        }
        (Kind::Text | Kind::Template, Tree::Number(_) | Tree::Bool(_)) => Some("put it in quotes".into()),
        (Kind::Either(kinds), Tree::Number(_) | Tree::Bool(_))
            if kinds.iter().any(|kind| matches!(kind, Kind::Text | Kind::Template)) =>
        {
            Some("a text goes in quotes".into())
        }
        (Kind::Condition, Tree::Number(_)) => {
            Some("write `true`, `false`, or a comparison in `\"{{ … }}\"`".into())
        }
        (Kind::Map(_), Tree::List(_)) => {
            Some("write `NAME: …` for each, without `-` and without `[…]`".into())
        }
        (Kind::Map(_), Tree::Text(_)) => Some("write `NAME: …` for each, a line below the other".into()),
        (Kind::Shape(shape), _) => Some(keys_hint(shape)),
        _ => None,
    }
}
