//! What a run keeps of the plans that it went by before. Never: what a revision leads to (`scenarios/revise*.txt`).

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_core::decide::Stamp;
use windlass_core::effect::Effect;
use windlass_core::event::{Exit, Role, Usage};
use windlass_core::id::{AttemptKey, CommandId, Digest, Epoch, RunId};
use windlass_core::input::{Answer, Ask, Command, Ended, Input, Report, Revision, Submission};
use windlass_core::output::{Output, RawOutput};
use windlass_core::plan::Plan;
use windlass_core::plan::file::{Options, Source, load};
use windlass_core::plan::settings::Settings;
use windlass_core::react::react;
use windlass_core::state::State;
use windlass_core::time::{Span, Time};
use windlass_core::turn::Core;

fn run() -> RunId {
    RunId::from_random(7)
}

/// A plan of one task with this text, whose output must be of this type.
fn plan(text: &str, output: &str) -> Arc<Plan> {
    let text = format!("tasks: {{ t: {{ run: [\"{text}\"], output: {{ schema: {{ type: {output} }} }} }} }}");
    let source = Source { name: "plan.yaml", text: text.as_bytes(), format: None };
    let loaded = load(&source, &Settings::default(), &BTreeMap::new(), &Options::default());
    Arc::new(loaded.expect("a valid plan").plan)
}

fn digest(plan: &Plan) -> Digest {
    Digest::of(&serde_json::to_vec(plan).expect("plain data"))
}

/// A turn, with what it orders.
fn turn(core: &mut Core, input: &Input) -> Vec<Effect> {
    let stamp = Stamp { now: Time::from_ms(1_700_000_000_000), seed: 1 };
    assert!(matches!(core.handle(input, stamp), None | Some(Answer::Accepted)));
    while core.end_waits(stamp) {}
    let records = core.take_records();
    records.iter().flat_map(|record| react(core.state(), record)).collect()
}

fn ask(core: &mut Core, id: &str, ask: Ask) {
    turn(core, &Input::Command(Command { id: CommandId(id.into()), by: "test".into(), ask }));
}

fn revise(core: &mut Core, plan: Arc<Plan>) {
    let id = digest(&plan).to_string();
    let revision = Revision { run: run(), plan_digest: digest(&plan), plan, source: "plan.yaml".into() };
    ask(core, &id, Ask::Revise(Box::new(revision)));
}

/// How often a text stands in a snapshot.
fn kept(core: &Core, text: &str) -> usize {
    serde_json::to_string(core.state()).expect("plain data").matches(text).count()
}

/// A run with an attempt in flight that began by this plan.
fn begun_by(plan: Arc<Plan>) -> Core {
    let mut core = Core::new(State::default(), 4);
    let (epoch, role, build) = (Epoch(1), Role::Engine, "test".to_owned());
    turn(
        &mut core,
        &Input::Report(Report::EngineStarted { epoch, role, build, last_alive: Span::default() }),
    );
    let submission = Submission {
        run: run(),
        plan_digest: digest(&plan),
        plan,
        folder: "/folder".into(),
        env_digest: Digest::of(b"{}"),
        source: "plan.yaml".into(),
        repository: None,
    };
    ask(&mut core, "submit", Ask::SubmitPlan(Box::new(submission)));
    core
}

/// The end of the attempt in flight, with an output that is too large to be settled on the way.
fn end(core: &mut Core) -> Vec<Effect> {
    let (fence, _) = core.state().live.first_key_value().expect("an attempt is in flight");
    let ended = Ended {
        key: AttemptKey { run: run(), task: "t".parse().expect("a name"), attempt: 1 },
        fence: *fence,
        exit: Exit::Code(0),
        error: None,
        raw: RawOutput { bytes: 1 << 20, blob: Some(Digest::of(b"large")), truncated: false },
        output: None,
        usage: Usage::default(),
        leftovers: 0,
    };
    turn(core, &Input::Report(Report::Ended(Box::new(ended))))
}

#[test]
fn an_earlier_plan_is_kept_once_and_as_long_as_an_attempt_goes_by_it() {
    let first = plan("the first text", "string");
    let mut core = begun_by(Arc::clone(&first));
    assert_eq!(kept(&core, "the first text"), 1);
    revise(&mut core, plan("the second text", "number"));
    assert_eq!((kept(&core, "the first text"), kept(&core, "the second text")), (1, 1));
    revise(&mut core, plan("the third text", "number"));
    assert_eq!((kept(&core, "the first text"), kept(&core, "the second text")), (1, 0));
    let settle = end(&mut core).into_iter().find_map(|effect| match effect {
        Effect::SettleOutput { key, fence, settle, .. } => Some((key, fence, settle)),
        Effect::SpawnAttempt(_)
        | Effect::LearnAttempt { .. }
        | Effect::StopAttempt { .. }
        | Effect::RunErrand(_) => None,
    });
    let (key, fence, settle) = settle.expect("the output is to be settled");
    assert_eq!(settle.schema, first.tasks[0].output_schema, "by the plan that the attempt went by");
    turn(
        &mut core,
        &Input::Report(Report::OutputSettled { key, fence, output: Output::default(), error: None }),
    );
    assert_eq!((kept(&core, "the first text"), kept(&core, "the third text")), (0, 1));
}

#[test]
fn a_revised_run_names_every_plan_that_it_went_by() {
    let plans = [plan("one", "string"), plan("two", "string"), plan("three", "string")];
    let mut core = begun_by(Arc::clone(&plans[0]));
    revise(&mut core, Arc::clone(&plans[1]));
    revise(&mut core, Arc::clone(&plans[2]));
    let named: Vec<Digest> =
        core.state().runs[&run()].written().into_iter().map(|(digest, _)| digest).collect();
    assert!(core.state().runs[&run()].goes_by(&plans[2]) && !core.state().runs[&run()].goes_by(&plans[1]));
    assert_eq!(named, plans.iter().map(|plan| digest(plan)).collect::<Vec<_>>());
}
