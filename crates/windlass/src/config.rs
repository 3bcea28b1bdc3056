//! The settings, in layers: built in, the user's file, the project's file, the environment, flags. Each value knows
//! where it came from. Never: a layer that is not in this list.

use std::path::{Path, PathBuf};

use windlass_core::plan::diagnostic::Diagnostic;
use windlass_core::plan::file::{FILE_BYTES_MAX, Source};
use windlass_core::plan::settings::Settings;
use windlass_engine::HomeSettings;

use crate::desk::Desk;
use crate::error::{Failed, FileErrors, Outcome, Report, meant_here};
use crate::home::{Place, SETTINGS_FILE};
use crate::regular;
use crate::surroundings::Surroundings;

/// What holds for a command.
#[derive(Debug, Default)]
pub(crate) struct Config {
    /// What the files say.
    pub(crate) settings: Settings,
    /// How much room the home wants.
    pub(crate) home: HomeSettings,
    /// What could not be taken, and was passed over.
    pub(crate) passed_over: Vec<Failed>,
    /// The files among that.
    pub(crate) broken: Vec<PathBuf>,
    /// What is not wrong with the files, and worth a word.
    remarks: Vec<Diagnostic>,
}

impl Config {
    /// Reads the files and the environment. What is wrong with a file is an error, as with a plan.
    pub(crate) fn load(desk: &mut Desk) -> Outcome<Self> {
        let mut config = Self::gather(desk);
        config.say_remarks(desk);
        if config.passed_over.is_empty() { Ok(config) } else { Err(config.passed_over.swap_remove(0)) }
    }

    /// The same for what must not hang on settings, as a brake: what is wrong with them is said and passed over.
    pub(crate) fn load_what_can_be(desk: &mut Desk) -> Self {
        let config = Self::gather(desk);
        config.say_what_is_passed_over(desk);
        config
    }

    pub(crate) fn say_what_is_passed_over(&self, desk: &mut Desk) {
        self.say_remarks(desk);
        for (what, hint) in self.passed_over.iter().filter_map(Failed::in_short) {
            desk.warn(&format!("settings are passed over: {what}"), hint.as_deref());
        }
    }

    fn say_remarks(&self, desk: &mut Desk) {
        for remark in &self.remarks {
            desk.warn(&remark.message, Some(&remark.hint));
        }
    }

    /// All layers that can be read. Nothing is said of the others yet.
    pub(crate) fn gather(desk: &Desk) -> Self {
        let (mut settings, mut passed_over, mut remarks) = (Settings::default(), Vec::new(), Vec::new());
        let mut broken = Vec::new();
        for path in files(&desk.place, &desk.surroundings) {
            match read(&path) {
                Ok(None) => {}
                Ok(Some((layer, warnings))) => {
                    remarks.extend(warnings);
                    settings = layer.over(&settings);
                }
                Err(failed) => {
                    passed_over.push(failed);
                    broken.push(path);
                }
            }
        }
        let home = home_settings(&settings, &desk.surroundings, &mut passed_over);
        Self { settings, home, passed_over, broken, remarks }
    }
}

/// The files, from the lowest layer up.
pub(crate) fn files(place: &Place, surroundings: &Surroundings) -> Vec<PathBuf> {
    let config = surroundings.folder("XDG_CONFIG_HOME");
    let config = config.or_else(|| Some(surroundings.folder("HOME")?.join(".config")));
    let of_user = config.map(|config| config.join("windlass").join(SETTINGS_FILE));
    of_user.into_iter().chain([place.root.join(SETTINGS_FILE)]).collect()
}

type Layer = (Settings, Vec<Diagnostic>);

fn read(path: &Path) -> Outcome<Option<Layer>> {
    let name = path.display().to_string();
    let bytes = match regular::read(path, FILE_BYTES_MAX as u64 + 1) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let report = Report::usage(format!("{name} can't be read")).cause(error.to_string());
            return Err(report.hint("mend it, or take it away: settings are optional".to_owned()).into());
        }
    };
    let source = Source { name: &name, text: &bytes, format: None };
    match Settings::load(&source) {
        Ok((layer, warnings)) => Ok(Some((layer, meant_here(warnings)))),
        Err(diagnostics) => Err(FileErrors::of(&bytes, diagnostics).into()),
    }
}

/// The environment's words over those of the files.
fn home_settings(
    settings: &Settings,
    surroundings: &Surroundings,
    passed_over: &mut Vec<Failed>,
) -> HomeSettings {
    let built_in = HomeSettings::default();
    let mut size = |name: &str, file: Option<u64>, otherwise: u64| {
        let text = surroundings.text(name);
        let said = text.and_then(size_of);
        if let (Some(text), None) = (text, said) {
            let report = Report::usage(format!("{name} is `{text}`, which is no size"));
            let hint = "write a number of bytes, or one with its unit as in `64MiB`".to_owned();
            passed_over.push(report.hint(hint).into());
        }
        said.or(file).unwrap_or(otherwise)
    };
    HomeSettings {
        reserve: size("WINDLASS_HOME_RESERVE", settings.home.reserve_bytes, built_in.reserve),
        min_free: size("WINDLASS_HOME_MIN_FREE", settings.home.min_free_bytes, built_in.min_free),
        force: surroundings.text("WINDLASS_FORCE_HOME") == Some("1"),
    }
}

/// A number of bytes, or a size as the files write it.
pub(crate) fn size_of(text: &str) -> Option<u64> {
    if let Ok(bytes) = text.parse() {
        return Some(bytes);
    }
    let as_file = format!("[home]\nreserve = {}\n", serde_json::Value::from(text));
    let source = Source { name: "the environment", text: as_file.as_bytes(), format: None };
    Settings::load(&source).ok()?.0.home.reserve_bytes
}
