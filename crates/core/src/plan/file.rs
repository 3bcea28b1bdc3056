//! From a file's text to a plan, or to all that is wrong with it. Never: reading files, or stopping at the first error.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::agents::AgentLayer;
use super::build::{self, Built, Ground};
use super::conform::{conform, report_missing};
use super::diagnostic::{Code, Diagnostic, Findings, Remarks};
use super::inputs::Declared;
use super::language::PLAN;
use super::layers::{self, Defaults, LimitsLayer, count};
use super::node::{Entry, Node, Tree};
use super::pools::Known;
use super::settings::Settings;
use super::subplans;
use super::{Plan, inputs, json_schema, secrets, source, tasks};

pub use super::source::{FILE_BYTES_MAX, Format, Source};
pub use super::subplans::Around;

/// What else is known when a plan is read.
#[derive(Clone, Copy, Default)]
pub struct Options<'o> {
    /// What tells the plan's file from others, as [`PlanText::name`] does; empty where it is none.
    pub file: &'o str,
    /// The folder of the plan's file, for `{{ plan.dir }}`.
    pub dir: &'o str,
    /// Whether the run's folder is a git repository; then prompts that say nothing of their workspace are warned of.
    pub git_repository: bool,
    /// The inputs that a run has, for those that are not given. What the plan does not know of them is left out.
    pub kept: Option<&'o BTreeMap<String, String>>,
    /// Whether inputs without a value are no error: for `check`.
    pub inputs_may_be_missing: bool,
    /// Compiles an `output.schema`: patterns and references are looked at only there.
    pub check_schema: Option<&'o CheckSchema>,
    /// Compiles a glob of `pass`.
    pub check_glob: Option<&'o CheckGlob>,
    /// Looks where a `dir` leads.
    pub check_dir: Option<&'o CheckDir<'o>>,
    /// Reads the files of sub-plans. Without it a plan has none.
    pub read: Option<&'o ReadPlan<'o>>,
    /// What is around a plan that is itself a sub-plan; only this module makes one.
    pub around: Option<&'o Around<'o>>,
}

impl<'o> Options<'o> {
    /// The same for a sub-plan, whose inputs are its own.
    pub(super) fn below(self, dir: &'o str, around: &'o Around<'o>) -> Self {
        Self { dir, kept: None, inputs_may_be_missing: true, around: Some(around), ..self }
    }
}

/// Reads the file of a sub-plan, by the folder of the plan that names it and the name; or says why it can't.
pub type ReadPlan<'r> = dyn Fn(&str, &str) -> Result<PlanText, String> + 'r;

/// A file that was read.
#[derive(Clone, Debug)]
pub struct PlanText {
    /// What tells it from other files.
    pub name: String,
    /// What stands in it.
    pub bytes: Vec<u8>,
    /// The folder that paths in it are relative to.
    pub dir: String,
}

/// Compiles a JSON Schema, or says what is wrong with it.
pub type CheckSchema = dyn Fn(&Value) -> Result<(), String>;

/// Whether the `dir` of a task is there, within the run's folder; else where it leads.
pub type CheckDir<'d> = dyn Fn(&str) -> Result<bool, String> + 'd;

/// Compiles a glob, or says what is wrong with it.
pub type CheckGlob = dyn Fn(&str) -> Result<(), String>;

/// A plan that can be run.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The plan.
    pub plan: Plan,
    /// What is not wrong, and worth a word.
    pub warnings: Vec<Diagnostic>,
    /// The same of the files of its sub-plans.
    pub beneath: Vec<Remarks>,
    /// Its inputs.
    pub(super) declared: BTreeMap<String, Declared>,
}

const EMPTY_HINT: &str =
    "a plan has tasks, as in `tasks: { hello: { run: \"echo hello\" } }`; `windlass init` writes a first one";

/// Reads a plan. Errors come with all warnings, in the order of the file.
pub fn load(
    source: &Source<'_>,
    settings: &Settings,
    given: &BTreeMap<String, String>,
    options: &Options<'_>,
) -> Result<Loaded, Vec<Diagnostic>> {
    let mut findings = Findings::default();
    let text = source::text(source, &mut findings);
    let plan = text.and_then(|text| {
        if text.trim().is_empty() {
            findings.of_file(Code::EmptyPlan, "the plan is empty", Some(EMPTY_HINT.to_owned()));
            return None;
        }
        let root = source::tree(source, text, &mut findings)?;
        Reading { text, settings, given, options, findings: &mut findings }.plan(&root)
    });
    let (failed, beneath) = (findings.has_errors(), findings.all_beneath());
    let diagnostics = findings.finish(source.name, text.unwrap_or(""), source.skipped());
    match plan {
        Some((plan, declared)) if !failed => Ok(Loaded { plan, warnings: diagnostics, beneath, declared }),
        Some(_) | None => Err(diagnostics),
    }
}

struct Reading<'r> {
    text: &'r str,
    settings: &'r Settings,
    given: &'r BTreeMap<String, String>,
    options: &'r Options<'r>,
    findings: &'r mut Findings,
}

impl Reading<'_> {
    fn plan(&mut self, root: &Node<'_>) -> Option<(Plan, BTreeMap<String, Declared>)> {
        if self.is_empty(root) {
            return None;
        }
        let limits = root.get("limits").map(LimitsLayer::read).unwrap_or_default();
        let own = limits.over(&self.settings.limits).settle();
        let limits = self.options.around.map_or(own, |around| around.limits);
        let entries = root.get("tasks").map(Node::entries).unwrap_or_default();
        if entries.len() > limits.tasks as usize {
            self.too_many(root, entries.len(), limits.tasks);
            return None;
        }
        let mut missing = conform(root, &PLAN, self.findings);
        let values = inputs::read(root.get("inputs"), self.given, self.options, self.findings);
        let defaults = root.get("defaults").map(|node| Defaults::read(node, self.text)).unwrap_or_default();
        let ground = Ground {
            text: self.text,
            defaults: defaults.over(&self.settings.defaults),
            agents: self.agents(root),
            inputs: &values,
            limits,
            settings: self.settings,
            options: self.options,
        };
        subplans::warn_unused(root, self.options, self.findings);
        let built = build::build(entries, &ground, self.findings);
        for (feature, places) in &built.missing {
            missing.entry(feature.clone()).or_default().extend(places.iter().cloned());
        }
        report_missing(&missing, self.findings);
        self.look_over(root, entries, &built);
        let plan = Plan {
            goal: root.get("goal").and_then(Node::text).unwrap_or_default().to_owned(),
            agents: built.agents,
            retired: BTreeSet::new(),
            limits,
            budget: layers::budget(root.get("budget")),
            weight: count(root.get("weight")).unwrap_or(1),
            concurrency: count(root.get("concurrency")),
            nested: tasks::is_true(root.get("nested")),
            inputs: values,
            dir: self.options.dir.to_owned(),
            tasks: built.tasks,
        };
        Some((plan, inputs::declared(root.get("inputs"))))
    }

    /// Reports a plan in which there is nothing.
    fn is_empty(&mut self, root: &Node<'_>) -> bool {
        if matches!(root.tree, Tree::Null) {
            self.findings.of_file(Code::EmptyPlan, "the plan is empty", Some(EMPTY_HINT.to_owned()));
            return true;
        }
        let has_none = match root.get("tasks").map(|tasks| (&tasks.tree, tasks.at)) {
            Some((Tree::Map(entries), at)) => entries.is_empty().then_some(at),
            Some((Tree::Null, at)) => Some(at),
            Some(_) | None => None,
        };
        if let Some(at) = has_none {
            self.findings.error(Code::EmptyPlan, at, "the plan has no tasks", Some(EMPTY_HINT.to_owned()));
            return true;
        }
        false
    }

    fn too_many(&mut self, root: &Node<'_>, tasks: usize, limit: u32) {
        let at = root.entries().iter().find(|entry| entry.key == "tasks").map_or(root.at, |entry| entry.at);
        let message = format!("the plan has {tasks} tasks, and limits.tasks is {limit}");
        let hint = "raise `tasks` under `limits` (to 1000000 at most) if that is meant".to_owned();
        self.findings.error(Code::TooManyTasks, at, message, Some(hint));
    }

    /// The agents of the settings, and those of the plan over them.
    fn agents(&mut self, root: &Node<'_>) -> Known {
        let from_settings = self.settings.agents.iter();
        let mut agents: Known =
            from_settings.map(|(name, layer)| (name.clone(), (layer.clone(), None))).collect();
        for entry in root.get("agents").map(Node::entries).unwrap_or_default() {
            let layer = AgentLayer::read(&entry.value, self.text);
            let lower = agents.get(entry.key.as_ref()).map(|(lower, _)| lower.clone()).unwrap_or_default();
            agents.insert(entry.key.clone().into_owned(), (layer.over(&lower), Some(entry.at)));
            tasks::check_variables(&entry.value, self.findings);
        }
        agents
    }

    /// Reports the schemas whose structure is right, and that can't be compiled all the same.
    fn compile_schemas(&mut self, entries: &[Entry<'_>]) {
        let Some(check) = self.options.check_schema else { return };
        let schemas = entries.iter().filter_map(|entry| entry.value.get("output")?.get("schema"));
        for schema in schemas.filter(|schema| json_schema::is_sound(schema)) {
            if self.findings.is_full() {
                return;
            }
            if let Err(error) = check(&schema.json()) {
                let message = format!("bad JSON Schema: {error}");
                self.findings.error(Code::BadSchema, schema.at, message, None);
            }
        }
    }

    /// Reports the globs of a task, or of the defaults, that are none.
    fn compile_globs(&mut self, node: &Node<'_>) {
        let Some(check) = self.options.check_glob else { return };
        for glob in node.get("pass").map(Node::items).unwrap_or_default() {
            let Some(Err(error)) = glob.text().map(check) else { continue };
            if self.findings.is_full() {
                return;
            }
            let hint = "write a name, or a pattern of names such as `AWS_*`".to_owned();
            self.findings.error(Code::BadValue, glob.at, format!("`pass`: {error}"), Some(hint));
        }
    }

    /// What concerns more than one part of a task: schemas, secrets, workspaces.
    fn look_over(&mut self, root: &Node<'_>, entries: &[Entry<'_>], built: &Built) {
        let agents = root.get("agents").map(Node::entries).unwrap_or_default();
        for entry in entries.iter().chain(agents) {
            secrets::warn(entry.value.get("env"), self.findings);
        }
        for entry in entries {
            self.compile_globs(&entry.value);
        }
        if let Some(defaults) = root.get("defaults") {
            secrets::warn(defaults.get("env"), self.findings);
            tasks::check_variables(defaults, self.findings);
            self.compile_globs(defaults);
            tasks::check_dir(defaults, self.options.check_dir, self.findings);
        }
        self.compile_schemas(entries);
        if let (true, Some((_, at))) = (self.options.git_repository, built.anywhere.first()) {
            let names: Vec<&str> = built.anywhere.iter().map(|(name, _)| name.as_str()).take(5).collect();
            let more = built.anywhere.len().saturating_sub(5);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let message = format!("agents may change your checkout: {}{more}", names.join(", "));
            let hint = "say `workspace: shared` there or under `defaults` if that is meant".to_owned();
            self.findings.warning(Code::SharedWorkspace, *at, message, Some(hint));
        }
    }
}
