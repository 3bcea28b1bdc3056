//! A new incarnation of a task. Only the task itself is in the decision: what comes back with it follows, and may be a
//! hundred thousand others, more than a batch of the journal holds. Never: which those are (`state/returns.rs`).

use crate::event::Event;
use crate::id::CommandId;
use crate::input::Rejection;
use crate::machine::{run, task::Phase};
use crate::plan::Work;
use crate::state::{Otherwise, Run, Task, TaskIx, returns};

/// Whether a task has come back in this very way and nothing has been tried since.
pub(crate) fn is_back(task: &Task, otherwise: &Otherwise) -> bool {
    let waits = !task.phase.is_final() && !task.has_begun();
    waits && task.returns > 0 && task.handed.to == otherwise.agent && task.asked == otherwise.prompt
}

/// The events of `retry RUN TASK`, which is also `dlq requeue`. What else comes back follows ([`next`]).
pub(crate) fn retry(
    run: &Run,
    ix: TaskIx,
    command: &CommandId,
    otherwise: &Otherwise,
) -> Result<Vec<Event>, Rejection> {
    suits(otherwise, run, ix)?;
    returns::of(run, ix)?;
    let task = run.task(ix).id.clone();
    let command = Some(command.clone());
    let Otherwise { agent, prompt } = otherwise.clone();
    let requeued =
        Event::TaskRequeued { run: run.id, task: task.clone(), command, cause: task, agent, prompt };
    Ok(reopened(run).into_iter().chain([requeued]).collect())
}

/// What is done otherwise than the plan says can be wanted of a task: an agent works on that, and the plan's owner allowed
/// the other one.
fn suits(otherwise: &Otherwise, run: &Run, ix: TaskIx) -> Result<(), Rejection> {
    let task = run.task(ix);
    if *otherwise == Otherwise::default() {
        return Ok(());
    }
    if !matches!(run.spec(task).work, Work::Prompt { .. }) {
        let why = "no agent works on it, so that there is no other one and no other prompt";
        return Err(task.wrong_state(why));
    }
    if run.is_parent(task) {
        return Err(task.wrong_state("its children do the work: name one of them"));
    }
    if otherwise.prompt.as_ref().is_some_and(|prompt| prompt.trim().is_empty()) {
        return Err(task.wrong_state("an empty prompt asks nothing"));
    }
    let plan = run.plan_of(task);
    match &otherwise.agent {
        Some(agent) if !plan.at_hand().any(|known| known == agent) => {
            let known: Vec<&str> = plan.at_hand().map(|name| &*name.0).collect();
            let (task, known) = (task.id.clone(), known.join(", "));
            Err(Rejection::NoSuchAgent { task, agent: agent.to_string(), known })
        }
        Some(_) | None => Ok(()),
    }
}

/// What comes first where a run that has ended goes on.
pub(crate) fn reopened(run: &Run) -> Option<Event> {
    (run.phase == run::Phase::Finished).then_some(Event::RunReopened { run: run.id })
}

/// The return that comes next, of those that a retry has led to.
pub(crate) fn next(run: &Run) -> Option<Event> {
    let (ix, cause) = run.returning.front()?;
    let task = run.task(*ix);
    let (run, id, cause) = (run.id, task.id.clone(), cause.clone());
    Some(if task.phase == Phase::Skipped {
        Event::TaskUnskipped { run, task: id, cause }
    } else {
        Event::TaskRequeued { run, task: id, command: None, cause, agent: None, prompt: None }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::decide::Stamp;
    use crate::event::{Exit, Role, Usage};
    use crate::failure::{ErrorKind, Failure};
    use crate::id::{Digest, Epoch, Fence, RunId, TaskId};
    use crate::input::{Answer, Ask, Command, Ended, Input, Report, Submission};
    use crate::output::RawOutput;
    use crate::plan::file::{self, Options, Source};
    use crate::plan::settings::Settings;
    use crate::policy::join::steps;
    use crate::state::State;
    use crate::time::{Span, Time};
    use crate::turn::Core;

    /// How many tasks stand between the roots and the join.
    const WIDTH: u32 = 2000;

    /// A run of two roots, many tasks that need the first, and one that needs all of these and the other root.
    struct Wide {
        core: Core,
        run: RunId,
        commands: u32,
    }

    impl Wide {
        fn new() -> Self {
            let needs: Vec<String> = (0..WIDTH).map(|number| format!("t{number}")).collect();
            let tasks: Vec<String> =
                needs.iter().map(|name| format!("  {name}: {{ needs: [root], run: 'true' }}\n")).collect();
            let text = format!(
                "limits: {{ tasks: 5000 }}\ntasks:\n  root: {{ run: 'true' }}\n  other: {{ run: 'true' }}\n{}  join: {{ needs: [other, {}], run: 'true' }}\n",
                tasks.concat(),
                needs.join(", ")
            );
            let source = Source { name: "plan.yaml", text: text.as_bytes(), format: None };
            let loaded = file::load(&source, &Settings::default(), &BTreeMap::new(), &Options::default());
            let plan = Arc::new(loaded.expect("a plan").plan);
            let mut wide =
                Self { core: Core::new(State::default(), 8), run: RunId::from_random(7), commands: 0 };
            let build = "test".into();
            wide.take(&Input::Report(Report::EngineStarted {
                epoch: Epoch(1),
                role: Role::Engine,
                build,
                last_alive: Span::default(),
            }));
            wide.ask(Ask::SubmitPlan(Box::new(Submission {
                run: wide.run,
                plan,
                plan_digest: Digest::of(b"plan"),
                folder: "/".into(),
                env_digest: Digest::of(b"env"),
                source: "plan.yaml".into(),
                repository: None,
            })));
            wide
        }

        fn take(&mut self, input: &Input) -> Option<Answer> {
            let stamp = Stamp { now: Time::from_ms(1_700_000_000_000), seed: 1 };
            let answer = self.core.handle(input, stamp);
            // What follows may be more than a turn takes.
            loop {
                let goes_on = !self.core.takes_more(stamp) || self.core.end_waits(stamp);
                self.core.take_records();
                if !goes_on {
                    return answer;
                }
            }
        }

        fn ask(&mut self, ask: Ask) {
            self.commands += 1;
            let id = CommandId(self.commands.to_string().into());
            let answer = self.take(&Input::Command(Command { id, by: "test".into(), ask }));
            assert_eq!(answer, Some(Answer::Accepted));
        }

        fn fail(&mut self, name: &str) {
            let run = &self.core.state().runs[&self.run];
            let task = run.task(run.names[&name.parse::<TaskId>().expect("a name")]);
            let attempt = task.live_attempt().expect("it runs");
            let (key, fence): (_, Fence) = (task.key(self.run, attempt), attempt.fence);
            self.take(&Input::Report(Report::Ended(Box::new(Ended {
                key,
                fence,
                exit: Exit::Code(1),
                error: Some(Failure::new(ErrorKind::Exit, "exited with 1")),
                raw: RawOutput::default(),
                output: None,
                usage: Usage::default(),
                leftovers: 0,
            }))));
        }

        fn retry(&mut self, name: &str) {
            let task = name.parse().expect("a name");
            self.ask(Ask::Retry { run: self.run, task, agent: None, prompt: None });
        }

        fn in_phase(&self, phase: Phase) -> u32 {
            self.core.state().runs[&self.run].in_phase(phase)
        }
    }

    /// What a retry may cost, in steps for each task that comes back.
    const STEPS_MAX: u32 = 6;

    #[test]
    fn what_comes_back_to_a_wide_join_costs_a_few_steps_each() {
        let mut wide = Wide::new();
        wide.fail("root");
        assert_eq!(wide.in_phase(Phase::Skipped), WIDTH + 1);
        steps::taken();
        wide.retry("root");
        let steps = steps::taken();
        assert_eq!(wide.in_phase(Phase::Skipped), 0, "all came back");
        assert!(steps <= u64::from(STEPS_MAX * WIDTH), "{steps} steps for {WIDTH} tasks");
    }

    #[test]
    fn so_does_what_comes_back_to_a_join_that_stays_impossible() {
        let mut wide = Wide::new();
        wide.fail("other");
        wide.fail("root");
        steps::taken();
        wide.retry("root");
        let steps = steps::taken();
        assert_eq!(wide.in_phase(Phase::Skipped), 1, "the join needs the other root, too");
        assert!(steps <= u64::from(STEPS_MAX * WIDTH), "{steps} steps for {WIDTH} tasks");
        wide.retry("other");
        assert_eq!(wide.in_phase(Phase::Skipped), 0);
    }
}
