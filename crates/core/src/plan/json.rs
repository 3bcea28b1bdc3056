//! JSON into a tree, with places. Never: JSON with comments, or with the liberties of YAML.

use std::borrow::Cow;

use serde_json::Number;

use super::diagnostic::{Code, Findings, Mark};
use super::node::{Allowance, DEPTH_MAX, Entry, Node, Tree, too_deep, too_many, without_duplicates};
use crate::exact::is_kept;

/// Reads a text; none if it could not be read to its end.
pub(super) fn parse<'a>(text: &'a str, findings: &mut Findings) -> Option<Node<'a>> {
    let mut reader = Reader { text, at: 0, room: Allowance::default(), findings };
    let node = reader.value(0)?;
    reader.space();
    if reader.at < text.len() {
        reader.wrong("nothing more", "a plan is one value");
        return None;
    }
    Some(node)
}

struct Reader<'a, 'f> {
    text: &'a str,
    at: usize,
    room: Allowance,
    findings: &'f mut Findings,
}

impl<'a> Reader<'a, '_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    }

    fn eat(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn wrong(&mut self, expected: &str, hint: &str) {
        let found = self.text[self.at..].chars().next();
        let message = match found {
            Some(letter) => format!("not valid JSON: expected {expected}, found `{letter}`"),
            None => format!("not valid JSON: expected {expected}, found the end of the file"),
        };
        let at = Mark::new(self.at..self.at + found.map_or(0, char::len_utf8));
        self.findings.error(Code::Syntax, at, message, Some(hint.to_owned()));
    }

    fn value(&mut self, depth: usize) -> Option<Node<'a>> {
        self.space();
        let start = self.at;
        if !self.room.take(1) {
            too_many(self.findings, Mark::new(start..start + 1), false);
            return None;
        }
        if depth >= DEPTH_MAX && matches!(self.peek(), Some(b'[' | b'{')) {
            too_deep(self.findings, Mark::new(start..start + 1));
            return None;
        }
        let tree = match self.peek() {
            Some(b'{') => self.map(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => Tree::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't' | b'f' | b'n') => self.word()?,
            _ => {
                self.wrong(
                    "a value",
                    "a value is a text in double quotes, a number, true, false, null, `[…]` or `{…}`",
                );
                return None;
            }
        };
        Some(Node { at: Mark::new(start..self.at), tree })
    }

    fn map(&mut self, depth: usize) -> Option<Tree<'a>> {
        self.at += 1;
        let mut entries = Vec::new();
        self.space();
        if self.eat(b'}') {
            return Some(Tree::Map(entries));
        }
        loop {
            self.space();
            let start = self.at;
            if self.peek() != Some(b'"') {
                self.wrong(
                    "a key in double quotes",
                    "keys are texts in double quotes; no comma stands before `}`",
                );
                return None;
            }
            let key = self.string()?;
            let at = Mark::new(start..self.at);
            self.space();
            if !self.eat(b':') {
                self.wrong("`:`", "a colon stands between key and value");
                return None;
            }
            entries.push(Entry { key, at, value: self.value(depth + 1)? });
            self.space();
            if self.eat(b'}') {
                entries.shrink_to_fit();
                return Some(Tree::Map(without_duplicates(entries, self.findings)));
            }
            if !self.eat(b',') {
                self.wrong("`,` or `}`", "a comma stands between entries");
                return None;
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<Tree<'a>> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.eat(b']') {
            return Some(Tree::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            if self.eat(b']') {
                items.shrink_to_fit();
                return Some(Tree::List(items));
            }
            if !self.eat(b',') {
                self.wrong("`,` or `]`", "a comma stands between items");
                return None;
            }
        }
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut end = start + 1;
        let mut plain = true;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => {
                    plain = false;
                    end += 2;
                }
                Some(0..=0x1f) => {
                    self.at = end;
                    self.wrong("the end of the text", "write line breaks in a text as `\\n`, tabs as `\\t`");
                    return None;
                }
                Some(_) => end += 1,
                None => {
                    self.findings.error(
                        Code::Syntax,
                        Mark::new(start..start + 1),
                        "not valid JSON: the text is not closed",
                        Some("close it with a double quote".to_owned()),
                    );
                    return None;
                }
            }
        }
        self.at = end + 1;
        if plain {
            return Some(Cow::Borrowed(&self.text[start + 1..end]));
        }
        let unescaped = serde_json::from_str::<String>(&self.text[start..=end]).ok();
        if unescaped.is_none() {
            let hint = "escapes are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u with four hexadecimal digits";
            let at = Mark::new(start..end + 1);
            let message = "not valid JSON: the text has a bad escape";
            self.findings.error(Code::Syntax, at, message, Some(hint.to_owned()));
        }
        unescaped.map(Cow::Owned)
    }

    fn number(&mut self) -> Option<Tree<'a>> {
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest
            .iter()
            .take_while(|byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'))
            .count();
        let at = Mark::new(self.at..self.at + length);
        let written = &self.text[at.range()];
        self.at += length;
        let whole = !written.contains(['.', 'e', 'E']);
        let number = serde_json::from_str::<Number>(written).ok();
        let number = number.filter(|number| !(whole && number.is_f64()) && is_kept(written));
        if number.is_none() {
            let hint = "numbers go up to 18446744073709551615, have the digits of a double, and no leading zeros or plus; longer ones are texts, in quotes";
            self.findings.error(
                Code::Syntax,
                at,
                format!("`{}` is no number that can be kept exactly", brief(written)),
                Some(hint.to_owned()),
            );
        }
        number.map(Tree::Number)
    }

    fn word(&mut self) -> Option<Tree<'a>> {
        for (word, tree) in [("true", Tree::Bool(true)), ("false", Tree::Bool(false)), ("null", Tree::Null)] {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Some(tree);
            }
        }
        self.wrong("a value", "texts stand in double quotes");
        None
    }
}

fn brief(text: &str) -> Cow<'_, str> {
    if text.len() <= 40 { Cow::Borrowed(text) } else { Cow::Owned(format!("{}…", &text[..39])) }
}
