//! Plans within plans: their files, their inputs, and which parts of their outputs the plan around needs.
//! Never: reading files (whoever loads the plan gives a way to).

use std::collections::BTreeMap;

use serde_json::Value;

use super::build::Ground;
use super::diagnostic::{Code, Diagnostic, Findings, Mark, Remarks, Severity};
use super::file::{Loaded, Options, Source, load};
use super::inputs::{self, Declared};
use super::node::{Node, Tree};
use super::settings::Settings;
use super::{Limits, Plan, SubPlan, Work};
use crate::template::{TaskUse, nearest};

/// Where a sub-plan stands.
pub struct Around<'a> {
    /// The caps of the run.
    pub(super) limits: Limits,
    /// The level of its tasks; the run's own are level 1.
    pub(super) level: usize,
    /// The files around it, the outermost first.
    files: Vec<&'a str>,
}

/// A task that is a plan.
pub(super) struct Site<'s> {
    pub(super) owner: &'s str,
    pub(super) node: &'s Node<'s>,
    /// What names the file.
    pub(super) file: &'s Node<'s>,
    /// The level of its tasks.
    pub(super) level: usize,
}

/// What says something of attempts, which a task that is a plan has none of.
pub(super) const OF_ATTEMPTS: [&str; 12] = [
    "priority",
    "agent",
    "balance",
    "retry",
    "timeout",
    "rerun",
    "output",
    "env",
    "pass",
    "dir",
    "memory",
    "workspace",
];

/// What only the run's own plan can say.
const OF_RUNS: [&str; 6] = ["limits", "concurrency", "weight", "budget", "target", "nested"];

/// Reads the plan that a task is.
pub(super) fn read(site: &Site<'_>, ground: &Ground<'_>, findings: &mut Findings) -> Option<SubPlan> {
    let file = site.file.text()?;
    for entry in site.node.entries().iter().filter(|entry| OF_ATTEMPTS.contains(&entry.key.as_ref())) {
        let message = format!("`{}` says nothing beside `plan`", entry.key);
        let hint = "say it in the sub-plan, for its tasks or under its `defaults`".to_owned();
        findings.error(Code::BadValue, entry.at, message, Some(hint));
    }
    if file.contains("{{") {
        let hint = "name the file as it is: all of a plan is read before it starts".to_owned();
        findings.error(
            Code::BadValue,
            site.file.at,
            "the file of a sub-plan can't be an expression",
            Some(hint),
        );
        return None;
    }
    let Some(read) = ground.options.read else {
        let hint = "start it from a file".to_owned();
        findings.error(
            Code::BadValue,
            site.file.at,
            "there are no files to read sub-plans from here",
            Some(hint),
        );
        return None;
    };
    let text = match read(ground.options.dir, file) {
        Ok(text) => text,
        Err(why) => {
            let hint = "the path begins at the folder of the plan that names it".to_owned();
            let message = format!("the sub-plan `{file}` can't be read: {why}");
            findings.error(Code::BadValue, site.file.at, message, Some(hint));
            return None;
        }
    };
    let mut files =
        ground.options.around.map_or_else(|| vec![ground.options.file], |around| around.files.clone());
    if files.contains(&text.name.as_str()) {
        let message = format!("`{file}` is a sub-plan of itself");
        let hint = "a plan that goes on until something holds is `repeat`".to_owned();
        findings.error(Code::Cycle, site.file.at, message, Some(hint));
        return None;
    }
    files.push(&text.name);
    let around = Around { limits: ground.limits, level: site.level, files };
    let options = ground.options.below(&text.dir, &around);
    let source = Source { name: &text.name, text: &text.bytes, format: None };
    let agents = ground.agents.iter().map(|(name, (layer, _))| (name.clone(), layer.clone())).collect();
    let settings = Settings { agents, ..ground.settings.clone() };
    match load(&source, &settings, &BTreeMap::new(), &options) {
        Ok(loaded) => {
            let text = String::from_utf8_lossy(&text.bytes).into_owned();
            findings.beneath(Remarks { warnings: loaded.warnings.clone(), text });
            for remarks in &loaded.beneath {
                findings.beneath(remarks.clone());
            }
            Some(given(site, loaded, findings))
        }
        Err(diagnostics) => {
            refuse((file, site.file.at), &diagnostics, findings);
            None
        }
    }
}

/// Reports a sub-plan that is no good, by the first of its errors.
fn refuse((file, named): (&str, Mark), diagnostics: &[Diagnostic], findings: &mut Findings) {
    let errors: Vec<_> = diagnostics.iter().filter(|one| one.severity == Severity::Error).collect();
    let Some(first) = errors.first() else { return };
    let at = first.at.map(|at| format!(":{}:{}", at.line, at.column)).unwrap_or_default();
    let more = if errors.len() > 1 { format!(" (and {} more)", errors.len() - 1) } else { String::new() };
    let message = format!("the sub-plan `{file}` is no good: {file}{at}: {}{more}", first.message);
    let whole = "`windlass check` of that file shows all";
    let stop = if first.hint.ends_with('?') { "" } else { ";" };
    let hint = if first.hint.ends_with(whole) {
        first.hint.clone()
    } else {
        format!("{}{stop} {whole}", first.hint)
    };
    findings.error(Code::BadValue, named, message, Some(hint));
}

/// The plan with what the task gives it.
fn given(site: &Site<'_>, loaded: Loaded, findings: &mut Findings) -> SubPlan {
    let entries = site.node.get("inputs").map(Node::entries).unwrap_or_default();
    let mut inputs = BTreeMap::new();
    for entry in entries {
        let Some(declared) = loaded.declared.get(entry.key.as_ref()) else {
            let near = nearest(&entry.key, loaded.declared.keys().map(String::as_str));
            let hint = near.map_or_else(
                || "declare it under `inputs` of the sub-plan, or leave it out".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            let message = format!("the sub-plan of `{}` has no input `{}`", site.owner, entry.key);
            findings.error(Code::BadInput, entry.at, message, Some(hint));
            continue;
        };
        let value = entry.value.json();
        check_type(&entry.key, &value, (declared, entry.value.at), findings);
        inputs.insert(entry.key.clone().into_owned(), value);
    }
    for (name, declared) in &loaded.declared {
        if !declared.has_default && !inputs.contains_key(name) {
            let message = format!("the sub-plan of `{}` needs the input `{name}`", site.owner);
            let hint = format!("give it one: `inputs: {{ {name}: … }}`");
            findings.error(Code::BadInput, site.file.at, message, Some(hint));
        }
    }
    let types = loaded.declared.into_iter().map(|(name, declared)| (name, declared.kind)).collect();
    let file = site.file.text().unwrap_or_default().to_owned();
    SubPlan { file, plan: loaded.plan.into(), types, inputs }
}

/// A value that is written out must be of the declared type; one that is an expression is looked at when it is known.
fn check_type(name: &str, value: &Value, (declared, at): (&Declared, Mark), findings: &mut Findings) {
    let is_expression = value.as_str().is_some_and(|text| text.contains("{{") || text.contains("{%"));
    if !is_expression && !inputs::is(value, &declared.kind) {
        let message = format!("the input `{name}` of the sub-plan is of type {}", declared.kind);
        findings.error(Code::WrongType, at, message, Some("change the value, or the type".to_owned()));
    }
}

/// Warns of what a sub-plan says that counts for runs only.
pub(super) fn warn_unused(root: &Node<'_>, options: &Options<'_>, findings: &mut Findings) {
    if options.around.is_none() || !matches!(root.tree, Tree::Map(_)) {
        return;
    }
    for entry in root.entries().iter().filter(|entry| OF_RUNS.contains(&entry.key.as_ref())) {
        let message = format!("`{}` of a sub-plan counts only where it is run by itself", entry.key);
        let hint = "say it in the plan that is run".to_owned();
        findings.warning(Code::BadValue, entry.at, message, Some(hint));
    }
}

/// Lets the tasks of a sub-plan keep the parts of their outputs that the plan around needs.
pub(super) fn demand(plan: &mut Plan, used: &TaskUse, lists: usize) {
    for task in &mut plan.tasks {
        let (inside, inner) = (used.inside(lists, task.id.as_str()), task.lists());
        if let Work::Plan(sub) = &mut task.work {
            demand(std::sync::Arc::make_mut(&mut sub.plan), &inside, inner);
            continue;
        }
        let wanted = inside.pointers(inner);
        if wanted.is_empty() || task.extracts.iter().any(String::is_empty) {
            continue;
        }
        if wanted.contains("") {
            task.extracts = vec![String::new()];
            continue;
        }
        task.extracts.extend(wanted);
        task.extracts.sort();
        task.extracts.dedup();
    }
}

/// Lets the tasks of a sub-plan keep all of their outputs.
pub(super) fn demand_all(plan: &mut Plan) {
    for task in &mut plan.tasks {
        if let Work::Plan(sub) = &mut task.work {
            demand_all(std::sync::Arc::make_mut(&mut sub.plan));
        } else {
            task.extracts = vec![String::new()];
        }
    }
}
