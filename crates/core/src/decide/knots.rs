//! Knots: tasks that wait for a message which only they themselves could lead to, or nobody any more. Nothing is looked
//! at while some task that emits the topic is about to start. A knot can arise only when a wait begins, for a message or
//! once more for what a task needs, when a task that could emit has ended, or when one of several that would have been
//! enough has ended in vain, or has passed and is not enough; then it is behind that topic or that task. Never: a guess at what people, clocks or programs will do; what waits for those goes on.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::decide::{judge, waits};
use crate::event::Event;
use crate::failure::{ErrorKind, Failure};
use crate::machine::task::Phase;
use crate::plan::{Join, Select};
use crate::planted::{Bug, is_planted};
use crate::policy::select::{self, Standing};
use crate::state::topics::Topic;
use crate::state::tree::Form;
use crate::state::{Blocked, Fresh, Look, Run, State, Task, TaskIx};

/// How far a search goes at first.
const SEARCH_FIRST: usize = 64;
/// How many steps of a knot a message names.
const STEPS_MAX: usize = 8;
/// How many tasks of a knot end at once: their events are one batch.
const ENDS_MAX: usize = 500;

const HINT_TANGLED: &str = "let a task emit the topic that none of these leads to, or say `external: true` where its \
    messages come from elsewhere; then `windlass revise RUN PLAN`, and `windlass retry RUN TASK` for each of these, the waits last";
const HINT_ENDED: &str = "where what was to emit it failed or was skipped, try that again first; `windlass retry RUN TASK` waits anew";
const HINT_UNSAID: &str = "let a task emit it, or say `external: true` where its messages come from elsewhere; then \
    `windlass revise RUN PLAN`, and `windlass retry RUN TASK`";

/// What waits, or is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Strand<'r> {
    Task(TaskIx),
    Topic(&'r str),
}

/// What a strand waits for, and how many of those are enough.
struct Pull<'r> {
    on: Vec<Strand<'r>>,
    enough: usize,
}

/// The ends of tasks that nothing can wake any more since nobody is left who could emit this topic; none where somebody
/// is. What is to be looked at again after that is `fresh`.
pub(crate) fn look_at_topic(state: &State, run: &Run, topic: &str, fresh: &mut Fresh) -> Vec<Event> {
    let Some(found) = run.topics.named(topic).filter(|_| state.is_active(run)) else { return Vec::new() };
    let Some(waiter) = found.waiters.iter().find(|ix| !run.is_external(**ix)) else { return Vec::new() };
    if found.going > 0 || is_emitted_elsewhere(run, found, Strand::Topic(topic)) {
        return Vec::new();
    }
    let events = untie(state, run, *waiter, fresh);
    if !events.is_empty() {
        fresh.push_front(Look::Topic { run: run.id, topic: topic.to_owned() });
    }
    events
}

/// The same for a task that has begun to wait for its topic.
pub(crate) fn look_at_waiter(state: &State, run: &Run, ix: TaskIx, fresh: &mut Fresh) -> Vec<Event> {
    let task = run.task(ix);
    let waits = task.phase == Phase::Blocked && task.blocked == Some(Blocked::Topic);
    let topic = run.topic_of(ix).filter(|_| waits && !run.is_external(ix) && state.is_active(run));
    let Some((topic, found)) = topic.and_then(|topic| Some((topic, run.topics.named(topic)?))) else {
        return Vec::new();
    };
    if found.going > 0 || is_emitted_elsewhere(run, found, Strand::Task(ix)) {
        return Vec::new();
    }
    let events = untie(state, run, ix, fresh);
    if !events.is_empty() {
        fresh.push_front(Look::Topic { run: run.id, topic: topic.clone() });
    }
    events
}

/// Whether some task that may emit a topic goes on: it is not behind what has just begun to wait, or it is found to. Both
/// ways are searched in turn, so that the shorter of them decides what it costs.
///
/// What is not behind it goes on as it did before; where that is not so since another knot has just been tied, that has a
/// look of its own, after which those who could have emitted have ended, and the topic is looked at again.
fn is_emitted_elsewhere(run: &Run, topic: &Topic, from: Strand<'_>) -> bool {
    let Some(first) = topic.emitters.first().map(|ix| Strand::Task(*ix)) else { return false };
    let mut most = SEARCH_FIRST;
    loop {
        if let Some(behind) = behind(run, from, most) {
            return topic.emitters.iter().any(|ix| !behind.contains(&Strand::Task(*ix)));
        }
        if let Some(web) = Web::within(run, first, most) {
            return web.goes(first);
        }
        most = most.saturating_mul(2);
    }
}

/// All that may be held by a strand, itself included; none where that is more than so many.
fn behind<'r>(run: &'r Run, from: Strand<'r>, most: usize) -> Option<BTreeSet<Strand<'r>>> {
    let (mut found, mut open, mut steps) = (BTreeSet::new(), vec![from], 0);
    while let Some(strand) = open.pop() {
        if !found.insert(strand) {
            continue;
        }
        let before = open.len();
        match strand {
            Strand::Topic(topic) => {
                let waiters = run.topics.named(topic).into_iter().flat_map(|topic| &topic.waiters);
                open.extend(waiters.take(most).map(|ix| Strand::Task(*ix)));
            }
            // What has ended holds nobody any more.
            Strand::Task(ix) if run.task(ix).phase.is_final() => {}
            Strand::Task(ix) => {
                let task = run.task(ix);
                open.extend(task.dependants.iter().take(most).map(|ix| Strand::Task(*ix)));
                open.extend(task.parent.map(|(parent, _)| Strand::Task(parent)));
                open.extend(run.spec(task).emits.iter().map(|topic| Strand::Topic(topic)));
            }
        }
        steps += 1 + open.len() - before;
        if steps >= most {
            return None;
        }
    }
    Some(found)
}

/// The same for a task that may have lost what would have woken it.
pub(crate) fn look_at_task(state: &State, run: &Run, ix: TaskIx, fresh: &mut Fresh) -> Vec<Event> {
    let may_be_held = matches!(run.task(ix).phase, Phase::Waiting | Phase::Expanded);
    if !may_be_held || !state.is_active(run) {
        return Vec::new();
    }
    let events = untie(state, run, ix, fresh);
    if !events.is_empty() {
        fresh.push_front(Look::Wakeable { run: run.id, task: ix });
    }
    events
}

fn untie(state: &State, run: &Run, ix: TaskIx, fresh: &mut Fresh) -> Vec<Event> {
    let web = Web::of(run, Strand::Task(ix));
    if web.goes(Strand::Task(ix)) || is_planted(Bug::KnotsStay) {
        return Vec::new();
    }
    let knot = web.knot(Strand::Task(ix));
    let dying = web.dying(&knot);
    // Nothing that has come is overlooked, whatever else is still to be looked at.
    let mut heard = dying.iter().map(|ix| waits::look(state, run, *ix));
    let events = heard.find(|events| !events.is_empty()).unwrap_or_else(|| web.ends(&knot, &dying));
    for strand in knot.iter().filter(|_| !events.is_empty()) {
        fresh.push_front(match strand {
            Strand::Topic(topic) => Look::Topic { run: run.id, topic: (*topic).to_owned() },
            Strand::Task(ix) => Look::Wakeable { run: run.id, task: *ix },
        });
    }
    events
}

/// All that a strand waits for, and what that waits for.
struct Web<'r> {
    run: &'r Run,
    pulls: BTreeMap<Strand<'r>, Pull<'r>>,
    going: BTreeSet<Strand<'r>>,
}

impl<'r> Web<'r> {
    fn of(run: &'r Run, start: Strand<'r>) -> Self {
        Self::within(run, start, usize::MAX).expect("there is no bound")
    }

    /// The same, or none where it is more than so many strands and what they wait for.
    fn within(run: &'r Run, start: Strand<'r>, most: usize) -> Option<Self> {
        let mut pulls = BTreeMap::new();
        let mut open = vec![start];
        let mut steps: usize = 0;
        while let Some(strand) = open.pop() {
            if pulls.contains_key(&strand) {
                continue;
            }
            let pull = pull(run, strand);
            steps = steps.saturating_add(1 + pull.on.len());
            if steps >= most {
                return None;
            }
            open.extend(&pull.on);
            pulls.insert(strand, pull);
        }
        let mut web = Self { run, pulls, going: BTreeSet::new() };
        web.spread();
        Some(web)
    }

    /// Finds out what goes on: what needs nobody, and then whatever enough of that is there for.
    fn spread(&mut self) {
        let mut behind: BTreeMap<Strand<'r>, Vec<Strand<'r>>> = BTreeMap::new();
        let mut missing: BTreeMap<Strand<'r>, usize> = BTreeMap::new();
        let mut go = Vec::new();
        for (strand, pull) in &self.pulls {
            pull.on.iter().for_each(|on| behind.entry(*on).or_default().push(*strand));
            missing.insert(*strand, pull.enough);
            if pull.enough == 0 {
                go.push(*strand);
            }
        }
        while let Some(strand) = go.pop() {
            if !self.going.insert(strand) {
                continue;
            }
            for other in behind.get(&strand).into_iter().flatten() {
                let missing = missing.get_mut(other).expect("it is in the web");
                *missing = missing.saturating_sub(1);
                if *missing == 0 {
                    go.push(*other);
                }
            }
        }
    }

    fn goes(&self, strand: Strand<'r>) -> bool {
        self.going.contains(&strand)
    }

    /// What holds a strand, of that which does not go on.
    fn held_by(&self, strand: Strand<'r>) -> impl Iterator<Item = Strand<'r>> {
        self.pulls[&strand].on.iter().copied().filter(|on| !self.goes(*on))
    }

    /// The strands that hold each other, and are held by nothing else, behind one that does not go on.
    fn knot(&self, start: Strand<'r>) -> BTreeSet<Strand<'r>> {
        let mut at = self.deep_behind(start);
        loop {
            let reached = self.reach(at);
            let back = self.reach_back(at, &reached);
            match reached.iter().find(|other| !back.contains(*other)) {
                Some(other) => at = self.deep_behind(*other),
                None => return reached,
            }
        }
    }

    /// A strand that one is held by, as far away as going from one to the next leads before it turns back.
    fn deep_behind(&self, start: Strand<'r>) -> Strand<'r> {
        let (mut at, mut seen) = (start, BTreeSet::new());
        while seen.insert(at) {
            let Some(next) = self.held_by(at).next() else { break };
            at = next;
        }
        at
    }

    /// Those of some strands that are held by one of them.
    fn reach_back(&self, to: Strand<'r>, among: &BTreeSet<Strand<'r>>) -> BTreeSet<Strand<'r>> {
        let mut holds: BTreeMap<Strand<'r>, Vec<Strand<'r>>> = BTreeMap::new();
        for strand in among {
            self.held_by(*strand).for_each(|by| holds.entry(by).or_default().push(*strand));
        }
        let (mut reached, mut open) = (BTreeSet::new(), vec![to]);
        while let Some(strand) = open.pop() {
            if reached.insert(strand) {
                open.extend(holds.get(&strand).into_iter().flatten());
            }
        }
        reached
    }

    /// A strand and all that holds it.
    fn reach(&self, from: Strand<'r>) -> BTreeSet<Strand<'r>> {
        let mut reached = BTreeSet::new();
        let mut open = vec![from];
        while let Some(strand) = open.pop() {
            if reached.insert(strand) {
                open.extend(self.held_by(strand));
            }
        }
        reached
    }

    /// The tasks that end with a knot: its own, but for parents, which end with their children; where it is a topic that
    /// nobody emits, one that waits for it.
    fn dying(&self, knot: &BTreeSet<Strand<'r>>) -> Vec<TaskIx> {
        let waits = |ix: &TaskIx| matches!(self.run.task(*ix).phase, Phase::Waiting | Phase::Blocked);
        let tasks = knot.iter().filter_map(|strand| match strand {
            Strand::Task(ix) => Some(*ix),
            Strand::Topic(_) => None,
        });
        let tasks: Vec<TaskIx> = tasks.filter(waits).collect();
        if !tasks.is_empty() {
            return self.innermost(knot, tasks);
        }
        let topics = knot.iter().filter_map(|strand| match strand {
            Strand::Topic(topic) => self.run.topics.named(topic),
            Strand::Task(_) => None,
        });
        let waiters = topics.flat_map(|topic| &topic.waiters).copied();
        waiters.filter(|ix| !self.run.is_external(*ix)).take(1).collect()
    }

    /// Of the tasks of a knot those that end with it: all of them, but where attempts of it wait for plans that they brought.
    /// Each of those judges what becomes of its plans, and goes on: so only the waits in the innermost of these plans end.
    fn innermost(&self, knot: &BTreeSet<Strand<'r>>, tasks: Vec<TaskIx>) -> Vec<TaskIx> {
        let in_knot = |ix: &TaskIx| self.run.lends(*ix) && knot.contains(&Strand::Task(*ix));
        let depth = |ix: &TaskIx| self.run.around(*ix).filter(in_knot).count();
        let deepest = tasks.iter().map(depth).max().filter(|deepest| *deepest > 0);
        let ends = |ix: &TaskIx| {
            deepest.is_none_or(|deepest| self.run.task(*ix).phase == Phase::Blocked && depth(ix) == deepest)
        };
        tasks.into_iter().filter(ends).take(ENDS_MAX).collect()
    }

    /// The ends of the tasks of a knot.
    fn ends(&self, knot: &BTreeSet<Strand<'r>>, dying: &[TaskIx]) -> Vec<Event> {
        let (why, hint) = match knot.first() {
            Some(Strand::Topic(topic)) if knot.len() == 1 => self.silence(topic),
            _ => (self.circle(knot, dying), HINT_TANGLED),
        };
        let dead = |ix: &TaskIx| {
            let odd = waits::unjudged(self.run, self.run.task(*ix));
            let message = format!("nothing can wake it any more: {why}{odd}");
            let failure = Failure::new(ErrorKind::Deadlock, message).hint(hint);
            judge::dead(self.run, self.run.task(*ix), None, failure)
        };
        dying.iter().map(dead).collect()
    }

    fn silence(&self, topic: &str) -> (String, &'static str) {
        let had_any = self.run.topics.named(topic).is_some_and(|topic| topic.had_emitters);
        if had_any {
            (format!("all tasks that could emit `{topic}` have ended"), HINT_ENDED)
        } else {
            (format!("no task of the run emits `{topic}`"), HINT_UNSAID)
        }
    }

    /// The shortest way around in a knot, in words.
    fn circle(&self, knot: &BTreeSet<Strand<'r>>, dying: &[TaskIx]) -> String {
        let waits = |ix: &&TaskIx| self.run.task(**ix).phase == Phase::Blocked;
        let waiting = dying.iter().find(waits).map(|ix| Strand::Task(*ix));
        let start = waiting.or(knot.first().copied()).expect("a knot is not empty");
        let way = self.way_around(start, knot);
        let mut steps = Vec::new();
        for (place, strand) in way.iter().enumerate() {
            let next = way.get(place + 1).copied().unwrap_or(start);
            steps.extend(self.step(*strand, next, way.get(place + 2).copied().unwrap_or(start)));
        }
        let more = steps.len() > STEPS_MAX;
        steps.truncate(STEPS_MAX);
        format!("{}{}", steps.join(", "), if more { " …" } else { "" })
    }

    /// The strands on the shortest way from one back to it, that one first.
    fn way_around(&self, start: Strand<'r>, knot: &BTreeSet<Strand<'r>>) -> Vec<Strand<'r>> {
        let mut before: BTreeMap<Strand<'r>, Strand<'r>> = BTreeMap::new();
        let mut open = VecDeque::from([start]);
        while let Some(strand) = open.pop_front() {
            for next in self.held_by(strand).filter(|next| knot.contains(next)) {
                if next == start {
                    let back = std::iter::successors(Some(strand), |at| before.get(at).copied());
                    let mut way: Vec<Strand<'r>> = back.collect();
                    way.reverse();
                    return way;
                }
                if let Entry::Vacant(new) = before.entry(next) {
                    new.insert(strand);
                    open.push_back(next);
                }
            }
        }
        vec![start]
    }

    fn step(&self, from: Strand<'r>, to: Strand<'r>, beyond: Strand<'r>) -> Option<String> {
        let name = |strand| match strand {
            Strand::Task(ix) => self.run.task(ix).id.to_string(),
            Strand::Topic(topic) => format!("`{topic}`"),
        };
        let Strand::Task(ix) = from else { return None };
        Some(match (to, self.run.task(ix).phase) {
            (Strand::Topic(_), _) => format!("{} waits for {} of {}", name(from), name(to), name(beyond)),
            (Strand::Task(_), Phase::Waiting) => format!("{} needs {}", name(from), name(to)),
            (Strand::Task(_), Phase::Running) => format!("{} waits for {}", name(from), name(to)),
            (Strand::Task(_), _) => format!("{} ends with {}", name(from), name(to)),
        })
    }
}

/// What a strand waits for. What is about to start, runs, or waits for a person, a moment or something outside goes on
/// by itself; but an attempt that has brought plans waits for the ends of them, as far as anybody can tell.
fn pull<'r>(run: &'r Run, strand: Strand<'r>) -> Pull<'r> {
    let by_itself = || Pull { on: Vec::new(), enough: 0 };
    let all = |on: Vec<Strand<'r>>| Pull { enough: on.len(), on };
    let ix = match strand {
        Strand::Topic(topic) => {
            return match run.topics.named(topic) {
                Some(found) if found.going > 0 => by_itself(),
                found => {
                    let emitters = found.into_iter().flat_map(|found| &found.emitters);
                    Pull { on: emitters.map(|ix| Strand::Task(*ix)).collect(), enough: 1 }
                }
            };
        }
        Strand::Task(ix) => ix,
    };
    let task = run.task(ix);
    match task.phase {
        Phase::Waiting if task.is_node() => needs(run, task),
        Phase::Blocked if task.blocked == Some(Blocked::Topic) && !run.is_external(ix) => {
            all(run.topic_of(ix).map(|topic| Strand::Topic(topic)).into_iter().collect())
        }
        Phase::Expanded => {
            let open = |pending: &dyn Fn(&Task) -> bool| -> Vec<Strand<'r>> {
                let children = task.children.iter().filter(|child| pending(run.task(**child)));
                children.map(|child| Strand::Task(*child)).collect()
            };
            let select = run.spec(task).replicas.map(|replicas| replicas.select);
            let select = select.filter(|select| *select != Select::All && run.form(task) == Form::Replicas);
            let Some(select) = select else { return all(open(&|child| !child.phase.is_final())) };
            let ballot = run.ballot(task);
            if select::standing(select, &ballot) == Standing::Open {
                // One that passed ends with the choice, and leads to none by itself.
                let on = open(&|child| !child.phase.is_final() && child.blocked != Some(Blocked::Select));
                return Pull { on, enough: select::missing(select, &ballot) };
            }
            let is_about_to_be_made = task.choice.is_none() && !task.cancel_wished;
            if is_about_to_be_made { by_itself() } else { all(open(&|child| !child.phase.is_final())) }
        }
        Phase::Running if run.lends(ix) && !is_planted(Bug::LendersGoOn) => {
            all(run.open_parts(ix).map(Strand::Task).collect())
        }
        Phase::Waiting
        | Phase::Ready
        | Phase::Running
        | Phase::Stopping
        | Phase::Gating
        | Phase::Merging
        | Phase::BackingOff
        | Phase::Parked
        | Phase::Blocked
        | Phase::Succeeded
        | Phase::Skipped
        | Phase::Dead
        | Phase::Cancelled => by_itself(),
    }
}

/// The needs of a waiting task that have not ended, and how many of them must succeed.
fn needs<'r>(run: &'r Run, task: &'r Task) -> Pull<'r> {
    let open = run.needs(task).filter(|need| !run.task(*need).phase.is_final());
    let on: Vec<Strand<'r>> = open.map(Strand::Task).collect();
    let enough = match run.spec(task).join {
        Join::All => on.len(),
        Join::AtLeast(wanted) => {
            usize::try_from(wanted.saturating_sub(task.tally.succeeded)).expect("32 bits fit")
        }
    };
    Pull { on, enough }
}
