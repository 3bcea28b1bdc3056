//! What follows for attempts with worktrees of their own: the worktree is asked for, what they left is committed, and what
//! is good lands. Never: what becomes of a task whose work could not land (`judge.rs`).

use crate::decide::{judge, pause_by};
use crate::errand::{Done, ObjectId};
use crate::event::{Commit, Event, Exit, MergeOutcome, PauseReason, Usage};
use crate::failure::{ErrorKind, Failure};
use crate::id::{AttemptKey, Fence};
use crate::output::RawOutput;
use crate::state::attempts;
use crate::state::sites::{Landing, Site, Stage};
use crate::state::{Attempt, Run, State, Task, TaskIx};

/// How often in a row the target may have moved when work was to land.
const STALE_MAX: u32 = 3;
/// Who pauses a run whose work can't land.
const BY: &str = "windlass";

/// The worktree of an attempt that has begun is asked for: the path is the task's, the branch its own.
pub(crate) fn prepare(run: &Run, ix: TaskIx) -> Event {
    let task = run.task(ix);
    let attempt = task.last_attempt().expect("it has begun");
    let ground = run.ground.as_ref().expect("a run with worktrees has a repository");
    // A plus sign stands in no name, so that no worktree lies in another.
    let folder = task.id.to_string().replace('/', "+");
    Event::WorkspaceRequested {
        run: run.id,
        task: task.id.clone(),
        attempt: attempt.number,
        fence: attempt.fence,
        path: format!("{}/{folder}", ground.repository.worktrees),
        branch: format!("windlass/{}/{}@{}", run.id, task.id, attempt.number),
        base: ground.tip.clone(),
    }
}

/// The work of a task is on top of the target: it is to move.
pub(crate) fn merge(run: &Run, ix: TaskIx) -> Event {
    let (task, attempt, landing) = landing(run, ix).expect("it is in the queue");
    let Stage::Prepared { base, new_tip, tree } = &landing.stage else {
        unreachable!("only what is prepared is merged")
    };
    Event::MergeStarted {
        run: run.id,
        task: task.id.clone(),
        attempt: attempt.number,
        fence: attempt.fence,
        target: run.ground.as_ref().expect("it lands").repository.target.clone(),
        expect_old: base.clone(),
        new_tip: new_tip.clone(),
        tree: tree.clone(),
    }
}

/// What follows a result that is good: its work lands, where it has any.
pub(crate) fn request_merge(run: &Run, task: &Task) -> Option<Event> {
    let attempt = task.last_attempt()?;
    let Some(Ok(work)) = &attempt.site.as_ref()?.work else { return None };
    (!work.is_empty).then(|| Event::MergeRequested {
        run: run.id,
        task: task.id.clone(),
        attempt: attempt.number,
        fence: attempt.fence,
        target: run.ground.as_ref().expect("it has a worktree").repository.target.clone(),
        work: work.commit.clone(),
    })
}

fn landing(run: &Run, ix: TaskIx) -> Option<(&Task, &Attempt, &Landing)> {
    let task = run.task(ix);
    let attempt = task.last_attempt()?;
    Some((task, attempt, attempt.site.as_ref()?.landing.as_ref()?))
}

/// What the report of an errand comes to. One whose order is not outstanding changes nothing.
pub(crate) fn errand_done(
    state: &State,
    key: &AttemptKey,
    fence: Fence,
    outcome: &Result<Done, Failure>,
) -> Vec<Event> {
    let found = || {
        let run = state.run(key.run)?;
        let ix = *run.names.get(&key.task)?;
        let attempt = run.task(ix).last_attempt().filter(|attempt| attempt.number == key.attempt)?;
        Some((run, ix, attempt, attempt.site.as_deref()?))
    };
    let Some((run, ix, attempt, site)) = found() else { return Vec::new() };
    if site.asked == fence && attempt.is_preparing() && attempt.is_live() {
        return made(run, ix, attempt, outcome.as_ref().err());
    }
    if site.left == Some(fence) && attempt.awaits_work() {
        return vec![committed(run, ix, attempt, outcome)];
    }
    match &site.landing {
        Some(landing) if run.lands_next() == Some(ix) => {
            landed(run, (ix, attempt, site), landing, fence, outcome)
        }
        Some(_) | None => Vec::new(),
    }
}

/// The worktree is there; or the attempt is over before it began.
fn made(run: &Run, ix: TaskIx, attempt: &Attempt, error: Option<&Failure>) -> Vec<Event> {
    let (id, task, number, fence) = (run.id, run.task(ix).id.clone(), attempt.number, attempt.fence);
    let ready = Event::WorkspaceReady {
        run: id,
        task: task.clone(),
        attempt: number,
        fence,
        error: error.cloned().map(Failure::recorded),
    };
    let stopped = attempt.stop.as_ref().map(|(why, message, _)| attempts::stopped(*why, message));
    let Some(error) = stopped.or_else(|| error.cloned()) else { return vec![ready] };
    vec![
        ready,
        Event::AttemptFinished {
            run: id,
            task: task.clone(),
            attempt: number,
            fence,
            exit: Exit::NotStarted,
            error: Some(error.recorded()),
            output: RawOutput::default(),
            usage: Usage::default(),
        },
        Event::AttemptReaped { run: id, task, attempt: number, fence, leftovers: 0 },
    ]
}

fn committed(run: &Run, ix: TaskIx, attempt: &Attempt, outcome: &Result<Done, Failure>) -> Event {
    let (work, error) = match outcome {
        Ok(Done::WorkCommitted { commit, tree, is_empty }) => {
            (Some(Commit { commit: commit.clone(), tree: tree.clone(), is_empty: *is_empty }), None)
        }
        Ok(_) => (None, Some(misunderstood())),
        Err(failure) => (None, Some(failure.clone().recorded())),
    };
    let task = run.task(ix).id.clone();
    Event::WorkCommitted { run: run.id, task, attempt: attempt.number, fence: attempt.fence, work, error }
}

/// What became of work on its way to the target.
fn landed(
    run: &Run,
    (ix, attempt, site): (TaskIx, &Attempt, &Site),
    landing: &Landing,
    fence: Fence,
    outcome: &Result<Done, Failure>,
) -> Vec<Event> {
    let is_ours = match &landing.stage {
        Stage::Asked | Stage::Started { .. } => landing.ordered == fence,
        Stage::Prepared { .. } | Stage::Held | Stage::Over => false,
    };
    if !is_ours {
        return Vec::new();
    }
    let task = run.task(ix);
    let finished = |outcome, commit: Option<&ObjectId>, error: Option<Failure>| Event::MergeFinished {
        run: run.id,
        task: task.id.clone(),
        attempt: attempt.number,
        fence: attempt.fence,
        outcome,
        commit: commit.cloned(),
        error: error.map(Failure::recorded),
    };
    match outcome {
        Ok(Done::MergePrepared { base, new_tip, tree }) => vec![Event::MergePrepared {
            run: run.id,
            task: task.id.clone(),
            attempt: attempt.number,
            fence: attempt.fence,
            base: base.clone(),
            new_tip: new_tip.clone(),
            tree: tree.clone(),
        }],
        Ok(Done::Landed { commit }) => {
            let landed = finished(MergeOutcome::Landed, Some(commit), None);
            vec![landed, judge::landed(run, task, commit)]
        }
        Ok(Done::Stale { tip }) if landing.stale + 1 < STALE_MAX => {
            vec![finished(MergeOutcome::Stale, Some(tip), None)]
        }
        Ok(Done::Stale { tip }) => {
            let message =
                format!("the branch had moved each time that work was to land on it, {STALE_MAX} times");
            let busy = Failure::new(ErrorKind::Interrupted, message);
            vec![
                finished(MergeOutcome::Failed, Some(tip), Some(busy)),
                pause_by(run, PauseReason::TargetBusy, BY),
            ]
        }
        Ok(Done::Conflict { files, text, .. }) => {
            vec![finished(MergeOutcome::Conflict, None, Some(conflict(site, files, text)))]
        }
        Ok(Done::WorktreeMade | Done::WorkCommitted { .. }) => {
            vec![finished(MergeOutcome::Failed, None, Some(misunderstood()))]
        }
        Err(failure) => {
            let held = (failure.kind == ErrorKind::Interrupted).then(|| pause_by(run, held_by(failure), BY));
            let failed = finished(MergeOutcome::Failed, None, Some(failure.clone()));
            std::iter::once(failed).chain(held).collect()
        }
    }
}

/// What a person has to take away before anything can land.
fn held_by(failure: &Failure) -> PauseReason {
    match failure.cause.as_deref() {
        Some("target_locked") => PauseReason::TargetLocked,
        Some("target_checked_out") => PauseReason::TargetCheckedOut,
        Some("target_missing") => PauseReason::TargetMissing,
        _ => PauseReason::TargetBusy,
    }
}

/// What the next attempt is told of work that can't land as it is.
fn conflict(site: &Site, files: &[String], text: &str) -> Failure {
    let (branch, files) = (&site.branch, files.join(", "));
    let said: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let message = format!(
        "what it did on {branch} can't be merged: others have changed the same in {files}; git: {}",
        said.join("; ")
    );
    Failure::new(ErrorKind::Conflict, message)
}

fn misunderstood() -> Failure {
    Failure::new(ErrorKind::Lost, "its errand answered something else than was asked")
}
