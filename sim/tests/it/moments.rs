//! An engine that is killed at any moment of a run, and started again, brings the run to the same end: in every append, after
//! every answer, show and order, and before every report and command. Never: a moment that is left out.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use windlass_core::event::Role;
use windlass_core::id::{RunId, TaskId};
use windlass_core::machine::task::Phase;
use windlass_core::state::State;
use windlass_engine::recover;
use windlass_journal::memory::MemoryJournal;

use crate::machine::{Machine, Moment, RUN, shown};

/// What a death may change of a task: its attempts, times, and places in the journal or in lists of attempts.
const MASKED: [&str; 14] = [
    "approval",
    "attempts",
    "deaths_in_row",
    "dues",
    "earlier",
    "handed",
    "lane",
    "passed_at",
    "rank",
    "returns",
    "scope",
    "since",
    "spec",
    "turns",
];

/// How a run stands, without what a death may change, by the names of its tasks.
fn outline(state: &State) -> BTreeMap<String, Value> {
    let run = &state.runs[&RunId::from_random(RUN)];
    // Each attempt of it brings the same plan: that of the newest counts.
    let newest = run.nests.values().filter_map(|nest| nest.plans.last()).map(|plan| &run.task(*plan).id);
    let newest = newest.map(|id| id.as_str().to_owned()).next().unwrap_or_default();
    let renamed = |id: &TaskId| id.as_str().replacen(&newest, "nest.x", 1);
    let name = |ix: &Value| {
        let place = ix.as_u64().and_then(|ix| usize::try_from(ix).ok()).expect("a place");
        renamed(&run.tasks[place].id)
    };
    let names = |places: &Value| places.as_array().map(|places| places.iter().map(name).collect::<Vec<_>>());
    let mut all = BTreeMap::new();
    let is_left = |id: &str| id.starts_with("nest.") && !id.starts_with("nest.x");
    for task in run.tasks.iter().filter(|task| !is_left(&renamed(&task.id))) {
        let mut told = serde_json::to_value(task).expect("plain data");
        let fields = told.as_object_mut().expect("a task has fields");
        for key in MASKED {
            fields.remove(key);
        }
        for key in ["children", "dependants"] {
            fields[key] = json!(names(&fields[key]));
        }
        let taken = fields["choice"]["taken"].clone();
        if !taken.is_null() {
            fields["choice"] = json!(name(&taken));
        }
        let parent = fields["parent"][0].clone();
        fields["parent"] = if parent.is_null() { Value::Null } else { json!(name(&parent)) };
        if let Some(answer) = fields["output"]["value"].as_object_mut() {
            answer.remove("at");
        }
        fields["id"] = json!(renamed(&task.id));
        // That it was alone when the engine died counts.
        fields["tries"]["losses"] = Value::Null;
        if task.phase == Phase::Cancelled {
            // What its last attempt came to: a death may have ended it, or nothing had.
            fields.remove("error");
        }
        all.insert(renamed(&task.id), told);
    }
    let told = json!({ "outcome": run.outcome, "cancelled": run.cancelled, "failed": run.failed,
        "phase": run.phase, "pauses": run.pauses });
    all.insert(String::new(), told);
    all
}

/// Holds a run whose engines are killed at these moments to the end that it has without; what a replay gives is that, to
/// the byte.
fn comes_to(expected: &BTreeMap<String, Value>, moments: &[Moment]) {
    let mut machine = Machine::new(moments);
    let state = machine.run();
    assert_eq!(machine.lives, moments.len() + 1, "{moments:?}: one never came");
    let mut journal = MemoryJournal::open(&machine.store, "another", 1).expect("it opens");
    let opened = recover::open(&mut journal, Role::Engine, "another", 1, shown(0)).expect("it opens");
    let replayed = recover::snapshot(opened.core.state());
    assert!(recover::snapshot(&state) == replayed, "{moments:?}: a replay is not the live state");
    let told = outline(&state);
    for (name, expected) in expected {
        assert_eq!(told.get(name), Some(expected), "{name}, {moments:?}");
    }
    assert_eq!(told.len(), expected.len(), "{moments:?}");
}

#[test]
fn whenever_the_engine_dies_the_run_comes_to_the_same_end() {
    let mut machine = Machine::new(&[]);
    let expected = outline(&machine.run());
    let seen = machine.seen;
    let appends = (0..seen.appends).flat_map(|number| [true, false].map(|kept| Moment::Append(number, kept)));
    let calls = (0..seen.calls).map(Moment::Call);
    let letters = (0..seen.letters).map(Moment::Letter);
    for moment in appends.chain(calls).chain(letters) {
        comes_to(&expected, &[moment]);
    }
    // And again, while the next engine finds out what became of the first.
    for number in 1..seen.appends - 1 {
        for again in [Moment::Append(0, true), Moment::Call(0), Moment::Append(1, false)] {
            comes_to(&expected, &[Moment::Append(number, true), again]);
        }
    }
}
