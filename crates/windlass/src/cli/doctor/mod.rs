//! `windlass doctor`: looks at the store, the lock, the agents and the machine, and says how to mend what is not well.
//! What an earlier engine left behind it ends. Never: changing the store, but at a person's word: `--accept-loss`.

mod clean_up;
mod config;
mod loss;
mod store;
mod why_slow;

use clap::Args;
use serde::Serialize;
use windlass_engine::doctor;
use windlass_engine::error::EngineError;
use windlass_worker::environment::LET_THROUGH;
use windlass_worker::machine;

use crate::config::Config;
use crate::desk::Desk;
use crate::error::{Failed, Outcome, Report, engine_failed};
use crate::exit::Exit;
use crate::render::plural::{bytes, count};
use crate::render::style::{ERROR, HINT, OK, WARNING, paint};
use crate::render::text;
use crate::screen;

/// Look at the store, the agents and the machine, and say how to mend what is not well
#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// Go on with what is left of a damaged store: a journal is copied before it is cut, blobs that are gone are given up
    #[arg(long, conflicts_with_all = ["config", "why_slow"])]
    accept_loss: bool,
    /// Say where each setting came from
    #[arg(long, conflicts_with = "why_slow")]
    config: bool,
    /// Say what made a run slow: which limit kept its tasks from starting, and what to change first
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "last")]
    why_slow: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

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
    /// What of it only people may do, in words.
    pub(super) fn only_people(&self) -> Option<&'static str> {
        self.accept_loss.then_some("give up what is lost")
    }

    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        if let Some(run) = &self.why_slow {
            return why_slow::say(desk, run, self.json);
        }
        if self.accept_loss {
            let config = Config::load_what_can_be(desk);
            return loss::accept(desk, &config, self.json);
        }
        let config = Config::gather(desk);
        if self.config {
            return config::say(desk, &config, self.json);
        }
        let mut findings = store::store(desk, &config);
        findings.extend(settings(&config));
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

/// Where the text of a finding begins.
const TEXT_AT: usize = "  remark ".len();

fn print(desk: &mut Desk, findings: &[Finding]) -> Outcome<()> {
    let (mut about, columns) = ("", screen::width_of_lists());
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
        let line = format!("  {} {}", paint(style, mark), text::plain(&finding.text));
        desk.lines(text::wrap_words_under(&line, columns, TEXT_AT))?;
        if let Some(hint) = &finding.hint {
            let line = format!("{:TEXT_AT$}{} {}", "", paint(HINT, "hint:"), text::plain(hint));
            desk.lines(text::wrap_words_under(&line, columns, TEXT_AT + 2))?;
        }
    }
    Ok(())
}

/// What is wrong with the settings.
fn settings(config: &Config) -> impl Iterator<Item = Finding> {
    let in_short = config.passed_over.iter().filter_map(Failed::in_short);
    in_short.map(|(what, hint)| Finding::new("settings", Health::Wrong, what).hint(hint))
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
    let mut findings = clean_up::findings(&machine);
    let (files, most) = machine.descriptors_max;
    let enough = files >= 1024;
    let health = if enough { Health::Ok } else { Health::Remark };
    let more = most.min(4096);
    let hint = if files < more {
        format!("`ulimit -n {more}` allows more runs at the same time")
    } else {
        "raise the limit (`ulimit -n`) where Windlass is started: more runs go at the same time then".into()
    };
    let hint = (!enough).then_some(hint);
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
