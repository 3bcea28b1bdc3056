//! The table of who depends on whom, and what may never be in the tree of crates.
//! Never: an edge that points up.

use std::collections::BTreeMap;
use std::fs;

use crate::{nothing_of, workspace};

/// Each crate with the crates of the workspace that it builds on. ARCHITECTURE.md says what each is.
const EDGES: [(&str, &[&str]); 9] = [
    ("crates/core", &[]),
    ("crates/journal", &["windlass-core"]),
    ("crates/worker", &["windlass-core"]),
    ("crates/engine", &["windlass-core", "windlass-journal", "windlass-worker"]),
    ("crates/windlass", &["windlass-core", "windlass-engine", "windlass-worker"]),
    ("sim", &["windlass-core", "windlass-engine", "windlass-journal"]),
    ("bench", &["windlass-core"]),
    ("xtask", &[]),
    ("examples/embed", &["windlass-engine"]),
];

/// Crates that need a C library of the system, a large C build, or code that is not looked after any more.
const BANNED: [&str; 8] =
    ["openssl-sys", "aws-lc-sys", "aws-lc-rs", "native-tls", "cmake", "bindgen", "serde_yaml", "serde_yml"];

fn manifest(folder: &str) -> String {
    let path = workspace().join(folder).join("Cargo.toml");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names under `[dependencies]`.
fn dependencies(manifest: &str) -> Vec<&str> {
    let lines = manifest.lines().skip_while(|line| line.trim() != "[dependencies]").skip(1);
    let section = lines.take_while(|line| !line.starts_with('['));
    section.filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|name| !name.is_empty()).collect()
}

#[test]
fn the_workspace_has_exactly_the_edges_of_the_table() {
    let mut found = Vec::new();
    for (folder, expected) in EDGES {
        let manifest = manifest(folder);
        let mut edges = dependencies(&manifest);
        edges.retain(|name| name.starts_with("windlass"));
        edges.sort_unstable();
        if edges != expected {
            found.push(format!("{folder} builds on {edges:?}, the table says {expected:?}"));
        }
    }
    nothing_of(
        &found,
        "Dependencies point down only; a new edge is a decision: this table and ARCHITECTURE.md.",
    );
}

#[test]
fn every_member_is_in_the_table_and_takes_the_lints_of_the_workspace() {
    let root = manifest(".");
    let (_, rest) = root.split_once("members = [").expect("the workspace has members");
    let (members, _) = rest.split_once(']').expect("the list ends");
    let names = members.split(',').map(|name| name.trim().trim_matches('"')).filter(|name| !name.is_empty());
    let known: BTreeMap<&str, &[&str]> = EDGES.into_iter().collect();
    let mut found = Vec::new();
    for name in names {
        if !known.contains_key(name) {
            found.push(format!("{name} is a member and not in the table"));
        }
        if !manifest(name).contains("[lints]\nworkspace = true") {
            found.push(format!("{name} has lints of its own"));
        }
    }
    nothing_of(&found, "Give it a row in EDGES, and `[lints] workspace = true`.");
}

#[test]
fn no_banned_crate_is_in_the_tree() {
    let lock = fs::read_to_string(workspace().join("Cargo.lock")).expect("Cargo.lock is kept");
    let is_locked = |name: &&&str| lock.contains(&format!("name = \"{name}\"\n"));
    let found: Vec<String> = BANNED.iter().filter(is_locked).map(|name| (*name).to_owned()).collect();
    nothing_of(
        &found,
        "See which feature brings it (`cargo tree -i NAME`) and turn that off; deny.toml says why.",
    );
}
