//! What templates of a plan may name, and which parts of outputs they need. Never: rendering.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;

use super::diagnostic::{Code, Findings, Mark};
use super::graph;
use super::node::{Node, Tree};
use crate::template::{Name, Purpose, References, Step, TaskUse, Template, TemplateError, nearest};

/// Where a template stands in its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// Before there are children or attempts: `when`, `for_each`.
    Before,
    /// After a round: `repeat`.
    Between,
    /// In what is shown to a person: `approval`.
    Shown,
    /// In what looks at a message: `match`.
    Match,
    /// In what an attempt is made of.
    Attempt,
    /// In an attempt's line of shell.
    Shell,
    /// In an attempt's prompt.
    Prompt,
}

/// The names that templates of a plan can use.
pub(super) struct Names<'n> {
    pub(super) tasks: &'n BTreeMap<&'n str, usize>,
    pub(super) inputs: &'n BTreeMap<String, Value>,
}

/// A task whose templates are looked at.
#[derive(Clone, Copy)]
pub(super) struct Owner<'o> {
    pub(super) place: usize,
    pub(super) name: &'o str,
    /// What it needs, in order.
    pub(super) needs: &'o [usize],
    /// It has `for_each`.
    pub(super) has_items: bool,
    /// It has a modifier that makes children.
    pub(super) has_children: bool,
    /// It has `repeat`.
    pub(super) has_rounds: bool,
}

impl Owner<'_> {
    /// Whether the task needs that at a place.
    pub(super) fn needs(&self, place: usize) -> bool {
        self.needs.binary_search(&place).is_ok()
    }
}

/// A template with where it stands in the file.
#[derive(Clone)]
struct Written {
    at: Mark,
    source: String,
}

/// A reference to a task that is no direct need.
struct Distant {
    who: usize,
    whom: usize,
    template: usize,
    range: Range<usize>,
}

/// Looks at the templates of a plan, one after the other.
pub(super) struct Templates<'n> {
    text: &'n str,
    names: Names<'n>,
    /// References to tasks that are no direct needs.
    distant: Vec<Distant>,
    /// The templates that hold them.
    sources: Vec<Written>,
    uses: BTreeMap<usize, TaskUse>,
}

impl<'n> Templates<'n> {
    pub(super) fn new(text: &'n str, names: Names<'n>) -> Self {
        Self { text, names, distant: Vec::new(), sources: Vec::new(), uses: BTreeMap::new() }
    }

    /// Looks at the texts in a value.
    pub(super) fn within(&mut self, node: &Node<'_>, spot: Spot, owner: Owner<'_>, findings: &mut Findings) {
        match &node.tree {
            Tree::Text(_) => self.template(node, spot, owner, findings),
            Tree::List(items) => {
                for item in items {
                    self.within(item, spot, owner, findings);
                }
            }
            Tree::Map(entries) => {
                for entry in entries {
                    self.within(&entry.value, spot, owner, findings);
                }
            }
            Tree::Null | Tree::Bool(_) | Tree::Number(_) => {}
        }
    }

    /// Looks at one template.
    pub(super) fn template(
        &mut self,
        node: &Node<'_>,
        spot: Spot,
        owner: Owner<'_>,
        findings: &mut Findings,
    ) {
        let Some(source) = node.text().filter(|text| text.contains('{') && !findings.is_full()) else {
            return;
        };
        let place = match spot {
            Spot::Prompt => Purpose::Prompt,
            Spot::Shell => Purpose::Shell,
            Spot::Before | Spot::Between | Spot::Shown | Spot::Match | Spot::Attempt => Purpose::Content,
        };
        let template = Template(source.to_owned());
        let references = template.references(place);
        let written = Written { at: node.at, source: template.0 };
        match references {
            Ok(references) => self.references(&references, written, (spot, owner), findings),
            Err(error) => self.report(&error, &written, findings),
        }
    }

    fn references(
        &mut self,
        references: &References,
        written: Written,
        (spot, owner): (Spot, Owner<'_>),
        findings: &mut Findings,
    ) {
        for problem in &references.problems {
            self.report(problem, &written, findings);
        }
        let before = self.distant.len();
        for used in &references.uses {
            let wrong = if let Name::Task(name) = &used.name {
                self.task(name, &used.range, (spot, owner))
            } else {
                self.wrong(&used.name, spot, owner)
            };
            if let (Some((message, hint)), false) = (wrong, findings.is_full()) {
                let at = written.locate(&used.range, self.text);
                findings.error(Code::BadTemplate, at, message, hint);
            }
        }
        for (name, used) in &references.tasks {
            if let Some(place) = self.names.tasks.get(name.as_str()) {
                // A round sees another round of the same list's item.
                let around = usize::from(*place == owner.place && owner.has_items);
                let inside = |path: &Vec<Step>| [vec![Step::Any; around], path.clone()].concat();
                let all = self.uses.entry(*place).or_default();
                all.state |= used.state;
                all.parts.extend(used.parts.iter().map(inside));
                all.shown.extend(used.shown.iter().map(inside));
            }
        }
        if self.distant.len() > before {
            self.sources.push(written);
        }
    }

    fn report(&self, error: &TemplateError, written: &Written, findings: &mut Findings) {
        if !findings.is_full() {
            let at = written.locate(&error.range, self.text);
            findings.error(Code::BadTemplate, at, error.message.clone(), error.hint.clone());
        }
    }

    /// What is wrong with a reference to a task, as far as it can be told yet.
    fn task(&mut self, name: &str, range: &Range<usize>, (spot, owner): (Spot, Owner<'_>)) -> Option<Wrong> {
        match self.names.tasks.get(name) {
            // A round sees the one before it, and the condition that ends the rounds the last one.
            Some(place) if *place == owner.place && owner.has_rounds && spot != Spot::Before => None,
            Some(place) if *place == owner.place => {
                let hint = "its output is there only when it has ended".to_owned();
                Some((format!("the templates of `{name}` can't refer to `{name}` itself"), Some(hint)))
            }
            Some(place) if owner.needs(*place) => None,
            Some(place) => {
                let template = self.sources.len();
                self.distant.push(Distant { who: owner.place, whom: *place, template, range: range.clone() });
                None
            }
            None => {
                let near = nearest(name, self.names.tasks.keys().copied());
                let hint = near.map_or_else(
                    || Code::MissingNeed.hint().to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                Some((format!("there is no task `{name}`"), Some(hint)))
            }
        }
    }

    fn wrong(&self, name: &Name, spot: Spot, owner: Owner<'_>) -> Option<Wrong> {
        let in_attempt = matches!(spot, Spot::Attempt | Spot::Shell | Spot::Prompt);
        match name {
            Name::Input(input) if !self.names.inputs.contains_key(input) => {
                let near = nearest(input, self.names.inputs.keys().map(String::as_str));
                let hint = near.map_or_else(
                    || format!("declare it under `inputs`, as in `{input}: {{ type: string }}`"),
                    |near| format!("did you mean `{near}`?"),
                );
                Some((format!("there is no input `{input}`"), Some(hint)))
            }
            Name::Item if !owner.has_items || spot == Spot::Before => {
                Some(("there is no `item` here".to_owned(), Some(no_child(owner.has_items, "for_each"))))
            }
            Name::Index if !owner.has_children || spot == Spot::Before => {
                let hint = no_child(owner.has_children, "for_each`, `repeat` or `replicas");
                Some(("there is no `index` here".to_owned(), Some(hint)))
            }
            Name::Attempt | Name::Feedback if !in_attempt => {
                let word = if *name == Name::Attempt { "attempt" } else { "feedback" };
                let hint = "only what an attempt is made of can name it".to_owned();
                Some((format!("there is no `{word}` here"), Some(hint)))
            }
            Name::Data if spot != Spot::Match => {
                let hint = "only the `match` of a `wait_for` sees a message".to_owned();
                Some(("there is no `data` here".to_owned(), Some(hint)))
            }
            Name::Input(_)
            | Name::Task(_)
            | Name::Item
            | Name::Index
            | Name::Attempt
            | Name::Feedback
            | Name::Data => None,
        }
    }

    /// Reports references to tasks that may not have ended; the needs must be without circles.
    pub(super) fn check_distant(&self, needs: &[Vec<usize>], ids: &[&str], findings: &mut Findings) {
        let pairs: Vec<(usize, usize)> =
            self.distant.iter().map(|distant| (distant.who, distant.whom)).collect();
        let reversed: Vec<(usize, usize)> = pairs.iter().map(|(who, whom)| (*whom, *who)).collect();
        let answers = graph::descend(needs, &pairs).into_iter().zip(graph::descend(needs, &reversed));
        for (distant, (is_ancestor, is_descendant)) in self.distant.iter().zip(answers) {
            if !is_ancestor && !findings.is_full() {
                let (who, whom) = (ids[distant.who], ids[distant.whom]);
                let (message, hint) = if is_descendant {
                    (
                        format!("`{who}` refers to `{whom}`, which starts only after it"),
                        format!(
                            "take the reference out: `{whom}` needs `{who}`, so that the other way round would be a circle"
                        ),
                    )
                } else {
                    (
                        format!("`{who}` refers to `{whom}` without needing it"),
                        format!("add it: `needs: [{whom}]`; what is not needed may not have ended"),
                    )
                };
                let at = self.sources[distant.template].locate(&distant.range, self.text);
                findings.error(Code::BadTemplate, at, message, Some(hint));
            }
        }
    }

    /// What templates use of a task.
    pub(super) fn uses(&self, task: usize) -> Option<&TaskUse> {
        self.uses.get(&task)
    }

    /// The parts of a task's output that templates name; `lists` is in how many lists an attempt's output is.
    pub(super) fn pointers(&self, task: usize, lists: usize) -> Vec<String> {
        self.uses.get(&task).map_or_else(Vec::new, |used| used.pointers(lists).into_iter().collect())
    }
}

/// Why there is nothing here that only children have.
fn no_child(has_children: bool, makers: &str) -> String {
    if has_children {
        "`when` and `for_each` belong to the parent, before there are items".to_owned()
    } else {
        format!("only a task with `{makers}` has it")
    }
}

/// A message and a hint.
type Wrong = (String, Option<String>);

impl Written {
    /// The place in the file of a part of the template. A text in a file may be indented, folded or escaped; the part
    /// is looked for among the letters of the file, and if it is not found as it is, the whole text is the place.
    fn locate(&self, range: &Range<usize>, text: &str) -> Mark {
        let Some(part) = self.source.get(range.clone()).filter(|part| !part.is_empty()) else {
            return self.at;
        };
        let Some(written) = text.get(self.at.range()) else { return self.at };
        let before = self.source[..range.start].match_indices(part).count();
        written.match_indices(part).nth(before).map_or(self.at, |(at, _)| {
            let start = self.at.start as usize + at;
            Mark::new(start..start + part.len())
        })
    }
}
