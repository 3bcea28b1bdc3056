//! The text of a file: what format it is in, whether it is text at all, and how it becomes a tree.
//! Never: reading a file (the text comes in).

use super::diagnostic::{Code, Findings};
use super::node::Node;
use super::{json, toml, yaml};

/// The largest file that is read, in bytes.
pub const FILE_BYTES_MAX: usize = 10 * 1024 * 1024;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// A file to be read.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// What it is called in messages: a path, or `-`.
    pub name: &'a str,
    /// Its content.
    pub text: &'a [u8],
    /// Its format; none if it is to be found out from the name, or else from the text.
    pub format: Option<Format>,
}

/// The formats of plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// YAML 1.2.
    Yaml,
    /// TOML 1.0.
    Toml,
    /// JSON.
    Json,
}

impl Source<'_> {
    /// How many bytes of the file come before its text.
    pub(super) fn skipped(&self) -> usize {
        if self.text.starts_with(BYTE_ORDER_MARK.to_string().as_bytes()) {
            BYTE_ORDER_MARK.len_utf8()
        } else {
            0
        }
    }
}

impl Format {
    /// The format that the end of a name promises.
    pub fn of_name(name: &str) -> Option<Self> {
        let (_, end) = name.rsplit_once('.')?;
        match end.to_ascii_lowercase().as_str() {
            "yaml" | "yml" => Some(Self::Yaml),
            "toml" => Some(Self::Toml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    /// The format that a text looks like.
    fn of_text(text: &str) -> Self {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let first = lines.next().unwrap_or("");
        if first.starts_with('{') {
            return Self::Json;
        }
        let name = first.find(|c: char| !(c.is_ascii_alphanumeric() || "_-.\"' ".contains(c)));
        let is_assignment = name.is_some_and(|at| at > 0 && first[at..].starts_with('='));
        if is_assignment || first.starts_with('[') { Self::Toml } else { Self::Yaml }
    }
}

/// The text of a source, without a byte-order mark, if it is text and not too large.
pub(super) fn text<'a>(source: &Source<'a>, findings: &mut Findings) -> Option<&'a str> {
    let bytes = source.text;
    if bytes.len() > FILE_BYTES_MAX {
        // How much larger nobody knows: who reads it stops there.
        let message = format!("the file is larger than the {} MiB that are read", FILE_BYTES_MAX >> 20);
        findings.of_file(
            Code::TooLarge,
            message,
            Some("is this the right file? long texts can come from files that tasks read".to_owned()),
        );
        return None;
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        findings.of_file(Code::NotText, "the file is in UTF-16", Some("save it as UTF-8".to_owned()));
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.valid_up_to();
            let line = String::from_utf8_lossy(&bytes[..at]).matches('\n').count() + 1;
            let binary = bytes[..bytes.len().min(8192)].contains(&0);
            let message = if binary {
                "the file is binary, not text".to_owned()
            } else {
                format!("the file is not UTF-8: byte {at}, in line {line}, can't be read")
            };
            let hint = if binary { "is this the right file?" } else { "save it as UTF-8" };
            findings.of_file(Code::NotText, message, Some(hint.to_owned()));
            return None;
        }
    };
    if let Some(at) = text.find('\0') {
        let line = text[..at].matches('\n').count() + 1;
        let message = format!("the file is binary, not text: there is a NUL in line {line}");
        findings.of_file(
            Code::NotText,
            message,
            Some("is this the right file? in UTF-16 it can't be read".to_owned()),
        );
        return None;
    }
    Some(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text))
}

/// The tree of a text. A byte-order mark is no part of it.
pub(super) fn tree<'a>(source: &Source<'_>, text: &'a str, findings: &mut Findings) -> Option<Node<'a>> {
    let named = source.format.or_else(|| Format::of_name(source.name));
    match named.unwrap_or_else(|| Format::of_text(text)) {
        Format::Yaml => yaml::parse(text, findings),
        Format::Toml => toml::parse(text, findings),
        Format::Json if named.is_some() => json::parse(text, findings),
        Format::Json => {
            // What begins with a brace may be YAML as well; where it is neither, JSON's errors are the better ones.
            let mut as_json = Findings::default();
            if let Some(node) = json::parse(text, &mut as_json) {
                *findings = as_json;
                return Some(node);
            }
            let mut as_yaml = Findings::default();
            let node = yaml::parse(text, &mut as_yaml).filter(|_| !as_yaml.has_errors());
            *findings = if node.is_some() { as_yaml } else { as_json };
            node
        }
    }
}
