//! What follows fits into the journal: no record is larger than one may be, no batch than it may be, whatever the plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_core::decide::Stamp;
use windlass_core::event::{Event, Exit, Record, Role, RunOutcome, Usage};
use windlass_core::failure::ErrorKind;
use windlass_core::fold::evolve;
use windlass_core::id::{AttemptKey, CommandId, Digest, Epoch, RunId};
use windlass_core::input::{Answer, Ask, Command, Ended, Input, Report, Submission};
use windlass_core::machine::task::Phase;
use windlass_core::output::{Output, RawOutput};
use windlass_core::plan::file::{Options, Source, load};
use windlass_core::plan::settings::Settings;
use windlass_core::size::{EVENT_BYTES_MAX, of_record};
use windlass_core::state::State;
use windlass_core::time::{Span, Time};
use windlass_core::turn::Core;

const STAMP: Stamp = Stamp { now: Time::from_ms(1_700_000_000_000), seed: 1 };

struct Story {
    core: Core,
    journal: Vec<Record>,
}

impl Story {
    /// An engine with a run of this plan whose attempts are over: those with an output succeeded, others failed.
    fn of(plan: &str, outputs: &BTreeMap<&str, serde_json::Value>) -> Self {
        let mut story = Self { core: Core::new(State::default(), 4), journal: Vec::new() };
        let (epoch, role, build) = (Epoch(1), Role::Engine, "test".to_owned());
        story.take(&Input::Report(Report::EngineStarted { epoch, role, build, last_alive: Span::default() }));
        let source = Source { name: "plan.yaml", text: plan.as_bytes(), format: None };
        let loaded = load(&source, &Settings::default(), &BTreeMap::new(), &Options::default());
        let plan = Arc::new(loaded.expect("a valid plan").plan);
        let submission = Submission {
            run: run(),
            plan_digest: Digest::of(b"plan"),
            plan,
            folder: "/folder".into(),
            env_digest: Digest::of(b"{}"),
            source: "plan.yaml".into(),
            repository: None,
        };
        story.ask(Ask::SubmitPlan(Box::new(submission)));
        while let Some((fence, (run, ix))) = story.core.state().live.first_key_value() {
            let task = story.core.state().runs[run].task(*ix);
            let key = AttemptKey { run: *run, task: task.id.clone(), attempt: 1 };
            let value = outputs.get(task.id.to_string().as_str()).cloned();
            let ended = Ended {
                key,
                fence: *fence,
                exit: Exit::Code(i32::from(value.is_none())),
                error: None,
                raw: RawOutput::default(),
                output: value.map(|value| Ok(Output { value, ..Output::default() })),
                usage: Usage::default(),
                leftovers: 0,
            };
            story.take(&Input::Report(Report::Ended(Box::new(ended))));
        }
        story
    }

    fn ask(&mut self, ask: Ask) {
        let command = Command { id: CommandId("c".into()), by: "test".into(), ask };
        assert_eq!(self.take(&Input::Command(command)), Some(Answer::Accepted));
    }

    fn take(&mut self, input: &Input) -> Option<Answer> {
        let answer = self.core.handle(input, STAMP);
        while self.core.end_waits(STAMP) {}
        self.journal.extend(self.core.take_records());
        answer
    }

    /// The engine dies, and the next one knows what the journal says.
    fn die(&mut self) {
        let mut replayed = State::default();
        self.journal.iter().for_each(|record| evolve(&mut replayed, record));
        self.core = Core::new(replayed, 4);
    }

    /// The kind of error that the task died of, after a look at the size of every record.
    fn death(&self, task: &str) -> Option<ErrorKind> {
        for record in &self.journal {
            let bytes = of_record(&record.event);
            assert!(bytes <= EVENT_BYTES_MAX, "{} has {bytes} bytes", record.event.name());
        }
        let dead = |record: &Record| {
            let Event::TaskDead { task: id, error, .. } = &record.event else { return None };
            (id.to_string() == task).then_some(error.kind)
        };
        self.journal.iter().find_map(dead)
    }
}

fn run() -> RunId {
    "aaaaaa".parse().expect("a run")
}

/// So many names of tasks, each as long as a name may be.
fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("t{number:0>63}")).collect()
}

/// A text for each of the names, one after the other.
fn each(names: &[String], text: &str) -> String {
    let texts: Vec<String> = names.iter().map(|name| text.replace("NAME", name)).collect();
    texts.concat()
}

#[test]
fn a_question_about_more_tasks_than_a_record_can_name_is_a_failure_of_its_task() {
    let names = names(2000);
    let tasks = each(&names, "  NAME: { when: false, run: [x] }\n");
    let all = names.join(", ");
    let plan = format!(
        "limits: {{ tasks: 3000 }}\ntasks:\n{tasks}  a: {{ run: [a] }}\n  ask: {{ needs: [a, {all}], approval: {{ text: Ok?, show: [{all}] }} }}\n"
    );
    let story = Story::of(&plan, &BTreeMap::from([("a", serde_json::json!(1))]));
    assert_eq!(story.death("ask"), Some(ErrorKind::InvalidOutput));
}

#[test]
fn an_attempt_whose_texts_name_more_than_a_record_can_hold_does_not_start() {
    let names = names(3500);
    let tasks = each(&names, "  NAME: { when: false, run: [x] }\n");
    let text = each(&names, "{{ tasks.NAME.state }}");
    let all = names.join(", ");
    let plan = format!(
        "limits: {{ tasks: 5000 }}\ntasks:\n{tasks}  a: {{ run: [a] }}\n  b: {{ needs: [a, {all}], run: [b, \"{text}\"] }}\n"
    );
    let story = Story::of(&plan, &BTreeMap::from([("a", serde_json::json!(1))]));
    assert_eq!(story.death("b"), Some(ErrorKind::Expression));
}

#[test]
fn what_a_retry_brings_back_comes_in_batches_also_over_a_death_of_the_engine() {
    let names = names(50);
    let plan = format!("tasks:\n  a: {{ run: [a] }}\n{}", each(&names, "  NAME: { needs: [a], run: [x] }\n"));
    let mut story = Story::of(&plan, &BTreeMap::new());
    assert_eq!(story.core.state().runs[&run()].outcome, Some(RunOutcome::Failed));
    story.core.bound_turns(10);
    let ask = Ask::Retry { run: run(), task: "a".parse().expect("a task"), agent: None, prompt: None };
    let command = Command { id: CommandId("r".into()), by: "test".into(), ask };
    assert_eq!(story.core.handle(&Input::Command(command), STAMP), Some(Answer::Accepted));
    let (mut batches, mut back) = (0, 0);
    loop {
        let more = story.core.end_waits(STAMP);
        let records = story.core.take_records();
        assert!(records.len() <= 10, "a batch of {}", records.len());
        let unskipped = |record: &&Record| matches!(record.event, Event::TaskUnskipped { .. });
        back += records.iter().filter(unskipped).count();
        story.journal.extend(records);
        batches += 1;
        if !more {
            break;
        }
        story.die();
        story.core.bound_turns(10);
    }
    assert_eq!((back, batches), (50, 6), "each once, and no more batches than it takes");
    assert_eq!(story.core.state().runs[&run()].in_phase(Phase::Waiting), 50);
}
