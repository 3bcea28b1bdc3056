//! `windlass doctor`: looks at the store, the lock, the agents and the machine, and says how to mend what is not well.
//! Never: mending anything by itself; `--accept-loss` is a person's word.

use std::path::{Path, PathBuf};

use clap::Args;
use rustix::fs::Access;
use serde::Serialize;
use windlass_core::id::RunId;
use windlass_engine::doctor::{Inspection, Named};
use windlass_engine::error::{ANOTHER_HOME, EngineError};
use windlass_engine::{doctor, reading};
use windlass_worker::environment::LET_THROUGH;
use windlass_worker::machine;

use crate::config::{Config, files};
use crate::desk::Desk;
use crate::error::{Outcome, Report, engine_failed, not_supported_yet};
use crate::exit::Exit;
use crate::render::plural::{bytes, count, list};
use crate::render::style::{ERROR, HINT, OK, WARNING, paint};
use crate::render::table::{Cell, Table};
use crate::render::text;

/// Look at the store, the agents and the machine, and say how to mend what is not well
#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Doctor {
    /// Go on with what is left of a damaged journal; copies of everything are kept
    #[arg(long)]
    accept_loss: bool,
    /// Say where each setting came from
    #[arg(long)]
    config: bool,
    /// Say what makes a run slow
    #[arg(long)]
    why_slow: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// How many blobs that are gone are named one by one.
const BLOBS_MAX: usize = 20;

/// How well something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Health {
    /// As it should be.
    Ok,
    /// Worth a word.
    Remark,
    /// To be mended.
    Wrong,
}

/// What was found out about one thing.
#[derive(Debug, Serialize)]
struct Finding {
    about: &'static str,
    health: Health,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// Whether it is the store that is not well.
    #[serde(skip)]
    of_store: bool,
}

impl Finding {
    fn new(about: &'static str, health: Health, text: impl Into<String>) -> Self {
        Self { about, health, text: text.into(), hint: None, of_store: false }
    }

    /// What keeps a part of the home from being looked at.
    fn of_error(about: &'static str, error: &EngineError) -> Self {
        let Report { message, causes, hint, .. } = engine_failed(error);
        let text = std::iter::once(message).chain(causes).collect::<Vec<_>>().join(": ");
        Self::new(about, Health::Wrong, text).hint(hint)
    }

    fn hint(self, hint: impl Into<Option<String>>) -> Self {
        Self { hint: hint.into(), ..self }
    }
}

impl Doctor {
    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        if self.why_slow {
            return Err(not_supported_yet("`doctor --why-slow`"));
        }
        let config = Config::load(desk)?;
        if self.config {
            return say_config(desk, &config, self.json);
        }
        if self.accept_loss {
            return accept_loss(desk, &config);
        }
        let mut findings = store(desk, &config);
        findings.extend(agents(desk, &config));
        findings.extend(this_machine(desk, &config));
        findings.push(environment(desk));
        if self.json {
            desk.json(&serde_json::json!({ "home": desk.place.home, "findings": findings }))?;
        } else {
            print(desk, &findings)?;
        }
        let worst_of = |of_store: bool| {
            findings.iter().filter(|found| found.of_store == of_store).map(|found| found.health).max()
        };
        Ok(match (worst_of(true), worst_of(false)) {
            (Some(Health::Wrong), _) => Exit::Environment,
            (_, Some(Health::Wrong)) => Exit::Failed,
            _ => Exit::Done,
        })
    }
}

fn print(desk: &mut Desk, findings: &[Finding]) -> Outcome<()> {
    let mut about = "";
    for finding in findings {
        let (style, mark) = match finding.health {
            Health::Ok => (OK, "ok    "),
            Health::Remark => (WARNING, "remark"),
            Health::Wrong => (ERROR, "wrong "),
        };
        if finding.about != about {
            about = finding.about;
            desk.line(about)?;
        }
        desk.line(&format!("  {} {}", paint(style, mark), text::plain(&finding.text)))?;
        if let Some(hint) = &finding.hint {
            desk.line(&format!("         {} {}", paint(HINT, "hint:"), text::plain(hint)))?;
        }
    }
    Ok(())
}

/// The store, the lock, and what earlier engines left.
fn store(desk: &mut Desk, config: &Config) -> Vec<Finding> {
    let home = desk.place.home.clone();
    let shown = home.display();
    let of_store = |finding: Finding| Finding { of_store: true, ..finding };
    if !home.exists() {
        return vec![if can_be_made(&home) {
            let text = format!("{shown} does not exist yet: the first run makes it");
            Finding::new("store", Health::Ok, text)
        } else {
            let text = format!("{shown} does not exist, and can't be made");
            of_store(Finding::new("store", Health::Wrong, text).hint(ANOTHER_HOME.to_owned()))
        }];
    }
    let found = match doctor::look(&home) {
        Ok(found) => found,
        Err(error) => return vec![of_store(Finding::of_error("store", &error))],
    };
    let mut findings = Vec::new();
    let records = count(found.end.seq.0, "record");
    match (&found.damage, &found.foreign) {
        (Some(damage), _) => {
            let accept =
                "if there is a backup, use it; else `windlass doctor --accept-loss` keeps copies and goes on";
            findings.push(of_store(
                Finding::new("store", Health::Wrong, damage.to_string()).hint(accept.to_owned()),
            ));
        }
        (None, Some(foreign)) => {
            findings.push(of_store(
                Finding::new("store", Health::Wrong, foreign.to_string()).hint(foreign.hint()),
            ));
        }
        (None, None) => {
            let sizes = format!(
                "{} and {} of blobs",
                bytes(found.sizes.store + found.sizes.wal),
                bytes(found.sizes.blobs)
            );
            let text = format!("{shown}: {records}, the chain holds ({sizes})");
            findings.push(of_store(Finding::new("store", Health::Ok, text)));
        }
    }
    if found.is_head_slot_torn {
        let text = "one of the two slots of `head` was torn by a crash; the other one is good";
        findings.push(Finding::new("store", Health::Remark, text));
    }
    findings.extend(blobs(&found).into_iter().map(of_store));
    findings.extend(engine(desk, config, &home, found.is_live));
    findings
}

/// Whether a home could be made where none is: the nearest folder that is there must take it.
fn can_be_made(home: &Path) -> bool {
    let nearest = home.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let wanted = Access::WRITE_OK | Access::EXEC_OK;
    nearest.is_dir() && rustix::fs::access(nearest, wanted).is_ok()
}

/// The blobs that records name: each that is gone, with what can't be read for it.
fn blobs(found: &Inspection) -> Vec<Finding> {
    let missing = found.dangling.iter().map(|blob| (blob, "is missing"));
    let unsound = found.unsound.iter().map(|blob| (blob, "is not what was written"));
    let mut gone: Vec<(&Named, &str)> = missing.chain(unsound).collect();
    if gone.is_empty() {
        let only = if found.damage.is_some() { " that the readable records name" } else { "" };
        let text = format!("blobs: all{only} are there, and are what was written");
        return vec![Finding::new("store", Health::Ok, text)];
    }
    // Plans first: without one a whole run is gone.
    gone.sort_by_key(|(blob, _)| (!blob.is_plan, blob.seq));
    let more = gone.len().saturating_sub(BLOBS_MAX);
    let mut findings: Vec<Finding> = gone
        .into_iter()
        .take(BLOBS_MAX)
        .map(|(blob, how)| {
            let runs: Vec<&str> = blob.runs.iter().map(RunId::as_str).collect();
            let runs = format!("{} {}", if runs.len() == 1 { "run" } else { "runs" }, list(&runs));
            let (what, hint) = if blob.is_plan {
                let hint = "put it back from a backup, if there is one; the other runs go on without it";
                (format!("the plan of {runs}, which can't be read without it,"), hint)
            } else {
                (
                    format!("which {runs} named in record {},", blob.seq),
                    "put it back from a backup, if there is one",
                )
            };
            Finding::new("store", Health::Wrong, format!("blob {}, {what} {how}", blob.digest))
                .hint(hint.to_owned())
        })
        .collect();
    if more > 0 {
        findings.push(Finding::new(
            "store",
            Health::Wrong,
            format!("and {}", count(more as u64, "more blob")),
        ));
    }
    findings
}

/// Whether an engine is alive; where none is, what an earlier one left is ended.
fn engine(desk: &mut Desk, config: &Config, home: &Path, is_live: bool) -> Vec<Finding> {
    if is_live {
        let owner = reading::owner(home);
        let who = owner.as_ref().map_or_else(|| "a process".into(), |owner| format!("process {}", owner.pid));
        let socket = owner.and_then(|owner| owner.socket);
        let reached = crate::reaching::connect(desk).is_some();
        return vec![match socket {
            _ if reached => Finding::new("engine", Health::Ok, format!("{who} is alive and takes commands")),
            Some(path) => Finding::new(
                "engine",
                Health::Wrong,
                format!("{who} is alive, but {} does not answer", path.display()),
            )
            .hint("wait a few seconds: it binds a socket that was removed anew; else end it".to_owned()),
            None => Finding::new("engine", Health::Remark, format!("{who} is carrying out one command")),
        }];
    }
    let mut waited = Vec::new();
    match doctor::sweep(home, config.home, &mut |what| waited.push(what.to_owned())) {
        Ok(0) => vec![Finding::new("engine", Health::Ok, "none is alive, and none left anything behind")],
        Ok(attempts) => {
            let text =
                format!("ended what {} of an earlier engine had left", count(attempts as u64, "attempt"));
            vec![Finding::new("engine", Health::Remark, text)]
        }
        Err(error) => {
            let of_store = matches!(error, EngineError::Home(_) | EngineError::Lock(_));
            vec![Finding { of_store, ..Finding::of_error("engine", &error) }]
        }
    }
}

/// Whether the programs of the agents in the settings are there.
fn agents(desk: &Desk, config: &Config) -> Vec<Finding> {
    let path = desk.surroundings.text("PATH");
    let mut findings = Vec::new();
    for (name, agent) in &config.settings.agents {
        let adapter = agent.adapter.as_deref().unwrap_or("none");
        let program = match (adapter, &agent.program) {
            ("scripted", _) => {
                findings.push(Finding::new(
                    "agents",
                    Health::Ok,
                    format!("{name}: the scripted agent, which is built in"),
                ));
                continue;
            }
            (_, Some(program)) => program,
            (adapter, None) => {
                let text =
                    format!("{name}: its adapter `{adapter}` is not supported yet, or wants a `program`");
                findings.push(Finding::new("agents", Health::Remark, text));
                continue;
            }
        };
        findings.push(match windlass_worker::find_program(program, path, &desk.place.folder) {
            Ok(found) => Finding::new("agents", Health::Ok, format!("{name}: {}", found.display())),
            Err(failure) => Finding::new("agents", Health::Wrong, format!("{name}: {}", failure.message))
                .hint(failure.hint),
        });
    }
    if findings.is_empty() {
        let text = "no agents are named in windlass.toml; plans may name their own";
        findings.push(Finding::new("agents", Health::Ok, text));
    }
    findings
}

/// What this machine offers.
fn this_machine(desk: &Desk, config: &Config) -> Vec<Finding> {
    let machine = machine();
    let mut findings = vec![Finding::new("machine", Health::Ok, machine.containment.in_words())];
    let (files, most) = machine.descriptors_max;
    let enough = files >= 1024;
    let health = if enough { Health::Ok } else { Health::Remark };
    let hint = (!enough).then(|| format!("`ulimit -n {}` allows more runs at the same time", most.min(4096)));
    findings.push(Finding::new("machine", health, format!("{files} open files, {most} at most")).hint(hint));
    if let Some((available, all)) = machine.memory_bytes {
        let text = format!("{} of {} memory available", bytes(available), bytes(all));
        findings.push(Finding::new("machine", Health::Ok, text));
    }
    if let Ok(free) = doctor::room(&desk.place.home) {
        let needed = config.home.min_free;
        // In the unit and with the meaning of the refusal to start, which may stand beside it.
        let text = format!(
            "{} MiB free on the disk of the home, the reserve counted; {} MiB needed to start",
            free >> 20,
            needed >> 20
        );
        findings.push(if free < needed {
            Finding { of_store: true, ..Finding::new("machine", Health::Wrong, text) }
                .hint("free some space, or choose another disk with --home".to_owned())
        } else {
            Finding::new("machine", Health::Ok, text)
        });
    }
    findings
}

/// The variables that every attempt gets.
fn environment(desk: &Desk) -> Finding {
    let passed = windlass_worker::environment::cut(desk.surroundings.texts(), &[]);
    let names: Vec<&str> = passed.keys().map(String::as_str).collect();
    let held_back = desk.surroundings.texts().count() - passed.len();
    let text = format!(
        "attempts get {}, of {} that are let through; {held_back} others stay outside",
        names.join(" "),
        count(LET_THROUGH.len() as u64, "name")
    );
    Finding::new("environment", Health::Ok, text)
        .hint("`env` and `pass` of a task let more through".to_owned())
}

fn accept_loss(desk: &mut Desk, config: &Config) -> Outcome {
    let home = desk.place.home.clone();
    if !home.exists() {
        return Err(Report::usage(format!("there is no home {}", home.display())).into());
    }
    let repaired = doctor::accept(&home, config.home, &mut |what| desk.note(what));
    match repaired.map_err(|error| engine_failed(&error))? {
        None => desk.line("Nothing was wrong with the journal, and nothing was changed.")?,
        Some(repair) => {
            desk.line(&what_is_given_up(&repair))?;
            let gone = doctor::runs_only_in_logs(&home).map_err(|error| engine_failed(&error))?;
            if !gone.is_empty() {
                let logs = home.join("logs");
                desk.line(&format!(
                    "Gone with them, by what {} still shows: {}.",
                    logs.display(),
                    list(&gone)
                ))?;
            }
            desk.line(&format!("Copies of what was there lie in {}.", repair.copies.display()))?;
        }
    }
    Ok(Exit::Done)
}

fn what_is_given_up(repair: &doctor::Repair) -> String {
    let lost = repair.known.0.saturating_sub(repair.intact.0);
    let given_up = match (lost, repair.is_end_known) {
        (0, true) => "nothing is known to be gone".to_owned(),
        (_, true) => format!("{} given up", count(lost, "record")),
        (0, false) => "how many came after it nobody knows, because `head` was missing or damaged".to_owned(),
        (_, false) => format!(
            "at least {} given up: how many nobody knows, because `head` was missing or damaged",
            count(lost, "record")
        ),
    };
    format!("The journal goes on after record {}; {given_up}.", repair.intact)
}

/// Where each setting came from.
fn say_config(desk: &mut Desk, config: &Config, json: bool) -> Outcome {
    let origins = &config.settings.origins;
    if json {
        let values: serde_json::Map<String, serde_json::Value> = origins
            .iter()
            .map(|(key, setting)| {
                (key.clone(), serde_json::json!({ "value": setting.value, "origin": setting.origin }))
            })
            .collect();
        desk.json(&serde_json::json!({ "settings": values }))?;
        return Ok(Exit::Done);
    }
    let mut table = Table::default();
    table.row([
        "home".into(),
        desk.place.home.display().to_string().into(),
        Cell::from("--home, WINDLASS_HOME or the project"),
    ]);
    for (key, setting) in origins {
        table.row([
            key.clone().into(),
            text::plain(&setting.value.to_string()).into(),
            text::plain(&setting.origin).into(),
        ]);
    }
    let looked: Vec<PathBuf> = files(&desk.place, &desk.surroundings);
    desk.lines(table.lines())?;
    for path in looked {
        let there = if path.exists() { "read" } else { "not there" };
        desk.note(&format!("{} ({there})", path.display()));
    }
    Ok(Exit::Done)
}
