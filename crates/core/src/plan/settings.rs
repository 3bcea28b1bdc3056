//! windlass.toml: read with the same care as plans, and laid over one another with the origin of each value kept.
//! Never: where the files lie.

use std::collections::BTreeMap;

use serde_json::Value;

use super::agents::AgentLayer;
use super::conform::conform;
use super::diagnostic::{Diagnostic, Findings};
use super::language::SETTINGS;
use super::layers::{Defaults, Limit, LimitsLayer, limit};
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

/// Room on the disk, and how long ended runs are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HomeSettings {
    /// What is kept free for the journal, in bytes.
    pub reserve_bytes: Option<u64>,
    /// Below this nothing starts, in bytes.
    pub min_free_bytes: Option<u64>,
    /// How long ended runs are kept.
    pub keep: Option<Limit>,
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
                keep: self.home.keep.or(lower.home.keep),
            },
            checks,
            origins,
        }
    }

    fn read(root: &Node<'_>, text: &str, origin: &str, findings: &mut Findings) -> Self {
        // What is not built of an agent is told when a plan uses it: the file may be older or newer than this build.
        let missing = conform(root, &SETTINGS, findings);
        super::conform::report_missing(
            &missing.into_iter().filter(|(feature, _)| feature == "`on_finish`").collect(),
            findings,
        );
        let home = root.get("home");
        let size =
            |key: &str| home.and_then(|home| home.get(key)).and_then(Node::text).and_then(sizes::bytes);
        let mut settings = Self {
            agents: BTreeMap::new(),
            defaults: root.get("defaults").map(|node| Defaults::read(node, text)).unwrap_or_default(),
            limits: root.get("limits").map(LimitsLayer::read).unwrap_or_default(),
            home: HomeSettings {
                reserve_bytes: size("reserve"),
                min_free_bytes: size("min_free"),
                keep: limit(home.and_then(|home| home.get("keep"))),
            },
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
            tasks::check_dir(defaults, findings);
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
            note(&entry.value, &key, origin, origins);
        }
    } else {
        origins.insert(key.to_owned(), Setting { value: node.json(), origin: origin.to_owned() });
    }
}
