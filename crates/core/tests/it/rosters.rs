//! How many agents a run has, however often its plans are carried out.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_core::decide::Stamp;
use windlass_core::event::Role;
use windlass_core::id::{CommandId, Digest, Epoch, RunId};
use windlass_core::input::{Ask, Command, Input, Report, Submission};
use windlass_core::plan::file::{Options, PlanText, Source, load};
use windlass_core::plan::settings::Settings;
use windlass_core::state::State;
use windlass_core::time::{Span, Time};
use windlass_core::turn::Core;

const OUTER: &str = "
version: 1
agents: { coder: { adapter: scripted }, tester: { adapter: scripted } }
tasks:
  own: { agent: coder, prompt: go }
  many: { for_each: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], plan: inner.yaml }
";

const INNER: &str = "
version: 1
agents: { coder: { adapter: scripted, concurrency: 1 } }
tasks:
  code: { agent: coder, prompt: go }
  test: { agent: tester, prompt: go }
";

#[test]
fn each_agent_of_a_run_counts_once_however_often_its_plan_is_carried_out() {
    let read = |dir: &str, file: &str| {
        Ok(PlanText { name: file.to_owned(), bytes: INNER.into(), dir: dir.to_owned() })
    };
    let options = Options { read: Some(&read), ..Options::default() };
    let source = Source { name: "plan.yaml", text: OUTER.as_bytes(), format: None };
    let loaded = load(&source, &Settings::default(), &BTreeMap::new(), &options).expect("a valid plan");
    let stamp = Stamp { now: Time::from_ms(1_700_000_000_000), seed: 1 };
    let mut core = Core::new(State::default(), 4);
    let (epoch, role, build) = (Epoch(1), Role::Engine, "test".to_owned());
    core.handle(
        &Input::Report(Report::EngineStarted { epoch, role, build, last_alive: Span::default() }),
        stamp,
    );
    let run: RunId = "aaaaaa".parse().expect("a run");
    let submission = Submission {
        run,
        plan_digest: Digest::of(b"plan"),
        plan: Arc::new(loaded.plan),
        folder: "/folder".into(),
        env_digest: Digest::of(b"{}"),
        source: "plan.yaml".into(),
        repository: None,
    };
    let ask = Ask::SubmitPlan(Box::new(submission));
    core.handle(&Input::Command(Command { id: CommandId("c1".into()), by: "anna".into(), ask }), stamp);

    let known = serde_json::to_value(&core.state().runs[&run]).expect("plain data");
    let names = |list: &serde_json::Value| list.as_array().expect("a list").len();
    assert_eq!(names(&known["roster"]["members"]), 3, "the outer coder, the inner one, the tester of both");
    assert_eq!(names(&known["queue"]["groups"]), 4, "one for each of them, and one of what needs no agent");
}
