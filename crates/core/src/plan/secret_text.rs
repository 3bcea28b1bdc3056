//! Where in a text secrets stand: keys of known kinds, passwords in addresses, and what is given under the name of a
//! secret, in YAML, TOML and JSON, in lines of shell and in options. Never: certainty, or a tree; the text may be broken.

use std::ops::Range;

use super::secrets::{self, is_key};

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file, a line of shell, a prompt.
    Source,
    /// A sentence of ours, in which a colon may stand behind a name.
    Message,
}

/// How far back from a colon or an equals sign its name is looked for.
const NAME_BYTES_MAX: usize = 128;
/// How far from its name a secret is looked for: a file that is made to cost time has as many names as it has bytes.
const REACH_BYTES_MAX: usize = 16 * 1024;
/// Words that say how the secret behind them is to be read.
const SCHEMES: [&str; 3] = ["bearer", "basic", "token"];
/// What ends a word: options, headers and addresses write keys behind one of these.
const ENDS: &str = "=:'\"`,;@/?&()[]{}<>|\\";

/// The places of secrets in a text, in order and apart from each other: of those whose names, or what else tells them,
/// stand within a part of it.
pub(super) fn found(text: &str, within: Range<usize>, kind: Kind) -> Vec<Range<usize>> {
    let (part, start) = (&text[within.clone()], within.start);
    let mut found = keys(text, within);
    found.extend(part.match_indices("://").filter_map(|(at, _)| password(text, start + at + 3)));
    found.extend(part.match_indices("-----BEGIN ").filter_map(|(at, _)| private_key(text, start + at)));
    let mut newest: Vec<Range<usize>> = Vec::new();
    for (at, separator) in part.match_indices([':', '=']).map(|(at, separator)| (start + at, separator)) {
        // What begins in a secret ends with it.
        let next = newest.partition_point(|range| range.end <= at + 1);
        if newest.get(next).is_some_and(|range| range.start <= at) {
            continue;
        }
        if let Some(name) = name_before(text, at).filter(|name| names_one(name)) {
            let is_option = text[..at].ends_with(name) && text[..at - name.len()].ends_with("--");
            let given = Given { text, name_at: at, separator, is_loose: kind == Kind::Message || is_option };
            let values = given.values(at + 1);
            newest = values.into_iter().flat_map(|value| outside_templates(text, value)).collect();
            found.extend(newest.iter().cloned());
        }
    }
    found.extend(part.match_indices("--").filter_map(|(at, _)| behind_option(text, start + at + 2)));
    found.retain(|range| !text[range.clone()].trim().is_empty());
    found.sort_unstable_by_key(|range| (range.start, range.end));
    let mut apart: Vec<Range<usize>> = Vec::with_capacity(found.len());
    for range in found {
        match apart.last_mut().filter(|last| range.start <= last.end) {
            Some(last) => last.end = last.end.max(range.end),
            None => apart.push(range),
        }
    }
    apart
}

/// Where the names of secrets are looked for that reach into the places of a text that are shown, in order and apart
/// from each other.
pub(super) fn around(text: &str, shown: &[Range<usize>]) -> Vec<Range<usize>> {
    let wide = |place: &Range<usize>| {
        let end = (place.end + NAME_BYTES_MAX).min(text.len());
        let start = place.start.saturating_sub(REACH_BYTES_MAX);
        text.floor_char_boundary(start)..text.ceil_char_boundary(end)
    };
    let mut around: Vec<Range<usize>> = shown.iter().map(wide).collect();
    around.sort_unstable_by_key(|range| (range.start, range.end));
    around.dedup_by(|next, last| {
        let is_near = next.start <= last.end;
        if is_near {
            last.end = last.end.max(next.end);
        }
        is_near
    });
    around
}

/// The text from a place on, as far as it is looked at.
fn ahead(text: &str, from: usize) -> &str {
    let rest = &text[from..];
    &rest[..rest.floor_char_boundary(REACH_BYTES_MAX)]
}

/// The beginning of the line of a place, as far as it is looked at.
fn line_until(text: &str, at: usize) -> &str {
    let near = &text[text.ceil_char_boundary(at.saturating_sub(REACH_BYTES_MAX))..at];
    near.rsplit('\n').next().unwrap_or_default()
}

fn is_end(letter: char) -> bool {
    letter.is_whitespace() || ENDS.contains(letter)
}

/// Words that are keys by how they begin.
fn keys(text: &str, within: Range<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = within.start;
    for word in text[within].split_inclusive(is_end) {
        let end = start + word.trim_end_matches(is_end).len();
        if is_key(&text[start..end]) {
            found.push(start..end);
        }
        start += word.len();
    }
    found
}

/// The password of an address whose host, or who is asked there, begins at this place.
fn password(text: &str, start: usize) -> Option<Range<usize>> {
    let is_over = |letter: char| letter.is_whitespace() || "/?#'\"`<>|,;".contains(letter);
    let rest = ahead(text, start);
    let authority = &rest[..rest.find(is_over).unwrap_or(rest.len())];
    let user = &authority[..authority.rfind('@')?];
    let colon = user.find(':')?;
    let is_variable = user[colon + 1..].starts_with(['$', '{']);
    (!is_variable).then_some(start + colon + 1..start + user.len())
}

/// The body of a private key, up to its end if that is there.
fn private_key(text: &str, start: usize) -> Option<Range<usize>> {
    let head = line_from(text, start);
    let begin = start + head.find("PRIVATE KEY-----")? + "PRIVATE KEY-----".len();
    let rest = ahead(text, begin);
    let end = rest.find("-----END").or_else(|| rest.find('\n')).unwrap_or(rest.len());
    Some(begin..begin + end)
}

/// The name that stands before a separator, also in quotes.
fn name_before(text: &str, separator: usize) -> Option<&str> {
    let before = text[..separator].trim_end_matches([' ', '\t']);
    let before = before.strip_suffix(['"', '\'', '`']).unwrap_or(before);
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let length = before.bytes().rev().take(NAME_BYTES_MAX).take_while(|byte| is_part(byte)).count();
    let name = before[before.len() - length..].trim_start_matches('-');
    (!name.is_empty()).then_some(name)
}

/// Whether what stands under a name in a text is a secret: the plan's own `tokens` and `secrets` hold none.
fn names_one(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let upper = last.replace('-', "_").to_ascii_uppercase();
    let is_several = upper.ends_with("TOKENS") || upper.ends_with("SECRETS") || upper.contains("TOKENIZ");
    // `sort_key` is no variable.
    let is_cased = last == upper || secrets::is_named(&upper);
    upper.ends_with("AUTHORIZATION")
        || !is_several && is_cased && upper != "KEY" && secrets::names_a_secret(&upper)
}

/// What is given under a name.
struct Given<'t> {
    text: &'t str,
    name_at: usize,
    separator: &'t str,
    /// Whether what stands behind a colon, and in no quotes, is none.
    is_loose: bool,
}

impl Given<'_> {
    /// Where it stands, behind the separator.
    fn values(&self, from: usize) -> Vec<Range<usize>> {
        let rest = &self.text[from..];
        if rest.starts_with(['=', ':', '/', '~']) {
            return Vec::new();
        }
        let start = from + (rest.len() - rest.trim_start_matches([' ', '\t']).len());
        let is_map =
            self.separator == ":" && (start > from || rest.is_empty() || rest.starts_with(['\n', '\r']));
        let line = line_from(self.text, start);
        let bare = line.trim_end();
        if is_map && (bare.is_empty() || bare.starts_with(['|', '>'])) {
            return if self.is_loose { Vec::new() } else { self.block(start + line.len(), bare.is_empty()) };
        }
        let (value, is_open) = self.in_line(start, line, is_map);
        let more = if is_open { self.block(start + line.len(), false) } else { Vec::new() };
        value.into_iter().chain(more).collect()
    }

    /// Where it stands in a line that begins at this place, and whether it goes on below.
    fn in_line(&self, start: usize, line: &str, is_map: bool) -> (Option<Range<usize>>, bool) {
        for quotes in ["\"\"\"", "'''"] {
            if let Some(inside) = ahead(self.text, start).strip_prefix(quotes) {
                let length = inside.find(quotes).unwrap_or(inside.len());
                return (Some(start + 3..start + 3 + length), false);
            }
        }
        if let Some(quote) = line.chars().next().filter(|quote| "\"'`".contains(*quote)) {
            let (length, is_closed) = quoted(&line[1..], quote);
            let value = start + 1..start + 1 + length;
            return (Some(value.clone()).filter(|_| is_meant(&self.text[value])), !is_closed);
        }
        if let Some(inside) = line.strip_prefix("\\\"").or_else(|| line.strip_prefix("\\'")) {
            let length = inside.find(['\\', '"', '\'']).unwrap_or(inside.len());
            return (Some(start + 2..start + 2 + length), false);
        }
        if is_map && self.is_loose || !is_meant(line) {
            return (None, false);
        }
        (Some(start..start + if is_map { self.scalar(line) } else { word(line) }), false)
    }

    /// How long a text without quotes is behind a colon: to the end of its line, or of what the line has opened.
    fn scalar(&self, line: &str) -> usize {
        let is_within = line_until(self.text, self.name_at).contains(['{', '[', '"', '\'']);
        let inner = if is_within { line.find([',', '}', ']', '"', '\'']) } else { None };
        let comment = line.find(" #");
        line[..inner.into_iter().chain(comment).min().unwrap_or(line.len())].trim_end().len()
    }

    /// The lines from a place on that stand further in than that of the name. With `single` they are a text, and no map
    /// or list.
    fn block(&self, from: usize, single: bool) -> Vec<Range<usize>> {
        let depth = indent(line_until(self.text, self.name_at));
        let (mut found, mut at) = (Vec::new(), from);
        for line in ahead(self.text, from).split_inclusive('\n') {
            let is_blank = line.trim().is_empty();
            if !is_blank && indent(line) <= depth {
                break;
            }
            let is_other = || {
                let line = line.trim();
                line.starts_with(['-', '{', '[', '&', '*', '!', '$'])
                    || line.contains(": ")
                    || line.ends_with(':')
            };
            if single && !is_blank && is_other() {
                break;
            }
            found.push(at..at + line.len());
            at += line.len();
        }
        found
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '-', '\t']).len()
}

fn line_from(text: &str, start: usize) -> &str {
    ahead(text, start).split('\n').next().unwrap_or_default()
}

/// How long a word is that stands in no quotes, behind one that says how it is read.
fn word(line: &str) -> usize {
    line.find(|letter: char| letter.is_whitespace() || ",;&|'\"`)}]\\".contains(letter)).unwrap_or(line.len())
}

/// How long what stands in quotes is, and whether its line closes them.
fn quoted(line: &str, quote: char) -> (usize, bool) {
    let mut letters = line.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let next = letters.peek().map(|(_, next)| *next);
        let escapes =
            letter == '\\' && quote == '"' || letter == quote && quote == '\'' && next == Some(quote);
        if escapes {
            letters.next();
        } else if letter == quote {
            return (at, true);
        }
    }
    (line.len(), false)
}

/// Whether a value is no variable, path or tag, and no word that says that there is none.
fn is_meant(value: &str) -> bool {
    let bare = value.trim_end();
    let is_elsewhere = bare.starts_with(['$', '[', '<', '(', '/', '~', '&', '*', '!'])
        || bare.starts_with("./")
        || bare.starts_with("../");
    // A map, or a template alone.
    let is_map = bare.starts_with('{') && !(bare.starts_with("{{") && bare.contains("}}"));
    let is_word =
        ["true", "false", "null"].iter().any(|word| bare.split([',', '}', ' ']).next() == Some(*word));
    !is_elsewhere && !is_map && !is_word
}

/// What of a value is written there and no template, without the word that says how it is read.
fn outside_templates(text: &str, value: Range<usize>) -> Vec<Range<usize>> {
    let written = &text[value.clone()];
    let scheme =
        written.split_once(' ').filter(|(first, _)| SCHEMES.contains(&first.to_ascii_lowercase().as_str()));
    let mut start = value.start + scheme.map_or(0, |(first, _)| first.len() + 1);
    if text[start..value.end].starts_with('$') {
        return Vec::new();
    }
    let mut found = Vec::new();
    while let Some(open) = text[start..value.end].find("{{") {
        found.push(start..start + open);
        let close =
            text[start + open..value.end].find("}}").map_or(value.end, |close| start + open + close + 2);
        start = close;
    }
    found.push(start..value.end);
    found
}

/// What is given to an option whose name begins at this place, as a word of its own.
fn behind_option(text: &str, start: usize) -> Option<Range<usize>> {
    let rest = &text[start..];
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
    let length = rest.bytes().take(NAME_BYTES_MAX).take_while(|byte| is_part(byte)).count();
    if !names_one(&rest[..length]) {
        return None;
    }
    let behind = &rest[length..];
    let separated = behind.trim_start_matches(['"', '\'', ',', ' ', '\t', '\n']);
    let given = separated.strip_prefix("- ").unwrap_or(separated).trim_start_matches(['"', '\'']);
    let at = start + length + (behind.len() - given.len());
    let stands_apart = at > start + length && !given.starts_with(['-', '$', '{', '[']);
    stands_apart.then(|| at..at + word(given))
}
