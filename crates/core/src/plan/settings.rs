//! windlass.toml: read with the same care as plans, and laid over one another with the origin of each value kept.
//! Never: where the files lie.

use std::collections::BTreeMap;

use serde_json::Value;

use super::agents::AgentLayer;
use super::conform::{conform, report_missing};
use super::diagnostic::{Diagnostic, Findings};
use super::language::SETTINGS;
use super::layers::{Defaults, LimitsLayer};
use super::node::{Node, Tree};
use super::source::{self, Format, Source};
use super::{secrets, sizes, tasks};

/// All settings of one or more files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Named agents.
    pub agents: BTreeMap<String, AgentLayer>,
    /// What tasks take where neither they nor their plan say anything.
    pub defaults: Defaults,
    /// Caps for plans that set none.
    pub limits: LimitsLayer,
    /// Where the state lives.
    pub home: HomeSettings,
    /// Commands that check the project, by name.
    pub checks: BTreeMap<String, String>,
    /// Each value by its dotted key, with the file that it comes from.
    pub origins: BTreeMap<String, Setting>,
}

/// A value with the file that it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The value as it was written.
    pub value: Value,
    /// The file.
    pub origin: String,
}

/// Room on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HomeSettings {
    /// What is kept free for the journal, in bytes.
    pub reserve_bytes: Option<u64>,
    /// Below this nothing starts, in bytes.
    pub min_free_bytes: Option<u64>,
}

impl Settings {
    /// Reads a file.
    pub fn load(file: &Source<'_>) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let file = Source { format: file.format.or(Some(Format::Toml)), ..*file };
        let mut findings = Findings::default();
        let text = source::text(&file, &mut findings);
        let settings = text.and_then(|text| {
            let root = source::tree(&file, text, &mut findings)?;
            Some(Self::read(&root, text, file.name, &mut findings))
        });
        let failed = findings.has_errors();
        let diagnostics = findings.finish(file.name, text.unwrap_or(""), file.skipped());
        match settings {
            Some(settings) if !failed => Ok((settings, diagnostics)),
            Some(_) | None => Err(diagnostics),
        }
    }

    /// These over others, key by key.
    #[must_use]
    pub fn over(self, lower: &Self) -> Self {
        let mut agents = lower.agents.clone();
        for (name, layer) in self.agents {
            let below = agents.get(&name).cloned().unwrap_or_default();
            agents.insert(name, layer.over(&below));
        }
        let (mut checks, mut origins) = (lower.checks.clone(), lower.origins.clone());
        checks.extend(self.checks);
        origins.extend(self.origins);
        Self {
            agents,
            defaults: self.defaults.over(&lower.defaults),
            limits: self.limits.over(&lower.limits),
            home: HomeSettings {
                reserve_bytes: self.home.reserve_bytes.or(lower.home.reserve_bytes),
                min_free_bytes: self.home.min_free_bytes.or(lower.home.min_free_bytes),
            },
            checks,
            origins,
        }
    }

    fn read(root: &Node<'_>, text: &str, origin: &str, findings: &mut Findings) -> Self {
        // What is not built of an agent is told when a plan uses it: the file may be older or newer than this build.
        let missing = conform(root, &SETTINGS, findings);
        let of_no_agent = missing.into_iter().filter_map(|(feature, mut places)| {
            places.retain(|(agent, _)| agent.is_empty());
            (!places.is_empty()).then_some((feature, places))
        });
        report_missing(&of_no_agent.collect(), findings);
        let home = root.get("home");
        let size =
            |key: &str| home.and_then(|home| home.get(key)).and_then(Node::text).and_then(sizes::bytes);
        let mut settings = Self {
            agents: BTreeMap::new(),
            defaults: root.get("defaults").map(|node| Defaults::read(node, text)).unwrap_or_default(),
            limits: root.get("limits").map(LimitsLayer::read).unwrap_or_default(),
            home: HomeSettings { reserve_bytes: size("reserve"), min_free_bytes: size("min_free") },
            checks: super::layers::scalars(root.get("checks"), text).collect(),
            origins: BTreeMap::new(),
        };
        for entry in root.get("agents").map(Node::entries).unwrap_or_default() {
            settings.agents.insert(entry.key.clone().into_owned(), AgentLayer::read(&entry.value, text));
            tasks::check_variables(&entry.value, findings);
            secrets::warn(entry.value.get("env"), findings);
        }
        if let Some(defaults) = root.get("defaults") {
            tasks::check_variables(defaults, findings);
            tasks::check_dir(defaults, None, findings);
            secrets::warn(defaults.get("env"), findings);
        }
        note(root, "", origin, &mut settings.origins);
        settings
    }
}

/// Notes where each value comes from.
fn note(node: &Node<'_>, key: &str, origin: &str, origins: &mut BTreeMap<String, Setting>) {
    if let Tree::Map(entries) = &node.tree {
        for entry in entries {
            let key =
                if key.is_empty() { entry.key.clone().into_owned() } else { format!("{key}.{}", entry.key) };
            // A bare value is this one of the limits of time.
            let key = if key == "defaults.timeout" && !matches!(entry.value.tree, Tree::Map(_)) {
                "defaults.timeout.start_to_close".to_owned()
            } else {
                key
            };
            note(&entry.value, &key, origin, origins);
        }
    } else {
        origins.insert(key.to_owned(), Setting { value: node.json(), origin: origin.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::layers::Limit;
    use crate::time::Span;

    fn load(name: &str, text: &str) -> Settings {
        let file = Source { name, text: text.as_bytes(), format: None };
        Settings::load(&file).expect("it is valid").0
    }

    #[test]
    fn files_lie_over_one_another_key_by_key_and_each_value_keeps_its_origin() {
        let user = load(
            "user.toml",
            "[agents.a]\nadapter = 'command'\nprogram = 'x'\nconcurrency = 2\n[defaults.timeout]\ngrace = '3s'\n[limits]\ntasks = 5\n[home]\nreserve = '1MiB'\nmin_free = '2MiB'\n[checks]\nfmt = 'a'\n",
        );
        let project = load(
            "project.toml",
            "[agents.a]\nconcurrency = 9\n[defaults]\ntimeout = '5m'\n[home]\nmin_free = '3MiB'\n[checks]\ntest = 'b'\n",
        );
        let both = project.over(&user);
        assert_eq!(both.agents["a"].program.as_deref(), Some("x"));
        assert_eq!(both.agents["a"].concurrency, Some(9));
        assert_eq!(both.defaults.timeout.grace, Some(Span::from_secs(3)));
        assert_eq!(both.defaults.timeout.start_to_close, Some(Limit::Of(Span::from_secs(300))));
        assert_eq!(both.limits.tasks, Some(5));
        assert_eq!(both.home.reserve_bytes, Some(1 << 20));
        assert_eq!(both.home.min_free_bytes, Some(3 << 20));
        assert_eq!(both.checks.len(), 2);
        let origin = |key: &str| (both.origins[key].value.to_string(), both.origins[key].origin.as_str());
        assert_eq!(origin("agents.a.concurrency"), ("9".to_owned(), "project.toml"));
        assert_eq!(origin("agents.a.program"), ("\"x\"".to_owned(), "user.toml"));
        assert_eq!(origin("home.min_free"), ("\"3MiB\"".to_owned(), "project.toml"));
        assert_eq!(origin("defaults.timeout.start_to_close"), ("\"5m\"".to_owned(), "project.toml"));
    }

    #[test]
    fn an_agent_of_another_build_is_no_error_until_a_plan_uses_it() {
        let settings = load("windlass.toml", "[agents.a]\nadapter = 'claude'\nmodel = 'opus'\n");
        assert_eq!(settings.agents["a"].not_built, ["model"]);
        let text = b"on_finish = 'x'\n[defaults]\nmerge_attempts = 3\n[home]\nkeep = '7d'\n[agents.a]\nmodel = 'opus'\n";
        let errors = Settings::load(&Source { name: "windlass.toml", text, format: None })
            .expect_err("it is not built");
        let told: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
        let missing = ["on_finish", "merge_attempts", "keep"];
        assert_eq!(told, missing.map(|key| format!("`{key}` is not supported yet")));
    }

    #[test]
    fn a_misspelt_setting_is_an_error_with_its_place() {
        let text = b"[home]\nreserv = '1MiB'\n[limits]\ntasks = 'many'\n";
        let errors =
            Settings::load(&Source { name: "windlass.toml", text, format: None }).expect_err("it is wrong");
        let told: Vec<_> =
            errors.iter().map(|error| (error.code.name(), error.at.map(|at| at.line))).collect();
        assert_eq!(told, [("unknown_key", Some(2)), ("wrong_type", Some(4))]);
    }
}
