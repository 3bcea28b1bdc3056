//! TOML into a tree, with places, in the order of the file. Never: dates as anything but texts.

use std::borrow::Cow;
use std::ops::Range;

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};
use serde_json::Number;

use super::diagnostic::{Code, Findings, Mark};
use super::node::{DEPTH_MAX, Entry, Node, Tree, too_deep, too_many};
use crate::exact::is_kept;

/// The most tokens of a file; the parser keeps them all before it makes values of them.
const TOKENS_MAX: usize = 3_000_000;

/// Reads a text; none if it could not be read to its end.
pub(super) fn parse<'a>(text: &'a str, findings: &mut Findings) -> Option<Node<'a>> {
    if ::toml_parser::Source::new(text).lex().take(TOKENS_MAX + 1).count() > TOKENS_MAX {
        too_many(findings, Mark::default(), false);
        return None;
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    // The header of a table that stands there twice: what is in it need not be told again.
    let mut twice: Option<Range<usize>> = None;
    for error in &errors {
        let mut at = Mark::new(error.span().unwrap_or(0..0));
        let message = error.message();
        let (code, message, hint) = if message.starts_with("duplicate key") {
            if twice.as_ref().is_some_and(|table| table.contains(&at.range().start)) {
                continue;
            }
            let table = table_named_at(text, at);
            let hint = if table.is_some() {
                "keep one of the two, with the keys of both"
            } else {
                "keep one of the two"
            };
            if let Some((name, body)) = table {
                (at, twice) = (name, Some(body));
            }
            (Code::DuplicateKey, format!("`{}` stands here twice", &text[at.range()]), hint)
        } else if message.contains("recursion") {
            let message = format!("nested more than {DEPTH_MAX} levels deep");
            (Code::TooDeep, message, "no plan needs that: is this the right file?")
        } else {
            let hint = "texts stand in quotes, lists in `[…]`, a table begins with `[name]`";
            (Code::Syntax, format!("not valid TOML: {message}"), hint)
        };
        findings.error(code, at, message, Some(hint.to_owned()));
    }
    if !errors.is_empty() {
        return None;
    }
    let root = Mark::new(table.span());
    table_node(root, table.into_inner(), 0, findings)
}

/// The whole name in the header of a table, up to the key at a place in it, and all that stands under the header; none
/// where the place is in no header.
fn table_named_at(text: &str, at: Mark) -> Option<(Mark, Range<usize>)> {
    let key = at.range();
    let line = text.get(..key.start)?.rfind('\n').map_or(0, |end| end + 1);
    let opened = text[line..key.start].trim_start();
    let name = opened.trim_start_matches('[').trim_start();
    // A list in several lines may begin one with a bracket, too.
    let is_name = name.chars().all(|letter| letter.is_alphanumeric() || "._-\"' \t".contains(letter));
    if !opened.starts_with('[') || !is_name {
        return None;
    }
    let rest = &text[key.end..];
    let mut lines = rest.match_indices('\n').map(|(at, _)| at + 1);
    let next = lines.find(|at| rest[*at..].trim_start_matches([' ', '\t']).starts_with('['));
    let end = key.end + next.unwrap_or(rest.len());
    Some((Mark::new(key.start - name.len()..key.end), key.end..end))
}

fn table_node<'a>(at: Mark, table: DeTable<'a>, depth: usize, findings: &mut Findings) -> Option<Node<'a>> {
    if depth > DEPTH_MAX {
        too_deep(findings, at);
        return None;
    }
    let mut entries = Vec::with_capacity(table.len());
    for (key, value) in table {
        let key_at = Mark::new(key.span());
        entries.push(Entry { key: key.into_inner(), at: key_at, value: node(value, depth + 1, findings)? });
    }
    // The parser sorts by name; what counts is the order in which things were written.
    entries.sort_by_key(|entry| entry.at.start);
    Some(Node { at, tree: Tree::Map(entries) })
}

fn node<'a>(value: Spanned<DeValue<'a>>, depth: usize, findings: &mut Findings) -> Option<Node<'a>> {
    let at = Mark::new(value.span());
    let tree = match value.into_inner() {
        DeValue::String(text) => Tree::Text(text),
        DeValue::Boolean(truth) => Tree::Bool(truth),
        DeValue::Datetime(date) => Tree::Text(Cow::Owned(date.to_string())),
        DeValue::Integer(integer) => {
            let parsed = i64::from_str_radix(integer.as_str(), integer.radix());
            let number = parsed
                .map(Number::from)
                .or_else(|_| u64::from_str_radix(integer.as_str(), integer.radix()).map(Number::from));
            Tree::Number(number.ok().or_else(|| inexact(at, findings))?)
        }
        DeValue::Float(float) => {
            let kept = Some(float.as_str()).filter(|written| is_kept(written));
            let parsed = kept.and_then(|written| written.parse::<f64>().ok()).and_then(Number::from_f64);
            Tree::Number(parsed.or_else(|| inexact(at, findings))?)
        }
        DeValue::Array(items) => {
            if depth > DEPTH_MAX {
                too_deep(findings, at);
                return None;
            }
            let items = items.into_iter().map(|item| node(item, depth + 1, findings));
            Tree::List(items.collect::<Option<Vec<_>>>()?)
        }
        DeValue::Table(table) => return table_node(at, table, depth, findings),
    };
    Some(Node { at, tree })
}

fn inexact(at: Mark, findings: &mut Findings) -> Option<Number> {
    let hint = "longer numbers are texts, in quotes";
    findings.error(Code::OutOfRange, at, "the number can't be kept exactly", Some(hint.to_owned()));
    None
}
