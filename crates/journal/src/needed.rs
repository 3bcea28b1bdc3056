//! The bodies that runs can't go on without and that no state holds, kept in memory by the one who writes the journal: a
//! home that vanishes is rescued with them. Never: in a process that only reads, or longer than they are needed.

use std::collections::{BTreeMap, BTreeSet};

use windlass_core::event::Event;
use windlass_core::id::{Digest, RunId};
use windlass_core::state::State;

use crate::blob::Blobs;

/// What the runs of a home need besides their state.
#[derive(Debug, Default)]
pub(crate) struct Needed {
    named: BTreeMap<RunId, Named>,
    unfinished: BTreeSet<RunId>,
    /// Their states hold the plan as it was laid out last, and none as it was written.
    revised: BTreeSet<RunId>,
    held: BTreeMap<Digest, Vec<u8>>,
}

/// The blobs of a run.
#[derive(Debug)]
struct Named {
    variables: BTreeSet<Digest>,
    plans: BTreeSet<Digest>,
}

impl Needed {
    /// Notes what an event says of a run. True where that changes what [`Needed::hold`] is to hold.
    pub(crate) fn note(&mut self, event: &Event) -> bool {
        if let Event::RunCreated { run, env, plan, .. } = event {
            self.named.insert(*run, Named { variables: [*env].into(), plans: [*plan].into() });
            return self.unfinished.insert(*run);
        }
        if let Event::PlanRevised { run, plan, .. } = event {
            self.revised.insert(*run);
            return self.named.get_mut(run).is_some_and(|named| named.plans.insert(*plan));
        }
        if let Event::PlanNested { run, plan, env, .. } = event {
            return self.named.get_mut(run).is_some_and(|named| {
                let is_new = named.plans.insert(*plan);
                named.variables.insert(*env) || is_new
            });
        }
        if let Event::RunReopened { run } = event {
            return self.unfinished.insert(*run);
        }
        if let Event::RunFinished { run, .. } = event {
            return self.unfinished.remove(run);
        }
        false
    }

    /// Notes the runs of a state, wherever it came from.
    pub(crate) fn note_all(&mut self, state: &State) {
        for run in state.runs.values() {
            let written = run.written();
            if written.iter().any(|(_, plan)| plan.is_none()) {
                self.revised.insert(run.id);
            }
            let brought = || run.scopes.iter().filter_map(|scope| scope.brought.as_ref());
            let plans = written.into_iter().map(|(digest, _)| digest);
            let plans = plans.chain(brought().map(|brought| brought.digest)).collect();
            let variables = brought().map(|brought| brought.env).chain([run.env]).collect();
            self.named.insert(run.id, Named { variables, plans });
        }
        self.unfinished.extend(&state.unfinished);
    }

    /// Holds the variables of runs that are not over, and the plans of those that were revised: without any of its plans
    /// nothing can be said of a run. What is gone by now is no damage here: a run without it can still be shown.
    pub(crate) fn hold(&mut self, blobs: &dyn Blobs) {
        let named = |runs: &BTreeSet<RunId>| -> Vec<&Named> {
            runs.iter().filter_map(|run| self.named.get(run)).collect()
        };
        let variables = named(&self.unfinished).into_iter().flat_map(|named| named.variables.iter().copied());
        let plans = named(&self.revised).into_iter().flat_map(|named| named.plans.iter().copied());
        let wanted: BTreeSet<Digest> = variables.chain(plans).collect();
        self.held.retain(|digest, _| wanted.contains(digest));
        for digest in wanted {
            if !self.held.contains_key(&digest)
                && let Ok(bytes) = blobs.get(digest)
            {
                self.held.insert(digest, bytes);
            }
        }
    }

    /// Those that are held.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = &[u8]> {
        self.held.values().map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use windlass_core::event::{Record, RunOutcome};
    use windlass_core::fold::evolve;

    use super::*;
    use crate::blob::MemoryBlobs;
    use crate::suite::{created, revised};

    fn run_of(record: &Record) -> RunId {
        record.event.run().expect("it is of a run")
    }

    #[test]
    fn variables_are_held_for_as_long_as_their_run_may_go_on() {
        let blobs = MemoryBlobs::default();
        let record = created(1, &blobs);
        let run = run_of(&record);
        let mut needed = Needed::default();
        let mut held = |event: &Event| {
            let changed = needed.note(event);
            needed.hold(&blobs);
            (changed, needed.bodies().count())
        };
        let finished = Event::RunFinished { run, outcome: RunOutcome::Failed };
        assert_eq!(held(&record.event), (true, 1));
        assert_eq!(held(&finished), (true, 0));
        assert_eq!(held(&Event::RunReopened { run }), (true, 1));
        assert_eq!(held(&finished), (true, 0));
    }

    #[test]
    fn of_a_run_that_was_revised_each_plan_is_held_also_where_a_snapshot_brought_it_back() {
        let blobs = MemoryBlobs::default();
        let records = [created(1, &blobs), revised(2, &blobs)];
        let run = run_of(&records[0]);
        let mut state = State::default();
        let (mut told, mut brought_back) = (Needed::default(), Needed::default());
        for record in &records {
            evolve(&mut state, record);
            assert!(told.note(&record.event));
        }
        brought_back.note_all(&state);
        for mut needed in [told, brought_back] {
            needed.hold(&blobs);
            assert_eq!(needed.bodies().count(), 3, "two plans, and the variables");
            assert!(needed.note(&Event::RunFinished { run, outcome: RunOutcome::Succeeded }));
            needed.hold(&blobs);
            assert_eq!(needed.bodies().count(), 2, "it is still shown");
        }
    }
}
