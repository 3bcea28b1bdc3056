//! The house rules, each a test that names the place where it is broken. They read the sources as text.
//! Never: a rule that a person can't follow from its message.

mod documents;
mod names;
mod sources;
mod storeys;
mod text;
mod walls;
mod workspace;

use std::fs;
use std::path::{Path, PathBuf};

/// A file of the workspace, read as text.
struct Source {
    /// Its path from the workspace's folder, with slashes.
    path: String,
    text: String,
}

impl Source {
    fn is_rust(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|ending| ending == "rs")
    }

    fn is_markdown(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|ending| ending == "md")
    }

    /// Whether it is part of a program that ships.
    fn ships(&self) -> bool {
        self.is_rust() && self.path.starts_with("crates/") && self.path.contains("/src/")
    }

    /// Whether all of it is test.
    fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs")
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace's folder").to_owned()
}

/// Every text file of the workspace but what is built or belongs to git, in a stable order.
fn sources() -> Vec<Source> {
    let root = workspace();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the workspace can be read") {
            let path = entry.expect("an entry of a folder can be read").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_symlink() || name == ".git" || name == "target" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = fs::read_to_string(&path) {
                let within = path.strip_prefix(&root).expect("found below it");
                found.push(Source { path: within.to_string_lossy().replace('\\', "/"), text });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// Fails with all that was found, a line each, and the way out.
#[track_caller]
fn nothing_of(found: &[String], way_out: &str) {
    assert!(found.is_empty(), "\n  {}\n{way_out}\n", found.join("\n  "));
}
