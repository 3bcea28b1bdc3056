//! The drawings of the state machines in `docs/machines` are printed from their tables.

use std::fmt::{Debug, Write as _};
use std::path::Path;

use windlass_core::machine::{attempt, breaker, run, task};

/// A machine as its drawing shows it.
struct Machine<'a, P, F> {
    name: &'a str,
    about: &'a str,
    phases: &'a [P],
    facts: &'a [F],
    next: fn(P, F) -> Option<P>,
    is_final: fn(P) -> bool,
}

impl<P: Copy + Debug + PartialEq, F: Copy + Debug> Machine<'_, P, F> {
    fn page(&self) -> String {
        let mut page = format!("# The life of {}\n\n{}\n\n", self.name, self.about);
        page.push_str(
            "Printed from its table by the test `machines`; `cargo xtask accept` prints it anew.\n\n",
        );
        page.push_str("```mermaid\nstateDiagram-v2\n");
        writeln!(page, "    [*] --> {:?}", self.phases[0]).expect("a text");
        let arrows = self.phases.iter().flat_map(|from| self.facts.iter().map(move |fact| (*from, *fact)));
        for (from, fact) in arrows {
            if let Some(to) = (self.next)(from, fact) {
                writeln!(page, "    {from:?} --> {to:?}: {fact:?}").expect("a text");
            }
        }
        for phase in self.phases.iter().filter(|phase| (self.is_final)(**phase)) {
            writeln!(page, "    {phase:?} --> [*]").expect("a text");
        }
        page.push_str("```\n\n| phase | fact | next |\n|---|---|---|\n");
        for from in self.phases {
            for fact in self.facts {
                if let Some(to) = (self.next)(*from, *fact) {
                    writeln!(page, "| {from:?} | {fact:?} | {to:?} |").expect("a text");
                }
            }
        }
        page
    }
}

#[expect(clippy::disallowed_methods, reason = "REWRITE is how goldens are accepted")]
fn matches_its_page(file: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/machines").join(file);
    if std::env::var("REWRITE").is_ok() {
        std::fs::write(&path, page).expect("the page can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == page,
        "{file} is not what the table says: run `cargo xtask accept` and look at the difference"
    );
}

#[test]
fn the_drawing_of_a_task_is_what_its_table_says() {
    let machine = Machine {
        name: "a task",
        about: "Every arrow out of `Running` and `Stopping` is taken when nothing of the attempt is left (`Reaped`).\n\
                Only `Running` and `Stopping` hold a slot.",
        phases: &task::Phase::ALL,
        facts: &task::Fact::ALL,
        next: task::Phase::next,
        is_final: task::Phase::is_final,
    };
    matches_its_page("task.md", &machine.page());
}

#[test]
fn the_drawing_of_an_attempt_is_what_its_table_says() {
    let machine = Machine {
        name: "an attempt",
        about: "Its outcome is fixed by `Finished` or `Lost`; its slot is free at `Reaped`.",
        phases: &attempt::Phase::ALL,
        facts: &attempt::Fact::ALL,
        next: attempt::Phase::next,
        is_final: |phase| matches!(phase, attempt::Phase::Finished | attempt::Phase::Lost),
    };
    matches_its_page("attempt.md", &machine.page());
}

#[test]
fn the_drawing_of_a_run_is_what_its_table_says() {
    let machine = Machine {
        name: "a run",
        about: "`Waiting` and `stopped`, which users see besides, are derived from its tasks and from the lock of the home.",
        phases: &run::Phase::ALL,
        facts: &run::Fact::ALL,
        next: run::Phase::next,
        is_final: |phase| phase == run::Phase::Finished,
    };
    matches_its_page("run.md", &machine.page());
}

#[test]
fn every_phase_of_a_task_can_be_reached_and_every_fact_can_happen() {
    let mut reached = vec![task::Phase::Waiting];
    let mut next = 0;
    while next < reached.len() {
        let from = reached[next];
        let further = task::Fact::ALL.iter().filter_map(|fact| from.next(*fact));
        let new: Vec<task::Phase> = further.filter(|phase| !reached.contains(phase)).collect();
        for phase in new {
            if !reached.contains(&phase) {
                reached.push(phase);
            }
        }
        next += 1;
    }
    assert_eq!(reached.len(), task::Phase::ALL.len());
    for fact in task::Fact::ALL {
        assert!(task::Phase::ALL.iter().any(|phase| phase.next(fact).is_some()), "{fact:?} never happens");
    }
}

#[test]
fn a_final_phase_is_left_only_by_what_brings_a_task_back() {
    for phase in task::Phase::ALL.into_iter().filter(|phase| phase.is_final()) {
        for fact in task::Fact::ALL {
            let back =
                [task::Fact::Requeued, task::Fact::ChildRequeued, task::Fact::Unskipped].contains(&fact);
            assert!(phase.next(fact).is_none() || back, "{phase:?} is left by {fact:?}");
        }
    }
}

#[test]
fn the_drawing_of_a_breaker_is_what_its_table_says() {
    let machine = Machine {
        name: "a circuit breaker",
        about: "Each account has one; agents that name no account have one each. Open, it lets nothing through; half open, one\n\
                attempt at a time.",
        phases: &breaker::Phase::ALL,
        facts: &breaker::Fact::ALL,
        next: breaker::Phase::next,
        is_final: |_| false,
    };
    matches_its_page("breaker.md", &machine.page());
}
