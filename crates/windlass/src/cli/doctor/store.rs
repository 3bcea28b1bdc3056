//! What is found out about the store, the lock, and what earlier engines left. Never: anything about the machine.

use std::path::Path;

use rustix::fs::Access;
use windlass_core::id::RunId;
use windlass_engine::doctor::{Inspection, Named};
use windlass_engine::error::{ANOTHER_HOME, EngineError};
use windlass_engine::{doctor, reading};

use super::{Finding, Health};
use crate::calling;
use crate::config::Config;
use crate::desk::Desk;
use crate::render::plural::{bytes, count, list};

/// What gives up what is gone.
fn accept_loss() -> calling::Command {
    calling::command("doctor").with("--accept-loss")
}

/// How many blobs that are gone are named one by one.
const BLOBS_MAX: usize = 20;

/// The store, the lock, and what earlier engines left.
pub(super) fn store(desk: &mut Desk, config: &Config) -> Vec<Finding> {
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
                format!("if there is a backup, use it; else `{}` keeps copies and goes on", accept_loss());
            findings.push(of_store(Finding::new("store", Health::Wrong, damage.to_string()).hint(accept)));
        }
        (None, Some(foreign)) => {
            findings.push(of_store(
                Finding::new("store", Health::Wrong, foreign.to_string())
                    .hint(foreign.hint().map(|hint| calling::here(&hint))),
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
    let unsound = found.unsound.iter().map(|blob| (blob, "is damaged"));
    let mut gone: Vec<(&Named, &str)> = missing.chain(unsound).collect();
    if gone.is_empty() {
        let only = if found.damage.is_some() { " that the readable records name" } else { "" };
        let text = format!("blobs: all{only} are there, and are what was written");
        return vec![Finding::new("store", Health::Ok, text)];
    }
    // What nobody has given up comes first, and in it plans: without one a whole run is gone.
    gone.sort_by_key(|(blob, _)| (blob.is_given_up, !blob.is_plan, blob.seq));
    let more = gone.get(BLOBS_MAX).map(|(blob, _)| health_of(blob));
    let mut findings: Vec<Finding> =
        gone.iter().take(BLOBS_MAX).map(|(blob, how)| gone_blob(blob, how)).collect();
    if let Some(health) = more {
        let text = format!("and {}", count((gone.len() - BLOBS_MAX) as u64, "more blob"));
        findings.push(Finding::new("store", health, text));
    }
    findings
}

/// What was given up is gone all the same, but nothing has to be done about it.
fn health_of(blob: &Named) -> Health {
    if blob.is_given_up { Health::Remark } else { Health::Wrong }
}

fn gone_blob(blob: &Named, how: &str) -> Finding {
    let runs: Vec<&str> = blob.runs.iter().map(RunId::as_str).collect();
    let (noun, verb) = if runs.len() == 1 { ("run", "is") } else { ("runs", "are") };
    let runs = format!("{noun} {}", list(&runs));
    let digest = blob.digest;
    let text = match (blob.is_given_up, blob.is_plan) {
        (false, true) => format!("blob {digest}, the plan of {runs}, which can't be read without it, {how}"),
        (false, false) => format!("blob {digest}, which {runs} named in record {}, {how}", blob.seq),
        (true, true) => format!("{runs} {verb} lost, as was accepted: blob {digest}, the plan, {how}"),
        (true, false) => format!("blob {digest}, which {runs} named, {how}, as was accepted"),
    };
    let hint = if blob.is_given_up {
        "put back from a backup, it is there again".to_owned()
    } else {
        let accept = accept_loss();
        format!(
            "put it back from a backup, if there is one; else `{accept}` gives it up; the other runs go on without it"
        )
    };
    Finding::new("store", health_of(blob), text).hint(hint)
}

/// Whether an engine is alive; where none is, what an earlier one left is ended.
fn engine(desk: &mut Desk, config: &Config, home: &Path, is_live: bool) -> Vec<Finding> {
    if is_live {
        let owner = reading::owner(home);
        let who = owner.as_ref().map_or_else(|| "a process".into(), |owner| format!("process {}", owner.pid));
        let socket = owner.and_then(|owner| owner.socket);
        let reached = crate::reaching::connect(desk).is_ok();
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
