//! YAML 1.2 into a tree, by the core schema, with anchors, aliases and merge keys, all of them bounded.
//! Never: tags that make other types, or more than one document.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the parser's events and errors are many, and it will get more"
)]

use std::borrow::Cow;
use std::collections::BTreeMap;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, Tag};
use serde_json::Number;

use super::diagnostic::{Code, Findings, Mark};
use super::node::{Allowance, DEPTH_MAX, Entry, Node, Tree, too_deep, too_many, without_duplicates};
use crate::exact::is_kept;

/// Reads a text; none if it could not be read to its end.
pub(super) fn parse<'a>(text: &'a str, findings: &mut Findings) -> Option<Node<'a>> {
    let mut options = granit_parser::options! {};
    options.set_emit_comments(false);
    let mut builder = Builder {
        text,
        findings,
        open: Vec::new(),
        items: Vec::new(),
        entries: Vec::new(),
        anchors: BTreeMap::new(),
        room: Allowance::default(),
        root: None,
    };
    let mut documents = 0;
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                builder.syntax(&error);
                return None;
            }
        };
        if matches!(event, Event::DocumentStart(..)) {
            documents += 1;
            if documents > 1 {
                let hint = "take the second document (behind `---`) into a file of its own";
                builder.findings.error(
                    Code::Syntax,
                    builder.mark(&span),
                    "a plan is one document, and this file has more",
                    Some(hint.to_owned()),
                );
                return None;
            }
        }
        builder.event(event, &span)?;
    }
    Some(builder.root.unwrap_or(Node { at: Mark::default(), tree: Tree::Null }))
}

/// A list or map whose end has not come yet.
struct Open<'a> {
    at: Mark,
    anchor: usize,
    used_before: usize,
    kind: Kind<'a>,
}

/// Where what it holds begins among all that is held by what is open.
enum Kind<'a> {
    List { from: usize },
    Map { from: usize, key: Option<(Cow<'a, str>, Mark)>, merges: Vec<Node<'a>> },
}

struct Builder<'a, 'f> {
    text: &'a str,
    findings: &'f mut Findings,
    open: Vec<Open<'a>>,
    /// What the open lists hold. Each gets a list of its own once its length is known: most are short, and room for more
    /// than they hold is what memory would be spent on.
    items: Vec<Node<'a>>,
    /// What the open maps hold.
    entries: Vec<Entry<'a>>,
    anchors: BTreeMap<usize, (Node<'a>, usize)>,
    room: Allowance,
    root: Option<Node<'a>>,
}

impl<'a> Builder<'a, '_> {
    fn mark(&self, span: &Span) -> Mark {
        Mark::new(span.byte_range().unwrap_or(0..self.text.len()))
    }

    /// None if it is of no use to go on.
    fn event(&mut self, event: Event<'a>, span: &Span) -> Option<()> {
        let at = self.mark(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.take(1, at, false)?;
                let tree = self.scalar(text, style, tag.as_deref(), at);
                self.anchored(Node { at, tree }, anchor, 1)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(at, tag.as_deref(), "seq");
                self.begin(at, anchor, Kind::List { from: self.items.len() })
            }
            Event::MappingStart(_, anchor, tag) => {
                let kind = Kind::Map { from: self.entries.len(), key: None, merges: Vec::new() };
                self.check_tag(at, tag.as_deref(), "map");
                self.begin(at, anchor, kind)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(at),
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor) else {
                    self.findings.error(
                        Code::Syntax,
                        at,
                        "the alias stands inside what it names",
                        Some("write out what is meant".to_owned()),
                    );
                    return None;
                };
                let (node, size) = (node, *size);
                if !self.room.take(size) {
                    too_many(self.findings, at, true);
                    return None;
                }
                let node = node.clone();
                self.value(node, size > 1)
            }
            _ => Some(()),
        }
    }

    fn take(&mut self, nodes: usize, at: Mark, by_alias: bool) -> Option<()> {
        if self.room.take(nodes) {
            return Some(());
        }
        too_many(self.findings, at, by_alias);
        None
    }

    fn check_tag(&mut self, at: Mark, tag: Option<&Tag>, own: &str) {
        if tag.is_some_and(|tag| tag.suffix() != own) {
            self.foreign_tag(at);
        }
    }

    fn begin(&mut self, at: Mark, anchor: usize, kind: Kind<'a>) -> Option<()> {
        self.take(1, at, false)?;
        if self.open.len() >= DEPTH_MAX {
            too_deep(self.findings, at);
            return None;
        }
        if self.is_key() {
            self.bad_key(at);
            return None;
        }
        self.open.push(Open { at, anchor, used_before: self.room.used(), kind });
        Some(())
    }

    fn end(&mut self, at: Mark) -> Option<()> {
        let open = self.open.pop().expect("what ends has begun");
        let size = self.room.used() - open.used_before + 1;
        let tree = match open.kind {
            Kind::List { from } => Tree::List(self.items.drain(from..).collect()),
            Kind::Map { from, merges, .. } => {
                let entries = self.entries.drain(from..).collect();
                let mut entries = without_duplicates(entries, self.findings);
                if !merges.is_empty() {
                    merge(&mut entries, merges);
                }
                Tree::Map(entries)
            }
        };
        // The end of a block collection is where the next thing begins; white space is no part of it.
        let end = self.text.get(open.at.start as usize..at.end.max(open.at.start) as usize);
        let length = end.map_or(0, |text| text.trim_end().len());
        let at = Mark::new(open.at.start as usize..open.at.start as usize + length);
        self.anchored(Node { at, tree }, open.anchor, size)
    }

    fn anchored(&mut self, node: Node<'a>, anchor: usize, size: usize) -> Option<()> {
        if anchor > 0 {
            self.take(size, node.at, true)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        self.value(node, size > 1)
    }

    /// Whether a key is what comes next.
    fn is_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { kind: Kind::Map { key: None, .. }, .. }))
    }

    fn bad_key(&mut self, at: Mark) {
        let is_template = self.text.get(at.start as usize..).is_some_and(|rest| {
            rest.starts_with("{{") || (rest.starts_with('{') && self.text[..at.start as usize].ends_with('{'))
        });
        if is_template {
            let hint = "put the value in quotes, as in `when: \"{{ inputs.bench }}\"`: YAML takes a bare `{` for a map";
            self.findings.error(
                Code::Syntax,
                at,
                "a template that begins a value needs quotes",
                Some(hint.to_owned()),
            );
        } else {
            let hint = "a key is a name; a list or a map goes behind it, as a value";
            self.findings.error(Code::Syntax, at, "a key must be a text", Some(hint.to_owned()));
        }
    }

    /// Takes a finished value into what is open.
    fn value(&mut self, node: Node<'a>, is_collection: bool) -> Option<()> {
        match self.open.last_mut().map(|open| &mut open.kind) {
            None => self.root = Some(node),
            Some(Kind::List { .. }) => self.items.push(node),
            Some(Kind::Map { key, merges, .. }) => match key.take() {
                Some((name, _)) if name == "<<" && !matches!(node.tree, Tree::Text(_)) => merges.push(node),
                Some((name, at)) => self.entries.push(Entry { key: name, at, value: node }),
                None if is_collection => {
                    self.bad_key(node.at);
                    return None;
                }
                None => *key = Some((key_text(&node)?, node.at)),
            },
        }
        Some(())
    }

    fn scalar(&mut self, text: Cow<'a, str>, style: ScalarStyle, tag: Option<&Tag>, at: Mark) -> Tree<'a> {
        if self.is_key() {
            // Keys are names: `on`, `1` and `true` are taken as they are written.
            return Tree::Text(text);
        }
        match tag.map(Tag::suffix) {
            None if style == ScalarStyle::Plain => self.plain(text, at),
            None | Some("str") => Tree::Text(text),
            Some("int" | "float" | "bool" | "null") => self.plain(text, at),
            Some(_) => {
                self.foreign_tag(at);
                Tree::Text(text)
            }
        }
    }

    fn foreign_tag(&mut self, at: Mark) {
        let hint = "leave the tag (`!…`) out; a number or `true` that is meant as a text goes in quotes";
        self.findings.error(Code::Syntax, at, "tags are not known here", Some(hint.to_owned()));
    }

    /// A plain scalar by the core schema of YAML 1.2.
    fn plain(&mut self, text: Cow<'a, str>, at: Mark) -> Tree<'a> {
        match text.as_ref() {
            "" | "~" | "null" | "Null" | "NULL" => return Tree::Null,
            "true" | "True" | "TRUE" => return Tree::Bool(true),
            "false" | "False" | "FALSE" => return Tree::Bool(false),
            _ => {}
        }
        match number(&text) {
            Plain::Number(number) => Tree::Number(number),
            Plain::Text => Tree::Text(text),
            Plain::TooLarge => {
                let hint = "write it in quotes if it is a text; numbers go up to 18446744073709551615 and have the digits of a double";
                self.findings.error(
                    Code::OutOfRange,
                    at,
                    format!("`{text}` is no number that can be kept exactly"),
                    Some(hint.to_owned()),
                );
                Tree::Text(text)
            }
        }
    }

    fn syntax(&mut self, error: &ScanError) {
        let at = error.marker().byte_offset().unwrap_or(self.text.len()).min(self.text.len());
        if let ErrorKind::UnexpectedCharacter { character } = error.kind()
            && character.is_control()
        {
            self.control(at, *character);
            return;
        }
        let (code, hint) = explain(error.kind());
        let line_end = self.text[at..].find('\n').map_or(self.text.len(), |end| at + end);
        let end = at + self.text[at..line_end].trim_end().len().min(80);
        let message = match error.kind() {
            ErrorKind::RecursionLimitExceeded => format!("nested more than {DEPTH_MAX} levels deep"),
            _ => format!("not valid YAML: {}", error.info()),
        };
        let end = (at..=end).rev().find(|end| self.text.is_char_boundary(*end)).unwrap_or(at);
        self.findings.error(code, Mark::new(at..end.max(at)), message, hint.map(ToOwned::to_owned));
    }

    /// A character that no text may have as it is. The parser may stand at the beginning of the text that has it.
    fn control(&mut self, near: usize, character: char) {
        let at = self.text[near..].find(character).map_or(near, |further| near + further);
        let message = format!("not valid YAML: there is a control character, {}", character.escape_unicode());
        let escape = format!("\\x{:02X}", u32::from(character));
        let hint = format!("take it out; where a text needs it, write `{escape}` in double quotes");
        self.findings.error(Code::Syntax, Mark::new(at..at + character.len_utf8()), message, Some(hint));
    }
}

fn key_text<'a>(node: &Node<'a>) -> Option<Cow<'a, str>> {
    match &node.tree {
        Tree::Text(text) => Some(text.clone()),
        Tree::Null => Some(Cow::Borrowed("null")),
        Tree::Bool(truth) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
        Tree::Number(number) => Some(Cow::Owned(number.to_string())),
        Tree::List(_) | Tree::Map(_) => None,
    }
}

/// Takes in what `<<` names; what stands in the map itself wins, then the earlier.
fn merge<'a>(entries: &mut Vec<Entry<'a>>, merges: Vec<Node<'a>>) {
    let mut sources = Vec::new();
    for node in merges {
        match node.tree {
            Tree::Map(more) => sources.push(more),
            Tree::List(items) => sources.extend(items.into_iter().filter_map(|item| match item.tree {
                Tree::Map(more) => Some(more),
                Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) | Tree::List(_) => None,
            })),
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) => {}
        }
    }
    let mut known: std::collections::BTreeSet<Cow<'a, str>> =
        entries.iter().map(|entry| entry.key.clone()).collect();
    for entry in sources.into_iter().flatten() {
        if known.insert(entry.key.clone()) {
            entries.push(entry);
        }
    }
}

enum Plain {
    Number(Number),
    Text,
    TooLarge,
}

fn number(text: &str) -> Plain {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let negative = text.starts_with('-');
    let whole = |digits: &str, radix: u32| match u64::from_str_radix(digits, radix) {
        Ok(number) if !negative => Plain::Number(number.into()),
        Ok(number) => match 0_i64.checked_sub_unsigned(number) {
            Some(number) => Plain::Number(number.into()),
            None => Plain::TooLarge,
        },
        Err(_) => Plain::TooLarge,
    };
    let all = |digits: &str, radix: u32| !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    if all(unsigned, 10) {
        return whole(unsigned, 10);
    }
    if unsigned.len() == text.len() {
        for (prefix, radix) in [("0x", 16), ("0o", 8)] {
            if let Some(digits) = text.strip_prefix(prefix).filter(|digits| all(digits, radix)) {
                return whole(digits, radix);
            }
        }
    }
    let lower = unsigned.to_ascii_lowercase();
    if matches!(lower.as_str(), ".inf" | ".nan") {
        return Plain::TooLarge;
    }
    if !is_float(unsigned) {
        return Plain::Text;
    }
    let number = text.parse::<f64>().ok().filter(|_| is_kept(text)).and_then(Number::from_f64);
    number.map_or(Plain::TooLarge, Plain::Number)
}

/// `[0-9]*(\.[0-9]*)?([eE][-+]?[0-9]+)?` with at least one digit before the exponent.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (text, None),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    digits(before)
        && digits(after)
        && before.len() + after.len() > 0
        && exponent.is_none_or(|exponent| digits(exponent) && !exponent.is_empty())
}

/// The code and the way out of an error of the parser.
fn explain(kind: &ErrorKind) -> (Code, Option<&'static str>) {
    let hint = match kind {
        ErrorKind::RecursionLimitExceeded => {
            return (Code::TooDeep, Some("no plan needs that: is this the right file?"));
        }
        ErrorKind::TabNotAllowed | ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation => {
            "indent with spaces: YAML takes no tabs there"
        }
        ErrorKind::UnknownAnchor => {
            "an alias (`*name`) needs its anchor (`&name`) before it; a text that begins with `*` goes in quotes"
        }
        ErrorKind::SimpleKeyExpected
        | ErrorKind::InvalidSimpleKey
        | ErrorKind::InvalidColonPlacement
        | ErrorKind::MappingValueNotAllowed => {
            "a text with `: ` or ` #` in it goes in quotes, or behind `|` on the lines below"
        }
        ErrorKind::UnclosedQuotedScalar => "close the quotes",
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::MismatchedFlowCollectionEnd { .. }
        | ErrorKind::MisplacedFlowCollectionEnd => {
            "see that each `[` and `{` is closed; a text that begins with one goes in quotes"
        }
        ErrorKind::UnexpectedCharacter { .. } => {
            "a text that begins with `@`, a backquote, `%`, `!` or `&` goes in quotes"
        }
        _ => "see the indentation: what belongs together begins in the same column",
    };
    (Code::Syntax, Some(hint))
}
