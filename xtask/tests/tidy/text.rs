//! Just enough reading of Rust as text: comments off, tests off, words, paths into std, variants of an enum.
//! Never: a parser. Where a source fools it, the source is to be written more plainly.

/// A source without its comments and without its `mod tests`; its lines stay where they are.
pub(crate) fn code(source: &str) -> String {
    let shipped = source.find("#[cfg(test)]\nmod ").map_or(source, |tests| &source[..tests]);
    let mut kept = String::with_capacity(shipped.len());
    for line in shipped.lines() {
        let comment = line.match_indices("//").map(|(at, _)| at).find(|&at| !line[..at].ends_with(':'));
        kept.push_str(comment.map_or(line, |at| &line[..at]));
        kept.push('\n');
    }
    kept
}

/// Lines that mention a word: not as a part of a longer one. Counted from 1.
pub(crate) fn lines_with_word(text: &str, word: &str) -> Vec<usize> {
    let numbered = text.lines().enumerate();
    numbered.filter(|(_, line)| has_word(line, word)).map(|(index, _)| index + 1).collect()
}

/// Whether a word is in a text, not as a part of a longer one.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    let part_of_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(part_of_word) && !after.is_some_and(part_of_word)
    })
}

/// Every path that begins with `root::`, groups in braces spelled out: `std::{fs, io::Read}` gives both.
pub(crate) fn paths_from(code: &str, root: &str) -> Vec<String> {
    let start = format!("{root}::");
    let mut paths = Vec::new();
    for (at, _) in code.match_indices(&start) {
        spell_out(root, &code[at + start.len()..], &mut paths);
    }
    paths
}

/// Puts what follows `prefix::` into `paths`; gives what comes after it.
fn spell_out<'a>(prefix: &str, rest: &'a str, paths: &mut Vec<String>) -> &'a str {
    let rest = rest.trim_start();
    if let Some(mut group) = rest.strip_prefix('{') {
        loop {
            group = spell_out(prefix, group, paths).trim_start();
            match group.strip_prefix(',') {
                Some(more) if !more.trim_start().starts_with('}') => group = more,
                Some(more) => return more.trim_start().strip_prefix('}').unwrap_or(""),
                None => return group.strip_prefix('}').unwrap_or(""),
            }
        }
    }
    let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    let path = if name.is_empty() { prefix.to_owned() } else { format!("{prefix}::{name}") };
    match after.strip_prefix("::") {
        Some(deeper) if !name.is_empty() => spell_out(&path, deeper, paths),
        _ => {
            paths.push(path);
            after
        }
    }
}

/// The names of the variants of `pub enum NAME`.
pub(crate) fn variants(source: &str, name: &str) -> Vec<String> {
    let code = code(source);
    let head = format!("pub enum {name} {{");
    let body = code.find(&head).map(|at| &code[at + head.len()..]).expect("the enum is in its file");
    let mut depth = 0_i32;
    let mut names = Vec::new();
    for line in body.lines() {
        let line = line.trim();
        let word: String = line.chars().take_while(char::is_ascii_alphanumeric).collect();
        if depth == 0 && word.starts_with(|letter: char| letter.is_ascii_uppercase()) {
            names.push(word);
        }
        for letter in line.chars() {
            match letter {
                '{' | '(' | '[' => depth += 1,
                '}' | ')' | ']' => depth -= 1,
                _ => {}
            }
        }
        if depth < 0 {
            break;
        }
    }
    names
}

/// The names of the fields of a variant, in their order; none for one without.
pub(crate) fn fields(source: &str, name: &str, variant: &str) -> Vec<String> {
    let code = code(source);
    let from = code.find(&format!("pub enum {name} {{")).expect("the enum is in its file");
    let rest = code[from..].split_once(&format!(" {variant} {{")).map_or("", |(_, rest)| rest);
    let mut depth = 0_i32;
    let end = rest.find(|letter: char| {
        depth += i32::from("{([".contains(letter)) - i32::from("})]".contains(letter));
        depth < 0
    });
    let body = rest[..end.unwrap_or(0)].replace("::", ".");
    let named = body.split_inclusive(':').filter(|part| part.ends_with(':'));
    let last_word = |part: &str| {
        let word = part
            .trim_end_matches(':')
            .rsplit(|letter: char| !letter.is_alphanumeric() && letter != '_')
            .next();
        word.unwrap_or_default().to_owned()
    };
    named.map(last_word).filter(|word| word.starts_with(|letter: char| letter.is_ascii_lowercase())).collect()
}

/// `TaskDead` as it is on the wire: `task_dead`.
pub(crate) fn on_the_wire(variant: &str) -> String {
    let mut name = String::new();
    for letter in variant.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

#[test]
fn groups_of_imports_are_spelled_out() {
    let code = "use std::{fs, io::{Read, Write}, time::Duration,};\nstd::env::var(x); std::mem";
    let expected =
        ["std::fs", "std::io::Read", "std::io::Write", "std::time::Duration", "std::env::var", "std::mem"];
    assert_eq!(paths_from(code, "std"), expected);
}

#[test]
fn variants_are_found_with_and_without_fields() {
    let source = "pub enum Kind {\n  /// Doc {\n  One,\n  Two {\n    a: Vec<u8>,\n    B: u8,\n  },\n  #[x]\n  Three(u8),\n}\npub enum Y { No }";
    assert_eq!(variants(source, "Kind"), ["One", "Two", "Three"]);
    assert_eq!(on_the_wire("TaskDead"), "task_dead");
    let source = "pub enum Kind {\n  One,\n  Two {\n    #[serde(if = \"A::b\")]\n    a: Vec<x::Y>,\n    b: BTreeMap<u8, u8>,\n  },\n}\n";
    assert_eq!(fields(source, "Kind", "Two"), ["a", "b"]);
    assert!(fields(source, "Kind", "One").is_empty());
}

#[test]
fn comments_and_test_modules_are_no_code() {
    assert_eq!(code("a // b\n\"http://x\"\n#[cfg(test)]\nmod tests {}\n"), "a \n\"http://x\"\n");
    assert!(has_word("std::fs::read", "fs") && !has_word("offset", "fs"));
}
