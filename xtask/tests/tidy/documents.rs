//! The documents hold: links lead somewhere, tables name everything that is in the code.
//! Never: judging prose.

use std::fs;

use crate::text::{fields, has_word, on_the_wire, variants};
use crate::{Source, nothing_of, sources, workspace};

#[test]
fn every_relative_link_leads_to_something() {
    let root = workspace();
    let mut found = Vec::new();
    for page in sources().iter().filter(|source| source.is_markdown()) {
        let folder = root.join(&page.path).parent().expect("a file has a folder").to_owned();
        for link in links(&page.text) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { root.join(&page.path) } else { folder.join(file) };
            let has_anchor = || fs::read_to_string(&target).is_ok_and(|text| has_heading(&text, anchor));
            if !target.exists() || !(anchor.is_empty() || has_anchor()) {
                found.push(format!("{}: {link}", page.path));
            }
        }
    }
    nothing_of(&found, "Mend the link, or write the page it promises.");
}

/// Where links lead that stay in the repository. Code is passed over.
fn links(text: &str) -> Vec<&str> {
    let mut in_code = false;
    let prose = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    });
    let starts = prose.flat_map(|line| line.split("](").skip(1));
    let targets = starts.filter_map(|rest| rest.split([')', ' ']).next());
    targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:")).collect()
}

/// Whether a heading has this anchor, as GitHub makes them.
fn has_heading(text: &str, anchor: &str) -> bool {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| line.trim_start_matches('#').trim()).any(|heading| {
        let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        kept.collect::<String>().to_lowercase().replace(' ', "-") == anchor
    })
}

fn page(path: &str) -> Source {
    let text = fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    Source { path: path.to_owned(), text }
}

#[test]
fn links_and_headings_are_read_as_github_reads_them() {
    let text = "see [a](docs/a.md#two-words) and [b](https://x.y)\n```\n[no](no.md)\n```\n";
    assert_eq!(links(text), ["docs/a.md#two-words"]);
    assert!(has_heading("## Two words!\n", "two-words"));
}

/// What the book leaves out: its own table of contents, and what is being built.
const NO_CHAPTERS: [&str; 2] = ["docs/SUMMARY.md", "docs/plan.md"];

#[test]
fn every_page_is_in_the_book_under_its_own_title() {
    let summary = page("docs/SUMMARY.md").text;
    let pages =
        sources().into_iter().filter(|source| source.is_markdown() && source.path.starts_with("docs/"));
    let chapters = pages.filter(|source| !NO_CHAPTERS.contains(&source.path.as_str()));
    let entry = |source: &Source| {
        let title = source.text.lines().next().unwrap_or_default().trim_start_matches("# ").to_owned();
        format!("[{title}]({})", source.path.trim_start_matches("docs/"))
    };
    let found: Vec<String> =
        chapters.map(|source| entry(&source)).filter(|entry| !summary.contains(entry.as_str())).collect();
    nothing_of(&found, "Give it a line in docs/SUMMARY.md.");
}

#[test]
fn the_table_of_effects_has_a_row_for_each() {
    let architecture = page("ARCHITECTURE.md");
    let mut found = Vec::new();
    for effect in variants(&page("crates/core/src/effect.rs").text, "Effect") {
        let name = format!("| `{effect}` |");
        let row = architecture.text.lines().find(|line| line.starts_with(&name));
        let cells = row.map_or(0, |row| row.split('|').filter(|cell| !cell.trim().is_empty()).count());
        if cells != 4 {
            found.push(format!("{effect}: {cells} of 4 columns"));
        }
    }
    nothing_of(
        &found,
        "Each effect says who asks for it, how its outcome is learned after a crash, what settles it.",
    );
}

/// Fields that every event has where it belongs to something, and what is never written.
const OF_ALL: [&str; 4] = ["run", "task", "attempt", "hydrated"];

#[test]
fn every_event_is_described_with_its_fields() {
    let reference = page("docs/reference/events.md").text;
    let source = page("crates/core/src/event/mod.rs").text;
    let mut found = Vec::new();
    for variant in variants(&source, "Event") {
        let start = format!("| `{}` |", on_the_wire(&variant));
        let mut expected = fields(&source, "Event", &variant);
        expected.retain(|field| !OF_ALL.contains(&field.as_str()));
        let row = reference.lines().find(|line| line.starts_with(&start)).unwrap_or("");
        let described = row.trim_end_matches(" |").rsplit("| ").next().unwrap_or_default();
        let mut told = in_backticks(&without_parentheses(described));
        told.retain(|field| !OF_ALL.contains(&field.as_str()));
        if row.is_empty() || told != expected {
            found.push(format!("{start} has {expected:?}, the page says {told:?}"));
        }
    }
    nothing_of(
        &found,
        "Give each a row in docs/reference/events.md: what happened, and its fields in their order.",
    );
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0_i32;
    let outside = |letter: &char| {
        depth += i32::from(*letter == '(');
        let kept = depth == 0;
        depth -= i32::from(*letter == ')');
        kept
    };
    text.chars().filter(outside).collect()
}

fn in_backticks(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_kind_of_error_is_described() {
    let reference = page("docs/reference/errors.md").text;
    let kinds = variants(&page("crates/core/src/failure.rs").text, "ErrorKind");
    let found: Vec<String> = kinds
        .into_iter()
        .map(|name| on_the_wire(&name))
        .filter(|name| !reference.contains(&format!("| `{name}` |")))
        .collect();
    nothing_of(&found, "Give each a row in docs/reference/errors.md.");
}

#[test]
fn the_architecture_is_read_in_a_quarter_of_an_hour() {
    let lines = page("ARCHITECTURE.md").text.lines().count();
    assert!(lines <= 250, "ARCHITECTURE.md has {lines} lines, 250 are enough: move details to docs/design/.");
}

#[test]
fn every_key_of_a_plan_that_is_built_is_described() {
    let reference = page("docs/reference/plan.md").text;
    let language = page("crates/core/src/plan/language.rs").text;
    let mut found = Vec::new();
    for table in ["PLAN", "TASK", "AGENT", "DEFAULTS", "LIMITS", "TIMEOUT", "RETRY", "INPUT"] {
        let start = format!("static {table}: Shape = Shape {{");
        let (_, rest) = language.split_once(&start).unwrap_or_else(|| panic!("no table {table}"));
        let (body, _) = rest.split_once("\n};").expect("a table ends");
        let built = ["key(\"", "must(\""].into_iter().flat_map(|start| body.split(start).skip(1));
        let keys = built.filter_map(|rest| rest.split('"').next()).filter(|key| *key != "$schema");
        found.extend(keys.filter(|key| !names(&reference, key)).map(|key| format!("{table}: {key}")));
    }
    nothing_of(&found, "Describe it in docs/reference/plan.md.");
}

/// Whether a page has a name in code: by itself or within a list such as `{ text, show: [tasks] }`.
fn names(page: &str, name: &str) -> bool {
    in_backticks(page).iter().any(|code| has_word(code, name))
}

#[test]
fn every_test_that_the_readme_names_is_there() {
    let readme = page("README.md").text;
    let tests: String = sources().into_iter().filter(Source::is_rust).map(|source| source.text).collect();
    let is_name = |name: &String| {
        name.matches('_').count() > 1 && !name.contains(|c: char| !c.is_alphanumeric() && c != '_')
    };
    let named: Vec<String> = in_backticks(&readme).into_iter().filter(is_name).collect();
    assert!(!named.is_empty(), "the README shows each claim by a test");
    let found: Vec<String> =
        named.into_iter().filter(|name| !tests.contains(&format!("fn {name}("))).collect();
    nothing_of(&found, "A claim without its test is to be taken out, or shown by another.");
}

#[test]
fn every_file_that_the_architecture_names_is_there() {
    let architecture = page("ARCHITECTURE.md").text;
    let paths: Vec<String> = sources().into_iter().map(|source| source.path).collect();
    let is_there = |name: &str| match name.strip_suffix('/') {
        Some(folder) => paths.iter().any(|path| path.contains(&format!("{folder}/"))),
        None => paths.iter().any(|path| path == name || path.ends_with(&format!("/{name}"))),
    };
    let is_file =
        |name: &String| Source { path: name.clone(), text: String::new() }.is_rust() || name.ends_with('/');
    let named = in_backticks(&architecture).into_iter().filter(|name| !name.contains([' ', '{', '(']));
    let found: Vec<String> = named.filter(is_file).filter(|name| !is_there(name)).collect();
    nothing_of(&found, "Name the file that it is now.");
}
