//! What a template refers to: which inputs, which tasks and which parts of their outputs.
//! Never: finding that out (`reader.rs` does).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::TemplateError;

/// A step from a value to a part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The field, or the item at this number.
    Key(String),
    /// Any item: the template goes through all, or computes which.
    Any,
}

/// What a template uses of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskUse {
    /// Its state.
    pub state: bool,
    /// The parts of its output whose content is needed; the empty path is the whole.
    pub parts: BTreeSet<Vec<Step>>,
    /// The parts that stand in a prompt by themselves: where one is the whole of an output, a placeholder will do.
    pub shown: BTreeSet<Vec<Step>>,
}

impl TaskUse {
    /// What is used of a task of this name in a sub-plan, whose output is in so many lists.
    #[must_use]
    pub fn inside(&self, lists: usize, name: &str) -> Self {
        let behind = |path: &Vec<Step>| match path.get(lists) {
            Some(Step::Key(key)) if key != name => None,
            Some(Step::Key(_) | Step::Any) => Some(path[lists + 1..].to_vec()),
            None => Some(Vec::new()),
        };
        // What takes the output as a whole takes that of each task.
        let whole = self.shown.iter().filter(|path| path.len() <= lists).map(|_| Vec::new());
        let parts = self.parts.iter().filter_map(behind).chain(whole).collect();
        let shown = self.shown.iter().filter(|path| path.len() > lists).filter_map(behind).collect();
        Self { state: self.state, parts, shown }
    }

    /// The JSON pointers to cut out of what an attempt of the task gives, which is in so many lists of its output.
    /// Those within others are left out; the empty one is the whole.
    pub fn pointers(&self, lists: usize) -> BTreeSet<String> {
        let mut pointers = BTreeSet::new();
        for (path, shown) in
            self.parts.iter().map(|path| (path, false)).chain(self.shown.iter().map(|path| (path, true)))
        {
            let is_list_of_children = path.len() < lists;
            let path = path.get(lists..).unwrap_or_default();
            if shown && path.is_empty() && !is_list_of_children {
                continue;
            }
            let known = path.iter().map_while(|step| match step {
                Step::Key(key) => Some(pointer_step(key)),
                Step::Any => None,
            });
            pointers.insert(known.collect::<String>());
        }
        let within =
            |pointer: &String| pointer.match_indices('/').any(|(at, _)| pointers.contains(&pointer[..at]));
        pointers.iter().filter(|pointer| !within(pointer)).cloned().collect()
    }
}

/// A key as a step of a JSON pointer.
pub(super) fn pointer_step(key: &str) -> String {
    let mut step = String::with_capacity(key.len() + 1);
    step.push('/');
    for letter in key.chars() {
        match letter {
            '~' => step.push_str("~0"),
            '/' => step.push_str("~1"),
            other => step.push(other),
        }
    }
    step
}

/// A name that a template uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// An input.
    Input(String),
    /// A task.
    Task(String),
    /// The item of a `for_each`.
    Item,
    /// The number of a child.
    Index,
    /// The number of the attempt.
    Attempt,
    /// The findings about the attempt before.
    Feedback,
    /// What a message says.
    Data,
}

/// Where a template uses a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The name.
    pub name: Name,
    /// Where, in bytes of the template's source.
    pub range: Range<usize>,
}

/// An output, or the output of a child, that stands in a text by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InText {
    /// The task.
    pub(super) task: String,
    /// The steps to the child.
    pub(super) path: Vec<Step>,
    /// Where, in bytes of the source that the engine is given.
    pub(super) range: Range<usize>,
}

/// All that a template refers to.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "one for each name that is there or not")]
pub struct References {
    /// The inputs it names.
    pub inputs: BTreeSet<String>,
    /// Whether it takes the inputs as a whole.
    pub every_input: bool,
    /// What it uses of which task.
    pub tasks: BTreeMap<String, TaskUse>,
    /// Whether it uses `item`.
    pub item: bool,
    /// Whether it uses `index`.
    pub index: bool,
    /// Whether it uses `attempt`.
    pub attempt: bool,
    /// Whether it uses `feedback`.
    pub feedback: bool,
    /// Whether it uses `data`.
    pub data: bool,
    /// Whether it uses `plan.dir`.
    pub plan_dir: bool,
    /// Whether it uses `run.id`.
    pub run_id: bool,
    /// Whether it keeps rendered text in variables or passes it through filters.
    pub captures: bool,
    /// The chains that begin at a variable of ours and must be defined, in bytes of the source that the engine is given.
    pub(super) chains: Vec<Range<usize>>,
    /// The outputs that stand in a text by themselves.
    pub(super) in_text: Vec<InText>,
    /// Every use with its place, in order.
    pub uses: Vec<Use>,
    /// What is wrong whatever the plan is: unknown variables, filters, tests.
    pub problems: Vec<TemplateError>,
}
