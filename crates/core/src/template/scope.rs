//! What a template sees. Never: more of a run than the template names (a render costs the same in a plan of a
//! million tasks).

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use minijinja::Value as Live;
use minijinja::value::Serde;
use serde::Serialize;
use serde_json::Value;

use super::references::{InText, References, Step, TaskUse};
use super::values::{self, Large, Rounded, Sink};
use crate::exact;
use crate::output::Output;

/// What a template can see, asked for by name as it is needed.
pub trait Scope {
    /// The value of an input.
    fn input(&self, name: &str) -> Option<&Value>;
    /// All inputs.
    fn inputs(&self) -> &BTreeMap<String, Value>;
    /// A task that has ended, by its name in the plan.
    fn task(&self, name: &str) -> Option<TaskSeen<'_>>;
    /// The item of a child of `for_each`.
    fn item(&self) -> Option<&Value> {
        None
    }
    /// The number of a child, from 0.
    fn index(&self) -> Option<u32> {
        None
    }
    /// The folder of the plan's file.
    fn plan_dir(&self) -> &str;
    /// The run's id.
    fn run_id(&self) -> &str;
    /// The number of the attempt; none where there is no attempt yet.
    fn attempt(&self) -> Option<u32> {
        None
    }
    /// What was wrong with the attempt before this one.
    fn feedback(&self) -> Option<&str> {
        None
    }
    /// What the message says that is looked at.
    fn message(&self) -> Option<&Value> {
        None
    }
}

/// A task as templates see it.
pub struct TaskSeen<'a> {
    /// Its state's name.
    pub state: &'a str,
    /// Its output.
    pub output: OutputSeen<'a>,
}

/// A task's output as templates see it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum OutputSeen<'a> {
    /// There is none: the task was skipped, or ended in another way without one.
    Null,
    /// That of the task itself.
    One(&'a Output),
    /// Those of its children, in order.
    List(Vec<OutputSeen<'a>>),
    /// Those of the tasks of a sub-plan, by their names.
    #[serde(serialize_with = "as_map")]
    Map(Vec<(&'a str, OutputSeen<'a>)>),
}

fn as_map<S: serde::Serializer>(fields: &[(&str, OutputSeen<'_>)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(fields.iter().map(|(name, output)| (name, output)))
}

/// The name under which the formatter finds what it needs; no template can write it.
pub(super) const SINK: &str = "\u{1}sink";

/// Where among the tasks the texts of outputs are that read as they were written; no task has such a name.
pub(super) const WRITTEN: &str = "\u{1}written";

/// The outputs that a template puts into a text and that read there as they were written: where in its source they
/// stand, in order, and their texts.
pub(super) fn written<'a>(references: &References, scope: &'a dyn Scope) -> Vec<(Range<usize>, &'a str)> {
    let text = |found: &InText| {
        let written = as_written(scope.task(&found.task)?.output, &found.path)?;
        Some((found.range.clone(), written))
    };
    let mut written: Vec<_> = references.in_text.iter().filter_map(text).collect();
    written.sort_unstable_by_key(|(range, _)| range.start);
    written.dedup();
    written
}

/// The numbers that a template sees otherwise than they were printed.
pub(super) fn rounded(references: &References, scope: &dyn Scope) -> Vec<Rounded> {
    let mut all = Vec::new();
    for name in references.tasks.keys() {
        if let Some(seen) = scope.task(name) {
            add_rounded(name, &seen.output, &mut all);
        }
    }
    all
}

fn add_rounded(task: &str, seen: &OutputSeen<'_>, all: &mut Vec<Rounded>) {
    match seen {
        OutputSeen::Null => {}
        OutputSeen::One(output) => {
            let written = output.written.as_ref().filter(|written| !exact::is_kept(written));
            all.extend(written.map(|written| Rounded {
                task: task.to_owned(),
                written: written.clone(),
                value: output.value.clone(),
            }));
        }
        OutputSeen::List(items) => items.iter().for_each(|item| add_rounded(task, item, all)),
        OutputSeen::Map(fields) => fields.iter().for_each(|(_, field)| add_rounded(task, field, all)),
    }
}

/// How an output, or that of a child, was written, where its value does not say it.
fn as_written<'a>(seen: OutputSeen<'a>, path: &[Step]) -> Option<&'a str> {
    match (seen, path) {
        (OutputSeen::One(output), []) => output.written.as_deref(),
        (OutputSeen::List(items), [Step::Key(place), rest @ ..]) => {
            as_written(items.into_iter().nth(place.parse().ok()?)?, rest)
        }
        (OutputSeen::Map(fields), [Step::Key(name), rest @ ..]) => {
            as_written(fields.into_iter().find(|(field, _)| field == name)?.1, rest)
        }
        _ => None,
    }
}

/// The variables that a template names, and no others.
pub(super) fn context(
    references: &References,
    scope: &dyn Scope,
    sink: &Arc<Sink>,
    written: Vec<Live>,
) -> Live {
    let mut names: BTreeMap<&'static str, Live> = BTreeMap::new();
    names.insert(SINK, Live::from_dyn_object(Arc::clone(sink)));
    if references.every_input {
        names.insert("inputs", Live::from(Serde(scope.inputs())));
    } else if !references.inputs.is_empty() {
        let input = |name: &String| Some((name.clone(), values::live(scope.input(name)?)));
        names.insert("inputs", Live::from_pairs(references.inputs.iter().filter_map(input)));
    }
    if !references.tasks.is_empty() {
        let task = |(name, used): (&String, &TaskUse)| {
            let seen = scope.task(name)?;
            let output = output((name, used), &seen.output, 0, sink);
            Some((name.clone(), Live::from_pairs([("output", output), ("state", Live::from(seen.state))])))
        };
        let written = (WRITTEN.to_owned(), Live::from(written));
        names.insert("tasks", Live::from_pairs(references.tasks.iter().filter_map(task).chain([written])));
    }
    if references.plan_dir {
        names.insert("plan", Live::from_pairs([("dir", Live::from(scope.plan_dir()))]));
    }
    if references.run_id {
        names.insert("run", Live::from_pairs([("id", Live::from(scope.run_id()))]));
    }
    if let (true, Some(item)) = (references.item, scope.item()) {
        names.insert("item", values::live(item));
    }
    if let (true, Some(index)) = (references.index, scope.index()) {
        names.insert("index", Live::from(index));
    }
    if let (true, Some(attempt)) = (references.attempt, scope.attempt()) {
        names.insert("attempt", Live::from(attempt));
    }
    if references.feedback {
        names.insert("feedback", scope.feedback().map_or_else(|| Live::from(()), Live::from));
    }
    if let (true, Some(data)) = (references.data, scope.message()) {
        names.insert("data", values::live(data));
    }
    Live::from_pairs(names)
}

/// An output that is in so many lists.
fn output((task, used): (&str, &TaskUse), seen: &OutputSeen<'_>, lists: usize, sink: &Arc<Sink>) -> Live {
    match seen {
        OutputSeen::Null => Live::from(()),
        OutputSeen::One(output) => one(task, used.pointers(lists).contains(""), output, sink),
        OutputSeen::List(items) => {
            let item = |seen: &OutputSeen<'_>| output((task, used), seen, lists + 1, sink);
            Live::from(items.iter().map(item).collect::<Vec<_>>())
        }
        OutputSeen::Map(fields) => Live::from_pairs(fields.iter().map(|(name, seen)| {
            let inside = used.inside(lists, name);
            ((*name).to_owned(), output((task, &inside), seen, 0, sink))
        })),
    }
}

/// One output; `whole` says that the template may need all of its content.
fn one(task: &str, whole: bool, output: &Output, sink: &Arc<Sink>) -> Live {
    if let Some(extract) = output.extracts.get("") {
        return values::live(extract);
    }
    if output.blob.is_none() && !output.truncated {
        return values::live(&output.value);
    }
    let large = Large::new(task, output.blob, Arc::new(output.extracts.clone()), Arc::clone(sink));
    if whole {
        large.need();
    }
    large.into_live()
}
