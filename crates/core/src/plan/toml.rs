//! TOML into a tree, with places, in the order of the file. Never: dates as anything but texts.

use std::borrow::Cow;

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};
use serde_json::Number;

use super::diagnostic::{Code, Findings, Mark};
use super::node::{DEPTH_MAX, Entry, Node, Tree, too_deep, too_many};

/// The most tokens of a file; the parser keeps them all before it makes values of them.
const TOKENS_MAX: usize = 3_000_000;

/// Reads a text; none if it could not be read to its end.
pub(super) fn parse<'a>(text: &'a str, findings: &mut Findings) -> Option<Node<'a>> {
    if ::toml_parser::Source::new(text).lex().take(TOKENS_MAX + 1).count() > TOKENS_MAX {
        too_many(findings, Mark::default(), false);
        return None;
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let at = Mark::new(error.span().unwrap_or(0..0));
        let message = error.message();
        let (code, message, hint) = if message.starts_with("duplicate key") {
            let message = format!("`{}` stands here twice", &text[at.range()]);
            (Code::DuplicateKey, message, "keep one of the two")
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
            let parsed = float.as_str().parse::<f64>().ok().and_then(Number::from_f64);
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
