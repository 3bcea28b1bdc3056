//! Reads plans from files and from standard input. Never: what a plan means (the core knows that).

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde_json::Value;
use windlass_core::plan::file::{FILE_BYTES_MAX, Loaded, Options, PlanText, Source, load};

use crate::config::Config;
use crate::desk::Desk;
use crate::error::{FileErrors, Outcome, Report, meant_here};
use crate::{calling, regular, render};

/// Where a plan comes from.
#[derive(Clone, Debug)]
pub(crate) struct PlanFile {
    /// What it is called in messages and in the journal: an absolute path, or `-`.
    pub(crate) name: String,
    /// As it was given, for messages.
    shown: String,
    bytes: Vec<u8>,
    /// The folder that paths in it are relative to.
    dir: PathBuf,
}

/// What a plan is read with, and for which run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inputs<'a> {
    /// Those that were given.
    pub(crate) given: &'a BTreeMap<String, String>,
    /// Those that its run has.
    pub(crate) kept: Option<&'a BTreeMap<String, String>>,
    /// The folder of that run; without one it is this one.
    pub(crate) folder: Option<&'a str>,
    /// Whether others may be without a value.
    pub(crate) may_be_missing: bool,
}

impl<'a> Inputs<'a> {
    /// Of a plan that is to be run with these.
    pub(crate) fn given(given: &'a BTreeMap<String, String>) -> Self {
        Self { given, kept: None, folder: None, may_be_missing: false }
    }

    /// Of a plan that is only looked at.
    pub(crate) fn some(given: &'a BTreeMap<String, String>) -> Self {
        Self { may_be_missing: true, ..Self::given(given) }
    }
}

impl PlanFile {
    /// Reads a file, or standard input for `-`. What is longer than plans may be is cut: it is refused later.
    pub(crate) fn read(path: &Path, desk: &Desk) -> Outcome<Self> {
        let shown = path.display().to_string();
        let unreadable = |error: &io::Error| {
            let report = Report::usage(format!("the plan {shown} can't be read")).cause(error.to_string());
            let hint = if error.kind() == io::ErrorKind::NotFound {
                format!("`{}` writes a first plan", calling::command("init"))
            } else {
                "name a file that can be read; `-` reads a plan from standard input".to_owned()
            };
            report.hint(hint)
        };
        let limit = FILE_BYTES_MAX as u64 + 1;
        if path == Path::new("-") {
            let mut bytes = Vec::new();
            io::stdin().take(limit).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
            return Ok(Self { name: "-".into(), shown, bytes, dir: desk.place.folder.clone() });
        }
        let bytes = regular::read(path, limit).map_err(|error| unreadable(&error))?;
        let whole = path.canonicalize().map_err(|error| unreadable(&error))?;
        let dir = whole.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Self { name: whole.display().to_string(), shown, bytes, dir })
    }

    /// Its text, for showing places in it.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Makes a plan of it.
    pub(crate) fn load(&self, config: &Config, inputs: &Inputs<'_>, desk: &Desk) -> Outcome<Loaded> {
        let dir = self.dir.to_str().ok_or_else(|| {
            Report::usage(format!("the folder of the plan, {}, is not UTF-8", self.dir.display()))
        })?;
        let folder = inputs.folder.map_or(desk.place.folder.as_path(), Path::new);
        let options = Options {
            file: &self.name,
            dir,
            git_repository: folder.ancestors().any(|folder| folder.join(".git").exists()),
            kept: inputs.kept,
            inputs_may_be_missing: inputs.may_be_missing,
            check_schema: Some(&windlass_worker::check_schema),
            check_glob: Some(&windlass_worker::environment::check_glob),
            check_dir: Some(&|dir| windlass_worker::folder::check_dir(folder, dir)),
            read: Some(&read_sub_plan),
            ..Options::default()
        };
        let source = Source { name: &self.shown, text: &self.bytes, format: None };
        let mut loaded = load(&source, &config.settings, inputs.given, &options)
            .map_err(|diagnostics| FileErrors::of(&self.bytes, diagnostics))?;
        loaded.warnings = meant_here(loaded.warnings);
        for remarks in &mut loaded.beneath {
            remarks.warnings = meant_here(std::mem::take(&mut remarks.warnings));
        }
        Ok(loaded)
    }

    /// Says what is not wrong and worth a word.
    pub(crate) fn warn(&self, loaded: &Loaded) {
        let mut to = anstream::stderr();
        // That nobody can hear a warning is no failure.
        render::report::print_remarks(&mut to, &loaded.warnings, &self.text(), &loaded.beneath)
            .unwrap_or_default();
    }
}

/// Reads the file of a sub-plan, from the folder of the plan that names it.
fn read_sub_plan(dir: &str, file: &str) -> Result<PlanText, String> {
    let path = Path::new(dir).join(file);
    let bytes = regular::read(&path, FILE_BYTES_MAX as u64 + 1).map_err(|error| error.to_string())?;
    let whole = path.canonicalize().map_err(|error| error.to_string())?;
    let text = |path: &Path| {
        path.to_str().map(str::to_owned).ok_or_else(|| format!("the path {} is not UTF-8", path.display()))
    };
    let dir = text(whole.parent().unwrap_or(Path::new("/")))?;
    Ok(PlanText { name: text(&whole)?, bytes, dir })
}

/// The values of inputs as they would be given; those without one would not be.
pub(crate) fn as_given(inputs: &BTreeMap<String, Value>) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    inputs
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

/// The inputs that were given as `name=value`.
pub(crate) fn inputs(given: &[String]) -> Outcome<BTreeMap<String, String>> {
    let mut inputs = BTreeMap::new();
    for pair in given {
        let Some((name, value)) = pair.split_once('=') else {
            let hint = format!("write --input {pair}=VALUE");
            return Err(Report::usage(format!("the input `{pair}` has no value")).hint(hint).into());
        };
        if inputs.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(Report::usage(format!("the input `{name}` is given twice")).into());
        }
    }
    Ok(inputs)
}
