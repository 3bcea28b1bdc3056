//! `windlass doctor --config`: every setting, its value, and the layer that it came from. Never: a layer of its own; it
//! lays what the others read over one another in their order. Nor a secret: those are masked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};
use windlass_core::plan::{built_in, secrets};
use windlass_engine::HomeSettings;

use crate::config::{Config, files};
use crate::desk::Desk;
use crate::error::Outcome;
use crate::exit::Exit;
use crate::home::Named;
use crate::opening::default_slots;
use crate::render::table::{Gives, Table};
use crate::render::text;
use crate::screen;

/// Where a setting came from gives way, then its value.
const GIVING: [Gives; 2] = [Gives::Middle(2), Gives::End(1)];

/// The layers, from the lowest up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Layer {
    BuiltIn,
    User,
    Project,
    Environment,
    Flag,
}

/// A setting as it holds.
#[derive(Debug, Serialize)]
struct Setting {
    value: Value,
    layer: Layer,
    /// The file, the variable or the flag.
    origin: String,
}

type Settings = BTreeMap<String, Setting>;

/// Says where each setting came from.
pub(super) fn say(desk: &mut Desk, config: &Config, json: bool) -> Outcome {
    let settings = settings(desk, config);
    if json {
        desk.json(&json!({ "settings": settings }))?;
        return Ok(said(desk, config));
    }
    let mut table = Table::with_head(["SETTING", "VALUE", "FROM"]);
    for (key, setting) in &settings {
        table.row([
            text::plain(key).into(),
            text::plain(&in_words(&setting.value)).into(),
            text::plain(&setting.origin).into(),
        ]);
    }
    desk.lines(table.lines_within(screen::width_of_lists(), &GIVING))?;
    for path in files(&desk.place, &desk.surroundings) {
        let there = if config.broken.contains(&path) {
            "broken, and passed over: nothing of it holds"
        } else if path.exists() {
            "read"
        } else {
            "not there"
        };
        desk.note(&format!("{} ({there})", path.display()));
    }
    Ok(said(desk, config))
}

/// The code after all was said, what is wrong at the end.
fn said(desk: &mut Desk, config: &Config) -> Exit {
    config.say_what_is_passed_over(desk);
    if config.passed_over.is_empty() { Exit::Done } else { Exit::Failed }
}

fn settings(desk: &Desk, config: &Config) -> Settings {
    let mut settings = Settings::new();
    let mut lay = |key: &str, value: Value, layer: Layer, origin: &str| {
        settings.insert(key.to_owned(), Setting { value, layer, origin: origin.to_owned() });
    };
    for (key, value) in built_in::values() {
        lay(&key, value, Layer::BuiltIn, BUILT_IN);
    }
    let HomeSettings { reserve, min_free, force } = HomeSettings::default();
    lay("home.reserve", json!(size(reserve)), Layer::BuiltIn, BUILT_IN);
    lay("home.min_free", json!(size(min_free)), Layer::BuiltIn, BUILT_IN);
    lay("home.force", json!(force), Layer::BuiltIn, BUILT_IN);
    lay("slots", json!(default_slots()), Layer::BuiltIn, BUILT_IN);
    let project =
        files(&desk.place, &desk.surroundings).pop().map(|path: PathBuf| path.display().to_string());
    for (key, setting) in &config.settings.origins {
        let layer = if project.as_ref() == Some(&setting.origin) { Layer::Project } else { Layer::User };
        lay(key, secrets::shown(key, &setting.value), layer, &setting.origin);
    }
    // A word that could not be taken has not become a setting, and stands among what is passed over.
    for (key, variable, holds) in [
        ("home.reserve", "WINDLASS_HOME_RESERVE", Some(config.home.reserve)),
        ("home.min_free", "WINDLASS_HOME_MIN_FREE", Some(config.home.min_free)),
    ] {
        let is_size = |text: &str| crate::config::size_of(text) == holds;
        if desk.surroundings.text(variable).is_some_and(is_size) {
            lay(key, json!(holds.map(size)), Layer::Environment, variable);
        }
    }
    if config.home.force {
        lay("home.force", json!(true), Layer::Environment, "WINDLASS_FORCE_HOME");
    }
    if let Some(slots) = desk.surroundings.text("WINDLASS_SLOTS").and_then(|text| text.parse::<u32>().ok()) {
        lay("slots", json!(slots), Layer::Environment, "WINDLASS_SLOTS");
    }
    let (layer, origin) = match desk.place.named {
        Named::Flag => (Layer::Flag, "--home"),
        Named::Variable => (Layer::Environment, "WINDLASS_HOME"),
        Named::Project => (Layer::BuiltIn, BUILT_IN),
    };
    lay("home", json!(desk.place.home), layer, origin);
    settings
}

const BUILT_IN: &str = "built in";

/// A size as the files write it.
fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let whole = units.into_iter().find(|(_, shift)| bytes > 0 && bytes.trailing_zeros() >= *shift);
    whole.map_or_else(|| format!("{bytes}B"), |(unit, shift)| format!("{}{unit}", bytes >> shift))
}

/// A value in a line: texts without quotes, and where commands and prompts differ both.
fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(both) => {
            let parts = both.iter().map(|(work, value)| format!("{work}: {}", in_words(value)));
            parts.rev().collect::<Vec<_>>().join(", ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_as_files_write_them() {
        assert_eq!([64 << 20, 1 << 30, 1500, 0].map(size), ["64MiB", "1GiB", "1500B", "0B"]);
    }
}
