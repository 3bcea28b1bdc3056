//! The tasks of a run as a tree, kept up record by record: each with its state, its attempt, and how long it took.
//! Never: deciding what anything means (that is in the records).

use std::collections::{BTreeMap, BTreeSet};

use windlass_core::event::{BlockedOn, Event, Expansion, Record, SkipReason, TimerKind};
use windlass_core::id::TaskId;
use windlass_core::machine::task::Phase;
use windlass_core::state::tree::Form;
use windlass_core::state::{Blocked, Run};
use windlass_core::time::{Span, Time};
use windlass_core::view;

/// Where a task stands among all: the numbers of those around it, then its own.
type Branch = Vec<u32>;

/// From how many children on it is said how long the others take.
const LIKE_MIN: u32 = 3;

/// The tasks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    rows: BTreeMap<Branch, Row>,
    places: BTreeMap<TaskId, Branch>,
    counts: BTreeMap<Phase, usize>,
    /// The places of those that are worth a line of their own where there is no room for all.
    notable: BTreeSet<Branch>,
    /// How many tasks there are besides, of which no more is known than that.
    unheard: usize,
    /// How many ask people.
    asking: usize,
    /// How many were running at the same time at most.
    pub(crate) width: usize,
}

/// A task.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) id: TaskId,
    /// How many tasks are around it.
    pub(crate) depth: usize,
    /// Its state; one that is ready is taken for one that waits, since no record tells of it.
    pub(crate) phase: Phase,
    /// Whether people are asked: for a decision, or what became of its attempt.
    pub(crate) asks: bool,
    /// Whether it was skipped by a `when`.
    pub(crate) is_unwanted: bool,
    /// Whether it has children of its plan, which do its work.
    is_expanded: bool,
    /// The number of its last attempt, and when that started.
    pub(crate) attempt: Option<(u32, Time)>,
    /// How long its last attempt took.
    pub(crate) took: Option<Span>,
    /// How many children it has, the plans that its attempts brought included.
    children: u32,
    /// How many of them have come to an end.
    ended: u32,
    /// How many it will have; none where nobody knows.
    to_come: Option<u32>,
    /// How long those took that have succeeded, in all, and how many these are.
    succeeded: (Span, u32),
}

impl Row {
    /// Whether it stands for its children.
    pub(crate) fn is_parent(&self) -> bool {
        self.children > 0
    }

    /// How far its children are: how many of them are over, or which round it is in.
    pub(crate) fn of_children(&self) -> String {
        match self.to_come {
            Some(to_come) => format!("{} of {}", self.ended, self.children.max(to_come)),
            None => format!("round {}", self.children),
        }
    }

    /// How many of its children nothing has been heard of.
    fn unheard(&self) -> usize {
        usize::try_from(self.to_come.unwrap_or(0).saturating_sub(self.children)).unwrap_or(usize::MAX)
    }

    /// Whether all the children that it will have are known by name.
    pub(crate) fn is_complete(&self) -> bool {
        self.to_come.is_some_and(|to_come| self.children >= to_come)
    }

    /// How long its children take, as far as some have succeeded.
    pub(crate) fn usual_of_children(&self) -> Option<Span> {
        let (sum, count) = self.succeeded;
        (count >= LIKE_MIN).then(|| Span::from_ms(sum.ms / u64::from(count)))
    }
}

impl Tree {
    /// The tasks of a run as they are now.
    pub(crate) fn of(run: &Run) -> Self {
        let mut tree = Self::default();
        for task in view::in_order(run).map(|ix| run.task(ix)) {
            tree.plant(&task.id);
            for attempt in &task.attempts {
                tree.start(&task.id, attempt.number, attempt.started);
                if let Some(ended) = attempt.ended {
                    tree.reap(&task.id, ended);
                }
            }
            if task.phase == Phase::Succeeded {
                tree.succeed(&task.id);
            } else {
                tree.set(&task.id, if task.phase == Phase::Ready { Phase::Waiting } else { task.phase });
            }
            if matches!(task.blocked, Some(Blocked::Person | Blocked::Outcome)) {
                tree.ask(&task.id);
            }
            let is_unwanted = matches!(task.skipped, Some((SkipReason::When, _)));
            let (is_expanded, has_rounds) = (!task.children.is_empty(), run.form(task) == Form::Rounds);
            tree.change(&task.id, |row| {
                (row.is_unwanted, row.is_expanded) = (is_unwanted, is_expanded);
                row.to_come = row.to_come.filter(|_| !has_rounds);
            });
        }
        tree
    }

    /// All tasks, each parent followed by its children.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    /// Those that run, wait for somebody or for their next attempt, or failed.
    pub(crate) fn notable(&self) -> impl Iterator<Item = &Row> {
        self.notable.iter().filter_map(|place| self.rows.get(place))
    }

    /// How many tasks there are, children included.
    pub(crate) fn len(&self) -> usize {
        self.rows.len() + self.unheard
    }

    /// Of how many of them no more is known than that they are there.
    pub(crate) fn unheard(&self) -> usize {
        self.unheard
    }

    /// How many ask people.
    pub(crate) fn asking(&self) -> usize {
        self.asking
    }

    /// How many are in any of these states.
    pub(crate) fn count(&self, is_one: impl Fn(Phase) -> bool) -> usize {
        self.counts.iter().filter(|(phase, _)| is_one(**phase)).map(|(_, count)| count).sum()
    }

    /// How many are in each state.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (Phase, usize)> {
        self.counts.iter().map(|(phase, count)| (*phase, *count)).filter(|(_, count)| *count > 0)
    }

    /// A task by its name.
    pub(crate) fn row(&self, task: &TaskId) -> Option<&Row> {
        self.rows.get(self.places.get(task)?)
    }

    /// The task around another.
    pub(crate) fn parent_of(&self, task: &TaskId) -> Option<&Row> {
        self.row(&parent(task)?.0)
    }

    /// The children of a task, and theirs.
    pub(crate) fn below(&self, task: &TaskId) -> impl Iterator<Item = &Row> {
        let place = self.places.get(task).cloned().unwrap_or_default();
        let after = self.rows.range(place.clone()..).skip(1);
        after.take_while(move |(below, _)| below.starts_with(&place)).map(|(_, row)| row)
    }

    /// Takes in a record of the run. What is told may be known already.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the other events change nothing that is shown")]
    pub(crate) fn take(&mut self, record: &Record) {
        match &record.event {
            Event::TaskExpanded { task, into, .. } => {
                self.set(task, Phase::Expanded);
                let numbers = match into {
                    Expansion::Items(items) => 0..u32::try_from(items.len()).unwrap_or(u32::MAX),
                    Expansion::Round(number) => *number..*number + 1,
                    Expansion::Replicas(count) => 0..*count,
                    // Its tasks come as they are heard of.
                    Expansion::Plan { .. } => 0..0,
                };
                let to_come = match into {
                    Expansion::Plan { tasks, .. } => Some(*tasks),
                    Expansion::Round(_) => None,
                    Expansion::Items(_) | Expansion::Replicas(_) => Some(0),
                };
                let mut unheard = self.unheard;
                self.change(task, |row| {
                    unheard -= row.unheard();
                    (row.to_come, row.is_expanded) = (to_come, true);
                    unheard += row.unheard();
                });
                self.unheard = unheard;
                numbers.for_each(|number| self.plant(&task.child(number)));
            }
            Event::PlanNested { child, .. } => self.plant(child),
            Event::AttemptStarted { task, attempt, .. } => self.start(task, *attempt, record.at),
            Event::AttemptReaped { task, .. } => {
                self.reap(task, record.at);
                self.set(task, Phase::Gating);
            }
            Event::MergeRequested { task, .. } => self.set(task, Phase::Merging),
            Event::StopRequested { task, .. } => self.set(task, Phase::Stopping),
            Event::RetryScheduled { task, wait_ms, .. } => {
                self.set(task, if *wait_ms > 0 { Phase::BackingOff } else { Phase::Waiting });
            }
            Event::TaskParked { task, .. } => self.set(task, Phase::Parked),
            Event::TaskBlocked { task, on: BlockedOn::Outcome, .. }
            | Event::ApprovalRequested { task, .. } => self.ask(task),
            Event::TaskBlocked { task, .. } => self.set(task, Phase::Blocked),
            Event::TimerFired { task, timer: TimerKind::Retry, .. }
            | Event::TaskUnblocked { task, .. }
            | Event::TaskUnskipped { task, .. } => self.set(task, Phase::Waiting),
            Event::TaskRequeued { task, .. } => {
                let is_expanded = self.row(task).is_some_and(|row| row.is_expanded);
                self.set(task, if is_expanded { Phase::Expanded } else { Phase::Waiting });
            }
            Event::TaskSucceeded { task, .. } => self.succeed(task),
            Event::TaskSkipped { task, reason, .. } => {
                self.set(task, Phase::Skipped);
                self.change(task, |row| row.is_unwanted = *reason == SkipReason::When);
            }
            Event::TaskDead { task, .. } => self.set(task, Phase::Dead),
            Event::TaskCancelled { task, .. } => self.set(task, Phase::Cancelled),
            _ => {}
        }
    }

    /// Makes the row of a task that is new, below that of its parent.
    fn plant(&mut self, task: &TaskId) {
        if self.places.contains_key(task) {
            return;
        }
        let place = match parent(task) {
            None => vec![u32::try_from(self.rows.len()).unwrap_or(u32::MAX)],
            Some((parent, number)) => {
                self.plant(&parent);
                let mut place = self.places[&parent].clone();
                let above = self.rows.get_mut(&place).expect("it was planted");
                place.push(number.unwrap_or(above.children));
                let before = above.unheard();
                above.children += 1;
                self.unheard -= before - above.unheard();
                place
            }
        };
        let row = Row {
            id: task.clone(),
            depth: place.len() - 1,
            phase: Phase::Waiting,
            asks: false,
            is_unwanted: false,
            is_expanded: false,
            attempt: None,
            took: None,
            children: 0,
            ended: 0,
            to_come: Some(0),
            succeeded: (Span::default(), 0),
        };
        *self.counts.entry(Phase::Waiting).or_default() += 1;
        self.places.insert(task.clone(), place.clone());
        self.rows.insert(place, row);
    }

    /// The tasks of the plan itself stand in this order from here on. Those that are new come to it.
    pub(crate) fn arrange<'t>(&mut self, order: impl Iterator<Item = &'t TaskId>) {
        let mut numbers = BTreeMap::new();
        for (number, task) in (0..).zip(order) {
            self.plant(task);
            numbers.insert(self.places[task][0], number);
        }
        let moved = |mut place: Branch| {
            place[0] = numbers.get(&place[0]).copied().unwrap_or(place[0]);
            place
        };
        let rows = std::mem::take(&mut self.rows).into_iter();
        self.rows = rows.map(|(place, row)| (moved(place), row)).collect();
        let notable = std::mem::take(&mut self.notable).into_iter();
        self.notable = notable.map(moved).collect();
        self.places.values_mut().for_each(|place| *place = moved(std::mem::take(place)));
    }

    fn change(&mut self, task: &TaskId, change: impl FnOnce(&mut Row)) {
        self.plant(task);
        let row = self.rows.get_mut(&self.places[task]).expect("it was planted");
        change(row);
    }

    fn set(&mut self, task: &TaskId, phase: Phase) {
        let (mut before, mut asked) = (phase, false);
        self.change(task, |row| {
            before = std::mem::replace(&mut row.phase, phase);
            asked = std::mem::take(&mut row.asks);
            row.is_unwanted = false;
        });
        self.asking -= usize::from(asked);
        *self.counts.entry(before).or_default() -= 1;
        *self.counts.entry(phase).or_default() += 1;
        if before.is_final() != phase.is_final()
            && let Some((parent, _)) = parent(task)
        {
            let ends = phase.is_final();
            self.change(&parent, |row| row.ended = if ends { row.ended + 1 } else { row.ended - 1 });
        }
        let place = &self.places[task];
        if is_notable(phase) {
            self.notable.insert(place.clone());
        } else {
            self.notable.remove(place);
        }
        self.width = self.width.max(self.counts.get(&Phase::Running).copied().unwrap_or(0));
    }

    fn ask(&mut self, task: &TaskId) {
        self.set(task, Phase::Blocked);
        self.change(task, |row| row.asks = true);
        self.asking += 1;
    }

    fn start(&mut self, task: &TaskId, attempt: u32, at: Time) {
        self.change(task, |row| row.attempt = Some((attempt, at)));
        self.set(task, Phase::Running);
    }

    fn reap(&mut self, task: &TaskId, at: Time) {
        self.change(task, |row| row.took = row.attempt.map(|(_, started)| at.since(started)));
    }

    fn succeed(&mut self, task: &TaskId) {
        let known = self.row(task).is_some_and(|row| row.phase == Phase::Succeeded);
        let took = self.row(task).and_then(|row| row.took).filter(|_| !known);
        self.set(task, Phase::Succeeded);
        if let (Some(took), Some((parent, _))) = (took, parent(task)) {
            self.change(&parent, |row| row.succeeded = (row.succeeded.0.plus(took), row.succeeded.1 + 1));
        }
    }
}

/// The task around another.
pub(crate) fn around(task: &TaskId) -> Option<TaskId> {
    parent(task).map(|(parent, _)| parent)
}

/// The task around another, and its number among the children where it has one.
fn parent(task: &TaskId) -> Option<(TaskId, Option<u32>)> {
    let (parent, own) = task.as_str().rsplit_once(['.', '/'])?;
    Some((parent.parse().ok()?, own.parse().ok()))
}

/// Whether a task in this state is worth a line of its own. What stands for its children is not: they are.
const fn is_notable(phase: Phase) -> bool {
    matches!(
        phase,
        Phase::Running
            | Phase::Stopping
            | Phase::Gating
            | Phase::Blocked
            | Phase::BackingOff
            | Phase::Parked
            | Phase::Dead
    )
}

#[cfg(test)]
mod tests {
    use windlass_core::event::ApprovalAnswer;
    use windlass_core::input::Ask;

    use super::*;
    use crate::staged::Stage;

    /// What is shown of each task.
    fn shown(tree: &Tree) -> Vec<String> {
        let rows = tree.rows().map(|row| {
            let Row { id, phase, asks, is_unwanted, attempt, took, ended, to_come, .. } = row;
            format!("{id} {phase:?} {asks} {is_unwanted} {attempt:?} {took:?} {ended} {to_come:?}")
        });
        let counts = format!("{:?} asking {}", tree.counts().collect::<Vec<_>>(), tree.asking());
        let notable = tree.notable().map(|row| row.id.to_string()).collect::<Vec<_>>().join(" ");
        rows.chain([counts, notable]).collect()
    }

    /// A tree that is kept up by records, beside the state that they lead to.
    struct Kept {
        stage: Stage,
        tree: Tree,
    }

    impl Kept {
        fn of(plan: &str) -> Self {
            let stage = Stage::of(plan);
            let mut tree = Tree::default();
            for task in &stage.run().plan.tasks {
                tree.plant(&task.id);
            }
            Self { stage, tree }
        }

        /// After this as well the tree is that of the state.
        fn then(&mut self, step: impl FnOnce(&mut Stage) -> &mut Stage) -> &mut Self {
            step(&mut self.stage);
            let records = std::mem::take(&mut self.stage.records);
            for record in &records {
                self.tree.take(record);
            }
            let names: Vec<&str> = records.iter().map(|record| record.event.name()).collect();
            assert_eq!(shown(&self.tree), shown(&Tree::of(self.stage.run())), "after {names:?}");
            self
        }

        fn phase_of(&self, task: &str) -> (Phase, bool) {
            let row = self.tree.row(&task.parse().expect("a task")).expect("it is there");
            (row.phase, row.asks)
        }
    }

    fn retry<'s>(stage: &'s mut Stage, task: &str) -> &'s mut Stage {
        let (run, task) = (stage.run().id, task.parse().expect("a task"));
        stage.ask(Ask::Retry { run, task, agent: None, prompt: None })
    }

    #[test]
    fn a_parent_that_is_revived_has_children_and_what_it_kept_from_running_waits() {
        let mut kept = Kept::of(
            "tasks: { must: { for_each: [1, 2, 3], retry: { max_attempts: 1 }, run: x }, end: { needs: [must], run: x } }",
        );
        kept.then(|stage| stage).then(|stage| stage.after("1s").end("must.0", 1, ""));
        kept.then(|stage| stage.after("1s").end("must.1", 0, "").end("must.2", 0, ""));
        assert_eq!(kept.phase_of("must"), (Phase::Dead, false));
        kept.then(|stage| retry(stage, "must.0"));
        assert_eq!(kept.phase_of("must"), (Phase::Expanded, false));
        assert_eq!(kept.phase_of("end"), (Phase::Waiting, false));
        kept.then(|stage| stage.after("1s").end("must.0", 0, "").after("1s").end("end", 0, ""));
        assert_eq!(kept.phase_of("end"), (Phase::Succeeded, false));
    }

    #[test]
    fn only_what_people_are_asked_is_marked_so() {
        let mut kept = Kept::of(
            r#"
tasks:
  moment: { wait_for: { after: 1h } }
  word: { wait_for: { topic: said } }
  ask: { approval: "go on?" }
  vote: { replicas: 3, select: majority, run: x }
  once: { rerun: never, run: x }
  says: { needs: [ask], run: x }
  told: { needs: [says], emit: { topic: said, data: 1 } }
"#,
        );
        kept.then(|stage| stage.after("1s").end("vote.0", 0, "5").lose("once"));
        for (task, asks) in
            [("moment", false), ("word", false), ("ask", true), ("vote.0", false), ("once", true)]
        {
            assert_eq!(kept.phase_of(task), (Phase::Blocked, asks), "{task}");
        }
        kept.then(|stage| {
            let asked = stage.run().task(stage.run().names[&"ask".parse().expect("a task")]);
            let approval = asked.approval_open().expect("it asks").id.clone();
            let (run, task, answer) = (stage.run().id, asked.id.clone(), ApprovalAnswer::Approved);
            stage.ask(Ask::Approve { run, task, approval, answer, text: String::new() })
        });
        assert_eq!(kept.phase_of("ask"), (Phase::Succeeded, false));
        kept.then(|stage| stage.after("1h").end("says", 0, "").end("vote.1", 0, "5"));
        assert_eq!(kept.phase_of("moment"), (Phase::Succeeded, false));
        assert_eq!(kept.phase_of("word"), (Phase::Succeeded, false));
    }

    #[test]
    fn rounds_retries_and_what_is_skipped_or_cancelled_stand_as_in_the_state() {
        let mut kept = Kept::of(
            r#"
tasks:
  round: { repeat: { until: "{{ tasks.round.output == 2 }}", max: 3 }, retry: { max_attempts: 2, initial_interval: 1m }, run: x }
  never: { when: "{{ false }}", run: x }
  nor: { needs: [never], run: x }
  slow: { run: x }
  fast: { run: x }
  any: { needs: [slow, fast], join: any, run: x }
"#,
        );
        kept.then(|stage| stage.after("1s").end("round.0", 1, ""));
        kept.then(|stage| stage.after("2m")).then(|stage| stage.end("round.0", 0, "1"));
        kept.then(|stage| stage.after("1s").end("round.1", 0, "2").end("fast", 0, ""));
        kept.then(|stage| stage.pause()).then(|stage| stage.resume());
        let run = kept.stage.run().id;
        kept.then(|stage| stage.ask(Ask::Cancel { run, task: Some("any".parse().expect("a task")) }));
        kept.then(|stage| stage.crash("any", "0s"));
    }
}
