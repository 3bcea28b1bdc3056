//! The end of a followed run: what it came to in numbers, what failed with the end of its log, where the results are,
//! and the lines that help next; and the exit code. Never: a number that `show` would not give.

use std::path::Path;

use windlass_core::event::RunOutcome;
use windlass_core::machine::run::Phase as RunPhase;
use windlass_core::state::{Blocked, Run, State};
use windlass_core::time::Span;
use windlass_core::view::{self, RunState, Summary};

use crate::exit::Exit;
use crate::question::Question;
use crate::render::plural;
use crate::render::style::{BOLD, DIM, ERROR, HINT, OK, WARNING, paint};
use crate::render::{story, text, time};
use crate::{calling, failures, results, screen};

/// How many tasks a line names that are to be tried again.
const RETRIES_MAX: usize = 8;

/// What is gone from start to end and was not worked: so much of it is told.
const REST_MIN: Span = Span::from_secs(1);

/// What a run that came to a rest means for the exit code.
pub(crate) fn exit_of(run: &Run) -> Exit {
    match (run.phase, run.outcome) {
        (RunPhase::Finished, Some(RunOutcome::Succeeded)) => Exit::Done,
        (RunPhase::Finished, _) => Exit::Failed,
        (RunPhase::Paused, _) if run.pauses.keys().any(|reason| reason.is_of_surroundings()) => {
            Exit::Environment
        }
        (RunPhase::Paused, _) => Exit::Paused,
        (RunPhase::Running, _) if run.waits_for_people() => Exit::Paused,
        // It should go on, and nobody works on it: its engine died.
        (RunPhase::Running, _) => Exit::Environment,
    }
}

/// What is said of a run at the end.
pub(crate) fn lines(state: &State, run: &Run, alive: bool, home: &Path) -> Vec<String> {
    let mut lines = vec![String::new()];
    lines.extend(failures::lines(run, home));
    lines.push(verdict(state, run, alive));
    lines.extend(numbers(state, run));
    lines.extend(results::lines(run));
    lines.extend(landed(run));
    let columns = screen::width_of_lists();
    let mut lines: Vec<String> = lines.iter().flat_map(|line| text::wrap_words(line, columns)).collect();
    // Commands stay whole: a terminal that breaks them still gives them to who copies them.
    lines.push(paint(DIM, &format!("  details   {}", calling::command("show").with(run.id))));
    lines.extend(
        next_steps(state, run, alive).into_iter().map(|step| format!("{} {step}", paint(HINT, "hint:"))),
    );
    lines
}

fn verdict(state: &State, run: &Run, alive: bool) -> String {
    let how = view::run_state(state, run, alive);
    let style = match how {
        RunState::Succeeded => OK,
        RunState::Failed | RunState::Cancelled => ERROR,
        RunState::Running | RunState::Stopped | RunState::Paused | RunState::Waiting => WARNING,
    };
    let why = match how {
        RunState::Paused => format!(": {}", pauses(state, run)),
        RunState::Waiting if run.waits_for_people() => ": only people can bring it forward".into(),
        RunState::Waiting => ": only time, or what comes from outside, can bring it forward".into(),
        RunState::Stopped => ": its engine is gone".into(),
        RunState::Running | RunState::Succeeded | RunState::Failed | RunState::Cancelled => String::new(),
    };
    format!("{} {}{why}", paint(BOLD, &format!("run {}", run.id)), paint(style, how.name()))
}

/// Why a run is paused, in words.
pub(crate) fn pauses(state: &State, run: &Run) -> String {
    let reasons: Vec<&str> = run.pauses.keys().map(|reason| story::pause(*reason)).collect();
    let used_up = run.paused_for(state.clock.alive).map(|used_up| format!(" ({})", used_up.in_words()));
    format!("{}{}", plural::list(&reasons), used_up.unwrap_or_default())
}

/// Where what has landed is, and how it comes into a checkout.
fn landed(run: &Run) -> Option<String> {
    let ground = run.ground.as_ref().filter(|ground| ground.tip != ground.repository.start)?;
    let target = &ground.repository.target;
    Some(format!("  landed    on the branch {target}: `git merge --ff-only {target}` brings it into yours"))
}

fn numbers(state: &State, run: &Run) -> Vec<String> {
    let sum = view::summary(state, run);
    let counts = run.count.iter().filter(|(_, count)| **count > 0);
    let counts: Vec<String> = counts.map(|(phase, count)| format!("{count} {}", phase.name())).collect();
    let again = if sum.retries == 1 { "1 retry".into() } else { format!("{} retries", sum.retries) };
    let lost = if sum.lost > 0 { format!(", {} lost", sum.lost) } else { String::new() };
    let time = time_of(run, &sum);
    vec![
        format!("  tasks     {}: {}", sum.tasks, counts.join(", ")),
        format!("  attempts  {}, {again}{lost}", sum.attempts),
        format!("  time      {time}"),
    ]
}

/// How long it was worked on, and how long that was from its start to its end where that is another length. How long an
/// attempt ran whose engine died is known to nobody.
fn time_of(run: &Run, sum: &Summary) -> String {
    let (took, worked) = (Span::from_ms(sum.took_ms), Span::from_ms(sum.worked_ms));
    let at_least = if sum.lost > 0 { "at least " } else { "" };
    let whole = run.ended.map_or(took, |ended| ended.since(run.created.1));
    let rest = if whole.minus(took) >= REST_MIN {
        format!(" at work, {} from start to end", time::length(whole))
    } else {
        String::new()
    };
    let saved = worked.minus(took);
    let saved = if saved.ms >= 100 {
        format!("; one after another {}: {} saved", time::length(worked), time::length(saved))
    } else {
        String::new()
    };
    format!("{at_least}{}{rest}{saved}", time::length(took))
}

/// What brings a run forward that failed: a line to paste, as long as it names but a few tasks.
fn once_more(run: &Run) -> Option<String> {
    let id = run.id;
    let failures::Again { revise, tasks } = failures::again(run);
    let (resume, revise) = (
        calling::command("resume").with(id),
        revise.then(|| calling::command("revise").with(id).with("PLAN")),
    );
    if tasks.len() > RETRIES_MAX {
        let first =
            revise.map(|revise| format!("`{revise}` with a plan that is mended, ")).unwrap_or_default();
        let retry = calling::command("retry").with(id).with("TASK");
        return Some(format!("{first}`{retry}` for each that is dead, and `{resume}`"));
    }
    let retries = tasks.iter().map(|task| calling::command("retry").with(id).with(&task.id));
    let steps: Vec<String> =
        revise.into_iter().chain(retries).chain([resume]).map(|step| step.to_string()).collect();
    (!tasks.is_empty()).then(|| steps.join(" && "))
}

/// The lines that help next.
pub(crate) fn next_steps(state: &State, run: &Run, alive: bool) -> Vec<String> {
    let id = run.id;
    let questions = Question::all(run);
    let mut steps: Vec<String> = questions
        .iter()
        .map(|asked| calling::command("approve").with(id).with(&asked.task).with("--id").with(&asked.id))
        .map(|approve| approve.to_string())
        .collect();
    let unknown = run.tasks.iter().filter(|task| task.blocked == Some(Blocked::Outcome));
    steps.extend(unknown.map(|task| {
        let settle = calling::command("settle").with(id).with(&task.id).with("--done");
        format!("`{settle}`, or `--failed`")
    }));
    let resume = calling::command("resume").with(id);
    let is_over = run.phase == RunPhase::Finished;
    if is_over && run.outcome == Some(RunOutcome::Failed) {
        steps.extend(once_more(run));
    }
    match run.wanted_raise(state.clock.alive) {
        Some(raise) => steps.push(resume.with_all(raise.split(' ')).to_string()),
        None if !is_over && !alive => steps.push(resume.to_string()),
        None => {}
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::staged::Stage;

    #[test]
    fn only_what_a_person_can_know_is_to_be_settled() {
        let plan = "tasks: { a: { wait_for: { topic: t, external: true } }, b: { wait_for: { after: 1h } }, c: { run: x } }";
        let mut stage = Stage::of(plan);
        stage.after("1s").pause().end("c", 0, "");
        let steps = next_steps(stage.state(), stage.run(), false);
        assert_eq!(steps, [format!("windlass resume {}", stage.run().id)]);
    }

    fn time(stage: &Stage) -> String {
        numbers(stage.state(), stage.run()).pop().expect("it is the last")
    }

    #[test]
    fn the_time_of_a_run_is_that_in_which_it_was_worked_on() {
        let mut stage = Stage::of("tasks: { a: { run: x }, b: { needs: [a], run: x } }");
        stage.after("1s").pause().after("2s").end("a", 0, "");
        assert_eq!(time(&stage), "  time      3.0 s", "what was in flight came to its end");
        stage.after("1m").resume().after("1s").end("b", 0, "");
        assert_eq!(time(&stage), "  time      4.0 s at work, 1 min 4 s from start to end");
    }

    #[test]
    fn how_long_a_lost_attempt_ran_is_not_known() {
        let mut stage = Stage::of("tasks: { a: { run: x } }");
        stage.after("5s").crash("a", "0s").resume().after("2s").end("a", 0, "");
        assert_eq!(time(&stage), "  time      at least 2.0 s at work, 7.0 s from start to end");
    }
    #[test]
    fn an_attempt_that_waits_for_a_run_that_it_started_saves_no_time() {
        let mut stage = Stage::of("tasks: { a: { run: x } }");
        let inner = "tasks: { b: { run: x } }";
        stage.after("1s").nest("a", inner).after("3s").end("a.0/b", 0, "");
        stage.after("1s").nest("a", inner).after("2s").end("a.1/b", 0, "").after("1s").end("a", 0, "");
        assert_eq!(time(&stage), "  time      8.0 s");
    }

    #[test]
    fn runs_that_an_attempt_starts_side_by_side_save_what_they_share() {
        let mut stage = Stage::of("tasks: { a: { run: x } }");
        stage
            .after("1s")
            .nest("a", "tasks: { b: { run: x } }")
            .after("1s")
            .nest("a", "tasks: { c: { run: x } }");
        stage.after("3s").end("a.0/b", 0, "").after("1s").end("a.1/c", 0, "").end("a", 0, "");
        assert_eq!(time(&stage), "  time      6.0 s; one after another 9.0 s: 3.0 s saved");
    }
}
