//! The ready tasks of a run, in lanes: tasks that the same limits hold back share a lane, so that picking the next
//! one looks at lanes and never at every task. Never: deciding when a limit is reached for the whole home.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::id::Seq;
use crate::planted::{Bug, is_planted};
use crate::state::TaskIx;
use crate::state::crew::Crew;
use crate::time::Span;

/// How long a task waits until it stands where one stood that came with one more of priority.
const AGEING: Span = Span::from_secs(600);

/// By how many milliseconds what an attempt waits for is ahead of what nobody does: more than any run lasts.
const BEFORE_ALL: i64 = 1 << 45;

/// Where a ready task stands among those of its run: the least is next. Waiting moves all in step, so that two of them
/// never change places and nothing is counted anew as time goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rank {
    /// When it would have had to become ready with a priority of 0, by the run's own clock in milliseconds.
    as_of: i64,
    /// The record by which it became ready.
    since: Seq,
    task: TaskIx,
}

impl Rank {
    /// The rank of a task that became ready by this record, when the run's own clock showed this.
    pub fn new(task: TaskIx, priority: i8, ready: Span, since: Seq) -> Self {
        let ready = i64::try_from(ready.ms).unwrap_or(i64::MAX);
        let ahead = if is_planted(Bug::PriorityIgnored) { 0 } else { i64::from(priority) };
        let ageing = i64::try_from(AGEING.ms).expect("it is short");
        Self { as_of: ready.saturating_sub(ahead * ageing), since, task }
    }

    /// The same for a task so many levels within what attempts brought: it is before all that is less far within, since an
    /// attempt that is in flight waits for it.
    #[must_use]
    pub fn within(self, levels: usize) -> Self {
        let ahead = i64::try_from(levels).unwrap_or(i64::MAX).saturating_mul(BEFORE_ALL);
        Self { as_of: self.as_of.saturating_sub(ahead), ..self }
    }

    /// The record by which the task became ready.
    pub(crate) fn since(self) -> Seq {
        self.since
    }

    /// The same with another priority: it keeps how long the task has waited.
    #[must_use]
    pub fn with_priority(self, before: i8, now: i8) -> Self {
        let more = if is_planted(Bug::PriorityIgnored) { 0 } else { i64::from(now) - i64::from(before) };
        let ageing = i64::try_from(AGEING.ms).expect("it is short");
        Self { as_of: self.as_of.saturating_sub(more * ageing), ..self }
    }
}

/// The ready tasks of a run.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Queue {
    /// The lanes, by number.
    lanes: Vec<Lane>,
    /// What the lanes of the same crew have in common.
    groups: Vec<Group>,
    /// The limits that tasks share, by number.
    limits: Vec<Limit>,
    /// The first of each group that has one with room, with its group.
    heads: BTreeSet<(Rank, u32)>,
    /// Ready tasks beside which nothing else may be in flight.
    alone: BTreeSet<Rank>,
}

/// Tasks that the same limits hold back.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
struct Lane {
    group: u32,
    limit: Option<u32>,
    ready: BTreeSet<Rank>,
}

/// Lanes of tasks that the same agents may work on, or none.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
struct Group {
    crew: Option<Crew>,
    lanes: Vec<u32>,
    /// The first task of each lane that has one and has room, with its lane.
    heads: BTreeSet<(Rank, u32)>,
}

/// What a limit is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitOn {
    /// Attempts in flight at the same time.
    InFlight,
    /// Attempts in all: those that were charged, and those in flight, which may come to be.
    InAll,
}

/// How many attempts of tasks that share it there may be. Limits stand within others, and an attempt takes room of all
/// those around its task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Limit {
    on: LimitOn,
    used: u32,
    max: u32,
    around: Option<u32>,
    /// The limits that stand in it, but not in one of those.
    below: Vec<u32>,
    lanes: Vec<u32>,
}

impl Group {
    /// The task that it would start next.
    fn head(&self) -> Option<Rank> {
        self.heads.first().map(|(head, _)| *head)
    }
}

impl Queue {
    /// A limit of its own for some tasks, within the one around them, by its number.
    pub fn limit(&mut self, on: LimitOn, max: u32, around: Option<u32>) -> u32 {
        let limit = number(self.limits.len());
        self.limits.push(Limit { on, used: 0, max, around, below: Vec::new(), lanes: Vec::new() });
        if let Some(around) = around {
            self.limits[place(around)].below.push(limit);
        }
        limit
    }

    /// A task is ready, for this crew. The answer is its lane.
    pub fn enter(&mut self, crew: Option<Crew>, limit: Option<u32>, rank: Rank, alone: bool) -> u32 {
        let lane = self.lane(crew, limit);
        if alone {
            self.alone.insert(rank);
        } else {
            self.change(lane, |lane| {
                lane.ready.insert(rank);
            });
        }
        lane
    }

    /// A task is no longer ready.
    pub fn leave(&mut self, lane: u32, rank: Rank) {
        if !self.alone.remove(&rank) {
            self.change(lane, |lane| {
                lane.ready.remove(&rank);
            });
        }
    }

    /// An attempt of a task with this limit is in flight.
    pub fn occupy(&mut self, limit: Option<u32>) {
        for limit in self.and_around(limit) {
            self.set(limit, self.limits[place(limit)].used + 1);
        }
    }

    /// An attempt of a task with this limit takes no more room of what is limited so.
    pub fn vacate(&mut self, limit: Option<u32>, on: LimitOn) {
        for limit in self.and_around(limit) {
            if self.limits[place(limit)].on == on {
                self.set(limit, self.limits[place(limit)].used - 1);
            }
        }
    }

    /// An attempt of a task with this limit, which took no room of those in flight for a while, takes it again.
    pub fn occupy_again(&mut self, limit: Option<u32>) {
        for limit in self.and_around(limit) {
            if self.limits[place(limit)].on == LimitOn::InFlight {
                self.set(limit, self.limits[place(limit)].used + 1);
            }
        }
    }

    /// A limit, which so much is used of.
    pub fn set(&mut self, limit: u32, used: u32) {
        let is_full = |used| used >= self.limits[place(limit)].max;
        if is_full(self.limits[place(limit)].used) == is_full(used) {
            self.limits[place(limit)].used = used;
            return;
        }
        let lanes = self.lanes_below(limit);
        let before: Vec<Option<Rank>> = lanes.iter().map(|lane| self.head(*lane)).collect();
        self.limits[place(limit)].used = used;
        for (lane, before) in lanes.into_iter().zip(before) {
            let (after, group) = (self.head(lane), self.lanes[place(lane)].group);
            self.change_group(group, |group| replace(&mut group.heads, before, after, lane));
        }
    }

    /// Whether a limit, and all those around it, have room for another attempt.
    pub fn has_room(&self, limit: Option<u32>) -> bool {
        self.chain(limit).all(|limit| limit.used < limit.max)
    }

    fn chain(&self, limit: Option<u32>) -> impl Iterator<Item = &Limit> {
        let find = |limit: u32| &self.limits[place(limit)];
        std::iter::successors(limit.map(find), move |limit| limit.around.map(find))
    }

    fn and_around(&self, limit: Option<u32>) -> Vec<u32> {
        std::iter::successors(limit, |limit| self.limits[place(*limit)].around).collect()
    }

    fn lanes_below(&self, limit: u32) -> Vec<u32> {
        let mut limits = vec![limit];
        let mut lanes = Vec::new();
        while let Some(limit) = limits.pop() {
            let limit = &self.limits[place(limit)];
            lanes.extend(&limit.lanes);
            limits.extend(&limit.below);
        }
        lanes
    }

    /// The nearest limit of those around some tasks by which as many are in flight as may be, and how many that are.
    pub fn reached(&self, limit: Option<u32>) -> Option<(u32, u32)> {
        let mut around = self.and_around(limit).into_iter();
        around.find_map(|number| {
            let limit = &self.limits[place(number)];
            (limit.on == LimitOn::InFlight && limit.used >= limit.max).then_some((number, limit.max))
        })
    }

    /// Who may work on the tasks of a lane; none where no agent does.
    pub fn crew(&self, lane: u32) -> Option<&Crew> {
        self.groups[place(self.lanes[place(lane)].group)].crew.as_ref()
    }

    /// The first task with room of each crew, in the order of their turns.
    pub fn heads(&self) -> impl Iterator<Item = TaskIx> {
        self.heads.iter().map(|(head, _)| head.task)
    }

    /// The tasks that must be alone, in the order of their turns.
    pub fn alone(&self) -> impl Iterator<Item = TaskIx> {
        self.alone.iter().map(|rank| rank.task)
    }

    /// The ready tasks in lots that the same things keep back: the first of each, and how many it has.
    pub fn lots(&self) -> impl Iterator<Item = (TaskIx, usize)> {
        let lanes = self.lanes.iter().filter_map(|lane| Some((lane.ready.first()?.task, lane.ready.len())));
        lanes.chain(self.alone().map(|task| (task, 1)))
    }

    /// All ready tasks.
    pub fn all(&self) -> impl Iterator<Item = TaskIx> {
        let lanes = self.lanes.iter().flat_map(|lane| &lane.ready);
        lanes.chain(&self.alone).map(|rank| rank.task)
    }

    /// The lane of this crew and limit, made where it does not exist.
    fn lane(&mut self, crew: Option<Crew>, limit: Option<u32>) -> u32 {
        let known = self.groups.iter().position(|group| group.crew == crew);
        let group = number(known.unwrap_or_else(|| {
            self.groups.push(Group { crew, ..Group::default() });
            self.groups.len() - 1
        }));
        let beside = match limit {
            Some(limit) => &mut self.limits[place(limit)].lanes,
            None => &mut self.groups[place(group)].lanes,
        };
        if let Some(lane) = beside.iter().find(|lane| self.lanes[place(**lane)].group == group) {
            return *lane;
        }
        let lane = number(self.lanes.len());
        beside.push(lane);
        self.lanes.push(Lane { group, limit, ready: BTreeSet::new() });
        lane
    }

    /// The task that a lane would start next.
    fn head(&self, number: u32) -> Option<Rank> {
        let lane = &self.lanes[place(number)];
        lane.ready.first().copied().filter(|_| self.has_room(lane.limit))
    }

    fn change(&mut self, number: u32, change: impl FnOnce(&mut Lane)) {
        let before = self.head(number);
        change(&mut self.lanes[place(number)]);
        let (after, group) = (self.head(number), self.lanes[place(number)].group);
        if before != after {
            self.change_group(group, |group| replace(&mut group.heads, before, after, number));
        }
    }

    fn change_group(&mut self, number: u32, change: impl FnOnce(&mut Group)) {
        let group = &mut self.groups[place(number)];
        let before = group.head();
        change(group);
        let after = group.head();
        replace(&mut self.heads, before, after, number);
    }
}

/// Another is the first of a lane or a group.
fn replace(heads: &mut BTreeSet<(Rank, u32)>, before: Option<Rank>, after: Option<Rank>, number: u32) {
    if before == after {
        return;
    }
    if let Some(rank) = before {
        heads.remove(&(rank, number));
    }
    if let Some(rank) = after {
        heads.insert((rank, number));
    }
}

fn number(place: usize) -> u32 {
    u32::try_from(place).expect("no more lanes than tasks")
}

fn place(number: u32) -> usize {
    usize::try_from(number).expect("32 bits fit")
}
