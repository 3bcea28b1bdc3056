//! The parts of a task that stand by themselves: its name, its needs and join, its folder, its variables.
//! Never: what it does (`build.rs`).

use std::collections::{BTreeMap, BTreeSet};

use super::Join;
use super::diagnostic::{Code, Findings, Mark};
use super::file::CheckDir;
use super::graph;
use super::node::{Entry, Node, Tree};
use super::secrets::masked;
use crate::id::TaskId;
use crate::template::{Template, nearest};

/// The needs of a task, as places.
pub(super) struct Needs {
    /// In the order of the file.
    pub(super) places: Vec<usize>,
    /// In their own order, to look one up among many.
    pub(super) sorted: Vec<usize>,
    /// How many were written, those that don't exist included.
    written: usize,
}

/// Reports a name outside the pattern.
pub(super) fn check_name(entry: &Entry<'_>, findings: &mut Findings) {
    if findings.is_full() || TaskId::is_name(&entry.key) {
        return;
    }
    let message = if entry.key.len() > TaskId::NAME_BYTES_MAX {
        format!("the name of a task has at most {} characters", TaskId::NAME_BYTES_MAX)
    } else {
        format!("`{}` can't be the name of a task", entry.key)
    };
    let hint = "names are letters, digits, `_` and `-`, and begin with a letter or `_`";
    findings.error(Code::BadName, entry.at, message, Some(hint.to_owned()));
}

/// Reports a task that does not exist.
pub(super) fn no_such_task(name: &str, at: Mark, places: &BTreeMap<&str, usize>, findings: &mut Findings) {
    let near = nearest(name, places.keys().copied()).map(|near| format!("did you mean `{near}`?"));
    findings.error(Code::MissingNeed, at, format!("there is no task `{name}`"), near);
}

/// Looks up the needs of one task after the other.
pub(super) struct Needing<'n> {
    places: &'n BTreeMap<&'n str, usize>,
    /// For each task, who named it last: a number that no other has.
    named_by: Vec<usize>,
}

impl<'n> Needing<'n> {
    pub(super) fn new(places: &'n BTreeMap<&'n str, usize>) -> Self {
        Self { places, named_by: vec![0; places.len()] }
    }

    /// The needs of the task at a place.
    pub(super) fn of(&mut self, own: usize, entry: &Entry<'_>, findings: &mut Findings) -> Needs {
        let items = entry.value.get("needs").map(Node::items).unwrap_or_default();
        let mut found: Vec<usize> = Vec::with_capacity(items.len());
        let mut unknown = BTreeSet::new();
        for item in items {
            let Some(name) = item.text() else { continue };
            let place = self.places.get(name).copied();
            let is_again = match place {
                Some(place) => std::mem::replace(&mut self.named_by[place], own + 1) == own + 1,
                None => !findings.is_full() && !unknown.insert(name),
            };
            match place {
                Some(place) if !is_again && place != own => found.push(place),
                _ if findings.is_full() => {}
                _ if is_again => {
                    let message = format!("`{}` needs `{name}` twice", entry.key);
                    findings.error(Code::DuplicateKey, item.at, message, Some("name it once".to_owned()));
                }
                Some(_) => {
                    let hint = "leave it out; what is done again and again is `retry`".to_owned();
                    findings.error(Code::SelfNeed, item.at, format!("`{name}` needs itself"), Some(hint));
                }
                None => no_such_task(name, item.at, self.places, findings),
            }
        }
        let mut sorted = found.clone();
        sorted.sort_unstable();
        Needs { places: found, sorted, written: items.len() }
    }
}

/// Reports circles; true if there are none.
pub(super) fn check_cycles(entries: &[Entry<'_>], needs: &[Vec<usize>], findings: &mut Findings) -> bool {
    let cycles = graph::cycles(needs);
    for cycle in &cycles {
        if findings.is_full() {
            break;
        }
        let name = |place: &usize| entries[*place].key.as_ref();
        let shown: Vec<&str> = if cycle.len() <= 12 {
            cycle.iter().chain(cycle.first()).map(name).collect()
        } else {
            let (first, last) = (cycle.iter().take(8), cycle.iter().rev().take(2).rev());
            first.map(name).chain(["…"]).chain(last.map(name)).chain(cycle.first().map(name)).collect()
        };
        let message = format!("these tasks wait for each other: {}", shown.join(" needs "));
        let owner = &entries[cycle[0]];
        let next = cycle.get(1).map_or(owner.key.as_ref(), name);
        let items = owner.value.get("needs").map(Node::items).unwrap_or_default();
        let at = items.iter().find(|item| item.text() == Some(next)).map_or(owner.at, |item| item.at);
        let hint = "take one of these needs away".to_owned();
        findings.error(Code::Cycle, at, message, Some(hint));
    }
    cycles.is_empty()
}

/// How many needs must have succeeded.
pub(super) fn join(node: &Node<'_>, needs: &Needs, findings: &mut Findings) -> Join {
    let Some(written) = node.get("join") else { return Join::All };
    let wanted = match &written.tree {
        Tree::Text(word) if word == "any" => 1,
        Tree::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or(0),
        Tree::Null | Tree::Bool(_) | Tree::Text(_) | Tree::List(_) | Tree::Map(_) => return Join::All,
    };
    if wanted as usize > needs.written {
        let have = match needs.written {
            0 => "it has no needs".to_owned(),
            1 => "it has one need".to_owned(),
            many => format!("it has {many} needs"),
        };
        let hint = "a `join` counts the tasks under `needs` that succeeded".to_owned();
        findings.error(Code::BadJoin, written.at, format!("`join` wants {wanted}, and {have}"), Some(hint));
    }
    Join::AtLeast(wanted)
}

/// Whether a flag is set.
pub(super) fn is_true(node: Option<&Node<'_>>) -> bool {
    matches!(node.map(|node| &node.tree), Some(Tree::Bool(true)))
}

/// Whether what a join was met without is cancelled.
pub(super) fn cancel_rest(node: &Node<'_>, join: Join, findings: &mut Findings) -> bool {
    let wanted = is_true(node.get("cancel_rest"));
    let place = node.entries().iter().find(|entry| entry.key == "cancel_rest");
    if let (true, Join::All, Some(entry)) = (wanted, join, place) {
        let hint = "say how many are enough, as in `join: any`, or leave `cancel_rest` out".to_owned();
        let message = "`cancel_rest` says something only beside a `join` that does not wait for all";
        findings.error(Code::BadValue, entry.at, message, Some(hint));
    }
    wanted
}

/// A condition, as a template.
pub(super) fn condition(key: &str, node: Option<&Node<'_>>, findings: &mut Findings) -> Option<Template> {
    let node = node?;
    match &node.tree {
        Tree::Bool(truth) => Some(Template(truth.to_string())),
        Tree::Text(text) => {
            let template = Template(text.clone().into_owned());
            let word = text.trim();
            if template.is_plain() && word != "true" && word != "false" {
                let hint = format!("an expression stands in braces: `\"{{{{ {} }}}}\"`", masked(word));
                let message = format!("`{key}` is a text that is neither true nor false");
                findings.error(Code::BadValue, node.at, message, Some(hint).filter(|hint| hint.len() < 120));
            }
            Some(template)
        }
        Tree::Null => Some(Template(false.to_string())),
        Tree::Number(_) | Tree::List(_) | Tree::Map(_) => None,
    }
}

/// Reports a folder outside the run's.
pub(super) fn check_dir(node: &Node<'_>, look: Option<&CheckDir<'_>>, findings: &mut Findings) {
    let Some((dir, text)) = node.get("dir").and_then(|dir| Some((dir, dir.text()?))) else { return };
    let why = if text.starts_with('/') {
        "is an absolute path".to_owned()
    } else if text.starts_with('~') {
        "begins with `~`, which only a shell knows".to_owned()
    } else if text.is_empty() {
        "is empty".to_owned()
    } else {
        let is_plain = Template(text.to_owned()).is_plain();
        match look.filter(|_| is_plain).map_or(Ok(false), |look| look(text)) {
            Err(why) => why,
            Ok(false) if leads_out(text) => "leads out of it".to_owned(),
            Ok(_) => return,
        }
    };
    let hint =
        "name a folder inside the one in which the run was started, as in `dir: crates/core`".to_owned();
    let message = format!("`dir` stays inside the run's folder, and `{text}` {why}");
    findings.error(Code::DirOutside, dir.at, message, Some(hint));
}

/// Whether a path leads out of the folder that it begins in, as it is written; links in it may lead it elsewhere, and so
/// may templates.
fn leads_out(path: &str) -> bool {
    let mut depth = 0_usize;
    path.split('/').take_while(|step| !step.contains("{{")).any(|step| match step {
        "" | "." => false,
        ".." if depth == 0 => true,
        ".." => {
            depth -= 1;
            false
        }
        _ => {
            depth += 1;
            false
        }
    })
}

/// Reports variables that can't be set.
pub(super) fn check_variables(node: &Node<'_>, findings: &mut Findings) {
    for entry in node.get("env").map(Node::entries).unwrap_or_default() {
        if findings.is_full() {
            return;
        }
        let mut bytes = entry.key.bytes();
        let is_name = bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name {
            let hint = "names are letters, digits and `_`, and begin with no digit".to_owned();
            let message = format!("`{}` can't be the name of a variable", entry.key);
            findings.error(Code::BadName, entry.at, message, Some(hint));
        } else if entry.key.starts_with("WINDLASS_") {
            let hint = "names that begin with WINDLASS_ are set by windlass itself".to_owned();
            findings.error(Code::BadName, entry.at, format!("`{}` can't be set", entry.key), Some(hint));
        }
    }
}
