//! `windlass revise`: a run goes on by another plan. Never: deciding what of it may change (the core does).

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use windlass_core::input::{Answer, Ask, Rejection, Revision};
use windlass_core::plan::{Plan, revision};
use windlass_core::state::Run;
use windlass_engine::body;

use crate::config::Config;
use crate::desk::Desk;
use crate::error::{Outcome, Report, engine_failed};
use crate::exit::Exit;
use crate::plan_file::{Inputs, PlanFile, as_given, inputs};
use crate::render::plural::{count, list};
use crate::{lookup, nested, steer};

/// Go on with a run by another plan
#[derive(Args, Debug)]
pub(crate) struct Revise {
    /// The run: its id, the start of it, or `last`
    run: String,
    /// The plan file, or `-` for standard input
    plan: PathBuf,
    /// Another value for an input, as `name=value`; the others stay as they are
    #[arg(long = "input", value_name = "NAME=VALUE")]
    inputs: Vec<String>,
}

impl Revise {
    pub(crate) fn carry_out(self, desk: &mut Desk) -> Outcome {
        nested::refuse_to_revise(desk)?;
        let (run, before, kept, folder) = {
            let reading = lookup::open(desk)?;
            let run = lookup::run(reading.state(), &self.run)?;
            (run.id, Arc::clone(&run.plan), as_given(&run.plan.inputs), run.folder.clone())
        };
        let config = Config::load(desk)?;
        let given = inputs(&self.inputs)?;
        let file = PlanFile::read(&self.plan, desk)?;
        // Once: another look at the files of its sub-plans might find others than those that were checked.
        let inputs = Inputs { kept: Some(&kept), folder: Some(&folder), ..Inputs::given(&given) };
        let loaded = file.load(&config, &inputs, desk)?;
        file.warn(&loaded);
        let plan = Arc::new(loaded.plan);
        let bytes = serde_json::to_vec(&*plan).expect("a plan is plain data");
        let plan_digest = body::keep(&desk.place.home, &bytes).map_err(|error| engine_failed(&error))?;
        let revision = Revision { run, plan: Arc::clone(&plan), plan_digest, source: file.name.clone() };
        let answer = steer::send(desk, Ask::Revise(Box::new(revision)))?;
        if let Answer::Refused(Rejection::CantRevise { reasons, .. }) = &answer {
            return Err(refused(run, reasons).into());
        }
        steer::say(desk, run, &answer, |now| said(now, &before, &plan))?;
        steer::say_how_to_go_on(desk, run)?;
        Ok(Exit::Done)
    }
}

fn refused(run: windlass_core::id::RunId, reasons: &[String]) -> Report {
    let report = Report::new(Exit::Failed, format!("run {run} can't go on by this plan"));
    let hint = "what has begun can be cancelled, and what has ended keeps what it gave; \
                give a new task another name, or run the plan anew";
    report.cause(reasons.join("; ")).hint(hint.to_owned())
}

/// What has become of a run by a revision.
fn said(run: &Run, before: &Plan, plan: &Plan) -> String {
    let laid = revision::over(before, plan);
    let known = before.tasks.len();
    let pairs = || before.tasks.iter().zip(&laid.tasks);
    let gone: Vec<String> =
        pairs().filter(|(old, new)| !old.removed && new.removed).map(|(old, _)| old.id.to_string()).collect();
    let changed: Vec<String> =
        pairs().filter(|(old, new)| !new.removed && old != new).map(|(old, _)| old.id.to_string()).collect();
    let new: Vec<String> = laid.tasks[known..].iter().map(|task| task.id.to_string()).collect();
    let parts: Vec<String> = [("new", new), ("changed", changed), ("left out", gone)]
        .into_iter()
        .filter(|(_, tasks)| !tasks.is_empty())
        .map(|(what, tasks)| match tasks.len() {
            ..=8 => format!("{what}: {}", list(&tasks)),
            many => format!("{what}: {}", count(many as u64, "task")),
        })
        .collect();
    let what = if parts.is_empty() { "with the same tasks".to_owned() } else { parts.join("; ") };
    format!("Run {} goes on by version {} of its plan; {what}.", run.id, run.version)
}
