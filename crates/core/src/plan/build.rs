//! From a tree that has been held against the tables to a plan: defaults laid under, names resolved. What the tables
//! have found wrong is passed over here without a word. Never: reporting a wrong type a second time.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::check::{Names, Owner, Spot, Templates};
use super::conform::Missing;
use super::diagnostic::{Code, Findings, Mark};
use super::file::Options;
use super::language::{TASK, WORKS};
use super::layers::{Defaults, count};
use super::node::{Entry, Node, Tree};
use super::pools::{Agents, Found, Known};
use super::secrets::masked;
use super::settings::Settings;
use super::subplans;
use super::tasks::{self, Needing, Needs};
use super::waits;
use super::{Agent, Budget, ForEach, Limits, Repeat, Replicas, Select, Task, Work, Workspace};
use crate::id::{AgentName, TaskId};
use crate::template::{Items, Template, nearest};

/// The keys that make children of a task.
const MODIFIERS: [&str; 4] = ["for_each", "repeat", "replicas", "plan"];

/// What tasks are made from.
pub(super) struct Ground<'g> {
    pub(super) text: &'g str,
    pub(super) defaults: Defaults,
    pub(super) agents: Known,
    pub(super) inputs: &'g BTreeMap<String, Value>,
    pub(super) limits: Limits,
    pub(super) settings: &'g Settings,
    pub(super) options: &'g Options<'g>,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Built {
    pub(super) tasks: Vec<Task>,
    pub(super) agents: BTreeMap<AgentName, Agent>,
    pub(super) missing: Missing,
    /// The prompt tasks that say nothing of their workspace.
    pub(super) anywhere: Vec<(String, Mark)>,
}

/// Makes the tasks of a plan.
pub(super) fn build(entries: &[Entry<'_>], ground: &Ground<'_>, findings: &mut Findings) -> Built {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, entry) in entries.iter().enumerate() {
        tasks::check_name(entry, findings);
        places.insert(&entry.key, place);
    }
    let mut needing = Needing::new(&places);
    let needs: Vec<Needs> =
        entries.iter().enumerate().map(|(place, entry)| needing.of(place, entry, findings)).collect();
    let needed: Vec<Vec<usize>> = needs.iter().map(|needs| needs.places.clone()).collect();
    let is_sound = tasks::check_cycles(entries, &needed, findings);
    let names = Names { tasks: &places, inputs: ground.inputs };
    let mut builder = Builder {
        ground,
        templates: Templates::new(ground.text, names),
        places: &places,
        agents: Agents::new(&ground.agents),
        built: Built::default(),
        findings,
    };
    for (place, (entry, needs)) in entries.iter().zip(needs).enumerate() {
        if builder.findings.is_full() {
            break;
        }
        builder.task(place, entry, needs);
    }
    let Builder { templates, mut built, findings, mut agents, .. } = builder;
    agents.settle_others();
    if is_sound {
        let ids: Vec<&str> = entries.iter().map(|entry| entry.key.as_ref()).collect();
        templates.check_distant(&needed, &ids, findings);
    }
    if built.tasks.len() == entries.len() {
        for (place, task) in built.tasks.iter_mut().enumerate() {
            let lists = task.lists();
            if let (Work::Plan(sub), Some(used)) = (&mut task.work, templates.uses(place)) {
                subplans::demand(Arc::make_mut(&mut sub.plan), used, lists);
            }
            task.extracts = templates.pointers(place, task.lists());
            // What is voted on is needed whole.
            let is_vote = task.replicas.is_some_and(|replicas| replicas.select == Select::Majority);
            if let (Work::Plan(sub), true) = (&mut task.work, is_vote) {
                subplans::demand_all(Arc::make_mut(&mut sub.plan));
            } else if is_vote {
                task.extracts = vec![String::new()];
            }
        }
    }
    if ground.options.around.is_none() && built.tasks.len() == entries.len() {
        waits::warn_of_silence(entries, &built.tasks, findings);
    }
    built.agents = agents.finish();
    built
}

struct Builder<'g, 'f> {
    ground: &'g Ground<'g>,
    templates: Templates<'g>,
    places: &'g BTreeMap<&'g str, usize>,
    agents: Agents<'g>,
    built: Built,
    findings: &'f mut Findings,
}

impl Builder<'_, '_> {
    fn task(&mut self, place: usize, entry: &Entry<'_>, needs: Needs) {
        let node = &entry.value;
        let owner = Owner {
            place,
            name: &entry.key,
            needs: &needs.sorted,
            has_items: node.get("for_each").is_some(),
            has_children: MODIFIERS.iter().any(|key| node.get(key).is_some()),
            has_rounds: node.get("repeat").is_some(),
        };
        self.check_depth(node, owner);
        let is_prompt = node.get("prompt").is_some();
        let layer = Defaults::read(node, self.ground.text).over(&self.ground.defaults);
        self.look(node, owner);
        let work = self.work(entry, &layer, owner);
        let for_each = self.for_each(node);
        let (repeat, replicas) = (self.repeat(node), self.replicas(node));
        if layer.workspace == Some(Workspace::Worktree) && node.get("replicas").is_some() {
            self.miss("`workspace: worktree` with `replicas`", &entry.key, entry.at);
        }
        if is_prompt && layer.workspace.is_none() {
            self.built.anywhere.push((entry.key.clone().into_owned(), entry.at));
        }
        let join = tasks::join(node, &needs, self.findings);
        let cancel_rest = tasks::cancel_rest(node, join, self.findings);
        let when = tasks::condition("when", node.get("when"), self.findings);
        tasks::check_dir(node, self.ground.options.check_dir, self.findings);
        waits::refuse_limits(node, self.findings);
        waits::refuse_workers(node, self.findings);
        tasks::check_variables(node, self.findings);
        let (Some(work), Ok(id)) = (work, entry.key.parse::<TaskId>()) else { return };
        if self.findings.has_errors() {
            // Nobody will see the plan; a large one would only take room.
            return;
        }
        self.built.tasks.push(Task {
            id,
            emits: waits::emits(&work),
            removed: false,
            work,
            join,
            when,
            for_each,
            repeat,
            replicas,
            retry: layer.retry.settle(is_prompt),
            timeout: waits::bound(node, &layer.timeout).settle(is_prompt, node.get("approval").is_some()),
            rerun: layer.rerun.unwrap_or_default(),
            optional: tasks::is_true(node.get("optional")),
            cancel_rest,
            workspace: if waits::has_attempts(node) {
                layer.workspace.unwrap_or_default()
            } else {
                Workspace::Shared
            },
            priority: layer.priority.unwrap_or_default(),
            budget: if waits::has_attempts(node) { layer.budget } else { Budget::default() },
            output_schema: node.get("output").and_then(|output| output.get("schema")).map(Node::json),
            env: layer.env,
            pass: layer.pass.unwrap_or_default(),
            dir: layer.dir,
            memory_bytes_max: layer.memory_bytes_max,
            extracts: Vec::new(),
            needs: needs.places,
        });
    }

    /// Looks at all templates of a task.
    fn look(&mut self, node: &Node<'_>, owner: Owner<'_>) {
        let spots = [
            ("when", Spot::Before),
            ("for_each", Spot::Before),
            ("repeat", Spot::Between),
            ("inputs", Spot::Between),
            ("approval", Spot::Shown),
            ("emit", Spot::Between),
            ("wait_for", Spot::Match),
            ("agent", Spot::Attempt),
            ("prompt", Spot::Prompt),
            ("run", Spot::Attempt),
            ("env", Spot::Attempt),
            ("dir", Spot::Attempt),
        ];
        for (key, spot) in spots {
            if let Some(value) = node.get(key) {
                let spot = if key == "run" && value.text().is_some() { Spot::Shell } else { spot };
                self.templates.within(value, spot, owner, self.findings);
            }
        }
    }

    fn work(&mut self, entry: &Entry<'_>, layer: &Defaults, owner: Owner<'_>) -> Option<Work> {
        let node = &entry.value;
        let works: Vec<&Entry<'_>> =
            node.entries().iter().filter(|entry| WORKS.contains(&entry.key.as_ref())).collect();
        let work = match works.as_slice() {
            [work] => *work,
            [] => {
                let is_misspelt = |entry: &Entry<'_>| {
                    TASK.field(&entry.key).is_none() && nearest(&entry.key, WORKS).is_some()
                };
                if matches!(node.tree, Tree::Map(_)) && !node.entries().iter().any(is_misspelt) {
                    let hint = format!("give it one of {}", WORKS.join(", "));
                    let message = format!("`{}` does nothing", entry.key);
                    self.findings.error(Code::TaskKind, entry.at, message, Some(hint));
                }
                return None;
            }
            [first, second, ..] => {
                let message = format!("`{}` has both `{}` and `{}`", entry.key, first.key, second.key);
                let hint = "a task does one thing; make two tasks of it, one of which needs the other";
                self.findings.error(Code::TaskKind, second.at, message, Some(hint.to_owned()));
                return None;
            }
        };
        match work.key.as_ref() {
            "prompt" => {
                let mut found = Found { missing: &mut self.built.missing, findings: self.findings };
                let by = self.agents.who(entry, layer, &mut found);
                let prompt = Template(self.filled(&work.value, "prompt")?);
                Some(Work::Prompt { by: by?, prompt })
            }
            "run" => self.run(&work.value),
            "approval" => self.approval(&work.value, owner),
            "plan" => self.sub_plan(entry, &work.value, owner),
            "emit" | "wait_for" => waits::read(entry, owner, self.places, self.findings),
            _ => None,
        }
    }

    fn sub_plan(&mut self, entry: &Entry<'_>, file: &Node<'_>, owner: Owner<'_>) -> Option<Work> {
        if file.get("manager").is_some() {
            self.miss("`plan` by a manager", &entry.key, file.at);
            return None;
        }
        let level = self.ground.options.around.map_or(1, |around| around.level);
        let makers = MODIFIERS.iter().filter(|key| entry.value.get(key).is_some()).count();
        let site = subplans::Site { owner: owner.name, node: &entry.value, file, level: level + makers };
        subplans::read(&site, self.ground, self.findings).map(Work::Plan)
    }

    /// A text that must not be empty.
    fn filled(&mut self, node: &Node<'_>, key: &str) -> Option<String> {
        let text = node.text()?;
        if text.trim().is_empty() {
            self.findings.error(
                Code::BadValue,
                node.at,
                format!("`{key}` is empty"),
                Some("say what it is to do, or take the task out".into()),
            );
            return None;
        }
        Some(text.to_owned())
    }

    fn run(&mut self, node: &Node<'_>) -> Option<Work> {
        let Tree::List(arguments) = &node.tree else {
            return self.filled(node, "run").map(|line| Work::Shell(Template(line)));
        };
        let Some(program) = arguments.first() else {
            let hint = "a list is a program with its arguments, as in `[cargo, test]`";
            self.findings.error(Code::BadValue, node.at, "`run` is an empty list", Some(hint.to_owned()));
            return None;
        };
        if program.text().is_some() {
            self.filled(program, "run")?;
        }
        let argument = |part: &Node<'_>| part.scalar(self.ground.text).map(Template);
        arguments.iter().map(argument).collect::<Option<_>>().map(Work::Argv)
    }

    fn approval(&mut self, node: &Node<'_>, owner: Owner<'_>) -> Option<Work> {
        let text = node.get("text").unwrap_or(node);
        let text = self.filled(text, "approval").map(Template);
        let mut show = Vec::new();
        for item in node.get("show").map(Node::items).unwrap_or_default() {
            let Some(name) = item.text() else { continue };
            match self.places.get(name) {
                Some(place) if owner.needs(*place) => show.push(*place),
                Some(_) => {
                    let message = format!("`{}` shows `{name}` without needing it", owner.name);
                    let hint = format!("add it: `needs: [{name}]`");
                    self.findings.error(Code::MissingNeed, item.at, message, Some(hint));
                }
                None => tasks::no_such_task(name, item.at, self.places, self.findings),
            }
        }
        Some(Work::Approval { text: text?, show })
    }

    fn miss(&mut self, feature: &str, owner: &str, at: Mark) {
        self.built.missing.entry(feature.to_owned()).or_default().push((owner.to_owned(), at));
    }

    /// Each modifier that makes children makes the tree a level deeper.
    fn check_depth(&mut self, node: &Node<'_>, owner: Owner<'_>) {
        let makers = node.entries().iter().filter(|entry| MODIFIERS.contains(&entry.key.as_ref()));
        let makers: Vec<&Entry<'_>> = makers.collect();
        let above = self.ground.options.around.map_or(1, |around| around.level);
        let (level, depth) = (makers.len() + above, self.ground.limits.depth);
        if let Some(last) = makers.last().filter(|_| level > depth as usize) {
            let message =
                format!("the children of `{}` are level {level}, and limits.depth is {depth}", owner.name);
            let hint = "raise `depth` under `limits`".to_owned();
            self.findings.error(Code::OutOfRange, last.value.at, message, Some(hint));
        }
    }

    fn repeat(&mut self, node: &Node<'_>) -> Option<Repeat> {
        let repeat = node.get("repeat")?;
        self.check_repeatable(node, "repeat");
        let until = tasks::condition("until", repeat.get("until"), self.findings);
        Some(Repeat { until, max: count(repeat.get("max"))? })
    }

    fn replicas(&mut self, node: &Node<'_>) -> Option<Replicas> {
        let select = node.entries().iter().find(|entry| entry.key == "select");
        let Some(replicas) = node.get("replicas") else {
            if let Some(entry) = select {
                let hint = "say how many there are, as in `replicas: 3`, or leave `select` out".to_owned();
                let message = "`select` says something only beside `replicas`";
                self.findings.error(Code::BadValue, entry.at, message, Some(hint));
            }
            return None;
        };
        self.check_repeatable(node, "replicas");
        let select = match select.and_then(|entry| entry.value.text()) {
            Some("majority") => Select::Majority,
            Some("all") => Select::All,
            _ => Select::First,
        };
        Some(Replicas { count: count(Some(replicas))?, select })
    }

    /// What a person is asked, they are asked once; and of messages there are no several to choose among.
    fn check_repeatable(&mut self, node: &Node<'_>, key: &str) {
        waits::refuse_replicas(node, key, self.findings);
        if let (Some(_), Some(modifier)) = (node.get("approval"), node.get(key)) {
            let hint = "ask once, and let what follows need it".to_owned();
            let message = format!("an approval can't have `{key}`");
            self.findings.error(Code::BadValue, modifier.at, message, Some(hint));
        }
    }

    fn for_each(&mut self, node: &Node<'_>) -> Option<ForEach> {
        let max_parallel = node.entries().iter().find(|entry| entry.key == "max_parallel");
        let Some(items) = node.get("for_each") else {
            if let Some(entry) = max_parallel {
                let hint = "give it the list to go through, or leave `max_parallel` out".to_owned();
                let message = "`max_parallel` says something only beside `for_each`";
                self.findings.error(Code::BadValue, entry.at, message, Some(hint));
            }
            return None;
        };
        let limits = self.ground.limits;
        let items = match &items.tree {
            Tree::Text(text) if !text.contains("{{") && !text.contains("{%") => {
                let message = "`for_each` must be a list, or an expression in `{{ … }}` that gives one";
                let text = masked(text.trim());
                let hint = format!("write `[{text}]`, or `\"{{{{ {text} }}}}\"`");
                self.findings.error(
                    Code::WrongType,
                    items.at,
                    message,
                    Some(hint).filter(|hint| hint.len() < 120),
                );
                return None;
            }
            Tree::Text(text) => Items::Expression(Template(text.clone().into_owned())),
            Tree::List(list) => {
                if list.len() > limits.fan_out as usize {
                    let message = format!(
                        "`for_each` has {} items, and limits.fan_out is {}",
                        list.len(),
                        limits.fan_out
                    );
                    let hint = "raise `fan_out` under `limits`".to_owned();
                    self.findings.error(Code::TooManyTasks, items.at, message, Some(hint));
                }
                Items::List(list.iter().map(Node::json).collect())
            }
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Map(_) => return None,
        };
        Some(ForEach { items, max_parallel: count(max_parallel.map(|entry| &entry.value)) })
    }
}
