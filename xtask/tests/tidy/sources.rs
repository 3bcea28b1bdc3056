//! Rules for every source: how long, how begun, what is never in it. Never: taste that rustfmt or clippy enforces.

use crate::text::{code, lines_with_word};
use crate::{Source, nothing_of, sources};

const LINES_MAX: usize = 600;

#[test]
fn no_rust_file_is_longer_than_600_lines() {
    let rust = sources().into_iter().filter(Source::is_rust);
    let long =
        rust.map(|source| (source.text.lines().count(), source.path)).filter(|(lines, _)| *lines > LINES_MAX);
    let found: Vec<String> = long.map(|(lines, path)| format!("{path}: {lines} lines")).collect();
    nothing_of(&found, "Split the file by concept.");
}

#[test]
fn every_rust_file_begins_by_saying_what_it_is() {
    let rust = sources().into_iter().filter(Source::is_rust);
    let found: Vec<String> =
        rust.filter(|source| !source.text.starts_with("//! ")).map(|source| source.path).collect();
    nothing_of(&found, "Begin it with `//!`: what it is, and what it must never do.");
}

#[test]
fn nothing_is_left_to_be_written_later() {
    let mut found = Vec::new();
    for source in sources().into_iter().filter(Source::is_rust) {
        for mark in [concat!("to", "do!"), concat!("unimplem", "ented!")] {
            let lines = source.text.lines().enumerate().filter(|(_, line)| line.contains(mark));
            found.extend(lines.map(|(index, _)| format!("{}:{}: {mark}", source.path, index + 1)));
        }
    }
    nothing_of(&found, "Write it, or refuse it with a message that says so.");
}

#[test]
fn no_test_sleeps() {
    let mut found = Vec::new();
    for source in sources().into_iter().filter(Source::is_rust) {
        // It shows how steps of the scripted agent are read.
        if source.path == "crates/worker/src/adapter/script.rs" {
            continue;
        }
        let tests_begin = if source.is_test() { Some(0) } else { source.text.find("#[cfg(test)]") };
        let Some(from) = tests_begin else { continue };
        let before = source.text[..from].lines().count();
        let tests = code_of_tests(&source.text[from..]);
        let lines = tests.lines().enumerate();
        let lines =
            lines.filter(|(_, line)| line.contains(concat!("thread::", "sleep")) || has_short_sleep(line));
        found.extend(lines.map(|(index, _)| format!("{}:{}", source.path, before + index + 1)));
    }
    nothing_of(&found, "Wait for what you wait for: a line, an exit, an event, a closed pipe.");
}

/// Whether something waits for less than 100 seconds in a piece of shell. What sleeps longer is to be ended.
fn has_short_sleep(line: &str) -> bool {
    line.match_indices("sleep ").any(|(at, word)| {
        let length: String =
            line[at + word.len()..].chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        length.parse::<f64>().is_ok_and(|seconds| seconds < 100.0)
    })
}

/// Comments off; what follows a `#[cfg(test)]` stays.
fn code_of_tests(text: &str) -> String {
    text.lines().map(code).collect()
}

#[test]
fn no_text_names_a_folder_of_the_machine_it_was_written_on() {
    let mut found = Vec::new();
    for source in sources() {
        for (index, line) in source.text.lines().enumerate() {
            for folder in [
                concat!("/wo", "rk/"),
                concat!("/ro", "ot/"),
                concat!("/scr", "atch/"),
                concat!("/Us", "ers/"),
            ] {
                let begins_there = |at: usize| {
                    !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-}*~)>".contains(c))
                };
                if line.match_indices(folder).any(|(at, _)| begins_there(at)) {
                    found.push(format!("{}:{}: {folder}", source.path, index + 1));
                }
            }
        }
    }
    nothing_of(&found, "Paths in the repository are relative, or made by the test that uses them.");
}

#[test]
fn types_are_imported_from_the_module_that_defines_them() {
    let mut found = Vec::new();
    for source in sources().into_iter().filter(|source| source.ships() && !source.path.ends_with("/lib.rs")) {
        for (index, line) in code(&source.text).lines().enumerate() {
            let through_the_top = line.match_indices("crate::").any(|(at, start)| {
                let before = &line[..at];
                let next = line[at + start.len()..].chars().next();
                !before.ends_with('$') && next.is_some_and(|letter| letter.is_ascii_uppercase())
            });
            if through_the_top {
                found.push(format!("{}:{}: {}", source.path, index + 1, line.trim()));
            }
        }
    }
    nothing_of(
        &found,
        "Write crate::event::Event, not crate::Event: imports through lib.rs are what makes cycles.",
    );
}

#[test]
fn no_lint_is_switched_off_without_a_reason() {
    let mut found = Vec::new();
    for source in sources().into_iter().filter(Source::is_rust) {
        for attribute in [concat!("#[", "allow("), concat!("#![", "allow(")] {
            let lines =
                source.text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with(attribute));
            found.extend(lines.map(|(index, _)| format!("{}:{}", source.path, index + 1)));
        }
    }
    nothing_of(&found, "Write #[expect(lint, reason = \"…\")]: it goes away when it is no longer needed.");
}

#[test]
fn no_stray_marks_of_a_merge_or_a_debugger() {
    let mut found = Vec::new();
    for source in sources().into_iter().filter(Source::is_rust) {
        let merge = source
            .text
            .lines()
            .enumerate()
            .filter(|(_, line)| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> "));
        found.extend(merge.map(|(index, _)| format!("{}:{}", source.path, index + 1)));
        let debugger =
            if source.path.starts_with("xtask/") { Vec::new() } else { lines_with_word(&source.text, "dbg") };
        found.extend(debugger.into_iter().map(|line| format!("{}:{line}", source.path)));
    }
    nothing_of(&found, "Take them out.");
}
