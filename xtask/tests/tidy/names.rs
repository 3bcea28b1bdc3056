//! Names say what a thing is. Never: a name that would fit anything.

use std::path::Path;

use crate::text::code;
use crate::{Source, nothing_of, sources};

/// Words that say nothing. `manager` is left out: it is the role that plans.
const SAY_NOTHING: [&str; 15] = [
    "util",
    "utils",
    "utility",
    "helper",
    "helpers",
    "common",
    "handler",
    "handlers",
    "processor",
    "service",
    "misc",
    "data",
    "info",
    "stuff",
    "manage",
];

const DEFINE: [&str; 9] = ["fn", "struct", "enum", "mod", "trait", "type", "const", "static", "union"];

#[test]
fn no_file_or_folder_has_a_name_that_would_fit_anything() {
    let rust = sources().into_iter().filter(Source::is_rust);
    let found: Vec<String> = rust
        .filter(|source| {
            let parts = Path::new(&source.path).iter().filter_map(|part| part.to_str());
            parts
                .flat_map(|part| words(part.trim_end_matches(".rs")))
                .any(|word| SAY_NOTHING.contains(&word.as_str()))
        })
        .map(|source| source.path)
        .collect();
    nothing_of(&found, "Name it after the one thing that it is about: docs/concepts/words.md has the words.");
}

#[test]
fn no_definition_has_a_name_that_would_fit_anything() {
    let mut found = Vec::new();
    for source in sources().into_iter().filter(Source::ships) {
        for (index, line) in code(&source.text).lines().enumerate() {
            let defined = line
                .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
                .filter(|word| !word.is_empty());
            let defined: Vec<&str> = defined.collect();
            let bad = defined.windows(2).find(|pair| {
                DEFINE.contains(&pair[0])
                    && words(pair[1]).iter().any(|word| SAY_NOTHING.contains(&word.as_str()))
            });
            found.extend(bad.map(|pair| format!("{}:{}: {} {}", source.path, index + 1, pair[0], pair[1])));
        }
    }
    nothing_of(&found, "Name it after what it does: docs/concepts/words.md has the words.");
}

/// The words of a name, in lower case: `DiskFull` and `disk_full` are both «disk», «full».
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in name.chars() {
        let begins = letter.is_ascii_uppercase() || !letter.is_alphanumeric();
        if begins && !words.last().is_some_and(String::is_empty) {
            words.push(String::new());
        }
        if letter.is_alphanumeric() {
            words.last_mut().expect("never empty").extend(letter.to_lowercase());
        }
    }
    words
}

#[test]
fn names_fall_into_words() {
    assert_eq!(words("DiskFull"), ["disk", "full"]);
    assert_eq!(words("disk_full"), ["disk", "full"]);
}
